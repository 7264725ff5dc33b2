/**
 * An operation on a consumer group while it is still being decided. A refusal at any point must leave no trace, so records and
 * timers are gathered here and handed over at the end.
 */
import type { ErrorCode } from '../../../protocol/errors.ts'
import type { GroupRecord } from '../records.ts'
import type { Turn } from '../turn.ts'

/** Why an operation does not take place. */
export class Refusal {
  readonly errorCode: ErrorCode
  readonly message: string

  constructor(errorCode: ErrorCode, message: string) {
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

  commit(): void {
    for (const record of this.#records) this.turn.write(record)
    for (const effect of this.#effects) effect()
  }
}
