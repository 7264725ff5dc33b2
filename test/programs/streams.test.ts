// Kafka Streams with exactly_once_v2, unmodified, in two instances: a windowed join whose pairs are counted. Instances and the broker are killed in
// between, an instance comes back without its state; every pair is there once, and every count is right.
import { afterAll, beforeAll, expect } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Connection } from '../../src/client/connection.ts'
import { type ReadRecord, readCommitted } from '../crash/transaction-session.ts'
import { Child, runCommand } from '../support/child-process.ts'
import { type SamsaProcess, startSamsaWith } from '../support/samsa-process.ts'
import { ToolRunner } from '../support/tool-runner.ts'
import { interopTest, javaCommand } from '../support/tools.ts'

const TIMEOUT_MS = 300_000
const STEP_TIMEOUT_MS = 90_000
const POLL_MS = 200
const KEYS = 12
/** As in the program's window. */
const APART_MAX_MS = 5_000
const PARTITIONS = { clicks: '3', views: '3', pairs: '2', counts: '1' }

interface Event {
  readonly topic: 'clicks' | 'views'
  readonly timestamp: number
  readonly key: string
  readonly value: string
}

let folder: string
let broker: SamsaProcess
const instances = new Set<Child>()

function start(...more: string[]): Promise<SamsaProcess> {
  const settings = { 'group.initial.rebalance.delay.ms': '0', 'offsets.topic.num.partitions': '5' }
  return startSamsaWith({ dataDirectory: join(folder, 'data'), settings, arguments: more })
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'samsa-join-'))
  broker = await start()
}, TIMEOUT_MS)

afterAll(async () => {
  for (const instance of instances) {
    instance.kill('SIGKILL')
    await instance.exited
  }
  await broker?.stop()
  rmSync(folder, { recursive: true, force: true })
}, TIMEOUT_MS)

async function run(name: string): Promise<Child> {
  const names = ['clicks,views', 'pairs,counts', 'joiner', join(folder, name)]
  const instance = new Child({
    command: javaCommand('TransactionClient', 'join', broker.bootstrap, ...names),
    stdin: 'pipe',
  })
  instances.add(instance)
  await instance.line((line) => line === 'state RUNNING', STEP_TIMEOUT_MS)
  return instance
}

async function kill(instance: Child): Promise<void> {
  instance.kill('SIGKILL')
  await instance.exited
  instances.delete(instance)
}

async function end(instance: Child): Promise<void> {
  instance.closeStdin()
  await instance.exited
  instances.delete(instance)
}

const beganMs = Date.now() - 600_000

/** Clicks every 700 ms, views every 900 ms, of keys in turn. */
function events(from: number, count: number): Event[] {
  return Array.from({ length: count }, (_, step) => from + step).flatMap((index): Event[] => [
    { topic: 'clicks', timestamp: beganMs + index * 700, key: `key ${index % KEYS}`, value: `c${index}` },
    { topic: 'views', timestamp: beganMs + index * 900, key: `key ${(index * 5) % KEYS}`, value: `v${index}` },
  ])
}

async function write(written: readonly Event[]): Promise<void> {
  const lines = written.map(({ topic, timestamp, key, value }) => `${topic}\t${timestamp}\t${key}\t${value}`)
  const command = javaCommand('TransactionClient', 'write', broker.bootstrap)
  const { exitCode, stderr } = await runCommand(command, Buffer.from(lines.join('\n')))
  if (exitCode !== 0) throw new Error(`cannot write: ${stderr}`)
}

/** What the join must give, by its definition. */
function expectedPairs(all: readonly Event[]): string[] {
  const views = all.filter(({ topic }) => topic === 'views')
  return all
    .filter(({ topic }) => topic === 'clicks')
    .flatMap((click) =>
      views
        .filter(({ key, timestamp }) => key === click.key && Math.abs(timestamp - click.timestamp) <= APART_MAX_MS)
        .map((view) => `${click.key}: ${click.value}+${view.value}`),
    )
    .sort()
}

async function committed(topic: keyof typeof PARTITIONS): Promise<ReadRecord[]> {
  const connection = await Connection.connect({ host: broker.host, port: broker.port, negotiate: false })
  try {
    const found: ReadRecord[] = []
    for (let partition = 0; partition < Number(PARTITIONS[topic]); partition++) {
      for (let offset = 0; ; ) {
        const { records, nextOffset } = await readCommitted(connection, topic, partition, offset)
        found.push(...records)
        if (nextOffset === offset) break
        offset = nextOffset
      }
    }
    return found
  } finally {
    await connection.close()
  }
}

const pairs = async (): Promise<string[]> =>
  (await committed('pairs')).map(({ key, value }) => `${key}: ${value}`).sort()

/** The newest count of each key. None is ever less than the one before: nothing was counted twice or taken back. */
async function counts(): Promise<Record<string, number>> {
  const newest: Record<string, number> = {}
  for (const { key, value } of await committed('counts')) {
    expect(Number(value)).toBeGreaterThan(newest[key ?? ''] ?? 0)
    newest[key ?? ''] = Number(value)
  }
  return newest
}

function countsOf(all: readonly string[]): Record<string, number> {
  const counted: Record<string, number> = {}
  for (const pair of all) {
    const key = pair.slice(0, pair.indexOf(':'))
    counted[key] = (counted[key] ?? 0) + 1
  }
  return counted
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + STEP_TIMEOUT_MS
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not in time: ${what}`)
    await Bun.sleep(POLL_MS)
  }
}

interopTest(
  'a windowed join and a count of its pairs, exact after kills of instances and of the broker',
  ['java'],
  async () => {
    const tools = new ToolRunner()
    for (const [topic, partitions] of Object.entries(PARTITIONS)) {
      await tools.output('kafka-topics', [
        ...['--bootstrap-server', broker.bootstrap, '--create', '--topic', topic, '--partitions', partitions],
      ])
    }
    await tools.close()
    const all = events(0, 240)
    await write(all.slice(0, 160))
    const [first, second] = await Promise.all([run('first'), run('second')])
    await until('something is joined', async () => (await pairs()).length > 0)
    await kill(first)
    await write(all.slice(160, 320))
    // Its folder is another: what it knew of the windows and counts comes from the changelogs.
    const third = await run('third')
    broker.child.kill('SIGKILL')
    await broker.child.exited
    broker = await start('--listen', `127.0.0.1:${broker.port}`)
    await write(all.slice(320))
    const wanted = expectedPairs(all)
    await until('everything is joined', async () => (await pairs()).length >= wanted.length)
    const wantedCounts = countsOf(wanted)
    await until('everything is counted', async () => Bun.deepEquals(await counts(), wantedCounts))
    await Promise.all([end(second), end(third)])
    expect(await pairs()).toEqual(wanted)
    expect(await counts()).toEqual(wantedCounts)
  },
  { timeoutMs: TIMEOUT_MS },
)
