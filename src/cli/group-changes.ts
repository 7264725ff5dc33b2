/** What `samsa groups` changes: where an idle group goes on reading, and whether it is there at all. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { alterOffsets, deleteGroups, deleteOffsets } from '../client/admin/group-changes.ts'
import { committedOffsets } from '../client/admin/groups.ts'
import type { Cluster } from '../client/cluster.ts'
import { listOffsets } from '../client/offsets.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { adminCommand, type CommonOptions, tellOutcomes } from './admin-command.ts'
import { CliError, usageError } from './errors.ts'
import { type OffsetSpec, parseOffsetSpec, resolveOffsets } from './offset-spec.ts'
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
  readonly to: OffsetSpec
  readonly topic?: readonly WantedTopic[]
  readonly dryRun?: boolean
}

export function seekCommand(): Command {
  return adminCommand(
    'seek',
    'set where an idle group goes on reading',
    `  samsa groups seek billing --to start
  samsa groups seek billing --to @2026-01-31T12:00:00Z --topic orders --dry-run
  samsa groups seek billing --to -100 --topic orders:0,1`,
  )
    .argument('<group>', 'id of the group; it must have no members')
    .addOption(
      new Option('--to <where>', 'start, end, an offset, -N for the last N records of each partition, @TIME')
        .argParser(offsetSpec)
        .makeOptionMandatory(),
    )
    .addOption(topicOption('only these topics; may be repeated. Without it: those that the group has offsets in'))
    .option('--dry-run', 'show what would be set, set nothing')
    .action(async (groupId: string, options: SeekOptions) => {
      const moves = await withCluster(options, async (cluster) => {
        const planned = await planMoves(cluster, groupId, options)
        if (options.dryRun !== true) throwFailures(await alterOffsets(cluster, groupId, planned))
        return planned
      })
      if (options.format === 'json') return printJson(moves)
      const rows = moves.map(({ topic, partition, offset }) => [groupId, topic, String(partition), String(offset)])
      await print(table(['GROUP', 'TOPIC', 'PARTITION', 'NEW-OFFSET'], rows))
    })
}

/** Offsets outside of a partition become its beginning or its end. */
async function planMoves(cluster: Cluster, groupId: string, { to, topic }: SeekOptions): Promise<Move[]> {
  const wanted = topic ?? (await topicsOf(cluster, groupId))
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
    const [{ from }, beginning, end] = await Promise.all([
      resolveOffsets(to, { stopAtEnd: false }, lookUp),
      lookUp(-2),
      lookUp(-1),
    ])
    for (const partition of chosen) {
      const within = Math.min(from.get(partition) ?? 0, end.get(partition) ?? 0)
      moves.push({ topic: name, partition, offset: Math.max(within, beginning.get(partition) ?? 0) })
    }
  }
  return moves
}

async function topicsOf(cluster: Cluster, groupId: string): Promise<WantedTopic[]> {
  const offsets = await committedOffsets(cluster, groupId)
  return [...Map.groupBy(offsets, ({ topic }) => topic)].map(([topic, rows]) => ({
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
        const rows = await Promise.all(
          options.topic.map(async ({ topic, partitions }) => {
            const all = (await cluster.topic(topic)).partitions.map(({ partitionIndex }) => partitionIndex)
            return (partitions ?? all).map((partition) => ({ topic, partition }))
          }),
        )
        return deleteOffsets(cluster, groupId, rows.flat())
      })
      const named = outcomes.map(({ topic, partition, error }) => ({ name: `${topic}-${partition}`, error }))
      await tellOutcomes(options, named, { kind: 'partition', verb: `Deleted the offset of group ${groupId} in` })
    })
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
  if (failed.length > 0) throw new CliError(failed.map(({ error }) => error?.message).join('; '))
}

function offsetSpec(text: string): OffsetSpec {
  const spec = parseOffsetSpec(text)
  if (typeof spec === 'string') throw new InvalidArgumentError(`${spec}.`)
  if (spec.kind === 'time' && spec.untilMs !== null) throw new InvalidArgumentError('It must be one time, no stretch.')
  return spec
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
