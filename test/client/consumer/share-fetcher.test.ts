/** What becomes of those who wait for their acknowledgements when the connection is lost. */
import { afterEach, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import { Cluster } from '../../../src/client/cluster.ts'
import { ShareFetcher } from '../../../src/client/consumer/share/share-fetcher.ts'
import { ShareFetchRequest, ShareFetchResponse } from '../../../src/protocol/messages/78-share-fetch.ts'
import {
  ShareAcknowledgeRequest,
  ShareAcknowledgeResponse,
} from '../../../src/protocol/messages/79-share-acknowledge.ts'
import { FakeBroker } from '../fake-broker.ts'
import { serveMetadata } from '../fake-metadata.ts'

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

async function fetcherWith(room: () => number): Promise<ShareFetcher<Buffer, Buffer>> {
  cluster = await Cluster.connect({ bootstrap: [fake], retry: { backoffMs: 1, backoffMaxMs: 5 } })
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
