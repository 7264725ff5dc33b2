import { describeExamples } from './examples.ts'

describeExamples('docs/client.md')
