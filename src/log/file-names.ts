// Names in the data folder and in a partition's folder, as Kafka gives them.

export const LOG_SUFFIX = '.log'
export const OFFSET_INDEX_SUFFIX = '.index'
export const TIME_INDEX_SUFFIX = '.timeindex'
export const TXN_INDEX_SUFFIX = '.txnindex'
export const SNAPSHOT_SUFFIX = '.snapshot'
export const DELETED_SUFFIX = '.deleted'
export const CLEANED_SUFFIX = '.cleaned'
export const SWAP_SUFFIX = '.swap'
export const LEADER_EPOCHS_FILE = 'leader-epoch-checkpoint'
export const PARTITION_METADATA_FILE = 'partition.metadata'
/** In a partition's folder that has come from another data folder, where the old one may still be: see log-move.ts. Kafka ignores it. */
export const MOVED_FILE = 'samsa-moved'

export const SEGMENT_SUFFIXES = [LOG_SUFFIX, OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX] as const

const LONGEST_NAME = 255
const OFFSET_DIGITS = 20

/** `42, '.log'` -> `00000000000000000042.log` */
export function offsetFileName(offset: number, suffix: string): string {
  return String(offset).padStart(OFFSET_DIGITS, '0') + suffix
}

/** The offset in a name with this suffix, or null if the name is not of that form. */
export function offsetInName(name: string, suffix: string): number | null {
  if (!name.endsWith(suffix)) return null
  const digits = name.slice(0, name.length - suffix.length)
  if (digits.length !== OFFSET_DIGITS || !/^\d+$/.test(digits)) return null
  const offset = Number(digits)
  return Number.isSafeInteger(offset) ? offset : null
}

export type FolderState = 'live' | 'delete' | 'future' | 'stray'

export interface PartitionFolder {
  readonly topic: string
  readonly partition: number
  readonly state: FolderState
}

const SUFFIXED = /^(.+)\.[0-9a-f]{32}-(delete|future|stray)$/

/** Takes a folder's name apart: split at the last '-', after a state suffix has been taken off; null if it is no partition's. */
export function parsePartitionFolder(name: string): PartitionFolder | null {
  const suffixed = SUFFIXED.exec(name)
  const plain = suffixed?.[1] ?? name
  const dash = plain.lastIndexOf('-')
  if (dash <= 0) return null
  const digits = plain.slice(dash + 1)
  if (!/^\d{1,10}$/.test(digits)) return null
  const topic = plain.slice(0, dash)
  if (suffixed === null && !/^[a-zA-Z0-9._-]+$/.test(topic)) return null
  const state = (suffixed?.[2] ?? 'live') as FolderState
  return { topic, partition: Number(digits), state }
}

/** The folder of a replica on its way to another data folder. Not cut, as the other names are: a topic's name may be too long for it. */
export function futureFolderName(topic: string, partition: number, uuidHex: string): string {
  return `${topic}-${partition}.${uuidHex}-future`
}

/** Whether the partition can have such a folder at all. */
export function hasFutureFolderName(topic: string, partition: number): boolean {
  return futureFolderName(topic, partition, '0'.repeat(32)).length <= LONGEST_NAME
}

export function partitionFolderName(topic: string, partition: number): string {
  return `${topic}-${partition}`
}

/** Name of a folder that is no longer served; the topic's part is cut so that the whole stays within 255 characters. */
export function retiredFolderName(
  topic: string,
  partition: number,
  state: 'delete' | 'stray',
  uuidHex: string,
): string {
  const ending = `-${partition}.${uuidHex}-${state}`
  return topic.slice(0, LONGEST_NAME - ending.length) + ending
}

/** 32 hex digits of a UUID in its 22-character form. */
export function uuidHex(uuid: string): string {
  return Buffer.from(uuid, 'base64url').toString('hex')
}
