/**
 * Reads the batches of a coordinator's partition and hands out the records that hold. Records of a transaction hold from its
 * COMMIT marker on, and not at all after an ABORT; a plain record that was written in between for the same key beats them,
 * because it is later than they are. One instance per load; transactions still open at the end hold nothing.
 */
import { type BatchHeader, isControl, isTransactional, iterateRecords } from '../records/batch.ts'
import { readEndTransactionMarker } from '../records/control.ts'

export interface KeyAndValue {
  readonly key: Buffer | null
  readonly value: Buffer | null
}

export class CommittedRecords {
  /** By producer id: records that wait for the marker, the last one of each key. */
  readonly #open = new Map<number, Map<string, KeyAndValue>>()

  /** Appends to `records` what holds after this batch. Copies: the batch's buffer may be reused. */
  take(header: BatchHeader, batch: Buffer, records: KeyAndValue[]): void {
    for (const { key, value } of iterateRecords(batch)) {
      if (isControl(header)) {
        if (readEndTransactionMarker({ key, value })?.type === 'commit') {
          records.push(...(this.#open.get(header.producerId)?.values() ?? []))
        }
        this.#open.delete(header.producerId)
        continue
      }
      const record = { key: key && Buffer.from(key), value: value && Buffer.from(value) }
      if (isTransactional(header)) this.#wait(header.producerId, record)
      else {
        this.#supersede(record.key)
        records.push(record)
      }
    }
  }

  #wait(producerId: number, record: KeyAndValue): void {
    const waiting = this.#open.get(producerId) ?? new Map<string, KeyAndValue>()
    waiting.set(nameOf(record.key), record)
    this.#open.set(producerId, waiting)
  }

  #supersede(key: Buffer | null): void {
    if (this.#open.size === 0) return
    const name = nameOf(key)
    for (const waiting of this.#open.values()) waiting.delete(name)
  }
}

function nameOf(key: Buffer | null): string {
  return key?.toString('latin1') ?? ''
}
