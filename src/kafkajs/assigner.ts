/**
 * How kafkajs' members share partitions: in turn, under the name 'RoundRobinAssigner', with everything given up before each
 * new generation. Members of this module and of kafkajs itself can be in one group.
 */
import { roundRobinAssignor } from '../client/consumer/group/assignors/round-robin.ts'
import { ConsumerProtocolAssignment, ConsumerProtocolSubscription } from '../client/consumer/group/consumer-protocol.ts'
import { decode, encode } from '../protocol/codec.ts'
import { Reader } from '../protocol/reader.ts'
import { Writer } from '../protocol/writer.ts'
import type { Assignment, ISerializer, MemberAssignment, MemberMetadata, PartitionAssigner } from './types.ts'

/** kafkajs writes the fields of version 0, whatever number it puts before them. */
const FIELDS_VERSION = 0
const NO_BYTES = Buffer.alloc(0)
const VERSION_BYTES = 2

export const kafkajsAssignor = { ...roundRobinAssignor, name: 'RoundRobinAssigner' }

function written(version: number, write: (writer: Writer) => void): Buffer {
  const writer = new Writer()
  writer.int16(version)
  write(writer)
  return Buffer.concat(writer.finish())
}

const memberMetadata: ISerializer<MemberMetadata> = {
  encode: ({ version, topics, userData }) =>
    written(version, (writer) => {
      const value = { topics, userData: userData ?? NO_BYTES }
      encode(ConsumerProtocolSubscription, writer, value, FIELDS_VERSION)
    }),
  decode: (buffer) => {
    const reader = new Reader([buffer])
    const version = reader.int16()
    const { topics, userData } = decode(ConsumerProtocolSubscription, reader, FIELDS_VERSION)
    return { version, topics, userData: userData ?? NO_BYTES }
  },
}

const memberAssignment: ISerializer<MemberAssignment> = {
  encode: ({ version, assignment, userData }) =>
    written(version, (writer) => {
      const assignedPartitions = Object.entries(assignment).map(([topic, partitions]) => ({ topic, partitions }))
      const value = { assignedPartitions, userData: userData ?? NO_BYTES }
      encode(ConsumerProtocolAssignment, writer, value, FIELDS_VERSION)
    }),
  /** No bytes are no assignment: null. */
  decode: (buffer) => {
    if (buffer.length < VERSION_BYTES) return null
    const reader = new Reader([buffer])
    const version = reader.int16()
    const { assignedPartitions, userData } = decode(ConsumerProtocolAssignment, reader, FIELDS_VERSION)
    const assignment: Assignment = {}
    for (const { topic, partitions } of assignedPartitions) assignment[topic] = partitions
    return { version, assignment, userData: userData ?? NO_BYTES }
  },
}

export const AssignerProtocol = { MemberMetadata: memberMetadata, MemberAssignment: memberAssignment }

/** For programs that build on it; the consumers here have the same in the client. */
const roundRobin: PartitionAssigner = ({ cluster }) => ({
  name: kafkajsAssignor.name,
  version: 0,
  async assign({ members, topics }) {
    const order = members.map(({ memberId }) => memberId).sort()
    const assignments = new Map<string, Assignment>(order.map((memberId) => [memberId, {}]))
    const all = topics.flatMap((topic) =>
      cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => ({ topic, partitionId })),
    )
    for (const [index, { topic, partitionId }] of all.entries()) {
      const assignment = assignments.get(order[index % order.length]!)!
      assignment[topic] = [...(assignment[topic] ?? []), partitionId]
    }
    return [...assignments].map(([memberId, assignment]) => ({
      memberId,
      memberAssignment: memberAssignment.encode({ version: 0, assignment, userData: NO_BYTES }),
    }))
  },
  protocol: ({ topics }) => ({
    name: kafkajsAssignor.name,
    metadata: memberMetadata.encode({ version: 0, topics, userData: NO_BYTES }),
  }),
})

export const PartitionAssigners = { roundRobin }
