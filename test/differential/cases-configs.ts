// DescribeConfigs, IncrementalAlterConfigs and AlterConfigs.
import { DescribeConfigsRequest, DescribeConfigsResponse } from '../../src/protocol/messages/32-describe-configs.ts'
import { AlterConfigsRequest, AlterConfigsResponse } from '../../src/protocol/messages/33-alter-configs.ts'
import {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
} from '../../src/protocol/messages/44-incremental-alter-configs.ts'
import type { Infer } from '../../src/protocol/schema.ts'
import type { DifferentialBroker } from './broker.ts'
import { accepting, asks, type CaseGroup, type DifferentialCase } from './case.ts'

const describe = asks(DescribeConfigsRequest, DescribeConfigsResponse)
const incremental = asks(IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse)
const replace = asks(AlterConfigsRequest, AlterConfigsResponse)

const TOPIC = 2
const BROKER = 4
const BROKER_LOGGER = 8
const CLIENT_METRICS = 16
const GROUP = 32
const SET = 0
const DELETE = 1
const APPEND = 2
const SUBTRACT = 3

/** Broker configs that both brokers have, with the same values in this test. */
const BROKER_KEYS = [
  ...[
    'log.retention.ms',
    'log.retention.hours',
    'log.segment.bytes',
    'message.max.bytes',
    'num.partitions',
    'min.insync.replicas',
  ],
  ...[
    'log.cleanup.policy',
    'auto.create.topics.enable',
    'group.min.session.timeout.ms',
    'compression.type',
    'log.flush.interval.messages',
  ],
]

interface Described {
  keys?: string[] | null
  version?: number
  synonyms?: boolean
  documentation?: boolean
}

function describes(name: string, resourceType: number, resourceName: string, more: Described = {}): DifferentialCase {
  return describe(name, more.version ?? 4, {
    resources: [{ resourceType, resourceName, configurationKeys: more.keys ?? null }],
    includeSynonyms: more.synonyms ?? true,
    includeDocumentation: more.documentation ?? false,
  })
}

const DESCRIBE: CaseGroup = {
  api: 'DescribeConfigs',
  prepare: async (broker) => {
    await broker.createTopic('described')
    await broker.createTopic('described-set', {
      configs: {
        'retention.ms': '100000',
        'cleanup.policy': 'compact',
        'segment.bytes': '2097152',
        'compression.type': 'gzip',
      },
    })
  },
  cases: [
    ...[1, 2, 3, 4].map((version) => describes('a topic of defaults', TOPIC, 'described', { version })),
    describes('a topic with configs', TOPIC, 'described-set'),
    describes('without synonyms', TOPIC, 'described-set', { synonyms: false, version: 2 }),
    describes('with documentation', TOPIC, 'described', {
      documentation: true,
      keys: ['retention.ms', 'cleanup.policy'],
    }),
    describes('some keys', TOPIC, 'described-set', { keys: ['retention.ms', 'cleanup.policy'] }),
    describes('an empty list of keys', TOPIC, 'described', { keys: [] }),
    describes('an unknown key', TOPIC, 'described', { keys: ['no.such.config', 'retention.ms'] }),
    describes('an unknown topic', TOPIC, 'described-none'),
    describes('an invalid topic name', TOPIC, 'no spaces'),
    describes('an empty topic name', TOPIC, ''),
    describe('the same resource twice', 4, {
      resources: ['described', 'described'].map((resourceName) => ({
        resourceType: TOPIC,
        resourceName,
        configurationKeys: ['retention.ms'],
      })),
    }),
    describe('no resources', 4, { resources: [] }),
    describes('an unknown resource type', 77, 'x'),
    describes('the broker', BROKER, '1', { keys: BROKER_KEYS }),
    describes('the broker, without synonyms', BROKER, '1', { keys: BROKER_KEYS, synonyms: false }),
    describes('another broker', BROKER, '2'),
    describes('a broker that is no number', BROKER, 'one'),
    describes('the dynamic defaults of all brokers', BROKER, ''),
    describes('loggers of another broker', BROKER_LOGGER, '2'),
    describes('loggers of a broker that is no number', BROKER_LOGGER, 'x'),
    describes('a group that never was', GROUP, 'described-group', {
      keys: ['consumer.session.timeout.ms', 'consumer.heartbeat.interval.ms'],
    }),
    describes('an empty group name', GROUP, ''),
    describes('client metrics that never were', CLIENT_METRICS, 'described-metrics'),
    describes('an empty name of client metrics', CLIENT_METRICS, ''),
  ],
}

type Change = [name: string, operation: number, value: string | null]

interface Altered {
  type?: number
  version?: number
  validateOnly?: boolean
}

function alters(name: string, resourceName: string, changes: Change[], more: Altered = {}): DifferentialCase {
  const configs = changes.map(([key, configOperation, value]) => ({ name: key, configOperation, value }))
  return incremental(name, more.version ?? 1, {
    resources: [{ resourceType: more.type ?? TOPIC, resourceName, configs }],
    validateOnly: more.validateOnly ?? false,
  })
}

/** What is set now, once the broker itself has seen the change. */
function nowSet(
  name: string,
  resourceName: string,
  expected: Record<string, string>,
  resourceType = TOPIC,
): DifferentialCase {
  const set = async (
    broker: DifferentialBroker,
  ): Promise<{ name: string; value: string | null; configSource: number }[]> => {
    const connection = await broker.connection('asks')
    const resources = [{ resourceType, resourceName, configurationKeys: null }]
    const answer = await connection.send(
      DescribeConfigsRequest,
      DescribeConfigsResponse,
      { resources, includeSynonyms: true },
      { version: 4 },
    )
    return (answer.results[0]?.configs ?? []).filter(({ configSource }) => [1, 2, 8].includes(configSource))
  }
  return {
    name,
    ask: async (broker) => {
      await broker.until(`${resourceName} is ${JSON.stringify(expected)}`, async () => {
        const entries = (await set(broker)).map((entry) => [entry.name, entry.value])
        return JSON.stringify(Object.entries(expected).sort()) === JSON.stringify(entries.sort())
      })
      return set(broker)
    },
  }
}

/** Another topic's retention.ms with all its synonyms, once it has the value. */
function topicHas(name: string, value: string): DifferentialCase {
  return described(name, TOPIC, 'altered-plain', 'retention.ms', (config) => config.value === value)
}

function keptSecret(name: string): DifferentialCase {
  return described(name, BROKER, '1', 'my.own.config', (config) => config.configSource === 2)
}

type DescribedConfig = Infer<typeof DescribeConfigsResponse>['results'][number]['configs'][number]

/** One config, as soon as it is as wanted. */
function described(
  name: string,
  resourceType: number,
  resourceName: string,
  key: string,
  isSettled: (config: DescribedConfig) => boolean,
): DifferentialCase {
  const resources = [{ resourceType, resourceName, configurationKeys: [key] }]
  return {
    name,
    ask: async (broker) => {
      const connection = await broker.connection('asks')
      const ask = async () =>
        (
          await connection.send(
            DescribeConfigsRequest,
            DescribeConfigsResponse,
            { resources, includeSynonyms: true },
            { version: 4 },
          )
        ).results[0]?.configs[0]
      await broker.until(`${key} of ${resourceName}`, async () => {
        const config = await ask()
        return config !== undefined && isSettled(config)
      })
      return ask()
    },
  }
}

const INCREMENTAL: CaseGroup = {
  api: 'IncrementalAlterConfigs',
  prepare: async (broker) => {
    await broker.createTopic('altered')
    await broker.createTopic('altered-plain')
  },
  cases: [
    alters('set', 'altered', [
      ['retention.ms', SET, '5000'],
      ['segment.bytes', SET, '2097152'],
    ]),
    nowSet('is set', 'altered', { 'retention.ms': '5000', 'segment.bytes': '2097152' }),
    alters('delete in an old version', 'altered', [['segment.bytes', DELETE, null]], { version: 0 }),
    nowSet('is deleted', 'altered', { 'retention.ms': '5000' }),
    alters('delete what is not set', 'altered', [['segment.ms', DELETE, null]]),
    alters('append to a list', 'altered', [['cleanup.policy', APPEND, 'compact']]),
    nowSet('is appended to the default', 'altered', { 'retention.ms': '5000', 'cleanup.policy': 'delete,compact' }),
    alters('append what is there', 'altered', [['cleanup.policy', APPEND, 'compact']]),
    alters('subtract from a list', 'altered', [['cleanup.policy', SUBTRACT, 'delete']]),
    nowSet('is subtracted', 'altered', { 'retention.ms': '5000', 'cleanup.policy': 'compact' }),
    alters('append to what is no list', 'altered', [['retention.ms', APPEND, '1']]),
    alters('subtract from what is no list', 'altered', [['retention.ms', SUBTRACT, '1']]),
    alters('append an invalid item', 'altered', [['cleanup.policy', APPEND, 'keep']]),
    alters('set to null', 'altered', [['retention.ms', SET, null]]),
    alters('an unknown operation', 'altered', [['retention.ms', 9, '1']]),
    alters('a key twice', 'altered', [
      ['retention.ms', SET, '1'],
      ['retention.ms', SET, '2'],
    ]),
    alters('an unknown key', 'altered', [['no.such.config', SET, '1']]),
    alters('no number', 'altered', [['retention.ms', SET, 'soon']]),
    alters('out of range', 'altered', [['min.cleanable.dirty.ratio', SET, '2']]),
    alters('one good and one bad change', 'altered', [
      ['segment.ms', SET, '9999'],
      ['retention.ms', SET, 'soon'],
    ]),
    nowSet('nothing of them was set', 'altered', { 'retention.ms': '5000', 'cleanup.policy': 'compact' }),
    alters('only to validate', 'altered', [['segment.ms', SET, '9999']], { validateOnly: true }),
    alters('only to validate, with an error', 'altered', [['segment.ms', SET, '-9']], { validateOnly: true }),
    nowSet('validation changed nothing', 'altered', { 'retention.ms': '5000', 'cleanup.policy': 'compact' }),
    alters('no changes', 'altered', []),
    alters('an unknown topic', 'altered-none', [['retention.ms', SET, '1']]),
    alters('an empty topic name', '', [['retention.ms', SET, '1']]),
    incremental('the same resource twice', 1, {
      resources: ['altered', 'altered'].map((resourceName) => ({
        resourceType: TOPIC,
        resourceName,
        configs: [{ name: 'retention.ms', configOperation: SET, value: '1' }],
      })),
      validateOnly: false,
    }),
    incremental('a good and a bad resource', 1, {
      resources: ['altered', 'altered-none'].map((resourceName) => ({
        resourceType: TOPIC,
        resourceName,
        configs: [{ name: 'retention.ms', configOperation: SET, value: '7000' }],
      })),
      validateOnly: false,
    }),
    alters('an unknown resource type', 'x', [['a', SET, 'b']], { type: 99 }),
    alters('a dynamic broker config', '1', [['log.cleaner.threads', SET, '2']], { type: BROKER }),
    nowSet('the broker config is set', '1', { 'log.cleaner.threads': '2' }, BROKER),
    alters('delete it', '1', [['log.cleaner.threads', DELETE, null]], { type: BROKER }),
    nowSet('the broker config is gone', '1', {}, BROKER),
    alters('a default for all brokers', '', [['log.retention.ms', SET, '7200000']], { type: BROKER }),
    topicHas('topics show it', '7200000'),
    describes('the dynamic defaults show it', BROKER, ''),
    alters('remove the default', '', [['log.retention.ms', DELETE, null]], { type: BROKER }),
    topicHas('topics no longer show it', '604800000'),
    alters('an unknown broker config is kept', '1', [['my.own.config', SET, 'secret']], { type: BROKER }),
    keptSecret('and shown without its value'),
    alters('and removed', '1', [['my.own.config', DELETE, null]], { type: BROKER }),
    alters('a broker config that cannot change', '1', [['log.dirs', SET, '/elsewhere']], { type: BROKER }),
    alters('a broker config that is no number', '1', [['log.cleaner.threads', SET, 'many']], { type: BROKER }),
    alters('another broker', '7', [['log.cleaner.threads', SET, '2']], { type: BROKER }),
    alters('a logger of another broker', '7', [['kafka', SET, 'INFO']], { type: BROKER_LOGGER }),
    alters('a group config', 'altered-group', [['consumer.session.timeout.ms', SET, '46000']], { type: GROUP }),
    nowSet('the group config is set', 'altered-group', { 'consumer.session.timeout.ms': '46000' }, GROUP),
    alters('a group config below the minimum', 'altered-group', [['consumer.session.timeout.ms', SET, '10']], {
      type: GROUP,
    }),
    alters('an unknown group config', 'altered-group', [['no.such', SET, '10']], { type: GROUP }),
    alters('an empty group name', '', [['consumer.session.timeout.ms', SET, '46000']], { type: GROUP }),
    alters('a client metrics interval out of range', 'altered-metrics', [['interval.ms', SET, '1']], {
      type: CLIENT_METRICS,
    }),
    alters(
      'client metrics',
      'altered-metrics',
      [
        ['interval.ms', SET, '1000'],
        ['metrics', SET, 'a.b,c'],
        ['match', SET, 'client_id=a.*'],
      ],
      {
        type: CLIENT_METRICS,
      },
    ),
    alters('a metric more', 'altered-metrics', [['metrics', APPEND, 'd']], { type: CLIENT_METRICS }),
    alters('a metric less', 'altered-metrics', [['metrics', SUBTRACT, 'c']], { type: CLIENT_METRICS }),
    describes('client metrics that are set', CLIENT_METRICS, 'altered-metrics'),
    alters('two client patterns', 'altered-metrics', [['match', APPEND, 'client_source_port=123']], {
      type: CLIENT_METRICS,
    }),
    alters('an unknown client fact', 'altered-metrics', [['match', SET, 'client_shoe_size=44']], {
      type: CLIENT_METRICS,
    }),
    alters('a client pattern without a fact', 'altered-metrics', [['match', SET, 'abc']], { type: CLIENT_METRICS }),
    alters('a client pattern with two signs', 'altered-metrics', [['match', SET, 'client_id=a=b']], {
      type: CLIENT_METRICS,
    }),
    alters('a client pattern that is no pattern', 'altered-metrics', [['match', SET, 'client_id=(']], {
      type: CLIENT_METRICS,
    }),
    alters('a client metrics interval that is no number', 'altered-metrics', [['interval.ms', SET, 'x']], {
      type: CLIENT_METRICS,
    }),
    alters('an interval above the largest', 'altered-metrics', [['interval.ms', SET, '3600001']], {
      type: CLIENT_METRICS,
    }),
    alters('an unknown client metrics config', 'altered-metrics', [['no.such', SET, '1']], { type: CLIENT_METRICS }),
    alters('client metrics without a name', '', [['interval.ms', SET, '1000']], { type: CLIENT_METRICS }),
    alters('an interval to append to', 'altered-metrics', [['interval.ms', APPEND, '1']], { type: CLIENT_METRICS }),
    alters(
      'client metrics deleted',
      'altered-metrics',
      [
        ['interval.ms', DELETE, null],
        ['metrics', DELETE, null],
        ['match', DELETE, null],
      ],
      {
        type: CLIENT_METRICS,
      },
    ),
    describes('client metrics that were deleted', CLIENT_METRICS, 'altered-metrics'),
  ],
}

function replaces(
  name: string,
  resourceName: string,
  configs: Record<string, string | null>,
  more: Altered = {},
): DifferentialCase {
  const entries = Object.entries(configs).map(([key, value]) => ({ name: key, value }))
  return replace(name, more.version ?? 2, {
    resources: [{ resourceType: more.type ?? TOPIC, resourceName, configs: entries }],
    validateOnly: more.validateOnly ?? false,
  })
}

const REPLACE: CaseGroup = {
  api: 'AlterConfigs',
  prepare: (broker) => broker.createTopic('replaced', { configs: { 'retention.ms': '1000', 'segment.ms': '2000' } }),
  cases: [
    replaces('in version 0', 'replaced', { 'retention.ms': '3000', 'flush.ms': '50' }, { version: 0 }),
    nowSet('what was left out is reset', 'replaced', { 'retention.ms': '3000', 'flush.ms': '50' }),
    replaces('in version 1', 'replaced', { 'retention.ms': '4000' }, { version: 1 }),
    replaces('a null value', 'replaced', { 'retention.ms': null }),
    replaces('an unknown key', 'replaced', { 'no.such': '1' }),
    replaces('no number', 'replaced', { 'retention.ms': 'soon' }),
    replaces('an unknown topic', 'replaced-none', { 'retention.ms': '1' }),
    replaces('only to validate', 'replaced', { 'retention.ms': '9' }, { validateOnly: true }),
    nowSet('the errors changed nothing', 'replaced', { 'retention.ms': '4000' }),
    replaces('by nothing', 'replaced', {}),
    nowSet('nothing is left', 'replaced', {}),
    replaces('loggers', '1', { kafka: 'INFO' }, { type: BROKER_LOGGER }),
    replaces('another broker', '9', { 'log.cleaner.threads': '1' }, { type: BROKER }),
    replaces('an unknown resource type', 'x', {}, { type: 50 }),
    accepting(
      replace(
        'the same resource twice',
        2,
        {
          resources: ['replaced', 'replaced'].map((resourceName) => ({
            resourceType: TOPIC,
            resourceName,
            configs: [],
          })),
          validateOnly: false,
        },
        { connection: 'never-answered', timeoutMs: 1_500 },
      ),
      'Kafka never answers a resource given twice',
      {
        throttleTimeMs: 0,
        responses: Array(2).fill({
          errorCode: 42,
          errorMessage: '<text>',
          resourceType: TOPIC,
          resourceName: 'replaced',
        }),
      },
    ),
  ],
}

export const CONFIG_CASES: CaseGroup[] = [DESCRIBE, INCREMENTAL, REPLACE]
