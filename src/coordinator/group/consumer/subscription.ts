/**
 * What a consumer group subscribes to, as it would be after a change of one member: which expressions and topics, whether all
 * members want the same, and what has to be written because of it.
 */
import { ErrorCode } from '../../../protocol/errors.ts'
import { REGEX_REFRESH_INTERVAL_MIN_MS } from '../../config.ts'
import type { ClusterTopics } from '../../request-context.ts'
import { timerNames } from '../turn.ts'
import { type Draft, Refusal } from './draft.ts'
import { addTo, addToTopic, type ConsumerGroup, type SubscriptionCount } from './group.ts'
import { type ConsumerMember, regexOf, sameNames, sameSubscription } from './member.ts'
import { hashGroup } from './metadata-hash.ts'

/**
 * A member before and after. One that is new was a member without subscription before; one that takes the place of another with its
 * instance id was that one, under the new id.
 */
export interface MemberChange {
  readonly before: ConsumerMember
  readonly after: ConsumerMember
}

/** Writes the member's record if it changed. Whether its topic names did. */
export function writeSubscription(draft: Draft, group: ConsumerGroup, { before, after }: MemberChange): boolean {
  if (sameSubscription(before, after)) return false
  draft.write({ type: 'consumer-member', group: group.groupId, memberId: after.memberId, value: after })
  return !sameNames(before.topicNames, after.topicNames)
}

export type RegexChange = 'none' | 'unresolved' | 'resolved'

/**
 * Follows a change of the member's expression, and has the group's expressions resolved if that is due: they are resolved all
 * together, so that one assignment serves for all of them.
 */
export function updateRegexes(
  draft: Draft,
  group: ConsumerGroup,
  change: MemberChange,
  mayDescribe: (topicName: string) => boolean,
): RegexChange | Refusal {
  const { groupId } = group
  const before = regexOf(change.before)
  const after = regexOf(change.after)
  let result: RegexChange = 'none'
  let due = false
  if (change.before.topicRegex !== change.after.topicRegex) {
    result = 'unresolved'
    if (before !== null && group.regexCounts.get(before) === 1) {
      draft.write({ type: 'consumer-regex', group: groupId, regex: before, value: null })
    }
    if (after === null) {
      if (before !== null) result = 'resolved'
    } else if (!group.regexCounts.has(after)) {
      const compiled = draft.turn.compilePattern(after)
      if ('problem' in compiled) {
        const message = `SubscribedTopicRegex \`${after}\` is not a valid regular expression: ${compiled.problem}.`
        return new Refusal(ErrorCode.INVALID_REGULAR_EXPRESSION, message)
      }
      due = true
    } else if (group.regexes.has(after)) result = 'resolved'
  }
  const counts = regexCountsAfter(group, change)
  if (isRefreshDue(draft, group, counts, due)) {
    draft.effect((turn) => turn.schedule({ kind: 'consumer-regex', groupId, left: null, mayDescribe }, 0))
  }
  return result
}

function isRefreshDue(draft: Draft, group: ConsumerGroup, counts: ReadonlyMap<string, number>, due: boolean): boolean {
  const { nowMs, config, topics } = draft.turn
  if (counts.size === 0) return false
  let newestMs = Number.NEGATIVE_INFINITY
  let version = 0
  // All are resolved together; one that was not, because it came in between, does not count for the time.
  for (const { timestampMs, version: seen } of group.regexes.values()) {
    newestMs = Math.max(newestMs, timestampMs)
    version = Math.max(version, seen)
  }
  // From the future: the clock was set back, and nobody waits until it has caught up.
  if (newestMs <= nowMs && nowMs <= newestMs + REGEX_REFRESH_INTERVAL_MIN_MS) return false
  return (
    due ||
    counts.size !== group.regexes.size ||
    version < topics.newestTopicVersion ||
    nowMs > newestMs + config.consumer.regexRefreshIntervalMs
  )
}

function regexCountsAfter(group: ConsumerGroup, { before, after }: MemberChange): ReadonlyMap<string, number> {
  const left = regexOf(before)
  const entered = regexOf(after)
  if (left === entered) return group.regexCounts
  const counts = new Map(group.regexCounts)
  if (left !== null) addTo(counts, left, -1)
  if (entered !== null) addTo(counts, entered, 1)
  return counts
}

function topicCountsAfter(group: ConsumerGroup, change: MemberChange): Map<string, SubscriptionCount> {
  const { before, after } = change
  const counts = new Map(group.topicCounts)
  for (const name of before.topicNames) addToTopic(counts, name, { how: 'byName', change: -1 })
  for (const name of after.topicNames) addToTopic(counts, name, { how: 'byName', change: 1 })
  const left = regexOf(before)
  if (left !== null && left !== regexOf(after) && group.regexCounts.get(left) === 1) forgetRegex(counts, group, left)
  return counts
}

function forgetRegex(counts: Map<string, SubscriptionCount>, group: ConsumerGroup, regex: string): void {
  for (const topic of group.regexes.get(regex)?.topics ?? []) addToTopic(counts, topic, { how: 'byRegex', change: -1 })
}

/** Without the members, and without the expressions that only they subscribed to. */
export function topicCountsWithout(
  group: ConsumerGroup,
  members: Iterable<ConsumerMember>,
  regexes: Iterable<string>,
): Map<string, SubscriptionCount> {
  const counts = new Map(group.topicCounts)
  for (const { topicNames } of members) {
    for (const name of topicNames) addToTopic(counts, name, { how: 'byName', change: -1 })
  }
  for (const regex of regexes) forgetRegex(counts, group, regex)
  return counts
}

export function hashOfTopics(counts: ReadonlyMap<string, SubscriptionCount>, topics: ClusterTopics): bigint {
  return hashGroup(counts.keys(), (name) => topics.metadataHash(name))
}

/** Whether all members subscribe to the same topics, as far as counting shows. */
function isHomogeneous(
  regexCounts: ReadonlyMap<string, number>,
  topicCounts: ReadonlyMap<string, SubscriptionCount>,
  members: number,
): boolean {
  const [regexMembers] = regexCounts.values()
  if (regexMembers === undefined) return [...topicCounts.values()].every(({ byName }) => byName === members)
  if (regexMembers !== members) return false
  return [...topicCounts.values()].every(({ byName, byRegex }) => byName === 0 && byRegex === 1)
}

export interface GroupMetadataUpdate {
  readonly epoch: number
  readonly homogeneous: boolean
}

/**
 * Where the member's subscription changed (`bump`), or topics may have: a new group epoch if one of them really did.
 */
export function updateMetadata(
  draft: Draft,
  group: ConsumerGroup,
  change: MemberChange,
  bump: boolean,
): GroupMetadataUpdate {
  const topicCounts = topicCountsAfter(group, change)
  const metadataHash = hashOfTopics(topicCounts, draft.turn.topics)
  const homogeneous = isHomogeneous(regexCountsAfter(group, change), topicCounts, sizeAfter(group, change))
  let epoch = group.epoch
  if (bump || metadataHash !== group.metadataHash) {
    epoch++
    draft.write({ type: 'consumer-group', group: group.groupId, value: { epoch, metadataHash } })
  }
  group.isMetadataStale = false
  if (group.hasOldTopicsRecord) draft.write({ type: 'consumer-topics', group: group.groupId, value: null })
  return { epoch, homogeneous }
}

/**
 * Where nothing of the subscription changed. The member may still be new: one that wants nothing asks for no new epoch, but is
 * another than those who want something.
 */
export function currentMetadata(group: ConsumerGroup, change: MemberChange): GroupMetadataUpdate {
  const homogeneous = isHomogeneous(
    regexCountsAfter(group, change),
    topicCountsAfter(group, change),
    sizeAfter(group, change),
  )
  return { epoch: group.epoch, homogeneous }
}

function sizeAfter(group: ConsumerGroup, { after: { memberId, instanceId } }: MemberChange): number {
  const isKnown = group.members.has(memberId) || (instanceId !== null && group.staticMembers.has(instanceId))
  return group.size + (isKnown ? 0 : 1)
}

/** Ids of existing topics that the member subscribes to. */
export function subscribedTopicIds(
  member: Pick<ConsumerMember, 'topicNames' | 'topicRegex'>,
  group: ConsumerGroup,
  topics: ClusterTopics,
): Set<string> {
  const ids = new Set<string>()
  const add = (name: string) => {
    const id = topics.topicId(name)
    if (id !== undefined) ids.add(id)
  }
  for (const name of member.topicNames) add(name)
  const regex = member.topicRegex
  // One that has not been resolved matches nothing for now.
  if (regex !== null) for (const name of group.regexes.get(regex)?.topics ?? []) add(name)
  return ids
}

export function cancelMemberTimers(draft: Draft, groupId: string, memberId: string): void {
  draft.effect((turn) => {
    for (const what of ['session', 'rebalance', 'join', 'sync'] as const) {
      turn.cancel(timerNames.consumer(what, groupId, memberId))
    }
  })
}
