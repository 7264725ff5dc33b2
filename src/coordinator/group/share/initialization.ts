/**
 * Which share partitions of a group have a state in `__share_group_state`. A partition is `initializing` from the moment the group
 * asks for its state until the share coordinator has it, `initialized` then, and `deleting` (by topic) while the state is being
 * taken away. A crash in between leaves it where it is; asking again is harmless.
 */
import type { TopicLookup } from '../../request-context.ts'
import type { PartitionSet } from '../consumer/assignment.ts'

export interface NamedTopicPartitions {
  readonly name: string
  readonly partitions: ReadonlySet<number>
  /** When the states were last asked for; not in the record: 0 if that was before this process. */
  readonly askedAtMs: number
}

/** By topic id. */
export type TopicStates = ReadonlyMap<string, NamedTopicPartitions>

export interface ShareStates {
  readonly initializing: TopicStates
  readonly initialized: TopicStates
  /** Topic id -> name. */
  readonly deleting: ReadonlyMap<string, string>
}

export const NO_SHARE_STATES: ShareStates = { initializing: new Map(), initialized: new Map(), deleting: new Map() }

const NONE: ReadonlySet<number> = new Set()

/** Both together; names and times are those of `added` where both have one. */
export function withStates(states: TopicStates, added: TopicStates): TopicStates {
  const all = new Map(states)
  for (const [topicId, { name, partitions, askedAtMs }] of added) {
    const both = new Set([...(states.get(topicId)?.partitions ?? NONE), ...partitions])
    all.set(topicId, { name, partitions: both, askedAtMs })
  }
  return all
}

export function withoutStates(states: TopicStates, removed: PartitionSet): TopicStates {
  const rest = new Map<string, NamedTopicPartitions>()
  for (const [topicId, { name, partitions, askedAtMs }] of states) {
    const gone = removed.get(topicId) ?? NONE
    const left = new Set([...partitions].filter((partition) => !gone.has(partition)))
    if (left.size > 0) rest.set(topicId, { name, partitions: left, askedAtMs })
  }
  return rest
}

export function partitionsOfStates(states: TopicStates): PartitionSet {
  return new Map(Array.from(states, ([topicId, { partitions }]) => [topicId, partitions]))
}

/** What begins to be initialized is not being deleted any more. */
export function beginInitialization(states: ShareStates, wanted: TopicStates): ShareStates {
  const initializing = withStates(states.initializing, wanted)
  const deleting = new Map([...states.deleting].filter(([topicId]) => !initializing.has(topicId)))
  return { initializing, initialized: states.initialized, deleting }
}

export function completeInitialization(states: ShareStates, done: PartitionSet, topics: TopicLookup): ShareStates {
  const named = new Map<string, NamedTopicPartitions>()
  for (const [topicId, partitions] of done) {
    const name = topics.topicName(topicId) ?? states.initializing.get(topicId)?.name
    // Its topic was deleted meanwhile.
    if (name !== undefined) named.set(topicId, { name, partitions, askedAtMs: 0 })
  }
  return {
    initializing: withoutStates(states.initializing, done),
    initialized: withStates(states.initialized, named),
    deleting: states.deleting,
  }
}

export function abandonInitialization(states: ShareStates, failed: PartitionSet): ShareStates {
  return { ...states, initializing: withoutStates(states.initializing, failed) }
}

/** Without anything of these topics, which are gone. null: nothing of them is there. */
export function withoutTopics(states: ShareStates, topicIds: ReadonlySet<string>): ShareStates | null {
  const isKept = ([topicId]: readonly [string, unknown]): boolean => !topicIds.has(topicId)
  const next = {
    initializing: new Map([...states.initializing].filter(isKept)),
    initialized: new Map([...states.initialized].filter(isKept)),
    deleting: new Map([...states.deleting].filter(isKept)),
  }
  const isSame =
    next.initializing.size === states.initializing.size &&
    next.initialized.size === states.initialized.size &&
    next.deleting.size === states.deleting.size
  return isSame ? null : next
}
