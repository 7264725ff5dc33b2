/**
 * What one fetch brought for one partition, turned into messages one by one. Decoding happens when messages are taken, so
 * that what is buffered is the broker's bytes and nothing else.
 *
 * What must hold: batches are views of what the socket delivered; only one that lies across two of its pieces is copied. Aborted
 * transactions are left out as Java's client does: a producer counts as aborting from the first offset that the broker names
 * until its abort marker. `nextOffset` is after the last record handed out, or after the batches passed over since.
 */
import {
  BATCH_HEADER_BYTES,
  type BatchHeader,
  CODEC_NONE,
  checkCrc,
  codecOf,
  iterateRecords,
  lastOffset,
  MAGIC_V2,
  RecordError,
  readBatchHeader,
  TIMESTAMP_TYPE_BIT,
  timestampType,
} from '../../records/batch.ts'
import { decompress } from '../../records/codecs/index.ts'
import { readEndTransactionMarker } from '../../records/control.ts'
import { isControl, isTransactional } from '../../records/header.ts'
import { RecordScanner } from '../../records/record-scanner.ts'
import { saturate } from '../../records/varint.ts'
import { BatchPieces } from './batch-pieces.ts'
import { Message, type MessageSource } from './message.ts'

export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
}

export interface ChunkInput {
  readonly topic: string
  readonly partition: number
  /** The bytes of the batches, in order; the last one may be cut off. */
  readonly records: readonly Uint8Array[]
  /** Records before it are part of the first batch, but were not asked for. */
  readonly fetchOffset: number
  /** Null to see records of aborted and open transactions, too. */
  readonly abortedTransactions: readonly AbortedTransaction[] | null
  readonly checkCrcs: boolean
  /** The most that the records of one batch may decompress to. */
  readonly maxDecompressedBytes: number
}

export class FetchedChunk<V, K> {
  readonly sizeBytes: number
  nextOffset: number
  /** Leader epoch of the batch before `nextOffset`; -1 where batches do not say. */
  nextEpoch = -1

  private readonly input: ChunkInput
  private readonly pieces: BatchPieces
  private readonly upcoming: AbortedTransaction[]
  private readonly aborting = new Set<number>()
  private readonly scanner = new RecordScanner()
  private header: BatchHeader | null = null
  private source: MessageSource | null = null
  private recordsLeft = 0
  /** After the batch that is being opened or read, for whoever cannot read it; null where its end is not known. */
  offsetAfterUnreadable: number | null = null

  constructor(input: ChunkInput) {
    this.input = input
    this.nextOffset = input.fetchOffset
    this.pieces = new BatchPieces(input.records)
    this.sizeBytes = this.pieces.sizeBytes
    this.upcoming = (input.abortedTransactions ?? []).toSorted((one, other) => one.firstOffset - other.firstOffset)
  }

  /**
   * After the last whole batch, seen from headers alone; the offset that was asked for when there is none. `isBroken`: what follows is no
   * batch, as `next` will say there.
   */
  end(): { offset: number; leaderEpoch: number; isBroken: boolean } {
    const pieces = new BatchPieces(this.input.records)
    let offset = this.input.fetchOffset
    let leaderEpoch = -1
    try {
      for (let batch = pieces.peek(); batch !== null; batch = pieces.peek()) {
        offset = Math.max(offset, batch.lastOffset + 1)
        leaderEpoch = batch.leaderEpoch
        pieces.skip(batch.sizeBytes)
      }
    } catch (error) {
      if (!(error instanceof RecordError)) throw error
      return { offset, leaderEpoch, isBroken: true }
    }
    return { offset, leaderEpoch, isBroken: false }
  }

  /** The next message; null when there are no more, and `nextOffset` is after all whole batches. */
  next(): Message<V, K> | null {
    for (;;) {
      while (this.recordsLeft > 0) {
        const message = this.nextRecord()
        if (message !== null) return message
      }
      if (this.header !== null) this.closeBatch(this.header)
      if (!this.openBatch()) return null
    }
  }

  /** Null for a record that was not asked for. */
  private nextRecord(): Message<V, K> | null {
    const { scanner } = this
    const header = this.header!
    scanner.next()
    this.recordsLeft -= 1
    const offset = header.baseOffset + scanner.offsetDelta
    if (offset < this.input.fetchOffset) return null
    const appendTime = (header.attributes & TIMESTAMP_TYPE_BIT) !== 0
    const timestamp = appendTime ? header.maxTimestamp : saturate(header.baseTimestamp + scanner.timestampDelta)
    this.nextOffset = offset + 1
    this.nextEpoch = header.partitionLeaderEpoch
    return new Message<V, K>(this.source!, offset, timestamp, scanner)
  }

  private closeBatch(header: BatchHeader): void {
    if (this.source !== null && this.scanner.remaining !== 0) {
      throw new RecordError('invalid', `batch at offset ${header.baseOffset} holds more records than it says`)
    }
    this.scanner.close()
    this.passOver(header)
    this.header = null
    this.source = null
  }

  private passOver(header: BatchHeader): void {
    this.nextOffset = Math.max(this.nextOffset, lastOffset(header) + 1)
    this.nextEpoch = header.partitionLeaderEpoch
  }

  /** Opens the next batch whose records are to be seen; false when no whole one is left. */
  private openBatch(): boolean {
    for (;;) {
      this.offsetAfterUnreadable = null
      const extent = this.pieces.peek()
      if (extent === null) return false
      this.offsetAfterUnreadable = Math.max(this.nextOffset, extent.lastOffset) + 1
      if (extent.magic !== MAGIC_V2) {
        const what = `message of the old format (magic ${extent.magic}) at offset ${extent.lastOffset}`
        throw new RecordError('invalid', `${what}, which no broker from version 4 on writes`)
      }
      const batch = this.pieces.take(extent.sizeBytes)
      const header = readBatchHeader(batch, 0)
      if (this.input.checkCrcs && !checkCrc([batch])) {
        throw new RecordError('corrupt', `batch at offset ${header.baseOffset} fails its checksum`)
      }
      if (isControl(header) || this.isAborted(header)) {
        if (isControl(header)) this.takeMarker(header, batch)
        this.passOver(header)
        continue
      }
      const section = this.recordsOf(batch, header)
      this.header = header
      this.recordsLeft = header.recordCount
      this.source = {
        topic: this.input.topic,
        partition: this.input.partition,
        leaderEpoch: header.partitionLeaderEpoch,
        timestampType: timestampType(header),
        section,
      }
      this.scanner.open([section], 0, section.length)
      return true
    }
  }

  private recordsOf(batch: Buffer, header: BatchHeader): Buffer {
    const section = batch.subarray(BATCH_HEADER_BYTES, header.sizeBytes)
    const codec = codecOf(header)
    if (codec === CODEC_NONE || header.recordCount === 0) return section
    return decompress(codec, section, this.input.maxDecompressedBytes)
  }

  private isAborted(header: BatchHeader): boolean {
    if (this.input.abortedTransactions === null) return false
    const last = lastOffset(header)
    while (this.upcoming.length > 0 && this.upcoming[0]!.firstOffset <= last) {
      this.aborting.add(this.upcoming.shift()!.producerId)
    }
    return isTransactional(header) && !isControl(header) && this.aborting.has(header.producerId)
  }

  private takeMarker(header: BatchHeader, batch: Buffer): void {
    if (this.input.abortedTransactions === null) return
    this.isAborted(header)
    for (const record of iterateRecords(batch)) {
      if (readEndTransactionMarker(record)?.type === 'abort') this.aborting.delete(header.producerId)
    }
  }
}
