// ConsumerGroupHeartbeat and ConsumerGroupDescribe, and how the other group requests see consumer groups.
import { OffsetCommitRequest, OffsetCommitResponse } from '../../src/protocol/messages/08-offset-commit.ts'
import { OffsetFetchRequest, OffsetFetchResponse } from '../../src/protocol/messages/09-offset-fetch.ts'
import { ListGroupsRequest, ListGroupsResponse } from '../../src/protocol/messages/16-list-groups.ts'
import { CreatePartitionsRequest, CreatePartitionsResponse } from '../../src/protocol/messages/37-create-partitions.ts'
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
import type { Input } from '../../src/protocol/schema.ts'
import type { DifferentialBroker } from './broker.ts'
import { accepting, asks, type CaseGroup, type DifferentialCase } from './case.ts'
import { type Beat, ConsumerClient, describeConsumers, setGroupConfig, settled } from './consumer-group-helpers.ts'
import { describeGroup, untilCoordinated } from './group-helpers.ts'

const heartbeat = asks(ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse)
const describes = asks(ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse)

export const TOPIC = 'consumer-topic'
export const OTHER_TOPIC = 'consumer-other'

function story(name: string, tell: (broker: DifferentialBroker) => Promise<unknown>): DifferentialCase {
  return { name, ask: tell }
}

export async function prepareConsumerTopics(broker: DifferentialBroker): Promise<void> {
  await untilCoordinated(broker)
  if (broker.memory.has(`topic id of ${TOPIC}`)) return
  await broker.createTopic(TOPIC, { partitions: 4 })
  await broker.createTopic(OTHER_TOPIC, { partitions: 2 })
}

type BeatInput = Input<typeof ConsumerGroupHeartbeatRequest>

function joining(more: Partial<BeatInput> = {}): BeatInput {
  const member = { groupId: 'kip-checked', memberId: 'm', memberEpoch: 0 }
  return { ...member, rebalanceTimeoutMs: 30_000, subscribedTopicNames: [TOPIC], topicPartitions: [], ...more }
}

const REQUESTS: CaseGroup = {
  api: 'ConsumerGroupHeartbeat',
  prepare: prepareConsumerTopics,
  cases: [
    ...[0, 1].flatMap((version) => [
      heartbeat('no group id', version, joining({ groupId: '' })),
      heartbeat('a blank group id', version, joining({ groupId: ' ' })),
      heartbeat('no member id in an epoch', version, joining({ memberId: '', memberEpoch: 3 })),
      heartbeat('no member id when leaving', version, joining({ memberId: '', memberEpoch: -1 })),
      heartbeat('an empty instance id', version, joining({ instanceId: '' })),
      heartbeat('an empty rack', version, joining({ rackId: '' })),
      heartbeat('joining without a rebalance timeout', version, joining({ rebalanceTimeoutMs: -1 })),
      heartbeat('joining without a list of what it has', version, joining({ topicPartitions: null })),
      heartbeat('joining without a subscription', version, joining({ subscribedTopicNames: null })),
      heartbeat('a static leave without an instance', version, joining({ memberEpoch: -2 })),
      heartbeat('an impossible epoch', version, joining({ memberEpoch: -3 })),
      heartbeat('an unknown assignor', version, joining({ serverAssignor: 'sticky' })),
      heartbeat('an unknown group', version, joining({ memberEpoch: 1 })),
      heartbeat('leaving an unknown group', version, joining({ memberEpoch: -1 })),
    ]),
    heartbeat('no member id when joining', 1, joining({ memberId: '' })),
    heartbeat('an expression that does not compile', 1, joining({ subscribedTopicRegex: 'a(b' })),
    heartbeat('an expression that RE2 does not have', 1, joining({ subscribedTopicRegex: 'a(?=b)' })),
    heartbeat('a back reference', 1, joining({ subscribedTopicRegex: '(a)\\1' })),
    heartbeat('no member id when joining in the first version', 0, joining({ groupId: 'kip-made', memberId: '' }), {
      only: ({ memberId, ...rest }) => ({ ...rest, isMade: (memberId ?? '').length > 10 }),
    }),
    story('a topic that does not exist', async (broker) => {
      const client = new ConsumerClient(broker, 'kip-nothing', 'm')
      return [
        await client.join(['consumer-never']),
        await client.beat(),
        await describeConsumers(broker, 'kip-nothing'),
      ]
    }),
    story('an empty list of topics', async (broker) => {
      const client = new ConsumerClient(broker, 'kip-idle', 'm')
      return [await client.join([]), await client.beat(), await client.join([TOPIC]), await client.beat()]
    }),
  ],
}

const REBALANCES: CaseGroup = {
  api: 'ConsumerGroupHeartbeat: rebalances',
  prepare: prepareConsumerTopics,
  cases: [
    story('one member', async (broker) => {
      const client = new ConsumerClient(broker, 'kip-one', 'one')
      const beats = [await client.join([TOPIC]), await client.beat(), await client.own()]
      // Everything said again is answered with everything.
      beats.push(
        await client.own(),
        await client.beat({ rebalanceTimeoutMs: 1_000, subscribedTopicNames: [TOPIC], topicPartitions: [] }),
      )
      return [
        ...beats,
        await describeConsumers(broker, 'kip-one', 0),
        await client.leave(),
        await describeConsumers(broker, 'kip-one'),
      ]
    }),
    story('a second member gets what the first gives up', async (broker) => {
      const [one, two] = ['one', 'two'].map((id) => new ConsumerClient(broker, 'kip-two', id)) as [
        ConsumerClient,
        ConsumerClient,
      ]
      const beats: Beat[] = [await one.join([TOPIC]), await two.join([TOPIC])]
      const held = one.holds
      beats.push(await one.beat())
      const described = await describeConsumers(broker, 'kip-two')
      // Silent, and still owning: neither is giving up.
      beats.push(
        await one.beat(),
        await one.beat({ topicPartitions: held.map((each) => ({ ...each, partitions: [...each.partitions] })) }),
      )
      beats.push(await two.beat(), await one.own(), await two.beat(), await two.beat())
      return [beats, described, await describeConsumers(broker, 'kip-two')]
    }),
    story('three members, one leaves, one is added', async (broker) => {
      const ids = ['alpha', 'beta', 'gamma']
      const clients = ids.map((id) => new ConsumerClient(broker, 'kip-three', id))
      const told: unknown[] = []
      for (const [index, client] of clients.entries()) {
        await client.join([TOPIC])
        told.push(await settled(broker, clients.slice(0, index + 1)))
      }
      told.push(await clients[1]!.leave(), await settled(broker, [clients[0]!, clients[2]!]))
      const added = new ConsumerClient(broker, 'kip-three', 'delta')
      await added.join([TOPIC])
      return [
        ...told,
        await settled(broker, [clients[0]!, clients[2]!, added]),
        await describeConsumers(broker, 'kip-three'),
      ]
    }),
    story('a fourth member of a group that may have three', async (broker) => {
      const clients = ['1', '2', '3', '4'].map((id) => new ConsumerClient(broker, 'kip-full', id))
      const codes: number[] = []
      for (const client of clients) codes.push((await client.join([TOPIC])).errorCode)
      return codes
    }),
    story('range: two topics, split alike', async (broker) => {
      const clients = ['one', 'two'].map((id) => new ConsumerClient(broker, 'kip-range', id))
      for (const client of clients) await client.join([TOPIC, OTHER_TOPIC], { serverAssignor: 'range' })
      return [await settled(broker, clients), await describeConsumers(broker, 'kip-range')]
    }),
    story('most votes choose the assignor', async (broker) => {
      const clients = ['one', 'two', 'three'].map((id) => new ConsumerClient(broker, 'kip-votes', id))
      for (const [index, client] of clients.entries()) {
        await client.join([TOPIC], { serverAssignor: index === 0 ? 'uniform' : 'range' })
      }
      await settled(broker, clients)
      const names = [(await describeConsumers(broker, 'kip-votes'))[0]?.assignorName]
      await clients[2]!.beat({ serverAssignor: 'uniform' })
      names.push((await describeConsumers(broker, 'kip-votes'))[0]?.assignorName)
      return names
    }),
    story('members with different topics', async (broker) => {
      const [one, two] = ['one', 'two'].map((id) => new ConsumerClient(broker, 'kip-mixed', id)) as [
        ConsumerClient,
        ConsumerClient,
      ]
      await one.join([TOPIC])
      await two.join([TOPIC, OTHER_TOPIC])
      return [await settled(broker, [one, two]), await describeConsumers(broker, 'kip-mixed')]
    }),
    story('another topic instead: what was before is given up', async (broker) => {
      const client = new ConsumerClient(broker, 'kip-changed', 'one')
      await client.join([TOPIC])
      const before = client.holds
      const beats = [await client.beat({ subscribedTopicNames: [OTHER_TOPIC] }), await client.beat()]
      beats.push(
        await client.beat({ topicPartitions: before.map((each) => ({ ...each, partitions: [...each.partitions] })) }),
      )
      return [...beats, await client.own(), await client.own(), await describeConsumers(broker, 'kip-changed')]
    }),
    story('more partitions: a new epoch', async (broker) => {
      await broker.createTopic('consumer-growing', { partitions: 1 })
      const client = new ConsumerClient(broker, 'kip-growing', 'one')
      await client.join(['consumer-growing'])
      // The group hears of a new topic a moment after whoever made it.
      await broker.until('the group has seen it', async () => {
        await client.own()
        return client.holds.length === 1
      })
      const connection = await broker.connection('setup')
      const topics = [{ name: 'consumer-growing', count: 3, assignments: null }]
      const request = { topics, timeoutMs: 10_000, validateOnly: false }
      await connection.send(CreatePartitionsRequest, CreatePartitionsResponse, request, { version: 3 })
      const before = client.memberEpoch
      await broker.until('the group has seen them', async () => (await client.own()).memberEpoch > before)
      await settled(broker, [client])
      return client.holds
    }),
    story('settings of the group', async (broker) => {
      const codes = await setGroupConfig(broker, 'kip-set', 'consumer.heartbeat.interval.ms', '7000')
      const client = new ConsumerClient(broker, 'kip-set', 'one')
      await client.join([TOPIC])
      await broker.until('the setting holds', async () => (await client.beat()).heartbeatIntervalMs === 7_000)
      return codes
    }),
    story('no new assignment within the interval', async (broker) => {
      await setGroupConfig(broker, 'kip-interval', 'consumer.assignment.interval.ms', '15000')
      // A setting may take a moment; a group of its own shows that it is there.
      const [one, two] = ['one', 'two'].map((id) => new ConsumerClient(broker, 'kip-interval', id)) as [
        ConsumerClient,
        ConsumerClient,
      ]
      await Bun.sleep(broker.target.kind === 'kafka' ? 1_000 : 0)
      return [
        await one.join([TOPIC]),
        await two.join([TOPIC]),
        await one.beat(),
        await describeConsumers(broker, 'kip-interval'),
      ]
    }),
  ],
}

const FENCING: CaseGroup = {
  api: 'ConsumerGroupHeartbeat: fencing',
  prepare: prepareConsumerTopics,
  cases: [
    story('epochs of a dynamic member', async (broker) => {
      const client = new ConsumerClient(broker, 'kip-fenced', 'one')
      await client.join([TOPIC])
      const answers = [
        await client.send({ memberEpoch: 99 }),
        await client.send({ memberEpoch: 1 }),
        await client.send({ memberId: 'nobody', memberEpoch: 2 }),
        await client.send({ memberId: 'nobody', memberEpoch: -1 }),
        await client.send({ memberEpoch: -2 }),
      ]
      // The same member joins again, and gets everything again.
      answers.push(await client.join([TOPIC]))
      return [answers, await describeConsumers(broker, 'kip-fenced')]
    }),
    story('the epoch before, for a member whose answer was lost', async (broker) => {
      const [one, two] = ['one', 'two'].map((id) => new ConsumerClient(broker, 'kip-lost', id)) as [
        ConsumerClient,
        ConsumerClient,
      ]
      await one.join([TOPIC])
      const held = one.holds.map((each) => ({ ...each, partitions: [...each.partitions] }))
      await two.join([TOPIC])
      await settled(broker, [one, two])
      const before = one.memberEpoch - 1
      const owned = one.holds.map((each) => ({ ...each, partitions: [...each.partitions] }))
      return [
        await one.send({ memberEpoch: before }),
        await one.send({ memberEpoch: before, topicPartitions: held }),
        await one.send({ memberEpoch: before, topicPartitions: owned }),
        await one.send({ memberEpoch: before - 1, topicPartitions: owned }),
      ]
    }),
    story('static members', async (broker) => {
      const client = new ConsumerClient(broker, 'kip-static', 'first', 'instance')
      const second = new ConsumerClient(broker, 'kip-static', 'second', 'instance')
      const answers: unknown[] = [await client.join([TOPIC])]
      answers.push(
        await second.join([TOPIC]),
        await second.send({ memberEpoch: 2 }),
        await second.send({ memberEpoch: -1 }),
      )
      answers.push(
        await client.send({ instanceId: 'unknown' }),
        await client.send({ instanceId: 'unknown', memberEpoch: -2 }),
      )
      answers.push(
        await client.leave(-2),
        await describeConsumers(broker, 'kip-static'),
        await client.send({ memberEpoch: 2 }),
      )
      answers.push(
        await second.join([TOPIC]),
        await describeConsumers(broker, 'kip-static'),
        await client.send({ memberEpoch: 2 }),
      )
      answers.push(await second.leave(-1), await describeConsumers(broker, 'kip-static'))
      return answers
    }),
    story('a static member that comes back with another subscription', async (broker) => {
      const client = new ConsumerClient(broker, 'kip-static-other', 'first', 'instance')
      await client.join([TOPIC])
      await client.leave(-2)
      const second = new ConsumerClient(broker, 'kip-static-other', 'second', 'instance')
      return [await second.join([OTHER_TOPIC]), await second.own(), await describeConsumers(broker, 'kip-static-other')]
    }),
    story('a member whose session ends', async (broker) => {
      const [one, two] = ['one', 'two'].map((id) => new ConsumerClient(broker, 'kip-silent', id)) as [
        ConsumerClient,
        ConsumerClient,
      ]
      await setGroupConfig(broker, 'kip-silent', 'consumer.heartbeat.interval.ms', '500')
      const codes = await setGroupConfig(broker, 'kip-silent', 'consumer.session.timeout.ms', '1000')
      await Bun.sleep(broker.target.kind === 'kafka' ? 1_000 : 0)
      await two.join([TOPIC])
      await one.join([TOPIC])
      await broker.until('the silent one is gone', async () => {
        await one.own()
        return (await describeConsumers(broker, 'kip-silent'))[0]?.members.length === 1
      })
      return [codes, await settled(broker, [one]), await two.beat()]
    }),
    story('a member that does not give up in time', async (broker) => {
      const [one, two] = ['one', 'two'].map((id) => new ConsumerClient(broker, 'kip-slow', id)) as [
        ConsumerClient,
        ConsumerClient,
      ]
      await one.join([TOPIC], { rebalanceTimeoutMs: 500 })
      await two.join([TOPIC])
      const asked = await one.beat()
      await broker.until(
        'it is fenced',
        async () => (await two.own()).errorCode === 0 && (await one.send({})).errorCode !== 0,
      )
      return [asked, await one.send({}), await settled(broker, [two])]
    }),
  ],
}

const EXPRESSIONS: CaseGroup = {
  api: 'ConsumerGroupHeartbeat: expressions',
  prepare: prepareConsumerTopics,
  cases: [
    story('topics by expression', async (broker) => {
      const client = new ConsumerClient(broker, 'kip-regex', 'one')
      const first = await client.join(null, { subscribedTopicRegex: 'consumer-(topic|no.*)' })
      await broker.until('it is resolved', async () => (await client.own()).memberEpoch > 1)
      return [first, await settled(broker, [client]), await describeConsumers(broker, 'kip-regex')]
    }),
    story('a second member with the same expression', async (broker) => {
      const two = new ConsumerClient(broker, 'kip-regex', 'two')
      const first = await two.join(null, { subscribedTopicRegex: 'consumer-(topic|no.*)' })
      return [first.errorCode, (await describeConsumers(broker, 'kip-regex'))[0]?.groupEpoch]
    }),
    story('an expression and names', async (broker) => {
      const client = new ConsumerClient(broker, 'kip-both', 'one')
      await client.join([TOPIC], { subscribedTopicRegex: '.*-other' })
      await broker.until('both are there', async () => {
        await client.own()
        return client.holds.length === 2
      })
      const without = await client.beat({ subscribedTopicRegex: '' })
      return [without, await client.own(), await describeConsumers(broker, 'kip-both')]
    }),
    story('an expression that changes to a bad one leaves all as it was', async (broker) => {
      const client = new ConsumerClient(broker, 'kip-bad', 'one')
      await client.join([TOPIC])
      return [
        await client.beat({ subscribedTopicRegex: '[' }),
        await client.beat(),
        await describeConsumers(broker, 'kip-bad'),
      ]
    }),
  ],
}

function committing(
  groupId: string,
  more: Partial<Input<typeof OffsetCommitRequest>> = {},
): Input<typeof OffsetCommitRequest> {
  const partitions = [{ partitionIndex: 0, committedOffset: 5, committedMetadata: 'm' }]
  return { groupId, generationIdOrMemberEpoch: -1, memberId: '', topics: [{ name: TOPIC, partitions }], ...more }
}

async function commitCode(
  broker: DifferentialBroker,
  value: Input<typeof OffsetCommitRequest>,
  version: number,
): Promise<number | undefined> {
  const connection = await broker.connection('commits')
  const answer = await connection.send(OffsetCommitRequest, OffsetCommitResponse, value, { version })
  return answer.topics[0]?.partitions[0]?.errorCode
}

async function fetched(
  broker: DifferentialBroker,
  groupId: string,
  memberId: string | null,
  memberEpoch: number,
): Promise<unknown> {
  const connection = await broker.connection('commits')
  const groups = [{ groupId, memberId, memberEpoch, topics: [{ name: TOPIC, partitionIndexes: [0] }] }]
  return connection.send(OffsetFetchRequest, OffsetFetchResponse, { groups, requireStable: false }, { version: 9 })
}

const OFFSETS: CaseGroup = {
  api: 'Offsets of consumer groups',
  prepare: prepareConsumerTopics,
  cases: [
    story('commits of members, strangers and administrators', async (broker) => {
      const groupId = 'kip-commits'
      const client = new ConsumerClient(broker, groupId, 'one')
      await client.join([TOPIC])
      const commit = (memberId: string, generationIdOrMemberEpoch: number, version = 9): Promise<number | undefined> =>
        commitCode(broker, committing(groupId, { memberId, generationIdOrMemberEpoch }), version)
      const codes = [await commit('one', 2), await commit('one', 3), await commit('one', 1), await commit('one', -1)]
      codes.push(await commit('one', 2, 8), await commit('two', 2), await commit('', -1), await commit('', 2))
      await client.leave()
      codes.push(await commit('', -1), await commit('one', 2), await commit('any', -1))
      return codes
    }),
    story('a commit from the epoch before of what it still has', async (broker) => {
      const groupId = 'kip-late'
      const [one, two] = ['one', 'two'].map((id) => new ConsumerClient(broker, groupId, id)) as [
        ConsumerClient,
        ConsumerClient,
      ]
      await one.join([TOPIC])
      await two.join([TOPIC])
      await settled(broker, [one, two])
      const kept = new Set(one.holds.flatMap(({ partitions }) => partitions))
      const codes: unknown[] = []
      for (const partitionIndex of [0, 1, 2, 3]) {
        const topics = [{ name: TOPIC, partitions: [{ partitionIndex, committedOffset: 1, committedMetadata: '' }] }]
        const value = committing(groupId, { memberId: 'one', generationIdOrMemberEpoch: 2, topics })
        codes.push([kept.has(partitionIndex), await commitCode(broker, value, 9)])
      }
      return codes
    }),
    story('fetches with and without a member', async (broker) => {
      const groupId = 'kip-fetches'
      const client = new ConsumerClient(broker, groupId, 'one')
      await client.join([TOPIC])
      await commitCode(broker, committing(groupId, { memberId: 'one', generationIdOrMemberEpoch: 2 }), 9)
      const answers = [await fetched(broker, groupId, null, -1), await fetched(broker, groupId, 'one', 2)]
      answers.push(await fetched(broker, groupId, 'one', 3), await fetched(broker, groupId, 'one', 1))
      answers.push(await fetched(broker, groupId, 'two', 2), await fetched(broker, groupId, '', -1))
      answers.push(await fetched(broker, 'kip-unknown', 'one', 2))
      return answers
    }),
    accepting(
      story('a fetch with an epoch and no member', (broker) => fetched(broker, 'kip-fetches', null, 2)),
      'an error of the asker, not of the broker',
      {
        throttleTimeMs: 0,
        topics: [],
        errorCode: 0,
        groups: [{ groupId: 'kip-fetches', topics: [], errorCode: 25 }],
      },
    ),
    story('deleting offsets of a subscribed topic, and the group', async (broker) => {
      const groupId = 'kip-deleted'
      const client = new ConsumerClient(broker, groupId, 'one')
      await client.join([TOPIC])
      await commitCode(broker, committing(groupId, { memberId: 'one', generationIdOrMemberEpoch: 2 }), 9)
      const connection = await broker.connection('commits')
      const topics = [TOPIC, OTHER_TOPIC].map((name) => ({ name, partitions: [{ partitionIndex: 0 }] }))
      const deleteOffsets = (): Promise<unknown> =>
        connection.send(OffsetDeleteRequest, OffsetDeleteResponse, { groupId, topics }, { version: 0 })
      const deleteGroup = (): Promise<unknown> =>
        connection.send(DeleteGroupsRequest, DeleteGroupsResponse, { groupsNames: [groupId] }, { version: 2 })
      const answers = [await deleteOffsets(), await deleteGroup()]
      await client.leave()
      answers.push(
        await deleteOffsets(),
        await deleteGroup(),
        await deleteGroup(),
        await describeConsumers(broker, groupId),
      )
      return answers
    }),
  ],
}

const SHOWN: CaseGroup = {
  api: 'Consumer groups as other requests show them',
  prepare: async (broker) => {
    await prepareConsumerTopics(broker)
    await new ConsumerClient(broker, 'kip-shown', 'one').join([TOPIC])
  },
  cases: [
    ...[0, 1].map((version) =>
      describes('an unknown group', version, { groupIds: ['kip-never'], includeAuthorizedOperations: true }),
    ),
    describes('no groups', 1, { groupIds: [], includeAuthorizedOperations: false }),
    describes('an empty group id', 1, { groupIds: [''], includeAuthorizedOperations: false }),
    ...[0, 1].map((version) =>
      describes('with operations', version, { groupIds: ['kip-shown'], includeAuthorizedOperations: true }),
    ),
    story('described as a classic group', async (broker) => {
      return [await describeGroup(broker, 'kip-shown', 5), await describeGroup(broker, 'kip-shown', 6)]
    }),
    ...[[], ['consumer'], ['Consumer'], ['classic'], ['share']].map((typesFilter) =>
      story(`listed with types [${typesFilter}]`, async (broker) => {
        const connection = await broker.connection('describe')
        const value = { statesFilter: [], typesFilter }
        const answer = await connection.send(ListGroupsRequest, ListGroupsResponse, value, { version: 5 })
        return answer.groups.filter(({ groupId }) => groupId === 'kip-shown')
      }),
    ),
    ...[['stable'], ['Assigning'], ['reconciling', 'empty']].map((statesFilter) =>
      story(`listed with states [${statesFilter}]`, async (broker) => {
        const connection = await broker.connection('describe')
        const value = { statesFilter, typesFilter: ['consumer'] }
        const answer = await connection.send(ListGroupsRequest, ListGroupsResponse, value, { version: 5 })
        return answer.groups.filter(({ groupId }) => groupId === 'kip-shown')
      }),
    ),
  ],
}

export const CONSUMER_GROUP_CASES: readonly CaseGroup[] = [REQUESTS, REBALANCES, FENCING, EXPRESSIONS, OFFSETS, SHOWN]
