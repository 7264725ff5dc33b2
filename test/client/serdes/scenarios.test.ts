/** Serdes with a schema registry, from a producer through a broker to a consumer: on Bun here, and on Node in a process of its own. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { EmbeddedBroker } from '../../../src/broker/embedded/broker.ts'
import { FakeRegistry } from '../../support/fake-registry.ts'
import { nodeProgram } from '../../support/node-program.ts'
import { interopTest } from '../../support/tools.ts'
import { runScenario, SERDE_SCENARIOS } from './scenarios.ts'

const TIMEOUT_MS = 120_000

describe('serdes with a schema registry', () => {
  let broker: EmbeddedBroker
  let registry: FakeRegistry

  beforeAll(async () => {
    broker = await EmbeddedBroker.start({})
    registry = new FakeRegistry()
  })

  afterAll(async () => {
    await broker.stop()
    await registry.stop()
  })

  for (const scenario of SERDE_SCENARIOS) {
    const run = (): Promise<void> => runScenario(scenario, { bootstrap: broker.bootstrap, registry: registry.url })
    test(scenario.name, run, TIMEOUT_MS)
  }

  interopTest(
    'the same on Node',
    ['node'],
    async () => {
      const program = join(import.meta.dir, 'run-scenarios.ts')
      const command = [nodeProgram() as string, '--no-warnings', program, broker.bootstrap, registry.url]
      const child = Bun.spawn(command, { stdout: 'pipe', stderr: 'pipe' })
      const [printed, complaints, status] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
        child.exited,
      ])
      expect(`${printed}${complaints}`.split('\n').filter((line) => !line.startsWith('ok '))).toEqual([''])
      expect(printed.split('\n').filter((line) => line.startsWith('ok '))).toHaveLength(SERDE_SCENARIOS.length)
      expect(status).toBe(0)
    },
    { timeoutMs: TIMEOUT_MS },
  )
})
