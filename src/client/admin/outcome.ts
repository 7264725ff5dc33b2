/** Admin calls act on many things at once: what became of each is a value, so that one bad name does not hide the others. */
import { brokerError, KafkaError } from '../errors.ts'

/** What became of one of the things that a call was asked for. */
export interface Outcome {
  /** Null: done. */
  readonly error: KafkaError | null
}

export interface OutcomeRow {
  readonly errorCode: number
  readonly errorMessage?: string | null
}

/** `what` says what was asked for: "create topic 'orders'". */
export function errorOf(row: OutcomeRow | undefined, what: string): KafkaError | null {
  if (row === undefined) return new KafkaError('ERR_BAD_RESPONSE', `${what}: the broker's answer leaves it out`)
  return row.errorCode === 0 ? null : brokerError(row.errorCode, what, row.errorMessage)
}

export function throwIfFailed(row: OutcomeRow | undefined, what: string): void {
  const error = errorOf(row, what)
  if (error !== null) throw error
}
