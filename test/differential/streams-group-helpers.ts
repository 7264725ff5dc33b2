// Members of streams groups (KIP-1071) in a few words. Their ids are made here, so that both brokers assign to the same ones.
import { MetadataRequest, MetadataResponse } from '../../src/protocol/messages/03-metadata.ts'
import { DescribeConfigsRequest, DescribeConfigsResponse } from '../../src/protocol/messages/32-describe-configs.ts'
import {
  StreamsGroupHeartbeatRequest,
  StreamsGroupHeartbeatResponse,
} from '../../src/protocol/messages/88-streams-group-heartbeat.ts'
import {
  StreamsGroupDescribeRequest,
  StreamsGroupDescribeResponse,
} from '../../src/protocol/messages/89-streams-group-describe.ts'
import type { Infer, Input } from '../../src/protocol/schema.ts'
import type { DifferentialBroker } from './broker.ts'

export type StreamsBeat = Infer<typeof StreamsGroupHeartbeatResponse>
export type StreamsBeatInput = Input<typeof StreamsGroupHeartbeatRequest>
export type Topology = NonNullable<StreamsBeatInput['topology']>
type Subtopology = Topology['subtopologies'][number]
type TopicInfo = Subtopology['stateChangelogTopics'][number]
type TaskIds = { subtopologyId: string; partitions: number[] }

export function internalTopic(name: string, more: Partial<TopicInfo> = {}): TopicInfo {
  return { name, partitions: 0, replicationFactor: 0, topicConfigs: [], ...more }
}

export function subtopology(subtopologyId: string, more: Partial<Subtopology>): Subtopology {
  const nothing = { sourceTopics: [], sourceTopicRegex: [], stateChangelogTopics: [], copartitionGroups: [] }
  return { subtopologyId, ...nothing, repartitionSinkTopics: [], repartitionSourceTopics: [], ...more }
}

export function topology(...subtopologies: Subtopology[]): Topology {
  return { epoch: 0, subtopologies }
}

/** One subtopology that reads one topic. */
export function reading(topic: string, changelog: string | null = null): Topology {
  const stateChangelogTopics = changelog === null ? [] : [internalTopic(changelog)]
  return topology(subtopology('0', { sourceTopics: [topic], stateChangelogTopics }))
}

interface Assigned {
  active: TaskIds[]
  standby: TaskIds[]
}

/** One thread of an application: remembers its epoch and its tasks. */
export class StreamsClient {
  readonly #broker: DifferentialBroker
  readonly groupId: string
  readonly memberId: string
  readonly processId: string
  memberEpoch = 0
  endpointEpoch = 0
  tasks: Assigned = { active: [], standby: [] }

  constructor(broker: DifferentialBroker, groupId: string, memberId: string, processId = `process of ${memberId}`) {
    this.#broker = broker
    this.groupId = groupId
    this.memberId = memberId
    this.processId = processId
  }

  /** As it is, without looking at the answer. */
  async send(more: Partial<StreamsBeatInput>): Promise<StreamsBeat> {
    const connection = await this.#broker.connection(`${this.groupId}-${this.memberId}`)
    const value: StreamsBeatInput = {
      groupId: this.groupId,
      memberId: this.memberId,
      memberEpoch: this.memberEpoch,
      endpointInformationEpoch: this.endpointEpoch,
      ...more,
    }
    const beat = await connection.send(StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse, value, {
      version: 0,
    })
    return inOrder(beat)
  }

  async #take(beat: StreamsBeat): Promise<StreamsBeat> {
    if (beat.errorCode !== 0) return beat
    this.memberEpoch = beat.memberEpoch
    this.endpointEpoch = beat.endpointInformationEpoch
    if (beat.activeTasks !== null) this.tasks = { active: beat.activeTasks, standby: beat.standbyTasks ?? [] }
    return beat
  }

  async join(runs: Topology, more: Partial<StreamsBeatInput> = {}): Promise<StreamsBeat> {
    const nothing = { activeTasks: [], standbyTasks: [], warmupTasks: [] }
    const first = { memberEpoch: 0, rebalanceTimeoutMs: 30_000, topology: runs, processId: this.processId }
    return this.#take(await this.send({ ...first, ...nothing, clientTags: [], ...more }))
  }

  /** Says nothing new. */
  async beat(more: Partial<StreamsBeatInput> = {}): Promise<StreamsBeat> {
    return this.#take(await this.send(more))
  }

  /** Says what it has: what it was assigned last, as a client does that has given up the rest. */
  async own(more: Partial<StreamsBeatInput> = {}): Promise<StreamsBeat> {
    return this.beat({ activeTasks: this.tasks.active, standbyTasks: this.tasks.standby, warmupTasks: [], ...more })
  }

  async leave(more: Partial<StreamsBeatInput> = {}): Promise<StreamsBeat> {
    return this.send({ memberEpoch: -1, ...more })
  }
}

function bySubtopology<Row extends { subtopologyId: string }>(rows: readonly Row[]): Row[] {
  return [...rows].sort((one, other) => (one.subtopologyId < other.subtopologyId ? -1 : 1))
}

function inOrder(beat: StreamsBeat): StreamsBeat {
  const tasks = (listed: TaskIds[] | null) => (listed === null ? null : bySubtopology(listed))
  return {
    ...beat,
    activeTasks: tasks(beat.activeTasks),
    standbyTasks: tasks(beat.standbyTasks),
    warmupTasks: tasks(beat.warmupTasks),
    partitionsByUserEndpoint:
      beat.partitionsByUserEndpoint === null
        ? null
        : [...beat.partitionsByUserEndpoint]
            .sort((one, other) => (one.userEndpoint.host < other.userEndpoint.host ? -1 : 1))
            // The host of an endpoint is the test's own, not a broker's.
            .map(({ userEndpoint, ...rest }) => ({ at: `${userEndpoint.host}:${userEndpoint.port}`, ...rest })),
  } as StreamsBeat
}

export async function describeStreams(
  broker: DifferentialBroker,
  ...groupIds: string[]
): Promise<Infer<typeof StreamsGroupDescribeResponse>['groups']> {
  const connection = await broker.connection('describe')
  const value = { groupIds, includeAuthorizedOperations: false }
  const answer = await connection.send(StreamsGroupDescribeRequest, StreamsGroupDescribeResponse, value, { version: 0 })
  return answer.groups
}

export async function streamsState(broker: DifferentialBroker, groupId: string): Promise<string | undefined> {
  return (await describeStreams(broker, groupId))[0]?.groupState
}

/** All members heartbeat, saying what they have, until the group is stable; what each then has, and its epoch. */
export async function settledStreams(broker: DifferentialBroker, clients: readonly StreamsClient[]): Promise<unknown> {
  const { groupId } = clients[0]!
  await broker.until(`${groupId} is stable`, async () => {
    for (const client of clients) {
      const { errorCode } = await client.own()
      if (errorCode !== 0) throw new Error(`${client.memberId} of ${groupId}: ${errorCode}`)
    }
    return (await streamsState(broker, groupId)) === 'Stable'
  })
  return clients.map(({ memberId, memberEpoch, tasks }) => ({ memberId, memberEpoch, tasks }))
}

/** Partitions of the topics, and configs that a broker was told for them. */
export async function describeTopics(broker: DifferentialBroker, ...names: string[]): Promise<unknown> {
  const connection = await broker.connection('describe')
  const request = { topics: names.map((name) => ({ name })), allowAutoTopicCreation: false }
  const { topics } = await connection.send(MetadataRequest, MetadataResponse, request, { version: 12 })
  const resources = names.map((resourceName) => ({ resourceType: 2, resourceName, configurationKeys: null }))
  const { results } = await connection.send(
    DescribeConfigsRequest,
    DescribeConfigsResponse,
    { resources },
    { version: 4 },
  )
  const TOPIC_CONFIG_SOURCE = 1
  return {
    partitions: topics.map(({ name, errorCode, partitions }) => ({ name, errorCode, count: partitions.length })),
    configs: results.map(({ resourceName, configs }) => ({
      name: resourceName,
      set: configs
        .filter(({ configSource }) => configSource === TOPIC_CONFIG_SOURCE)
        .map(({ name, value }) => `${name}=${value}`)
        .sort(),
    })),
  }
}
