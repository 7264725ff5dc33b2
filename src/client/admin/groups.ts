/**
 * Admin calls about consumer groups. Groups of the classic protocol and of the new one are described by different
 * requests and come out here in one shape.
 */
import { ErrorCode } from '../../protocol/errors.ts'
import { OffsetFetchRequest, OffsetFetchResponse } from '../../protocol/messages/09-offset-fetch.ts'
import { DescribeGroupsRequest, DescribeGroupsResponse } from '../../protocol/messages/15-describe-groups.ts'
import { ListGroupsRequest, ListGroupsResponse } from '../../protocol/messages/16-list-groups.ts'
import {
  ConsumerGroupDescribeRequest,
  ConsumerGroupDescribeResponse,
} from '../../protocol/messages/69-consumer-group-describe.ts'
import { Reader } from '../../protocol/reader.ts'
import type { Infer } from '../../protocol/schema.ts'
import type { Cluster } from '../cluster.ts'
import type { Connection } from '../connection.ts'
import { brokerError, KafkaError } from '../errors.ts'
import { retrying } from '../retry.ts'
import { describeOtherKinds } from './group-kinds.ts'

/** A group, as the list of all groups shows it. */
export interface ListedGroup {
  /** The group's id. */
  readonly groupId: string
  /** `consumer` for consumers, `connect` for Kafka Connect; empty for a group that only has offsets. */
  readonly protocolType: string
  /** Empty where the broker is too old to tell; so with the type. */
  readonly state: string
  /** `classic`, `consumer`, `share` or `streams`; empty where the broker is too old to tell. */
  readonly type: string
}

/** Some partitions of a topic. */
export interface PartitionsOfTopic {
  /** The topic. */
  readonly topic: string
  /** Partition numbers. */
  readonly partitions: readonly number[]
}

/** A member of a group and what it reads. */
export interface DescribedMember {
  /** The id by which the group knows it. */
  readonly memberId: string
  /** `group.instance.id` of a static member; null for others. */
  readonly instanceId: string | null
  /** The client id of its connection. */
  readonly clientId: string
  /** As the broker writes it: `/127.0.0.1`. */
  readonly clientHost: string
  /** The partitions that it has. Of a streams group: those that its active tasks read. */
  readonly assignment: readonly PartitionsOfTopic[]
  /** Only in streams groups: the process that the member is a thread of. */
  readonly processId?: string
  /** Only in streams groups: `subtopology_partition`. */
  readonly tasks?: GroupTasks
}

/** The tasks of a member of a streams group, by what it does with them. */
export interface GroupTasks {
  /** It processes them. */
  readonly active: readonly string[]
  /** It keeps a copy of their state. */
  readonly standby: readonly string[]
  /** It is catching up with their state. */
  readonly warmup: readonly string[]
}

/** A consumer group with its members. */
export interface GroupDescription {
  /** The group's id. */
  readonly groupId: string
  /** `classic`, `consumer`, `share` or `streams`: the protocol that it speaks. */
  readonly type: string
  /** Kafka's name of its state: `Stable`, `Empty`, `PreparingRebalance`, `Assigning`, ... */
  readonly state: string
  /** The assignor in use; empty while there is none. */
  readonly assignor: string
  /** The broker that keeps the group; node id -1 where the cluster does not know the address. */
  readonly coordinator: { readonly nodeId: number; readonly host: string; readonly port: number }
  /** Its members now. */
  readonly members: readonly DescribedMember[]
}

/** From this version on, OffsetFetch asks for several groups; from the next one on, topics go by id. */
const FIRST_BATCHED_OFFSET_FETCH = 8
const LAST_OFFSET_FETCH_BY_NAME = 9

/** Every broker knows the groups it coordinates, so all are asked. Sorted by id. */
export async function listGroups(cluster: Cluster): Promise<ListedGroup[]> {
  const { brokers } = await cluster.metadata([])
  const perBroker = await Promise.all(
    brokers.map(({ nodeId }) =>
      retrying(cluster.timeoutMs, async () => {
        const connection = await cluster.broker(nodeId)
        const answer = await connection.send(ListGroupsRequest, ListGroupsResponse, {})
        if (answer.errorCode !== 0) throw brokerError(answer.errorCode, `list the groups of broker ${nodeId}`)
        return answer.groups
      }),
    ),
  )
  const groups = perBroker.flat().map(({ groupId, protocolType, groupState: state, groupType: type }) => {
    return { groupId, protocolType, state, type }
  })
  return groups.sort((a, b) => (a.groupId < b.groupId ? -1 : 1))
}

export function describeGroup(cluster: Cluster, groupId: string): Promise<GroupDescription> {
  return retrying(cluster.timeoutMs, async () => {
    const connection = await cluster.groupCoordinator(groupId)
    const coordinator = await coordinatorOf(cluster, connection)
    const described = (await describeModern(connection, groupId)) ?? (await describeOtherKinds(connection, groupId))
    return { ...(described ?? (await describeClassic(connection, groupId))), coordinator }
  })
}

async function coordinatorOf(cluster: Cluster, connection: Connection): Promise<GroupDescription['coordinator']> {
  const { host, port } = connection
  const { brokers } = await cluster.metadata([])
  const broker = brokers.find((candidate) => candidate.host === host && candidate.port === port)
  return { nodeId: broker?.nodeId ?? -1, host, port }
}

type Described = Omit<GroupDescription, 'coordinator'>

/** Null when it is not a group of the new protocol, or the broker does not know that protocol. */
async function describeModern(connection: Connection, groupId: string): Promise<Described | null> {
  if (!connection.versions.has(ConsumerGroupDescribeRequest.key)) return null
  const answer = await connection.send(ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, {
    groupIds: [groupId],
    includeAuthorizedOperations: false,
  })
  const group = answer.groups[0]
  if (group === undefined)
    throw new KafkaError('ERR_BAD_RESPONSE', `describe group '${groupId}': no group in the answer`)
  if (group.errorCode === ErrorCode.GROUP_ID_NOT_FOUND || group.errorCode === ErrorCode.UNSUPPORTED_VERSION) return null
  if (group.errorCode !== 0) throw brokerError(group.errorCode, `describe group '${groupId}'`, group.errorMessage)
  return {
    groupId,
    type: 'consumer',
    state: group.groupState,
    assignor: group.assignorName,
    members: group.members.map((member) => ({
      memberId: member.memberId,
      instanceId: member.instanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      assignment: member.assignment.topicPartitions.map(({ topicName: topic, partitions }) => ({ topic, partitions })),
    })),
  }
}

export type ClassicGroup = Infer<typeof DescribeGroupsResponse>['groups'][number]

/** As its coordinator describes it, with the members' own bytes; a group that does not exist is a dead one, or GROUP_ID_NOT_FOUND. */
export async function classicGroup(connection: Connection, groupId: string): Promise<ClassicGroup> {
  const answer = await connection.send(DescribeGroupsRequest, DescribeGroupsResponse, { groups: [groupId] })
  const group = answer.groups[0]
  if (group !== undefined) return group
  throw new KafkaError('ERR_BAD_RESPONSE', `describe group '${groupId}': no group in the answer`)
}

async function describeClassic(connection: Connection, groupId: string): Promise<Described> {
  const group = await classicGroup(connection, groupId)
  // Before version 6 an unknown group is a dead one.
  const errorCode = group.errorCode || (group.groupState === 'Dead' ? ErrorCode.GROUP_ID_NOT_FOUND : 0)
  if (errorCode === ErrorCode.GROUP_ID_NOT_FOUND)
    throw brokerError(errorCode, `group '${groupId}'`, 'it does not exist')
  if (errorCode !== 0) throw brokerError(errorCode, `describe group '${groupId}'`, group.errorMessage)
  const consumers = group.protocolType === 'consumer'
  return {
    groupId,
    type: 'classic',
    state: group.groupState,
    assignor: group.protocolData,
    members: group.members.map((member) => ({
      memberId: member.memberId,
      instanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      assignment: consumers ? readAssignment(member.memberAssignment) : [],
    })),
  }
}

/** What the group's leader gave a member: version, topics with partitions, then bytes of the assignor's own. */
function readAssignment(bytes: Buffer): PartitionsOfTopic[] {
  if (bytes.byteLength === 0) return []
  const reader = new Reader([bytes])
  reader.int16()
  const topics: PartitionsOfTopic[] = []
  const topicCount = reader.int32()
  for (let index = 0; index < topicCount; index++) {
    const topic = reader.string()
    const partitionCount = reader.int32()
    const partitions: number[] = []
    for (let each = 0; each < partitionCount; each++) partitions.push(reader.int32())
    topics.push({ topic, partitions })
  }
  return topics
}

/** Where a group goes on in a partition. */
export interface CommittedOffset {
  /** The topic. */
  readonly topic: string
  /** The partition. */
  readonly partition: number
  /** Of the next message that the group will read. */
  readonly offset: number
  /** The text that was committed with it; null or empty without one. */
  readonly metadata: string | null
}

/** Everything the group has committed, sorted by topic and partition. */
export function committedOffsets(cluster: Cluster, groupId: string): Promise<CommittedOffset[]> {
  return retrying(cluster.timeoutMs, () => fetchCommitted(cluster, groupId))
}

async function fetchCommitted(cluster: Cluster, groupId: string): Promise<CommittedOffset[]> {
  const coordinator = await cluster.groupCoordinator(groupId)
  const maxVersion = LAST_OFFSET_FETCH_BY_NAME
  const version = coordinator.versionFor(OffsetFetchRequest, maxVersion)
  const batched = version >= FIRST_BATCHED_OFFSET_FETCH
  const answer = await coordinator.send(
    OffsetFetchRequest,
    OffsetFetchResponse,
    batched ? { groups: [{ groupId, topics: null }] } : { groupId, topics: null },
    { maxVersion },
  )
  const group = batched ? answer.groups[0] : answer
  if (group === undefined)
    throw new KafkaError('ERR_BAD_RESPONSE', `offsets of group '${groupId}': no group in the answer`)
  if (group.errorCode !== 0) throw brokerError(group.errorCode, `offsets of group '${groupId}'`)
  const offsets: CommittedOffset[] = []
  for (const topic of group.topics) {
    for (const row of topic.partitions) {
      if (row.errorCode !== 0) {
        throw brokerError(row.errorCode, `offset of group '${groupId}' in ${topic.name}-${row.partitionIndex}`)
      }
      if (row.committedOffset < 0) continue
      const { partitionIndex: partition, committedOffset: offset, metadata } = row
      offsets.push({ topic: topic.name, partition, offset, metadata })
    }
  }
  return offsets.sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1))
}
