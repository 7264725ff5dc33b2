/** What becomes of those who wait for their acknowledgements when the connection is lost. */
import { afterEach, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import { Cluster } from '../../../src/client/cluster.ts'
import { ShareFetcher, type ShareFetchOwner } from '../../../src/client/consumer/share/share-fetcher.ts'
import type { KafkaError } from '../../../src/client/errors.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { ShareFetchRequest, ShareFetchResponse } from '../../../src/protocol/messages/78-share-fetch.ts'
import {
  ShareAcknowledgeRequest,
  ShareAcknowledgeResponse,
} from '../../../src/protocol/messages/79-share-acknowledge.ts'
import { buildBatch } from '../../../src/records/batch.ts'
import { FakeBroker } from '../fake-broker.ts'
import { serveMetadata, TOPIC_ID } from '../fake-metadata.ts'

// Nothing here waits for time; a busy machine does.
setDefaultTimeout(60_000)

const partition = { topic: 'orders', partition: 0 }
const ANSWER = {
  throttleTimeMs: 0,
  errorCode: 0,
  errorMessage: null,
  acquisitionLockTimeoutMs: 30_000,
  responses: [],
  nodeEndpoints: [],
}
let fake: FakeBroker
let cluster: Cluster

beforeEach(async () => {
  fake = new FakeBroker()
  serveMetadata(fake, { topic: 'orders', partitions: 1 })
  fake.on(ShareFetchRequest, ShareFetchResponse, () => ({ ...ANSWER }))
})

afterEach(async () => {
  await cluster.close()
  fake.stop()
})

async function fetcherWith(
  room: () => number,
  taken: Partial<ShareFetchOwner<Buffer, Buffer>> = {},
  backoffMs = 1,
): Promise<ShareFetcher<Buffer, Buffer>> {
  cluster = await Cluster.connect({ bootstrap: [fake], retry: { backoffMs, backoffMaxMs: 5 } })
  await cluster.topic('orders')
  const settings = { groupId: 'g', memberId: 'm', maxWaitMs: 1, minBytes: 1, maxBytes: 1000, maxRecords: 10 }
  return new ShareFetcher<Buffer, Buffer>(
    1,
    cluster,
    { ...settings, checkCrcs: true, maxDecompressedBytes: 1000 },
    {
      partitionsOf: () => [partition],
      room,
      take: () => undefined,
      moved: () => undefined,
      refused: () => undefined,
      unreadable: () => undefined,
      fatal: (error) => {
        throw error
      },
      ...taken,
    },
  )
}

test('whoever waits for acknowledgements that are on their way waits for the answer', async () => {
  const { promise: isReleased, resolve: release } = Promise.withResolvers<void>()
  let told = false
  fake.on(ShareFetchRequest, ShareFetchResponse, async ({ topics }) => {
    const carriesAcks = topics.some(({ partitions }) => partitions.some((row) => row.acknowledgementBatches.length > 0))
    told ||= carriesAcks
    if (carriesAcks) await isReleased
    return { ...ANSWER }
  })
  const fetcher = await fetcherWith(() => 1)
  while (fake.requests(ShareFetchRequest.key).length < 2) await Bun.sleep(1)
  fetcher.acknowledgements(partition).set(0, 'accept')
  while (!told) await Bun.sleep(1)
  let isHeard = false
  const flushed = fetcher.flush().then(() => {
    isHeard = true
  })
  await Bun.sleep(5)
  expect(isHeard).toBe(false)
  release()
  await flushed
  await fetcher.stop()
})

test('a lost session leaves nobody waiting for what was said in it', async () => {
  fake.on(ShareAcknowledgeRequest, ShareAcknowledgeResponse, () => {
    fake.hangUp()
    return null
  })
  let room = 1
  const fetcher = await fetcherWith(() => room)
  while (fake.requests(ShareFetchRequest.key).length < 2) await Bun.sleep(1)
  room = 0
  fetcher.acknowledgements(partition).set(0, 'accept')
  await fetcher.flush()
  while (fake.requests(ShareAcknowledgeRequest.key).length === 0) {
    fetcher.acknowledgements(partition).set(0, 'accept')
    await fetcher.flush()
  }
  // There is no session now, and without room none begins.
  fetcher.acknowledgements(partition).set(1, 'accept')
  await fetcher.flush()
  expect(fetcher.acknowledgements(partition).size).toBe(0)
  await fetcher.stop()
})

test('records that nobody can read are rejected and told; what comes after them is released for another try', async () => {
  const batchAt = (baseOffset: number): Buffer => {
    const record = { timestamp: 5, key: null, value: Buffer.from('x'), headers: [] }
    return buildBatch({ baseOffset, leaderEpoch: 0, records: [record, record] })
  }
  const broken = batchAt(2)
  broken[broken.length - 1]! ^= 0xff
  const told: unknown[] = []
  let fetches = 0
  fake.on(ShareFetchRequest, ShareFetchResponse, async ({ topics }) => {
    const { partitions = [] } = topics[0] ?? {}
    for (const { acknowledgementBatches } of partitions) told.push(...acknowledgementBatches)
    if (fetches++ > 0) {
      await Bun.sleep(1)
      return { ...ANSWER }
    }
    const row = {
      partitionIndex: 0,
      errorCode: 0,
      errorMessage: null,
      acknowledgeErrorCode: 0,
      acknowledgeErrorMessage: null,
      currentLeader: { leaderId: 1, leaderEpoch: 0 },
      records: [batchAt(0), broken, batchAt(4)],
      acquiredRecords: [{ firstOffset: 0, lastOffset: 5, deliveryCount: 1 }],
    }
    return { ...ANSWER, responses: [{ topicId: TOPIC_ID, partitions: [row] }] }
  })
  const offsets: number[] = []
  const unreadable: KafkaError[] = []
  const fetcher = await fetcherWith(() => 10, {
    take: (messages) => void offsets.push(...messages.map(({ offset }) => offset)),
    unreadable: (error) => void unreadable.push(error),
  })
  while (told.length < 2) await Bun.sleep(1)
  expect(offsets).toEqual([0, 1])
  expect(told).toEqual([
    { firstOffset: 2, lastOffset: 3, acknowledgeTypes: [3] },
    { firstOffset: 4, lastOffset: 5, acknowledgeTypes: [2] },
  ])
  expect(unreadable.map(({ code, place }) => [code, place])).toEqual([
    ['ERR_CORRUPT_RECORDS', { ...partition, offset: 2, nextOffset: 4 }],
  ])
  await fetcher.stop()
})

test('stop ends where the broker has fallen silent', async () => {
  fake.on(ShareFetchRequest, ShareFetchResponse, () => null)
  const fetcher = await fetcherWith(() => 1)
  while (fake.requests(ShareFetchRequest.key).length === 0) await Bun.sleep(1)
  await fetcher.stop()
})

test('a broker that has no room for a session is not asked again at once', async () => {
  const errorCode = ErrorCode.SHARE_SESSION_LIMIT_REACHED
  fake.on(ShareFetchRequest, ShareFetchResponse, () => ({ ...ANSWER, errorCode }))
  const fetcher = await fetcherWith(() => 1, {}, 3_600_000)
  while (fake.requests(ShareFetchRequest.key).length === 0) await Bun.sleep(1)
  // As long as many requests would take.
  for (let round = 0; round < 20; round++) await cluster.metadata([])
  expect(fake.requests(ShareFetchRequest.key)).toHaveLength(1)
  await fetcher.stop()
})

test('a connection that comes up after the end is of no use to it', async () => {
  let room = 0
  const fetcher = await fetcherWith(() => room)
  const { promise: mayOpen, resolve: open } = Promise.withResolvers<void>()
  const { promise: isAsked, resolve: asked } = Promise.withResolvers<void>()
  const ownConnection = cluster.ownConnection.bind(cluster)
  cluster.ownConnection = async (nodeId) => {
    asked()
    await mayOpen
    return ownConnection(nodeId)
  }
  room = 1
  fetcher.wake()
  await isAsked
  const stopped = fetcher.stop()
  open()
  await stopped
  expect(fake.requests(ShareFetchRequest.key)).toHaveLength(0)
})
