// Members of consumer groups (KIP-848) in a few words. Their ids are made here, so that both brokers assign to the same ones.
import {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
} from '../../src/protocol/messages/44-incremental-alter-configs.ts'
import {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '../../src/protocol/messages/68-consumer-group-heartbeat.ts'
import {
  ConsumerGroupDescribeRequest,
  ConsumerGroupDescribeResponse,
} from '../../src/protocol/messages/69-consumer-group-describe.ts'
import type { Infer, Input } from '../../src/protocol/schema.ts'
import type { DifferentialBroker } from './broker.ts'

export type Beat = Infer<typeof ConsumerGroupHeartbeatResponse>
type BeatInput = Input<typeof ConsumerGroupHeartbeatRequest>
type Owned = NonNullable<BeatInput['topicPartitions']>

/** A topic and partitions of it, in the order of ids as the answer had them. */
export type Holding = readonly { readonly topicId: string; readonly partitions: readonly number[] }[]

/** One client of a consumer group: remembers its epoch and what it was assigned. */
export class ConsumerClient {
  readonly #broker: DifferentialBroker
  readonly groupId: string
  memberId: string
  readonly instanceId: string | null
  memberEpoch = 0
  holds: Holding = []

  constructor(broker: DifferentialBroker, groupId: string, memberId: string, instanceId: string | null = null) {
    this.#broker = broker
    this.groupId = groupId
    this.memberId = memberId
    this.instanceId = instanceId
  }

  /** As it is, without looking at the answer. */
  async send(more: Partial<BeatInput>, version = 1): Promise<Beat> {
    const connection = await this.#broker.connection(`${this.groupId}-${this.memberId}`)
    const value: BeatInput = {
      groupId: this.groupId,
      memberId: this.memberId,
      memberEpoch: this.memberEpoch,
      instanceId: this.instanceId,
      ...more,
    }
    return connection.send(ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, value, { version })
  }

  async #take(beat: Beat): Promise<Beat> {
    if (beat.errorCode !== 0) return beat
    this.memberEpoch = beat.memberEpoch
    if (beat.assignment !== null) this.holds = beat.assignment.topicPartitions
    return beat
  }

  async join(topics: string[] | null, more: Partial<BeatInput> = {}): Promise<Beat> {
    const first = { memberEpoch: 0, rebalanceTimeoutMs: 30_000, subscribedTopicNames: topics, topicPartitions: [] }
    return this.#take(await this.send({ ...first, ...more }))
  }

  /** Says nothing new. */
  async beat(more: Partial<BeatInput> = {}): Promise<Beat> {
    return this.#take(await this.send(more))
  }

  /** Says what it has: what it was assigned last, as a client does that has revoked the rest. */
  async own(): Promise<Beat> {
    const topicPartitions: Owned = this.holds.map(({ topicId, partitions }) => ({
      topicId,
      partitions: [...partitions],
    }))
    return this.beat({ topicPartitions })
  }

  async leave(memberEpoch = -1): Promise<Beat> {
    return this.send({ memberEpoch })
  }
}

export async function describeConsumers(
  broker: DifferentialBroker,
  groupId: string,
  version = 1,
): Promise<Infer<typeof ConsumerGroupDescribeResponse>['groups']> {
  const connection = await broker.connection('describe')
  const value = { groupIds: [groupId], includeAuthorizedOperations: false }
  const answer = await connection.send(ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, value, { version })
  return answer.groups.map((group) => ({
    ...group,
    members: group.members.map((member) => ({
      ...member,
      subscribedTopicNames: [...member.subscribedTopicNames].sort(),
      assignment: inOrder(member.assignment),
    })),
  }))
}

/** What a member has and what it has not given up yet stand one behind the other. */
function inOrder<Row extends { partitions: number[] }>(assignment: {
  topicPartitions: Row[]
}): { topicPartitions: Row[] } {
  const sorted = (partitions: number[]): number[] => [...partitions].sort((one, other) => one - other)
  return { topicPartitions: assignment.topicPartitions.map((row) => ({ ...row, partitions: sorted(row.partitions) })) }
}

/** All members heartbeat, saying what they have, until the group is stable; what each then has, and its epoch. */
export async function settled(broker: DifferentialBroker, clients: readonly ConsumerClient[]): Promise<unknown> {
  const { groupId } = clients[0]!
  await broker.until(`${groupId} is stable`, async () => {
    for (const client of clients) {
      const { errorCode } = await client.own()
      if (errorCode !== 0) throw new Error(`${client.memberId} of ${groupId}: ${errorCode}`)
    }
    return (await describeConsumers(broker, groupId))[0]?.groupState === 'Stable'
  })
  return clients.map(({ memberId, memberEpoch, holds }) => ({ memberId, memberEpoch, topicPartitions: holds }))
}

const GROUP_RESOURCE = 32
const SET = 0

export async function setGroupConfig(broker: DifferentialBroker, groupId: string, name: string, value: string) {
  const connection = await broker.connection('setup')
  const configs = [{ name, configOperation: SET, value }]
  const resources = [{ resourceType: GROUP_RESOURCE, resourceName: groupId, configs }]
  const request = { resources, validateOnly: false }
  const answer = await connection.send(IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, request, {
    version: 1,
  })
  return answer.responses.map(({ errorCode }) => errorCode)
}
