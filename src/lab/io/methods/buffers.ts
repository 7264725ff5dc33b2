// The blocks that are written, and the check that all of one arrived.

import { fillWithNoise, mark } from '../pattern.ts'

/** One block per lane, each with the content of any block; the mark says which one it is at present. */
export class Blocks {
  readonly #blocks: readonly Buffer[]

  constructor(lanes: number, blockBytes: number, allocate: (bytes: number) => Buffer = Buffer.allocUnsafeSlow) {
    this.#blocks = Array.from({ length: lanes }, () => {
      const block = allocate(blockBytes)
      fillWithNoise(block)
      return block
    })
  }

  /** The block that belongs at `position`. */
  at(lane: number, position: number): Buffer {
    const block = this.#blocks[lane]!
    mark(block, position)
    return block
  }
}

/** Regular files take and give all of what they are asked for, unless there is no more room or no more file. */
export function expectBytes(count: number, wanted: number, what: 'written' | 'read'): void {
  if (count !== wanted) throw shortOf(count, wanted, what)
}

export function shortOf(count: number, wanted: number, what: 'written' | 'read'): Error {
  return Object.assign(new Error(`only ${count} of ${wanted} bytes were ${what}`), { code: 'EIO' })
}
