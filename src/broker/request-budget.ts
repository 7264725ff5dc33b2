/**
 * Bounds the request bytes that all connections hold together. Connections add what they received and give back what
 * they answered; when the total is used up, those holding more than a small free share stop reading.
 *
 * Somebody must still be able to finish, or half-received requests would block each other for ever: the connection that
 * has been held back longest goes on as the only one, and is closed when it stalls while others wait.
 */
import { CONNECTION_REQUEST_BYTES_FREE, STALLED_REQUEST_MS, TOTAL_REQUEST_BYTES_MAX } from './limits.ts'

export interface BudgetMember {
  readonly heldBytes: number
  /** Looks again at whether it may read. */
  budgetChanged(): void
  closeStalled(): void
}

export class RequestBudget {
  readonly #limitBytes: number
  #totalBytes = 0
  /** Held back, oldest first. */
  readonly #waiting = new Set<BudgetMember>()
  #privileged: BudgetMember | null = null
  #privilegedSinceMs = 0

  constructor(limitBytes: number = TOTAL_REQUEST_BYTES_MAX) {
    this.#limitBytes = limitBytes
  }

  get totalBytes(): number {
    return this.#totalBytes
  }

  /** The member received bytes. Progress keeps the privilege alive. */
  take(member: BudgetMember, bytes: number, nowMs: number): void {
    this.#totalBytes += bytes
    if (member === this.#privileged) this.#privilegedSinceMs = nowMs
  }

  give(member: BudgetMember, bytes: number): void {
    this.#totalBytes -= bytes
    // It has finished a request: others come first now, even if it has begun to receive the next one.
    if (member === this.#privileged) this.#privileged = null
    if (this.#waiting.size > 0) this.#wake()
  }

  /** Whether the member may read on. One that may not is told by `budgetChanged` when to ask again. */
  mayRead(member: BudgetMember, nowMs: number): boolean {
    if (this.#totalBytes <= this.#limitBytes || member.heldBytes <= CONNECTION_REQUEST_BYTES_FREE) {
      this.#waiting.delete(member)
      return true
    }
    if (this.#privileged === null) {
      this.#privileged = member
      this.#privilegedSinceMs = nowMs
    }
    if (this.#privileged === member) {
      this.#waiting.delete(member)
      return true
    }
    this.#waiting.add(member)
    return false
  }

  /** The member's connection is gone; it has given back its bytes. */
  forget(member: BudgetMember): void {
    this.#waiting.delete(member)
    if (this.#privileged === member) {
      this.#privileged = null
      this.#wake()
    }
  }

  /** Called now and then: a privileged connection that sends nothing while others wait is closed. */
  sweep(nowMs: number): void {
    const member = this.#privileged
    if (member === null || this.#waiting.size === 0 || this.#totalBytes <= this.#limitBytes) return
    if (nowMs - this.#privilegedSinceMs >= STALLED_REQUEST_MS) member.closeStalled()
  }

  #wake(): void {
    // Below the limit everybody goes on; above it the first takes the privilege if it is free, the rest stay.
    for (const member of [...this.#waiting]) {
      if (this.#totalBytes > this.#limitBytes && this.#privileged !== null) return
      member.budgetChanged()
    }
  }
}
