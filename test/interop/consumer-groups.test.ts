// Consumers with group.protocol=consumer (KIP-848), Java's and librdkafka's, and Kafka's tools on their groups.
import { afterAll, beforeAll, expect } from 'bun:test'
import { join } from 'node:path'
import { type BrokerTarget, startTarget } from '../support/broker-target.ts'
import { Child } from '../support/child-process.ts'
import { type ToolName, ToolRunner } from '../support/tool-runner.ts'
import { CLIENTS, interopDescribe, interopTest, javaCommand, PYTHON } from '../support/tools.ts'

const SETUP_TIMEOUT_MS = 180_000
const WAIT_MS = 45_000
/** Short ones, so that nobody waits long for members that are gone. */
const SETTINGS = {
  'group.initial.rebalance.delay.ms': '0',
  'group.consumer.min.heartbeat.interval.ms': '300',
  'group.consumer.heartbeat.interval.ms': '300',
  'group.consumer.min.session.timeout.ms': '3000',
  'group.consumer.session.timeout.ms': '3000',
}
const NEW = 'group.protocol=consumer'
const CLASSIC = 'group.protocol=classic'

/** What the members of all client programs say. */
class Members {
  readonly held = new Map<string, string[]>()
  readonly records: { member: string; value: string }[] = []
  readonly #closed = new Set<string>()
  #changed: (() => void)[] = []

  readonly take = (line: string): void => {
    const [name = '', event = '', rest = ''] = line.split(' ')
    if (event === 'assigned') this.held.set(name, rest === '' ? [] : rest.split(','))
    else if (event === 'record') this.records.push({ member: name, value: rest })
    else if (event === 'closed' || event === 'failed') this.#closed.add(name)
    for (const wake of this.#changed.splice(0)) wake()
  }

  isClosed(name: string): boolean {
    return this.#closed.has(name)
  }

  /** How many partitions each of them has, smallest first. */
  shares(names: readonly string[]): number[] {
    return names.map((name) => this.held.get(name)?.length ?? 0).sort((one, other) => one - other)
  }

  /** Every partition of the topic is held by exactly one of them. */
  cover(names: readonly string[], count: number): boolean {
    const all = names.flatMap((name) => this.held.get(name) ?? [])
    return all.length === count && new Set(all).size === count
  }

  valuesOf(prefix: string): string[] {
    return this.records
      .map(({ value }) => value)
      .filter((value) => value.startsWith(prefix))
      .sort()
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    const deadline = performance.now() + WAIT_MS
    while (!holds()) {
      const leftMs = deadline - performance.now()
      if (leftMs <= 0)
        throw new Error(`not in time: ${what} (${JSON.stringify([...this.held])}, ${this.records.length} records)`)
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, leftMs)
      this.#changed.push(resolve)
      await promise
      clearTimeout(timer)
    }
  }
}

interopDescribe('consumer groups of the new protocol', ['java', 'python'], () => {
  const members = new Members()
  const children: Child[] = []
  let target: BrokerTarget
  let tools: ToolRunner
  let java: Child

  const start = (name: string, topics: string, ...settings: string[]): void => {
    java.write(`start ${name} ${topics} ${settings.join(' ')}\n`)
  }
  const close = async (name: string): Promise<void> => {
    java.write(`close ${name}\n`)
    await members.until(`${name} is closed`, () => members.isClosed(name))
  }

  function startConfluent(name: string, topic: string, ...settings: string[]): Child {
    const program = join(CLIENTS, 'python/confluent_group_member.py')
    const child = new Child({
      command: [PYTHON, program, target.bootstrap, name, topic, ...settings],
      onLine: members.take,
    })
    children.push(child)
    return child
  }

  const output = (tool: ToolName, args: string[], input = ''): Promise<string> =>
    tools.output(tool, ['--bootstrap-server', target.bootstrap, ...args], input)
  const createTopic = (topic: string, partitions: number): Promise<string> =>
    output('kafka-topics', ['--create', '--topic', topic, '--partitions', String(partitions)])

  async function produce(topic: string, prefix: string, count: number): Promise<string[]> {
    const values = Array.from({ length: count }, (_, index) => `${prefix}${String(index).padStart(3, '0')}`)
    // Keys spread them over the partitions.
    const lines = values.map((value, index) => `${index}:${value}\n`).join('')
    const properties = ['parse.key=true', 'key.separator=:'].flatMap((each) => ['--reader-property', each])
    await output('kafka-console-producer', ['--topic', topic, ...properties], lines)
    return values
  }

  const test = (name: string, run: () => Promise<void>): void =>
    interopTest(name, ['java', 'python'], run, { timeoutMs: 120_000, concurrent: true })

  beforeAll(async () => {
    tools = new ToolRunner()
    target = await startTarget(SETTINGS)
    java = new Child({
      command: [...javaCommand('ConsumerGroupClient'), target.bootstrap],
      stdin: 'pipe',
      onLine: members.take,
    })
    children.push(java)
  }, SETUP_TIMEOUT_MS)

  afterAll(async () => {
    await Promise.all(children.map((child) => child.stop()))
    await tools?.close()
    await target?.stop()
  }, SETUP_TIMEOUT_MS)

  test('members of two clients share a topic; what a killed one had goes to the others', async () => {
    await createTopic('shared', 6)
    const group = 'group.id=sharing'
    start('share-a', 'shared', NEW, group)
    start('share-b', 'shared', NEW, group)
    const killed = startConfluent('share-c', 'shared', NEW, group)
    const all = ['share-a', 'share-b', 'share-c']
    await members.until('everybody has two', () => members.cover(all, 6) && members.shares(all).join() === '2,2,2')
    const values = await produce('shared', 'before-', 60)
    await members.until('all were read', () => members.valuesOf('before-').length >= 60)
    expect(members.valuesOf('before-')).toEqual(values)
    killed.kill()
    const left = ['share-a', 'share-b']
    await members.until('two have all', () => members.cover(left, 6) && members.shares(left).join() === '3,3')
    const more = await produce('shared', 'after-', 60)
    await members.until('all were read', () => members.valuesOf('after-').length >= 60)
    expect(members.valuesOf('after-')).toEqual(more)
    const described = await output('kafka-consumer-groups', [
      '--describe',
      '--group',
      'sharing',
      '--members',
      '--verbose',
    ])
    expect(described).toContain('CURRENT-EPOCH')
    expect(described.match(/^sharing +\S+ +\/?127\.0\.0\.1/gm)).toHaveLength(2)
    expect(await output('kafka-consumer-groups', ['--describe', '--group', 'sharing', '--state'])).toMatch(
      /uniform +Stable +2/,
    )
    expect(await output('kafka-consumer-groups', ['--describe', '--group', 'sharing'])).toMatch(
      /^sharing +shared +5 +\d+ +\d+ +0 /m,
    )
    expect(await output('kafka-consumer-groups', ['--list', '--type', 'consumer'])).toContain('sharing')
    await Promise.all(left.map(close))
  })

  test('a static member that starts again has what it had, and nobody else notices', async () => {
    await createTopic('static', 4)
    const group = 'group.id=statics'
    start('static-a', 'static', NEW, group, 'group.instance.id=a')
    start('static-b', 'static', NEW, group, 'group.instance.id=b')
    const all = ['static-a', 'static-b']
    await members.until('both have two', () => members.cover(all, 4) && members.shares(all).join() === '2,2')
    const had = members.held.get('static-a')!
    const others = members.held.get('static-b')!
    await close('static-a')
    start('static-a2', 'static', NEW, group, 'group.instance.id=a')
    await members.until('it is back', () => (members.held.get('static-a2')?.length ?? 0) > 0)
    expect(members.held.get('static-a2')).toEqual(had)
    expect(members.held.get('static-b')).toEqual(others)
    await Promise.all(['static-a2', 'static-b'].map(close))
  })

  test('an expression takes in topics that come later', async () => {
    await createTopic('regex-one', 2)
    start('regex-a', '~regex-.*', NEW, 'group.id=expressions')
    await members.until('the first topic', () => members.cover(['regex-a'], 2))
    await createTopic('regex-two', 3)
    await createTopic('other-regex', 1)
    await members.until('the second topic', () => members.cover(['regex-a'], 5))
    await close('regex-a')
  })

  test('a group moves to the new protocol and back while it reads', async () => {
    await createTopic('moving', 4)
    const group = 'group.id=movers'
    const assignor = 'partition.assignment.strategy=org.apache.kafka.clients.consumer.CooperativeStickyAssignor'
    start('move-a', 'moving', CLASSIC, group, assignor, 'heartbeat.interval.ms=300', 'session.timeout.ms=6000')
    await members.until('the classic one has all', () => members.cover(['move-a'], 4))
    const values = await produce('moving', 'moving-1-', 40)
    start('move-b', 'moving', NEW, group)
    await members.until(
      'both protocols share',
      () => members.cover(['move-a', 'move-b'], 4) && members.shares(['move-a', 'move-b']).join() === '2,2',
    )
    expect(await output('kafka-consumer-groups', ['--list', '--type', 'consumer'])).toContain('movers')
    values.push(...(await produce('moving', 'moving-2-', 40)))
    await close('move-a')
    await members.until('the new one has all', () => members.cover(['move-b'], 4))
    values.push(...(await produce('moving', 'moving-3-', 40)))
    start('move-c', 'moving', CLASSIC, group, assignor, 'heartbeat.interval.ms=300', 'session.timeout.ms=6000')
    await members.until(
      'both share again',
      () => members.cover(['move-b', 'move-c'], 4) && members.shares(['move-b', 'move-c']).join() === '2,2',
    )
    await close('move-b')
    await members.until('the classic one has all again', () => members.cover(['move-c'], 4))
    expect(await output('kafka-consumer-groups', ['--list', '--type', 'classic'])).toContain('movers')
    values.push(...(await produce('moving', 'moving-4-', 40)))
    await members.until('all were read', () => members.valuesOf('moving-').length >= values.length)
    expect(members.valuesOf('moving-')).toEqual(values)
    await close('move-c')
  })
})
