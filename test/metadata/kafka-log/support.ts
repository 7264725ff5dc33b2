/** Metadata logs for tests: frames, batches, and whole folders on a disk in memory. */
import { METADATA_RECORDS } from '../../../src/metadata/kafka-log/records.ts'
import { encode } from '../../../src/protocol/codec.ts'
import type { Input, MessageSchema } from '../../../src/protocol/schema.ts'
import { Writer } from '../../../src/protocol/writer.ts'
import { buildBatch } from '../../../src/records/batch.ts'
import type { ByteSource } from '../../../src/records/batch-file.ts'
import { MemoryDisk } from '../../../src/storage/disk-memory.ts'

type Declarations = typeof METADATA_RECORDS
export type RecordType = keyof Declarations

const SLAB_BYTES = 4096

/** The value of a record, as Kafka's controller writes it. */
export function frame<T extends RecordType>(
  type: T,
  version: number,
  fields: Input<Declarations[T]['schema'] & MessageSchema>,
): Buffer {
  const { number, schema } = METADATA_RECORDS[type]
  const writer = new Writer(SLAB_BYTES)
  writer.unsignedVarint(1)
  writer.unsignedVarint(number)
  writer.unsignedVarint(version)
  encode(schema as MessageSchema, writer, fields as never, version)
  return Buffer.concat(writer.finish())
}

/** One batch of records, or of one control record. */
export function batch(baseOffset: number, values: readonly Buffer[]): Buffer {
  return buildBatch({
    baseOffset,
    leaderEpoch: 1,
    records: values.map((value) => ({ timestamp: 1_700_000_000_000, key: null, value })),
  })
}

const CONTROL_TYPES = { LeaderChange: 2, SnapshotHeader: 3, SnapshotFooter: 4, KRaftVersion: 5 } as const

export function controlBatch(baseOffset: number, type: keyof typeof CONTROL_TYPES, value: Buffer): Buffer {
  const key = Buffer.from([0, 0, 0, CONTROL_TYPES[type]])
  return buildBatch({
    baseOffset,
    leaderEpoch: 1,
    isControl: true,
    records: [{ timestamp: 1_700_000_000_000, key, value }],
  })
}

/** Version 0; no tagged fields. */
export const FOOTER = Buffer.from([0, 0, 0])

/** `voters` and who leads them, version 0. */
export function leaderChange(leader: number, voters: readonly number[]): Buffer {
  const ids = Buffer.alloc(voters.length * 5)
  for (const [index, id] of voters.entries()) ids.writeInt32BE(id, index * 5)
  const head = Buffer.alloc(6)
  head.writeInt32BE(leader, 2)
  return Buffer.concat([head, Buffer.from([voters.length + 1]), ids, Buffer.from([1, 0])])
}

export function sourceOf(bytes: Buffer): ByteSource {
  return {
    sizeBytes: bytes.length,
    read: (buffer, length, position) => bytes.copy(buffer, 0, position, Math.min(position + length, bytes.length)),
  }
}

export const DATA = '/kafka'

/** A disk with these files under DATA. */
export function diskWith(files: Readonly<Record<string, Buffer>>): MemoryDisk {
  const disk = new MemoryDisk({ now: () => 0 })
  for (const [path, content] of Object.entries(files)) {
    const full = `${DATA}/${path}`
    disk.makeDirectory(full.slice(0, full.lastIndexOf('/')))
    disk.writeNew(full, content)
  }
  return disk
}

export function logName(baseOffset: number): string {
  return `__cluster_metadata-0/${String(baseOffset).padStart(20, '0')}.log`
}

export function snapshotName(offset: number): string {
  return `__cluster_metadata-0/${String(offset).padStart(20, '0')}-0000000001.checkpoint`
}
