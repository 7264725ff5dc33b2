/** Drives streams groups in tests: a member is a few words, its answers are kept. */
import type { Topology } from '../../../../src/coordinator/group/streams/topology.ts'
import type { StreamsHeartbeatAnswer } from '../../../../src/coordinator/streams-requests.ts'
import type { StreamsGroupHeartbeatRequest } from '../../../../src/protocol/messages/88-streams-group-heartbeat.ts'
import { type Call, GroupTest } from '../../group-test.ts'

type BeatFields = Partial<StreamsGroupHeartbeatRequest>
type TaskIds = { subtopologyId: string; partitions: number[] }
type Response = StreamsHeartbeatAnswer['response']

type Subtopology = NonNullable<StreamsGroupHeartbeatRequest['topology']>['subtopologies'][number]

export function subtopology(subtopologyId: string, more: Partial<Subtopology>): Subtopology {
  const topics = { sourceTopics: [], sourceTopicRegex: [], stateChangelogTopics: [] }
  return {
    subtopologyId,
    ...topics,
    repartitionSinkTopics: [],
    repartitionSourceTopics: [],
    copartitionGroups: [],
    ...more,
  }
}

export function internal(name: string, partitions = 0): Subtopology['stateChangelogTopics'][number] {
  return { name, partitions, replicationFactor: 0, topicConfigs: [] }
}

/** Reads orders and payments, in two subtopologies, one with state. */
export const TOPOLOGY = {
  epoch: 0,
  subtopologies: [
    subtopology('0', { sourceTopics: ['orders'], stateChangelogTopics: [internal('sums')] }),
    subtopology('1', { sourceTopics: ['payments'] }),
  ],
} satisfies Topology

/** One thread: says what it has, as it was told. */
export class Thread {
  readonly #groups: GroupTest
  readonly groupId: string
  readonly memberId: string
  readonly processId: string
  epoch = 0
  active: TaskIds[] = []
  standby: TaskIds[] = []

  constructor(groups: GroupTest, memberId: string, options: { groupId?: string; processId?: string } = {}) {
    this.#groups = groups
    this.memberId = memberId
    this.groupId = options.groupId ?? 'group'
    this.processId = options.processId ?? memberId
  }

  call(fields: BeatFields): Call<StreamsHeartbeatAnswer> {
    const request: StreamsGroupHeartbeatRequest = {
      groupId: this.groupId,
      memberId: this.memberId,
      memberEpoch: this.epoch,
      endpointInformationEpoch: 0,
      instanceId: null,
      rackId: null,
      rebalanceTimeoutMs: -1,
      topology: null,
      activeTasks: null,
      standbyTasks: null,
      warmupTasks: null,
      processId: null,
      userEndpoint: null,
      clientTags: null,
      taskOffsets: null,
      taskEndOffsets: null,
      shutdownApplication: false,
      ...fields,
    }
    const { streams } = this.#groups.coordinator
    return this.#groups.call(streams.heartbeat.bind(streams), 0, request)
  }

  take({ response }: StreamsHeartbeatAnswer): Response {
    if (response.errorCode !== 0) return response
    this.epoch = response.memberEpoch
    const copied = (tasks: NonNullable<Response['activeTasks']>): TaskIds[] =>
      tasks.map(({ subtopologyId, partitions }) => ({ subtopologyId, partitions: [...partitions] }))
    if (response.activeTasks != null) this.active = copied(response.activeTasks)
    if (response.standbyTasks != null) this.standby = copied(response.standbyTasks)
    return response
  }

  joining(fields: BeatFields = {}): BeatFields {
    const nothing = { activeTasks: [], standbyTasks: [], warmupTasks: [] }
    const said = { topology: structuredClone(TOPOLOGY), processId: this.processId, clientTags: [] }
    return { memberEpoch: 0, rebalanceTimeoutMs: 30_000, ...said, ...nothing, ...fields }
  }

  join(fields: BeatFields = {}): Response {
    return this.take(this.call(this.joining(fields)).answer)
  }

  owning(): BeatFields {
    return { activeTasks: this.active, standbyTasks: this.standby, warmupTasks: [] }
  }

  /** Says nothing new. */
  beat(fields: BeatFields = {}): Response {
    return this.take(this.call(fields).answer)
  }

  /** Says what it has. */
  own(): Response {
    return this.beat(this.owning())
  }

  leave(): Response {
    return this.call({ memberEpoch: -1 }).answer.response
  }

  /** `subtopology_partition` of each. */
  tasks(role: 'active' | 'standby'): string[] {
    return this[role].flatMap(({ subtopologyId, partitions }) => partitions.map((each) => `${subtopologyId}_${each}`))
  }
}

/** Everybody heartbeats until nobody's epoch or tasks change any more. */
export function settle(threads: readonly Thread[]): void {
  const look = (): string => JSON.stringify(threads.map(({ epoch, active, standby }) => [epoch, active, standby]))
  for (let round = 0; round < 30; round++) {
    const before = look()
    for (const thread of threads) thread.own()
    if (look() === before) return
  }
  throw new Error(`no end: ${look()}`)
}

/** A coordinator that assigns at once, and all topics that `TOPOLOGY` needs. */
export function streamsTest(options: ConstructorParameters<typeof GroupTest>[0] = {}): GroupTest {
  const groups = new GroupTest(options)
  groups.streamsSettings.set('group', { assignmentIntervalMs: 0, initialRebalanceDelayMs: 0 })
  groups.setTopic('sums', 3)
  return groups
}
