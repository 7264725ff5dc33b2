// One partition's log.

import type { ErrorCode } from '../protocol/errors.ts'
import type {
  AbortedTransaction,
  ActiveProducer,
  AppendInfo,
  AppendOptions,
  CheckedBatch,
  EpochEnd,
  LogConfig,
  OffsetAndTimestamp,
  ReadOptions,
  ReadResult,
} from './types.ts'

export type * from './types.ts'

export declare class Log {
  readonly topic: string
  readonly partition: number
  readonly topicId: string
  readonly config: LogConfig
  readonly logStartOffset: number
  /** Next offset to be assigned: what is queued counts. */
  readonly logEndOffset: number
  /** What is in the file. */
  readonly writtenOffset: number
  readonly recoveryPoint: number
  readonly lastStableOffset: number
  readonly sizeBytes: number
  readonly latestEpoch: number
  /** Settable: a partition with several replicas takes over moving it (see `highWatermarkFollowsLog`). */
  highWatermark: number
  highWatermarkFollowsLog: boolean
  /** Called once per flush, after the high watermark has moved and the appends' `done`s were called. */
  onAppended: ((log: Log) => void) | null
  append(batch: CheckedBatch, options: AppendOptions): AppendInfo
  read(fetchOffset: number, options: ReadOptions): ReadResult | Promise<ReadResult>
  /** Aborted transactions that a read_committed reader of [fetchOffset, nextOffset) must know. */
  abortedTransactions(fetchOffset: number, nextOffset: number): AbortedTransaction[]
  offsetForTimestamp(timestamp: number, upTo: number): Promise<OffsetAndTimestamp | null>
  maxTimestamp(): Promise<OffsetAndTimestamp | null>
  endOffsetForEpoch(epoch: number): EpochEnd
  /** This broker starts to lead with this epoch, at the log's end. */
  assignEpoch(epoch: number): void
  deleteRecordsTo(offset: number): ErrorCode
  activeProducers(): ActiveProducer[]
  truncateTo(offset: number): void
}
