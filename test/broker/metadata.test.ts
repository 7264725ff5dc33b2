import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Broker } from '../../src/broker/server.ts'
import type { Connection } from '../../src/client/connection.ts'
import { MetadataRequest, MetadataResponse } from '../../src/protocol/messages/03-metadata.ts'
import { DescribeLogDirsRequest, DescribeLogDirsResponse } from '../../src/protocol/messages/35-describe-log-dirs.ts'
import { DescribeClusterRequest, DescribeClusterResponse } from '../../src/protocol/messages/60-describe-cluster.ts'
import {
  DescribeTopicPartitionsRequest,
  DescribeTopicPartitionsResponse,
} from '../../src/protocol/messages/75-describe-topic-partitions.ts'
import { type Infer, type Input, ZERO_UUID } from '../../src/protocol/schema.ts'
import { batchOf, connect, createTopic, produce, startBroker } from './support/test-broker.ts'

const NOT_REQUESTED = -2147483648

let broker: Broker
let client: Connection
let firstId: string

beforeAll(async () => {
  broker = await startBroker({ nodeId: 7, set: { 'broker.rack': 'r1' } })
  client = await connect(broker)
  firstId = await createTopic(client, 'first', { partitions: 3 })
  await createTopic(client, 'second')
})

afterAll(async () => {
  await client.close()
  await broker.stop()
})

type Metadata = Infer<typeof MetadataResponse>

function metadata(request: Partial<Input<typeof MetadataRequest>>, version: number): Promise<Metadata> {
  const { allowAutoTopicCreation = false, ...rest } = request
  // Before version 4 there is no such field: creation is allowed.
  const full = { topics: null, ...rest, ...(version >= 4 ? { allowAutoTopicCreation } : {}) }
  return client.send(MetadataRequest, MetadataResponse, full, { version })
}

function named(...names: string[]) {
  return { topics: names.map((name) => ({ name, topicId: ZERO_UUID })) }
}

function namesIn(answer: Metadata): (string | null)[] {
  return answer.topics.map((topic) => topic.name)
}

describe('Metadata', () => {
  for (let version = 0; version <= 13; version++) {
    test(`version ${version} shows the broker at the dialled address, and a topic with its partitions`, async () => {
      const answer = await metadata(named('first'), version)
      expect(answer.brokers).toEqual([
        { nodeId: 7, host: '127.0.0.1', port: broker.port, rack: version === 0 ? null : 'r1' },
      ])
      const topic = answer.topics[0]!
      expect([topic.errorCode, topic.name, topic.isInternal]).toEqual([0, 'first', false])
      expect(topic.partitions.map((partition) => [partition.partitionIndex, partition.leaderId])).toEqual([
        [0, 7],
        [1, 7],
        [2, 7],
      ])
      expect(topic.topicId).toBe(version >= 10 ? firstId : ZERO_UUID)
      if (version >= 2) expect(answer.clusterId).toBe(broker.context.clusterId)
      if (version >= 1) expect(answer.controllerId).toBe(7)
    })
  }

  test('version 0: an empty list asks for all topics', async () => {
    expect(namesIn(await metadata({ topics: [] }, 0))).toEqual(expect.arrayContaining(['first', 'second']))
  })

  for (const version of [1, 4, 9, 13]) {
    test(`version ${version}: an empty list asks for none, null for all`, async () => {
      expect((await metadata({ topics: [] }, version)).topics).toEqual([])
      expect(namesIn(await metadata({ topics: null }, version))).toEqual(expect.arrayContaining(['first', 'second']))
    })
  }

  test('a topic named twice is answered once', async () => {
    expect(namesIn(await metadata(named('first', 'first'), 12))).toEqual(['first'])
  })

  const malformed: [string, number, { name: string | null; topicId: string }, number][] = [
    ['a bad name', 12, { name: 'a b', topicId: ZERO_UUID }, 17],
    ['an unknown name', 12, { name: 'nowhere', topicId: ZERO_UUID }, 3],
    ['an unknown id', 12, { name: null, topicId: 'abcdefghijklmnopqrstuA' }, 100],
    ['neither name nor id', 12, { name: null, topicId: ZERO_UUID }, 42],
    ['a null name in version 10', 10, { name: null, topicId: ZERO_UUID }, 42],
    ['an id in version 11', 11, { name: 'first', topicId: 'abcdefghijklmnopqrstuA' }, 42],
  ]
  for (const [name, version, topic, errorCode] of malformed) {
    test(`${name} is answered ${errorCode}`, async () => {
      const answer = await metadata({ topics: [topic] }, version)
      expect(answer.topics.map((row) => row.errorCode)).toEqual([errorCode])
      expect(answer.topics[0]!.partitions).toEqual([])
      if (errorCode === 100) expect(answer.topics[0]!.topicId).toBe(topic.topicId)
    })
  }

  test('topics by id; as soon as there is an id, names are not looked at', async () => {
    const topics = [
      { name: null, topicId: firstId },
      { name: 'second', topicId: ZERO_UUID },
    ]
    expect(namesIn(await metadata({ topics }, 12))).toEqual(['first'])
  })

  test('operations are shown when asked for', async () => {
    const silent = await metadata(named('first'), 8)
    expect([silent.topics[0]!.topicAuthorizedOperations, silent.clusterAuthorizedOperations]).toEqual([
      NOT_REQUESTED,
      NOT_REQUESTED,
    ])
    const asked = { includeClusterAuthorizedOperations: true, includeTopicAuthorizedOperations: true }
    const told = await metadata({ ...named('first'), ...asked }, 8)
    expect([told.topics[0]!.topicAuthorizedOperations, told.clusterAuthorizedOperations]).toEqual([3576, 8096])
  })
})

describe('automatic creation', () => {
  async function appears(name: string): Promise<boolean> {
    for (let attempt = 0; attempt < 20; attempt++) {
      const answer = await metadata(named(name), 9)
      if (answer.topics[0]!.errorCode === 0) return true
      await Bun.sleep(1)
    }
    return false
  }

  for (const [version, allow, created] of [
    [0, true, true],
    [3, true, true],
    [4, false, false],
    [4, true, true],
    [13, false, false],
    [13, true, true],
  ] as const) {
    test(`version ${version}, allowed: ${allow}: first unknown, then ${created ? 'there' : 'still unknown'}`, async () => {
      const name = `auto-${version}-${allow}`
      const first = await metadata({ ...named(name), allowAutoTopicCreation: allow }, version)
      expect(first.topics[0]!.errorCode).toBe(3)
      expect(first.topics[0]!.topicId).toBe(ZERO_UUID)
      expect(await appears(name)).toBe(created)
    })
  }

  test('bad names are never created', async () => {
    const answer = await metadata({ ...named('no/where'), allowAutoTopicCreation: true }, 9)
    expect(answer.topics[0]!.errorCode).toBe(17)
    expect(broker.context.image.topic('no/where')).toBeUndefined()
  })

  test('asking for all topics, or with it switched off, creates nothing', async () => {
    const strict = await startBroker({ set: { 'auto.create.topics.enable': 'false' } })
    const connection = await connect(strict)
    const request = { ...named('new'), allowAutoTopicCreation: true }
    await connection.send(MetadataRequest, MetadataResponse, request, { version: 9 })
    await connection.send(MetadataRequest, MetadataResponse, { ...request, topics: null }, { version: 9 })
    await Bun.sleep(5)
    expect(strict.topicCount).toBe(0)
    await connection.close()
    await strict.stop()
  })

  test('many clients that ask for the same topic at once get one topic', async () => {
    const connections = await Promise.all(Array.from({ length: 8 }, () => connect(broker)))
    const request = { ...named('crowded'), allowAutoTopicCreation: true }
    await Promise.all(
      connections.map((connection) => connection.send(MetadataRequest, MetadataResponse, request, { version: 9 })),
    )
    expect(await appears('crowded')).toBe(true)
    await Promise.all(connections.map((connection) => connection.close()))
  })
})

describe('advertised addresses', () => {
  const given: [string, Parameters<typeof startBroker>[0], [string, number | 'listening']][] = [
    ['--advertise', { advertise: { host: 'broker.example', port: 1234 } }, ['broker.example', 1234]],
    ['--advertise with port 0', { advertise: { host: 'broker.example', port: 0 } }, ['broker.example', 'listening']],
    [
      'advertised.listeners',
      { set: { 'advertised.listeners': 'PLAINTEXT://other.example:77' } },
      ['other.example', 77],
    ],
    ['nothing', {}, ['127.0.0.1', 'listening']],
  ]
  for (const [name, options, [host, port]] of given) {
    test(`${name} decides what clients are told`, async () => {
      const other = await startBroker(options)
      const connection = await connect(other)
      const answer = await connection.send(MetadataRequest, MetadataResponse, { topics: [] }, { version: 9 })
      expect([answer.brokers[0]!.host, answer.brokers[0]!.port]).toEqual([
        host,
        port === 'listening' ? other.port : port,
      ])
      await connection.close()
      await other.stop()
    })
  }
})

describe('DescribeCluster', () => {
  for (const version of [0, 1, 2]) {
    test(`version ${version} shows brokers, cluster id and operations`, async () => {
      const request = { includeClusterAuthorizedOperations: true }
      const answer = await client.send(DescribeClusterRequest, DescribeClusterResponse, request, { version })
      expect([answer.errorCode, answer.clusterId, answer.controllerId]).toEqual([0, broker.context.clusterId, 7])
      expect(answer.brokers.map((row) => [row.brokerId, row.host, row.port])).toEqual([[7, '127.0.0.1', broker.port]])
      expect(answer.clusterAuthorizedOperations).toBe(8096)
    })
  }

  for (const [endpointType, errorCode] of [
    [2, 114],
    [3, 115],
  ] as const) {
    test(`endpoint type ${endpointType} is answered ${errorCode}`, async () => {
      const request = { includeClusterAuthorizedOperations: false, endpointType }
      const answer = await client.send(DescribeClusterRequest, DescribeClusterResponse, request, { version: 1 })
      expect(answer.errorCode).toBe(errorCode)
    })
  }
})

describe('DescribeTopicPartitions', () => {
  type Answer = Infer<typeof DescribeTopicPartitionsResponse>
  function describeTopics(
    names: readonly string[],
    limit = 2000,
    cursor: { topicName: string; partitionIndex: number } | null = null,
  ): Promise<Answer> {
    const request = { topics: names.map((name) => ({ name })), responsePartitionLimit: limit, cursor }
    return client.send(DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, request)
  }
  const shape = (answer: Answer) =>
    answer.topics.map((topic) => [topic.name, ...topic.partitions.map((partition) => partition.partitionIndex)])

  test('topics come sorted, unknown ones with their error', async () => {
    const answer = await describeTopics(['second', 'nowhere', 'first', 'a b'])
    expect(answer.topics.map((topic) => [topic.name, topic.errorCode])).toEqual([
      ['a b', 17],
      ['first', 0],
      ['nowhere', 3],
      ['second', 0],
    ])
    expect(answer.topics.every((topic) => topic.topicAuthorizedOperations === 3576)).toBe(true)
    expect(answer.nextCursor).toBeNull()
  })

  test('pages follow each other without a gap', async () => {
    const one = await describeTopics(['first', 'second'], 2)
    expect(shape(one)).toEqual([['first', 0, 1]])
    expect(one.nextCursor).toEqual({ topicName: 'first', partitionIndex: 2 })
    const two = await describeTopics(['first', 'second'], 2, one.nextCursor)
    expect(shape(two)).toEqual([
      ['first', 2],
      ['second', 0],
    ])
    expect(two.nextCursor).toBeNull()
  })

  test('a limit of 0 still answers one partition', async () => {
    const answer = await describeTopics(['first', 'second'], 0)
    expect(shape(answer)).toEqual([['first', 0]])
  })

  test('a page that ends with a topic points at the next one', async () => {
    const answer = await describeTopics(['first', 'second'], 3)
    expect(answer.nextCursor).toEqual({ topicName: 'second', partitionIndex: 0 })
  })

  const cursors: [string, { topicName: string; partitionIndex: number }][] = [
    ['a negative cursor', { topicName: 'first', partitionIndex: -1 }],
    ['a cursor on a topic that is not asked for', { topicName: 'fifth', partitionIndex: 0 }],
  ]
  for (const [name, cursor] of cursors) {
    test(`${name} is refused, for all topics of the request`, async () => {
      const answer = await describeTopics(['second', 'first'], 10, cursor)
      expect(answer.topics.map((topic) => [topic.name, topic.errorCode, topic.topicAuthorizedOperations])).toEqual([
        ['second', 42, NOT_REQUESTED],
        ['first', 42, NOT_REQUESTED],
      ])
    })
  }
})

describe('DescribeLogDirs', () => {
  async function logDirs(topics: { topic: string; partitions: number[] }[] | null, version = 4) {
    const answer = await client.send(DescribeLogDirsRequest, DescribeLogDirsResponse, { topics }, { version })
    expect(answer.results.length).toBe(1)
    return answer.results[0]!
  }

  test('shows sizes of what was asked for; what does not exist is left out', async () => {
    await produce(client, batchOf(['x']), { topic: 'first', partition: 1 })
    const asked = [
      { topic: 'first', partitions: [1, 9] },
      { topic: 'nowhere', partitions: [0] },
    ]
    const { topics } = await logDirs(asked)
    expect(topics.map((topic) => [topic.name, topic.partitions.map((row) => row.partitionIndex)])).toEqual([
      ['first', [1]],
    ])
    expect(topics[0]!.partitions[0]!.partitionSize).toBe(batchOf(['x']).length)
  })

  test('null is everything, an empty list nothing', async () => {
    expect((await logDirs([])).topics).toEqual([])
    expect((await logDirs(null)).topics.map((topic) => topic.name)).toEqual(expect.arrayContaining(['first', 'second']))
  })
})
