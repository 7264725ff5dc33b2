// What the tests of moves between data folders share: two folders, one log with a bit of everything in it, and a ledger of what was
// acknowledged.

import { expect } from 'bun:test'
import type { Log } from '../../src/log/log.ts'
import type { LogManagerOptions } from '../../src/log/log-manager-options.ts'
import type { LogConfig } from '../../src/log/types.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { buildBatch, isControl, iterateRecords } from '../../src/records/batch.ts'
import { buildEndTransactionBatch } from '../../src/records/control.ts'
import { readBatchHeader } from '../../src/records/header.ts'
import type { ManualClock } from '../../src/storage/clock-manual.ts'
import type { Disk } from '../../src/storage/disk.ts'
import { append, type Outcome, readAll, TOPIC_ID, World } from './support.ts'

export const FOLDERS = ['/a', '/b'] as const

const PRODUCER = 7

/** A broker with two folders whose one log gets numbered records. */
export class Moves {
  world!: World
  /** Value of the record at each offset that was acknowledged. */
  readonly acknowledged = new Map<number, number>()
  /** Of a record that nobody has answered for yet. */
  #pending: { offset: number; value: number; outcome: Outcome }[] = []
  #nextValue = 0
  #nextSequence = 0

  static async open(
    disk: Disk,
    options: { config?: Partial<LogConfig>; manager?: Partial<LogManagerOptions>; clock?: ManualClock } = {},
  ): Promise<Moves> {
    const moves = new Moves()
    moves.world = await World.open({
      disk,
      directory: '/a',
      ...(options.clock === undefined ? {} : { clock: options.clock }),
      config: { segmentBytes: 700, indexIntervalBytes: 100, fileDeleteDelayMs: 0, ...options.config },
      manager: { directories: FOLDERS, ...options.manager },
    })
    return moves
  }

  /** The same folders in a new process. */
  async reopen(disk: Disk): Promise<void> {
    this.settle()
    this.#pending = []
    this.world = await this.world.reopen({ disk })
    this.log()
  }

  log(): Log {
    const { manager } = this.world
    return manager.get('events', 0) ?? manager.create({ topic: 'events', topicId: TOPIC_ID, partition: 0, isNew: true })
  }

  folder(): string {
    return this.log().directory.slice(0, 2)
  }

  /** Takes note of what was answered since. */
  settle(): void {
    this.#pending = this.#pending.filter(({ offset, value, outcome }) => {
      if (outcome.error === ErrorCode.NONE) this.acknowledged.set(offset, value)
      return outcome.error === null
    })
  }

  put(options: { idempotent?: boolean } = {}): Outcome {
    const log = this.log()
    const value = this.#nextValue++
    const producer =
      options.idempotent === true ? { producerId: PRODUCER, producerEpoch: 0, baseSequence: this.#nextSequence++ } : {}
    const outcome = this.#append(log, buildBatch({ ...producer, records: [record(value, this.world)] }))
    if (outcome.info.errorCode === ErrorCode.NONE) {
      this.#pending.push({ offset: outcome.info.baseOffset, value, outcome })
    }
    return outcome
  }

  /** One whole aborted transaction of another producer. */
  abortOne(producerId: number): void {
    const log = this.log()
    const transactional = { producerId, producerEpoch: 0, baseSequence: 0, isTransactional: true }
    this.#append(log, buildBatch({ ...transactional, records: [record(-1, this.world)] }), 'coordinator')
    const timestamp = this.world.clock.now()
    const marker = buildEndTransactionBatch({
      type: 'abort',
      coordinatorEpoch: 0,
      producerId,
      producerEpoch: 0,
      timestamp,
    })
    this.#append(log, marker, 'coordinator')
  }

  #append(log: Log, bytes: Buffer, origin: 'client' | 'coordinator' = 'client'): Outcome {
    const batch = { header: readBatchHeader(bytes, 0), chunks: [bytes] }
    const outcome = append(log, batch, { origin, nowMs: this.world.clock.now() })
    this.world.timers.runTurn()
    return outcome
  }

  /** Several segments, idempotent records and an aborted transaction among them. */
  fill(count: number): void {
    for (let index = 0; index < count; index++) this.put({ idempotent: index % 3 === 0 })
    this.abortOne(100)
    for (let index = 0; index < count; index++) this.put({ idempotent: index % 3 === 0 })
    this.settle()
  }

  /** Lets the background work until the promise is over, or `isOver` says that nothing more comes of it. */
  async drive(
    promise: Promise<unknown>,
    meanwhile: (round: number) => void = () => {},
    isOver = () => false,
  ): Promise<void> {
    let over = false
    const end = (): void => {
      over = true
    }
    promise.then(end, end)
    for (let round = 0; !over && !isOver(); round++) {
      if (round > 20_000) throw new Error('never ends')
      meanwhile(round)
      this.world.timers.runTurn()
      this.world.timers.advance(1)
      await undefined
    }
    this.settle()
  }

  moved(meanwhile?: (round: number) => void, isOver?: () => boolean): Promise<void> {
    return this.drive(this.world.manager.movesDone(), meanwhile, isOver)
  }

  /** What was acknowledged is there, once, where it was; everything read is in order and without a gap. */
  async check(): Promise<void> {
    const log = this.log()
    const { offsets, bytes } = await readAll(log)
    expect(offsets).toEqual(Array.from({ length: offsets.length }, (_unused, index) => log.logStartOffset + index))
    const values = new Map<number, number>()
    for (let at = 0; at < bytes.length; ) {
      const header = readBatchHeader(bytes, at)
      const batch = bytes.subarray(at, at + header.sizeBytes)
      if (!isControl(header)) {
        let offset = header.baseOffset
        for (const { value } of iterateRecords(batch)) values.set(offset++, Number(value?.toString()))
      }
      at += header.sizeBytes
    }
    for (const [offset, value] of this.acknowledged) {
      if (offset >= log.logStartOffset) expect({ offset, value: values.get(offset) }).toEqual({ offset, value })
    }
    const seen = [...values.values()].filter((value) => value >= 0)
    expect(new Set(seen).size).toBe(seen.length)
  }

  /** The folders that a start would take for this partition's log. */
  liveFolders(): string[] {
    const { disk } = this.world
    return FOLDERS.filter((folder) => disk.list(folder).includes('events-0'))
  }
}

function record(value: number, world: World) {
  return { timestamp: world.clock.now(), key: null, value: Buffer.from(String(value)) }
}
