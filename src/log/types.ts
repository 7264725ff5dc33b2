// What the log's callers hand in and get back.

import type { TopicSettings } from '../metadata/topic-settings.ts'
import type { ErrorCode } from '../protocol/errors.ts'
import type { BatchHeader } from '../records/header.ts'
import type { FileRange } from './file-range.ts'

/** When an append counts as done: never on a device, once in the page cache, or once on the device. */
export type Durability = 'memory' | 'os' | 'fsync'

/** What the logs of a topic's partitions, and the checks before them, go by. */
export type LogConfig = TopicSettings

const NEVER = Number.MAX_SAFE_INTEGER

/** Kafka's defaults. */
export const DEFAULT_LOG_CONFIG: LogConfig = {
  segmentBytes: 1024 * 1024 * 1024,
  segmentMs: 7 * 24 * 60 * 60 * 1000,
  segmentJitterMs: 0,
  segmentIndexBytes: 10 * 1024 * 1024,
  indexIntervalBytes: 4096,
  preallocate: false,
  flushMessages: NEVER,
  flushMs: NEVER,
  retentionMs: 7 * 24 * 60 * 60 * 1000,
  retentionBytes: -1,
  fileDeleteDelayMs: 60_000,
  cleanupPolicy: { compact: false, delete: true },
  deleteRetentionMs: 24 * 60 * 60 * 1000,
  minCompactionLagMs: 0,
  maxCompactionLagMs: NEVER,
  minCleanableDirtyRatio: 0.5,
  maxMessageBytes: 1_048_588,
  compressionType: 'producer',
  compressionLevels: { gzip: -1, lz4: 9, zstd: 3 },
  timestampType: 'CreateTime',
  timestampBeforeMaxMs: NEVER,
  timestampAfterMaxMs: 60 * 60 * 1000,
  minInsyncReplicas: 1,
  uncleanLeaderElection: false,
  producerIdExpirationMs: 24 * 60 * 60 * 1000,
}

/** One checked batch: its header (first 61 bytes) lies in one piece at the start of `chunks[0]` and may be written to. */
export interface CheckedBatch {
  readonly header: BatchHeader
  readonly chunks: Buffer[]
}

/** Who appends. Clients' batches are held against the producer's sequence; the coordinators' own are not. */
export type AppendOrigin = 'client' | 'coordinator'

/**
 * Says that the coordinator has been asked whether a producer may begin a transaction in this log (KIP-890). Void as soon as a
 * marker of that producer or a newer epoch of it comes in between: then the answer belongs to a transaction that is over.
 */
export interface TransactionGuard {
  readonly producerId: number
  readonly producerEpoch: number
  /** The producer's first batch in the log must have sequence 0: its partitions are added as it goes. */
  readonly startsAtZero: boolean
  /** Of the batches that wait for the answer; -1 for what has no sequences. */
  lowestSequence: number
  readonly startedMs: number
  isVoid: boolean
}

/** What the producer's state decides by, beside the batch. */
export interface ProducerCheckOptions {
  readonly origin: AppendOrigin
  /** Left out: whoever appends needs no guard. Null: the batch goes into a transaction that is open here, or not at all. */
  readonly guard?: TransactionGuard | null
  /** Of an end marker: from 2 on it carries an epoch that no data has. */
  readonly transactionVersion?: number
}

export interface AppendOptions extends ProducerCheckOptions {
  readonly leaderEpoch: number
  readonly nowMs: number
  /** Called once, at the earliest at the end of this turn: 0 when the durability asked for holds, otherwise the error. */
  readonly done: (error: ErrorCode) => void
}

export interface AppendInfo {
  /** Not 0: nothing was appended and `done` will not be called. */
  readonly errorCode: ErrorCode
  readonly errorMessage: string | null
  readonly baseOffset: number
  readonly lastOffset: number
  /** -1 unless the topic's timestamps are set on append. */
  readonly logAppendTimeMs: number
  readonly logStartOffset: number
  /** The batch is in the log already (a retry): the offsets are those of then, `done` comes when they are durable. */
  readonly duplicate: boolean
}

export interface ReadOptions {
  readonly maxBytes: number
  /** Exclusive bound: high watermark, last stable offset or log end offset. */
  readonly upTo: number
  /** Return the first batch whole even if it is larger than `maxBytes`. */
  readonly atLeastOne: boolean
  /** Large results may come as a range of the file instead of bytes. Then `nextOffset` is a lower bound. */
  readonly asFile?: boolean
}

/** Bytes as they lie in the log. `data` is a view of a pooled buffer: use it, then `release()`, then never touch it. */
export interface ReadResult {
  readonly errorCode: ErrorCode
  /** Whole batches; the first one holds the offset asked for, or is the first one after it. */
  readonly data: Buffer
  /** In place of `data`, if asked for. */
  readonly file: FileRange | null
  /** Of `data` or of `file`. */
  readonly sizeBytes: number
  /** Base offset of the first batch in `data`, or the offset asked for if there is none. */
  readonly startOffset: number
  /** Where to read on. */
  readonly nextOffset: number
  release(): void
}

export interface OffsetAndTimestamp {
  readonly offset: number
  readonly timestamp: number
  readonly leaderEpoch: number
}

export interface EpochEnd {
  readonly leaderEpoch: number
  readonly endOffset: number
}

export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
}

export interface ActiveProducer {
  readonly producerId: number
  readonly producerEpoch: number
  readonly lastSequence: number
  readonly lastTimestamp: number
  readonly coordinatorEpoch: number
  /** -1 without an open transaction. */
  readonly currentTransactionStartOffset: number
}
