// Transactions, old protocol and transaction version 2. Most cases are stories: a list of the answers to a row of requests.
import { OffsetCommitRequest, OffsetCommitResponse } from '../../src/protocol/messages/08-offset-commit.ts'
import { FindCoordinatorRequest, FindCoordinatorResponse } from '../../src/protocol/messages/10-find-coordinator.ts'
import { InitProducerIdRequest, InitProducerIdResponse } from '../../src/protocol/messages/22-init-producer-id.ts'
import {
  AddPartitionsToTxnRequest,
  AddPartitionsToTxnResponse,
} from '../../src/protocol/messages/24-add-partitions-to-txn.ts'
import { AddOffsetsToTxnRequest, AddOffsetsToTxnResponse } from '../../src/protocol/messages/25-add-offsets-to-txn.ts'
import { EndTxnRequest, EndTxnResponse } from '../../src/protocol/messages/26-end-txn.ts'
import { WriteTxnMarkersRequest, WriteTxnMarkersResponse } from '../../src/protocol/messages/27-write-txn-markers.ts'
import { TxnOffsetCommitRequest, TxnOffsetCommitResponse } from '../../src/protocol/messages/28-txn-offset-commit.ts'
import {
  DescribeProducersRequest,
  DescribeProducersResponse,
} from '../../src/protocol/messages/61-describe-producers.ts'
import {
  DescribeTransactionsRequest,
  DescribeTransactionsResponse,
} from '../../src/protocol/messages/65-describe-transactions.ts'
import { ListTransactionsRequest, ListTransactionsResponse } from '../../src/protocol/messages/66-list-transactions.ts'
import type { DifferentialBroker } from './broker.ts'
import { accepting, asks, type CaseGroup, type DifferentialCase } from './case.ts'
import { appendText } from './produce-helpers.ts'
import {
  committedOffset,
  latestOffset,
  prepareCoordinators,
  producersOf,
  readBack,
  TransactionalClient,
} from './transaction-helpers.ts'

const findCoordinator = asks(FindCoordinatorRequest, FindCoordinatorResponse)
const initProducerId = asks(InitProducerIdRequest, InitProducerIdResponse)
const addPartitions = asks(AddPartitionsToTxnRequest, AddPartitionsToTxnResponse)
const addOffsets = asks(AddOffsetsToTxnRequest, AddOffsetsToTxnResponse)
const endTxn = asks(EndTxnRequest, EndTxnResponse)
const writeMarkers = asks(WriteTxnMarkersRequest, WriteTxnMarkersResponse)
const commitOffsets = asks(TxnOffsetCommitRequest, TxnOffsetCommitResponse)
const describeProducers = asks(DescribeProducersRequest, DescribeProducersResponse)
const describeTransactions = asks(DescribeTransactionsRequest, DescribeTransactionsResponse)
const listTransactions = asks(ListTransactionsRequest, ListTransactionsResponse)

type Step = (client: TransactionalClient, broker: DifferentialBroker, topic: string) => Promise<unknown>

/** Each story has a topic and a transactional id of its own. */
function story(name: string, ...steps: Step[]): DifferentialCase {
  const id = `txn-${name.replace(/[^a-z0-9]+/gi, '-')}`
  return {
    name,
    ordered: true,
    ask: async (broker) => {
      await broker.createTopic(id, { partitions: 2 })
      const client = new TransactionalClient(broker, id)
      const answers: unknown[] = []
      for (const step of steps) answers.push(await step(client, broker, id))
      return answers
    },
  }
}

const init =
  (version: number, timeoutMs?: number): Step =>
  (client) =>
    client.init(version, timeoutMs === undefined ? {} : { timeoutMs })
/** Names the id and epoch that the producer has, or an epoch beside them. */
const initAgain =
  (version: number, epochDelta = 0, idDelta = 0): Step =>
  (client) =>
    client.init(version, { producerId: client.producerId + idDelta, producerEpoch: client.epoch + epochDelta })
const add =
  (version: number, epochDelta = 0, idDelta = 0): Step =>
  (client, _broker, topic) =>
    client.add(version, topic, [0], {
      producerId: client.producerId + idDelta,
      producerEpoch: client.epoch + epochDelta,
    })
const produce =
  (
    version: number,
    options: { epochDelta?: number; idDelta?: number; sequence?: number; plain?: boolean } = {},
  ): Step =>
  (client, _broker, topic) => {
    const { epochDelta = 0, idDelta = 0, ...rest } = options
    const producer = { producerId: client.producerId + idDelta, producerEpoch: client.epoch + epochDelta }
    return client.produce(version, topic, { ...producer, ...rest })
  }
const end =
  (version: number, committed: boolean, epochDelta = 0, idDelta = 0): Step =>
  (client) =>
    client.end(version, committed, {
      producerId: client.producerId + idDelta,
      producerEpoch: client.epoch + epochDelta,
    })
const describe: Step = (client) => client.describe()
const read =
  (isolationLevel: 0 | 1): Step =>
  (_client, broker, topic) =>
    readBack(broker, topic, isolationLevel)
const latest =
  (isolationLevel: 0 | 1): Step =>
  (_client, broker, topic) =>
    latestOffset(broker, topic, isolationLevel)
const producers: Step = (_client, broker, topic) => producersOf(broker, topic)
const plainRecord: Step = async (_client, broker, topic) => appendText(broker, topic, 0, ['plain'])
const committed =
  (requireStable: boolean): Step =>
  (client, broker, topic) =>
    committedOffset(broker, client.transactionalId, topic, requireStable)
const addGroup =
  (version: number): Step =>
  (client) =>
    client.addOffsets(version, client.transactionalId)
const commitOffset =
  (version: number, offset: number, options: Parameters<TransactionalClient['commitOffsets']>[4] = {}): Step =>
  (client, _broker, topic) =>
    client.commitOffsets(version, client.transactionalId, topic, offset, options)
const plainCommit =
  (offset: number): Step =>
  async (client, broker, topic) => {
    const connection = await broker.connection('reads')
    const partitions = [{ partitionIndex: 0, committedOffset: offset, committedLeaderEpoch: -1, committedMetadata: '' }]
    const identity = { groupId: client.transactionalId, generationIdOrMemberEpoch: -1, memberId: '' }
    const value = { ...identity, topics: [{ name: topic, partitions }] }
    const answer = await connection.send(OffsetCommitRequest, OffsetCommitResponse, value, { version: 8 })
    return answer.topics[0]?.partitions
  }

const STORIES: CaseGroup = {
  api: 'Transactions',
  prepare: prepareCoordinators,
  cases: [
    story('init in every version', init(0), init(1), init(2), init(3), init(4), init(5), describe),
    story(
      'old protocol: commit',
      init(4),
      add(3),
      produce(9),
      read(1),
      latest(0),
      latest(1),
      producers,
      describe,
      end(3, true),
      describe,
      read(1),
      latest(1),
      producers,
    ),
    story(
      'old protocol: abort',
      init(4),
      add(0),
      produce(9),
      produce(9),
      end(1, false),
      describe,
      read(1),
      read(0),
      producers,
    ),
    story(
      'old protocol: two transactions',
      init(4),
      add(3),
      produce(9),
      end(3, true),
      add(3),
      produce(9),
      end(4, false),
      describe,
      read(1),
    ),
    story(
      'old protocol: retried ends',
      init(4),
      add(3),
      end(3, true),
      end(3, true),
      end(3, false),
      add(3),
      end(3, false),
      end(3, false),
      end(3, true),
    ),
    story('old protocol: ends without a transaction', init(4), end(3, true), end(3, false), end(0, true)),
    story(
      'old protocol: wrong epochs and ids',
      init(4),
      add(3, 1),
      add(1, -1),
      add(0, 0, 1000),
      end(3, true, 1),
      end(1, true, 1),
      end(2, true, 0, 1000),
    ),
    story(
      'v2: commit',
      init(5),
      produce(12),
      read(1),
      latest(1),
      producers,
      describe,
      end(5, true),
      describe,
      read(1),
      producers,
    ),
    story('v2: abort', init(5), produce(12), end(5, false), describe, read(1), producers),
    story(
      'v2: two transactions and a plain record',
      init(5),
      produce(12),
      plainRecord,
      read(1),
      end(5, true),
      produce(12),
      end(5, false),
      describe,
      plainRecord,
      read(1),
      read(0),
      describe,
    ),
    story(
      'v2: an empty transaction',
      init(5),
      end(5, true),
      end(5, false),
      describe,
      end(5, false),
      end(5, true),
      describe,
    ),
    story(
      'v2: retried ends',
      init(5),
      produce(12),
      end(5, true),
      end(5, true, -1),
      end(5, false, -1),
      end(5, true),
      end(5, false),
      end(5, false, -1),
      end(5, true, -1),
      describe,
    ),
    story(
      'v2: wrong epochs and ids',
      init(5),
      produce(12, { epochDelta: 1 }),
      produce(12, { idDelta: 1000 }),
      produce(12),
      end(5, true, 1),
      end(5, true, 0, 1000),
      end(5, true, -1),
      describe,
    ),
    story(
      'v2: must begin at sequence 0',
      init(5),
      produce(12, { sequence: 5 }),
      produce(12, { sequence: 0 }),
      end(5, true),
    ),
    story(
      'v2: v5 end of an old transaction',
      init(4),
      add(3),
      produce(9),
      end(5, true),
      describe,
      produce(12),
      end(4, true),
      describe,
      read(1),
    ),
    story('not added: produce 9', init(4), produce(9), describe),
    story('not added: produce 10', init(4), produce(10), describe),
    story('not added: produce 11', init(4), produce(11), describe),
    story(
      'old epoch: produce 9',
      init(4),
      add(3),
      produce(9, { epochDelta: -1 }),
      produce(9, { epochDelta: 1 }),
      produce(9),
      produce(9, { epochDelta: -1, sequence: 1 }),
    ),
    story(
      'a plain batch in an open transaction',
      init(4),
      add(3),
      produce(9),
      produce(9, { plain: true }),
      end(3, false),
      describe,
      read(1),
    ),
    story(
      'after the end a late batch of the old protocol',
      init(4),
      add(3),
      produce(9),
      end(3, true),
      describe,
      produce(9),
      describe,
    ),
    story(
      'after the end a late batch of v2',
      init(5),
      produce(12),
      end(5, true),
      describe,
      produce(12, { epochDelta: -1, sequence: 1 }),
      describe,
      read(1),
    ),
    story(
      'KIP-360: the current epoch',
      init(4),
      initAgain(4),
      initAgain(4, -1),
      initAgain(4, -1),
      initAgain(4),
      describe,
    ),
    story(
      'KIP-360: other epochs',
      init(4),
      init(4),
      initAgain(4, -1),
      initAgain(3, -1),
      initAgain(4, 1),
      initAgain(4, 0, 1000),
    ),
    story('KIP-360: an unknown id', (client) => client.init(4, { producerId: 4711, producerEpoch: 7 }), describe),
    story(
      'a second producer fences the first, in an open transaction',
      init(4),
      add(3),
      produce(9),
      (client) => client.initOnce(4),
      describe,
      init(4),
      describe,
      add(3, -1),
      end(3, true, -2),
      produce(9, { epochDelta: -2, sequence: 1 }),
      read(1),
    ),
    story(
      'a second producer fences the first, v2',
      init(5),
      produce(12),
      (client) => client.initOnce(5),
      init(5),
      end(5, true, -2),
      produce(12, { epochDelta: -2, sequence: 1 }),
      describe,
      read(1),
    ),
    story('timeouts', init(4, 0), init(4, -1), init(4, 900_001), init(4, 900_000), describe),
    story(
      'verify only',
      init(4),
      (client, _broker, topic) => client.verify(4, topic, [0]),
      add(3),
      (client, _broker, topic) => client.verify(4, topic, [0, 1]),
      (client, _broker, topic) => client.verify(5, topic, [0, 1]),
      (client, _broker, topic) => client.verify(5, topic, [0], { producerEpoch: 9 }),
    ),
    story('batched adding', init(4), add(4), add(5), describe, end(3, true)),
    story(
      'offsets: old protocol, commit',
      init(4),
      commitOffset(3, 1),
      addGroup(3),
      commitOffset(3, 5),
      committed(true),
      committed(false),
      end(3, true),
      describe,
      committed(true),
    ),
    story(
      'offsets: old protocol, abort',
      init(4),
      plainCommit(3),
      addGroup(0),
      commitOffset(0, 5),
      committed(false),
      committed(true),
      end(3, false),
      describe,
      committed(true),
    ),
    story('offsets: not added, v4', init(4), commitOffset(4, 1), committed(false)),
    story(
      'offsets: v2',
      init(5),
      commitOffset(5, 7),
      committed(true),
      describe,
      end(5, true),
      describe,
      committed(true),
      commitOffset(5, 8),
      end(5, false),
      describe,
      committed(true),
    ),
    story(
      'offsets: a later plain commit wins',
      init(5),
      commitOffset(5, 7),
      plainCommit(9),
      committed(true),
      committed(false),
      end(5, true),
      describe,
      committed(true),
    ),
    story(
      'offsets: wrong producers',
      init(5),
      commitOffset(5, 7, { producerEpoch: 5 }),
      commitOffset(5, 7, { producerId: 4711 }),
      commitOffset(3, 7, { producerEpoch: 5 }),
      commitOffset(2, 7, { producerId: 4711 }),
    ),
    story(
      'offsets: a member that does not exist',
      init(5),
      commitOffset(5, 7, { generationId: 1, memberId: 'nobody' }),
      commitOffset(5, 7, { generationId: 1 }),
      plainCommit(1),
      commitOffset(5, 7, { generationId: 1, memberId: 'nobody' }),
      commitOffset(5, 7, { memberId: 'nobody' }),
    ),
    story(
      'offsets: rows that fail alone',
      init(5),
      commitOffset(5, 7, { partitions: [0, 9] }),
      commitOffset(5, 7, { metadata: 'x'.repeat(5000) }),
      end(5, true),
      describe,
      committed(true),
    ),
  ],
}

const ANY_TRANSACTION = { transactionalId: 'nobody', producerId: 4711, producerEpoch: 0 }

const REFUSALS: CaseGroup = {
  api: 'Transactions refused',
  prepare: async (broker) => {
    await prepareCoordinators(broker)
    await broker.createTopic('txn-refused', { partitions: 2 })
  },
  cases: [
    findCoordinator('of a transactional id', 1, { key: 'some', keyType: 1 }),
    findCoordinator('of transactional ids', 6, { keyType: 1, coordinatorKeys: ['some', ''] }),
    initProducerId('an empty transactional id', 4, { transactionalId: '', transactionTimeoutMs: 60_000 }),
    ...[0, 1, 2, 3].map((version) =>
      addPartitions('adding: an unknown transactional id', version, {
        v3AndBelowTransactionalId: 'nobody',
        v3AndBelowProducerId: 4711,
        v3AndBelowTopics: [{ name: 'txn-refused', partitions: [0] }],
      }),
    ),
    addPartitions('adding: an empty transactional id', 3, {
      v3AndBelowTopics: [{ name: 'txn-refused', partitions: [0] }],
    }),
    addPartitions('adding: unknown partitions beside known ones', 3, {
      v3AndBelowTransactionalId: 'nobody',
      v3AndBelowTopics: [
        { name: 'txn-refused', partitions: [0, 9] },
        { name: 'txn-missing', partitions: [0] },
      ],
    }),
    addPartitions('adding: unknown partitions beside known ones', 5, {
      transactions: [
        { ...ANY_TRANSACTION, topics: [{ name: 'txn-refused', partitions: [0, 9] }] },
        {
          ...ANY_TRANSACTION,
          transactionalId: 'other',
          verifyOnly: true,
          topics: [{ name: 'txn-refused', partitions: [1] }],
        },
      ],
    }),
    accepting(
      addPartitions('adding: no transactions', 4, { transactions: [] }, { timeoutMs: 3_000, connection: 'unanswered' }),
      'Kafka never answers',
      { throttleTimeMs: 0, errorCode: 0, resultsByTransaction: [], resultsByTopicV3AndBelow: [] },
    ),
    ...[0, 1, 2, 3, 4].map((version) =>
      addOffsets('adding offsets: an unknown transactional id', version, { ...ANY_TRANSACTION, groupId: 'group' }),
    ),
    addOffsets('adding offsets: an empty transactional id', 3, {
      ...ANY_TRANSACTION,
      transactionalId: '',
      groupId: 'group',
    }),
    ...[0, 1, 2, 3, 4, 5].map((version) =>
      endTxn('ending: an unknown transactional id', version, { ...ANY_TRANSACTION, committed: true }),
    ),
    endTxn('ending: an empty transactional id', 3, { ...ANY_TRANSACTION, transactionalId: '', committed: true }),
    ...[0, 1, 2, 3, 4, 5].map((version) =>
      commitOffsets('committing offsets: an unknown transactional id', version, {
        ...ANY_TRANSACTION,
        groupId: 'group',
        topics: [
          { name: 'txn-refused', partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: '' }] },
        ],
      }),
    ),
    commitOffsets('committing offsets: an empty group', 3, {
      ...ANY_TRANSACTION,
      groupId: '',
      topics: [{ name: 'txn-refused', partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: '' }] }],
    }),
    commitOffsets('committing offsets: only unknown topics', 3, {
      ...ANY_TRANSACTION,
      groupId: 'group',
      topics: [{ name: 'txn-missing', partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: '' }] }],
    }),
    writeMarkers('no markers', 1, { markers: [] }),
    ...[1, 2].map((version) =>
      writeMarkers('known and unknown partitions', version, {
        markers: [
          {
            ...ANY_TRANSACTION,
            transactionResult: false,
            coordinatorEpoch: 0,
            topics: [
              { name: 'txn-refused', partitionIndexes: [0, 9] },
              { name: 'txn-missing', partitionIndexes: [0] },
            ],
          },
        ],
      }),
    ),
    writeMarkers('an older coordinator', 1, {
      markers: [
        {
          ...ANY_TRANSACTION,
          transactionResult: true,
          coordinatorEpoch: -1,
          topics: [{ name: 'txn-refused', partitionIndexes: [0] }],
        },
      ],
    }),
    describeProducers('a known and an unknown partition', 0, {
      topics: [
        { name: 'txn-refused', partitionIndexes: [1, 9] },
        { name: 'txn-missing', partitionIndexes: [0] },
      ],
    }),
    describeTransactions('unknown and empty', 0, { transactionalIds: ['nobody', ''] }),
    describeTransactions('none', 0, { transactionalIds: [] }),
    ...[0, 1, 2].map((version) =>
      listTransactions('by states, known and unknown', version, {
        stateFilters: ['Ongoing', 'PrepareCommit', 'nonsense', 'ongoing'],
        producerIdFilters: [],
      }),
    ),
    listTransactions('only unknown states', 0, { stateFilters: ['nonsense'], producerIdFilters: [] }),
    listTransactions('an unknown producer', 0, { stateFilters: [], producerIdFilters: [999_999] }),
    listTransactions('by duration', 1, {
      stateFilters: ['Ongoing', 'Empty'],
      producerIdFilters: [],
      durationFilter: 1_000_000,
    }),
    listTransactions('by pattern', 2, {
      stateFilters: [],
      producerIdFilters: [],
      transactionalIdPattern: 'txn-v2-(commit|abort)',
    }),
    listTransactions('by a part of an id', 2, {
      stateFilters: [],
      producerIdFilters: [],
      transactionalIdPattern: 'txn-v2',
    }),
    listTransactions('by an impossible pattern', 2, {
      stateFilters: [],
      producerIdFilters: [],
      transactionalIdPattern: '(',
    }),
    listTransactions('by an empty pattern', 2, {
      stateFilters: ['Dead'],
      producerIdFilters: [],
      transactionalIdPattern: '',
    }),
  ],
}

export const TRANSACTION_CASES: CaseGroup[] = [STORIES, REFUSALS]
