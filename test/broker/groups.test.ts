/** The group APIs over the wire, in every version that is advertised. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Broker } from '../../src/broker/server.ts'
import type { Connection } from '../../src/client/connection.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { OffsetCommitRequest, OffsetCommitResponse } from '../../src/protocol/messages/08-offset-commit.ts'
import { OffsetFetchRequest, OffsetFetchResponse } from '../../src/protocol/messages/09-offset-fetch.ts'
import { FindCoordinatorRequest, FindCoordinatorResponse } from '../../src/protocol/messages/10-find-coordinator.ts'
import { JoinGroupRequest, JoinGroupResponse } from '../../src/protocol/messages/11-join-group.ts'
import { HeartbeatRequest, HeartbeatResponse } from '../../src/protocol/messages/12-heartbeat.ts'
import { LeaveGroupRequest, LeaveGroupResponse } from '../../src/protocol/messages/13-leave-group.ts'
import { SyncGroupRequest, SyncGroupResponse } from '../../src/protocol/messages/14-sync-group.ts'
import { DescribeGroupsRequest, DescribeGroupsResponse } from '../../src/protocol/messages/15-describe-groups.ts'
import { ListGroupsRequest, ListGroupsResponse } from '../../src/protocol/messages/16-list-groups.ts'
import { DeleteTopicsRequest, DeleteTopicsResponse } from '../../src/protocol/messages/20-delete-topics.ts'
import { DeleteGroupsRequest, DeleteGroupsResponse } from '../../src/protocol/messages/42-delete-groups.ts'
import { OffsetDeleteRequest, OffsetDeleteResponse } from '../../src/protocol/messages/47-offset-delete.ts'
import { ZERO_UUID } from '../../src/protocol/schema.ts'
import { connect, createTopic, startBroker } from './support/test-broker.ts'

let broker: Broker
let connection: Connection
let topicId: string

/** Asks until the coordinator is there, as clients do. */
async function findCoordinator(to: Connection, groupId: string): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const request = { keyType: 0, coordinatorKeys: [groupId] }
    const answer = await to.send(FindCoordinatorRequest, FindCoordinatorResponse, request)
    if (answer.coordinators[0]?.errorCode === ErrorCode.NONE) {
      const heartbeat = { groupId, generationId: 0, memberId: 'nobody' }
      const { errorCode } = await to.send(HeartbeatRequest, HeartbeatResponse, heartbeat)
      if (errorCode === ErrorCode.UNKNOWN_MEMBER_ID) return
    }
    await Bun.sleep(10)
  }
  throw new Error('no coordinator')
}

function versions(schema: { versions: { min: number; max: number } }): number[] {
  const { min, max } = schema.versions
  return Array.from({ length: max - min + 1 }, (_, index) => min + index)
}

beforeAll(async () => {
  broker = await startBroker()
  connection = await connect(broker, 'group-test')
  topicId = await createTopic(connection, 'orders', { partitions: 2 })
})

afterAll(async () => {
  await connection.close()
  await broker.stop()
})

describe('FindCoordinator', () => {
  test('before the offsets topic exists: every group request is answered NOT_COORDINATOR', async () => {
    const heartbeat = { groupId: 'early', generationId: 0, memberId: 'm' }
    const { errorCode } = await connection.send(HeartbeatRequest, HeartbeatResponse, heartbeat)
    expect(errorCode).toBe(ErrorCode.NOT_COORDINATOR)
  })

  test('the first one creates the topic and answers COORDINATOR_NOT_AVAILABLE, the next one the broker', async () => {
    const request = { keyType: 0, coordinatorKeys: ['first'] }
    const first = await connection.send(FindCoordinatorRequest, FindCoordinatorResponse, request)
    const unavailable = { nodeId: -1, host: '', port: -1, errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE }
    expect(first.coordinators[0]).toMatchObject({ key: 'first', ...unavailable })
    const second = await connection.send(FindCoordinatorRequest, FindCoordinatorResponse, request)
    const here = { nodeId: 1, host: broker.host, port: broker.port, errorCode: 0, errorMessage: '' }
    expect(second.coordinators).toEqual([{ key: 'first', ...here }])
    expect(broker.context.image.topic('__consumer_offsets')).toMatchObject({ internal: true })
    expect(broker.context.image.topic('__consumer_offsets')?.partitions).toHaveLength(50)
  })

  for (const version of [0, 1, 2, 3]) {
    test(`v${version}: one key, message NONE from v1`, async () => {
      const request = { key: 'g', keyType: 0 }
      const answer = await connection.send(FindCoordinatorRequest, FindCoordinatorResponse, request, { version })
      expect(answer).toMatchObject({ errorCode: 0, nodeId: 1, host: broker.host, port: broker.port })
      if (version >= 1) expect(answer.errorMessage).toBe('NONE')
    })
  }

  for (const version of [4, 5, 6]) {
    test(`v${version}: transactional ids, share keys and unknown types`, async () => {
      const find = async (keyType: number, key: string) => {
        const request = { keyType, coordinatorKeys: [key] }
        const answer = await connection.send(FindCoordinatorRequest, FindCoordinatorResponse, request, { version })
        return answer.coordinators[0]?.errorCode
      }
      expect(await find(0, '')).toBe(ErrorCode.NONE)
      // The first question creates the topic.
      await find(1, 'tx')
      expect(await find(1, 'tx')).toBe(ErrorCode.NONE)
      await find(2, `g:${topicId}:0`)
      const share = version < 6 ? ErrorCode.INVALID_REQUEST : ErrorCode.NONE
      expect(await find(2, `g:${topicId}:0`)).toBe(share)
      expect(await find(2, 'malformed')).toBe(ErrorCode.INVALID_REQUEST)
      expect(await find(7, 'g')).toBe(ErrorCode.INVALID_REQUEST)
    })
  }
})

describe('a member in every version', () => {
  async function join(version: number, groupId: string) {
    const protocols = [{ name: 'range', metadata: Buffer.from('subscription') }]
    const request = {
      groupId,
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 10_000,
      protocolType: 'consumer',
      protocols,
    }
    const options = { version }
    const first = { ...request, memberId: '' }
    const answer = await connection.send(JoinGroupRequest, JoinGroupResponse, first, options)
    if (answer.errorCode !== ErrorCode.MEMBER_ID_REQUIRED) return answer
    expect(version).toBeGreaterThanOrEqual(4)
    const second = { ...request, memberId: answer.memberId }
    return connection.send(JoinGroupRequest, JoinGroupResponse, second, options)
  }

  for (const version of versions(JoinGroupRequest)) {
    test(`JoinGroup v${version}`, async () => {
      const groupId = `join-${version}`
      await findCoordinator(connection, groupId)
      const answer = await join(version, groupId)
      expect(answer).toMatchObject({ errorCode: 0, generationId: 1, protocolName: 'range', leader: answer.memberId })
      expect(answer.members.map(({ metadata }) => metadata.toString())).toEqual(['subscription'])
      const unknown = { sessionTimeoutMs: 10_000, protocolType: 'consumer', protocols: [], memberId: 'x' }
      const refused = await connection.send(JoinGroupRequest, JoinGroupResponse, { groupId, ...unknown }, { version })
      expect(refused.errorCode).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
      expect(refused.protocolName).toBe(version >= 7 ? null : '')
    })
  }

  for (const version of versions(SyncGroupRequest)) {
    test(`SyncGroup v${version}`, async () => {
      const groupId = `sync-${version}`
      await findCoordinator(connection, groupId)
      const { memberId, generationId } = await join(9, groupId)
      const names = version >= 5 ? { protocolType: 'consumer', protocolName: 'range' } : {}
      const assignments = [{ memberId, assignment: Buffer.from('all') }]
      const request = { groupId, generationId, memberId, assignments, ...names }
      const answer = await connection.send(SyncGroupRequest, SyncGroupResponse, request, { version })
      expect(answer).toMatchObject({ errorCode: 0, assignment: Buffer.from('all'), ...names })
      const wrong = { ...request, generationId: 9 }
      const refused = await connection.send(SyncGroupRequest, SyncGroupResponse, wrong, { version })
      expect(refused.errorCode).toBe(ErrorCode.ILLEGAL_GENERATION)
    })
  }

  for (const version of versions(HeartbeatRequest)) {
    test(`Heartbeat v${version}`, async () => {
      const groupId = `heartbeat-${version}`
      await findCoordinator(connection, groupId)
      const { memberId, generationId } = await join(5, groupId)
      const request = { groupId, generationId, memberId }
      const answer = await connection.send(HeartbeatRequest, HeartbeatResponse, request, { version })
      expect(answer.errorCode).toBe(0)
    })
  }

  for (const version of versions(LeaveGroupRequest)) {
    test(`LeaveGroup v${version}`, async () => {
      const groupId = `leave-${version}`
      await findCoordinator(connection, groupId)
      const { memberId } = await join(5, groupId)
      const request = version < 3 ? { groupId, memberId } : { groupId, members: [{ memberId }, { memberId: 'x' }] }
      const answer = await connection.send(LeaveGroupRequest, LeaveGroupResponse, request, { version })
      expect(answer.errorCode).toBe(0)
      expect(answer.members.map(({ errorCode }) => errorCode)).toEqual(version < 3 ? [] : [0, 25])
    })
  }

  test('a connection that is gone while its JoinGroup waits harms nobody', async () => {
    const groupId = 'abandoned'
    await findCoordinator(connection, groupId)
    const first = await join(3, groupId)
    const other = await connect(broker)
    const protocols = [{ name: 'range', metadata: Buffer.alloc(0) }]
    const request = {
      groupId,
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 500,
      memberId: '',
      protocolType: 'consumer',
      protocols,
    }
    const waiting = other.send(JoinGroupRequest, JoinGroupResponse, request, { version: 3 })
    const refused = waiting.catch(() => 'closed')
    await Bun.sleep(50)
    await other.close()
    expect(await refused).toBe('closed')
    const again = { ...request, memberId: first.memberId }
    const answer = await connection.send(JoinGroupRequest, JoinGroupResponse, again, { version: 3 })
    expect(answer).toMatchObject({ errorCode: 0, generationId: 2 })
  })
})

describe('offsets in every version', () => {
  for (const version of versions(OffsetCommitRequest)) {
    test(`OffsetCommit v${version}`, async () => {
      const groupId = `commit-${version}`
      await findCoordinator(connection, groupId)
      const partitions = [0, 7].map((partitionIndex) => ({
        partitionIndex,
        committedOffset: version,
        committedMetadata: null,
      }))
      const topics = [version < 10 ? { name: 'orders', partitions } : { topicId, partitions }]
      const request = { groupId, memberId: '', topics }
      const answer = await connection.send(OffsetCommitRequest, OffsetCommitResponse, request, { version })
      expect(answer.topics[0]?.partitions.map(({ errorCode }) => errorCode)).toEqual([0, 3])
      expect(answer.topics[0]).toMatchObject(version < 10 ? { name: 'orders' } : { topicId })
    })
  }

  for (const version of versions(OffsetFetchRequest)) {
    test(`OffsetFetch v${version}`, async () => {
      const groupId = 'commit-10'
      await findCoordinator(connection, groupId)
      const partitionIndexes = [0, 1]
      const named = version < 10 ? { name: 'orders', partitionIndexes } : { topicId, partitionIndexes }
      const request =
        version < 8
          ? { groupId, topics: [{ name: 'orders', partitionIndexes }] }
          : { groups: [{ groupId, topics: [named] }] }
      const answer = await connection.send(OffsetFetchRequest, OffsetFetchResponse, request, { version })
      const topics = version < 8 ? answer.topics : answer.groups[0]?.topics
      expect(topics?.[0]?.partitions.map(({ committedOffset, errorCode }) => [committedOffset, errorCode])).toEqual([
        [10, 0],
        [-1, 0],
      ])
    })
  }

  for (const version of versions(OffsetFetchRequest).filter((version) => version >= 2)) {
    test(`OffsetFetch v${version} of everything`, async () => {
      await findCoordinator(connection, 'commit-10')
      const all = { groupId: 'commit-10', topics: null }
      const request = version < 8 ? all : { groups: [all] }
      const answer = await connection.send(OffsetFetchRequest, OffsetFetchResponse, request, { version })
      const topic = version < 8 ? answer.topics[0] : answer.groups[0]?.topics[0]
      expect(topic).toMatchObject(version < 10 ? { name: 'orders' } : { topicId })
      expect(topic?.partitions).toMatchObject([{ partitionIndex: 0, committedOffset: 10, metadata: '' }])
    })
  }

  test('OffsetDelete v0', async () => {
    await findCoordinator(connection, 'commit-9')
    const topics = [{ name: 'orders', partitions: [{ partitionIndex: 0 }, { partitionIndex: 7 }] }]
    const answer = await connection.send(OffsetDeleteRequest, OffsetDeleteResponse, { groupId: 'commit-9', topics })
    expect(answer.errorCode).toBe(0)
    expect(answer.topics[0]?.partitions.map(({ errorCode }) => errorCode)).toEqual([0, 3])
  })
})

describe('groups in every version', () => {
  for (const version of versions(DescribeGroupsRequest)) {
    test(`DescribeGroups v${version}`, async () => {
      await findCoordinator(connection, 'commit-8')
      const request = { groups: ['commit-8', 'nobody'], includeAuthorizedOperations: version >= 3 }
      const { groups } = await connection.send(DescribeGroupsRequest, DescribeGroupsResponse, request, { version })
      expect(groups.map(({ groupId, groupState }) => [groupId, groupState])).toEqual([
        ['commit-8', 'Empty'],
        ['nobody', 'Dead'],
      ])
      expect(groups[1]?.errorCode).toBe(version < 6 ? 0 : ErrorCode.GROUP_ID_NOT_FOUND)
      const operations = groups.map(({ authorizedOperations }) => authorizedOperations)
      const notAsked = -2147483648
      expect(operations).toEqual([version < 3 ? notAsked : 3400, version < 3 || version >= 6 ? notAsked : 3400])
    })
  }

  for (const version of versions(ListGroupsRequest)) {
    test(`ListGroups v${version}`, async () => {
      await findCoordinator(connection, 'commit-8')
      const filters = {
        ...(version >= 4 ? { statesFilter: ['empty'] } : {}),
        ...(version >= 5 ? { typesFilter: ['CLASSIC'] } : {}),
      }
      const { errorCode, groups } = await connection.send(ListGroupsRequest, ListGroupsResponse, filters, { version })
      expect(errorCode).toBe(0)
      const listed = groups.find(({ groupId }) => groupId === 'commit-8')
      expect(listed).toMatchObject({ protocolType: '', ...(version >= 4 ? { groupState: 'Empty' } : {}) })
      if (version >= 5) expect(listed?.groupType).toBe('classic')
    })
  }

  for (const version of versions(DeleteGroupsRequest)) {
    test(`DeleteGroups v${version}`, async () => {
      await findCoordinator(connection, `commit-${version + 2}`)
      const request = { groupsNames: [`commit-${version + 2}`, 'nobody'] }
      const { results } = await connection.send(DeleteGroupsRequest, DeleteGroupsResponse, request, { version })
      expect(results.map(({ errorCode }) => errorCode)).toEqual([0, ErrorCode.GROUP_ID_NOT_FOUND])
    })
  }
})

test('a deleted topic takes the offsets with it', async () => {
  const groupId = 'mourning'
  await createTopic(connection, 'short-lived')
  await findCoordinator(connection, groupId)
  const partitions = [{ partitionIndex: 0, committedOffset: 3, committedMetadata: '' }]
  const topics = [{ name: 'short-lived', partitions }]
  const commit = { groupId, memberId: '', topics }
  await connection.send(OffsetCommitRequest, OffsetCommitResponse, commit, { version: 9 })
  const deletion = { topics: [{ name: 'short-lived', topicId: ZERO_UUID }], timeoutMs: 5_000 }
  await connection.send(DeleteTopicsRequest, DeleteTopicsResponse, deletion)
  await createTopic(connection, 'short-lived')
  const fetch = { groups: [{ groupId, topics: [{ name: 'short-lived', partitionIndexes: [0] }] }] }
  const { groups } = await connection.send(OffsetFetchRequest, OffsetFetchResponse, fetch, { version: 9 })
  expect(groups[0]?.topics[0]?.partitions[0]?.committedOffset).toBe(-1)
})

test('commits survive a stop and a start', async () => {
  const dataDirectory = mkdtempSync(join(tmpdir(), 'samsa-groups-'))
  const options = { storage: 'disk', durability: 'os', dataDirectory } as const
  try {
    for (const round of [0, 1]) {
      const disk = await startBroker(options)
      const client = await connect(disk)
      if (round === 0) await createTopic(client, 'orders')
      await findCoordinator(client, 'durable')
      if (round === 0) {
        const partitions = [{ partitionIndex: 0, committedOffset: 99, committedMetadata: 'kept' }]
        const commit = { groupId: 'durable', memberId: '', topics: [{ name: 'orders', partitions }] }
        await client.send(OffsetCommitRequest, OffsetCommitResponse, commit, { version: 9 })
      } else {
        const fetch = { groups: [{ groupId: 'durable', topics: null }] }
        const { groups } = await client.send(OffsetFetchRequest, OffsetFetchResponse, fetch, { version: 9 })
        const row = { partitionIndex: 0, committedOffset: 99, metadata: 'kept' }
        expect(groups[0]?.topics).toMatchObject([{ name: 'orders', partitions: [row] }])
      }
      await client.close()
      await disk.stop()
    }
  } finally {
    rmSync(dataDirectory, { recursive: true, force: true })
  }
}, 20_000)
