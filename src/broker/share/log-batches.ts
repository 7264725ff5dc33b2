/** What was read of a log, as share groups look at it: its batches, those that transactions took back, and a cut of it. */
import type { LogBatch } from '../../coordinator/share-delivery/acquisition.ts'
import type { AbortedTransaction } from '../../log/types.ts'
import {
  type BatchHeader,
  isControl,
  isTransactional,
  iterateRecords,
  lastOffset,
  readBatchHeader,
} from '../../records/batch.ts'
import { readEndTransactionMarker } from '../../records/control.ts'

export interface PlacedBatch extends LogBatch {
  readonly header: BatchHeader
  readonly position: number
}

/** `data` holds whole batches. */
export function placedBatches(data: Buffer): PlacedBatch[] {
  const batches: PlacedBatch[] = []
  for (let position = 0; position < data.length; ) {
    const header = readBatchHeader(data, position)
    batches.push({ header, position, baseOffset: header.baseOffset, lastOffset: lastOffset(header) })
    position += header.sizeBytes
  }
  return batches
}

/** Batches of transactions that ended with an abort. `transactions` are those that concern the data. */
export function abortedBatches(
  data: Buffer,
  batches: readonly PlacedBatch[],
  transactions: readonly AbortedTransaction[],
): PlacedBatch[] {
  if (transactions.length === 0) return []
  const waiting = [...transactions].sort((one, other) => one.firstOffset - other.firstOffset)
  const aborting = new Set<number>()
  const aborted: PlacedBatch[] = []
  for (const batch of batches) {
    const { producerId } = batch.header
    if (producerId < 0) continue
    while (waiting.length > 0 && waiting[0]!.firstOffset <= batch.lastOffset) aborting.add(waiting.shift()!.producerId)
    if (isControl(batch.header)) {
      if (isAbort(data, batch)) aborting.delete(producerId)
    } else if (isTransactional(batch.header) && aborting.has(producerId)) aborted.push(batch)
  }
  return aborted
}

function isAbort(data: Buffer, { position, header }: PlacedBatch): boolean {
  for (const record of iterateRecords(data.subarray(position, position + header.sizeBytes))) {
    return readEndTransactionMarker(record)?.type === 'abort'
  }
  return false
}

/** The part of the data that holds these offsets, in whole batches. */
export function sliceOf(data: Buffer, batches: readonly PlacedBatch[], firstOffset: number, last: number): Buffer {
  let from = 0
  let to = data.length
  for (const { baseOffset, position } of batches) {
    if (baseOffset <= firstOffset) from = position
    if (baseOffset > last) {
      to = position
      break
    }
  }
  return data.subarray(from, to)
}
