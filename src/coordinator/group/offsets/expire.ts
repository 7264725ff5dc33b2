/**
 * The expiry of commits, looked at every offsets.retention.check.interval.ms. A commit with an expiry of its own dies at it;
 * any other dies when its base time is offsets.retention.minutes ago:
 *
 * | group                                          | base time                                        |
 * |------------------------------------------------|--------------------------------------------------|
 * | of the consumer or streams protocol            | the commit, for topics that nobody subscribes to |
 * | simple (no protocol type)                      | the commit                                       |
 * | with protocol type, Empty                      | when it became Empty                             |
 * | `consumer`, Stable                             | the commit, for topics that nobody subscribes to |
 * | any other with members                         | never                                            |
 *
 * A partition with a commit in an open transaction does not expire. A group that is Empty and has no commits left is deleted.
 */

import { CONSUMER_PROTOCOL_TYPE } from '../consumer-protocol.ts'
import type { ShareGroup } from '../share/group.ts'
import type { CommittedOffset, Group, GroupState } from '../state.ts'
import type { Turn } from '../turn.ts'
import { subscribedTopics, tombstonesOf } from './delete.ts'

type ExpiringGroup = Exclude<Group, ShareGroup>

/** The base time of a commit; null: it does not expire. */
type BaseTime = (topic: string, committed: CommittedOffset) => number | null

export function expireOffsets(state: GroupState, turn: Turn): void {
  for (const group of state.groups.values()) {
    // They have no commits, and stay until they are deleted.
    if (group.type === 'share') continue
    const left = expireGroup(state, turn, group)
    // Somebody who holds a pending member id is on the way in.
    if (left > 0 || group.state !== 'Empty') continue
    if (group.type !== 'classic') {
      for (const record of tombstonesOf(group)) turn.write(record)
    } else if (group.pendingJoins.size === 0) {
      turn.write({ type: 'group-metadata', group: group.groupId, value: null })
    }
  }
}

/** How many commits stay, or 1 if all that there is waits for the end of a transaction. */
function expireGroup(state: GroupState, turn: Turn, group: ExpiringGroup): number {
  const { pending } = state.durable
  const offsets = state.durable.offsets.get(group.groupId)
  if (offsets === undefined) return pending.hasGroup(group.groupId) ? 1 : 0
  const baseTime = baseTimeFor(group)
  let left = 0
  for (const [topic, partitions] of offsets) {
    for (const [partition, committed] of partitions) {
      const isDue = isExpired(turn, committed, baseTime(topic, committed))
      if (isDue && !pending.has(group.groupId, topic, partition)) {
        turn.write({ type: 'offset-commit', group: group.groupId, topic, partition, value: null })
      } else left++
    }
  }
  return left
}

function isExpired(turn: Turn, committed: CommittedOffset, baseTimeMs: number | null): boolean {
  if (baseTimeMs === null) return false
  if (committed.expireTimestampMs !== null) return turn.nowMs >= committed.expireTimestampMs
  return turn.nowMs - baseTimeMs >= turn.config.offsetsRetentionMs
}

function baseTimeFor(group: ExpiringGroup): BaseTime {
  if (group.type !== 'classic') {
    return (topic, committed) => (group.subscribesTo(topic) ? null : committed.commitTimestampMs)
  }
  if (group.protocolType === '') return (_topic, committed) => committed.commitTimestampMs
  if (group.state === 'Empty') {
    const { stateTimestampMs } = group
    // Records of old brokers do not say since when.
    return (_topic, committed) => (stateTimestampMs === -1 ? committed.commitTimestampMs : stateTimestampMs)
  }
  if (group.state !== 'Stable' || group.protocolType !== CONSUMER_PROTOCOL_TYPE) return () => null
  const subscribed = subscribedTopics(group)
  if (subscribed === null) return () => null
  return (topic, committed) => (subscribed.has(topic) ? null : committed.commitTimestampMs)
}
