// Faults whose limits matter to the byte, and what cannot be asked for. What faults do to requests otherwise is in broker.test.ts.

import { afterEach, describe, expect, test } from 'bun:test'
import { connect, type Socket } from 'node:net'
import { Broker, type Fault, KafkaError, Producer } from '../../../src/index.ts'

const open: { stop(): unknown }[] = []

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.stop()
})

async function start(): Promise<Broker> {
  const broker = await Broker.start()
  open.push(broker)
  return broker
}

/** Key 18, version 0, correlation id 7, no client id: everybody may ask it. */
const API_VERSIONS = Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 255, 255])

/** Everything that comes until the connection ends. */
async function answersTo({ port }: Broker, requests: Buffer): Promise<Buffer> {
  const socket: Socket = connect(port, '127.0.0.1')
  open.push({ stop: () => socket.destroy() })
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  const ended = new Promise<void>((resolve, reject) => {
    socket.once('end', resolve)
    socket.once('error', reject)
  })
  socket.write(requests)
  await ended
  return Buffer.concat(chunks)
}

describe('an answer that is cut', () => {
  test.each([0, 1, 4, 5, 100])(
    'after %d bytes is the beginning of the whole one, and nothing comes after it',
    async (bytes) => {
      const broker = await start()
      const fault = broker.inject({ api: 'ApiVersions', cutAtByte: bytes, times: 1 })
      const cut = await answersTo(broker, Buffer.concat([API_VERSIONS, API_VERSIONS]))
      expect(cut.length).toBe(bytes)
      expect(fault.hits).toBe(1)
      const socket = connect(broker.port, '127.0.0.1')
      open.push({ stop: () => socket.destroy() })
      const whole = new Promise<Buffer>((resolve) => socket.once('data', resolve))
      socket.write(API_VERSIONS)
      expect((await whole).subarray(0, bytes)).toEqual(cut)
    },
  )

  test('has happened: an idempotent producer sends again, and the record is there once', async () => {
    const broker = await start()
    await broker.topic('orders').create()
    await using producer = new Producer({ bootstrap: broker.bootstrap })
    await producer.send({ topic: 'orders', value: 'first' })
    for (const cutAtByte of [0, 3, 9, 30]) {
      const fault = broker.inject({ api: 'Produce', topic: 'orders', cutAtByte, times: 1 })
      await producer.send({ topic: 'orders', value: String(cutAtByte) })
      expect(fault.hits).toBe(1)
    }
    expect(await broker.topic('orders').values()).toEqual(['first', '0', '3', '9', '30'])
  })

  test('may be one of several that are on their way: none of the others comes after it', async () => {
    const broker = await start()
    await broker.topic('orders').create()
    await using producer = new Producer({ bootstrap: broker.bootstrap, retry: { backoffMs: 1, backoffMaxMs: 10 } })
    await producer.send({ topic: 'orders', value: '0' })
    broker.inject({ api: 'Produce', cutAtByte: 6, after: 3, times: 1 })
    const values = Array.from({ length: 30 }, (_, index) => String(index + 1))
    await Promise.all(values.map((value) => producer.send({ topic: 'orders', value })))
    for (const value of values.map((each) => `late ${each}`)) await producer.send({ topic: 'orders', value })
    expect(await broker.topic('orders').values()).toEqual(['0', ...values, ...values.map((each) => `late ${each}`)])
  })
})

test.each([
  [{}, 'a fault needs'],
  [{ error: 'NONE', drop: 'answer' }, 'one of error, drop and cutAtByte'],
  [{ drop: 'request', cutAtByte: 1 }, 'one of error, drop and cutAtByte'],
  [{ drop: 'request', times: 0 }, 'times is 0'],
  [{ drop: 'request', times: 1.5 }, 'times is 1.5'],
  [{ drop: 'request', after: -1 }, 'after is -1'],
  [{ cutAtByte: -1 }, 'cutAtByte is -1'],
  [{ delayMs: Number.NaN }, 'delayMs is NaN'],
  [{ delayMs: -5 }, 'delayMs is -5'],
  [{ api: 'Unknown(127)', drop: 'answer' }, 'Kafka has no API'],
] as [Fault, string][])('%p is refused', async (fault, reason) => {
  const broker = await start()
  expect(() => broker.inject(fault)).toThrow(reason)
})

test('an error by name or number reaches the client as Kafka names it', async () => {
  const broker = await start()
  await broker.topic('orders').create()
  await using producer = new Producer({ bootstrap: broker.bootstrap })
  for (const error of ['TOPIC_AUTHORIZATION_FAILED', 29] as const) {
    broker.inject({ api: 'Produce', topic: 'orders', error, times: 1 })
    const failure = await producer.send({ topic: 'orders', value: 'x' }).catch((thrown: unknown) => thrown)
    expect(failure).toBeInstanceOf(KafkaError)
    expect((failure as KafkaError).code).toBe('TOPIC_AUTHORIZATION_FAILED')
  }
})
