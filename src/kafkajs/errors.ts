/** The error classes of kafkajs: what programs look at is the class, `name`, `retriable`, `type` and `code`. */

export interface KafkaJSErrorMetadata {
  retriable?: boolean
  topic?: string
  partitionId?: number
  cause?: unknown
}

interface Described {
  readonly message: string
  readonly helpUrl?: string
  readonly retriable?: boolean
  readonly type?: string
  readonly code?: number
}

type Reason = Error | string

function describe(reason: Reason): Described {
  return typeof reason === 'string' ? { message: reason } : reason
}

export class KafkaJSError extends Error {
  override name = 'KafkaJSError'
  readonly retriable: boolean
  readonly helpUrl?: string
  declare readonly cause?: Error

  constructor(reason: Reason, { retriable = true, cause }: KafkaJSErrorMetadata = {}) {
    super(describe(reason).message, cause === undefined ? undefined : { cause })
    this.retriable = retriable
    const { helpUrl } = describe(reason)
    if (helpUrl !== undefined) this.helpUrl = helpUrl
  }
}

export class KafkaJSNonRetriableError extends KafkaJSError {
  override name = 'KafkaJSNonRetriableError'

  constructor(reason: Reason, { cause }: { cause?: unknown } = {}) {
    super(reason, { retriable: false, cause })
  }
}

/** `type` is the protocol's name of the error as kafkajs writes it, `code` its number. */
export class KafkaJSProtocolError extends KafkaJSError {
  override name = 'KafkaJSProtocolError'
  readonly type: string
  readonly code: number

  constructor(reason: Reason, metadata: { retriable?: boolean; cause?: unknown } = {}) {
    const { retriable = true, type = 'UNKNOWN', code = -1 } = describe(reason)
    super(reason, { retriable: metadata.retriable ?? retriable, cause: metadata.cause })
    this.type = type
    this.code = code
  }
}

export class KafkaJSOffsetOutOfRange extends KafkaJSProtocolError {
  override name = 'KafkaJSOffsetOutOfRange'
  readonly topic: string
  readonly partition: number

  constructor(reason: Reason, { topic, partition }: { topic: string; partition: number }) {
    super(reason)
    this.topic = topic
    this.partition = partition
  }
}

export class KafkaJSMemberIdRequired extends KafkaJSProtocolError {
  override name = 'KafkaJSMemberIdRequired'
  readonly memberId: string

  constructor(reason: Reason, { memberId }: { memberId: string }) {
    super(reason)
    this.memberId = memberId
  }
}

export class KafkaJSNumberOfRetriesExceeded extends KafkaJSNonRetriableError {
  override name = 'KafkaJSNumberOfRetriesExceeded'
  readonly retryCount: number
  readonly retryTime: number

  constructor(reason: Reason, { retryCount, retryTime }: { retryCount: number; retryTime: number }) {
    super(reason, { cause: reason })
    this.retryCount = retryCount
    this.retryTime = retryTime
    if (typeof reason !== 'string') this.stack = `${this.name}\n  Caused by: ${reason.stack}`
  }
}

export class KafkaJSConnectionError extends KafkaJSError {
  override name = 'KafkaJSConnectionError'
  readonly broker: string | undefined
  readonly code: string | undefined

  constructor(reason: Reason, { broker, code }: { broker?: string | undefined; code?: string | undefined } = {}) {
    super(reason)
    this.broker = broker
    this.code = code
  }
}

export class KafkaJSConnectionClosedError extends KafkaJSConnectionError {
  override name = 'KafkaJSConnectionClosedError'
  readonly host: string | undefined
  readonly port: number | undefined

  constructor(reason: Reason, { host, port }: { host?: string; port?: number } = {}) {
    super(reason, { broker: `${host}:${port}` })
    this.host = host
    this.port = port
  }
}

export interface KafkaJSRequestTimeoutErrorMetadata {
  broker?: string
  correlationId?: number
  createdAt?: number
  sentAt?: number
  pendingDuration?: number
}

export class KafkaJSRequestTimeoutError extends KafkaJSError {
  override name = 'KafkaJSRequestTimeoutError'
  readonly broker: string | undefined
  readonly correlationId: number | undefined
  readonly createdAt: number | undefined
  readonly sentAt: number | undefined
  readonly pendingDuration: number | undefined

  constructor(reason: Reason, metadata: KafkaJSRequestTimeoutErrorMetadata = {}) {
    super(reason)
    this.broker = metadata.broker
    this.correlationId = metadata.correlationId
    this.createdAt = metadata.createdAt
    this.sentAt = metadata.sentAt
    this.pendingDuration = metadata.pendingDuration
  }
}

export class KafkaJSMetadataNotLoaded extends KafkaJSError {
  override name = 'KafkaJSMetadataNotLoaded'
}

export class KafkaJSTopicMetadataNotLoaded extends KafkaJSMetadataNotLoaded {
  override name = 'KafkaJSTopicMetadataNotLoaded'
  readonly topic: string | undefined

  constructor(reason: Reason, { topic }: { topic?: string } = {}) {
    super(reason)
    this.topic = topic
  }
}

export class KafkaJSStaleTopicMetadataAssignment extends KafkaJSError {
  override name = 'KafkaJSStaleTopicMetadataAssignment'
  readonly topic: string | undefined
  readonly unknownPartitions: unknown

  constructor(reason: Reason, { topic, unknownPartitions }: { topic?: string; unknownPartitions?: unknown } = {}) {
    super(reason)
    this.topic = topic
    this.unknownPartitions = unknownPartitions
  }
}

export interface DeleteGroupsResult {
  groupId: string
  errorCode?: number
  error?: KafkaJSProtocolError
}

export class KafkaJSDeleteGroupsError extends KafkaJSError {
  override name = 'KafkaJSDeleteGroupsError'
  readonly groups: DeleteGroupsResult[]

  constructor(reason: Reason, groups: DeleteGroupsResult[] = []) {
    super(reason)
    this.groups = groups
  }
}

export class KafkaJSServerDoesNotSupportApiKey extends KafkaJSNonRetriableError {
  override name = 'KafkaJSServerDoesNotSupportApiKey'
  readonly apiKey: number | undefined
  readonly apiName: string | undefined

  constructor(reason: Reason, { apiKey, apiName }: { apiKey?: number; apiName?: string } = {}) {
    super(reason)
    this.apiKey = apiKey
    this.apiName = apiName
  }
}

export class KafkaJSBrokerNotFound extends KafkaJSError {
  override name = 'KafkaJSBrokerNotFound'
}

export class KafkaJSPartialMessageError extends KafkaJSNonRetriableError {
  override name = 'KafkaJSPartialMessageError'
}

export class KafkaJSSASLAuthenticationError extends KafkaJSNonRetriableError {
  override name = 'KafkaJSSASLAuthenticationError'
}

export class KafkaJSGroupCoordinatorNotFound extends KafkaJSNonRetriableError {
  override name = 'KafkaJSGroupCoordinatorNotFound'
}

export class KafkaJSNotImplemented extends KafkaJSNonRetriableError {
  override name = 'KafkaJSNotImplemented'
}

export class KafkaJSTimeout extends KafkaJSNonRetriableError {
  override name = 'KafkaJSTimeout'
}

export class KafkaJSLockTimeout extends KafkaJSTimeout {
  override name = 'KafkaJSLockTimeout'
}

export class KafkaJSUnsupportedMagicByteInMessageSet extends KafkaJSNonRetriableError {
  override name = 'KafkaJSUnsupportedMagicByteInMessageSet'
}

export interface KafkaJSDeleteTopicRecordsErrorPartition {
  partition: number
  offset: string
  error: KafkaJSError
}

/** Retriable where every partition's error is. */
export class KafkaJSDeleteTopicRecordsError extends KafkaJSError {
  override name = 'KafkaJSDeleteTopicRecordsError'
  readonly partitions: KafkaJSDeleteTopicRecordsErrorPartition[]

  constructor({ partitions }: { topic?: string; partitions: KafkaJSDeleteTopicRecordsErrorPartition[] }) {
    super('Error while deleting records', { retriable: partitions.every(({ error }) => error.retriable) })
    this.partitions = partitions
  }
}

export class KafkaJSInvariantViolation extends KafkaJSNonRetriableError {
  override name = 'KafkaJSInvariantViolation'
}

export class KafkaJSInvalidVarIntError extends KafkaJSNonRetriableError {}

export class KafkaJSInvalidLongError extends KafkaJSNonRetriableError {}

export class KafkaJSCreateTopicError extends KafkaJSProtocolError {
  override name = 'KafkaJSCreateTopicError'
  readonly topic: string

  constructor(reason: Reason, topic: string) {
    super(reason)
    this.topic = topic
  }
}

export class KafkaJSAlterPartitionReassignmentsError extends KafkaJSProtocolError {
  override name = 'KafkaJSAlterPartitionReassignmentsError'
  readonly topic: string | undefined
  readonly partition: number | undefined

  constructor(reason: Reason, topic?: string, partition?: number) {
    super(reason)
    this.topic = topic
    this.partition = partition
  }
}

export class KafkaJSAggregateError extends Error {
  override name = 'KafkaJSAggregateError'
  readonly errors: (Error | string)[]

  constructor(reason: Reason, errors: (Error | string)[]) {
    super(describe(reason).message)
    this.errors = errors
  }
}

export class KafkaJSFetcherRebalanceError extends Error {}

export class KafkaJSNoBrokerAvailableError extends KafkaJSError {
  override name = 'KafkaJSNoBrokerAvailableError'

  constructor() {
    super('No broker available')
  }
}
