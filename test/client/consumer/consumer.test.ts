/** The consumer against Samsa in this process; test/interop/consumer-client.test.ts runs the same against a real Kafka and on Node. */
import { afterAll, beforeAll, describe, test } from 'bun:test'
import { EmbeddedBroker } from '../../../src/broker/embedded/broker.ts'
import { SCENARIOS } from './scenarios.ts'

const TIMEOUT_MS = 60_000

describe('a consumer against Samsa', () => {
  let broker: EmbeddedBroker

  beforeAll(async () => {
    broker = await EmbeddedBroker.start({
      config: {
        'group.min.session.timeout.ms': '500',
        'group.consumer.min.session.timeout.ms': '1000',
        'group.consumer.session.timeout.ms': '6000',
        'group.consumer.min.heartbeat.interval.ms': '200',
        'group.consumer.heartbeat.interval.ms': '200',
      },
    })
  })
  afterAll(() => broker.stop())

  for (const { name, run } of SCENARIOS) test.concurrent(name, () => run(broker), TIMEOUT_MS)
})
