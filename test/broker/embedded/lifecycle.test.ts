// The embedded broker in the hands of a careless user: everything twice, at once, in the wrong order, and after its end.

import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Admin, Broker, BrokerStartError, Consumer, Producer } from '../../../src/index.ts'
import { Child } from '../../support/child-process.ts'
import { REPOSITORY } from '../../support/kafka-jars.ts'

const TIMEOUT_MS = 60_000
const open: { stop(): unknown }[] = []
const folders: string[] = []

setDefaultTimeout(TIMEOUT_MS)

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.stop()
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

async function start(options: Parameters<typeof Broker.start>[0] = {}): Promise<Broker> {
  const broker = await Broker.start(options)
  open.push(broker)
  return broker
}

function producerOf(broker: Broker, options: { transactionalId?: string } = {}): Producer {
  const retry = { backoffMs: 1, backoffMaxMs: 20 }
  const producer = new Producer({ bootstrap: broker.bootstrap, retry, ...options })
  open.push({ stop: () => producer.close({ timeoutMs: 1 }).catch(() => undefined) })
  return producer
}

describe('starting and stopping', () => {
  test('many at once, each with its own topics, faults and time', async () => {
    const brokers = await Promise.all(Array.from({ length: 8 }, () => start()))
    expect(new Set(brokers.map(({ port }) => port)).size).toBe(8)
    await Promise.all(brokers.map((broker, index) => broker.topic(`t${index}`).create()))
    brokers[0]!.inject({ drop: 'request' })
    await brokers[1]!.advance(3_600_000)
    brokers[2]!.pause()
    expect(brokers.map((broker) => broker.topics())).toEqual(brokers.map((_broker, index) => [`t${index}`]))
    expect(brokers[3]!.now() - Date.now()).toBeLessThan(1_000_000)
    await producerOf(brokers[3]!).send({ topic: 't3', value: 'x' })
  })

  test('stop may be called twice and at once, also while paused and with clients', async () => {
    const broker = await start()
    await broker.topic('orders').create()
    const producer = producerOf(broker)
    await producer.send({ topic: 'orders', value: 'x' })
    broker.pause()
    const lost = producer.send({ topic: 'orders', value: 'y' }).catch(() => 'failed')
    await Promise.all([broker.stop(), broker.stop()])
    await broker.stop()
    await broker[Symbol.asyncDispose]()
    await producer.close({ timeoutMs: 1 }).catch(() => undefined)
    expect(await lost).toBe('failed')
  })

  test('a port that is taken is said with its code, and nothing is left behind', async () => {
    const { port } = await start()
    const failure = await Broker.start({ port }).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(BrokerStartError)
    expect((failure as BrokerStartError).code).toBe('PORT_IN_USE')
    expect((await Broker.start({ config: { 'num.partitions': '0' } }).catch((error) => error)).code).toBe('BAD_CONFIG')
    expect(Broker.start({ storage: 'disk' })).rejects.toThrow("storage 'disk' needs a dataDirectory")
  })

  test('after its end it says that it has ended', async () => {
    const broker = await start()
    await broker.topic('orders').create()
    const view = broker.topic('orders')
    await broker.stop()
    const ended = 'the broker has been stopped'
    await expect(broker.reset()).rejects.toThrow(ended)
    await expect(broker.advance(1)).rejects.toThrow(ended)
    expect(() => broker.topics()).toThrow(ended)
    expect(() => view.exists).toThrow(ended)
    await expect(view.create()).rejects.toThrow(ended)
    await expect(view.records()).rejects.toThrow(ended)
    expect(() => broker.inject({ drop: 'answer' })).toThrow(ended)
    expect(() => broker.pause()).toThrow(ended)
    broker.resume()
    broker.disconnectClients()
    expect(broker.bootstrap).toContain('127.0.0.1:')
  })

  test('waiting for records ends with the broker, and with its reset', async () => {
    const broker = await start()
    for (const end of ['reset', 'stop'] as const) {
      await broker.topic('orders').create()
      const waiting = broker
        .topic('orders')
        .waitFor(1, { timeoutMs: TIMEOUT_MS * 2 })
        .catch((error: Error) => error.message)
      await broker[end]()
      expect(await waiting).toContain("'orders'")
    }
  })

  test('data in a folder are there for the next one', async () => {
    const dataDirectory = mkdtempSync(join(tmpdir(), 'samsa-embedded-'))
    folders.push(dataDirectory)
    const options = { storage: 'disk', dataDirectory } as const
    const first = await start(options)
    await first.topic('orders').create()
    await producerOf(first).send({ topic: 'orders', value: 'kept' })
    expect((await Broker.start(options).catch((error) => error)).code).toBe('DATA_LOCKED')
    expect(first.reset()).rejects.toThrow('it would delete a folder')
    await first.stop()
    const second = await start(options)
    expect(await second.topic('orders').values()).toEqual(['kept'])
  })
})

describe('reset', () => {
  test('may be called at once, again and during a stop; the last word is the stop', async () => {
    const broker = await start()
    const { port } = broker
    await Promise.all([broker.reset(), broker.reset(), broker.reset()])
    expect([broker.port, broker.topics()]).toEqual([port, []])
    const last = broker.reset().catch((error: Error) => error.message)
    await broker.stop()
    await last
    const free = await start({ port })
    expect(free.port).toBe(port)
  })

  test('forgets topics, groups, transactions, settings, quotas, users, faults, pauses and time', async () => {
    const broker = await start()
    const fill = async (): Promise<void> => {
      await using admin = new Admin({ bootstrap: broker.bootstrap })
      await broker.topic('orders').create({ configs: { 'retention.ms': '1234' } })
      await admin.alterOffsets('billing', [{ topic: 'orders', partition: 0, offset: 0 }])
      await admin.alterClientQuotas([{ entity: { user: 'alice' }, quotas: { producer_byte_rate: 1000 } }])
      await admin.alterUsers([{ user: 'alice', mechanism: 'SCRAM-SHA-256', password: 'x' }])
      const change = { name: 'log.retention.ms', operation: 'set', value: '5000' } as const
      await admin.alterConfigs([{ type: 'broker', name: '', changes: [change] }])
      const producer = producerOf(broker, { transactionalId: 'tx' })
      await producer.beginTransaction()
      await producer.send({ topic: 'orders', value: 'open' })
    }
    await fill()
    broker.inject({ api: 'Produce', error: 'NOT_LEADER_OR_FOLLOWER' })
    broker.inject({ api: 'Metadata', delayMs: 3_600_000 })
    broker.pause()
    await broker.reset()
    await using admin = new Admin({ bootstrap: broker.bootstrap })
    expect(broker.topics()).toEqual([])
    expect(await admin.listTopics({ internal: true })).toEqual([])
    expect(await admin.listGroups()).toEqual([])
    expect(await admin.listTransactions()).toEqual([])
    expect(await admin.describeClientQuotas()).toEqual([])
    expect(await admin.describeUsers()).toEqual([])
    const [settings] = await admin.describeConfigs([{ type: 'broker', name: '' }], { keys: ['log.retention.ms'] })
    expect(settings?.configs.map(({ value }) => value)).not.toContain('5000')
    expect(Math.abs(broker.now() - Date.now())).toBeLessThan(60_000)
    // And everything can be there again.
    await fill()
    expect(broker.topics()).toEqual(['orders'])
  })

  test('is survived by clients: a producer, and a member of a group in the middle of a long poll', async () => {
    const heartbeats = {
      'group.consumer.min.heartbeat.interval.ms': '100',
      'group.consumer.heartbeat.interval.ms': '100',
    }
    const broker = await start({ config: heartbeats })
    const settings = { offsetReset: 'earliest', commit: 'message', maxWaitMs: 1_000 } as const
    const retry = { backoffMs: 1, backoffMaxMs: 20 }
    const consumer = new Consumer({ bootstrap: broker.bootstrap, groupId: 'g', retry, ...settings })
    open.push({ stop: () => consumer.close() })
    const producer = producerOf(broker)
    await broker.topic('orders').create()
    await consumer.subscribe('orders')
    const messages = consumer.messages()
    for (const round of [1, 2, 3]) {
      if (!broker.topic('orders').exists) await broker.topic('orders').create()
      const next = messages.next()
      const { offset } = await producer.send({ topic: 'orders', value: `round ${round}` })
      expect(offset).toBe(0)
      expect(String((await next).value?.value)).toBe(`round ${round}`)
      await broker.reset()
    }
  })
})

describe('time', () => {
  test('ends a transaction that was left open, and lets records grow old', async () => {
    const broker = await start({ config: { 'log.retention.check.interval.ms': '1000' } })
    await broker.topic('orders').create()
    await broker.topic('old').create({ configs: { 'retention.ms': '60000', 'segment.ms': '1000' } })
    const producer = producerOf(broker, { transactionalId: 'left-open' })
    await producer.beginTransaction()
    await producer.send({ topic: 'orders', value: 'never committed' })
    const plain = producerOf(broker)
    await plain.send({ topic: 'old', value: 'x' })
    await broker.advance(50_000)
    expect(await broker.topic('orders').values()).toEqual(['never committed'])
    await broker.advance(600_000)
    // What comes after the abort can be read by those who wait for commits.
    await plain.send({ topic: 'orders', value: 'after' })
    expect(await broker.topic('orders').values({ isolation: 'read_committed' })).toEqual(['after'])
    await plain.send({ topic: 'old', value: 'y', timestamp: broker.now() })
    await broker.advance(10_000)
    expect(await broker.topic('old').values()).toEqual(['y'])
  })

  test('goes forward only, in several calls at once as in one after the other', async () => {
    const broker = await start()
    const before = broker.now()
    await Promise.all([broker.advance(1_000), broker.advance(2_000), broker.advance(0)])
    expect(broker.now() - before).toBeGreaterThanOrEqual(3_000)
    expect(broker.now() - before).toBeLessThan(60_000)
    for (const wrong of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      await expect(broker.advance(wrong)).rejects.toThrow('time goes forward only')
    }
  })
})

test('a process whose brokers were stopped ends by itself, whatever they were used for', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'samsa-embedded-'))
  folders.push(folder)
  const program = join(folder, 'program.ts')
  writeFileSync(
    program,
    `import { Broker, Consumer, Producer } from ${JSON.stringify(join(REPOSITORY, 'src/index.ts'))}
const broker = await Broker.start()
{
  await using other = await Broker.start({ storage: 'disk', dataDirectory: ${JSON.stringify(join(folder, 'data'))} })
  await other.topic('x').create()
}
await broker.topic('orders').create()
await using producer = new Producer({ bootstrap: broker.bootstrap })
await producer.send({ topic: 'orders', value: 'x' })
await using consumer = new Consumer({ bootstrap: broker.bootstrap, groupId: 'g', offsetReset: 'earliest' })
await consumer.subscribe('orders')
for await (const message of consumer.messages()) {
  console.log(String(message.value))
  break
}
await consumer.close()
await producer.close()
await broker.advance(120_000)
broker.inject({ delayMs: 3_600_000 })
await broker.reset()
broker.inject({ api: 'Metadata', delayMs: 3_600_000 })
const waiting = new Producer({ bootstrap: broker.bootstrap })
void waiting.send({ topic: 'orders', value: 'y' }).catch(() => undefined)
await broker.topic('orders').create()
broker.pause()
await broker.stop()
await waiting.close({ timeoutMs: 1 }).catch(() => undefined)
console.log('end')
`,
  )
  const child = new Child({ command: [process.execPath, program] })
  expect(await child.exited).toBe(0)
  expect(child.lines).toEqual(['x', 'end'])
})
