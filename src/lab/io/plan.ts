// What is measured, and in which order: pure, so that tests can look at it.

import { formatBytes } from '../report/report.ts'
import type { CacheState, Direction, Method } from './method.ts'

export interface Cell {
  readonly method: Method
  /** Null: the whole file in one go. */
  readonly blockBytes: number | null
  readonly cache: CacheState | null
}

/** Syncing needs no large file: it is the number of syncs that says something. */
const SYNC_FILE_BYTES_MAX = 64 * 1024 * 1024

const DIRECTIONS: readonly Direction[] = ['write', 'sync', 'read']
const CACHES: readonly (CacheState | null)[] = [null, 'cached', 'uncached', 'bypassed']

/** Groups of cells that compete with each other: the same direction, state of the cache and block size. */
export function planCells(methods: readonly Method[], blocks: readonly number[]): Cell[][] {
  const groups: Cell[][] = []
  for (const direction of DIRECTIONS) {
    for (const cache of CACHES) {
      const competing = methods.filter((method) => method.direction === direction && cachesOf(method).includes(cache))
      const sizes = new Set<number | null>()
      for (const { blocks: own } of competing) {
        if (own === 'chosen') for (const bytes of blocks) sizes.add(bytes)
        else sizes.add(own === 'whole' ? null : own)
      }
      for (const blockBytes of sizes) {
        const cells = competing
          .filter((method) => takes(method, blockBytes, blocks))
          .map((method) => ({ method, blockBytes, cache }))
        groups.push(cells)
      }
    }
  }
  return groups
}

function cachesOf({ caches }: Method): readonly (CacheState | null)[] {
  return caches ?? [null]
}

function takes({ blocks: own }: Method, blockBytes: number | null, chosen: readonly number[]): boolean {
  if (own === 'chosen') return blockBytes !== null && chosen.includes(blockBytes)
  return own === 'whole' ? blockBytes === null : own === blockBytes
}

/** Each round begins at another cell of every group, so that none is always the first or always the last. */
export function orderOfRound(groups: readonly (readonly Cell[])[], round: number, rounds: number): Cell[] {
  return groups.flatMap((group) => {
    const first = Math.floor((round * group.length) / rounds)
    return [...group.slice(first), ...group.slice(0, first)]
  })
}

/** Bytes of a cell's run: whole blocks within the size, at least one. */
export function extentBytes({ method, blockBytes }: Cell, sizeBytes: number): number {
  if (blockBytes === null) return sizeBytes
  const most = method.direction === 'sync' ? Math.min(sizeBytes, SYNC_FILE_BYTES_MAX) : sizeBytes
  return Math.max(1, Math.floor(most / blockBytes)) * blockBytes
}

/** What the files of a run take at most at one time: the one that is read, and one that is written. */
export function neededBytes(methods: readonly Method[], sizeBytes: number): number {
  const reads = methods.some(({ direction }) => direction === 'read')
  const writes = methods.some(({ direction }) => direction !== 'read')
  return sizeBytes * (Number(reads) + Number(writes))
}

export function cellName({ method, blockBytes, cache }: Cell): string {
  const block = blockBytes === null ? 'whole file' : formatBytes(blockBytes)
  return [method.name, block, cache].filter((part) => part !== null).join(', ')
}
