/** `samsa consume -s registry`: records as their schemas say, whatever kind of schema it is. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { Producer } from '../../src/client/producer/producer.ts'
import { avroSerde } from '../../src/client/serdes/avro.ts'
import { jsonSchemaSerde } from '../../src/client/serdes/json-schema.ts'
import { protobufSerde } from '../../src/client/serdes/protobuf.ts'
import { SchemaRegistry } from '../../src/client/serdes/registry/schema-registry.ts'
import type { Serde } from '../../src/client/serdes/serde.ts'
import { type BrokerTarget, startTarget } from '../support/broker-target.ts'
import { FakeRegistry } from '../support/fake-registry.ts'
import { type Ended, samsa } from './program.ts'

/** Processes are started, and the machine may be busy. */
setDefaultTimeout(120_000)

interface User {
  readonly name: string
  readonly total: bigint
}

const LARGE = 2n ** 60n + 1n
const AUTHORIZATION = `Basic ${Buffer.from('reader:pass:word').toString('base64')}`
const fake = new FakeRegistry({ authorization: AUTHORIZATION })
let broker: BrokerTarget

beforeAll(async () => {
  broker = await startTarget()
  const registry = new SchemaRegistry({ url: fake.url, auth: { username: 'reader', password: 'pass:word' } })
  const fields = [
    { name: 'name', type: 'string' },
    { name: 'total', type: 'long' },
  ]
  const properties = { name: { type: 'string' }, total: { type: 'integer' } }
  const serdes: [string, Serde<User>][] = [
    ['avro', avroSerde({ registry, longs: 'bigint', schema: { type: 'record', name: 'User', fields } })],
    ['json', jsonSchemaSerde({ registry, longs: 'bigint', schema: { type: 'object', properties } })],
    [
      'protobuf',
      protobufSerde({
        ...{ registry, longs: 'bigint' },
        schema: 'syntax = "proto3"; message User { string name = 1; int64 total = 2; }',
      }),
    ],
  ]
  for (const [topic, value] of serdes) {
    const producer = new Producer<User, string>({
      bootstrap: broker.bootstrap,
      serdes: { value, key: { serialize: (key) => key } },
    })
    await producer.send({ topic, key: 'k', value: { name: 'tea', total: 7n } })
    await producer.send({ topic, key: 'k', value: { name: 'all', total: LARGE } })
    await producer.close()
  }
}, 180_000)
afterAll(async () => {
  await broker?.stop()
  await fake.stop()
}, 60_000)

function consume(...words: string[]): Promise<Ended> {
  const auth = ['-X', 'schema.registry.basic.auth.user.info=reader:pass:word']
  return samsa(['consume', '-b', broker.bootstrap, '-o', 'start', '-e', '-q', '-r', fake.url, ...auth, ...words])
}

test.each(['avro', 'json', 'protobuf'])('%s', async (topic) => {
  const { stdout, stderr } = await consume(topic, '-s', 'value=registry', '-K:')
  expect(stderr).toBe('')
  expect(stdout).toBe(`k:{"name":"tea","total":7}\nk:{"name":"all","total":"${LARGE}"}\n`)
})

test('JSON has the value itself; filters see what the schema makes of the bytes', async () => {
  const { stdout } = await consume('avro', '-s', 'avro', '--format', 'json', '--value-filter', '/"total":7/')
  // The key has no schema and stays what it is.
  expect(JSON.parse(stdout)).toMatchObject({ key: 'k', value: { name: 'tea', total: 7 } })
  const envelope = await consume('avro', '-s', 'value=registry', '-J', '-c', '1')
  expect(JSON.parse(envelope.stdout)).toMatchObject({ payload: { name: 'tea', total: 7 } })
})

test('what goes wrong names the record; without a registry there is nothing to ask', async () => {
  fake.failNext(() => Response.json({ error_code: 40403, message: 'Schema not found' }, { status: 404 }))
  const { exitCode, stderr } = await consume('avro', '-s', 'value=registry')
  expect(exitCode).toBe(1)
  expect(stderr).toContain('avro-0 at offset 0: ')
  const without = await samsa(['consume', '-b', broker.bootstrap, 'avro', '-s', 'registry', '-e'])
  expect([without.exitCode, without.stderr.includes('-r URL, or schema.registry.url')]).toEqual([2, true])
})
