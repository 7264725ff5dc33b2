/**
 * What a compaction costs, here and in Kafka, on the same data: `bun bench/compaction.ts --mb 512 --rounds 2`.
 *
 *   --mb N        size of the log to be compacted (default 512)
 *   --bytes N     size of a record's value (default 1000)
 *   --repeats N   how often each key occurs on average (default 4)
 *   --rounds N    rounds; the brokers take turns (default 1)
 *   --only NAME   samsa or kafka
 *   --path DIR    folder for the brokers' data
 *
 * Each round starts a broker on an empty folder and fills two topics whose `min.compaction.lag.ms` holds the cleaner back. Then the first
 * is released, and the time until the checkpoint of the cleaner moves is measured, with the broker's processor time and resident memory. The
 * second is released while small requests come at a steady rate; their latencies stand beside those without a compaction.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Connection } from '../src/client/connection.ts'
import { type StartedTarget, startKafka, startSamsa } from '../src/lab/broker/brokers.ts'
import { kafkaJars } from '../src/lab/broker/kafka-jars.ts'
import { cpuSecondsOf, residentBytesOf } from '../src/lab/broker/target.ts'
import { ProduceRequest, ProduceResponse } from '../src/protocol/messages/00-produce.ts'
import { FetchRequest, FetchResponse } from '../src/protocol/messages/01-fetch.ts'
import { CreateTopicsRequest, CreateTopicsResponse } from '../src/protocol/messages/19-create-topics.ts'
import {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
} from '../src/protocol/messages/44-incremental-alter-configs.ts'
import { ZERO_UUID } from '../src/protocol/schema.ts'
import { buildBatch } from '../src/records/batch.ts'
import { SeededRandom } from '../src/storage/random-seeded.ts'

const RECORDS_PER_BATCH = 16
const BATCHES_PER_REQUEST = 1
const REQUESTS_IN_FLIGHT = 16
const SMALL_TOPIC = 'small'
const SMALL_BYTES = 100
/** One small produce and one small fetch every so often. */
const LOAD_INTERVAL_MS = 2
const BASELINE_MS = 4000
const POLL_MS = 20
const TIMEOUT_MS = 120_000
const SEGMENT_BYTES = 64 * 1024 * 1024
const BROKER = 4
const TOPIC = 2

const { values: flags } = parseArgs({
  options: {
    mb: { type: 'string', default: '512' },
    bytes: { type: 'string', default: '1000' },
    repeats: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
    path: { type: 'string', default: tmpdir() },
  },
})

class Side {
  readonly started: StartedTarget
  readonly connection: Connection

  constructor(started: StartedTarget, connection: Connection) {
    this.started = started
    this.connection = connection
  }

  get pid(): number {
    return this.started.target.pid!
  }

  async configure(resourceType: number, resourceName: string, configs: Record<string, string>): Promise<void> {
    const entries = Object.entries(configs).map(([name, value]) => ({ name, value, configOperation: 0 }))
    const request = { resources: [{ resourceType, resourceName, configs: entries }], validateOnly: false }
    const answer = await this.connection.send(
      IncrementalAlterConfigsRequest,
      IncrementalAlterConfigsResponse,
      request,
      {
        version: 1,
      },
    )
    const code = answer.responses[0]?.errorCode
    if (code !== 0) throw new Error(`configuration refused: ${code} ${answer.responses[0]?.errorMessage}`)
  }

  async createTopic(name: string, configs: Record<string, string>): Promise<void> {
    const topic = { name, numPartitions: 1, replicationFactor: 1, assignments: [] }
    const entries = Object.entries(configs).map(([key, value]) => ({ name: key, value }))
    const request = { topics: [{ ...topic, configs: entries }] }
    const answer = await this.connection.send(CreateTopicsRequest, CreateTopicsResponse, request, { version: 7 })
    if (answer.topics[0]?.errorCode !== 0) throw new Error(`cannot create ${name}: ${answer.topics[0]?.errorMessage}`)
    await Bun.sleep(1000)
  }

  async produce(topic: string, batch: Buffer, connection = this.connection): Promise<void> {
    const topicData = [{ name: topic, partitionData: [{ index: 0, records: [batch] }] }]
    const request = { transactionalId: null, acks: 1, timeoutMs: 10_000, topicData }
    const answer = await connection.send(ProduceRequest, ProduceResponse, request, { version: 9 })
    const code = answer.responses[0]?.partitionResponses[0]?.errorCode
    if (code !== 0) throw new Error(`produce to ${topic} ended with ${code}`)
  }

  async fetch(topic: string, connection: Connection): Promise<void> {
    const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }]
    const topics = [{ topic, topicId: ZERO_UUID, partitions }]
    const request = { maxWaitMs: 0, minBytes: 0, topics, forgottenTopicsData: [] }
    await connection.send(FetchRequest, FetchResponse, request, { version: 11 })
  }

  /** Where the topic's last cleaning ended; -1 before the first. */
  cleanedUpTo(topic: string): number {
    const folder = this.started.target.dataDirectory!
    const places = [folder, join(folder, 'logs')].map((each) => join(each, 'cleaner-offset-checkpoint'))
    const file = places.find(existsSync)
    if (file === undefined) return -1
    return Number(readFileSync(file, 'latin1').match(new RegExp(`^${topic} 0 (\\d+)$`, 'm'))?.[1] ?? -1)
  }

  async cleaned(topic: string): Promise<void> {
    const deadline = performance.now() + TIMEOUT_MS
    while (this.cleanedUpTo(topic) <= 0) {
      if (performance.now() > deadline) throw new Error(`${topic} is not cleaned in time`)
      await Bun.sleep(POLL_MS)
    }
  }
}

async function fill(side: Side, topic: string): Promise<void> {
  const random = new SeededRandom(1)
  const bytes = Number(flags.bytes)
  const records = Math.floor((Number(flags.mb) * 1e6) / (bytes + 30))
  const keys = Math.floor(records / Number(flags.repeats))
  const value = Buffer.alloc(bytes)
  for (let at = 0; at < bytes; at++) value[at] = random.below(256)
  const now = Date.now()
  const inFlight = new Set<Promise<void>>()
  for (let done = 0; done < records; done += RECORDS_PER_BATCH * BATCHES_PER_REQUEST) {
    const batch = buildBatch({
      records: Array.from({ length: RECORDS_PER_BATCH }, () => ({
        timestamp: now,
        key: Buffer.from(`key-${String(random.below(keys)).padStart(12, '0')}`),
        value,
      })),
    })
    const sent = side.produce(topic, batch).finally(() => inFlight.delete(sent))
    inFlight.add(sent)
    if (inFlight.size >= REQUESTS_IN_FLIGHT) await Promise.race(inFlight)
  }
  await Promise.all(inFlight)
}

interface Latencies {
  readonly produce: number[]
  readonly fetch: number[]
}

/** Small requests at a steady rate, until told to stop. */
async function load(side: Side, isOver: () => boolean): Promise<Latencies> {
  const { host, port } = side.started.target.address
  const open = () => Connection.connect({ host, port, clientId: 'load', timeoutMs: 30_000, negotiate: false })
  const connections = await Promise.all([open(), open()])
  const latencies: Latencies = { produce: [], fetch: [] }
  const batch = buildBatch({ records: [{ timestamp: Date.now(), key: null, value: Buffer.alloc(SMALL_BYTES) }] })
  const pending: Promise<unknown>[] = []
  const timed = async (into: number[], work: Promise<void>): Promise<void> => {
    const beganMs = performance.now()
    await work
    into.push(performance.now() - beganMs)
  }
  while (!isOver()) {
    pending.push(timed(latencies.produce, side.produce(SMALL_TOPIC, batch, connections[0])))
    pending.push(timed(latencies.fetch, side.fetch(SMALL_TOPIC, connections[1]!)))
    await Bun.sleep(LOAD_INTERVAL_MS)
  }
  await Promise.all(pending)
  for (const connection of connections) connection.close()
  return latencies
}

function percentiles(values: number[]): string {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(2)
  return `p50 ${at(0.5)} p99 ${at(0.99)} p99.9 ${at(0.999)} ms of ${sorted.length}`
}

async function round(started: StartedTarget): Promise<void> {
  const { host, port } = started.target.address
  const connection = await Connection.connect({ host, port, clientId: 'fill', timeoutMs: 60_000, negotiate: false })
  const side = new Side(started, connection)
  const { name } = started.target
  await side.configure(BROKER, '', { 'log.cleaner.backoff.ms': '100' })
  for (const topic of ['first', 'second']) {
    await side.createTopic(topic, {
      'cleanup.policy': 'compact',
      'min.compaction.lag.ms': String(24 * 3600 * 1000),
      'min.cleanable.dirty.ratio': '0.0001',
      'segment.bytes': String(SEGMENT_BYTES),
    })
  }
  await side.createTopic(SMALL_TOPIC, {})
  await fill(side, 'first')
  await Bun.sleep(2000)
  const cpuBefore = cpuSecondsOf(side.pid)
  const idle = residentBytesOf(side.pid).now
  let peak = idle
  const sampler = setInterval(() => {
    peak = Math.max(peak, residentBytesOf(side.pid).now)
  }, 25)
  const beganMs = performance.now()
  await side.configure(TOPIC, 'first', { 'min.compaction.lag.ms': '0' })
  await side.cleaned('first')
  clearInterval(sampler)
  const seconds = (performance.now() - beganMs) / 1000
  const cpu = cpuSecondsOf(side.pid) - cpuBefore
  const mb = (bytes: number) => (bytes / 1e6).toFixed(0)
  console.log(
    `${name}: ${flags.mb} MB in ${seconds.toFixed(2)} s (${(Number(flags.mb) / seconds).toFixed(0)} MB/s), ` +
      `CPU ${cpu.toFixed(2)} s, resident ${mb(idle)} MB before, ${mb(peak)} MB at most`,
  )
  await fill(side, 'second')
  await Bun.sleep(2000)
  const quietUntil = performance.now() + BASELINE_MS
  const quiet = await load(side, () => performance.now() > quietUntil)
  let over = false
  const loadBeganMs = performance.now()
  const busy = load(side, () => over)
  await side.configure(TOPIC, 'second', { 'min.compaction.lag.ms': '0' })
  await side.cleaned('second')
  const loadedSeconds = (performance.now() - loadBeganMs) / 1000
  over = true
  const beside = await busy
  for (const kind of ['produce', 'fetch'] as const) {
    console.log(
      `${name}: ${kind} without compaction: ${percentiles(quiet[kind])}; beside it: ${percentiles(beside[kind])}`,
    )
  }
  console.log(`${name}: beside this load the compaction took ${loadedSeconds.toFixed(2)} s`)
  connection.close()
}

const directory = mkdtempSync(join(flags.path, 'samsa-bench-compaction-'))
const command = [process.execPath, join(import.meta.dir, '../src/cli/main.ts')]
try {
  for (let index = 0; index < Number(flags.rounds); index++) {
    for (const name of ['samsa', 'kafka'].filter((each) => flags.only === '' || flags.only === each)) {
      const options = { directory, durability: 'os' } as const
      const started =
        name === 'samsa'
          ? await startSamsa(command, options)
          : await startKafka(await kafkaJars({ onProgress: () => {} }), options)
      try {
        await round(started)
      } finally {
        await started.stop()
      }
    }
  }
} finally {
  rmSync(directory, { recursive: true, force: true })
}
