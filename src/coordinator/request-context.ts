/** What the coordinator is told about a request beside its body. The broker's RequestContext is one of these. */

export interface GroupRequestContext {
  readonly clientId: string | null
  /** `/127.0.0.1` */
  readonly clientHost: string
  readonly apiVersion: number
  allowed(operation: 'READ' | 'DESCRIBE' | 'DELETE', resource: 'GROUP' | 'TOPIC', name: string): boolean
}

/** The cluster's topics, as far as groups care. */
export interface TopicLookup {
  /** undefined: there is no such topic. */
  topicId(name: string): string | undefined
  topicName(topicId: string): string | undefined
  partitionCount(name: string): number | undefined
}

/** The cluster's topics, as consumer groups need them besides. */
export interface ClusterTopics extends TopicLookup {
  /** Of the metadata that is looked at; grows with every change. */
  readonly version: number
  /** The version in which a topic was created last. */
  readonly newestTopicVersion: number
  topicNames(): Iterable<string>
  /** What groups remember of the topic (`group/consumer/metadata-hash.ts`); undefined: there is no such topic. */
  metadataHash(name: string): bigint | undefined
}

/** A regular expression in RE2's syntax, which matches in time linear to the text. */
export interface TopicPattern {
  /** Whether the whole name matches. */
  matches(topicName: string): boolean
}

/** The compiled expression, or why there is none. */
export type CompileTopicPattern = (expression: string) => TopicPattern | { readonly problem: string }
