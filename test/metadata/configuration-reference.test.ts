/** docs/configuration.md is what the tables say, and what it calls working is read by some code. */
import { describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  BROKER_DEFINITIONS,
  DYNAMIC_ONLY_DEFINITIONS,
  GROUP_DEFINITIONS,
} from '../../src/metadata/config-definitions/index.ts'
import { TOPIC_SYNONYMS } from '../../src/metadata/config-definitions/topic.ts'
import { brokerConfigWithoutEffect, deservesWarning } from '../../src/metadata/config-effects.ts'
import { renderConfiguration } from '../../src/metadata/configuration-reference.ts'

const ROOT = join(import.meta.dir, '../..')
/** Here names are declared or judged, which is not using them. */
const NOT_USING = /^metadata\/(config-definitions\/|config-effects|config-describe|development-defaults)/

function usedNames(): Set<string> {
  const used = new Set<string>()
  for (const path of readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.ts') || NOT_USING.test(path)) continue
    for (const [, name] of readFileSync(join(ROOT, 'src', path), 'utf8').matchAll(/'([a-z][a-z0-9.]+)'/g)) {
      used.add(name ?? '')
    }
  }
  for (const topic of ['offsets.topic', 'transaction.state.log']) {
    for (const part of ['num.partitions', 'replication.factor', 'segment.bytes']) used.add(`${topic}.${part}`)
  }
  // Defaults of topics and groups reach them through their own properties.
  for (const synonyms of Object.values(TOPIC_SYNONYMS)) for (const { name } of synonyms) used.add(name)
  for (const name of GROUP_DEFINITIONS.keys()) used.add(`group.${name}`)
  return used
}

describe('the configuration reference', () => {
  test('is what the tables say: `bun src/metadata/configuration-reference.ts` writes it', () => {
    expect(readFileSync(join(ROOT, 'docs/configuration.md'), 'utf8')).toBe(renderConfiguration())
  })

  test('every broker property either is used or says why it has no effect', () => {
    const used = usedNames()
    const names = [...BROKER_DEFINITIONS.keys(), ...DYNAMIC_ONLY_DEFINITIONS.keys()]
    const unexplained = names.filter((name) => brokerConfigWithoutEffect(name) === null && !used.has(name))
    expect(unexplained).toEqual([])
  })

  test('whoever believes to have protected the broker is warned', () => {
    for (const name of ['sasl.enabled.mechanisms', 'ssl.client.auth', 'authorizer.class.name']) {
      expect(deservesWarning(name)).toBe(true)
    }
  })
})
