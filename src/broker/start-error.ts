/** Why the broker could not start, for people (message) and for programs (code). */
export type BrokerStartErrorCode =
  | 'BAD_CONFIG'
  | 'DATA_LOCKED'
  | 'DATA_NOT_WRITABLE'
  | 'DATA_UNUSABLE'
  /** A Kafka broker's folder, which nobody said may be taken over. */
  | 'KAFKA_FOLDER'
  | 'PORT_IN_USE'
  | 'ADDRESS_UNUSABLE'

export class BrokerStartError extends Error {
  override readonly name = 'BrokerStartError'
  readonly code: BrokerStartErrorCode
  /** Lines to read before the message. */
  readonly details: readonly string[]

  constructor(code: BrokerStartErrorCode, message: string, options?: { cause?: unknown; details?: readonly string[] }) {
    super(message, options)
    this.code = code
    this.details = options?.details ?? []
  }
}
