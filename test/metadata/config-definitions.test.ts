import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { BrokerConfig } from '../../src/metadata/broker-config.ts'
import type { ConfigDefinition } from '../../src/metadata/config-definitions/definition.ts'
import {
  BROKER_DEFINITIONS,
  DYNAMIC_ONLY_DEFINITIONS,
  GROUP_DEFINITIONS,
  TOPIC_DEFINITIONS,
} from '../../src/metadata/config-definitions/index.ts'
import { TOPIC_SYNONYMS } from '../../src/metadata/config-definitions/topic.ts'
import {
  ConfigSource,
  type DescribedConfig,
  describeBroker,
  describeGroup,
  describeTopic,
} from '../../src/metadata/config-describe.ts'
import { parseConfigValue, WIRE_TYPES } from '../../src/metadata/config-values.ts'
import { MetadataImage } from '../../src/metadata/image.ts'
import { MemoryMetadataStore } from '../../src/metadata/store-memory.ts'
import { brokerConfigKey, encodeValue } from '../../src/metadata/values.ts'
import { ManualClock } from '../../src/storage/clock-manual.ts'

/** One entry of a Kafka broker's answer to DescribeConfigs, as the Java admin client shows it. */
interface KafkaEntry {
  name: string
  value: string | null
  source: string
  type: string
  readOnly: boolean
  sensitive: boolean
  synonyms: [name: string, value: string | null, source: string][]
}

const SOURCE_NAMES: Readonly<Record<number, string>> = {
  [ConfigSource.DYNAMIC_DEFAULT_BROKER]: 'DYNAMIC_DEFAULT_BROKER_CONFIG',
  [ConfigSource.STATIC_BROKER]: 'STATIC_BROKER_CONFIG',
  [ConfigSource.DEFAULT]: 'DEFAULT_CONFIG',
}

const TYPE_NAMES = new Map(Object.entries(WIRE_TYPES).map(([name, code]) => [code, name.toUpperCase()]))

function golden(name: string): KafkaEntry[] {
  return JSON.parse(readFileSync(new URL(`../golden/configs/${name}.json`, import.meta.url), 'utf8'))
}

function asKafkaShows(config: DescribedConfig): KafkaEntry {
  return {
    name: config.name,
    value: config.value,
    source: SOURCE_NAMES[config.source] ?? String(config.source),
    type: TYPE_NAMES.get(config.type) ?? 'UNKNOWN',
    readOnly: config.readOnly,
    sensitive: config.sensitive,
    synonyms: config.synonyms.map(({ name, value, source }) => [name, value, SOURCE_NAMES[source] ?? String(source)]),
  }
}

/** Settings of the broker that gave the golden answers: its file, and what every fresh cluster has. */
async function recordedBroker(): Promise<BrokerConfig> {
  const config = new BrokerConfig({
    defaults: new Map(),
    properties: new Map([
      ['process.roles', 'broker,controller'],
      ['node.id', '1'],
      ['broker.id', '1'],
      ['controller.quorum.voters', '1@127.0.0.1:9093'],
      ['listeners', 'PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093'],
      ['controller.listener.names', 'CONTROLLER'],
      ['log.dirs', '/data'],
      ['offsets.topic.replication.factor', '1'],
    ]),
  })
  const store = new MemoryMetadataStore({ clock: new ManualClock() })
  await store.transact({ puts: [{ key: brokerConfigKey(''), value: encodeValue({ 'min.insync.replicas': '1' }) }] })
  config.follow(await MetadataImage.load(store), 1)
  return config
}

describe('the tables are those of Kafka', () => {
  test('every public broker property: name, type, default, source, synonyms, whether it is read-only', async () => {
    const ours = describeBroker(await recordedBroker()).map(asKafkaShows)
    expect(ours).toHaveLength(340)
    expect(ours).toEqual(golden('broker'))
  })

  test('every topic property', async () => {
    const ours = describeTopic(await recordedBroker(), new Map()).map(asKafkaShows)
    expect(ours).toHaveLength(33)
    expect(ours).toEqual(golden('topic'))
  })

  test('every group property', async () => {
    const ours = describeGroup(await recordedBroker(), new Map()).map(asKafkaShows)
    expect(ours).toHaveLength(17)
    expect(ours).toEqual(golden('group'))
  })
})

const ALL: readonly (readonly [string, ReadonlyMap<string, ConfigDefinition>])[] = [
  ['broker', BROKER_DEFINITIONS],
  ['dynamic broker', DYNAMIC_ONLY_DEFINITIONS],
  ['topic', TOPIC_DEFINITIONS],
  ['group', GROUP_DEFINITIONS],
]

/** Kafka requires these; here the options of the program give them. */
const REQUIRED = new Set(['node.id', 'process.roles', 'controller.listener.names'])

describe.each(ALL)('%s definitions', (_, definitions) => {
  test('each default is a valid value, spelled as it would be described', () => {
    for (const definition of definitions.values()) {
      const parsed = parseConfigValue(definition, definition.defaultValue)
      expect(parsed.ok, definition.name).toBe(true)
      if (parsed.ok) expect(parsed.text, definition.name).toBe(definition.defaultValue)
    }
  })

  test('bounds are inclusive, and the values beyond them are refused', () => {
    for (const definition of definitions.values()) {
      const bounds = /^\[(-?\d+),\.\.\.(?:,(-?\d+))?\]$/.exec(definition.validator?.allowed ?? '')
      if (bounds === null) continue
      const [, min, max] = bounds
      const accepts = (value: number): boolean => parseConfigValue(definition, String(value)).ok
      expect(accepts(Number(min)), `${definition.name} at its minimum`).toBe(true)
      expect(accepts(Number(min) - 1), `${definition.name} below its minimum`).toBe(false)
      if (max === undefined) continue
      expect(accepts(Number(max)), `${definition.name} at its maximum`).toBe(true)
      expect(accepts(Number(max) + 1), `${definition.name} above its maximum`).toBe(false)
    }
  })

  test('numbers and booleans refuse other texts, the empty one included', () => {
    for (const definition of definitions.values()) {
      if (!['int', 'long', 'short', 'double', 'boolean'].includes(definition.type)) continue
      for (const text of ['', 'abc', '1x', '0x10', '1 2']) {
        expect(parseConfigValue(definition, text).ok, `${definition.name}='${text}'`).toBe(false)
      }
    }
  })

  test('one of a few words accepts exactly those', () => {
    for (const definition of definitions.values()) {
      const allowed = definition.validator?.allowed ?? ''
      const words = definition.type === 'string' && /^(\(case insensitive\) )?\[([\w, ]+)\]$/.exec(allowed)
      if (!words) continue
      for (const word of words[2]!.split(', ')) expect(parseConfigValue(definition, word).ok, word).toBe(true)
      expect(parseConfigValue(definition, `${words[2]!.split(', ')[0]}x`).ok, definition.name).toBe(false)
    }
  })

  test('only what Kafka requires has neither a default nor permission to be unset', () => {
    for (const definition of definitions.values()) {
      if (REQUIRED.has(definition.name)) continue
      expect(parseConfigValue(definition, null).ok || definition.defaultValue !== null, definition.name).toBe(true)
    }
  })
})

test('every topic property is documented, and its synonyms are broker properties of a fitting type', () => {
  for (const definition of [...TOPIC_DEFINITIONS.values(), ...GROUP_DEFINITIONS.values()]) {
    if (!definition.internal) expect(definition.documentation, definition.name).not.toBeNull()
  }
  for (const [name, synonyms] of Object.entries(TOPIC_SYNONYMS)) {
    const definition = TOPIC_DEFINITIONS.get(name)!
    for (const { name: synonym, factor } of synonyms) {
      const broker = BROKER_DEFINITIONS.get(synonym)
      expect(broker, synonym).toBeDefined()
      if (factor === 1) expect(broker?.type, synonym).toBe(definition.type)
    }
  }
})

test('a broker property that is the default of a topic or group property says what that one says', () => {
  const documentation = (name: string) => BROKER_DEFINITIONS.get(name)?.documentation ?? null
  for (const [name, [first]] of Object.entries(TOPIC_SYNONYMS)) {
    expect(documentation(first!.name), name).toBe(TOPIC_DEFINITIONS.get(name)!.documentation)
  }
  expect(documentation('log.retention.bytes')).not.toBeNull()
  const group = 'consumer.heartbeat.interval.ms'
  expect(documentation(`group.${group}`)).toBe(GROUP_DEFINITIONS.get(group)!.documentation)
})

test('a topic property and its broker default allow the same', () => {
  for (const [name, [first]] of Object.entries(TOPIC_SYNONYMS)) {
    if (first === undefined || first.factor !== 1) continue
    const broker = BROKER_DEFINITIONS.get(first.name)!
    const topic = TOPIC_DEFINITIONS.get(name)!
    for (const text of ['-3', '-2', '-1', '0', '1', '4', 'delete', 'zstd', 'true']) {
      const own = parseConfigValue(topic, text).ok
      // A broker's limit may be looser: then the topic's default is what fails later. These two are known.
      if (!own && parseConfigValue(broker, text).ok) {
        expect(['log.retention.ms', 'log.flush.interval.ms', 'log.roll.jitter.ms', 'log.roll.ms']).toContain(first.name)
      }
    }
  }
})
