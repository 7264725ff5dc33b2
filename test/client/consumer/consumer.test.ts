/** The consumer against Samsa in this process; test/programs/consumer-client.test.ts runs the same against a real Kafka. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { EmbeddedBroker } from '../../../src/broker/embedded/broker.ts'
import { Child } from '../../support/child-process.ts'
import { nodeProgram } from '../../support/node-program.ts'
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

  test.skipIf(nodeProgram() === null)(
    'the same on Node',
    async () => {
      const program = join(import.meta.dirname, 'run-scenarios.ts')
      const command = [nodeProgram()!, '--disable-warning=ExperimentalWarning', program, broker.bootstrap]
      const child = new Child({ command })
      expect(await child.exited, `${child.lines.join('\n')}\n${child.stderr}`).toBe(0)
    },
    TIMEOUT_MS,
  )

  for (const { name, run } of SCENARIOS) test.concurrent(name, () => run(broker), TIMEOUT_MS)
})
