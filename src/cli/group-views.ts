/** What `samsa groups describe` shows of groups of all kinds: offsets with lag, members, state. Columns are those of Kafka's own tools. */
import { committedOffsets, type DescribedMember, describeGroup, type GroupDescription } from '../client/admin/groups.ts'
import { describeShareOffsets } from '../client/admin/share-groups.ts'
import type { Cluster } from '../client/cluster.ts'
import { LATEST_TIMESTAMP, listOffsets } from '../client/offsets.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { table } from './output.ts'

/** One partition that the group reads or has committed an offset in. Null: not known. */
export interface OffsetRow {
  readonly topic: string
  readonly partition: number
  /** Of a share group: the start offset, before which everything is done with. */
  readonly currentOffset: number | null
  readonly logEndOffset: number | null
  readonly lag: number | null
  readonly consumerId: string | null
  readonly host: string | null
  readonly clientId: string | null
}

export interface DescribedGroup extends GroupDescription {
  readonly offsets: readonly OffsetRow[]
}

export async function describeWithOffsets(cluster: Cluster, groupId: string): Promise<DescribedGroup> {
  const group = await describeGroup(cluster, groupId)
  const offsets = group.type === 'share' ? await shareOffsets(cluster, group) : await consumerOffsets(cluster, group)
  return { ...group, offsets }
}

/** Several members may have the same partition: then none of them is named. */
async function shareOffsets(cluster: Cluster, group: GroupDescription): Promise<OffsetRow[]> {
  const rows = await describeShareOffsets(cluster, group.groupId)
  const ends = await endOffsets(cluster, [...new Set(rows.map(({ topic }) => topic))])
  return rows.map(({ topic, partition, startOffset, lag }) => ({
    topic,
    partition,
    currentOffset: startOffset < 0 ? null : startOffset,
    logEndOffset: ends.get(topic)?.get(partition) ?? null,
    lag: lag < 0 ? null : lag,
    ...{ consumerId: null, host: null, clientId: null },
  }))
}

async function consumerOffsets(cluster: Cluster, group: GroupDescription): Promise<OffsetRow[]> {
  const committed = await committedOffsets(cluster, group.groupId)
  const rows = new Map<string, Omit<OffsetRow, 'logEndOffset' | 'lag'>>()
  const unread = { consumerId: null, host: null, clientId: null }
  for (const { topic, partition, offset } of committed) {
    rows.set(`${topic}-${partition}`, { topic, partition, currentOffset: offset, ...unread })
  }
  for (const { memberId: consumerId, clientHost: host, clientId, assignment } of group.members) {
    for (const { topic, partitions } of assignment) {
      for (const partition of partitions) {
        const currentOffset = rows.get(`${topic}-${partition}`)?.currentOffset ?? null
        rows.set(`${topic}-${partition}`, { topic, partition, currentOffset, consumerId, host, clientId })
      }
    }
  }
  const ends = await endOffsets(cluster, [...new Set([...rows.values()].map(({ topic }) => topic))])
  const offsets = [...rows.values()].map((row) => {
    const logEndOffset = ends.get(row.topic)?.get(row.partition) ?? null
    const lag = logEndOffset === null || row.currentOffset === null ? null : logEndOffset - row.currentOffset
    return { ...row, logEndOffset, lag }
  })
  return offsets.sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1))
}

/** Topics that are gone have no end. */
async function endOffsets(cluster: Cluster, names: readonly string[]): Promise<Map<string, Map<number, number>>> {
  const ends = new Map<string, Map<number, number>>()
  if (names.length === 0) return ends
  const { topics } = await cluster.metadata(names)
  for (const topic of topics) {
    if (topic.errorCode === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION || topic.name === null) continue
    const partitions = topic.partitions.filter((row) => row.leaderId >= 0).map((row) => row.partitionIndex)
    ends.set(topic.name, await listOffsets(cluster, topic, partitions, LATEST_TIMESTAMP))
  }
  return ends
}

export interface View {
  readonly members?: boolean
  readonly state?: boolean
  readonly verbose?: boolean
}

/** The columns of kafka-consumer-groups, kafka-share-groups and kafka-streams-groups, in their order; `-` where nothing is known. */
export function groupText(group: DescribedGroup, view: View): string {
  if (view.state === true) return stateText(group)
  if (view.members === true) return group.type === 'streams' ? streamsMembersText(group) : membersText(group)
  return group.type === 'share' ? shareOffsetsText(group) : offsetsText(group)
}

function stateText(group: DescribedGroup): string {
  const { nodeId, host, port } = group.coordinator
  const hasAssignor = group.type !== 'streams'
  const cells = [
    `${host}:${port} (${nodeId})`,
    ...(hasAssignor ? [group.assignor] : []),
    group.state,
    String(group.members.length),
  ]
  const header = ['GROUP', 'COORDINATOR (ID)', ...(hasAssignor ? ['ASSIGNMENT-STRATEGY'] : []), 'STATE', '#MEMBERS']
  return table(header, [[group.groupId, ...cells.map((cell) => cell || '-')]])
}

function offsetsText(group: DescribedGroup): string {
  const header = [
    ...['GROUP', 'TOPIC', 'PARTITION', 'CURRENT-OFFSET', 'LOG-END-OFFSET', 'LAG'],
    ...['CONSUMER-ID', 'HOST', 'CLIENT-ID'],
  ]
  const rows = group.offsets.map((row) => {
    const { topic, partition, currentOffset, logEndOffset, lag, consumerId, host, clientId } = row
    const cells = [topic, partition, currentOffset, logEndOffset, lag, consumerId, host, clientId]
    return [group.groupId, ...cells.map((cell) => String(cell ?? '-'))]
  })
  return table(header, rows)
}

function shareOffsetsText(group: DescribedGroup): string {
  const rows = group.offsets.map(({ topic, partition, currentOffset, lag }) => {
    return [group.groupId, ...[topic, partition, currentOffset, lag].map((cell) => String(cell ?? '-'))]
  })
  return table(['GROUP', 'TOPIC', 'PARTITION', 'START-OFFSET', 'LAG'], rows)
}

function membersText(group: DescribedGroup): string {
  const instances = group.members.some(({ instanceId }) => instanceId !== null)
  const header = ['GROUP', 'CONSUMER-ID', 'HOST', 'CLIENT-ID', '#PARTITIONS', 'ASSIGNMENT']
  if (instances) header.splice(2, 0, 'GROUP-INSTANCE-ID')
  const rows = group.members.map((member) => {
    const { memberId, instanceId, clientHost, clientId, assignment } = member
    const partitions = assignment.reduce((count, topic) => count + topic.partitions.length, 0)
    const cells = [group.groupId, memberId, clientHost, clientId, String(partitions), assigned(member) || '-']
    if (instances) cells.splice(2, 0, instanceId ?? '-')
    return cells
  })
  return table(header, rows)
}

function assigned({ assignment }: DescribedMember): string {
  return assignment.map(({ topic, partitions }) => `${topic}:${partitions.join(',')}`).join(';')
}

function streamsMembersText(group: DescribedGroup): string {
  const rows = group.members.map(({ memberId, processId, clientId, tasks }) => {
    const { active = [], standby = [], warmup = [] } = tasks ?? {}
    const kinds = [
      ['ACTIVE', active],
      ['STANDBY', standby],
      ['WARMUP', warmup],
    ] as const
    const shown = kinds.filter(([, ids]) => ids.length > 0).map(([kind, ids]) => `${kind}: ${ids.join(',')}`)
    return [group.groupId, memberId, processId ?? '-', clientId, shown.join('; ') || '-']
  })
  return table(['GROUP', 'MEMBER', 'PROCESS', 'CLIENT-ID', 'ASSIGNMENTS'], rows)
}
