/**
 * Random histories of a share partition against a model that knows each record by itself: members fetch, acknowledge, fall silent and go,
 * writes fail, the broker starts again from what was written down, the log loses its beginning. No record is held by two, none that is
 * done with comes again, every delivery is counted, and in the end nothing is left.
 */
import { expect, test } from 'bun:test'
import type { LogBatch } from '../../../src/coordinator/share-delivery/acquisition.ts'
import type { AcknowledgeType } from '../../../src/coordinator/share-delivery/record-states.ts'
import { SharePartition, type StateChange } from '../../../src/coordinator/share-delivery/share-partition.ts'
import {
  initializeState,
  replayShareState,
  type ShareState,
  writeState,
} from '../../../src/coordinator/share-state/state.ts'
import { SeededRandom } from '../../../src/storage/random-seeded.ts'

const KEY = { groupId: 'g', topicId: 'AAAAAAAAAAAAAAAAAAAAAQ', partition: 0 }
const LIMIT = 4
const IN_FLIGHT_MAX = 60
const LOCK_MS = 50
const RECORDS = 400
const STEPS = 1_500
const HISTORIES = 12
const MEMBERS = ['a', 'b', 'c']
const TYPES: readonly AcknowledgeType[] = ['accept', 'accept', 'accept', 'release', 'reject', 'renew']

interface KnownRecord {
  holder: string | null
  lockedUntilMs: number
  deliveries: number
  /** As it was written down last. */
  written: { deliveries: number; isDone: boolean }
  isDone: boolean
  /** What a change that is being written makes of it. */
  pending: { isDone: boolean } | null
}

class History {
  readonly #random: SeededRandom
  readonly #log: LogBatch[] = []
  readonly #records = new Map<number, KnownRecord>()
  #state: ShareState
  #partition: SharePartition
  #pending: { change: StateChange; offsets: number[] }[] = []
  #nowMs = 0
  readonly accepted = new Set<number>()

  constructor(seed: number) {
    this.#random = new SeededRandom(seed)
    for (let offset = 0; offset < RECORDS; ) {
      // Some offsets the log does not have.
      if (this.#chance(0.1)) offset += 1 + this.#below(5)
      const size = 1 + this.#below(9)
      this.#log.push({ baseOffset: offset, lastOffset: offset + size - 1 })
      for (let each = offset; each < offset + size; each++) this.#records.set(each, newRecord())
      offset += size
    }
    const initial = initializeState(undefined, KEY, { stateEpoch: 1, startOffset: 0 }, this.#context)
    this.#state = replayShareState(undefined, initial.record!)!
    this.#partition = new SharePartition({ startOffset: 0, batches: [] })
  }

  get #context() {
    return { nowMs: this.#nowMs, updatesPerSnapshot: 3, hasPartition: () => true }
  }

  #below(bound: number): number {
    return Math.floor(this.#random.next() * bound)
  }

  #chance(probability: number): boolean {
    return this.#random.next() < probability
  }

  #pick<Value>(values: readonly Value[]): Value {
    return values[this.#below(values.length)]!
  }

  step(): void {
    const dice = this.#random.next()
    if (dice < 0.4) this.#fetch(this.#pick(MEMBERS))
    else if (dice < 0.7) this.#acknowledge(this.#pick(MEMBERS))
    else if (dice < 0.9) this.#write(this.#chance(0.85))
    else if (dice < 0.94) this.#expire()
    else if (dice < 0.97) this.#leave(this.#pick(MEMBERS))
    else if (dice < 0.985) this.#restart()
    else this.#nowMs += this.#below(30)
  }

  /** Everybody behaves until nothing is left. */
  drain(): void {
    for (let round = 0; round < 20 * RECORDS && this.#partition.startOffset < this.#end; round++) {
      this.#nowMs += LOCK_MS
      this.#expire()
      this.#fetch('a')
      for (const [offset, { holder, pending }] of this.#records) {
        if (holder === 'a' && pending === null) this.#say('a', offset, offset, 'accept')
      }
      while (this.#pending.length > 0) this.#write(true)
    }
    expect(this.#partition.startOffset).toBe(this.#end)
    for (const [, record] of this.#records) expect(record.isDone).toBe(true)
  }

  get #end(): number {
    return this.#log.at(-1)!.lastOffset + 1
  }

  #fetch(memberId: string): void {
    const fetchOffset = this.#partition.nextFetchOffset()
    if (!this.#partition.canAcquire(IN_FLIGHT_MAX)) return
    const from = this.#log.findIndex(({ lastOffset }) => lastOffset >= fetchOffset)
    if (from === -1) return
    const isStrict = this.#chance(0.3)
    const ranges = this.#partition.acquire({
      memberId,
      lockedUntilMs: this.#nowMs + LOCK_MS,
      fetchOffset,
      data: this.#log.slice(from, from + 1 + this.#below(8)),
      aborted: [],
      recordsMax: 1 + this.#below(20),
      batchSize: 1 + this.#below(20),
      isStrict,
      deliveryLimit: LIMIT,
      inFlightMax: IN_FLIGHT_MAX,
    })
    for (const { firstOffset, lastOffset, deliveryCount } of ranges) {
      for (let offset = firstOffset; offset <= lastOffset; offset++) {
        const record = this.#records.get(offset)
        if (record === undefined) continue
        expect(record).toMatchObject({ holder: null, isDone: false, pending: null })
        record.deliveries++
        expect(deliveryCount).toBe(record.deliveries)
        record.holder = memberId
        record.lockedUntilMs = this.#nowMs + LOCK_MS
      }
    }
  }

  #acknowledge(memberId: string): void {
    const held = [...this.#records].filter(([, { holder, pending }]) => holder === memberId && pending === null)
    if (held.length === 0) return
    const [first] = this.#pick(held)
    let last = first
    while (this.#chance(0.7) && this.#isHeld(last + 1, memberId)) last++
    this.#say(memberId, first, last, this.#pick(TYPES))
    // Of somebody else's, or beyond what there is, nothing may come.
    const other = [...this.#records].find(([offset, { holder }]) => {
      return holder !== null && holder !== memberId && offset >= this.#partition.startOffset
    })
    if (other !== undefined) expect(this.#try(memberId, other[0], other[0], 'accept')).toBeNull()
  }

  #isHeld(offset: number, memberId: string): boolean {
    const record = this.#records.get(offset)
    return record?.holder === memberId && record.pending === null
  }

  #try(memberId: string, firstOffset: number, lastOffset: number, type: AcknowledgeType): StateChange | null {
    const rules = { deliveryLimit: LIMIT, lockedUntilMs: this.#nowMs + LOCK_MS, mayRenew: true }
    const change = this.#partition.acknowledge(memberId, [{ firstOffset, lastOffset, types: [type] }], rules)
    return 'message' in change ? null : change
  }

  #say(memberId: string, first: number, last: number, type: AcknowledgeType): void {
    const change = this.#try(memberId, first, last, type)
    expect(change).not.toBeNull()
    const offsets: number[] = []
    for (let offset = first; offset <= last; offset++) {
      const record = this.#records.get(offset)!
      if (type === 'renew') record.lockedUntilMs = this.#nowMs + LOCK_MS
      else {
        const isGivenUp = type === 'release' && record.deliveries >= LIMIT
        record.pending = { isDone: type !== 'release' || isGivenUp }
        offsets.push(offset)
      }
    }
    if (type === 'renew') this.#partition.settle(change!, true, { nowMs: this.#nowMs, deliveryLimit: LIMIT })
    else this.#pending.push({ change: change!, offsets })
  }

  /** The oldest change is written down, or is not. */
  #write(isWritten: boolean): void {
    const next = this.#pending.shift()
    if (next === undefined) return
    const { change, offsets } = next
    if (isWritten) this.#store(change)
    this.#partition.settle(change, isWritten, { nowMs: this.#nowMs, deliveryLimit: LIMIT })
    for (const offset of offsets) {
      const record = this.#records.get(offset)!
      const { isDone } = record.pending!
      record.pending = null
      if (isWritten) {
        record.holder = null
        record.isDone = isDone
        record.written = { deliveries: record.deliveries, isDone }
      } else if (record.lockedUntilMs <= this.#nowMs) this.#unlock(record)
    }
  }

  #store(change: StateChange): void {
    const { startOffset, deliveryCompleteCount } = this.#partition
    const write = { stateEpoch: 1, leaderEpoch: 0, startOffset, deliveryCompleteCount, batches: change.batches }
    const { answer, record } = writeState(this.#state, KEY, write, this.#context)
    expect(answer.errorCode).toBe(0)
    this.#state = replayShareState(this.#state, record!)!
  }

  #unlock(record: KnownRecord): void {
    record.holder = null
    if (record.deliveries >= LIMIT) record.isDone = true
  }

  #expire(): void {
    const change = this.#partition.expireLocks(this.#nowMs, LIMIT)
    for (const record of this.#records.values()) {
      if (record.holder === null || record.pending !== null || record.lockedUntilMs > this.#nowMs) continue
      this.#unlock(record)
      record.written = { deliveries: record.deliveries, isDone: record.isDone }
    }
    if (change.batches.length > 0) this.#store(change)
    this.#partition.settle(change, true, { nowMs: this.#nowMs, deliveryLimit: LIMIT })
  }

  #leave(memberId: string): void {
    const change = this.#partition.release(memberId, LIMIT)
    const offsets: number[] = []
    for (const [offset, record] of this.#records) {
      if (record.holder !== memberId || record.pending !== null) continue
      record.pending = { isDone: record.deliveries >= LIMIT }
      offsets.push(offset)
    }
    this.#pending.push({ change, offsets })
  }

  /** What was not written down never was. */
  #restart(): void {
    this.#pending = []
    this.#partition = new SharePartition(this.#state)
    for (const record of this.#records.values()) {
      record.holder = null
      record.pending = null
      record.deliveries = record.written.deliveries
      record.isDone = record.written.isDone
    }
  }
}

function newRecord(): KnownRecord {
  const written = { deliveries: 0, isDone: false }
  return { holder: null, lockedUntilMs: 0, deliveries: 0, written, isDone: false, pending: null }
}

test(`${HISTORIES} histories of ${STEPS} steps`, () => {
  for (let seed = 1; seed <= HISTORIES; seed++) {
    const history = new History(seed)
    try {
      for (let step = 0; step < STEPS; step++) history.step()
      history.drain()
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    }
  }
}, 60_000)
