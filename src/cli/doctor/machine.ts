/** What a broker needs of the machine it runs on: room, open files, a clock, a disk that syncs. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { VERSION } from '../version.ts'
import { type Finding, fine, trouble, warning } from './finding.ts'

const GIB = 1024 ** 3
/** Below, a busy broker fills the disk before anybody looks. */
const FREE_BYTES_WANTED = 2 * GIB
const FREE_SHARE_WANTED = 0.05
/** Three files of each of some thousand partitions, and some thousand connections. */
const OPEN_FILES_WANTED = 10_000
const SYNCS = 5
const SLOW_SYNC_MS = 50
const MEMORY_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x01021994, 'tmpfs'],
  [0x858458f6, 'ramfs'],
])
const NETWORK_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB'],
])
/** Written once, to have a hint; the I/O lab measures. */
const SPEED_BYTES = 32 * 1024 * 1024
const SLOW_BYTES_PER_SECOND = 20 * 1024 * 1024
const EARLIEST_SANE_MS = Date.UTC(2025, 0)

export async function inspectMachine(dataDirectory: string): Promise<Finding[]> {
  const folder = existing(resolve(dataDirectory))
  return [
    fine('version', `this is samsa ${VERSION} on bun ${Bun.version}, ${process.platform} ${process.arch}`),
    ...[clockFinding(), openFilesFinding(), roomFinding(folder), fileSystemFinding(folder)],
    ...deviceFindings(folder),
  ]
}

/** The folder itself, or where it will be made. */
function existing(path: string): string {
  return existsSync(path) ? path : existing(dirname(path))
}

function clockFinding(): Finding {
  const now = new Date()
  const isSane = now.getTime() > EARLIEST_SANE_MS
  return {
    check: 'clock',
    level: isSane ? 'ok' : 'problem',
    what: `this machine's clock says ${now.toISOString()}`,
    advice: isSane ? null : 'Set it: retention and sessions go by the clock.',
  }
}

function openFilesFinding(): Finding {
  const limit = openFilesLimit()
  if (limit === null)
    return { check: 'open files', level: 'ok', what: 'the limit of open files is not known', advice: null }
  const isEnough = limit >= OPEN_FILES_WANTED
  return {
    check: 'open files',
    level: isEnough ? 'ok' : 'warning',
    what: `a process may open ${limit} files`,
    advice: isEnough ? null : `Every partition keeps one or more open: raise it with ulimit -n ${OPEN_FILES_WANTED}.`,
  }
}

function openFilesLimit(): number | null {
  try {
    const line = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'latin1'))
    return line === null ? null : line[1] === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(line[1])
  } catch {
    return null // not Linux
  }
}

function roomFinding(folder: string): Finding {
  const { bsize, bavail, blocks } = statfsSync(folder)
  const free = bsize * bavail
  // A file system without blocks, such as /proc, has no room at all.
  const share = blocks === 0 ? 0 : bavail / blocks
  const isEnough = free >= FREE_BYTES_WANTED && share >= FREE_SHARE_WANTED
  return {
    check: 'disk',
    level: isEnough ? 'ok' : 'warning',
    what: `${folder} has ${(free / GIB).toFixed(1)} GiB free (${Math.round(share * 100)} %)`,
    advice: isEnough
      ? null
      : 'When it is full, records are refused until there is room: keep less (retention.ms, retention.bytes).',
  }
}

function fileSystemFinding(folder: string): Finding {
  const { type } = statfsSync(folder)
  const inMemory = MEMORY_FILE_SYSTEMS.get(type)
  const overNetwork = NETWORK_FILE_SYSTEMS.get(type)
  const name = inMemory ?? overNetwork ?? 'a local file system'
  return {
    check: 'file system',
    level: name === 'a local file system' ? 'ok' : 'warning',
    what: `${folder} is on ${name}`,
    advice:
      inMemory !== undefined
        ? 'Records are gone when the machine stops.'
        : overNetwork !== undefined
          ? 'Its locks and syncs may not hold what a broker needs; a local disk does.'
          : null,
  }
}

/** In a folder of its own, which goes again. */
function deviceFindings(folder: string): Finding[] {
  let own: string | null = null
  try {
    own = mkdtempSync(join(folder, '.samsa-doctor-'))
    return [
      syncFinding(join(own, 'sync')),
      ...(hasRoomFor(folder, SPEED_BYTES) ? [speedFinding(join(own, 'speed'))] : []),
    ]
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return [
      trouble(
        'sync',
        `${folder} cannot be written: ${reason}`,
        'Whose folder is it, and is its file system mounted to be written?',
      ),
    ]
  } finally {
    if (own !== null) rmSync(own, { recursive: true, force: true })
  }
}

function hasRoomFor(folder: string, bytes: number): boolean {
  const { bsize, bavail } = statfsSync(folder)
  return bsize * bavail > 2 * bytes
}

function syncFinding(path: string): Finding {
  const file = openSync(path, 'w')
  const times: number[] = []
  for (let round = 0; round < SYNCS; round++) {
    writeSync(file, Buffer.alloc(4096))
    const startMs = performance.now()
    fsyncSync(file)
    times.push(performance.now() - startMs)
  }
  closeSync(file)
  const median = times.sort((a, b) => a - b)[Math.floor(SYNCS / 2)]!
  const what = `a sync takes ${median.toFixed(1)} ms`
  if (median <= SLOW_SYNC_MS) return fine('sync', what)
  return warning('sync', what, 'With --durability fsync every acknowledgement waits for one; samsa lab io tells more.')
}

function speedFinding(path: string): Finding {
  const file = openSync(path, 'w')
  const startMs = performance.now()
  for (let written = 0; written < SPEED_BYTES; ) written += writeSync(file, Buffer.alloc(1024 * 1024, written & 0xff))
  fsyncSync(file)
  const perSecond = (SPEED_BYTES / (performance.now() - startMs)) * 1000
  closeSync(file)
  const what = `the disk takes about ${Math.round(perSecond / 1024 / 1024)} MiB/s`
  if (perSecond >= SLOW_BYTES_PER_SECOND) return fine('speed', what)
  return warning(
    'speed',
    what,
    'That is little for a broker; samsa lab io measures it, and finds the best way to write.',
  )
}
