/**
 * Records that cannot go into a batch yet: their topic's partitions are not known, or the memory is full. First come,
 * first served per reason; each has a deadline. What waits is bounded on its own: a program that never waits for `send`
 * is refused in the end.
 */
import { KafkaError } from '../errors.ts'
import { TIMER_MS_MAX } from '../retry.ts'
import type { Delivery } from './deliveries.ts'
import { type EncodedRecord, ownedRecord, sizeOfRecord } from './record.ts'

export interface WaitingRecord {
  readonly record: EncodedRecord
  readonly delivery: Delivery | null
  /** Made in the call that sent it. */
  readonly origin: Error
  readonly deadlineMs: number
  readonly bytes: number
}

/** Bytes that wait in all queues of a producer. */
export class WaitingBudget {
  private usedBytes = 0
  private readonly limitBytes: number

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes
  }

  /** The first record always fits. */
  take(bytes: number): boolean {
    if (this.usedBytes > 0 && this.usedBytes + bytes > this.limitBytes) return false
    this.usedBytes += bytes
    return true
  }

  /** What was given back a moment ago: there is room for it. */
  takeBack(bytes: number): void {
    this.usedBytes += bytes
  }

  giveBack(bytes: number): void {
    this.usedBytes -= bytes
  }

  get isHalfFree(): boolean {
    return this.usedBytes <= this.limitBytes / 2
  }
}

/** Answered records are taken off the front so many at a time. */
const COMPACT_FROM = 1024

export class AdmissionQueue {
  /** What keeps them waiting, as far as it is known. */
  lastError: KafkaError | null = null
  private records: WaitingRecord[] = []
  private head = 0
  private readonly budget: WaitingBudget
  private readonly waitMs: number
  private readonly why: string
  private readonly code: 'ERR_BUFFER_FULL' | 'ERR_TIMEOUT'
  private readonly gaveUp: (waiting: WaitingRecord, error: KafkaError) => void
  private timer: ReturnType<typeof setTimeout> | null = null

  constructor(
    budget: WaitingBudget,
    options: {
      waitMs: number
      /** "topic 'orders' has no known partitions" */
      why: string
      code: 'ERR_BUFFER_FULL' | 'ERR_TIMEOUT'
      gaveUp(waiting: WaitingRecord, error: KafkaError): void
    },
  ) {
    this.budget = budget
    this.waitMs = options.waitMs
    this.why = options.why
    this.code = options.code
    this.gaveUp = options.gaveUp
  }

  get length(): number {
    return this.records.length - this.head
  }

  /**
   * The bytes of the record are copied: the caller may change its buffers. Null if too much waits already, which is no matter for one that was
   * taken before.
   */
  push(record: EncodedRecord, delivery: Delivery | null, wasTaken = false): WaitingRecord | null {
    const bytes = sizeOfRecord(record)
    if (wasTaken) this.budget.takeBack(bytes)
    else if (!this.budget.take(bytes)) return null
    const deadlineMs = performance.now() + this.waitMs
    const waiting = { record: ownedRecord(record), delivery, origin: new Error(), deadlineMs, bytes }
    this.records.push(waiting)
    this.timer ??= setTimeout(() => this.expire(), Math.min(this.waitMs, TIMER_MS_MAX))
    return waiting
  }

  /** Admits from the front while `admit` takes them; what they took of the budget is free for that, so they may go to another queue. */
  drain(admit: (waiting: WaitingRecord) => boolean): void {
    while (this.head < this.records.length) {
      const waiting = this.records[this.head]!
      this.budget.giveBack(waiting.bytes)
      if (!admit(waiting)) {
        this.budget.takeBack(waiting.bytes)
        break
      }
      this.head += 1
      if (this.head === COMPACT_FROM || this.head === this.records.length) {
        this.records = this.records.slice(this.head)
        this.head = 0
      }
    }
    this.stopTimerIfEmpty()
  }

  /** Takes everything out, or only what satisfies the condition. */
  remove(condition: (waiting: WaitingRecord) => boolean = () => true): WaitingRecord[] {
    const removed: WaitingRecord[] = []
    const kept: WaitingRecord[] = []
    for (const waiting of this.records.slice(this.head)) (condition(waiting) ? removed : kept).push(waiting)
    this.records = kept
    this.head = 0
    for (const { bytes } of removed) this.budget.giveBack(bytes)
    this.stopTimerIfEmpty()
    return removed
  }

  private expire(): void {
    this.timer = null
    const nowMs = performance.now()
    for (const waiting of this.remove(({ deadlineMs }) => deadlineMs <= nowMs)) {
      this.gaveUp(waiting, this.tooLate())
    }
    const next = this.records[this.head]
    if (next === undefined) return
    const delayMs = Math.min(Math.ceil(next.deadlineMs - nowMs), TIMER_MS_MAX)
    this.timer = setTimeout(() => this.expire(), delayMs)
  }

  private tooLate(): KafkaError {
    const { lastError } = this
    const last = lastError === null ? '' : `; at last: ${lastError.message}`
    const cause = lastError === null ? {} : { cause: lastError }
    return new KafkaError(this.code, `${this.why} after ${this.waitMs} ms${last}`, cause)
  }

  private stopTimerIfEmpty(): void {
    if (this.length > 0 || this.timer === null) return
    clearTimeout(this.timer)
    this.timer = null
  }
}
