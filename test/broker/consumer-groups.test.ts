/** Consumer groups of the new protocol over the wire: every version, settings, topics that change, a restart. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Broker, BrokerStartError } from '../../src/broker/server.ts'
import type { Connection } from '../../src/client/connection.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { FindCoordinatorRequest, FindCoordinatorResponse } from '../../src/protocol/messages/10-find-coordinator.ts'
import { CreatePartitionsRequest, CreatePartitionsResponse } from '../../src/protocol/messages/37-create-partitions.ts'
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
import { connect, createTopic, startBroker } from './support/test-broker.ts'

const READY_MS = 60_000
const GROUP_RESOURCE = 32

type Beat = Infer<typeof ConsumerGroupHeartbeatResponse>

async function beat(
  to: Connection,
  fields: Partial<Input<typeof ConsumerGroupHeartbeatRequest>>,
  version = 1,
): Promise<Beat> {
  const request = { groupId: 'group', memberId: 'one', memberEpoch: 0, ...fields }
  return to.send(ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, request, { version })
}

const JOIN = { memberEpoch: 0, rebalanceTimeoutMs: 30_000, subscribedTopicNames: ['orders'], topicPartitions: [] }

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + READY_MS
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not in time: ${what}`)
    await Bun.sleep(5)
  }
}

/** Until the coordinator answers: the offsets topic is created when it is first asked for. */
async function coordinated(to: Connection): Promise<void> {
  await until('there is a coordinator', async () => {
    const request = { keyType: 0, coordinatorKeys: ['group'] }
    const { coordinators } = await to.send(FindCoordinatorRequest, FindCoordinatorResponse, request)
    if (coordinators[0]?.errorCode !== ErrorCode.NONE) return false
    return (await beat(to, { memberEpoch: 5 })).errorCode === ErrorCode.GROUP_ID_NOT_FOUND
  })
}

async function describeGroup(to: Connection, groupId = 'group', version = 1) {
  const request = { groupIds: [groupId], includeAuthorizedOperations: true }
  const answer = await to.send(ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, request, { version })
  return answer.groups[0]!
}

describe('a broker', () => {
  let broker: Broker
  let connection: Connection

  beforeAll(async () => {
    broker = await startBroker({
      set: { 'group.consumer.assignment.interval.ms': '0', 'offsets.topic.num.partitions': '1' },
    })
    connection = await connect(broker)
    await createTopic(connection, 'orders', { partitions: 2 })
    await coordinated(connection)
  })

  afterAll(async () => {
    await connection.close()
    await broker.stop()
  })

  for (const version of [0, 1]) {
    test(`serves a member from its join to its leave, v${version}`, async () => {
      const groupId = `life-${version}`
      const joined = await beat(connection, { groupId, ...JOIN }, version)
      expect(joined).toMatchObject({
        errorCode: ErrorCode.NONE,
        memberEpoch: 2,
        assignment: { topicPartitions: [{ partitions: [0, 1] }] },
      })
      const described = await describeGroup(connection, groupId, version)
      expect(described).toMatchObject({ groupState: 'Stable', assignorName: 'uniform', authorizedOperations: 3400 })
      expect(described.members).toMatchObject([{ memberId: 'one', memberType: version === 0 ? -1 : 1 }])
      expect((await beat(connection, { groupId, memberEpoch: -1 }, version)).memberEpoch).toBe(-1)
      expect(await describeGroup(connection, groupId, version)).toMatchObject({ groupState: 'Empty', members: [] })
    })
  }

  // Clients send their second heartbeat as soon as the first is answered; a member that comes too early waits for an interval of them.
  test('has resolved an expression when the heartbeat with it is answered', async () => {
    const subscription = { subscribedTopicNames: [], subscribedTopicRegex: 'ord.*' }
    for (let round = 0; round < 20; round++) {
      const groupId = `expression-${round}`
      const joined = await beat(connection, { groupId, ...JOIN, ...subscription })
      expect(joined.assignment?.topicPartitions).toEqual([])
      const next = await beat(connection, { groupId, memberEpoch: joined.memberEpoch, ...subscription })
      expect(next.assignment?.topicPartitions).toMatchObject([{ partitions: [0, 1] }])
    }
  })

  test('tells a member of new partitions at its next heartbeat', async () => {
    const groupId = 'growing'
    await createTopic(connection, 'growth', { partitions: 1 })
    const joined = await beat(connection, { groupId, ...JOIN, subscribedTopicNames: ['growth'] })
    expect(joined.assignment?.topicPartitions).toMatchObject([{ partitions: [0] }])
    const topics = [{ name: 'growth', count: 3, assignments: null }]
    await connection.send(CreatePartitionsRequest, CreatePartitionsResponse, {
      topics,
      timeoutMs: 5_000,
      validateOnly: false,
    })
    const owned = joined.assignment!.topicPartitions
    const told = await beat(connection, { groupId, memberEpoch: joined.memberEpoch, topicPartitions: owned })
    expect(told.assignment?.topicPartitions).toMatchObject([{ partitions: [0, 1, 2] }])
  })

  test('follows the settings of a group', async () => {
    const groupId = 'settings'
    const configs = [{ name: 'consumer.heartbeat.interval.ms', configOperation: 0, value: '9000' }]
    const resources = [{ resourceType: GROUP_RESOURCE, resourceName: groupId, configs }]
    const request = { resources, validateOnly: false }
    await connection.send(IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, request)
    expect((await beat(connection, { groupId, ...JOIN })).heartbeatIntervalMs).toBe(9_000)
    expect((await beat(connection, { groupId: 'others', ...JOIN })).heartbeatIntervalMs).toBe(5_000)
  })
})

test('a restart finds members, epochs and assignments as they were', async () => {
  const dataDirectory = mkdtempSync(join(tmpdir(), 'samsa-consumer-groups-'))
  const options = { dataDirectory, storage: 'disk', durability: 'os' } as const
  try {
    const first = await startBroker(options)
    const before = await connect(first)
    await createTopic(before, 'orders', { partitions: 2 })
    await coordinated(before)
    const joined = await beat(before, { ...JOIN, instanceId: 'instance' })
    const described = await describeGroup(before)
    await before.close()
    await first.stop()
    const second = await startBroker(options)
    const after = await connect(second)
    await until('the group is loaded', async () => (await describeGroup(after)).errorCode === ErrorCode.NONE)
    expect(await describeGroup(after)).toEqual(described)
    const { memberEpoch } = joined
    expect(await beat(after, { memberEpoch, instanceId: 'instance' })).toMatchObject({
      errorCode: ErrorCode.NONE,
      memberEpoch,
    })
    await after.close()
    await second.stop()
  } finally {
    rmSync(dataDirectory, { recursive: true, force: true })
  }
})

test('a broker that is not to speak the protocol says so', async () => {
  const broker = await startBroker({ set: { 'group.coordinator.rebalance.protocols': 'classic' } })
  const connection = await connect(broker)
  expect((await beat(connection, JOIN)).errorCode).toBe(ErrorCode.UNSUPPORTED_VERSION)
  expect((await describeGroup(connection)).errorCode).toBe(ErrorCode.UNSUPPORTED_VERSION)
  await connection.close()
  await broker.stop()
})

test('an assignor that is not there is refused at the start', async () => {
  const start = startBroker({ set: { 'group.consumer.assignors': 'uniform,com.example.Own' } })
  expect(await start.catch((error: unknown) => error)).toBeInstanceOf(BrokerStartError)
})
