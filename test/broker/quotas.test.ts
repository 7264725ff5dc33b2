/** Quotas at work, with a clock that stands still: what is throttled, for how long, and what a muted connection does. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import type { Broker } from '../../src/broker/server.ts'
import { Connection } from '../../src/client/connection.ts'
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/00-produce.ts'
import { FetchRequest, FetchResponse } from '../../src/protocol/messages/01-fetch.ts'
import { MetadataRequest, MetadataResponse } from '../../src/protocol/messages/03-metadata.ts'
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/19-create-topics.ts'
import {
  AlterClientQuotasRequest,
  AlterClientQuotasResponse,
} from '../../src/protocol/messages/49-alter-client-quotas.ts'
import type { Infer } from '../../src/protocol/schema.ts'
import { buildBatch } from '../../src/records/batch.ts'
import { ManualClock } from '../../src/storage/clock-manual.ts'
import { ManualTimers } from '../../src/storage/timers-manual.ts'
import { connect, createTopic, startBroker } from './support/test-broker.ts'

/** The clock stands still, but for a thousandth of a millisecond whenever it is read: what the broker does takes time all the same. */
class BusyClock extends ManualClock {
  #readings = 0

  override monotonic(): number {
    return super.monotonic() + ++this.#readings / 1_000
  }
}

/** Time stands still; what belongs to the end of a turn happens by itself. */
class StandingTimers extends ManualTimers {
  override endOfTurn(fire: () => void): void {
    setImmediate(fire)
  }
}

let clock: ManualClock
let timers: ManualTimers
let broker: Broker
let admin: Connection
const opened: Connection[] = []

beforeEach(async () => {
  clock = new BusyClock()
  timers = new StandingTimers(clock)
  broker = await startBroker({ environment: { clock, timers } })
  admin = await connect(broker, 'admin')
  await createTopic(admin, 'topic')
})

afterEach(async () => {
  // Whoever is muted does not notice that its peer leaves.
  timers.advance(10_000_000)
  for (const connection of [admin, ...opened.splice(0)]) await connection.close()
  await broker.stop()
})

async function as(clientId: string): Promise<Connection> {
  const connection = await connect(broker, clientId)
  opened.push(connection)
  return connection
}

async function setQuota(entity: Record<string, string | null>, key: string, value: number): Promise<void> {
  const parts = Object.entries(entity).map(([entityType, entityName]) => ({ entityType, entityName }))
  const entries = [{ entity: parts, ops: [{ key, value, remove: false }] }]
  const answer = await admin.send(AlterClientQuotasRequest, AlterClientQuotasResponse, { entries, validateOnly: false })
  expect(answer.entries[0]?.errorCode).toBe(0)
}

function produceValue(bytes: number, acks: number) {
  const records = [{ key: null, value: Buffer.alloc(bytes, 'x'), timestamp: clock.now(), headers: [] }]
  const topicData = [{ name: 'topic', partitionData: [{ index: 0, records: [buildBatch({ records })] }] }]
  return { transactionalId: null, acks, timeoutMs: 5_000, topicData }
}

function produce(connection: Connection, bytes: number): Promise<Infer<typeof ProduceResponse>> {
  const value = produceValue(bytes, -1)
  return connection.send(ProduceRequest, ProduceResponse, value, { version: 9 })
}

function fetch(connection: Connection, maxBytes = 1 << 20): Promise<Infer<typeof FetchResponse>> {
  const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: maxBytes }]
  const value = {
    replicaId: -1,
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes,
    sessionEpoch: -1,
    topics: [{ topic: 'topic', partitions }],
    forgottenTopicsData: [],
  }
  return connection.send(FetchRequest, FetchResponse, value, { version: 11 })
}

async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false
  void promise.then(() => {
    done = true
  })
  // Another connection's round trip: whatever could be answered by now has been.
  for (let trip = 0; trip < 3; trip++) await admin.send(MetadataRequest, MetadataResponse, { topics: [] })
  return done
}

describe('a byte rate of producers', () => {
  test('is measured over at least ten seconds; what exceeds it is stored, answered at once, and mutes the connection', async () => {
    await setQuota({ 'client-id': 'slow' }, 'producer_byte_rate', 10_000)
    const slow = await as('slow')
    expect((await produce(slow, 90_000)).throttleTimeMs).toBe(0)
    const exceeding = await produce(slow, 70_000)
    // About 160 kB in 10 s is 6 kB/s too much.
    expect(exceeding.throttleTimeMs).toBeGreaterThan(6_000)
    expect(exceeding.throttleTimeMs).toBeLessThan(6_200)
    expect(exceeding.responses[0]?.partitionResponses[0]?.errorCode).toBe(0)
    const next = slow.send(MetadataRequest, MetadataResponse, { topics: [] })
    expect(await settled(next)).toBe(false)
    timers.advance(exceeding.throttleTimeMs)
    expect((await next).throttleTimeMs).toBe(0)
  })

  test('others are not affected', async () => {
    await setQuota({ 'client-id': 'slow' }, 'producer_byte_rate', 10)
    await produce(await as('slow'), 10_000)
    expect((await produce(await as('fast'), 10_000)).throttleTimeMs).toBe(0)
  })

  test('mutes a connection that sends without wanting answers, too', async () => {
    await setQuota({ 'client-id': 'slow' }, 'producer_byte_rate', 1_000)
    const slow = await as('slow')
    slow.sendNoReply(ProduceRequest, produceValue(50_000, 0), { version: 9 })
    const next = slow.send(MetadataRequest, MetadataResponse, { topics: [] })
    expect(await settled(next)).toBe(false)
    timers.advance(60_000)
    await next
  })
})

describe('a clock that was set back by hours', () => {
  const HOURS_MS = 3 * 3_600_000

  test('does not keep what a producer sent long ago in its rate', async () => {
    await setQuota({ 'client-id': 'slow' }, 'producer_byte_rate', 10_000)
    const slow = await as('slow')
    for (let round = 0; round < 4; round++) {
      expect((await produce(slow, 90_000)).throttleTimeMs).toBe(0)
      if (round === 0) clock.set(clock.now() - HOURS_MS)
      timers.advance(20_000)
    }
  })

  test('does not take hours of tokens from those who create topics', async () => {
    await setQuota({ 'client-id': 'admin' }, 'controller_mutation_rate', 1)
    await createTopic(admin, 'before')
    clock.set(clock.now() - HOURS_MS)
    const created = await admin.send(CreateTopicsRequest, CreateTopicsResponse, {
      topics: [{ name: 'after', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
      timeoutMs: 5_000,
      validateOnly: false,
    })
    expect(created).toMatchObject({ throttleTimeMs: 0, topics: [{ errorCode: 0 }] })
  })
})

describe('a byte rate of consumers', () => {
  test('makes the answer empty; the same data comes after the wait', async () => {
    await produce(admin, 80_000)
    await setQuota({ user: 'ANONYMOUS' }, 'consumer_byte_rate', 10_000)
    const consumer = await as('any')
    const first = await fetch(consumer)
    expect(first.throttleTimeMs).toBe(0)
    expect(first.responses).toHaveLength(1)
    const second = await fetch(consumer)
    expect(second.throttleTimeMs).toBeGreaterThan(0)
    expect(second.responses).toEqual([])
    timers.advance(Math.max(second.throttleTimeMs, 20_000))
    expect((await fetch(consumer)).responses).toHaveLength(1)
  })
})

describe('a share of the time', () => {
  test('throttles whatever the client asks, for at most one window; a Fetch is answered empty', async () => {
    await produce(admin, 100)
    const busy = await as('busy')
    await setQuota({ 'client-id': 'busy' }, 'request_percentage', 0.000_001)
    const answer = await busy.send(MetadataRequest, MetadataResponse, { topics: null })
    expect(answer.throttleTimeMs).toBe(1_000)
    const next = fetch(busy)
    expect(await settled(next)).toBe(false)
    timers.advance(1_000)
    const fetched = await next
    expect(fetched.throttleTimeMs).toBe(1_000)
    expect(fetched.responses).toEqual([])
  })

  test('costs nobody else anything', async () => {
    await setQuota({ 'client-id': 'busy' }, 'request_percentage', 0.000_001)
    const answer = await (await as('idle')).send(MetadataRequest, MetadataResponse, { topics: null })
    expect(answer.throttleTimeMs).toBe(0)
  })
})

describe('a rate of connections', () => {
  test('closes what is too much, without an answer', async () => {
    await setQuota({ ip: '127.0.0.1' }, 'connection_creation_rate', 1)
    const attempts = await Promise.all(
      Array.from({ length: 12 }, async () => {
        const connection = await Connection.connect({
          host: broker.host,
          port: broker.port,
          clientId: 'many',
          timeoutMs: 10_000,
          negotiate: false,
        })
        opened.push(connection)
        return connection
      }),
    )
    const answers = attempts.map((connection) =>
      connection.send(MetadataRequest, MetadataResponse, { topics: [] }, { version: 9 }).then(
        () => 'answered',
        () => 'closed',
      ),
    )
    await settled(Promise.resolve())
    timers.advance(2_000)
    const outcomes = await Promise.all(answers)
    expect(outcomes.filter((outcome) => outcome === 'answered')).toHaveLength(10)
  })
})
