// Compaction against a model that is nothing but the list of what was appended: plain, idempotent and transactional producers, tombstones,
// deleted records, retention, cleanings beside appends, cuts, kills and power losses between any two operations of the disk. Whatever
// happens, the last value of every key is what the list says, nothing comes back, and nothing that was aborted is seen.

import { describe, expect, test } from 'bun:test'
import { DEFAULT_CLEANER_SETTINGS } from '../../src/log/compaction.ts'
import type { Log } from '../../src/log/log.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { CODEC_LZ4, CODEC_NONE } from '../../src/records/header.ts'
import { ManualClock } from '../../src/storage/clock-manual.ts'
import { MemoryDisk } from '../../src/storage/disk-memory.ts'
import { SeededRandom } from '../../src/storage/random-seeded.ts'
import {
  COMPACTED,
  committedView,
  type KeyedRecord,
  marker,
  put,
  roll,
  type Surviving,
  survivors,
} from './compaction-support.ts'
import { CrashingDisk } from './crashing-disk.ts'
import { type Outcome, START_MS, World } from './support.ts'

interface DataEvent {
  readonly kind: 'data'
  readonly offset: number
  readonly key: string
  readonly value: string | null
  /** -1 outside of transactions. */
  readonly transactionalProducer: number
}

interface MarkerEvent {
  readonly kind: 'marker'
  readonly offset: number
  readonly producerId: number
  readonly type: 'commit' | 'abort'
}

const KEYS = 6
const DELETE_RETENTION_MS = 4000
const IDEMPOTENT = [1, 2]
const TRANSACTIONAL = [11, 12]
/** A cleaning that needs more turns of the event loop than this hangs. */
const MOST_TURNS = 20_000

/** Time that passes as it is asked for: the cleaner's slices end, and there is a turn of the event loop between two batches. */
class TickingClock extends ManualClock {
  #ticks = 0

  override monotonic(): number {
    this.#ticks += 0.08
    return this.#ticks
  }
}

class History {
  readonly random: SeededRandom
  readonly clock = new TickingClock(START_MS)
  readonly memory = new MemoryDisk({ now: () => this.clock.now(), trackDurable: true })
  readonly events: (DataEvent | MarkerEvent)[] = []
  /** What the process died over: it is in the log or it is not. */
  appending: (DataEvent | MarkerEvent)[] = []
  readonly steps: string[] = []
  readonly #config
  crashing!: CrashingDisk
  world!: World
  log!: Log
  logStart = 0
  /** Nothing from here on can have been cleaned. */
  cleanableUpTo = 0
  /** By offset: when the first cleaning began that may have seen it. Tombstones stay for `delete.retention.ms` after that. */
  readonly firstCleanedMs = new Map<number, number>()
  /** A replica is never cut below its high watermark, which a cleaning relies on. */
  uncuttableUpTo = 0
  #nextValue = 0

  constructor(seed: number) {
    this.random = new SeededRandom(seed)
    const withDelete = this.random.below(3) === 0
    this.#config = {
      ...COMPACTED,
      segmentBytes: 400 + this.random.below(1200),
      deleteRetentionMs: DELETE_RETENTION_MS,
      cleanupPolicy: { compact: true, delete: withDelete },
      retentionBytes: withDelete ? 6000 : -1,
      minCompactionLagMs: this.random.below(4) === 0 ? 500 : 0,
    }
  }

  get end(): number {
    return (this.events.at(-1)?.offset ?? this.logStart - 1) + 1
  }

  async open(): Promise<void> {
    this.crashing = new CrashingDisk(this.memory)
    const dedupeBufferBytes = this.random.below(3) === 0 ? 24 * 8 : DEFAULT_CLEANER_SETTINGS.dedupeBufferBytes
    this.world = await World.open({
      disk: this.crashing.disk,
      clock: this.clock,
      seed: this.random.below(1_000_000),
      config: this.#config,
      manager: {
        syncIntervalMs: 1000,
        cleanerSettings: () => ({ ...DEFAULT_CLEANER_SETTINGS, dedupeBufferBytes, ioBufferBytes: 1 }),
      },
    })
    this.log = this.world.log()
  }

  // ---- what happens -------------------------------------------------------------------------------------------

  appendSome(): void {
    const count = 1 + this.random.below(4)
    const records: KeyedRecord[] = Array.from({ length: count }, () => [
      `key${this.random.below(KEYS)}`,
      this.random.below(4) === 0 ? null : `${this.#nextValue++}`.padEnd(this.random.below(60)),
    ])
    const kind = this.random.below(3)
    const producerId = kind === 0 ? -1 : (kind === 1 ? IDEMPOTENT : TRANSACTIONAL)[this.random.below(2)]!
    const last = this.world.log().producers.get(producerId)?.batches.at(-1)?.lastSequence ?? -1
    const identity =
      kind === 0 ? {} : { producerId, producerEpoch: 0, baseSequence: last + 1, isTransactional: kind === 2 }
    const codec = this.random.below(3) === 0 ? CODEC_LZ4 : CODEC_NONE
    const transactionalProducer = kind === 2 ? producerId : -1
    const from = this.world.log().logEndOffset
    this.appending = records.map(([key, value], index) => ({
      kind: 'data',
      offset: from + index,
      key,
      value,
      transactionalProducer,
    }))
    this.appended(put(this.world, records, { ...identity, codec }))
  }

  appended({ info, error }: Outcome): void {
    if (this.crashing.dead) return
    expect({ code: info.errorCode, error, offset: info.baseOffset }).toEqual({
      code: ErrorCode.NONE,
      error: ErrorCode.NONE,
      offset: this.appending[0]!.offset,
    })
    this.events.push(...this.appending)
    this.appending = []
  }

  endTransaction(): void {
    const producerId = TRANSACTIONAL[this.random.below(2)]!
    if ((this.world.log().producers.get(producerId)?.currentTxnFirstOffset ?? -1) < 0) return
    const type = this.random.below(2) === 0 ? 'commit' : 'abort'
    this.appending = [{ kind: 'marker', offset: this.world.log().logEndOffset, producerId, type }]
    this.appended(marker(this.world, producerId, type))
  }

  async driven(promise: Promise<unknown>, meanwhile: () => void = () => {}): Promise<void> {
    let over = false
    promise
      .catch(() => {})
      .finally(() => {
        over = true
      })
    for (let turn = 0; !over; turn++) {
      if (turn > MOST_TURNS) throw new Error('never ends')
      this.world.timers.runTurn()
      if (turn % 7 === 6) meanwhile()
      await Promise.resolve()
    }
  }

  async runCleaner(meanwhile: () => void = () => {}): Promise<void> {
    const log = this.world.log()
    const beganMs = this.clock.now()
    try {
      await this.driven(this.world.manager.cleaner.run(), meanwhile)
    } finally {
      this.cleanableUpTo = Math.max(this.cleanableUpTo, log.segments.active.baseOffset)
      for (const { offset } of this.events) {
        if (offset < this.cleanableUpTo && !this.firstCleanedMs.has(offset)) this.firstCleanedMs.set(offset, beganMs)
      }
      this.uncuttableUpTo = Math.max(this.uncuttableUpTo, log.logEndOffset)
    }
  }

  checkpoint(): Promise<void> {
    return this.driven(this.world.manager.checkpoint())
  }

  /** Cleans, perhaps with other work in between. */
  async clean(): Promise<void> {
    await this.checkpoint()
    const beside = this.random.below(3)
    let left = 3
    await this.runCleaner(() => {
      if (beside === 0 || left-- <= 0) return
      this.appendSome()
      if (beside === 2) this.endTransaction()
    })
  }

  deleteRecords(): void {
    const log = this.world.log()
    const target = log.logStartOffset + this.random.below(Math.max(1, (log.highWatermark - log.logStartOffset) >>> 2))
    expect(log.deleteRecordsTo(target)).toBe(ErrorCode.NONE)
    this.world.manager.runRetention(this.clock.now())
  }

  cut(): void {
    const log = this.world.log()
    const lowest = Math.max(this.uncuttableUpTo, log.logStartOffset)
    if (log.logEndOffset <= lowest) return
    log.truncateTo(log.logEndOffset - this.random.below(Math.min(6, log.logEndOffset - lowest)))
    // A cut alone is not durable: a power loss would bring the old end back.
    log.segments.active.file().syncNow()
    this.memory.syncDirectory(log.directory)
    this.forgetFrom(log.logEndOffset)
  }

  forgetFrom(offset: number): void {
    while ((this.events.at(-1)?.offset ?? -1) >= offset) this.events.pop()
    this.cleanableUpTo = Math.min(this.cleanableUpTo, offset)
    for (const cut of [...this.firstCleanedMs.keys()]) if (cut >= offset) this.firstCleanedMs.delete(cut)
  }

  async die(how: 'kill' | 'power loss'): Promise<void> {
    // A dead disk takes the folder offline, so the log is not to be had from the manager any more.
    const durable = this.log.recoveryPoint
    if (how === 'kill') this.memory.killProcess()
    else this.memory.crash((_path, unsynced) => this.random.below(unsynced + 1))
    await this.open()
    const log = this.world.log()
    if (log.logEndOffset > this.end) this.events.push(...this.appending)
    this.appending = []
    expect(log.logEndOffset).toBeGreaterThanOrEqual(how === 'kill' ? this.end : Math.min(durable, this.end))
    this.forgetFrom(log.logEndOffset)
  }

  async cleanAndDie(): Promise<void> {
    const changes = this.random.below(60)
    await this.checkpoint()
    this.crashing.crashAfter(changes)
    const appends = this.random.below(2) === 0
    await this.runCleaner(() => {
      if (appends && !this.crashing.dead) this.appendSome()
    })
    this.steps.push(`crash after ${changes}`)
    await this.die(this.random.below(2) === 0 ? 'kill' : 'power loss')
  }

  async step(): Promise<void> {
    const dice = this.random.below(100)
    const onlyAppends = dice < 60
    if (dice < 50) this.note('append', () => this.appendSome())
    else if (dice < 60) this.note('end transaction', () => this.endTransaction())
    else if (dice < 65) this.note('roll', () => roll(this.world))
    else if (dice < 70) this.note('time passes', () => this.clock.advance(this.random.below(DELETE_RETENTION_MS)))
    else if (dice < 80) await this.note('clean', () => this.clean())
    else if (dice < 84) this.note('delete records', () => this.deleteRecords())
    else if (dice < 86) this.note('cut', () => this.cut())
    else if (dice < 93) await this.note('clean and die', () => this.cleanAndDie())
    else if (dice < 95) await this.note('kill', () => this.die('kill'))
    else if (dice < 97) await this.note('power loss', () => this.die('power loss'))
    else {
      await this.note('clean restart', async () => {
        await this.driven(this.world.manager.close())
        await this.open()
        expect(this.world.manager.cleanStart).toBe(true)
      })
    }
    if (!onlyAppends) await this.check()
  }

  note<T>(step: string, run: () => T): T {
    this.steps.push(step)
    return run()
  }

  // ---- what must hold -----------------------------------------------------------------------------------------

  async check(): Promise<void> {
    const log = this.world.log()
    expect(log.logEndOffset).toBe(Math.max(this.end, log.logStartOffset))
    this.logStart = log.logStartOffset
    const left = await survivors(log)
    this.checkOrigin(left)
    const committed = await committedView(log)
    this.checkOrigin(committed)
    const expected = this.decided()
    const seen = new Set(committed.map(({ offset }) => offset))
    const gone = expected.filter(({ offset }) => offset >= this.cleanableUpTo && !seen.has(offset))
    expect(gone, `what cannot have been cleaned, from ${this.cleanableUpTo} on`).toEqual([])
    const offsets = new Set(expected.map(({ offset }) => offset))
    const invented = committed.filter(({ offset }) => !offsets.has(offset))
    expect(invented, 'aborted or undecided records at read_committed').toEqual([])
    for (let key = 0; key < KEYS; key++) this.checkKey(`key${key}`, expected, committed)
    expect(log.cleaning).toBeNull()
    const litter = this.memory.list(log.directory).filter((name) => /\.(cleaned|swap)$/.test(name))
    expect(litter).toEqual([])
  }

  /** Everything that is left was appended, at that offset. */
  checkOrigin(found: readonly Surviving[]): void {
    const byOffset = new Map(this.events.map((event) => [event.offset, event]))
    let previous = -1
    for (const { offset, key, value } of found) {
      const event = byOffset.get(offset)
      const fits = event?.kind === 'data' && event.key === key && event.value === value
      if (offset <= previous || !fits) throw new Error(`${key}=${value} at ${offset} was never appended there`)
      previous = offset
    }
  }

  /** What a reader at read_committed would see of the whole list. */
  decided(): DataEvent[] {
    const { lastStableOffset } = this.world.log()
    const aborted = new Set<DataEvent>()
    const open = new Map<number, DataEvent[]>()
    for (const event of this.events) {
      if (event.kind === 'marker') {
        if (event.type === 'abort') for (const each of open.get(event.producerId) ?? []) aborted.add(each)
        open.delete(event.producerId)
      } else if (event.transactionalProducer >= 0) {
        open.set(event.transactionalProducer, [...(open.get(event.transactionalProducer) ?? []), event])
      }
    }
    return this.events.filter(
      (event): event is DataEvent =>
        event.kind === 'data' &&
        event.offset >= this.logStart &&
        event.offset < lastStableOffset &&
        !aborted.has(event),
    )
  }

  checkKey(key: string, expected: readonly DataEvent[], committed: readonly Surviving[]): void {
    const should = expected.findLast((event) => event.key === key)
    const is = committed.findLast((record) => record.key === key)
    // A tombstone may be gone once every reader has had its time, but then everything before it has to be gone, too.
    if (should?.value === null && is === undefined) {
      const keptMs = this.clock.now() - (this.firstCleanedMs.get(should.offset) ?? this.clock.now())
      expect(keptMs, `the tombstone of ${key} at ${should.offset} went early`).toBeGreaterThanOrEqual(
        DELETE_RETENTION_MS,
      )
      return
    }
    if (is?.offset === should?.offset && is?.value === should?.value) return
    expect({ key, offset: is?.offset, value: is?.value }).toEqual({ key, offset: should?.offset, value: should?.value })
  }
}

const SEEDS = Number(process.env.SAMSA_MODEL_SEEDS ?? 60)
const STEPS = 40

describe('compaction', () => {
  test(`${SEEDS} random histories`, async () => {
    const first = Number(process.env.SAMSA_MODEL_FIRST ?? 1)
    for (let seed = first; seed < first + SEEDS; seed++) {
      const history = new History(seed)
      try {
        await history.open()
        for (let step = 0; step < STEPS; step++) await history.step()
        await history.check()
      } catch (error) {
        throw new Error(`seed ${seed} after ${history.steps.join(', ')}`, { cause: error })
      }
    }
  }, 240_000)

  test.each(['kill', 'power loss'] as const)(
    'a %s between any two operations of a cleaning',
    async (how) => {
      for (let changes = 0, over = false; !over; changes++) {
        const history = new History(7)
        await history.open()
        for (let index = 0; index < 30; index++) {
          history.appendSome()
          if (index % 9 === 8) history.endTransaction()
        }
        for (const _ of [0, 1, 2, 3, 4, 5, 6, 7]) history.endTransaction()
        roll(history.world)
        await history.checkpoint()
        expect(history.world.log().segments.count).toBeGreaterThan(4)
        history.crashing.crashAfter(changes)
        await history.runCleaner()
        over = !history.crashing.dead
        if (over) expect(changes).toBeGreaterThan(30)
        try {
          await history.die(how)
          await history.check()
          await history.clean()
          await history.check()
          expect(history.world.logger.matching(/cannot be compacted|damaged|corrupt/)).toEqual([])
        } catch (error) {
          throw new Error(`after ${changes} changes`, { cause: error })
        }
      }
    },
    60_000,
  )
})
