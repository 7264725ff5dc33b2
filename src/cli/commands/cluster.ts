/** `samsa cluster`: brokers, features, data folders, elections, reassignments. */
import { Command, Option } from 'commander'
import {
  describeCluster,
  describeFeatures,
  describeLogDirs,
  electLeaders,
  listPartitionReassignments,
  updateFeatures,
} from '../../client/admin/cluster-state.ts'
import { adminCommand, type CommonOptions, tellOutcomes } from '../admin-command.ts'
import { usageError } from '../errors.ts'
import { collect, nonNegativeInteger } from '../options.ts'
import { print, printJson, table } from '../output.ts'
import { withCluster } from '../with-cluster.ts'

export function command(): Command {
  return new Command('cluster')
    .description('Show the brokers of a cluster, its features, folders and moves.')
    .addHelpText(
      'after',
      `
Examples:
  samsa cluster info
  samsa cluster features
  samsa cluster features --set group.version=1
  samsa cluster log-dirs --broker 1
  samsa cluster elect preferred
  samsa cluster reassignments`,
    )
    .addCommand(infoCommand())
    .addCommand(featuresCommand())
    .addCommand(logDirsCommand())
    .addCommand(electCommand())
    .addCommand(reassignmentsCommand())
}

function infoCommand(): Command {
  return adminCommand('info', 'show the cluster id, the controller and the brokers', '  samsa cluster info').action(
    async (options: CommonOptions) => {
      const found = await withCluster(options, (cluster) => describeCluster(cluster))
      if (options.format === 'json') return printJson(found)
      const { clusterId, controllerId, brokers } = found
      const rows = brokers.map(({ nodeId, host, port, rack }) => [
        ...[String(nodeId), `${host}:${port}`, rack ?? '-'],
        nodeId === controllerId ? 'controller' : '',
      ])
      await print(`Cluster: ${clusterId}\n${table(['NODE', 'ADDRESS', 'RACK', 'ROLE'], rows)}`)
    },
  )
}

interface FeatureOptions extends CommonOptions {
  readonly set?: readonly { readonly name: string; readonly level: number }[]
  readonly downgrade?: 'safe' | 'unsafe'
  readonly dryRun?: boolean
}

function featuresCommand(): Command {
  return adminCommand(
    'features',
    'show the levels of features, or change them',
    `  samsa cluster features
  samsa cluster features --set group.version=1 --dry-run
  samsa cluster features --set transaction.version=1 --downgrade safe`,
  )
    .option('--set <feature=level>', 'a new level; 0 turns it off; may be repeated', collect(featureLevel))
    .addOption(new Option('--downgrade <kind>', 'levels may go down').choices(['safe', 'unsafe']))
    .option('--dry-run', 'check whether it would work; change nothing')
    .action(async (options: FeatureOptions) => {
      const { set = [], downgrade, dryRun = false } = options
      const type = downgrade === undefined ? ('upgrade' as const) : (`${downgrade}-downgrade` as const)
      const features = await withCluster(options, async (cluster) => {
        const updates = set.map((each) => ({ ...each, type }))
        if (updates.length > 0) await updateFeatures(cluster, updates, { validateOnly: dryRun })
        return describeFeatures(cluster)
      })
      if (options.format === 'json') return printJson(features)
      const rows = features.map(({ name, level, min, max }) => [name, String(level), String(min), String(max)])
      await print(table(['FEATURE', 'LEVEL', 'MIN', 'MAX'], rows))
    })
}

function featureLevel(text: string): { name: string; level: number } {
  const [name = '', level = ''] = text.split('=')
  if (name === '' || !/^\d+$/.test(level)) throw usageError(`--set '${text}' is not FEATURE=LEVEL`)
  return { name, level: Number(level) }
}

function logDirsCommand(): Command {
  return adminCommand('log-dirs', "show the brokers' data folders and what is in them", '  samsa cluster log-dirs')
    .option('--broker <id>', 'only of this broker; may be repeated', collect(nonNegativeInteger))
    .option('--replicas', 'every replica on a line')
    .action(async (options: CommonOptions & { broker?: readonly number[]; replicas?: boolean }) => {
      const folders = await withCluster(options, (cluster) => describeLogDirs(cluster, options.broker))
      if (options.format === 'json') {
        return printJson(folders.map(({ error, ...folder }) => ({ ...folder, error: error?.message ?? null })))
      }
      if (options.replicas === true) {
        const rows = folders.flatMap(({ broker, path, replicas }) =>
          replicas.map(({ topic, partition, sizeBytes, offsetLag, isFuture }) => [
            ...[String(broker), path, `${topic}-${partition}`, String(sizeBytes), String(offsetLag)],
            isFuture ? 'moving here' : '',
          ]),
        )
        return print(table(['BROKER', 'FOLDER', 'REPLICA', 'BYTES', 'LAG', 'NOTE'], rows))
      }
      const rows = folders.map(({ broker, path, replicas, totalBytes, usableBytes, error }) => [
        ...[String(broker), path, String(replicas.length)],
        String(replicas.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)),
        ...[totalBytes, usableBytes].map((bytes) => (bytes < 0 ? '-' : String(bytes))),
        error?.code ?? 'online',
      ])
      await print(table(['BROKER', 'FOLDER', 'REPLICAS', 'BYTES', 'DISK-BYTES', 'FREE-BYTES', 'STATE'], rows))
    })
}

function electCommand(): Command {
  return adminCommand(
    'elect',
    'elect leaders: the preferred ones, or any that is alive (unclean: may lose records)',
    '  samsa cluster elect preferred\n  samsa cluster elect unclean --partition orders-0',
  )
    .argument('<preferred|unclean>')
    .option('--partition <topic-partition>', 'only of this one; may be repeated', collect(topicPartition))
    .action(
      async (
        type: string,
        options: CommonOptions & { partition?: readonly { topic: string; partition: number }[] },
      ) => {
        if (type !== 'preferred' && type !== 'unclean') throw usageError(`'${type}' is neither preferred nor unclean`)
        const outcomes = await withCluster(options, (cluster) => electLeaders(cluster, type, options.partition))
        const named = outcomes.map(({ topic, partition, error }) => ({ name: `${topic}-${partition}`, error }))
        await tellOutcomes(options, named, { kind: 'partition', verb: 'Elected a leader of' })
      },
    )
}

function topicPartition(text: string): { topic: string; partition: number } {
  const match = /^(.+)-(\d+)$/.exec(text)
  if (match === null) throw usageError(`--partition '${text}' is not TOPIC-PARTITION, as in orders-0`)
  return { topic: match[1]!, partition: Number(match[2]) }
}

function reassignmentsCommand(): Command {
  return adminCommand('reassignments', 'list replicas that are moving', '  samsa cluster reassignments').action(
    async (options: CommonOptions) => {
      const found = await withCluster(options, listPartitionReassignments)
      if (options.format === 'json') return printJson(found)
      const rows = found.map(({ topic, partition, replicas, addingReplicas, removingReplicas }) => [
        `${topic}-${partition}`,
        ...[replicas, addingReplicas, removingReplicas].map((ids) => ids.join(',') || '-'),
      ])
      await print(table(['PARTITION', 'REPLICAS', 'ADDING', 'REMOVING'], rows))
    },
  )
}
