// Ways around the page cache: O_DIRECT, from and into memory that the device can reach.

import { closeSync, constants, openSync, read, readSync, write } from 'node:fs'
import { DIRECT_ALIGNMENT_BYTES } from '../kernel.ts'
import { type Method, Refused, type Tools, type Work } from '../method.ts'
import { type Timed, timeInFlight, timeSteps } from '../timing.ts'
import { Blocks, expectBytes, shortOf } from './buffers.ts'
import { IN_FLIGHT, preallocate, withNewFile, writeBlocks, writeInPool } from './write.ts'

function refusal(tools: Tools, blockBytes: number): string | null {
  if (blockBytes % DIRECT_ALIGNMENT_BYTES !== 0) return `blocks must be multiples of ${DIRECT_ALIGNMENT_BYTES} bytes`
  if (constants.O_DIRECT === undefined) return 'this platform has no O_DIRECT'
  return tools.kernel.alignedBuffer === null ? 'needs a C library to call (aligned memory)' : null
}

function aligned(tools: Tools): (bytes: number) => Buffer {
  const allocate = tools.kernel.alignedBuffer
  if (allocate === null) throw new Refused('needs a C library to call (aligned memory)')
  return allocate
}

/** The file is made first: some file systems refuse to create and to bypass the cache in one call. */
async function withDirectFile(
  work: Work,
  reserve: boolean,
  run: (descriptor: number) => Timed | Promise<Timed>,
): Promise<Timed> {
  return withNewFile(work.path, async (buffered) => {
    if (reserve) preallocate(work, buffered)
    return withDirect(work.path, constants.O_RDWR, run)
  })
}

async function withDirect(
  path: string,
  flags: number,
  run: (descriptor: number) => Timed | Promise<Timed>,
): Promise<Timed> {
  const descriptor = openSync(path, flags | constants.O_DIRECT)
  try {
    return await run(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function syncMethod(name: string, does: string, reserve: boolean): Method {
  return {
    name,
    direction: 'write',
    does,
    blocks: 'chosen',
    refusal,
    run: (work) =>
      withDirectFile(work, reserve, (descriptor) =>
        writeBlocks(work, descriptor, new Blocks(1, work.extent.blockBytes, aligned(work.tools))),
      ),
  }
}

const staged: Method = {
  name: 'write-direct-staged',
  direction: 'write',
  does: 'copied into an aligned buffer, written there with O_DIRECT by the thread pool, 1 in flight, space reserved: as Samsa does with large appends',
  blocks: 'chosen',
  refusal,
  run: (work) =>
    withDirectFile(work, true, (descriptor) => {
      const { tools, extent } = work
      const { blockBytes } = extent
      const blocks = new Blocks(1, blockBytes)
      const staging = aligned(tools)(blockBytes)
      return timeInFlight(tools.meters, extent, 1, (_, position, done) => {
        blocks.at(0, position).copy(staging)
        write(descriptor, staging, 0, blockBytes, position, (error, count) => {
          done(error ?? (count === blockBytes ? null : shortOf(count, blockBytes, 'written')))
        })
      })
    }),
}

const pooled: Method = {
  name: `write-direct-pool-${IN_FLIGHT}`,
  direction: 'write',
  does: `fs.write with O_DIRECT on the thread pool, ${IN_FLIGHT} in flight, space reserved`,
  blocks: 'chosen',
  refusal,
  run: (work) =>
    withDirectFile(work, true, (descriptor) =>
      writeInPool(work, descriptor, IN_FLIGHT, new Blocks(IN_FLIGHT, work.extent.blockBytes, aligned(work.tools))),
    ),
}

const readDirect: Method = {
  name: 'read-direct',
  direction: 'read',
  does: 'readSync with O_DIRECT into an aligned buffer',
  blocks: 'chosen',
  caches: ['bypassed'],
  refusal,
  run: ({ tools, extent, path, inspect }) =>
    withDirect(path, constants.O_RDONLY, (descriptor) => {
      const buffer = aligned(tools)(extent.blockBytes)
      return timeSteps(tools.meters, extent, extent.blockBytes, (position, bytes) => {
        expectBytes(readSync(descriptor, buffer, 0, bytes, position), bytes, 'read')
        inspect?.read(position, buffer)
      })
    }),
}

const readDirectInPool: Method = {
  name: `read-direct-pool-${IN_FLIGHT}`,
  direction: 'read',
  does: `fs.read with O_DIRECT on the thread pool, ${IN_FLIGHT} in flight`,
  blocks: 'chosen',
  caches: ['bypassed'],
  refusal,
  run: ({ tools, extent, path, inspect }) =>
    withDirect(path, constants.O_RDONLY, (descriptor) => {
      const { blockBytes } = extent
      const buffers = Array.from({ length: IN_FLIGHT }, () => aligned(tools)(blockBytes))
      return timeInFlight(tools.meters, extent, IN_FLIGHT, (lane, position, done) => {
        const buffer = buffers[lane]!
        read(descriptor, buffer, 0, blockBytes, position, (error, count) => {
          if (error === null) inspect?.read(position, buffer)
          done(error ?? (count === blockBytes ? null : shortOf(count, blockBytes, 'read')))
        })
      })
    }),
}

export const DIRECT_WRITE_METHODS: readonly Method[] = [
  syncMethod('write-direct', 'writeSync with O_DIRECT from an aligned buffer', false),
  syncMethod('write-direct-preallocated', 'the same into space reserved by fallocate(KEEP_SIZE)', true),
  staged,
  pooled,
]

export const DIRECT_READ_METHODS: readonly Method[] = [readDirect, readDirectInPool]
