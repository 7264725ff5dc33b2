/**
 * What the topics of the cluster make of a topology: whether its source topics are there and partitioned as they must be, how many
 * partitions each internal topic has to have, which of them are missing, and how many tasks each subtopology has.
 *
 * - A repartition topic has the number that the topology demands, or else as many as the largest source of a subtopology that writes
 *   it; where it is joined with other topics, as many as they have (`copartition.ts`).
 * - A changelog has as many as the largest source of its subtopology: one per task.
 *
 * Texts and their order are Kafka's (InternalTopicManager): applications log them, and people search for them.
 */
import type { TopicLookup } from '../../request-context.ts'
import { inJavaOrder, stringHash } from '../consumer/assignors/java-order.ts'
import { Refusal } from '../consumer/draft.ts'
import { decideCopartitioned } from './copartition.ts'
import { StreamsStatus, type StreamsStatusRow, TopologyProblem } from './status.ts'
import type { InternalTopicInfo, Subtopology, Topology } from './topology.ts'

export interface InternalTopic {
  readonly name: string
  readonly partitions: number
  /** 0: the broker's default. */
  readonly replicationFactor: number
  readonly topicConfigs: readonly { readonly key: string; readonly value: string }[]
}

export interface ConfiguredSubtopology {
  readonly taskCount: number
  readonly sourceTopics: readonly string[]
  readonly repartitionSourceTopics: readonly InternalTopic[]
  readonly repartitionSinkTopics: readonly string[]
  readonly stateChangelogTopics: readonly InternalTopic[]
}

export interface ConfiguredTopology {
  readonly epoch: number
  /** By id, in the order of the ids; null: it cannot be told, for the reason in `problem`. */
  readonly subtopologies: ReadonlyMap<string, ConfiguredSubtopology> | null
  /** Internal topics that are to be created. */
  readonly missing: readonly InternalTopic[]
  /** Why no tasks can be assigned; null: they can. */
  readonly problem: StreamsStatusRow | null
}

/** Known for a topic that exists, or whose partitions have been decided. */
export type PartitionCount = (topicName: string) => number | undefined

/** A refusal is a topology that no topics could make right. */
export function configureTopology(topology: Topology, topics: TopicLookup): ConfiguredTopology | Refusal {
  try {
    return configured(topology, topics)
  } catch (error) {
    if (!(error instanceof TopologyProblem)) throw error
    if (error.cause instanceof Refusal) return error.cause
    return { epoch: topology.epoch, subtopologies: null, missing: [], problem: error.status }
  }
}

function configured(topology: Topology, topics: TopicLookup): ConfiguredTopology {
  const ids = new Set(topology.subtopologies.map(({ subtopologyId }) => subtopologyId))
  if (ids.size < topology.subtopologies.length) throw TopologyProblem.unexpected()
  const subtopologies = inJavaOrder(topology.subtopologies, ({ subtopologyId }) => stringHash(subtopologyId))
  requireSourceTopics(topology, topics)
  const decided = decidePartitionCounts(subtopologies, topics)
  const byId = new Map<string, ConfiguredSubtopology>()
  for (const subtopology of [...subtopologies].sort((one, other) => compareIds(one, other))) {
    byId.set(subtopology.subtopologyId, configuredSubtopology(subtopology, decided, topics))
  }
  const missing = missingTopics(byId, topics)
  const names = missing.map(({ name }) => name)
  const detail = `Internal topics are missing: ${summary(names)}`
  const problem = missing.length === 0 ? null : { code: StreamsStatus.MISSING_INTERNAL_TOPICS, detail }
  return { epoch: topology.epoch, subtopologies: byId, missing, problem }
}

function compareIds(one: Subtopology, other: Subtopology): number {
  return one.subtopologyId < other.subtopologyId ? -1 : 1
}

/** The first three, and how many more there are. */
function summary(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(', ')
  return names.length > 3 ? `${shown} and ${names.length - 3} additional topics` : shown
}

function requireSourceTopics({ subtopologies }: Topology, topics: TopicLookup): void {
  const missing = new Set<string>()
  for (const { sourceTopics } of subtopologies) {
    for (const name of sourceTopics) if (topics.topicId(name) === undefined) missing.add(name)
  }
  if (missing.size === 0) return
  const detail = `Source topics ${summary([...missing].sort())} are missing.`
  throw new TopologyProblem({ code: StreamsStatus.MISSING_SOURCE_TOPICS, detail })
}

function decidePartitionCounts(subtopologies: readonly Subtopology[], topics: TopicLookup): Map<string, number> {
  const decided = new Map<string, number>()
  const partitionCount: PartitionCount = (name) => topics.partitionCount(name) ?? decided.get(name)
  for (const [name, count] of repartitionCounts(subtopologies, partitionCount)) decided.set(name, count)
  decideCopartitioned(subtopologies, decided, partitionCount)
  for (const { subtopologyId, stateChangelogTopics, ...sources } of subtopologies) {
    const count = largestSource(sources, partitionCount)
    if (count === undefined) {
      throw TopologyProblem.invalid(`No source topics found for subtopology ${subtopologyId}`)
    }
    for (const { name } of stateChangelogTopics) decided.set(name, count)
  }
  return decided
}

/** undefined: it has no sources. All of them have a number by now. */
function largestSource(
  { sourceTopics, repartitionSourceTopics }: Pick<Subtopology, 'sourceTopics' | 'repartitionSourceTopics'>,
  partitionCount: PartitionCount,
): number | undefined {
  let largest: number | undefined
  for (const name of [...sourceTopics, ...repartitionSourceTopics.map((topic) => topic.name)]) {
    const count = partitionCount(name)
    if (count === undefined) throw TopologyProblem.unexpected()
    largest = Math.max(largest ?? 0, count)
  }
  return largest
}

/** One repartition topic may depend on another that its writer reads: rounds, until all are known or none becomes so. */
function repartitionCounts(
  subtopologies: readonly Subtopology[],
  partitionCount: PartitionCount,
): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { name, partitions } of subtopologies.flatMap((each) => each.repartitionSourceTopics)) {
    if (partitions !== 0) counts.set(name, partitions)
  }
  for (let isOpen = true; isOpen; ) {
    isOpen = false
    let hasProgress = false
    for (const subtopology of subtopologies) {
      for (const sink of subtopology.repartitionSinkTopics) {
        if (counts.has(sink)) continue
        const count = largestKnownSource(subtopology, counts, partitionCount)
        if (count === undefined) isOpen = true
        else {
          counts.set(sink, count)
          hasProgress = true
        }
      }
    }
    if (isOpen && !hasProgress) {
      throw TopologyProblem.invalid(
        'Failed to compute number of partitions for all repartition topics. There may be loops in the topology that cannot be resolved.',
      )
    }
  }
  for (const { name } of subtopologies.flatMap((each) => each.repartitionSourceTopics)) {
    if (counts.has(name)) continue
    throw TopologyProblem.invalid(
      'Failed to compute number of partitions for all repartition topics, because a repartition source topic is never used as a sink topic.',
    )
  }
  return counts
}

function largestKnownSource(
  { sourceTopics, repartitionSourceTopics }: Subtopology,
  counts: ReadonlyMap<string, number>,
  partitionCount: PartitionCount,
): number | undefined {
  const known = [
    ...repartitionSourceTopics.map(({ name }) => counts.get(name)),
    ...sourceTopics.map((name) => partitionCount(name)),
  ].filter((count) => count !== undefined)
  return known.length === 0 ? undefined : Math.max(...known)
}

function configuredSubtopology(
  subtopology: Subtopology,
  decided: ReadonlyMap<string, number>,
  topics: TopicLookup,
): ConfiguredSubtopology {
  const { sourceTopics, repartitionSourceTopics, repartitionSinkTopics, stateChangelogTopics } = subtopology
  const taskCount = largestSource(subtopology, (name) => topics.partitionCount(name) ?? decided.get(name))!
  const internal = (topic: InternalTopicInfo): InternalTopic => {
    const partitions = topic.partitions === 0 ? (decided.get(topic.name) ?? 0) : topic.partitions
    if (partitions < 1) throw TopologyProblem.unexpected()
    const topicConfigs = inJavaOrder(topic.topicConfigs, ({ key }) => stringHash(key))
    return { name: topic.name, partitions, replicationFactor: topic.replicationFactor, topicConfigs }
  }
  return {
    taskCount,
    sourceTopics,
    repartitionSourceTopics: repartitionSourceTopics.map(internal),
    repartitionSinkTopics,
    stateChangelogTopics: stateChangelogTopics.map(internal),
  }
}

/** Internal topics that do not exist. Those that do must have the number of partitions that was decided. */
function missingTopics(
  subtopologies: ReadonlyMap<string, ConfiguredSubtopology>,
  topics: TopicLookup,
): readonly InternalTopic[] {
  const internal = new Map<string, InternalTopic>()
  for (const { repartitionSourceTopics, stateChangelogTopics } of subtopologies.values()) {
    for (const topic of [...repartitionSourceTopics, ...stateChangelogTopics]) internal.set(topic.name, topic)
  }
  const missing: InternalTopic[] = []
  for (const topic of inJavaOrder(internal.values(), ({ name }) => stringHash(name))) {
    const found = topics.partitionCount(topic.name)
    if (found === undefined) missing.push(topic)
    else if (found !== topic.partitions) {
      const detail = `Existing topic ${topic.name} has different number of partitions: expected ${topic.partitions}, found ${found}`
      throw new TopologyProblem({ code: StreamsStatus.INCORRECTLY_PARTITIONED_TOPICS, detail })
    }
  }
  return missing
}
