/**
 * Resolves the expressions that a group subscribes to against the names of all topics that the member who set it off may see. Not part of the
 * heartbeat: the answer to that does not wait for it. All at once as far as that is little work, so that one assignment serves for all of
 * them; else in several turns.
 */
import { REGEX_MATCHES_PER_TURN } from '../../config.ts'
import type { GroupState } from '../state.ts'
import type { ConsumerTimerEvent, Turn } from '../turn.ts'
import { addToTopic, type ConsumerGroup, type ResolvedRegex } from './group.ts'
import { sameNames } from './member.ts'
import { hashOfTopics } from './subscription.ts'

type RegexEvent = ConsumerTimerEvent & { readonly kind: 'consumer-regex' }

export function resolveRegexes(state: GroupState, turn: Turn, event: RegexEvent): void {
  const group = state.groups.get(event.groupId)
  if (group?.type !== 'consumer') return
  const names = [...turn.topics.topicNames()].filter((name) => event.mayDescribe(name)).sort()
  const expressions = event.left ?? [...group.regexCounts.keys()]
  const count = Math.max(1, Math.floor(REGEX_MATCHES_PER_TURN / Math.max(1, names.length)))
  const left = expressions.slice(count)
  // One that nobody subscribes to any more is left out.
  resolve(
    group,
    turn,
    names,
    expressions.slice(0, count).filter((regex) => group.regexCounts.has(regex)),
  )
  if (left.length > 0) turn.schedule({ ...event, left }, 0)
}

function resolve(group: ConsumerGroup, turn: Turn, names: readonly string[], expressions: readonly string[]): void {
  const { groupId } = group
  const topicCounts = new Map(group.topicCounts)
  let changed = false
  for (const regex of expressions) {
    const before = group.regexes.get(regex)?.topics ?? []
    const topics = matchingTopics(turn, regex, names)
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

/** An expression that cannot be compiled, which only another release can have written, matches nothing. */
function matchingTopics(turn: Turn, regex: string, names: readonly string[]): string[] {
  const pattern = turn.compilePattern(regex)
  return 'problem' in pattern ? [] : names.filter((name) => pattern.matches(name))
}
