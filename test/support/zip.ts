// Reads entries of a zip archive (a jar) without a dependency: end record, central directory, inflate.

import { readFileSync } from 'node:fs'
import { inflateRawSync } from 'node:zlib'

const END_SIGNATURE = 0x06054b50
const CENTRAL_SIGNATURE = 0x02014b50
const END_BYTES = 22
const CENTRAL_BYTES = 46
const LOCAL_BYTES = 30
const STORED = 0
const DEFLATED = 8

/** The contents of all entries whose name passes `wanted`. */
export function readZipEntries(path: string, wanted: (name: string) => boolean): Map<string, Buffer> {
  const archive = readFileSync(path)
  const end = archive.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]))
  if (end === -1 || end + END_BYTES > archive.length || archive.readUInt32LE(end) !== END_SIGNATURE) {
    throw new Error(`${path} is no zip archive`)
  }
  const entries = new Map<string, Buffer>()
  let position = archive.readUInt32LE(end + 16)
  for (let left = archive.readUInt16LE(end + 10); left > 0; left--) {
    if (archive.readUInt32LE(position) !== CENTRAL_SIGNATURE) throw new Error(`${path} has a broken directory`)
    const nameBytes = archive.readUInt16LE(position + 28)
    const name = archive.toString('utf8', position + CENTRAL_BYTES, position + CENTRAL_BYTES + nameBytes)
    if (wanted(name)) entries.set(name, contentOf(archive, position))
    position += CENTRAL_BYTES + nameBytes + archive.readUInt16LE(position + 30) + archive.readUInt16LE(position + 32)
  }
  return entries
}

function contentOf(archive: Buffer, central: number): Buffer {
  const method = archive.readUInt16LE(central + 10)
  const compressedBytes = archive.readUInt32LE(central + 20)
  const local = archive.readUInt32LE(central + 42)
  const start = local + LOCAL_BYTES + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28)
  const compressed = archive.subarray(start, start + compressedBytes)
  if (method === STORED) return compressed
  if (method === DEFLATED) return inflateRawSync(compressed)
  throw new Error(`zip method ${method} is not supported`)
}
