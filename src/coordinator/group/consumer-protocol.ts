/**
 * The looks that the coordinator takes into the bytes of consumers: what a member subscribes to (for OffsetDelete and the expiry of
 * offsets), and everything else where a group changes between the classic and the consumer protocol. A join or a sync of a classic group never
 * needs it.
 */
import { FieldReader, FieldWriter, MalformedRecord } from './bytes.ts'

export const CONSUMER_PROTOCOL_TYPE = 'consumer'

/** What is newer is read as this. */
const VERSION_MAX = 3

export interface NamedPartitions {
  readonly topic: string
  readonly partitions: readonly number[]
}

export interface ConsumerSubscription {
  readonly version: number
  readonly topics: readonly string[]
  /** What the member has, as of version 1. */
  readonly owned: readonly NamedPartitions[]
  /** As of version 3. */
  readonly rackId: string | null
}

export interface ConsumerAssignment {
  readonly assigned: readonly NamedPartitions[]
  /** Of assignors that say more than partitions. */
  readonly userData: Buffer | null
}

/** null: the bytes are no such thing. */
function parse<Parsed>(bytes: Buffer, read: (reader: FieldReader, version: number) => Parsed): Parsed | null {
  try {
    const reader = new FieldReader(bytes)
    const version = reader.int16()
    return version < 0 ? null : read(reader, Math.min(version, VERSION_MAX))
  } catch (error) {
    if (error instanceof MalformedRecord) return null
    throw error
  }
}

function readPartitions(reader: FieldReader): NamedPartitions[] {
  const topics: NamedPartitions[] = []
  for (let count = reader.count(reader.int32(), 6); count > 0; count--) {
    const topic = reader.string()
    const length = reader.count(reader.int32(), 4)
    topics.push({ topic, partitions: Array.from({ length }, () => reader.int32()) })
  }
  return topics
}

/** A consumer protocol subscription (versions 0-3), null if it is none. */
export function parseSubscription(metadata: Buffer): ConsumerSubscription | null {
  return parse(metadata, (reader, version) => {
    const topics: string[] = []
    for (let count = reader.count(reader.int32(), 2); count > 0; count--) topics.push(reader.string())
    reader.nullableBytes()
    const owned = version >= 1 ? readPartitions(reader) : []
    // The generation is read only to see that it is there: a subscription that ends early is none.
    if (version >= 2) reader.int32()
    const rackId = version >= 3 ? reader.nullableString() : null
    return { version, topics, owned, rackId }
  })
}

/** Topic names of a subscription, null if it is none. */
export function parseSubscribedTopics(metadata: Buffer): readonly string[] | null {
  return parseSubscription(metadata)?.topics ?? null
}

/** A consumer protocol assignment, null if it is none. */
export function parseAssignment(bytes: Buffer): ConsumerAssignment | null {
  return parse(bytes, (reader) => ({ assigned: readPartitions(reader), userData: reader.nullableBytes() }))
}

export function encodeAssignment(version: number, assigned: readonly NamedPartitions[]): Buffer {
  const sizes = assigned.map(({ topic }) => Buffer.byteLength(topic))
  let size = 2 + 4 + 4
  for (const [index, { partitions }] of assigned.entries()) size += 2 + sizes[index]! + 4 + 4 * partitions.length
  const writer = new FieldWriter(size)
  writer.int16(Math.min(version, VERSION_MAX))
  writer.int32(assigned.length)
  for (const [index, { topic, partitions }] of assigned.entries()) {
    writer.string(topic, sizes[index]!)
    writer.int32(partitions.length)
    for (const partition of partitions) writer.int32(partition)
  }
  // No user data.
  writer.int32(-1)
  return writer.finish()
}
