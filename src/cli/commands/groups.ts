/** `samsa groups`: what kafka-groups, kafka-consumer-groups, kafka-share-groups and kafka-streams-groups show; what it changes is in ../group-changes.ts. */
import { Command, Option } from 'commander'
import { listGroups } from '../../client/admin/groups.ts'
import type { Cluster } from '../../client/cluster.ts'
import { adminCommand, type CommonOptions } from '../admin-command.ts'
import { allFailures, usageError } from '../errors.ts'
import { deleteCommand, deleteOffsetsCommand, removeMembersCommand, seekCommand } from '../group-changes.ts'
import { type DescribedGroup, describeWithOffsets, groupText, type View } from '../group-views.ts'
import { note, print, printJson, table } from '../output.ts'
import { withCluster } from '../with-cluster.ts'

const TYPES = ['classic', 'consumer', 'share', 'streams'] as const
const KINDS: Readonly<Record<string, string>> = { share: 'Share', streams: 'Streams' }

export function command(): Command {
  return new Command('groups')
    .description('List, describe, move and delete groups: classic, consumer, share and streams ones.')
    .addHelpText(
      'after',
      `
Examples:
  samsa groups list --state
  samsa groups list --type share
  samsa groups describe billing
  samsa groups describe billing --members
  samsa groups seek billing --to @2026-01-31T12:00:00Z --topic orders --dry-run
  samsa groups delete billing`,
    )
    .addCommand(listCommand())
    .addCommand(describeCommand())
    .addCommand(seekCommand())
    .addCommand(deleteOffsetsCommand())
    .addCommand(removeMembersCommand())
    .addCommand(deleteCommand())
}

interface ListOptions extends CommonOptions {
  readonly state?: boolean
  readonly type?: string
}

function listCommand(): Command {
  return adminCommand(
    'list',
    'list groups',
    '  samsa groups list\n  samsa groups list --state\n  samsa groups list --type streams --format json',
  )
    .option('--state', 'with their type and state')
    .addOption(new Option('--type <type>', 'only groups of this type').choices(TYPES))
    .action(async (options: ListOptions) => {
      const all = await withCluster(options, listGroups)
      const groups = all.filter(({ type }) => options.type === undefined || type.toLowerCase() === options.type)
      if (options.format === 'json') return printJson(groups)
      if (options.state === true) {
        const rows = groups.map(({ groupId, type, state }) => [groupId, type, state])
        return print(table(['GROUP', 'TYPE', 'STATE'], rows))
      }
      if (groups.length > 0) await print(groups.map(({ groupId }) => groupId).join('\n'))
    })
}

interface DescribeOptions extends CommonOptions, View {}

function describeCommand(): Command {
  return adminCommand(
    'describe',
    'show offsets and lag, members or state of groups',
    '  samsa groups describe billing\n  samsa groups describe billing --members\n  samsa groups describe --state',
  )
    .argument('[group...]', 'ids of the groups; all without')
    .option('--members', 'show the members instead of the offsets')
    .option('--state', 'show the state instead of the offsets')
    .action(async (groupIds: string[], options: DescribeOptions) => {
      if (options.members === true && options.state === true) {
        throw usageError('--members and --state are two views: give one of them')
      }
      const { groups, failures } = await withCluster(options, (cluster) => describeAll(cluster, groupIds))
      if (options.format === 'json') await printJson(groups)
      else await printGroups(groups, options)
      if (failures.length > 0) throw allFailures(failures)
    })
}

/** One that cannot be described does not hide the others. */
async function describeAll(cluster: Cluster, groupIds: readonly string[]) {
  const ids = groupIds.length > 0 ? groupIds : (await listGroups(cluster)).map(({ groupId }) => groupId)
  const settled = await Promise.allSettled(ids.map((groupId) => describeWithOffsets(cluster, groupId)))
  return {
    groups: settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : [])),
    failures: settled.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : [])),
  }
}

async function printGroups(groups: readonly DescribedGroup[], view: View): Promise<void> {
  const texts: string[] = []
  for (const group of groups) {
    const kind = KINDS[group.type] ?? 'Consumer'
    if (group.members.length === 0) await note(`${kind} group '${group.groupId}' has no active members.`)
    texts.push(groupText(group, view))
  }
  if (texts.length > 0) await print(texts.join('\n\n'))
}
