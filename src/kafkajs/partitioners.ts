/**
 * kafkajs' partitioners: a key's hash decides; what has no key goes to the available partitions in turn, beginning anywhere.
 * The default hash is Java's. The legacy one is kafkajs' before version 2: the same steps in floating-point numbers, whose
 * products lose their low bits, so that keys go elsewhere; programs that rely on where their keys are need it as it is.
 */
import { murmur2 } from '../client/producer/murmur2.ts'
import type { ICustomPartitioner } from './types.ts'

const SEED = 0x9747b28c
const MULTIPLIER = 0x5bd1e995
const POSITIVE = 0x7fffffff

/** Not Math.imul, and words that begin beyond whole ones: both belong to the hash that kafkajs had. */
function legacyMurmur2(data: Uint8Array): number {
  const { length } = data
  const byte = (at: number): number => (data[at] ?? 0) & 0xff
  let hash = SEED ^ length
  for (let index = 0; index < length / 4; index++) {
    const at = index * 4
    let word = byte(at) + (byte(at + 1) << 8) + (byte(at + 2) << 16) + (byte(at + 3) << 24)
    word *= MULTIPLIER
    word ^= word >>> 24
    word *= MULTIPLIER
    hash *= MULTIPLIER
    hash ^= word
  }
  const rest = length % 4
  const end = length & ~3
  if (rest === 3) hash ^= byte(end + 2) << 16
  if (rest >= 2) hash ^= byte(end + 1) << 8
  if (rest >= 1) {
    hash ^= byte(end)
    hash *= MULTIPLIER
  }
  hash ^= hash >>> 13
  hash *= MULTIPLIER
  return hash ^ (hash >>> 15)
}

function partitionerBy(hash: (key: Uint8Array) => number): ICustomPartitioner {
  return () => {
    const turns = new Map<string, number>()
    return ({ topic, partitionMetadata, message }) => {
      const { partition, key } = message
      if (partition !== undefined && partition !== null) return partition
      if (key !== undefined && key !== null) {
        const bytes = Buffer.isBuffer(key) ? key : Buffer.from(String(key))
        return (hash(bytes) & POSITIVE) % partitionMetadata.length
      }
      const turn = (turns.get(topic) ?? Math.floor(Math.random() * POSITIVE)) + 1
      turns.set(topic, turn)
      const available = partitionMetadata.filter(({ leader }) => leader >= 0)
      const choice = available.length > 0 ? available : partitionMetadata
      return choice[(turn & POSITIVE) % choice.length]!.partitionId
    }
  }
}

const DefaultPartitioner = partitionerBy((key) => murmur2(key))
const LegacyPartitioner = partitionerBy(legacyMurmur2)

export const Partitioners = {
  DefaultPartitioner,
  LegacyPartitioner,
  /** @deprecated The same as DefaultPartitioner. */
  JavaCompatiblePartitioner: DefaultPartitioner,
}
