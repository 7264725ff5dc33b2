/**
 * What members of a classic group say to each other inside JoinGroup and SyncGroup: Kafka's embedded 'consumer' protocol,
 * versions 0 to 3, the same bytes as Java's clients write, so that both can be in one group.
 *
 * Newer versions only add fields at the end; they are read as the newest known here.
 */
import { decode, encode } from '../../../protocol/codec.ts'
import { ProtocolError } from '../../../protocol/errors.ts'
import { Reader } from '../../../protocol/reader.ts'
import { array, bytes, data, int32, type MessageSchema, string } from '../../../protocol/schema.ts'
import { Writer } from '../../../protocol/writer.ts'
import { byTopic, flatPartitions, type TopicPartition } from '../topic-partition.ts'

export const CONSUMER_PROTOCOL_TYPE = 'consumer'
const VERSION_MAX = 3
const NO_GENERATION = -1

const TopicPartitionsFields = { topic: string(), partitions: array(int32) }

/** KIP-429 added the owned partitions (1), KIP-792 the generation they belong to (2), KIP-881 the rack (3). */
export const ConsumerProtocolSubscription = data(
  { name: 'ConsumerProtocolSubscription', versions: '0-3', flexible: 'none' },
  {
    topics: array(string),
    userData: bytes({ nullable: true, default: null }),
    ownedPartitions: array(TopicPartitionsFields, '1+', { ignorable: true }),
    generationId: int32('2+', { default: NO_GENERATION, ignorable: true }),
    rackId: string('3+', { nullable: true, default: null, ignorable: true }),
  },
)

export const ConsumerProtocolAssignment = data(
  { name: 'ConsumerProtocolAssignment', versions: '0-3', flexible: 'none' },
  {
    assignedPartitions: array(TopicPartitionsFields),
    userData: bytes({ nullable: true, default: null }),
  },
)

export interface Subscription {
  readonly topics: readonly string[]
  readonly owned: readonly TopicPartition[]
  /** The generation in which `owned` was true; -1 when that is not known. */
  readonly generation: number
  readonly rackId: string | null
  readonly userData: Uint8Array | null
}

export function encodeSubscription(subscription: Subscription): Buffer {
  const { topics, userData, owned, generation, rackId } = subscription
  return versioned((writer) => {
    const value = { topics, userData, ownedPartitions: byTopic(owned), generationId: generation, rackId }
    encode(ConsumerProtocolSubscription, writer, value, VERSION_MAX)
  })
}

/** Throws a ProtocolError: a member whose bytes cannot be read must not silently get nothing. */
export function decodeSubscription(metadata: Buffer): Subscription {
  const { reader, version } = open(metadata, ConsumerProtocolSubscription)
  const read = decode(ConsumerProtocolSubscription, reader, version)
  return {
    topics: read.topics,
    owned: flatPartitions(read.ownedPartitions),
    generation: read.generationId,
    rackId: read.rackId,
    userData: read.userData,
  }
}

export function encodeAssignment(assigned: readonly TopicPartition[]): Buffer {
  return versioned((writer) => {
    encode(ConsumerProtocolAssignment, writer, { assignedPartitions: byTopic(assigned), userData: null }, VERSION_MAX)
  })
}

/** No bytes are no partitions: what a broker answers to a member that the leader left out. */
export function decodeAssignment(assignment: Buffer): TopicPartition[] {
  if (assignment.length === 0) return []
  const { reader, version } = open(assignment, ConsumerProtocolAssignment)
  return flatPartitions(decode(ConsumerProtocolAssignment, reader, version).assignedPartitions)
}

function versioned(write: (writer: Writer) => void): Buffer {
  const writer = new Writer()
  writer.int16(VERSION_MAX)
  write(writer)
  return Buffer.concat(writer.finish())
}

function open(bytes: Buffer, { name }: MessageSchema): { reader: Reader; version: number } {
  const reader = new Reader([bytes])
  const version = reader.int16()
  if (version < 0) throw new ProtocolError(`${name} has version ${version}`)
  return { reader, version: Math.min(version, VERSION_MAX) }
}
