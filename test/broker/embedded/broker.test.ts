// A broker in a test's process: what its users rely on, seen through real connections.

import { afterEach, describe, expect, test } from 'bun:test'
import { Connection } from '../../../src/client/connection.ts'
import { Broker, type BrokerOptions } from '../../../src/index.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { ProduceRequest, ProduceResponse } from '../../../src/protocol/messages/00-produce.ts'
import { FindCoordinatorRequest, FindCoordinatorResponse } from '../../../src/protocol/messages/10-find-coordinator.ts'
import { JoinGroupRequest, JoinGroupResponse } from '../../../src/protocol/messages/11-join-group.ts'
import { DescribeGroupsRequest, DescribeGroupsResponse } from '../../../src/protocol/messages/15-describe-groups.ts'
import { batchOf, fetchAll, produce, produceRequest, valuesOf } from '../support/test-broker.ts'

const open: { close(): unknown }[] = []

async function start(options: BrokerOptions = {}): Promise<Broker> {
  const broker = await Broker.start(options)
  open.push({ close: () => broker.stop() })
  return broker
}

async function connect({ host, port }: Broker, clientId = 'test'): Promise<Connection> {
  const connection = await Connection.connect({ host, port, clientId, timeoutMs: 10_000 })
  open.push({ close: () => connection.close() })
  return connection
}

async function findCoordinator(connection: Connection, group: string): Promise<number> {
  const request = { keyType: 0, coordinatorKeys: [group] }
  const answer = await connection.send(FindCoordinatorRequest, FindCoordinatorResponse, request, { version: 4 })
  return answer.coordinators[0]!.errorCode
}

/** The first to ask for a coordinator has the topic made in which groups are kept. */
async function untilCoordinated(connection: Connection): Promise<void> {
  while ((await findCoordinator(connection, 'g')) !== ErrorCode.NONE);
}

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close()
})

describe('an embedded broker', () => {
  test('starts with nothing to say, on a free port, and keeps what is produced', async () => {
    const broker = await start()
    expect(broker.bootstrap).toBe(`127.0.0.1:${broker.port}`)
    await broker.topic('orders').create({ partitions: 2, configs: { 'retention.ms': '1000' } })
    const connection = await connect(broker)
    await produce(connection, batchOf(['a', 'b']), { topic: 'orders', partition: 1 })
    expect(await broker.topic('orders').values()).toEqual(['a', 'b'])
    expect(await broker.topic('orders').records({ partition: 0 })).toEqual([])
    expect(broker.topic('orders').endOffsets()).toEqual([0, 2])
    expect(broker.topics()).toEqual(['orders'])
    await broker.topic('orders').delete()
    expect(broker.topic('orders').exists).toBe(false)
    expect(broker.topic('orders').create({ configs: { nonsense: '1' } })).rejects.toThrow(
      "cannot create topic 'orders'",
    )
  })

  test('is emptied by reset, keeps its port, and is gone after its block', async () => {
    let port = 0
    {
      await using broker = await Broker.start()
      port = broker.port
      await broker.topic('a').create()
      broker.inject({ api: 'Metadata', error: 'UNKNOWN_SERVER_ERROR' })
      await broker.advance(1000)
      const before = await connect(broker)
      await broker.reset()
      await before.whenClosed()
      expect([broker.port, broker.topics()]).toEqual([port, []])
      expect(broker.now()).toBeLessThan(Date.now() + 900)
      await broker.topic('a').create()
      const after = await connect(broker)
      expect((await produce(after, batchOf(['x']), { topic: 'a' })).baseOffset).toBe(0)
    }
    expect(Connection.connect({ host: '127.0.0.1', port, clientId: 'late', timeoutMs: 1000 })).rejects.toThrow()
  })

  test('hands out records as soon as they are there', async () => {
    const broker = await start()
    await broker.topic('a').create()
    const connection = await connect(broker)
    const waiting = broker.topic('a').waitFor(3)
    await produce(connection, batchOf(['1', '2']), { topic: 'a' })
    await produce(connection, batchOf(['3']), { topic: 'a' })
    expect((await waiting).map(({ offset, value }) => [offset, String(value)])).toEqual([
      [0, '1'],
      [1, '2'],
      [2, '3'],
    ])
    const never = broker.topic('a').waitFor((records) => records.length === 4, { timeoutMs: 1 })
    expect(never).rejects.toThrow('within 1 ms: it has 3')
  })
})

describe('a fault', () => {
  async function withTopics(): Promise<{ broker: Broker; connection: Connection }> {
    const broker = await start()
    await broker.topic('a').create({ partitions: 2 })
    await broker.topic('b').create()
    return { broker, connection: await connect(broker) }
  }

  test('of one partition leaves the rest of the request alone, and what it refuses is not written', async () => {
    const { broker, connection } = await withTopics()
    const fault = broker.inject({ api: 'Produce', topic: 'a', partition: 1, error: 'NOT_LEADER_OR_FOLLOWER', times: 1 })
    const request = produceRequest([batchOf(['x'])], { topic: 'a', partition: 0 })
    const [row] = request.topicData
    const both = {
      ...request,
      topicData: [{ ...row!, partitionData: [0, 1].map((index) => ({ index, records: [batchOf(['x'])] })) }],
    }
    const send = () => connection.send(ProduceRequest, ProduceResponse, both, { version: 9 })
    const codes = (answer: Awaited<ReturnType<typeof send>>) =>
      answer.responses.flatMap(({ partitionResponses }) =>
        partitionResponses.map(({ index, errorCode }) => [index, errorCode]),
      )
    expect(codes(await send())).toEqual([
      [0, ErrorCode.NONE],
      [1, ErrorCode.NOT_LEADER_OR_FOLLOWER],
    ])
    expect(codes(await send())).toEqual([
      [0, ErrorCode.NONE],
      [1, ErrorCode.NONE],
    ])
    expect([fault.hits, ...broker.topic('a').endOffsets()]).toEqual([1, 2, 1])
  })

  test('closes the connection of a Produce with acks=0, which must get no answer', async () => {
    const { broker } = await withTopics()
    for (const where of [{}, { topic: 'a' }, { topic: 'a', partition: 1 }]) {
      const connection = await connect(broker)
      broker.inject({ api: 'Produce', ...where, error: 'NOT_LEADER_OR_FOLLOWER', times: 1 })
      const request = produceRequest([batchOf(['x'])], { topic: 'a', acks: 0 })
      const partitionData = [0, 1].map((index) => ({ index, records: [batchOf(['x'])] }))
      const both = { ...request, topicData: [{ ...request.topicData[0]!, partitionData }] }
      connection.sendNoReply(ProduceRequest, both, { version: 9 })
      await connection.whenClosed()
      expect(connection.closedBy?.message).toContain('closed the connection')
    }
    expect(broker.topic('a').endOffsets()).toEqual([1, 0])
  })

  test('meets a Fetch also where its session remembers the partition', async () => {
    const { broker, connection } = await withTopics()
    await produce(connection, batchOf(['x']), { topic: 'a' })
    const full = await fetchAll(connection, [{ topic: 'a' }, { topic: 'b' }], { sessionId: 0, sessionEpoch: 0 })
    broker.inject({ api: 'Fetch', topic: 'a', error: 'KAFKA_STORAGE_ERROR', times: 1 })
    const refused = await fetchAll(connection, [], { sessionId: full.sessionId, sessionEpoch: 1 })
    expect(refused.responses.map(({ topic, partitions }) => [topic, partitions[0]!.errorCode])).toEqual([
      ['a', ErrorCode.KAFKA_STORAGE_ERROR],
    ])
    const served = await fetchAll(connection, [], { sessionId: full.sessionId, sessionEpoch: 2 })
    expect(served.errorCode).toBe(ErrorCode.NONE)
    expect(valuesOf(served.responses[0]!.partitions[0]!)).toEqual(['x'])
  })

  test('breaks the connection before anything happens, or after everything has', async () => {
    const { broker } = await withTopics()
    for (const [drop, written] of [
      ['request', 0],
      ['answer', 1],
    ] as const) {
      const connection = await connect(broker)
      broker.inject({ api: 'Produce', topic: 'a', drop, times: 1 })
      expect(produce(connection, batchOf(['x']), { topic: 'a' })).rejects.toThrow()
      await connection.whenClosed()
      expect(broker.topic('a').endOffsets()[0]).toBe(written)
    }
  })

  test('is one of a client, of a group, after some, for some', async () => {
    const { broker, connection } = await withTopics()
    const other = await connect(broker, 'other')
    await untilCoordinated(connection)
    broker.inject({ api: 'FindCoordinator', clientId: 'other', error: 'COORDINATOR_NOT_AVAILABLE' })
    broker.inject({ api: 'FindCoordinator', group: 'g', after: 1, times: 1, error: 'COORDINATOR_LOAD_IN_PROGRESS' })
    expect(await findCoordinator(other, 'h')).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    expect(await findCoordinator(connection, 'g')).toBe(ErrorCode.NONE)
    expect(await findCoordinator(connection, 'g')).toBe(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
    expect(await findCoordinator(connection, 'g')).toBe(ErrorCode.NONE)
    expect(await findCoordinator(connection, 'h')).toBe(ErrorCode.NONE)
  })

  test('that delays holds what comes behind it on the connection, and nobody else', async () => {
    const { broker, connection } = await withTopics()
    const other = await connect(broker, 'other')
    broker.inject({ api: 'Produce', topic: 'a', delayMs: 60_000 })
    const delayed = produce(connection, batchOf(['late']), { topic: 'a' })
    await produce(other, batchOf(['x']), { topic: 'b' })
    expect(broker.topic('a').endOffsets()[0]).toBe(0)
    await broker.advance(60_000)
    expect((await delayed).errorCode).toBe(ErrorCode.NONE)
  })

  test('that cannot be is refused when it is put in', async () => {
    const broker = await start()
    expect(() => broker.inject({ api: 'Prodcue', drop: 'answer' })).toThrow('Kafka has no API Prodcue')
    expect(() => broker.inject({ api: 'Produce' })).toThrow('a fault needs')
    expect(() => broker.inject({ partition: 1, drop: 'answer' })).toThrow('a partition needs its topic')
    expect(() => broker.inject({ error: 4711 })).toThrow('Kafka has no error 4711')
  })

  test('of the whole broker: nothing is answered until it resumes, then everything is', async () => {
    const { broker, connection } = await withTopics()
    broker.pause()
    let answered = 0
    const produced = [1, 2, 3].map(async (n) => {
      const { baseOffset } = await produce(connection, batchOf([String(n)]), { topic: 'a' })
      answered++
      return baseOffset
    })
    await broker.advance(0)
    expect([answered, broker.topic('a').endOffsets()[0]]).toEqual([0, 0])
    broker.resume()
    expect(await Promise.all(produced)).toEqual([0, 1, 2])
  })
})

test('a session ends when time is moved, not when it has passed', async () => {
  const broker = await start()
  const connection = await connect(broker)
  const protocols = [{ name: 'range', metadata: Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) }]
  const join = (memberId: string) =>
    connection.send(
      JoinGroupRequest,
      JoinGroupResponse,
      {
        groupId: 'g',
        sessionTimeoutMs: 45_000,
        rebalanceTimeoutMs: 60_000,
        memberId,
        protocolType: 'consumer',
        protocols,
      },
      { version: 5 },
    )
  await untilCoordinated(connection)
  const { memberId } = await join('')
  expect((await join(memberId)).errorCode).toBe(ErrorCode.NONE)
  const membersOf = async (): Promise<number> => {
    const request = { groups: ['g'], includeAuthorizedOperations: false }
    const answer = await connection.send(DescribeGroupsRequest, DescribeGroupsResponse, request, { version: 5 })
    return answer.groups[0]!.members.length
  }
  await broker.advance(44_000)
  expect(await membersOf()).toBe(1)
  await broker.advance(2_000)
  expect(await membersOf()).toBe(0)
})
