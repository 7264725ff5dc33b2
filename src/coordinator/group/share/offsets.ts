/**
 * What changes the states of a share group from outside: the share coordinator has initialized them or could not, somebody sets
 * start offsets or takes them away, topics go. The states themselves belong to the share coordinator; here it is written down which there are.
 */
import { ErrorCode } from '../../../protocol/errors.ts'
import type { PartitionSet } from '../consumer/assignment.ts'
import { Refusal } from '../consumer/draft.ts'
import type { GroupState } from '../state.ts'
import type { Turn, Waiter } from '../turn.ts'
import type { ShareGroup } from './group.ts'
import { openShareGroup } from './heartbeat.ts'
import {
  abandonInitialization,
  beginInitialization,
  completeInitialization,
  type NamedTopicPartitions,
  type ShareStates,
  withoutTopics,
} from './initialization.ts'

const NOT_EMPTY = 'The group is not empty.'
const UNKNOWN_PARTITION = 'This server does not host this topic-partition.'

function shareGroup(state: GroupState, groupId: string): ShareGroup | undefined {
  const group = state.groups.get(groupId)
  return group?.type === 'share' ? group : undefined
}

/** The share coordinator has these states now. */
export function statesInitialized(state: GroupState, turn: Turn, groupId: string, done: PartitionSet): void {
  const group = shareGroup(state, groupId)
  if (group === undefined) return
  turn.write({ type: 'share-states', group: groupId, value: completeInitialization(group.states, done, turn.topics) })
}

/** The share coordinator could not take them: the next heartbeat asks again. */
export function statesNotInitialized(state: GroupState, turn: Turn, groupId: string, failed: PartitionSet): void {
  const group = shareGroup(state, groupId)
  if (group === undefined || group.states.initializing.size === 0) return
  turn.write({ type: 'share-states', group: groupId, value: abandonInitialization(group.states, failed) })
}

/** Topics are gone: their states are nobody's business any more. */
export function forgetShareTopics(state: GroupState, turn: Turn, topicIds: ReadonlySet<string>): void {
  for (const group of state.durable.shareGroups.values()) {
    const value = withoutTopics(group.states, topicIds)
    if (value !== null) turn.write({ type: 'share-states', group: group.groupId, value })
  }
}

/** After a load: topics that were deleted while nobody could write it down. */
export function forgetLostShareTopics(state: GroupState, turn: Turn): void {
  const lost = new Set<string>()
  for (const { states } of state.durable.shareGroups.values()) {
    for (const topicId of [...states.initializing.keys(), ...states.initialized.keys(), ...states.deleting.keys()]) {
      if (turn.topics.topicName(topicId) === undefined) lost.add(topicId)
    }
  }
  if (lost.size > 0) forgetShareTopics(state, turn, lost)
}

// AlterShareGroupOffsets

export interface AlterTopic {
  readonly topicName: string
  readonly partitions: readonly { readonly partitionIndex: number; readonly startOffset: number }[]
}

export interface AlteredPartition {
  readonly partitionIndex: number
  readonly errorCode: ErrorCode
  readonly errorMessage: string | null
}

export interface AlteredTopic {
  readonly topicName: string
  /** undefined: there is no such topic. */
  readonly topicId: string | undefined
  readonly partitions: readonly AlteredPartition[]
}

export interface AlterResult {
  readonly topics: readonly AlteredTopic[]
  readonly stateEpoch: number
  /** To be asked of the share coordinator: topic id -> partition -> start offset. */
  readonly startOffsets: ReadonlyMap<string, ReadonlyMap<number, number>>
}

/** A group that does not exist comes into being: what is set here is where it will begin. */
export function alterShareOffsets(
  state: GroupState,
  turn: Turn,
  { groupId, topics }: { readonly groupId: string; readonly topics: readonly AlterTopic[] },
  waiter: Waiter<AlterResult | Refusal>,
): void {
  const group = openShareGroup(state, groupId, true)
  if (group instanceof Refusal) {
    turn.answer(waiter, group)
    return
  }
  if (group.size > 0) {
    turn.answer(waiter, new Refusal(ErrorCode.NON_EMPTY_GROUP, NOT_EMPTY))
    return
  }
  const startOffsets = new Map<string, Map<number, number>>()
  const wanted = new Map<string, NamedTopicPartitions>()
  const altered = topics.map(({ topicName, partitions }): AlteredTopic => {
    const topicId = turn.topics.topicId(topicName)
    const count = turn.topics.partitionCount(topicName) ?? 0
    const known = partitions.filter(({ partitionIndex }) => partitionIndex < count)
    if (topicId !== undefined) {
      const offsets = new Map(known.map(({ partitionIndex, startOffset }) => [partitionIndex, startOffset]))
      if (offsets.size > 0) startOffsets.set(topicId, offsets)
      wanted.set(topicId, { name: topicName, partitions: new Set(offsets.keys()), askedAtMs: turn.nowMs })
    }
    return { topicName, topicId, partitions: partitions.map(({ partitionIndex }) => alteredRow(partitionIndex, count)) }
  })
  if (wanted.size > 0) {
    turn.write({ type: 'share-states', group: groupId, value: beginInitialization(group.states, wanted) })
  }
  turn.answer(waiter, { topics: altered, stateEpoch: group.epoch, startOffsets })
}

function alteredRow(partitionIndex: number, count: number): AlteredPartition {
  if (partitionIndex < count) return { partitionIndex, errorCode: ErrorCode.NONE, errorMessage: null }
  return { partitionIndex, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, errorMessage: UNKNOWN_PARTITION }
}

// DeleteShareGroupOffsets, DeleteGroups

export interface DeletionResult {
  /** States that the share coordinator is to take away. */
  readonly states: PartitionSet
  readonly failed: readonly {
    readonly topicName: string
    readonly errorCode: ErrorCode
    readonly errorMessage: string
  }[]
}

export function deleteShareOffsets(
  state: GroupState,
  turn: Turn,
  { groupId, topicNames }: { readonly groupId: string; readonly topicNames: readonly string[] },
  waiter: Waiter<DeletionResult | Refusal>,
): void {
  const group = state.groups.get(groupId)
  if (group?.type !== 'share') {
    const message = group === undefined ? `Group ${groupId} not found.` : `Group ${groupId} is not a share group.`
    turn.answer(waiter, new Refusal(ErrorCode.GROUP_ID_NOT_FOUND, message))
    return
  }
  if (group.size > 0) {
    turn.answer(waiter, new Refusal(ErrorCode.NON_EMPTY_GROUP, NOT_EMPTY))
    return
  }
  const initialized = new Map(group.states.initialized)
  const deleting = new Map(group.states.deleting)
  const states = new Map<string, ReadonlySet<number>>()
  const failed: DeletionResult['failed'][number][] = []
  const fail = (topicName: string, errorMessage: string) => {
    failed.push({ topicName, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, errorMessage })
  }
  for (const topicName of topicNames) {
    const topicId = turn.topics.topicId(topicName)
    const known = topicId === undefined ? undefined : initialized.get(topicId)
    if (topicId === undefined) fail(topicName, UNKNOWN_PARTITION)
    else if (known !== undefined) {
      states.set(topicId, known.partitions)
      initialized.delete(topicId)
      deleting.set(topicId, topicName)
    } else if (deleting.has(topicId)) {
      // An earlier deletion was not finished.
      const count = turn.topics.partitionCount(topicName) ?? 0
      states.set(topicId, new Set(Array.from({ length: count }, (_, partition) => partition)))
    } else fail(topicName, 'There is no offset information to delete.')
  }
  if (states.size > 0) {
    const value: ShareStates = { initializing: group.states.initializing, initialized, deleting }
    turn.write({ type: 'share-states', group: groupId, value })
  }
  turn.answer(waiter, { states, failed })
}

/** The share coordinator has taken the states of these topics away. */
export function statesDeleted(state: GroupState, turn: Turn, groupId: string, topicIds: ReadonlySet<string>): void {
  const group = shareGroup(state, groupId)
  if (group === undefined) return
  const deleting = new Map([...group.states.deleting].filter(([topicId]) => !topicIds.has(topicId)))
  turn.write({ type: 'share-states', group: groupId, value: { ...group.states, deleting } })
}

/**
 * The first half of deleting a whole group: all its states are on their way out. A group of another type has none, and whoever deletes
 * groups finds out what else there is to say.
 */
export function beginGroupDeletion(
  state: GroupState,
  turn: Turn,
  groupId: string,
  waiter: Waiter<PartitionSet | ErrorCode>,
): void {
  const group = shareGroup(state, groupId)
  if (group === undefined) {
    turn.answer(waiter, new Map())
    return
  }
  if (group.size > 0) {
    turn.answer(waiter, ErrorCode.NON_EMPTY_GROUP)
    return
  }
  const { initialized, initializing, deleting } = group.states
  const states = new Map<string, Set<number>>()
  const add = (topicId: string, partitions: Iterable<number>) => {
    states.set(topicId, new Set([...(states.get(topicId) ?? []), ...partitions]))
  }
  const names = new Map(deleting)
  for (const [topicId, { name, partitions }] of [...initialized, ...initializing]) {
    add(topicId, partitions)
    names.set(topicId, name)
  }
  for (const [topicId, name] of deleting) {
    const count = turn.topics.topicName(topicId) === undefined ? 0 : (turn.topics.partitionCount(name) ?? 0)
    add(
      topicId,
      Array.from({ length: count }, (_, partition) => partition),
    )
  }
  if (states.size > 0) {
    const value: ShareStates = { initializing: new Map(), initialized: new Map(), deleting: names }
    turn.write({ type: 'share-states', group: groupId, value })
  }
  turn.answer(waiter, states)
}
