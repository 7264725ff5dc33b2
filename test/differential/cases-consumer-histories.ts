// Random histories of consumer groups: the same steps on both brokers, every answer compared. A failure names its seed.
import { OffsetCommitRequest, OffsetCommitResponse } from '../../src/protocol/messages/08-offset-commit.ts'
import { OffsetFetchRequest, OffsetFetchResponse } from '../../src/protocol/messages/09-offset-fetch.ts'
import { fuzzRounds, Random } from '../support/random.ts'
import type { DifferentialBroker } from './broker.ts'
import type { CaseGroup } from './case.ts'
import { OTHER_TOPIC, prepareConsumerTopics, TOPIC } from './cases-consumer-groups.ts'
import { ConsumerClient, describeConsumers } from './consumer-group-helpers.ts'

const HISTORIES = fuzzRounds(10)
const STEPS = 60
/** Ids whose hashes fall into buckets of their own: where two share one, it is left to chance who comes first. */
const MEMBERS = ['alpha', 'beta', 'delta', 'eta']
/** One topic at a time: the order of two depends on their ids, which each broker makes itself. */
const JOINED = [[TOPIC], [TOPIC], [TOPIC], [OTHER_TOPIC]]
const TOPICS = [...JOINED, []]

class History {
  readonly #broker: DifferentialBroker
  readonly #random: Random
  readonly #groupId: string
  readonly #clients: ConsumerClient[]

  constructor(broker: DifferentialBroker, seed: number) {
    this.#broker = broker
    this.#random = new Random(seed)
    this.#groupId = `kip-history-${seed}`
    this.#clients = MEMBERS.map(
      (id, index) => new ConsumerClient(broker, this.#groupId, id, index === 3 ? 'instance' : null),
    )
  }

  async tell(): Promise<unknown> {
    const told: unknown[] = []
    for (let step = 0; step < STEPS; step++) told.push(await this.#step())
    return [told, await describeConsumers(this.#broker, this.#groupId)]
  }

  async #step(): Promise<unknown> {
    const random = this.#random
    const client = random.pick(this.#clients)
    const dice = random.below(100)
    if (dice < 12) return ['join', await client.join(random.pick(JOINED), { rebalanceTimeoutMs: 30_000 })]
    if (dice < 45) return ['own', await client.own()]
    if (dice < 60) return ['beat', await client.beat()]
    if (dice < 66) return ['epoch', await client.send({ memberEpoch: client.memberEpoch + random.pick([-1, 1, 2]) })]
    if (dice < 70) {
      const topicPartitions = client.holds.map(({ topicId, partitions }) => ({ topicId, partitions: [...partitions] }))
      return ['lost', await client.send({ memberEpoch: client.memberEpoch - 1, topicPartitions })]
    }
    if (dice < 75) return ['subscribe', await client.beat({ subscribedTopicNames: random.pick(TOPICS) })]
    if (dice < 79) return ['assignor', await client.beat({ serverAssignor: random.pick(['range', 'uniform']) })]
    if (dice < 85) return ['leave', await client.leave(random.pick([-1, -1, -2]))]
    if (dice < 92) return ['commit', await this.#commit(client)]
    if (dice < 96) return ['fetch', await this.#fetch(client)]
    return ['describe', await describeConsumers(this.#broker, this.#groupId)]
  }

  async #commit(client: ConsumerClient): Promise<unknown> {
    const random = this.#random
    const connection = await this.#broker.connection('commits')
    const partitions = [{ partitionIndex: random.below(4), committedOffset: random.below(9), committedMetadata: '' }]
    const memberId = random.chance(0.1) ? '' : client.memberId
    const generationIdOrMemberEpoch = client.memberEpoch + random.pick([0, 0, -1, 1])
    const value = { groupId: this.#groupId, memberId, generationIdOrMemberEpoch, topics: [{ name: TOPIC, partitions }] }
    return connection.send(OffsetCommitRequest, OffsetCommitResponse, value, { version: random.pick([8, 9, 9]) })
  }

  async #fetch(client: ConsumerClient): Promise<unknown> {
    const connection = await this.#broker.connection('commits')
    const memberEpoch = client.memberEpoch + this.#random.pick([0, 0, -1])
    const groups = [{ groupId: this.#groupId, memberId: client.memberId, memberEpoch, topics: null }]
    return connection.send(OffsetFetchRequest, OffsetFetchResponse, { groups, requireStable: false }, { version: 9 })
  }
}

export const CONSUMER_HISTORY_CASES: readonly CaseGroup[] = [
  {
    api: 'Histories of consumer groups',
    prepare: prepareConsumerTopics,
    cases: Array.from({ length: HISTORIES }, (_, index) => {
      const seed = Number(process.env.SAMSA_SEED ?? 4_848) + index
      return { name: `seed ${seed}`, ask: (broker: DifferentialBroker) => new History(broker, seed).tell() }
    }),
  },
]
