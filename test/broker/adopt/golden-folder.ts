/** The data folder of a real Kafka, recorded by record-kafka-folder.ts. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export const GOLDEN_FOLDER = join(import.meta.dir, '../../golden/kafka-folder')

export interface Described {
  readonly clusterId: string
  /** Name -> id, whether internal, partitions. */
  readonly topics: Readonly<Record<string, readonly [string, boolean, number]>>
  readonly configs: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly offsets: Readonly<Record<string, string>>
  readonly features: Readonly<Record<string, number>>
  readonly quotas: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly scram: Readonly<Record<string, readonly string[]>>
}

function read<T>(name: string): T {
  return JSON.parse(readFileSync(join(GOLDEN_FOLDER, name), 'utf8')) as T
}

export function goldenFiles(): ReadonlyMap<string, Buffer> {
  const files = Object.entries(read<Record<string, string>>('files.json'))
  return new Map(files.map(([path, content]) => [path, Buffer.from(content, 'base64')]))
}

/** What the Kafka answered before it was stopped. */
export function goldenAnswers(): Described {
  return read('described.json')
}

export interface ShownRecord {
  readonly type: string
  readonly version: number
  readonly data: Readonly<Record<string, unknown>>
}

/** Offset -> record of the metadata log, as Kafka's tool shows it. */
export function goldenMetadataRecords(): Readonly<Record<string, ShownRecord>> {
  return read('metadata-records.json')
}

/** A copy of the folder to work on. */
export function writeGoldenFolder(folder: string): void {
  for (const [path, content] of goldenFiles()) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), content)
  }
}
