/**
 * The log under a coordinator: batches go to partitions of its internal topic that this broker leads, and come back in order when
 * a partition is loaded. One for `__consumer_offsets`, one for `__transaction_state`, one for `__share_group_state`; it holds no state of its own.
 */
import type {
  CoordinatorAppendOptions,
  CoordinatorLog,
  LoadSink,
  TransactionalProducer,
} from '../coordinator/coordinator-log.ts'
import type { KeyValue } from '../coordinator/group/records.ts'
import type { Log } from '../log/log.ts'
import type { AppendOptions, ReadResult, TransactionGuard } from '../log/types.ts'
import { ErrorCode, errorName } from '../protocol/errors.ts'
import {
  BATCH_HEADER_BYTES,
  type BatchHeader,
  buildBatch,
  isControl,
  isTransactional,
  iterateRecords,
  readBatchHeader,
} from '../records/batch.ts'
import { readEndTransactionMarker } from '../records/control.ts'
import { LOAD_CHUNK_BYTES } from './limits.ts'
import type { Partition } from './partition.ts'
import type { Partitions } from './partitions.ts'

/** What the batch header says of the producer; coordinators' batches are not held against a sequence. */
function producerFields(producer: TransactionalProducer | undefined) {
  if (producer === undefined) return {}
  const { producerId, producerEpoch } = producer
  return { producerId, producerEpoch, baseSequence: 0, isTransactional: true }
}

/** Whoever hands a producer in has had its transaction checked by `TransactionVerifier`, which made this guard. */
function guardOf({ guard }: TransactionalProducer): Pick<AppendOptions, 'guard'> {
  return guard === undefined ? {} : { guard: guard as TransactionGuard | null }
}

export class CoordinatorTopicLog implements CoordinatorLog {
  readonly #partitions: Partitions
  readonly #topic: string

  constructor(partitions: Partitions, topic: string) {
    this.#partitions = partitions
    this.#topic = topic
  }

  append(index: number, records: readonly KeyValue[], options: CoordinatorAppendOptions): ErrorCode {
    const partition = this.#leading(index)
    if (partition === null) return ErrorCode.NOT_COORDINATOR
    const log = partition.log!
    if (partition.isr.length < Math.min(log.config.minInsyncReplicas, partition.replicas.length)) {
      return ErrorCode.NOT_ENOUGH_REPLICAS
    }
    const { nowMs, done, queued, producer } = options
    const batch = buildBatch({
      leaderEpoch: partition.leaderEpoch,
      records: records.map(({ key, value }) => ({ timestamp: nowMs, key, value })),
      ...producerFields(producer),
    })
    if (batch.length > log.config.maxMessageBytes) return ErrorCode.MESSAGE_TOO_LARGE
    const header = readBatchHeader(batch, 0)
    const { leaderEpoch } = partition
    const guarded = producer === undefined ? {} : guardOf(producer)
    const appendOptions = { leaderEpoch, origin: 'coordinator', nowMs, done, ...guarded } as const
    const { errorCode, baseOffset } = log.append({ header, chunks: [batch] }, appendOptions)
    if (errorCode === ErrorCode.NONE) queued?.(baseOffset)
    return errorCode
  }

  batchBytesMax(index: number): number {
    return this.#leading(index)?.log?.config.maxMessageBytes ?? 0
  }

  leaderEpoch(index: number): number {
    return this.#leading(index)?.leaderEpoch ?? -1
  }

  /** Cuts off what lies before the offset, as far as it is durable. */
  trim(index: number, offset: number): void {
    const log = this.#leading(index)?.log
    if (log == null) return
    const upTo = Math.min(offset, log.highWatermark)
    if (upTo > log.logStartOffset) log.deleteRecordsTo(upTo)
  }

  load(index: number, sink: LoadSink): () => void {
    const loading = { isStopped: false }
    this.#load(index, sink, loading).then(
      () => {
        if (!loading.isStopped) sink.ended(null)
      },
      (error: unknown) => {
        if (!loading.isStopped) sink.ended(error instanceof Error ? error : new Error(String(error)))
      },
    )
    return () => {
      loading.isStopped = true
    }
  }

  async #load(index: number, sink: LoadSink, loading: { isStopped: boolean }): Promise<void> {
    const log = this.#leading(index)?.log
    if (log == null) throw new Error(`${this.#topic}-${index} is not led by this broker`)
    const end = log.logEndOffset
    let offset = log.logStartOffset
    while (offset < end && !loading.isStopped) {
      const read = await readChunk(log, offset, end)
      try {
        if (loading.isStopped) return
        if (read.errorCode !== ErrorCode.NONE) {
          throw new Error(`reading ${this.#topic}-${index} at ${offset}: ${errorName(read.errorCode)}`)
        }
        loadBatches(read.data, sink)
        // Offsets may have gaps after compaction, but reading always gets on.
        if (read.nextOffset <= offset) return
        offset = read.nextOffset
      } finally {
        read.release()
      }
    }
  }

  #leading(index: number): Partition | null {
    const partition = this.#partitions.get(this.#topic, index)
    return partition?.isLeader === true && partition.log !== null ? partition : null
  }
}

function readChunk(log: Log, offset: number, end: number): ReadResult | Promise<ReadResult> {
  return log.read(offset, { maxBytes: LOAD_CHUNK_BYTES, upTo: end, atLeastOne: true })
}

function loadBatches(data: Buffer, sink: LoadSink): void {
  for (let position = 0; position + BATCH_HEADER_BYTES <= data.length; ) {
    const header = readBatchHeader(data, position)
    loadBatch(header, data.subarray(position, position + header.sizeBytes), sink)
    position += header.sizeBytes
  }
}

/** Records are copied: the buffer of the read is reused. */
export function loadBatch(header: BatchHeader, batch: Buffer, sink: Pick<LoadSink, 'records' | 'marker'>): void {
  if (isControl(header)) {
    for (const record of iterateRecords(batch)) {
      const marker = readEndTransactionMarker(record)
      if (marker !== null) sink.marker(header.producerId, marker.type === 'commit')
    }
    return
  }
  const records = Array.from(iterateRecords(batch), ({ key, value }) => ({
    key: key && Buffer.from(key),
    value: value && Buffer.from(value),
  }))
  sink.records(records, isTransactional(header) ? header.producerId : null, header.baseOffset)
}
