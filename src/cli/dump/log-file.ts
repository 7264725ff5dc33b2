/**
 * The batches of a segment or of a metadata snapshot, and with `records` what is in them. Checked: every checksum, that offsets grow,
 * that the file ends with a whole batch, that a snapshot has its end.
 */
import { basename } from 'node:path'
import { iterateRecords, RecordError } from '../../records/batch.ts'
import { type FileBatch, readBatches } from '../../records/batch-file.ts'
import { CODEC_NAMES } from '../../records/codecs/index.ts'
import {
  type BatchHeader,
  CODEC_MASK,
  CONTROL_BIT,
  DELETE_HORIZON_BIT,
  TIMESTAMP_TYPE_BIT,
  TRANSACTIONAL_BIT,
} from '../../records/header.ts'
import type { RecordKind } from './file-kinds.ts'
import { type Entry, type Item, problem, shownTime } from './item.ts'
import { openFile } from './read-file.ts'
import { showRecord } from './record-decoders.ts'

export interface LogOptions {
  readonly records: boolean
  readonly kind: RecordKind
  /** Only batches, and of them only records, that have one of these offsets. */
  readonly from: number
  readonly to: number
  readonly isSnapshot: boolean
}

export function* dumpLog(path: string, options: LogOptions): Generator<Item> {
  const { source, close } = openFile(path)
  try {
    let nextOffset = options.isSnapshot ? 0 : baseOffsetOf(path)
    let sawFooter = false
    const batches = readBatches(source)
    for (;;) {
      const step = batches.next()
      if (step.done === true) {
        if (step.value.problem !== null) yield problem(step.value.position, step.value.problem)
        break
      }
      const batch = step.value
      const first = batch.header === null ? batch.lastOffset : batch.baseOffset
      if (first < nextOffset) yield problem(batch.position, `offset ${first} is below ${nextOffset}, which comes next`)
      nextOffset = batch.lastOffset + 1
      const isWanted = batch.lastOffset >= options.from && first <= options.to
      if (isWanted) yield batchEntry(batch)
      if (!batch.isIntact) yield problem(batch.position, `wrong checksum of the batch at offset ${first}`)
      else if ((isWanted && options.records) || (options.isSnapshot && isControl(batch.header))) {
        for (const item of recordsOf(batch, options)) {
          if (item.kind === 'record' && 'fields' in item && item.fields.control === 'SnapshotFooter') sawFooter = true
          if (isWanted && options.records) yield item
        }
      }
    }
    if (options.isSnapshot && !sawFooter)
      yield problem(source.sizeBytes, 'the snapshot has no footer: it is incomplete')
  } finally {
    close()
  }
}

function baseOffsetOf(path: string): number {
  const digits = /^(\d{20})\./.exec(basename(path))?.[1]
  return digits === undefined ? 0 : Number(digits)
}

function isControl(header: BatchHeader | null): boolean {
  return header !== null && (header.attributes & CONTROL_BIT) !== 0
}

function batchEntry(batch: FileBatch): Entry {
  const { header, position, bytes, magic, lastOffset, maxTimestamp, isIntact } = batch
  if (header === null) {
    const fields = { magic, sizeBytes: bytes.length, lastOffset, maxTimestamp, isIntact }
    const text = `offset ${lastOffset} at ${position}: a message of magic ${magic}, ${bytes.length} bytes`
    return { kind: 'batch', position, fields, text }
  }
  const { attributes } = header
  const flags = [
    [TRANSACTIONAL_BIT, 'transactional'],
    [CONTROL_BIT, 'control'],
    [DELETE_HORIZON_BIT, 'delete horizon'],
  ] as const
  const set = flags.filter(([bit]) => (attributes & bit) !== 0).map(([, name]) => name)
  const codec = CODEC_NAMES[attributes & CODEC_MASK] ?? `codec ${attributes & CODEC_MASK}`
  const timestampType = (attributes & TIMESTAMP_TYPE_BIT) === 0 ? 'CreateTime' : 'LogAppendTime'
  const { baseOffset, recordCount, partitionLeaderEpoch, producerId, producerEpoch, baseSequence } = header
  const fields = { ...header, lastOffset, codec, timestampType, flags: set, isIntact }
  const producer = producerId < 0 ? '' : ` producer ${producerId} epoch ${producerEpoch} sequence ${baseSequence}`
  const text =
    `offsets ${baseOffset} to ${lastOffset} at ${position}: ${recordCount} records, ${bytes.length} bytes, ${codec}, ` +
    `leader epoch ${partitionLeaderEpoch}, ${timestampType} ${shownTime(maxTimestamp)}${producer}` +
    `${set.length > 0 ? ` ${set.join(' ')}` : ''}`
  return { kind: 'batch', position, fields, text }
}

function* recordsOf(batch: FileBatch, { kind, from, to }: LogOptions): Generator<Item> {
  const { header, bytes, position } = batch
  if (header === null) return
  try {
    for (const record of iterateRecords(bytes)) {
      if (record.offset < from || record.offset > to) continue
      const { offset, timestamp } = record
      const shown = showRecord(record, kind, isControl(header))
      const text = `  ${offset} ${shownTime(timestamp)} ${shown.text}`
      yield { kind: 'record', position, fields: { offset, timestamp, ...shown.fields }, text }
      if (shown.problem !== null) yield problem(position, `record ${offset}: ${shown.problem}`)
    }
  } catch (error) {
    if (!(error instanceof RecordError)) throw error
    yield problem(position, `the records of the batch at offset ${header.baseOffset} cannot be read: ${error.message}`)
  }
}
