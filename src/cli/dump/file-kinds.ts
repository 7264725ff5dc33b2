/** What a file of a data folder is, by its name, and what the records of a log are, by its folder's. */
import { basename, dirname } from 'node:path'
import { CLEANED_SUFFIX, DELETED_SUFFIX, parsePartitionFolder, SWAP_SUFFIX } from '../../log/file-names.ts'

export const RECORD_KINDS = ['records', 'metadata', 'offsets', 'transactions', 'share-state'] as const
export type RecordKind = (typeof RECORD_KINDS)[number]

export type FileKind =
  | 'log'
  | 'metadata-snapshot'
  | 'offset-index'
  | 'time-index'
  | 'txn-index'
  | 'producer-snapshot'
  | 'leader-epochs'
  | 'offset-checkpoint'
  | 'partition-metadata'
  | 'meta-properties'
  | 'json'

const BY_NAME: ReadonlyMap<string, FileKind> = new Map([
  ['bootstrap.checkpoint', 'metadata-snapshot'],
  ['leader-epoch-checkpoint', 'leader-epochs'],
  ['recovery-point-offset-checkpoint', 'offset-checkpoint'],
  ['log-start-offset-checkpoint', 'offset-checkpoint'],
  ['replication-offset-checkpoint', 'offset-checkpoint'],
  ['cleaner-offset-checkpoint', 'offset-checkpoint'],
  ['partition.metadata', 'partition-metadata'],
  ['meta.properties', 'meta-properties'],
  ['quorum-state', 'json'],
  ['.kafka_cleanshutdown', 'json'],
])

const BY_PATTERN: readonly (readonly [RegExp, FileKind])[] = [
  [/^\d{20}-\d{10}\.checkpoint$/, 'metadata-snapshot'],
  [/\.log$/, 'log'],
  [/\.index$/, 'offset-index'],
  [/\.timeindex$/, 'time-index'],
  [/\.txnindex$/, 'txn-index'],
  [/\.snapshot$/, 'producer-snapshot'],
]

/** On a file that is on its way in or out. */
const PASSING_SUFFIXES = [DELETED_SUFFIX, CLEANED_SUFFIX, SWAP_SUFFIX, '.part']

/** Null: nothing that a broker writes. */
export function fileKindOf(path: string): FileKind | null {
  let name = basename(path)
  for (const suffix of PASSING_SUFFIXES) if (name.endsWith(suffix)) name = name.slice(0, -suffix.length)
  return BY_NAME.get(name) ?? BY_PATTERN.find(([pattern]) => pattern.test(name))?.[1] ?? null
}

const RECORDS_OF_TOPICS: ReadonlyMap<string, RecordKind> = new Map([
  ['__cluster_metadata', 'metadata'],
  ['__consumer_offsets', 'offsets'],
  ['__transaction_state', 'transactions'],
  ['__share_group_state', 'share-state'],
])

/** By the folder that the file lies in; anybody's records unless it is one of the brokers' own. */
export function recordKindOf(path: string): RecordKind {
  const folder = parsePartitionFolder(basename(dirname(path)))
  return RECORDS_OF_TOPICS.get(folder?.topic ?? '') ?? 'records'
}
