/**
 * An operation on a group of the newer protocols while it is still being decided. A refusal at any point must leave no trace, so records and
 * timers are gathered here and handed over at the end.
 */
import type { ErrorCode } from '../../../protocol/errors.ts'
import { BATCH_HEADER_ALLOWANCE_BYTES } from '../../config.ts'
import { encodeRecord, type GroupRecord } from '../records.ts'
import type { Turn } from '../turn.ts'

/** Lengths, deltas and attributes of a record in a batch. */
const RECORD_ALLOWANCE_BYTES = 24

/** Why an operation does not take place. */
export class Refusal {
  readonly errorCode: ErrorCode
  /** null: the code says it all. */
  readonly message: string | null

  constructor(errorCode: ErrorCode, message: string | null) {
    this.errorCode = errorCode
    this.message = message
  }
}

export class Draft {
  readonly turn: Turn
  readonly #records: GroupRecord[] = []
  readonly #effects: (() => void)[] = []

  constructor(turn: Turn) {
    this.turn = turn
  }

  write(...records: readonly GroupRecord[]): void {
    this.#records.push(...records)
  }

  /** Something that is to happen if the operation takes place: a timer, an answer. */
  effect(effect: (turn: Turn) => void): void {
    this.#effects.push(() => effect(this.turn))
  }

  /** The records must come into one batch: half of them would be another group. */
  get fits(): boolean {
    const { turn } = this
    let bytes = BATCH_HEADER_ALLOWANCE_BYTES
    for (const record of this.#records) {
      const { key, value } = encodeRecord(record)
      bytes += key.length + (value?.length ?? 0) + RECORD_ALLOWANCE_BYTES
    }
    return this.#records.length === 0 || bytes <= turn.batchBytesMax
  }

  commit(): void {
    for (const record of this.#records) this.turn.write(record)
    for (const effect of this.#effects) effect()
  }
}
