// ShareGroupHeartbeat and ShareGroupDescribe, and how the other group requests see share groups.
import { OffsetCommitRequest, OffsetCommitResponse } from '../../src/protocol/messages/08-offset-commit.ts'
import { OffsetFetchRequest, OffsetFetchResponse } from '../../src/protocol/messages/09-offset-fetch.ts'
import { JoinGroupRequest, JoinGroupResponse } from '../../src/protocol/messages/11-join-group.ts'
import { HeartbeatRequest, HeartbeatResponse } from '../../src/protocol/messages/12-heartbeat.ts'
import { LeaveGroupRequest, LeaveGroupResponse } from '../../src/protocol/messages/13-leave-group.ts'
import { SyncGroupRequest, SyncGroupResponse } from '../../src/protocol/messages/14-sync-group.ts'
import { DescribeGroupsRequest, DescribeGroupsResponse } from '../../src/protocol/messages/15-describe-groups.ts'
import { ListGroupsRequest, ListGroupsResponse } from '../../src/protocol/messages/16-list-groups.ts'
import { DeleteGroupsRequest, DeleteGroupsResponse } from '../../src/protocol/messages/42-delete-groups.ts'
import { OffsetDeleteRequest, OffsetDeleteResponse } from '../../src/protocol/messages/47-offset-delete.ts'
import {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '../../src/protocol/messages/68-consumer-group-heartbeat.ts'
import {
  ConsumerGroupDescribeRequest,
  ConsumerGroupDescribeResponse,
} from '../../src/protocol/messages/69-consumer-group-describe.ts'
import {
  ShareGroupHeartbeatRequest,
  ShareGroupHeartbeatResponse,
} from '../../src/protocol/messages/76-share-group-heartbeat.ts'
import {
  ShareGroupDescribeRequest,
  ShareGroupDescribeResponse,
} from '../../src/protocol/messages/77-share-group-describe.ts'
import type { Input } from '../../src/protocol/schema.ts'
import type { DifferentialBroker } from './broker.ts'
import { asks, type CaseGroup, type DifferentialCase } from './case.ts'
import { setGroupConfig } from './consumer-group-helpers.ts'
import { untilCoordinated } from './group-helpers.ts'
import { describeShareGroups, ShareClient } from './share-helpers.ts'

const heartbeat = asks(ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse)
const describes = asks(ShareGroupDescribeRequest, ShareGroupDescribeResponse)

export const SHARE_TOPIC = 'share-topic'
export const SHARE_OTHER = 'share-other'

export function story(name: string, tell: (broker: DifferentialBroker) => Promise<unknown>): DifferentialCase {
  return { name, ask: tell }
}

export async function prepareShareTopics(broker: DifferentialBroker): Promise<void> {
  await untilCoordinated(broker)
  if (broker.memory.has(`topic id of ${SHARE_TOPIC}`)) return
  await broker.createTopic(SHARE_TOPIC, { partitions: 3 })
  await broker.createTopic(SHARE_OTHER, { partitions: 2 })
}

type BeatInput = Input<typeof ShareGroupHeartbeatRequest>

function joining(more: Partial<BeatInput> = {}): BeatInput {
  const member = { groupId: 'share-checked', memberId: 'm', memberEpoch: 0 }
  return { ...member, rackId: null, subscribedTopicNames: [SHARE_TOPIC], ...more }
}

/** A group with one member that has all partitions of the topic. */
async function settledGroup(broker: DifferentialBroker, groupId: string): Promise<ShareClient> {
  await setGroupConfig(broker, groupId, 'share.assignment.interval.ms', '0')
  const client = new ShareClient(broker, groupId, `${groupId}-m`, SHARE_TOPIC)
  await client.join()
  await client.untilAssigned(3)
  return client
}

/** Which partitions they are depends on the topic's id, which each broker makes itself. */
async function countOf(client: ShareClient): Promise<unknown> {
  const { assignment, memberEpoch } = await client.beat({ subscribedTopicNames: [SHARE_TOPIC] })
  return [memberEpoch, assignment?.topicPartitions.map(({ partitions }) => partitions.length)]
}

const REQUESTS: CaseGroup = {
  api: 'ShareGroupHeartbeat',
  prepare: prepareShareTopics,
  cases: [
    heartbeat('no group id', 1, joining({ groupId: '' })),
    heartbeat('a blank group id', 1, joining({ groupId: ' ' })),
    heartbeat('no member id', 1, joining({ memberId: '' })),
    heartbeat('a blank member id', 1, joining({ memberId: ' ' })),
    heartbeat('a member id of 37 characters', 1, joining({ memberId: 'x'.repeat(37) })),
    heartbeat('an empty rack', 1, joining({ rackId: '' })),
    heartbeat('joining without a subscription', 1, joining({ subscribedTopicNames: null })),
    heartbeat('joining with an empty subscription', 1, joining({ subscribedTopicNames: [] })),
    heartbeat('an impossible epoch', 1, joining({ memberEpoch: -2 })),
    heartbeat('an unknown group', 1, joining({ memberEpoch: 1 })),
    heartbeat('leaving an unknown group', 1, joining({ memberEpoch: -1 })),
    story('a topic that does not exist', async (broker) => {
      const client = new ShareClient(broker, 'share-nothing', 'm', SHARE_TOPIC)
      return [
        await client.join(['share-never']),
        await client.beat(),
        await describeShareGroups(broker, 'share-nothing'),
      ]
    }),
    story('one member gets everything', async (broker) => {
      await setGroupConfig(broker, 'share-one', 'share.assignment.interval.ms', '0')
      const client = new ShareClient(broker, 'share-one', 'm', SHARE_TOPIC)
      const joined = await client.join()
      await client.untilAssigned(3)
      return [joined, await client.beat(), await client.join(), await describeShareGroups(broker, 'share-one')]
    }),
    story('epochs that do not fit', async (broker) => {
      const client = await settledGroup(broker, 'share-epochs')
      const { memberEpoch } = client
      return [
        await client.beat({ memberEpoch: memberEpoch + 1 }),
        await client.beat({ memberEpoch: memberEpoch - 1 }),
        await client.beat({ memberEpoch: 1 }),
        await client.beat({ memberId: 'stranger' }),
        await client.beat({ memberId: 'stranger', memberEpoch: -1 }),
      ]
    }),
    story('more members than partitions share them', async (broker) => {
      const first = await settledGroup(broker, 'share-many')
      const others = ['b', 'c', 'd'].map((id) => new ShareClient(broker, 'share-many', id, SHARE_TOPIC))
      for (const other of others) await other.join()
      const beats: unknown[] = []
      for (const client of [first, ...others]) beats.push(await countOf(client))
      await others[0]!.leave()
      for (const client of [first, others[1]!]) {
        beats.push(await countOf(client))
      }
      return beats
    }),
    story('members that subscribe to different topics', async (broker) => {
      const first = await settledGroup(broker, 'share-mixed')
      const second = new ShareClient(broker, 'share-mixed', 'other', SHARE_OTHER)
      await second.join()
      await second.untilAssigned(2)
      await first.beat({ subscribedTopicNames: [SHARE_TOPIC, SHARE_OTHER] })
      const beats: unknown[] = []
      for (const client of [first, second, first]) {
        const beat = await client.beat({
          subscribedTopicNames: client === first ? [SHARE_TOPIC, SHARE_OTHER] : [SHARE_OTHER],
        })
        beats.push(beat.assignment, beat.memberEpoch)
      }
      return [...beats, await describeShareGroups(broker, 'share-mixed')]
    }),
    story('a member changes what it reads, leaves and comes back', async (broker) => {
      const client = await settledGroup(broker, 'share-changes')
      const changed = await client.beat({ subscribedTopicNames: [SHARE_OTHER] })
      const left = await client.leave()
      const empty = await describeShareGroups(broker, 'share-changes')
      await client.join()
      await client.untilAssigned(3)
      return [changed, left, empty, await describeShareGroups(broker, 'share-changes')]
    }),
    story('a full group', async (broker) => {
      for (const id of ['a', 'b', 'c']) await new ShareClient(broker, 'share-full', id, SHARE_TOPIC).join()
      return new ShareClient(broker, 'share-full', 'd', SHARE_TOPIC).join()
    }),
  ],
}

const OTHERS: CaseGroup = {
  api: 'share groups and other requests',
  prepare: async (broker) => {
    await prepareShareTopics(broker)
    await settledGroup(broker, 'share-seen')
    const emptied = await settledGroup(broker, 'share-empty')
    await emptied.leave()
  },
  cases: [
    describes('unknown, empty and other groups', 1, {
      groupIds: ['share-unknown', '', 'share-empty'],
      includeAuthorizedOperations: true,
    }),
    asks(ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse)('ConsumerGroupDescribe', 1, {
      groupIds: ['share-seen'],
      includeAuthorizedOperations: false,
    }),
    ...[5, 6].map((version) =>
      asks(DescribeGroupsRequest, DescribeGroupsResponse)('DescribeGroups', version, {
        groups: ['share-seen'],
        includeAuthorizedOperations: false,
      }),
    ),
    ...[
      { statesFilter: [], typesFilter: ['share'] },
      { statesFilter: ['stable'], typesFilter: ['Share'] },
      { statesFilter: ['empty'], typesFilter: ['share'] },
    ].map((value) =>
      asks(ListGroupsRequest, ListGroupsResponse)(`ListGroups ${JSON.stringify(value)}`, 5, value, {
        only: ({ errorCode, groups }) => [errorCode, groups.filter(({ groupId }) => /seen|empty/.test(groupId))],
      }),
    ),
    ...['share-seen', 'share-empty'].flatMap((groupId) => [
      asks(JoinGroupRequest, JoinGroupResponse)(`JoinGroup ${groupId}`, 5, {
        groupId,
        sessionTimeoutMs: 30_000,
        rebalanceTimeoutMs: 30_000,
        memberId: '',
        groupInstanceId: null,
        protocolType: 'consumer',
        protocols: [{ name: 'range', metadata: Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) }],
      }),
      asks(SyncGroupRequest, SyncGroupResponse)(`SyncGroup ${groupId}`, 5, {
        groupId,
        generationId: 1,
        memberId: 'm',
        groupInstanceId: null,
        protocolType: 'consumer',
        protocolName: 'range',
        assignments: [],
      }),
      asks(HeartbeatRequest, HeartbeatResponse)(`Heartbeat ${groupId}`, 4, {
        groupId,
        generationId: 1,
        memberId: 'm',
        groupInstanceId: null,
      }),
      asks(LeaveGroupRequest, LeaveGroupResponse)(`LeaveGroup ${groupId}`, 5, {
        groupId,
        members: [{ memberId: 'm', groupInstanceId: null, reason: null }],
      }),
      asks(ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse)(`ConsumerGroupHeartbeat ${groupId}`, 1, {
        groupId,
        memberId: 'm',
        memberEpoch: 0,
        rebalanceTimeoutMs: 30_000,
        subscribedTopicNames: [SHARE_TOPIC],
        topicPartitions: [],
      }),
      ...[8, 9].map((version) =>
        asks(OffsetCommitRequest, OffsetCommitResponse)(`OffsetCommit ${groupId}`, version, {
          groupId,
          generationIdOrMemberEpoch: -1,
          memberId: '',
          topics: [
            { name: SHARE_TOPIC, partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: '' }] },
          ],
        }),
      ),
      asks(OffsetFetchRequest, OffsetFetchResponse)(`OffsetFetch ${groupId}`, 9, {
        groups: [{ groupId, memberId: null, memberEpoch: -1, topics: [{ name: SHARE_TOPIC, partitionIndexes: [0] }] }],
        requireStable: false,
      }),
      asks(OffsetFetchRequest, OffsetFetchResponse)(`OffsetFetch of everything ${groupId}`, 9, {
        groups: [{ groupId, memberId: null, memberEpoch: -1, topics: null }],
        requireStable: true,
      }),
      asks(OffsetDeleteRequest, OffsetDeleteResponse)(`OffsetDelete ${groupId}`, 0, {
        groupId,
        topics: [{ name: SHARE_TOPIC, partitions: [{ partitionIndex: 0 }] }],
      }),
    ]),
    asks(DeleteGroupsRequest, DeleteGroupsResponse)('DeleteGroups', 2, {
      groupsNames: ['share-seen', 'share-empty', 'share-unknown'],
    }),
    describes('after the deletion', 1, { groupIds: ['share-seen', 'share-empty'], includeAuthorizedOperations: false }),
    story('a share heartbeat to a group of another type', async (broker) => {
      const connection = await broker.connection('share')
      const consumer = { groupId: 'share-not', memberId: 'm', memberEpoch: 0, rebalanceTimeoutMs: 30_000 }
      const wishes = { subscribedTopicNames: [SHARE_TOPIC], topicPartitions: [] }
      const joined = await connection.send(
        ConsumerGroupHeartbeatRequest,
        ConsumerGroupHeartbeatResponse,
        { ...consumer, ...wishes },
        { version: 1 },
      )
      const client = new ShareClient(broker, 'share-not', 'm', SHARE_TOPIC)
      return [
        joined.errorCode,
        await client.join(),
        await client.leave(),
        await describeShareGroups(broker, 'share-not'),
      ]
    }),
  ],
}

export const SHARE_GROUP_CASES: readonly CaseGroup[] = [REQUESTS, OTHERS]
