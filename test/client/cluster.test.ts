import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { committedOffsets, describeGroup, listGroups } from '../../src/client/admin/groups.ts'
import { Cluster } from '../../src/client/cluster.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { MetadataRequest, MetadataResponse } from '../../src/protocol/messages/03-metadata.ts'
import { OffsetFetchRequest, OffsetFetchResponse } from '../../src/protocol/messages/09-offset-fetch.ts'
import { FindCoordinatorRequest, FindCoordinatorResponse } from '../../src/protocol/messages/10-find-coordinator.ts'
import { DescribeGroupsRequest, DescribeGroupsResponse } from '../../src/protocol/messages/15-describe-groups.ts'
import { ListGroupsRequest, ListGroupsResponse } from '../../src/protocol/messages/16-list-groups.ts'
import { FakeBroker } from './fake-broker.ts'
import { serveMetadata } from './fake-metadata.ts'

// Nothing here waits for time; a busy machine does.
setDefaultTimeout(60_000)

let fake: FakeBroker
let cluster: Cluster | null = null

beforeEach(() => {
  fake = new FakeBroker()
  serveMetadata(fake, { topic: 'orders', partitions: 1 })
})

afterEach(async () => {
  await cluster?.close()
  cluster = null
  fake.stop()
})

async function connect(timeoutMs = 2_000): Promise<Cluster> {
  cluster = await Cluster.connect({ bootstrap: [fake], timeoutMs })
  return cluster
}

const NOBODY = { host: '127.0.0.1', port: 1 }

describe('bootstrap', () => {
  test('the first broker that answers is taken', async () => {
    cluster = await Cluster.connect({ bootstrap: [NOBODY, fake] })
    expect((await cluster.any()).port).toBe(fake.port)
  })

  test('when none answers, all of them are named', async () => {
    const failing = Cluster.connect({ bootstrap: [NOBODY, { ...NOBODY, port: 2 }] })
    await expect(failing).rejects.toThrow(/127\.0\.0\.1:1.*127\.0\.0\.1:2/)
  })

  test('a broker known from the metadata serves when those of the list are gone', async () => {
    const other = new FakeBroker()
    try {
      serveMetadata(other, { topic: 'orders', partitions: 1 })
      fake.on(MetadataRequest, MetadataResponse, () => ({
        throttleTimeMs: 0,
        brokers: [{ nodeId: 2, host: other.host, port: other.port, rack: null }],
        clusterId: null,
        controllerId: 2,
        topics: [],
      }))
      const { any, metadata } = bound(await connect())
      await metadata([])
      const first = await any()
      fake.stop()
      await first.whenClosed()
      expect((await any()).port).toBe(other.port)
    } finally {
      other.stop()
    }
  })
})

describe('a broker that hangs', () => {
  test('is left for another one', async () => {
    const other = new FakeBroker()
    try {
      serveMetadata(other, { topic: 'orders', partitions: 1 })
      fake.on(MetadataRequest, MetadataResponse, () => null)
      cluster = await Cluster.connect({ bootstrap: [fake, other], timeoutMs: 300 })
      expect((await cluster.any()).port).toBe(fake.port)
      expect((await cluster.topic('orders')).partitions).toHaveLength(1)
      expect((await cluster.any()).port).toBe(other.port)
    } finally {
      other.stop()
    }
  })
})

function bound(of: Cluster) {
  return { any: () => of.any(), metadata: (topics: readonly string[]) => of.metadata(topics) }
}

describe('connections', () => {
  test('one per broker, however often it is asked for', async () => {
    const connected = await connect()
    await connected.metadata([])
    const [a, b] = await Promise.all([connected.broker(1), connected.broker(1)])
    expect(a).toBe(b)
    expect(fake.connectionCount).toBe(2)
  })

  test('one that ended is replaced', async () => {
    const connected = await connect()
    await connected.metadata([])
    const first = await connected.broker(1)
    fake.hangUp()
    await first.whenClosed()
    const second = await connected.broker(1)
    expect(second).not.toBe(first)
    expect(second.closedBy).toBeNull()
  })

  test('a broker that is not in the metadata is an error that names it', async () => {
    await expect((await connect()).broker(9)).rejects.toThrow('broker 9 is not in')
  })
})

describe('a topic that is being created', () => {
  test('is waited for until it has leaders', async () => {
    const connected = await connect()
    let asked = 0
    const rows = [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.LEADER_NOT_AVAILABLE, 0]
    fake.on(MetadataRequest, MetadataResponse, () => {
      const errorCode = rows[asked++] ?? 0
      const topic = { errorCode, name: 'new', isInternal: false, partitions: [] }
      return { throttleTimeMs: 0, brokers: [], clusterId: null, controllerId: 1, topics: [topic] }
    })
    expect((await connected.topic('new', { create: true })).name).toBe('new')
    expect(asked).toBe(3)
  })
})

describe('groups', () => {
  const member = {
    memberId: 'm-1',
    groupInstanceId: null,
    clientId: 'shop',
    clientHost: '/10.0.0.1',
    memberMetadata: Buffer.alloc(0),
    // Version 0; one topic 'orders' with the partitions 0 and 2; no user data.
    memberAssignment: Buffer.from(
      '0000' + '00000001' + '00066f7264657273' + '00000002' + '00000000' + '00000002' + '00000000',
      'hex',
    ),
  }

  function serveGroup(protocolType: string): void {
    fake.on(FindCoordinatorRequest, FindCoordinatorResponse, ({ coordinatorKeys }) => ({
      throttleTimeMs: 0,
      coordinators: coordinatorKeys.map((key) => {
        return { key, nodeId: 1, host: fake.host, port: fake.port, errorCode: 0, errorMessage: null }
      }),
    }))
    fake.on(
      DescribeGroupsRequest,
      DescribeGroupsResponse,
      () => {
        const group = { errorCode: 0, groupId: 'g', groupState: 'Stable', protocolType, protocolData: 'range' }
        return { throttleTimeMs: 0, groups: [{ ...group, members: [member], authorizedOperations: 0 }] }
      },
      [0, 5],
    )
  }

  test("a consumer group's assignment is read from the leader's bytes", async () => {
    serveGroup('consumer')
    const group = await describeGroup(await connect(), 'g')
    expect(group.coordinator).toEqual({ nodeId: 1, host: fake.host, port: fake.port })
    expect(group.members[0]?.assignment).toEqual([{ topic: 'orders', partitions: [0, 2] }])
  })

  test('what other kinds of groups assign is not guessed at', async () => {
    serveGroup('connect')
    expect((await describeGroup(await connect(), 'g')).members[0]?.assignment).toEqual([])
  })

  test('a coordinator that is still loading is asked again', async () => {
    let refusals = 2
    fake.on(ListGroupsRequest, ListGroupsResponse, () => {
      const errorCode = refusals-- > 0 ? ErrorCode.COORDINATOR_LOAD_IN_PROGRESS : 0
      const group = { groupId: 'g', protocolType: 'consumer', groupState: 'Empty', groupType: 'classic' }
      return { throttleTimeMs: 0, errorCode, groups: errorCode === 0 ? [group] : [] }
    })
    const groups = await listGroups(await connect())
    expect(groups).toEqual([{ groupId: 'g', protocolType: 'consumer', state: 'Empty', type: 'classic' }])
  })

  test.each([
    ['one group at the top, as before version 8', 7],
    ['several groups', 9],
  ])('committed offsets: %s', async (_, version) => {
    serveGroup('consumer')
    const row = { committedLeaderEpoch: -1, metadata: '', errorCode: 0 }
    const partitions = [
      { ...row, partitionIndex: 1, committedOffset: 5 },
      { ...row, partitionIndex: 0, committedOffset: -1 },
    ]
    const topics = [{ name: 'orders', partitions }]
    fake.on(
      OffsetFetchRequest,
      OffsetFetchResponse,
      () =>
        version < 8
          ? { throttleTimeMs: 0, topics, errorCode: 0 }
          : { throttleTimeMs: 0, groups: [{ groupId: 'g', topics, errorCode: 0 }] },
      [1, version],
    )
    expect(await committedOffsets(await connect(), 'g')).toEqual([
      { topic: 'orders', partition: 1, offset: 5, metadata: '' },
    ])
  })
})
