// The consumer against a real Kafka: what test/client/consumer runs against Samsa, unchanged.
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { join } from 'node:path'
import { EDGE_SCENARIOS } from '../client/consumer/edge-scenarios.ts'
import { SCENARIOS } from '../client/consumer/scenarios.ts'
import { SHARE_SCENARIOS } from '../client/consumer/share-scenarios.ts'
import type { BrokerTarget } from '../support/broker-target.ts'
import { Child } from '../support/child-process.ts'
import { REPOSITORY } from '../support/kafka-jars.ts'
import { startKafka } from '../support/kafka-process.ts'
import { nodeProgram } from '../support/node-program.ts'
import { startSamsa } from '../support/samsa-process.ts'
import { interopDescribe, interopTest } from '../support/tools.ts'
import { MIXED_GROUPS, shareGroup } from './mixed-group.ts'

const SETUP_TIMEOUT_MS = 180_000
const SCENARIO_TIMEOUT_MS = 200_000

async function runOnNode({ bootstrap }: BrokerTarget): Promise<void> {
  const program = join(REPOSITORY, 'test/client/consumer/run-scenarios.ts')
  const child = new Child({ command: [nodeProgram()!, '--disable-warning=ExperimentalWarning', program, bootstrap] })
  expect(await child.exited, `${child.lines.join('\n')}\n${child.stderr}`).toBe(0)
}

interopDescribe('a consumer against a real Kafka', ['java'], () => {
  let kafka: BrokerTarget

  beforeAll(async () => {
    kafka = await startKafka({
      'group.consumer.min.heartbeat.interval.ms': '200',
      'group.consumer.heartbeat.interval.ms': '200',
      'offsets.topic.num.partitions': '4',
      'transaction.state.log.num.partitions': '2',
    })
  }, SETUP_TIMEOUT_MS)
  afterAll(() => kafka.stop())

  // Samsa below does them all; here Kafka judges the two that differ most.
  for (const group of MIXED_GROUPS.filter(({ name }) => name === 'cooperative-sticky' || name === 'the new protocol')) {
    interopTest(`a group with Java's members: ${group.name}`, ['java'], () => shareGroup(kafka, group), {
      timeoutMs: SCENARIO_TIMEOUT_MS,
    })
  }

  test.skipIf(nodeProgram() === null)('all of it on Node', () => runOnNode(kafka), SCENARIO_TIMEOUT_MS)

  for (const { name, run } of [...SCENARIOS, ...EDGE_SCENARIOS, ...SHARE_SCENARIOS]) {
    interopTest(name, ['java'], () => run(kafka), { timeoutMs: SCENARIO_TIMEOUT_MS, concurrent: true })
  }
})

interopDescribe("a consumer beside Java's, against Samsa", ['java'], () => {
  let samsa: BrokerTarget

  beforeAll(async () => {
    samsa = await startSamsa({
      'group.consumer.heartbeat.interval.ms': '300',
      'group.consumer.min.heartbeat.interval.ms': '300',
    })
  })
  afterAll(() => samsa.stop())

  test.skipIf(nodeProgram() === null)('all of it on Node', () => runOnNode(samsa), SCENARIO_TIMEOUT_MS)

  for (const group of MIXED_GROUPS) {
    interopTest(`a group with Java's members: ${group.name}`, ['java'], () => shareGroup(samsa, group), {
      timeoutMs: SCENARIO_TIMEOUT_MS,
    })
  }
})
