/** Reading from a replica nearby (KIP-392): the leader names one, and is asked again when that one does not serve. */
import { afterEach, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import { Consumer } from '../../../src/client/consumer/consumer.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { FetchRequest, FetchResponse } from '../../../src/protocol/messages/01-fetch.ts'
import { MetadataRequest, MetadataResponse } from '../../../src/protocol/messages/03-metadata.ts'
import { buildBatch } from '../../../src/records/batch.ts'
import { FakeBroker } from '../fake-broker.ts'
import { TOPIC_ID } from '../fake-metadata.ts'

// Nothing here waits for time; a busy machine does.
setDefaultTimeout(60_000)

const topic = 'orders'
let leader: FakeBroker
let follower: FakeBroker
let consumer: Consumer
/** What was asked of whom: `leader 0`, with the rack on what goes to the leader. */
let asked: string[]

beforeEach(() => {
  asked = []
  leader = new FakeBroker()
  follower = new FakeBroker()
  const brokers = [leader, follower].map(({ host, port }, index) => ({ nodeId: index + 1, host, port, rack: null }))
  const partition = { errorCode: 0, partitionIndex: 0, leaderId: 1, leaderEpoch: 0, offlineReplicas: [] }
  const partitions = [{ ...partition, replicaNodes: [1, 2], isrNodes: [1, 2] }]
  const topics = [{ errorCode: 0, name: topic, topicId: TOPIC_ID, isInternal: false, partitions }]
  for (const fake of [leader, follower]) {
    const answer = { throttleTimeMs: 0, brokers, clusterId: 'cluster', controllerId: 1, topics }
    fake.on(MetadataRequest, MetadataResponse, () => answer)
  }
  consumer = new Consumer({
    bootstrap: `127.0.0.1:${leader.port}`,
    rack: 'here',
    retry: { backoffMs: 1, backoffMaxMs: 5 },
  })
})

afterEach(async () => {
  await consumer.close()
  leader.stop()
  follower.stop()
})

interface Row {
  readonly values?: readonly string[]
  readonly errorCode?: number
  readonly preferredReadReplica?: number
}

function serve(fake: FakeBroker, name: string, answerAt: (fetchOffset: number) => Row): void {
  fake.on(FetchRequest, FetchResponse, async ({ topics, rackId }) => {
    const row = topics[0]?.partitions[0]
    if (row === undefined) return { throttleTimeMs: 0, errorCode: 0, sessionId: 0, responses: [] }
    asked.push(`${name} ${row.fetchOffset} ${rackId}`)
    const { values = [], errorCode = 0, preferredReadReplica = -1 } = answerAt(row.fetchOffset)
    // Stands for the long poll of a real broker.
    if (values.length === 0 && errorCode === 0 && preferredReadReplica < 0) await Bun.sleep(5)
    const records = values.map((value) => ({ timestamp: 5, key: null, value: Buffer.from(value), headers: [] }))
    const batches = values.length === 0 ? [] : [buildBatch({ baseOffset: row.fetchOffset, leaderEpoch: 0, records })]
    const marks = { highWatermark: 100, lastStableOffset: 100, logStartOffset: 0, abortedTransactions: null }
    const partitions = [{ partitionIndex: 0, errorCode, ...marks, preferredReadReplica, records: batches }]
    return { throttleTimeMs: 0, errorCode: 0, sessionId: 0, responses: [{ topic, topicId: TOPIC_ID, partitions }] }
  })
}

async function read(count: number): Promise<string[]> {
  await consumer.assign([{ topic, partition: 0, offset: 0 }])
  const values: string[] = []
  for await (const { value } of consumer.messages()) if (values.push(String(value)) === count) break
  return values
}

test('the leader hears the rack and names a replica, which is read from', async () => {
  serve(leader, 'leader', () => ({ preferredReadReplica: 2 }))
  serve(follower, 'follower', (offset) => (offset < 4 ? { values: [`${offset}`, `${offset + 1}`] } : {}))
  expect(await read(4)).toEqual(['0', '1', '2', '3'])
  expect(asked.slice(0, 3)).toEqual(['leader 0 here', 'follower 0 here', 'follower 2 here'])
})

test.each([
  ['that is behind', ErrorCode.OFFSET_OUT_OF_RANGE],
  ['that has the partition no more', ErrorCode.NOT_LEADER_OR_FOLLOWER],
  ['whose disk is gone', ErrorCode.REPLICA_NOT_AVAILABLE],
])('of a replica %s the leader takes over, at the same offset', async (_, errorCode) => {
  let named = 0
  serve(leader, 'leader', (offset) =>
    named++ === 0 ? { preferredReadReplica: 2 } : { values: [`from the leader ${offset}`] },
  )
  serve(follower, 'follower', (offset) => (offset === 0 ? { values: ['from the replica'] } : { errorCode }))
  expect(await read(2)).toEqual(['from the replica', 'from the leader 1'])
})

test('of a replica that cannot be reached the leader takes over', async () => {
  let named = 0
  serve(leader, 'leader', (offset) => (named++ === 0 ? { preferredReadReplica: 2 } : { values: [`${offset}`] }))
  follower.stop()
  expect(await read(1)).toEqual(['0'])
})
