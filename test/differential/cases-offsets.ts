// OffsetCommit, OffsetFetch, OffsetDelete, DescribeGroups, ListGroups and DeleteGroups.
import { OffsetCommitRequest, OffsetCommitResponse } from '../../src/protocol/messages/08-offset-commit.ts'
import { OffsetFetchRequest, OffsetFetchResponse } from '../../src/protocol/messages/09-offset-fetch.ts'
import { DescribeGroupsRequest, DescribeGroupsResponse } from '../../src/protocol/messages/15-describe-groups.ts'
import { ListGroupsRequest, ListGroupsResponse } from '../../src/protocol/messages/16-list-groups.ts'
import { DeleteGroupsRequest, DeleteGroupsResponse } from '../../src/protocol/messages/42-delete-groups.ts'
import { OffsetDeleteRequest, OffsetDeleteResponse } from '../../src/protocol/messages/47-offset-delete.ts'
import type { Infer, Input } from '../../src/protocol/schema.ts'
import type { DifferentialBroker } from './broker.ts'
import { asks, type CaseGroup, type DifferentialCase } from './case.ts'
import { describeGroup, Participant, stableGroup, untilCoordinated, untilState } from './group-helpers.ts'

const commit = asks(OffsetCommitRequest, OffsetCommitResponse)
const fetch = asks(OffsetFetchRequest, OffsetFetchResponse)
const describe = asks(DescribeGroupsRequest, DescribeGroupsResponse)
const list = asks(ListGroupsRequest, ListGroupsResponse)
const deleteGroups = asks(DeleteGroupsRequest, DeleteGroupsResponse)
const deleteOffsets = asks(OffsetDeleteRequest, OffsetDeleteResponse)

const TOPIC = 'offsets'
const UNKNOWN_ID = 'MTIzNDU2Nzg5MDEyMzQ1Ng'

type CommitInput = Input<typeof OffsetCommitRequest>

interface Commit extends Partial<CommitInput> {
  topic?: string
  offset?: number
  partition?: number
  metadata?: string | null
  epoch?: number
}

function committing(broker: DifferentialBroker, groupId: string, more: Commit = {}): CommitInput {
  const { topic = TOPIC, offset = 7, partition = 0, metadata = 'note', epoch = -1, ...rest } = more
  const topicId = (broker.memory.get(`topic id of ${topic}`) as string | undefined) ?? UNKNOWN_ID
  const row = {
    partitionIndex: partition,
    committedOffset: offset,
    committedLeaderEpoch: epoch,
    committedMetadata: metadata,
  }
  return { groupId, memberId: '', topics: [{ name: topic, topicId, partitions: [row] }], ...rest }
}

function commits(name: string, version: number, groupId: string, more: Commit = {}): DifferentialCase {
  return commit(name, version, (broker) => committing(broker, groupId, more))
}

async function committed(
  broker: DifferentialBroker,
  groupId: string,
  more: Commit = {},
  version = 9,
): Promise<Infer<typeof OffsetCommitResponse>> {
  const connection = await broker.connection('asks')
  return connection.send(OffsetCommitRequest, OffsetCommitResponse, committing(broker, groupId, more), { version })
}

function fetchesOld(
  name: string,
  version: number,
  groupId: string,
  topics: { name: string; partitionIndexes: number[] }[] | null,
): DifferentialCase {
  return fetch(name, version, { groupId, topics, groups: [] })
}

function fetches(
  name: string,
  version: number,
  groupId: string,
  partitionIndexes: number[] | null = [0, 1],
  topic = TOPIC,
): DifferentialCase {
  return fetch(name, version, (broker) => {
    const topicId = (broker.memory.get(`topic id of ${topic}`) as string | undefined) ?? UNKNOWN_ID
    const topics = partitionIndexes === null ? null : [{ name: topic, topicId, partitionIndexes }]
    return { groups: [{ groupId, topics }], topics: [] }
  })
}

const COMMIT: CaseGroup = {
  api: 'OffsetCommit',
  prepare: async (broker) => {
    await untilCoordinated(broker)
    await broker.createTopic(TOPIC, { partitions: 3 })
  },
  cases: [
    ...[2, 3, 4, 5, 6, 7, 8, 9, 10].map((version) => commits('without a member', version, `commit-${version}`)),
    ...[1, 2, 3, 4, 5].map((version) =>
      fetchesOld('OffsetFetch finds it', version, 'commit-2', [{ name: TOPIC, partitionIndexes: [0, 1] }]),
    ),
    fetches('OffsetFetch finds it', 9, 'commit-9'),
    commits('an unknown topic', 9, 'commit-errors', { topic: 'offsets-none' }),
    commits('an unknown topic id', 10, 'commit-errors', { topic: 'offsets-none' }),
    commits('an unknown partition', 9, 'commit-errors', { partition: 9 }),
    commit('a known and an unknown partition', 9, (broker) => {
      const value = committing(broker, 'commit-some')
      const row = { committedOffset: 3, committedMetadata: null }
      const partitions = [
        { ...row, partitionIndex: 1 },
        { ...row, partitionIndex: 44 },
      ]
      return {
        ...value,
        topics: [
          { name: TOPIC, partitions },
          { name: 'offsets-none', partitions },
        ],
      }
    }),
    fetches('OffsetFetch finds the known one', 8, 'commit-some', [0, 1]),
    commits('an unknown group with a generation', 8, 'commit-none', { generationIdOrMemberEpoch: 1, memberId: 'm' }),
    commits('an unknown group with a generation, new version', 9, 'commit-none', {
      generationIdOrMemberEpoch: 1,
      memberId: 'm',
    }),
    commits('metadata of the greatest length', 9, 'commit-metadata', { metadata: 'x'.repeat(4096) }),
    commits('metadata that is too long', 9, 'commit-metadata', { metadata: 'x'.repeat(4097), partition: 1 }),
    commits('null metadata', 9, 'commit-null', { metadata: null }),
    fetches('OffsetFetch gives it back as empty', 9, 'commit-null'),
    commits('a negative offset', 9, 'commit-negative', { offset: -5 }),
    fetches('OffsetFetch gives it back', 9, 'commit-negative'),
    commits('with a leader epoch', 9, 'commit-epoch', { epoch: 4 }),
    fetches('OffsetFetch gives the epoch back', 9, 'commit-epoch'),
    commits('an empty group id', 9, ''),
    commits('no topics', 9, 'commit-nothing', { topics: [] }),
    commits('with a retention time', 3, 'commit-retention', { retentionTimeMs: 60_000 }),
    {
      name: 'of a member, in every state',
      ask: async (broker) => {
        const groupId = 'commit-member'
        const alice = new Participant(broker, groupId, 'alice')
        await alice.join()
        const mine = () => ({ generationIdOrMemberEpoch: alice.generationId, memberId: alice.memberId })
        const completing = await committed(broker, groupId, mine())
        await alice.sync([[alice, 'all']])
        const stable = await committed(broker, groupId, mine())
        const outsider = await committed(broker, groupId)
        const unknown = await committed(broker, groupId, { ...mine(), memberId: 'made-up' })
        const generation = await committed(broker, groupId, { ...mine(), generationIdOrMemberEpoch: 9 })
        const instance = await committed(broker, groupId, { ...mine(), groupInstanceId: 'made-up' })
        const bob = new Participant(broker, groupId, 'bob')
        await bob.joinOnce()
        const joined = bob.joinOnce()
        await untilState(broker, groupId, 'PreparingRebalance')
        const preparing = await committed(broker, groupId, { ...mine(), offset: 11 })
        await alice.joinOnce()
        await joined
        await Promise.all([alice.leave(), bob.leave()])
        await untilState(broker, groupId, 'Empty')
        const empty = await committed(broker, groupId, { offset: 12 })
        const emptyWithGeneration = await committed(broker, groupId, mine())
        return { completing, stable, outsider, unknown, generation, instance, preparing, empty, emptyWithGeneration }
      },
    },
    fetches('OffsetFetch finds the last of them', 9, 'commit-member'),
  ],
}

const FETCH: CaseGroup = {
  api: 'OffsetFetch',
  prepare: async (broker) => {
    await untilCoordinated(broker)
    await committed(broker, 'fetched', { offset: 1, partition: 0 })
    await committed(broker, 'fetched', { offset: 2, partition: 1, metadata: '' })
    await committed(broker, 'fetched-too', { offset: 3 })
  },
  cases: [
    ...[1, 2, 3, 4, 5, 6, 7].map((version) =>
      fetchesOld('some partitions', version, 'fetched', [{ name: TOPIC, partitionIndexes: [0, 2] }]),
    ),
    ...[8, 9, 10].map((version) => fetches('some partitions', version, 'fetched', [0, 2])),
    ...[2, 7].map((version) => fetchesOld('everything', version, 'fetched', null)),
    ...[8, 10].map((version) => fetches('everything', version, 'fetched', null)),
    fetchesOld('nothing', 7, 'fetched', []),
    fetches('an unknown group', 9, 'fetched-none'),
    fetchesOld('an unknown group', 5, 'fetched-none', [{ name: TOPIC, partitionIndexes: [0] }]),
    fetches('everything of an unknown group', 9, 'fetched-none', null),
    fetches('an unknown topic', 9, 'fetched', [0], 'offsets-none'),
    fetches('an unknown topic id', 10, 'fetched', [0], 'offsets-none'),
    fetches('an unknown partition', 9, 'fetched', [55]),
    fetch('two groups', 9, {
      groups: ['fetched', 'fetched-too', 'fetched-none'].map((groupId) => ({
        groupId,
        topics: [{ name: TOPIC, partitionIndexes: [0] }],
      })),
      topics: [],
    }),
    fetch('no groups', 9, { groups: [], topics: [] }),
    fetch('only what is stable', 7, {
      groupId: 'fetched',
      topics: [{ name: TOPIC, partitionIndexes: [0] }],
      groups: [],
      requireStable: true,
    }),
    fetch('a member of a classic group', 9, {
      groups: [{ groupId: 'fetched', memberId: 'm', memberEpoch: 1, topics: [{ name: TOPIC, partitionIndexes: [0] }] }],
      topics: [],
    }),
  ],
}

function deletesOffsets(name: string, groupId: string, partitionIndex: number, topic = TOPIC): DifferentialCase {
  return deleteOffsets(name, 0, { groupId, topics: [{ name: topic, partitions: [{ partitionIndex }] }] })
}

const DELETE_OFFSETS: CaseGroup = {
  api: 'OffsetDelete',
  prepare: async (broker) => {
    await untilCoordinated(broker)
    await broker.createTopic('group-topic')
    await committed(broker, 'forget', { partition: 0 })
    await committed(broker, 'forget', { partition: 1 })
    await stableGroup(broker, 'forget-living', 'member')
    const other = new Participant(broker, 'forget-connect', 'worker')
    await other.join({ protocolType: 'connect' })
    await other.sync([[other, 'all']], { protocolType: 'connect' })
  },
  cases: [
    deletesOffsets('a committed partition', 'forget', 0),
    fetches('OffsetFetch no longer finds it', 9, 'forget', null),
    deletesOffsets('one that is not committed', 'forget', 2),
    deletesOffsets('an unknown partition', 'forget', 9),
    deletesOffsets('an unknown topic', 'forget', 0, 'offsets-none'),
    deletesOffsets('an unknown group', 'forget-none', 0),
    deletesOffsets('an empty group id', '', 0),
    deletesOffsets('a subscribed topic of a living group', 'forget-living', 0, 'group-topic'),
    deletesOffsets('another topic of a living group', 'forget-living', 0),
    deletesOffsets('a living group of another type', 'forget-connect', 0),
    deleteOffsets('no topics', 0, { groupId: 'forget', topics: [] }),
  ],
}

const DESCRIBE: CaseGroup = {
  api: 'DescribeGroups',
  prepare: async (broker) => {
    await untilCoordinated(broker)
    await stableGroup(broker, 'shown', 'alice', 'bob')
    await committed(broker, 'shown-simple')
    const idle = new Participant(broker, 'shown-completing', 'idle')
    await idle.join()
  },
  cases: [
    ...[0, 1, 2, 3, 4, 5, 6].map((version) =>
      describe('a stable group', version, { groups: ['shown'], includeAuthorizedOperations: false }),
    ),
    ...[0, 5, 6].map((version) =>
      describe('an unknown group', version, { groups: ['shown-none'], includeAuthorizedOperations: false }),
    ),
    describe('an unknown group, with operations', 5, { groups: ['shown-none'], includeAuthorizedOperations: true }),
    describe('an unknown group, with operations', 6, { groups: ['shown-none'], includeAuthorizedOperations: true }),
    describe('with operations', 5, { groups: ['shown'], includeAuthorizedOperations: true }),
    describe('a group of offsets only', 6, { groups: ['shown-simple'], includeAuthorizedOperations: false }),
    describe('a group that waits for assignments', 6, {
      groups: ['shown-completing'],
      includeAuthorizedOperations: false,
    }),
    describe('an empty group id', 6, { groups: [''], includeAuthorizedOperations: false }),
    describe('several groups', 6, {
      groups: ['shown-simple', 'shown-none', 'shown'],
      includeAuthorizedOperations: false,
    }),
    describe('no groups', 6, { groups: [], includeAuthorizedOperations: false }),
  ],
}

function lists(
  name: string,
  version: number,
  statesFilter: string[] = [],
  typesFilter: string[] = [],
): DifferentialCase {
  return list(
    name,
    version,
    { statesFilter, typesFilter },
    {
      only: ({ groups, ...rest }) => ({
        ...rest,
        groups: groups.filter(({ groupId }) => groupId.startsWith('listed')),
      }),
    },
  )
}

const LIST: CaseGroup = {
  api: 'ListGroups',
  prepare: async (broker) => {
    await untilCoordinated(broker)
    await stableGroup(broker, 'listed-stable', 'member')
    await committed(broker, 'listed-simple')
    const [gone] = (await stableGroup(broker, 'listed-empty', 'member')) as [Participant]
    await gone.leave()
  },
  cases: [
    ...[0, 1, 2, 3, 4, 5].map((version) => lists('all groups', version)),
    lists('stable ones', 4, ['Stable']),
    lists('without regard to case', 5, ['stable']),
    lists('two states', 5, ['Stable', 'Empty']),
    lists('an unknown state', 5, ['Happy']),
    lists('classic ones', 5, [], ['classic']),
    lists('classic ones, without regard to case', 5, [], ['Classic']),
    lists('consumer ones', 5, [], ['consumer']),
    lists('an unknown type', 5, [], ['strange']),
    lists('by state and type', 5, ['Empty'], ['classic']),
  ],
}

const DELETE: CaseGroup = {
  api: 'DeleteGroups',
  prepare: async (broker) => {
    await untilCoordinated(broker)
    for (const version of [0, 1, 2]) await committed(broker, `removed-${version}`)
    await committed(broker, 'removed-twice')
    await stableGroup(broker, 'removed-living', 'member')
    const [gone] = (await stableGroup(broker, 'removed-empty', 'member')) as [Participant]
    await gone.leave()
  },
  cases: [
    ...[0, 1, 2].map((version) =>
      deleteGroups('a known, an unknown and a living group', version, {
        groupsNames: [`removed-${version}`, 'removed-none', 'removed-living'],
      }),
    ),
    deleteGroups('an emptied group', 2, { groupsNames: ['removed-empty'] }),
    deleteGroups('the same group twice', 2, { groupsNames: ['removed-twice', 'removed-twice'] }),
    deleteGroups('the empty group id', 2, { groupsNames: [''] }),
    deleteGroups('the empty group id, again', 2, { groupsNames: [''] }),
    deleteGroups('no groups', 2, { groupsNames: [] }),
    fetches('its offsets are gone', 9, 'removed-0', null),
    { name: 'and the group', ask: (broker) => describeGroup(broker, 'removed-0') },
  ],
}

export const OFFSET_CASES: CaseGroup[] = [COMMIT, FETCH, DELETE_OFFSETS, DESCRIBE, LIST, DELETE]
