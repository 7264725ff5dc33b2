/**
 * The log under the group coordinator: batches go to partitions of `__consumer_offsets` that this broker leads, and come
 * back in order when a partition is loaded. The group coordinator calls it; it holds no state of its own.
 */
import { OFFSETS_TOPIC } from '../coordinator/config.ts'
import type { CoordinatorLog, LoadSink } from '../coordinator/coordinator-log.ts'
import type { Log } from '../log/log.ts'
import type { ReadResult } from '../log/types.ts'
import { ErrorCode, errorName } from '../protocol/errors.ts'
import { BATCH_HEADER_BYTES, buildBatch, readBatchHeader } from '../records/batch.ts'
import { CommittedRecords, type KeyAndValue } from './committed-records.ts'
import { LOAD_CHUNK_BYTES } from './limits.ts'
import type { Partition } from './partition.ts'
import type { Partitions } from './partitions.ts'

type AppendArguments = Parameters<CoordinatorLog['append']>

export class OffsetsLog implements CoordinatorLog {
  readonly #partitions: Partitions

  constructor(partitions: Partitions) {
    this.#partitions = partitions
  }

  append(index: number, records: AppendArguments[1], { nowMs, done }: AppendArguments[2]): ErrorCode {
    const partition = this.#leading(index)
    if (partition === null) return ErrorCode.NOT_COORDINATOR
    const log = partition.log!
    if (partition.isr.length < Math.min(log.config.minInsyncReplicas, partition.replicas.length)) {
      return ErrorCode.NOT_ENOUGH_REPLICAS
    }
    const batch = buildBatch({
      leaderEpoch: partition.leaderEpoch,
      records: records.map(({ key, value }) => ({ timestamp: nowMs, key, value })),
    })
    if (batch.length > log.config.maxMessageBytes) return ErrorCode.MESSAGE_TOO_LARGE
    const header = readBatchHeader(batch, 0)
    const { leaderEpoch } = partition
    return log.append({ header, chunks: [batch] }, { leaderEpoch, origin: 'coordinator', nowMs, done }).errorCode
  }

  batchBytesMax(index: number): number {
    return this.#leading(index)?.log?.config.maxMessageBytes ?? 0
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
    if (log == null) throw new Error(`${OFFSETS_TOPIC}-${index} is not led by this broker`)
    const end = log.logEndOffset
    const committed = new CommittedRecords()
    let offset = log.logStartOffset
    while (offset < end && !loading.isStopped) {
      const read = await readChunk(log, offset, end)
      try {
        if (loading.isStopped) return
        if (read.errorCode !== ErrorCode.NONE) {
          throw new Error(`reading ${OFFSETS_TOPIC}-${index} at ${offset}: ${errorName(read.errorCode)}`)
        }
        const records = recordsIn(read.data, committed)
        if (records.length > 0) sink.records(records)
        // Offsets may have gaps after compaction, but reading always gets on.
        if (read.nextOffset <= offset) return
        offset = read.nextOffset
      } finally {
        read.release()
      }
    }
  }

  #leading(index: number): Partition | null {
    const partition = this.#partitions.get(OFFSETS_TOPIC, index)
    return partition?.isLeader === true && partition.log !== null ? partition : null
  }
}

function readChunk(log: Log, offset: number, end: number): ReadResult | Promise<ReadResult> {
  return log.read(offset, { maxBytes: LOAD_CHUNK_BYTES, upTo: end, atLeastOne: true })
}

function recordsIn(data: Buffer, committed: CommittedRecords): KeyAndValue[] {
  const records: KeyAndValue[] = []
  for (let position = 0; position + BATCH_HEADER_BYTES <= data.length; ) {
    const header = readBatchHeader(data, position)
    committed.take(header, data.subarray(position, position + header.sizeBytes), records)
    position += header.sizeBytes
  }
  return records
}
