/**
 * `simple`, the assignor of share groups: a partition may go to several members. With fewer members than partitions each partition has
 * exactly one; with more, each has ⌈members/partitions⌉, and members get as equal numbers as can be. Members keep what they have as far
 * as that allows.
 *
 * Members that all subscribe to the same topics share all partitions out at once, others topic by topic. Orders are those in
 * which Kafka's hash maps are walked, so that the same group comes to the same assignment on both brokers.
 */
import type { PartitionSet } from '../consumer/assignment.ts'
import type { Assignment } from '../consumer/assignors/assignor.ts'
import { capacityFor, inJavaOrder, numberHash, stringHash, uuidHash } from '../consumer/assignors/java-order.ts'

export interface SharingMember {
  readonly memberId: string
  /** Ids of topics that exist, in the order in which they are shared out. */
  readonly subscribed: ReadonlySet<string>
  /** What it is to have up to now. */
  readonly target: PartitionSet
}

export interface SharingInput {
  readonly members: readonly SharingMember[]
  /** All members subscribe to the same topics. */
  readonly homogeneous: boolean
  /** Partitions of the topic that may be assigned. */
  assignable(topicId: string): readonly number[]
}

interface SharedPartition {
  readonly topicId: string
  readonly partition: number
}

type MutableSet = Map<string, Set<number>>

export function assignSimply({ members, homogeneous, assignable }: SharingInput): Assignment {
  const ordered = inJavaOrder(members, ({ memberId }) => stringHash(memberId))
  const topics = new Set(ordered.flatMap(({ subscribed }) => [...subscribed]))
  const assignment = new Map<string, MutableSet>(ordered.map(({ memberId }) => [memberId, new Map()]))
  const share = (topicIds: readonly string[], sharing: readonly SharingMember[], hash: PartitionHash) => {
    const wanted = topicIds.flatMap((topicId) => assignable(topicId).map((partition) => ({ topicId, partition })))
    const sharer = new Sharer({ members: ordered, sharing, wanted, topicIds: new Set(topicIds), hash })
    for (const [index, partitions] of sharer.share().entries()) {
      const assigned = assignment.get(ordered[index]!.memberId)!
      for (const { topicId, partition } of partitions) add(assigned, topicId, partition)
    }
  }
  if (homogeneous) share([...topics], ordered, ({ topicId, partition }) => pairHash(topicId, partition))
  else {
    for (const topicId of inJavaOrder(topics, uuidHash)) {
      const sharing = ordered.filter(({ subscribed }) => subscribed.has(topicId))
      share([topicId], sharing, ({ partition }) => numberHash(partition))
    }
    // Topics that nobody reads any more stay in the targets, as Kafka leaves them there. Members do not get them.
    for (const { memberId, target } of ordered) {
      for (const [topicId, partitions] of target) {
        if (!topics.has(topicId)) assignment.get(memberId)!.set(topicId, new Set(partitions))
      }
    }
  }
  return assignment
}

function add(assigned: MutableSet, topicId: string, partition: number): void {
  let partitions = assigned.get(topicId)
  if (partitions === undefined) {
    partitions = new Set()
    assigned.set(topicId, partitions)
  }
  partitions.add(partition)
}

type PartitionHash = (shared: SharedPartition) => number

/** Of a pair of topic id and partition. */
function pairHash(topicId: string, partition: number): number {
  return (Math.imul(uuidHash(topicId), 31) + partition) | 0
}

interface SharerInput {
  /** All of the group: those that do not share any more give up what they have. */
  readonly members: readonly SharingMember[]
  readonly sharing: readonly SharingMember[]
  readonly wanted: readonly SharedPartition[]
  readonly topicIds: ReadonlySet<string>
  readonly hash: PartitionHash
}

interface Holders {
  readonly shared: SharedPartition
  /** Indexes of members. */
  readonly members: Set<number>
}

/** One sharing out of partitions among members. Partitions are known by a key, members by their index. */
class Sharer {
  readonly #input: SharerInput
  readonly #holders = new Map<string, Holders>()
  readonly #held: Set<string>[]
  /** How many partitions each member shall have. */
  readonly #share: number[]
  /** How many members each partition shall have. */
  readonly #sharers: number

  constructor(input: SharerInput) {
    this.#input = input
    const { members, sharing, wanted } = input
    this.#held = members.map(() => new Set())
    this.#sharers = wanted.length === 0 ? 0 : Math.floor((sharing.length + wanted.length - 1) / wanted.length)
    const precise = (this.#sharers * wanted.length) / sharing.length
    this.#share = members.map((member) => {
      const place = sharing.indexOf(member)
      return place === -1 ? 0 : Math.ceil(precise * (place + 1)) - Math.ceil(precise * place)
    })
  }

  /** Partitions by member. */
  share(): SharedPartition[][] {
    this.#keep()
    this.#trimMembers()
    this.#trimPartitions()
    for (const shared of this.#input.wanted) this.#holdersOf(shared)
    this.#fill()
    return this.#held.map((keys) => Array.from(keys, (key) => this.#holders.get(key)!.shared))
  }

  #holdersOf(shared: SharedPartition): Holders {
    const key = `${shared.partition}/${shared.topicId}`
    let holders = this.#holders.get(key)
    if (holders === undefined) {
      holders = { shared, members: new Set() }
      this.#holders.set(key, holders)
    }
    return holders
  }

  #keep(): void {
    const { members, topicIds } = this.#input
    for (const [index, { target }] of members.entries()) {
      for (const topicId of inJavaOrder(target.keys(), uuidHash)) {
        if (!topicIds.has(topicId)) continue
        for (const partition of inJavaOrder(target.get(topicId)!, numberHash)) {
          const { members: holders } = this.#holdersOf({ topicId, partition })
          holders.add(index)
          this.#held[index]!.add(`${partition}/${topicId}`)
        }
      }
    }
  }

  #trimMembers(): void {
    for (const [index, keys] of this.#held.entries()) {
      const surplus = keys.size - this.#share[index]!
      if (surplus <= 0) continue
      for (const key of this.#inOrder(keys).slice(0, surplus)) {
        keys.delete(key)
        this.#holders.get(key)!.members.delete(index)
      }
    }
  }

  #trimPartitions(): void {
    for (const key of this.#holdersInOrder()) {
      const { members } = this.#holders.get(key)!
      for (const index of inJavaOrder(members, numberHash).slice(0, Math.max(0, members.size - this.#sharers))) {
        members.delete(index)
        this.#held[index]!.delete(key)
      }
    }
  }

  /** Round and round over the members that have too little, each partition to as many as it needs. */
  #fill(): void {
    let unfilled = this.#held.flatMap((keys, index) => (keys.size < this.#share[index]! ? [index] : []))
    let next = 0
    for (const key of this.#holdersInOrder()) {
      const { members } = this.#holders.get(key)!
      // A round in which nobody can take the partition ends it.
      for (let passed = 0; members.size < this.#sharers && passed < unfilled.length; ) {
        if (next >= unfilled.length) next = 0
        const index = unfilled[next]!
        if (members.has(index)) {
          next++
          passed++
          continue
        }
        members.add(index)
        const keys = this.#held[index]!
        keys.add(key)
        passed = 0
        if (keys.size < this.#share[index]!) next++
        else unfilled = unfilled.filter((other) => other !== index)
      }
      if (unfilled.length === 0) return
    }
  }

  /** This map was filled by `computeIfAbsent`, which puts a key before the others of its bucket. */
  #holdersInOrder(): string[] {
    return this.#inOrder([...this.#holders.keys()].reverse(), capacityFor(this.#input.wanted.length))
  }

  #inOrder(keys: Iterable<string>, capacity?: number): string[] {
    return inJavaOrder(keys, (key) => this.#input.hash(this.#holders.get(key)!.shared), capacity)
  }
}
