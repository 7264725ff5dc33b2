/** Makes two batches of one that the broker found too large. */
import { Batch, encodeHeaders, recordBytesBound } from './batch.ts'
import type { ProducerMemory } from './memory.ts'

/** The batch must have two records or more. Whoever waits for a record waits for it in its new batch. */
export function splitBatch(batch: Batch, memory: ProducerMemory): [Batch, Batch] {
  const contents = batch.contents()
  const middle = contents.length >> 1
  const rebuilt = (part: typeof contents): Batch => {
    const { createdMs, isTransactional, origin } = batch
    let target: Batch | null = null
    for (const { record, delivery } of part) {
      const { key, value, timestamp } = record
      const headers = encodeHeaders(record.headers)
      const keyBytes = key === null ? null : { bytes: key, length: key.length }
      const firstBytes = recordBytesBound(key?.length ?? 0, value?.length ?? 0, headers)
      target ??= new Batch(memory, { createdMs, isTransactional, firstBytes, origin })
      target.append(keyBytes, value, value?.length ?? 0, headers, timestamp, delivery)
    }
    if (target === null) throw new Error('a part of a batch without records')
    return target
  }
  return [rebuilt(contents.slice(0, middle)), rebuilt(contents.slice(middle))]
}
