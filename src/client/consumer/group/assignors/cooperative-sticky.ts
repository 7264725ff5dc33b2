/**
 * Balanced like round robin, but everybody keeps what they have as far as that allows (KIP-341, KIP-429). In a cooperative
 * group a partition changes hands in two rebalances: in the first it is given to nobody, so that its owner learns that it
 * has to let go of it; in the second, which that owner asks for, it goes to its new one.
 *
 * What must hold: a partition that some member still claims is never handed to another one. Of two that claim it, the one
 * of the later generation is right; of one generation, neither.
 */
import { comparePartitions, partitionKey, type TopicPartition } from '../../topic-partition.ts'
import { type Assignments, type Assignor, type AssignorInput, inMemberOrder, subscribersByTopic } from './assignor.ts'

/** Java's user data: the generation, for members that speak a version of the protocol without it. */
const USER_DATA_BYTES = 4
const NO_GENERATION = -1

interface Share {
  readonly memberId: string
  /** Place in the order of members, which decides between equals. */
  readonly rank: number
  readonly partitions: Map<string, TopicPartition>
}

/** As even as can be, with as few partitions moved as can be, and nobody gives up what stays. As Java's of that name. */
export const cooperativeStickyAssignor: Assignor = {
  name: 'cooperative-sticky',
  cooperative: true,
  userData(generation) {
    const bytes = Buffer.alloc(USER_DATA_BYTES)
    bytes.writeInt32BE(generation)
    return bytes
  },
  assign(input) {
    const shares = new Map<string, Share>()
    for (const [rank, { memberId }] of inMemberOrder(input.members).entries()) {
      shares.set(memberId, { memberId, rank, partitions: new Map() })
    }
    const subscribers = subscribersOf(input, shares)
    const owners = rightfulOwners(input)
    const unowned = keepOwned(input, shares, subscribers, owners)
    dealOut(unowned, subscribers)
    balance([...shares.values()], subscribers)
    return withoutTransfers(shares, owners)
  },
}

type Subscribers = ReadonlyMap<string, readonly Share[]>

function subscribersOf({ members }: AssignorInput, shares: ReadonlyMap<string, Share>): Subscribers {
  return new Map(
    subscribersByTopic(members).map(([topic, list]) => [topic, list.map(({ memberId }) => shares.get(memberId)!)]),
  )
}

/** By partition: the member that claims it with the latest generation; null where several do. */
function rightfulOwners({ members }: AssignorInput): Map<string, string | null> {
  const claims = new Map<string, { generation: number; memberId: string | null }>()
  for (const { memberId, subscription } of members) {
    const generation = claimedGeneration(subscription.generation, subscription.userData)
    for (const { topic, partition } of subscription.owned) {
      const key = partitionKey(topic, partition)
      const best = claims.get(key)
      if (best === undefined || generation > best.generation) claims.set(key, { generation, memberId })
      else if (generation === best.generation && best.memberId !== memberId) best.memberId = null
    }
  }
  return new Map([...claims].map(([key, { memberId }]) => [key, memberId]))
}

function claimedGeneration(generation: number, userData: Uint8Array | null): number {
  if (generation !== NO_GENERATION || userData === null || userData.length < USER_DATA_BYTES) return generation
  return Buffer.from(userData.buffer, userData.byteOffset, userData.byteLength).readInt32BE(0)
}

/** Gives everybody what is theirs and still exists; answers what is left over, rarest subscribers first. */
function keepOwned(
  { members, partitionCount }: AssignorInput,
  shares: ReadonlyMap<string, Share>,
  subscribers: Subscribers,
  owners: ReadonlyMap<string, string | null>,
): TopicPartition[] {
  const subscribed = new Map(members.map(({ memberId, subscription }) => [memberId, new Set(subscription.topics)]))
  const left: TopicPartition[] = []
  for (const [topic] of subscribers) {
    for (let partition = 0; partition < partitionCount(topic); partition++) {
      const key = partitionKey(topic, partition)
      const owner = owners.get(key) ?? null
      if (owner !== null && subscribed.get(owner)?.has(topic))
        shares.get(owner)!.partitions.set(key, { topic, partition })
      else left.push({ topic, partition })
    }
  }
  const choice = ({ topic }: TopicPartition): number => subscribers.get(topic)!.length
  return left.sort((one, other) => choice(one) - choice(other) || comparePartitions(one, other))
}

function dealOut(partitions: readonly TopicPartition[], subscribers: Subscribers): void {
  for (const each of partitions) {
    leastLoaded(subscribers.get(each.topic)!).partitions.set(partitionKey(each.topic, each.partition), each)
  }
}

function leastLoaded(shares: readonly Share[]): Share {
  let least = shares[0]!
  for (const share of shares) if (share.partitions.size < least.partitions.size) least = share
  return least
}

/** Moves partitions, one at a time, from who has most to whoever may have them and has at least two fewer. */
function balance(shares: readonly Share[], subscribers: Subscribers): void {
  while (moveOne(shares, subscribers)) {
    // Each move brings two shares closer to each other, so this comes to an end.
  }
}

function moveOne(shares: readonly Share[], subscribers: Subscribers): boolean {
  const fewest = Math.min(...shares.map(({ partitions }) => partitions.size))
  const loaded = shares.toSorted((one, other) => other.partitions.size - one.partitions.size || one.rank - other.rank)
  for (const from of loaded) {
    if (from.partitions.size - fewest < 2) return false
    const topics = new Map<string, Share>()
    for (const [key, each] of [...from.partitions].reverse()) {
      let to = topics.get(each.topic)
      if (to === undefined) {
        to = leastLoaded(subscribers.get(each.topic)!)
        topics.set(each.topic, to)
      }
      if (from.partitions.size - to.partitions.size < 2) continue
      from.partitions.delete(key)
      to.partitions.set(key, each)
      return true
    }
  }
  return false
}

/** Leaves out what is claimed by anybody but its rightful owner: to them it stays, everybody else has to wait. */
function withoutTransfers(shares: ReadonlyMap<string, Share>, owners: ReadonlyMap<string, string | null>): Assignments {
  return new Map(
    [...shares.values()].map(({ memberId, partitions }) => {
      const free = [...partitions].filter(([key]) => !owners.has(key) || owners.get(key) === memberId)
      return [memberId, free.map(([, each]) => each).sort(comparePartitions)]
    }),
  )
}
