/** What `samsa consume` reads: topics by name or expression, their partitions, from where up to where. */
import { RE2JS, RE2JSSyntaxException } from 're2js'
import { committedOffsets } from '../../client/admin/groups.ts'
import type { Cluster, TopicMetadata } from '../../client/cluster.ts'
import { EARLIEST_TIMESTAMP, LATEST_TIMESTAMP, listOffsets } from '../../client/offsets.ts'
import { CliError, usageError } from '../errors.ts'
import { type OffsetPoint, type OffsetSpec, resolvePoint } from '../offset-spec.ts'

export interface PlannedPartition {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Not given: reading goes on with what comes. */
  readonly until?: number
}

export interface PlanOptions {
  readonly topics: readonly string[]
  /** Undefined: all. */
  readonly partitions: readonly number[] | undefined
  readonly spec: OffsetSpec
  readonly stopAtEnd: boolean
  readonly readCommitted: boolean
  /** Whose offsets `stored` means. */
  readonly groupId: string | undefined
}

/** As kcat and librdkafka have it: a name that begins with ^ is an expression. */
export function isExpression(topic: string): boolean {
  return topic.startsWith('^')
}

export function topicExpression(topic: string): RE2JS {
  try {
    return RE2JS.compile(topic)
  } catch (error) {
    if (!(error instanceof RE2JSSyntaxException)) throw error
    throw usageError(`topic '${topic}' is no expression: ${error.message}`)
  }
}

/** Sorted, each once. An expression does not find Kafka's own topics. */
export async function topicNames(cluster: Cluster, topics: readonly string[]): Promise<string[]> {
  const names = topics.filter((topic) => !isExpression(topic))
  const expressions = topics.filter(isExpression).map(topicExpression)
  if (expressions.length > 0) {
    const all = await cluster.metadata(null)
    for (const { name, isInternal } of all.topics) {
      if (name !== null && !isInternal && expressions.some((each) => each.matcher(name).find())) names.push(name)
    }
    if (names.length === 0) throw new CliError(`no topic matches ${topics.join(', ')}`)
  }
  return [...new Set(names)].sort()
}

export async function planPartitions(cluster: Cluster, options: PlanOptions): Promise<PlannedPartition[]> {
  const names = await topicNames(cluster, options.topics)
  const planned = await Promise.all(names.map(async (name) => planTopic(cluster, await cluster.topic(name), options)))
  return planned.flat()
}

async function planTopic(cluster: Cluster, topic: TopicMetadata, options: PlanOptions): Promise<PlannedPartition[]> {
  const name = topic.name ?? ''
  const { spec, stopAtEnd, readCommitted } = options
  const partitions = wantedPartitions(topic, options.partitions)
  const lookUp = (timestamp: number) => listOffsets(cluster, topic, partitions, timestamp, { readCommitted })
  const [starts, ends] = await Promise.all([lookUp(EARLIEST_TIMESTAMP), lookUp(LATEST_TIMESTAMP)])
  // As kcat does: whoever says only where to stop means from the beginning.
  const fallback: OffsetPoint = { kind: spec.until === undefined ? 'end' : 'beginning' }
  const start = spec.from ?? fallback
  const from = start.kind === 'stored' ? await stored(cluster, name, options, ends) : await resolvePoint(start, lookUp)
  const until = spec.until === undefined ? null : await resolvePoint(spec.until, lookUp)
  return partitions.map((partition) => {
    const offset = from.get(partition) ?? 0
    const end = ends.get(partition) ?? offset
    if (offset > end) {
      const held = `the partition holds offsets from ${starts.get(partition) ?? 0} to before ${end}`
      throw new CliError(`${name}-${partition} at offset ${offset}: ${held}`)
    }
    const limits = [until?.get(partition), stopAtEnd ? end : undefined].filter((each) => each !== undefined)
    // Without limits Math.min is infinite: reading goes on.
    return { topic: name, partition, offset, ...(limits.length === 0 ? {} : { until: Math.min(...limits) }) }
  })
}

function wantedPartitions({ name, partitions }: TopicMetadata, wanted: readonly number[] | undefined): number[] {
  const all = partitions.map((row) => row.partitionIndex).sort((a, b) => a - b)
  const missing = wanted?.filter((partition) => !all.includes(partition)) ?? []
  if (missing.length > 0) {
    throw new CliError(`topic '${name}' has no partition ${missing.join(', ')}, only 0 to ${all.length - 1}`)
  }
  return [...(wanted ?? all)]
}

/** What the group has committed; the end where it has nothing. */
async function stored(
  cluster: Cluster,
  topic: string,
  { groupId }: PlanOptions,
  ends: ReadonlyMap<number, number>,
): Promise<Map<number, number>> {
  const committed = await committedOffsets(cluster, groupId ?? '')
  const own = new Map(committed.filter((row) => row.topic === topic).map((row) => [row.partition, row.offset]))
  return new Map([...ends].map(([partition, end]) => [partition, Math.min(own.get(partition) ?? end, end)]))
}
