/**
 * docs/compatibility.md, generated from what is really served: `bun src/broker/compatibility.ts` writes it, and a test
 * fails when it is stale. Prose about an API belongs to the `notes` of its handler, a difference that was chosen to
 * deliberate-differences.ts.
 */
import { MESSAGES } from '../protocol/messages/index.ts'
import { APIS } from './api/index.ts'
import type { Api } from './api.ts'
import { DELIBERATE_DIFFERENCES } from './deliberate-differences.ts'

const INTRODUCTION = `# Compatibility

Which requests Samsa answers, in which versions, and where an answer differs from the one of Apache Kafka 4.3.
This file is generated from the API handlers and the list of chosen differences (\`bun src/broker/compatibility.ts\`).

A request with another key, another version or an unreadable body closes its connection, as in Kafka; nothing is
advertised that is not served.
`

export function renderCompatibility(apis: readonly Api[]): string {
  const served = apis.map((api) => `| ${api.key} | ${api.name} | ${versionsOf(api)} | ${kafkaVersions(api)} |`)
  const servedKeys = new Set(apis.map((api) => api.key))
  const missing = [...MESSAGES.values()].filter(({ key }) => !servedKeys.has(key)).sort((a, b) => a.key - b.key)
  const notes = apis
    .filter((api) => api.notes.length > 0)
    .flatMap((api) => ['', `### ${api.name} (${api.key})`, '', ...bullets(api)])
  return [
    INTRODUCTION,
    '## Served',
    '',
    '| Key | Request | Versions | Message versions in Kafka 4.3 |',
    '|---:|---|---|---|',
    ...served,
    '',
    '## Different on purpose',
    '',
    '| Situation | Apache Kafka 4.3 | Samsa | Tested in |',
    '|---|---|---|---|',
    ...DELIBERATE_DIFFERENCES.map(
      ({ situation, kafka, samsa, test }) => `| ${situation} | ${kafka} | ${samsa} | \`${test}\` |`,
    ),
    '',
    '## Notes',
    ...notes,
    '',
    '## Not served',
    '',
    `${missing.map(({ key, name }) => `${name} (${key})`).join(', ')}.`,
    '',
  ].join('\n')
}

function versionsOf(api: Api): string {
  const advertised = rangeOf(api.minVersion, api.maxVersion)
  return api.servedFrom === api.minVersion ? advertised : `${advertised} (served from ${api.servedFrom})`
}

function kafkaVersions({ request }: Api): string {
  const range = rangeOf(request.versions.min, request.versions.max)
  return request.latestVersionUnstable ? `${range} (the newest is not final)` : range
}

function rangeOf(min: number, max: number): string {
  return min === max ? String(min) : `${min}-${max}`
}

function bullets(api: Api): string[] {
  return api.notes.map((note) => `- ${note}`)
}

if (import.meta.main) {
  const path = new URL('../../docs/compatibility.md', import.meta.url).pathname
  await Bun.write(path, renderCompatibility(APIS))
  console.log(`written: ${path}`)
}
