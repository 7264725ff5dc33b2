/** What a topic may be called. */

const MAX_TOPIC_NAME_LENGTH = 249

/** Kafka's own metadata log: never a topic that clients create. */
export const CLUSTER_METADATA_TOPIC = '__cluster_metadata'

/** Why the name is not allowed; null: it is. */
export function invalidTopicName(name: string): string | null {
  if (name === '') return 'Topic name is invalid: the empty string is not allowed'
  if (name === '.' || name === '..') return `Topic name is invalid: '${name}' is not allowed`
  if (name.length > MAX_TOPIC_NAME_LENGTH) {
    return `Topic name is invalid: the length of '${name}' is longer than the max allowed length ${MAX_TOPIC_NAME_LENGTH}`
  }
  if (!/^[a-zA-Z0-9._-]+$/.test(name)) {
    return `Topic name is invalid: '${name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'`
  }
  return null
}
