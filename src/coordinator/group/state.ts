/**
 * What a shard of the group coordinator knows. `DurableState` is exactly what its partition of `__consumer_offsets` says:
 * only `replay.ts` changes it, with the records that were written or read. `GroupState.groups` is the soft part (states of
 * rebalances, parked calls), built from the durable part after a load and lost with the process.
 *
 * What must hold: a group exists in `groups` exactly if it has metadata, a group of a newer protocol or offsets in `durable`, pending ones
 * included, once an operation is over. It has metadata or such a group, never two of them; the latter is the object in `groups` then.
 */
import type { ClassicGroup } from './classic/group.ts'
import type { ConsumerGroup } from './consumer/group.ts'
import type { PendingOffsets } from './offsets/pending.ts'
import type { ShareGroup } from './share/group.ts'
import type { StreamsGroup } from './streams/group.ts'

export interface CommittedOffset {
  readonly offset: number
  /** -1: the client did not say. */
  readonly leaderEpoch: number
  readonly metadata: string
  readonly commitTimestampMs: number
  /** Set by commits of old clients that bring their own retention time; null: the broker's retention counts. */
  readonly expireTimestampMs: number | null
  /** ZERO_UUID when the commit named the topic only. */
  readonly topicId: string
}

export interface MemberMetadata {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly rebalanceTimeoutMs: number
  readonly sessionTimeoutMs: number
  /** The member's metadata under the group's chosen protocol. */
  readonly subscription: Buffer
  readonly assignment: Buffer
}

export interface GroupMetadata {
  /** '' for groups that only commit offsets. */
  readonly protocolType: string
  readonly generation: number
  readonly protocol: string | null
  readonly leader: string | null
  /** When the group entered the state that was written; -1 in records of old brokers. */
  readonly stateTimestampMs: number
  readonly members: readonly MemberMetadata[]
}

export type TopicOffsets = ReadonlyMap<number, CommittedOffset>
export type GroupOffsets = ReadonlyMap<string, TopicOffsets>

export interface DurableState {
  /** Of classic groups. */
  readonly metadata: ReadonlyMap<string, GroupMetadata>
  readonly consumerGroups: ReadonlyMap<string, ConsumerGroup>
  readonly shareGroups: ReadonlyMap<string, ShareGroup>
  readonly streamsGroups: ReadonlyMap<string, StreamsGroup>
  /** By group, topic, partition. No empty inner maps. */
  readonly offsets: ReadonlyMap<string, GroupOffsets>
  /** Commits of transactions that are open. */
  readonly pending: PendingOffsets
}

export interface GroupState {
  readonly durable: DurableState
  /** Of all types: they share one space of names. */
  readonly groups: Map<string, Group>
}

export type Group = ClassicGroup | ConsumerGroup | ShareGroup | StreamsGroup

/** Looks a commit up. */
export function committedOffset(
  durable: DurableState,
  groupId: string,
  topic: string,
  partition: number,
): CommittedOffset | undefined {
  return durable.offsets.get(groupId)?.get(topic)?.get(partition)
}
