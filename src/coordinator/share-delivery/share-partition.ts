/**
 * The records of one partition as one share group sees them (KIP-932): everything before `startOffset` is done with, everything from
 * `endOffset` on nobody has seen, and what lies in between is in flight, in batches. Pure: it decides who gets which records and what becomes
 * of them; its caller reads the log, writes states down and tells it the time.
 *
 * What must hold: batches are in order, do not overlap, and lie within [startOffset, endOffset); a record is acquired by at most one
 * member; an acknowledged or archived record is never handed out again. An offset in flight that belongs to no batch is one of which
 * a restart left nothing but the range: it is read again, and becomes a batch, or turns out not to exist.
 */
import type { StateBatch } from '../share-state/persister.ts'
import { DeliveryState } from '../share-state/persister.ts'
import { type AcknowledgedBatch, Acknowledgement, type RecordRefusal } from './acknowledgement.ts'
import { type AcquiredRange, type AcquireInput, Acquisition } from './acquisition.ts'
import { InFlightBatch } from './in-flight-batch.ts'
import {
  changed,
  changing,
  freshRun,
  isTerminal,
  type RecordState,
  type Run,
  stateAfter,
  unchanged,
  unlocked,
} from './record-states.ts'

export interface RestoredState {
  readonly startOffset: number
  readonly batches: readonly StateBatch[]
}

/** Something that is to be written down; `settle` is told how that went. */
export interface StateChange {
  /** 0: it holds whatever becomes of the write. */
  readonly id: number
  readonly batches: readonly StateBatch[]
}

const STATE_CODES: Readonly<Record<RecordState, number>> = {
  available: DeliveryState.AVAILABLE,
  acquired: DeliveryState.ACQUIRED,
  acknowledged: DeliveryState.ACKNOWLEDGED,
  archived: DeliveryState.ARCHIVED,
}

/** What was being handed out or thrown away when the broker ended is decided anew. */
const RESTORED_STATES = new Map<number, RecordState>([
  [DeliveryState.AVAILABLE, 'available'],
  [DeliveryState.ACQUIRED, 'available'],
  [DeliveryState.ACKNOWLEDGED, 'acknowledged'],
  [DeliveryState.ARCHIVING, 'archived'],
  [DeliveryState.ARCHIVED, 'archived'],
])

export class SharePartition {
  #startOffset: number
  #endOffset: number
  readonly #batches: InFlightBatch[] = []
  #lastChange = 0
  /** No lock is due before this. */
  #nextLockDueMs = Number.POSITIVE_INFINITY

  constructor({ startOffset, batches }: RestoredState) {
    this.#startOffset = startOffset
    this.#endOffset = startOffset
    for (const { firstOffset, lastOffset, deliveryState, deliveryCount } of batches) {
      const first = Math.max(firstOffset, this.#endOffset)
      if (lastOffset < first) continue
      const state = RESTORED_STATES.get(deliveryState) ?? 'available'
      this.#batches.push(new InFlightBatch([freshRun(first, lastOffset, state, deliveryCount)]))
      this.#endOffset = lastOffset + 1
    }
    this.#moveStart()
  }

  get startOffset(): number {
    return this.#startOffset
  }

  /** The first offset that nobody has been shown. */
  get endOffset(): number {
    return this.#endOffset
  }

  get inFlight(): number {
    return this.#endOffset - this.#startOffset
  }

  get batches(): readonly InFlightBatch[] {
    return this.#batches
  }

  /** Monotonic; Infinity: nothing is locked. */
  get nextLockDueMs(): number {
    return this.#nextLockDueMs
  }

  /** Records from the start offset on that need no delivery any more. */
  get deliveryCompleteCount(): number {
    let count = 0
    for (const { runs } of this.#batches) {
      for (const { state, firstOffset, lastOffset } of runs) {
        if (isTerminal(state)) count += lastOffset - firstOffset + 1
      }
    }
    return count
  }

  /** Where a member should read on: what is free again, what a restart left open, or what nobody has seen. */
  nextFetchOffset(): number {
    let offset = this.#startOffset
    for (const batch of this.#batches) {
      if (batch.firstOffset > offset) return offset
      const free = batch.firstFree()
      if (free !== -1) return free
      offset = batch.lastOffset + 1
    }
    return this.#endOffset
  }

  /** Whether there is something to hand out, or room for more. */
  canAcquire(inFlightMax: number): boolean {
    return this.inFlight < inFlightMax || this.nextFetchOffset() < this.#endOffset
  }

  /** Hands records out of what was read. What the log does not have is archived on the way. */
  acquire(input: AcquireInput): AcquiredRange[] {
    const { data, fetchOffset } = input
    const last = data.at(-1)
    if (last === undefined || last.lastOffset < this.#startOffset) return []
    this.#archiveMissing(fetchOffset, Math.max(fetchOffset, data[0]!.baseOffset) - 1)
    const result = new Acquisition(this.#batches, input, {
      startOffset: this.#startOffset,
      endOffset: this.#endOffset,
    }).run()
    this.#endOffset = Math.max(this.#endOffset, result.endOffset)
    if (result.ranges.length > 0) this.#nextLockDueMs = Math.min(this.#nextLockDueMs, input.lockedUntilMs)
    this.#moveStart()
    return result.ranges
  }

  /** All of them, or the reason why none. */
  acknowledge(
    memberId: string,
    batches: readonly AcknowledgedBatch[],
    rules: { readonly deliveryLimit: number; readonly lockedUntilMs: number; readonly mayRenew: boolean },
  ): StateChange | RecordRefusal {
    const change = ++this.#lastChange
    const acknowledgement = new Acknowledgement(this.#batches, { memberId, change, ...rules })
    const bounds = { startOffset: this.#startOffset, endOffset: this.#endOffset }
    for (const batch of batches) {
      const refusal = acknowledgement.apply(batch, bounds)
      if (refusal === null) continue
      this.#undo(change)
      return refusal
    }
    return { id: change, batches: this.#stateOf((run) => run.change === change) }
  }

  /** The member is gone: what it has acquired is free again. */
  release(memberId: string, deliveryLimit: number): StateChange {
    const change = ++this.#lastChange
    this.#replaceAll((run) => {
      if (run.state !== 'acquired' || run.memberId !== memberId) return run
      return changing(run, stateAfter('release', run.deliveryCount, deliveryLimit), change)
    })
    return { id: change, batches: this.#stateOf((run) => run.change === change) }
  }

  /** Locks that are due are opened, whether that can be written down or not. */
  expireLocks(nowMs: number, deliveryLimit: number): StateChange {
    const expired: StateBatch[] = []
    let nextDueMs = Number.POSITIVE_INFINITY
    this.#replaceAll((run) => {
      if (run.state !== 'acquired') return run
      if (run.lockedUntilMs > nowMs) {
        nextDueMs = Math.min(nextDueMs, run.lockedUntilMs)
        return run
      }
      const free = unlocked(run, deliveryLimit)
      expired.push(stateBatch(free))
      return free
    })
    this.#nextLockDueMs = nextDueMs
    return { id: 0, batches: expired }
  }

  /** The change was written down, or was not. Whether the start offset has moved. */
  settle(
    { id }: StateChange,
    written: boolean,
    now: { readonly nowMs: number; readonly deliveryLimit: number },
  ): boolean {
    if (id !== 0) {
      this.#replaceAll((run) => {
        if (run.change !== id) return run
        return written ? changed(run) : unchanged(run, now.nowMs, now.deliveryLimit)
      })
      // What is acquired again may be due before everything else.
      if (!written) this.#nextLockDueMs = Math.min(this.#nextLockDueMs, this.#earliestLockMs())
    }
    return this.#moveStart()
  }

  /** The log has lost everything before the offset. */
  logStartMoved(logStartOffset: number): void {
    if (logStartOffset <= this.#startOffset) return
    this.#startAt(logStartOffset)
  }

  #startAt(startOffset: number): void {
    this.#startOffset = startOffset
    this.#endOffset = Math.max(this.#endOffset, startOffset)
    let gone = 0
    while (gone < this.#batches.length && this.#batches[gone]!.lastOffset < startOffset) gone++
    this.#batches.splice(0, gone)
    this.#batches[0]?.trim(startOffset)
  }

  /** Past what is done with. What is still being written down stops it: the write may fail. */
  #moveStart(): boolean {
    let offset = this.#startOffset
    for (const { firstOffset, lastOffset, runs } of this.#batches) {
      if (firstOffset > offset) break
      const open = runs.find(({ state, change }) => !isTerminal(state) || change !== 0)
      offset = open?.firstOffset ?? lastOffset + 1
      if (open !== undefined) break
    }
    if (offset === this.#startOffset) return false
    this.#startAt(offset)
    return true
  }

  /** The log has nothing within these bounds: what nobody has yet there will never be had. */
  #archiveMissing(firstOffset: number, lastOffset: number): void {
    let offset = Math.max(firstOffset, this.#startOffset)
    const end = lastOffset
    for (let index = 0; offset <= end && index <= this.#batches.length; index++) {
      const batch = this.#batches[index]
      if (batch !== undefined && batch.lastOffset < offset) continue
      if (batch === undefined || batch.firstOffset > offset) {
        const until = Math.min(end, batch === undefined ? end : batch.firstOffset - 1)
        this.#batches.splice(index, 0, new InFlightBatch([freshRun(offset, until, 'archived', 0)]))
        offset = until + 1
        continue
      }
      batch.replace(offset, end, (run) => (run.state === 'available' ? { ...run, state: 'archived' } : run))
      offset = batch.lastOffset + 1
    }
    this.#endOffset = Math.max(this.#endOffset, Math.min(offset, end + 1))
  }

  #undo(change: number): void {
    this.#replaceAll((run) => {
      if (run.change !== change || run.before === null) return run
      const { state, memberId } = run.before
      return { ...run, state, memberId, change: 0, before: null }
    })
  }

  #earliestLockMs(): number {
    let earliest = Number.POSITIVE_INFINITY
    for (const { runs } of this.#batches) {
      for (const { state, lockedUntilMs } of runs)
        if (state === 'acquired') earliest = Math.min(earliest, lockedUntilMs)
    }
    return earliest
  }

  #replaceAll(change: (run: Run) => Run): void {
    for (const batch of this.#batches) batch.replace(batch.firstOffset, batch.lastOffset, change)
  }

  #stateOf(isMeant: (run: Run) => boolean): StateBatch[] {
    return this.#batches.flatMap(({ runs }) => runs.filter(isMeant).map(stateBatch))
  }
}

function stateBatch({ firstOffset, lastOffset, state, deliveryCount }: Run): StateBatch {
  return { firstOffset, lastOffset, deliveryState: STATE_CODES[state], deliveryCount }
}
