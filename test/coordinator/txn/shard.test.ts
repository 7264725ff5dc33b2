import { describe, expect, test } from 'bun:test'
import { TRANSACTION_COORDINATOR_DEFAULTS } from '../../../src/coordinator/txn/config.ts'
import { TransactionCoordinator } from '../../../src/coordinator/txn/coordinator.ts'
import type { TransactionMarker } from '../../../src/coordinator/txn/markers.ts'
import { encodeTransaction } from '../../../src/coordinator/txn/records.ts'
import type { ProducerAnswer } from '../../../src/coordinator/txn/state.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { ManualClock } from '../../../src/storage/clock-manual.ts'
import { silentLogger } from '../../../src/storage/logger.ts'
import { ManualTimers } from '../../../src/storage/timers-manual.ts'
import { TestLog } from '../group-test.ts'
import { entry } from './support.ts'

interface SentMarker {
  readonly marker: TransactionMarker
  readonly partition: string
  readonly done: (errorCode: ErrorCode) => void
}

const PARTITIONS = new Map([['topic', [0, 1]]])

/** A coordinator of one partition over a log and markers that are settled by the test. */
class Driven {
  readonly log = new TestLog()
  readonly clock = new ManualClock(1_000_000)
  readonly timers = new ManualTimers(this.clock)
  readonly sent: SentMarker[] = []
  readonly warnings: string[] = []
  nextProducerId: () => number | Promise<number>
  readonly coordinator: TransactionCoordinator
  #ids = 100

  constructor(load = true) {
    this.nextProducerId = () => this.#ids++
    this.coordinator = new TransactionCoordinator({
      config: { ...TRANSACTION_COORDINATOR_DEFAULTS, topicPartitions: 1 },
      log: this.log,
      markers: {
        write: (marker, topic, partition, done) => {
          this.sent.push({ marker, partition: `${topic}-${partition}`, done })
        },
      },
      transactionVersion: () => 2,
      nextProducerId: () => this.nextProducerId(),
      partitionCount: () => 1,
      timers: this.timers,
      clock: this.clock,
      logger: { ...silentLogger, warn: (message) => this.warnings.push(message) },
    })
    if (load) this.coordinator.load(0)
  }

  init(transactionalId = 'id'): ProducerAnswer[] {
    const answers: ProducerAnswer[] = []
    const input = { transactionalId, timeoutMs: 60_000, expected: null }
    this.coordinator.initProducerId(input, (answer) => answers.push(answer))
    return answers
  }

  add(producerId: number, producerEpoch: number): ErrorCode[] {
    const codes: ErrorCode[] = []
    const input = { producerId, producerEpoch, partitions: PARTITIONS, clientVersion: 2 } as const
    this.coordinator.addPartitions('id', input, (code) => codes.push(code))
    return codes
  }

  end(producerId: number, producerEpoch: number, committed = true): ProducerAnswer[] {
    const answers: ProducerAnswer[] = []
    const input = { producerId, producerEpoch, committed, clientVersion: 2 } as const
    this.coordinator.endTransaction('id', input, (answer) => answers.push(answer))
    return answers
  }

  /** An open transaction of producer 100 with epoch 0. */
  open(): this {
    this.init()
    this.add(100, 0)
    this.log.flush()
    return this
  }

  get status(): string {
    const described = this.coordinator.describe('id')
    return typeof described === 'number' ? `error ${described}` : described.status
  }

  settleMarkers(errorCode: ErrorCode = ErrorCode.NONE): void {
    for (const { done } of this.sent.splice(0)) done(errorCode)
  }
}

describe('answers', () => {
  test('come when what they rest on is durable', () => {
    const driven = new Driven()
    driven.log.isHeld = true
    const init = driven.init()
    const added = driven.add(100, 0)
    expect([init, added]).toEqual([[], []])
    driven.log.settle()
    expect(init).toEqual([{ errorCode: 0, producerId: 100, producerEpoch: 0 }])
    expect(added).toEqual([])
    driven.log.settle()
    expect(added).toEqual([0])
  })

  test('that change nothing wait for what was decided before them', () => {
    const driven = new Driven()
    driven.log.isHeld = true
    driven.init()
    const refused = driven.end(100, 0)
    expect(refused).toEqual([])
    driven.log.settle()
    expect(refused).toMatchObject([{ errorCode: ErrorCode.INVALID_TXN_STATE }])
  })

  test('a lost write refuses them all, and the log is read anew', () => {
    const driven = new Driven()
    driven.init()
    driven.log.flush()
    driven.log.isHeld = true
    const added = driven.add(100, 0)
    const again = driven.add(100, 0)
    driven.log.settle(ErrorCode.KAFKA_STORAGE_ERROR)
    expect([added, again]).toEqual([[ErrorCode.NOT_COORDINATOR], [ErrorCode.NOT_COORDINATOR]])
    expect(driven.log.loads).toBe(2)
    expect(driven.status).toBe('Empty')
  })

  test('a refused write leaves the entry as it was', () => {
    const driven = new Driven().open()
    driven.log.refuseWith = ErrorCode.KAFKA_STORAGE_ERROR
    expect(driven.end(100, 0)).toMatchObject([{ errorCode: ErrorCode.NOT_COORDINATOR }])
    expect([driven.status, driven.log.loads]).toEqual(['Ongoing', 1])
  })

  test('while the log is read: COORDINATOR_LOAD_IN_PROGRESS; without the partition: NOT_COORDINATOR', () => {
    const driven = new Driven(false)
    expect(driven.add(1, 0)).toEqual([ErrorCode.NOT_COORDINATOR])
    driven.log.areLoadsHeld = true
    driven.coordinator.load(0)
    expect(driven.add(1, 0)).toEqual([ErrorCode.COORDINATOR_LOAD_IN_PROGRESS])
    expect(
      driven.coordinator.list({ states: new Set(), producerIds: new Set(), durationMs: -1, matchesId: () => true }),
    ).toBe(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
  })

  test('an id that no key could hold is refused', () => {
    // What is no UTF-8 grows when it is written again.
    for (const id of ['', '\ufffd'.repeat(10_923)]) {
      expect(new Driven().init(id)).toMatchObject([{ errorCode: ErrorCode.INVALID_REQUEST }])
    }
  })

  test('a producer id that has to be waited for', async () => {
    const driven = new Driven()
    driven.nextProducerId = async () => 55
    const init = driven.init()
    await Bun.sleep(0)
    driven.log.flush()
    expect(init).toEqual([{ errorCode: 0, producerId: 55, producerEpoch: 0 }])
    driven.nextProducerId = () => Promise.reject(new Error('the store is away'))
    const refused = driven.init('other')
    await Bun.sleep(0)
    expect(refused).toMatchObject([{ errorCode: ErrorCode.COORDINATOR_LOAD_IN_PROGRESS }])
  })
})

describe('markers', () => {
  test('go out when the outcome is durable, not before; the client is answered without them', () => {
    const driven = new Driven().open()
    driven.log.isHeld = true
    const ended = driven.end(100, 0)
    expect(driven.sent).toEqual([])
    driven.log.settle()
    expect(ended).toEqual([{ errorCode: 0, producerId: 100, producerEpoch: 1 }])
    expect(driven.sent.map(({ partition }) => partition)).toEqual(['topic-0', 'topic-1'])
    const marker = { producerId: 100, producerEpoch: 1, committed: true, coordinatorEpoch: 0, transactionVersion: 2 }
    expect(driven.sent[0]!.marker).toEqual(marker)
    expect(driven.status).toBe('PrepareCommit')
    driven.settleMarkers()
    driven.log.settle()
    expect(driven.status).toBe('CompleteCommit')
  })

  test('a partition that does not take its marker is asked again, and only that one', () => {
    const driven = new Driven().open()
    driven.end(100, 0)
    driven.log.flush()
    const [first, second] = driven.sent.splice(0)
    first!.done(ErrorCode.NONE)
    second!.done(ErrorCode.KAFKA_STORAGE_ERROR)
    expect(driven.status).toBe('PrepareCommit')
    driven.timers.advance(100)
    expect(driven.sent.map(({ partition }) => partition)).toEqual(['topic-1'])
    driven.settleMarkers()
    driven.log.flush()
    expect(driven.status).toBe('CompleteCommit')
  })

  test('a partition that takes none for ten minutes is asked all the time, and ten lines say so', () => {
    const driven = new Driven().open()
    driven.end(100, 0)
    driven.log.flush()
    for (let round = 0; round < 6000; round++) {
      expect(driven.sent).not.toHaveLength(0)
      driven.settleMarkers(ErrorCode.KAFKA_STORAGE_ERROR)
      driven.timers.advance(100)
    }
    expect(driven.warnings).toHaveLength(10 * driven.sent.length)
  })

  test('a partition that is gone, or whose producer has gone on, needs none', () => {
    for (const errorCode of [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.INVALID_PRODUCER_EPOCH]) {
      const driven = new Driven().open()
      driven.end(100, 0)
      driven.log.flush()
      driven.settleMarkers(errorCode)
      driven.log.flush()
      expect(driven.status).toBe('CompleteCommit')
    }
  })

  test('an outcome that was written before a restart gets its markers after it', () => {
    const driven = new Driven(false)
    const prepared = entry('PrepareAbort', { transactionalId: 'id' })
    driven.log.write(0, [encodeTransaction('id', prepared)])
    driven.coordinator.load(0)
    let settled = false
    void driven.coordinator.settled().then(() => {
      settled = true
    })
    expect(driven.sent.map(({ marker }) => [marker.committed, marker.producerEpoch])).toEqual([
      [false, prepared.producerEpoch],
      [false, prepared.producerEpoch],
    ])
    driven.settleMarkers()
    driven.log.flush()
    expect(driven.status).toBe('CompleteAbort')
    return Bun.sleep(0).then(() => expect(settled).toBe(true))
  })

  test('an entry that completes and is lost is written again after the reload, with markers anew', () => {
    const driven = new Driven().open()
    driven.end(100, 0)
    driven.log.flush()
    driven.log.isHeld = true
    driven.settleMarkers()
    driven.log.settle(ErrorCode.KAFKA_STORAGE_ERROR)
    expect(driven.sent).toHaveLength(2)
    driven.settleMarkers()
    driven.log.settle()
    expect(driven.status).toBe('CompleteCommit')
  })

  test('markers of an ending that a reload replaced complete nothing', () => {
    const driven = new Driven().open()
    driven.end(100, 0)
    driven.log.flush()
    const late = driven.sent.splice(0)
    driven.coordinator.load(0)
    for (const { done } of late) done(ErrorCode.NONE)
    driven.log.flush()
    expect(driven.status).toBe('PrepareCommit')
    driven.settleMarkers()
    driven.log.flush()
    expect(driven.status).toBe('CompleteCommit')
  })
})

describe('partitions added while the last transaction is ending', () => {
  test('wait until it is complete', () => {
    const driven = new Driven().open()
    driven.end(100, 0)
    driven.log.flush()
    const added = driven.add(100, 1)
    expect(added).toEqual([])
    driven.settleMarkers()
    driven.log.flush()
    expect([added, driven.status]).toEqual([[0], 'Ongoing'])
    expect(driven.timers.names().filter((name) => name.includes('wait'))).toEqual([])
  })

  test('wait no longer than add.partitions.to.txn.retry.backoff.max.ms', () => {
    const driven = new Driven().open()
    driven.end(100, 0)
    driven.log.flush()
    const added = driven.add(100, 1)
    driven.timers.advance(100)
    expect(added).toEqual([ErrorCode.CONCURRENT_TRANSACTIONS])
  })

  test('are sent away when the partition goes', () => {
    const driven = new Driven().open()
    driven.end(100, 0)
    driven.log.flush()
    const added = driven.add(100, 1)
    driven.coordinator.unload(0)
    expect(added).toEqual([ErrorCode.NOT_COORDINATOR])
  })
})

describe('time', () => {
  test('what is open for too long is aborted at the next look', () => {
    const driven = new Driven().open()
    driven.timers.advance(60_000)
    expect(driven.status).toBe('Ongoing')
    driven.timers.advance(10_000)
    driven.log.flush()
    expect(driven.status).toBe('PrepareAbort')
    expect(driven.sent[0]!.marker).toMatchObject({ committed: false, producerEpoch: 1 })
  })

  test('an id that nobody used for a week is forgotten', () => {
    const driven = new Driven()
    driven.init()
    driven.log.flush()
    driven.timers.advance(TRANSACTION_COORDINATOR_DEFAULTS.idExpirationMs + 3_600_000)
    driven.log.flush()
    expect(driven.status).toBe(`error ${ErrorCode.TRANSACTIONAL_ID_NOT_FOUND}`)
  })

  test('a partition that is given up leaves no timers', () => {
    const driven = new Driven().open()
    driven.end(100, 0)
    driven.log.flush()
    driven.settleMarkers(ErrorCode.KAFKA_STORAGE_ERROR)
    driven.coordinator.close()
    expect(driven.timers.names()).toEqual([])
  })
})
