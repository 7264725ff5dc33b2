/**
 * docs/configuration.md, rendered from the tables that judge every value: `bun src/metadata/configuration-reference.ts` writes it, a test
 * compares it.
 */
import { resolve } from 'node:path'
import type { ConfigDefinition } from './config-definitions/definition.ts'
import {
  BROKER_DEFINITIONS,
  CLIENT_METRICS_DEFINITIONS,
  type DefinitionMap,
  DYNAMIC_ONLY_DEFINITIONS,
  GROUP_DEFINITIONS,
  TOPIC_DEFINITIONS,
} from './config-definitions/index.ts'
import { TOPIC_SYNONYMS } from './config-definitions/topic.ts'
import { type ConfigEffect, effectOf, noteOn } from './config-effects.ts'
import { DEVELOPMENT_DEFAULTS } from './development-defaults.ts'

const MODES = { 'read-only': 'at the start', 'per-broker': 'per broker', 'cluster-wide': 'any time' } as const

const INTRODUCTION = `# Configuration

Every property, with Kafka's name, type and default. This file is generated from the tables that judge the values
(\`bun src/metadata/configuration-reference.ts\`).

Broker properties are given with \`--set name=value\`, in the environment or in a file (see [operations.md](operations.md)). *Changed* says when:
\`at the start\` needs a restart; \`any time\` also with \`kafka-configs\`, for one broker or for all; \`per broker\` with \`kafka-configs\` for one
broker only. A value that is not allowed is refused with the reason, and so is one that asks for something that Samsa does not do. What is
accepted works, except where it could mean nothing on one node or in one event loop: the table says why; where somebody could rely on
it all the same, a warning says that it does nothing.
`

export function renderConfiguration(): string {
  return [
    INTRODUCTION,
    '## Broker\n',
    brokerTable(BROKER_DEFINITIONS),
    'Only with `kafka-configs`:\n',
    brokerTable(DYNAMIC_ONLY_DEFINITIONS),
    '## Topics\n',
    'A topic that does not set a property has the value of the broker property beside it.\n',
    table(
      ['Property', 'Type', 'Default', 'Allowed', 'Broker property', 'Effect'],
      publicOnes(TOPIC_DEFINITIONS).map((definition) => [
        ...common(definition, definition.defaultValue),
        allowed(definition),
        TOPIC_SYNONYMS[definition.name]?.map(({ name }) => `\`${name}\``).join(', ') ?? '',
        effectText(definition, effectOf('topic', definition.name)),
      ]),
    ),
    '## Groups\n',
    'A group that does not set a property has the value of the broker property of that name behind `group.`, if there is one.\n',
    resourceTable(GROUP_DEFINITIONS, (name) => effectOf('group', name)),
    '## Client metrics\n',
    resourceTable(CLIENT_METRICS_DEFINITIONS, () => ({ kind: 'works' })),
  ].join('\n')
}

function brokerTable(definitions: DefinitionMap): string {
  const rows = publicOnes(definitions).map((definition) => [
    ...common(definition, DEVELOPMENT_DEFAULTS.get(definition.name) ?? definition.defaultValue),
    MODES[definition.mode],
    effectText(definition, effectOf('broker', definition.name)),
  ])
  return table(['Property', 'Type', 'Default', 'Changed', 'Effect'], rows)
}

function resourceTable(definitions: DefinitionMap, effectOfName: (name: string) => ConfigEffect): string {
  const rows = publicOnes(definitions).map((definition) => [
    ...common(definition, definition.defaultValue),
    allowed(definition),
    effectText(definition, effectOfName(definition.name)),
  ])
  return table(['Property', 'Type', 'Default', 'Allowed', 'Effect'], rows)
}

function publicOnes(definitions: DefinitionMap): ConfigDefinition[] {
  return [...definitions.values()].filter(({ internal, name }) => !internal || name.startsWith('samsa.'))
}

function common({ name, type }: ConfigDefinition, value: string | null): string[] {
  return [`\`${name}\``, type, value === null || value === '' ? '' : `\`${value}\``]
}

function allowed({ validator }: ConfigDefinition): string {
  return validator?.allowed ?? ''
}

function effectText({ name, documentation }: ConfigDefinition, effect: ConfigEffect): string {
  if (effect.kind === 'works') return documentation ?? noteOn(name) ?? 'yes'
  if (effect.kind === 'refused') return `refused unless ${effect.harmless}. ${effect.reason}`
  return `none${effect.kind === 'warned' ? ', with a warning' : ''}. ${effect.reason}`
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line), ''].join('\n')
}

if (import.meta.main) {
  const path = resolve(import.meta.dir, '../../docs/configuration.md')
  await Bun.write(path, renderConfiguration())
  console.log(`written: ${path}`)
}
