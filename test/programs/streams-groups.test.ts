// An application of Kafka Streams with the streams protocol, unmodified: words are counted exactly once while instances and the broker go
// and come back; then Kafka's own tool for streams groups, on the group that is left.
import { afterAll, beforeAll, expect } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Connection } from '../../src/client/connection.ts'
import { readCommitted, stableOffset } from '../crash/transaction-session.ts'
import { Child } from '../support/child-process.ts'
import { type SamsaProcess, startSamsaWith } from '../support/samsa-process.ts'
import { ToolRunner } from '../support/tool-runner.ts'
import { interopTest, javaCommand } from '../support/tools.ts'

const TIMEOUT_MS = 480_000
/** A JVM on a machine that is busy with others takes minutes to begin. */
const STEP_TIMEOUT_MS = 200_000
const POLL_MS = 200
const GROUP = 'word-count'
const WORDS = ['a', 'rose', 'is', 'flower', 'no', 'thorn', 'without', 'red']
/** So that what is silent is missed soon, but not what is only slow. */
const SETTINGS = {
  'group.streams.heartbeat.interval.ms': '500',
  'group.streams.initial.rebalance.delay.ms': '1000',
  'group.streams.min.heartbeat.interval.ms': '500',
  'group.streams.min.session.timeout.ms': '1000',
  'group.streams.num.standby.replicas': '1',
  'group.streams.session.timeout.ms': '15000',
  'offsets.topic.num.partitions': '5',
}

let folder: string
let broker: SamsaProcess
let tools: ToolRunner
const instances = new Set<Child>()

async function start(...more: string[]): Promise<void> {
  broker = await startSamsaWith({ dataDirectory: join(folder, 'data'), settings: SETTINGS, arguments: more })
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'samsa-streams-'))
  await start()
  tools = new ToolRunner()
}, TIMEOUT_MS)

afterAll(async () => {
  for (const instance of instances) {
    instance.kill('SIGKILL')
    await instance.exited
  }
  await tools?.close()
  await broker?.stop()
  rmSync(folder, { recursive: true, force: true })
}, TIMEOUT_MS)

function server(): string[] {
  return ['--bootstrap-server', broker.bootstrap]
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + STEP_TIMEOUT_MS
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not in time: ${what}`)
    await Bun.sleep(POLL_MS)
  }
}

/** An instance of the application; each keeps its state in a folder of its own. */
async function run(name: string): Promise<Child> {
  const state = join(folder, name)
  const command = javaCommand('TransactionClient', 'count', broker.bootstrap, 'text', 'counts', GROUP, state, 'streams')
  const instance = new Child({ command, stdin: 'pipe' })
  instances.add(instance)
  await instance.line((line) => line === 'state RUNNING', STEP_TIMEOUT_MS)
  return instance
}

async function end(instance: Child): Promise<void> {
  instance.closeStdin()
  await instance.exited
  instances.delete(instance)
}

const expected = new Map(WORDS.map((word) => [word, 0]))

/** Lines of two words each, with keys, so that all partitions get some. */
async function write(from: number, count: number): Promise<void> {
  let text = ''
  for (let index = from; index < from + count; index++) {
    const pair = [WORDS[index % WORDS.length]!, WORDS[(index * 3) % WORDS.length]!]
    for (const word of pair) expected.set(word, expected.get(word)! + 1)
    text += `${index}\t${pair.join(' ')}\n`
  }
  const keyed = ['--reader-property', 'parse.key=true']
  await tools.output('kafka-console-producer', [...server(), '--topic', 'text', ...keyed], text)
}

async function connected<Result>(work: (connection: Connection) => Promise<Result>): Promise<Result> {
  const connection = await Connection.connect({ host: broker.host, port: broker.port, negotiate: false })
  try {
    return await work(connection)
  } finally {
    await connection.close()
  }
}

/** Where the group stands; the tool does not show it of a group without members. */
function position(partition: number): Promise<number> {
  return connected((connection) => stableOffset(connection, GROUP, 'text', partition))
}

/** The newest count of each word. None is ever less than the one before: nothing was counted twice or taken back. */
function counts(): Promise<Map<string, number>> {
  return connected(async (connection) => {
    const newest = new Map<string, number>()
    for (let offset = 0; ; ) {
      const { records, nextOffset } = await readCommitted(connection, 'counts', 0, offset)
      for (const { key, value } of records) {
        const word = key ?? ''
        expect(Number(value)).toBeGreaterThan(newest.get(word) ?? 0)
        newest.set(word, Number(value))
      }
      if (nextOffset === offset) return newest
      offset = nextOffset
    }
  })
}

function streamsTool(...args: string[]): Promise<string> {
  return tools.output('kafka-streams-groups', [...server(), ...args])
}

interopTest(
  'words are counted exactly once while instances and the broker are killed and come back',
  ['java'],
  async () => {
    for (const [topic, partitions] of [
      ['text', '4'],
      ['counts', '1'],
    ] as const) {
      await tools.output('kafka-topics', [...server(), '--create', '--topic', topic, '--partitions', partitions])
    }
    const [first, second] = await Promise.all([run('first'), run('second')])
    await write(0, 300)
    await until('something is counted', async () => (await counts()).size > 0)
    first.kill('SIGKILL')
    await first.exited
    instances.delete(first)
    await write(300, 300)
    const again = await run('first')
    await write(600, 200)
    // The broker in between: killed, and back under the same address.
    broker.child.kill('SIGKILL')
    await broker.child.exited
    await start('--listen', `127.0.0.1:${broker.port}`)
    await write(800, 200)
    await until('everything is counted', async () => {
      const reached = await counts()
      return WORDS.every((word) => reached.get(word) === expected.get(word))
    })
    await end(again)
    await end(second)
    expect(Object.fromEntries(await counts())).toEqual(Object.fromEntries(expected))
  },
  { timeoutMs: TIMEOUT_MS },
)

interopTest(
  "Kafka's tool lists, describes, resets and deletes the group",
  ['java'],
  async () => {
    const instance = await run('first')
    let members = ''
    await until('the group is stable', async () => {
      members = await streamsTool('--describe', '--group', GROUP, '--members', '--verbose')
      return (await streamsTool('--describe', '--group', GROUP, '--state')).includes('Stable')
    })
    expect(await streamsTool('--list')).toBe(`${GROUP}\n`)
    expect(await streamsTool('--list', '--state')).toMatch(new RegExp(`${GROUP}\\s+Stable`))
    expect(await streamsTool('--list', '--state', 'empty')).not.toContain(GROUP)
    expect(members).toMatch(/ACTIVE: 0:\[0,1,2,3\]; 1:\[0,1,2,3\];/)
    const offsets = await streamsTool('--describe', '--group', GROUP, '--offsets', '--verbose')
    expect([...offsets.matchAll(/^word-count\s+text\s+\d\s+(\d+)\s+\S+\s+\d+\s+0\s*$/gm)]).toHaveLength(4)
    const refused = await tools.run('kafka-streams-groups', [...server(), '--delete', '--group', GROUP])
    expect(refused.stdout + refused.stderr).toMatch(/not.*EMPTY|not empty/i)
    expect(await position(0)).toBeGreaterThan(0)
    await end(instance)
    await until('the group is empty', async () =>
      (await streamsTool('--describe', '--group', GROUP, '--state')).includes('Empty'),
    )
    const scope = ['--reset-offsets', '--group', GROUP, '--to-earliest', '--input-topic', 'text']
    const planned = await streamsTool(...scope, '--dry-run')
    expect([...planned.matchAll(/^word-count\s+text\s+\d\s+0\s*$/gm)]).toHaveLength(4)
    await streamsTool(...scope, '--execute')
    expect(await position(0)).toBe(0)
    const topics = (): Promise<string> => tools.output('kafka-topics', [...server(), '--list'])
    await streamsTool('--delete', '--group', GROUP, '--delete-all-internal-topics')
    expect((await streamsTool('--list')).trim()).toBe('')
    expect(await topics()).not.toContain('KSTREAM')
  },
  { timeoutMs: TIMEOUT_MS },
)
