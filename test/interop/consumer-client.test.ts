// The consumer against a real Kafka: what test/client/consumer runs against Samsa, unchanged.
import { afterAll, beforeAll } from 'bun:test'
import { SCENARIOS } from '../client/consumer/scenarios.ts'
import type { BrokerTarget } from '../support/broker-target.ts'
import { startKafka } from '../support/kafka-process.ts'
import { interopDescribe, interopTest } from '../support/tools.ts'

const SETUP_TIMEOUT_MS = 90_000
const SCENARIO_TIMEOUT_MS = 120_000

interopDescribe('a consumer against a real Kafka', ['java'], () => {
  let kafka: BrokerTarget

  beforeAll(async () => {
    kafka = await startKafka({
      'group.min.session.timeout.ms': '500',
      'group.consumer.min.session.timeout.ms': '1000',
      'group.consumer.session.timeout.ms': '6000',
      'group.consumer.min.heartbeat.interval.ms': '200',
      'group.consumer.heartbeat.interval.ms': '200',
      'offsets.topic.num.partitions': '4',
      'transaction.state.log.num.partitions': '2',
    })
  }, SETUP_TIMEOUT_MS)
  afterAll(() => kafka.stop())

  for (const { name, run } of SCENARIOS) {
    interopTest(name, ['java'], () => run(kafka), { timeoutMs: SCENARIO_TIMEOUT_MS, concurrent: true })
  }
})
