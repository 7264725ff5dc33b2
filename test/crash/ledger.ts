/**
 * What the clients of a crash test were promised, and the check that the broker kept it. A promise is an acknowledged
 * record at its offset, or an acknowledged commit.
 */
import { iterateRecords, readBatchHeader } from '../../src/records/batch.ts'

export class Ledger {
  /** Per partition: offset -> the value that was acknowledged there. */
  private readonly acknowledged = new Map<number, Map<number, string>>()
  private readonly commits = new Map<string, { acknowledged: number; sent: number }>()

  recordsAcknowledged(partition: number, baseOffset: number, values: readonly string[]): void {
    let offsets = this.acknowledged.get(partition)
    if (offsets === undefined) {
      offsets = new Map()
      this.acknowledged.set(partition, offsets)
    }
    for (const [index, value] of values.entries()) {
      const before = offsets.get(baseOffset + index)
      if (before !== undefined && before !== value) {
        throw new Error(
          `offset ${baseOffset + index} of partition ${partition} was promised to ${before} and to ${value}`,
        )
      }
      offsets.set(baseOffset + index, value)
    }
  }

  commitSent(group: string, offset: number): void {
    const known = this.commits.get(group)
    this.commits.set(group, { acknowledged: known?.acknowledged ?? -1, sent: Math.max(offset, known?.sent ?? -1) })
  }

  commitAcknowledged(group: string, offset: number): void {
    const known = this.commits.get(group)
    this.commits.set(group, { acknowledged: Math.max(offset, known?.acknowledged ?? -1), sent: known?.sent ?? offset })
  }

  hasRecords(partition: number): boolean {
    return (this.acknowledged.get(partition)?.size ?? 0) > 0
  }

  hasCommit(group: string): boolean {
    return (this.commits.get(group)?.acknowledged ?? -1) >= 0
  }

  get acknowledgedRecords(): number {
    let count = 0
    for (const offsets of this.acknowledged.values()) count += offsets.size
    return count
  }

  /** What is wrong with a partition's log, read from its start; empty when nothing is. */
  checkPartition(partition: number, log: readonly { offset: number; value: string }[]): string[] {
    const wrong: string[] = []
    const seen = new Map<string, number>()
    for (const [index, record] of log.entries()) {
      if (record.offset !== index) wrong.push(`partition ${partition}: offset ${record.offset} where ${index} was due`)
      const first = seen.get(record.value)
      if (first !== undefined)
        wrong.push(`partition ${partition}: ${record.value} stands at ${first} and again at ${record.offset}`)
      seen.set(record.value, record.offset)
    }
    for (const [offset, value] of this.acknowledged.get(partition) ?? []) {
      const found = log[offset]?.value
      if (found !== value)
        wrong.push(`partition ${partition}: ${value} was acknowledged at ${offset}, there is ${found ?? 'nothing'}`)
    }
    return [...wrong, ...outOfOrder(partition, log)]
  }

  checkCommit(group: string, committed: number): string | null {
    const known = this.commits.get(group)
    if (known === undefined) return null
    if (committed < known.acknowledged)
      return `group ${group}: commit ${known.acknowledged} was acknowledged, ${committed} is there`
    if (committed > known.sent) return `group ${group}: ${committed} is committed, the most ever sent was ${known.sent}`
    return null
  }
}

/** Each producer counts its values up from 0: gaps and steps back are losses and reorderings. */
function outOfOrder(partition: number, log: readonly { offset: number; value: string }[]): string[] {
  const wrong: string[] = []
  const next = new Map<string, number>()
  for (const { offset, value } of log) {
    const [producer = '', count = ''] = value.split(':')
    const due = next.get(producer) ?? 0
    if (Number(count) !== due)
      wrong.push(`partition ${partition}: ${value} at ${offset} where ${producer}:${due} was due`)
    next.set(producer, Number(count) + 1)
  }
  return wrong
}

export function recordsOf(batches: Buffer): { offset: number; value: string }[] {
  const records: { offset: number; value: string }[] = []
  for (let position = 0; position + 17 <= batches.length; ) {
    const { sizeBytes } = readBatchHeader(batches, position)
    if (position + sizeBytes > batches.length) break
    for (const record of iterateRecords(batches.subarray(position, position + sizeBytes))) {
      records.push({ offset: record.offset, value: record.value?.toString() ?? 'null' })
    }
    position += sizeBytes
  }
  return records
}
