// What a sync costs: one per append, and one for many writers that wait for it together.

import { fdatasync, fdatasyncSync, fsyncSync, writeSync, writevSync } from 'node:fs'
import type { Method, Work } from '../method.ts'
import { StopWatch, type Timed } from '../timing.ts'
import { Blocks, expectBytes } from './buffers.ts'
import { withNewFile } from './write.ts'

/** What each waiting writer appends: a record of 1 KiB. */
const GROUP_BLOCK_BYTES = 1024
const FILL_BYTES = 4 * 1024 * 1024

/** Writes and syncs in turn; only the sync counts as an operation's latency. */
function syncEach(work: Work, descriptor: number, sync: (descriptor: number) => void): Timed {
  const { tools, extent } = work
  const { bytes, blockBytes } = extent
  const blocks = new Blocks(1, blockBytes)
  const watch = new StopWatch(tools.meters, extent.mostMs)
  let position = 0
  while (position < bytes) {
    expectBytes(writeSync(descriptor, blocks.at(0, position), 0, blockBytes, position), blockBytes, 'written')
    position += blockBytes
    const beganMs = watch.now()
    sync(descriptor)
    if (!watch.ended(beganMs)) break
  }
  return watch.stop(position)
}

function aloneMethod(name: string, does: string, sync: (descriptor: number) => void): Method {
  return {
    name,
    direction: 'sync',
    does,
    blocks: 'chosen',
    run: (work) => withNewFile(work.path, (descriptor) => syncEach(work, descriptor, sync)),
  }
}

const allocated: Method = {
  name: 'fdatasync-allocated',
  direction: 'sync',
  does: 'writeSync, then fdatasync, over a file that was written before: nothing but data to sync',
  blocks: 'chosen',
  run: (work) =>
    withNewFile(work.path, (descriptor) => {
      // Reserving space is not enough: the first write to a reserved block changes what the file system knows of it.
      const zeros = Buffer.alloc(Math.min(work.extent.bytes, FILL_BYTES))
      for (let at = 0; at < work.extent.bytes; ) {
        at += writeSync(descriptor, zeros, 0, Math.min(zeros.length, work.extent.bytes - at), at)
      }
      fdatasyncSync(descriptor)
      return syncEach(work, descriptor, fdatasyncSync)
    }),
}

/**
 * Group commit: all waiting writers append with one writev, one sync on the thread pool covers them, then each has its next record.
 * A writer's latency runs from its append to the end of that sync.
 */
function commitTogether(work: Work, descriptor: number, writers: number): Promise<Timed> {
  const { tools, extent } = work
  const { bytes, blockBytes } = extent
  const blocks = new Blocks(writers, blockBytes)
  const watch = new StopWatch(tools.meters, extent.mostMs)
  const { promise, resolve, reject } = Promise.withResolvers<Timed>()
  let position = 0
  const round = (): void => {
    const count = Math.min(writers, (bytes - position) / blockBytes)
    const chunks = Array.from({ length: count }, (_, writer) => blocks.at(writer, position + writer * blockBytes))
    const beganMs = watch.now()
    expectBytes(writevSync(descriptor, chunks, position), count * blockBytes, 'written')
    position += count * blockBytes
    fdatasync(descriptor, (error) => {
      if (error !== null) return reject(error)
      let mayGoOn = true
      for (let writer = 0; writer < count; writer++) if (!watch.ended(beganMs)) mayGoOn = false
      if (!mayGoOn || position >= bytes) return resolve(watch.stop(position))
      try {
        round()
      } catch (failure) {
        reject(failure)
      }
    })
  }
  round()
  return promise
}

function groupMethod(writers: number): Method {
  return {
    name: `group-${writers}`,
    direction: 'sync',
    does: `${writers} waiting ${writers === 1 ? 'writer' : 'writers'} of 1 KiB, one shared fdatasync on the thread pool at a time: as Samsa with durability fsync`,
    blocks: GROUP_BLOCK_BYTES,
    run: (work) => withNewFile(work.path, (descriptor) => commitTogether(work, descriptor, writers)),
  }
}

export const SYNC_METHODS: readonly Method[] = [
  aloneMethod('fsync', 'writeSync, then fsync, each block', fsyncSync),
  aloneMethod('fdatasync', 'writeSync, then fdatasync, each block', fdatasyncSync),
  allocated,
  groupMethod(1),
  groupMethod(8),
  groupMethod(64),
]
