// Reads the primitive types of the protocol from one or several chunks of a frame, without joining them. A scalar that
// straddles two chunks takes a slow path; everything else is read where it lies. One Reader can be used for one
// message after the other (`reset`), and nothing it returns refers to the Reader itself.
//
// Every length and count is compared with the bytes left before anything is allocated for it. What cannot be right
// throws a ProtocolError. Strings and `bytes` are copies; `records` are views of the chunks.

import { ProtocolError } from './errors.ts'
import { MAX_REQUEST_ARRAY_ELEMENTS, MAX_STRING_BYTES } from './limits.ts'
import type { RecordsData } from './schema.ts'
import { readString, readUuid, UUID_BYTES } from './strings.ts'

const NO_CHUNKS: readonly Buffer[] = []
const EMPTY = Buffer.alloc(0)

// Reading is synchronous, so that all Readers can share the few bytes in which a straddling scalar is put together.
const scratch = Buffer.alloc(16)

export class Reader {
  private chunks: readonly Buffer[] = NO_CHUNKS
  private nextChunk = 0
  private bytes: Buffer = EMPTY
  private position = 0
  private limit = 0
  /** Bytes in the chunks after the current one. */
  private bytesLater = 0
  private bytesTotal = 0
  private elements = 0
  /** Over all arrays of one message. */
  maxArrayElements = MAX_REQUEST_ARRAY_ELEMENTS

  constructor(chunks: readonly Buffer[] = NO_CHUNKS) {
    this.reset(chunks)
  }

  reset(chunks: readonly Buffer[]): this {
    let total = 0
    for (let index = 0; index < chunks.length; index++) total += chunks[index]!.length
    this.chunks = chunks
    this.nextChunk = 1
    this.bytes = chunks.length > 0 ? chunks[0]! : EMPTY
    this.position = 0
    this.limit = this.bytes.length
    this.bytesLater = total - this.limit
    this.bytesTotal = total
    this.elements = 0
    return this
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.limit - this.position + this.bytesLater
  }

  /** Bytes read so far. */
  get consumed(): number {
    return this.bytesTotal - this.remaining
  }

  int8(): number {
    return (this.uint8() << 24) >> 24
  }

  uint8(): number {
    if (this.position === this.limit) this.openNextChunk()
    return this.bytes[this.position++]!
  }

  bool(): boolean {
    return this.uint8() !== 0
  }

  int16(): number {
    const position = this.position
    if (position + 2 > this.limit) return this.gather(2).readInt16BE(0)
    const bytes = this.bytes
    this.position = position + 2
    return (((bytes[position]! << 8) | bytes[position + 1]!) << 16) >> 16
  }

  uint16(): number {
    return this.int16() & 0xffff
  }

  int32(): number {
    const position = this.position
    if (position + 4 > this.limit) return this.gather(4).readInt32BE(0)
    const bytes = this.bytes
    this.position = position + 4
    return (bytes[position]! << 24) | (bytes[position + 1]! << 16) | (bytes[position + 2]! << 8) | bytes[position + 3]!
  }

  /** Saturates: values beyond 2^53-1 read as 2^53-1, values below -(2^53-1) as -(2^53-1). */
  int64(): number {
    const high = this.int32()
    const low = this.int32() >>> 0
    if (high > 0x1fffff) return Number.MAX_SAFE_INTEGER
    if (high < -0x200000) return Number.MIN_SAFE_INTEGER
    const value = high * 0x100000000 + low
    return Math.max(value, Number.MIN_SAFE_INTEGER)
  }

  float64(): number {
    const position = this.position
    if (position + 8 > this.limit) return this.gather(8).readDoubleBE(0)
    this.position = position + 8
    return this.bytes.readDoubleBE(position)
  }

  unsignedVarint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.uint8()
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) {
        if (shift === 28 && byte > 0x0f) break
        return value >>> 0
      }
    }
    throw this.malformed('a variable-length integer does not fit into 32 bits')
  }

  uuid(): string {
    const position = this.position
    if (position + UUID_BYTES > this.limit) return readUuid(this.gather(UUID_BYTES), 0)
    this.position = position + UUID_BYTES
    return readUuid(this.bytes, position)
  }

  string(): string {
    return this.stringOf(this.required(this.int16()))
  }

  nullableString(): string | null {
    const length = this.int16()
    return length === -1 ? null : this.stringOf(length)
  }

  compactString(): string {
    return this.stringOf(this.required(this.unsignedVarint() - 1))
  }

  compactNullableString(): string | null {
    const length = this.unsignedVarint() - 1
    return length === -1 ? null : this.stringOf(length)
  }

  /** Like `bytes` of the wire, a copy: it may be kept without keeping the frame. */
  byteString(): Buffer {
    return this.bytesOf(this.required(this.int32()))
  }

  nullableBytes(): Buffer | null {
    const length = this.int32()
    return length === -1 ? null : this.bytesOf(length)
  }

  compactBytes(): Buffer {
    return this.bytesOf(this.required(this.unsignedVarint() - 1))
  }

  compactNullableBytes(): Buffer | null {
    const length = this.unsignedVarint() - 1
    return length === -1 ? null : this.bytesOf(length)
  }

  records(): RecordsData | null {
    const length = this.int32()
    return length === -1 ? null : this.viewsOf(length)
  }

  compactRecords(): RecordsData | null {
    const length = this.unsignedVarint() - 1
    return length === -1 ? null : this.viewsOf(length)
  }

  /** The count of an array whose elements take at least `minElementBytes` each; -1 for null. */
  arrayLength(minElementBytes: number): number {
    return this.checkedCount(this.int32(), minElementBytes)
  }

  compactArrayLength(minElementBytes: number): number {
    return this.checkedCount(this.unsignedVarint() - 1, minElementBytes)
  }

  /** The marker before a nullable struct: whether the struct follows. */
  structFollows(): boolean {
    const marker = this.int8()
    if (marker !== 1 && marker !== -1) throw this.malformed(`a nullable struct is marked by ${marker}`)
    return marker === 1
  }

  /** Skips a section of tagged fields. */
  skipTaggedFields(): void {
    for (let count = this.unsignedVarint(); count > 0; count--) {
      this.unsignedVarint()
      this.skip(this.unsignedVarint())
    }
  }

  /** Opens a tagged field of the size read here; returns the value of `consumed` at which it must end. */
  taggedFieldEnd(): number {
    const size = this.unsignedVarint()
    this.requireBytes(size, 'a tagged field')
    return this.consumed + size
  }

  closeTaggedField(end: number, tag: number): void {
    if (this.consumed !== end) throw this.malformed(`tagged field ${tag} does not fill its size`)
  }

  /** Skips what is left of an unknown tagged field. */
  skipTo(end: number): void {
    this.skip(end - this.consumed)
  }

  skip(count: number): void {
    this.requireBytes(count, 'a skipped part')
    let left = count
    while (left > this.limit - this.position) {
      left -= this.limit - this.position
      this.openNextChunk()
    }
    this.position += left
  }

  malformed(reason: string): ProtocolError {
    return new ProtocolError(`${reason} (at byte ${this.consumed} of ${this.bytesTotal})`)
  }

  /** Passes a length on unless it says null where null is not allowed. */
  private required(length: number): number {
    if (length === -1) throw this.malformed('null where the version does not allow it')
    return length
  }

  private stringOf(length: number): string {
    if (length < 0 || length > MAX_STRING_BYTES) throw this.malformed(`a string has length ${length}`)
    const start = this.position
    const end = start + length
    if (end > this.limit) {
      this.requireBytes(length, 'a string')
      return this.copyOf(length).toString('utf8')
    }
    this.position = end
    return readString(this.bytes, start, end)
  }

  private bytesOf(length: number): Buffer {
    this.requireBytes(length, 'a byte string')
    return this.copyOf(length)
  }

  /** The next `length` bytes, known to be there, in memory of their own. */
  private copyOf(length: number): Buffer {
    const copy = Buffer.allocUnsafeSlow(length)
    let filled = 0
    while (filled < length) {
      if (this.position === this.limit) this.openNextChunk()
      const count = Math.min(length - filled, this.limit - this.position)
      this.bytes.copy(copy, filled, this.position, this.position + count)
      this.position += count
      filled += count
    }
    return copy
  }

  private viewsOf(length: number): RecordsData {
    this.requireBytes(length, 'records')
    const start = this.position
    if (start + length <= this.limit) {
      this.position = start + length
      return length === 0 ? [] : [this.bytes.subarray(start, start + length)]
    }
    const views: Buffer[] = []
    let left = length
    while (left > 0) {
      if (this.position === this.limit) this.openNextChunk()
      const count = Math.min(left, this.limit - this.position)
      views.push(this.bytes.subarray(this.position, this.position + count))
      this.position += count
      left -= count
    }
    return views
  }

  private checkedCount(count: number, minElementBytes: number): number {
    if (count === -1) return -1
    if (count < 0) throw this.malformed(`an array has ${count} elements`)
    if (count * minElementBytes > this.remaining) {
      throw this.malformed(`an array of ${count} elements cannot fit into the ${this.remaining} bytes left`)
    }
    this.elements += count
    if (this.elements > this.maxArrayElements) {
      throw this.malformed(`more than ${this.maxArrayElements} array elements`)
    }
    return count
  }

  private requireBytes(count: number, what: string): void {
    if (count < 0) throw this.malformed(`${what} has length ${count}`)
    if (count > this.remaining) {
      throw this.malformed(`${what} of ${count} bytes, but only ${this.remaining} bytes are left`)
    }
  }

  /** The next few bytes, which straddle chunks, in the shared scratch buffer. */
  private gather(count: number): Buffer {
    this.requireBytes(count, 'a number')
    for (let index = 0; index < count; index++) scratch[index] = this.uint8()
    return scratch
  }

  private openNextChunk(): void {
    do {
      if (this.nextChunk >= this.chunks.length) throw this.malformed('the message ends early')
      this.bytes = this.chunks[this.nextChunk++]!
      this.position = 0
      this.limit = this.bytes.length
      this.bytesLater -= this.limit
    } while (this.limit === 0)
  }
}
