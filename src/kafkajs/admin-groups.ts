/** kafkajs' admin calls about consumer groups and what they have committed. */
import { alterOffsets, deleteGroups as dropGroups } from '../client/admin/group-changes.ts'
import { classicGroup, committedOffsets, listGroups as findGroups } from '../client/admin/groups.ts'
import type { Cluster } from '../client/cluster.ts'
import { brokerError } from '../client/errors.ts'
import { EARLIEST_TIMESTAMP as EARLIEST_OFFSET, LATEST_TIMESTAMP as LATEST_OFFSET } from '../client/offsets.ts'
import { retrying } from '../client/retry.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { checkArray, checkName, refused } from './admin-checks.ts'
import { fetchTopicOffsets, partitionIds } from './admin-topics.ts'
import { type DeleteGroupsResult, KafkaJSDeleteGroupsError } from './errors.ts'
import { failureOf, protocolError } from './translate.ts'
import type {
  Admin,
  ConsumerGroupState,
  FetchOffsetsPartition,
  GroupDescription,
  GroupDescriptions,
  SeekEntry,
} from './types.ts'

/** In which a group's offsets may be set. */
const IDLE: ReadonlySet<string> = new Set(['Empty', 'Dead'])
const NONE_COMMITTED = '-1'

export async function listGroups(cluster: Cluster): ReturnType<Admin['listGroups']> {
  const groups = await findGroups(cluster)
  return { groups: groups.map(({ groupId, protocolType }) => ({ groupId, protocolType })) }
}

/** A group that does not exist is dead. */
export async function describeGroups(cluster: Cluster, groupIds: readonly string[]): Promise<GroupDescriptions> {
  return { groups: await Promise.all(groupIds.map((groupId) => describeOne(cluster, groupId))) }
}

function describeOne(cluster: Cluster, groupId: string): Promise<GroupDescription> {
  return retrying(cluster.timeoutMs, async () => {
    const group = await classicGroup(await cluster.groupCoordinator(groupId), groupId)
    const { errorCode } = group
    const isUnknown = errorCode === ErrorCode.GROUP_ID_NOT_FOUND
    if (errorCode !== 0 && !isUnknown) throw brokerError(errorCode, `describe group '${groupId}'`, group.errorMessage)
    return {
      errorCode: 0,
      groupId,
      state: (isUnknown ? 'Dead' : group.groupState) as ConsumerGroupState,
      protocolType: group.protocolType,
      protocol: group.protocolData,
      members: group.members.map(({ memberId, clientId, clientHost, memberMetadata, memberAssignment }) => {
        return { memberId, clientId, clientHost, memberMetadata, memberAssignment }
      }),
    }
  })
}

export async function deleteGroups(cluster: Cluster, groupIds: readonly string[]): Promise<DeleteGroupsResult[]> {
  checkArray(groupIds, 'groupIds')
  for (const groupId of groupIds) checkName(groupId, 'groupId name:')
  const results = (await dropGroups(cluster, groupIds)).map(({ groupId, error }) => {
    if (error === null) return { groupId, errorCode: 0 }
    if (error.errorCode === 0) throw error
    return { groupId, errorCode: error.errorCode, error: protocolError(error) }
  })
  const failed = results.filter(({ errorCode }) => errorCode !== 0)
  if (failed.length > 0) throw new KafkaJSDeleteGroupsError('Error in DeleteGroups', failed)
  return results
}

/** Of the topics named, every partition; '-1' where nothing is committed. Without names what there is. */
export async function fetchOffsets(
  cluster: Cluster,
  { groupId, topics = [], resolveOffsets = false }: Parameters<Admin['fetchOffsets']>[0],
): ReturnType<Admin['fetchOffsets']> {
  checkName(groupId, 'groupId')
  if (!Array.isArray(topics)) throw refused('Expected topics array to be set')
  const committed = await committedOffsets(cluster, groupId)
  const names = topics.length === 0 ? [...new Set(committed.map(({ topic }) => topic))] : topics
  const found = await Promise.all(
    names.map(async (topic) => {
      const rows = new Map(committed.filter((row) => row.topic === topic).map((row) => [row.partition, row]))
      const wanted = topics.length === 0 ? [...rows.keys()] : await partitionIds(cluster, topic).catch(rejected)
      const partitions = wanted.map((partition): FetchOffsetsPartition => {
        const row = rows.get(partition)
        const offset = row === undefined ? NONE_COMMITTED : String(row.offset)
        return { partition, offset, metadata: row?.metadata || null }
      })
      return { topic, partitions }
    }),
  )
  if (!resolveOffsets) return found
  return Promise.all(
    found.map(async ({ topic, partitions }) => {
      const resolved = await resolvedEnds(cluster, topic, partitions)
      await setOffsets(cluster, { groupId, topic, partitions: resolved })
      return { topic, partitions: resolved }
    }),
  )
}

/** Not "tried often enough": programs look for the `type`. */
function rejected(error: unknown): never {
  throw failureOf(error)
}

/** Only while the group has no members. `-2` and `-1` are the partition's beginning and end. */
export async function setOffsets(
  cluster: Cluster,
  { groupId, topic, partitions }: Parameters<Admin['setOffsets']>[0],
): Promise<void> {
  checkName(groupId, 'groupId')
  checkName(topic, 'topic')
  if (!partitions || partitions.length === 0) throw refused('Invalid partitions')
  const { state } = await describeOne(cluster, groupId)
  if (!IDLE.has(state)) {
    throw refused(`The consumer group must have no running instances, current state: ${state}`)
  }
  const rows = (await resolvedEnds(cluster, topic, partitions)).map(({ partition, offset }) => {
    return { topic, partition, offset: Number(offset) }
  })
  const failed = (await alterOffsets(cluster, groupId, rows)).find(({ error }) => error !== null)
  if (failed !== undefined) throw failed.error
}

/** kafkajs commits the end's number (-1, -2) and leaves it to consumers; here the group gets the offset that it stands for. */
export async function resetOffsets(
  cluster: Cluster,
  { groupId, topic, earliest = false }: Parameters<Admin['resetOffsets']>[0],
): Promise<void> {
  checkName(groupId, 'groupId')
  checkName(topic, 'topic')
  const offset = String(earliest ? EARLIEST_OFFSET : LATEST_OFFSET)
  const partitions = (await partitionIds(cluster, topic)).map((partition) => ({ partition, offset }))
  await setOffsets(cluster, { groupId, topic, partitions })
}

async function resolvedEnds<Row extends SeekEntry>(
  cluster: Cluster,
  topic: string,
  rows: readonly Row[],
): Promise<Row[]> {
  if (rows.every(({ offset }) => Number(offset) >= 0)) return [...rows]
  const ends = new Map((await fetchTopicOffsets(cluster, topic)).map((row) => [row.partition, row]))
  return rows.map((row) => {
    const end = ends.get(row.partition)
    const offset = Number(row.offset)
    if (end === undefined || offset >= 0) return row
    return { ...row, offset: offset === EARLIEST_OFFSET ? end.low : end.high }
  })
}
