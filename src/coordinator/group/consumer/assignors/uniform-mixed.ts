/**
 * `uniform` where members subscribe to different topics. Perfect balance is then a flow problem; this is Kafka's approximation of
 * it, so that both come to the same assignment:
 *
 * 1. Members keep what they have of the topics they still subscribe to.
 * 2. Partitions that nobody has go, topic by topic, to the subscriber with the fewest. Topics with many partitions per subscriber
 *    come first, since they leave the least choice.
 * 3. Round by round, and within a round topic by topic in the same order, partitions move from the subscriber with the most to the one with the
 *    fewest until the two differ by one at most. It ends when a whole round has moved nothing, or after 16 of them.
 */
import type { Assignment, AssignmentInput } from './assignor.ts'
import { compareUuids, inJavaOrder, stringHash } from './java-order.ts'
import { MemberBalancer } from './member-balancer.ts'

const ROUNDS_MAX = 16
const NOBODY = -1

interface Topic {
  readonly topicId: string
  /** Indexes of members. */
  readonly subscribers: number[]
  /** Partition -> index of the member that has it. */
  readonly owners: number[]
}

/** Member indexes, and how many partitions each has. */
type Loads = number[]

export function assignMixed(input: AssignmentInput): Assignment {
  const members = inJavaOrder(input.members, ({ memberId }) => stringHash(memberId))
  const topics = new Map<string, Topic>()
  for (const [index, { subscribed }] of members.entries()) {
    for (const topicId of subscribed) {
      const topic = topics.get(topicId)
      if (topic !== undefined) topic.subscribers.push(index)
      else {
        const owners = new Array<number>(input.partitionCount(topicId)).fill(NOBODY)
        topics.set(topicId, { topicId, subscribers: [index], owners })
      }
    }
  }
  const loads: Loads = members.map(() => 0)
  for (const [index, { target, subscribed }] of members.entries()) {
    for (const [topicId, partitions] of target) {
      if (!subscribed.has(topicId)) continue
      const { owners } = topics.get(topicId)!
      for (const partition of partitions) owners[partition] = index
      loads[index]! += partitions.size
    }
  }
  const ordered = [...topics.values()].sort(compareTopics)
  giveAway(ordered, loads)
  balance(
    ordered.filter(({ subscribers }) => subscribers.length > 1),
    loads,
  )
  const assigned = members.map(() => new Map<string, Set<number>>())
  for (const { topicId, owners } of ordered) {
    for (const [partition, owner] of owners.entries()) {
      const own = assigned[owner]!
      const partitions = own.get(topicId)
      if (partitions === undefined) own.set(topicId, new Set([partition]))
      else partitions.add(partition)
    }
  }
  return new Map(members.map(({ memberId }, index) => [memberId, assigned[index]!]))
}

/** Most partitions per subscriber first, then fewest subscribers, then by id. */
function compareTopics(one: Topic, other: Topic): number {
  const density = other.owners.length / other.subscribers.length - one.owners.length / one.subscribers.length
  if (density !== 0) return density
  const subscribers = one.subscribers.length - other.subscribers.length
  return subscribers !== 0 ? subscribers : compareUuids(one.topicId, other.topicId)
}

function move(topic: Topic, partition: number, owner: number, loads: Loads): void {
  const former = topic.owners[partition]!
  if (former !== NOBODY) loads[former]!--
  topic.owners[partition] = owner
  loads[owner]!++
}

function giveAway(topics: readonly Topic[], loads: Loads): void {
  for (const topic of topics) {
    if (!topic.owners.includes(NOBODY)) continue
    const balancer = new MemberBalancer(topic.subscribers, loads)
    for (let partition = 0; partition < topic.owners.length; partition++) {
      if (topic.owners[partition] === NOBODY) move(topic, partition, balancer.nextLeastLoaded(), loads)
    }
  }
}

function balance(topics: readonly Topic[], loads: Loads): void {
  // The place in the round after which nothing has moved any more.
  let lastMovedAt = NOBODY
  for (let round = 0; round < ROUNDS_MAX; round++) {
    for (const [index, topic] of topics.entries()) {
      if (index === lastMovedAt) return
      const moved = balanceTopic(topic, loads)
      if (moved > 0 || lastMovedAt === NOBODY) lastMovedAt = index
    }
  }
}

/** How many partitions moved. */
function balanceTopic(topic: Topic, loads: Loads): number {
  const balancer = new MemberBalancer(topic.subscribers, loads)
  if (balancer.spread <= 1) return 0
  const owned = partitionsByOwner(topic)
  let moved = 0
  while (!balancer.isBalanced) {
    const donor = nextDonor(balancer, owned)
    if (donor === null) return moved
    const partition = owned.get(donor)!.pop()!
    const receiver = balancer.nextLeastLoaded()
    if (balancer.isBalanced) return moved
    move(topic, partition, receiver, loads)
    moved++
  }
  return moved
}

/** The most loaded member that has something of the topic to give; null: there is none. */
function nextDonor(balancer: MemberBalancer, owned: ReadonlyMap<number, number[]>): number | null {
  while (true) {
    const member = balancer.nextMostLoaded()
    if (member === null) return null
    if ((owned.get(member)?.length ?? 0) > 0) return member
    balancer.excludeMostLoaded()
  }
}

/** In ascending order; given away from the end. */
function partitionsByOwner(topic: Topic): Map<number, number[]> {
  const owned = new Map<number, number[]>()
  for (const [partition, owner] of topic.owners.entries()) {
    const own = owned.get(owner)
    if (own === undefined) owned.set(owner, [partition])
    else own.push(partition)
  }
  return owned
}
