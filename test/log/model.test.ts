// Random histories against a model that is nothing but a list: appends (plain and idempotent), rolls, retention, deleted records, failing and
// short writes, failing syncs, kills, power losses with torn tails, clean restarts; with the page cache, and with direct writes that land when
// and in whatever order they like. Whatever happens, the log holds what the model says.

import { describe, expect, test } from 'bun:test'
import type { Durability } from '../../src/log/types.ts'
import type { WriteMode } from '../../src/log/write-mode.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { MemoryDisk } from '../../src/storage/disk-memory.ts'
import { SeededRandom } from '../../src/storage/random-seeded.ts'
import { append, batchOf, type Outcome, readAll, START_MS, World } from './support.ts'

interface ModelBatch {
  readonly baseOffset: number
  readonly count: number
}

interface Producer {
  readonly id: number
  nextSequence: number
}

interface Planned {
  readonly outcome: Outcome
  readonly producer: Producer | null
  readonly count: number
}

class History {
  readonly random: SeededRandom
  readonly durability: Durability
  readonly disk: MemoryDisk
  readonly syncAfterBytes: number
  world!: World
  /** Acknowledged and still to be there. */
  batches: ModelBatch[] = []
  /** Known to be on the device. */
  durableEnd = 0
  acknowledgedEnd = 0
  logStart = 0
  timestamp = START_MS
  readonly producers: Producer[] = [
    { id: 1, nextSequence: 0 },
    { id: 2, nextSequence: 0 },
  ]
  readonly events: string[] = []

  constructor(seed: number, durability: Durability, writeMode: WriteMode) {
    this.random = new SeededRandom(seed)
    this.syncAfterBytes = [300, 2000, 1 << 27][seed % 3]!
    this.durability = durability
    this.disk = new MemoryDisk({ now: () => START_MS, trackDurable: true, directWrites: writeMode === 'direct' })
  }

  get end(): number {
    const last = this.batches.at(-1)
    return last === undefined ? this.logStart : Math.max(this.logStart, last.baseOffset + last.count)
  }

  async open(): Promise<void> {
    await this.openOnce()
    const [topic, partition] = ['events', 0] as const
    if (this.world.manager.failureOf(topic, partition) === null) return
    // What was found could not be synced: it is not served before a start that can.
    this.events.push('(a sync failed at the start)')
    expect(this.durability).toBe('fsync')
    expect(this.world.manager.get(topic, partition)).toBeUndefined()
    this.disk.clearFaults()
    this.disk.killProcess()
    await this.openOnce()
  }

  async openOnce(): Promise<void> {
    this.world = await World.open({
      disk: this.disk,
      seed: this.random.below(1_000_000),
      config: { segmentBytes: 1500, indexIntervalBytes: 200, fileDeleteDelayMs: 1000 },
      manager: {
        durability: this.durability,
        syncIntervalMs: 1000,
        directWriteBytesMin: 250,
        syncAfterBytes: this.syncAfterBytes,
      },
    })
  }

  /** Appends some batches, and brings them to their end. */
  async appendSome(): Promise<void> {
    const planned = this.plan()
    await this.settle()
    this.account(planned)
  }

  /** The same, while what else a broker does goes on. */
  async appendWhile(event: () => Promise<void>): Promise<void> {
    const planned = this.plan()
    await event()
    await this.settle()
    this.account(planned)
  }

  plan(): Planned[] {
    const log = this.world.log()
    const planned: Planned[] = []
    const turns = 1 + this.random.below(4)
    for (let index = 0; index < turns; index++) {
      const count = 1 + this.random.below(4)
      this.timestamp += this.random.below(50) - 10
      const producer = this.random.below(2) === 0 ? null : this.producers[this.random.below(this.producers.length)]!
      const identity =
        producer === null ? {} : { producerId: producer.id, producerEpoch: 0, baseSequence: producer.nextSequence }
      const outcome = append(
        log,
        batchOf({ count, valueBytes: this.random.below(120), timestamp: this.timestamp, ...identity }),
        {
          nowMs: this.world.clock.now(),
        },
      )
      if (producer !== null && outcome.info.errorCode === ErrorCode.NONE) producer.nextSequence += count
      planned.push({ outcome, producer, count })
      if (this.random.below(3) === 0) this.world.timers.runTurn()
      if (this.random.below(6) === 0) this.landOne()
    }
    return planned
  }

  landOne(): void {
    this.disk.landNext(this.random.below(this.disk.writesInTheAir + 1))
  }

  account(planned: readonly Planned[]): void {
    for (const { outcome, producer, count } of planned) {
      if (outcome.info.errorCode === ErrorCode.NONE && outcome.error === ErrorCode.NONE) {
        this.batches.push({ baseOffset: outcome.info.baseOffset, count })
        this.acknowledgedEnd = this.end
      } else if (producer !== null && outcome.info.errorCode === ErrorCode.NONE) {
        expect(outcome.error).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
        producer.nextSequence -= count
      }
    }
    this.learnSequences()
  }

  async settle(): Promise<void> {
    const log = this.world.log()
    for (let round = 0; round < 10 || log.hasAppendsUnderWay; round++) {
      if (round > 1000) throw new Error('appends never end')
      this.world.timers.runTurn()
      this.landOne()
      await Promise.resolve()
    }
    // Nobody waits for these any more.
    while (this.disk.writesInTheAir > 0) this.landOne()
    if (this.durability === 'fsync') this.durableEnd = this.world.log().writtenOffset
  }

  repeatLast(): void {
    const producer = this.producers[0]!
    const entry = this.world.log().producers.get(producer.id)
    const last = entry?.batches.at(-1)
    if (last === undefined) return
    const count = last.offsetDelta + 1
    const repetition = batchOf({
      count,
      producerId: producer.id,
      producerEpoch: 0,
      baseSequence: last.lastSequence - last.offsetDelta,
    })
    const { info } = append(this.world.log(), repetition, { nowMs: this.world.clock.now() })
    expect(info).toMatchObject({ errorCode: 0, duplicate: true, baseOffset: last.lastOffset - last.offsetDelta })
  }

  /** `underWay`: appended, not acknowledged; their bytes may be there or not. */
  async afterRestart(lostFrom: number, underWay: readonly Planned[] = []): Promise<void> {
    await this.open()
    const log = this.world.log()
    // What was lost is gone as a suffix; batches are never cut in two.
    const kept = log.logEndOffset
    for (const { outcome, count } of underWay) {
      const { errorCode, baseOffset } = outcome.info
      if (errorCode === ErrorCode.NONE && baseOffset + count <= kept) this.batches.push({ baseOffset, count })
    }
    expect(kept).toBeGreaterThanOrEqual(Math.min(lostFrom, this.end))
    expect(kept).toBeLessThanOrEqual(this.end)
    this.batches = this.batches.filter((batch) => batch.baseOffset + batch.count <= kept)
    expect(this.end).toBe(Math.max(kept, this.logStart))
    this.learnSequences()
    await this.settle()
  }

  /** A producer that the log knows goes on where the log has it. */
  learnSequences(): void {
    for (const producer of this.producers) {
      const last = this.world.log().producers.get(producer.id)?.batches.at(-1)
      if (last !== undefined) producer.nextSequence = last.lastSequence + 1
    }
  }

  async step(): Promise<void> {
    const dice = this.random.below(100)
    if (dice < 55) return this.note('append', () => this.appendSome())
    if (dice < 60) return this.note('repeat', () => this.repeatLast())
    if (dice < 66) {
      return this.note('failing write', () => {
        this.disk.failNextWrite(this.random.below(2) === 0 ? 'EIO' : 'ENOSPC', {
          matching: (path) => path.endsWith('.log'),
          bytesWritten: this.random.below(300),
        })
        return this.appendSome()
      })
    }
    if (dice < 70 && this.durability === 'fsync') {
      return this.note('failing sync', () => {
        this.disk.failNextSync((path) => path.endsWith('.log'))
        return this.appendSome()
      })
    }
    if (dice < 72) {
      return this.note('checkpoint under appends', () => this.appendWhile(() => this.checkpoint()))
    }
    if (dice < 76) return this.note('time passes', () => this.world.timers.advance(400 + this.random.below(1000)))
    if (dice < 80) {
      return this.note('checkpoint', () => this.checkpoint())
    }
    if (dice < 84) {
      return this.note('delete records', () => {
        const target = this.logStart + this.random.below(this.end - this.logStart + 1)
        expect(this.world.log().deleteRecordsTo(target)).toBe(ErrorCode.NONE)
        this.logStart = Math.max(this.logStart, target)
        this.world.manager.runRetention(this.world.clock.now())
      })
    }
    if (dice < 90) {
      return this.note('clean restart', async () => {
        this.disk.clearFaults()
        await this.world.manager.close()
        await this.afterRestart(this.end)
        expect(this.world.manager.cleanStart).toBe(true)
      })
    }
    if (dice < 92) {
      return this.note('clean stop under appends', async () => {
        this.disk.clearFaults()
        const log = this.world.log()
        const planned = this.plan()
        let isClosed = false
        const closed = this.world.manager.close().then(() => {
          isClosed = true
        })
        while (!isClosed) {
          this.landOne()
          await Promise.resolve()
        }
        await closed
        this.account(planned)
        await this.afterRestart(this.end)
        // A sync that had failed before is not vouched for.
        expect(this.world.manager.cleanStart).toBe(!log.syncBroken)
      })
    }
    if (dice < 95) {
      return this.note('kill', async () => {
        const planned = this.plan()
        // What has begun to end in the old process ends there: it must not act on the files of the new one.
        for (let round = 0; round < 20; round++) await Promise.resolve()
        this.disk.killProcess((bytes) => this.random.below(bytes + 1))
        const underWay = planned.filter(({ outcome }) => outcome.error === null)
        this.account(planned.filter(({ outcome }) => outcome.error !== null))
        await this.afterRestart(this.end, underWay)
      })
    }
    return this.note('power loss', async () => {
      const kept = this.durability === 'fsync' ? this.acknowledgedEnd : this.durableEnd
      this.disk.crash((_path, unsynced) => this.random.below(unsynced + 1))
      await this.afterRestart(kept)
    })
  }

  async checkpoint(): Promise<void> {
    const checkpoint = this.world.manager.checkpoint()
    for (let round = 0; round < 3; round++) this.landOne()
    await checkpoint
    this.durableEnd = this.world.log().recoveryPoint
  }

  /** A sync failed that nobody waited for: nothing more is taken before a restart has looked at what is there. */
  async afterBrokenSync(): Promise<void> {
    this.events.push('(a sync failed)')
    const refused = append(this.world.log(), batchOf(), { nowMs: this.world.clock.now() })
    expect(refused.info.errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    this.disk.clearFaults()
    this.disk.killProcess()
    await this.afterRestart(this.end)
  }

  async note(event: string, run: () => void | Promise<void>): Promise<void> {
    this.events.push(event)
    await run()
    if (this.world.log().syncBroken) await this.afterBrokenSync()
    await this.check()
  }

  async check(): Promise<void> {
    const log = this.world.log()
    expect(log.logEndOffset).toBe(this.end)
    expect(log.logStartOffset).toBe(this.logStart)
    expect(log.highWatermark).toBe(this.end)
    expect(log.recoveryPoint).toBeLessThanOrEqual(this.end)
    const expected: number[] = []
    for (const batch of this.batches) {
      if (batch.baseOffset + batch.count <= this.logStart) continue
      for (let index = 0; index < batch.count; index++) expected.push(batch.baseOffset + index)
    }
    if (this.logStart < this.end)
      expect((await readAll(log, this.logStart, 200 + this.random.below(2000))).offsets).toEqual(expected)
    for (const segment of log.segments.all) {
      expect(this.disk.stat(segment.path)?.sizeBytes).toBe(segment.sizeBytes)
    }
  }
}

const SEEDS = Number(process.env.SAMSA_MODEL_SEEDS ?? 40)

const WAYS: readonly [Durability, WriteMode][] = [
  ['os', 'buffered'],
  ['fsync', 'buffered'],
  ['os', 'direct'],
  ['fsync', 'direct'],
]

describe.each(WAYS)('random histories, durability %s, writes %s', (durability, writeMode) => {
  test(`${SEEDS} seeds`, async () => {
    const first = Number(process.env.SAMSA_MODEL_FIRST ?? 1)
    for (let seed = first; seed < first + SEEDS; seed++) {
      const history = new History(seed, durability, writeMode)
      try {
        await history.open()
        for (let step = 0; step < 60; step++) await history.step()
      } catch (error) {
        throw new Error(`seed ${seed} after ${history.events.join(', ')}`, { cause: error })
      }
    }
  }, 60_000)
})
