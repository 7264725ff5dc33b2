/** Reading requests and writing answers, in the versions that clients send most. */
import { bench, summary } from 'mitata'
import { decode } from '../../src/protocol/codec.ts'
import { encodeRequest, encodeResponseParts } from '../../src/protocol/frame.ts'
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/00-produce.ts'
import { FetchRequest, FetchResponse } from '../../src/protocol/messages/01-fetch.ts'
import { MetadataRequest, MetadataResponse } from '../../src/protocol/messages/03-metadata.ts'
import { OffsetCommitRequest, OffsetCommitResponse } from '../../src/protocol/messages/08-offset-commit.ts'
import { OffsetFetchRequest, OffsetFetchResponse } from '../../src/protocol/messages/09-offset-fetch.ts'
import { HeartbeatRequest, HeartbeatResponse } from '../../src/protocol/messages/12-heartbeat.ts'
import { ApiVersionsRequest, ApiVersionsResponse } from '../../src/protocol/messages/18-api-versions.ts'
import { Reader } from '../../src/protocol/reader.ts'
import { decodeRequestHeader } from '../../src/protocol/request-header.ts'
import type { Input, MessageSchema } from '../../src/protocol/schema.ts'

const TOPIC = 'my-topic-name'
const TOPIC_ID = 'AAECAwQFBgcICQoLDA0ODw'
const GROUP = 'my-group'
const MEMBER = 'consumer-my-group-1-8f2f0a2e-0a53-4a39-8f3f-7c3f3a5b9f1d'
const BATCH = Buffer.alloc(170, 7)
const SIZE_BYTES = 4
const PARTITIONS = [0, 1, 2, 3]

interface Exchange<Q extends MessageSchema, A extends MessageSchema> {
  readonly name: string
  readonly request: Q
  readonly response: A
  readonly versions: readonly number[]
  readonly ask: (version: number) => Input<Q>
  readonly answer: (version: number) => Input<A>
}

/** Header and body of the request from its bytes; a whole response frame from its value. */
function exchangeBench<Q extends MessageSchema, A extends MessageSchema>(exchange: Exchange<Q, A>): void {
  const { name, request, response } = exchange
  summary(() => {
    for (const version of exchange.versions) {
      const frame = Buffer.concat(encodeRequest(request, version, 7, 'client-1', exchange.ask(version)))
      const chunks = [frame.subarray(SIZE_BYTES)]
      const reader = new Reader()
      bench(`decode ${name} request v${version}`, () => {
        reader.reset(chunks)
        decodeRequestHeader(reader)
        return decode(request, reader, version)
      })
      const value = exchange.answer(version)
      bench(`encode ${name} response v${version}`, () => encodeResponseParts(response, version, 7, value))
    }
  })
}

function produce(): void {
  exchangeBench({
    name: 'Produce',
    request: ProduceRequest,
    response: ProduceResponse,
    versions: [3, 7, 9, 11, 12, 13],
    ask: (version) => ({
      acks: -1,
      timeoutMs: 30_000,
      topicData: [
        {
          ...(version >= 13 ? { topicId: TOPIC_ID } : { name: TOPIC }),
          partitionData: [{ index: 3, records: [BATCH] }],
        },
      ],
    }),
    answer: (version) => ({
      responses: [
        {
          ...(version >= 13 ? { topicId: TOPIC_ID } : { name: TOPIC }),
          partitionResponses: [
            { index: 3, errorCode: 0, baseOffset: 12_345, ...(version >= 5 ? { logStartOffset: 0 } : {}) },
          ],
        },
      ],
    }),
  })
}

function fetch(): void {
  exchangeBench({
    name: 'Fetch (4 partitions)',
    request: FetchRequest,
    response: FetchResponse,
    versions: [4, 11, 12, 13, 16, 17],
    ask: (version) => ({
      maxWaitMs: 500,
      minBytes: 1,
      topics: [
        {
          ...(version >= 13 ? { topicId: TOPIC_ID } : { topic: TOPIC }),
          partitions: PARTITIONS.map((partition) => ({
            partition,
            fetchOffset: 123_456,
            partitionMaxBytes: 1_048_576,
          })),
        },
      ],
    }),
    answer: (version) => ({
      throttleTimeMs: 0,
      responses: [
        {
          ...(version >= 13 ? { topicId: TOPIC_ID } : { topic: TOPIC }),
          partitions: PARTITIONS.map((partitionIndex) => ({
            partitionIndex,
            errorCode: 0,
            highWatermark: 123_999,
            lastStableOffset: 123_999,
            ...(version >= 5 ? { logStartOffset: 0 } : {}),
            abortedTransactions: null,
            records: [BATCH],
          })),
        },
      ],
    }),
  })
}

function metadata(): void {
  exchangeBench({
    name: 'Metadata (100 partitions)',
    request: MetadataRequest,
    response: MetadataResponse,
    versions: [1, 9, 12],
    ask: () => ({ topics: [{ name: TOPIC }] }),
    answer: (version) => ({
      brokers: [{ nodeId: 1, host: 'localhost', port: 9092 }],
      controllerId: 1,
      topics: [
        {
          errorCode: 0,
          name: TOPIC,
          ...(version >= 10 ? { topicId: TOPIC_ID } : {}),
          partitions: Array.from({ length: 100 }, (_, partitionIndex) => ({
            errorCode: 0,
            partitionIndex,
            leaderId: 1,
            ...(version >= 7 ? { leaderEpoch: 0 } : {}),
            replicaNodes: [1],
            isrNodes: [1],
          })),
        },
      ],
    }),
  })
}

function small(): void {
  exchangeBench({
    name: 'ApiVersions',
    request: ApiVersionsRequest,
    response: ApiVersionsResponse,
    versions: [3, 4],
    ask: () => ({ clientSoftwareName: 'apache-kafka-java', clientSoftwareVersion: '4.3.1' }),
    answer: () => ({
      errorCode: 0,
      apiKeys: Array.from({ length: 50 }, (_, apiKey) => ({ apiKey, minVersion: 0, maxVersion: 9 })),
    }),
  })
  exchangeBench({
    name: 'Heartbeat',
    request: HeartbeatRequest,
    response: HeartbeatResponse,
    versions: [3, 4],
    ask: () => ({ groupId: GROUP, generationId: 12, memberId: MEMBER }),
    answer: () => ({ errorCode: 0 }),
  })
}

function offsets(): void {
  const topicOf = (version: number) => (version >= 10 ? { topicId: TOPIC_ID } : { name: TOPIC })
  exchangeBench({
    name: 'OffsetCommit (4 partitions)',
    request: OffsetCommitRequest,
    response: OffsetCommitResponse,
    versions: [7, 8, 9, 10],
    ask: (version) => ({
      groupId: GROUP,
      generationIdOrMemberEpoch: 12,
      memberId: MEMBER,
      topics: [
        {
          ...topicOf(version),
          partitions: PARTITIONS.map((partitionIndex) => ({
            partitionIndex,
            committedOffset: 123_456,
            committedMetadata: '',
          })),
        },
      ],
    }),
    answer: (version) => ({
      topics: [
        { ...topicOf(version), partitions: PARTITIONS.map((partitionIndex) => ({ partitionIndex, errorCode: 0 })) },
      ],
    }),
  })
  exchangeBench({
    name: 'OffsetFetch (4 partitions)',
    request: OffsetFetchRequest,
    response: OffsetFetchResponse,
    versions: [5, 8, 9],
    ask: (version) => {
      const topics = [{ name: TOPIC, partitionIndexes: PARTITIONS }]
      return version >= 8 ? { groups: [{ groupId: GROUP, topics }] } : { groupId: GROUP, topics }
    },
    answer: (version) => {
      const partitions = PARTITIONS.map((partitionIndex) => ({
        partitionIndex,
        committedOffset: 123_456,
        metadata: '',
        errorCode: 0,
      }))
      const topics = [{ name: TOPIC, partitions }]
      return version >= 8 ? { groups: [{ groupId: GROUP, topics }] } : { topics }
    },
  })
}

export function register(): void {
  produce()
  fetch()
  metadata()
  small()
  offsets()
}
