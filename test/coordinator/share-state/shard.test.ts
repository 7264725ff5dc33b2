/** A shard of the share coordinator: what is written survives a restart, snapshots and the cut of the log included; what fails takes nothing along. */
import { describe, expect, test } from 'bun:test'
import type { CoordinatorAppendOptions, LoadSink } from '../../../src/coordinator/coordinator-log.ts'
import type { KeyValue } from '../../../src/coordinator/group/records.ts'
import type { ShareCoordinatorConfig } from '../../../src/coordinator/share-state/config.ts'
import { ShareCoordinator } from '../../../src/coordinator/share-state/coordinator.ts'
import type { ReadState, StateBatch } from '../../../src/coordinator/share-state/persister.ts'
import { decodeShareState, encodeShareState } from '../../../src/coordinator/share-state/records.ts'
import type { ShareStateLog } from '../../../src/coordinator/share-state/shard.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { ManualClock } from '../../../src/storage/clock-manual.ts'
import { silentLogger } from '../../../src/storage/logger.ts'
import { ManualTimers } from '../../../src/storage/timers-manual.ts'

const TOPIC = 'AAAAAAAAAAAAAAAAAAAAAQ'
const KEY = { groupId: 'g', topicId: TOPIC, partition: 0 }
const OTHER = { ...KEY, partition: 1 }
const CONFIG: ShareCoordinatorConfig = {
  updatesPerSnapshot: 3,
  coldSnapshotIntervalMs: 10_000,
  pruneIntervalMs: 1_000,
  topicPartitions: 1,
}

class MemoryLog implements ShareStateLog {
  readonly records: KeyValue[] = []
  startOffset = 0
  readonly #waiting: ((errorCode: ErrorCode) => void)[] = []

  append(_partition: number, records: readonly KeyValue[], { done, queued }: CoordinatorAppendOptions): ErrorCode {
    queued?.(this.records.length)
    this.records.push(...records)
    this.#waiting.push(done)
    return ErrorCode.NONE
  }

  settle(errorCode: ErrorCode = ErrorCode.NONE): void {
    for (const done of this.#waiting.splice(0)) done(errorCode)
  }

  batchBytesMax(): number {
    return 1_000_000
  }

  leaderEpoch(): number {
    return 0
  }

  trim(_partition: number, offset: number): void {
    this.startOffset = offset
  }

  load(_partition: number, sink: LoadSink): () => void {
    for (const [index, record] of this.records.entries()) {
      if (index >= this.startOffset) sink.records([record], null, index)
    }
    sink.ended(null)
    return () => {}
  }
}

class StateTest {
  readonly clock = new ManualClock(1_000)
  readonly timers = new ManualTimers(this.clock)
  readonly log = new MemoryLog()
  readonly topics = new Set([TOPIC])
  coordinator = this.#start()

  #start(): ShareCoordinator {
    const coordinator = new ShareCoordinator({
      config: CONFIG,
      log: this.log,
      timers: this.timers,
      clock: this.clock,
      logger: silentLogger,
      partitionCount: () => 1,
      hasPartition: ({ topicId, partition }) => this.topics.has(topicId) && partition < 2,
      hasTopic: (topicId) => this.topics.has(topicId),
    })
    coordinator.load(0)
    return coordinator
  }

  restart(): void {
    this.coordinator.close()
    this.coordinator = this.#start()
  }

  initialize(key = KEY, stateEpoch = 1, startOffset = 0): unknown {
    const answers: unknown[] = []
    this.coordinator.initialize(key, { stateEpoch, startOffset }, (answer) => answers.push(answer))
    this.log.settle()
    return answers[0]
  }

  write(batches: StateBatch[], startOffset = 0, more: { stateEpoch?: number; leaderEpoch?: number } = {}): unknown {
    const answers: unknown[] = []
    const write = { stateEpoch: 1, leaderEpoch: 0, startOffset, deliveryCompleteCount: 0, batches, ...more }
    this.coordinator.write(KEY, write, (answer) => answers.push(answer))
    this.log.settle()
    return answers[0]
  }

  read(key = KEY): ReadState | ErrorCode {
    const answers: (ReadState | ErrorCode)[] = []
    this.coordinator.read(key, -1, (answer) => answers.push(answer))
    return answers[0]!
  }
}

function accepted(first: number, last = first): StateBatch {
  return { firstOffset: first, lastOffset: last, deliveryState: 2, deliveryCount: 1 }
}

const OK = { errorCode: ErrorCode.NONE, errorMessage: null }

describe('states', () => {
  test('survive a restart: snapshots, updates, and snapshots again', () => {
    const states = new StateTest()
    expect(states.initialize()).toEqual(OK)
    for (let offset = 0; offset < 10; offset += 2) {
      expect(states.write([accepted(offset)])).toEqual(OK)
      const before = states.read()
      states.restart()
      expect(states.read()).toEqual(before)
    }
    expect(states.read()).toMatchObject({
      stateEpoch: 1,
      startOffset: 0,
      batches: [0, 2, 4, 6, 8].map((each) => accepted(each)),
    })
    const types = states.log.records.map(({ key, value }) => decodeShareState(key, value).type)
    expect(types).toEqual(['snapshot', 'update', 'update', 'update', 'snapshot', 'update'])
  })

  test('an answer waits for its record; a record that is lost was never told', () => {
    const states = new StateTest()
    states.initialize()
    const answers: unknown[] = []
    const write = { stateEpoch: 1, leaderEpoch: 0, startOffset: 0, deliveryCompleteCount: 1, batches: [accepted(0)] }
    states.coordinator.write(KEY, write, (answer) => answers.push(answer))
    // A reader must not know more than the log.
    states.coordinator.read(KEY, -1, (answer) => answers.push(answer))
    expect(answers).toEqual([])
    states.log.records.pop()
    states.log.settle(ErrorCode.KAFKA_STORAGE_ERROR)
    expect(answers).toEqual([ErrorCode.NOT_COORDINATOR, ErrorCode.NOT_COORDINATOR])
    expect(states.read()).toMatchObject({ batches: [] })
  })

  test('go with their topic, also if nobody could write it down', () => {
    const states = new StateTest()
    states.initialize()
    states.topics.delete(TOPIC)
    states.restart()
    states.log.settle()
    expect(states.coordinator.shard(0)?.size).toBe(0)
    states.topics.add(TOPIC)
    states.restart()
    expect(states.coordinator.shard(0)?.size).toBe(0)
  })

  const fenced: readonly [string, (states: StateTest) => unknown, ErrorCode][] = [
    [
      'a write in an older state epoch',
      (states) => states.write([], 0, { stateEpoch: 0 }),
      ErrorCode.FENCED_STATE_EPOCH,
    ],
    ['an initialization in an older state epoch', (states) => states.initialize(KEY, 0), ErrorCode.FENCED_STATE_EPOCH],
    [
      'a write in an older leader epoch',
      (states) => {
        states.coordinator.read(KEY, 5, () => {})
        states.log.settle()
        return states.write([], 0, { leaderEpoch: 4 })
      },
      ErrorCode.FENCED_LEADER_EPOCH,
    ],
    [
      'a partition that does not exist',
      (states) => states.initialize({ ...KEY, partition: 7 }),
      ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ],
  ]
  for (const [what, attempt, errorCode] of fenced) {
    test(`refused: ${what}`, () => {
      const states = new StateTest()
      states.initialize()
      expect(attempt(states)).toMatchObject({ errorCode })
    })
  }
})

describe('the log', () => {
  test('is cut off before the oldest of the newest snapshots', () => {
    const states = new StateTest()
    states.initialize()
    states.initialize(OTHER)
    for (let offset = 0; offset < 5; offset++) states.write([accepted(offset)])
    states.timers.advance(1_000)
    // The other partition's only snapshot is the second record.
    expect(states.log.startOffset).toBe(1)
    states.restart()
    expect(states.read()).toMatchObject({ batches: [accepted(0, 4)] })
    expect(states.read(OTHER)).toMatchObject(OK)
  })

  test('a state that nobody writes to gets a snapshot, and holds the cut up no longer', () => {
    const states = new StateTest()
    states.initialize()
    states.initialize(OTHER)
    for (let offset = 0; offset < 5; offset++) states.write([accepted(offset)])
    states.timers.advance(10_000)
    states.log.settle()
    states.timers.advance(1_000)
    expect(states.log.startOffset).toBeGreaterThan(4)
    const before = [states.read(), states.read(OTHER)]
    states.restart()
    expect([states.read(), states.read(OTHER)]).toEqual(before)
  })
})

test('records as Kafka writes them', () => {
  // The bytes of a ShareSnapshot and a ShareUpdate of Kafka 4.3.1.
  const key = { groupId: 'g', topicId: TOPIC, partition: 3 }
  const stateBatches = [accepted(5, 6)]
  const snapshot = { snapshotEpoch: 1, stateEpoch: 2, leaderEpoch: 3, startOffset: 5, deliveryCompleteCount: 2 }
  const times = { createTimestamp: 7, writeTimestamp: 8 }
  const encoded = encodeShareState({ type: 'snapshot', key, value: { ...snapshot, ...times, stateBatches } })
  expect(encoded.key.toString('hex')).toBe(`0000000167${'00'.repeat(15)}0100000003`)
  expect(encoded.value!.toString('hex')).toBe(
    '0000' +
      '00000001' +
      '00000002' +
      '00000003' +
      '0000000000000005' +
      '0000000000000007' +
      '0000000000000008' +
      '02' +
      '0000000000000005' +
      '0000000000000006' +
      '02' +
      '0001' +
      '00' +
      '01' +
      '00' +
      '04' +
      '00000002',
  )
  const { stateEpoch: _, ...update } = snapshot
  const changed = encodeShareState({ type: 'update', key, value: { ...update, stateBatches } })
  expect(changed.value!.toString('hex')).toBe(
    '0000' +
      '00000001' +
      '00000003' +
      '0000000000000005' +
      '02' +
      '0000000000000005' +
      '0000000000000006' +
      '02' +
      '0001' +
      '00' +
      '01' +
      '00' +
      '04' +
      '00000002',
  )
  for (const record of [encoded, changed])
    expect(encodeShareState(decodeShareState(record.key, record.value) as never)).toEqual(record)
  expect(decodeShareState(Buffer.from('0007', 'hex'), null)).toMatchObject({ type: 'skipped' })
  expect(decodeShareState(encoded.key, encoded.value!.subarray(0, 20))).toMatchObject({ type: 'skipped' })
})
