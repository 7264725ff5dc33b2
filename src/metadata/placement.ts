/** Where the replicas of new partitions go. Pure: the randomness comes as an argument. */
import type { PartitionValue } from './values.ts'

export interface PlacementOptions {
  /** Ids of the usable brokers, at least as many as replicas. */
  readonly brokers: readonly number[]
  readonly partitions: number
  readonly replicationFactor: number
  /** Index of the first new partition: a topic that grows goes on round the ring. */
  readonly firstPartition?: number
  /** Evenly over [0, 1): where round the ring a topic begins. */
  readonly random: () => number
}

/**
 * Round the ring of brokers: leaders one after the other from a random start, followers behind their leader at a distance
 * that grows with every round, so that one broker's partitions have different followers.
 */
export function placeReplicas(options: PlacementOptions): number[][] {
  const { brokers, partitions, replicationFactor, firstPartition = 0, random } = options
  const start = Math.floor(random() * brokers.length)
  return Array.from({ length: partitions }, (_, offset) => {
    const partition = firstPartition + offset
    const leader = (start + partition) % brokers.length
    const round = Math.floor(partition / brokers.length)
    const replicas = [brokers[leader]!]
    for (let follower = 0; follower < replicationFactor - 1; follower++) {
      const distance = 1 + ((round + follower) % (brokers.length - 1))
      replicas.push(brokers[(leader + distance) % brokers.length]!)
    }
    return replicas
  })
}

/** A partition on its first day: everybody in sync, led by the preferred replica. */
export function newPartition(replicas: readonly number[], isAlive: (broker: number) => boolean): PartitionValue {
  const isr = replicas.filter(isAlive)
  return { leader: isr[0] ?? -1, leaderEpoch: 0, partitionEpoch: 0, replicas, isr }
}

/** Why the replicas somebody asked for are impossible; null: they are fine. `count` is what the other partitions have. */
export function refuseReplicas(
  replicas: readonly number[],
  count: number | null,
  isKnown: (broker: number) => boolean,
): string | null {
  if (replicas.length === 0) return 'The manual partition assignment includes an empty replica list.'
  const sorted = [...replicas].sort((a, b) => a - b)
  let previous: number | null = null
  for (const broker of sorted) {
    if (!isKnown(broker))
      return `The manual partition assignment includes broker ${broker}, but no such broker is registered.`
    if (broker === previous) {
      return `The manual partition assignment includes the broker ${broker} more than once.`
    }
    previous = broker
  }
  if (count !== null && replicas.length !== count) {
    return `The manual partition assignment includes a partition with ${replicas.length} replica(s), but this is not consistent with previous partitions, which have ${count} replica(s).`
  }
  return null
}
