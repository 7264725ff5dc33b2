import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Broker } from '../../src/broker/server.ts'
import type { Connection } from '../../src/client/connection.ts'
import { ListOffsetsRequest, ListOffsetsResponse } from '../../src/protocol/messages/02-list-offsets.ts'
import { DeleteRecordsRequest, DeleteRecordsResponse } from '../../src/protocol/messages/21-delete-records.ts'
import {
  OffsetForLeaderEpochRequest,
  OffsetForLeaderEpochResponse,
} from '../../src/protocol/messages/23-offset-for-leader-epoch.ts'
import { buildBatch } from '../../src/records/batch.ts'
import { connect, createTopic, produce, startBroker } from './support/test-broker.ts'

const LATEST = -1
const EARLIEST = -2
const MAX_TIMESTAMP = -3
const EARLIEST_LOCAL = -4
const LATEST_TIERED = -5
const EARLIEST_PENDING_UPLOAD = -6

let broker: Broker
let client: Connection

beforeAll(async () => {
  broker = await startBroker()
  client = await connect(broker)
  await createTopic(client, 'times')
  // Offsets 0-2, then 3-4: not in the order of time.
  for (const timestamps of [
    [100, 300, 200],
    [150, 300],
  ]) {
    const records = timestamps.map((timestamp) => ({ timestamp, key: null, value: Buffer.from('v') }))
    await produce(client, buildBatch({ records }), { topic: 'times' })
  }
  await createTopic(client, 'empty')
  await createTopic(client, 'trimmed')
  const records = [1, 2, 3].map((timestamp) => ({ timestamp, key: null, value: null }))
  await produce(client, buildBatch({ records }), { topic: 'trimmed' })
  const trim = { topics: [{ name: 'trimmed', partitions: [{ partitionIndex: 0, offset: 2 }] }], timeoutMs: 1000 }
  await client.send(DeleteRecordsRequest, DeleteRecordsResponse, trim)
})

afterAll(async () => {
  await client.close()
  await broker.stop()
})

interface Asked {
  readonly topic?: string
  readonly partition?: number
  readonly version?: number
  readonly isolationLevel?: number
  readonly currentLeaderEpoch?: number
}

async function find(timestamp: number, asked: Asked = {}) {
  const { topic = 'times', partition = 0, version = 11, isolationLevel = 0, currentLeaderEpoch } = asked
  const epoch = currentLeaderEpoch === undefined ? {} : { currentLeaderEpoch }
  const request = {
    replicaId: -1,
    isolationLevel,
    topics: [{ name: topic, partitions: [{ partitionIndex: partition, timestamp, ...epoch }] }],
  }
  const answer = await client.send(ListOffsetsRequest, ListOffsetsResponse, request, { version })
  const row = answer.topics[0]!.partitions[0]!
  return [row.errorCode, row.timestamp, row.offset, row.leaderEpoch]
}

describe('ListOffsets', () => {
  for (let version = 1; version <= 11; version++) {
    test(`version ${version} finds both ends`, async () => {
      const epoch = version >= 4 ? 0 : -1
      expect(await find(LATEST, { version })).toEqual([0, -1, 5, epoch])
      expect(await find(EARLIEST, { version })).toEqual([0, -1, 0, epoch])
    })
  }

  const times: [string, number, [number, number, number, number]][] = [
    ['before everything', 0, [0, 100, 0, 0]],
    ['exactly a record', 100, [0, 100, 0, 0]],
    ['the first in offset order, inside its batch', 101, [0, 300, 1, 0]],
    ['the first of equal ones', 300, [0, 300, 1, 0]],
    ['after everything', 301, [0, -1, -1, -1]],
    ['the largest', MAX_TIMESTAMP, [0, 300, 1, 0]],
    ['the local start', EARLIEST_LOCAL, [0, -1, 0, 0]],
    ['what is tiered', LATEST_TIERED, [0, -1, -1, -1]],
    ['what waits to be tiered', EARLIEST_PENDING_UPLOAD, [0, -1, -1, -1]],
    ['an undefined special one', -7, [35, -1, -1, -1]],
  ]
  for (const [name, timestamp, expected] of times) {
    test(`a timestamp ${timestamp}: ${name}`, async () => {
      expect(await find(timestamp)).toEqual(expected)
    })
  }

  for (const [timestamp, since] of [
    [MAX_TIMESTAMP, 7],
    [EARLIEST_LOCAL, 8],
    [LATEST_TIERED, 9],
    [EARLIEST_PENDING_UPLOAD, 11],
  ] as const) {
    test(`${timestamp} is known from version ${since} on`, async () => {
      expect((await find(timestamp, { version: since - 1 }))[0]).toBe(35)
      expect((await find(timestamp, { version: since }))[0]).toBe(0)
    })
  }

  test('an empty partition', async () => {
    expect(await find(LATEST, { topic: 'empty' })).toEqual([0, -1, 0, 0])
    expect(await find(MAX_TIMESTAMP, { topic: 'empty' })).toEqual([0, -1, -1, -1])
    expect(await find(0, { topic: 'empty' })).toEqual([0, -1, -1, -1])
  })

  test('look-ups by time begin at the log start, inside a batch', async () => {
    expect(await find(EARLIEST, { topic: 'trimmed' })).toEqual([0, -1, 2, 0])
    expect(await find(0, { topic: 'trimmed' })).toEqual([0, 3, 2, 0])
  })

  test('read_committed ends at the last stable offset', async () => {
    expect(await find(LATEST, { isolationLevel: 1 })).toEqual([0, -1, 5, 0])
  })

  const failures: [string, Asked, number][] = [
    ['an unknown topic', { topic: 'nowhere' }, 3],
    ['an unknown partition', { partition: 3 }, 3],
    ['a leader epoch of the future', { currentLeaderEpoch: 4 }, 75],
  ]
  for (const [name, asked, errorCode] of failures) {
    test(`${name} is answered ${errorCode}`, async () => {
      expect(await find(LATEST, asked)).toEqual([errorCode, -1, -1, -1])
    })
  }

  test('a partition that is asked about twice is answered once, with 42; the others are answered', async () => {
    await createTopic(client, 'pair', { partitions: 2 })
    const partitions = [0, 1, 0].map((partitionIndex) => ({ partitionIndex, timestamp: LATEST }))
    const request = { replicaId: -1, topics: [{ name: 'pair', partitions }] }
    const answer = await client.send(ListOffsetsRequest, ListOffsetsResponse, request)
    expect(answer.topics[0]!.partitions.map((row) => [row.partitionIndex, row.errorCode])).toEqual([
      [0, 42],
      [1, 0],
    ])
  })
})

describe('OffsetForLeaderEpoch', () => {
  async function endOf(leaderEpoch: number, options: { topic?: string; currentLeaderEpoch?: number } = {}) {
    const { topic = 'times', currentLeaderEpoch = -1 } = options
    const request = { topics: [{ topic, partitions: [{ partition: 0, currentLeaderEpoch, leaderEpoch }] }] }
    const answer = await client.send(OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, request)
    const row = answer.topics[0]!.partitions[0]!
    return [row.errorCode, row.leaderEpoch, row.endOffset]
  }

  test('the current epoch ends at the log end', async () => {
    expect(await endOf(0)).toEqual([0, 0, 5])
  })

  test('an epoch above the current one, or none, is unknown and no error', async () => {
    expect(await endOf(1)).toEqual([0, -1, -1])
    expect(await endOf(-1)).toEqual([0, -1, -1])
  })

  test('a client that knows of a later leader, and an unknown topic, are refused', async () => {
    expect(await endOf(0, { currentLeaderEpoch: 3 })).toEqual([75, -1, -1])
    expect(await endOf(0, { topic: 'nowhere' })).toEqual([3, -1, -1])
  })
})
