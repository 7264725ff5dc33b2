// The same batches go into a compacted topic of a real Kafka and of Samsa, both clean it, and what is left must be the same: batch by batch
// with its offsets, producer fields, count and delete horizon, record by record with its timestamp. Then once more on top of it.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/00-produce.ts'
import { FetchRequest, FetchResponse } from '../../src/protocol/messages/01-fetch.ts'
import { WriteTxnMarkersRequest, WriteTxnMarkersResponse } from '../../src/protocol/messages/27-write-txn-markers.ts'
import {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
} from '../../src/protocol/messages/44-incremental-alter-configs.ts'
import { ZERO_UUID } from '../../src/protocol/schema.ts'
import {
  type BatchInput,
  buildBatch,
  hasDeleteHorizon,
  isControl,
  iterateRecords,
  readBatchHeader,
} from '../../src/records/batch.ts'
import { CODEC_LZ4, CODEC_NONE, CODEC_ZSTD } from '../../src/records/header.ts'
import { SeededRandom } from '../../src/storage/random-seeded.ts'
import { DifferentialBroker } from '../differential/broker.ts'
import { NOW, produceTo } from '../differential/produce-helpers.ts'
import { startKafka } from '../support/kafka-process.ts'
import { startSamsa } from '../support/samsa-process.ts'
import { interopDescribe } from '../support/tools.ts'

const TOPIC = 'compacted'
const SETUP_TIMEOUT_MS = 180_000
const TIMEOUT_MS = 180_000
const HOUR_MS = 3_600_000
const SETTINGS = {
  'log.cleaner.backoff.ms': '100',
  'transaction.partition.verification.enable': 'false',
  'offsets.topic.num.partitions': '1',
}
/** While this is in force nothing is cleaned; without it everything but the last segment. */
const HELD_BACK = { 'min.compaction.lag.ms': String(24 * HOUR_MS) }
const RELEASED = { 'min.compaction.lag.ms': '0' }
const ALTER_TOPIC = 2
const SET = 0

/** A batch, or the end of a transaction. */
type Step = Omit<BatchInput, 'baseOffset'> | { readonly producerId: number; readonly commits: boolean }

/** So large that a few dozen fill a segment of the smallest size that Kafka allows. */
const VALUE_BYTES = 15_000

function storyOf(seed: number, sequences: Map<number, number>): Step[] {
  const random = new SeededRandom(seed)
  const steps: Step[] = []
  const open = new Set<number>()
  for (let index = 0; index < 90; index++) {
    const count = 1 + random.below(4)
    const records = Array.from({ length: count }, (_unused, at) => ({
      timestamp: NOW + index * 10 + at,
      key: Buffer.from(`key${random.below(25)}`),
      value: random.below(6) === 0 ? null : Buffer.alloc(VALUE_BYTES, `${seed}/${index}/${at} `),
      headers: at === 0 ? [{ key: 'index', value: Buffer.from(String(index)) }] : [],
    }))
    const producerId = [-1, 7001, 7002, 7003][random.below(4)]!
    const codec = [CODEC_NONE, CODEC_NONE, CODEC_LZ4, CODEC_ZSTD][random.below(4)] as BatchInput['codec'] & number
    const baseSequence = sequences.get(producerId) ?? 0
    sequences.set(producerId, baseSequence + count)
    const isTransactional = producerId >= 7002
    const identity = producerId < 0 ? {} : { producerId, producerEpoch: 0, baseSequence, isTransactional }
    steps.push({ records, codec, ...identity })
    if (isTransactional) open.add(producerId)
    if (index % 8 === 7 && open.size > 0) {
      const [ended] = open
      open.delete(ended!)
      steps.push({ producerId: ended!, commits: random.below(2) === 0 })
    }
  }
  for (const producerId of open) steps.push({ producerId, commits: true })
  // So much that everything before it is in a segment that is not written to any more.
  const filler = { timestamp: NOW + 5000, key: Buffer.from('filler'), value: Buffer.alloc(600_000, 'f') }
  steps.push({ records: [filler] }, { records: [filler] })
  return steps
}

async function append(broker: DifferentialBroker, batch: BatchInput): Promise<void> {
  const connection = await broker.connection('setup')
  const request = produceTo(TOPIC, buildBatch(batch), { transactionalId: batch.isTransactional ? 'any' : null })
  const answer = await connection.send(ProduceRequest, ProduceResponse, request, { version: 9 })
  expect(answer.responses[0]?.partitionResponses[0]).toMatchObject({ errorCode: 0 })
}

async function play(broker: DifferentialBroker, steps: readonly Step[]): Promise<void> {
  const connection = await broker.connection('setup')
  for (const step of steps) {
    if ('records' in step) {
      await append(broker, step)
      continue
    }
    const { producerId, commits } = step
    const topics = [{ name: TOPIC, partitionIndexes: [0] }]
    const markers = [{ producerId, producerEpoch: 0, transactionResult: commits, topics, coordinatorEpoch: 0 }]
    const answer = await connection.send(WriteTxnMarkersRequest, WriteTxnMarkersResponse, { markers }, { version: 1 })
    expect(answer.markers[0]?.topics[0]?.partitions).toEqual([{ partitionIndex: 0, errorCode: 0 }])
  }
}

async function configure(broker: DifferentialBroker, configs: Readonly<Record<string, string>>): Promise<void> {
  const connection = await broker.connection('setup')
  const entries = Object.entries(configs).map(([name, value]) => ({ name, value, configOperation: SET }))
  const answer = await connection.send(
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
    { resources: [{ resourceType: ALTER_TOPIC, resourceName: TOPIC, configs: entries }], validateOnly: false },
    { version: 1 },
  )
  expect(answer.responses.map(({ errorCode }) => errorCode)).toEqual([0])
}

/** Where the last cleaning ended, as the broker wrote it down. */
function cleanedUpTo(broker: DifferentialBroker): number {
  const file = join(broker.target.dataDirectory, 'cleaner-offset-checkpoint')
  if (!existsSync(file)) return -1
  const line = readFileSync(file, 'latin1').match(new RegExp(`^${TOPIC} 0 (\\d+)$`, 'm'))
  return line === null ? -1 : Number(line[1])
}

/** Samsa also keeps the newest batch of a producer that is on the device, so all of them have to be. */
async function durable(broker: DifferentialBroker, endOffset: number): Promise<void> {
  if (broker.target.kind !== 'samsa') return
  const file = join(broker.target.dataDirectory, 'recovery-point-offset-checkpoint')
  const isSynced = () =>
    existsSync(file) && readFileSync(file, 'latin1').split('\n').includes(`${TOPIC} 0 ${endOffset}`)
  await broker.until('everything is on the device', async () => isSynced())
}

interface Left {
  readonly endOffset: number
  readonly batch: unknown
  readonly records: unknown[]
}

async function whatIsLeft(broker: DifferentialBroker): Promise<Left[]> {
  const connection = await broker.connection('reader')
  const left: Left[] = []
  for (let fetchOffset = 0; ; ) {
    const partitions = [{ partition: 0, fetchOffset, partitionMaxBytes: 10_000_000 }]
    const answer = await connection.send(
      FetchRequest,
      FetchResponse,
      {
        maxWaitMs: 0,
        minBytes: 0,
        topics: [{ topic: TOPIC, topicId: ZERO_UUID, partitions }],
        forgottenTopicsData: [],
      },
      { version: 11 },
    )
    const row = answer.responses[0]!.partitions[0]!
    expect(row.errorCode).toBe(0)
    const bytes = Buffer.concat(row.records ?? [])
    const before = fetchOffset
    for (let at = 0; at + 61 <= bytes.length; ) {
      const header = readBatchHeader(bytes, at)
      if (at + header.sizeBytes > bytes.length) break
      left.push(described(bytes.subarray(at, at + header.sizeBytes)))
      fetchOffset = header.baseOffset + header.lastOffsetDelta + 1
      at += header.sizeBytes
    }
    if (fetchOffset === before) return left
  }
}

function described(bytes: Buffer): Left {
  const header = readBatchHeader(bytes, 0)
  const { baseOffset, lastOffsetDelta, attributes, producerId, producerEpoch, baseSequence, recordCount } = header
  const maxTimestamp = isControl(header) ? 'now' : header.maxTimestamp
  const horizon = hasDeleteHorizon(header)
  const records = [...iterateRecords(bytes)].map(({ offset, timestamp, key, value, headers }) => [
    offset,
    isControl(header) ? 'now' : timestamp - NOW,
    String(key),
    value === null ? null : value.subarray(0, 12).toString('latin1'),
    headers.map((each) => `${each.key}=${each.value}`),
  ])
  const fields = { baseOffset, lastOffsetDelta, attributes, producerId, producerEpoch, baseSequence, recordCount }
  return { endOffset: baseOffset + lastOffsetDelta + 1, batch: { ...fields, maxTimestamp, horizon }, records }
}

interopDescribe('compaction like Kafka 4.3.1', ['java'], () => {
  const brokers: DifferentialBroker[] = []

  beforeAll(async () => {
    brokers.push(new DifferentialBroker(await startKafka(SETTINGS)))
    brokers.push(new DifferentialBroker(await startSamsa(SETTINGS)))
    for (const broker of brokers) {
      await broker.createTopic(TOPIC, {
        configs: {
          'cleanup.policy': 'compact',
          'segment.bytes': '1048576',
          'min.cleanable.dirty.ratio': '0.0001',
          'delete.retention.ms': String(HOUR_MS),
          ...HELD_BACK,
        },
      })
    }
  }, SETUP_TIMEOUT_MS)

  afterAll(async () => {
    for (const broker of brokers) await broker.close()
    await Promise.all(brokers.map(({ target }) => target.stop()))
  }, SETUP_TIMEOUT_MS)

  const sequences = new Map<number, number>()
  test.each([1, 2, 3])(
    'round %i leaves the same',
    async (round) => {
      const steps = storyOf(round, sequences)
      const results = await Promise.all(
        brokers.map(async (broker) => {
          const before = cleanedUpTo(broker)
          await configure(broker, HELD_BACK)
          await play(broker, steps)
          const all = await whatIsLeft(broker)
          await durable(broker, all.at(-1)!.endOffset)
          await configure(broker, RELEASED)
          await broker.until('the log is cleaned', async () => cleanedUpTo(broker) > before)
          const left = await whatIsLeft(broker)
          expect(left.length).toBeLessThan(all.length)
          return { cleanedUpTo: cleanedUpTo(broker), left }
        }),
      )
      expect(results[1]!.cleanedUpTo).toBe(results[0]!.cleanedUpTo)
      expect(results[1]!.left).toEqual(results[0]!.left)
      const kinds = results[0]!.left.map(({ batch }) => batch as { recordCount: number; horizon: boolean })
      expect(kinds.some(({ horizon }) => horizon)).toBe(true)
    },
    TIMEOUT_MS,
  )
})
