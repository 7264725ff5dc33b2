// A Java producer pushes its metrics by itself, as soon as a subscription asks for them (KIP-714).
import { afterAll, beforeAll, expect } from 'bun:test'
import type { Broker } from '../../src/broker/server.ts'
import { startBroker } from '../broker/support/test-broker.ts'
import { ToolRunner } from '../support/tool-runner.ts'
import { interopDescribe, interopTest } from '../support/tools.ts'

const SETUP_TIMEOUT_MS = 180_000

interopDescribe('client telemetry', ['java'], () => {
  let broker: Broker
  let tools: ToolRunner

  beforeAll(async () => {
    broker = await startBroker()
    tools = new ToolRunner()
  }, SETUP_TIMEOUT_MS)

  afterAll(async () => {
    await tools?.close()
    await broker?.stop()
  }, SETUP_TIMEOUT_MS)

  for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
    interopTest(
      `a producer with compression ${codec} is asked for its metrics, and they are kept`,
      ['java'],
      async () => {
        const server = ['--bootstrap-server', broker.bootstrap]
        const metrics = ['--metrics', 'org.apache.kafka.producer.', '--interval', '100']
        await tools.output('kafka-client-metrics', [...server, '--alter', '--name', 'producers', ...metrics])
        const properties = ['--command-property', `compression.type=${codec}`]
        const { telemetry } = broker.context
        const before = new Set(telemetry.clients().map(({ clientInstanceId }) => clientInstanceId))
        // Long enough to be asked: about a second.
        const load = ['--num-records', '30', '--record-size', '10', '--throughput', '30']
        await tools.output('kafka-producer-perf-test', [...server, '--topic', 'pushed', ...load, ...properties])
        const client = telemetry.clients().find(({ clientInstanceId }) => !before.has(clientInstanceId))
        expect(client?.facts.client_software_name).toBe('apache-kafka-java')
        const names = client?.metrics.map(({ name }) => name) ?? []
        expect(names.length).toBeGreaterThan(3)
        expect(names.every((name) => name.startsWith('org.apache.kafka.producer.'))).toBe(true)
      },
    )
  }
})
