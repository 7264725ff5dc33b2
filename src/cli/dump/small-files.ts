/** Producer snapshots and the small text files of a data folder. */
import {
  type Parsed,
  parseEpochCheckpoint,
  parseMetaProperties,
  parseOffsetCheckpoint,
  parsePartitionMetadata,
} from '../../log/checkpoints.ts'
import { decodeSnapshot } from '../../log/producer-snapshot.ts'
import type { FileKind } from './file-kinds.ts'
import { type Entry, type Item, problem, shownTime } from './item.ts'
import { readAll } from './read-file.ts'

type Small = Readonly<Record<string, unknown>>

/** What a file says, as one list of entries; and how one of them is printed. */
interface SmallFile {
  readonly kind: string
  parse(bytes: Buffer): Parsed<readonly Small[]>
}

const SMALL_FILES: Readonly<Partial<Record<FileKind, SmallFile>>> = {
  'producer-snapshot': { kind: 'producer', parse: parseProducers },
  'leader-epochs': {
    kind: 'leader-epoch',
    parse: (bytes) => parseEpochCheckpoint(bytes.toString()) as Parsed<Small[]>,
  },
  'offset-checkpoint': {
    kind: 'partition-offset',
    parse: (bytes) => parseOffsetCheckpoint(bytes.toString()) as Parsed<Small[]>,
  },
  'partition-metadata': {
    kind: 'partition-metadata',
    parse: (bytes) => asOne(parsePartitionMetadata(bytes.toString()), (topicId) => ({ topicId })),
  },
  'meta-properties': {
    kind: 'meta-properties',
    parse: (bytes) => asOne(parseMetaProperties(bytes.toString()), (properties) => ({ ...properties })),
  },
  json: { kind: 'json', parse: parseJson },
}

function asOne<T>(parsed: Parsed<T>, toFields: (value: T) => Small): Parsed<Small[]> {
  return parsed.ok ? { ok: true, value: [toFields(parsed.value)] } : parsed
}

function parseProducers(bytes: Buffer): Parsed<Small[]> {
  const decoded = decodeSnapshot(bytes)
  if (!decoded.ok) return decoded
  const producers = decoded.value.map(({ producerId, epoch, batches, coordinatorEpoch, ...rest }) => {
    const last = batches.at(-1)
    return {
      producerId,
      epoch,
      lastSequence: last?.lastSequence ?? -1,
      lastOffset: last?.lastOffset ?? -1,
      offsetDelta: last?.offsetDelta ?? 0,
      lastTimestamp: rest.lastTimestamp,
      coordinatorEpoch,
      currentTransactionFirstOffset: rest.currentTxnFirstOffset,
    }
  })
  return { ok: true, value: producers }
}

function parseJson(bytes: Buffer): Parsed<Small[]> {
  // Files of before 3.8 are empty.
  if (bytes.length === 0) return { ok: true, value: [] }
  try {
    return { ok: true, value: [JSON.parse(bytes.toString()) as Small] }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return { ok: false, reason: `it is not JSON: ${error.message}` }
  }
}

export function* dumpSmall(path: string, fileKind: FileKind): Generator<Item> {
  const small = SMALL_FILES[fileKind]
  if (small === undefined) throw new Error(`${fileKind} is no small file`)
  const parsed = small.parse(readAll(path))
  if (!parsed.ok) {
    yield problem(0, `cannot be understood: ${parsed.reason}`)
    return
  }
  for (const fields of parsed.value) yield entryOf(small.kind, fields)
}

function entryOf(kind: string, fields: Small): Entry {
  const shown = Object.entries(fields).map(([name, value]) => {
    const isTime = name.endsWith('Timestamp') && typeof value === 'number'
    return `${name} ${isTime ? shownTime(value) : typeof value === 'object' ? JSON.stringify(value) : value}`
  })
  return { kind, position: 0, fields, text: shown.join(', ') }
}
