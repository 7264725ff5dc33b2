/**
 * Why a batch could not be read. Thrown by the readers and codecs of this folder; the produce validation turns it into
 * an error code, other readers report it with file and position.
 */
export type RecordErrorKind =
  /** The record or batch structure is wrong: lengths, counts, an early end. */
  | 'invalid'
  /** The compressed data cannot be decoded. */
  | 'corrupt'
  /** Decompressing would need more memory than allowed. */
  | 'too large'

export class RecordError extends Error {
  readonly kind: RecordErrorKind

  constructor(kind: RecordErrorKind, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'RecordError'
    this.kind = kind
  }
}
