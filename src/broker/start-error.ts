/** Why the broker could not start, for people (message) and for programs (code). */
export type BrokerStartErrorCode =
  | 'BAD_CONFIG'
  | 'DATA_LOCKED'
  | 'DATA_NOT_WRITABLE'
  | 'DATA_UNUSABLE'
  | 'PORT_IN_USE'
  | 'ADDRESS_UNUSABLE'

export class BrokerStartError extends Error {
  override readonly name = 'BrokerStartError'
  readonly code: BrokerStartErrorCode

  constructor(code: BrokerStartErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}
