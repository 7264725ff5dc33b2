/** What `samsa groups` changes: where an idle group goes on reading, and whether it is there at all. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { alterOffsets, deleteGroups, deleteOffsets, removeMembers } from '../client/admin/group-changes.ts'
import { committedOffsets, listGroups } from '../client/admin/groups.ts'
import { alterShareOffsets, deleteShareOffsets, describeShareOffsets } from '../client/admin/share-groups.ts'
import type { Cluster } from '../client/cluster.ts'
import { listOffsets } from '../client/offsets.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { adminCommand, type CommonOptions, tellOutcomes } from './admin-command.ts'
import { allFailures, CliError, usageError } from './errors.ts'
import { type OffsetPoint, parseOffsetPoint, resolvePoint } from './offset-spec.ts'
import { collect } from './options.ts'
import { print, printJson, table } from './output.ts'
import { withCluster } from './with-cluster.ts'

/** Null: all partitions. */
interface WantedTopic {
  readonly topic: string
  readonly partitions: readonly number[] | null
}

interface Move {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

interface SeekOptions extends CommonOptions {
  readonly to?: OffsetPoint
  readonly shiftBy?: number
  readonly topic?: readonly WantedTopic[]
  readonly dryRun?: boolean
}

export function seekCommand(): Command {
  return adminCommand(
    'seek',
    'set where an idle group goes on reading',
    `  samsa groups seek billing --to start
  samsa groups seek billing --to @2026-01-31T12:00:00Z --topic orders --dry-run
  samsa groups seek billing --to -100 --topic orders:0,1
  samsa groups seek billing --shift-by -10`,
  )
    .argument('<group>', 'id of the group; it must have no members')
    .addOption(
      new Option(
        '--to <where>',
        'start, end, an offset, -N for the last N records of each partition, +N after its start, @TIME',
      ).argParser(offsetPoint),
    )
    .addOption(
      new Option('--shift-by <n>', 'so many records from where it is; below 0 backwards')
        .argParser(integer)
        .conflicts('to'),
    )
    .addOption(topicOption('only these topics; may be repeated. Without it: those that the group has offsets in'))
    .option('--dry-run', 'show what would be set, set nothing')
    .action(async (groupId: string, options: SeekOptions) => {
      if (options.to === undefined && options.shiftBy === undefined)
        throw usageError('where to? give --to or --shift-by')
      const moves = await withCluster(options, async (cluster) => {
        const isShare = await isShareGroup(cluster, groupId)
        const planned = await planMoves(cluster, groupId, { ...options, isShare })
        if (options.dryRun !== true) throwFailures(await move(cluster, groupId, planned, isShare))
        return planned
      })
      if (options.format === 'json') return printJson(moves)
      const rows = moves.map(({ topic, partition, offset }) => [groupId, topic, String(partition), String(offset)])
      await print(table(['GROUP', 'TOPIC', 'PARTITION', 'NEW-OFFSET'], rows))
    })
}

async function isShareGroup(cluster: Cluster, groupId: string): Promise<boolean> {
  const groups = await listGroups(cluster)
  return groups.find((group) => group.groupId === groupId)?.type.toLowerCase() === 'share'
}

function move(cluster: Cluster, groupId: string, moves: readonly Move[], isShare: boolean) {
  if (!isShare) return alterOffsets(cluster, groupId, moves)
  const starts = moves.map(({ offset: startOffset, ...partition }) => ({ ...partition, startOffset }))
  return alterShareOffsets(cluster, groupId, starts)
}

/** Offsets outside of a partition become its beginning or its end. */
async function planMoves(
  cluster: Cluster,
  groupId: string,
  { to, shiftBy, topic, isShare }: SeekOptions & { readonly isShare: boolean },
): Promise<Move[]> {
  const current = await currentOffsets(cluster, groupId, isShare)
  const wanted = topic ?? topicsOf(current)
  if (wanted.length === 0) {
    throw new CliError(`group '${groupId}' has committed no offsets: name topics with --topic`)
  }
  const moves: Move[] = []
  for (const { topic: name, partitions } of wanted) {
    const metadata = await cluster.topic(name)
    const all = metadata.partitions.map(({ partitionIndex }) => partitionIndex)
    const chosen = partitions ?? all
    const unknown = chosen.find((partition) => !all.includes(partition))
    if (unknown !== undefined) throw new CliError(`topic '${name}' has no partition ${unknown}`)
    const lookUp = (timestamp: number) => listOffsets(cluster, metadata, chosen, timestamp)
    const [from, beginning, end] = await Promise.all([
      to === undefined ? shifted(current, name, shiftBy ?? 0) : resolvePoint(to, lookUp),
      lookUp(-2),
      lookUp(-1),
    ])
    for (const partition of chosen) {
      const offset = from.get(partition)
      if (offset === undefined) throw new CliError(`group '${groupId}' has no offset in ${name}-${partition} to shift`)
      const within = Math.min(offset, end.get(partition) ?? 0)
      moves.push({ topic: name, partition, offset: Math.max(within, beginning.get(partition) ?? 0) })
    }
  }
  return moves
}

async function currentOffsets(cluster: Cluster, groupId: string, isShare: boolean): Promise<Move[]> {
  if (!isShare) return committedOffsets(cluster, groupId)
  const rows = await describeShareOffsets(cluster, groupId)
  return rows.map(({ topic, partition, startOffset: offset }) => ({ topic, partition, offset }))
}

function shifted(current: readonly Move[], name: string, by: number): Map<number, number> {
  const own = current.filter(({ topic }) => topic === name)
  return new Map(own.map(({ partition, offset }) => [partition, offset + by]))
}

function topicsOf(current: readonly Move[]): WantedTopic[] {
  return [...Map.groupBy(current, ({ topic }) => topic)].map(([topic, rows]) => ({
    topic,
    partitions: rows.map(({ partition }) => partition),
  }))
}

export function deleteOffsetsCommand(): Command {
  return adminCommand(
    'delete-offsets',
    'make a group forget what it has committed in topics',
    '  samsa groups delete-offsets billing --topic orders\n  samsa groups delete-offsets billing --topic orders:0,1',
  )
    .argument('<group>', 'id of the group')
    .addOption(topicOption('topics, with partitions or all; may be repeated').makeOptionMandatory())
    .action(async (groupId: string, options: CommonOptions & { topic: readonly WantedTopic[] }) => {
      const outcomes = await withCluster(options, async (cluster) => {
        if (await isShareGroup(cluster, groupId)) return deleteShareOffsetsOf(cluster, groupId, options.topic)
        const rows = await Promise.all(
          options.topic.map(async ({ topic, partitions }) => {
            const all = (await cluster.topic(topic)).partitions.map(({ partitionIndex }) => partitionIndex)
            return (partitions ?? all).map((partition) => ({ topic, partition }))
          }),
        )
        const deleted = await deleteOffsets(cluster, groupId, rows.flat())
        return deleted.map(({ topic, partition, error }) => ({ name: `${topic}-${partition}`, error }))
      })
      await tellOutcomes(options, outcomes, { kind: 'partition', verb: `Deleted the offset of group ${groupId} in` })
    })
}

async function deleteShareOffsetsOf(cluster: Cluster, groupId: string, topics: readonly WantedTopic[]) {
  const partial = topics.find(({ partitions }) => partitions !== null)
  if (partial !== undefined) throw usageError(`a share group forgets whole topics: --topic ${partial.topic}`)
  const outcomes = await deleteShareOffsets(
    cluster,
    groupId,
    topics.map(({ topic }) => topic),
  )
  return outcomes.map(({ topic: name, error }) => ({ name, error }))
}

export function removeMembersCommand(): Command {
  return adminCommand(
    'remove-members',
    'throw members out of a classic group; static ones by their instance id',
    '  samsa groups remove-members billing --instance billing-1\n  samsa groups remove-members billing --member c1-4f6a',
  )
    .argument('<group>', 'id of the group')
    .option('--member <id>', "member id, as 'describe --members' shows it; may be repeated", collect(String))
    .option('--instance <id>', 'instance id of a static member; may be repeated', collect(String))
    .action(
      async (
        groupId: string,
        options: CommonOptions & { member?: readonly string[]; instance?: readonly string[] },
      ) => {
        const { member: memberIds = [], instance: instanceIds = [] } = options
        const wanted = [
          ...memberIds.map((memberId) => ({ memberId })),
          ...instanceIds.map((instanceId) => ({ instanceId })),
        ]
        if (wanted.length === 0) throw usageError('whom? give --member or --instance')
        const outcomes = await withCluster(options, (cluster) => removeMembers(cluster, groupId, wanted))
        const named = outcomes.map(({ error }, index) => ({ name: [...memberIds, ...instanceIds][index] ?? '', error }))
        await tellOutcomes(options, named, { kind: 'member', verb: 'Removed' })
      },
    )
}

export function deleteCommand(): Command {
  return adminCommand('delete', 'delete groups that have no members', '  samsa groups delete billing reporting')
    .argument('<group...>', 'ids of the groups')
    .option('--if-exists', 'do nothing for groups that do not exist')
    .action(async (groupIds: string[], options: CommonOptions & { ifExists?: boolean }) => {
      const outcomes = await withCluster(options, (cluster) => deleteGroups(cluster, groupIds))
      const named = outcomes.map(({ groupId: name, error }) => ({ name, error }))
      const tolerated = options.ifExists === true ? ErrorCode.GROUP_ID_NOT_FOUND : null
      await tellOutcomes(options, named, { kind: 'group', verb: 'Deleted group', tolerated })
    })
}

function throwFailures(outcomes: readonly { readonly error: Error | null }[]): void {
  const failed = outcomes.filter(({ error }) => error !== null)
  if (failed.length > 0) throw allFailures(failed.map(({ error }) => error))
}

function offsetPoint(text: string): OffsetPoint {
  const point = parseOffsetPoint(text, Date.now())
  if (typeof point === 'string') throw new InvalidArgumentError(`${point}.`)
  return point
}

function integer(text: string): number {
  if (!/^[-+]?\d{1,15}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}

/** `orders` or `orders:0,1`. */
function topicOption(description: string): Option {
  return new Option('--topic <topic[:partition,...]>', description).argParser(
    collect((text: string): WantedTopic => {
      const colon = text.lastIndexOf(':')
      if (colon < 0) return { topic: text, partitions: null }
      const partitions = text.slice(colon + 1).split(',')
      if (!partitions.every((partition) => /^\d+$/.test(partition))) {
        throw usageError(`--topic '${text}': partitions are numbers, as in orders:0,1`)
      }
      return { topic: text.slice(0, colon), partitions: partitions.map(Number) }
    }),
  )
}
