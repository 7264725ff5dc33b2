/** The broker as a whole: starting, stopping, starting again, and its sockets. */

import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { cpSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Broker, BrokerStartError } from '../../src/broker/server.ts'
import { Connection } from '../../src/client/connection.ts'
import { MetadataStoreError } from '../../src/metadata/store.ts'
import { MemoryMetadataStore } from '../../src/metadata/store-memory.ts'
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/00-produce.ts'
import { FetchRequest, FetchResponse } from '../../src/protocol/messages/01-fetch.ts'
import { MetadataRequest, MetadataResponse } from '../../src/protocol/messages/03-metadata.ts'
import { HeartbeatRequest, HeartbeatResponse } from '../../src/protocol/messages/12-heartbeat.ts'
import { InitProducerIdRequest, InitProducerIdResponse } from '../../src/protocol/messages/22-init-producer-id.ts'
import { ManualClock } from '../../src/storage/clock-manual.ts'
import { MemoryDisk } from '../../src/storage/disk-memory.ts'
import type { Timers } from '../../src/storage/timers.ts'
import { ManualTimers } from '../../src/storage/timers-manual.ts'
import {
  batchOf,
  batchOfSize,
  bytesOf,
  connect,
  createTopic,
  fetchAll,
  fetchOne,
  fetchRequest,
  produce,
  produceRequest,
  recordingLogger,
  startBroker,
  type TestBrokerOptions,
  valuesOf,
} from './support/test-broker.ts'

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'samsa-server-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

function onDisk(options: TestBrokerOptions = {}): Promise<Broker> {
  return startBroker({ storage: 'disk', durability: 'os', dataDirectory: join(directory, 'data'), ...options })
}

async function startFailure(start: Promise<Broker>): Promise<BrokerStartError> {
  try {
    const broker = await start
    await broker.stop()
  } catch (error) {
    if (error instanceof BrokerStartError) return error
    throw error
  }
  throw new Error('the broker started')
}

describe('a start fails', () => {
  test('when the port is taken, naming it, and leaves the folder free', async () => {
    const other = await startBroker()
    const listen = { host: '127.0.0.1', port: other.port }
    const failure = await startFailure(onDisk({ listen }))
    expect(failure.code).toBe('PORT_IN_USE')
    expect(failure.message).toContain(String(other.port))
    await other.stop()
    await (await onDisk()).stop()
  })

  test('when another broker has the folder, naming it', async () => {
    const first = await onDisk()
    const failure = await startFailure(onDisk())
    expect(failure.code).toBe('DATA_LOCKED')
    expect(failure.message).toContain(join(directory, 'data'))
    await first.stop()
  })

  test('when the folder cannot be made, naming it', async () => {
    writeFileSync(join(directory, 'file'), '')
    const dataDirectory = join(directory, 'file', 'data')
    const failure = await startFailure(onDisk({ dataDirectory }))
    expect(failure.code).toBe('DATA_NOT_WRITABLE')
    expect(failure.message).toContain(dataDirectory)
  })

  test('when the metadata file is something else', async () => {
    await (await onDisk()).stop()
    writeFileSync(join(directory, 'data', 'samsa-metadata.db'), 'this is no database, whatever its name says')
    rmSync(join(directory, 'data', 'samsa-metadata.db-wal'), { force: true })
    const failure = await startFailure(onDisk())
    expect(failure.code).toBe('DATA_UNUSABLE')
    expect(failure.message).toContain('samsa-metadata.db')
  })

  test('when the metadata file is gone and partitions are there: they would belong to nobody', async () => {
    const data = join(directory, 'data')
    const first = await onDisk()
    await createTopic(await connect(first), 'orphan')
    await first.stop()
    for (const name of readdirSync(data)) if (name.startsWith('samsa-metadata.db')) rmSync(join(data, name))
    const failure = await startFailure(onDisk())
    expect(failure.code).toBe('DATA_UNUSABLE')
    expect(failure.message).toContain('orphan-0')
    expect(failure.message).toContain('samsa-metadata.db')
    expect(readdirSync(data)).toContain('orphan-0')
  })

  test('when the folder belongs to another node', async () => {
    await (await onDisk({ nodeId: 1 })).stop()
    const failure = await startFailure(onDisk({ nodeId: 2 }))
    expect(failure.message).toContain(join(directory, 'data'))
  })

  test('when a property has an impossible value, naming property and value', async () => {
    const failure = await startFailure(startBroker({ set: { 'log.segment.bytes': '5' } }))
    expect(failure.code).toBe('BAD_CONFIG')
    expect(failure.message).toContain('log.segment.bytes')
    expect(failure.message).toContain('5')
  })

  test('when advertised.listeners cannot be read', async () => {
    const failure = await startFailure(startBroker({ set: { 'advertised.listeners': 'PLAINTEXT://nobody' } }))
    expect(failure.code).toBe('BAD_CONFIG')
  })

  test('when the folder may not be written, naming it', async () => {
    // Not even root may make folders here.
    const failure = await startFailure(onDisk({ dataDirectory: '/sys/samsa-data' }))
    expect(failure.code).toBe('DATA_NOT_WRITABLE')
    expect(failure.message).toContain('/sys/samsa-data')
  })

  test('when the disk is full before the metadata is written, saying so', async () => {
    const store = new MemoryMetadataStore({ clock: new ManualClock() })
    const cause = Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' })
    store.grantLease = () => Promise.reject(new MetadataStoreError('metadata file m.db: the disk is full', { cause }))
    const failure = await startFailure(startBroker({ openMetadataStore: () => store }))
    expect(failure).toMatchObject({ code: 'DATA_NOT_WRITABLE', message: 'metadata file m.db: the disk is full' })
  })
})

describe('a stop and a new start', () => {
  test('set aside what belongs to no topic, so that neither readers nor retention reach it', async () => {
    const data = join(directory, 'data')
    const first = await onDisk()
    const client = await connect(first)
    await createTopic(client, 'known')
    await produce(client, batchOf(['a']), { topic: 'known' })
    await first.stop()
    cpSync(join(data, 'known-0'), join(data, 'unknown-0'), { recursive: true })
    const second = await onDisk()
    expect([...second.context.logs.all()].map((log) => log.name)).toEqual(['known-0'])
    const stray = readdirSync(data).find((name) => name.startsWith('unknown-0'))!
    expect(stray).toMatch(/-stray$/)
    expect(statSync(join(data, stray, '00000000000000000000.log')).size).toBeGreaterThan(0)
    await second.stop()
  })

  test('keep topics, ids, records, log starts and the cluster id', async () => {
    const first = await onDisk()
    const client = await connect(first)
    const topicId = await createTopic(client, 'kept', { configs: { 'retention.ms': '-1' } })
    await produce(client, batchOf(['a', 'b']), { topic: 'kept' })
    const { clusterId } = first.context
    await first.stop()
    const second = await onDisk()
    expect(second.context.clusterId).toBe(clusterId)
    const again = await connect(second)
    const row = await fetchOne(again, { topic: 'kept', lastFetchedEpoch: 0, offset: 0 })
    expect(valuesOf(row)).toEqual(['a', 'b'])
    expect(second.context.image.topic('kept')?.topicId).toBe(topicId)
    expect((await produce(again, batchOf(['c']), { topic: 'kept' })).baseOffset).toBe(2)
    await again.close()
    await second.stop()
  })

  test('never give the same producer id twice', async () => {
    const request = { transactionalId: null, transactionTimeoutMs: 1000 }
    const ids: number[] = []
    for (let round = 0; round < 2; round++) {
      const broker = await onDisk()
      const client = await connect(broker)
      ids.push((await client.send(InitProducerIdRequest, InitProducerIdResponse, request)).producerId)
      await client.close()
      await broker.stop()
    }
    expect(new Set(ids).size).toBe(2)
  })

  test('a deleted topic is gone, and its name is a new topic', async () => {
    const first = await onDisk()
    const client = await connect(first)
    await createTopic(client, 'name')
    await produce(client, batchOf(['old']), { topic: 'name' })
    await first.context.topics.delete([{ name: 'name', topicId: 'AAAAAAAAAAAAAAAAAAAAAA' }])
    await createTopic(client, 'name')
    expect((await produce(client, batchOf(['new']), { topic: 'name' })).baseOffset).toBe(0)
    await first.stop()
    const second = await onDisk()
    const again = await connect(second)
    expect(valuesOf(await fetchOne(again, { topic: 'name' }))).toEqual(['new'])
    await again.close()
    await second.stop()
  })

  test('after a clean stop the leader epoch stays; after a crash it grows, and old readers hear of it', async () => {
    const clean = await onDisk()
    const client = await connect(clean)
    await createTopic(client, 't')
    await produce(client, batchOf(['a']), { topic: 't' })
    await clean.stop()
    const child = Bun.spawn({
      cmd: [process.execPath, join(import.meta.dir, 'support/crash.ts'), join(directory, 'data')],
      stdout: 'inherit',
      stderr: 'inherit',
    })
    expect(await child.exited).not.toBe(0)
    const after = await onDisk()
    const again = await connect(after)
    expect(after.context.image.topic('t')?.partitions[0]?.leaderEpoch).toBe(1)
    expect((await fetchOne(again, { topic: 't', currentLeaderEpoch: 0 })).errorCode).toBe(74)
    await produce(again, batchOf(['after']), { topic: 't' })
    const row = await fetchOne(again, { topic: 't', offset: 2, lastFetchedEpoch: 0 })
    expect(row.divergingEpoch).toEqual({ epoch: 0, endOffset: 1 })
    await again.close()
    await after.stop()
  })

  test('a stop twice is one stop', async () => {
    const broker = await startBroker()
    await Promise.all([broker.stop(), broker.stop()])
  })
})

describe('stopping', () => {
  test('answers what was accepted before it closes', async () => {
    const broker = await startBroker()
    const client = await connect(broker)
    await createTopic(client, 't')
    const produces = Array.from({ length: 50 }, (_, index) => produce(client, batchOf([`${index}`]), { topic: 't' }))
    await client.drained()
    await produces[0]
    const stopped = broker.stop()
    const rows = await Promise.allSettled(produces)
    const answered = rows.flatMap((row) => (row.status === 'fulfilled' ? [row.value] : []))
    expect(answered.map((row) => row.errorCode)).toEqual(answered.map(() => 0))
    expect(answered.map((row) => row.baseOffset)).toEqual(answered.map((_, index) => index))
    await stopped
    expect(broker.connectionCount).toBe(0)
  })

  test('sends a large answer whole to a slow reader', async () => {
    const broker = await startBroker({ set: { 'message.max.bytes': '30000000' } })
    const client = await connect(broker)
    await createTopic(client, 't')
    await produce(client, batchOfSize(12_000_000), { topic: 't' })
    const { fetchSessions } = broker.context
    const open = fetchSessions.open.bind(fetchSessions)
    const arrived = new Promise<void>((resolve) => {
      fetchSessions.open = (...args) => {
        resolve()
        return open(...args)
      }
    })
    const reading = fetchOne(client, { topic: 't' })
    await arrived
    const [row] = await Promise.all([reading, broker.stop()])
    expect(bytesOf(row).length).toBeGreaterThan(12_000_000)
  })
})

/** Time moves by hand; turns end as they do. */
class HandTimers implements Timers {
  readonly manual: ManualTimers

  constructor(clock: ManualClock) {
    this.manual = new ManualTimers(clock)
  }

  schedule(name: string, dueMs: number, fire: () => void): void {
    this.manual.schedule(name, dueMs, fire)
  }

  cancel(name: string): void {
    this.manual.cancel(name)
  }

  endOfTurn(fire: () => void): void {
    setImmediate(fire)
  }
}

describe('connections', () => {
  test('are closed when idle for connections.max.idle.ms, and not while a request executes', async () => {
    const clock = new ManualClock(Date.now())
    const timers = new HandTimers(clock)
    const environment = { clock, timers }
    const broker = await startBroker({ environment, set: { 'connections.max.idle.ms': '5000' } })
    const idle = await connect(broker)
    const waiting = await connect(broker)
    const busy = await connect(broker)
    await createTopic(busy, 't')
    const answer = fetchAll(waiting, [{ topic: 't' }], { maxWaitMs: 60_000 })
    while (broker.context.fetchWaits.size === 0) await Bun.sleep(1)
    for (let second = 0; second < 5; second++) {
      timers.manual.advance(1000)
      await fetchOne(busy, { topic: 't' })
    }
    await idle.whenClosed()
    expect([waiting.closedBy, busy.closedBy]).toEqual([null, null])
    await produce(busy, batchOf(['x']), { topic: 't' })
    expect((await answer).responses.length).toBe(1)
    timers.manual.advance(6000)
    await Promise.all([waiting.whenClosed(), busy.whenClosed()])
    await broker.stop()
  })

  test('are not idle because the clock was set forward', async () => {
    const clock = new ManualClock(Date.now())
    const timers = new HandTimers(clock)
    const environment = { clock, timers }
    const broker = await startBroker({ environment, set: { 'connections.max.idle.ms': '5000' } })
    const connection = await connect(broker)
    clock.set(clock.now() + 3_600_000)
    timers.manual.advance(1250)
    await createTopic(connection, 't')
    expect(connection.closedBy).toBe(null)
    timers.manual.advance(7500)
    await connection.whenClosed()
    await broker.stop()
  })

  const greetings: [string, Buffer][] = [
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
    ['TLS', Buffer.from('16030100c8010000c40303aabbccddeeff', 'hex')],
    ['a request of 2 GB', Buffer.from('7fffffff', 'hex')],
    ['a negative length', Buffer.from('80000000', 'hex')],
    ['an unknown key', Buffer.from('0000000a7fff000000000001ffff', 'hex')],
  ]
  for (const [name, bytes] of greetings) {
    test(`that speak ${name} are closed with one log line; others go on`, async () => {
      const lines: string[] = []
      const broker = await startBroker({ logger: recordingLogger(lines) })
      const good = await connect(broker)
      const stranger = await Connection.connect({ host: broker.host, port: broker.port, negotiate: false })
      stranger.writeBytes(bytes)
      await stranger.whenClosed()
      expect(lines.filter((line) => line.includes('closing connection')).length).toBe(1)
      expect((await good.send(MetadataRequest, MetadataResponse, { topics: [] })).brokers.length).toBe(1)
      await good.close()
      await broker.stop()
    })
  }

  test('that announce large requests and send nothing cost nothing', async () => {
    const broker = await startBroker()
    const announcement = Buffer.alloc(4)
    announcement.writeInt32BE(100_000_000)
    const silent = await Promise.all(
      Array.from({ length: 40 }, () => Connection.connect({ host: broker.host, port: broker.port, negotiate: false })),
    )
    const before = process.memoryUsage().rss
    for (const connection of silent) connection.writeBytes(announcement)
    const good = await connect(broker)
    await createTopic(good, 't')
    expect((await produce(good, batchOf(['x']), { topic: 't' })).errorCode).toBe(0)
    expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000)
    for (const connection of [...silent, good]) await connection.close()
    await broker.stop()
  })

  test('answer pipelined requests of all kinds in order, though a long poll is among them', async () => {
    const broker = await startBroker()
    const client = await connect(broker)
    await createTopic(client, 't')
    const order: string[] = []
    const note = (name: string) => () => order.push(name)
    const nine = { version: 9 }
    const heartbeat = { groupId: 'g', generationId: 1, memberId: 'm' }
    await Promise.all([
      client
        .send(ProduceRequest, ProduceResponse, produceRequest([batchOf(['1'])], { topic: 't' }), nine)
        .then(note('produce 1')),
      client
        .send(ProduceRequest, ProduceResponse, produceRequest([batchOf(['2'])], { topic: 't' }), nine)
        .then(note('produce 2')),
      client.send(HeartbeatRequest, HeartbeatResponse, heartbeat).then(note('heartbeat')),
      client
        .send(FetchRequest, FetchResponse, fetchRequest([{ topic: 't', offset: 2 }], { maxWaitMs: 60 }), {
          version: 12,
        })
        .then(note('long poll')),
      client.send(MetadataRequest, MetadataResponse, { topics: [] }).then(note('metadata')),
    ])
    expect(order).toEqual(['produce 1', 'produce 2', 'heartbeat', 'long poll', 'metadata'])
    await client.close()
    await broker.stop()
  })
})

test('a disk that is full refuses Produce with 56 and goes on reading; with space back it writes again', async () => {
  const disk = new MemoryDisk()
  const broker = await startBroker({ storage: 'memory', environment: { disk } })
  const client = await connect(broker)
  await createTopic(client, 't')
  await produce(client, batchOf(['before']), { topic: 't' })
  disk.failNextWrite('ENOSPC', { matching: (path) => path.endsWith('.log') })
  const refused = await produce(client, batchOf(['lost']), { topic: 't' })
  expect([refused.errorCode, refused.baseOffset]).toEqual([56, -1])
  expect(valuesOf(await fetchOne(client, { topic: 't' }))).toEqual(['before'])
  let row = refused
  for (let attempt = 0; attempt < 100 && row.errorCode !== 0; attempt++) {
    row = await produce(client, batchOf(['after']), { topic: 't' })
    if (row.errorCode !== 0) await Bun.sleep(50)
  }
  expect(row.baseOffset).toBe(1)
  await client.close()
  await broker.stop()
})

test('connections leave descriptors to the logs: one too many is closed, one that goes makes room', async () => {
  class SmallProcess extends MemoryDisk {
    override readonly mostOpenFiles = 10
  }
  const lines: string[] = []
  const broker = await startBroker({ environment: { disk: new SmallProcess() }, logger: recordingLogger(lines) })
  const clients = [await connect(broker), await connect(broker), await connect(broker), await connect(broker)]
  await expect(connect(broker)).rejects.toThrow()
  await expect(connect(broker)).rejects.toThrow()
  expect(lines.filter((line) => line.includes('too many connections'))).toHaveLength(1)
  await clients[0]!.close()
  while (broker.connectionCount === 4) await Bun.sleep(1)
  await (await connect(broker)).close()
  await broker.stop()
})
