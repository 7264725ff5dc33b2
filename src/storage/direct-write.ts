// Writes past the page cache, on the thread pool. The file is at every moment a prefix of what is being written: nothing is padded, and no
// part is written before the one in front of it.

import { closeSync, constants, openSync, rmSync, write, writeSync } from 'node:fs'
import type { Libc } from './libc.ts'
import { BLOCK_BYTES, StagedBytes } from './staging.ts'

type Done = (error: unknown) => void

/**
 * Past the page cache: whole blocks by a second descriptor, opened for direct writes, the unaligned beginning and end by the ordinary
 * one. False if that is not possible, or not worth it for less than a block; then nothing was written. Throws if the beginning cannot be
 * written; everything else is told to `done`, with EINVAL where the file system takes no direct writes (the end is then not written).
 */
export function writePastCache(path: string, descriptor: number, staged: StagedBytes, done: Done): boolean {
  const { from, to } = staged
  const blocksFrom = from + ((BLOCK_BYTES - (from % BLOCK_BYTES)) % BLOCK_BYTES)
  const blocksTo = to - (to % BLOCK_BYTES)
  const direct = blocksFrom < blocksTo ? openForDirectWrites(path) : null
  if (direct === null) return false
  try {
    writeNow(descriptor, staged, from, blocksFrom)
  } catch (error) {
    closeSync(direct)
    throw error
  }
  const writeBlocks = (position: number): void => {
    const bytes = staged.view(position, blocksTo)
    write(direct, bytes, 0, bytes.length, position, (error, written) => {
      if (error === null && written > 0 && position + written < blocksTo) {
        writeBlocks(position + written)
        return
      }
      closeSync(direct)
      done(error ?? endOf(descriptor, staged, blocksTo, to, written))
    })
  }
  writeBlocks(blocksFrom)
  return true
}

/** Null if the file system takes none, or the process has no descriptor left. */
function openForDirectWrites(path: string): number | null {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_DIRECT)
  } catch {
    return null
  }
}

function endOf(descriptor: number, staged: StagedBytes, from: number, to: number, written: number): unknown {
  if (written === 0) return new Error('the device takes no more bytes')
  try {
    writeNow(descriptor, staged, from, to)
    return null
  } catch (error) {
    return error
  }
}

/** Less than a block: it stays in the page cache, which does not wait for the device. */
function writeNow(descriptor: number, staged: StagedBytes, from: number, to: number): void {
  const bytes = staged.view(from, to)
  for (let done = 0; done < bytes.length; ) {
    const written = writeSync(descriptor, bytes, done, bytes.length - done, from + done)
    if (written === 0) throw new Error('the file takes no more bytes')
    done += written
  }
}

const PROBE_BYTES = 1024 * 1024
/** The first one finds cold paths everywhere, and does not count. */
const PROBES = 7

/** Bytes per second that direct writes to a new file reach; null if they are refused. The file is removed. */
export function tryDirectWrites(path: string, calls: Libc): number | null {
  const staged = new StagedBytes()
  try {
    const descriptor = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_DIRECT)
    try {
      calls.allocateKeepingSize?.(descriptor, 0, PROBES * PROBE_BYTES)
      let beganMs = performance.now()
      for (let probe = 0; probe < PROBES; probe++) {
        if (writeSync(descriptor, staged.memory, 0, PROBE_BYTES, probe * PROBE_BYTES) < PROBE_BYTES) return null
        if (probe === 0) beganMs = performance.now()
      }
      return ((PROBES - 1) * PROBE_BYTES) / ((performance.now() - beganMs) / 1000)
    } finally {
      closeSync(descriptor)
    }
  } catch {
    return null // refused, or no space: what is not possible now is not used
  } finally {
    rmSync(path, { force: true })
  }
}
