/** The consumer against Samsa in this process; test/programs/consumer-client.test.ts runs the same against a real Kafka. */
import { afterAll, beforeAll, describe, test } from 'bun:test'
import { EmbeddedBroker } from '../../../src/broker/embedded/broker.ts'
import { EDGE_SCENARIOS } from './edge-scenarios.ts'
import { SCENARIOS } from './scenarios.ts'

const TIMEOUT_MS = 200_000

describe('a consumer against Samsa', () => {
  let broker: EmbeddedBroker

  beforeAll(async () => {
    broker = await EmbeddedBroker.start({
      config: {
        'group.consumer.min.heartbeat.interval.ms': '200',
        'group.consumer.heartbeat.interval.ms': '200',
      },
    })
  })
  afterAll(() => broker.stop())

  for (const { name, run } of [...SCENARIOS, ...EDGE_SCENARIOS].filter(({ slow }) => slow !== true))
    test.concurrent(name, () => run(broker), TIMEOUT_MS)
})
