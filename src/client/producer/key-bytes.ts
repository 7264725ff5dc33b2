/** Keys as bytes, without an object for each: they are hashed and copied into a batch at once. */
import type { Bytes } from '../serdes/serde.ts'
import type { KeyBytes } from './batch.ts'

const SCRATCH_BYTES = 4096
const SHORT_KEY = 64

export class KeyScratch {
  private readonly scratch = Buffer.allocUnsafe(SCRATCH_BYTES)
  private readonly view = { bytes: this.scratch as Uint8Array, length: 0 }

  /** Valid until the next call. */
  bytesOf(key: Bytes | null): KeyBytes | null {
    if (key === null) return null
    const { view } = this
    if (typeof key !== 'string') {
      view.bytes = key
      view.length = key.length
      return view
    }
    view.bytes = this.scratch
    if (key.length <= SHORT_KEY && this.writeAscii(key)) view.length = key.length
    else if (key.length * 3 <= SCRATCH_BYTES) view.length = this.scratch.write(key)
    else {
      view.bytes = Buffer.from(key)
      view.length = view.bytes.length
    }
    return view
  }

  private writeAscii(text: string): boolean {
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      if (code > 0x7f) return false
      this.scratch[index] = code
    }
    return true
  }
}
