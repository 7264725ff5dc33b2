// The programs of test/kafkajs with kafkajs itself, so that nothing is asserted there that kafkajs does not do; with `samsa/kafkajs` on
// Node, and with it against a real Kafka.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import * as original from 'kafkajs'
import { Broker } from '../../src/index.ts'
import * as adapter from '../../src/kafkajs/index.ts'
import { programs } from '../kafkajs/programs/index.ts'
import { type KafkaJS, naming } from '../kafkajs/programs/program.ts'
import { KAFKAJS_SCENARIOS } from '../kafkajs/programs/scenarios.ts'
import type { BrokerTarget } from '../support/broker-target.ts'
import { Child } from '../support/child-process.ts'
import { REPOSITORY } from '../support/kafka-jars.ts'
import { startKafka } from '../support/kafka-process.ts'
import { nodeProgram } from '../support/node-program.ts'
import { startSamsa } from '../support/samsa-process.ts'
import { interopDescribe, interopTest } from '../support/tools.ts'

// The adapter's types are its own; that they fit kafkajs' is what test/kafkajs/types shows.
const kafkajs = original as unknown as KafkaJS
const SETUP_TIMEOUT_MS = 180_000
const PROGRAM_TIMEOUT_MS = 180_000
const name = naming()

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1'

describe('kafkajs itself against Samsa', () => {
  let broker: Broker

  beforeAll(async () => {
    broker = await Broker.start()
  }, SETUP_TIMEOUT_MS)
  afterAll(() => broker.stop())

  for (const [title, program] of Object.entries(programs)) {
    const run = () => program({ kafkajs, brokers: [broker.bootstrap], hasAuthorizer: false, name })
    test(title, run, PROGRAM_TIMEOUT_MS)
  }
})

interopDescribe('samsa/kafkajs on Node against Samsa', ['node'], () => {
  let samsa: BrokerTarget

  beforeAll(async () => {
    samsa = await startSamsa({})
  }, SETUP_TIMEOUT_MS)
  afterAll(() => samsa.stop())

  interopTest(
    'every program',
    ['node'],
    async () => {
      const child = new Child({
        command: [
          nodeProgram()!,
          '--disable-warning=ExperimentalWarning',
          join(REPOSITORY, 'test/support/run-scenarios.ts'),
          join(REPOSITORY, 'test/kafkajs/programs/scenarios.ts'),
          'KAFKAJS_SCENARIOS',
          samsa.bootstrap,
        ],
      })
      const code = await child.exited
      expect(child.stderr).toBe('')
      expect(child.lines.filter((line) => line.startsWith('ok '))).toHaveLength(KAFKAJS_SCENARIOS.length)
      expect(code).toBe(0)
    },
    { timeoutMs: PROGRAM_TIMEOUT_MS },
  )
})

interopDescribe('samsa/kafkajs against a real Kafka', ['java'], () => {
  let kafka: BrokerTarget

  beforeAll(async () => {
    kafka = await startKafka({
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS',
      'offsets.topic.num.partitions': '4',
      'transaction.state.log.num.partitions': '2',
    })
  }, SETUP_TIMEOUT_MS)
  afterAll(() => kafka.stop())

  for (const [title, program] of Object.entries(programs)) {
    const run = () => program({ kafkajs: adapter, brokers: [kafka.bootstrap], hasAuthorizer: true, name })
    interopTest(title, ['java'], run, { timeoutMs: PROGRAM_TIMEOUT_MS, concurrent: true })
  }
})
