/** `samsa offsets`: where partitions begin and end, as kafka-get-offsets tells it, and where they shall begin. */
import { Command, InvalidArgumentError } from 'commander'
import { deleteRecords } from '../../client/admin/records.ts'
import { listOffsets } from '../../client/offsets.ts'
import { adminCommand, type CommonOptions, tellOutcomes } from '../admin-command.ts'
import { usageError } from '../errors.ts'
import { type OffsetPoint, parseOffsetPoint, resolvePoint } from '../offset-spec.ts'
import { collect, nonNegativeInteger } from '../options.ts'
import { print, printJson } from '../output.ts'
import { withCluster } from '../with-cluster.ts'

export function command(): Command {
  return new Command('offsets')
    .description('List offsets of topics, and delete records before an offset.')
    .addHelpText(
      'after',
      `
Examples:
  samsa offsets list orders
  samsa offsets list orders --at @2026-01-31T12:00:00Z
  samsa offsets trim orders --before 1000 --partition 0`,
    )
    .addCommand(listCommand())
    .addCommand(trimCommand())
}

function listCommand(): Command {
  return adminCommand(
    'list',
    'list offsets of topics: TOPIC:PARTITION:OFFSET',
    `  samsa offsets list orders
  samsa offsets list orders payments --at start
  samsa offsets list orders --at @2026-01-31T12:00:00Z --format json`,
  )
    .argument('<topic...>', 'names of the topics')
    .option('--at <where>', 'end unless given; start, -N before the end, +N after the start, @TIME', offsetPoint)
    .action(async (topics: string[], options: CommonOptions & { at?: OffsetPoint }) => {
      const found = await withCluster(options, async (cluster) => {
        const perTopic = topics.map(async (name) => {
          const topic = await cluster.topic(name)
          const partitions = topic.partitions.map(({ partitionIndex }) => partitionIndex)
          const lookUp = (timestamp: number) => listOffsets(cluster, topic, partitions, timestamp)
          const from = await resolvePoint(options.at ?? { kind: 'end' }, lookUp)
          return partitions.map((partition) => ({ topic: name, partition, offset: from.get(partition) ?? 0 }))
        })
        return (await Promise.all(perTopic)).flat()
      })
      if (options.format === 'json') return printJson(found)
      await print(found.map(({ topic, partition, offset }) => `${topic}:${partition}:${offset}`).join('\n'))
    })
}

interface TrimOptions extends CommonOptions {
  readonly before: number | 'end'
  readonly partition?: readonly number[]
}

function trimCommand(): Command {
  return adminCommand(
    'trim',
    'delete records before an offset',
    '  samsa offsets trim orders --before 1000 --partition 0\n  samsa offsets trim orders --before end',
  )
    .argument('<topic>', 'name of the topic')
    .requiredOption('--before <offset>', 'offset of the first record that stays, or end', offsetOrEnd)
    .option('-p, --partition <n>', 'only this partition; may be repeated', collect(nonNegativeInteger))
    .action(async (name: string, options: TrimOptions) => {
      if (options.before !== 'end' && options.partition === undefined) {
        throw usageError('an offset is one of a partition: name it with --partition')
      }
      const deleted = await withCluster(options, async (cluster) => {
        const topic = await cluster.topic(name)
        const partitions = options.partition ?? topic.partitions.map(({ partitionIndex }) => partitionIndex)
        const offset = options.before === 'end' ? -1 : options.before
        return deleteRecords(
          cluster,
          partitions.map((partition) => ({ topic: name, partition, offset })),
        )
      })
      const named = deleted.map(({ topic, partition, logStartOffset, error }) => {
        return { name: `${topic}-${partition}`, error, fields: { logStartOffset } }
      })
      const after = ({ logStartOffset }: Readonly<Record<string, unknown>>): string => ` before ${logStartOffset}`
      await tellOutcomes(options, named, { kind: 'partition', verb: 'Deleted the records of', after })
    })
}

function offsetPoint(text: string): OffsetPoint {
  const point = parseOffsetPoint(text, Date.now())
  if (typeof point === 'string') throw new InvalidArgumentError(`${point}.`)
  if (point.kind === 'offset') throw new InvalidArgumentError('An offset is where it is: give start, end, -N or @TIME.')
  return point
}

function offsetOrEnd(text: string): number | 'end' {
  return text === 'end' ? 'end' : nonNegativeInteger(text)
}
