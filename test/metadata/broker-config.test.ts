import { describe, expect, test } from 'bun:test'
import { BrokerConfig, ConfigurationError } from '../../src/metadata/broker-config.ts'
import { DEVELOPMENT_DEFAULTS } from '../../src/metadata/development-defaults.ts'
import { MetadataImage } from '../../src/metadata/image.ts'
import { MemoryMetadataStore } from '../../src/metadata/store-memory.ts'
import { brokerConfigKey, encodeValue } from '../../src/metadata/values.ts'
import { ManualClock } from '../../src/storage/clock-manual.ts'

const given = (properties: Record<string, string>): BrokerConfig =>
  new BrokerConfig({ properties: new Map(Object.entries(properties)) })

function problems(properties: Record<string, string>): readonly string[] {
  try {
    given(properties)
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems
    throw error
  }
}

describe('what the operator gives', () => {
  test('values are typed; what is not given has its default', () => {
    const config = given({ 'log.retention.ms': ' 1000 ', 'auto.create.topics.enable': 'FALSE', 'log.dirs': '/a, /b' })
    expect(config.number('log.retention.ms')).toBe(1000)
    expect(config.boolean('auto.create.topics.enable')).toBe(false)
    expect(config.list('log.dirs')).toEqual(['/a', '/b'])
    expect(config.number('num.partitions')).toBe(1)
    expect(config.number('log.cleaner.min.cleanable.ratio')).toBe(0.5)
    expect(config.string('compression.type')).toBe('producer')
    expect(config.numberOrNull('log.retention.minutes')).toBeNull()
    expect(config.stringOrNull('broker.rack')).toBeNull()
    expect(config.number('log.flush.interval.messages')).toBe(Number.MAX_SAFE_INTEGER)
    expect(config.text('log.flush.interval.messages')).toBe('9223372036854775807')
    expect(config.warnings).toEqual([])
  })

  test('development defaults count as given, and give way to what is given', () => {
    expect(given({}).number('offsets.topic.replication.factor')).toBe(1)
    expect(given({}).levels('offsets.topic.replication.factor')).toEqual([
      { level: 'static', value: '1' },
      { level: 'default', value: '3' },
    ])
    expect(given({ 'offsets.topic.replication.factor': '3' }).number('offsets.topic.replication.factor')).toBe(3)
    const plain = new BrokerConfig({ properties: new Map(), defaults: new Map() })
    for (const name of DEVELOPMENT_DEFAULTS.keys()) {
      expect(plain.levels(name).map(({ level }) => level)).toEqual(['default'])
    }
  })

  test('segments too small for an internal topic are refused: its coordinators could never begin', () => {
    const found = problems({ 'offsets.topic.segment.bytes': '1048575', 'transaction.state.log.segment.bytes': '1024' })
    expect(found).toEqual([
      'offsets.topic.segment.bytes: __consumer_offsets cannot be created with it: Invalid value 1048575 for configuration segment.bytes: Value must be at least 1048576',
      'transaction.state.log.segment.bytes: __transaction_state cannot be created with it: Invalid value 1024 for configuration segment.bytes: Value must be at least 1048576',
    ])
    expect(problems({ 'share.coordinator.state.topic.segment.bytes': '1' })).toHaveLength(1)
    expect(problems({ 'offsets.topic.segment.bytes': '1048576' })).toEqual([])
  })

  test('an impossible value names the key, the value and what is allowed; all problems come at once', () => {
    const found = problems({ 'num.partitions': '0', 'log.retention.ms': 'abc', 'log.cleanup.policy': 'shred' })
    expect(found).toHaveLength(3)
    expect(found[0]).toBe(
      'Invalid value 0 for configuration num.partitions: Value must be at least 1 (allowed: int, [1,...])',
    )
    expect(found[1]).toContain('abc')
    expect(found[1]).toContain('(allowed: long)')
    expect(found[2]).toContain('[compact, delete]')
  })

  test('values that do not fit each other are a problem', () => {
    expect(problems({ 'group.min.session.timeout.ms': '7000000' })).toEqual([
      'group.min.session.timeout.ms (7000000) must not be greater than group.max.session.timeout.ms (1800000)',
    ])
    expect(problems({ 'group.consumer.session.timeout.ms': '100000' })[0]).toContain(
      'group.consumer.max.session.timeout.ms (60000)',
    )
  })

  test.each([
    ['no.such.property', 'not a known property'],
    ['zookeeper.connect', 'no effect'],
    ['sasl.enabled.mechanisms', 'no effect'],
    ['ssl.keystore.location', 'no effect'],
    ['replica.selector.class', 'no effect'],
    ['leader.replication.throttled.rate', 'while the broker runs'],
  ])('%s is a warning, not an error', (name, text) => {
    const { warnings } = given({ [name]: '1' })
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toContain(name)
    expect(warnings[0]).toContain(text)
  })

  test('what means nothing on one node is accepted in silence, as a file written for Kafka has it', () => {
    const kafka = {
      'process.roles': 'broker,controller',
      'controller.quorum.voters': '1@localhost:9093',
      'controller.listener.names': 'CONTROLLER',
      'num.network.threads': '3',
      'replica.fetch.max.bytes': '2097152',
      'auto.leader.rebalance.enable': 'true',
    }
    expect(given(kafka).warnings).toEqual([])
  })

  test("a listener's own settings are accepted without a warning", () => {
    expect(given({ 'listener.name.internal.ssl.keystore.type': 'PEM' }).warnings).toEqual([])
  })

  test('asking for what does not exist, or as another type, is a mistake of the programmer', () => {
    const config = given({})
    expect(() => config.number('no.such')).toThrow('no broker configuration')
    expect(() => config.number('compression.type')).toThrow('not a number')
    expect(() => config.number('log.retention.ms')).toThrow('has no value')
    expect(() => config.boolean('num.partitions')).toThrow('not a boolean')
    expect(() => config.list('num.partitions')).toThrow('not a list')
  })
})

describe('dynamic configs', () => {
  async function following(properties: Record<string, string> = {}) {
    const store = new MemoryMetadataStore({ clock: new ManualClock() })
    const config = given(properties)
    const image = await MetadataImage.load(store)
    const stop = config.follow(image, 1)
    const heard: string[][] = []
    config.onChange((names) => heard.push([...names].sort()))
    const set = (name: string, values: Record<string, string>) =>
      store.transact({ puts: [{ key: brokerConfigKey(name), value: encodeValue(values) }] })
    return { store, config, heard, set, stop }
  }

  test('for this broker beats for the cluster beats given at start beats default', async () => {
    const { store, config, set } = await following({ 'log.segment.bytes': '2000000' })
    expect(config.number('log.segment.bytes')).toBe(2_000_000)
    await set('', { 'log.segment.bytes': '3000000' })
    expect(config.number('log.segment.bytes')).toBe(3_000_000)
    await set('1', { 'log.segment.bytes': '4000000' })
    expect(config.number('log.segment.bytes')).toBe(4_000_000)
    expect(config.levels('log.segment.bytes').map(({ level }) => level)).toEqual([
      'dynamic-broker',
      'dynamic-cluster',
      'static',
      'default',
    ])
    await store.transact({ deletes: [brokerConfigKey('1'), brokerConfigKey('')] })
    expect(config.number('log.segment.bytes')).toBe(2_000_000)
  })

  test("another broker's configs do not count", async () => {
    const { config, heard, set } = await following()
    await set('2', { 'log.segment.bytes': '4000000' })
    expect(config.number('log.segment.bytes')).toBe(1_073_741_824)
    expect(heard).toEqual([])
  })

  test('listeners hear exactly the names that changed', async () => {
    const { heard, set } = await following()
    await set('', { 'log.segment.bytes': '3000000', 'log.retention.ms': '5' })
    await set('', { 'log.segment.bytes': '3000000', 'log.retention.ms': '6' })
    await set('', { 'log.segment.bytes': '3000000', 'log.retention.ms': '6' })
    await set('', {})
    expect(heard).toEqual([
      ['log.retention.ms', 'log.segment.bytes'],
      ['log.retention.ms'],
      ['log.retention.ms', 'log.segment.bytes'],
    ])
  })

  test('a stored value that does not parse is passed over', async () => {
    const { config, set } = await following({ 'log.segment.bytes': '2000000' })
    await set('', { 'log.segment.bytes': 'broken' })
    expect(config.number('log.segment.bytes')).toBe(2_000_000)
  })

  test('who stopped following stays with what it had', async () => {
    const { config, set, stop } = await following()
    stop()
    await set('', { 'log.segment.bytes': '3000000' })
    expect(config.number('log.segment.bytes')).toBe(1_073_741_824)
  })
})
