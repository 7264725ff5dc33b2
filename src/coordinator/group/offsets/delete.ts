/** OffsetDelete, DeleteGroups and the deletion of topics: everything that ends as tombstones of commits. */
import { ErrorCode } from '../../../protocol/errors.ts'
import type { ClassicGroup } from '../classic/group.ts'
import { groupTombstones } from '../consumer/removal.ts'
import { CONSUMER_PROTOCOL_TYPE, parseSubscribedTopics } from '../consumer-protocol.ts'
import type { GroupRecord } from '../records.ts'
import { shareGroupTombstones } from '../share/removal.ts'
import { committedOffset, type DurableState, type Group, type GroupState } from '../state.ts'
import { streamsGroupTombstones } from '../streams/removal.ts'
import type { Turn, Waiter } from '../turn.ts'

/**
 * Topics that the members read, as their subscriptions say. null: it cannot be told, and every topic counts as read (for
 * consumers) or none does (for other protocols, which do not subscribe in this sense).
 */
export function subscribedTopics(group: Group): ReadonlySet<string> | null {
  if (group.type === 'streams') return group.topicsRead
  if (group.type !== 'classic') return new Set(group.topicCounts.keys())
  if (group.protocolType !== CONSUMER_PROTOCOL_TYPE) return null
  const topics = new Set<string>()
  for (const member of group.members) {
    const names = parseSubscribedTopics(group.subscription(member))
    if (names === null) return null
    for (const name of names) topics.add(name)
  }
  return topics
}

const NO_TOPICS: ReadonlySet<string> = new Set()

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

export interface OffsetDeleteInput {
  readonly groupId: string
  readonly partitions: readonly TopicPartition[]
}

/** A code for the whole request, or one per partition in the order of the input. */
export type OffsetDeleteResult = ErrorCode | readonly ErrorCode[]

export function deleteOffsets(
  state: GroupState,
  turn: Turn,
  input: OffsetDeleteInput,
  waiter: Waiter<OffsetDeleteResult>,
): void {
  const group = state.groups.get(input.groupId)
  // Share groups have no positions of this kind.
  if (group === undefined || group.type === 'share') {
    turn.answer(waiter, ErrorCode.GROUP_ID_NOT_FOUND)
    return
  }
  const live = group.state !== 'Empty'
  if (live && group.type === 'classic' && group.protocolType !== CONSUMER_PROTOCOL_TYPE) {
    turn.answer(waiter, ErrorCode.NON_EMPTY_GROUP)
    return
  }
  const subscribed = live ? subscribedTopics(group) : NO_TOPICS
  const errorCodes = input.partitions.map(({ topic, partition }) => {
    if (subscribed === null || subscribed.has(topic)) return ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC
    writeTombstone(state.durable, turn, { group: input.groupId, topic, partition })
    return ErrorCode.NONE
  })
  turn.answer(waiter, errorCodes)
}

/** Nothing is written for what was never committed. */
function writeTombstone(
  durable: DurableState,
  turn: Turn,
  { group, topic, partition }: TopicPartition & { readonly group: string },
): void {
  if (committedOffset(durable, group, topic, partition) === undefined) return
  turn.write({ type: 'offset-commit', group, topic, partition, value: null })
}

export function deleteGroup(state: GroupState, turn: Turn, groupId: string, waiter: Waiter<ErrorCode>): void {
  const group = state.groups.get(groupId)
  if (group === undefined) turn.answer(waiter, ErrorCode.GROUP_ID_NOT_FOUND)
  else if (group.state !== 'Empty') turn.answer(waiter, ErrorCode.NON_EMPTY_GROUP)
  else {
    const written = new Set<string>()
    const tombstone = (topic: string, partition: number) => {
      const name = `${topic}-${partition}`
      if (!written.has(name)) turn.write({ type: 'offset-commit', group: groupId, topic, partition, value: null })
      written.add(name)
    }
    for (const [topic, partitions] of state.durable.offsets.get(groupId) ?? []) {
      for (const partition of partitions.keys()) tombstone(topic, partition)
    }
    // An open transaction must not bring the group back.
    for (const { topic, partition } of state.durable.pending.ofGroup(groupId)) tombstone(topic, partition)
    if (group.type === 'classic') turn.write({ type: 'group-metadata', group: groupId, value: null })
    else for (const record of tombstonesOf(group)) turn.write(record)
    turn.answer(waiter, ErrorCode.NONE)
  }
}

/** Everything of a group of the newer protocols but its offsets. */
export function tombstonesOf(group: Exclude<Group, ClassicGroup>): GroupRecord[] {
  switch (group.type) {
    case 'consumer':
      return groupTombstones(group)
    case 'share':
      return shareGroupTombstones(group)
    case 'streams':
      return streamsGroupTombstones(group)
  }
}

/** The topic is gone: so are all groups' positions in it. */
export function forgetTopic(state: GroupState, turn: Turn, topic: string): void {
  for (const [group, topics] of state.durable.offsets) {
    for (const partition of topics.get(topic)?.keys() ?? []) {
      turn.write({ type: 'offset-commit', group, topic, partition, value: null })
    }
  }
  for (const { group, partition } of state.durable.pending.ofTopic(topic)) {
    turn.write({ type: 'offset-commit', group, topic, partition, value: null })
  }
}

export interface KnownTopics {
  /** undefined: there is no such topic. */
  topicId(name: string): string | undefined
}

/**
 * After a load: positions in topics that were deleted, or deleted and made anew, while nobody could write the tombstones
 * (the process ended between the two).
 */
export function forgetLostTopics(state: GroupState, turn: Turn, known: KnownTopics, zeroUuid: string): void {
  for (const [group, topics] of state.durable.offsets) {
    for (const [topic, partitions] of topics) {
      const topicId = known.topicId(topic)
      for (const [partition, committed] of partitions) {
        const same = topicId !== undefined && (committed.topicId === zeroUuid || committed.topicId === topicId)
        if (!same) turn.write({ type: 'offset-commit', group, topic, partition, value: null })
      }
    }
  }
}
