/**
 * The only code that changes durable state: a record that is in the log, or queued for it, is applied here; a load is
 * nothing but this over the whole log. It must not fail and must not depend on anything but state and record.
 */
import { ConsumerGroup } from './consumer/group.ts'
import { newMember } from './consumer/member.ts'
import { type ConsumerRecord, isConsumerRecord } from './consumer/records.ts'
import { PendingOffsets } from './offsets/pending.ts'
import type { GroupRecord } from './records.ts'
import type { ShareGroup } from './share/group.ts'
import { isShareRecord } from './share/records.ts'
import { replayShareRecord } from './share/replay.ts'
import type { CommittedOffset, DurableState, GroupMetadata } from './state.ts'
import type { StreamsGroup } from './streams/group.ts'
import { isStreamsRecord } from './streams/records.ts'
import { replayStreamsRecord } from './streams/replay.ts'

interface MutableDurableState {
  readonly metadata: Map<string, GroupMetadata>
  readonly consumerGroups: Map<string, ConsumerGroup>
  readonly shareGroups: Map<string, ShareGroup>
  readonly streamsGroups: Map<string, StreamsGroup>
  readonly offsets: Map<string, Map<string, Map<number, CommittedOffset>>>
  readonly pending: PendingOffsets
}

export function emptyDurableState(): DurableState {
  const state: MutableDurableState = {
    metadata: new Map(),
    consumerGroups: new Map(),
    shareGroups: new Map(),
    streamsGroups: new Map(),
    offsets: new Map(),
    pending: new PendingOffsets(),
  }
  return state
}

export function replay(state: DurableState, record: GroupRecord): void {
  // Every DurableState comes from emptyDurableState(); readonly is a promise of the other modules, taken back only here.
  const mutable = state as MutableDurableState
  if (record.type === 'group-metadata') {
    if (record.value === null) mutable.metadata.delete(record.group)
    else {
      mutable.metadata.set(record.group, record.value)
      mutable.consumerGroups.delete(record.group)
      mutable.streamsGroups.delete(record.group)
    }
    return
  }
  if (isConsumerRecord(record)) {
    replayConsumerRecord(mutable, record)
    return
  }
  if (isShareRecord(record)) {
    replayShareRecord(mutable.shareGroups, record)
    return
  }
  if (isStreamsRecord(record)) {
    if (replayStreamsRecord(mutable.streamsGroups, record)) mutable.metadata.delete(record.group)
    return
  }
  const { group, topic, partition, value } = record
  if (value === null) {
    forgetOffset(mutable, group, topic, partition)
    mutable.pending.remove(group, topic, partition)
  } else {
    storeOffset(mutable, group, topic, partition, value)
    mutable.pending.supersede(group, topic, partition)
  }
}

/**
 * A group comes into being with the first record that says something of it, and goes with the tombstone of its epoch. In between tombstones
 * of its other records may concern what is not there: compaction leaves them in any combination.
 */
function replayConsumerRecord(state: MutableDurableState, record: ConsumerRecord): void {
  let group = state.consumerGroups.get(record.group)
  if (group === undefined) {
    if (record.value === null) return
    group = new ConsumerGroup(record.group)
    state.consumerGroups.set(record.group, group)
    state.metadata.delete(record.group)
  }
  switch (record.type) {
    case 'consumer-group':
      if (record.value === null) state.consumerGroups.delete(record.group)
      else group.putEpoch(record.value.epoch, record.value.metadataHash)
      return
    case 'consumer-topics':
      group.putOldTopicsRecord(record.value !== null)
      return
    case 'consumer-member':
      if (record.value === null) group.removeMember(record.memberId)
      else group.putSubscription(record.memberId, record.value)
      return
    case 'consumer-target-epoch':
      if (record.value !== null) group.putAssignmentEpoch(record.value.assignmentEpoch, record.value.assignedAtMs)
      return
    case 'consumer-target':
      group.putTarget(record.memberId, record.value)
      return
    case 'consumer-progress':
      if (record.value !== null) group.putProgress(record.memberId, record.value)
      // The member's subscription has a tombstone of its own; until that comes it has nothing.
      else if (group.members.has(record.memberId)) group.putProgress(record.memberId, newMember(record.memberId))
      return
    case 'consumer-regex':
      group.putRegex(record.regex, record.value)
      return
  }
}

/** A record written in a transaction: commits wait for the marker. Nothing else is written in transactions. */
export function replayPending(state: DurableState, producerId: number, record: GroupRecord): void {
  if (record.type !== 'offset-commit' || record.value === null) return
  const { group, topic, partition, value } = record
  state.pending.store(producerId, { group, topic, partition, value })
}

/** A marker: what its transaction committed holds, or never was. Returns the groups that it concerns. */
export function replayMarker(state: DurableState, producerId: number, committed: boolean): Set<string> {
  const groups = new Set<string>()
  for (const { group, topic, partition, value, isSuperseded } of state.pending.take(producerId)) {
    groups.add(group)
    if (committed && !isSuperseded) storeOffset(state as MutableDurableState, group, topic, partition, value)
  }
  return groups
}

function storeOffset(
  state: MutableDurableState,
  group: string,
  topic: string,
  partition: number,
  value: CommittedOffset,
): void {
  let topics = state.offsets.get(group)
  if (topics === undefined) {
    topics = new Map()
    state.offsets.set(group, topics)
  }
  let partitions = topics.get(topic)
  if (partitions === undefined) {
    partitions = new Map()
    topics.set(topic, partitions)
  }
  partitions.set(partition, value)
}

function forgetOffset(state: MutableDurableState, group: string, topic: string, partition: number): void {
  const topics = state.offsets.get(group)
  const partitions = topics?.get(topic)
  if (topics === undefined || partitions === undefined) return
  partitions.delete(partition)
  if (partitions.size === 0) topics.delete(topic)
  if (topics.size === 0) state.offsets.delete(group)
}
