// KafkaShareConsumer, unmodified, with implicit and explicit acknowledgement, two members on one partition, through a kill of the broker;
// and Kafka's own tools for share groups.
import { afterAll, beforeAll, expect } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Child } from '../support/child-process.ts'
import { type SamsaProcess, startSamsaWith } from '../support/samsa-process.ts'
import { type ToolName, ToolRunner } from '../support/tool-runner.ts'
import { interopTest, javaCommand } from '../support/tools.ts'

const TIMEOUT_MS = 240_000
const STEP_TIMEOUT_MS = 100_000
/** Members meet soon. Locks last as long as by default: a slow machine must not make records come again. */
const SETTINGS = {
  'group.share.heartbeat.interval.ms': '500',
  'group.share.min.heartbeat.interval.ms': '500',
  'group.share.assignment.interval.ms': '0',
  'offsets.topic.num.partitions': '5',
  'share.coordinator.state.topic.num.partitions': '3',
}

interface Delivery {
  readonly member: string
  readonly value: string
  readonly count: number
}

/** What the members say. */
class Members {
  readonly deliveries: Delivery[] = []
  readonly done: string[] = []
  readonly closed = new Set<string>()
  readonly failures: string[] = []
  #changed: (() => void)[] = []

  readonly take = (line: string): void => {
    const [member = '', event = '', value = '', count = ''] = line.split(' ')
    if (event === 'record') this.deliveries.push({ member, value, count: Number(count) })
    else if (event === 'done') this.done.push(value)
    else if (event === 'closed') this.closed.add(member)
    else if (event === 'failed') this.failures.push(line)
    for (const wake of this.#changed.splice(0)) wake()
  }

  of(prefix: string): Delivery[] {
    return this.deliveries.filter(({ value }) => value.includes(prefix))
  }

  doneOf(prefix: string): string[] {
    return this.done.filter((value) => value.includes(prefix)).sort()
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    const deadline = performance.now() + STEP_TIMEOUT_MS
    while (!holds()) {
      const leftMs = deadline - performance.now()
      if (leftMs <= 0) {
        throw new Error(
          `not in time: ${what} (${this.deliveries.length} deliveries, ${this.done.length} done, ${this.failures})`,
        )
      }
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, leftMs)
      this.#changed.push(resolve)
      await promise
      clearTimeout(timer)
    }
  }
}

const members = new Members()
let folder: string
let broker: SamsaProcess
let tools: ToolRunner
let java: Child

async function start(...more: string[]): Promise<void> {
  broker = await startSamsaWith({ dataDirectory: join(folder, 'data'), settings: SETTINGS, arguments: more })
}

function enter(name: string, topic: string, group: string, ...settings: string[]): void {
  java.write(`start ${name} ${topic} group.id=${group} ${settings.join(' ')}\n`)
}

async function leave(...names: string[]): Promise<void> {
  for (const name of names) java.write(`close ${name}\n`)
  await members.until(`${names} are closed`, () => names.every((name) => members.closed.has(name)))
}

function output(tool: ToolName, args: string[], input = ''): Promise<string> {
  return tools.output(tool, ['--bootstrap-server', broker.bootstrap, ...args], input)
}

async function groupFromBeginning(topic: string, group: string): Promise<void> {
  await output('kafka-topics', ['--create', '--topic', topic, '--partitions', '1'])
  const setting = ['--alter', '--entity-type', 'groups', '--entity-name', group]
  await output('kafka-configs', [...setting, '--add-config', 'share.auto.offset.reset=earliest'])
}

async function produce(topic: string, values: readonly string[]): Promise<void> {
  await output('kafka-console-producer', ['--topic', topic], values.map((value) => `${value}\n`).join(''))
}

function named(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${String(index).padStart(3, '0')}`)
}

/** The tool's answer once it says that; what members did last is written down a moment later. */
async function untilOutput(tool: ToolName, args: string[], expected: RegExp): Promise<string> {
  const deadline = performance.now() + STEP_TIMEOUT_MS
  for (;;) {
    const text = await output(tool, args)
    if (expected.test(text) || performance.now() > deadline) return text
    await Bun.sleep(200)
  }
}

const test = (name: string, run: () => Promise<void>): void => {
  interopTest(name, ['java'], run, { timeoutMs: TIMEOUT_MS })
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'samsa-share-'))
  await start()
  tools = new ToolRunner()
  java = new Child({
    command: [...javaCommand('ShareGroupClient'), broker.bootstrap],
    stdin: 'pipe',
    onLine: members.take,
  })
}, TIMEOUT_MS)

afterAll(async () => {
  await java?.stop()
  await tools?.close()
  await broker?.stop()
  rmSync(folder, { recursive: true, force: true })
}, TIMEOUT_MS)

test('two members share one partition: each record is for one of them', async () => {
  await groupFromBeginning('shared', 'sharing')
  enter('one', 'shared', 'sharing', 'max.poll.records=10')
  enter('two', 'shared', 'sharing', 'max.poll.records=10')
  const values: string[] = []
  // Until both have had some: who comes first may take all of the first ones.
  for (let round = 0; new Set(members.of('shared-').map(({ member }) => member)).size < 2; round++) {
    const more = named(`shared-${String(round).padStart(2, '0')}-`, 50)
    await produce('shared', more)
    values.push(...more)
    await members.until('all are done', () => members.doneOf('shared-').length >= values.length)
  }
  expect(members.doneOf('shared-')).toEqual(values)
  expect(members.of('shared-').every(({ count }) => count === 1)).toBe(true)
  const described = await untilOutput('kafka-share-groups', ['--describe', '--group', 'sharing'], / 0 *$/m)
  expect(described).toMatch(/^sharing +shared +0 +\d+ +0/m)
  expect(await output('kafka-share-groups', ['--describe', '--group', 'sharing', '--members'])).toMatch(
    /^sharing +\S+ +\/?127\.0\.0\.1/m,
  )
  expect(await output('kafka-share-groups', ['--describe', '--group', 'sharing', '--state'])).toMatch(
    /^sharing .* Stable +2/m,
  )
  await leave('one', 'two')
})

test('explicit acknowledgement: accepted, released and come again, rejected and gone', async () => {
  await groupFromBeginning('judged', 'judging')
  const values = [...named('accept-judged-', 20), ...named('release-judged-', 20), ...named('reject-judged-', 20)]
  await produce('judged', values)
  enter('judge', 'judged', 'judging', 'share.acknowledgement.mode=explicit')
  await members.until('all are done', () => members.doneOf('-judged-').length >= values.length)
  expect(members.doneOf('-judged-')).toEqual([...values].sort())
  const counts = (prefix: string): number[] => [...new Set(members.of(prefix).map(({ count }) => count))]
  expect(counts('accept-judged-')).toEqual([1])
  expect(counts('release-judged-')).toEqual([1, 2])
  expect(counts('reject-judged-')).toEqual([1])
  await leave('judge')
})

test('what was acknowledged does not come again after the broker was killed; the rest does', async () => {
  await groupFromBeginning('killed', 'killing')
  const before = named('killed-before-', 100)
  await produce('killed', before)
  enter('victim', 'killed', 'killing', 'share.acknowledgement.mode=explicit', 'max.poll.records=7')
  await members.until('some are done', () => members.doneOf('killed-before-').length >= 20)
  const { port } = broker
  broker.child.kill('SIGKILL')
  await broker.child.exited
  const done = new Set(members.doneOf('killed-before-'))
  const seen = members.deliveries.length
  await start('--listen', `127.0.0.1:${port}`)
  const after = named('killed-after-', 30)
  await produce('killed', after)
  await members.until('everything is done', () => {
    return new Set(members.doneOf('killed-')).size >= before.length + after.length
  })
  const again = members.deliveries.slice(seen).filter(({ value }) => done.has(value))
  expect(again).toEqual([])
  expect([...new Set(members.doneOf('killed-'))].sort()).toEqual([...after, ...before].sort())
  expect(members.failures).toEqual([])
  await leave('victim')
})

test('kafka-share-groups and kafka-console-share-consumer', async () => {
  await groupFromBeginning('tooled', 'tooling')
  await produce('tooled', named('tooled-', 10))
  const consume = ['--topic', 'tooled', '--group', 'tooling']
  const read = await output('kafka-console-share-consumer', [...consume, '--max-messages', '10'])
  expect(read.trim().split('\n').sort()).toEqual(named('tooled-', 10))
  expect(await output('kafka-share-groups', ['--list'])).toContain('tooling')
  const described = ['--describe', '--group', 'tooling']
  expect(await untilOutput('kafka-share-groups', described, / 0 *$/m)).toMatch(/^tooling +tooled +0 +\d+ +0/m)
  const reset = ['--reset-offsets', '--group', 'tooling', '--topic', 'tooled', '--to-earliest', '--execute']
  expect(await untilOutput('kafka-share-groups', reset, /tooled +0 +0/)).toMatch(/tooled +0 +0/)
  const again = await output('kafka-console-share-consumer', [...consume, '--max-messages', '10'])
  expect(again.trim().split('\n').sort()).toEqual(named('tooled-', 10))
  const forget = ['--delete-offsets', '--group', 'tooling', '--topic', 'tooled']
  expect(await untilOutput('kafka-share-groups', forget, /Successful/)).toMatch(/Successful/)
  expect(await output('kafka-share-groups', ['--delete', '--group', 'tooling'])).toMatch(/successful/)
  expect(await output('kafka-share-groups', ['--list'])).not.toContain('tooling')
})

test('kafka-dump-log reads the states', async () => {
  const texts: string[] = []
  for (const partition of [0, 1, 2]) {
    const file = join(folder, 'data', `__share_group_state-${partition}`, '00000000000000000000.log')
    texts.push(await tools.output('kafka-dump-log', ['--share-group-state-decoder', '--files', file]))
  }
  const text = texts.join('\n')
  expect(text).toContain('"groupId":"sharing"')
  expect(text).toContain('"snapshotEpoch"')
  expect(text).toContain('"deliveryState":2')
  expect(text).not.toMatch(/Could not|exception/i)
})
