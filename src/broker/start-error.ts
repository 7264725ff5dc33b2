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

/** Why a broker did not start: the message for people, `code` for programs. */
export class BrokerStartError extends Error {
  /** Always `BrokerStartError`. */
  override readonly name = 'BrokerStartError'
  /** What is in the way. */
  readonly code: BrokerStartErrorCode
  /** Lines to read before the message. */
  readonly details: readonly string[]

  /** @internal */
  constructor(code: BrokerStartErrorCode, message: string, options?: { cause?: unknown; details?: readonly string[] }) {
    super(message, options)
    this.code = code
    this.details = options?.details ?? []
  }
}
