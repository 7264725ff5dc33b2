/**
 * One client, one kind of work, one process: prints what it measured as a line of JSON. Started by ../clients.ts, on Bun and on
 * Node. Every client is used as its own documentation uses it; acks are 'all' everywhere. Only the client that is measured is
 * loaded: its memory is its own.
 */
import { readFileSync } from 'node:fs'
import {
  type Adapter,
  BATCH_RECORDS,
  type ClientName,
  CONCURRENCY,
  CONSUMED_RECORDS,
  type Measured,
  RATE_PER_SECOND,
  RECORD_BYTES,
  type Sender,
  WARM_UP_MS,
  type Work,
} from './work.ts'

const MIB = 1024 * 1024

const ADAPTERS: Readonly<Record<ClientName, () => Promise<{ readonly adapter: Adapter }>>> = {
  samsa: () => import('./adapters/samsa.ts'),
  platformatic: () => import('./adapters/platformatic.ts'),
  kafkajs: () => import('./adapters/kafkajs.ts'),
  confluent: () => import('./adapters/confluent.ts'),
  rdkafka: () => import('./adapters/rdkafka.ts'),
}

/** At the end and at most; the kernel knows the latter. */
function memory(): { readonly rssMiB: number; readonly peakMiB: number } {
  const rssMiB = process.memoryUsage.rss() / MIB
  const peakKiB = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  return { rssMiB, peakMiB: peakKiB === undefined ? rssMiB : Number(peakKiB) / 1024 }
}

/** Records per second from the end of the warm-up on, and how long single calls took. */
async function measureProduce(sender: Sender, work: Work, seconds: number): Promise<Measured> {
  const value = Buffer.alloc(RECORD_BYTES, 'x')
  const values = Array.from({ length: BATCH_RECORDS }, () => value)
  const latencies: number[] = []
  // Connected, and the topic known.
  await sender.one(value)
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
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * part))] ?? Number.NaN
  return { perSecond: records / elapsedSeconds, p50Ms: at(0.5), p99Ms: at(0.99), ...memory() }
}

/** Reads all of the topic; the rate counts from the first record on, whose time is the latency. */
async function measureConsume(adapter: Adapter, bootstrap: string, topic: string): Promise<Measured> {
  const beganMs = performance.now()
  let firstMs = 0
  let endMs = 0
  let records = 0
  let bytes = 0
  await adapter.read(bootstrap, topic, `bench-${process.pid}-${Date.now()}`, (value) => {
    if (records === 0) firstMs = performance.now()
    records += 1
    // What is not looked at may never have been decoded.
    bytes += value?.length ?? 0
    if (records < CONSUMED_RECORDS) return false
    endMs = performance.now()
    return true
  })
  if (bytes === 0) throw new Error('the messages were empty')
  const untilFirstMs = firstMs - beganMs
  return { perSecond: (records / (endMs - firstMs)) * 1000, p50Ms: untilFirstMs, p99Ms: untilFirstMs, ...memory() }
}

const [client, work, bootstrap = '', topic = '', seconds] = process.argv.slice(2)
const { adapter } = await ADAPTERS[client as ClientName]()
if (work === 'consume') {
  process.stdout.write(`${JSON.stringify(await measureConsume(adapter, bootstrap, topic))}\n`)
} else {
  const sender = await adapter.sender(bootstrap, topic)
  process.stdout.write(`${JSON.stringify(await measureProduce(sender, work as Work, Number(seconds)))}\n`)
  await sender.close()
}
process.exit(0)
