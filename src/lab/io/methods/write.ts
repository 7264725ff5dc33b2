// Ways to append to a file through the page cache.

import { closeSync, constants, fdatasyncSync, ftruncateSync, openSync, write, writeSync, writevSync } from 'node:fs'
import { type Method, Refused, type Work } from '../method.ts'
import { type Timed, timeInFlight, timeSteps } from '../timing.ts'
import { Blocks, expectBytes, shortOf } from './buffers.ts'

/** Blocks per writev: what a busy broker gathers in one turn, within the same bytes for every block size. */
const GATHERED_BLOCKS_MAX = 32
const GATHERED_BYTES_MAX = 4 * 1024 * 1024

export const IN_FLIGHT = 8

/** A new file for reading and writing, closed however the run ends. */
export async function withNewFile(path: string, run: (descriptor: number) => Timed | Promise<Timed>): Promise<Timed> {
  const descriptor = openSync(path, constants.O_CREAT | constants.O_EXCL | constants.O_RDWR)
  try {
    return await run(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

export function writeBlocks({ tools, extent }: Work, descriptor: number, blocks: Blocks): Timed {
  const { blockBytes } = extent
  return timeSteps(tools.meters, extent, blockBytes, (position) => {
    expectBytes(writeSync(descriptor, blocks.at(0, position), 0, blockBytes, position), blockBytes, 'written')
  })
}

/** Block after block on the thread pool, `depth` of them under way. */
export function writeInPool(work: Work, descriptor: number, depth: number, blocks: Blocks): Promise<Timed> {
  const { tools, extent } = work
  const { blockBytes } = extent
  return timeInFlight(tools.meters, extent, depth, (lane, position, done) => {
    write(descriptor, blocks.at(lane, position), 0, blockBytes, position, (error, count) => {
      done(error ?? (count === blockBytes ? null : shortOf(count, blockBytes, 'written')))
    })
  })
}

export function preallocate({ tools, extent }: Work, descriptor: number): void {
  const allocate = tools.libc.allocateKeepingSize
  if (allocate === null) throw new Refused('needs a C library to call (fallocate)')
  if (!allocate(descriptor, 0, extent.bytes)) throw new Refused('the file system does not reserve space (fallocate)')
}

function poolMethod(name: string, depth: number): Method {
  return {
    name,
    direction: 'write',
    does: `fs.write on the thread pool, ${depth} in flight`,
    blocks: 'chosen',
    run: (work) =>
      withNewFile(work.path, (descriptor) =>
        writeInPool(work, descriptor, depth, new Blocks(depth, work.extent.blockBytes)),
      ),
  }
}

const plain: Method = {
  name: 'write',
  direction: 'write',
  does: 'writeSync, one block per call',
  blocks: 'chosen',
  run: (work) =>
    withNewFile(work.path, (descriptor) => writeBlocks(work, descriptor, new Blocks(1, work.extent.blockBytes))),
}

const gathered: Method = {
  name: 'writev',
  direction: 'write',
  does: `writevSync, up to ${GATHERED_BLOCKS_MAX} blocks (4 MiB) per call; its latency is that of a call`,
  blocks: 'chosen',
  run: (work) =>
    withNewFile(work.path, (descriptor) => {
      const { blockBytes } = work.extent
      const most = Math.max(1, Math.min(GATHERED_BLOCKS_MAX, Math.floor(GATHERED_BYTES_MAX / blockBytes)))
      const blocks = new Blocks(most, blockBytes)
      return timeSteps(work.tools.meters, work.extent, most * blockBytes, (position, bytes) => {
        const chunks: Buffer[] = []
        for (let at = 0; at < bytes; at += blockBytes) chunks.push(blocks.at(chunks.length, position + at))
        expectBytes(writevSync(descriptor, chunks, position), bytes, 'written')
      })
    }),
}

const preallocated: Method = {
  name: 'write-preallocated',
  direction: 'write',
  does: 'writeSync into space reserved by fallocate(KEEP_SIZE)',
  blocks: 'chosen',
  run: (work) =>
    withNewFile(work.path, (descriptor) => {
      preallocate(work, descriptor)
      return writeBlocks(work, descriptor, new Blocks(1, work.extent.blockBytes))
    }),
}

const recycled: Method = {
  name: 'write-recycled',
  direction: 'write',
  does: 'writeSync over an old file of that length, whose pages are still in memory',
  blocks: 'chosen',
  run: (work) =>
    withNewFile(work.path, (descriptor) => {
      const { bytes, blockBytes } = work.extent
      const old = Buffer.alloc(Math.min(bytes, Math.max(blockBytes, GATHERED_BYTES_MAX)), 0x5a)
      for (let at = 0; at < bytes; ) at += writeSync(descriptor, old, 0, Math.min(old.length, bytes - at), at)
      fdatasyncSync(descriptor)
      return writeBlocks(work, descriptor, new Blocks(1, blockBytes))
    }),
}

/** Space is reserved where that is possible: a full disk would end the process (SIGBUS), not the write. */
const mapped: Method = {
  name: 'write-mmap',
  direction: 'write',
  does: 'copied into a shared mapping of a file that was given its length before',
  blocks: 'chosen',
  run: (work) =>
    withNewFile(work.path, (descriptor) => {
      const { bytes, blockBytes } = work.extent
      work.tools.libc.allocateKeepingSize?.(descriptor, 0, bytes)
      ftruncateSync(descriptor, bytes)
      const view = Bun.mmap(work.path, { shared: true })
      const blocks = new Blocks(1, blockBytes)
      try {
        return timeSteps(work.tools.meters, work.extent, blockBytes, (position) => {
          view.set(blocks.at(0, position), position)
        })
      } finally {
        unmap(view)
      }
    }),
}

/** Transferring its buffer away unmaps a mapping at once; otherwise the collector does, some time. */
export function unmap(view: Uint8Array): void {
  ;(view.buffer as ArrayBuffer).transfer(0)
}

export const WRITE_METHODS: readonly Method[] = [
  plain,
  gathered,
  poolMethod('write-pool-1', 1),
  poolMethod(`write-pool-${IN_FLIGHT}`, IN_FLIGHT),
  preallocated,
  recycled,
  mapped,
]
