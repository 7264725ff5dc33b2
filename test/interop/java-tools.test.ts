// Kafka's own command-line tools, unmodified, against the real process: those that people use first. All of them, beside a real Kafka, are in
// test/programs/tools.test.ts.
import { afterAll, beforeAll, expect } from 'bun:test'
import { type BrokerTarget, startTarget } from '../support/broker-target.ts'
import { type ToolName, type ToolResult, ToolRunner } from '../support/tool-runner.ts'
import { interopDescribe, interopTest } from '../support/tools.ts'

const SETUP_TIMEOUT_MS = 180_000
const CHANGES = ['--create', '--alter', '--delete']

interopDescribe('Kafka tools', ['java'], () => {
  let target: BrokerTarget
  let tools: ToolRunner

  const javaTest = (name: string, run: () => Promise<void>): void =>
    interopTest(name, ['java'], run, { concurrent: true })

  /** Runs a tool against the broker and answers its standard output. */
  async function output(tool: ToolName, args: string[], input = ''): Promise<string> {
    const text = await tools.output(tool, ['--bootstrap-server', target.bootstrap, ...args], input)
    // Kafka's broker follows its controller a moment later; what Samsa has answered holds at once.
    if (target.kind === 'kafka' && CHANGES.some((change) => args.includes(change))) await Bun.sleep(1_000)
    return text
  }

  const attempt = (tool: ToolName, args: string[]): Promise<ToolResult> =>
    tools.run(tool, ['--bootstrap-server', target.bootstrap, ...args])

  const createTopic = (topic: string, ...more: string[]): Promise<string> =>
    output('kafka-topics', ['--create', '--topic', topic, ...more])

  async function produceLines(topic: string, lines: string[], ...more: string[]): Promise<void> {
    await output('kafka-console-producer', ['--topic', topic, ...more], lines.map((line) => `${line}\n`).join(''))
  }

  async function consumeLines(topic: string, count: number, ...more: string[]): Promise<string[]> {
    const bounds = ['--from-beginning', '--max-messages', String(count), '--timeout-ms', '20000']
    const text = await output('kafka-console-consumer', ['--topic', topic, ...bounds, ...more])
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

  javaTest('kafka-topics creates, lists, describes, grows and deletes', async () => {
    expect(await createTopic('life', '--partitions', '2', '--config', 'retention.ms=3600000')).toContain(
      'Created topic life.',
    )
    expect((await output('kafka-topics', ['--list'])).split('\n')).toContain('life')
    const described = await output('kafka-topics', ['--describe', '--topic', 'life'])
    expect(described).toMatch(
      /Topic: life\tTopicId: \S{22}\tPartitionCount: 2\tReplicationFactor: 1\tConfigs: .*retention\.ms=3600000/,
    )
    expect(described).toMatch(/Topic: life\tPartition: 1\tLeader: 1\tReplicas: 1\tIsr: 1/)
    await output('kafka-topics', ['--alter', '--topic', 'life', '--partitions', '5'])
    expect(await output('kafka-topics', ['--describe', '--topic', 'life'])).toContain('PartitionCount: 5')
    const again = await attempt('kafka-topics', ['--create', '--topic', 'life'])
    expect(again.exitCode).toBe(1)
    expect(again.stdout + again.stderr).toContain("Topic 'life' already exists")
    await output('kafka-topics', ['--create', '--if-not-exists', '--topic', 'life'])
    await output('kafka-topics', ['--delete', '--topic', 'life'])
    expect((await output('kafka-topics', ['--list'])).split('\n')).not.toContain('life')
  })

  javaTest('kafka-topics filters under-replicated and unavailable partitions', async () => {
    await createTopic('healthy', '--partitions', '3')
    expect(await output('kafka-topics', ['--describe', '--under-replicated-partitions'])).toBe('')
    expect(await output('kafka-topics', ['--describe', '--unavailable-partitions'])).toBe('')
  })

  for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
    javaTest(`console producer and consumer, ${codec}`, async () => {
      const lines = Array.from({ length: 20 }, (_, i) => `${codec} ${i}`)
      await produceLines(`console-${codec}`, lines, '--compression-codec', codec, '--command-property', 'linger.ms=20')
      expect(await consumeLines(`console-${codec}`, lines.length)).toEqual(lines)
    })
  }

  javaTest('console producer and consumer with keys, headers and timestamps', async () => {
    const parsing = ['parse.key=true', 'parse.headers=true', 'null.marker=NULL'].flatMap((each) => [
      '--reader-property',
      each,
    ])
    await produceLines('rich', ['a:1,b:2\tkey\tvalue', 'a:1\tgone\tNULL'], ...parsing)
    const printing = [
      'print.key=true',
      'print.headers=true',
      'print.offset=true',
      'print.partition=true',
      'print.timestamp=true',
    ]
    const lines = await consumeLines('rich', 2, ...printing.flatMap((each) => ['--formatter-property', each]))
    expect(lines).toEqual([
      expect.stringMatching(/^CreateTime:\d{13}\tPartition:0\tOffset:0\ta:1,b:2\tkey\tvalue$/),
      expect.stringMatching(/^CreateTime:\d{13}\tPartition:0\tOffset:1\ta:1\tgone\tnull$/),
    ])
  })

  javaTest('console consumer in a group, with kafka-consumer-groups on it', async () => {
    await createTopic('grouped', '--partitions', '1')
    await produceLines('grouped', ['1', '2', '3', '4'])
    expect(await consumeLines('grouped', 4, '--group', 'readers')).toEqual(['1', '2', '3', '4'])
    expect((await output('kafka-consumer-groups', ['--list'])).split('\n')).toContain('readers')
    await produceLines('grouped', ['5'])
    const lag = await output('kafka-consumer-groups', ['--describe', '--group', 'readers'])
    expect(lag).toMatch(/readers\s+grouped\s+0\s+4\s+5\s+1\s+-\s+-\s+-/)
    const state = await output('kafka-consumer-groups', ['--describe', '--group', 'readers', '--state'])
    expect(state).toMatch(/readers\s+127\.0\.0\.1:\d+\s+\(1\)\s+.*Empty\s+0/)
    const reset = ['--reset-offsets', '--group', 'readers', '--topic', 'grouped', '--to-offset', '2', '--execute']
    expect(await output('kafka-consumer-groups', reset)).toMatch(/readers\s+grouped\s+0\s+2/)
    expect(await consumeLines('grouped', 3, '--group', 'readers')).toEqual(['3', '4', '5'])
    const forgotten = await output('kafka-consumer-groups', [
      '--delete-offsets',
      '--group',
      'readers',
      '--topic',
      'grouped',
    ])
    expect(forgotten).toMatch(/grouped\s+0\s+Successful/)
    const deleted = await output('kafka-consumer-groups', ['--delete', '--group', 'readers'])
    expect(deleted).toContain("Deletion of requested consumer groups ('readers') was successful.")
    expect((await output('kafka-consumer-groups', ['--list'])).split('\n')).not.toContain('readers')
  })

  javaTest('kafka-consumer-groups shows the members of a living group and refuses to delete it', async () => {
    await createTopic('lively', '--partitions', '2')
    const member = tools.start('kafka-console-consumer', [
      ...['--bootstrap-server', target.bootstrap, '--topic', 'lively', '--group', 'lively-group'],
      ...['--command-property', 'client.id=someone'],
    ])
    const deadline = performance.now() + 90_000
    let members = ''
    while (!/someone.*\s2\s/.test(members) && performance.now() < deadline) {
      const described = await attempt('kafka-consumer-groups', [
        '--describe',
        '--group',
        'lively-group',
        '--members',
        '--verbose',
      ])
      members = described.stdout
    }
    expect(members).toMatch(/lively-group\s+someone-\S+\s+\/127\.0\.0\.1\s+someone\s+2\s+-\s+lively:0,1/)
    const refused = await attempt('kafka-consumer-groups', ['--delete', '--group', 'lively-group'])
    expect(refused.stdout + refused.stderr).toContain('The group is not empty')
    member.stop()
    await member.ended
    expect(await output('kafka-consumer-groups', ['--delete', '--group', 'lively-group'])).toContain('was successful')
  })

  javaTest('kafka-configs sets, shows and removes a topic config and a broker config', async () => {
    await createTopic('configured')
    const topic = ['--entity-type', 'topics', '--entity-name', 'configured']
    await output('kafka-configs', [
      ...topic,
      '--alter',
      '--add-config',
      'retention.ms=60000,cleanup.policy=[compact,delete]',
    ])
    const described = await output('kafka-configs', [...topic, '--describe'])
    expect(described).toContain('retention.ms=60000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=60000')
    expect(described).toContain('cleanup.policy=compact,delete sensitive=false')
    await output('kafka-configs', [...topic, '--alter', '--delete-config', 'retention.ms'])
    expect(await output('kafka-configs', [...topic, '--describe'])).not.toContain('retention.ms=60000')
    const all = await output('kafka-configs', [...topic, '--describe', '--all'])
    expect(all).toContain('  segment.bytes=1073741824 sensitive=false synonyms={')
    const invalid = await attempt('kafka-configs', [...topic, '--alter', '--add-config', 'retention.ms=soon'])
    expect(invalid.exitCode).toBe(1)
    expect(invalid.stderr + invalid.stdout).toContain('Invalid value soon for configuration retention.ms')
    const broker = ['--entity-type', 'brokers', '--entity-name', '1']
    await output('kafka-configs', [...broker, '--alter', '--add-config', 'log.cleaner.threads=2'])
    expect(await output('kafka-configs', [...broker, '--describe'])).toContain('log.cleaner.threads=2')
    await output('kafka-configs', [...broker, '--alter', '--delete-config', 'log.cleaner.threads'])
  })
})
