/** Requests about the cluster as a whole, as far as a real Kafka cannot be asked the same. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Broker } from '../../src/broker/server.ts'
import type { Connection } from '../../src/client/connection.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
} from '../../src/protocol/messages/44-incremental-alter-configs.ts'
import { UpdateFeaturesRequest, UpdateFeaturesResponse } from '../../src/protocol/messages/57-update-features.ts'
import { UnregisterBrokerRequest, UnregisterBrokerResponse } from '../../src/protocol/messages/64-unregister-broker.ts'
import { connect, createTopic, recordingLogger, startBroker } from './support/test-broker.ts'

let broker: Broker
let connection: Connection

beforeAll(async () => {
  broker = await startBroker()
  connection = await connect(broker)
})

afterAll(async () => {
  await connection.close()
  await broker.stop()
})

async function setFeature(feature: string, maxVersionLevel: number, upgradeType: number): Promise<number> {
  const featureUpdates = [{ feature, maxVersionLevel, upgradeType }]
  const answer = await connection.send(UpdateFeaturesRequest, UpdateFeaturesResponse, { featureUpdates })
  return answer.errorCode
}

/** Deletes the cluster-wide min.insync.replicas, only to see whether it may be. */
async function mayDeleteMinInSync(): Promise<boolean> {
  const configs = [{ name: 'min.insync.replicas', configOperation: 1, value: null }]
  const value = { resources: [{ resourceType: 4, resourceName: '', configs }], validateOnly: true }
  const answer = await connection.send(IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, value)
  return answer.responses[0]?.errorCode === ErrorCode.NONE
}

describe('UpdateFeatures', () => {
  test('a level is in force when it is answered: without ELR min.insync.replicas may be set anywhere', async () => {
    const feature = 'eligible.leader.replicas.version'
    expect(await mayDeleteMinInSync()).toBe(false)
    expect(await setFeature(feature, 0, 2)).toBe(ErrorCode.NONE)
    expect(broker.context.features.level(feature)).toBe(0)
    expect(await mayDeleteMinInSync()).toBe(true)
    expect(await setFeature(feature, 1, 1)).toBe(ErrorCode.NONE)
    expect(await mayDeleteMinInSync()).toBe(false)
  })

  test('levels of formats stay', async () => {
    expect(await setFeature('metadata.version', 29, 2)).toBe(ErrorCode.INVALID_UPDATE_VERSION)
    expect(await setFeature('kraft.version', 1, 1)).toBe(ErrorCode.INVALID_UPDATE_VERSION)
  })
})

test('a running broker is not unregistered', async () => {
  const answer = await connection.send(UnregisterBrokerRequest, UnregisterBrokerResponse, { brokerId: 1 })
  expect(answer.errorCode).toBe(ErrorCode.INVALID_REQUEST)
  expect(broker.context.image.broker(1)).toBeDefined()
})

test('a property without effect that is set while the broker runs is warned about', async () => {
  const lines: string[] = []
  const other = await startBroker({ logger: recordingLogger(lines) })
  const client = await connect(other)
  const configs = [
    { name: 'metric.reporters', configOperation: 0, value: 'com.example.Reporter' },
    { name: 'leader.replication.throttled.rate', configOperation: 0, value: '5' },
  ]
  const resources = [{ resourceType: 4, resourceName: '1', configs }]
  await client.send(IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, { resources, validateOnly: false })
  await client.close()
  await other.stop()
  // What tools set and clear by themselves is kept in silence.
  expect(lines.filter((line) => line.includes('has no effect'))).toEqual([
    expect.stringContaining('metric.reporters was set'),
  ])
})

test.each([
  ['a topic', 2, 'refused-level'],
  ['the broker', 4, '1'],
  ['all brokers', 4, ''],
])('a value that cannot take effect is refused with the reason, for %s', async (_name, resourceType, resourceName) => {
  const other = await startBroker()
  const client = await connect(other)
  await createTopic(client, 'refused-level')
  const alter = async (value: string) => {
    const configs = [{ name: 'compression.lz4.level', configOperation: 0, value }]
    const resources = [{ resourceType, resourceName, configs }]
    const request = { resources, validateOnly: false }
    return (await client.send(IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, request)).responses[0]
  }
  expect(await alter('9')).toMatchObject({ errorCode: ErrorCode.NONE })
  const refused = await alter('12')
  expect(refused?.errorCode).toBe(ErrorCode.INVALID_CONFIG)
  expect(refused?.errorMessage).toMatch(/^compression\.lz4\.level=12 cannot take effect in Samsa: .+ \(accepted: 9\)$/)
  await client.close()
  await other.stop()
})
