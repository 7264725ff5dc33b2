/**
 * The one error class of the client. `code` is stable and meant for programs; the message is meant for people and
 * names the broker, topic or partition it is about. What a broker answers for one row of a request is a value in the
 * response; it becomes a ClientError only where a caller asked for that one row.
 */
import { errorName } from '../protocol/errors.ts'

export type ClientErrorCode =
  /** No TCP connection could be made. */
  | 'CONNECT_FAILED'
  /** The connection ended while requests were waiting on it. */
  | 'CONNECTION_CLOSED'
  /** No answer in time. The request may have been executed. */
  | 'TIMEOUT'
  /** Broker and client have no version of this request in common. */
  | 'UNSUPPORTED_VERSION'
  /** What arrived is not a Kafka response. */
  | 'BAD_RESPONSE'
  /** The broker answered with an error code; see `brokerErrorCode`. */
  | 'BROKER_ERROR'

export class ClientError extends Error {
  override readonly name = 'ClientError'
  readonly code: ClientErrorCode
  /** Kafka's error code where `code` is BROKER_ERROR, else 0. */
  readonly brokerErrorCode: number

  constructor(code: ClientErrorCode, message: string, options: { cause?: unknown; brokerErrorCode?: number } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.brokerErrorCode = options.brokerErrorCode ?? 0
  }
}

/** `what` says what was attempted on what: "create topic 'orders'". */
export function brokerError(brokerErrorCode: number, what: string, detail?: string | null): ClientError {
  const name = errorName(brokerErrorCode)
  const reason = detail === undefined || detail === null || detail === '' ? name : `${detail} (${name})`
  return new ClientError('BROKER_ERROR', `${what}: ${reason}`, { brokerErrorCode })
}
