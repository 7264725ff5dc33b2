// The `.snapshot` file: producer state at an offset. Only the newest batch of a producer is kept in it.

import { NONE, readInt64, writeInt64 } from '../records/header.ts'
import { crc32cOf } from '../storage/crc32c.ts'
import type { Parsed } from './checkpoints.ts'
import type { ProducerEntry } from './producer-state.ts'

const VERSION = 1
const HEADER_BYTES = 10
const ENTRY_BYTES = 46
const CRC_POSITION = 2
const CRC_FROM = 6

export function encodeSnapshot(entries: Iterable<ProducerEntry>): Buffer {
  const list = [...entries]
  const bytes = Buffer.alloc(HEADER_BYTES + list.length * ENTRY_BYTES)
  bytes.writeInt16BE(VERSION, 0)
  bytes.writeInt32BE(list.length, CRC_FROM)
  for (const [index, entry] of list.entries()) {
    const at = HEADER_BYTES + index * ENTRY_BYTES
    const last = entry.batches.at(-1)
    writeInt64(bytes, at, entry.producerId)
    bytes.writeInt16BE(entry.epoch, at + 8)
    bytes.writeInt32BE(last?.lastSequence ?? NONE, at + 10)
    writeInt64(bytes, at + 14, last?.lastOffset ?? NONE)
    bytes.writeInt32BE(last?.offsetDelta ?? 0, at + 22)
    writeInt64(bytes, at + 26, entry.lastTimestamp)
    bytes.writeInt32BE(entry.coordinatorEpoch, at + 34)
    writeInt64(bytes, at + 38, entry.currentTxnFirstOffset)
  }
  bytes.writeUInt32BE(crc32cOf(bytes, CRC_FROM, bytes.length), CRC_POSITION)
  return bytes
}

export function decodeSnapshot(bytes: Buffer): Parsed<ProducerEntry[]> {
  if (bytes.length < HEADER_BYTES) return { ok: false, reason: `only ${bytes.length} bytes` }
  const version = bytes.readInt16BE(0)
  if (version !== VERSION) return { ok: false, reason: `version ${version}` }
  if (bytes.readUInt32BE(CRC_POSITION) !== crc32cOf(bytes, CRC_FROM, bytes.length))
    return { ok: false, reason: 'wrong checksum' }
  const count = bytes.readInt32BE(CRC_FROM)
  if (count < 0 || bytes.length !== HEADER_BYTES + count * ENTRY_BYTES) return { ok: false, reason: 'wrong length' }
  const entries: ProducerEntry[] = []
  for (let index = 0; index < count; index++) entries.push(decodeEntry(bytes, HEADER_BYTES + index * ENTRY_BYTES))
  return { ok: true, value: entries }
}

function decodeEntry(bytes: Buffer, at: number): ProducerEntry {
  const lastOffset = readInt64(bytes, at + 14)
  const lastTimestamp = readInt64(bytes, at + 26)
  const newest = {
    lastSequence: bytes.readInt32BE(at + 10),
    lastOffset,
    offsetDelta: bytes.readInt32BE(at + 22),
    timestamp: lastTimestamp,
  }
  return {
    producerId: readInt64(bytes, at),
    epoch: bytes.readInt16BE(at + 8),
    batches: lastOffset >= 0 ? [newest] : [],
    coordinatorEpoch: bytes.readInt32BE(at + 34),
    lastTimestamp,
    currentTxnFirstOffset: readInt64(bytes, at + 38),
  }
}
