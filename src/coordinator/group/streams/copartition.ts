/**
 * Topics that are joined must have the same number of partitions. Those that users made must have it already; repartition topics
 * without a number of their own are given it.
 *
 * | the group holds                                 | the number                                          |
 * |-------------------------------------------------|-----------------------------------------------------|
 * | other topics too                                | that of the others, which must all have the same    |
 * | repartition topics only, some number is demanded| the demanded one, which must be the same everywhere |
 * | repartition topics only                         | the largest                                         |
 */
import { inJavaOrder, stringHash } from '../consumer/assignors/java-order.ts'
import type { PartitionCount } from './configure.ts'
import { StreamsStatus, TopologyProblem } from './status.ts'
import type { Subtopology } from './topology.ts'

/** Decides anew for the repartition topics that are joined with something. `partitionCount` sees what is decided here. */
export function decideCopartitioned(
  subtopologies: readonly Subtopology[],
  decided: Map<string, number>,
  partitionCount: PartitionCount,
): void {
  const repartition = subtopologies.flatMap(({ repartitionSourceTopics }) => repartitionSourceTopics)
  const all = new Set(repartition.map(({ name }) => name))
  const fixed = new Set(repartition.filter(({ partitions }) => partitions !== 0).map(({ name }) => name))
  for (const subtopology of subtopologies) {
    for (const names of copartitionGroups(subtopology)) {
      for (const [name, count] of enforce(names, { all, fixed }, partitionCount)) decided.set(name, count)
    }
  }
}

function copartitionGroups(subtopology: Subtopology): Set<string>[] {
  const { sourceTopics, repartitionSourceTopics, copartitionGroups: groups } = subtopology
  const named = (name: string | undefined): string => {
    if (name === undefined) throw TopologyProblem.unexpected()
    return name
  }
  return groups.map(
    (group) =>
      new Set([
        ...group.sourceTopics.map((index) => named(sourceTopics[index])),
        ...group.repartitionSourceTopics.map((index) => named(repartitionSourceTopics[index]?.name)),
      ]),
  )
}

type Counts = ReadonlyMap<string, number>

interface RepartitionTopics {
  readonly all: ReadonlySet<string>
  /** Those whose number the topology demands. */
  readonly fixed: ReadonlySet<string>
}

function enforce(names: ReadonlySet<string>, { all, fixed }: RepartitionTopics, countOf: PartitionCount): Counts {
  if (names.size === 0) return new Map()
  const ordered = inJavaOrder(names, stringHash)
  const ofRepartition = ordered.filter((name) => all.has(name))
  const ofOthers = ordered.filter((name) => !all.has(name))
  const repartition = countsOf(ofRepartition, countOf)
  const others = countsOf(ofOthers, countOf)
  const count = others.size > 0 ? sameCount(others) : repartitionCount(repartition, fixed, countOf)
  const decided = new Map<string, number>()
  for (const [name, own] of repartition) {
    if (fixed.has(name) && own !== count) {
      throw incorrectlyPartitioned(
        `Number of partitions [${own}] of repartition topic [${name}] doesn't match number of partitions [${count}] of the source topic.`,
      )
    }
    decided.set(name, count)
  }
  return decided
}

function countsOf(names: readonly string[], countOf: PartitionCount): Counts {
  const counts = new Map<string, number>()
  for (const name of names) {
    const count = countOf(name)
    if (count === undefined) throw TopologyProblem.unexpected()
    counts.set(name, count)
  }
  return counts
}

/** As Kafka does it, all demanded numbers of the topology are compared, not only those of this group. */
function repartitionCount(repartition: Counts, fixed: ReadonlySet<string>, countOf: PartitionCount): number {
  if (fixed.size > 0) {
    const demanded = [...countsOf([...fixed], countOf).values()]
    if (demanded.some((count) => count !== demanded[0])) throw differentCounts(repartition)
    return demanded[0]!
  }
  const largest = Math.max(...repartition.values())
  if (largest > 0) return largest
  throw TopologyProblem.invalid(
    `All topics in the copartition group had undefined partition number: [${[...repartition.keys()].join(', ')}]`,
  )
}

function sameCount(counts: Counts): number {
  const [first] = counts.values()
  for (const count of counts.values()) if (count !== first) throw differentCounts(counts)
  return first!
}

function differentCounts(counts: Counts): TopologyProblem {
  const listed = [...counts].sort(([one], [other]) => (one < other ? -1 : 1)).map(([name, count]) => `${name}=${count}`)
  return incorrectlyPartitioned(`Following topics do not have the same number of partitions: [{${listed.join(', ')}}]`)
}

function incorrectlyPartitioned(detail: string): TopologyProblem {
  return new TopologyProblem({ code: StreamsStatus.INCORRECTLY_PARTITIONED_TOPICS, detail })
}
