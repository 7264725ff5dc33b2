import { describeExamples } from './examples.ts'

describeExamples('docs/embedded.md')
