/**
 * Reading and writing the fields of coordinator records, in Kafka's classic and flexible encodings. The writer is sized
 * exactly beforehand, because a commit must cost one allocation per key and value.
 *
 * What must hold: the reader throws `MalformedRecord` and nothing else on bytes that end early or hold an impossible length;
 * it checks a count against the bytes that are left before anything of that size exists.
 */

export class MalformedRecord extends Error {
  override readonly name = 'MalformedRecord'
}

const HIGH = 2 ** 32

/** Bytes of an unsigned varint. */
export function uvarintBytes(value: number): number {
  let bytes = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++
  return bytes
}

export class FieldWriter {
  readonly buffer: Buffer
  #position = 0

  constructor(bytes: number) {
    this.buffer = Buffer.allocUnsafe(bytes)
  }

  /** The finished bytes; a wrong size estimate is a bug. */
  finish(): Buffer {
    if (this.#position !== this.buffer.length) {
      throw new Error(`record sized ${this.buffer.length} bytes but ${this.#position} were written`)
    }
    return this.buffer
  }

  int8(value: number): void {
    this.#position = this.buffer.writeInt8(value, this.#position)
  }

  int16(value: number): void {
    this.#position = this.buffer.writeInt16BE(value, this.#position)
  }

  int32(value: number): void {
    this.#position = this.buffer.writeInt32BE(value, this.#position)
  }

  int64(value: number): void {
    this.buffer.writeInt32BE(Math.floor(value / HIGH), this.#position)
    // The remainder of a floored division, so that negative numbers come out in two's complement.
    this.buffer.writeUInt32BE(value - Math.floor(value / HIGH) * HIGH, this.#position + 4)
    this.#position += 8
  }

  uvarint(value: number): void {
    let rest = value
    while (rest >= 0x80) {
      this.buffer[this.#position++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.buffer[this.#position++] = rest
  }

  /** int16 length; `bytes` is the length in UTF-8. */
  string(value: string, bytes: number): void {
    this.int16(bytes)
    this.#position += this.buffer.write(value, this.#position, bytes, 'utf8')
  }

  nullableString(value: string | null): void {
    if (value === null) this.int16(-1)
    else this.string(value, Buffer.byteLength(value))
  }

  compactString(value: string, bytes: number): void {
    this.uvarint(bytes + 1)
    this.#position += this.buffer.write(value, this.#position, bytes, 'utf8')
  }

  bytes(value: Buffer): void {
    this.int32(value.length)
    this.raw(value)
  }

  raw(value: Buffer): void {
    value.copy(this.buffer, this.#position)
    this.#position += value.length
  }
}

export class FieldReader {
  readonly #buffer: Buffer
  #position = 0

  constructor(buffer: Buffer) {
    this.#buffer = buffer
  }

  get left(): number {
    return this.#buffer.length - this.#position
  }

  #take(bytes: number): number {
    if (bytes < 0 || bytes > this.left) throw new MalformedRecord(`${bytes} bytes wanted, ${this.left} left`)
    const position = this.#position
    this.#position += bytes
    return position
  }

  int8(): number {
    return this.#buffer.readInt8(this.#take(1))
  }

  int16(): number {
    return this.#buffer.readInt16BE(this.#take(2))
  }

  int32(): number {
    return this.#buffer.readInt32BE(this.#take(4))
  }

  /** Saturates where a number can no longer count by one. */
  int64(): number {
    const position = this.#take(8)
    const value = this.#buffer.readInt32BE(position) * HIGH + this.#buffer.readUInt32BE(position + 4)
    return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, value))
  }

  uvarint(): number {
    let value = 0
    for (let shift = 0; shift < 5; shift++) {
      const byte = this.#buffer[this.#take(1)] ?? 0
      value += (byte & 0x7f) * 2 ** (7 * shift)
      if (byte < 0x80) return value
    }
    throw new MalformedRecord('varint of more than five bytes')
  }

  #text(bytes: number): string {
    const position = this.#take(bytes)
    return this.#buffer.toString('utf8', position, position + bytes)
  }

  string(): string {
    return this.#text(this.int16())
  }

  nullableString(): string | null {
    const bytes = this.int16()
    return bytes === -1 ? null : this.#text(bytes)
  }

  compactString(): string {
    return this.#text(this.uvarint() - 1)
  }

  compactNullableString(): string | null {
    const bytes = this.uvarint() - 1
    return bytes === -1 ? null : this.#text(bytes)
  }

  #copy(bytes: number): Buffer {
    const position = this.#take(bytes)
    // Copied: a few bytes of subscription must not keep the batch they came in.
    return Buffer.from(this.#buffer.subarray(position, position + bytes))
  }

  bytes(): Buffer {
    return this.#copy(this.int32())
  }

  nullableBytes(): Buffer | null {
    const bytes = this.int32()
    return bytes === -1 ? null : this.#copy(bytes)
  }

  compactBytes(): Buffer {
    return this.#copy(this.uvarint() - 1)
  }

  raw(bytes: number): Buffer {
    return this.#copy(bytes)
  }

  /** A count of elements that take at least `bytesEach` bytes. */
  count(count: number, bytesEach: number): number {
    if (count < 0 || count * bytesEach > this.left) throw new MalformedRecord(`${count} elements in ${this.left} bytes`)
    return count
  }

  /** Hands each tagged field to `take`; what it leaves unread is skipped. */
  taggedFields(take: (tag: number, field: FieldReader) => void): void {
    for (let fields = this.uvarint(); fields > 0; fields--) {
      const tag = this.uvarint()
      const bytes = this.uvarint()
      const position = this.#take(bytes)
      take(tag, new FieldReader(this.#buffer.subarray(position, position + bytes)))
    }
  }
}
