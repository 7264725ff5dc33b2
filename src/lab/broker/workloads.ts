/** Every workload of the benchmark. */
import { closeSync, openSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { loadKernel } from '../io/kernel.ts'
import { EndToEndLoad } from './end-to-end-load.ts'
import { FetchLoad, type FetchPlan } from './fetch-load.ts'
import type { BatchShape } from './frames.ts'
import { CONNECTIONS_MAX, PARTITIONS_MAX } from './limits.ts'
import { pause } from './measure.ts'
import { ProduceLoad, type ProducePlan } from './produce-load.ts'
import { residentBytesOf } from './target.ts'
import {
  CONSUMED_MEGABYTES,
  type Context,
  createTopics,
  END_TO_END_MEAN,
  type Figure,
  fillTopic,
  type LedTopic,
  leaderOf,
  numbered,
  orStop,
  type Prepared,
  PUBLISH_MEDIAN,
  PUBLISHED_MEGABYTES,
  RECORDS_PER_SECOND,
  together,
  type Workload,
} from './workload.ts'

const SMALL: BatchShape = { recordBytes: 100, recordsPerBatch: 1 }
const BATCH_16K: BatchShape = { recordBytes: 1000, recordsPerBatch: 16 }
const BATCH_128K: BatchShape = { recordBytes: 1000, recordsPerBatch: 128 }
/** A little below 1 MiB: a batch as large as `fetch.max.bytes` of one partition would be read alone. */
const BATCH_1M: BatchShape = { recordBytes: 1000, recordsPerBatch: 1020 }
const SIZES = [
  { name: '16k', title: '16 KiB', shape: BATCH_16K },
  { name: '128k', title: '128 KiB', shape: BATCH_128K },
  { name: '1m', title: '1 MiB', shape: BATCH_1M },
] as const

const FETCH_BYTES = 1 << 20
const CATCH_UP_CONNECTIONS = 4
const CATCH_UP_BYTES = 512 * 2 ** 20
const LOADED_CONNECTIONS = 4
const LOADED_IN_FLIGHT = 8

type WorkloadParts = Pick<Workload, 'name' | 'title' | 'summary' | 'figure' | 'shape' | 'prepare'> &
  Partial<Pick<Workload, 'standard' | 'machine' | 'openLoop' | 'needsFiles' | 'curve'>>

function workload(parts: WorkloadParts): Workload {
  return { standard: true, machine: false, openLoop: true, needsFiles: false, curve: null, ...parts }
}

/** Fresh topics for every round, gone after it. */
function perRound(
  context: Context,
  name: string,
  count: number,
  load: (topics: LedTopic[]) => ReturnType<Prepared['load']>,
): Prepared {
  let names: string[] = []
  return {
    async load(round) {
      names = numbered(`${context.prefix}-${name}-${round < 0 ? 'w' : round}`, count)
      return load(await createTopics(context, names, 1))
    },
    afterRound: () => context.topics.delete(names),
  }
}

/** One connection for each topic, with one partition. */
function lanesOf(topics: readonly LedTopic[]): ProducePlan['lanes'] {
  return topics.map((topic) => ({ address: leaderOf(topic, 0), partitions: [{ topic: topic.name, partition: 0 }] }))
}

function tailLanesOf(topics: readonly LedTopic[]): FetchPlan['lanes'] {
  return topics.map((topic) => ({ address: leaderOf(topic, 0), topic: topic.name, partition: 0 }))
}

interface ProduceSettings {
  readonly name: string
  readonly title: string
  readonly summary: string
  readonly figure: Figure
  readonly shape: BatchShape
  readonly connections: number
  readonly inFlight: number
  readonly acks: number
  /** All connections write to one partition; otherwise each has a topic of its own. */
  readonly onePartition?: boolean
}

function produceWorkload(settings: ProduceSettings): Workload {
  const { name, title, summary, figure, shape, connections, inFlight, acks, onePartition = false } = settings
  const topicCount = onePartition ? 1 : connections
  return workload({
    name,
    title,
    summary,
    figure,
    machine: true,
    shape: {
      messageSize: shape.recordBytes,
      topics: topicCount,
      partitions: 1,
      producersPerTopic: connections / topicCount,
      consumersPerTopic: 0,
    },
    prepare: async (context) =>
      perRound(context, name, topicCount, async (topics) => {
        const perTopic = lanesOf(topics)
        const lanes = Array.from({ length: connections }, (_, index) => perTopic[index % topicCount]!)
        const plan = { shape, acks, lanes, inFlight: { perConnection: inFlight }, rate: context.rate }
        return together({ produce: await ProduceLoad.connect(plan) })
      }),
  })
}

const PRODUCE: readonly Workload[] = [
  produceWorkload({
    name: 'produce-100b',
    title: 'produce 1 x 100 B',
    summary: 'one 100-byte record per request, 4 connections x 8 in flight, acks=1',
    figure: RECORDS_PER_SECOND,
    shape: SMALL,
    connections: LOADED_CONNECTIONS,
    inFlight: LOADED_IN_FLIGHT,
    acks: 1,
  }),
  produceWorkload({
    name: 'produce-100b-100c',
    title: 'produce 1 x 100 B, 100 clients',
    summary: 'one 100-byte record per request, 100 connections x 4 in flight, acks=all',
    figure: RECORDS_PER_SECOND,
    shape: SMALL,
    connections: 100,
    inFlight: 4,
    acks: -1,
  }),
  produceWorkload({
    name: 'producers-64',
    title: '64 producers, 100 B',
    summary: 'one 100-byte record per request, 64 connections x 5 in flight to one partition, acks=all: group commit',
    figure: RECORDS_PER_SECOND,
    shape: SMALL,
    connections: 64,
    inFlight: 5,
    acks: -1,
    onePartition: true,
  }),
  ...SIZES.map(({ name, title, shape }) =>
    produceWorkload({
      name: `produce-${name}`,
      title: `produce ${title}`,
      summary: `batches of ${title} (${shape.recordsPerBatch} records of 1000 B), 4 connections x 8 in flight, acks=1`,
      figure: PUBLISHED_MEGABYTES,
      shape,
      connections: LOADED_CONNECTIONS,
      inFlight: LOADED_IN_FLIGHT,
      acks: 1,
    }),
  ),
  produceWorkload({
    name: 'latency-1k',
    title: 'one 1 KB request at a time',
    summary: 'one connection, one record of 1000 B under way, acks=1: latency',
    figure: PUBLISH_MEDIAN,
    shape: { recordBytes: 1000, recordsPerBatch: 1 },
    connections: 1,
    inFlight: 1,
    acks: 1,
  }),
]

function catchUpWorkload(name: string, title: string, shape: BatchShape, cold: boolean): Workload {
  return workload({
    name,
    title: `catch-up read ${title}${cold ? ', from disk' : ''}`,
    summary: cold
      ? `4 connections read 512 MiB each, once, after the files were put out of the page cache (a started broker only)`
      : `4 connections read 512 MiB each again and again, 1 MiB per Fetch, batches of ${title}`,
    figure: CONSUMED_MEGABYTES,
    machine: !cold,
    openLoop: false,
    needsFiles: cold,
    standard: !cold,
    shape: {
      messageSize: shape.recordBytes,
      topics: 1,
      partitions: CATCH_UP_CONNECTIONS,
      producersPerTopic: 0,
      consumersPerTopic: CATCH_UP_CONNECTIONS,
    },
    async prepare(context) {
      const topicName = `${context.prefix}-${name}`
      const [topic] = await createTopics(context, [topicName], CATCH_UP_CONNECTIONS)
      if (topic === undefined) throw new Error(`topic ${topicName} was not created`)
      const endOffset = await fillTopic({ context, topic, shape, bytes: CATCH_UP_BYTES })
      return {
        async load() {
          if (cold) dropFromPageCache(context, topicName)
          const lanes = topic.leaders.map((address, partition) => ({ address, topic: topicName, partition }))
          const until = { endOffset, repeat: !cold }
          const fetch = await FetchLoad.connect({ shape, lanes, maxBytes: FETCH_BYTES, until })
          return together({ fetch: [fetch], ...(cold ? { finished: fetch.finished } : {}) })
        },
        afterRound: async () => undefined,
      }
    },
  })
}

/** Only where the run knows the files: a broker that it started itself. */
function dropFromPageCache(context: Context, topic: string): void {
  const directory = context.target.dataDirectory
  const { dropCached } = loadKernel()
  if (directory === null || dropCached === null) {
    throw new Error(`${context.target.name}: its files cannot be put out of the page cache from here`)
  }
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    if (!name.includes(`${topic}-`) || !name.endsWith('.log')) continue
    const descriptor = openSync(join(directory, name), 'r+')
    try {
      dropCached(descriptor)
    } finally {
      closeSync(descriptor)
    }
  }
}

/** Producers, and consumers that follow them. */
function tailWorkload({ name, title, shape }: (typeof SIZES)[number]): Workload {
  return workload({
    name: `tail-${name}`,
    title: `tail ${title}`,
    summary: `as produce-${name}, with 4 consumers at the end of the log; 'behind' is what they had not read at the end`,
    figure: PUBLISHED_MEGABYTES,
    shape: {
      messageSize: shape.recordBytes,
      topics: LOADED_CONNECTIONS,
      partitions: 1,
      producersPerTopic: 1,
      consumersPerTopic: 1,
    },
    prepare: async (context) =>
      perRound(context, `tail-${name}`, LOADED_CONNECTIONS, async (topics) => {
        const produce = await ProduceLoad.connect(loadedPlan(context, topics, shape))
        const lanes = tailLanesOf(topics)
        const fetch = await orStop([produce], () =>
          FetchLoad.connect({ shape, lanes, maxBytes: FETCH_BYTES, until: 'tail' }),
        )
        return together({ produce, fetch: [fetch], extra: () => behind(produce, fetch, shape) })
      }),
  })
}

function loadedPlan(context: Context, topics: readonly LedTopic[], shape: BatchShape): ProducePlan {
  const inFlight = { perConnection: LOADED_IN_FLIGHT }
  return { shape, acks: 1, lanes: lanesOf(topics), inFlight, rate: context.rate }
}

function behind(produce: ProduceLoad, fetch: FetchLoad, shape: BatchShape): Record<string, number> {
  const records = produce.answered * shape.recordsPerBatch - fetch.recordsRead
  // A reader may have what its writer has no answer for yet.
  return { recordsBehind: Math.max(0, records) }
}

const END_TO_END = workload({
  name: 'end-to-end',
  title: 'end to end, 1 KB',
  summary: 'one record of 1000 B at a time, acks=all, from sending to its arrival at a waiting consumer: latency',
  figure: END_TO_END_MEAN,
  shape: { messageSize: 1000, topics: 1, partitions: 1, producersPerTopic: 1, consumersPerTopic: 1 },
  prepare: async (context) =>
    perRound(context, 'end-to-end', 1, async ([topic]) => {
      const plan = { address: leaderOf(topic!, 0), topic: topic!.name, recordBytes: 1000, acks: -1, rate: context.rate }
      return together({ endToEnd: await EndToEndLoad.connect(plan) })
    }),
})

/** What two topics of other workloads do, at once on one broker. */
const MIXED = workload({
  name: 'mixed',
  title: 'mixed',
  summary: '4 producers of 16 KiB batches, 4 consumers that follow them, 2 more that read 512 MiB from the start',
  figure: PUBLISHED_MEGABYTES,
  shape: { messageSize: 1000, topics: 5, partitions: 1, producersPerTopic: 1, consumersPerTopic: 2 },
  async prepare(context) {
    const topicName = `${context.prefix}-mixed-old`
    const [old] = await createTopics(context, [topicName], 1)
    const endOffset = await fillTopic({ context, topic: old!, shape: BATCH_16K, bytes: CATCH_UP_BYTES })
    return perRound(context, 'mixed', LOADED_CONNECTIONS, async (topics) => {
      const produce = await ProduceLoad.connect(loadedPlan(context, topics, BATCH_16K))
      const tail = await orStop([produce], () =>
        FetchLoad.connect({ shape: BATCH_16K, lanes: tailLanesOf(topics), maxBytes: FETCH_BYTES, until: 'tail' }),
      )
      const lane = { address: leaderOf(old!, 0), topic: topicName, partition: 0 }
      const until = { endOffset, repeat: true }
      const catchUp = await orStop([produce, tail], () =>
        FetchLoad.connect({ shape: BATCH_16K, lanes: [lane, lane], maxBytes: FETCH_BYTES, until }),
      )
      const extra = (): Record<string, number> => {
        const read = catchUp.flow.result()
        return { ...behind(produce, tail, BATCH_16K), catchUpMegabytesPerSecond: read.bytes / read.seconds / 1e6 }
      }
      return together({ produce, fetch: [tail, catchUp], extra })
    })
  },
})

/** The slow one takes a chunk of its socket every tenth of a second. */
const SLOW_PAUSE_MS = 100

const SLOW_CONSUMER = workload({
  name: 'slow-consumer',
  title: 'one slow consumer beside fast ones',
  summary: 'as tail-16k, and one more consumer that takes a chunk from its socket every 100 ms',
  figure: PUBLISHED_MEGABYTES,
  shape: { messageSize: 1000, topics: LOADED_CONNECTIONS, partitions: 1, producersPerTopic: 1, consumersPerTopic: 1 },
  prepare: async (context) =>
    perRound(context, 'slow-consumer', LOADED_CONNECTIONS, async (topics) => {
      const produce = await ProduceLoad.connect(loadedPlan(context, topics, BATCH_16K))
      const lanes = tailLanesOf(topics)
      const fast = await orStop([produce], () =>
        FetchLoad.connect({ shape: BATCH_16K, lanes, maxBytes: FETCH_BYTES, until: 'tail' }),
      )
      const slowPlan: FetchPlan = { shape: BATCH_16K, lanes: lanes.slice(0, 1), maxBytes: 16 << 20, until: 'tail' }
      const slow = await orStop([produce, fast], () => FetchLoad.connect({ ...slowPlan, pauseMs: SLOW_PAUSE_MS }))
      const extra = (): Record<string, number> => ({
        ...behind(produce, fast, BATCH_16K),
        slowConsumerRecordsRead: slow.recordsRead,
      })
      return together({ produce, fetch: [fast, slow], extra })
    }),
})

/** Requests under way in all points of a curve: what differs is only what the curve is about. */
const CURVE_IN_FLIGHT = 32

/** 1 topic, 1,000 topics */
function counted(count: number, plural: string): string {
  return `${count.toLocaleString('en')} ${count === 1 ? plural.slice(0, -1) : plural}`
}

function connectionsWorkload(connections: number): Workload {
  const name = `connections-${connections}`
  return workload({
    name,
    title: counted(connections, 'connections'),
    summary: `${counted(connections, 'connections')}, ${CURVE_IN_FLIGHT} requests of one 100-byte record under way on all together`,
    figure: RECORDS_PER_SECOND,
    standard: false,
    shape: { messageSize: 100, topics: 1, partitions: 1, producersPerTopic: connections, consumersPerTopic: 0 },
    curve: { name: 'connections', x: connections, label: 'connections' },
    prepare: async (context) =>
      perRound(context, name, 1, async (topics) => {
        const before = await settledMemory(context, connections)
        const lanes = Array.from({ length: connections }, () => lanesOf(topics)[0]!)
        const inFlight = { together: CURVE_IN_FLIGHT }
        const produce = await ProduceLoad.connect({ shape: SMALL, acks: 1, lanes, inFlight, rate: context.rate })
        const idle = await orStop([produce], () => settledMemory(context, connections))
        return together({ produce, extra: () => ({ idleBytesPerConnection: (idle - before) / connections }) })
      }),
  })
}

/** Fewer connections than this are lost in what a process allocates and frees anyway. */
const SEEN_CONNECTIONS_MIN = 1000
/** Freed memory goes back to the system a while later. */
const SETTLE_SECONDS = 3

/** Resident memory of a broker that has nothing to do; NaN where it would say nothing. */
async function settledMemory({ target, signal }: Context, connections: number): Promise<number> {
  if (target.pid === null || connections < SEEN_CONNECTIONS_MIN) return Number.NaN
  await pause(SETTLE_SECONDS, signal)
  return residentBytesOf(target.pid).now
}

/** Topics or partitions that 4 connections write to in turn. Made once: ten thousand take a while. */
function spreadWorkload(kind: 'topics' | 'partitions', count: number): Workload {
  const name = `${kind}-${count}`
  const topicCount = kind === 'topics' ? count : 1
  const partitionCount = kind === 'topics' ? 1 : count
  return workload({
    name,
    title: counted(count, kind),
    summary: `${counted(count, kind)} written in turn, one 100-byte record per request, ${CURVE_IN_FLIGHT} requests under way`,
    figure: RECORDS_PER_SECOND,
    standard: false,
    shape: {
      messageSize: 100,
      topics: topicCount,
      partitions: partitionCount,
      producersPerTopic: LOADED_CONNECTIONS,
      consumersPerTopic: 0,
    },
    curve: { name: kind, x: count, label: kind },
    async prepare(context) {
      const startMs = performance.now()
      const topics = await createTopics(context, numbered(`${context.prefix}-${name}`, topicCount), partitionCount)
      const createSeconds = (performance.now() - startMs) / 1000
      return {
        async load() {
          const lanes = spreadOverConnections(topics)
          const inFlight = { together: CURVE_IN_FLIGHT }
          const produce = await ProduceLoad.connect({ shape: SMALL, acks: 1, lanes, inFlight, rate: context.rate })
          return together({ produce, extra: () => ({ createSeconds }) })
        },
        afterRound: async () => undefined,
      }
    },
  })
}

/** Every partition to a connection of its leader, evenly. */
function spreadOverConnections(topics: readonly LedTopic[]): ProducePlan['lanes'] {
  const byLeader = new Map<string, { topic: string; partition: number }[]>()
  const addresses = new Map<string, LedTopic['leaders'][number]>()
  for (const topic of topics) {
    topic.leaders.forEach((address, partition) => {
      const key = `${address.host}:${address.port}`
      addresses.set(key, address)
      const led = byLeader.get(key) ?? []
      led.push({ topic: topic.name, partition })
      byLeader.set(key, led)
    })
  }
  return [...byLeader].flatMap(([key, partitions]) => {
    const connections = Math.min(LOADED_CONNECTIONS, partitions.length)
    return Array.from({ length: connections }, (_, connection) => ({
      address: addresses.get(key)!,
      partitions: partitions.filter((_partition, index) => index % connections === connection),
    }))
  })
}

export const WORKLOADS: readonly Workload[] = [
  ...PRODUCE,
  catchUpWorkload('fetch-16k', '16 KiB', BATCH_16K, false),
  catchUpWorkload('fetch-1m', '1 MiB', BATCH_1M, false),
  catchUpWorkload('fetch-cold', '16 KiB', BATCH_16K, true),
  ...SIZES.map(tailWorkload),
  END_TO_END,
  MIXED,
  SLOW_CONSUMER,
  ...[1, 10, 100, 1000, 5000].filter((count) => count <= CONNECTIONS_MAX).map(connectionsWorkload),
  ...[1, 10, 100, 1000, 10_000]
    .filter((count) => count <= PARTITIONS_MAX)
    .map((count) => spreadWorkload('partitions', count)),
  ...[1, 10, 100, 1000].map((count) => spreadWorkload('topics', count)),
]

/**
 * The workloads whose name or title contains one of the words, whatever the case, spaces and hyphens; without words the
 * standard ones. A word that is a whole name means that one alone.
 */
export function selectWorkloads(words: readonly string[]): Workload[] {
  if (words.length === 0) return WORKLOADS.filter(({ standard }) => standard)
  const plain = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9]+/g, '')
  const exact = new Set(WORKLOADS.map(({ name }) => name))
  return WORKLOADS.filter(({ name, title }) =>
    words.some((word) =>
      exact.has(word) ? name === word : plain(name).includes(plain(word)) || plain(title).includes(plain(word)),
    ),
  )
}
