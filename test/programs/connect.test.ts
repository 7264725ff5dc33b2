// Kafka Connect in distributed mode, unmodified, with exactly-once sources: lines of a file go to a topic and from there to another file, while the
// worker and the broker are killed and come back. Every line is in the topic once and in order.
//
// The file sink writes before it commits, so a killed one may write lines again: at least once is what it promises. Stopped cleanly it goes on exactly.
import { afterAll, beforeAll, expect } from 'bun:test'
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Connection } from '../../src/client/connection.ts'
import { readCommitted } from '../crash/transaction-session.ts'
import { Child } from '../support/child-process.ts'
import { freePort } from '../support/kafka-process.ts'
import { type SamsaProcess, startSamsaWith } from '../support/samsa-process.ts'
import { ToolRunner } from '../support/tool-runner.ts'
import { interopTest, javaCommand } from '../support/tools.ts'

const TIMEOUT_MS = 300_000
const STEP_TIMEOUT_MS = 120_000
const POLL_MS = 200
const TOPIC = 'lines'
const WORKER_MAIN = 'org.apache.kafka.connect.cli.ConnectDistributed'

let folder: string
let broker: SamsaProcess
let worker: Child
let restPort: number
let written = 0

const path = (name: string): string => join(folder, name)
const line = (index: number): string => `line ${String(index).padStart(5, '0')}`
const allLines = (): string[] => Array.from({ length: written }, (_, index) => line(index))

function startBroker(...more: string[]): Promise<SamsaProcess> {
  const settings = { 'group.initial.rebalance.delay.ms': '0', 'offsets.topic.num.partitions': '5' }
  return startSamsaWith({ dataDirectory: path('data'), settings, arguments: more })
}

function writeWorkerProperties(): void {
  const converter = 'org.apache.kafka.connect.storage.StringConverter'
  const properties = {
    'bootstrap.servers': broker.bootstrap,
    'group.id': 'workers',
    'key.converter': converter,
    'value.converter': converter,
    'config.storage.topic': 'connect-configs',
    'offset.storage.topic': 'connect-offsets',
    'status.storage.topic': 'connect-status',
    'config.storage.replication.factor': '1',
    'offset.storage.replication.factor': '1',
    'status.storage.replication.factor': '1',
    'offset.storage.partitions': '3',
    'status.storage.partitions': '1',
    'exactly.once.source.support': 'enabled',
    'offset.flush.interval.ms': '500',
    'session.timeout.ms': '6000',
    'heartbeat.interval.ms': '1000',
    'scheduled.rebalance.max.delay.ms': '0',
    'connector.client.config.override.policy': 'All',
    'plugin.discovery': 'service_load',
    listeners: `http://127.0.0.1:${restPort}`,
  }
  const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}\n`)
  writeFileSync(path('worker.properties'), lines.join(''))
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + STEP_TIMEOUT_MS
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not in time: ${what}\n${worker.stderr}`)
    await Bun.sleep(POLL_MS)
  }
}

/** The worker's answer, or null while it cannot give one: it starts, or its group is being rebalanced. */
async function rest(method: string, resource: string, body?: unknown): Promise<unknown> {
  const options: RequestInit = { method, headers: { 'content-type': 'application/json' } }
  if (body !== undefined) options.body = JSON.stringify(body)
  const response = await fetch(`http://127.0.0.1:${restPort}/${resource}`, options).catch(() => null)
  if (response === null || response.status === 409 || response.status >= 500 || response.status === 404) return null
  if (!response.ok) throw new Error(`${method} ${resource}: ${response.status} ${await response.text()}`)
  return response.json()
}

async function startWorker(): Promise<void> {
  worker = new Child({ command: javaCommand(WORKER_MAIN, path('worker.properties')) })
  await until('the worker answers', async () => (await rest('GET', 'connectors')) !== null)
}

async function killWorker(): Promise<void> {
  worker.kill('SIGKILL')
  await worker.exited
}

async function connector(name: string, config: Record<string, string>): Promise<void> {
  await until(`${name} is taken`, async () => (await rest('PUT', `connectors/${name}/config`, config)) !== null)
}

async function isRunning(name: string): Promise<boolean> {
  const status = (await rest('GET', `connectors/${name}/status`)) as {
    tasks: { state: string; trace?: string }[]
  } | null
  const failed = status?.tasks.find(({ state }) => state === 'FAILED')
  if (failed !== undefined) throw new Error(`${name} has failed: ${failed.trace}`)
  return status?.tasks[0]?.state === 'RUNNING'
}

/** Lines for the source, whole ones only. */
function append(count: number): void {
  const more = Array.from({ length: count }, (_, index) => `${line(written + index)}\n`)
  appendFileSync(path('input.txt'), more.join(''))
  written += count
}

async function topicLines(): Promise<string[]> {
  const connection = await Connection.connect({ host: broker.host, port: broker.port, negotiate: false })
  try {
    const found: string[] = []
    for (let offset = 0; ; ) {
      const { records, nextOffset } = await readCommitted(connection, TOPIC, 0, offset)
      found.push(...records.map(({ value }) => value ?? ''))
      if (nextOffset === offset) return found
      offset = nextOffset
    }
  } finally {
    await connection.close()
  }
}

function sinkLines(): string[] {
  if (!existsSync(path('output.txt'))) return []
  return readFileSync(path('output.txt'), 'utf8').split('\n').slice(0, -1)
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'samsa-connect-'))
  restPort = await freePort()
  broker = await startBroker()
  writeWorkerProperties()
}, TIMEOUT_MS)

afterAll(async () => {
  await worker?.stop()
  await broker?.stop()
  rmSync(folder, { recursive: true, force: true })
}, TIMEOUT_MS)

interopTest(
  'a file goes through a topic exactly once, worker and broker killed on the way',
  ['java'],
  async () => {
    const tools = new ToolRunner()
    await tools.output('kafka-topics', ['--bootstrap-server', broker.bootstrap, '--create', '--topic', TOPIC])
    await tools.close()
    append(2_000)
    await startWorker()
    await connector('source', {
      'connector.class': 'org.apache.kafka.connect.file.FileStreamSourceConnector',
      'tasks.max': '1',
      file: path('input.txt'),
      topic: TOPIC,
      'exactly.once.support': 'required',
      'transaction.boundary': 'poll',
    })
    await connector('sink', {
      'connector.class': 'org.apache.kafka.connect.file.FileStreamSinkConnector',
      'tasks.max': '1',
      file: path('output.txt'),
      topics: TOPIC,
      'consumer.override.isolation.level': 'read_committed',
    })
    await until('something is in the topic', async () => (await topicLines()).length > 0)
    append(2_000)
    await killWorker()
    append(1_000)
    await startWorker()
    await until('the source goes on', async () => (await topicLines()).length > 2_000)
    append(2_000)
    broker.child.kill('SIGKILL')
    await broker.child.exited
    append(1_000)
    broker = await startBroker('--listen', `127.0.0.1:${broker.port}`)
    await until('all lines are in the topic', async () => (await topicLines()).length >= written)
    await until('all lines have come out', () => sinkLines().at(-1) === line(written - 1))
    expect(await topicLines()).toEqual(allLines())
    expect([...new Set(sinkLines())].sort()).toEqual(allLines())

    // Asked to stop, both ends know where they are.
    await until('both run', async () => (await isRunning('source')) && (await isRunning('sink')))
    expect(await worker.stop(60_000)).not.toBe(137)
    const before = sinkLines().length
    append(500)
    await startWorker()
    await until('the rest has come out', () => sinkLines().at(-1) === line(written - 1))
    expect(sinkLines().slice(before)).toEqual(allLines().slice(-500))
    expect(await topicLines()).toEqual(allLines())
  },
  { timeoutMs: TIMEOUT_MS },
)
