import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { Cluster } from '../../src/client/cluster.ts'
import { SimpleProducer } from '../../src/client/simple-producer.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/00-produce.ts'
import { InitProducerIdRequest, InitProducerIdResponse } from '../../src/protocol/messages/22-init-producer-id.ts'
import type { Infer } from '../../src/protocol/schema.ts'
import { type BatchHeader, iterateRecords, readBatchHeader } from '../../src/records/batch.ts'
import { FakeBroker } from './fake-broker.ts'
import { serveMetadata } from './fake-metadata.ts'

let fake: FakeBroker
let cluster: Cluster

beforeEach(async () => {
  fake = new FakeBroker()
  serveMetadata(fake, { topic: 'orders', partitions: 2 })
  fake.on(InitProducerIdRequest, InitProducerIdResponse, () => {
    return { throttleTimeMs: 0, errorCode: 0, producerId: 4000, producerEpoch: 2 }
  })
})

afterEach(async () => {
  await cluster.close()
  fake.stop()
})

interface Taken {
  readonly partition: number
  readonly header: BatchHeader
  readonly values: string[]
}

/** Takes every batch with error code 0, or what `errorFor` says. */
function servePartitions(errorFor: (taken: Taken) => number = () => 0): Taken[] {
  const log: Taken[] = []
  fake.on(ProduceRequest, ProduceResponse, (body) => {
    const { index, bytes } = onlyPartition(body)
    const values = [...iterateRecords(bytes)].map(({ value }) => value?.toString() ?? '')
    const taken = { partition: index, header: readBatchHeader(bytes, 0), values }
    const errorCode = errorFor(taken)
    if (errorCode === 0) log.push(taken)
    if (body.acks === 0) return null
    return produceAnswer(body, errorCode)
  })
  return log
}

function onlyPartition(body: Infer<typeof ProduceRequest>): { index: number; bytes: Buffer } {
  const { index, records } = body.topicData[0]!.partitionData[0]!
  return { index, bytes: Buffer.concat(records ?? []) }
}

function produceAnswer(body: Infer<typeof ProduceRequest>, errorCode: number) {
  const { topicId, name, partitionData } = body.topicData[0]!
  const row = { index: partitionData[0]!.index, errorCode, baseOffset: 0, recordErrors: [], errorMessage: null }
  return { responses: [{ topicId, name, partitionResponses: [row] }], throttleTimeMs: 0 }
}

async function open(options: Partial<Parameters<typeof SimpleProducer.open>[1]> = {}): Promise<SimpleProducer> {
  cluster = await Cluster.connect({ bootstrap: [fake], timeoutMs: 2_000 })
  return SimpleProducer.open(cluster, { topic: 'orders', ...options })
}

function record(value: string, key: string | null = null) {
  return { timestamp: 1, key: key === null ? null : Buffer.from(key), value: Buffer.from(value) }
}

function pad(index: number): string {
  return String(index).padStart(100, '0')
}

test('records of one key stay in one partition and in order', async () => {
  const log = servePartitions()
  const producer = await open({ batchBytes: 1_000 })
  for (let index = 0; index < 100; index++) await producer.add(record(pad(index), 'same'))
  await producer.flush()
  expect(new Set(log.map(({ partition }) => partition)).size).toBe(1)
  expect(log.flatMap(({ values }) => values).map(Number)).toEqual(Array.from({ length: 100 }, (_, index) => index))
  expect(producer.delivered).toBe(100)
})

test('records without a key go round, batch by batch', async () => {
  const log = servePartitions()
  const producer = await open({ batchBytes: 1_000 })
  for (let index = 0; index < 100; index++) await producer.add(record(pad(index)))
  await producer.flush()
  const perPartition = [0, 1].map((partition) => log.filter((taken) => taken.partition === partition).length)
  expect(Math.abs(perPartition[0]! - perPartition[1]!)).toBeLessThanOrEqual(1)
})

test('acks=all is idempotent: producer id, and sequences without a gap', async () => {
  const log = servePartitions()
  const producer = await open({ partition: 1, batchBytes: 1_000 })
  for (let index = 0; index < 50; index++) await producer.add(record(pad(index)))
  await producer.flush()
  let next = 0
  for (const { header } of log) {
    expect([header.producerId, header.producerEpoch, header.baseSequence]).toEqual([4000, 2, next])
    next += header.recordCount
  }
  expect(next).toBe(50)
})

test('acks=1 asks for no producer id', async () => {
  const log = servePartitions()
  const producer = await open({ acks: 1 })
  await producer.add(record('x'))
  await producer.flush()
  expect(log[0]?.header.producerId).toBe(-1)
  expect(fake.requests(InitProducerIdRequest.key)).toHaveLength(0)
})

test('acks=0 waits for no answer', async () => {
  const log = servePartitions()
  const producer = await open({ acks: 0 })
  await producer.add(record('x'))
  await producer.flush()
  for (let round = 0; round < 100 && log.length === 0; round++) await Bun.sleep(5)
  expect(log[0]?.values).toEqual(['x'])
})

test('a retriable error is retried with the same sequence, and nothing overtakes it', async () => {
  let refusals = 2
  const log = servePartitions(() => (refusals-- > 0 ? ErrorCode.NOT_LEADER_OR_FOLLOWER : 0))
  const producer = await open({ partition: 0, batchBytes: 1_000 })
  for (let index = 0; index < 30; index++) await producer.add(record(pad(index)))
  await producer.flush()
  expect(log.flatMap(({ values }) => values).map(Number)).toEqual(Array.from({ length: 30 }, (_, index) => index))
  expect(log[0]?.header.baseSequence).toBe(0)
})

test('an answer that got lost: the batch is sent again and the duplicate counts as delivered', async () => {
  // The broker takes the batch and the connection breaks before its answer. The producer sends it again; the broker
  // recognises the sequence.
  let deliveries = 0
  fake.on(ProduceRequest, ProduceResponse, (body) => {
    deliveries += 1
    if (deliveries > 1) return produceAnswer(body, ErrorCode.DUPLICATE_SEQUENCE_NUMBER)
    fake.hangUp()
    return null
  })
  const producer = await open({ partition: 0 })
  await producer.add(record('once'))
  await producer.flush()
  expect(deliveries).toBe(2)
  expect(producer.delivered).toBe(1)
})

test('a batch that is too large for the topic is split until it fits', async () => {
  const log = servePartitions(({ header }) => (header.sizeBytes > 1_000 ? ErrorCode.MESSAGE_TOO_LARGE : 0))
  const producer = await open({ partition: 0 })
  for (let index = 0; index < 100; index++) await producer.add(record(pad(index)))
  await producer.flush()
  expect(log.flatMap(({ values }) => values).map(Number)).toEqual(Array.from({ length: 100 }, (_, index) => index))
  let next = 0
  for (const { header } of log) {
    expect(header.baseSequence).toBe(next)
    next += header.recordCount
  }
})

test('a single record that is too large is an error', async () => {
  servePartitions(() => ErrorCode.MESSAGE_TOO_LARGE)
  const producer = await open({ partition: 0 })
  await producer.add(record('x'))
  await expect(producer.flush()).rejects.toThrow('produce to orders-0: MESSAGE_TOO_LARGE')
})

test('a refused record ends the producer with the reason of the broker', async () => {
  fake.on(ProduceRequest, ProduceResponse, (body) => {
    const answer = produceAnswer(body, ErrorCode.INVALID_RECORD)
    const [response] = answer.responses
    const recordErrors = [{ batchIndex: 0, batchIndexErrorMessage: 'no key' }]
    const rows = response!.partitionResponses.map((row) => ({ ...row, recordErrors }))
    return { ...answer, responses: [{ ...response!, partitionResponses: rows }] }
  })
  const producer = await open({ partition: 0 })
  await producer.add(record('x'))
  await expect(producer.flush()).rejects.toThrow('produce to orders-0: no key (INVALID_RECORD)')
  expect(() => producer.add(record('y'))).toThrow('INVALID_RECORD')
})

test('a full buffer asks the caller to wait, and lets go when there is room', async () => {
  const gate = Promise.withResolvers<void>()
  fake.on(ProduceRequest, ProduceResponse, async (body) => {
    await gate.promise
    return produceAnswer(body, 0)
  })
  const producer = await open({ partition: 0, batchBytes: 1_000, bufferBytes: 10_000 })
  let waiting: Promise<void> | undefined
  let added = 0
  while (waiting === undefined) {
    waiting = producer.add(record(pad(added)))
    added += 1
  }
  expect(added).toBeLessThan(100)
  gate.resolve()
  await waiting
  await producer.flush()
  expect(producer.delivered).toBe(added)
})

describe('opening', () => {
  beforeEach(() => void servePartitions())

  test('a partition that does not exist', async () => {
    await expect(open({ partition: 2 })).rejects.toThrow('has no partition 2, only 0 to 1')
  })

  test('a topic that does not exist', async () => {
    await expect(open({ topic: 'nope' })).rejects.toThrow("topic 'nope': it does not exist")
  })
})
