/** Share groups (KIP-932) and streams groups (KIP-1071), described in the shape of consumer groups: each kind has a request of its own. */
import { ErrorCode } from '../../protocol/errors.ts'
import {
  ShareGroupDescribeRequest,
  ShareGroupDescribeResponse,
} from '../../protocol/messages/77-share-group-describe.ts'
import {
  StreamsGroupDescribeRequest,
  StreamsGroupDescribeResponse,
} from '../../protocol/messages/89-streams-group-describe.ts'
import type { Infer } from '../../protocol/schema.ts'
import type { Connection } from '../connection.ts'
import { brokerError } from '../errors.ts'
import type { DescribedMember, GroupDescription, PartitionsOfTopic } from './groups.ts'

type Described = Omit<GroupDescription, 'coordinator'>
type StreamsGroup = Infer<typeof StreamsGroupDescribeResponse>['groups'][number]
type TaskIds = StreamsGroup['members'][number]['assignment']['activeTasks']

const OTHER_KINDS: ReadonlySet<number> = new Set([ErrorCode.GROUP_ID_NOT_FOUND, ErrorCode.UNSUPPORTED_VERSION])

/** Null when it is neither, or the broker knows neither. */
export async function describeOtherKinds(connection: Connection, groupId: string): Promise<Described | null> {
  return (await describeShare(connection, groupId)) ?? (await describeStreams(connection, groupId))
}

async function describeShare(connection: Connection, groupId: string): Promise<Described | null> {
  if (!connection.versions.has(ShareGroupDescribeRequest.key)) return null
  const answer = await connection.send(ShareGroupDescribeRequest, ShareGroupDescribeResponse, {
    groupIds: [groupId],
    includeAuthorizedOperations: false,
  })
  const group = answer.groups[0]
  if (group === undefined || OTHER_KINDS.has(group.errorCode)) return null
  if (group.errorCode !== 0) throw brokerError(group.errorCode, `describe share group '${groupId}'`, group.errorMessage)
  return {
    groupId,
    type: 'share',
    state: group.groupState,
    assignor: group.assignorName,
    members: group.members.map(({ memberId, clientId, clientHost, assignment }) => ({
      ...{ memberId, instanceId: null, clientId, clientHost },
      assignment: assignment.topicPartitions.map(({ topicName: topic, partitions }) => ({ topic, partitions })),
    })),
  }
}

async function describeStreams(connection: Connection, groupId: string): Promise<Described | null> {
  if (!connection.versions.has(StreamsGroupDescribeRequest.key)) return null
  const answer = await connection.send(StreamsGroupDescribeRequest, StreamsGroupDescribeResponse, {
    groupIds: [groupId],
    includeAuthorizedOperations: false,
  })
  const group = answer.groups[0]
  if (group === undefined || OTHER_KINDS.has(group.errorCode)) return null
  if (group.errorCode !== 0)
    throw brokerError(group.errorCode, `describe streams group '${groupId}'`, group.errorMessage)
  return {
    groupId,
    type: 'streams',
    state: group.groupState,
    assignor: '',
    members: group.members.map((member) => streamsMember(group, member)),
  }
}

/** A task reads the partition of its number in every source topic of its part of the topology; that is the member's assignment. */
function streamsMember(group: StreamsGroup, member: StreamsGroup['members'][number]): DescribedMember {
  const { memberId, instanceId, clientId, clientHost, processId } = member
  const { activeTasks, standbyTasks, warmupTasks } = member.assignment
  const subtopologies = group.topology?.subtopologies ?? []
  const topics = new Map<string, Set<number>>()
  for (const { subtopologyId, partitions } of activeTasks) {
    const part = subtopologies.find((each) => each.subtopologyId === subtopologyId)
    const names = [...(part?.sourceTopics ?? []), ...(part?.repartitionSourceTopics ?? []).map(({ name }) => name)]
    for (const name of names) topics.set(name, new Set([...(topics.get(name) ?? []), ...partitions]))
  }
  const assignment: PartitionsOfTopic[] = [...topics].map(([topic, partitions]) => ({
    topic,
    partitions: [...partitions].sort((a, b) => a - b),
  }))
  const tasks = { active: named(activeTasks), standby: named(standbyTasks), warmup: named(warmupTasks) }
  return { memberId, instanceId, clientId, clientHost, assignment, processId, tasks }
}

/** `0_3`: partition 3 of subtopology 0, as Kafka Streams writes it. */
function named(tasks: TaskIds): string[] {
  return tasks.flatMap(({ subtopologyId, partitions }) =>
    partitions.map((partition) => `${subtopologyId}_${partition}`),
  )
}
