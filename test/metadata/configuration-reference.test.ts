/** docs/configuration.md is what the tables say, and what it calls working is read by some code. */
import { describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { BrokerConfig } from '../../src/metadata/broker-config.ts'
import {
  BROKER_DEFINITIONS,
  DYNAMIC_ONLY_DEFINITIONS,
  GROUP_DEFINITIONS,
  TOPIC_DEFINITIONS,
} from '../../src/metadata/config-definitions/index.ts'
import { TOPIC_SYNONYMS } from '../../src/metadata/config-definitions/topic.ts'
import { effectOf, refusedValue, warningFor } from '../../src/metadata/config-effects.ts'
import { renderConfiguration } from '../../src/metadata/configuration-reference.ts'

const ROOT = join(import.meta.dir, '../..')
/** Here names are declared or judged, which is not using them. */
const NOT_USING = /^metadata\/(config-definitions\/|config-effects|config-describe|development-defaults)/

/** Here they are only held against each other, put into a property's default, or meant for other programs. */
const NO_EFFECT_BY =
  /^(metadata\/(config-alter|config-relations|internal-topics|topic-settings|kafka-log\/)|lab\/|client\/|cli\/profile\/)/

/** Names and where they are read. */
function usedNames(): Map<string, string[]> {
  const used = new Map<string, string[]>()
  const add = (name: string, reader: string) => used.set(name, [...(used.get(name) ?? []), reader])
  for (const path of readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.ts') || NOT_USING.test(path)) continue
    for (const [, name] of readFileSync(join(ROOT, 'src', path), 'utf8').matchAll(/'([a-z][a-z0-9.]+)'/g)) {
      add(name ?? '', path)
    }
  }
  for (const topic of ['offsets.topic', 'transaction.state.log', 'share.coordinator.state.topic']) {
    for (const part of ['num.partitions', 'replication.factor', 'segment.bytes'])
      add(`${topic}.${part}`, 'metadata/internal-topics.ts')
  }
  // Defaults of topics and groups reach them through their own properties.
  for (const synonyms of Object.values(TOPIC_SYNONYMS))
    for (const { name } of synonyms) add(name, 'metadata/topic-settings.ts')
  for (const name of GROUP_DEFINITIONS.keys()) add(`group.${name}`, 'broker/group-service.ts')
  return used
}

describe('the configuration reference', () => {
  test('is what the tables say: `bun src/metadata/configuration-reference.ts` writes it', () => {
    expect(readFileSync(join(ROOT, 'docs/configuration.md'), 'utf8')).toBe(renderConfiguration())
  })

  const definitions = [
    ...[...BROKER_DEFINITIONS.keys(), ...DYNAMIC_ONLY_DEFINITIONS.keys()].map((name) => ['broker', name] as const),
    ...[...TOPIC_DEFINITIONS.keys()].map((name) => ['topic', name] as const),
    ...[...GROUP_DEFINITIONS.keys()].map((name) => ['group', name] as const),
  ]

  test('every property is read by some code, or says why it does nothing, or refuses what it cannot do', () => {
    const readers = usedNames()
    const wrong = definitions.flatMap(([scope, name]) => {
      const effect = effectOf(scope, name)
      const isRead = readers.has(name)
      if (effect.kind === 'works') return isRead ? [] : [`${scope} ${name}: nothing reads it`]
      if (effect.kind === 'refused') return effect.harmless === '' ? [`${scope} ${name}: nothing is accepted`] : []
      const reader = readers.get(name)?.find((path) => !NO_EFFECT_BY.test(path))
      return reader === undefined ? [] : [`${scope} ${name}: ${reader} reads it`]
    })
    expect(wrong).toEqual([])
  })

  test('the default of every property is accepted', () => {
    const maps = { broker: BROKER_DEFINITIONS, topic: TOPIC_DEFINITIONS, group: GROUP_DEFINITIONS }
    const refused = definitions.flatMap(([scope, name]) => {
      const value = maps[scope].get(name)?.defaultValue
      return value === null || value === undefined ? [] : (refusedValue(scope, name, value) ?? [])
    })
    // Kafka has no default for these either: whoever sets them has to name what works.
    expect(refused.filter((reason) => !/^process\.roles=/.test(reason))).toEqual([])
  })

  test.each([
    ['authorizer.class.name', 'org.apache.kafka.metadata.authorizer.StandardAuthorizer'],
    ['create.topic.policy.class.name', 'com.example.Policy'],
    ['compression.lz4.level', '12'],
    ['remote.log.storage.system.enable', 'true'],
    ['transaction.two.phase.commit.enable', 'true'],
    ['controller.quorum.voters', '1@a:9093,2@b:9093'],
    ['process.roles', 'controller'],
    ['offsets.topic.compression.codec', '4'],
    ['config.providers', 'env'],
  ])('%s=%s ends the start, with the reason', (name, value) => {
    expect(() => new BrokerConfig({ properties: new Map([[name, value]]) })).toThrow(
      `${name}=${value} cannot take effect`,
    )
  })

  test('whoever believes to have protected the broker is warned or refused', () => {
    for (const name of ['sasl.enabled.mechanisms', 'ssl.client.auth']) expect(warningFor(name)).not.toBeNull()
    expect(effectOf('broker', 'authorizer.class.name').kind).toBe('refused')
  })
})
