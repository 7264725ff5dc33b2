// StreamsGroupHeartbeat and StreamsGroupDescribe, and how the other group requests see streams groups.
import { OffsetCommitRequest, OffsetCommitResponse } from '../../src/protocol/messages/08-offset-commit.ts'
import { OffsetFetchRequest, OffsetFetchResponse } from '../../src/protocol/messages/09-offset-fetch.ts'
import { ListGroupsRequest, ListGroupsResponse } from '../../src/protocol/messages/16-list-groups.ts'
import { CreatePartitionsRequest, CreatePartitionsResponse } from '../../src/protocol/messages/37-create-partitions.ts'
import { DeleteGroupsRequest, DeleteGroupsResponse } from '../../src/protocol/messages/42-delete-groups.ts'
import { OffsetDeleteRequest, OffsetDeleteResponse } from '../../src/protocol/messages/47-offset-delete.ts'
import type { DifferentialBroker } from './broker.ts'
import { accepting, type CaseGroup, type DifferentialCase } from './case.ts'
import { ConsumerClient, setGroupConfig } from './consumer-group-helpers.ts'
import { describeGroup, Participant, untilCoordinated } from './group-helpers.ts'
import {
  describeStreams,
  describeTopics,
  internalTopic,
  reading,
  type StreamsBeatInput,
  StreamsClient,
  settledStreams,
  streamsState,
  subtopology,
  type Topology,
  topology,
} from './streams-group-helpers.ts'

const TOPIC = 'streams-in'
const OTHER_TOPIC = 'streams-other'
const WIDE_TOPIC = 'streams-wide'

function story(name: string, tell: (broker: DifferentialBroker) => Promise<unknown>): DifferentialCase {
  return { name, ask: tell }
}

/** What is set for single groups. The last one shows when all of them hold. */
const GROUP_SETTINGS: readonly (readonly [group: string, name: string, value: string])[] = [
  ['ks-standby', 'streams.num.standby.replicas', '1'],
  ['ks-delayed', 'streams.initial.rebalance.delay.ms', '60000'],
  ['ks-gathering', 'streams.initial.rebalance.delay.ms', '700'],
  ['ks-interval', 'streams.assignment.interval.ms', '15000'],
  ['ks-silent', 'streams.heartbeat.interval.ms', '500'],
  ['ks-silent', 'streams.session.timeout.ms', '1000'],
  ['ks-probe', 'streams.heartbeat.interval.ms', '7000'],
]

async function prepareStreams(broker: DifferentialBroker): Promise<void> {
  await untilCoordinated(broker)
  if (broker.memory.has(`topic id of ${TOPIC}`)) return
  await broker.createTopic(WIDE_TOPIC, { partitions: 4 })
  await broker.createTopic(OTHER_TOPIC, { partitions: 3 })
  await broker.createTopic(TOPIC, { partitions: 2 })
  for (const [group, name, value] of GROUP_SETTINGS) await setGroupConfig(broker, group, name, value)
  // The group coordinator hears of both a moment after who answered.
  const probe = new StreamsClient(broker, 'ks-probe', 'probe')
  await broker.until('groups see topics and settings', async () => {
    const { heartbeatIntervalMs, status } = await probe.join(reading(TOPIC))
    return heartbeatIntervalMs === 7_000 && (status ?? []).length === 0
  })
}

/** What the error says is compared, too. */
function refused(name: string, more: Partial<StreamsBeatInput>, runs: Topology = reading(TOPIC)): DifferentialCase {
  return story(name, async (broker) => {
    const client = new StreamsClient(broker, 'ks-refused', 'm')
    const { errorMessage, ...rest } = await client.join(runs, more)
    return { said: errorMessage, ...rest }
  })
}

function refusedTopology(name: string, runs: Topology): DifferentialCase {
  return refused(name, {}, runs)
}

const REQUESTS: CaseGroup = {
  api: 'StreamsGroupHeartbeat',
  prepare: prepareStreams,
  cases: [
    refused('no group id', { groupId: '' }),
    refused('a blank group id', { groupId: ' ' }),
    refused('no member id', { memberId: '' }),
    refused('a blank rack', { rackId: ' ' }),
    refused('an instance id', { instanceId: 'instance' }),
    refused('task offsets', { taskOffsets: [] }),
    refused('task end offsets', { taskEndOffsets: [] }),
    refused('warm-up tasks', { warmupTasks: [{ subtopologyId: '0', partitions: [0] }] }),
    refused('joining without a rebalance timeout', { rebalanceTimeoutMs: -1 }),
    refused('joining without active tasks', { activeTasks: null }),
    refused('joining without standbys', { standbyTasks: null }),
    refused('joining without warm-ups', { warmupTasks: null }),
    refused('joining with tasks', { activeTasks: [{ subtopologyId: '0', partitions: [0] }] }),
    refused('joining without a topology', { topology: null }),
    refused('a topology in an epoch', { memberEpoch: 2 }),
    refused('tasks of one kind only', { memberEpoch: 2, topology: null, standbyTasks: null, warmupTasks: null }),
    refused('a static leave', { memberEpoch: -2, topology: null }),
    refused('an impossible epoch', { memberEpoch: -3, topology: null }),
    refused('an unknown group', { memberEpoch: 1, topology: null }),
    refused('leaving an unknown group', { memberEpoch: -1, topology: null }),
    refusedTopology('expressions for sources', topology(subtopology('0', { sourceTopicRegex: ['streams-.*'] }))),
    refusedTopology(
      'a changelog with partitions',
      topology(
        subtopology('0', { sourceTopics: [TOPIC], stateChangelogTopics: [internalTopic('c', { partitions: 2 })] }),
      ),
    ),
    refusedTopology('a negative epoch', { ...reading(TOPIC), epoch: -1 }),
    refusedTopology(
      'a negative number of partitions',
      topology(
        subtopology('0', {
          sourceTopics: [TOPIC],
          repartitionSourceTopics: [internalTopic('ks-negative', { partitions: -2 })],
        }),
      ),
    ),
    refusedTopology("Kafka's own topics", reading('__consumer_offsets')),
    refusedTopology('impossible names', reading('a name', 'another/name')),
    refusedTopology('a subtopology without sources', topology(subtopology('0', {}))),
    refusedTopology(
      'a repartition topic that nobody writes',
      topology(subtopology('0', { sourceTopics: [TOPIC], repartitionSourceTopics: [internalTopic('ks-nobody')] })),
    ),
    refusedTopology(
      'a loop of repartition topics',
      topology(
        subtopology('0', {
          repartitionSourceTopics: [internalTopic('ks-loop')],
          repartitionSinkTopics: ['ks-loop'],
        }),
      ),
    ),
    refusedTopology(
      'the same subtopology twice',
      topology(subtopology('0', { sourceTopics: [TOPIC] }), subtopology('0', { sourceTopics: [OTHER_TOPIC] })),
    ),
    refusedTopology(
      'topics joined that are not listed',
      topology(
        subtopology('0', {
          sourceTopics: [TOPIC],
          copartitionGroups: [{ sourceTopics: [0, 7], sourceTopicRegex: [], repartitionSourceTopics: [] }],
        }),
      ),
    ),
    story('nothing of it has made a group', async (broker) => describeStreams(broker, 'ks-refused')),
  ],
}

const MEMBERS: CaseGroup = {
  api: 'StreamsGroupHeartbeat: members',
  prepare: prepareStreams,
  cases: [
    story('one member', async (broker) => {
      const client = new StreamsClient(broker, 'ks-one', 'one')
      const runs = reading(TOPIC)
      const beats: unknown[] = [await client.join(runs), await describeStreams(broker, 'ks-one')]
      beats.push(await client.beat(), await client.own(), await client.join(runs), await client.own())
      beats.push(await describeStreams(broker, 'ks-one'), await client.leave(), await describeStreams(broker, 'ks-one'))
      return [...beats, await client.join(runs), await client.own(), await describeStreams(broker, 'ks-one')]
    }),
    story('what a member says of itself', async (broker) => {
      const client = new StreamsClient(broker, 'ks-said', 'one')
      const tags = [
        { key: 'zone', value: 'a' },
        { key: 'cluster', value: 'b' },
      ]
      await client.join(reading(TOPIC), { rackId: 'rack', clientTags: tags })
      const described = await describeStreams(broker, 'ks-said')
      await client.beat({ rackId: 'other', processId: 'moved', rebalanceTimeoutMs: 20_000 })
      return [described, await settledStreams(broker, [client]), await describeStreams(broker, 'ks-said')]
    }),
    story('a second member gets what the first gives up', async (broker) => {
      const runs = topology(
        subtopology('0', { sourceTopics: [TOPIC] }),
        subtopology('1', { sourceTopics: [OTHER_TOPIC] }),
      )
      const one = new StreamsClient(broker, 'ks-two', 'one')
      const two = new StreamsClient(broker, 'ks-two', 'two')
      const beats = [await one.join(runs), await two.join(runs)]
      const held = one.tasks
      beats.push(await one.beat())
      const described = await describeStreams(broker, 'ks-two')
      // Silent, and still owning: neither is giving up.
      beats.push(await one.beat())
      beats.push(await one.beat({ activeTasks: held.active, standbyTasks: [], warmupTasks: [] }))
      beats.push(await two.own(), await one.own(), await two.own(), await one.own())
      return [beats, described, await settledStreams(broker, [one, two]), await describeStreams(broker, 'ks-two')]
    }),
    story('three members of two processes, one leaves, one is added', async (broker) => {
      const runs = topology(
        subtopology('0', { sourceTopics: [WIDE_TOPIC] }),
        subtopology('1', { sourceTopics: [OTHER_TOPIC] }),
      )
      const named = (id: string, process: string): StreamsClient => new StreamsClient(broker, 'ks-three', id, process)
      const clients = [named('alpha', 'p'), named('beta', 'p'), named('gamma', 'q')]
      const told: unknown[] = []
      for (const [index, client] of clients.entries()) {
        await client.join(runs)
        told.push(await settledStreams(broker, clients.slice(0, index + 1)))
      }
      const added = named('delta', 'r')
      told.push((await added.join(runs)).errorCode, await clients[1]!.leave())
      told.push(await settledStreams(broker, [clients[0]!, clients[2]!]))
      await added.join(runs)
      return [
        ...told,
        await settledStreams(broker, [clients[0]!, clients[2]!, added]),
        await describeStreams(broker, 'ks-three'),
      ]
    }),
    story('standbys in other processes', async (broker) => {
      await broker.createTopic('ks-standby-changelog', { partitions: 4 })
      const runs = reading(WIDE_TOPIC, 'ks-standby-changelog')
      const clients = ['one', 'two', 'three'].map((id) => new StreamsClient(broker, 'ks-standby', id))
      const told: unknown[] = []
      for (const [index, client] of clients.entries()) {
        await broker.until(`${client.memberId} finds all topics`, async () => {
          const { status } = await client.join(runs)
          return (status ?? []).length === 0
        })
        const settled = await settledStreams(broker, clients.slice(0, index + 1))
        // How often the first had to join depends on how soon it saw the topic.
        if (index > 0) told.push(withoutEpochs(settled))
      }
      await clients[0]!.leave()
      told.push(withoutEpochs(await settledStreams(broker, clients.slice(1))))
      return told
    }),
    story('epochs of a member', async (broker) => {
      const client = new StreamsClient(broker, 'ks-fenced', 'one')
      await client.join(reading(TOPIC))
      const said = async (more: Partial<StreamsBeatInput>): Promise<unknown> => {
        const { errorMessage, ...rest } = await client.send(more)
        return { said: errorMessage, ...rest }
      }
      const answers = [
        await said({ memberEpoch: 99 }),
        await said({ memberEpoch: 1 }),
        await said({ memberId: 'nobody', memberEpoch: 2 }),
        await said({ memberId: 'nobody', memberEpoch: -1 }),
      ]
      const owning = (activeTasks: NonNullable<StreamsBeatInput['activeTasks']>): Promise<unknown> =>
        said({ activeTasks, standbyTasks: [], warmupTasks: [] })
      answers.push(await owning([{ subtopologyId: '0', partitions: [2] }]))
      answers.push(await owning([{ subtopologyId: '0', partitions: [-1] }]))
      answers.push(await owning([{ subtopologyId: '7', partitions: [0] }]))
      return [answers, await client.join(reading(TOPIC)), await describeStreams(broker, 'ks-fenced')]
    }),
    story('the epoch before, for a member whose answer was lost', async (broker) => {
      const [one, two] = [new StreamsClient(broker, 'ks-lost', 'one'), new StreamsClient(broker, 'ks-lost', 'two')]
      await one.join(reading(WIDE_TOPIC))
      const held = one.tasks.active
      await two.join(reading(WIDE_TOPIC))
      await settledStreams(broker, [one, two])
      const before = one.memberEpoch - 1
      const owning = (activeTasks: typeof held): Partial<StreamsBeatInput> => ({
        activeTasks,
        standbyTasks: [],
        warmupTasks: [],
      })
      return [
        await one.send({ memberEpoch: before }),
        await one.send({ memberEpoch: before, ...owning(held) }),
        await one.send({ memberEpoch: before, ...owning(one.tasks.active) }),
        await one.send({ memberEpoch: before - 1, ...owning(one.tasks.active) }),
      ]
    }),
    story('a member whose session ends', async (broker) => {
      const [one, two] = [new StreamsClient(broker, 'ks-silent', 'one'), new StreamsClient(broker, 'ks-silent', 'two')]
      await two.join(reading(TOPIC))
      await one.join(reading(TOPIC))
      await broker.until('the silent one is gone', async () => {
        await one.own()
        return (await describeStreams(broker, 'ks-silent'))[0]?.members.length === 1
      })
      return [await settledStreams(broker, [one]), (await two.beat()).errorCode]
    }),
    story('a member that does not give up in time', async (broker) => {
      const [one, two] = [new StreamsClient(broker, 'ks-slow', 'one'), new StreamsClient(broker, 'ks-slow', 'two')]
      await one.join(reading(TOPIC), { rebalanceTimeoutMs: 500 })
      await two.join(reading(TOPIC))
      const asked = await one.beat()
      await broker.until(
        'it is fenced',
        async () => (await two.own()).errorCode === 0 && (await one.send({})).errorCode !== 0,
      )
      return [asked, await one.send({}), await settledStreams(broker, [two])]
    }),
    story('the first assignment waits for more members', async (broker) => {
      const [one, two] = ['one', 'two'].map((id) => new StreamsClient(broker, 'ks-delayed', id)) as [
        StreamsClient,
        StreamsClient,
      ]
      const beats = [await one.join(reading(TOPIC)), await two.join(reading(TOPIC)), await one.own()]
      return [beats, await describeStreams(broker, 'ks-delayed')]
    }),
    story('when that time has passed, all are assigned', async (broker) => {
      const [one, two] = ['one', 'two'].map((id) => new StreamsClient(broker, 'ks-gathering', id)) as [
        StreamsClient,
        StreamsClient,
      ]
      const beats = [await one.join(reading(TOPIC)), await two.join(reading(TOPIC))]
      await broker.until(
        'there is an assignment',
        async () => (await streamsState(broker, 'ks-gathering')) !== 'Assigning',
      )
      const described = await describeStreams(broker, 'ks-gathering')
      return [beats, described, await settledStreams(broker, [one, two])]
    }),
    story('no new assignment within the interval', async (broker) => {
      const [one, two] = ['one', 'two'].map((id) => new StreamsClient(broker, 'ks-interval', id)) as [
        StreamsClient,
        StreamsClient,
      ]
      const beats = [await one.join(reading(TOPIC)), await two.join(reading(TOPIC)), await one.own()]
      return [beats, await describeStreams(broker, 'ks-interval')]
    }),
    story('the end of the whole application', async (broker) => {
      const [one, two] = ['one', 'two'].map((id) => new StreamsClient(broker, 'ks-shutdown', id)) as [
        StreamsClient,
        StreamsClient,
      ]
      await one.join(reading(TOPIC))
      await two.join(reading(TOPIC))
      await settledStreams(broker, [one, two])
      const beats = [await one.beat({ shutdownApplication: true }), await two.beat({ shutdownApplication: true })]
      beats.push(await one.leave({ shutdownApplication: true }), await two.beat(), await two.leave())
      return [beats, await one.join(reading(TOPIC)), await one.own()]
    }),
  ],
}

function withoutEpochs(settled: unknown): unknown {
  return (settled as { memberId: string; tasks: unknown }[]).map(({ memberId, tasks }) => ({ memberId, tasks }))
}

const TOPICS: CaseGroup = {
  api: 'StreamsGroupHeartbeat: topics',
  prepare: prepareStreams,
  cases: [
    story('source topics that are missing, and come', async (broker) => {
      const client = new StreamsClient(broker, 'ks-sourceless', 'one')
      const names = ['ks-late-4', 'ks-late-2', 'ks-late-3', 'ks-late-1']
      const runs = topology(
        subtopology('0', { sourceTopics: names, stateChangelogTopics: [internalTopic('ks-late-c')] }),
      )
      const told: unknown[] = [
        await client.join(runs),
        await client.own(),
        await describeStreams(broker, 'ks-sourceless'),
      ]
      for (const name of names) await broker.createTopic(name)
      await broker.until(
        'they are found',
        async () =>
          (await streamsState(broker, 'ks-sourceless')) !== 'NotReady' || (await client.own()).errorCode !== 0,
      )
      return [...told, withoutEpochs(await settledStreams(broker, [client])), await describeTopics(broker, 'ks-late-c')]
    }),
    story('internal topics are made as the topology says', async (broker) => {
      const client = new StreamsClient(broker, 'ks-internal', 'one')
      const compact = { topicConfigs: [{ key: 'cleanup.policy', value: 'compact' }] }
      const runs = topology(
        subtopology('0', { sourceTopics: [WIDE_TOPIC, TOPIC], repartitionSinkTopics: ['ks-b', 'ks-a'] }),
        subtopology('1', {
          repartitionSourceTopics: [internalTopic('ks-a'), internalTopic('ks-b', { partitions: 6 })],
          repartitionSinkTopics: ['ks-c'],
          stateChangelogTopics: [internalTopic('ks-store-changelog', compact)],
        }),
        subtopology('2', {
          sourceTopics: [TOPIC],
          repartitionSourceTopics: [
            internalTopic('ks-c', {
              replicationFactor: 1,
              topicConfigs: [
                { key: 'retention.ms', value: '-1' },
                { key: 'cleanup.policy', value: 'delete' },
                { key: 'segment.bytes', value: '52428800' },
              ],
            }),
          ],
        }),
      )
      const joined = await client.join(runs)
      const before = await describeStreams(broker, 'ks-internal')
      await broker.until('they are there', async () => {
        const { status, errorCode } = await client.own()
        return errorCode === 0 && (status ?? []).length === 0
      })
      const [described] = await describeStreams(broker, 'ks-internal')
      return [
        joined,
        before,
        described?.topology,
        withoutEpochs(await settledStreams(broker, [client])),
        await describeTopics(broker, 'ks-a', 'ks-b', 'ks-c', 'ks-store-changelog'),
      ]
    }),
    story('internal topics that cannot be made', async (broker) => {
      const client = new StreamsClient(broker, 'ks-impossible', 'one')
      const wrong = { topicConfigs: [{ key: 'cleanup.policy', value: 'nonsense' }] }
      const runs = topology(
        subtopology('0', { sourceTopics: [TOPIC], stateChangelogTopics: [internalTopic('ks-wrong', wrong)] }),
      )
      const joined = await client.join(runs)
      let detail = ''
      await broker.until('it is told why', async () => {
        detail = (await client.own()).status?.[0]?.statusDetail ?? ''
        return detail.includes('Creation failed')
      })
      return [joined, detail.replace(/\(.*\)/, '(why)')]
    }),
    ...[
      {
        name: 'a changelog with another number of partitions',
        runs: reading(TOPIC, OTHER_TOPIC),
      },
      {
        name: 'sources that are joined and differ',
        runs: topology(
          subtopology('0', {
            sourceTopics: [TOPIC, OTHER_TOPIC],
            copartitionGroups: [{ sourceTopics: [0, 1], sourceTopicRegex: [], repartitionSourceTopics: [] }],
          }),
        ),
      },
      {
        name: 'a demanded number that differs from the source it is joined with',
        runs: topology(
          subtopology('0', { sourceTopics: [TOPIC], repartitionSinkTopics: ['ks-demanded'] }),
          subtopology('1', {
            sourceTopics: [WIDE_TOPIC],
            repartitionSourceTopics: [internalTopic('ks-demanded', { partitions: 3 })],
            copartitionGroups: [{ sourceTopics: [0], sourceTopicRegex: [], repartitionSourceTopics: [0] }],
          }),
        ),
      },
      {
        name: 'demanded numbers that differ',
        runs: topology(
          subtopology('0', { sourceTopics: [TOPIC], repartitionSinkTopics: ['ks-d1', 'ks-d2'] }),
          subtopology('1', {
            repartitionSourceTopics: [
              internalTopic('ks-d1', { partitions: 3 }),
              internalTopic('ks-d2', { partitions: 4 }),
            ],
            copartitionGroups: [{ sourceTopics: [], sourceTopicRegex: [], repartitionSourceTopics: [0, 1] }],
          }),
        ),
      },
    ].map(({ name, runs }, index) =>
      story(name, async (broker) => {
        const client = new StreamsClient(broker, `ks-partitioned-${index}`, 'one')
        const beats = [await client.join(runs), await client.own()]
        return [beats, await describeStreams(broker, client.groupId)]
      }),
    ),
    story('repartition topics that are joined get the number of what they are joined with', async (broker) => {
      const client = new StreamsClient(broker, 'ks-joined', 'one')
      const runs = topology(
        subtopology('0', { sourceTopics: [TOPIC], repartitionSinkTopics: ['ks-j1', 'ks-j2', 'ks-j3'] }),
        subtopology('1', {
          sourceTopics: [WIDE_TOPIC],
          repartitionSourceTopics: [internalTopic('ks-j1')],
          copartitionGroups: [{ sourceTopics: [0], sourceTopicRegex: [], repartitionSourceTopics: [0] }],
        }),
        subtopology('2', {
          repartitionSourceTopics: [internalTopic('ks-j2'), internalTopic('ks-j3')],
          copartitionGroups: [{ sourceTopics: [], sourceTopicRegex: [], repartitionSourceTopics: [0, 1] }],
        }),
      )
      await client.join(runs)
      await broker.until('all is there', async () => ((await client.own()).status ?? []).length === 0)
      return [
        withoutEpochs(await settledStreams(broker, [client])),
        await describeTopics(broker, 'ks-j1', 'ks-j2', 'ks-j3'),
      ]
    }),
    story('topologies that change', async (broker) => {
      const client = new StreamsClient(broker, 'ks-changing', 'one')
      const runs = { ...reading(TOPIC), epoch: 3 }
      await client.join(runs)
      const later = new StreamsClient(broker, 'ks-changing', 'two')
      const told: unknown[] = [
        await later.join({ ...reading(OTHER_TOPIC), epoch: 3 }),
        await later.join({ ...reading(TOPIC), epoch: 4 }),
        await later.join({ ...reading(OTHER_TOPIC), epoch: 2 }),
        await client.own(),
        await later.own(),
      ]
      told.push(await settledStreams(broker, [client, later]), await describeStreams(broker, 'ks-changing'))
      return [...told, await later.join(runs)]
    }),
    story('more partitions: more tasks', async (broker) => {
      await broker.createTopic('ks-growing', { partitions: 1 })
      const client = new StreamsClient(broker, 'ks-growing', 'one')
      await broker.until(
        'it is seen',
        async () => ((await client.join(reading('ks-growing'))).status ?? []).length === 0,
      )
      await settledStreams(broker, [client])
      const connection = await broker.connection('setup')
      const topics = [{ name: 'ks-growing', count: 3, assignments: null }]
      const request = { topics, timeoutMs: 10_000, validateOnly: false }
      await connection.send(CreatePartitionsRequest, CreatePartitionsResponse, request, { version: 3 })
      await broker.until('the group has seen them', async () => {
        await client.own()
        return client.tasks.active[0]?.partitions.length === 3
      })
      return withoutEpochs(await settledStreams(broker, [client]))
    }),
    story('endpoints for interactive queries', async (broker) => {
      const runs = topology(
        subtopology('0', { sourceTopics: [TOPIC, WIDE_TOPIC] }),
        subtopology('1', { sourceTopics: [OTHER_TOPIC] }),
      )
      const [one, two] = ['one', 'two'].map((id) => new StreamsClient(broker, 'ks-endpoints', id)) as [
        StreamsClient,
        StreamsClient,
      ]
      const beats = [
        await one.join(runs, { userEndpoint: { host: 'first', port: 1 } }),
        await one.own(),
        await one.own(),
        await two.join(runs, { userEndpoint: { host: 'second', port: 65_535 } }),
      ]
      await settledStreams(broker, [one, two])
      beats.push(await one.own({ endpointInformationEpoch: -1 }), await two.own({ endpointInformationEpoch: -1 }))
      beats.push(await one.own(), await two.own(), await two.leave(), await one.own(), await one.own())
      return [beats, await describeStreams(broker, 'ks-endpoints')]
    }),
    accepting(
      story('an endpoint while source topics are missing', async (broker) => {
        const client = new StreamsClient(broker, 'ks-endpointless', 'one')
        const beat = await client.join(reading('ks-never'), { userEndpoint: { host: 'first', port: 1 } })
        return { code: beat.errorCode, statuses: beat.status?.map(({ statusCode }) => statusCode) ?? null }
      }),
      'Kafka stumbles over the partitions that it cannot tell; the member must hear which topics are missing',
      { code: 0, statuses: [1] },
    ),
  ],
}

async function commitCode(
  broker: DifferentialBroker,
  groupId: string,
  { memberId = '', epoch = -1, topic = TOPIC, partition = 0, version = 9 },
): Promise<number | undefined> {
  const connection = await broker.connection('commits')
  const partitions = [{ partitionIndex: partition, committedOffset: 5, committedMetadata: 'm' }]
  const value = { groupId, generationIdOrMemberEpoch: epoch, memberId, topics: [{ name: topic, partitions }] }
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

async function listed(broker: DifferentialBroker, prefix: string, filters: object): Promise<unknown> {
  const connection = await broker.connection('describe')
  const value = { statesFilter: [], typesFilter: [], ...filters }
  const { errorCode, groups } = await connection.send(ListGroupsRequest, ListGroupsResponse, value, { version: 5 })
  return { errorCode, groups: groups.filter(({ groupId }) => groupId.startsWith(prefix)) }
}

async function deleted(broker: DifferentialBroker, groupId: string): Promise<number | undefined> {
  const connection = await broker.connection('commits')
  const answer = await connection.send(
    DeleteGroupsRequest,
    DeleteGroupsResponse,
    { groupsNames: [groupId] },
    { version: 2 },
  )
  return answer.results[0]?.errorCode
}

async function offsetDeleted(broker: DifferentialBroker, groupId: string, name: string): Promise<unknown> {
  const connection = await broker.connection('commits')
  const value = { groupId, topics: [{ name, partitions: [{ partitionIndex: 0 }] }] }
  return connection.send(OffsetDeleteRequest, OffsetDeleteResponse, value, { version: 0 })
}

const OTHERS: CaseGroup = {
  api: 'Streams groups and the other requests',
  prepare: prepareStreams,
  cases: [
    story('commits of members, strangers and administrators', async (broker) => {
      const groupId = 'ks-commits'
      const client = new StreamsClient(broker, groupId, 'one')
      await client.join(reading(TOPIC))
      const commit = (memberId: string, epoch: number, version = 9): Promise<number | undefined> =>
        commitCode(broker, groupId, { memberId, epoch, version })
      const codes = [await commit('one', 2), await commit('one', 3), await commit('one', 1), await commit('one', -1)]
      codes.push(await commit('one', 2, 8), await commit('two', 2), await commit('', -1), await commit('', 2))
      await client.leave()
      codes.push(await commit('', -1), await commit('one', 2), await commit('any', -1))
      return codes
    }),
    story('a commit from the epoch before of what it still has', async (broker) => {
      const groupId = 'ks-late-commits'
      const [one, two] = [new StreamsClient(broker, groupId, 'one'), new StreamsClient(broker, groupId, 'two')]
      await one.join(reading(WIDE_TOPIC))
      await two.join(reading(WIDE_TOPIC))
      await settledStreams(broker, [one, two])
      const kept = new Set(one.tasks.active.flatMap(({ partitions }) => partitions))
      const codes: unknown[] = []
      for (const partition of [0, 1, 2, 3]) {
        const late = { memberId: 'one', epoch: one.memberEpoch - 1, topic: WIDE_TOPIC, partition }
        codes.push([kept.has(partition), await commitCode(broker, groupId, late)])
      }
      codes.push(await commitCode(broker, groupId, { memberId: 'one', epoch: one.memberEpoch - 1, topic: OTHER_TOPIC }))
      return codes
    }),
    story('fetches with and without a member', async (broker) => {
      const groupId = 'ks-fetches'
      const client = new StreamsClient(broker, groupId, 'one')
      await client.join(reading(TOPIC))
      await commitCode(broker, groupId, { memberId: 'one', epoch: 2 })
      return [
        await fetched(broker, groupId, 'one', 2),
        await fetched(broker, groupId, 'one', 1),
        await fetched(broker, groupId, 'two', 2),
        await fetched(broker, groupId, null, -1),
      ]
    }),
    story('offsets and groups are deleted', async (broker) => {
      const groupId = 'ks-deleted'
      const client = new StreamsClient(broker, groupId, 'one')
      await client.join(reading(TOPIC))
      for (const topic of [TOPIC, OTHER_TOPIC]) await commitCode(broker, groupId, { memberId: 'one', epoch: 2, topic })
      const told: unknown[] = [
        await offsetDeleted(broker, groupId, TOPIC),
        await offsetDeleted(broker, groupId, OTHER_TOPIC),
        await deleted(broker, groupId),
      ]
      await client.leave()
      told.push(await offsetDeleted(broker, groupId, TOPIC), await deleted(broker, groupId))
      return [...told, await deleted(broker, groupId), await describeStreams(broker, groupId)]
    }),
    story('lists, by type and state', async (broker) => {
      const runs = reading(TOPIC)
      const stable = new StreamsClient(broker, 'ks-list-stable', 'one')
      const empty = new StreamsClient(broker, 'ks-list-empty', 'one')
      await stable.join(runs)
      await stable.own()
      await empty.join(runs)
      await empty.leave()
      await new StreamsClient(broker, 'ks-list-not-ready', 'one').join(reading('ks-never'))
      const answers: unknown[] = [await listed(broker, 'ks-list', {})]
      for (const typesFilter of [['streams'], ['STREAMS', 'consumer'], ['classic']]) {
        answers.push(await listed(broker, 'ks-list', { typesFilter }))
      }
      for (const state of ['Stable', 'Empty', 'NotReady', 'not_ready', 'Assigning']) {
        answers.push(await listed(broker, 'ks-list', { statesFilter: [state] }))
      }
      return answers
    }),
    story('described as another type', async (broker) => {
      const client = new StreamsClient(broker, 'ks-type', 'one')
      await client.join(reading(TOPIC))
      const consumer = new ConsumerClient(broker, 'ks-type-consumer', 'one')
      await consumer.join([TOPIC])
      return [
        await describeGroup(broker, 'ks-type', 5),
        await describeGroup(broker, 'ks-type', 6),
        await describeStreams(broker, 'ks-type-consumer', 'ks-never', ''),
      ]
    }),
    story('a classic member and a streams group', async (broker) => {
      const client = new StreamsClient(broker, 'ks-to-classic', 'one')
      await client.join(reading(TOPIC))
      await commitCode(broker, 'ks-to-classic', { memberId: 'one', epoch: 2 })
      const member = new Participant(broker, 'ks-to-classic', 'classic')
      const codes: unknown[] = [(await member.join()).errorCode]
      await client.leave()
      codes.push((await member.join()).errorCode, await fetched(broker, 'ks-to-classic', null, -1))
      const back = await client.join(reading(TOPIC))
      codes.push(back.errorCode, back.errorMessage === null, (await client.beat()).errorCode)
      return codes
    }),
    story('a streams member and groups of other types', async (broker) => {
      const consumer = new ConsumerClient(broker, 'ks-taken', 'one')
      await consumer.join([TOPIC])
      const streams = new StreamsClient(broker, 'ks-taken', 'one')
      const told: unknown[] = [await streams.join(reading(TOPIC)), await streams.beat(), await streams.leave()]
      await consumer.leave()
      told.push(await streams.join(reading(TOPIC)))
      // A classic group without members gives way, and its offsets stay.
      await commitCode(broker, 'ks-simple', {})
      const simple = new StreamsClient(broker, 'ks-simple', 'one')
      told.push(await simple.join(reading(TOPIC)), await fetched(broker, 'ks-simple', null, -1))
      const late = new ConsumerClient(broker, 'ks-simple', 'one')
      return [...told, await late.join([TOPIC]), await describeStreams(broker, 'ks-simple')]
    }),
  ],
}

export const STREAMS_GROUP_CASES: readonly CaseGroup[] = [REQUESTS, MEMBERS, TOPICS, OTHERS]
