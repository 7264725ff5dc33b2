/** The producer against Samsa in this process; test/programs/producer-client.test.ts runs the same against a real Kafka and on Node. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { EmbeddedBroker } from '../../../src/broker/embedded/broker.ts'
import { parseBootstrap } from '../../../src/client/address.ts'
import { Cluster } from '../../../src/client/cluster.ts'
import { UpdateFeaturesRequest, UpdateFeaturesResponse } from '../../../src/protocol/messages/57-update-features.ts'
import { PRODUCER_SCENARIOS } from './scenarios.ts'

const TIMEOUT_MS = 180_000

describe('a producer against Samsa', () => {
  let broker: EmbeddedBroker

  beforeAll(async () => {
    broker = await EmbeddedBroker.start({})
  })
  afterAll(() => broker.stop())

  for (const { name, run } of PRODUCER_SCENARIOS) test.concurrent(name, () => run(broker), TIMEOUT_MS)
})

describe('a producer against a cluster with transactions of version 1', () => {
  const SAFE_DOWNGRADE = 2
  let broker: EmbeddedBroker

  beforeAll(async () => {
    broker = await EmbeddedBroker.start({})
    const bootstrap = parseBootstrap(broker.bootstrap)
    if (typeof bootstrap === 'string') throw new Error(bootstrap)
    const cluster = await Cluster.connect({ bootstrap })
    const controller = await cluster.controller()
    const featureUpdates = [{ feature: 'transaction.version', maxVersionLevel: 1, upgradeType: SAFE_DOWNGRADE }]
    const answer = await controller.send(UpdateFeaturesRequest, UpdateFeaturesResponse, {
      timeoutMs: 10_000,
      featureUpdates,
      validateOnly: false,
    })
    expect(answer.errorCode).toBe(0)
    await cluster.close()
    const again = await Cluster.connect({ bootstrap })
    expect((await again.any()).features.get('transaction.version')).toBe(1)
    await again.close()
  })
  afterAll(() => broker.stop())

  for (const { name, run } of PRODUCER_SCENARIOS.filter((scenario) => scenario.name.startsWith('transactions'))) {
    test.concurrent(name, () => run(broker), TIMEOUT_MS)
  }
})
