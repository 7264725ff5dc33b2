// Writes the primitive types of the protocol into one growing buffer. Large record views are not copied: they become
// parts of their own between the written ones, so that a message is a list of parts to be sent in order; so do bytes that are
// not in memory.
//
// A Writer carves messages out of a slab that it keeps for the next message until it is full; what `finish` returns
// stays valid and is never written to again by the Writer.

import { EncodeError } from './errors.ts'
import { MAX_STRING_BYTES, PASS_THROUGH_BYTES } from './limits.ts'
import type { RecordsSource, StoredBytes } from './schema.ts'
import { UUID_BYTES, writeUuid } from './strings.ts'

const SLAB_BYTES = 64 * 1024
/** A part of at least this size is closed when it needs more room; a smaller one moves to a larger slab. */
const SPLIT_BYTES = 32 * 1024
/** A slab with less room than this is not worth starting a message in. */
const MIN_ROOM_BYTES = 512
/** Up to this length writing ASCII character by character beats a call into the runtime. */
const SHORT_STRING_CHARACTERS = 64

export type Part = Buffer | StoredBytes

export function inMemory(parts: Part[]): Buffer[] {
  if (!parts.every((part) => Buffer.isBuffer(part))) throw new EncodeError('Only a broker sends stored record bytes')
  return parts
}

export class Writer {
  private bytes: Buffer
  /** Where the part being written begins in `bytes`. */
  private start = 0
  private position = 0
  private parts: Part[] = []
  /** Bytes in `parts`. */
  private partBytes = 0
  private framePart = 0
  private frameOffset = 0
  private frameBytesBefore = 0
  /** A tagged field must stay in one part until its size is known. */
  private openTaggedFields = 0

  constructor(slabBytes: number = SLAB_BYTES) {
    this.bytes = Buffer.allocUnsafeSlow(slabBytes)
  }

  /** Bytes written since the last `finish`. */
  get length(): number {
    return this.partBytes + this.position - this.start
  }

  int8(value: number): void {
    if (this.position === this.bytes.length) this.grow(1)
    this.bytes[this.position++] = value
  }

  bool(value: boolean): void {
    this.int8(value ? 1 : 0)
  }

  int16(value: number): void {
    if (this.position + 2 > this.bytes.length) this.grow(2)
    const { bytes, position } = this
    bytes[position] = value >> 8
    bytes[position + 1] = value
    this.position = position + 2
  }

  uint16(value: number): void {
    this.int16(value)
  }

  int32(value: number): void {
    if (this.position + 4 > this.bytes.length) this.grow(4)
    const { bytes, position } = this
    bytes[position] = value >> 24
    bytes[position + 1] = value >> 16
    bytes[position + 2] = value >> 8
    bytes[position + 3] = value
    this.position = position + 4
  }

  /** 2^53-1 and above stand for the largest int64, -(2^53-1) and below for the smallest. */
  int64(value: number): void {
    if (value >= Number.MAX_SAFE_INTEGER) {
      this.int32(0x7fffffff)
      this.int32(-1)
    } else if (value <= Number.MIN_SAFE_INTEGER) {
      this.int32(-0x80000000)
      this.int32(0)
    } else {
      this.int32(Math.floor(value / 0x100000000))
      this.int32(value | 0)
    }
  }

  float64(value: number): void {
    if (this.position + 8 > this.bytes.length) this.grow(8)
    this.bytes.writeDoubleBE(value, this.position)
    this.position += 8
  }

  unsignedVarint(value: number): void {
    let rest = value
    while (rest > 0x7f) {
      this.int8((rest & 0x7f) | 0x80)
      rest >>>= 7
    }
    this.int8(rest)
  }

  uuid(value: string): void {
    if (this.position + UUID_BYTES > this.bytes.length) this.grow(UUID_BYTES)
    if (!writeUuid(value, this.bytes, this.position)) throw new EncodeError(`Not a uuid: '${value}'`)
    this.position += UUID_BYTES
  }

  string(value: string): void {
    const length = value.length
    if (length <= SHORT_STRING_CHARACTERS) {
      if (this.position + 2 + length > this.bytes.length) this.grow(2 + length)
      this.int16(length)
      if (this.ascii(value)) return
      this.position -= 2
    }
    const byteLength = checkedStringLength(value)
    this.int16(byteLength)
    this.utf8(value, byteLength)
  }

  nullableString(value: string | null): void {
    if (value === null) this.int16(-1)
    else this.string(value)
  }

  compactString(value: string): void {
    const length = value.length
    if (length <= SHORT_STRING_CHARACTERS) {
      if (this.position + 1 + length > this.bytes.length) this.grow(1 + length)
      this.int8(length + 1)
      if (this.ascii(value)) return
      this.position -= 1
    }
    const byteLength = checkedStringLength(value)
    this.unsignedVarint(byteLength + 1)
    this.utf8(value, byteLength)
  }

  compactNullableString(value: string | null): void {
    if (value === null) this.int8(0)
    else this.compactString(value)
  }

  byteString(value: Uint8Array): void {
    this.int32(value.length)
    this.raw(value)
  }

  nullableBytes(value: Uint8Array | null): void {
    if (value === null) this.int32(-1)
    else this.byteString(value)
  }

  compactBytes(value: Uint8Array): void {
    this.unsignedVarint(value.length + 1)
    this.raw(value)
  }

  compactNullableBytes(value: Uint8Array | null): void {
    if (value === null) this.int8(0)
    else this.compactBytes(value)
  }

  records(value: RecordsSource | null): void {
    if (value === null) {
      this.int32(-1)
      return
    }
    this.int32(bytesOf(value))
    for (let index = 0; index < value.length; index++) this.view(value[index]!)
  }

  compactRecords(value: RecordsSource | null): void {
    if (value === null) {
      this.int8(0)
      return
    }
    this.unsignedVarint(bytesOf(value) + 1)
    for (let index = 0; index < value.length; index++) this.view(value[index]!)
  }

  /** The count of an array; -1 for null. */
  arrayLength(count: number): void {
    this.int32(count)
  }

  compactArrayLength(count: number): void {
    this.unsignedVarint(count + 1)
  }

  /** Bytes as they are, without a length. */
  raw(value: Uint8Array): void {
    if (this.position + value.length > this.bytes.length) this.grow(value.length)
    this.bytes.set(value, this.position)
    this.position += value.length
  }

  /** Begins a tagged field; what is returned goes to `endTaggedField`. Record views are not allowed inside. */
  beginTaggedField(tag: number): number {
    this.unsignedVarint(tag)
    // One byte for the size, as it nearly always is; a larger one makes room afterwards.
    this.int8(0)
    this.openTaggedFields++
    return this.position - this.start
  }

  endTaggedField(begin: number): void {
    const size = this.position - this.start - begin
    if (size > 0x7f) {
      const more = varintBytes(size) - 1
      if (this.position + more > this.bytes.length) this.grow(more)
      const from = this.start + begin
      this.bytes.copyWithin(from + more, from, this.position)
      this.position = from - 1
      this.unsignedVarint(size)
      this.position += size
    } else {
      this.bytes[this.start + begin - 1] = size
    }
    this.openTaggedFields--
  }

  /** Begins a frame with its size to be filled in by `endFrame`. Frames do not nest. */
  beginFrame(): void {
    if (this.bytes.length - this.position < MIN_ROOM_BYTES) this.grow(MIN_ROOM_BYTES)
    this.framePart = this.parts.length
    this.frameOffset = this.position - this.start
    this.frameBytesBefore = this.length + 4
    this.position += 4
  }

  endFrame(): void {
    const size = this.length - this.frameBytesBefore
    const inParts = this.framePart < this.parts.length
    // A frame begins with its size, so its first part was written here.
    const bytes = inParts ? (this.parts[this.framePart] as Buffer) : this.bytes
    const at = inParts ? this.frameOffset : this.start + this.frameOffset
    bytes.writeInt32BE(size, at)
  }

  /** Forgets what was written since the last `finish`, for instance after an error in the middle of a message. */
  discard(): void {
    this.parts = []
    this.partBytes = 0
    this.openTaggedFields = 0
    this.position = this.start
  }

  /** Everything written since the last `finish`, to be sent in this order. All of it must be in memory. */
  finish(): Buffer[] {
    return inMemory(this.finishParts())
  }

  /** The same where record bytes may be stored elsewhere. */
  finishParts(): Part[] {
    this.closePart()
    const parts = this.parts
    this.parts = []
    this.partBytes = 0
    if (this.bytes.length - this.position < MIN_ROOM_BYTES) this.newSlab(SLAB_BYTES)
    return parts
  }

  private view(value: Uint8Array | StoredBytes): void {
    if (!(value instanceof Uint8Array)) {
      this.closePart()
      this.parts.push(value)
      this.partBytes += value.storedBytes
      return
    }
    if (value.length < PASS_THROUGH_BYTES) {
      this.raw(value)
      return
    }
    this.closePart()
    this.parts.push(Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength))
    this.partBytes += value.length
  }

  /** Moves the part being written to the list of parts. */
  private closePart(): void {
    if (this.position === this.start) return
    this.parts.push(this.bytes.subarray(this.start, this.position))
    this.partBytes += this.position - this.start
    this.start = this.position
  }

  /** Writes an ASCII string for which there is room; writes nothing and returns false if it is not ASCII. */
  private ascii(value: string): boolean {
    const length = value.length
    const { bytes, position } = this
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index)
      if (code > 0x7f) return false
      bytes[position + index] = code
    }
    this.position = position + length
    return true
  }

  private utf8(value: string, byteLength: number): void {
    if (this.position + byteLength > this.bytes.length) this.grow(byteLength)
    this.bytes.write(value, this.position, byteLength, 'utf8')
    this.position += byteLength
  }

  /** Makes room for `count` more bytes, in a new slab. Closed parts stay where they are. */
  private grow(count: number): void {
    const written = this.position - this.start
    if (written >= SPLIT_BYTES && this.openTaggedFields === 0) {
      this.closePart()
      this.newSlab(Math.max(SLAB_BYTES, count))
      return
    }
    const { bytes, start } = this
    this.newSlab(Math.max(SLAB_BYTES, 2 * (written + count)))
    bytes.copy(this.bytes, 0, start, start + written)
    this.position = written
  }

  private newSlab(size: number): void {
    this.bytes = Buffer.allocUnsafeSlow(size)
    this.start = 0
    this.position = 0
  }
}

function checkedStringLength(value: string): number {
  const byteLength = Buffer.byteLength(value)
  if (byteLength > MAX_STRING_BYTES) throw new EncodeError(`A string of ${byteLength} bytes, ${MAX_STRING_BYTES} fit`)
  return byteLength
}

function bytesOf(views: RecordsSource): number {
  let total = 0
  for (let index = 0; index < views.length; index++) {
    const view = views[index]!
    total += view instanceof Uint8Array ? view.length : view.storedBytes
  }
  return total
}

function varintBytes(value: number): number {
  let count = 1
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) count++
  return count
}
