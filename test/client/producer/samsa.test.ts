/** The producer against Samsa in this process; test/interop/producer-client.test.ts runs the same against a real Kafka and on Node. */
import { afterAll, beforeAll, describe, test } from 'bun:test'
import { EmbeddedBroker } from '../../../src/broker/embedded/broker.ts'
import { PRODUCER_SCENARIOS } from './scenarios.ts'

const TIMEOUT_MS = 60_000

describe('a producer against Samsa', () => {
  let broker: EmbeddedBroker

  beforeAll(async () => {
    broker = await EmbeddedBroker.start({})
  })
  afterAll(() => broker.stop())

  for (const { name, run } of PRODUCER_SCENARIOS) test.concurrent(name, () => run(broker), TIMEOUT_MS)
})
