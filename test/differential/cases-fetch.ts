// Fetch with its sessions, ListOffsets, OffsetForLeaderEpoch and DeleteRecords.
import { FetchRequest, FetchResponse } from '../../src/protocol/messages/01-fetch.ts'
import { ListOffsetsRequest, ListOffsetsResponse } from '../../src/protocol/messages/02-list-offsets.ts'
import { DeleteRecordsRequest, DeleteRecordsResponse } from '../../src/protocol/messages/21-delete-records.ts'
import {
  OffsetForLeaderEpochRequest,
  OffsetForLeaderEpochResponse,
} from '../../src/protocol/messages/23-offset-for-leader-epoch.ts'
import { type Input, ZERO_UUID } from '../../src/protocol/schema.ts'
import type { DifferentialBroker } from './broker.ts'
import { type AskOptions, accepting, asks, type CaseGroup, type DifferentialCase } from './case.ts'
import { appendBatch, appendText, batchOf, NOW, record } from './produce-helpers.ts'

const fetch = asks(FetchRequest, FetchResponse)
const listOffsets = asks(ListOffsetsRequest, ListOffsetsResponse)
const forEpoch = asks(OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse)
const deleteRecords = asks(DeleteRecordsRequest, DeleteRecordsResponse)

const UNKNOWN_ID = 'MTIzNDU2Nzg5MDEyMzQ1Ng'
const TOPIC = 'fetch'

type FetchInput = Input<typeof FetchRequest>
type FetchPartition = FetchInput['topics'][number]['partitions'][number]

interface Wanted extends Partial<FetchPartition> {
  topic?: string
}

/** One fetch request; every partition is named both ways, and the version decides which counts. */
function fetching(broker: DifferentialBroker, wanted: Wanted[], more: Partial<FetchInput> = {}): FetchInput {
  const topics = new Map<string, FetchPartition[]>()
  for (const { topic = TOPIC, ...rest } of wanted) {
    const partitions = topics.get(topic) ?? []
    partitions.push({ partition: 0, fetchOffset: 0, partitionMaxBytes: 1_000_000, ...rest })
    topics.set(topic, partitions)
  }
  return {
    maxWaitMs: 0,
    minBytes: 0,
    topics: [...topics].map(([topic, partitions]) => ({ topic, topicId: idOf(broker, topic), partitions })),
    forgottenTopicsData: [],
    ...more,
  }
}

function idOf(broker: DifferentialBroker, topic: string): string {
  return (broker.memory.get(`topic id of ${topic}`) as string | undefined) ?? UNKNOWN_ID
}

function fetchCase(
  name: string,
  version: number,
  wanted: Wanted[],
  more: Partial<FetchInput> = {},
  options: AskOptions<typeof FetchResponse> = {},
): DifferentialCase {
  return fetch(name, version, (broker) => fetching(broker, wanted, more), options)
}

/** How long an answer took, as far as it means something. */
function timed(
  name: string,
  version: number,
  wanted: Wanted[],
  more: Partial<FetchInput>,
  atLeastMs: number,
): DifferentialCase {
  const asked = fetchCase(name, version, wanted, more)
  return {
    ...asked,
    ask: async (broker) => {
      const begun = performance.now()
      const answer = await asked.ask(broker)
      return { answer, waited: performance.now() - begun >= atLeastMs }
    },
  }
}

const FETCH: CaseGroup = {
  api: 'Fetch',
  prepare: async (broker) => {
    await broker.createTopic(TOPIC, { partitions: 3 })
    await broker.createTopic('fetch-second')
    await appendText(broker, TOPIC, 0, ['a', 'b', 'c'])
    await appendText(broker, TOPIC, 0, ['d', 'e'])
    await appendBatch(broker, TOPIC, 0, batchOf(['f', 'g'], { codec: 4 }))
    await appendText(broker, TOPIC, 1, ['on the second partition'])
    await appendText(broker, 'fetch-second', 0, ['in the second topic'])
  },
  cases: [
    ...[4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18].map((version) => fetchCase('everything', version, [{}])),
    fetchCase('from the middle of a batch', 12, [{ fetchOffset: 1 }]),
    fetchCase('from the start of the second batch', 12, [{ fetchOffset: 3 }]),
    fetchCase('from the end', 12, [{ fetchOffset: 7 }]),
    fetchCase('beyond the end', 12, [{ fetchOffset: 8 }]),
    fetchCase('a negative offset', 12, [{ fetchOffset: -1 }]),
    fetchCase('an empty partition', 12, [{ partition: 2 }]),
    fetchCase('several partitions and topics', 12, [{}, { partition: 1 }, { topic: 'fetch-second' }]),
    fetchCase('an unknown topic', 12, [{ topic: 'fetch-none' }]),
    fetchCase('an unknown topic id', 13, [{ topic: 'fetch-none' }]),
    fetch('a zero topic id', 13, (broker) => {
      const value = fetching(broker, [{}])
      return { ...value, topics: value.topics.map((topic) => ({ ...topic, topicId: ZERO_UUID })) }
    }),
    fetchCase('an unknown partition', 12, [{ partition: 9 }]),
    fetchCase('an unknown partition by id', 17, [{ partition: 9 }, {}]),
    fetchCase('nothing', 12, []),
    fetchCase('read committed', 12, [{}], { isolationLevel: 1 }),
    fetchCase('read committed at the end', 4, [{ fetchOffset: 7 }], { isolationLevel: 1 }),
    fetchCase('read committed of an unknown topic', 12, [{ topic: 'fetch-none' }], { isolationLevel: 1 }),
    fetchCase('an unknown isolation level', 12, [{}], { isolationLevel: 7 }),
    accepting(
      fetchCase(
        'a negative number of bytes',
        12,
        [{}],
        { maxBytes: -1 },
        {
          only: ({ errorCode, responses }) => ({
            errorCode,
            rows: responses[0]?.partitions.map((row) => row.errorCode),
          }),
        },
      ),
      'Kafka answers an unknown server error',
      { errorCode: 0, rows: [42] },
    ),
    fetchCase('a current leader epoch that fits', 12, [{ currentLeaderEpoch: 0 }]),
    fetchCase('a current leader epoch from the future', 12, [{ currentLeaderEpoch: 7 }]),
    fetchCase('a last fetched epoch that fits', 12, [{ fetchOffset: 3, currentLeaderEpoch: 0, lastFetchedEpoch: 0 }]),
    fetchCase('a last fetched epoch from the future', 12, [{ fetchOffset: 3, lastFetchedEpoch: 5 }]),
    fetchCase('an offset past the end of the last fetched epoch', 12, [{ fetchOffset: 9, lastFetchedEpoch: 0 }]),
    fetchCase('one byte of a partition gives its first batch', 12, [{ partitionMaxBytes: 1 }]),
    fetchCase('one byte in all gives the first batch only', 12, [{}, { partition: 1 }], { maxBytes: 1 }),
    fetchCase('zero bytes give the first batch', 12, [{ partitionMaxBytes: 0 }], { maxBytes: 0 }),
    fetchCase('an empty partition first, then one byte', 12, [{ partition: 2 }, { partition: 1 }], { maxBytes: 1 }),
    fetchCase('a limit that cuts the second batch', 12, [{ partitionMaxBytes: 120 }], {}, { only: wholeBatches }),
    timed('minBytes of 0 does not wait', 12, [{ fetchOffset: 7 }], { maxWaitMs: 2_000, minBytes: 0 }, 1_000),
    timed('waits for data that does not come', 12, [{ fetchOffset: 7 }], { maxWaitMs: 600, minBytes: 1 }, 500),
    timed('waits when there is less than minBytes', 12, [{}], { maxWaitMs: 600, minBytes: 100_000 }, 500),
    timed('does not wait with enough bytes', 12, [{}], { maxWaitMs: 3_000, minBytes: 1 }, 1_000),
    timed(
      'a read error ends the wait',
      12,
      [{ fetchOffset: 99 }, { partition: 2 }],
      { maxWaitMs: 3_000, minBytes: 1 },
      1_000,
    ),
    timed(
      'an unknown topic does not end the wait',
      12,
      [{ topic: 'fetch-none' }, { partition: 2 }],
      { maxWaitMs: 600, minBytes: 1 },
      500,
    ),
    {
      name: 'a waiting fetch holds up what follows on its connection',
      ask: async (broker) => {
        const wanted = fetching(broker, [{ topic: TOPIC, fetchOffset: 7 }], { maxWaitMs: 500, minBytes: 1 })
        const connection = await broker.connection('waiting')
        const order: string[] = []
        const offsets = offsetsOf(TOPIC, -1)
        await Promise.all([
          connection.send(FetchRequest, FetchResponse, wanted, { version: 12 }).then(() => order.push('fetch')),
          connection
            .send(ListOffsetsRequest, ListOffsetsResponse, offsets, { version: 6 })
            .then(() => order.push('offsets')),
        ])
        return order
      },
    },
    {
      name: 'a waiting fetch gets what is appended',
      ask: async (broker) => {
        const wanted = fetching(broker, [{ topic: 'fetch-second', fetchOffset: 1 }], { maxWaitMs: 10_000, minBytes: 1 })
        const connection = await broker.connection('waiting')
        const begun = performance.now()
        const waiting = connection.send(FetchRequest, FetchResponse, wanted, { version: 12 })
        await Bun.sleep(100)
        await appendText(broker, 'fetch-second', 0, ['late'])
        return { answer: await waiting, inTime: performance.now() - begun < 5_000 }
      },
    },
  ],
}

/** Where a limit cuts is each broker's own; that the whole batches are the same is not. */
function wholeBatches(answer: { responses: { partitions: { records: readonly Uint8Array[] | null }[] }[] }): unknown {
  const bytes = Buffer.concat(answer.responses[0]?.partitions[0]?.records ?? [])
  return { firstBatch: bytes.subarray(0, 12 + bytes.readInt32BE(8)) }
}

interface SessionStep {
  session: 'none' | 'current' | 'unknown'
  epoch: number
  forgotten?: FetchInput['forgottenTopicsData']
  version?: number
}

function sessionCase(
  name: string,
  { session, epoch, forgotten = [], version = 12 }: SessionStep,
  wanted: Wanted[],
): DifferentialCase {
  return fetch(
    name,
    version,
    (broker) => ({
      ...fetching(broker, wanted),
      sessionId: session === 'none' ? 0 : session === 'current' ? broker.recall<number>('session') : 123_456_789,
      sessionEpoch: epoch,
      forgottenTopicsData: forgotten,
    }),
    { keep: (broker, answer) => answer.sessionId !== 0 && broker.remember('session', answer.sessionId) },
  )
}

const SESSIONS: CaseGroup = {
  api: 'Fetch sessions',
  prepare: async (broker) => {
    await broker.createTopic('sessions', { partitions: 3 })
    await appendText(broker, 'sessions', 0, ['a', 'b'])
  },
  cases: [
    sessionCase('without a session', { session: 'none', epoch: -1 }, [{ topic: 'sessions' }]),
    sessionCase('an unknown session', { session: 'unknown', epoch: 1 }, [{ topic: 'sessions' }]),
    sessionCase('epoch 1 without a session', { session: 'none', epoch: 1 }, [{ topic: 'sessions' }]),
    sessionCase('a new session', { session: 'none', epoch: 0 }, [
      { topic: 'sessions' },
      { topic: 'sessions', partition: 1 },
    ]),
    sessionCase('data again, since the position was not moved', { session: 'current', epoch: 1 }, []),
    sessionCase('nothing after the position moved to the end', { session: 'current', epoch: 2 }, [
      { topic: 'sessions', fetchOffset: 2 },
    ]),
    sessionCase('a wrong epoch', { session: 'current', epoch: 9 }, []),
    sessionCase('the epoch did not advance', { session: 'current', epoch: 3 }, []),
    sessionCase('a partition is added', { session: 'current', epoch: 4 }, [{ topic: 'sessions', partition: 2 }]),
    {
      name: 'an appended record shows, and nothing else',
      ask: async (broker) => {
        await appendText(broker, 'sessions', 2, ['new'])
        const connection = await broker.connection('asks')
        const value = { ...fetching(broker, []), sessionId: broker.recall<number>('session'), sessionEpoch: 5 }
        return connection.send(FetchRequest, FetchResponse, value, { version: 12 })
      },
    },
    sessionCase('an error is repeated', { session: 'current', epoch: 6 }, [
      { topic: 'sessions', fetchOffset: 50 },
      { topic: 'sessions', partition: 2, fetchOffset: 1 },
    ]),
    sessionCase('until the partition is forgotten', { session: 'current', epoch: 7 }, []),
    sessionCase('forgotten', { session: 'current', epoch: 8, forgotten: [{ topic: 'sessions', partitions: [0] }] }, []),
    sessionCase('an unknown partition joins the session', { session: 'current', epoch: 9 }, [
      { topic: 'sessions', partition: 44 },
    ]),
    sessionCase('another connection may go on', { session: 'current', epoch: 10 }, []),
    sessionCase('ids in a session of names', { session: 'current', epoch: 11, version: 13 }, [
      { topic: 'sessions', partition: 1 },
    ]),
    sessionCase('closing answers what was listed', { session: 'current', epoch: -1 }, [{ topic: 'sessions' }]),
    sessionCase('closed', { session: 'current', epoch: 12 }, []),
    sessionCase('an empty session', { session: 'none', epoch: 0 }, []),
    sessionCase('a session of ids', { session: 'none', epoch: 0, version: 17 }, [{ topic: 'sessions' }]),
    sessionCase('goes on', { session: 'current', epoch: 1, version: 17 }, [{ topic: 'sessions', partition: 2 }]),
    sessionCase('names in a session of ids', { session: 'current', epoch: 2, version: 12 }, [{ topic: 'sessions' }]),
  ],
}

function offsetsOf(
  topic: string,
  timestamp: number,
  more: { isolationLevel?: number; partition?: number; epoch?: number } = {},
): Input<typeof ListOffsetsRequest> {
  const partition = { partitionIndex: more.partition ?? 0, timestamp, currentLeaderEpoch: more.epoch ?? -1 }
  return { replicaId: -1, isolationLevel: more.isolationLevel ?? 0, topics: [{ name: topic, partitions: [partition] }] }
}

const LIST_OFFSETS: CaseGroup = {
  api: 'ListOffsets',
  prepare: async (broker) => {
    await broker.createTopic('times', { partitions: 2 })
    await appendBatch(
      broker,
      'times',
      0,
      batchOf(['x'], { records: [0, 30, 10].map((ms) => record('x', { timestamp: NOW + ms })) }),
    )
    await appendBatch(
      broker,
      'times',
      0,
      batchOf(['x'], { records: [20, 30, 25].map((ms) => record('x', { timestamp: NOW + ms })), codec: 1 }),
    )
    await appendBatch(
      broker,
      'times',
      0,
      batchOf(['x'], { records: [5, 40].map((ms) => record('x', { timestamp: NOW + ms })) }),
    )
  },
  cases: [
    ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map((version) => listOffsets('latest', version, offsetsOf('times', -1))),
    listOffsets('latest of an empty partition', 6, offsetsOf('times', -1, { partition: 1 })),
    listOffsets('latest, read committed', 6, offsetsOf('times', -1, { isolationLevel: 1 })),
    listOffsets('earliest', 6, offsetsOf('times', -2)),
    listOffsets('the maximum timestamp', 7, offsetsOf('times', -3)),
    listOffsets('the maximum timestamp of an empty partition', 7, offsetsOf('times', -3, { partition: 1 })),
    listOffsets('the maximum timestamp in a version that has none', 6, offsetsOf('times', -3)),
    listOffsets('earliest local', 8, offsetsOf('times', -4)),
    listOffsets('earliest local in a version that has none', 7, offsetsOf('times', -4)),
    listOffsets('latest tiered', 9, offsetsOf('times', -5)),
    listOffsets('earliest pending upload', 11, offsetsOf('times', -6)),
    listOffsets('earliest pending upload in a version that has none', 10, offsetsOf('times', -6)),
    listOffsets('an undefined special timestamp', 11, offsetsOf('times', -7)),
    ...[0, 1, 5, 10, 11, 20, 25, 30, 31, 40, 41].map((ms) =>
      listOffsets(`time +${ms}`, 6, offsetsOf('times', NOW + ms)),
    ),
    listOffsets('time 0', 1, offsetsOf('times', 0)),
    listOffsets('a time in an empty partition', 6, offsetsOf('times', NOW, { partition: 1 })),
    listOffsets('an unknown topic', 6, offsetsOf('times-none', -1)),
    listOffsets('an unknown partition', 6, offsetsOf('times', -1, { partition: 5 })),
    listOffsets('a leader epoch that fits', 6, offsetsOf('times', -1, { epoch: 0 })),
    listOffsets('a leader epoch from the future', 6, offsetsOf('times', -1, { epoch: 3 })),
    listOffsets('a partition asked twice', 6, {
      ...offsetsOf('times', -1),
      topics: [
        {
          name: 'times',
          partitions: [
            { partitionIndex: 0, timestamp: -1 },
            { partitionIndex: 0, timestamp: -2 },
          ],
        },
      ],
    }),
    listOffsets('a debugging replica', 6, { ...offsetsOf('times', -1), replicaId: -2 }),
  ],
}

function epochOf(
  topic: string,
  leaderEpoch: number,
  more: { partition?: number; current?: number } = {},
): Input<typeof OffsetForLeaderEpochRequest> {
  const partition = { partition: more.partition ?? 0, leaderEpoch, currentLeaderEpoch: more.current ?? -1 }
  return { topics: [{ topic, partitions: [partition] }], replicaId: -1 }
}

const EPOCHS: CaseGroup = {
  api: 'OffsetForLeaderEpoch',
  prepare: async (broker) => {
    await broker.createTopic('epochs', { partitions: 2 })
    await appendText(broker, 'epochs', 0, ['a', 'b', 'c'])
  },
  cases: [
    ...[2, 3, 4].map((version) => forEpoch('the current epoch', version, epochOf('epochs', 0))),
    forEpoch('an epoch from the future', 4, epochOf('epochs', 5)),
    forEpoch('no epoch', 4, epochOf('epochs', -1)),
    forEpoch('an empty partition', 4, epochOf('epochs', 0, { partition: 1 })),
    forEpoch('a current epoch that fits', 4, epochOf('epochs', 0, { current: 0 })),
    forEpoch('a current epoch from the future', 4, epochOf('epochs', 0, { current: 4 })),
    forEpoch('an unknown topic', 4, epochOf('epochs-none', 0)),
    forEpoch('an unknown partition', 4, epochOf('epochs', 0, { partition: 6 })),
  ],
}

function deleting(topic: string, offset: number, partitionIndex = 0): Input<typeof DeleteRecordsRequest> {
  return { topics: [{ name: topic, partitions: [{ partitionIndex, offset }] }], timeoutMs: 10_000 }
}

const DELETE_RECORDS: CaseGroup = {
  api: 'DeleteRecords',
  prepare: async (broker) => {
    await broker.createTopic('deletes', { partitions: 2 })
    await broker.createTopic('deletes-compact', { configs: { 'cleanup.policy': 'compact' } })
    await broker.createTopic('deletes-both', { configs: { 'cleanup.policy': 'compact,delete' } })
    await broker.createTopic('deletes-neither', { configs: { 'cleanup.policy': '' } })
    for (const topic of ['deletes', 'deletes-compact', 'deletes-both', 'deletes-neither']) {
      await appendText(broker, topic, 0, ['a', 'b', 'c', 'd'])
      await appendText(broker, topic, 0, ['e', 'f'])
    }
  },
  cases: [
    deleteRecords('to an offset in a batch', 2, deleting('deletes', 2)),
    deleteRecords('to an offset that is already gone', 1, deleting('deletes', 1)),
    listOffsets('earliest afterwards', 6, offsetsOf('deletes', -2)),
    listOffsets('time 0 afterwards', 6, offsetsOf('deletes', 0)),
    listOffsets('the maximum timestamp afterwards', 7, offsetsOf('deletes', -3)),
    fetchCase('fetch below the start', 12, [{ topic: 'deletes', fetchOffset: 0 }]),
    fetchCase('fetch at the start', 12, [{ topic: 'deletes', fetchOffset: 2 }]),
    deleteRecords('beyond the end', 2, deleting('deletes', 7)),
    deleteRecords('below -1', 2, deleting('deletes', -2)),
    deleteRecords('to the end, by -1', 0, deleting('deletes', -1)),
    fetchCase('fetch at the end', 12, [{ topic: 'deletes', fetchOffset: 6 }]),
    deleteRecords('an empty partition', 2, deleting('deletes', -1, 1)),
    deleteRecords('a compacted topic', 2, deleting('deletes-compact', 2)),
    deleteRecords('a compacted topic that also deletes', 2, deleting('deletes-both', 2)),
    deleteRecords('a topic that keeps everything', 2, deleting('deletes-neither', 2)),
    deleteRecords('an internal topic', 2, deleting('__consumer_offsets', 0)),
    deleteRecords('an unknown topic', 2, deleting('deletes-none', 0)),
    deleteRecords('an unknown partition', 2, deleting('deletes', 0, 8)),
  ],
}

export const FETCH_CASES: CaseGroup[] = [FETCH, SESSIONS, LIST_OFFSETS, EPOCHS, DELETE_RECORDS]
