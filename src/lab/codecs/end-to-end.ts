/**
 * What a codec does to a broker: the same batches, compressed on the way by one producer and decompressed by one
 * consumer, through a broker on this machine. Codecs take turns, round by round, each time with a topic of its own.
 *
 * What must hold: the rate counts records' bytes before compression, from the first call of the codec to the last
 * acknowledgement, and from the first fetch to the last record looked at; every record that went in has come out. The
 * producer's and the consumer's work is on one core, the broker's on another if there is one. The network is loopback: what
 * smaller batches save on a real one is not in these figures.
 */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createTopics, deleteTopics } from '../../client/admin/topics.ts'
import { Cluster, type TopicMetadata } from '../../client/cluster.ts'
import type { Connection } from '../../client/connection.ts'
import { brokerError } from '../../client/errors.ts'
import { ProduceRequest, ProduceResponse } from '../../protocol/messages/00-produce.ts'
import { FetchRequest, FetchResponse } from '../../protocol/messages/01-fetch.ts'
import { BATCH_HEADER_BYTES, lastOffset, readBatchHeader } from '../../records/batch.ts'
import { RecordScanner } from '../../records/record-scanner.ts'
import { type Spread, spreadOf } from '../broker/statistics.ts'
import type { BrokerProcess } from './broker-process.ts'
import { type CutBatch, compressedBatch, sectionOf } from './cutting.ts'
import { type Candidate, candidateId, type Transform } from './engines/index.ts'

export interface EndToEndOptions {
  readonly rounds: number
  /** Records' bytes per codec and round, before compression; codecs slower than `SLOW_SECONDS` allows get by with fewer. */
  readonly bytes: number
  readonly nowNs: () => number
  /** Throws once the measurement is to end. */
  readonly throwIfInterrupted: () => void
  readonly breathe: (done: number, total: number, what: string) => Promise<void>
}

export interface EndToEnd {
  readonly candidate: Candidate
  readonly produceMbPerSecond: Spread
  readonly consumeMbPerSecond: Spread
  /** Broker's CPU seconds per GB (a thousand million bytes) of records before compression, all rounds together. */
  readonly brokerProduceCpuPerGb: number
  readonly brokerConsumeCpuPerGb: number
  /** Bytes in the segment files per byte that uncompressed batches take. */
  readonly diskShare: number
}

export interface Trial {
  readonly candidate: Candidate
  /** As measured before: says how much data it gets through in reasonable time. */
  readonly compressMbPerSecond: number
}

/** A codec is not given more data than it compresses in this time. */
const SLOW_SECONDS = 2
/** Batches may be large, and records of any age: they are to stay for the few seconds that they are needed. */
const TOPIC_CONFIGS = [
  { key: 'max.message.bytes', value: String(64 * 1024 * 1024) },
  { key: 'retention.ms', value: '-1' },
  { key: 'message.timestamp.after.max.ms', value: '9223372036854775807' },
]
/** Requests that wait for their acknowledgement. */
const IN_FLIGHT = 8
const ACKS_LEADER = 1
const FETCH_BYTES = 4 * 1024 * 1024
const FETCH_WAIT_MS = 500
const MB = 1e6
const GB = 1e9
const NS_PER_SECOND = 1e9

interface Totals {
  readonly candidate: Candidate
  readonly bytes: number
  readonly transform: Transform
  readonly produced: number[]
  readonly consumed: number[]
  produceCpuSeconds: number
  consumeCpuSeconds: number
  plainBytes: number
  plainBatchBytes: number
  diskBytes: number
}

export async function measureEndToEnd(
  broker: BrokerProcess,
  trials: readonly Trial[],
  batches: readonly CutBatch[],
  options: EndToEndOptions,
): Promise<EndToEnd[]> {
  const cluster = await Cluster.connect({ bootstrap: [broker.address], clientId: 'samsa-lab' })
  const totals: Totals[] = []
  try {
    for (const trial of trials) totals.push(noTotals(trial, options.bytes))
    // The first round warms up broker and client and does not count.
    for (let round = 0; round <= options.rounds; round++) {
      for (let turn = 0; turn < totals.length; turn++) {
        const total = totals[(turn + round) % totals.length]!
        const done = round * totals.length + turn
        await options.breathe(done, (options.rounds + 1) * totals.length, `broker ${candidateId(total.candidate)}`)
        const run = new Run({ broker, cluster, batches, options, total, topic: `lab-${done}` })
        await run.all(round > 0)
      }
    }
  } finally {
    for (const { transform } of totals) transform.close()
    await cluster.close()
  }
  return totals.map(resultOf)
}

function noTotals({ candidate, compressMbPerSecond }: Trial, bytes: number): Totals {
  return {
    candidate,
    bytes: Math.min(bytes, compressMbPerSecond * MB * SLOW_SECONDS),
    transform: candidate.engine.open(candidate.level),
    produced: [],
    consumed: [],
    produceCpuSeconds: 0,
    consumeCpuSeconds: 0,
    plainBytes: 0,
    plainBatchBytes: 0,
    diskBytes: 0,
  }
}

function resultOf(total: Totals): EndToEnd {
  return {
    candidate: total.candidate,
    produceMbPerSecond: spreadOf(total.produced),
    consumeMbPerSecond: spreadOf(total.consumed),
    brokerProduceCpuPerGb: total.produceCpuSeconds / (total.plainBytes / GB),
    brokerConsumeCpuPerGb: total.consumeCpuSeconds / (total.plainBytes / GB),
    diskShare: total.diskBytes / total.plainBatchBytes,
  }
}

interface RunInput {
  readonly broker: BrokerProcess
  readonly cluster: Cluster
  readonly batches: readonly CutBatch[]
  readonly options: EndToEndOptions
  readonly total: Totals
  readonly topic: string
}

/** One codec, one topic: all batches in, all records out. */
class Run {
  readonly #input: RunInput
  readonly #scanner = new RecordScanner()
  readonly #largestSection: number
  #sentBatches = 0
  #sentRecords = 0
  #plainBytes = 0
  #plainBatchBytes = 0

  constructor(input: RunInput) {
    this.#input = input
    this.#largestSection = Math.max(...input.batches.map((batch) => sectionOf(batch).length))
  }

  async all(counts: boolean): Promise<void> {
    const { broker, cluster, options, total, topic } = this.#input
    const metadata = await this.#createTopic()
    const leader = await cluster.ownConnection(metadata.partitions[0]!.leaderId)
    try {
      const cpuStart = broker.cpuSeconds()
      const startNs = options.nowNs()
      await this.#produce(leader, metadata)
      const producedNs = options.nowNs()
      const cpuProduced = broker.cpuSeconds()
      const diskBytes = logBytes(join(broker.dataDirectory, `${topic}-0`))
      const fetchStartNs = options.nowNs()
      await this.#consume(leader, metadata)
      const consumedNs = options.nowNs()
      if (!counts) return
      total.produced.push(this.#plainBytes / MB / ((producedNs - startNs) / NS_PER_SECOND))
      total.consumed.push(this.#plainBytes / MB / ((consumedNs - fetchStartNs) / NS_PER_SECOND))
      total.produceCpuSeconds += cpuProduced - cpuStart
      total.consumeCpuSeconds += broker.cpuSeconds() - cpuProduced
      total.plainBytes += this.#plainBytes
      total.plainBatchBytes += this.#plainBatchBytes
      total.diskBytes += diskBytes
    } finally {
      await leader.close()
      await deleteTopics(cluster, [topic])
    }
  }

  async #createTopic(): Promise<TopicMetadata> {
    const { cluster, topic } = this.#input
    const [outcome] = await createTopics(cluster, [
      { name: topic, partitions: 1, replicationFactor: 1, configs: TOPIC_CONFIGS },
    ])
    if (outcome?.error) throw outcome.error
    return cluster.topic(topic)
  }

  async #produce(leader: Connection, metadata: TopicMetadata): Promise<void> {
    const { batches, options, total } = this.#input
    const waiting: Promise<void>[] = []
    while (this.#plainBytes < total.bytes) {
      options.throwIfInterrupted()
      const batch = batches[this.#sentBatches % batches.length]!
      const section = sectionOf(batch)
      const packed = compressedBatch(batch, total.candidate.engine.codec, total.transform.compress(section))
      const answered = this.#send(leader, metadata, packed)
      // Whoever waits for it later hears of a failure; until then it is nobody's.
      answered.catch(() => undefined)
      waiting.push(answered)
      this.#sentBatches += 1
      this.#sentRecords += batch.recordCount
      this.#plainBytes += section.length
      this.#plainBatchBytes += batch.bytes.length
      if (waiting.length >= IN_FLIGHT) await waiting.shift()
    }
    await Promise.all(waiting)
  }

  async #send(leader: Connection, metadata: TopicMetadata, batch: Buffer): Promise<void> {
    const answer = await leader.send(ProduceRequest, ProduceResponse, {
      acks: ACKS_LEADER,
      timeoutMs: 30_000,
      topicData: [{ topicId: metadata.topicId, partitionData: [{ index: 0, records: [batch] }] }],
    })
    const row = answer.responses[0]?.partitionResponses[0]
    if (row?.errorCode !== 0)
      throw brokerError(row?.errorCode ?? -1, `produce to ${this.#input.topic}`, row?.errorMessage)
  }

  async #consume(leader: Connection, metadata: TopicMetadata): Promise<void> {
    let offset = 0
    let next = this.#fetch(leader, metadata, offset)
    while (offset < this.#sentRecords) {
      const answer = await next
      const row = answer.responses[0]?.partitions[0]
      if (row?.errorCode !== 0) throw brokerError(row?.errorCode ?? -1, `fetch from ${this.#input.topic}`)
      const bytes = Buffer.concat(row.records ?? [])
      const batches = wholeBatches(bytes)
      offset = batches.at(-1)?.nextOffset ?? offset
      if (offset < this.#sentRecords) next = this.#fetch(leader, metadata, offset)
      for (const { start, end, recordCount } of batches) this.#look(bytes.subarray(start, end), recordCount)
    }
    if (offset !== this.#sentRecords)
      throw new Error(`${this.#input.topic}: ${offset} records for ${this.#sentRecords}`)
  }

  #fetch(leader: Connection, metadata: TopicMetadata, fetchOffset: number) {
    return leader.send(FetchRequest, FetchResponse, {
      maxWaitMs: FETCH_WAIT_MS,
      minBytes: 1,
      maxBytes: FETCH_BYTES,
      isolationLevel: 0,
      topics: [
        { topicId: metadata.topicId, partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: FETCH_BYTES }] },
      ],
      forgottenTopicsData: [],
    })
  }

  /** Decompresses a batch and walks its records, as a consumer would. */
  #look(batch: Buffer, recordCount: number): void {
    const section = this.#input.total.transform.decompress(batch.subarray(BATCH_HEADER_BYTES), this.#largestSection)
    this.#scanner.open([section], 0, section.length)
    for (let index = 0; index < recordCount; index++) this.#scanner.next()
    if (this.#scanner.remaining !== 0) throw new Error(`${this.#input.topic}: a batch holds more than its records`)
  }
}

/** Where the whole batches of an answer lie; a fetch may cut the last one off. */
function wholeBatches(bytes: Buffer): { start: number; end: number; recordCount: number; nextOffset: number }[] {
  const batches: ReturnType<typeof wholeBatches> = []
  let start = 0
  while (start + BATCH_HEADER_BYTES <= bytes.length) {
    const header = readBatchHeader(bytes, start)
    const end = start + header.sizeBytes
    if (end > bytes.length) break
    batches.push({ start, end, recordCount: header.recordCount, nextOffset: lastOffset(header) + 1 })
    start = end
  }
  return batches
}

function logBytes(folder: string): number {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.log'))
    .reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
}
