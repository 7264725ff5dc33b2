/** What a workload is, and the pieces that workloads are made of. */
import type { EndToEndLoad } from './end-to-end-load.ts'
import type { FetchLoad } from './fetch-load.ts'
import { type BatchShape, benchBatch } from './frames.ts'
import type { Round, RunningLoad } from './measure.ts'
import { ProduceLoad, type ProducePlan } from './produce-load.ts'
import type { Address, Target } from './target.ts'
import type { BenchTopics, Leaders } from './topics.ts'

/** What a workload gets from the run. */
export interface Context {
  readonly target: Target
  readonly topics: BenchTopics
  /** Of this run alone; names of topics begin with it. */
  readonly prefix: string
  /** Records per second of an open loop; null closes the loop. */
  readonly rate: number | null
  readonly signal: AbortSignal
}

/** A workload on one target: what it needs is there, rounds can be started one after the other. */
export interface Prepared {
  /** Connected, not yet started. Whoever gets it stops it. */
  load(round: number): Promise<RunningLoad>
  /** After a round was stopped: what that round alone needed goes. */
  afterRound(): Promise<void>
}

/** The figure of a round that brokers are compared by. */
export interface Figure {
  readonly name: string
  readonly unit: string
  readonly better: 'more' | 'less'
  of(round: Round): number
}

/** The shape of a workload, in the terms of the OpenMessaging Benchmark. */
export interface WorkloadShape {
  readonly messageSize: number
  readonly topics: number
  readonly partitions: number
  readonly producersPerTopic: number
  readonly consumersPerTopic: number
}

export interface Workload {
  /** For --only, file names and topics. */
  readonly name: string
  /** For tables. */
  readonly title: string
  readonly summary: string
  /** Runs without being named. The others take long. */
  readonly standard: boolean
  /** Whether the machine's limit is measured too. */
  readonly machine: boolean
  readonly openLoop: boolean
  /** Only for brokers whose files the run may touch: those that it started. */
  readonly needsFiles: boolean
  readonly figure: Figure
  readonly shape: WorkloadShape
  /** Workloads of one curve differ in this number. */
  readonly curve: { readonly name: string; readonly x: number; readonly label: string } | null
  prepare(context: Context): Promise<Prepared>
}

export const RECORDS_PER_SECOND: Figure = {
  name: 'rate',
  unit: 'records/s',
  better: 'more',
  of: ({ publish }) => (publish === null ? Number.NaN : publish.records / publish.seconds),
}

export const PUBLISHED_MEGABYTES: Figure = {
  name: 'produced',
  unit: 'MB/s',
  better: 'more',
  of: ({ publish }) => (publish === null ? Number.NaN : publish.bytes / publish.seconds / 1e6),
}

export const CONSUMED_MEGABYTES: Figure = {
  name: 'read',
  unit: 'MB/s',
  better: 'more',
  of: ({ consume }) => (consume === null ? Number.NaN : consume.bytes / consume.seconds / 1e6),
}

export const PUBLISH_MEDIAN: Figure = {
  name: 'p50 latency',
  unit: 'us',
  better: 'less',
  of: ({ publish }) => publish?.latency.percentile(50) || Number.NaN,
}

export const END_TO_END_MEAN: Figure = {
  name: 'mean end-to-end latency',
  unit: 'us',
  better: 'less',
  of: ({ endToEnd }) => endToEnd?.latency.summary()?.mean ?? Number.NaN,
}

/** Loads that run beside each other, seen as one. */
export function together(loads: {
  produce?: ProduceLoad
  endToEnd?: EndToEndLoad
  /** The first one's flow is the round's. */
  fetch?: readonly FetchLoad[]
  finished?: Promise<void>
  extra?: () => Readonly<Record<string, number>>
}): RunningLoad {
  const { produce, endToEnd, fetch = [] } = loads
  const all = [...(produce === undefined ? [] : [produce]), ...(endToEnd === undefined ? [] : [endToEnd]), ...fetch]
  return {
    publish: produce?.flow ?? endToEnd?.publish ?? null,
    consume: fetch[0]?.flow ?? endToEnd?.consume ?? null,
    endToEnd: endToEnd?.endToEnd ?? null,
    beside: fetch.slice(1).map(({ flow }) => flow),
    finished: loads.finished ?? null,
    get failure() {
      return all.find((load) => load.failure !== null)?.failure ?? null
    },
    start() {
      // Readers first: what is written from now on is read.
      for (const load of all.toReversed()) load.start()
    },
    stop() {
      for (const load of all) load.stop()
    },
    extra: loads.extra ?? (() => ({})),
  }
}

/** Runs `make`; if it fails, stops what was opened before. */
export async function orStop<T>(opened: readonly { stop(): void }[], make: () => Promise<T>): Promise<T> {
  try {
    return await make()
  } catch (error) {
    for (const load of opened) load.stop()
    throw error
  }
}

/** Topics for each of which a round has one connection: `<prefix>-000`, `<prefix>-001`, ... */
export function numbered(prefix: string, count: number): string[] {
  const digits = String(count - 1).length
  return Array.from({ length: count }, (_, index) => `${prefix}-${String(index).padStart(digits, '0')}`)
}

export interface LedTopic {
  readonly name: string
  readonly leaders: Leaders
}

export async function createTopics(
  context: Context,
  names: readonly string[],
  partitions: number,
): Promise<LedTopic[]> {
  const leaders = await context.topics.create(names.map((name) => ({ name, partitions })))
  return names.map((name) => ({ name, leaders: leaders.get(name) ?? [] }))
}

export function leaderOf(topic: LedTopic, partition: number): Address {
  const leader = topic.leaders[partition]
  if (leader === undefined) throw new Error(`topic ${topic.name} has no partition ${partition}`)
  return leader
}

const FILL_IN_FLIGHT = 4

/** Writes equal batches to every partition of a topic, `bytes` to each, and returns the offset at which each ends. */
export async function fillTopic(options: {
  context: Context
  topic: LedTopic
  shape: BatchShape
  bytes: number
}): Promise<number> {
  const { context, topic, shape, bytes } = options
  const perPartition = Math.ceil(bytes / benchBatch(shape).length)
  if (context.target.kind === 'machine') return perPartition * shape.recordsPerBatch
  for (let partition = 0; partition < topic.leaders.length; partition++) {
    const lane = { address: leaderOf(topic, partition), partitions: [{ topic: topic.name, partition }] }
    const plan: ProducePlan = { shape, acks: 1, lanes: [lane], inFlight: { perConnection: FILL_IN_FLIGHT }, rate: null }
    const load = await ProduceLoad.connect({ ...plan, requestsMax: perPartition })
    try {
      load.start()
      while (load.answered < perPartition) {
        context.signal.throwIfAborted()
        if (load.failure !== null) throw new Error(`${context.target.name}: ${load.failure}`)
        await Bun.sleep(5)
      }
    } finally {
      load.stop()
    }
  }
  return perPartition * shape.recordsPerBatch
}
