/** Turns the bytes of one partition in a fetch answer into records. */
import {
  BATCH_HEADER_BYTES,
  checkCrc,
  isControl,
  isTransactional,
  iterateRecords,
  lastOffset,
  type Record,
  RecordError,
  readBatchHeader,
} from '../../src/records/batch.ts'
import { readEndTransactionMarker } from '../../src/records/control.ts'

export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
}

/** Offset after the last whole batch; `fetchOffset` when there is none. Looks at headers only. */
export function nextOffsetAfter(bytes: Buffer, fetchOffset: number): number {
  let next = fetchOffset
  for (const { header } of wholeBatches(bytes)) next = Math.max(next, lastOffset(header) + 1)
  return next
}

/**
 * Records from `fetchOffset` on, without control records. With a list of aborted transactions (possibly empty), their
 * records are left out as well.
 */
export function* readRecords(
  bytes: Buffer,
  fetchOffset: number,
  aborted: readonly AbortedTransaction[] | null,
): Generator<Record> {
  const upcoming = (aborted ?? []).toSorted((a, b) => a.firstOffset - b.firstOffset)
  const aborting = new Set<number>()
  for (const { header, batch } of wholeBatches(bytes)) {
    if (!checkCrc([batch])) throw new RecordError('corrupt', `batch at offset ${header.baseOffset} fails its checksum`)
    while (upcoming.length > 0 && upcoming[0]!.firstOffset <= lastOffset(header)) {
      aborting.add(upcoming.shift()!.producerId)
    }
    if (isControl(header)) {
      for (const record of iterateRecords(batch)) {
        if (readEndTransactionMarker(record)?.type === 'abort') aborting.delete(header.producerId)
      }
      continue
    }
    if (isTransactional(header) && aborting.has(header.producerId)) continue
    for (const record of iterateRecords(batch)) {
      if (record.offset >= fetchOffset) yield record
    }
  }
}

/** A fetch may cut the last batch off; what is left of it is no batch. */
function* wholeBatches(bytes: Buffer): Generator<{ header: ReturnType<typeof readBatchHeader>; batch: Buffer }> {
  let position = 0
  while (position + BATCH_HEADER_BYTES <= bytes.byteLength) {
    const header = readBatchHeader(bytes, position)
    if (header.sizeBytes < BATCH_HEADER_BYTES) {
      throw new RecordError(
        'corrupt',
        `batch at offset ${header.baseOffset} says that it has ${header.sizeBytes} bytes`,
      )
    }
    const end = position + header.sizeBytes
    if (end > bytes.byteLength) return
    yield { header, batch: bytes.subarray(position, end) }
    position = end
  }
}
