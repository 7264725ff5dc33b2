/**
 * For interactive queries: which partitions the members with an endpoint have, as topics and partitions, so that an application can ask
 * the right one of its processes for a key.
 */
import type { TopicLookup } from '../../request-context.ts'
import { inJavaOrder, stringHash } from '../consumer/assignors/java-order.ts'
import type { ConfiguredTopology } from './configure.ts'
import type { Endpoint, StreamsMember } from './member.ts'
import { listedTasks } from './tasks.ts'

export interface EndpointPartitions {
  readonly topic: string
  readonly partitions: readonly number[]
}

export interface EndpointAssignment {
  readonly userEndpoint: Endpoint
  readonly activePartitions: readonly EndpointPartitions[]
  readonly standbyPartitions: readonly EndpointPartitions[]
}

/** While nobody knows what the topology's tasks read, nobody has any partitions. */
export function endpointAssignments(
  members: Iterable<StreamsMember>,
  topology: ConfiguredTopology,
  topics: TopicLookup,
): EndpointAssignment[] {
  if (topology.subtopologies === null) return []
  const assignments: EndpointAssignment[] = []
  for (const { userEndpoint, assigned } of members) {
    if (userEndpoint === null) continue
    assignments.push({
      userEndpoint,
      activePartitions: partitionsOfTasks(listedTasks(assigned.active), topology, topics),
      standbyPartitions: partitionsOfTasks(listedTasks(assigned.standby), topology, topics),
    })
  }
  return assignments
}

function partitionsOfTasks(
  tasks: ReturnType<typeof listedTasks>,
  { subtopologies }: ConfiguredTopology,
  topics: TopicLookup,
): EndpointPartitions[] {
  return tasks.flatMap(({ subtopologyId, partitions }) => {
    const subtopology = subtopologies?.get(subtopologyId)
    if (subtopology === undefined) return []
    const { sourceTopics, repartitionSourceTopics } = subtopology
    const names = new Set([...sourceTopics, ...repartitionSourceTopics.map(({ name }) => name)])
    return inJavaOrder(names, stringHash).map((topic) => {
      // A topic with fewer partitions than its subtopology has tasks is read by the first ones.
      const count = topics.partitionCount(topic) ?? 0
      return { topic, partitions: count < partitions.length ? partitions.slice(0, count) : partitions }
    })
  })
}
