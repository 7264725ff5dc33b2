/** Batches as real client libraries produced them and a real broker stored them, in every codec each library has. */
import { describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  buildBatch,
  checkCrc,
  codecOf,
  firstRecordAtOrAfter,
  iterateRecords,
  lastOffset,
  patchBaseOffset,
  patchLeaderEpoch,
  type Record,
  readBatchHeader,
} from '../../src/records/batch.ts'
import { CODEC_NAMES, type CodecName } from '../../src/records/codecs/index.ts'
import { validateProduced } from '../../src/records/validate.ts'
import { ORDINARY_TOPIC } from './support.ts'

const FOLDER = join(import.meta.dir, '../golden/batches')

interface WrittenRecord {
  key: string | null
  value: string | null | { repeat: string; times: number }
  headers: [string, string | null][]
  timestamp: number
}
interface Capture {
  codec: CodecName | 'none'
  set: string
  batches: string[]
}

const WRITTEN: { [set: string]: WrittenRecord[] } = JSON.parse(readFileSync(join(FOLDER, 'records.json'), 'utf8'))
const CLIENTS = readdirSync(FOLDER).filter((name) => name.endsWith('.json') && name !== 'records.json')

function readable(record: Record) {
  return {
    key: record.key === null ? null : record.key.toString(),
    value: record.value === null ? null : record.value.toString(),
    headers: record.headers.map(({ key, value }) => [key, value === null ? null : value.toString()]),
    timestamp: record.timestamp,
  }
}

function expected(written: WrittenRecord) {
  const { value } = written
  return { ...written, value: value !== null && typeof value === 'object' ? value.repeat.repeat(value.times) : value }
}

/** As the producer sent it: the broker has assigned offset and leader epoch since. */
function asProduced(stored: Buffer): Buffer {
  const batch = Buffer.from(stored)
  patchBaseOffset(batch, 0, 0)
  patchLeaderEpoch(batch, 0, -1)
  return batch
}

describe.each(CLIENTS)('%s', (file) => {
  const captures: Capture[] = JSON.parse(readFileSync(join(FOLDER, file), 'utf8'))

  test.each(captures.map((capture): [string, Capture] => [`${capture.codec}, ${capture.set}`, capture]))(
    '%s',
    (_name, capture) => {
      const records: Record[] = []
      for (const hex of capture.batches) {
        const batch = Buffer.from(hex, 'hex')
        const header = readBatchHeader(batch, 0)
        expect(header.sizeBytes).toBe(batch.length)
        expect(checkCrc([batch])).toBe(true)
        const codec = CODEC_NAMES[codecOf(header)]
        expect(codec).toBe(capture.codec === 'none' ? 'uncompressed' : capture.codec)
        records.push(...iterateRecords(batch))
        expect(records.at(-1)?.offset).toBe(lastOffset(header))
      }
      expect(records.map(readable)).toEqual(WRITTEN[capture.set]!.map(expected))
    },
  )

  test('every batch passes validation unchanged, however it is cut', () => {
    for (const capture of captures) {
      for (const hex of capture.batches) {
        const batch = asProduced(Buffer.from(hex, 'hex'))
        const middle = batch.length >> 1
        for (const chunks of [[batch], [batch.subarray(0, 40), batch.subarray(40, middle), batch.subarray(middle)]]) {
          const result = validateProduced(chunks, ORDINARY_TOPIC)
          expect(result).toMatchObject({ ok: true, rewritten: false })
          if (result.ok) expect(Buffer.concat(result.chunks).equals(batch)).toBe(true)
        }
      }
    }
  })

  test('every batch is rebuilt into every other codec with the same records', () => {
    for (const capture of captures.filter(({ set }) => set === 'small')) {
      for (const hex of capture.batches) {
        for (const compressionType of CODEC_NAMES) {
          const batch = asProduced(Buffer.from(hex, 'hex'))
          const result = validateProduced([batch], { ...ORDINARY_TOPIC, compressionType })
          if (!result.ok) throw new Error(result.reason)
          const rebuilt = Buffer.concat(result.chunks)
          expect(checkCrc(result.chunks)).toBe(true)
          expect(CODEC_NAMES[codecOf(readBatchHeader(rebuilt, 0))]).toBe(compressionType)
          expect([...iterateRecords(rebuilt)]).toEqual([...iterateRecords(batch)])
        }
      }
    }
  })

  test('a look-up by time finds the first record that late', () => {
    for (const capture of captures.filter(({ set }) => set === 'small')) {
      const batch = Buffer.from(capture.batches[0]!, 'hex')
      const records = [...iterateRecords(batch)]
      const wanted = records[0]!.timestamp + 1500
      const first = records.find(({ timestamp }) => timestamp >= wanted)
      expect(firstRecordAtOrAfter(batch, wanted)).toEqual(
        first === undefined ? null : { offset: first.offset, timestamp: first.timestamp },
      )
    }
  })
})

describe('batches built here', () => {
  const records = WRITTEN.small!.map(expected).map((record) => ({
    timestamp: record.timestamp,
    key: record.key === null ? null : Buffer.from(record.key),
    value: record.value === null ? null : Buffer.from(record.value),
    headers: record.headers.map(([key, value]) => ({ key, value: value === null ? null : Buffer.from(value) })),
  }))
  const javaCaptures: Capture[] = JSON.parse(readFileSync(join(FOLDER, 'java.json'), 'utf8'))
  const theirs = asProduced(
    Buffer.from(javaCaptures.find(({ codec, set }) => codec === 'none' && set === 'small')!.batches[0]!, 'hex'),
  )

  test('are those of the Java client, byte for byte', () => {
    const { producerId, producerEpoch, baseSequence } = readBatchHeader(theirs, 0)
    const ours = buildBatch({ producerId, producerEpoch, baseSequence, records })
    expect(ours.toString('hex')).toBe(theirs.toString('hex'))
  })
})
