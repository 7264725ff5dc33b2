import { describe, expect, test } from 'bun:test'
import { DEFAULT_LOG_CONFIG } from '../../src/log/types.ts'
import { BrokerConfig } from '../../src/metadata/broker-config.ts'
import { AlterOperation } from '../../src/metadata/config-alter.ts'
import { type Configs, ResourceType } from '../../src/metadata/configs.ts'
import { LeveledLogger } from '../../src/metadata/log-level.ts'
import { openMetadata } from '../../src/metadata/metadata.ts'
import { MetadataStoreError } from '../../src/metadata/store.ts'
import { MemoryMetadataStore } from '../../src/metadata/store-memory.ts'
import { topicConfigKey } from '../../src/metadata/values.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { ZERO_UUID } from '../../src/protocol/schema.ts'
import { ManualClock } from '../../src/storage/clock-manual.ts'
import type { Logger } from '../../src/storage/logger.ts'
import { SeededRandom } from '../../src/storage/random-seeded.ts'
import { newTopic, type TestMetadata, type TestMetadataOptions, testMetadata, withInterference } from './support.ts'

/** The answers themselves are held against a recorded broker in test/broker/admin-golden.test.ts; here is what they lead to. */

async function set(configs: Configs, type: number, name: string, values: Record<string, string | null>) {
  const operations = Object.entries(values).map(([key, value]) => ({
    name: key,
    operation: value === null ? AlterOperation.DELETE : AlterOperation.SET,
    value,
  }))
  const [result] = await configs.incrementalAlter([{ type, name, operations }], { validateOnly: false })
  return result!
}

async function withTopic(
  options: TestMetadataOptions = {},
  configs: Record<string, string> = {},
): Promise<TestMetadata> {
  const metadata = await testMetadata(options)
  const pairs = Object.entries(configs).map(([name, value]) => ({ name, value }))
  await metadata.topics.create([newTopic('t', { configs: pairs })], { validateOnly: false })
  return metadata
}

describe('effective settings of a topic', () => {
  test("without any setting they are Kafka's defaults", async () => {
    const { configs } = await withTopic()
    expect(configs.logConfig('t')).toEqual(DEFAULT_LOG_CONFIG)
  })

  test('every setting of its own has its effect', async () => {
    const { configs } = await withTopic(
      {},
      {
        'cleanup.policy': 'compact,delete',
        'compression.gzip.level': '5',
        'compression.lz4.level': '9',
        'compression.type': 'zstd',
        'compression.zstd.level': '7',
        'delete.retention.ms': '11',
        'file.delete.delay.ms': '12',
        'flush.messages': '13',
        'flush.ms': '14',
        'index.interval.bytes': '15',
        'max.compaction.lag.ms': '116',
        'max.message.bytes': '17',
        'message.timestamp.after.max.ms': '18',
        'message.timestamp.before.max.ms': '19',
        'message.timestamp.type': 'LogAppendTime',
        'min.cleanable.dirty.ratio': '0.25',
        'min.compaction.lag.ms': '20',
        'min.insync.replicas': '2',
        preallocate: 'true',
        'retention.bytes': '21',
        'retention.ms': '22',
        'segment.bytes': '2000000',
        'segment.index.bytes': '23',
        'segment.jitter.ms': '24',
        'segment.ms': '25',
        'unclean.leader.election.enable': 'true',
      },
    )
    expect(configs.logConfig('t')).toEqual({
      segmentBytes: 2_000_000,
      segmentMs: 25,
      segmentJitterMs: 24,
      segmentIndexBytes: 23,
      indexIntervalBytes: 15,
      preallocate: true,
      flushMessages: 13,
      flushMs: 14,
      retentionMs: 22,
      retentionBytes: 21,
      fileDeleteDelayMs: 12,
      cleanupPolicy: { compact: true, delete: true },
      deleteRetentionMs: 11,
      minCompactionLagMs: 20,
      maxCompactionLagMs: 116,
      minCleanableDirtyRatio: 0.25,
      maxMessageBytes: 17,
      compressionType: 'zstd',
      compressionLevels: { gzip: 5, lz4: 9, zstd: 7 },
      timestampType: 'LogAppendTime',
      timestampBeforeMaxMs: 19,
      timestampAfterMaxMs: 18,
      minInsyncReplicas: 2,
      uncleanLeaderElection: true,
      producerIdExpirationMs: 86_400_000,
    })
  })

  test.each([
    [{ 'log.retention.hours': '2' }, 'retentionMs', 7_200_000],
    [{ 'log.retention.hours': '2', 'log.retention.minutes': '3' }, 'retentionMs', 180_000],
    [{ 'log.retention.minutes': '3', 'log.retention.ms': '4' }, 'retentionMs', 4],
    [{ 'log.retention.hours': '-1' }, 'retentionMs', -1],
    [{ 'log.retention.ms': '-7' }, 'retentionMs', -1],
    [{ 'log.roll.hours': '1' }, 'segmentMs', 3_600_000],
    [{ 'log.roll.hours': '1', 'log.roll.ms': '5' }, 'segmentMs', 5],
    [{ 'log.roll.jitter.hours': '1' }, 'segmentJitterMs', 3_600_000],
    [{ 'log.flush.scheduler.interval.ms': '6' }, 'flushMs', 6],
    [{ 'log.flush.interval.ms': '7', 'log.flush.scheduler.interval.ms': '6' }, 'flushMs', 7],
    [{ 'message.max.bytes': '8' }, 'maxMessageBytes', 8],
    [{ 'producer.id.expiration.ms': '9' }, 'producerIdExpirationMs', 9],
  ] as [Record<string, string>, string, number][])('from the broker: %j', async (properties, name, expected) => {
    const { configs } = await withTopic({ properties })
    expect(configs.logConfig('t')[name as 'segmentMs']).toBe(expected)
  })

  test("the topic's own value beats the broker's, in whatever unit that is", async () => {
    const { configs } = await withTopic({ properties: { 'log.retention.ms': '4' } }, { 'retention.ms': '9' })
    expect(configs.logConfig('t').retentionMs).toBe(9)
  })

  test('the object stays the same until something changes', async () => {
    const { configs, topics } = await withTopic({}, { 'retention.ms': '9' })
    const before = configs.logConfig('t')
    await topics.create([newTopic('other', { configs: [{ name: 'retention.ms', value: '1' }] })], {
      validateOnly: false,
    })
    expect(configs.logConfig('t')).toBe(before)
    expect(configs.logConfig('plain')).toBe(configs.logConfig('plain-too'))
    await set(configs, ResourceType.TOPIC, 't', { 'retention.ms': '10' })
    expect(configs.logConfig('t').retentionMs).toBe(10)
  })

  test('a topic that was deleted and created again does not have the old settings', async () => {
    const { configs, topics } = await withTopic({}, { 'retention.ms': '9' })
    expect(configs.logConfig('t').retentionMs).toBe(9)
    await topics.delete([{ name: 't', topicId: ZERO_UUID }])
    await topics.create([newTopic('t')], { validateOnly: false })
    expect(configs.logConfig('t').retentionMs).toBe(604_800_000)
  })
})

describe('changes take effect at once', () => {
  test('listeners of topic settings hear which topics, before the request is answered', async () => {
    const { configs } = await withTopic()
    const heard: (readonly string[] | null)[] = []
    configs.onTopicSettingsChange((topics) => heard.push(topics))
    await set(configs, ResourceType.TOPIC, 't', { 'retention.ms': '5' })
    expect(heard).toEqual([['t']])
    await set(configs, ResourceType.BROKER, '', { 'log.retention.ms': '6' })
    expect(heard).toEqual([['t'], null])
    expect(configs.logConfig('other').retentionMs).toBe(6)
    expect(configs.logConfig('t').retentionMs).toBe(5)
    await set(configs, ResourceType.TOPIC, 't', { 'retention.ms': null })
    expect(configs.logConfig('t').retentionMs).toBe(6)
  })

  test('while the listener runs, the settings are already the new ones', async () => {
    const { configs } = await withTopic()
    let seen = 0
    configs.onTopicSettingsChange(() => {
      seen = configs.logConfig('t').segmentMs
    })
    await set(configs, ResourceType.BROKER, '1', { 'log.roll.ms': '77' })
    expect(seen).toBe(77)
  })

  test('setting what is set already writes nothing', async () => {
    const { configs, image } = await withTopic({}, { 'retention.ms': '9' })
    const before = image.revision
    await set(configs, ResourceType.TOPIC, 't', { 'retention.ms': '9' })
    expect(image.revision).toBe(before)
  })

  test('deleting the last config leaves nothing behind', async () => {
    const { configs, store } = await withTopic({}, { 'retention.ms': '9' })
    await set(configs, ResourceType.TOPIC, 't', { 'retention.ms': null })
    expect(await store.get(topicConfigKey('t'))).toBeNull()
  })
})

describe('several processes', () => {
  test('two changes of different keys of one topic both stay', async () => {
    const store = withInterference(new MemoryMetadataStore({ clock: new ManualClock() }))
    const ours = await withTopic({ store })
    const theirs = await testMetadata({ store, seed: 2 })
    store.interfere(() => set(theirs.configs, ResourceType.TOPIC, 't', { 'segment.ms': '5' }))
    expect((await set(ours.configs, ResourceType.TOPIC, 't', { 'retention.ms': '6' })).errorCode).toBe(ErrorCode.NONE)
    expect([...ours.image.topic('t')!.configs].sort()).toEqual([
      ['retention.ms', '6'],
      ['segment.ms', '5'],
    ])
  })

  test('a topic that is deleted meanwhile is unknown, and its configs do not come back', async () => {
    const store = withInterference(new MemoryMetadataStore({ clock: new ManualClock() }))
    const ours = await withTopic({ store })
    const theirs = await testMetadata({ store, seed: 2 })
    store.interfere(() => theirs.topics.delete([{ name: 't', topicId: ZERO_UUID }]))
    const result = await set(ours.configs, ResourceType.TOPIC, 't', { 'retention.ms': '6' })
    expect(result.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    expect(await store.get(topicConfigKey('t'))).toBeNull()
  })

  test('a store that cannot write is an answer, and nothing has changed', async () => {
    const store = withInterference(new MemoryMetadataStore({ clock: new ManualClock() }))
    const { configs } = await withTopic({ store })
    store.interfere(() => Promise.reject(new MetadataStoreError('database or disk is full')))
    const result = await set(configs, ResourceType.TOPIC, 't', { 'retention.ms': '6' })
    expect([result.errorCode, result.errorMessage]).toEqual([ErrorCode.KAFKA_STORAGE_ERROR, 'database or disk is full'])
    expect(configs.logConfig('t').retentionMs).toBe(604_800_000)
  })

  test('each resource of a request succeeds or fails for itself', async () => {
    const { configs, topics } = await withTopic()
    await topics.create([newTopic('u')], { validateOnly: false })
    const operation = (value: string) => [{ name: 'retention.ms', operation: AlterOperation.SET, value }]
    const results = await configs.incrementalAlter(
      [
        { type: ResourceType.TOPIC, name: 't', operations: operation('x') },
        { type: ResourceType.TOPIC, name: 'u', operations: operation('5') },
        { type: 3, name: 'm', operations: [] },
      ],
      { validateOnly: false },
    )
    expect(results.map(({ errorCode }) => errorCode)).toEqual([
      ErrorCode.INVALID_CONFIG,
      ErrorCode.NONE,
      ErrorCode.INVALID_REQUEST,
    ])
    expect(configs.logConfig('u').retentionMs).toBe(5)
  })

  test('topics of one request are changed in one write, also when somebody changed one of them in between', async () => {
    const store = withInterference(new MemoryMetadataStore({ clock: new ManualClock() }))
    const ours = await withTopic({ store })
    const theirs = await testMetadata({ store, seed: 2 })
    const names = ['t', 'u', 'v']
    await ours.topics.create([newTopic('u'), newTopic('v')], { validateOnly: false })
    const { revision } = await store.list('')
    store.interfere(() => set(theirs.configs, ResourceType.TOPIC, 'u', { 'segment.ms': '7' }))
    const operations = [{ name: 'retention.ms', operation: AlterOperation.SET, value: '5' }]
    const results = await ours.configs.incrementalAlter(
      names.map((name) => ({ type: ResourceType.TOPIC, name, operations })),
      { validateOnly: false },
    )
    expect(results.map(({ name, errorCode }) => [name, errorCode])).toEqual(names.map((name) => [name, ErrorCode.NONE]))
    expect(names.map((name) => ours.configs.logConfig(name).retentionMs)).toEqual([5, 5, 5])
    expect(ours.configs.logConfig('u').segmentMs).toBe(7)
    expect((await store.list('')).revision).toBe(revision + 2)
  })
})

describe('a fresh cluster', () => {
  test('has min.insync.replicas as its one dynamic config, from what the first broker was given', async () => {
    const { image } = await testMetadata({ properties: { 'min.insync.replicas': '2' } })
    expect([...image.config('broker', '').values]).toEqual([['min.insync.replicas', '2']])
  })

  test('is made once: later starts find what is there', async () => {
    const store = new MemoryMetadataStore({ clock: new ManualClock() })
    await testMetadata({ store })
    const { image } = await testMetadata({ store, properties: { 'min.insync.replicas': '2' } })
    expect(image.config('broker', '').values.get('min.insync.replicas')).toBe('1')
  })
})

describe('dynamic broker settings', () => {
  const unusable: Record<string, string>[] = [
    { 'log.retention.ms': '0' },
    { 'max.connection.creation.rate': '0' },
    { 'log.cleaner.threads': '0' },
    { 'log.cleaner.dedupe.buffer.size': '1048576' },
  ]
  for (const values of unusable) {
    test(`nothing a broker cannot run with: ${Object.entries(values).join()}`, async () => {
      const { configs } = await testMetadata()
      for (const name of ['', '1']) {
        expect((await set(configs, ResourceType.BROKER, name, values)).errorCode).toBe(ErrorCode.INVALID_REQUEST)
      }
    })
  }

  test('a value that nobody may have is refused as such, even where nothing may be set', async () => {
    const { configs } = await testMetadata()
    const refused = await set(configs, ResourceType.BROKER, '1', { 'min.insync.replicas': '0' })
    expect(refused).toMatchObject({ errorCode: ErrorCode.INVALID_REQUEST })
  })
})

describe('groups', () => {
  test("a group's value beats the broker's, and any group has the broker's", async () => {
    const { configs } = await testMetadata({ properties: { 'group.consumer.session.timeout.ms': '50000' } })
    await set(configs, ResourceType.GROUP, 'g', { 'consumer.session.timeout.ms': '55000' })
    expect(configs.groupValue('g', 'consumer.session.timeout.ms')).toBe(55_000)
    expect(configs.groupValue('other', 'consumer.session.timeout.ms')).toBe(50_000)
    expect(configs.groupValue('other', 'share.auto.offset.reset')).toBe('latest')
    expect(() => configs.groupValue('g', 'no.such')).toThrow('no group configuration')
  })

  test('a session that is not longer than the heartbeat is refused', async () => {
    const properties = {
      'group.consumer.min.session.timeout.ms': '1000',
      'group.consumer.max.heartbeat.interval.ms': '15000',
    }
    const { configs } = await testMetadata({ properties })
    const result = await set(configs, ResourceType.GROUP, 'g', { 'consumer.session.timeout.ms': '5000' })
    expect(result.errorCode).toBe(ErrorCode.INVALID_CONFIG)
    expect(result.errorMessage).toBe('consumer.session.timeout.ms must be greater than consumer.heartbeat.interval.ms')
  })
})

describe('the logger', () => {
  test('its level decides what passes, and can be changed', async () => {
    const lines: string[] = []
    const writer: Logger = {
      debug: (message) => lines.push(message),
      info: (message) => lines.push(message),
      warn: (message) => lines.push(message),
      error: (message) => lines.push(message),
    }
    const logger = new LeveledLogger(writer, 'info')
    const store = new MemoryMetadataStore({ clock: new ManualClock() })
    const config = new BrokerConfig({ properties: new Map() })
    const { configs } = await openMetadata({ store, config, nodeId: 1, random: new SeededRandom(1), logger })
    const logAll = (tag: string): void => {
      for (const level of ['debug', 'info', 'warn', 'error'] as const) logger[level](`${level} ${tag}`)
    }
    logAll('1')
    await set(configs, ResourceType.BROKER_LOGGER, '1', { root: 'TRACE' })
    logAll('2')
    await set(configs, ResourceType.BROKER_LOGGER, '1', { root: 'FATAL' })
    logAll('3')
    expect(lines).toEqual(['info 1', 'warn 1', 'error 1', 'debug 2', 'info 2', 'warn 2', 'error 2', 'error 3'])
    expect(() => new LeveledLogger(writer, 'loud')).toThrow('no log level')
  })

  test('without one that can be changed there is nothing to describe', async () => {
    const { configs } = await testMetadata()
    const resource = { type: ResourceType.BROKER_LOGGER, name: '1' }
    expect(configs.describe(resource, null)).toEqual({ errorCode: 0, errorMessage: null, configs: [] })
    expect((await set(configs, ResourceType.BROKER_LOGGER, '1', { root: 'INFO' })).errorCode).toBe(
      ErrorCode.INVALID_CONFIG,
    )
  })
})

describe('secrets', () => {
  test('passwords and unknown names of the broker are never shown, at any level', async () => {
    const { configs } = await testMetadata({
      properties: { 'ssl.key.password': 'hidden-1', 'some.plugin.token': 'hidden-2' },
    })
    await set(configs, ResourceType.BROKER, '1', { 'listener.name.x.ssl.key.password': 'hidden-3' })
    await set(configs, ResourceType.BROKER, '', { 'other.plugin.token': 'hidden-4' })
    for (const name of ['1', '']) {
      const result = configs.describe({ type: ResourceType.BROKER, name }, null)
      expect(JSON.stringify(result)).not.toContain('hidden-')
    }
    const { configs: described } = configs.describe({ type: ResourceType.BROKER, name: '1' }, ['some.plugin.token'])
    expect(described[0]).toMatchObject({ value: null, sensitive: true, readOnly: true })
  })
})
