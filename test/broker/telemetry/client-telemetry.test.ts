/** Who is asked for which metrics, when a client may push, and what is kept of it. */
import { beforeEach, describe, expect, test } from 'bun:test'
import { TELEMETRY_CLIENTS_MAX } from '../../../src/broker/limits.ts'
import { ClientTelemetry } from '../../../src/broker/telemetry/client-telemetry.ts'
import type { ClientFacts } from '../../../src/metadata/client-metrics.ts'
import { AlterOperation } from '../../../src/metadata/config-alter.ts'
import { ResourceType } from '../../../src/metadata/configs.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { compress } from '../../../src/records/codecs/index.ts'
import { SeededRandom } from '../../../src/storage/random-seeded.ts'
import { type TestMetadata, testMetadata } from '../../metadata/support.ts'
import { field, fixed64, metricsData, text, varint } from './otlp-writer.ts'

const ID = 'Zm9vYmFyYmF6cXV4MTIzNA'
const DELTA = metricsData([
  Buffer.concat([text(1, 'sent'), field(7, Buffer.concat([field(1, fixed64(6, 5n)), varint(2, 1)]))]),
])

let metadata: TestMetadata
let telemetry: ClientTelemetry

beforeEach(async () => {
  metadata = await testMetadata()
  telemetry = new ClientTelemetry({ image: metadata.image, random: new SeededRandom(1), maxBytes: () => 1000 })
})

async function subscribeTo(name: string, values: Record<string, string>): Promise<void> {
  const operations = Object.entries(values).map(([key, value]) => ({ name: key, operation: AlterOperation.SET, value }))
  const alteration = { type: ResourceType.CLIENT_METRICS, name, operations }
  const [result] = await metadata.configs.incrementalAlter([alteration], { validateOnly: false })
  expect(result?.errorCode).toBe(ErrorCode.NONE)
}

const factsOf =
  (clientId: string) =>
  (id: string): ClientFacts => ({
    client_id: clientId,
    client_instance_id: id,
    client_software_name: 'a',
    client_software_version: '1',
    client_source_address: '127.0.0.1',
    client_source_port: '1',
  })

function ask(nowMs: number, clientId = 'app', id = ID) {
  const { granted } = telemetry.subscribe(id, factsOf(clientId), nowMs)
  if (granted === null) throw new Error('refused')
  return granted
}

function push(
  nowMs: number,
  more: { subscriptionId: number; metrics?: Buffer; compressionType?: number; terminating?: boolean },
) {
  const value = { clientInstanceId: ID, terminating: false, compressionType: 0, metrics: DELTA, ...more }
  return telemetry.push(value, factsOf('app'), nowMs)
}

describe('subscriptions', () => {
  test('of all that match a client the metrics add up, and the shortest interval counts', async () => {
    await subscribeTo('one', { metrics: 'b.', 'interval.ms': '60000' })
    await subscribeTo('two', { metrics: 'a.,b.', 'interval.ms': '30000', match: 'client_id=app' })
    await subscribeTo('other', { metrics: 'c.', 'interval.ms': '1000', match: 'client_id=other' })
    expect(ask(0)).toMatchObject({ metrics: ['a.', 'b.'], pushIntervalMs: 30_000 })
  })

  test('a changed one is unknown at the next push, and may be asked for at once', async () => {
    await subscribeTo('one', { metrics: 'a.', 'interval.ms': '60000' })
    const before = ask(0)
    await subscribeTo('one', { metrics: 'b.' })
    expect(push(60_000, { subscriptionId: before.subscriptionId })).toBe(ErrorCode.UNKNOWN_SUBSCRIPTION_ID)
    const after = ask(120_000)
    expect(after.metrics).toEqual(['b.'])
    expect(push(120_000, { subscriptionId: after.subscriptionId })).toBe(ErrorCode.NONE)
  })
})

describe('pushing', () => {
  test('deltas add up over pushes, in every codec', async () => {
    await subscribeTo('one', { metrics: '*', 'interval.ms': '1000' })
    const { subscriptionId } = ask(0)
    for (const codec of [0, 1, 2, 3, 4] as const) {
      const metrics = compress(codec, DELTA)
      expect(push(1000 * (codec + 1), { subscriptionId, metrics, compressionType: codec })).toBe(ErrorCode.NONE)
    }
    expect(telemetry.clients()).toMatchObject([
      { clientInstanceId: ID, facts: { client_id: 'app' }, lastPushMs: 5000, metrics: [{ name: 'sent', value: 25 }] },
    ])
  })

  test('what is too early, too large or no metrics is refused, and nothing of it is kept', async () => {
    await subscribeTo('one', { metrics: '*', 'interval.ms': '1000' })
    const { subscriptionId } = ask(0)
    expect(push(1, { subscriptionId, metrics: Buffer.alloc(1001) })).toBe(ErrorCode.TELEMETRY_TOO_LARGE)
    expect(push(2, { subscriptionId })).toBe(ErrorCode.THROTTLING_QUOTA_EXCEEDED)
    expect(push(1001, { subscriptionId, metrics: Buffer.from('no metrics') })).toBe(ErrorCode.INVALID_RECORD)
    expect(push(2001, { subscriptionId, compressionType: 9 })).toBe(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE)
    expect(push(3001, { subscriptionId, compressionType: 4 })).toBe(ErrorCode.INVALID_RECORD)
    expect(telemetry.clients()).toEqual([])
  })

  test('clients beyond the limit make those forgotten that were silent the longest', async () => {
    await subscribeTo('one', { metrics: '*', 'interval.ms': '1000' })
    expect(push(0, { subscriptionId: ask(0).subscriptionId })).toBe(ErrorCode.NONE)
    expect(telemetry.clients()).toHaveLength(1)
    for (let index = 0; index < TELEMETRY_CLIENTS_MAX; index++) {
      const id = Buffer.from(`client${String(index).padStart(10, '0')}`).toString('base64url')
      ask(0, 'other', id)
    }
    expect(telemetry.clients()).toEqual([])
  })
})
