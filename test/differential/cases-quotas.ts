// Client quotas: DescribeClientQuotas, AlterClientQuotas, and what an exceeded quota does to the answers.
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/00-produce.ts'
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/19-create-topics.ts'
import { DeleteTopicsRequest, DeleteTopicsResponse } from '../../src/protocol/messages/20-delete-topics.ts'
import { CreatePartitionsRequest, CreatePartitionsResponse } from '../../src/protocol/messages/37-create-partitions.ts'
import {
  DescribeClientQuotasRequest,
  DescribeClientQuotasResponse,
} from '../../src/protocol/messages/48-describe-client-quotas.ts'
import {
  AlterClientQuotasRequest,
  AlterClientQuotasResponse,
} from '../../src/protocol/messages/49-alter-client-quotas.ts'
import { ZERO_UUID } from '../../src/protocol/schema.ts'
import { buildBatch } from '../../src/records/batch.ts'
import type { DifferentialBroker } from './broker.ts'
import { asks, type CaseGroup, type DifferentialCase } from './case.ts'
import { NOW } from './produce-helpers.ts'

const describeQuotas = asks(DescribeClientQuotasRequest, DescribeClientQuotasResponse)
const alterQuotas = asks(AlterClientQuotasRequest, AlterClientQuotasResponse)
const createTopics = asks(CreateTopicsRequest, CreateTopicsResponse)
const deleteTopics = asks(DeleteTopicsRequest, DeleteTopicsResponse)
const createPartitions = asks(CreatePartitionsRequest, CreatePartitionsResponse)

type Parts = Record<string, string | null>
const EXACT = 0
const DEFAULT = 1
const ANY = 2

function entityOf(parts: Parts): { entityType: string; entityName: string | null }[] {
  return Object.entries(parts).map(([entityType, entityName]) => ({ entityType, entityName }))
}

/** null removes. */
function entry(parts: Parts, values: Record<string, number | null>) {
  const ops = Object.entries(values).map(([key, value]) => ({ key, value: value ?? 0, remove: value === null }))
  return { entity: entityOf(parts), ops }
}

function alter(name: string, parts: Parts, values: Record<string, number | null>, version = 1): DifferentialCase {
  return alterQuotas(name, version, { entries: [entry(parts, values)], validateOnly: false })
}

/** Entries and values come in no particular order. */
const sortedEntries = {
  only: (answer: { errorCode: number; errorMessage: string | null; entries: readonly unknown[] | null }) => ({
    ...answer,
    entries: answer.entries?.map((each) => JSON.stringify(sortParts(each))).sort() ?? null,
  }),
}

function sortParts(value: unknown): unknown {
  if (!Array.isArray(value)) {
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, sortParts(each)]))
  }
  return value.map((each) => sortParts(each)).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
}

function describe(
  name: string,
  components: [type: string, matchType: number, match: string | null][],
  strict = false,
  version = 1,
): DifferentialCase {
  const filter = components.map(([entityType, matchType, match]) => ({ entityType, matchType, match }))
  return describeQuotas(name, version, { components: filter, strict }, sortedEntries)
}

const ALTER_CASES: CaseGroup = {
  api: 'AlterClientQuotas',
  cases: [
    alter('a user', { user: 'alice' }, { producer_byte_rate: 1000, consumer_byte_rate: 2000 }),
    alter('a client id, version 0', { 'client-id': 'app' }, { request_percentage: 12.5 }, 0),
    alter('a user and a client id', { user: 'alice', 'client-id': 'app' }, { producer_byte_rate: 5 }),
    alter('a client id before its user', { 'client-id': 'second', user: 'alice' }, { producer_byte_rate: 6 }),
    alter('the default user', { user: null }, { request_percentage: 99_000 }),
    alter('a user with the default client', { user: 'bob', 'client-id': null }, { consumer_byte_rate: 7 }),
    alter('the default user with a client', { user: null, 'client-id': 'app' }, { consumer_byte_rate: 8_000_000 }),
    alter('an address', { ip: '10.1.2.3' }, { connection_creation_rate: 10 }),
    alter('an IPv6 address', { ip: '::1' }, { connection_creation_rate: 10 }),
    alter('the default address', { ip: null }, { connection_creation_rate: 100_000 }),
    alter('a name with odd characters', { user: 'a b/c=d;ü' }, { producer_byte_rate: 9 }),
    alter('an empty entity', {}, { producer_byte_rate: 1 }),
    alter('an empty name', { user: '' }, { producer_byte_rate: 1 }),
    alter('an empty client id', { 'client-id': '' }, { producer_byte_rate: 1 }),
    alter('an unknown type', { group: 'x' }, { producer_byte_rate: 1 }),
    alter('an empty type', { '': 'x' }, { producer_byte_rate: 1 }),
    alter('an unknown key', { user: 'carol' }, { nonsense: 1 }),
    alter('removing an unknown key', { user: 'carol' }, { nonsense: null }),
    alter('an address with a user', { ip: '10.1.2.3', user: 'alice' }, { connection_creation_rate: 1 }),
    alter('an address that does not exist', { ip: 'no.such.host.invalid' }, { connection_creation_rate: 1 }),
    alter('a key of users for an address', { ip: '10.1.2.3' }, { producer_byte_rate: 1 }),
    alter('a key of addresses for a user', { user: 'carol' }, { connection_creation_rate: 1 }),
    alter('zero', { user: 'carol' }, { producer_byte_rate: 0 }),
    alter('a negative value', { user: 'carol' }, { request_percentage: -1 }),
    alter('a fraction of a byte rate', { user: 'carol' }, { producer_byte_rate: 1.5 }),
    alter('nearly a whole number', { user: 'carol' }, { producer_byte_rate: 15.000_000_1 }),
    alter('a fraction of connections', { ip: '10.1.2.4' }, { connection_creation_rate: 0.5 }),
    alter('a fraction of mutations', { user: 'carol' }, { controller_mutation_rate: 0.5 }),
    alter('a very large value', { user: 'carol' }, { producer_byte_rate: 1e30 }),
    alter('an infinite percentage', { user: 'carol' }, { request_percentage: Number.POSITIVE_INFINITY }),
    alter('one good and one bad value', { user: 'dave' }, { producer_byte_rate: 5, consumer_byte_rate: -5 }),
    alter('removing what is not set', { user: 'nobody' }, { producer_byte_rate: null }),
    alter('nothing to do', { user: 'nobody' }, {}),
    alterQuotas('the same type twice', 1, {
      entries: [
        {
          entity: [
            { entityType: 'user', entityName: 'first' },
            { entityType: 'user', entityName: 'last' },
          ],
          ops: [{ key: 'producer_byte_rate', value: 3, remove: false }],
        },
      ],
      validateOnly: false,
    }),
    alterQuotas('the same key twice', 1, {
      entries: [
        {
          entity: entityOf({ user: 'twice' }),
          ops: [
            { key: 'producer_byte_rate', value: 3, remove: false },
            { key: 'producer_byte_rate', value: 4, remove: false },
          ],
        },
      ],
      validateOnly: false,
    }),
    alterQuotas('the same entity twice', 1, {
      entries: [
        entry({ user: 'again' }, { producer_byte_rate: 3 }),
        entry({ user: 'again' }, { consumer_byte_rate: 4 }),
      ],
      validateOnly: false,
    }),
    alterQuotas('no entries', 1, { entries: [], validateOnly: false }),
    alterQuotas('only validating', 1, {
      entries: [entry({ user: 'unseen' }, { producer_byte_rate: 3 }), entry({ user: '' }, { producer_byte_rate: 3 })],
      validateOnly: true,
    }),
    alter(
      'changing one value and removing another',
      { user: 'alice' },
      { producer_byte_rate: 77, consumer_byte_rate: null },
    ),
  ],
}

/** The last of the changes above is in the broker's own view: it comes there a moment after the answer, the earlier ones before it. */
async function lastChangeSeen(broker: DifferentialBroker): Promise<void> {
  const connection = await broker.connection('setup')
  const value = { components: [{ entityType: 'user', matchType: EXACT, match: 'alice' }], strict: true }
  await broker.until("alice's quotas have changed", async () => {
    const sent = connection.send(DescribeClientQuotasRequest, DescribeClientQuotasResponse, value, { version: 1 })
    return (await sent).entries?.[0]?.values.some(({ value: quota }) => quota === 77) ?? false
  })
}

const DESCRIBE_CASES: CaseGroup = {
  api: 'DescribeClientQuotas',
  prepare: lastChangeSeen,
  cases: [
    describe('everything', []),
    describe('everything, version 0', [], false, 0),
    describe('strict without components', [], true),
    describe('a user', [['user', EXACT, 'alice']]),
    describe('a user, strictly', [['user', EXACT, 'alice']], true),
    describe('any user', [['user', ANY, null]]),
    describe('any user, strictly', [['user', ANY, null]], true),
    describe('the default user', [['user', DEFAULT, null]]),
    describe('the default user, strictly', [['user', DEFAULT, null]], true),
    describe('user and client', [
      ['user', EXACT, 'alice'],
      ['client-id', EXACT, 'app'],
    ]),
    describe('user and any client', [
      ['user', EXACT, 'alice'],
      ['client-id', ANY, null],
    ]),
    describe(
      'default user and client, strictly',
      [
        ['user', DEFAULT, null],
        ['client-id', EXACT, 'app'],
      ],
      true,
    ),
    describe('any client', [['client-id', ANY, null]]),
    describe('an address', [['ip', EXACT, '10.1.2.3']]),
    describe('any address', [['ip', ANY, null]]),
    describe('the default address, strictly', [['ip', DEFAULT, null]], true),
    describe('an unknown user', [['user', EXACT, 'nobody-at-all']]),
    describe('what was only validated', [['user', EXACT, 'unseen']]),
    describe('an unknown type', [['group', EXACT, 'x']]),
    describe('an empty type', [['', EXACT, 'x']]),
    describe('a type twice', [
      ['user', EXACT, 'alice'],
      ['user', EXACT, 'bob'],
    ]),
    describe('an address and a user', [
      ['ip', EXACT, '10.1.2.3'],
      ['user', EXACT, 'alice'],
    ]),
    describe('an exact match of nothing', [['user', EXACT, null]]),
    describe('a default match of something', [['user', DEFAULT, 'x']]),
    describe('any match of something', [['user', ANY, 'x']]),
    describe('an unknown match type', [['user', 3, null]]),
  ],
}

const LARGE = Buffer.alloc(120_000, 'x')

async function setQuota(
  broker: DifferentialBroker,
  parts: Parts,
  values: Record<string, number | null>,
): Promise<void> {
  const connection = await broker.connection('setup')
  const value = { entries: [entry(parts, values)], validateOnly: false }
  const answer = await connection.send(AlterClientQuotasRequest, AlterClientQuotasResponse, value, { version: 1 })
  if (answer.entries[0]?.errorCode !== 0) throw new Error(`quota refused: ${answer.entries[0]?.errorMessage}`)
}

/** Whether an answer asks to wait; for how long depends on the moment. */
const throttled = (answer: { throttleTimeMs: number }): boolean => answer.throttleTimeMs > 0

function produceLarge(name: string, connection: string): DifferentialCase {
  return {
    name,
    ask: async (broker) => {
      const records = [{ key: null, value: LARGE, timestamp: NOW, headers: [] }]
      const value = {
        transactionalId: null,
        acks: -1,
        timeoutMs: 10_000,
        topicData: [{ name: 'quota-topic', partitionData: [{ index: 0, records: [buildBatch({ records })] }] }],
      }
      const sent = await (await broker.connection(connection)).send(ProduceRequest, ProduceResponse, value, {
        version: 9,
      })
      return { throttled: throttled(sent), errorCode: sent.responses[0]?.partitionResponses[0]?.errorCode }
    },
  }
}

const topic = (name: string, numPartitions: number) => ({
  name,
  numPartitions,
  replicationFactor: 1,
  assignments: [],
  configs: [],
})
const codes = (rows: readonly { errorCode: number }[]): number[] => rows.map(({ errorCode }) => errorCode)
const created = {
  connection: 'mutator',
  only: (answer: { throttleTimeMs: number; topics: readonly { errorCode: number }[] }) => ({
    throttled: throttled(answer),
    codes: codes(answer.topics),
  }),
}

const moreOf = (name: string, count: number) => ({
  topics: [{ name, count, assignments: null }],
  timeoutMs: 10_000,
  validateOnly: false,
})

function deletes(name: string, topicName: string, connection: string): DifferentialCase {
  const value = { topics: [{ name: topicName, topicId: ZERO_UUID }], topicNames: [], timeoutMs: 10_000 }
  return deleteTopics(name, 6, value, {
    connection,
    only: ({ responses, ...answer }) => ({ throttled: throttled(answer), codes: codes(responses) }),
  })
}

/** A client that is over its quota is not read for a while: each case that follows takes another one. */
const MUTATORS = ['mutator', 'old-mutator', 'partition-mutator', 'partition-mutator-2', 'deleter']

const ENFORCEMENT_CASES: CaseGroup = {
  api: 'exceeded quotas',
  prepare: async (broker) => {
    await broker.createTopic('quota-topic')
    await setQuota(broker, { 'client-id': 'slow-producer' }, { producer_byte_rate: 20_000 })
    for (const clientId of MUTATORS) await setQuota(broker, { 'client-id': clientId }, { controller_mutation_rate: 1 })
  },
  cases: [
    produceLarge('a burst below ten seconds of the rate passes', 'slow-producer'),
    produceLarge('what exceeds it is stored, and throttled', 'slow-producer'),
    produceLarge('others are not throttled', 'fast-producer'),
    createTopics(
      'only validating',
      7,
      { topics: [topic('quota-a', 5)], timeoutMs: 10_000, validateOnly: true },
      created,
    ),
    createTopics(
      'a burst passes',
      7,
      { topics: [topic('quota-a', 5)], timeoutMs: 10_000, validateOnly: false },
      created,
    ),
    createTopics(
      'the request that overdraws passes',
      7,
      { topics: [topic('quota-b', 20)], timeoutMs: 10_000 },
      created,
    ),
    createTopics(
      'afterwards it is refused',
      7,
      { topics: [topic('quota-c', 1)], timeoutMs: 10_000 },
      {
        ...created,
      },
    ),
    createTopics(
      'an old version is only throttled',
      5,
      { topics: [topic('quota-d', 1)], timeoutMs: 10_000 },
      {
        ...created,
        connection: 'old-mutator',
      },
    ),
    createTopics(
      'by now the old version has overdrawn',
      5,
      { topics: [topic('quota-e', 40)], timeoutMs: 10_000 },
      {
        ...created,
        connection: 'old-mutator',
      },
    ),
    createPartitions('more partitions by whoever has overdrawn', 3, moreOf('quota-a', 7), {
      connection: 'partition-mutator',
      only: ({ results, ...answer }) => ({ throttled: throttled(answer), codes: codes(results) }),
    }),
    createPartitions('more partitions: the first one passes', 3, moreOf('quota-b', 60), {
      connection: 'partition-mutator-2',
      only: ({ results, ...answer }) => ({ throttled: throttled(answer), codes: codes(results) }),
    }),
    createPartitions('more partitions: refused', 3, moreOf('quota-b', 61), {
      connection: 'partition-mutator-2',
      only: ({ results, ...answer }) => ({ throttled: throttled(answer), codes: codes(results) }),
    }),
    deletes('deleting counts, too', 'quota-b', 'deleter'),
    deletes('after which nothing more is deleted', 'quota-a', 'deleter'),
    deletes('an unknown topic is free', 'quota-none', 'unlimited'),
  ],
}

const CLEAN_UP_CASES: CaseGroup = {
  api: 'AlterClientQuotas, taken back',
  cases: [
    ...(
      [
        [{ user: null }, 'request_percentage'],
        [{ user: null, 'client-id': 'app' }, 'consumer_byte_rate'],
        [{ ip: null }, 'connection_creation_rate'],
        [{ ip: '::1' }, 'connection_creation_rate'],
        [{ 'client-id': 'slow-producer' }, 'producer_byte_rate'],
        ...MUTATORS.map((clientId) => [{ 'client-id': clientId }, 'controller_mutation_rate'] as const),
      ] as const
    ).map(([parts, key]) => alter(`${key} of ${JSON.stringify(parts)}`, parts, { [key]: null })),
  ],
}

export const QUOTA_CASES: readonly CaseGroup[] = [ALTER_CASES, DESCRIBE_CASES, ENFORCEMENT_CASES, CLEAN_UP_CASES]
