/**
 * A conversation of admin requests. Its answers by a Kafka 4.3.1 broker (node 1, one broker, fresh data folder) are stored in
 * test/golden/admin/answers.json, recorded by record-admin-answers.ts; admin-golden.test.ts holds ours against them.
 */
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/19-create-topics.ts'
import { DeleteTopicsRequest, DeleteTopicsResponse } from '../../src/protocol/messages/20-delete-topics.ts'
import { DescribeConfigsRequest, DescribeConfigsResponse } from '../../src/protocol/messages/32-describe-configs.ts'
import { AlterConfigsRequest, AlterConfigsResponse } from '../../src/protocol/messages/33-alter-configs.ts'
import { CreatePartitionsRequest, CreatePartitionsResponse } from '../../src/protocol/messages/37-create-partitions.ts'
import {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
} from '../../src/protocol/messages/44-incremental-alter-configs.ts'
import { type Input, type MessageSchema, ZERO_UUID } from '../../src/protocol/schema.ts'

export interface AdminStep {
  readonly title: string
  readonly key: number
  readonly version: number
  readonly request: unknown
}

export const ADMIN_SCHEMAS: ReadonlyMap<number, { request: MessageSchema; response: MessageSchema }> = new Map<
  number,
  { request: MessageSchema; response: MessageSchema }
>([
  [19, { request: CreateTopicsRequest, response: CreateTopicsResponse }],
  [20, { request: DeleteTopicsRequest, response: DeleteTopicsResponse }],
  [32, { request: DescribeConfigsRequest, response: DescribeConfigsResponse }],
  [33, { request: AlterConfigsRequest, response: AlterConfigsResponse }],
  [37, { request: CreatePartitionsRequest, response: CreatePartitionsResponse }],
  [44, { request: IncrementalAlterConfigsRequest, response: IncrementalAlterConfigsResponse }],
])

type NewTopic = Input<typeof CreateTopicsRequest>['topics'][number]

const TOPIC = 2
const BROKER = 4
const LOGGER = 8
const GROUP = 32
const SET = 0
const DELETE = 1
const APPEND = 2
const SUBTRACT = 3

/** A topic of one partition and one replica, unless said otherwise. Configs as pairs. */
function topic(name: string, given: Partial<NewTopic> = {}, configs: Readonly<Record<string, string | null>> = {}) {
  const pairs = Object.entries(configs).map(([configName, value]) => ({ name: configName, value }))
  return { name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: pairs, ...given }
}

function create(title: string, topics: NewTopic[], validateOnly = false, version = 7): AdminStep {
  const request: Input<typeof CreateTopicsRequest> = { topics, timeoutMs: 10_000, validateOnly }
  return { title: `create: ${title}`, key: 19, version, request }
}

/** Lists of replicas, or pairs of index and list. */
function assigned(name: string, partitions: readonly (readonly [number, readonly number[]])[], given = {}): NewTopic {
  const assignments = partitions.map(([partitionIndex, brokerIds]) => ({ partitionIndex, brokerIds }))
  return topic(name, { numPartitions: -1, replicationFactor: -1, assignments, ...given })
}

function remove(title: string, topics: readonly { name: string | null; topicId?: string }[]): AdminStep {
  const rows = topics.map(({ name, topicId }) => ({ name, topicId: topicId ?? ZERO_UUID }))
  const request: Input<typeof DeleteTopicsRequest> = { topics: rows, topicNames: [], timeoutMs: 10_000 }
  return { title: `delete: ${title}`, key: 20, version: 6, request }
}

function removeOld(title: string, names: string[], version: number): AdminStep {
  const request: Input<typeof DeleteTopicsRequest> = { topics: [], topicNames: names, timeoutMs: 10_000 }
  return { title: `delete: ${title}`, key: 20, version, request }
}

function grow(title: string, rows: readonly [string, number, number[][] | null][], validateOnly = false): AdminStep {
  const topics = rows.map(([name, count, assignments]) => ({
    name,
    count,
    assignments: assignments?.map((brokerIds) => ({ brokerIds })) ?? null,
  }))
  const request: Input<typeof CreatePartitionsRequest> = { topics, timeoutMs: 10_000, validateOnly }
  return { title: `grow: ${title}`, key: 37, version: 3, request }
}

function describe(title: string, resources: readonly [number, string, string[] | null][], version = 4): AdminStep {
  const request: Input<typeof DescribeConfigsRequest> = {
    resources: resources.map(([resourceType, resourceName, configurationKeys]) => ({
      resourceType,
      resourceName,
      configurationKeys,
    })),
    includeSynonyms: true,
    includeDocumentation: false,
  }
  return { title: `describe: ${title}`, key: 32, version, request }
}

type Operation = readonly [name: string, operation: number, value: string | null]

function alter(
  title: string,
  resources: readonly [number, string, readonly Operation[]][],
  validateOnly = false,
): AdminStep {
  const request: Input<typeof IncrementalAlterConfigsRequest> = {
    resources: resources.map(([resourceType, resourceName, operations]) => ({
      resourceType,
      resourceName,
      configs: operations.map(([name, configOperation, value]) => ({ name, configOperation, value })),
    })),
    validateOnly,
  }
  return { title: `alter: ${title}`, key: 44, version: 1, request }
}

function replace(
  title: string,
  resources: readonly [number, string, Readonly<Record<string, string | null>>][],
  validateOnly = false,
): AdminStep {
  const request: Input<typeof AlterConfigsRequest> = {
    resources: resources.map(([resourceType, resourceName, configs]) => ({
      resourceType,
      resourceName,
      configs: Object.entries(configs).map(([name, value]) => ({ name, value })),
    })),
    validateOnly,
  }
  return { title: `replace: ${title}`, key: 33, version: 2, request }
}

function refusedConfig(name: string, value: string): AdminStep {
  return create(`config ${name}=${value}`, [topic('with-config', {}, { [name]: value })], true)
}

const CREATION: AdminStep[] = [
  create('three partitions', [topic('a', { numPartitions: 3 })]),
  create('a name twice, the others go on', [topic('dup'), topic('b'), topic('dup'), topic('dup')]),
  create('the metadata log', [topic('__cluster_metadata'), topic('c')]),
  create('impossible names', [
    topic(''),
    topic('.'),
    topic('..'),
    topic('x'.repeat(250)),
    topic('bad name'),
    topic('é'),
    topic('x'.repeat(249)),
  ]),
  create('exists', [topic('a')]),
  create('exists, validate only', [topic('a')], true),
  create('with a dot', [topic('col.x')]),
  create('collides', [topic('col_x')]),
  create('exists and collides with itself', [topic('col.x')]),
  create('null config', [topic('nulls', {}, { 'retention.ms': null })]),
  create('null config of an unknown name', [topic('nulls', {}, { 'no.such': null })]),
  create('unknown config', [topic('unknown', {}, { 'no.such': '1' })]),
  refusedConfig('segment.bytes', '1000'),
  refusedConfig('segment.bytes', '1048576'),
  refusedConfig('segment.bytes', '99999999999'),
  refusedConfig('segment.bytes', 'abc'),
  refusedConfig('segment.bytes', ' 2000000 '),
  refusedConfig('internal.segment.bytes', '1000'),
  refusedConfig('cleanup.policy', 'Compact'),
  refusedConfig('cleanup.policy', 'compact, delete'),
  refusedConfig('cleanup.policy', 'compact,compact'),
  refusedConfig('cleanup.policy', ''),
  refusedConfig('cleanup.policy', 'compact,'),
  refusedConfig('retention.ms', ''),
  refusedConfig('retention.ms', '-2'),
  refusedConfig('retention.ms', '-1'),
  refusedConfig('retention.bytes', '-5'),
  refusedConfig('compression.type', 'none'),
  refusedConfig('compression.gzip.level', '0'),
  refusedConfig('compression.gzip.level', '-1'),
  refusedConfig('compression.lz4.level', '18'),
  refusedConfig('compression.zstd.level', '23'),
  refusedConfig('message.timestamp.type', 'createtime'),
  refusedConfig('min.cleanable.dirty.ratio', '2'),
  refusedConfig('min.cleanable.dirty.ratio', 'NaN'),
  refusedConfig('min.cleanable.dirty.ratio', '1e-5'),
  refusedConfig('min.cleanable.dirty.ratio', '1'),
  refusedConfig('min.insync.replicas', '0'),
  refusedConfig('min.insync.replicas', '5'),
  refusedConfig('unclean.leader.election.enable', 'TRUE'),
  refusedConfig('unclean.leader.election.enable', 'yes'),
  refusedConfig('leader.replication.throttled.replicas', 'x'),
  refusedConfig('leader.replication.throttled.replicas', '0:1,1:1'),
  refusedConfig('leader.replication.throttled.replicas', '*'),
  refusedConfig('leader.replication.throttled.replicas', 'none'),
  refusedConfig('remote.storage.enable', 'true'),
  refusedConfig('message.format.version', '3.0'),
  create('lag limits the wrong way round', [
    topic('lags', {}, { 'min.compaction.lag.ms': '100', 'max.compaction.lag.ms': '50' }),
  ]),
  create('partitions and replicas out of range', [
    topic('p0', { numPartitions: 0 }),
    topic('p-2', { numPartitions: -2 }),
    topic('r0', { replicationFactor: 0 }),
    topic('r-2', { replicationFactor: -2 }),
    topic('r2', { replicationFactor: 2 }),
    topic('both', { numPartitions: 0, replicationFactor: 0 }),
    topic('defaults', { numPartitions: -1, replicationFactor: -1 }),
  ]),
  create('wrong assignments', [
    assigned('as-rf', [[0, [1]]], { replicationFactor: 1 }),
    assigned('as-np', [[0, [1]]], { numPartitions: 1 }),
    assigned('as-gap', [
      [0, [1]],
      [2, [1]],
    ]),
    assigned('as-twice', [
      [0, [1]],
      [0, [1]],
    ]),
    assigned('as-unknown', [[0, [7]]]),
    assigned('as-same', [[0, [1, 1]]]),
    assigned('as-empty', [[0, []]]),
    assigned('as-uneven', [
      [0, [1]],
      [1, [1, 7]],
    ]),
  ]),
  create('assigned', [
    assigned('as-good', [
      [1, [1]],
      [0, [1]],
    ]),
  ]),
  create('too many partitions', [topic('many', { numPartitions: 10_001 }), topic('few')], true),
  create('too many together', [topic('m1', { numPartitions: 6000 }), topic('m2', { numPartitions: 4001 })], true),
  create('validate only', [topic('not-really', { numPartitions: 2 }, { 'retention.ms': '5' })], true),
  create('an internal topic by name', [topic('__share_group_state', { numPartitions: 2 })]),
  create('old version, defaults', [topic('v4', { numPartitions: -1, replicationFactor: -1 })], false, 4),
  create('version without ids', [topic('v5')], false, 5),
  create('old version, error', [topic('v4')], false, 2),
  create('with configs', [
    topic(
      'configured',
      {},
      { 'cleanup.policy': 'compact, delete', 'retention.ms': ' 1000 ', 'segment.bytes': '2000000' },
    ),
  ]),
]

const GROWTH: AdminStep[] = [
  grow('the same count', [['a', 3, null]]),
  grow('fewer', [['a', 2, null]]),
  grow('none', [['a', 0, null]]),
  grow('negative', [['a', -1, null]]),
  grow('unknown topic', [['no-such', 3, null]]),
  grow('a bad name', [['bad name', 3, null]]),
  grow('twice', [
    ['a', 4, null],
    ['b', 2, null],
    ['a', 5, null],
  ]),
  grow('an empty list of assignments', [['a', 4, []]]),
  grow('too few assignments', [['a', 5, [[1]]]]),
  grow('too many assignments', [['a', 4, [[1], [1]]]]),
  grow('an unknown broker', [['a', 4, [[9]]]]),
  grow('two replicas where there is one', [['a', 4, [[1, 2]]]]),
  grow('no replicas', [['a', 4, [[]]]]),
  grow('validate only', [['a', 4, null]], true),
  grow('assigned', [['a', 4, [[1]]]]),
  grow('placed', [['a', 6, null]]),
  grow('the same count again', [['a', 6, null]]),
]

const DESCRIPTION: AdminStep[] = [
  describe('a topic', [[TOPIC, 'a', null]]),
  describe('a topic with configs', [[TOPIC, 'configured', null]]),
  describe('single keys, also unknown ones', [[TOPIC, 'configured', ['retention.ms', 'no.such', 'segment.bytes']]]),
  describe('no keys is all keys', [[GROUP, 'g', []]]),
  describe('wrong resources', [
    [TOPIC, 'no-such', null],
    [TOPIC, 'bad name', null],
    [TOPIC, '', null],
    [BROKER, '2', null],
    [BROKER, 'abc', null],
    [GROUP, '', null],
    [LOGGER, '', null],
    [LOGGER, '2', null],
    [LOGGER, 'abc', null],
  ]),
  describe('an unsupported type spoils the whole request', [
    [TOPIC, 'a', ['retention.ms']],
    [3, 'x', null],
    [0, 'x', null],
  ]),
  describe('twice', [
    [TOPIC, 'a', ['retention.ms']],
    [TOPIC, 'a', ['segment.ms']],
  ]),
  describe('the cluster default', [[BROKER, '', null]]),
  describe('broker keys', [
    [
      BROKER,
      '1',
      ['log.retention.hours', 'log.retention.ms', 'log.flush.interval.ms', 'min.insync.replicas', 'ssl.key.password'],
    ],
  ]),
  describe('an old version', [[TOPIC, 'a', ['retention.ms']]], 1),
]

const TOPIC_CHANGES: AdminStep[] = [
  alter('set and delete', [
    [
      TOPIC,
      'a',
      [
        ['retention.ms', SET, '5000'],
        ['segment.bytes', DELETE, null],
      ],
    ],
  ]),
  alter('append to an unset list', [[TOPIC, 'a', [['cleanup.policy', APPEND, 'compact']]]]),
  describe('after append', [[TOPIC, 'a', ['cleanup.policy', 'retention.ms']]]),
  alter('append what is there', [[TOPIC, 'a', [['cleanup.policy', APPEND, 'compact']]]]),
  alter('subtract', [[TOPIC, 'a', [['cleanup.policy', SUBTRACT, 'delete']]]]),
  alter('subtract what is not there', [[TOPIC, 'a', [['cleanup.policy', SUBTRACT, 'delete,other']]]]),
  describe('after subtract', [[TOPIC, 'a', ['cleanup.policy']]]),
  alter('subtract the last', [[TOPIC, 'a', [['cleanup.policy', SUBTRACT, 'compact']]]]),
  describe('after the last', [[TOPIC, 'a', ['cleanup.policy']]]),
  alter('append to a number', [[TOPIC, 'a', [['retention.ms', APPEND, '1']]]]),
  alter('subtract from a number', [[TOPIC, 'a', [['retention.ms', SUBTRACT, '1']]]]),
  alter('append to an unknown name', [[TOPIC, 'a', [['no.such', APPEND, '1']]]]),
  alter('set null', [[TOPIC, 'a', [['retention.ms', SET, null]]]]),
  alter('append null', [[TOPIC, 'a', [['cleanup.policy', APPEND, null]]]]),
  alter('delete with a value', [[TOPIC, 'a', [['retention.ms', DELETE, '7']]]]),
  alter('unknown operation', [[TOPIC, 'a', [['retention.ms', 9, '7']]]]),
  alter('the same key twice', [
    [
      TOPIC,
      'a',
      [
        ['retention.ms', SET, '1'],
        ['retention.ms', SET, '2'],
      ],
    ],
  ]),
  alter('the same resource twice', [
    [TOPIC, 'a', [['retention.ms', SET, '1']]],
    [TOPIC, 'b', [['retention.ms', SET, '9000']]],
    [TOPIC, 'a', [['segment.ms', SET, '2']]],
  ]),
  alter('unknown topic', [[TOPIC, 'no-such', [['retention.ms', SET, '1']]]]),
  alter('a bad name', [[TOPIC, 'bad name', [['retention.ms', SET, '1']]]]),
  alter('no name', [[TOPIC, '', [['retention.ms', SET, '1']]]]),
  alter('unknown config', [[TOPIC, 'a', [['no.such', SET, '1']]]]),
  alter('delete an unknown config', [[TOPIC, 'a', [['no.such', DELETE, null]]]]),
  alter('a bad value', [[TOPIC, 'a', [['segment.bytes', SET, '1000']]]]),
  alter('all or nothing', [
    [
      TOPIC,
      'a',
      [
        ['retention.ms', SET, '777'],
        ['segment.bytes', SET, '1000'],
      ],
    ],
  ]),
  describe('nothing changed', [[TOPIC, 'a', ['retention.ms']]]),
  alter('validate only', [[TOPIC, 'a', [['retention.ms', SET, '888']]]], true),
  describe('still nothing changed', [[TOPIC, 'a', ['retention.ms']]]),
  alter('nothing to do', [[TOPIC, 'a', []]]),
  alter('unknown type', [[3, 'a', [['retention.ms', SET, '1']]]]),
  alter('conflicting limits', [
    [
      TOPIC,
      'a',
      [
        ['min.compaction.lag.ms', SET, '10'],
        ['max.compaction.lag.ms', SET, '5'],
      ],
    ],
  ]),
  replace('sets', [[TOPIC, 'b', { 'segment.ms': '7000', 'cleanup.policy': 'compact' }]]),
  describe('after replace', [[TOPIC, 'b', ['segment.ms', 'cleanup.policy', 'retention.ms']]]),
  replace('resets what is not mentioned', [[TOPIC, 'b', { 'retention.ms': '42' }]]),
  describe('after the second replace', [[TOPIC, 'b', ['segment.ms', 'cleanup.policy', 'retention.ms']]]),
  replace('a null value', [[TOPIC, 'b', { 'retention.ms': null }]]),
  replace('a bad value', [[TOPIC, 'b', { 'retention.ms': 'x' }]]),
  replace('unknown topic', [[TOPIC, 'no-such', { 'retention.ms': '1' }]]),
  replace('unknown config', [[TOPIC, 'b', { 'no.such': '1' }]]),
  replace('a logger', [[LOGGER, '1', { root: 'DEBUG' }]]),
  replace('unknown type', [[3, 'b', {}]]),
  replace('twice', [
    [TOPIC, 'b', {}],
    [TOPIC, 'b', {}],
  ]),
]

const BROKER_CHANGES: AdminStep[] = [
  alter('broker: set', [[BROKER, '1', [['log.retention.ms', SET, '3600000']]]]),
  alter('cluster: set', [[BROKER, '', [['log.segment.bytes', SET, '3000000']]]]),
  describe('topic defaults have changed', [[TOPIC, 'c', ['retention.ms', 'segment.bytes', 'segment.ms']]]),
  describe('broker units', [
    [BROKER, '1', ['log.retention.ms', 'log.retention.minutes', 'log.retention.hours', 'log.segment.bytes']],
  ]),
  alter('broker: read-only', [[BROKER, '1', [['num.partitions', SET, '3']]]]),
  alter('cluster: read-only', [[BROKER, '', [['log.dirs', SET, '/x']]]]),
  alter('cluster: per broker only', [[BROKER, '', [['listeners', SET, 'PLAINTEXT://:1']]]]),
  alter('broker: unknown name', [[BROKER, '1', [['who.knows', SET, 'x']]]]),
  alter('cluster: unknown name', [[BROKER, '', [['who.else', SET, 'y']]]]),
  describe('unknown names are kept secret', [
    [BROKER, '1', ['who.knows', 'who.else']],
    [BROKER, '', null],
  ]),
  alter('broker: bad value', [[BROKER, '1', [['log.retention.ms', SET, 'abc']]]]),
  alter('cluster: out of range', [[BROKER, '', [['log.segment.bytes', SET, '5']]]]),
  alter('broker: another id', [[BROKER, '2', [['log.retention.ms', SET, '1']]]]),
  alter('broker: not a number', [[BROKER, 'abc', [['log.retention.ms', SET, '1']]]]),
  alter('broker: threads more than doubled', [[BROKER, '1', [['num.io.threads', SET, '17']]]]),
  alter('broker: threads less than half', [[BROKER, '1', [['num.io.threads', SET, '3']]]]),
  alter('broker: min.insync.replicas', [[BROKER, '1', [['min.insync.replicas', SET, '2']]]]),
  alter('cluster: delete min.insync.replicas', [[BROKER, '', [['min.insync.replicas', DELETE, null]]]]),
  alter('cluster: set min.insync.replicas', [[BROKER, '', [['min.insync.replicas', SET, '2']]]]),
  alter('broker: append to a list', [[BROKER, '1', [['log.cleanup.policy', APPEND, 'compact']]]]),
  describe('broker list', [[BROKER, '1', ['log.cleanup.policy']]]),
  alter('broker: append to a number', [[BROKER, '1', [['log.retention.ms', APPEND, '1']]]]),
  alter('broker: tls without a listener', [[BROKER, '1', [['ssl.keystore.type', SET, 'PEM']]]]),
  alter('broker: throttles', [
    [
      BROKER,
      '1',
      [
        ['leader.replication.throttled.rate', SET, '1000'],
        ['follower.replication.throttled.rate', SET, '1000'],
      ],
    ],
  ]),
  alter('broker: clear throttles', [
    [
      BROKER,
      '1',
      [
        ['leader.replication.throttled.rate', DELETE, null],
        ['follower.replication.throttled.rate', DELETE, null],
        ['replica.alter.log.dirs.io.max.bytes.per.second', DELETE, null],
      ],
    ],
  ]),
  alter('broker: set null', [[BROKER, '1', [['log.retention.ms', SET, null]]]]),
  alter('broker: unknown operation', [[BROKER, '1', [['log.retention.ms', 7, '1']]]]),
  alter('broker: validate only', [[BROKER, '1', [['log.retention.ms', SET, '5']]]], true),
  describe('broker unchanged', [[BROKER, '1', ['log.retention.ms']]]),
  replace('broker', [[BROKER, '1', { 'log.retention.ms': '1800000' }]]),
  describe('broker replaced', [[BROKER, '1', ['log.retention.ms', 'log.cleanup.policy', 'who.knows']]]),
  replace('broker read-only', [[BROKER, '1', { 'num.partitions': '2' }]]),
  replace('cluster without min.insync.replicas', [[BROKER, '', { 'log.segment.bytes': '4000000' }]]),
  describe('cluster replaced', [[BROKER, '', null]]),
  alter('clear', [
    [BROKER, '1', [['log.retention.ms', DELETE, null]]],
    [
      BROKER,
      '',
      [
        ['log.segment.bytes', DELETE, null],
        ['who.else', DELETE, null],
      ],
    ],
  ]),
  describe('cluster cleared', [[BROKER, '', null]]),
]

const GROUP_CHANGES: AdminStep[] = [
  alter('group: set', [[GROUP, 'g', [['consumer.session.timeout.ms', SET, '50000']]]]),
  describe('group', [[GROUP, 'g', null]]),
  alter('group: too long a session', [[GROUP, 'g', [['consumer.session.timeout.ms', SET, '70000']]]]),
  alter('group: too short a heartbeat', [[GROUP, 'g', [['consumer.heartbeat.interval.ms', SET, '1000']]]]),
  alter('group: too long a heartbeat', [[GROUP, 'g', [['share.heartbeat.interval.ms', SET, '16000']]]]),
  alter('group: too many standbys', [[GROUP, 'g', [['streams.num.standby.replicas', SET, '3']]]]),
  alter('group: too long a lock', [[GROUP, 'g', [['share.record.lock.duration.ms', SET, '70000']]]]),
  alter('group: a bad reset', [[GROUP, 'g', [['share.auto.offset.reset', SET, 'never']]]]),
  alter('group: a bad duration', [[GROUP, 'g', [['share.auto.offset.reset', SET, 'by_duration:1h']]]]),
  alter('group: a negative duration', [[GROUP, 'g', [['share.auto.offset.reset', SET, 'by_duration:-PT1H']]]]),
  alter('group: a duration', [[GROUP, 'g', [['share.auto.offset.reset', SET, 'by_duration:PT1H']]]]),
  alter('group: unknown config', [[GROUP, 'g', [['no.such', SET, '1']]]]),
  alter('group: a bad value', [[GROUP, 'g', [['consumer.session.timeout.ms', SET, 'x']]]]),
  alter('group: no name', [[GROUP, '', [['consumer.session.timeout.ms', SET, '50000']]]]),
  alter('group: delete what is not set', [[GROUP, 'other', [['consumer.session.timeout.ms', DELETE, null]]]]),
  replace('group', [[GROUP, 'g', { 'share.isolation.level': 'read_committed' }]]),
  describe('group replaced', [[GROUP, 'g', null]]),
]

const LOGGER_CHANGES: AdminStep[] = [
  alter('logger: set', [[LOGGER, '1', [['root', SET, 'WARN']]]]),
  describe('logger', [[LOGGER, '1', ['root']]]),
  alter('logger: unknown level', [[LOGGER, '1', [['root', SET, 'LOUD']]]]),
  alter('logger: lower case', [[LOGGER, '1', [['root', SET, 'info']]]]),
  alter('logger: null', [[LOGGER, '1', [['root', SET, null]]]]),
  alter('logger: unknown', [[LOGGER, '1', [['no.such.logger', SET, 'INFO']]]]),
  alter('logger: delete unknown', [[LOGGER, '1', [['no.such.logger', DELETE, null]]]]),
  alter('logger: append', [[LOGGER, '1', [['root', APPEND, 'INFO']]]]),
  alter('logger: unknown operation', [[LOGGER, '1', [['root', 9, 'INFO']]]]),
  alter('logger: unset the root', [[LOGGER, '1', [['root', DELETE, null]]]]),
  alter('logger: another broker', [[LOGGER, '2', [['root', SET, 'INFO']]]]),
  alter('logger: no broker', [[LOGGER, '', [['root', SET, 'INFO']]]]),
  alter('logger: not a broker', [[LOGGER, 'abc', [['root', SET, 'INFO']]]]),
  alter('logger: validate only', [[LOGGER, '1', [['root', SET, 'ERROR']]]], true),
  describe('logger unchanged', [[LOGGER, '1', ['root']]]),
]

const DELETION: AdminStep[] = [
  remove('neither name nor id', [{ name: null }]),
  remove('both name and id', [{ name: 'b', topicId: 'AAAAAAAAAAAAAAAAAAAAZQ' }]),
  remove('unknown', [{ name: 'no-such' }, { name: null, topicId: 'AAAAAAAAAAAAAAAAAAAAZQ' }]),
  remove('a bad name', [{ name: 'bad name' }]),
  remove('twice', [{ name: 'b' }, { name: 'c' }, { name: 'b' }]),
  remove('twice unknown', [{ name: 'nobody' }, { name: 'nobody' }]),
  remove('one', [{ name: 'b' }]),
  remove('gone', [{ name: 'b' }]),
  removeOld('old version', ['configured'], 5),
  removeOld('old version, unknown', ['configured'], 4),
  create('a name that is free again', [topic('configured')]),
  describe('nothing of the old one is left', [[TOPIC, 'configured', ['retention.ms', 'cleanup.policy']]]),
  remove('with a dot', [{ name: 'col.x' }]),
  create('what collided before', [topic('col_x')]),
]

export const ADMIN_STEPS: readonly AdminStep[] = [
  ...CREATION,
  ...GROWTH,
  ...DESCRIPTION,
  ...TOPIC_CHANGES,
  ...BROKER_CHANGES,
  ...GROUP_CHANGES,
  ...LOGGER_CHANGES,
  ...DELETION,
]

/** Ids are random and throttling depends on the moment: everything else must be equal. */
export function normalised(answer: unknown): unknown {
  return JSON.parse(
    JSON.stringify(answer, (key, value: unknown) => {
      if (key === 'topicId' && value !== ZERO_UUID) return '(random)'
      return key === 'throttleTimeMs' ? 0 : value
    }),
  )
}
