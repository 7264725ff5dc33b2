/** Leaders that move, brokers of other ages, clusters that are replaced. */
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { Producer } from '../../../src/client/producer/producer.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { ProduceRequest, ProduceResponse } from '../../../src/protocol/messages/00-produce.ts'
import { MetadataRequest, MetadataResponse } from '../../../src/protocol/messages/03-metadata.ts'
import { InitProducerIdRequest, InitProducerIdResponse } from '../../../src/protocol/messages/22-init-producer-id.ts'
import type { Infer } from '../../../src/protocol/schema.ts'
import { readBatchHeader } from '../../../src/records/batch.ts'
import { FakeBroker } from '../fake-broker.ts'
import { serveMetadata, TOPIC_ID } from '../fake-metadata.ts'
import { ModelLog, serveLogs } from '../model-log.ts'

// Nothing here waits for time; a busy machine does.
setDefaultTimeout(60_000)

const topic = 'orders'
let one: FakeBroker
let two: FakeBroker
let producer: Producer

beforeEach(() => {
  one = new FakeBroker()
  two = new FakeBroker()
})

afterEach(async () => {
  await producer.close({ timeoutMs: 100 })
  one.stop()
  two.stop()
})

function open(): Producer {
  producer = new Producer({ bootstrap: `127.0.0.1:${one.port}`, retry: { backoffMs: 1, backoffMaxMs: 5 } })
  return producer
}

/** Broker 1 and broker 2, and a topic with one partition, led by whom `leader` names. */
function serveCluster(leader: () => { id: number; epoch: number }): void {
  for (const fake of [one, two]) {
    fake.on(MetadataRequest, MetadataResponse, ({ topics }) => ({
      throttleTimeMs: 0,
      brokers: [
        { nodeId: 1, host: one.host, port: one.port, rack: null },
        { nodeId: 2, host: two.host, port: two.port, rack: null },
      ],
      clusterId: 'cluster',
      controllerId: 1,
      topics: (topics ?? []).map(({ name }) => ({
        errorCode: 0,
        name,
        topicId: TOPIC_ID,
        isInternal: false,
        partitions: [
          {
            errorCode: 0,
            partitionIndex: 0,
            leaderId: leader().id,
            leaderEpoch: leader().epoch,
            replicaNodes: [1, 2],
            isrNodes: [1, 2],
            offlineReplicas: [],
          },
        ],
      })),
    }))
    fake.on(InitProducerIdRequest, InitProducerIdResponse, () => {
      return { throttleTimeMs: 0, errorCode: 0, producerId: 7, producerEpoch: 0 }
    })
  }
}

type CurrentLeader = { readonly leaderId: number; readonly leaderEpoch: number }

/** One log, which whichever broker leads appends to; the other one refuses, and may name the leader. */
function serveLog(leaderId: () => number, named: () => CurrentLeader | null): ModelLog {
  const log = new ModelLog()
  for (const [index, fake] of [one, two].entries()) {
    fake.on(ProduceRequest, ProduceResponse, (body: Infer<typeof ProduceRequest>) => {
      const { topicId, name, partitionData } = body.topicData[0]!
      const leads = leaderId() === index + 1
      const stored = leads
        ? log.append(Buffer.concat(partitionData[0]!.records ?? []))
        : { errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER, baseOffset: -1 }
      const currentLeader = leads ? null : named()
      const row = { index: 0, ...stored, recordErrors: [], errorMessage: null }
      return {
        responses: [{ topicId, name, partitionResponses: [currentLeader === null ? row : { ...row, currentLeader }] }],
        throttleTimeMs: 0,
      }
    })
  }
  return log
}

describe('a leader that moves', () => {
  test('metadata tell where to; the order is kept', async () => {
    let leaderId = 1
    let epoch = 1
    serveCluster(() => ({ id: leaderId, epoch }))
    const log = serveLog(
      () => leaderId,
      () => null,
    )
    open()
    for (let index = 0; index < 30; index++) {
      if (index % 10 === 9) {
        leaderId = 3 - leaderId
        epoch += 1
      }
      await Promise.all([0, 1, 2].map((part) => producer.send({ topic, value: `${index * 3 + part}` })))
    }
    expect(log.values).toEqual(Array.from({ length: 90 }, (_, index) => String(index)))
  })

  test('the answer itself names the new leader: metadata are not asked again', async () => {
    let leaderId = 1
    serveCluster(() => ({ id: 1, epoch: 1 }))
    const log = serveLog(
      () => leaderId,
      () => ({ leaderId, leaderEpoch: 2 }),
    )
    open()
    await producer.send({ topic, value: 'a' })
    const asked = one.requests(MetadataRequest.key).length + two.requests(MetadataRequest.key).length
    leaderId = 2
    await producer.send({ topic, value: 'b' })
    expect(log.values).toEqual(['a', 'b'])
    expect(one.requests(MetadataRequest.key).length + two.requests(MetadataRequest.key).length).toBe(asked)
  })

  test('a broker that lags behind with its metadata is not believed', async () => {
    let told = { id: 1, epoch: 1 }
    let leaderId = 1
    serveCluster(() => told)
    serveLog(
      () => leaderId,
      () => ({ leaderId, leaderEpoch: 5 }),
    )
    open()
    await producer.send({ topic, value: 'a' })
    leaderId = 2
    await producer.send({ topic, value: 'b' })
    // The old leader with its old epoch, as a broker tells that has not heard yet.
    told = { id: 1, epoch: 4 }
    const before = one.requests(ProduceRequest.key).length
    await producer.send({ topic, value: 'c' })
    expect(one.requests(ProduceRequest.key).length).toBe(before)
  })
})

describe('brokers of other ages', () => {
  test('an old broker: topics by name, no flexible versions', async () => {
    serveMetadata(one, { topic, partitions: 1 })
    const { logs } = serveLogs(one, 1)
    one.versions.set(ProduceRequest.key, [0, 3])
    one.versions.set(MetadataRequest.key, [0, 4])
    one.versions.set(InitProducerIdRequest.key, [0, 0])
    open()
    expect((await producer.send({ topic, value: 'x' })).offset).toBe(0)
    expect(logs[0]!.values).toEqual(['x'])
    expect(one.requests(ProduceRequest.key)[0]?.version).toBe(3)
  })

  test('a broker without anything in common says so', async () => {
    serveMetadata(one, { topic, partitions: 1 })
    serveLogs(one, 1)
    one.versions.set(ProduceRequest.key, [0, 2])
    open()
    await expect(producer.send({ topic, value: 'x' })).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED_VERSION' })
  })
})

test('a cluster whose brokers were all replaced is found again by its bootstrap address', async () => {
  // The bootstrap address answers for whoever is there; the broker that the metadata name is gone for good.
  let nodes = two
  const answer = (names: readonly (string | null)[]) => ({
    throttleTimeMs: 0,
    brokers: [{ nodeId: nodes === two ? 2 : 1, host: nodes.host, port: nodes.port, rack: null }],
    clusterId: 'cluster',
    controllerId: 1,
    topics: names.map((name) => ({
      errorCode: 0,
      name,
      topicId: TOPIC_ID,
      isInternal: false,
      partitions: [
        {
          errorCode: 0,
          partitionIndex: 0,
          leaderId: nodes === two ? 2 : 1,
          leaderEpoch: nodes === two ? 1 : 2,
          replicaNodes: [1],
          isrNodes: [1],
          offlineReplicas: [],
        },
      ],
    })),
  })
  for (const fake of [one, two]) {
    fake.on(MetadataRequest, MetadataResponse, ({ topics }) => answer((topics ?? []).map(({ name }) => name)))
  }
  const first = serveLogs(two, 1)
  const second = serveLogs(one, 1)
  open()
  await producer.send({ topic, value: 'a' })
  nodes = one
  two.stop()
  await producer.send({ topic, value: 'b' })
  expect([first.logs[0]!.values, second.logs[0]!.values]).toEqual([['a'], ['b']])
})

test("a batch begins at offset 0 and knows no leader epoch: both are the broker's to give", async () => {
  serveMetadata(one, { topic, partitions: 1 })
  serveLogs(one, 1)
  open()
  await producer.send({ topic, value: 'x' })
  const body = one.requests(ProduceRequest.key)[0]?.body as Infer<typeof ProduceRequest>
  const header = readBatchHeader(Buffer.concat(body.topicData[0]!.partitionData[0]!.records ?? []), 0)
  expect([header.baseOffset, header.lastOffsetDelta, header.partitionLeaderEpoch]).toEqual([0, 0, -1])
})
