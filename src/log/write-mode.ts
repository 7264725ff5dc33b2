// How large appends reach the files of a data folder (`samsa.write.mode`): through the page cache, or past it by direct writes. Direct
// writes save the kernel a copy and the page cache its room, but go at the pace of the device; so they are chosen where the folder takes
// them and its device is about as fast as memory. Small appends always go through the page cache.

import { type Disk, DiskError } from '../storage/disk.ts'
import type { Logger } from '../storage/logger.ts'

export type WriteMode = 'buffered' | 'direct'
export type WantedWriteMode = WriteMode | 'auto'

/** What the page cache takes from one thread. On a slower device direct writes hold producers up, for little less work. */
const DIRECT_BYTES_PER_SECOND_MIN = 2e9

/** For less at a time a device is too slow. */
export const DIRECT_WRITE_BYTES_MIN = 256 * 1024

/** Throws a DiskError if direct writes are asked for and the folder takes none. */
export function chooseWriteMode(disk: Disk, directory: string, wanted: WantedWriteMode, logger: Logger): WriteMode {
  if (disk.kind === 'memory') return disk.directWriteSpeed(directory) === null ? 'buffered' : 'direct'
  if (wanted === 'buffered') return say(logger, directory, 'buffered', 'as configured')
  const speed = disk.directWriteSpeed(directory)
  if (speed === null) {
    const reason = 'the file system takes no direct writes'
    if (wanted === 'direct') throw new DiskError('EINVAL', directory, `samsa.write.mode=direct: ${reason}`)
    return say(logger, directory, 'buffered', reason)
  }
  const figure = `the device takes ${Math.round(speed / 1e6)} MB/s of them`
  if (wanted === 'direct') return say(logger, directory, 'direct', `as configured; ${figure}`)
  return say(logger, directory, speed >= DIRECT_BYTES_PER_SECOND_MIN ? 'direct' : 'buffered', figure)
}

function say(logger: Logger, folder: string, mode: WriteMode, reason: string): WriteMode {
  logger.info(`large appends are written ${mode === 'direct' ? 'past' : 'through'} the page cache`, {
    folder,
    mode,
    reason,
  })
  return mode
}
