/**
 * Offset, time and transaction indexes. Checked: that entries are whole and in order, and, where the segment's log lies beside, that
 * each says what the log says at its place.
 */

import { iterateRecords } from '../../records/batch.ts'
import { type FileBatch, readBatches } from '../../records/batch-file.ts'
import { readEndTransactionMarker } from '../../records/control.ts'
import { CONTROL_BIT, readInt64 } from '../../records/header.ts'
import type { FileKind } from './file-kinds.ts'
import { type Entry, type Item, problem, shownTime } from './item.ts'
import { logBeside, openFile, readAll } from './read-file.ts'

interface IndexEntry {
  readonly position: number
  /** Absolute. */
  readonly offset: number
  /** Place in the log of an offset index's entry. */
  readonly place: number
  readonly timestamp: number
  readonly producerId: number
  readonly entry: Entry
}

interface Layout {
  readonly suffix: string
  readonly entryBytes: number
  read(bytes: Buffer, at: number, baseOffset: number): IndexEntry | string
  /** Why this entry cannot come after that one. */
  disorder(previous: IndexEntry, next: IndexEntry): string | null
  /** Why the entry is not what the batch says that holds its offset; `largestBefore` is the largest timestamp of earlier ones. */
  disagreement(entry: IndexEntry, batch: FileBatch, largestBefore: number): string | null
}

const TXN_VERSION = 0

const LAYOUTS: Readonly<Partial<Record<FileKind, Layout>>> = {
  'offset-index': {
    suffix: '.index',
    entryBytes: 8,
    read(bytes, at, baseOffset) {
      const offset = baseOffset + bytes.readInt32BE(at)
      const place = bytes.readInt32BE(at + 4)
      const text = `offset ${offset} at ${place}`
      const entry: Entry = { kind: 'offset-index-entry', position: at, fields: { offset, logPosition: place }, text }
      return { position: at, offset, place, timestamp: -1, producerId: -1, entry }
    },
    disorder: (previous, next) =>
      next.offset > previous.offset && next.place > previous.place ? null : 'it is not above the one before',
    disagreement(entry, batch) {
      if (batch.position !== entry.place) return `the log has that offset at ${batch.position}`
      return batch.lastOffset === entry.offset ? null : `the last offset there is ${batch.lastOffset}`
    },
  },
  'time-index': {
    suffix: '.timeindex',
    entryBytes: 12,
    read(bytes, at, baseOffset) {
      const timestamp = readInt64(bytes, at)
      const offset = baseOffset + bytes.readInt32BE(at + 8)
      const text = `${shownTime(timestamp)} (${timestamp}) up to offset ${offset}`
      const entry: Entry = { kind: 'time-index-entry', position: at, fields: { timestamp, offset }, text }
      return { position: at, offset, place: -1, timestamp, producerId: -1, entry }
    },
    disorder: (previous, next) =>
      next.timestamp > previous.timestamp && next.offset >= previous.offset ? null : 'it is not above the one before',
    disagreement(entry, batch, largestBefore) {
      if (batch.maxTimestamp !== entry.timestamp) return `the largest timestamp there is ${batch.maxTimestamp}`
      return largestBefore > entry.timestamp ? `the log has ${largestBefore} before` : null
    },
  },
  'txn-index': {
    suffix: '.txnindex',
    entryBytes: 34,
    read(bytes, at) {
      const version = bytes.readInt16BE(at)
      if (version !== TXN_VERSION) return `version ${version}`
      const [producerId, firstOffset, lastOffset, lastStableOffset] = [2, 10, 18, 26].map((by) =>
        readInt64(bytes, at + by),
      ) as [number, number, number, number]
      const text = `producer ${producerId} aborted ${firstOffset} to ${lastOffset}, last stable offset ${lastStableOffset}`
      const fields = { producerId, firstOffset, lastOffset, lastStableOffset }
      const entry: Entry = { kind: 'aborted-transaction', position: at, fields, text }
      return { position: at, offset: lastOffset, place: -1, timestamp: -1, producerId, entry }
    },
    disorder: (previous, next) => (next.offset > previous.offset ? null : 'its marker is not after the one before'),
    disagreement: (entry, batch) =>
      isAbortMarker(batch) && batch.header?.producerId === entry.producerId
        ? null
        : 'the log has no abort marker of that producer there',
  },
}

function isAbortMarker({ header, bytes }: FileBatch): boolean {
  if (header === null || (header.attributes & CONTROL_BIT) === 0) return false
  const record = iterateRecords(bytes).next().value
  return record !== undefined && readEndTransactionMarker(record)?.type === 'abort'
}

export function* dumpIndex(path: string, kind: FileKind): Generator<Item> {
  const layout = LAYOUTS[kind]
  if (layout === undefined) throw new Error(`${kind} is no index`)
  const bytes = readAll(path)
  const digits = /(\d{20})\.[a-z]+(\.[a-z]+)?$/.exec(path)?.[1]
  const baseOffset = digits === undefined ? 0 : Number(digits)
  const used = usedBytes(bytes, layout)
  const good: IndexEntry[] = []
  for (let at = 0; at + layout.entryBytes <= used; at += layout.entryBytes) {
    const read = layout.read(bytes, at, baseOffset)
    if (typeof read === 'string') {
      yield problem(at, `the entry has ${read}`)
      continue
    }
    yield read.entry
    const previous = good.at(-1)
    const disorder = previous === undefined ? null : layout.disorder(previous, read)
    if (disorder === null) good.push(read)
    else yield problem(at, `entry ${read.entry.text}: ${disorder}`)
  }
  if (used < bytes.length) {
    const fields = { reservedBytes: bytes.length - used }
    yield {
      kind: 'reserved',
      position: used,
      fields,
      text: `${bytes.length - used} bytes set aside for entries to come`,
    }
  }
  const ragged = used === bytes.length ? used % layout.entryBytes : 0
  if (ragged > 0) yield problem(used - ragged, `the file ends within an entry, after ${ragged} bytes of it`)
  const log = logBeside(path, layout.suffix)
  if (log !== null) yield* compareWithLog(log, good, layout)
}

/** A running Kafka sets space aside, which is zeros; a crash leaves it there. No entry is all zeros. */
function usedBytes(bytes: Buffer, { entryBytes, suffix }: Layout): number {
  if (suffix === '.txnindex') return bytes.length
  let used = bytes.length
  while (used >= entryBytes && isZero(bytes, used - entryBytes, used)) used -= entryBytes
  return used
}

function isZero(bytes: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] !== 0) return false
  return true
}

/** One walk over the log, beside the entries, which are in its order. */
function* compareWithLog(log: string, entries: readonly IndexEntry[], layout: Layout): Generator<Item> {
  const { source, close } = openFile(log)
  try {
    let next = 0
    let largestBefore = -1
    for (const batch of readBatches(source)) {
      for (
        let entry = entries[next];
        entry !== undefined && entry.offset <= batch.lastOffset;
        entry = entries[++next]
      ) {
        const disagreement = layout.disagreement(entry, batch, largestBefore)
        if (disagreement !== null) {
          yield problem(entry.position, `entry ${entry.entry.text} does not agree with ${log}: ${disagreement}`)
        }
      }
      largestBefore = Math.max(largestBefore, batch.maxTimestamp)
    }
    for (const entry of entries.slice(next)) {
      yield problem(entry.position, `entry ${entry.entry.text} lies beyond the end of ${log}`)
    }
  } finally {
    close()
  }
}
