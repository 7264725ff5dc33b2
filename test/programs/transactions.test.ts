// Exactly once with the Java client and Kafka's tools, unmodified, against the real process.
import { afterAll, beforeAll, expect } from 'bun:test'
import { type BrokerTarget, startTarget } from '../support/broker-target.ts'
import { runCommand } from '../support/child-process.ts'
import { ToolRunner } from '../support/tool-runner.ts'
import { interopDescribe, interopTest, javaCommand } from '../support/tools.ts'

const SETUP_TIMEOUT_MS = 180_000

interopDescribe('transactions', ['java'], () => {
  let target: BrokerTarget
  let tools: ToolRunner

  const javaTest = (name: string, run: () => Promise<void>, timeoutMs = 60_000): void =>
    interopTest(name, ['java'], run, { concurrent: true, timeoutMs })
  const tool = (name: Parameters<ToolRunner['output']>[0], ...args: string[]): Promise<string> =>
    tools.output(name, ['--bootstrap-server', target.bootstrap, ...args])
  const createTopic = (topic: string, partitions: number): Promise<string> =>
    tool('kafka-topics', '--create', '--topic', topic, '--partitions', String(partitions))

  /** The program's lines; fails unless it ends with 0. */
  async function program(...args: string[]): Promise<string[]> {
    const [command, ...rest] = args
    const result = await runCommand(javaCommand('TransactionClient', command!, target.bootstrap, ...rest))
    if (result.exitCode !== 0) throw new Error(`${args.join(' ')}: ${result.stdout}\n${result.stderr}`)
    return result.stdout.split('\n').filter((line) => line !== '')
  }

  async function consume(topic: string, count: number, ...more: string[]): Promise<string[]> {
    const bounds = ['--from-beginning', '--max-messages', String(count), '--timeout-ms', '20000']
    const text = await tool(
      'kafka-console-consumer',
      '--topic',
      topic,
      '--isolation-level',
      'read_committed',
      ...bounds,
      ...more,
    )
    return text.split('\n').filter((line) => line !== '')
  }

  beforeAll(async () => {
    tools = new ToolRunner()
    target = await startTarget({ 'group.initial.rebalance.delay.ms': '0' })
  }, SETUP_TIMEOUT_MS)

  afterAll(async () => {
    await tools?.close()
    await target?.stop()
  }, SETUP_TIMEOUT_MS)

  javaTest('commits are read, aborts are not, a replaced producer is fenced', async () => {
    await createTopic('outcomes', 1)
    const kept = 'kept 0, kept 1, kept 2'
    const [fenced, committed, uncommitted] = await program('outcomes', 'outcomes')
    expect(fenced).toMatch(/^fenced: (ProducerFencedException|InvalidProducerEpochException)$/)
    expect(committed).toBe(`read_committed: ${kept}, ${kept}, of the second`)
    expect(uncommitted).toBe(
      `read_uncommitted: ${kept}, dropped 0, dropped 1, dropped 2, ${kept}, of a fenced producer, of the second`,
    )
  })

  javaTest('a group member copies in transactions; its group stands where the copy ends', async () => {
    await createTopic('copy-from', 2)
    await createTopic('copy-to', 1)
    await program('fill', 'copy-from', 'filler', '40')
    expect(await program('copy', 'copy-from', 'copy-to', 'copiers', 'copier-0', '40')).toEqual(['copied 40'])
    const copied = await consume('copy-to', 40)
    expect(copied.toSorted()).toEqual(Array.from({ length: 40 }, (_, index) => `filler ${index}`).toSorted())
    const described = await tool('kafka-consumer-groups', '--describe', '--group', 'copiers')
    const lags = [...described.matchAll(/copiers\s+copy-from\s+\d+\s+\d+\s+\d+\s+(\d+)/g)].map(([, lag]) => lag)
    expect(lags).toHaveLength(2)
    // The last marker of the source stands behind the last record.
    expect(lags.every((lag) => lag === '0' || lag === '1')).toBe(true)
  })

  javaTest('kafka-transactions lists, describes, finds and ends', async () => {
    await createTopic('watched', 1)
    await program('fill', 'watched', 'watched-id', '2')
    expect(await tool('kafka-transactions', 'list')).toMatch(/watched-id\s+1\s+\d+\s+CompleteCommit/)
    const described = await tool('kafka-transactions', 'describe', '--transactional-id', 'watched-id')
    expect(described).toMatch(/1\s+watched-id\s+\d+\s+2\s+CompleteCommit\s+60000/)
    const producers = await tool('kafka-transactions', 'describe-producers', '--topic', 'watched', '--partition', '0')
    expect(producers).toMatch(/\n\d+\s+2\s+0\s+-1\s+\d+\s+None/)
    await tool('kafka-transactions', 'forceTerminateTransaction', '--transactionalId', 'watched-id')
    expect(await tool('kafka-transactions', 'find-hanging', '--topic', 'watched')).toMatch(/^Topic\s/)
  })

  javaTest('kafka-producer-perf-test in transactions', async () => {
    await createTopic('performed', 1)
    const load = [
      '--num-records',
      '300',
      '--record-size',
      '10',
      '--throughput',
      '-1',
      '--transaction-duration-ms',
      '10',
    ]
    const settings = ['--transactional-id', 'performer', '--command-property', `bootstrap.servers=${target.bootstrap}`]
    const text = await tools.output('kafka-producer-perf-test', ['--topic', 'performed', ...load, ...settings])
    expect(text).toMatch(/300 records sent/)
    expect(await consume('performed', 300)).toHaveLength(300)
  })
})
