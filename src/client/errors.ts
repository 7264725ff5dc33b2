/**
 * The one error class of the client. `code` is stable and meant for programs: the protocol's own name where a broker
 * answered with an error (`NOT_LEADER_OR_FOLLOWER`), a name that begins with `ERR_` where the client found the trouble.
 * The message is meant for people and names the broker, topic or partition it is about. What a broker answers for one row
 * of a request is a value in the response; it becomes a KafkaError only where a caller asked for that one row.
 */
import { join, sep } from 'node:path'
import { type ErrorCode, errorName, isRetriable } from '../protocol/errors.ts'

/** What the client itself reports. */
export type ClientErrorCode =
  /** No connection could be made. */
  | 'ERR_CONNECT'
  /** The connection ended while requests were waiting on it. */
  | 'ERR_CONNECTION_CLOSED'
  /** No answer in time. The request may have been executed. */
  | 'ERR_TIMEOUT'
  /** Broker and client have no version of this request in common. */
  | 'ERR_UNSUPPORTED_VERSION'
  /** What arrived is not a Kafka response. */
  | 'ERR_BAD_RESPONSE'
  /** The credentials were refused, or there are none to offer. */
  | 'ERR_AUTHENTICATION'
  /** The caller's AbortSignal fired; its reason is the cause. */
  | 'ERR_ABORTED'
  /** The client, producer or consumer was closed, or is being closed. */
  | 'ERR_CLOSED'
  /** The producer's memory is full, and stayed full for `maxBlockMs`. */
  | 'ERR_BUFFER_FULL'
  /** The record was not acknowledged within `deliveryTimeoutMs`. It may have been stored. */
  | 'ERR_DELIVERY_TIMEOUT'
  /** An option, or a combination of options, that makes no sense. */
  | 'ERR_INVALID_OPTION'
  /** A record that cannot be sent: too large, or for a partition that there is not. */
  | 'ERR_INVALID_RECORD'
  /** A serializer or deserializer failed; what it threw is the cause. */
  | 'ERR_SERIALIZATION'
  /** The call is not allowed now: no transaction is open, or one is. */
  | 'ERR_INVALID_STATE'
  /** Another producer has taken this transactional id over: this one is of no more use. */
  | 'ERR_FENCED'
  /** The transaction can only be aborted; the cause says why. */
  | 'ERR_TRANSACTION_ABORTABLE'
  /** There is no committed offset, or the position is gone, and the consumer was told not to choose another one. */
  | 'ERR_NO_OFFSET'
  /** A new leader's log lacks records that were read already, and the consumer was told not to go back. */
  | 'ERR_LOG_TRUNCATED'
  /** A fetched batch cannot be read: its checksum or its structure is wrong. */
  | 'ERR_CORRUPT_RECORDS'
  /** The records of this codec cannot be handled here: the message names what is missing. */
  | 'ERR_CODEC_UNAVAILABLE'
  /** A value is not what its schema asks for: `issues` says where and why. */
  | 'ERR_VALIDATION'
  /** None of the schema registry's addresses answered, or it said that it cannot now. */
  | 'ERR_REGISTRY_UNAVAILABLE'
  /** The schema registry has no such schema, subject or version. */
  | 'ERR_SCHEMA_NOT_FOUND'
  /** The schema registry refuses a schema because of those that the subject has. */
  | 'ERR_SCHEMA_INCOMPATIBLE'
  /** A schema that cannot be understood, by the schema registry or here. */
  | 'ERR_SCHEMA_INVALID'
  /** The schema registry refuses for another reason: the message and `registryCode` say which. */
  | 'ERR_REGISTRY'
  /** An optional package is not installed: the message names it. */
  | 'ERR_PACKAGE_MISSING'

/** `UNKNOWN(n)`: a code that a newer broker knows and this client does not. */
export type KafkaErrorCode = ClientErrorCode | keyof typeof ErrorCode | `UNKNOWN(${number})`

const RETRIABLE_HERE: ReadonlySet<KafkaErrorCode> = new Set([
  'ERR_CONNECT',
  'ERR_CONNECTION_CLOSED',
  'ERR_TIMEOUT',
  'ERR_BUFFER_FULL',
  'ERR_REGISTRY_UNAVAILABLE',
] as const)

/** What a schema does not like about a value. */
export interface ValidationIssue {
  /** In the schema's or its library's words. */
  readonly message: string
  /** Field names and list positions from the value down to the place; empty for the value as a whole. */
  readonly path: readonly string[]
}

/** Records that cannot be read. */
export interface UnreadablePlace {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Where to `seek` to go on without them; null if the bytes do not tell where they end. */
  readonly nextOffset: number | null
}

export interface KafkaErrorOptions {
  readonly cause?: unknown
  readonly place?: UnreadablePlace
  /** The protocol's number of the error, where a broker gave one. */
  readonly errorCode?: number
  readonly issues?: readonly ValidationIssue[]
  /** The schema registry's number of the error, where it gave one. */
  readonly registryCode?: number
}

/**
 * What every promise of the client rejects with, and every call throws, when Kafka or the way to it is the reason. `cause` is what was
 * behind it, where something was; the stack is that of the caller.
 */
export class KafkaError extends Error {
  /** Always `KafkaError`. */
  override readonly name = 'KafkaError'
  /** Stable, for programs: the protocol's name of the error, or one that begins with `ERR_`. */
  readonly code: KafkaErrorCode
  /** Kafka's error number where a broker answered with one, else 0. */
  readonly errorCode: number
  /** Whether the same call may succeed later. What the client retries by itself has been retried already. */
  readonly retriable: boolean
  /** Of ERR_CORRUPT_RECORDS, ERR_CODEC_UNAVAILABLE and a consumer's ERR_SERIALIZATION: what cannot be read; else null. */
  readonly place: UnreadablePlace | null
  /** What a schema does not like about the value; empty where no schema was asked. */
  readonly issues: readonly ValidationIssue[]
  /** The schema registry's error number (40403, 42201, 409, ...) or HTTP status where one answered with an error, else 0. */
  readonly registryCode: number

  /** For errors of your own that shall look like the client's, in tests for instance. */
  constructor(code: KafkaErrorCode, message: string, options: KafkaErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.errorCode = options.errorCode ?? 0
    this.place = options.place ?? null
    this.issues = options.issues ?? []
    this.registryCode = options.registryCode ?? 0
    this.retriable = this.errorCode === 0 ? RETRIABLE_HERE.has(code) : isRetriable(this.errorCode)
  }
}

/** `what` says what was attempted on what: "create topic 'orders'". */
export function brokerError(errorCode: number, what: string, detail?: string | null): KafkaError {
  const name = errorName(errorCode)
  const reason = detail === undefined || detail === null || detail === '' ? name : `${detail} (${name})`
  return new KafkaError(name as KafkaErrorCode, `${what}: ${reason}`, { errorCode })
}

/** `what` says which value does not fit which schema. */
export function validationError(what: string, issues: readonly ValidationIssue[], cause?: unknown): KafkaError {
  const list = issues.map(({ message, path }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`))
  return new KafkaError('ERR_VALIDATION', `${what}: ${list.join('; ')}`, { issues, cause })
}

/** The connection is lost or the answer is overdue: asking again, perhaps another broker, may help. */
export function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof KafkaError)) return false
  return error.code === 'ERR_CONNECTION_CLOSED' || error.code === 'ERR_CONNECT' || error.code === 'ERR_TIMEOUT'
}

export function asKafkaError(error: unknown, code: ClientErrorCode, what: string): KafkaError {
  if (error instanceof KafkaError) return error
  return new KafkaError(code, `${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
}

export function abortedError(what: string, signal: AbortSignal): KafkaError {
  return new KafkaError('ERR_ABORTED', `${what}: aborted by its caller`, { cause: signal.reason })
}

/** Of the frames on top of the caller's. */
const OWN_FOLDER = join(import.meta.dirname, sep)

/**
 * The same error as seen from where the caller asked: answers arrive on an empty stack, `origin` was made in the call.
 * Several callers may wait for one answer, so each gets an error of its own, with the same code and cause.
 */
export function fromCallSite(error: KafkaError, origin: Error | null): KafkaError {
  const { code, message, cause = error, errorCode, issues, registryCode } = error
  const copy = new KafkaError(code, message, { cause, errorCode, issues, registryCode })
  const frames = origin?.stack?.split('\n').slice(1) ?? []
  const own = frames.findIndex((frame) => !frame.includes(OWN_FOLDER))
  if (own >= 0) copy.stack = `${copy.name}: ${copy.message}\n${frames.slice(own).join('\n')}`
  return copy
}
