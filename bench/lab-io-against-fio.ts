/**
 * The I/O lab beside fio, which measures the same things and is widely trusted: `bun bench/lab-io-against-fio.ts --path DIR`.
 * Both do the same job on the same disk in turn, each first in every other round; the ratio compares medians. Needs `fio` (Debian package).
 *
 *   --path DIR     folder on the disk to measure
 *   --rounds N     rounds (default 7)
 *   --size MIB     length of the files (default 256)
 *   --only NAME    jobs whose name begins with NAME
 *   --json FILE    all rounds as JSON
 *
 * What makes the jobs the same: files grow as they are written (create_on_open: otherwise fio gives them their length first), no space is
 * reserved unless said, one buffer is written over and over with a few bytes changed (scramble_buffers), no hints about the order
 * of access (fadvise_hint=0), one reading of the clock per operation (gtod_reduce: four cost as much as a cached read of 4 KiB), and files
 * to read or to map are made here, in the same way for both: fio would write a file to be mapped once before it writes it.
 */
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  fdatasyncSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { spreadOf } from '../src/lab/io/figures.ts'
import { loadKernel } from '../src/lab/io/kernel.ts'
import type { CacheState, Tools } from '../src/lab/io/method.ts'
import { METHODS } from '../src/lab/io/methods/index.ts'
import { fillWithNoise, mark, READ_MARK_BYTES } from '../src/lab/io/pattern.ts'
import { realCpuMs } from '../src/lab/io/timing.ts'
import { realClock } from '../src/storage/clock-real.ts'
import { libc } from '../src/storage/libc.ts'

const { values: flags } = parseArgs({
  options: {
    path: { type: 'string' },
    rounds: { type: 'string', default: '7' },
    size: { type: 'string', default: '256' },
    only: { type: 'string', default: '' },
    json: { type: 'string' },
  },
})
if (flags.path === undefined) throw new Error('--path is missing')
const KIB = 1024
const MIB = 1024 * KIB
const rounds = Number(flags.rounds)
const sizeBytes = Number(flags.size) * MIB
/** Syncs are slow: fewer of them. */
const SYNC_BYTES = 8 * MIB

const folder = mkdtempSync(join(flags.path, 'samsa-fio-'))
const readPath = join(folder, 'read')
const writePath = join(folder, 'write')
const kernel = loadKernel()
const tools: Tools = {
  meters: { clock: realClock, cpuMs: realCpuMs },
  libc: libc(),
  kernel,
  sink: () => Promise.reject(new Error('no job sends')),
}

interface Job {
  readonly method: string
  readonly blockBytes: number
  readonly cache: CacheState | null
  /** The closing fdatasync counts. */
  readonly toDevice?: true
  readonly fio: readonly string[]
}

const GROWING = ['--rw=write', '--create_on_open=1', '--fallocate=none', '--unlink=1']

function writeJobs(method: string, blocks: readonly number[], ...fio: string[]): Job[] {
  return blocks.map((blockBytes) => ({ method, blockBytes, cache: null, fio: [...GROWING, ...fio] }))
}

function readJobs(method: string, cache: CacheState, blocks: readonly number[], ...fio: string[]): Job[] {
  const invalidate = cache === 'uncached' ? '--invalidate=1' : '--invalidate=0'
  return blocks.map((blockBytes) => ({ method, blockBytes, cache, fio: ['--rw=read', invalidate, ...fio] }))
}

const BLOCKS = [4 * KIB, 64 * KIB, MIB]
const JOBS: readonly Job[] = [
  ...writeJobs('write', BLOCKS, '--ioengine=psync'),
  ...writeJobs('write', [MIB], '--ioengine=psync', '--end_fsync=1').map((job): Job => ({ ...job, toDevice: true })),
  ...writeJobs('write-direct', BLOCKS, '--ioengine=psync', '--direct=1'),
  ...writeJobs('fdatasync', [4 * KIB, 64 * KIB], '--ioengine=psync', '--fdatasync=1'),
  // A mapping needs the whole file from the beginning.
  ...BLOCKS.map(
    (blockBytes): Job => ({
      method: 'write-mmap',
      blockBytes,
      cache: null,
      fio: ['--rw=write', '--ioengine=mmap', '--fallocate=native', '--unlink=1'],
    }),
  ),
  ...readJobs('read', 'cached', BLOCKS, '--ioengine=psync'),
  ...readJobs('read', 'uncached', BLOCKS, '--ioengine=psync'),
  ...readJobs('read-direct', 'bypassed', BLOCKS, '--ioengine=psync', '--direct=1'),
  ...readJobs('read-mmap', 'cached', BLOCKS, '--ioengine=mmap'),
]

function nameOf(job: Job): string {
  const block = job.blockBytes >= MIB ? `${job.blockBytes / MIB} MiB` : `${job.blockBytes / KIB} KiB`
  return [job.method, block, job.cache, job.toDevice === true ? 'until on device' : null]
    .filter((part) => part !== null)
    .join(', ')
}

function bytesOf(job: Job): number {
  return job.method === 'fdatasync' ? SYNC_BYTES : sizeBytes
}

/** The slow ones end after this; their rate is the same. */
const MOST_SECONDS = 1

/** MB/s of fio. */
function runFio(job: Job): number {
  const isRead = job.cache !== null
  if (job.method === 'write-mmap') makeFileToMap()
  const output = execFileSync(
    'fio',
    [
      '--name=job',
      `--filename=${isRead ? readPath : writePath}`,
      `--size=${bytesOf(job)}`,
      `--bs=${job.blockBytes}`,
      `--runtime=${MOST_SECONDS}`,
      '--fadvise_hint=0',
      '--gtod_reduce=1',
      '--output-format=json',
      ...job.fio,
    ],
    { encoding: 'utf8', cwd: folder },
  )
  const result = JSON.parse(output.slice(output.indexOf('{'))) as {
    jobs: { read: { io_bytes: number; runtime: number }; write: { io_bytes: number; runtime: number } }[]
  }
  const { io_bytes: bytes, runtime: ms } = result.jobs[0]![isRead ? 'read' : 'write']
  return bytes / ms / 1000
}

/** As the lab's method makes it. */
function makeFileToMap(): void {
  const descriptor = openSync(writePath, 'w')
  tools.libc.allocateKeepingSize?.(descriptor, 0, sizeBytes)
  ftruncateSync(descriptor, sizeBytes)
  closeSync(descriptor)
}

/** MB/s of the lab's method. */
async function runLab(job: Job): Promise<number> {
  const method = METHODS.find(({ name }) => name === job.method)!
  const extent = { bytes: bytesOf(job), blockBytes: job.blockBytes, mostMs: MOST_SECONDS * 1000 }
  const path = job.cache === null ? writePath : readPath
  try {
    const { bytes, elapsedMs } = await method.run({ tools, extent, path, inspect: null })
    return bytes / (elapsedMs + (job.toDevice === true ? syncMs(path) : 0)) / 1000
  } finally {
    rmSync(writePath, { force: true })
  }
}

function syncMs(path: string): number {
  const descriptor = openSync(path, 'r+')
  const beganMs = realClock.monotonic()
  fdatasyncSync(descriptor)
  const elapsedMs = realClock.monotonic() - beganMs
  closeSync(descriptor)
  return elapsedMs
}

function writeReadFile(): void {
  const block = Buffer.allocUnsafe(READ_MARK_BYTES)
  fillWithNoise(block)
  const descriptor = openSync(readPath, 'w')
  for (let at = 0; at < sizeBytes; at += block.length) {
    mark(block, at)
    writeSync(descriptor, block, 0, block.length, at)
  }
  fdatasyncSync(descriptor)
  closeSync(descriptor)
}

function prepareCache(cache: CacheState | null): void {
  if (cache === null) return
  const descriptor = openSync(readPath, 'r')
  if (cache === 'cached') {
    const buffer = Buffer.allocUnsafe(MIB)
    for (let at = 0; at < sizeBytes; at += buffer.length) readSync(descriptor, buffer, 0, buffer.length, at)
  } else kernel.dropCached?.(descriptor)
  closeSync(descriptor)
}

async function measure(job: Job): Promise<{ fio: number[]; lab: number[] }> {
  const rates = { fio: [] as number[], lab: [] as number[] }
  const runners = { fio: runFio, lab: runLab }
  // Round 0 warms up and is not counted.
  for (let round = 0; round <= rounds; round++) {
    for (const who of round % 2 === 0 ? (['fio', 'lab'] as const) : (['lab', 'fio'] as const)) {
      prepareCache(job.cache)
      const rate = await runners[who](job)
      if (round > 0) rates[who].push(rate)
    }
  }
  return rates
}

function cell(values: readonly number[]): string {
  const { median, min, max } = spreadOf(values)
  return `${median.toFixed(0)} (${min.toFixed(0)} .. ${max.toFixed(0)})`
}

try {
  writeReadFile()
  const results: Record<string, { fio: number[]; lab: number[] }> = {}
  process.stdout.write('| job | fio, MB/s | lab, MB/s | lab / fio |\n|---|---|---|---|\n')
  for (const job of JOBS.filter((candidate) => nameOf(candidate).startsWith(flags.only))) {
    const rates = await measure(job)
    results[nameOf(job)] = rates
    const ratio = spreadOf(rates.lab).median / spreadOf(rates.fio).median
    process.stdout.write(`| ${nameOf(job)} | ${cell(rates.fio)} | ${cell(rates.lab)} | ${ratio.toFixed(2)} |\n`)
  }
  if (flags.json !== undefined) writeFileSync(flags.json, JSON.stringify(results, null, 2))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
