/**
 * One client, one kind of work, one process: prints what it measured as a line of JSON. Started by ../clients.ts, on Bun and on
 * Node. Every client is used as its own documentation uses it; acks are 'all' everywhere.
 */

import { Producer as PlatformaticProducer, ProduceAcks } from '@platformatic/kafka'
import { Kafka, logLevel } from 'kafkajs'
import { Producer } from '../../src/client/producer/producer.ts'
import { measureConsume } from './consume.ts'

export const WORKS = ['awaited', 'batched', 'latency', 'consume'] as const
export type Work = (typeof WORKS)[number]
export const CLIENTS = ['samsa', 'platformatic', 'kafkajs'] as const
export type ClientName = (typeof CLIENTS)[number]

export interface Measured {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly rssMiB: number
}

interface Sender {
  one(value: Buffer): Promise<unknown>
  many(values: readonly Buffer[]): Promise<unknown>
  close(): Promise<unknown>
}

const RECORD_BYTES = 256
const BATCH_RECORDS = 1_000
/** Calls of `many` under way. */
const CONCURRENCY = 5
const WARM_UP_MS = 1_000
const RATE_PER_SECOND = 200
/** Of the topic that `consume` reads. */
export const CONSUMED_RECORDS = 500_000

/** Fills a topic for `consume`. */
export async function fill(bootstrap: string, topic: string): Promise<void> {
  const producer = new Producer({ bootstrap })
  const value = Buffer.alloc(RECORD_BYTES, 'x')
  for (let sent = 0; sent < CONSUMED_RECORDS; sent += BATCH_RECORDS) {
    await producer.send(Array.from({ length: BATCH_RECORDS }, () => ({ topic, value })))
  }
  await producer.close()
}

async function senderOf(client: ClientName, bootstrap: string, topic: string): Promise<Sender> {
  switch (client) {
    case 'samsa': {
      const producer = new Producer({ bootstrap })
      return {
        one: (value) => producer.send({ topic, value }),
        many: (values) => producer.send(values.map((value) => ({ topic, value }))),
        close: () => producer.close(),
      }
    }
    case 'platformatic': {
      const producer = new PlatformaticProducer<Buffer, Buffer, Buffer, Buffer>({
        clientId: 'bench',
        bootstrapBrokers: [bootstrap],
        acks: ProduceAcks.ALL,
      })
      return {
        one: (value) => producer.send({ messages: [{ topic, value }] }),
        many: (values) => producer.send({ messages: values.map((value) => ({ topic, value })) }),
        close: () => producer.close(),
      }
    }
    case 'kafkajs': {
      const producer = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING }).producer()
      await producer.connect()
      return {
        one: (value) => producer.send({ topic, acks: -1, messages: [{ value }] }),
        many: (values) => producer.send({ topic, acks: -1, messages: values.map((value) => ({ value })) }),
        close: () => producer.disconnect(),
      }
    }
  }
}

/** Records per second from the end of the warm-up on, and how long single calls took. */
async function measure(sender: Sender, work: Work, seconds: number): Promise<Measured> {
  const value = Buffer.alloc(RECORD_BYTES, 'x')
  const values = Array.from({ length: BATCH_RECORDS }, () => value)
  const latencies: number[] = []
  const startMs = performance.now() + WARM_UP_MS
  const endMs = startMs + seconds * 1000
  let records = 0
  const call = async (count: number, send: () => Promise<unknown>): Promise<void> => {
    const beganMs = performance.now()
    await send()
    if (beganMs < startMs) return
    latencies.push(performance.now() - beganMs)
    records += count
  }
  if (work === 'awaited') while (performance.now() < endMs) await call(1, () => sender.one(value))
  else if (work === 'batched') {
    const loop = async (): Promise<void> => {
      while (performance.now() < endMs) await call(BATCH_RECORDS, () => sender.many(values))
    }
    await Promise.all(Array.from({ length: CONCURRENCY }, loop))
  } else {
    const running: Promise<void>[] = []
    for (let dueMs = performance.now(); dueMs < endMs; dueMs += 1000 / RATE_PER_SECOND) {
      const waitMs = dueMs - performance.now()
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
      running.push(call(1, () => sender.one(value)))
    }
    await Promise.all(running)
  }
  const elapsedSeconds = (performance.now() - startMs) / 1000
  latencies.sort((a, b) => a - b)
  const at = (part: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * part))] ?? 0
  return {
    perSecond: records / elapsedSeconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    rssMiB: process.memoryUsage().rss / 1024 / 1024,
  }
}

async function main(): Promise<void> {
  const [client, work, bootstrap, topic, seconds] = process.argv.slice(2)
  if (work === 'consume') {
    const { perSecond, firstMs } = await measureConsume(client as ClientName, bootstrap!, topic!, CONSUMED_RECORDS)
    const rssMiB = process.memoryUsage().rss / 1024 / 1024
    process.stdout.write(`${JSON.stringify({ perSecond, p50Ms: firstMs, p99Ms: firstMs, rssMiB })}\n`)
    return
  }
  const sender = await senderOf(client as ClientName, bootstrap!, topic!)
  const measured = await measure(sender, work as Work, Number(seconds))
  process.stdout.write(`${JSON.stringify(measured)}\n`)
  await sender.close()
}

if (process.argv.length > 2 && process.argv[1]?.endsWith('worker.ts') === true) {
  await main()
  process.exit(0)
}
