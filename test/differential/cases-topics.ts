// CreateTopics, DeleteTopics and CreatePartitions.
import { MetadataRequest, MetadataResponse } from '../../src/protocol/messages/03-metadata.ts'
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/19-create-topics.ts'
import { DeleteTopicsRequest, DeleteTopicsResponse } from '../../src/protocol/messages/20-delete-topics.ts'
import { CreatePartitionsRequest, CreatePartitionsResponse } from '../../src/protocol/messages/37-create-partitions.ts'
import { type Input, ZERO_UUID } from '../../src/protocol/schema.ts'
import { type AskOptions, accepting, asks, type CaseGroup, type DifferentialCase } from './case.ts'

const create = asks(CreateTopicsRequest, CreateTopicsResponse)
const remove = asks(DeleteTopicsRequest, DeleteTopicsResponse)
const grow = asks(CreatePartitionsRequest, CreatePartitionsResponse)

const UNKNOWN_ID = 'MTIzNDU2Nzg5MDEyMzQ1Ng'

type NewTopic = Input<typeof CreateTopicsRequest>['topics'][number]

function topic(name: string, more: Partial<NewTopic> = {}): NewTopic {
  return { name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [], ...more }
}

function configs(entries: Record<string, string | null>): { configs: { name: string; value: string | null }[] } {
  return { configs: Object.entries(entries).map(([name, value]) => ({ name, value })) }
}

function assigned(...replicas: number[][]): Partial<NewTopic> {
  const assignments = replicas.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds }))
  return { numPartitions: -1, replicationFactor: -1, assignments }
}

interface CreateOptions extends AskOptions<typeof CreateTopicsResponse> {
  version?: number
  validateOnly?: boolean
}

/** The ids of created topics become known to the cases that follow. */
function creates(
  name: string,
  topics: NewTopic[],
  { version = 7, validateOnly = false, ...options }: CreateOptions = {},
): DifferentialCase {
  return create(
    name,
    version,
    { topics, timeoutMs: 10_000, validateOnly },
    {
      keep: (broker, answer) => {
        if (validateOnly) return
        for (const { name: created, topicId, errorCode } of answer.topics) {
          if (errorCode !== 0 || topicId === ZERO_UUID) continue
          broker.remember(`topic id of ${created}`, topicId)
          broker.label(topicId, `<id of ${created}>`)
        }
      },
      ...options,
    },
  )
}

/** What Metadata shows, once the broker that is asked has caught up; the error tells whether the topic is there. */
function shows(errorCode: number, ...names: string[]): DifferentialCase {
  const value = { topics: names.map((name) => ({ name })), allowAutoTopicCreation: false }
  return {
    name: `afterwards Metadata shows ${names.join(' and ')}`,
    ask: async (broker) => {
      const connection = await broker.connection('asks')
      const ask = () => connection.send(MetadataRequest, MetadataResponse, value, { version: 12 })
      await broker.until(`${names} have error ${errorCode}`, async () =>
        (await ask()).topics.every(
          (row) => row.errorCode === errorCode && row.partitions.every(({ leaderId }) => leaderId >= 0),
        ),
      )
      return (await ask()).topics
    },
  }
}

const CREATE: CaseGroup = {
  api: 'CreateTopics',
  cases: [
    ...[2, 3, 4, 5, 6, 7].map((version) => creates('a topic', [topic(`create-v${version}`)], { version })),
    creates('with partitions and configs', [
      topic('create-configured', {
        numPartitions: 3,
        ...configs({ 'retention.ms': '1000', 'cleanup.policy': 'compact,delete' }),
      }),
    ]),
    shows(0, 'create-configured'),
    creates('the default counts', [topic('create-defaults', { numPartitions: -1, replicationFactor: -1 })]),
    creates(
      'the default counts in an old version',
      [topic('create-defaults-old', { numPartitions: -1, replicationFactor: -1 })],
      { version: 3 },
    ),
    creates('only to validate', [topic('create-validated', { numPartitions: 2 })], { validateOnly: true }),
    shows(3, 'create-validated'),
    creates('only to validate, with an error', [topic('create-validated', { numPartitions: 0 })], {
      validateOnly: true,
    }),
    creates('an existing topic', [topic('create-v7')]),
    creates('the same name twice, and another', [topic('create-twice'), topic('create-once'), topic('create-twice')]),
    shows(3, 'create-twice'),
    shows(0, 'create-once'),
    creates('no topics', []),
    creates('invalid names', [
      topic(''),
      topic('.'),
      topic('..'),
      topic('with space'),
      topic('x'.repeat(250)),
      topic('umläut'),
    ]),
    creates('the longest name', [topic('n'.repeat(249))]),
    creates('a name that collides', [topic('create.v7')]),
    accepting(
      creates('names that collide with each other', [topic('create_dots.a'), topic('create.dots_a')], {
        only: ({ topics }) => topics.map(({ errorCode }) => errorCode).sort(),
      }),
      'Kafka overlooks a collision within one request',
      [0, 17],
    ),
    creates('the metadata topic', [topic('__cluster_metadata')]),
    creates('no partitions', [topic('create-none', { numPartitions: 0 })]),
    creates('-2 partitions', [topic('create-none', { numPartitions: -2 })]),
    creates('too many partitions', [topic('create-none', { numPartitions: 10_001 })]),
    creates('replication factor 0', [topic('create-none', { replicationFactor: 0 })]),
    creates('replication factor -2', [topic('create-none', { replicationFactor: -2 })]),
    creates('more replicas than brokers', [topic('create-none', { replicationFactor: 3 })]),
    creates('an assignment', [topic('create-assigned', assigned([1], [1]))]),
    shows(0, 'create-assigned'),
    creates('an assignment beside partitions', [topic('create-none', { ...assigned([1]), numPartitions: 1 })]),
    creates('an assignment beside a factor', [topic('create-none', { ...assigned([1]), replicationFactor: 1 })]),
    creates('an assignment to an unknown broker', [topic('create-none', assigned([1], [7]))]),
    creates('an assignment to the same broker twice', [topic('create-none', assigned([1, 1]))]),
    creates('an assignment to nobody', [topic('create-none', assigned([]))]),
    creates('an assignment with a gap', [
      topic('create-none', { ...assigned([1]), assignments: [{ partitionIndex: 1, brokerIds: [1] }] }),
    ]),
    creates('an assignment with a partition twice', [
      topic('create-none', {
        ...assigned([1]),
        assignments: [
          { partitionIndex: 0, brokerIds: [1] },
          { partitionIndex: 0, brokerIds: [1] },
        ],
      }),
    ]),
    creates('an unknown config', [topic('create-none', configs({ 'no.such.config': '1' }))]),
    creates('a config that is no number', [topic('create-none', configs({ 'retention.ms': 'soon' }))]),
    creates('a config out of range', [topic('create-none', configs({ 'segment.bytes': '1000' }))]),
    creates('a config that is none of the choices', [topic('create-none', configs({ 'cleanup.policy': 'keep' }))]),
    creates('a null config', [topic('create-none', configs({ 'retention.ms': null }))]),
    creates('configs that contradict each other', [
      topic('create-none', configs({ 'min.compaction.lag.ms': '100', 'max.compaction.lag.ms': '10' })),
    ]),
    creates('a good and a bad topic', [topic('create-good'), topic('create-none', { numPartitions: 0 })]),
    creates('an internal name', [topic('__create_internal')]),
  ],
}

function deletes(name: string, topics: { name?: string | null; topicId?: string }[]): DifferentialCase {
  return remove(`by name: ${name}`, 6, {
    topics: topics.map((each) => ({ name: each.name ?? null, topicId: each.topicId ?? ZERO_UUID })),
    timeoutMs: 10_000,
  })
}

const DELETE: CaseGroup = {
  api: 'DeleteTopics',
  prepare: async (broker) => {
    for (const version of [1, 2, 3, 4, 5, 6]) await broker.createTopic(`delete-v${version}`)
    for (const name of ['delete-by-id', 'delete-twice', 'delete-both', 'delete-again']) await broker.createTopic(name)
  },
  cases: [
    ...[1, 2, 3, 4, 5].map((version) =>
      remove('a known and an unknown topic', version, {
        topicNames: [`delete-v${version}`, 'delete-none'],
        timeoutMs: 10_000,
      }),
    ),
    deletes('a known and an unknown topic', [{ name: 'delete-v6' }, { name: 'delete-none' }]),
    shows(3, 'delete-v1', 'delete-v6'),
    remove('by id', 6, (broker) => ({ topics: [{ topicId: broker.topicId('delete-by-id') }], timeoutMs: 10_000 })),
    remove('by an unknown id', 6, { topics: [{ topicId: UNKNOWN_ID }], timeoutMs: 10_000 }),
    deletes('neither name nor id', [{}]),
    remove('both name and id', 6, (broker) => ({
      topics: [{ name: 'delete-both', topicId: broker.topicId('delete-both') }],
      timeoutMs: 10_000,
    })),
    deletes('the same name twice', [{ name: 'delete-twice' }, { name: 'delete-twice' }]),
    remove('the same name twice in an old version', 5, {
      topicNames: ['delete-both', 'delete-both'],
      timeoutMs: 10_000,
    }),
    deletes('no topics', []),
    deletes('an invalid name', [{ name: 'no spaces' }]),
    deletes('a topic, to make it again', [{ name: 'delete-again' }]),
    {
      name: 'the same name again gets a new id',
      ask: async (broker) => {
        const before = broker.topicId('delete-again')
        await broker.createTopic('delete-again', { partitions: 2 })
        return broker.topicId('delete-again') !== before
      },
    },
    shows(0, 'delete-again'),
  ],
}

type Growth = Input<typeof CreatePartitionsRequest>['topics'][number]

function grows(
  name: string,
  topics: Growth[],
  more: { version?: number; validateOnly?: boolean } = {},
): DifferentialCase {
  return grow(name, more.version ?? 3, { topics, timeoutMs: 10_000, validateOnly: more.validateOnly ?? false })
}

function to(name: string, count: number, assignments: number[][] | null = null): Growth {
  return { name, count, assignments: assignments === null ? null : assignments.map((brokerIds) => ({ brokerIds })) }
}

const GROW: CaseGroup = {
  api: 'CreatePartitions',
  prepare: async (broker) => {
    await broker.createTopic('grow', { partitions: 1 })
    await broker.createTopic('grow-other', { partitions: 2 })
  },
  cases: [
    ...[0, 1, 2, 3].map((version) => grows(`to ${version + 2}`, [to('grow', version + 2)], { version })),
    {
      name: 'afterwards all partitions have leaders',
      ask: async (broker) => {
        const connection = await broker.connection('asks')
        const value = { topics: [{ name: 'grow' }], allowAutoTopicCreation: false }
        const ask = () => connection.send(MetadataRequest, MetadataResponse, value, { version: 12 })
        await broker.until('grow has 5 partitions', async () => {
          const rows = (await ask()).topics[0]?.partitions ?? []
          return rows.length === 5 && rows.every(({ leaderId }) => leaderId >= 0)
        })
        return (await ask()).topics
      },
    },
    grows('to the same count', [to('grow', 5)]),
    grows('to fewer', [to('grow', 2)]),
    grows('to 0', [to('grow', 0)]),
    grows('to -1', [to('grow', -1)]),
    accepting(
      grows('to too many', [to('grow', 100_000)], { validateOnly: true }),
      'Kafka answers an unknown server error',
      { throttleTimeMs: 0, results: [{ name: 'grow', errorCode: 37, errorMessage: '<text>' }] },
    ),
    grows('an unknown topic', [to('grow-none', 3)]),
    grows('an invalid name', [to('no spaces', 3)]),
    grows('the same topic twice', [to('grow', 6), to('grow', 7)]),
    grows('a good and a bad topic', [to('grow-other', 3), to('grow-none', 3)]),
    grows('only to validate', [to('grow-other', 9)], { validateOnly: true }),
    grows('with an assignment', [to('grow-other', 4, [[1]])]),
    grows('with too few assignments', [to('grow-other', 6, [[1]])]),
    grows('with too many assignments', [to('grow-other', 5, [[1], [1]])]),
    grows('with an empty assignment', [to('grow-other', 5, [])]),
    grows('with an unknown broker', [to('grow-other', 5, [[9]])]),
    grows('with the same broker twice', [to('grow-other', 5, [[1, 1]])]),
    grows('with nobody', [to('grow-other', 5, [[]])]),
    grows('no topics', []),
  ],
}

export const TOPIC_CASES: CaseGroup[] = [CREATE, DELETE, GROW]
