// Metadata, DescribeCluster, DescribeTopicPartitions and DescribeLogDirs.
import { MetadataRequest, MetadataResponse } from '../../src/protocol/messages/03-metadata.ts'
import { DescribeLogDirsRequest, DescribeLogDirsResponse } from '../../src/protocol/messages/35-describe-log-dirs.ts'
import { DescribeClusterRequest, DescribeClusterResponse } from '../../src/protocol/messages/60-describe-cluster.ts'
import {
  DescribeTopicPartitionsRequest,
  DescribeTopicPartitionsResponse,
} from '../../src/protocol/messages/75-describe-topic-partitions.ts'
import type { DifferentialBroker } from './broker.ts'
import { accepting, asks, type CaseGroup } from './case.ts'
import { appendText } from './produce-helpers.ts'

const metadata = asks(MetadataRequest, MetadataResponse)
const cluster = asks(DescribeClusterRequest, DescribeClusterResponse)
const topicPartitions = asks(DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse)
const logDirs = asks(DescribeLogDirsRequest, DescribeLogDirsResponse)

const UNKNOWN_ID = 'MTIzNDU2Nzg5MDEyMzQ1Ng'
const known = { name: 'meta-known' }
const named = (...names: string[]): { name: string }[] => names.map((name) => ({ name }))

/** Waits for a topic that the request before created automatically. */
async function appeared(broker: DifferentialBroker, name: string): Promise<void> {
  const connection = await broker.connection('setup')
  await broker.until(`${name} appears`, async () => {
    const value = { topics: named(name), allowAutoTopicCreation: false }
    const answer = await connection.send(MetadataRequest, MetadataResponse, value, { version: 12 })
    return answer.topics[0]?.errorCode === 0 && answer.topics[0].partitions.every(({ leaderId }) => leaderId >= 0)
  })
}

const METADATA: CaseGroup = {
  api: 'Metadata',
  prepare: async (broker) => {
    await broker.createTopic('meta-known', { partitions: 3 })
    await broker.createTopic('meta-other')
  },
  cases: [
    ...[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13].map((version) =>
      metadata('a known topic', version, {
        topics: [known],
        ...(version < 4 ? {} : { allowAutoTopicCreation: false }),
      }),
    ),
    metadata(
      'all topics, by an empty list',
      0,
      { topics: [] },
      { only: ({ topics }) => topics.filter(({ name }) => name?.startsWith('meta-')) },
    ),
    metadata(
      'all topics, by null',
      12,
      { topics: null },
      { only: ({ topics }) => topics.filter(({ name }) => name?.startsWith('meta-')) },
    ),
    metadata('no topics, by an empty list', 5, { topics: [] }),
    metadata('an unknown topic without creation', 12, { topics: named('meta-unknown'), allowAutoTopicCreation: false }),
    metadata('an unknown topic of an old version', 5, { topics: named('meta-unknown'), allowAutoTopicCreation: false }),
    metadata('invalid names', 12, {
      topics: named('no spaces', '..', 'x'.repeat(250), 'sl/ash'),
      allowAutoTopicCreation: false,
    }),
    metadata('invalid names with creation', 9, { topics: named('no spaces', '.') }),
    metadata('an empty name', 12, { topics: named(''), allowAutoTopicCreation: false }),
    metadata('a known and an unknown topic', 8, {
      topics: [known, { name: 'meta-unknown' }],
      allowAutoTopicCreation: false,
    }),
    metadata('the same topic twice', 12, { topics: [known, known], allowAutoTopicCreation: false }),
    metadata('by topic id', 12, (broker) => ({ topics: [{ topicId: broker.topicId('meta-known'), name: null }] })),
    metadata('by unknown topic id', 12, { topics: [{ topicId: UNKNOWN_ID, name: null }] }),
    metadata('by topic id where only names are allowed', 11, (broker) => ({
      topics: [{ topicId: broker.topicId('meta-known'), name: null }],
    })),
    metadata('ids and names together: only ids count', 12, (broker) => ({
      topics: [{ topicId: broker.topicId('meta-known'), name: null }, { name: 'meta-other' }],
    })),
    metadata('a null name where there are no nulls yet', 10, {
      topics: [{ name: null }],
      allowAutoTopicCreation: false,
    }),
    accepting(
      metadata(
        'neither name nor id',
        12,
        { topics: [{ name: null }], allowAutoTopicCreation: false },
        {
          only: ({ topics }) => topics.map(({ errorCode }) => errorCode),
        },
      ),
      'Kafka answers an unknown server error',
      [42],
    ),
    metadata('topic operations', 9, {
      topics: [known],
      allowAutoTopicCreation: false,
      includeTopicAuthorizedOperations: true,
    }),
    metadata('cluster operations', 10, { topics: [], includeClusterAuthorizedOperations: true }),
    metadata('an internal topic that does not exist yet, without creation', 12, {
      topics: named('__transaction_state'),
      allowAutoTopicCreation: false,
    }),
    metadata('the first answer to an automatic creation', 12, {
      topics: named('meta-created'),
      allowAutoTopicCreation: true,
    }),
    {
      name: 'a topic created automatically has the default number of partitions',
      ask: async (broker) => {
        await appeared(broker, 'meta-created')
        const connection = await broker.connection('asks')
        const value = { topics: named('meta-created'), allowAutoTopicCreation: false }
        return (await connection.send(MetadataRequest, MetadataResponse, value, { version: 12 })).topics
      },
    },
    metadata('old versions always create', 1, { topics: named('meta-created-by-old') }),
    {
      name: 'and the topic appears',
      ask: async (broker) => {
        await appeared(broker, 'meta-created-by-old')
        return true
      },
    },
  ],
}

const CLUSTER: CaseGroup = {
  api: 'DescribeCluster',
  cases: [
    ...[0, 1, 2].map((version) =>
      cluster('brokers', version, { includeClusterAuthorizedOperations: false, includeFencedBrokers: false }),
    ),
    cluster('with operations', 1, { includeClusterAuthorizedOperations: true, includeFencedBrokers: false }),
    cluster('with fenced brokers', 2, { includeClusterAuthorizedOperations: false, includeFencedBrokers: true }),
    cluster('controllers from a broker', 1, {
      includeClusterAuthorizedOperations: false,
      endpointType: 2,
      includeFencedBrokers: false,
    }),
    cluster('an unknown endpoint type', 2, {
      includeClusterAuthorizedOperations: false,
      endpointType: 9,
      includeFencedBrokers: false,
    }),
  ],
}

const TOPIC_PARTITIONS: CaseGroup = {
  api: 'DescribeTopicPartitions',
  prepare: async (broker) => {
    await broker.createTopic('parts-b', { partitions: 3 })
    await broker.createTopic('parts-a', { partitions: 2 })
  },
  cases: [
    topicPartitions('sorted by name', 0, { topics: named('parts-b', 'parts-a') }, { ordered: true }),
    topicPartitions(
      'an unknown topic and an invalid name',
      0,
      { topics: named('parts-a', 'parts-none', 'no spaces') },
      { ordered: true },
    ),
    topicPartitions(
      'a limit ends within a topic',
      0,
      { topics: named('parts-a', 'parts-b'), responsePartitionLimit: 3 },
      { ordered: true },
    ),
    topicPartitions(
      'a limit ends between topics',
      0,
      { topics: named('parts-a', 'parts-b'), responsePartitionLimit: 2 },
      { ordered: true },
    ),
    topicPartitions(
      'a limit of 0 counts as 1',
      0,
      { topics: named('parts-a', 'parts-b'), responsePartitionLimit: 0 },
      { ordered: true },
    ),
    topicPartitions(
      'from a cursor',
      0,
      { topics: named('parts-a', 'parts-b'), cursor: { topicName: 'parts-a', partitionIndex: 1 } },
      { ordered: true },
    ),
    topicPartitions(
      'from a cursor in the second topic',
      0,
      { topics: named('parts-a', 'parts-b'), cursor: { topicName: 'parts-b', partitionIndex: 2 } },
      { ordered: true },
    ),
    topicPartitions(
      'a cursor past the last partition',
      0,
      { topics: named('parts-a', 'parts-b'), cursor: { topicName: 'parts-a', partitionIndex: 7 } },
      { ordered: true },
    ),
    topicPartitions(
      'a cursor on a topic that was not asked for',
      0,
      { topics: named('parts-b'), cursor: { topicName: 'parts-a', partitionIndex: 0 } },
      { ordered: true },
    ),
    topicPartitions(
      'a cursor with a negative partition',
      0,
      { topics: named('parts-a'), cursor: { topicName: 'parts-a', partitionIndex: -1 } },
      { ordered: true },
    ),
    topicPartitions(
      'a cursor that cannot be used, and several topics',
      0,
      { topics: named('parts-b', 'parts-none', 'parts-a'), cursor: { topicName: 'parts-c', partitionIndex: 0 } },
      { ordered: true },
    ),
    topicPartitions(
      'all topics from a negative partition',
      0,
      { topics: [], cursor: { topicName: 'parts-a', partitionIndex: -1 } },
      { ordered: true },
    ),
    topicPartitions(
      'all topics from a cursor',
      0,
      { topics: [], responsePartitionLimit: 5, cursor: { topicName: 'parts-a', partitionIndex: 0 } },
      { ordered: true },
    ),
  ],
}

const LOG_DIRS: CaseGroup = {
  api: 'DescribeLogDirs',
  prepare: async (broker) => {
    await broker.createTopic('dirs', { partitions: 2 })
    await appendText(broker, 'dirs', 0, ['some', 'records'])
  },
  cases: [
    ...[1, 2, 3, 4, 5].map((version) =>
      logDirs('partitions by name', version, { topics: [{ topic: 'dirs', partitions: [0, 1] }] }),
    ),
    logDirs('unknown partitions are missing', 4, {
      topics: [
        { topic: 'dirs', partitions: [1, 9] },
        { topic: 'no-dirs', partitions: [0] },
      ],
    }),
    logDirs('no topics', 4, { topics: [] }),
    logDirs(
      'all topics',
      4,
      { topics: null },
      {
        only: ({ results }) =>
          results.map(({ topics, ...rest }) => ({ ...rest, topics: topics.filter(({ name }) => name === 'dirs') })),
      },
    ),
  ],
}

export const CLUSTER_CASES: CaseGroup[] = [METADATA, CLUSTER, TOPIC_PARTITIONS, LOG_DIRS]
