// Ways to read a file into memory through the page cache. Buffers come from a pool as the broker's do: fresh ones cost their page faults.

import { closeSync, openSync, read, readSync, readvSync } from 'node:fs'
import { BufferPool } from '../../../storage/buffer-pool.ts'
import { type CacheState, type Method, Refused } from '../method.ts'
import { StopWatch, type Timed, timeInFlight, timeSteps } from '../timing.ts'
import { expectBytes, shortOf } from './buffers.ts'
import { IN_FLIGHT, unmap } from './write.ts'

export const BOTH: readonly CacheState[] = ['cached', 'uncached']

const SCATTERED_BLOCKS = 8

/** The file to read, closed however the run ends. */
export async function withFile(path: string, run: (descriptor: number) => Timed | Promise<Timed>): Promise<Timed> {
  const descriptor = openSync(path, 'r')
  try {
    return await run(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

const plain: Method = {
  name: 'read',
  direction: 'read',
  does: 'readSync into a pooled buffer',
  blocks: 'chosen',
  caches: BOTH,
  run: ({ tools, extent, path, inspect }) =>
    withFile(path, (descriptor) => {
      const pool = new BufferPool()
      return timeSteps(tools.meters, extent, extent.blockBytes, (position, bytes) => {
        const buffer = pool.take(bytes)
        expectBytes(readSync(descriptor, buffer, 0, bytes, position), bytes, 'read')
        inspect?.read(position, buffer.subarray(0, bytes))
        pool.give(buffer)
      })
    }),
}

const scattered: Method = {
  name: 'preadv',
  direction: 'read',
  does: `readvSync into ${SCATTERED_BLOCKS} pooled buffers per call; its latency is that of a call`,
  blocks: 'chosen',
  caches: BOTH,
  run: ({ tools, extent, path, inspect }) =>
    withFile(path, (descriptor) => {
      const pool = new BufferPool()
      const { blockBytes } = extent
      return timeSteps(tools.meters, extent, SCATTERED_BLOCKS * blockBytes, (position, bytes) => {
        const taken: Buffer[] = []
        for (let at = 0; at < bytes; at += blockBytes) taken.push(pool.take(blockBytes))
        const views = taken.map((buffer) => buffer.subarray(0, blockBytes))
        expectBytes(readvSync(descriptor, views, position), bytes, 'read')
        for (const [index, buffer] of taken.entries()) {
          inspect?.read(position + index * blockBytes, views[index]!)
          pool.give(buffer)
        }
      })
    }),
}

const withoutWaiting: Method = {
  name: 'read-nowait',
  direction: 'read',
  does: 'preadv2(RWF_NOWAIT) into a pooled buffer: as Samsa reads what is in memory',
  blocks: 'chosen',
  caches: ['cached'],
  refusal: ({ libc }) => (libc.readCached === null ? 'needs a C library to call (preadv2)' : null),
  run: ({ tools, extent, path, inspect }) =>
    withFile(path, (descriptor) => {
      const readCached = tools.libc.readCached
      if (readCached === null) throw new Refused('needs a C library to call (preadv2)')
      const pool = new BufferPool()
      return timeSteps(tools.meters, extent, extent.blockBytes, (position, bytes) => {
        const buffer = pool.take(bytes)
        // Less than asked for is what happens to be in memory: the rest is waited for.
        const cached = Math.max(0, readCached(descriptor, buffer, 0, bytes, position))
        if (cached < bytes) readSync(descriptor, buffer, cached, bytes - cached, position + cached)
        inspect?.read(position, buffer.subarray(0, bytes))
        pool.give(buffer)
      })
    }),
}

function poolMethod(name: string, depth: number): Method {
  return {
    name,
    direction: 'read',
    does: `fs.read on the thread pool into pooled buffers, ${depth} in flight`,
    blocks: 'chosen',
    caches: BOTH,
    run: ({ tools, extent, path, inspect }) =>
      withFile(path, (descriptor) => {
        const pool = new BufferPool()
        const { blockBytes } = extent
        return timeInFlight(tools.meters, extent, depth, (_, position, done) => {
          const buffer = pool.take(blockBytes)
          read(descriptor, buffer, 0, blockBytes, position, (error, count) => {
            if (error === null) inspect?.read(position, buffer.subarray(0, blockBytes))
            pool.give(buffer)
            done(error ?? (count === blockBytes ? null : shortOf(count, blockBytes, 'read')))
          })
        })
      }),
  }
}

const mapped: Method = {
  name: 'read-mmap',
  direction: 'read',
  does: 'copied out of a shared mapping into a pooled buffer',
  blocks: 'chosen',
  caches: BOTH,
  run: ({ tools, extent, path, inspect }) => {
    const view = Bun.mmap(path, { shared: true })
    const pool = new BufferPool()
    try {
      return timeSteps(tools.meters, extent, extent.blockBytes, (position, bytes) => {
        const buffer = pool.take(bytes)
        buffer.set(view.subarray(position, position + bytes))
        inspect?.read(position, buffer.subarray(0, bytes))
        pool.give(buffer)
      })
    } finally {
      unmap(view)
    }
  },
}

const streamed: Method = {
  name: 'read-stream',
  direction: 'read',
  does: 'Bun.file(...).stream(), in the pieces it comes in; its latency is that of a piece',
  blocks: 'whole',
  caches: BOTH,
  run: async ({ tools, extent, path, inspect }) => {
    const watch = new StopWatch(tools.meters, extent.mostMs)
    let position = 0
    for await (const piece of Bun.file(path).slice(0, extent.bytes).stream()) {
      inspect?.read(position, piece)
      position += piece.length
      if (!watch.lap()) break
    }
    return watch.stop(position)
  },
}

export const READ_METHODS: readonly Method[] = [
  plain,
  scattered,
  withoutWaiting,
  poolMethod('read-pool-1', 1),
  poolMethod(`read-pool-${IN_FLIGHT}`, IN_FLIGHT),
  mapped,
  streamed,
]
