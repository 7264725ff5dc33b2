import { afterEach, beforeEach, expect, test } from 'bun:test'
import { Cluster } from '../../src/client/cluster.ts'
import { type ConsumerOptions, SimpleConsumer } from '../../src/client/simple-consumer.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { FetchRequest, FetchResponse } from '../../src/protocol/messages/01-fetch.ts'
import { ListOffsetsRequest, ListOffsetsResponse } from '../../src/protocol/messages/02-list-offsets.ts'
import { buildBatch } from '../../src/records/batch.ts'
import { FakeBroker } from './fake-broker.ts'
import { serveMetadata } from './fake-metadata.ts'

let fake: FakeBroker
let cluster: Cluster

beforeEach(async () => {
  fake = new FakeBroker()
  serveMetadata(fake, { topic: 'orders', partitions: 2 })
  cluster = await Cluster.connect({ bootstrap: [fake], timeoutMs: 2_000 })
})

afterEach(async () => {
  await cluster.close()
  fake.stop()
})

/** Partitions that hold records from `start` to before `end`, one batch per record. An error may come in between. */
function servePartitions(logs: { start: number; end: number }[], errorFor: (call: number) => number = () => 0): void {
  let calls = 0
  fake.on(FetchRequest, FetchResponse, async ({ topics }) => {
    const call = ++calls
    const asked = topics[0]!
    const partitions = asked.partitions.map(({ partition, fetchOffset }) => {
      const { start, end } = logs[partition]!
      const outside = fetchOffset < start || fetchOffset > end
      const errorCode = outside ? ErrorCode.OFFSET_OUT_OF_RANGE : errorFor(call)
      const records = errorCode === 0 && fetchOffset < end ? [oneRecord(fetchOffset)] : []
      const row = { partitionIndex: partition, errorCode, highWatermark: end, abortedTransactions: null }
      return { ...row, records }
    })
    if (partitions.every(({ records, errorCode }) => records.length === 0 && errorCode === 0)) await Bun.sleep(20)
    const { topic, topicId } = asked
    return { throttleTimeMs: 0, errorCode: 0, responses: [{ topic, topicId, partitions }] }
  })
  fake.on(ListOffsetsRequest, ListOffsetsResponse, ({ topics }) => {
    const { name, partitions } = topics[0]!
    const rows = partitions.map(({ partitionIndex, timestamp }) => {
      const { start, end } = logs[partitionIndex]!
      return { partitionIndex, errorCode: 0, timestamp: -1, offset: timestamp === -2 ? start : end }
    })
    return { throttleTimeMs: 0, topics: [{ name, partitions: rows }] }
  })
}

function oneRecord(offset: number): Buffer {
  return buildBatch({ baseOffset: offset, records: [{ timestamp: 1, key: null, value: Buffer.from(String(offset)) }] })
}

async function consume(options: Omit<ConsumerOptions, 'topic'>): Promise<Map<number, number[]>> {
  const consumer = new SimpleConsumer(cluster, { topic: await cluster.topic('orders'), ...options })
  const read = new Map<number, number[]>()
  await consumer.run(({ partition, records }) => {
    const offsets = read.get(partition) ?? []
    for (const { offset } of records) offsets.push(offset)
    read.set(partition, offsets)
  })
  return read
}

function offsets(...pairs: [number, number][]): Map<number, number> {
  return new Map(pairs)
}

test('reads every partition from its start to its end, then stops by itself', async () => {
  servePartitions([
    { start: 2, end: 6 },
    { start: 0, end: 3 },
  ])
  const read = await consume({ from: offsets([0, 2], [1, 0]), until: offsets([0, 6], [1, 3]) })
  expect(read.get(0)).toEqual([2, 3, 4, 5])
  expect(read.get(1)).toEqual([0, 1, 2])
})

test('a partition that is at its end already is not asked for', async () => {
  servePartitions([
    { start: 0, end: 3 },
    { start: 0, end: 0 },
  ])
  const read = await consume({ from: offsets([0, 0], [1, 0]), until: offsets([0, 3], [1, 0]) })
  expect([...read.keys()]).toEqual([0])
})

test('stop ends a long poll at once', async () => {
  servePartitions([{ start: 0, end: 1 }])
  fake.on(FetchRequest, FetchResponse, () => null)
  const consumer = new SimpleConsumer(cluster, { topic: await cluster.topic('orders'), from: offsets([0, 1]) })
  const running = consumer.run(() => undefined)
  await Bun.sleep(30)
  const startMs = performance.now()
  consumer.stop()
  await running
  expect(performance.now() - startMs).toBeLessThan(1_000)
})

test('a leader that moved is looked up again, and no record is lost or read twice', async () => {
  servePartitions([{ start: 0, end: 5 }], (call) => (call === 3 ? ErrorCode.NOT_LEADER_OR_FOLLOWER : 0))
  const read = await consume({ from: offsets([0, 0]), until: offsets([0, 5]) })
  expect(read.get(0)).toEqual([0, 1, 2, 3, 4])
})

test('a connection that breaks is replaced, and no record is lost or read twice', async () => {
  servePartitions([{ start: 0, end: 5 }], (call) => {
    if (call === 3) fake.hangUp()
    return 0
  })
  const read = await consume({ from: offsets([0, 0]), until: offsets([0, 5]) })
  expect(read.get(0)).toEqual([0, 1, 2, 3, 4])
})

test('records that were deleted before they were read are skipped and reported', async () => {
  servePartitions([{ start: 10, end: 12 }])
  const skipped: number[][] = []
  const read = await consume({
    from: offsets([0, 4]),
    until: offsets([0, 12]),
    onSkipped: (...gap) => skipped.push(gap),
  })
  expect(skipped).toEqual([[0, 4, 10]])
  expect(read.get(0)).toEqual([10, 11])
})

test('an offset beyond the end is an error that names what there is', async () => {
  servePartitions([{ start: 10, end: 12 }])
  await expect(consume({ from: offsets([0, 99]) })).rejects.toThrow(
    'fetch orders-0 at offset 99: the partition holds offsets from 10 to before 12 (OFFSET_OUT_OF_RANGE)',
  )
})

test('a failure of the handler ends the run', async () => {
  servePartitions([{ start: 0, end: 5 }])
  const consumer = new SimpleConsumer(cluster, { topic: await cluster.topic('orders'), from: offsets([0, 0]) })
  await expect(
    consumer.run(() => {
      throw new Error('disk full')
    }),
  ).rejects.toThrow('disk full')
})
