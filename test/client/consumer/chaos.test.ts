/**
 * Connections cut at any byte, answers late or wrong, a broker killed and started again: a consumer goes on by itself, hands out every
 * record, repeats none that it committed, and leaves no rejection unheard.
 */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EmbeddedBroker } from '../../../src/broker/embedded/broker.ts'
import type { Fault } from '../../../src/broker/embedded/faults.ts'
import { Consumer } from '../../../src/client/consumer/consumer.ts'
import type { ConsumerSettings } from '../../../src/client/consumer/options.ts'
import { Random } from '../../support/random.ts'
import { startSamsaWith } from '../../support/samsa-process.ts'
import { FaultyProxy } from '../faulty-proxy.ts'
import { produce, uniqueName, until, withTopic } from './scenarios.ts'

const TIMEOUT_MS = 200_000
const PROTOCOLS = ['classic', 'consumer'] as const
const PARTITIONS = 2
const RETRY = { backoffMs: 5, backoffMaxMs: 50 }
/** A member whose join was answered into the void is a ghost until its session ends. */
const SHORT_SESSIONS = {
  'group.min.session.timeout.ms': '500',
  'group.consumer.min.session.timeout.ms': '500',
  'group.consumer.session.timeout.ms': '4000',
  'group.consumer.min.heartbeat.interval.ms': '100',
  'group.consumer.heartbeat.interval.ms': '100',
}
const unhandled: unknown[] = []
const onUnhandled = (reason: unknown): void => void unhandled.push(reason)

beforeEach(() => {
  unhandled.length = 0
  process.on('unhandledRejection', onUnhandled)
})
afterEach(() => {
  process.off('unhandledRejection', onUnhandled)
  expect(unhandled).toEqual([])
})

/** Reads in a group until told to stop; what it saw by offset, and every offset that it saw twice. */
class Reader {
  readonly seen = new Set<string>()
  readonly repeated: string[] = []
  readonly consumer: Consumer
  readonly running: Promise<void>

  constructor(options: ConsumerSettings & { readonly bootstrap: string }, topic: string) {
    this.consumer = new Consumer({
      offsetReset: 'earliest',
      onWarning: (e) => console.log('WARN', e.message),
      retry: RETRY,
      maxWaitMs: 100,
      ...options,
    })
    this.running = this.consumer.subscribe(topic).then(() =>
      this.consumer.run({
        concurrency: PARTITIONS,
        eachMessage: ({ partition, offset, value }) => {
          const place = `${partition}:${offset} ${value}`
          if (this.seen.has(place)) this.repeated.push(place)
          this.seen.add(place)
        },
      }),
    )
    this.running.catch(() => undefined)
  }

  async hasCommitted(topic: string, count: number): Promise<boolean> {
    const places = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic, partition }))
    const committed = await this.consumer.committed(places)
    return committed.reduce((sum, { offset }) => sum + offset, 0) === count
  }

  async close(): Promise<void> {
    await this.consumer.close()
    await this.running
  }
}

describe.each(PROTOCOLS)('a %s group', (groupProtocol) => {
  test(
    'whose connections are cut at any byte',
    async () => {
      const random = new Random(groupProtocol.length)
      let cutting = true
      const proxy = await FaultyProxy.listen(() => {
        if (!cutting) return {}
        return { cutAfterBytes: random.chance(0.3) ? 1 + random.below(300) : 1 + random.below(3_000) }
      })
      const broker = await EmbeddedBroker.start({
        config: { ...SHORT_SESSIONS, 'advertised.listeners': `PLAINTEXT://127.0.0.1:${proxy.port}` },
      })
      proxy.forwardTo(broker.port)
      const count = 400
      try {
        cutting = false
        const topic = await withTopic({ bootstrap: broker.bootstrap }, PARTITIONS)
        await produce({ bootstrap: broker.bootstrap }, topic, count, PARTITIONS)
        cutting = true
        const options = {
          bootstrap: `127.0.0.1:${proxy.port}`,
          groupId: uniqueName('g'),
          groupProtocol,
          maxBytesPerPartition: 1_000,
        }
        const reader = new Reader(
          { ...options, commit: 'batch', sessionTimeoutMs: 4_000, heartbeatIntervalMs: 50 },
          topic,
        )
        await until('a good many cuts', () => proxy.cuts >= 40)
        cutting = false
        await until('everything is read', () => reader.seen.size === count)
        await until('and committed', () => reader.hasCommitted(topic, count))
        await reader.close()
        const again = new Reader({ ...options, sessionTimeoutMs: 4_000, heartbeatIntervalMs: 50 }, topic)
        await until('the next one has its partitions', () => again.consumer.assignment().length === PARTITIONS)
        await produce({ bootstrap: broker.bootstrap }, topic, 1, 1, 'last')
        await until('and reads on', () => again.seen.size > 0)
        // All was committed by the first, so the second sees nothing of it.
        expect([...again.seen].map((place) => place.split(' ')[1])).toEqual(['last0'])
        await again.close()
      } finally {
        await proxy.close()
        await broker.stop()
      }
    },
    TIMEOUT_MS,
  )

  test(
    'whose broker answers late, wrongly, or not at all',
    async () => {
      const broker = await EmbeddedBroker.start({ config: SHORT_SESSIONS })
      const topic = await withTopic(broker, PARTITIONS)
      const faults: Fault[] = [
        { api: 'Fetch', delayMs: 300, times: 2 },
        { api: 'Fetch', topic, error: 'NOT_LEADER_OR_FOLLOWER', times: 3 },
        { api: 'Fetch', error: 'FETCH_SESSION_ID_NOT_FOUND', times: 2, after: 1 },
        { api: 'Fetch', topic, error: 'KAFKA_STORAGE_ERROR', times: 2, after: 3 },
        { api: 'Fetch', drop: 'answer', times: 2, after: 4 },
        { api: 'OffsetFetch', error: 'COORDINATOR_LOAD_IN_PROGRESS', times: 2 },
        { api: 'OffsetCommit', error: 'COORDINATOR_NOT_AVAILABLE', times: 2, after: 1 },
        { api: 'OffsetCommit', drop: 'answer', times: 1, after: 3 },
        { api: 'FindCoordinator', error: 'COORDINATOR_NOT_AVAILABLE', times: 2 },
        { api: 'JoinGroup', drop: 'answer', times: 1 },
        { api: 'SyncGroup', error: 'REBALANCE_IN_PROGRESS', times: 1 },
        { api: 'Heartbeat', error: 'UNKNOWN_MEMBER_ID', times: 1, after: 3 },
        { api: 'ConsumerGroupHeartbeat', drop: 'answer', times: 1, after: 1 },
        { api: 'ConsumerGroupHeartbeat', error: 'COORDINATOR_LOAD_IN_PROGRESS', times: 2, after: 2 },
        { api: 'ListOffsets', error: 'LEADER_NOT_AVAILABLE', times: 2 },
      ]
      for (const fault of faults) broker.inject(fault)
      const reader = new Reader(
        {
          bootstrap: broker.bootstrap,
          groupId: uniqueName('g'),
          groupProtocol,
          commit: 'message',
          sessionTimeoutMs: 4_000,
          heartbeatIntervalMs: 50,
        },
        topic,
      )
      for (let part = 0; part < 10; part++) await produce(broker, topic, 20, PARTITIONS, `p${part}-`)
      await until('everything is read', () => reader.seen.size === 200)
      await reader.close()
      await broker.stop()
    },
    TIMEOUT_MS,
  )

  test(
    'whose broker is killed and started again',
    async () => {
      const dataDirectory = mkdtempSync(join(tmpdir(), 'samsa-consumer-'))
      const first = await startSamsaWith({ dataDirectory })
      let samsa = first
      try {
        const topic = await withTopic(samsa, PARTITIONS)
        const options = {
          bootstrap: samsa.bootstrap,
          groupId: uniqueName('g'),
          groupProtocol,
          commit: 'batch',
        } as const
        const reader = new Reader({ ...options, heartbeatIntervalMs: 200 }, topic)
        for (let round = 0; round < 3; round++) {
          await produce(samsa, topic, 100, PARTITIONS, `r${round}-`)
          if (round !== 1) await until(`round ${round} is read`, () => reader.seen.size === 100 * (round + 1))
          if (round === 2) break
          samsa.child.kill('SIGKILL')
          await samsa.child.exited
          samsa = await startSamsaWith({ dataDirectory, arguments: ['--listen', `127.0.0.1:${first.port}`] })
        }
        await until('and committed', () => reader.hasCommitted(topic, 300))
        await reader.close()
      } finally {
        await samsa.stop()
        rmSync(dataDirectory, { recursive: true, force: true })
      }
    },
    TIMEOUT_MS,
  )
})
