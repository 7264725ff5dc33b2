/** The log under a coordinator, as the coordinator sees it: batches go in, and come back at a load. The broker implements it. */
import type { ErrorCode } from '../protocol/errors.ts'
import type { KeyValue } from './group/records.ts'

/**
 * The producer in whose transaction records are written. `guard` is what the broker's check of that transaction came to; the log
 * knows what to make of it.
 */
export interface TransactionalProducer {
  readonly producerId: number
  readonly producerEpoch: number
  readonly guard: unknown
}

/** Takes what a load brings, in the order of the log. `ended` is the last call, with the reason if the load failed. */
export interface LoadSink {
  /** Records of a producer's transaction hold once a marker says so; those with a null producer hold at once. */
  records(
    batch: readonly { readonly key: Buffer | null; readonly value: Buffer | null }[],
    producerId: number | null,
    baseOffset: number,
  ): void
  /** The producer's transaction ends here. */
  marker(producerId: number, committed: boolean): void
  ended(failure: Error | null): void
}

export interface CoordinatorAppendOptions {
  readonly nowMs: number
  readonly done: (errorCode: ErrorCode) => void
  /** Told the offset of the first record, from within the call, if the batch was queued. */
  readonly queued?: (baseOffset: number) => void
  /** Left out: the records hold at once. */
  readonly producer?: TransactionalProducer
}

export interface CoordinatorLog {
  /**
   * Queues one batch. 0: queued, and `done` will be called exactly once, never from within this call, in the order of the
   * appends: 0 when the batch is as durable as the broker promises. Any other code: refused, nothing was queued.
   */
  append(partition: number, records: readonly KeyValue[], options: CoordinatorAppendOptions): ErrorCode
  /** The largest batch that `append` takes. */
  batchBytesMax(partition: number): number
  /** The epoch in which this broker leads the partition; -1 if it does not. */
  leaderEpoch(partition: number): number
  /** Reads the whole partition, in order. What it returns stops the load; the sink is not called any more then. */
  load(partition: number, sink: LoadSink): () => void
}
