/** Under which subject a registry keeps the schema of a record. */
import { KafkaError } from '../errors.ts'
import type { SerdeContext } from './serde.ts'

/** What a subject is named after. */
export interface SubjectContext extends Pick<SerdeContext, 'topic' | 'field'> {
  /** The full name of the record (Avro) or message (Protobuf), the title of a JSON Schema; null if there is none, or no schema was given. */
  readonly recordName: string | null
}

/**
 * `topic`: `<topic>-key` or `<topic>-value`, one schema per topic. `record`: the record's full name, one schema in all topics.
 * `topic-record`: `<topic>-<full name>`, several kinds of records in one topic. Or a function.
 */
export type SubjectNameStrategy = 'topic' | 'record' | 'topic-record' | ((context: SubjectContext) => string)

export function subjectOf(strategy: SubjectNameStrategy, context: SubjectContext): string {
  if (typeof strategy === 'function') return strategy(context)
  if (strategy === 'topic') return `${context.topic}-${context.field}`
  if (context.recordName === null) {
    const message = `the subject strategy '${strategy}' needs a schema with a name: a record, a message, or a title`
    throw new KafkaError('ERR_INVALID_OPTION', message)
  }
  return strategy === 'record' ? context.recordName : `${context.topic}-${context.recordName}`
}
