// Kafka's administrative tools, unmodified: the same commands against a real Kafka and against Samsa print the same.
import { afterAll, beforeAll, expect } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrokerTarget } from '../support/broker-target.ts'
import { startKafka } from '../support/kafka-process.ts'
import { startSamsa } from '../support/samsa-process.ts'
import { type ToolName, type ToolResult, ToolRunner } from '../support/tool-runner.ts'
import { interopDescribe, interopTest } from '../support/tools.ts'

const SETUP_TIMEOUT_MS = 150_000
const FOLLOW_MS = 400
/** Folders of new partitions take longer. */
const CREATE_MS = 2_000

/** What only Kafka lists. */
const NOT_SERVED = /^Feature: (share|streams)\.version/

interface Command {
  readonly tool: ToolName
  readonly args: (target: BrokerTarget) => string[]
}

/** Addresses, folders, ids and times are each broker's own; rows have no particular order. */
function normalise({ exitCode, stdout, stderr }: ToolResult, target: BrokerTarget): unknown {
  const own = (text: string): string[] =>
    text
      .replaceAll(target.bootstrap, '<bootstrap>')
      .replaceAll(target.dataDirectory, '<folder>')
      .replaceAll(/\t?TopicId: \S+/g, '')
      .replaceAll(/Epoch: \d+/g, 'Epoch: <epoch>')
      // Why a feature cannot be is said in words of our own.
      .replaceAll(/had an error: .*/g, 'had an error: <reason>')
      .replaceAll(/"(size|offsetLag|totalBytes|usableBytes)":\d+/g, '"$1":<n>')
      .split('\n')
      .map((line) =>
        line.trimEnd().replace(/ are (.*)$/, (_, list: string) => ` are ${list.split(', ').sort().join(', ')}`),
      )
      .filter((line) => line !== '' && !NOT_SERVED.test(line) && !line.includes('WARN') && !/^\s*at /.test(line))
      .sort()
  return { exitCode, stdout: own(stdout), stderr: own(stderr).filter((line) => !line.startsWith('SLF4J')) }
}

interopDescribe("Kafka's administrative tools print what they print against Kafka", ['java'], () => {
  let targets: BrokerTarget[] = []
  let tools: ToolRunner
  let folder: string

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'samsa-admin-tools-'))
    tools = new ToolRunner()
    targets = await Promise.all([startKafka(), startSamsa({})])
  }, SETUP_TIMEOUT_MS)

  afterAll(async () => {
    await tools?.close()
    await Promise.all(targets.map((target) => target.stop()))
    rmSync(folder, { recursive: true, force: true })
  }, SETUP_TIMEOUT_MS)

  const at = (tool: ToolName, ...args: string[]): Command => ({
    tool,
    args: ({ bootstrap }) => ['--bootstrap-server', bootstrap, ...args],
  })

  async function runAll(target: BrokerTarget, commands: readonly Command[]): Promise<unknown[]> {
    const outcomes: unknown[] = []
    for (const { tool, args } of commands) {
      const given = args(target)
      const result = await tools.run(tool, given)
      outcomes.push({
        command: `${tool} ${given.join(' ')}`.replace(target.bootstrap, '<bootstrap>'),
        ...(normalise(result, target) as object),
      })
      // Kafka's broker follows its controller a moment later.
      if (target.kind === 'kafka') await Bun.sleep(given.includes('--create') ? CREATE_MS : FOLLOW_MS)
    }
    return outcomes
  }

  const same = (name: string, commands: () => readonly Command[]): void =>
    interopTest(
      name,
      ['java'],
      async () => {
        const [kafka, samsa] = await Promise.all(targets.map((target) => runAll(target, commands())))
        expect(samsa).toEqual(kafka)
      },
      { concurrent: true },
    )

  function file(name: string, content: unknown): string {
    const path = join(folder, name)
    writeFileSync(path, JSON.stringify(content))
    return path
  }

  const configs = (...args: string[]): Command => at('kafka-configs', ...args)

  same('kafka-configs: quotas of users, clients and addresses; SCRAM credentials', () => [
    configs('--describe', '--entity-type', 'users'),
    configs(
      '--alter',
      '--add-config',
      'producer_byte_rate=1048576,consumer_byte_rate=2097152',
      '--entity-type',
      'users',
      '--entity-name',
      'alice',
    ),
    configs('--alter', '--add-config', 'request_percentage=150.5', '--entity-type', 'clients', '--entity-name', 'app'),
    configs(
      '--alter',
      '--add-config',
      'producer_byte_rate=1024',
      '--entity-type',
      'users',
      '--entity-name',
      'alice',
      '--entity-type',
      'clients',
      '--entity-default',
    ),
    configs('--alter', '--add-config', 'controller_mutation_rate=10', '--entity-type', 'users', '--entity-default'),
    configs(
      '--alter',
      '--add-config',
      'connection_creation_rate=100',
      '--entity-type',
      'ips',
      '--entity-name',
      '10.0.0.1',
    ),
    configs('--alter', '--add-config', 'connection_creation_rate=200', '--entity-type', 'ips', '--entity-default'),
    configs('--describe', '--entity-type', 'users'),
    configs('--describe', '--entity-type', 'users', '--entity-name', 'alice'),
    configs('--describe', '--entity-type', 'clients'),
    configs('--describe', '--entity-type', 'users', '--entity-type', 'clients'),
    configs(
      '--describe',
      '--entity-type',
      'users',
      '--entity-name',
      'alice',
      '--entity-type',
      'clients',
      '--entity-default',
    ),
    configs('--describe', '--entity-type', 'ips'),
    configs('--describe', '--entity-type', 'ips', '--entity-name', '10.0.0.1'),
    configs('--alter', '--delete-config', 'producer_byte_rate', '--entity-type', 'users', '--entity-name', 'alice'),
    configs('--alter', '--delete-config', 'controller_mutation_rate', '--entity-type', 'users', '--entity-default'),
    configs('--describe', '--entity-type', 'users', '--entity-name', 'alice'),
    configs('--alter', '--add-config', 'nonsense=1', '--entity-type', 'users', '--entity-name', 'alice'),
    configs(
      '--alter',
      '--add-config',
      'SCRAM-SHA-256=[iterations=4096,password=secret]',
      '--entity-type',
      'users',
      '--entity-name',
      'bob',
    ),
    configs(
      '--alter',
      '--add-config',
      'SCRAM-SHA-512=[password=secret]',
      '--entity-type',
      'users',
      '--entity-name',
      'bob',
    ),
    configs('--describe', '--entity-type', 'users', '--entity-name', 'bob'),
    configs('--alter', '--delete-config', 'SCRAM-SHA-256', '--entity-type', 'users', '--entity-name', 'bob'),
    configs('--describe', '--entity-type', 'users', '--entity-name', 'bob'),
  ])

  same('kafka-configs: topics, groups, brokers and client metrics; kafka-client-metrics', () => [
    at('kafka-topics', '--create', '--topic', 'configured', '--partitions', '1'),
    configs(
      '--alter',
      '--add-config',
      'retention.ms=5000,cleanup.policy=[compact,delete]',
      '--entity-type',
      'topics',
      '--entity-name',
      'configured',
    ),
    configs('--describe', '--entity-type', 'topics', '--entity-name', 'configured'),
    configs('--alter', '--add-config', 'segment.bytes=1', '--entity-type', 'topics', '--entity-name', 'configured'),
    configs('--alter', '--add-config', 'no.such=1', '--entity-type', 'topics', '--entity-name', 'configured'),
    configs(
      '--alter',
      '--add-config',
      'consumer.session.timeout.ms=46000',
      '--entity-type',
      'groups',
      '--entity-name',
      'g',
    ),
    configs('--describe', '--entity-type', 'groups', '--entity-name', 'g'),
    configs('--describe', '--entity-type', 'groups'),
    configs('--alter', '--add-config', 'log.cleaner.threads=2', '--entity-type', 'brokers', '--entity-default'),
    configs('--describe', '--entity-type', 'brokers', '--entity-default'),
    configs('--alter', '--delete-config', 'log.cleaner.threads', '--entity-type', 'brokers', '--entity-default'),
    configs('--alter', '--add-config', 'node.id=5', '--entity-type', 'brokers', '--entity-name', '1'),
    configs(
      '--alter',
      '--add-config',
      'interval.ms=1000,metrics=[a.,b.]',
      '--entity-type',
      'client-metrics',
      '--entity-name',
      'm',
    ),
    configs('--describe', '--entity-type', 'client-metrics', '--entity-name', 'm'),
    configs('--describe', '--entity-type', 'client-metrics'),
    at('kafka-client-metrics', '--list'),
    at(
      'kafka-client-metrics',
      '--alter',
      '--name',
      'sub',
      '--interval',
      '2000',
      '--metrics',
      'org.apache.kafka.producer.',
      '--match',
      'client_id=p.*',
    ),
    at('kafka-client-metrics', '--list'),
    at('kafka-client-metrics', '--describe', '--name', 'sub'),
    at('kafka-client-metrics', '--describe'),
    at('kafka-client-metrics', '--alter', '--name', 'sub', '--interval', '1'),
    at('kafka-client-metrics', '--delete', '--name', 'sub'),
    at('kafka-client-metrics', '--delete', '--name', 'm'),
    at('kafka-client-metrics', '--list'),
  ])

  same('kafka-leader-election', () => {
    const one = file('election.json', { partitions: [{ topic: 'elected', partition: 0 }] })
    const none = file('election-none.json', { partitions: [{ topic: 'no-such', partition: 0 }] })
    return [
      at('kafka-topics', '--create', '--topic', 'elected', '--partitions', '2'),
      at('kafka-leader-election', '--election-type', 'preferred', '--topic', 'elected', '--partition', '1'),
      at('kafka-leader-election', '--election-type', 'unclean', '--path-to-json-file', one),
      at('kafka-leader-election', '--election-type', 'preferred', '--path-to-json-file', none),
      at('kafka-leader-election', '--election-type', 'preferred', '--all-topic-partitions'),
    ]
  })

  same('kafka-reassign-partitions', () => {
    const plan = (name: string, replicas: number[]): string =>
      file(name, { version: 1, partitions: [{ topic: 'reassigned', partition: 0, replicas }] })
    const stay = plan('stay.json', [1])
    const away = plan('away.json', [2])
    const topics = file('topics.json', { version: 1, topics: [{ topic: 'reassigned' }] })
    const reassign = (...args: string[]): Command => at('kafka-reassign-partitions', ...args)
    return [
      at('kafka-topics', '--create', '--topic', 'reassigned', '--partitions', '1'),
      reassign('--generate', '--topics-to-move-json-file', topics, '--broker-list', '1'),
      reassign('--execute', '--reassignment-json-file', stay),
      reassign('--verify', '--reassignment-json-file', stay),
      reassign('--execute', '--reassignment-json-file', stay, '--throttle', '1000000'),
      reassign('--verify', '--reassignment-json-file', stay),
      reassign('--list'),
      reassign('--cancel', '--reassignment-json-file', stay),
      reassign('--execute', '--reassignment-json-file', away),
    ]
  })

  same('kafka-log-dirs, kafka-cluster, kafka-acls', () => [
    at('kafka-topics', '--create', '--topic', 'logged', '--partitions', '1'),
    { tool: 'kafka-cluster', args: ({ bootstrap }) => ['unregister', '--bootstrap-server', bootstrap, '--id', '99'] },
    at('kafka-acls', '--list'),
    at('kafka-acls', '--add', '--allow-principal', 'User:alice', '--operation', 'Read', '--topic', 't'),
    at('kafka-acls', '--remove', '--force', '--allow-principal', 'User:alice', '--operation', 'Read', '--topic', 't'),
    at('kafka-log-dirs', '--describe', '--topic-list', 'logged'),
    at('kafka-log-dirs', '--describe', '--topic-list', 'logged', '--broker-list', '1'),
  ])

  same('kafka-features', () => {
    const features = (...args: string[]): Command => at('kafka-features', ...args)
    return [
      features('describe'),
      features('downgrade', '--feature', 'metadata.version=29'),
      features('upgrade', '--feature', 'metadata.version=31'),
      features('upgrade', '--feature', 'no.such.version=1'),
      features('downgrade', '--feature', 'eligible.leader.replicas.version=0', '--dry-run'),
      features('downgrade', '--feature', 'eligible.leader.replicas.version=0'),
      features('upgrade', '--feature', 'eligible.leader.replicas.version=1'),
      features('disable', '--feature', 'metadata.version'),
      features('version-mapping'),
    ]
  })
})
