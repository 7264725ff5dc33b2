// The producer against a real Kafka: what test/client/producer runs against Samsa, unchanged; and on Node, against both.
import { afterAll, beforeAll, expect } from 'bun:test'
import { join } from 'node:path'
import { PRODUCER_SCENARIOS } from '../client/producer/scenarios.ts'
import type { BrokerTarget } from '../support/broker-target.ts'
import { Child } from '../support/child-process.ts'
import { REPOSITORY } from '../support/kafka-jars.ts'
import { startKafka } from '../support/kafka-process.ts'
import { nodeProgram } from '../support/node-program.ts'
import { startSamsa } from '../support/samsa-process.ts'
import { interopDescribe, interopTest } from '../support/tools.ts'

const SETUP_TIMEOUT_MS = 180_000
const SCENARIO_TIMEOUT_MS = 180_000

/** All scenarios at once, in a process of Node's. */
async function runOnNode(bootstrap: string): Promise<void> {
  const child = new Child({
    command: [
      nodeProgram()!,
      '--disable-warning=ExperimentalWarning',
      join(REPOSITORY, 'test/support/run-scenarios.ts'),
      join(REPOSITORY, 'test/client/producer/scenarios.ts'),
      'PRODUCER_SCENARIOS',
      bootstrap,
    ],
  })
  const code = await child.exited
  expect(child.stderr).toBe('')
  expect(child.lines.filter((line) => line.startsWith('ok '))).toHaveLength(PRODUCER_SCENARIOS.length)
  expect(code).toBe(0)
}

interopDescribe('a producer on Node against Samsa', ['node'], () => {
  let samsa: BrokerTarget

  beforeAll(async () => {
    samsa = await startSamsa({})
  }, SETUP_TIMEOUT_MS)
  afterAll(() => samsa.stop())

  interopTest('every scenario', ['node'], () => runOnNode(samsa.bootstrap), { timeoutMs: SCENARIO_TIMEOUT_MS })
})

interopDescribe('a producer against a real Kafka', ['java'], () => {
  let kafka: BrokerTarget

  beforeAll(async () => {
    kafka = await startKafka({ 'offsets.topic.num.partitions': '4', 'transaction.state.log.num.partitions': '2' })
  }, SETUP_TIMEOUT_MS)
  afterAll(() => kafka.stop())

  for (const { name, run } of PRODUCER_SCENARIOS) {
    interopTest(name, ['java'], () => run(kafka), { timeoutMs: SCENARIO_TIMEOUT_MS, concurrent: true })
  }

  interopTest('every scenario, on Node', ['java', 'node'], () => runOnNode(kafka.bootstrap), {
    timeoutMs: SCENARIO_TIMEOUT_MS,
  })
})
