import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { APIS } from '../../src/broker/api/index.ts'
import { decode, encode } from '../../src/protocol/codec.ts'
import { Reader } from '../../src/protocol/reader.ts'
import type { MessageSchema } from '../../src/protocol/schema.ts'
import { Writer } from '../../src/protocol/writer.ts'
import { adminBroker } from './admin-context.ts'
import { ADMIN_SCHEMAS, ADMIN_STEPS, normalised } from './admin-steps.ts'

const GOLDEN: Record<string, unknown> = JSON.parse(
  readFileSync(new URL('../golden/admin/answers.json', import.meta.url), 'utf8'),
)

/** Steps whose texts are deliberately our own: Kafka's are Java exceptions or say nothing. */
const OWN_WORDS = new Set([
  'describe: an unsupported type spoils the whole request',
  'alter: broker: threads more than doubled',
  'alter: broker: threads less than half',
])

/** Samsa has no cordoned folders to speak of. */
const CORDONED = ' or some brokers have all their log directories cordoned.'

/** Through the wire, so that defaults and what a version lacks are as a client sees them. */
function overTheWire(schema: MessageSchema, version: number, value: unknown): unknown {
  const writer = new Writer()
  encode(schema, writer, value as never, version)
  return decode(schema, new Reader(writer.finish()), version)
}

interface Row {
  errorCode: number
  errorMessage: string | null
  configs?: { name: string }[]
}

function comparable(title: string, answer: unknown): unknown {
  const copy = normalised(answer) as Record<string, Row[]>
  for (const rows of Object.values(copy)) {
    if (!Array.isArray(rows)) continue
    // Kafka shuffles the rows of DeleteTopics.
    if (title.startsWith('delete')) rows.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
    for (const row of rows) {
      row.errorMessage = row.errorMessage?.replace(CORDONED, '.') ?? null
      if (OWN_WORDS.has(title) && row.errorMessage !== null) row.errorMessage = '(own words)'
      // Kafka's order of the described configs is that of a hash table.
      row.configs?.sort((a, b) => (a.name < b.name ? -1 : 1))
    }
  }
  return copy
}

/** Paths at which the two differ, with both values. */
function differences(ours: unknown, theirs: unknown, path = ''): string[] {
  if (Bun.deepEquals(ours, theirs)) return []
  if (typeof ours !== 'object' || typeof theirs !== 'object' || ours === null || theirs === null) {
    return [`${path}: ours ${JSON.stringify(ours)}, Kafka's ${JSON.stringify(theirs)}`]
  }
  const keys = new Set([...Object.keys(ours), ...Object.keys(theirs)])
  return [...keys].flatMap((key) =>
    differences((ours as Record<string, unknown>)[key], (theirs as Record<string, unknown>)[key], `${path}/${key}`),
  )
}

test('a conversation of admin requests is answered as by Kafka', async () => {
  const broker = await adminBroker({
    properties: { 'offsets.topic.replication.factor': '1' },
    defaults: new Map(),
  })
  const different: string[] = []
  for (const { title, key, version, request } of ADMIN_STEPS) {
    const golden = GOLDEN[title]
    expect(golden, `no recorded answer for '${title}'`).toBeDefined()
    const { request: requestSchema, response } = ADMIN_SCHEMAS.get(key)!
    const api = APIS.find((candidate) => candidate.key === key)!
    const answer = await broker.ask(api, version, overTheWire(requestSchema, version, request))
    const ours = comparable(title, overTheWire(response, version, answer))
    // Kafka leaves a few impossible requests unanswered.
    if (golden === null) continue
    const theirs = comparable(title, golden)
    if (Bun.deepEquals(ours, theirs)) continue
    different.push(`${title}: ${differences(ours, theirs).join('; ')}`)
  }
  expect(different).toEqual([])
})
