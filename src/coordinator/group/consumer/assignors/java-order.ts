/**
 * The order in which a java.util.HashMap walks its keys. Kafka's assignors hand partitions out in that order; taking it over makes
 * the same group come to the same assignment on both brokers, which matters when one takes over from the other.
 *
 * A map of n keys has the smallest power of two of buckets, at least 16, of which three quarters hold n; keys are walked bucket by
 * bucket, and within one in the order in which they were put in. That order Kafka takes from another table of its own, and in Java
 * buckets of more than eight keys become trees; neither is followed. There the order is only one that is always the same.
 */
import { UUID_BYTES } from '../../../../protocol/strings.ts'

const BUCKETS_MIN = 16

function bucketCount(keys: number, capacity: number): number {
  let buckets = 1
  while (buckets < capacity) buckets *= 2
  while (keys > buckets * 0.75) buckets *= 2
  return buckets
}

/** What a map is made for that is to hold so many keys (`AssignorHelpers.newHashMap`). */
export function capacityFor(expected: number): number {
  return Math.floor((expected + 1) / 0.75 + 1)
}

/** `hash` is the key's hashCode(); `capacity` is what the map was made for. */
export function inJavaOrder<Key>(keys: Iterable<Key>, hash: (key: Key) => number, capacity = BUCKETS_MIN): Key[] {
  const all = [...keys]
  const mask = bucketCount(all.length, capacity) - 1
  const placed = all.map((key) => {
    const code = hash(key)
    return { key, bucket: (code ^ (code >>> 16)) & mask }
  })
  // Sorting is stable: keys of one bucket keep their order.
  return placed.sort((one, other) => one.bucket - other.bucket).map(({ key }) => key)
}

/** String.hashCode() */
export function stringHash(text: string): number {
  let hash = 0
  for (let index = 0; index < text.length; index++) hash = (Math.imul(hash, 31) + text.charCodeAt(index)) | 0
  return hash
}

/** Integer.hashCode() */
export function numberHash(value: number): number {
  return value
}

function uuidBytes(topicId: string): Buffer {
  return Buffer.from(topicId, 'base64url')
}

/** Uuid.hashCode(): the four words, exclusive-or. */
export function uuidHash(topicId: string): number {
  const bytes = uuidBytes(topicId)
  let hash = 0
  for (let at = 0; at < UUID_BYTES; at += 4) hash ^= bytes.readInt32BE(at)
  return hash
}

const HALF_BYTES = UUID_BYTES / 2

/** Uuid.compareTo(): both halves as signed numbers. */
export function compareUuids(one: string, other: string): number {
  const left = uuidBytes(one)
  const right = uuidBytes(other)
  for (const sign of [0, HALF_BYTES]) {
    left[sign]! ^= 0x80
    right[sign]! ^= 0x80
  }
  return Buffer.compare(left, right)
}

/** String.compareTo(): by UTF-16 units, as JavaScript's own operators compare. */
export function compareStrings(one: string, other: string): number {
  if (one === other) return 0
  return one < other ? -1 : 1
}
