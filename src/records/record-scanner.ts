/**
 * Walks the records of one uncompressed records section without allocating per record. The section may be a list of
 * chunks straight from the socket; anything, even a varint, may straddle two of them.
 *
 * One scanner is reused for many batches: `open`, then `next` once per record, reading the fields of the current record
 * from the scanner. It checks the structure of a record completely (exact length, header keys present, nothing past the
 * end) and throws a RecordError of kind 'invalid' otherwise. What the values mean is the caller's business.
 */
import { RecordError } from './record-error.ts'
import { zigzagDecodeHalves } from './varint.ts'

const NO_BYTES = new Uint8Array(0)

export class RecordScanner {
  /** Fields of the current record. */
  timestampDelta = 0
  offsetDelta = 0
  keyLength = -1
  /** Where the current chunk's parts of the record lie; meaningful only if the section is one chunk. */
  keyPosition = 0
  valueLength = -1
  valuePosition = 0
  headerCount = 0
  headersPosition = 0

  #chunks: readonly Uint8Array[] = []
  #chunkIndex = 0
  #chunk: Uint8Array = NO_BYTES
  #position = 0
  #end = 0
  /** Bytes of the section from the start of the current chunk on. */
  #bytesFromChunk = 0

  /** Start at byte `skip` of the chunks; the section is `length` bytes, all of which the chunks hold. */
  open(chunks: readonly Uint8Array[], skip: number, length: number): void {
    let index = 0
    while (index < chunks.length - 1 && skip >= chunks[index]!.length) skip -= chunks[index++]!.length
    this.#chunks = chunks
    this.#chunkIndex = index
    this.#chunk = chunks[index] ?? NO_BYTES
    this.#position = skip
    this.#bytesFromChunk = skip + length
    this.#end = Math.min(this.#chunk.length, this.#bytesFromChunk)
  }

  /** Forget the batch, so that its memory can be freed. */
  close(): void {
    this.#chunks = []
    this.#chunk = NO_BYTES
    this.#position = 0
    this.#end = 0
    this.#bytesFromChunk = 0
  }

  /** Bytes of the section not yet read. */
  get remaining(): number {
    return this.#bytesFromChunk - this.#position
  }

  /** Read the next record. */
  next(): void {
    const length = this.#varint()
    const after = this.remaining - length
    if (length < 0 || after < 0) throw new RecordError('invalid', `record length ${length} does not fit the batch`)
    const start = this.#position
    if (start + length <= this.#end && this.#nextPlain(start, start + length)) return
    this.#position = start
    this.#nextOfAnyShape(length, after)
  }

  /**
   * Read a record that lies in one chunk and has no headers: nearly every record, several times as fast. Answers false if
   * it is not one or not well formed; then nothing has been decided. Reading past the chunk gives undefined, which ends
   * as a wrong length and so in false.
   */
  #nextPlain(start: number, end: number): boolean {
    const chunk = this.#chunk
    let at = start + 1 // attributes: not interpreted
    let byte = chunk[at++]!
    if (byte < 0x80) this.timestampDelta = (byte >>> 1) ^ -(byte & 1)
    else {
      const value = longVarint(chunk, at, byte)
      if (value === TOO_LONG) return false
      this.timestampDelta = value
      at = longVarintEnd
    }
    byte = chunk[at++]!
    if (byte < 0x80) this.offsetDelta = (byte >>> 1) ^ -(byte & 1)
    else {
      this.offsetDelta = longVarint(chunk, at, byte)
      at = longVarintEnd
    }
    byte = chunk[at++]!
    let length = (byte >>> 1) ^ -(byte & 1)
    if (byte >= 0x80) {
      length = longVarint(chunk, at, byte)
      at = longVarintEnd
    }
    this.keyLength = length
    this.keyPosition = at
    if (length > 0) at += length
    byte = chunk[at++]!
    length = (byte >>> 1) ^ -(byte & 1)
    if (byte >= 0x80) {
      length = longVarint(chunk, at, byte)
      at = longVarintEnd
    }
    this.valueLength = length
    this.valuePosition = at
    if (length > 0) at += length
    if (at !== end - 1 || chunk[at] !== 0) return false
    this.headerCount = 0
    this.headersPosition = end
    this.#position = end
    return true
  }

  #nextOfAnyShape(length: number, after: number): void {
    this.#skip(1) // attributes: not interpreted
    this.timestampDelta = this.#varlong()
    this.offsetDelta = this.#varint()
    const keyLength = this.#varint()
    this.keyLength = keyLength
    this.keyPosition = this.#position
    if (keyLength > 0) this.#skip(keyLength)
    const valueLength = this.#varint()
    this.valueLength = valueLength
    this.valuePosition = this.#position
    if (valueLength > 0) this.#skip(valueLength)
    const headerCount = this.#varint()
    this.headerCount = headerCount
    this.headersPosition = this.#position
    if (headerCount !== 0) this.#skipHeaders(headerCount)
    if (this.remaining !== after) {
      throw new RecordError('invalid', `record says ${length} bytes but holds ${length + after - this.remaining}`)
    }
  }

  #skipHeaders(count: number): void {
    if (count < 0 || count > this.remaining) throw new RecordError('invalid', `impossible header count ${count}`)
    for (let index = 0; index < count; index++) {
      const keyLength = this.#varint()
      if (keyLength < 0) throw new RecordError('invalid', 'header without a key')
      this.#skip(keyLength)
      const valueLength = this.#varint()
      if (valueLength > 0) this.#skip(valueLength)
    }
  }

  #nextChunk(): void {
    const chunk = this.#chunks[this.#chunkIndex + 1]
    const left = this.#bytesFromChunk - this.#chunk.length
    if (chunk === undefined || left <= 0) throw new RecordError('invalid', 'record runs past the end of the batch')
    this.#chunkIndex++
    this.#bytesFromChunk = left
    this.#chunk = chunk
    this.#position = 0
    this.#end = Math.min(chunk.length, left)
  }

  #byte(): number {
    while (this.#position >= this.#end) this.#nextChunk()
    return this.#chunk[this.#position++]!
  }

  #skip(count: number): void {
    if (count > this.remaining) throw new RecordError('invalid', 'record runs past the end of the batch')
    while (count > this.#end - this.#position) {
      count -= this.#end - this.#position
      this.#nextChunk()
    }
    this.#position += count
  }

  #varint(): number {
    let byte = this.#byte()
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1)
    let raw = byte & 0x7f
    for (let shift = 7; shift < 35; shift += 7) {
      byte = this.#byte()
      raw |= (byte & 0x7f) << shift
      if (byte < 0x80) return (raw >>> 1) ^ -(raw & 1)
    }
    throw new RecordError('invalid', 'varint is longer than 5 bytes')
  }

  #varlong(): number {
    let byte = this.#byte()
    let low = byte & 0x7f
    let shift = 7
    for (; byte >= 0x80 && shift < 28; shift += 7) {
      byte = this.#byte()
      low |= (byte & 0x7f) << shift
    }
    if (byte < 0x80) return (low >>> 1) ^ -(low & 1)
    byte = this.#byte()
    low |= (byte & 0x7f) << 28
    let high = (byte & 0x7f) >>> 4
    for (shift = 3; byte >= 0x80 && shift < 32; shift += 7) {
      byte = this.#byte()
      high |= (byte & 0x7f) << shift
    }
    if (byte >= 0x80) throw new RecordError('invalid', 'varint is longer than 10 bytes')
    return zigzagDecodeHalves(low >>> 0, high >>> 0)
  }
}

/** Position after what `longVarint` read; module state because a second return value would be an allocation. */
let longVarintEnd = 0

/** An impossible delta or length: more than four bytes were not read. */
const TOO_LONG = Number.MAX_SAFE_INTEGER

/** The rest of a varint of two to four bytes, whose first byte is `first`; anything longer is TOO_LONG. */
function longVarint(chunk: Uint8Array, at: number, first: number): number {
  let raw = first & 0x7f
  let byte = chunk[at++]!
  raw |= (byte & 0x7f) << 7
  if (byte >= 0x80) {
    byte = chunk[at++]!
    raw |= (byte & 0x7f) << 14
    if (byte >= 0x80) {
      byte = chunk[at++]!
      raw |= (byte & 0x7f) << 21
      if (byte >= 0x80) return TOO_LONG
    }
  }
  longVarintEnd = at
  return (raw >>> 1) ^ -(raw & 1)
}
