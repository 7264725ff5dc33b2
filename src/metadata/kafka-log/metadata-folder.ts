/**
 * Reads `__cluster_metadata-0` of a stopped Kafka: the newest snapshot, then the log from there to its end, as Kafka does when it
 * starts. Nothing is written.
 *
 * What must hold: nothing in between is missing, or it is refused. The log's last segment may end in a torn batch, which a crash
 * leaves behind; Kafka cuts it off, here it is passed over.
 */
import { type ByteSource, type FileBatch, type FileEnd, readBatches } from '../../records/batch-file.ts'
import type { Disk, DiskFile } from '../../storage/disk.ts'
import { type KafkaMetadata, KafkaMetadataError } from './kafka-metadata.ts'
import { MetadataReplay } from './replay.ts'

export const METADATA_LOG_FOLDER = '__cluster_metadata-0'
export const BOOTSTRAP_FILE = 'bootstrap.checkpoint'

const SNAPSHOT_NAME = /^(\d{20})-(\d{10})\.checkpoint$/
const SEGMENT_NAME = /^(\d{20})\.log$/

export interface ReadMetadata {
  readonly metadata: KafkaMetadata
  readonly voters: readonly number[] | null
  readonly kraftVersion: number
  readonly records: number
  /** The snapshot it began with, as a file name; null: the log alone. */
  readonly snapshot: string | null
  /** One line each: what the log ends with and does not count. */
  readonly passedOver: readonly string[]
}

interface Snapshot {
  readonly name: string
  readonly offset: number
  readonly epoch: number
}

/** `directory` holds `__cluster_metadata-0`. Throws a KafkaMetadataError, or a DiskError. */
export function readMetadataFolder(disk: Disk, directory: string): ReadMetadata {
  const folder = `${directory}/${METADATA_LOG_FOLDER}`
  const names = disk.exists(folder) ? disk.list(folder) : []
  const snapshot = newestSnapshot(names)
  const replay = new MetadataReplay()
  const passedOver: string[] = []
  if (snapshot !== null) readSnapshot(disk, `${folder}/${snapshot.name}`, replay)
  const fromOffset = snapshot?.offset ?? 0
  const logRecords = readSegments(disk, folder, segmentsFrom(names, fromOffset, folder), fromOffset, replay, passedOver)
  // Formatted and never started: what the first start would have put into the log.
  if (logRecords === 0 && fromOffset === 0) readBootstrap(disk, directory, replay)
  if (replay.isInTransaction) {
    passedOver.push(`${replay.openRecords} records of a metadata transaction that was never completed`)
  }
  const { metadata, voters, kraftVersion, records } = replay
  return { metadata, voters, kraftVersion, records, snapshot: snapshot?.name ?? null, passedOver }
}

function newestSnapshot(names: readonly string[]): Snapshot | null {
  let newest: Snapshot | null = null
  for (const name of names) {
    const match = SNAPSHOT_NAME.exec(name)
    if (match === null) continue
    const found = { name, offset: Number(match[1]), epoch: Number(match[2]) }
    const isNewer =
      newest === null || found.offset > newest.offset || (found.offset === newest.offset && found.epoch > newest.epoch)
    if (isNewer) newest = found
  }
  return newest
}

/** Base offsets of the segments that hold the offset and all after it. */
function segmentsFrom(names: readonly string[], fromOffset: number, folder: string): number[] {
  const bases = names.flatMap((name) => {
    const match = SEGMENT_NAME.exec(name)
    return match === null ? [] : [Number(match[1])]
  })
  bases.sort((a, b) => a - b)
  const first = bases[0]
  if (first !== undefined && first > fromOffset) {
    throw new KafkaMetadataError(`${folder} begins at offset ${first}, and no snapshot says what was before`)
  }
  return bases.filter((_base, index) => (bases[index + 1] ?? Number.POSITIVE_INFINITY) > fromOffset)
}

function readSnapshot(disk: Disk, path: string, replay: MetadataReplay): void {
  const end = readFile(disk, path, (batch) => replay.batch(batch))
  if (end.problem !== null) throw new KafkaMetadataError(`${path} is damaged at byte ${end.position}: ${end.problem}`)
  if (!replay.sawFooter) throw new KafkaMetadataError(`${path} is incomplete: it has no footer`)
}

function readBootstrap(disk: Disk, directory: string, replay: MetadataReplay): void {
  const path = `${directory}/${BOOTSTRAP_FILE}`
  if (!disk.exists(path))
    throw new KafkaMetadataError(`${directory} holds neither a metadata log nor ${BOOTSTRAP_FILE}`)
  replay.sawFooter = false
  readSnapshot(disk, path, replay)
}

/** The number of data records in the log, those below the snapshot not counted. */
function readSegments(
  disk: Disk,
  folder: string,
  bases: readonly number[],
  fromOffset: number,
  replay: MetadataReplay,
  passedOver: string[],
): number {
  const before = replay.records
  let nextOffset = bases[0] ?? 0
  for (const [index, base] of bases.entries()) {
    const path = `${folder}/${String(base).padStart(20, '0')}.log`
    if (base !== nextOffset) throw new KafkaMetadataError(`${path} begins at offset ${base}, but ${nextOffset} is next`)
    const end = readFile(disk, path, (batch) => {
      const problem = batch.baseOffset === nextOffset ? null : `offset ${batch.baseOffset} instead of ${nextOffset}`
      if (problem !== null) throw new KafkaMetadataError(`${path} is damaged at byte ${batch.position}: ${problem}`)
      nextOffset = batch.lastOffset + 1
      if (batch.lastOffset >= fromOffset) replay.batch(batch, fromOffset)
    })
    if (end.problem === null) continue
    const where = `${path} at byte ${end.position}: ${end.problem}`
    if (index < bases.length - 1) throw new KafkaMetadataError(`the metadata log is damaged: ${where}`)
    passedOver.push(`the torn end of the metadata log, ${where}`)
  }
  if (nextOffset < fromOffset && bases.length > 0) {
    passedOver.push(`the metadata log ends at ${nextOffset}, below its snapshot`)
  }
  return replay.records - before
}

/** Every intact batch in order; ends at the first that is not. */
function readFile(disk: Disk, path: string, visit: (batch: FileBatch) => void): FileEnd {
  const file = disk.open(path)
  try {
    const batches = readBatches(sourceOf(file))
    for (;;) {
      const { done, value } = batches.next()
      if (done === true) return value
      if (!value.isIntact) return { position: value.position, problem: 'wrong checksum' }
      visit(value)
    }
  } finally {
    file.close()
  }
}

function sourceOf(file: DiskFile): ByteSource {
  return {
    sizeBytes: file.sizeBytes,
    read: (buffer, length, position) => file.readNow(buffer, 0, length, position),
  }
}
