/** What the broker does around streams groups: who may name which topics, and the making of internal topics. */
import { describe, expect, test } from 'bun:test'
import streamsGroupHeartbeat from '../../src/broker/api/88-streams-group-heartbeat.ts'
import type { ApiCall, BrokerContext } from '../../src/broker/api.ts'
import { STREAMS_TOPIC_FAILURES_MAX } from '../../src/broker/limits.ts'
import { StreamsTopics } from '../../src/broker/streams-topics.ts'
import { StreamsStatus } from '../../src/coordinator/group/streams/status.ts'
import type { StreamsHeartbeatAnswer } from '../../src/coordinator/streams-requests.ts'
import type { CreateTopicResult, Topics } from '../../src/metadata/topics.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import type { StreamsGroupHeartbeatResponse } from '../../src/protocol/messages/88-streams-group-heartbeat.ts'
import { ZERO_UUID } from '../../src/protocol/schema.ts'
import { ManualClock } from '../../src/storage/clock-manual.ts'
import { silentLogger } from '../../src/storage/logger.ts'
import { adminBroker, type Denied } from './admin-context.ts'

type Response = StreamsGroupHeartbeatResponse
type NewTopics = Parameters<Topics['create']>[0]

const FAILURE_MS = 1_000
const OPTIONS = { charge: () => true, failureMs: FAILURE_MS }

function missing(name: string) {
  return { name, partitions: 3, replicationFactor: 0, topicConfigs: [{ key: 'cleanup.policy', value: 'compact' }] }
}

/** Creations that end when the test says so. */
class TestTopics {
  readonly asked: NewTopics[] = []
  readonly #ends: ((errorCode: ErrorCode) => void)[] = []

  create(topics: NewTopics): Promise<CreateTopicResult[]> {
    this.asked.push(topics)
    const { promise, resolve } = Promise.withResolvers<CreateTopicResult[]>()
    this.#ends.push((errorCode) => {
      const common = { errorCode, errorMessage: errorCode === ErrorCode.NONE ? null : `not today: ${errorCode}` }
      const rest = { topicId: ZERO_UUID, numPartitions: 3, replicationFactor: 1, configs: null }
      resolve(topics.map(({ name }) => ({ name, ...common, ...rest })))
    })
    return promise
  }

  async end(errorCode: ErrorCode = ErrorCode.NONE): Promise<void> {
    this.#ends.shift()!(errorCode)
    // Whoever waits goes on.
    for (let turn = 0; turn < 5; turn++) await Promise.resolve()
  }
}

describe('internal topics', () => {
  test('are created as they were asked for, with the default replication', () => {
    const topics = new TestTopics()
    new StreamsTopics(topics, new ManualClock(), silentLogger).create([missing('sums')], OPTIONS)
    const configs = [{ name: 'cleanup.policy', value: 'compact' }]
    expect(topics.asked).toEqual([
      [{ name: 'sums', numPartitions: 3, replicationFactor: -1, assignments: [], configs }],
    ])
  })

  test('are asked for once at a time, whoever misses them', async () => {
    const topics = new TestTopics()
    const made = new StreamsTopics(topics, new ManualClock(), silentLogger)
    made.create([missing('a'), missing('b')], OPTIONS)
    made.create([missing('b'), missing('c')], OPTIONS)
    made.create([missing('a')], OPTIONS)
    expect(topics.asked.map((each) => each.map(({ name }) => name))).toEqual([['a', 'b'], ['c']])
    await topics.end()
    made.create([missing('a')], OPTIONS)
    expect(topics.asked).toHaveLength(3)
  })

  test('that failed are told for a while, and not tried again until then', async () => {
    const topics = new TestTopics()
    const clock = new ManualClock()
    const made = new StreamsTopics(topics, clock, silentLogger)
    made.create([missing('a')], OPTIONS)
    await topics.end(ErrorCode.INVALID_CONFIG)
    expect(made.failure('a')).toBe(`not today: ${ErrorCode.INVALID_CONFIG}`)
    made.create([missing('a')], OPTIONS)
    expect(topics.asked).toHaveLength(1)
    clock.advance(FAILURE_MS)
    expect(made.failure('a')).toBeNull()
    made.create([missing('a')], OPTIONS)
    expect(topics.asked).toHaveLength(2)
  })

  test('that failed are remembered up to a limit, the newest', async () => {
    const topics = new TestTopics()
    const made = new StreamsTopics(topics, new ManualClock(), silentLogger)
    const names = Array.from({ length: STREAMS_TOPIC_FAILURES_MAX + 1 }, (_, index) => `topic-${index}`)
    made.create(names.map(missing), OPTIONS)
    await topics.end(ErrorCode.INVALID_CONFIG)
    expect(made.failure('topic-0')).toBeNull()
    expect(made.failure('topic-1')).not.toBeNull()
    expect(made.failure(names.at(-1)!)).not.toBeNull()
  })
})

const REQUEST = {
  groupId: 'group',
  memberId: 'one',
  memberEpoch: 0,
  topology: {
    epoch: 0,
    subtopologies: [
      {
        subtopologyId: '0',
        sourceTopics: ['orders'],
        sourceTopicRegex: [],
        stateChangelogTopics: [missing('sums')],
        repartitionSinkTopics: [],
        repartitionSourceTopics: [],
        copartitionGroups: [],
      },
    ],
  },
}

/** The handler over a coordinator that finds a topic missing. */
async function ask(topics: TestTopics, denied: Denied = () => false, properties = {}): Promise<Response> {
  const metadata = await adminBroker({ properties })
  const status = [{ statusCode: StreamsStatus.MISSING_INTERNAL_TOPICS, statusDetail: 'sums is missing' }]
  const response = { errorCode: ErrorCode.NONE, heartbeatIntervalMs: 500, status } as unknown as Response
  const heartbeat = (_context: unknown, _request: unknown, reply: (answer: StreamsHeartbeatAnswer) => void): void =>
    reply({ response, missingTopics: [missing('sums')] })
  const streamsTopics = new StreamsTopics(topics, new ManualClock(), silentLogger)
  const broker = { ...metadata, groups: { streams: { heartbeat } }, streamsTopics } as unknown as BrokerContext
  const allowed = (operation: string, resource: string, name: string): boolean => !denied(operation, resource, name)
  return new Promise((reply, fail) => {
    streamsGroupHeartbeat.run({ broker, apiVersion: 0, allowed, reply, fail } as unknown as ApiCall, REQUEST)
  })
}

describe('StreamsGroupHeartbeat', () => {
  test('either the right on the cluster or on the topic suffices to have it created', async () => {
    for (const denies of ['CLUSTER', 'TOPIC']) {
      const topics = new TestTopics()
      const { status } = await ask(topics, (operation, resource) => operation === 'CREATE' && resource === denies)
      expect(status?.[0]?.statusDetail).toBe('sums is missing')
      expect(topics.asked).toHaveLength(1)
    }
  })

  test('without it the status says so, and nothing is created', async () => {
    const topics = new TestTopics()
    const { errorCode, status } = await ask(topics, (operation) => operation === 'CREATE')
    expect(errorCode).toBe(ErrorCode.NONE)
    expect(status?.[0]?.statusDetail).toBe('sums is missing; Unauthorized to CREATE on topics sums.')
    expect(topics.asked).toEqual([])
  })

  test('is refused to whoever may not read the group, or not see a topic', async () => {
    const group: Denied = (operation, resource) => operation === 'READ' && resource === 'GROUP'
    expect(await ask(new TestTopics(), group)).toMatchObject({ errorCode: ErrorCode.GROUP_AUTHORIZATION_FAILED })
    const topic: Denied = (operation, resource, name) =>
      operation === 'DESCRIBE' && resource === 'TOPIC' && name === 'sums'
    expect(await ask(new TestTopics(), topic)).toMatchObject({ errorCode: ErrorCode.TOPIC_AUTHORIZATION_FAILED })
  })

  test('is unknown where the protocol is not among those that are switched on', async () => {
    const properties = { 'group.coordinator.rebalance.protocols': 'classic,consumer' }
    const refused = await ask(new TestTopics(), () => false, properties)
    expect(refused).toMatchObject({ errorCode: ErrorCode.UNSUPPORTED_VERSION })
  })
})
