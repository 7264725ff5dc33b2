/**
 * What the client's KafkaError becomes among kafkajs' classes.
 *
 * What a broker answered is a KafkaJSProtocolError. What may pass by itself kafkajs repeats, and reports
 * KafkaJSNumberOfRetriesExceeded in the end, with the last failure as its cause; the client has repeated it, too, by the time
 * it reports it. Messages are the client's own.
 */
import { KafkaError } from '../client/errors.ts'
import {
  KafkaJSConnectionClosedError,
  KafkaJSConnectionError,
  KafkaJSError,
  KafkaJSNonRetriableError,
  KafkaJSNotImplemented,
  KafkaJSNumberOfRetriesExceeded,
  KafkaJSProtocolError,
  KafkaJSRequestTimeoutError,
  KafkaJSSASLAuthenticationError,
  KafkaJSServerDoesNotSupportApiKey,
} from './errors.ts'

/** Names that the protocol has changed since; by number. */
const FORMER_NAMES: Readonly<Record<number, string>> = {
  [-1]: 'UNKNOWN',
  6: 'NOT_LEADER_FOR_PARTITION',
  14: 'GROUP_LOAD_IN_PROGRESS',
  15: 'GROUP_COORDINATOR_NOT_AVAILABLE',
  16: 'NOT_COORDINATOR_FOR_GROUP',
}

/** What a broker answered. */
export function protocolError(error: KafkaError): KafkaJSProtocolError {
  const { errorCode: code, message, retriable } = error
  const reason: Error & { type?: string; code?: number; retriable?: boolean } = new Error(message)
  reason.type = FORMER_NAMES[code] ?? error.code
  reason.code = code
  reason.retriable = retriable
  return new KafkaJSProtocolError(reason, { cause: error })
}

/** The class that says what happened, without regard to how often it was tried. */
export function failureOf(error: unknown): Error {
  if (!(error instanceof KafkaError))
    return error instanceof Error ? error : new KafkaJSNonRetriableError(String(error))
  if (error.errorCode !== 0) return protocolError(error)
  switch (error.code) {
    case 'ERR_CONNECT':
      return new KafkaJSConnectionError(error, { code: codeOf(error.cause) })
    case 'ERR_CONNECTION_CLOSED':
      return new KafkaJSConnectionClosedError(error)
    case 'ERR_TIMEOUT':
      return new KafkaJSRequestTimeoutError(error)
    case 'ERR_AUTHENTICATION':
      return new KafkaJSSASLAuthenticationError(error)
    case 'ERR_UNSUPPORTED_VERSION':
      return new KafkaJSServerDoesNotSupportApiKey(error)
    case 'ERR_CODEC_UNAVAILABLE':
      return new KafkaJSNotImplemented(error)
    case 'ERR_DELIVERY_TIMEOUT':
    case 'ERR_BUFFER_FULL':
      return error.cause instanceof KafkaError ? failureOf(error.cause) : new KafkaJSError(error)
    case 'ERR_FENCED':
    case 'ERR_TRANSACTION_ABORTABLE':
      // Programs of kafkajs look for the broker's word behind it.
      return error.cause instanceof KafkaError && error.cause.errorCode !== 0
        ? protocolError(error.cause)
        : new KafkaJSNonRetriableError(error, { cause: error })
    default:
      return new KafkaJSNonRetriableError(error, { cause: error })
  }
}

/** What a call rejects with: the client has tried again what may pass by itself, so that is what is said. */
export function translated(error: unknown, tried: { retries: number; retryTime: number }): Error {
  const failure = failureOf(error)
  if (!(error instanceof KafkaError) || !(failure instanceof KafkaJSError) || !failure.retriable) return failure
  return new KafkaJSNumberOfRetriesExceeded(failure, { retryCount: tried.retries, retryTime: tried.retryTime })
}

function codeOf(cause: unknown): string | undefined {
  const code = (cause as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code : undefined
}
