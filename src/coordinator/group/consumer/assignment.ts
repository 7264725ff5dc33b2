/**
 * Sets of partitions as consumer groups know them, by topic id. What a member shall have (the target) is a set; what it has
 * carries, for each partition, the member epoch in which it was assigned, because commits are checked against that.
 */

/** Topic id -> partitions. No empty sets. */
export type PartitionSet = ReadonlyMap<string, ReadonlySet<number>>

/** Topic id -> partition -> epoch in which it was assigned. No empty inner maps. */
export type HeldPartitions = ReadonlyMap<string, ReadonlyMap<number, number>>

export const NO_PARTITIONS: PartitionSet = new Map()
export const HOLDS_NOTHING: HeldPartitions = new Map()

/** As a request or a response lists them. */
export interface TopicPartitionList {
  readonly topicId: string
  readonly partitions: readonly number[]
}

const NO_EPOCHS: ReadonlyMap<number, number> = new Map()
const NO_SET: ReadonlySet<number> = new Set()

export function heldOf(held: HeldPartitions, topicId: string): ReadonlyMap<number, number> {
  return held.get(topicId) ?? NO_EPOCHS
}

export function partitionsOf(set: PartitionSet, topicId: string): ReadonlySet<number> {
  return set.get(topicId) ?? NO_SET
}

export function samePartitions(one: PartitionSet, other: PartitionSet): boolean {
  if (one.size !== other.size) return false
  for (const [topicId, partitions] of one) {
    const twins = other.get(topicId)
    if (twins === undefined || twins.size !== partitions.size) return false
    for (const partition of partitions) if (!twins.has(partition)) return false
  }
  return true
}

export function sameHeld(one: HeldPartitions, other: HeldPartitions): boolean {
  if (one === other) return true
  if (one.size !== other.size) return false
  for (const [topicId, partitions] of one) {
    const twins = other.get(topicId)
    if (twins === undefined || twins.size !== partitions.size) return false
    for (const [partition, epoch] of partitions) if (twins.get(partition) !== epoch) return false
  }
  return true
}

/** Whether everything that is listed is held. */
export function holdsAll(held: HeldPartitions, listed: readonly TopicPartitionList[]): boolean {
  return listed.every(({ topicId, partitions }) => {
    const own = held.get(topicId)
    return own !== undefined && partitions.every((partition) => own.has(partition))
  })
}

/** Whether something that is listed is held. */
export function holdsAny(held: HeldPartitions, listed: readonly TopicPartitionList[]): boolean {
  return listed.some(({ topicId, partitions }) => {
    const own = held.get(topicId)
    return own !== undefined && partitions.some((partition) => own.has(partition))
  })
}

/** All of them assigned in the same epoch. */
export function heldSince(epoch: number, set: PartitionSet): HeldPartitions {
  const held = new Map<string, ReadonlyMap<number, number>>()
  for (const [topicId, partitions] of set) {
    held.set(topicId, new Map(Array.from(partitions, (partition) => [partition, epoch])))
  }
  return held
}

export function withoutEpochs(held: HeldPartitions): PartitionSet {
  const set = new Map<string, ReadonlySet<number>>()
  for (const [topicId, partitions] of held) set.set(topicId, new Set(partitions.keys()))
  return set
}

/** Of two that share no partition. */
export function heldTogether(one: HeldPartitions, other: HeldPartitions): HeldPartitions {
  if (other.size === 0) return one
  const union = new Map(one)
  for (const [topicId, partitions] of other) {
    const own = union.get(topicId)
    union.set(topicId, own === undefined ? partitions : new Map([...own, ...partitions]))
  }
  return union
}

export function listedHeld(held: HeldPartitions): TopicPartitionList[] {
  return Array.from(held, ([topicId, partitions]) => ({ topicId, partitions: ascending(partitions.keys()) }))
}

export function listedSet(set: PartitionSet): TopicPartitionList[] {
  return Array.from(set, ([topicId, partitions]) => ({ topicId, partitions: ascending(partitions) }))
}

export function ascending(partitions: Iterable<number>): number[] {
  return [...partitions].sort((one, other) => one - other)
}

export function setOfList(listed: readonly TopicPartitionList[]): PartitionSet {
  const set = new Map<string, ReadonlySet<number>>()
  for (const { topicId, partitions } of listed) if (partitions.length > 0) set.set(topicId, new Set(partitions))
  return set
}
