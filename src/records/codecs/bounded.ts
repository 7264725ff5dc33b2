/** What the codecs share: turning a native decoder's failure into a RecordError. */
import { RecordError } from '../record-error.ts'

export function tooLarge(codec: string, maxBytes: number): RecordError {
  return new RecordError('too large', `${codec} data decompresses to more than ${maxBytes} bytes`)
}

export function corrupt(codec: string, reason: string, cause?: unknown): RecordError {
  return new RecordError('corrupt', `${codec} data cannot be decoded: ${reason}`, { cause })
}

/** For node:zlib, which reports an exceeded maxOutputLength and everything else as coded errors. */
export function fromZlib(codec: string, maxBytes: number, error: unknown): RecordError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ERR_BUFFER_TOO_LARGE') return tooLarge(codec, maxBytes)
  return corrupt(codec, error instanceof Error ? error.message : String(error), error)
}
