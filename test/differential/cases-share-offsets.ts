// Where share groups are: DescribeShareGroupOffsets, AlterShareGroupOffsets, DeleteShareGroupOffsets, and the states behind them.
import { FindCoordinatorRequest, FindCoordinatorResponse } from '../../src/protocol/messages/10-find-coordinator.ts'
import {
  InitializeShareGroupStateRequest,
  InitializeShareGroupStateResponse,
} from '../../src/protocol/messages/83-initialize-share-group-state.ts'
import {
  ReadShareGroupStateRequest,
  ReadShareGroupStateResponse,
} from '../../src/protocol/messages/84-read-share-group-state.ts'
import {
  WriteShareGroupStateRequest,
  WriteShareGroupStateResponse,
} from '../../src/protocol/messages/85-write-share-group-state.ts'
import {
  DeleteShareGroupStateRequest,
  DeleteShareGroupStateResponse,
} from '../../src/protocol/messages/86-delete-share-group-state.ts'
import {
  ReadShareGroupStateSummaryRequest,
  ReadShareGroupStateSummaryResponse,
} from '../../src/protocol/messages/87-read-share-group-state-summary.ts'
import {
  DescribeShareGroupOffsetsRequest,
  DescribeShareGroupOffsetsResponse,
} from '../../src/protocol/messages/90-describe-share-group-offsets.ts'
import {
  AlterShareGroupOffsetsRequest,
  AlterShareGroupOffsetsResponse,
} from '../../src/protocol/messages/91-alter-share-group-offsets.ts'
import {
  DeleteShareGroupOffsetsRequest,
  DeleteShareGroupOffsetsResponse,
} from '../../src/protocol/messages/92-delete-share-group-offsets.ts'
import type { Infer } from '../../src/protocol/schema.ts'
import type { DifferentialBroker } from './broker.ts'
import { asks, type CaseGroup } from './case.ts'
import { prepareShareTopics, SHARE_OTHER, SHARE_TOPIC, story } from './cases-share-groups.ts'
import { setGroupConfig } from './consumer-group-helpers.ts'
import { appendBatch, batchOf } from './produce-helpers.ts'
import { ACCEPT, acquiredOf, RELEASE, range, ShareClient } from './share-helpers.ts'

const describesOffsets = asks(DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsResponse)
const altersOffsets = asks(AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse)
const deletesOffsets = asks(DeleteShareGroupOffsetsRequest, DeleteShareGroupOffsetsResponse)
const initializes = asks(InitializeShareGroupStateRequest, InitializeShareGroupStateResponse)
const reads = asks(ReadShareGroupStateRequest, ReadShareGroupStateResponse)
const writes = asks(WriteShareGroupStateRequest, WriteShareGroupStateResponse)
const deletes = asks(DeleteShareGroupStateRequest, DeleteShareGroupStateResponse)
const summarizes = asks(ReadShareGroupStateSummaryRequest, ReadShareGroupStateSummaryResponse)
const finds = asks(FindCoordinatorRequest, FindCoordinatorResponse)

type Described = Infer<typeof DescribeShareGroupOffsetsResponse>

async function offsetsOf(broker: DifferentialBroker, groupId: string, topicName: string): Promise<Described['groups']> {
  const connection = await broker.connection('share')
  const value = { groups: [{ groupId, topics: [{ topicName, partitions: [0] }] }] }
  const answer = await connection.send(DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsResponse, value, {
    version: 1,
  })
  return answer.groups
}

/** What is written down may be described a moment later. */
async function untilOffset(broker: DifferentialBroker, groupId: string, topic: string, lag: number): Promise<unknown> {
  let groups = await offsetsOf(broker, groupId, topic)
  await broker.until(`${groupId} has lag ${lag}`, async () => {
    if (groups[0]?.topics[0]?.partitions[0]?.lag === lag) return true
    groups = await offsetsOf(broker, groupId, topic)
    return false
  })
  return groups
}

/** A group that has read some of a topic of its own, and has left. */
async function readerOf(broker: DifferentialBroker, name: string): Promise<ShareClient> {
  const topic = `share-offsets-${name}`
  const groupId = `share-offsets-${name}`
  await broker.createTopic(topic)
  await setGroupConfig(broker, groupId, 'share.auto.offset.reset', 'earliest')
  await setGroupConfig(broker, groupId, 'share.assignment.interval.ms', '0')
  await appendBatch(broker, topic, 0, batchOf(['a', 'b', 'c', 'd', 'e', 'f']))
  const client = new ShareClient(broker, groupId, `${name}-1`, topic)
  await client.join()
  await client.untilAssigned(1)
  return client
}

function alteration(groupId: string, topicName: string, ...offsets: readonly (readonly [number, number])[]) {
  const partitions = offsets.map(([partitionIndex, startOffset]) => ({ partitionIndex, startOffset }))
  return { groupId, topics: [{ topicName, partitions }] }
}

const OFFSETS: CaseGroup = {
  api: 'offsets of share groups',
  prepare: prepareShareTopics,
  cases: [
    ...[0, 1].flatMap((version) => [
      describesOffsets('unknown groups', version, {
        groups: [
          { groupId: 'share-offsets-unknown', topics: null },
          { groupId: 'share-offsets-unknown', topics: [] },
          { groupId: 'share-offsets-unknown', topics: [{ topicName: SHARE_TOPIC, partitions: [0, 1] }] },
          { groupId: 'share-offsets-unknown', topics: [{ topicName: 'share-never', partitions: [0] }] },
          { groupId: '', topics: null },
        ],
      }),
    ]),
    altersOffsets('altering without a group', 0, alteration('', SHARE_TOPIC, [0, 1])),
    altersOffsets('no topics', 0, { groupId: 'share-altered', topics: [] }),
    altersOffsets('an unknown topic', 0, alteration('share-altered', 'share-never', [0, 1])),
    describesOffsets('nothing has come of it', 1, { groups: [{ groupId: 'share-altered', topics: null }] }),
    altersOffsets('known and unknown partitions', 0, alteration('share-altered', SHARE_TOPIC, [0, 5], [1, 0], [7, 1])),
    story('they are described', async (broker) => {
      const described: unknown[] = []
      await broker.until('both partitions are there', async () => {
        const connection = await broker.connection('share')
        const value = { groups: [{ groupId: 'share-altered', topics: null }] }
        const answer = await connection.send(
          DescribeShareGroupOffsetsRequest,
          DescribeShareGroupOffsetsResponse,
          value,
          { version: 1 },
        )
        described[0] = answer.groups
        return answer.groups[0]?.topics[0]?.partitions.length === 2
      })
      return described
    }),
    deletesOffsets('deleting without a group', 0, { groupId: '', topics: [] }),
    deletesOffsets('an unknown group', 0, { groupId: 'share-offsets-unknown', topics: [{ topicName: SHARE_TOPIC }] }),
    deletesOffsets('of known and unknown topics', 0, {
      groupId: 'share-altered',
      topics: [{ topicName: SHARE_TOPIC }, { topicName: SHARE_OTHER }, { topicName: 'share-never' }],
    }),
    deletesOffsets('again', 0, { groupId: 'share-altered', topics: [{ topicName: SHARE_TOPIC }] }),
    story('a group with members', async (broker) => {
      const client = await readerOf(broker, 'members')
      const connection = await broker.connection('share')
      const altered = await connection.send(
        AlterShareGroupOffsetsRequest,
        AlterShareGroupOffsetsResponse,
        alteration(client.groupId, client.topic, [0, 1]),
        { version: 0 },
      )
      const value = { groupId: client.groupId, topics: [{ topicName: client.topic }] }
      const deleted = await connection.send(DeleteShareGroupOffsetsRequest, DeleteShareGroupOffsetsResponse, value, {
        version: 0,
      })
      return [altered, deleted]
    }),
    story('the lag counts what was delivered behind the start offset', async (broker) => {
      const client = await readerOf(broker, 'lag')
      const before = await offsetsOf(broker, client.groupId, client.topic)
      await client.fetchSome()
      await client.acknowledge([range(0, 5, RELEASE, ACCEPT, ACCEPT, RELEASE, ACCEPT, ACCEPT)])
      const some = await untilOffset(broker, client.groupId, client.topic, 2)
      const again = await client.fetchSome()
      await client.acknowledge([range(0, 0, ACCEPT), range(3, 3, ACCEPT)])
      return [before, some, acquiredOf(again), await untilOffset(broker, client.groupId, client.topic, 0)]
    }),
    story('a group goes on where it is told to', async (broker) => {
      const client = await readerOf(broker, 'reset')
      await client.fetchSome()
      await client.acknowledge([range(0, 5, ACCEPT)])
      await client.fetch({ epoch: -1 })
      await client.leave()
      const connection = await broker.connection('share')
      const altered = await connection.send(
        AlterShareGroupOffsetsRequest,
        AlterShareGroupOffsetsResponse,
        alteration(client.groupId, client.topic, [0, 2]),
        { version: 0 },
      )
      broker.dropConnection(client.connectionName)
      const next = new ShareClient(broker, client.groupId, 'next', client.topic)
      await next.join()
      await next.untilAssigned(1)
      return [altered, acquiredOf(await next.fetchSome())]
    }),
  ],
}

const STATE = 'share-state-group'

function stateTopics<Partition>(partition: (index: number) => Partition, ...partitions: number[]) {
  return (broker: DifferentialBroker) => ({
    groupId: STATE,
    topics: [{ topicId: broker.topicId(SHARE_TOPIC), partitions: partitions.map(partition) }],
  })
}

const batches = [
  { firstOffset: 10, lastOffset: 14, deliveryState: 2, deliveryCount: 1 },
  { firstOffset: 12, lastOffset: 19, deliveryState: 0, deliveryCount: 2 },
]

const STATES: CaseGroup = {
  api: 'states of share partitions',
  prepare: async (broker) => {
    await prepareShareTopics(broker)
    // The topic of the states is there and loaded.
    const client = await readerOf(broker, 'states')
    await client.leave()
  },
  cases: [
    ...[6].flatMap((version) => [
      finds('keys that are none', version, {
        keyType: 2,
        coordinatorKeys: ['a', 'a:b:0', 'a:AAAAAAAAAAAAAAAAAAAAAA:x'],
      }),
      finds('a share partition', version, { keyType: 2, coordinatorKeys: ['a:AAAAAAAAAAAAAAAAAAAAAA:0'] }),
    ]),
    finds('an old version', 5, { keyType: 2, coordinatorKeys: ['a:AAAAAAAAAAAAAAAAAAAAAA:0'] }),
    reads(
      'reading: before there is one',
      0,
      stateTopics((partition) => ({ partition, leaderEpoch: 0 }), 0),
    ),
    ...[0, 1].flatMap((version) => [
      summarizes(
        'summarizing: before there is one',
        version,
        stateTopics((partition) => ({ partition, leaderEpoch: 0 }), 0),
      ),
      writes(
        'writing: before there is one',
        version,
        stateTopics((partition) => ({ partition, stateEpoch: 0, leaderEpoch: 0, startOffset: 0, stateBatches: [] }), 0),
      ),
    ]),
    deletes(
      'deleting: before there is one',
      0,
      stateTopics((partition) => ({ partition }), 0),
    ),
    initializes(
      'initializing: two of them',
      0,
      stateTopics((partition) => ({ partition, stateEpoch: 3, startOffset: 10 }), 0, 1),
    ),
    initializes(
      'initializing: in an older epoch',
      0,
      stateTopics((partition) => ({ partition, stateEpoch: 2, startOffset: 10 }), 0),
    ),
    initializes(
      'initializing: a partition that does not exist',
      0,
      stateTopics((partition) => ({ partition, stateEpoch: 3, startOffset: 0 }), 9),
    ),
    initializes(
      'initializing: a negative partition',
      0,
      stateTopics((partition) => ({ partition, stateEpoch: 3, startOffset: 0 }), -1),
    ),
    initializes('initializing: no group', 0, { groupId: '', topics: [] }),
    writes(
      'writing: batches that overlap',
      1,
      stateTopics(
        (partition) => ({
          partition,
          stateEpoch: 3,
          leaderEpoch: 0,
          startOffset: 10,
          deliveryCompleteCount: 2,
          stateBatches: batches,
        }),
        0,
      ),
    ),
    writes(
      'writing: in an older state epoch',
      1,
      stateTopics((partition) => ({ partition, stateEpoch: 2, leaderEpoch: 0, startOffset: 10, stateBatches: [] }), 0),
    ),
    reads(
      'reading: what was written',
      0,
      stateTopics((partition) => ({ partition, leaderEpoch: 0 }), 0, 1),
    ),
    summarizes(
      'summarizing: what was written',
      1,
      stateTopics((partition) => ({ partition, leaderEpoch: 0 }), 0, 1),
    ),
    reads(
      'reading: in a newer leader epoch',
      0,
      stateTopics((partition) => ({ partition, leaderEpoch: 5 }), 0),
    ),
    reads(
      'reading: in an older leader epoch',
      0,
      stateTopics((partition) => ({ partition, leaderEpoch: 4 }), 0),
    ),
    writes(
      'writing: in an older leader epoch',
      1,
      stateTopics((partition) => ({ partition, stateEpoch: 3, leaderEpoch: 4, startOffset: 10, stateBatches: [] }), 0),
    ),
    writes(
      'writing: a start offset within a batch',
      1,
      stateTopics((partition) => ({ partition, stateEpoch: 3, leaderEpoch: 5, startOffset: 13, stateBatches: [] }), 0),
    ),
    reads(
      'reading: what is left',
      0,
      stateTopics((partition) => ({ partition, leaderEpoch: 5 }), 0),
    ),
    deletes(
      'deleting: both',
      0,
      stateTopics((partition) => ({ partition }), 0, 1),
    ),
    reads(
      'reading: after the deletion',
      0,
      stateTopics((partition) => ({ partition, leaderEpoch: 5 }), 0),
    ),
  ],
}

export const SHARE_OFFSET_CASES: readonly CaseGroup[] = [OFFSETS, STATES]
