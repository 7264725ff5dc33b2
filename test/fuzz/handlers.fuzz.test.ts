/**
 * Well-formed nonsense: random values in every request and version that is advertised. A handler may answer whatever error
 * it likes, but it must answer in the request's own format, never throw, and never harm the broker.
 * SAMSA_FUZZ_ITERATIONS and SAMSA_FUZZ_SEED make longer and other runs; a failure names what reproduces it.
 */

import { expect, test } from 'bun:test'
import { APIS } from '../../src/broker/api/index.ts'
import type { Api } from '../../src/broker/api.ts'
import type { Broker } from '../../src/broker/server.ts'
import { Connection } from '../../src/client/connection.ts'
import { decodeResponse, encodeRequest } from '../../src/protocol/frame.ts'
import { MetadataRequest, MetadataResponse } from '../../src/protocol/messages/03-metadata.ts'
import { Reader } from '../../src/protocol/reader.ts'
import { batchOf, connect, createTopic, produce, recordingLogger, startBroker } from '../broker/support/test-broker.ts'
import { Random } from '../support/random.ts'
import { randomMessage } from '../support/random-message.ts'

const ITERATIONS = Number(process.env.SAMSA_FUZZ_ITERATIONS ?? 3_000)
const SEED = Number(process.env.SAMSA_FUZZ_SEED ?? 7)
/** A request that waits for others (a JoinGroup, a Fetch) is left alone after this. */
const PATIENCE_MS = 60
const TOPICS = ['topic', 'a', 'compacted']
const TOPIC_NAMES = /^(name|topic|topicName|resourceName)$/

/** Puts in what exists, so that the request gets beyond the first check. */
function known(random: Random, value: unknown, ids: readonly string[], key = ''): unknown {
  if (key === 'records') return random.chance(0.5) ? [batchOf(['v'])] : value
  if (Array.isArray(value)) return value.map((element) => known(random, element, ids, key))
  if (typeof value === 'object' && value !== null && !Buffer.isBuffer(value)) {
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, known(random, inner, ids, name)]))
  }
  if (typeof value === 'string' && random.chance(0.7)) {
    if (TOPIC_NAMES.test(key)) return random.pick(TOPICS)
    if (key === 'groupId') return 'group'
    if (key === 'topicId') return random.pick(ids)
  }
  if (typeof value === 'number' && random.chance(0.7)) {
    if (/^(partition|partitionIndex|index)$/.test(key)) return random.below(3)
    if (/^(maxWaitMs|timeoutMs)$/.test(key)) return random.below(5)
    if (/^(isolationLevel|replicaId|acks|sessionEpoch|numPartitions|replicationFactor)$/.test(key))
      return random.below(3) - 1
  }
  return value
}

function frameFor(random: Random, api: Api, version: number, ids: readonly string[]): Buffer {
  const value = known(random, randomMessage(random, api.request, version), ids)
  return Buffer.concat(encodeRequest(api.request, version, random.below(1e6), 'fuzz', value as never))
}

/** The answer decodes in the request's version, to its last byte. Null: there was none in time, or the connection closed. */
async function exchange(connection: Connection, api: Api, version: number, frame: Buffer): Promise<number | null> {
  const answer = await connection.sendRaw(frame, { timeoutMs: PATIENCE_MS }).catch(() => null)
  if (answer === null) return null
  const reader = new Reader([answer])
  reader.int32()
  decodeResponse(api.response, version, reader)
  return reader.remaining
}

function open(broker: Broker): Promise<Connection> {
  return Connection.connect({ host: broker.host, port: broker.port, clientId: 'fuzz', negotiate: false })
}

test('random requests of every API are answered in their own format', async () => {
  const lines: string[] = []
  const broker = await startBroker({ logger: recordingLogger(lines), set: { 'group.min.session.timeout.ms': '1' } })
  const control = await connect(broker)
  const ids: string[] = []
  for (const name of TOPICS) {
    const configs = name === 'compacted' ? { 'cleanup.policy': 'compact,delete' } : {}
    ids.push(await createTopic(control, name, { partitions: 2, configs }))
    await produce(control, batchOf(['first']), { topic: 'topic' })
  }
  const random = new Random(SEED)
  let connection = await open(broker)
  let answered = 0
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    const api = random.pick([...APIS])
    const version = api.servedFrom + random.below(api.maxVersion - api.servedFrom + 1)
    const frame = frameFor(random, api, version, ids)
    const left = await exchange(connection, api, version, frame)
    const where = `seed ${SEED}, iteration ${iteration}: ${api.name} v${version} ${frame.toString('hex')}`
    expect(left ?? 0, where).toBe(0)
    const failures = lines.filter((line) => line.startsWith('error'))
    if (failures.length > 0) throw new Error(`${where}\n${failures.join('\n')}`)
    if (left !== null) answered++
    if (left !== null) continue
    await connection.close()
    connection = await open(broker)
  }
  expect(answered).toBeGreaterThan(ITERATIONS / 2)
  expect((await control.send(MetadataRequest, MetadataResponse, { topics: null })).brokers.length).toBe(1)
  await connection.close()
  await control.close()
  await broker.stop()
}, 120_000)
