// What a method of the lab is: one way to write, read or sync, measured like all the others.

import type { Libc } from '../../storage/libc.ts'
import type { Kernel } from './kernel.ts'
import type { SinkProcess } from './sink.ts'
import type { Extent, Meters, Timed } from './timing.ts'

export type Direction = 'write' | 'read' | 'sync'

/** What a read finds: all in the page cache, nothing of it, or it does not look there at all. */
export type CacheState = 'cached' | 'uncached' | 'bypassed'

export interface Tools {
  readonly meters: Meters
  readonly libc: Libc
  readonly kernel: Kernel
  /** A process of its own that takes bytes from a socket; started when first wanted. */
  sink(): Promise<SinkProcess>
}

export interface Work {
  readonly tools: Tools
  readonly extent: Extent
  /** Writes and syncs: a file that does not exist yet, and is removed afterwards. Reads: the file to read, at least `bytes` long. */
  readonly path: string
  /** Reads only, and only when their content is checked. */
  readonly inspect: Inspection | null
}

export interface Inspection {
  /** Every byte that was read, in any order; the bytes may change afterwards. */
  read(position: number, bytes: Uint8Array): void
  /** What arrived in another process: so many bytes from the beginning of the file on, with this CRC-32C. */
  arrived(bytes: number, checksum: number): void
}

export interface Method {
  /** Unique among all methods. */
  readonly name: string
  readonly direction: Direction
  /** One line. */
  readonly does: string
  /** `chosen`: those the user wants; `whole`: the whole file in one go, because the method takes no block size; or its own. */
  readonly blocks: 'chosen' | 'whole' | number
  /** Reads: the states it is measured in. */
  readonly caches?: readonly CacheState[]
  /** Why it cannot run here with such blocks, as far as that is known before trying. */
  refusal?(tools: Tools, blockBytes: number): string | null
  run(work: Work): Timed | Promise<Timed>
}

/** The file system or the platform does not do this: a row says so, and the others go on. */
export class Refused extends Error {
  override readonly name = 'Refused'
}

const REFUSALS = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])

/** The reason if an error is a refusal, null if something is wrong. */
export function refusalOf(error: unknown): string | null {
  if (error instanceof Refused) return error.message
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && REFUSALS.has(code) ? `the file system refuses it (${code})` : null
}
