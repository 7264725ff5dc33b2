import { describeExamples } from './examples.ts'

describeExamples('docs/migration-from-kafkajs.md')
