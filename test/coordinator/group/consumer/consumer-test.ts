/** Drives consumer groups in tests: a member is a few words, its answers are kept. */
import type { ConsumerHeartbeatAnswer } from '../../../../src/coordinator/consumer-requests.ts'
import type { ConsumerGroupHeartbeatRequest } from '../../../../src/protocol/messages/68-consumer-group-heartbeat.ts'
import { type Call, GroupTest, TOPICS } from '../../group-test.ts'

type BeatFields = Partial<ConsumerGroupHeartbeatRequest> & { readonly version?: number }

export interface Held {
  readonly [topic: string]: readonly number[]
}

/** One consumer: says what it has, as it was told. */
export class Consumer {
  readonly #groups: GroupTest
  readonly groupId: string
  readonly memberId: string
  readonly instanceId: string | null
  epoch = 0
  holds: ConsumerGroupHeartbeatRequest['topicPartitions'] & object = []

  constructor(groups: GroupTest, memberId: string, options: { groupId?: string; instanceId?: string } = {}) {
    this.#groups = groups
    this.memberId = memberId
    this.groupId = options.groupId ?? 'group'
    this.instanceId = options.instanceId ?? null
  }

  call(fields: BeatFields): Call<ConsumerHeartbeatAnswer> {
    const { version = 1, ...rest } = fields
    const request: ConsumerGroupHeartbeatRequest = {
      groupId: this.groupId,
      memberId: this.memberId,
      memberEpoch: this.epoch,
      instanceId: this.instanceId,
      rackId: null,
      rebalanceTimeoutMs: -1,
      subscribedTopicNames: null,
      subscribedTopicRegex: null,
      serverAssignor: null,
      topicPartitions: null,
      ...rest,
    }
    return this.#groups.call(this.#groups.coordinator.consumerHeartbeat, version, request)
  }

  #take(answer: ConsumerHeartbeatAnswer): ConsumerHeartbeatAnswer {
    if (answer.errorCode !== 0) return answer
    this.epoch = answer.memberEpoch
    if (answer.assignment != null)
      this.holds = answer.assignment.topicPartitions.map((each) => ({ ...each, partitions: [...each.partitions] }))
    return answer
  }

  join(topics: string[] | null = ['orders'], fields: BeatFields = {}): ConsumerHeartbeatAnswer {
    const first = { memberEpoch: 0, rebalanceTimeoutMs: 30_000, subscribedTopicNames: topics, topicPartitions: [] }
    return this.#take(this.call({ ...first, ...fields }).answer)
  }

  /** Says nothing new. */
  beat(fields: BeatFields = {}): ConsumerHeartbeatAnswer {
    return this.#take(this.call(fields).answer)
  }

  /** Says what it has. */
  own(): ConsumerHeartbeatAnswer {
    return this.beat({ topicPartitions: this.holds })
  }

  leave(memberEpoch = -1): ConsumerHeartbeatAnswer {
    return this.call({ memberEpoch }).answer
  }

  /** By topic name. */
  get held(): Held {
    const names = new Map(Object.entries(TOPICS).map(([name, { id }]) => [id, name]))
    return Object.fromEntries(this.holds.map(({ topicId, partitions }) => [names.get(topicId) ?? topicId, partitions]))
  }
}

/** Everybody heartbeats until nobody's epoch or partitions change any more. Assignments follow one another at once. */
export function settle(consumers: readonly Consumer[]): void {
  const look = (): string => JSON.stringify(consumers.map(({ epoch, holds }) => [epoch, holds]))
  for (let round = 0; round < 20; round++) {
    const before = look()
    for (const consumer of consumers) consumer.own()
    if (look() === before) return
  }
  throw new Error(`no end: ${look()}`)
}

/** A coordinator that assigns anew at once. */
export function consumerTest(options: ConstructorParameters<typeof GroupTest>[0] = {}): GroupTest {
  const groups = new GroupTest(options)
  groups.settings.set('group', { assignmentIntervalMs: 0 })
  return groups
}
