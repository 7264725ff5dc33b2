/** `samsa topics`: what kafka-topics and the topic part of kafka-configs do. */
import { Command, Option } from 'commander'
import { alterConfigs, type ConfigEntry, describeConfigs } from '../../client/admin/configs.ts'
import type { Outcome } from '../../client/admin/outcome.ts'
import type { TopicDescription } from '../../client/admin/topics.ts'
import * as topicCalls from '../../client/admin/topics.ts'
import type { Cluster } from '../../client/cluster.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import { adminCommand, type CommonOptions, tellOutcomes } from '../admin-command.ts'
import { allFailures, usageError } from '../errors.ts'
import { collect, type KeyValue, keyValue, positiveInteger } from '../options.ts'
import { print, printJson } from '../output.ts'
import { withCluster } from '../with-cluster.ts'

export function command(): Command {
  return new Command('topics')
    .description('Create, list, describe, alter and delete topics.')
    .addHelpText(
      'after',
      `
Examples:
  samsa topics create orders --partitions 6 --config retention.ms=86400000
  samsa topics list
  samsa topics describe orders
  samsa topics alter orders --config retention.ms=3600000 --delete-config segment.bytes
  samsa topics delete orders`,
    )
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(describeCommand())
    .addCommand(alterCommand())
    .addCommand(deleteCommand())
}

interface CreateOptions extends CommonOptions {
  readonly partitions: number
  readonly replicationFactor: number
  readonly config?: readonly KeyValue[]
  readonly ifNotExists?: boolean
  readonly validateOnly?: boolean
}

function createCommand(): Command {
  return adminCommand(
    'create',
    'create topics',
    '  samsa topics create orders\n  samsa topics create orders payments --partitions 6 --config cleanup.policy=compact',
  )
    .argument('<topic...>', 'names of the topics')
    .addOption(
      new Option('-p, --partitions <n>', 'number of partitions')
        .argParser(positiveInteger)
        .default(-1, 'num.partitions of the broker'),
    )
    .addOption(
      new Option('-r, --replication-factor <n>', 'replicas of each partition')
        .argParser(positiveInteger)
        .default(-1, 'default.replication.factor of the broker'),
    )
    .addOption(configOption('a configuration of the topic; may be repeated'))
    .option('--if-not-exists', 'do nothing for topics that exist')
    .option('--validate-only', 'check whether it would work; create nothing')
    .action(async (names: string[], options: CreateOptions) => {
      const { partitions, replicationFactor, config: configs = [], validateOnly = false } = options
      const wanted = names.map((name) => ({ name, partitions, replicationFactor, configs }))
      const outcomes = await withCluster(options, (cluster) =>
        topicCalls.createTopics(cluster, wanted, { validateOnly }),
      )
      const tolerated = options.ifNotExists === true ? ErrorCode.TOPIC_ALREADY_EXISTS : null
      const verb = validateOnly ? 'Could create topic' : 'Created topic'
      await tellOutcomes(options, outcomes, { kind: 'topic', verb, tolerated })
    })
}

function deleteCommand(): Command {
  return adminCommand('delete', 'delete topics with all their records', '  samsa topics delete orders payments')
    .argument('<topic...>', 'names of the topics')
    .option('--if-exists', 'do nothing for topics that do not exist')
    .action(async (names: string[], options: CommonOptions & { ifExists?: boolean }) => {
      const outcomes = await withCluster(options, (cluster) => topicCalls.deleteTopics(cluster, names))
      const tolerated = options.ifExists === true ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : null
      await tellOutcomes(options, outcomes, { kind: 'topic', verb: 'Deleted topic', tolerated })
    })
}

interface AlterOptions extends CommonOptions {
  readonly partitions?: number
  readonly config?: readonly KeyValue[]
  readonly deleteConfig?: readonly string[]
}

function alterCommand(): Command {
  return adminCommand(
    'alter',
    'add partitions to a topic or change its configuration',
    `  samsa topics alter orders --partitions 12
  samsa topics alter orders --config retention.ms=3600000 --config cleanup.policy=compact
  samsa topics alter orders --delete-config retention.ms`,
  )
    .argument('<topic>', 'name of the topic')
    .addOption(new Option('-p, --partitions <n>', 'new number of partitions').argParser(positiveInteger))
    .addOption(configOption('set a configuration; may be repeated'))
    .addOption(
      new Option('-d, --delete-config <key>', 'back to the default; may be repeated').argParser(
        collect((key: string) => key),
      ),
    )
    .action(async (name: string, options: AlterOptions) => {
      const { partitions, config: set = [], deleteConfig: remove = [] } = options
      if (partitions === undefined && set.length === 0 && remove.length === 0) {
        throw usageError('nothing to alter: give --partitions, --config or --delete-config')
      }
      const outcomes = await withCluster(options, async (cluster) => {
        const done: Outcome[] = []
        const changes = [
          ...set.map(({ key, value }) => ({ name: key, operation: 'set' as const, value })),
          ...remove.map((key) => ({ name: key, operation: 'delete' as const })),
        ]
        if (changes.length > 0) done.push(...(await alterConfigs(cluster, [{ type: 'topic', name, changes }])))
        if (partitions !== undefined && done.every((outcome) => outcome.error === null)) {
          done.push(...(await topicCalls.createPartitions(cluster, [{ name, count: partitions }])))
        }
        return done
      })
      // Configuration and partitions are two requests about one topic: the topic is altered when both worked.
      const error = outcomes.find((candidate) => candidate.error !== null)?.error ?? null
      await tellOutcomes(options, [{ name, error }], { kind: 'topic', verb: 'Altered topic' })
    })
}

function listCommand(): Command {
  return adminCommand('list', 'list topics', '  samsa topics list\n  samsa topics list --format json')
    .option('--exclude-internal', 'leave out the topics that brokers keep their own state in')
    .action(async (options: CommonOptions & { excludeInternal?: boolean }) => {
      const all = await withCluster(options, async (cluster) => (await cluster.metadata(null)).topics)
      const topics = all
        .filter((topic) => options.excludeInternal !== true || !topic.isInternal)
        .map(({ name, topicId, isInternal: internal, partitions }) => {
          const replicationFactor = partitions[0]?.replicaNodes.length ?? 0
          return { name: name ?? '', topicId, partitions: partitions.length, replicationFactor, internal }
        })
        .sort((a, b) => (a.name < b.name ? -1 : 1))
      if (options.format === 'json') await printJson(topics)
      else if (topics.length > 0) await print(topics.map((topic) => topic.name).join('\n'))
    })
}

interface DescribeOptions extends CommonOptions, DescribeFilter {
  readonly configs?: boolean
  readonly excludeInternal?: boolean
}

interface DescribeFilter {
  readonly underReplicatedPartitions?: boolean
  readonly unavailablePartitions?: boolean
  readonly underMinIsrPartitions?: boolean
  readonly topicsWithOverrides?: boolean
}

function describeCommand(): Command {
  return adminCommand(
    'describe',
    'show partitions, leaders, replicas and configuration of topics',
    `  samsa topics describe                             all topics
  samsa topics describe orders --configs            with every configuration in force
  samsa topics describe --unavailable-partitions    only partitions without a leader`,
  )
    .argument('[topic...]', 'names of the topics; all without')
    .option('--configs', 'every configuration in force, also the defaults')
    .option('--exclude-internal', 'leave out the topics that brokers keep their own state in')
    .option('--under-replicated-partitions', 'only partitions that lack in-sync replicas')
    .option('--unavailable-partitions', 'only partitions without a leader')
    .option('--under-min-isr-partitions', 'only partitions with fewer in-sync replicas than min.insync.replicas')
    .option('--topics-with-overrides', 'only topics with configurations of their own, without their partitions')
    .action(async (names: string[], options: DescribeOptions) => {
      const { topics, configs, failures } = await withCluster(options, async (cluster) => {
        const { all, failures } = await describeAll(cluster, names)
        const found = all.filter(({ internal }) => options.excludeInternal !== true || !internal)
        const resources = found.map(({ name }) => ({ type: 'topic' as const, name }))
        return { topics: found, configs: await describeConfigs(cluster, resources), failures }
      })
      const configsOf = (name: string): readonly ConfigEntry[] =>
        configs.find((topic) => topic.name === name)?.configs ?? []
      const described = topics.flatMap((topic) => wantedPart({ ...topic, configs: configsOf(topic.name) }, options))
      const shown = described.map((topic) => ({
        ...topic,
        configs: topic.configs
          .filter((config) => options.configs === true || !config.isDefault)
          .map(({ name, value, source, isDefault }) => ({ name, value, source, isDefault })),
      }))
      if (options.format === 'json') await printJson(shown)
      else if (shown.length > 0) await print(shown.map((topic) => topicText(topic, options)).join('\n'))
      if (failures.length > 0) throw allFailures(failures)
    })
}

/** One that cannot be described does not hide the others. No names: all topics. */
async function describeAll(cluster: Cluster, names: readonly string[]) {
  if (names.length === 0) return { all: await topicCalls.describeTopics(cluster, null), failures: [] }
  const wanted = [...new Set(names)].sort()
  const settled = await Promise.allSettled(wanted.map((name) => topicCalls.describeTopics(cluster, [name])))
  return {
    all: settled.flatMap((each) => (each.status === 'fulfilled' ? each.value : [])),
    failures: settled.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : [])),
  }
}

type WithConfigs = TopicDescription & { readonly configs: readonly ConfigEntry[] }
type PartitionRow = TopicDescription['partitions'][number]

/** Which partitions are asked for; null: all of them. */
function partitionFilter(options: DescribeFilter): ((row: PartitionRow, minIsr: number) => boolean) | null {
  if (options.unavailablePartitions === true) return ({ leader }) => leader < 0
  if (options.underMinIsrPartitions === true) return ({ isr }, minIsr) => isr.length < minIsr
  if (options.underReplicatedPartitions === true) return ({ isr, replicas }) => isr.length < replicas.length
  return null
}

/** The topic with what is left of it; nothing if nothing is. */
export function wantedPart(topic: WithConfigs, options: DescribeFilter): WithConfigs[] {
  if (options.topicsWithOverrides === true) {
    return topic.configs.some(({ source }) => source === 'topic') ? [topic] : []
  }
  const filter = partitionFilter(options)
  if (filter === null) return [topic]
  const minIsr = Number(topic.configs.find(({ name }) => name === 'min.insync.replicas')?.value ?? 1)
  const partitions = topic.partitions.filter((row) => filter(row, minIsr))
  return partitions.length === 0 ? [] : [{ ...topic, partitions }]
}

function topicText(topic: TopicDescription & { configs: readonly TopicConfig[] }, options: DescribeOptions): string {
  const lines = describeText(topic, topic.configs, options.configs === true).split('\n')
  if (options.topicsWithOverrides === true) return lines.filter((line) => !line.startsWith('\tTopic: ')).join('\n')
  // Of chosen partitions only their own lines are shown, as kafka-topics does.
  return (partitionFilter(options) === null ? lines : lines.slice(1)).join('\n')
}

type TopicConfig = Pick<ConfigEntry, 'name' | 'value' | 'isDefault'> & { readonly source: string }

/** The lines of kafka-topics, field by field: scripts split them at tabs. */
export function describeText(topic: TopicDescription, configs: readonly TopicConfig[], onOwnLines: boolean): string {
  const pairs = configs.map(({ name, value }) => `${name}=${value ?? ''}`)
  const replicationFactor = topic.partitions[0]?.replicas.length ?? 0
  const lines = [
    [
      `Topic: ${topic.name}`,
      `TopicId: ${topic.topicId}`,
      `PartitionCount: ${topic.partitions.length}`,
      `ReplicationFactor: ${replicationFactor}`,
      `Configs: ${onOwnLines ? '' : pairs.join(',')}`,
    ].join('\t'),
  ]
  for (const row of topic.partitions) {
    const cells = [
      `Topic: ${topic.name}`,
      `Partition: ${row.partition}`,
      `Leader: ${row.leader < 0 ? 'none' : row.leader}`,
      `Replicas: ${row.replicas.join(',')}`,
      `Isr: ${row.isr.join(',')}`,
      `Elr: ${row.elr?.join(',') ?? 'N/A'}`,
      `LastKnownElr: ${row.lastKnownElr?.join(',') ?? 'N/A'}`,
    ]
    lines.push(`\t${cells.join('\t')}`)
  }
  if (onOwnLines) lines.push(...configs.map(({ source }, index) => `\tConfig: ${pairs[index]}\tSource: ${source}`))
  return lines.join('\n')
}

function configOption(description: string): Option {
  return new Option('-c, --config <key=value>', description).argParser(collect(keyValue))
}
