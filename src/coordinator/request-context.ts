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
