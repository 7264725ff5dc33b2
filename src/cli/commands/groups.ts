/** `samsa groups`: what kafka-consumer-groups shows; what it changes is in ../group-changes.ts. */
import { Command } from 'commander'
import { committedOffsets, describeGroup, type GroupDescription, listGroups } from '../../client/admin/groups.ts'
import type { Cluster } from '../../client/cluster.ts'
import { LATEST_TIMESTAMP, listOffsets } from '../../client/offsets.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import { adminCommand, type CommonOptions } from '../admin-command.ts'
import { usageError } from '../errors.ts'
import { deleteCommand, deleteOffsetsCommand, seekCommand } from '../group-changes.ts'
import { note, print, printJson, table } from '../output.ts'
import { withCluster } from '../with-cluster.ts'

/** One partition that the group reads or has committed an offset in. Null: not known. */
interface OffsetRow {
  readonly topic: string
  readonly partition: number
  readonly currentOffset: number | null
  readonly logEndOffset: number | null
  readonly lag: number | null
  readonly consumerId: string | null
  readonly host: string | null
  readonly clientId: string | null
}

interface DescribedGroup extends GroupDescription {
  readonly offsets: readonly OffsetRow[]
}

export function command(): Command {
  return new Command('groups')
    .description('List, describe, move and delete consumer groups.')
    .addHelpText(
      'after',
      `
Examples:
  samsa groups list --state
  samsa groups describe billing --members
  samsa groups seek billing --to @2026-01-31T12:00:00Z --topic orders --dry-run
  samsa groups delete billing`,
    )
    .addCommand(listCommand())
    .addCommand(describeCommand())
    .addCommand(seekCommand())
    .addCommand(deleteOffsetsCommand())
    .addCommand(deleteCommand())
}

function listCommand(): Command {
  return adminCommand(
    'list',
    'list groups',
    '  samsa groups list\n  samsa groups list --state\n  samsa groups list --format json',
  )
    .option('--state', 'with their type and state')
    .action(async (options: CommonOptions & { state?: boolean }) => {
      const groups = await withCluster(options, listGroups)
      if (options.format === 'json') return printJson(groups)
      if (options.state === true) {
        const rows = groups.map(({ groupId, type, state }) => [groupId, type, state])
        return print(table(['GROUP', 'TYPE', 'STATE'], rows))
      }
      if (groups.length > 0) await print(groups.map(({ groupId }) => groupId).join('\n'))
    })
}

interface DescribeOptions extends CommonOptions {
  readonly members?: boolean
  readonly state?: boolean
}

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
      const groups = await withCluster(options, async (cluster) => {
        const ids = groupIds.length > 0 ? groupIds : await consumerGroupIds(cluster)
        return Promise.all(ids.map((groupId) => describe(cluster, groupId)))
      })
      if (options.format === 'json') return printJson(groups)
      const texts: string[] = []
      for (const group of groups) {
        if (group.members.length === 0) await note(`Consumer group '${group.groupId}' has no active members.`)
        texts.push(groupText(group, options))
      }
      if (texts.length > 0) await print(texts.join('\n\n'))
    })
}

/** Share and streams groups have neither members with partitions nor offsets of this kind. */
async function consumerGroupIds(cluster: Cluster): Promise<string[]> {
  const groups = await listGroups(cluster)
  return groups.filter(({ type }) => ['', 'classic', 'consumer'].includes(type)).map(({ groupId }) => groupId)
}

async function describe(cluster: Cluster, groupId: string): Promise<DescribedGroup> {
  const group = await describeGroup(cluster, groupId)
  const committed = await committedOffsets(cluster, groupId)
  const rows = new Map<string, Omit<OffsetRow, 'logEndOffset' | 'lag'>>()
  const unread = { consumerId: null, host: null, clientId: null }
  for (const { topic, partition, offset } of committed) {
    rows.set(`${topic}-${partition}`, { topic, partition, currentOffset: offset, ...unread })
  }
  for (const { memberId: consumerId, clientHost: host, clientId, assignment } of group.members) {
    for (const { topic, partitions } of assignment) {
      for (const partition of partitions) {
        const currentOffset = rows.get(`${topic}-${partition}`)?.currentOffset ?? null
        rows.set(`${topic}-${partition}`, { topic, partition, currentOffset, consumerId, host, clientId })
      }
    }
  }
  const ends = await endOffsets(cluster, [...new Set([...rows.values()].map(({ topic }) => topic))])
  const offsets = [...rows.values()].map((row) => {
    const logEndOffset = ends.get(row.topic)?.get(row.partition) ?? null
    const lag = logEndOffset === null || row.currentOffset === null ? null : logEndOffset - row.currentOffset
    return { ...row, logEndOffset, lag }
  })
  offsets.sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1))
  return { ...group, offsets }
}

/** Topics that are gone have no end. */
async function endOffsets(cluster: Cluster, names: readonly string[]): Promise<Map<string, Map<number, number>>> {
  const ends = new Map<string, Map<number, number>>()
  if (names.length === 0) return ends
  const { topics } = await cluster.metadata(names)
  for (const topic of topics) {
    if (topic.errorCode === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION || topic.name === null) continue
    const partitions = topic.partitions.filter((row) => row.leaderId >= 0).map((row) => row.partitionIndex)
    ends.set(topic.name, await listOffsets(cluster, topic, partitions, LATEST_TIMESTAMP))
  }
  return ends
}

/** The columns of kafka-consumer-groups, in its order; `-` where nothing is known. */
export function groupText(group: DescribedGroup, view: { members?: boolean; state?: boolean }): string {
  if (view.state === true) {
    const { nodeId, host, port } = group.coordinator
    const cells = [`${host}:${port} (${nodeId})`, group.assignor, group.state, String(group.members.length)]
    const header = ['GROUP', 'COORDINATOR (ID)', 'ASSIGNMENT-STRATEGY', 'STATE', '#MEMBERS']
    return table(header, [[group.groupId, ...cells.map((cell) => cell || '-')]])
  }
  if (view.members === true) return membersText(group)
  const header = [
    ...['GROUP', 'TOPIC', 'PARTITION', 'CURRENT-OFFSET', 'LOG-END-OFFSET', 'LAG'],
    ...['CONSUMER-ID', 'HOST', 'CLIENT-ID'],
  ]
  const rows = group.offsets.map((row) => {
    const { topic, partition, currentOffset, logEndOffset, lag, consumerId, host, clientId } = row
    const cells = [topic, partition, currentOffset, logEndOffset, lag, consumerId, host, clientId]
    return [group.groupId, ...cells.map((cell) => String(cell ?? '-'))]
  })
  return table(header, rows)
}

function membersText(group: DescribedGroup): string {
  const instances = group.members.some(({ instanceId }) => instanceId !== null)
  const header = ['GROUP', 'CONSUMER-ID', 'HOST', 'CLIENT-ID', '#PARTITIONS', 'ASSIGNMENT']
  if (instances) header.splice(2, 0, 'GROUP-INSTANCE-ID')
  const rows = group.members.map(({ memberId, instanceId, clientHost, clientId, assignment }) => {
    const partitions = assignment.reduce((count, topic) => count + topic.partitions.length, 0)
    const assigned = assignment.map(({ topic, partitions: indexes }) => `${topic}:${indexes.join(',')}`).join(';')
    const cells = [group.groupId, memberId, clientHost, clientId, String(partitions), assigned || '-']
    if (instances) cells.splice(2, 0, instanceId ?? '-')
    return cells
  })
  return table(header, rows)
}
