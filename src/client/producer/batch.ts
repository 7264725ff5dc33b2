/**
 * A batch while it is filled and until it is acknowledged. Records are encoded once, at the moment they are sent, into
 * chunks of pooled memory: the caller may change its buffers afterwards. The first chunk leaves room for the header, which
 * is written when the batch leaves, and again when its place in the sequence changes.
 *
 * What must hold: an uncompressed batch goes out as its chunks, which nobody touches until the answer is in.
 */
import {
  BATCH_HEADER_BYTES,
  CODEC_NONE,
  type CodecId,
  iterateRecords,
  MAGIC_V2,
  NONE,
  type Record,
  sealBatch,
  TRANSACTIONAL_BIT,
  writeBatchHeader,
} from '../../records/batch.ts'
import { compress } from '../../records/codecs/index.ts'
import { sizeOfVarint, sizeOfVarlong, writeVarint, writeVarlong } from '../../records/varint.ts'
import type { KafkaError } from '../errors.ts'
import type { Bytes } from '../serdes/serde.ts'
import type { Delivery } from './deliveries.ts'
import type { ProducerMemory } from './memory.ts'
import { type HeadersInput, type HeaderValue, isHeaderList } from './record.ts'

/** The last offset delta and the count are 32-bit numbers; far below that a batch is merely slow to handle. */
const RECORDS_MAX = 1_000_000
/** Text up to this length is written character by character while it is ASCII. */
const SHORT_TEXT = 48

export interface Compression {
  readonly codec: CodecId
  readonly level: number | undefined
}

/** Whose records these are, for the broker that sorts out repetitions. */
export interface ProducerIdentity {
  readonly producerId: number
  readonly producerEpoch: number
}

export const ANONYMOUS: ProducerIdentity = { producerId: NONE, producerEpoch: NONE }

/** The bytes of a key, and how many; kept by the caller for the length of one append. */
export interface KeyBytes {
  readonly bytes: Uint8Array
  readonly length: number
}

export class Batch {
  readonly createdMs: number
  /** Made in the call that began the batch: its stack is where the user stands. */
  readonly origin: Error
  readonly isTransactional: boolean
  recordCount = 0
  /** Header and records before compression. */
  sizeBytes = BATCH_HEADER_BYTES
  /** Given by the lane when the batch leaves for the first time; -1 without idempotence. */
  baseSequence = NONE
  identity: ProducerIdentity = ANONYMOUS
  /** How often it was sent. */
  attempts = 0
  /** Why it has to be sent again. */
  lastError: KafkaError | null = null
  /** Its place among the batches of its partition, from the first time it left; the parts of a split batch lie in between. */
  order = 0
  orderStep = 1
  private readonly memory: ProducerMemory
  private readonly chunks: Buffer[]
  /** Where each chunk ends. */
  private readonly ends: number[]
  private position = BATCH_HEADER_BYTES
  private baseTimestamp = 0
  private maxTimestamp = NONE
  private deliveries: (Delivery | null)[] | null = null
  private encoded: Buffer[] | null = null
  private encodedIdentity: ProducerIdentity = ANONYMOUS
  private encodedSequence = NONE
  private compressedBytes = 0
  private isDone = false
  private doneWaiters: (() => void)[] | null = null

  constructor(
    memory: ProducerMemory,
    options: { createdMs: number; isTransactional: boolean; firstBytes: number; origin?: Error | undefined },
  ) {
    this.memory = memory
    this.createdMs = options.createdMs
    this.isTransactional = options.isTransactional
    this.origin = options.origin ?? new Error()
    this.chunks = [memory.take(0, BATCH_HEADER_BYTES + options.firstBytes)]
    this.ends = []
  }

  get isFull(): boolean {
    return this.recordCount >= RECORDS_MAX
  }

  /** The bytes that go out; known once the batch was encoded. */
  get wireBytes(): number {
    return this.compressedBytes > 0 ? BATCH_HEADER_BYTES + this.compressedBytes : this.sizeBytes
  }

  get chunkCount(): number {
    return this.chunks.length
  }

  /** Bytes of a new chunk that this record would need; 0 if it fits the current one. */
  missingRoom(recordBytes: number): number {
    const current = this.chunks[this.chunks.length - 1]!
    return this.position + recordBytes <= current.length ? 0 : recordBytes
  }

  append(
    key: KeyBytes | null,
    value: Bytes | null,
    valueBytes: number,
    headers: EncodedHeaders | null,
    timestamp: number,
    delivery: Delivery | null,
  ): void {
    const index = this.recordCount
    if (index === 0) this.baseTimestamp = timestamp
    const delta = timestamp - this.baseTimestamp
    const body =
      1 +
      sizeOfVarlong(delta) +
      sizeOfVarint(index) +
      (key === null ? 1 : sizeOfVarint(key.length) + key.length) +
      (value === null ? 1 : sizeOfVarint(valueBytes) + valueBytes) +
      (headers === null ? 1 : headers.sizeBytes)
    const total = sizeOfVarint(body) + body
    if (this.missingRoom(total) > 0) this.nextChunk(total)
    const target = this.chunks[this.chunks.length - 1]!
    let at = writeVarint(target, this.position, body)
    target[at++] = 0
    at = writeVarlong(target, at, delta)
    at = writeVarint(target, at, index)
    if (key === null) target[at++] = 1
    else {
      at = writeVarint(target, at, key.length)
      at = copyBytes(key.bytes, key.length, target, at)
    }
    at =
      value === null
        ? writeVarint(target, at, -1)
        : writeValue(target, writeVarint(target, at, valueBytes), value, valueBytes)
    at = headers === null ? writeVarint(target, at, 0) : writeHeaders(target, at, headers)
    this.position = at
    this.sizeBytes += total
    this.recordCount = index + 1
    if (timestamp > this.maxTimestamp) this.maxTimestamp = timestamp
    if (delivery !== null) this.addDelivery(index, delivery, timestamp)
  }

  /**
   * The batch as it goes out, for its identity and place in the sequence. Records are compressed at the first call; later
   * calls write the header anew only if something changed.
   */
  encode(compression: Compression): readonly Buffer[] {
    const { identity, baseSequence } = this
    const same = this.encodedIdentity === identity && this.encodedSequence === baseSequence
    if (this.encoded !== null && same) return this.encoded
    this.encodedIdentity = identity
    this.encodedSequence = baseSequence
    this.encoded ??= compression.codec === CODEC_NONE ? this.plainViews() : this.compressed(compression)
    const { codec } = compression
    writeBatchHeader(this.encoded[0]!, 0, {
      baseOffset: 0,
      sizeBytes: this.wireBytes,
      partitionLeaderEpoch: NONE,
      magic: MAGIC_V2,
      crc: 0,
      attributes: codec | (this.isTransactional ? TRANSACTIONAL_BIT : 0),
      lastOffsetDelta: this.recordCount - 1,
      baseTimestamp: this.baseTimestamp,
      maxTimestamp: this.maxTimestamp,
      producerId: identity.producerId,
      producerEpoch: identity.producerEpoch,
      baseSequence,
      recordCount: this.recordCount,
    })
    sealBatch(this.encoded)
    return this.encoded
  }

  /** Tells everybody who waits, and gives the memory back. Offsets count up from the base offset; -1 stays -1. */
  complete(topic: string, partition: number, answer: { baseOffset: number; logAppendTimeMs: number }): void {
    this.freeMemory()
    this.done()
    const { deliveries } = this
    if (deliveries === null) return
    const { baseOffset, logAppendTimeMs } = answer
    for (let index = 0; index < deliveries.length; index++) {
      const delivery = deliveries[index]
      if (delivery === null || delivery === undefined) continue
      const timestamp = logAppendTimeMs >= 0 ? logAppendTimeMs : delivery.timestamp
      delivery.delivered({ topic, partition, offset: baseOffset < 0 ? -1 : baseOffset + index, timestamp })
    }
  }

  /** Tells everybody who waits for one of the records that it failed. Answers whether there are records that nobody waits for. */
  fail(error: KafkaError): boolean {
    this.freeMemory()
    this.done()
    let told = 0
    for (const delivery of this.deliveries ?? []) {
      if (delivery === null) continue
      delivery.failed(error, this.origin)
      if (delivery.isHeard) told += 1
    }
    return told < this.recordCount
  }

  /** Resolves when the batch was delivered or has failed. A batch that is split is done when its parts are. */
  whenDone(): Promise<void> {
    if (this.isDone) return Promise.resolve()
    return new Promise((resolve) => {
      this.doneWaiters ??= []
      this.doneWaiters.push(resolve)
    })
  }

  /** Its records are in these batches now. */
  replacedBy(parts: readonly Batch[]): void {
    this.freeMemory()
    if (this.doneWaiters !== null) Promise.all(parts.map((part) => part.whenDone())).then(() => this.done())
  }

  private done(): void {
    this.isDone = true
    for (const wake of this.doneWaiters ?? []) wake()
    this.doneWaiters = null
  }

  /** Records and whoever waits for them, to be put into smaller batches. The memory is the caller's to give back: `freeMemory`. */
  contents(): { record: Record; delivery: Delivery | null }[] {
    const whole = Buffer.concat(this.encoded ?? this.plainViews())
    let index = 0
    const contents: { record: Record; delivery: Delivery | null }[] = []
    for (const record of iterateRecords(whole)) contents.push({ record, delivery: this.deliveries?.[index++] ?? null })
    return contents
  }

  freeMemory(): void {
    this.memory.giveBack(this.chunks)
    this.chunks.length = 0
    this.memory.release(this.compressedBytes)
    this.compressedBytes = 0
    this.encoded = null
  }

  private nextChunk(bytes: number): void {
    this.ends.push(this.position)
    this.chunks.push(this.memory.take(this.chunks.length, bytes))
    this.position = 0
  }

  private addDelivery(index: number, delivery: Delivery, timestamp: number): void {
    this.deliveries ??= []
    while (this.deliveries.length < index) this.deliveries.push(null)
    this.deliveries.push(delivery)
    delivery.timestamp = timestamp
  }

  private plainViews(): Buffer[] {
    const last = this.chunks.length - 1
    return this.chunks.map((chunk, index) => chunk.subarray(0, index === last ? this.position : this.ends[index]!))
  }

  private compressed({ codec, level }: Compression): Buffer[] {
    const views = this.plainViews()
    const first = views[0]!.subarray(BATCH_HEADER_BYTES)
    const records = views.length === 1 ? first : Buffer.concat([first, ...views.slice(1)])
    const section = compress(codec, records, level)
    this.memory.giveBack(this.chunks)
    this.chunks.length = 0
    this.compressedBytes = section.length
    this.memory.reserve(section.length)
    return [Buffer.allocUnsafe(BATCH_HEADER_BYTES), section]
  }
}

/** Headers as bytes, with the size that the record will need for them, their count included. */
export interface EncodedHeaders {
  readonly sizeBytes: number
  readonly entries: readonly { readonly key: Uint8Array; readonly value: Uint8Array | null }[]
}

/** Null where there are none. */
export function encodeHeaders(headers: HeadersInput | undefined): EncodedHeaders | null {
  if (headers === undefined) return null
  const entries: { key: Uint8Array; value: Uint8Array | null }[] = []
  let bytes = 0
  const add = (name: string, value: HeaderValue): void => {
    const entry = { key: Buffer.from(name), value: typeof value === 'string' ? Buffer.from(value) : value }
    entries.push(entry)
    bytes += sizeOfVarint(entry.key.length) + entry.key.length
    bytes += entry.value === null ? 1 : sizeOfVarint(entry.value.length) + entry.value.length
  }
  if (isHeaderList(headers)) for (const { key, value } of headers) add(key, value)
  else for (const [name, value] of Object.entries(headers)) add(name, value)
  return entries.length === 0 ? null : { sizeBytes: sizeOfVarint(entries.length) + bytes, entries }
}

/** An upper bound of what a record takes in a batch. */
export function recordBytesBound(keyBytes: number, valueBytes: number, headers: EncodedHeaders | null): number {
  const lengthsAndDeltas = 5 + 1 + 10 + 5 + 5 + 5 + 1
  return lengthsAndDeltas + keyBytes + valueBytes + (headers?.sizeBytes ?? 0)
}

function copyBytes(from: Uint8Array, length: number, target: Buffer, at: number): number {
  if (length <= SHORT_TEXT) for (let index = 0; index < length; index++) target[at + index] = from[index]!
  else target.set(from.length === length ? from : from.subarray(0, length), at)
  return at + length
}

function writeValue(target: Buffer, at: number, value: Bytes, valueBytes: number): number {
  if (typeof value !== 'string') return copyBytes(value, valueBytes, target, at)
  if (valueBytes === value.length) {
    if (valueBytes > SHORT_TEXT) target.write(value, at, valueBytes, 'latin1')
    else for (let index = 0; index < valueBytes; index++) target[at + index] = value.charCodeAt(index)
  } else target.write(value, at, valueBytes, 'utf8')
  return at + valueBytes
}

function writeHeaders(target: Buffer, position: number, headers: EncodedHeaders): number {
  let at = writeVarint(target, position, headers.entries.length)
  for (const { key, value } of headers.entries) {
    at = writeVarint(target, at, key.length)
    at = copyBytes(key, key.length, target, at)
    if (value === null) at = writeVarint(target, at, -1)
    else {
      at = writeVarint(target, at, value.length)
      at = copyBytes(value, value.length, target, at)
    }
  }
  return at
}
