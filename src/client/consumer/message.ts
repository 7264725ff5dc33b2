/**
 * A record as the application sees it. It is small and made once per record: key, value and headers are looked at only when they are
 * asked for, as views of the memory that the fetch brought. Whoever keeps a view keeps up to half a megabyte around it: copy what is
 * to outlive the handler (`Buffer.from(message.value)`).
 */
import type { TimestampType } from '../../records/header.ts'
import { readVarint } from '../../records/varint.ts'

/** A header; its value is a view of fetched memory. */
export interface MessageHeader {
  /** The header's name. */
  readonly key: string
  /** Its bytes, or null. */
  readonly value: Buffer | null
}

/** What all records of a batch have in common. */
export interface MessageSource {
  readonly topic: string
  readonly partition: number
  readonly leaderEpoch: number
  readonly timestampType: TimestampType
  /** The uncompressed records; positions in a message are positions in it. */
  readonly section: Buffer
}

/** Where a record lies in its section; lengths are -1 for null. */
export interface RecordPlace {
  readonly keyPosition: number
  readonly keyLength: number
  readonly valuePosition: number
  readonly valueLength: number
  readonly headersPosition: number
  readonly headerCount: number
}

const NO_HEADERS: readonly MessageHeader[] = Object.freeze([])

/**
 * A record that was read. Key, value and headers are views of the fetched memory: copy what must outlive the handler
 * (`Buffer.from(message.value)`).
 */
export class Message<V = Buffer, K = Buffer> {
  /** Its place in the partition. */
  readonly offset: number
  /** Milliseconds since 1970; -1 if the producer gave none. */
  readonly timestamp: number
  /** In a share group: how often it has been handed to some member, this time included. 0 elsewhere. */
  deliveryCount = 0
  private readonly source: MessageSource
  private readonly keyPosition: number
  private readonly keyLength: number
  private readonly valuePosition: number
  private readonly valueLength: number
  private readonly headersPosition: number
  private readonly headerCount: number
  /** Undefined until a deserializer has made it. */
  private deserializedKey: K | undefined = undefined
  private deserializedValue: V | undefined = undefined
  private decodedHeaders: readonly MessageHeader[] | null = null

  /** @internal */
  constructor(source: MessageSource, offset: number, timestamp: number, place: RecordPlace) {
    this.source = source
    this.offset = offset
    this.timestamp = timestamp
    this.keyPosition = place.keyPosition
    this.keyLength = place.keyLength
    this.valuePosition = place.valuePosition
    this.valueLength = place.valueLength
    this.headersPosition = place.headersPosition
    this.headerCount = place.headerCount
  }

  /** The topic that it is from. */
  get topic(): string {
    return this.source.topic
  }

  /** The partition that it is from. */
  get partition(): number {
    return this.source.partition
  }

  /** Of the leader that appended the record; -1 where the batch does not say. */
  get leaderEpoch(): number {
    return this.source.leaderEpoch
  }

  /** Whether `timestamp` is the producer's (`CreateTime`) or the broker's (`LogAppendTime`). */
  get timestampType(): TimestampType {
    return this.source.timestampType
  }

  /** The key's bytes, whatever the deserializer made of them; null without a key. */
  get rawKey(): Buffer | null {
    return this.view(this.keyPosition, this.keyLength)
  }

  /** The value's bytes, whatever the deserializer made of them; null for a tombstone. */
  get rawValue(): Buffer | null {
    return this.view(this.valuePosition, this.valueLength)
  }

  /** Without a deserializer a view of the bytes. */
  get key(): K | null {
    return this.deserializedKey === undefined ? (this.rawKey as K | null) : this.deserializedKey
  }

  /** Null is a tombstone: the record says that there is nothing under its key any more. */
  get value(): V | null {
    return this.deserializedValue === undefined ? (this.rawValue as V | null) : this.deserializedValue
  }

  /** Bytes of key and value. */
  get sizeBytes(): number {
    return Math.max(0, this.keyLength) + Math.max(0, this.valueLength)
  }

  /** In the order in which they were sent; names may repeat. */
  get headers(): readonly MessageHeader[] {
    if (this.headerCount === 0) return NO_HEADERS
    this.decodedHeaders ??= this.readHeaders()
    return this.decodedHeaders
  }

  /** The last header of this name; undefined if there is none. */
  header(name: string): Buffer | null | undefined {
    return this.headers.findLast(({ key }) => key === name)?.value
  }

  /** What the consumer's deserializers made of the bytes. */
  setKey(key: K): void {
    this.deserializedKey = key
  }

  /** @internal */
  setValue(value: V): void {
    this.deserializedValue = value
  }

  private view(position: number, length: number): Buffer | null {
    return length < 0 ? null : this.source.section.subarray(position, position + length)
  }

  /** The scanner has checked that they are well formed. */
  private readHeaders(): MessageHeader[] {
    const { section } = this.source
    const headers: MessageHeader[] = []
    let at = this.headersPosition
    for (let index = 0; index < this.headerCount; index++) {
      const key = readVarint(section, at)
      const keyEnd = key.end + key.value
      const value = readVarint(section, keyEnd)
      headers.push({ key: section.toString('utf8', key.end, keyEnd), value: this.view(value.end, value.value) })
      at = value.end + Math.max(0, value.value)
    }
    return headers
  }
}
