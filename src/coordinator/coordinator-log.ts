/** The log under a coordinator, as the coordinator sees it: batches go in, and come back at a load. The broker implements it. */
import type { ErrorCode } from '../protocol/errors.ts'
import type { KeyValue } from './group/records.ts'

/** Takes what a load brings. `ended` is the last call, with the reason if the load failed. */
export interface LoadSink {
  records(batch: readonly { readonly key: Buffer | null; readonly value: Buffer | null }[]): void
  ended(failure: Error | null): void
}

export interface CoordinatorLog {
  /**
   * Queues one batch. 0: queued, and `done` will be called exactly once, never from within this call, in the order of the
   * appends: 0 when the batch is as durable as the broker promises. Any other code: refused, nothing was queued.
   */
  append(
    partition: number,
    records: readonly KeyValue[],
    options: { readonly nowMs: number; readonly done: (errorCode: ErrorCode) => void },
  ): ErrorCode
  /** The largest batch that `append` takes. */
  batchBytesMax(partition: number): number
  /** Reads the whole partition, in order. What it returns stops the load; the sink is not called any more then. */
  load(partition: number, sink: LoadSink): () => void
}
