/**
 * What a consumer group remembers of the topics it subscribes to: one number that changes when one of them is created, deleted, made
 * anew, or gets partitions or other racks. Kafka's number (XXH3 over the same bytes), so that a group taken over from it is not
 * assigned anew for nothing.
 */
import { UUID_BYTES } from '../../../protocol/strings.ts'

export interface TopicDescription {
  readonly topicId: string
  readonly name: string
  /** Racks of the replicas, by partition. */
  readonly racks: readonly (readonly string[])[]
}

/** A group without topics. */
const NO_TOPICS_HASH = 0n

/** Of the layout that is hashed; another layout gets another number. */
const LAYOUT_VERSION = 0
const INT32_BYTES = 4
const INT64_BYTES = 8

/** A string is its UTF-16 units and then how many there are. */
function stringBytes(text: string): number {
  return 2 * text.length + INT32_BYTES
}

function writeString(bytes: Buffer, text: string, at: number): number {
  return bytes.writeInt32LE(text.length, at + bytes.write(text, at, 'utf16le'))
}

export function hashTopic({ topicId, name, racks }: TopicDescription): bigint {
  let size = 1 + UUID_BYTES + stringBytes(name) + INT32_BYTES + racks.length * INT32_BYTES
  for (const rack of racks.flat()) size += INT32_BYTES + stringBytes(rack)
  const bytes = Buffer.alloc(size)
  let at = bytes.writeInt8(LAYOUT_VERSION, 0)
  const id = Buffer.from(topicId, 'base64url')
  at = bytes.writeBigInt64LE(id.readBigInt64BE(0), at)
  at = bytes.writeBigInt64LE(id.readBigInt64BE(INT64_BYTES), at)
  at = writeString(bytes, name, at)
  at = bytes.writeInt32LE(racks.length, at)
  for (const [partition, ofPartition] of racks.entries()) {
    at = bytes.writeInt32LE(partition, at)
    for (const rack of [...ofPartition].sort()) {
      at = bytes.writeInt32LE(rack.length, at)
      at = writeString(bytes, rack, at)
    }
  }
  return Bun.hash.xxHash3(bytes)
}

/** `hashOf` of a topic that does not exist is undefined, and the topic does not count. */
export function hashGroup(topicNames: Iterable<string>, hashOf: (name: string) => bigint | undefined): bigint {
  const hashes: bigint[] = []
  for (const name of [...topicNames].sort()) {
    const hash = hashOf(name)
    if (hash !== undefined) hashes.push(hash)
  }
  if (hashes.length === 0) return NO_TOPICS_HASH
  const bytes = Buffer.alloc(hashes.length * INT64_BYTES)
  for (const [index, hash] of hashes.entries()) bytes.writeBigUInt64LE(hash, index * INT64_BYTES)
  return Bun.hash.xxHash3(bytes)
}
