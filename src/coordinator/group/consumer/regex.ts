/**
 * Resolves the expressions that a group subscribes to, all at once, against the names of all topics that the member who set it
 * off may see. Not part of the heartbeat: the answer to that does not wait for it.
 */
import type { GroupState } from '../state.ts'
import type { Turn } from '../turn.ts'
import type { ResolvedRegex } from './group.ts'
import { addToTopic, type ConsumerGroup } from './group.ts'
import { sameNames } from './member.ts'
import { hashOfTopics } from './subscription.ts'

export function resolveRegexes(
  state: GroupState,
  turn: Turn,
  groupId: string,
  mayDescribe: (topicName: string) => boolean,
): void {
  const group = state.groups.get(groupId)
  if (group?.type !== 'consumer') return
  const topicCounts = new Map(group.topicCounts)
  let changed = false
  for (const [regex, topics] of matchingTopics(group, turn, mayDescribe)) {
    const before = group.regexes.get(regex)?.topics ?? []
    if (!sameNames(before, topics)) {
      changed = true
      for (const topic of before) addToTopic(topicCounts, topic, { how: 'byRegex', change: -1 })
      for (const topic of topics) addToTopic(topicCounts, topic, { how: 'byRegex', change: 1 })
    }
    const value: ResolvedRegex = { topics, version: turn.topics.version, timestampMs: turn.nowMs }
    turn.write({ type: 'consumer-regex', group: groupId, regex, value })
  }
  const metadataHash = hashOfTopics(topicCounts, turn.topics)
  if (changed || metadataHash !== group.metadataHash) {
    turn.write({ type: 'consumer-group', group: groupId, value: { epoch: group.epoch + 1, metadataHash } })
    group.isMetadataStale = false
  }
}

/** Expression -> names, sorted. One that cannot be compiled, which only another release can have written, matches nothing. */
function matchingTopics(
  group: ConsumerGroup,
  turn: Turn,
  mayDescribe: (topicName: string) => boolean,
): Map<string, string[]> {
  const matching = new Map<string, string[]>()
  const names = [...turn.topics.topicNames()].filter(mayDescribe).sort()
  for (const regex of group.regexCounts.keys()) {
    const pattern = turn.compilePattern(regex)
    matching.set(regex, 'problem' in pattern ? [] : names.filter((name) => pattern.matches(name)))
  }
  return matching
}
