/**
 * What the figures mean, in plain words: what this disk can take, and which settings of a broker on it follow. Pure: rows in,
 * sentences out; every rule is a function of its own with its thresholds named, and says nothing where its rows are missing.
 *
 * What must hold: a recommendation carries the figures it was computed from, so that a reader can disagree with it.
 */
import { formatBytes, formatNumber } from '../report/report.ts'
import type { Figures, Row } from './figures.ts'

export interface Recommendation {
  readonly setting: string
  readonly value: string
  readonly reason: string
}

export interface Reading {
  readonly findings: readonly string[]
  readonly recommendations: readonly Recommendation[]
}

const KIB = 1024
const MIB = 1024 * KIB

/** Direct writing must be that much faster than buffered, or buffered than direct, to count: less is noise. */
const CLEARLY_FASTER = 1.1
/** From which block on Samsa may write directly. */
const LARGE_APPEND_BYTES = 64 * KIB
/** The longest that an acknowledgement may wait for its sync, once in a hundred times. */
const FSYNC_P99_MS_MAX = 10
/** The fewest commits of waiting writers that make syncing each worth recommending. */
const FSYNC_COMMITS_PER_SECOND_MIN = 10_000
/** No device answers so fast: nothing was synced. */
const NO_DEVICE_SYNC_US = 10
/** A batch is large enough when it gets this share of the best throughput, or all that the device takes in the long run. */
const ENOUGH_THROUGHPUT_SHARE = 0.8
const KAFKA_BATCH_BYTES = 16 * KIB
const KAFKA_SEGMENT_BYTES = 1024 * MIB
const SMALLEST_SEGMENT_BYTES = 64 * MIB
/** After a kill a segment may have to be read whole. */
const SEGMENT_SCAN_SECONDS = 1
/** Files that are synced when a segment is full, and the share of the time to fill one that this may take. */
const SYNCS_PER_ROLL = 4
const ROLL_TIME_SHARE = 0.01

const BUFFERED = ['write', 'writev', 'write-preallocated'] as const
const STAGED = 'write-direct-staged'
const DIRECT = ['write-direct', 'write-direct-preallocated', STAGED, 'write-direct-pool-8'] as const

/** A row that has figures. */
interface Measured extends Row {
  readonly figures: Figures
}

export function readingOf(rows: readonly Row[]): Reading {
  const measured = rows.filter((row): row is Measured => row.figures !== null)
  const findings = [
    writesFinding(measured),
    readsFinding(measured),
    syncFinding(measured),
    gatheringFinding(measured),
    comparisonFinding(measured, 'write-preallocated', 'Reserving space first (fallocate)'),
    comparisonFinding(measured, 'write-recycled', 'Writing over an old file whose pages are in memory'),
    comparisonFinding(measured, 'write-mmap', 'Writing through a mapping'),
    sendFinding(measured),
  ]
  const recommendations = [writeMode(rows, measured), durability(measured), batchSize(measured), segmentBytes(measured)]
  return {
    findings: findings.filter((finding) => finding !== null),
    recommendations: recommendations.filter((recommendation) => recommendation !== null),
  }
}

// ---- what the disk can take ------------------------------------------------------------------------------------------------

function writesFinding(rows: readonly Measured[]): string | null {
  const writes = rows.filter(({ direction }) => direction === 'write')
  const accepted = best(writes, acceptedRate)
  const onDevice = best(writes, deviceRate)
  if (accepted === null || onDevice === null) return null
  return (
    `Appends are taken at up to ${rate(acceptedRate(accepted))} (${place(accepted)}), and are on the device at up to ` +
    `${rate(deviceRate(onDevice))} (${place(onDevice)}): load above the second figure is lent by memory, and only for a while.`
  )
}

function readsFinding(rows: readonly Measured[]): string | null {
  const reads = rows.filter(({ direction, method }) => direction === 'read' && !method.startsWith('send-'))
  const cached = best(
    reads.filter(({ cache }) => cache === 'cached'),
    acceptedRate,
  )
  const cold = best(
    reads.filter(({ cache }) => cache !== 'cached'),
    acceptedRate,
  )
  const parts = [
    cached === null ? null : `${rate(acceptedRate(cached))} from memory (${place(cached)})`,
    cold === null ? null : `${rate(acceptedRate(cold))} from the device (${place(cold)})`,
  ].filter((part) => part !== null)
  return parts.length === 0 ? null : `Sequential reading comes to ${parts.join(' and ')}.`
}

function syncFinding(rows: readonly Measured[]): string | null {
  const alone = smallestBlock(rows, 'fdatasync')
  const together = largestGroup(rows)
  if (alone === null || together === null) return null
  const { p50, p99 } = alone.figures.latencyUs
  return (
    `One fdatasync takes ${micros(p50)} (p99 ${micros(p99)}); ${writersOf(together)} writers that share them get ` +
    `${formatNumber(together.figures.operationsPerSecond.median)} commits/s, 99 % of them within ${micros(together.figures.latencyUs.p99)}.`
  )
}

function gatheringFinding(rows: readonly Measured[]): string | null {
  const alone = smallestBlock(rows, 'write')
  const gathered = rows.find((row) => row.method === 'writev' && row.blockBytes === alone?.blockBytes)
  if (alone === null || gathered === undefined) return null
  const times = acceptedRate(gathered) / acceptedRate(alone)
  return `Many blocks of ${formatBytes(alone.blockBytes ?? 0)} in one writev are ${formatNumber(times)} times as fast as one by one.`
}

function comparisonFinding(rows: readonly Measured[], method: string, what: string): string | null {
  const other = largestBlock(rows, method)
  const plain = rows.find((row) => row.method === 'write' && row.blockBytes === other?.blockBytes)
  if (other === null || plain === undefined) return null
  const times = acceptedRate(other) / acceptedRate(plain)
  const verdict = times >= CLEARLY_FASTER ? 'pays' : times <= 1 / CLEARLY_FASTER ? 'costs' : 'makes no clear difference'
  return `${what} ${verdict} at ${formatBytes(other.blockBytes ?? 0)}: ${formatNumber(times)} times the throughput of a plain write.`
}

function sendFinding(rows: readonly Measured[]): string | null {
  const sent = rows.filter(({ method, cache }) => method.startsWith('send-') && cache === 'cached')
  const fastest = best(sent, acceptedRate)
  const cheapest = best(sent, ({ figures }) => 1 / figures.cpuSecondsPerGb)
  if (fastest === null || cheapest === null) return null
  return (
    `From memory to a socket ${place(fastest)} is the fastest (${rate(acceptedRate(fastest))}) and ${place(cheapest)} the cheapest ` +
    `(${formatNumber(cheapest.figures.cpuSecondsPerGb)} CPU s/GB).`
  )
}

// ---- which settings follow -------------------------------------------------------------------------------------------------

/**
 * Sustained rates decide, because a page cache that runs ahead of its device must wait for it in the end. Whatever the mode, Samsa
 * writes small appends through the page cache, so only blocks that it would write directly are compared; and the best of each side,
 * because a broker has several partitions under way where a method here has one file.
 */
function writeMode(all: readonly Row[], rows: readonly Measured[]): Recommendation | null {
  const setting = 'samsa.write.mode'
  const tried = all.filter(isDirect)
  const [first] = tried
  if (first?.refused != null && tried.every(({ refused }) => refused !== null)) {
    return { setting, value: 'buffered', reason: `direct I/O is not to be had here: ${first.refused}` }
  }
  const largest = best(rows.filter(isDirect), ({ blockBytes }) => blockBytes ?? 0)?.blockBytes ?? 0
  const direct = best(
    rows.filter((row) => isDirect(row) && row.blockBytes === largest),
    deviceRate,
  )
  if (direct === null || largest < LARGE_APPEND_BYTES) return null
  const buffered = best(
    rows.filter((row) => isBuffered(row) && row.blockBytes === largest),
    deviceRate,
  )
  if (buffered === null) return null
  const times = deviceRate(direct) / deviceRate(buffered)
  const [directCpu, bufferedCpu] = [direct.figures.cpuSecondsPerGb, buffered.figures.cpuSecondsPerGb]
  const figures =
    `at ${formatBytes(largest)} ${direct.method} puts ${rate(deviceRate(direct))} on the device for ${formatNumber(directCpu)} CPU s/GB, ` +
    `${buffered.method} ${rate(deviceRate(buffered))} for ${formatNumber(bufferedCpu)}`
  if (times >= CLEARLY_FASTER) return { setting, value: 'direct', reason: `${figures}: large appends gain from it` }
  if (times <= 1 / CLEARLY_FASTER) return { setting, value: 'buffered', reason: `${figures}: direct is slower` }
  return {
    setting,
    value: 'auto',
    reason: `${figures}: no clear difference, so leave it to what the broker finds at start`,
  }
}

function durability(rows: readonly Measured[]): Recommendation | null {
  const setting = '--durability'
  const together = largestGroup(rows)
  if (together === null) return null
  const alone = smallestBlock(rows, 'fdatasync') ?? together
  const { latencyUs, operationsPerSecond } = together.figures
  if (alone.figures.latencyUs.p50 < NO_DEVICE_SYNC_US) {
    const reason = `a sync returns after ${micros(alone.figures.latencyUs.p50)}: no device is behind it, so it promises nothing`
    return { setting, value: 'os', reason }
  }
  const figures =
    `${writersOf(together)} waiting writers get ${formatNumber(operationsPerSecond.median)} commits/s, 99 % of them within ` +
    `${micros(latencyUs.p99)} (the bounds are ${formatNumber(FSYNC_COMMITS_PER_SECOND_MIN)}/s and ${FSYNC_P99_MS_MAX} ms)`
  const isAffordable =
    latencyUs.p99 <= FSYNC_P99_MS_MAX * 1000 && operationsPerSecond.median >= FSYNC_COMMITS_PER_SECOND_MIN
  if (isAffordable) return { setting, value: 'fsync', reason: `${figures}: surviving a power cut costs little here` }
  return { setting, value: 'os', reason: `${figures}: syncing before each acknowledgement would be felt` }
}

/** Of one append per batch, in the way that is the fastest for its size: the broker chooses between the two. */
function batchSize(rows: readonly Measured[]): Recommendation | null {
  const rates = new Map<number, number>()
  for (const row of rows.filter(({ method }) => method === 'write' || method === STAGED)) {
    if (row.blockBytes === null) continue
    rates.set(row.blockBytes, Math.max(rates.get(row.blockBytes) ?? 0, acceptedRate(row)))
  }
  if (rates.size < 2) return null
  const ascending = [...rates].toSorted(([a], [b]) => a - b)
  const highest = Math.max(...rates.values())
  const onDevice = best(
    rows.filter(({ direction }) => direction === 'write'),
    deviceRate,
  )
  const lasting = onDevice === null ? highest : deviceRate(onDevice)
  const wanted = Math.min(ENOUGH_THROUGHPUT_SHARE * highest, lasting)
  const [enough, enoughRate] = ascending.find(([, value]) => value >= wanted) ?? ascending.at(-1)!
  const share = `${((enoughRate / highest) * 100).toFixed(0)} % of the best of all sizes`
  const reason = `appends of ${formatBytes(enough)} come to ${rate(enoughRate)}, ${enoughRate < lasting ? share : `no less than the ${rate(lasting)} that the device takes in the long run`}`
  const setting = 'batch.size (producer)'
  if (enough <= KAFKA_BATCH_BYTES) {
    return {
      setting,
      value: String(KAFKA_BATCH_BYTES),
      reason: `${reason}: the default is enough as far as the disk goes`,
    }
  }
  return {
    setting,
    value: String(enough),
    reason: `${reason}; the default of ${formatBytes(KAFKA_BATCH_BYTES)} is too small for this disk`,
  }
}

/** As large as can be read in a second after a kill, but not so small that rolling costs more than a hundredth of the time. */
function segmentBytes(rows: readonly Measured[]): Recommendation | null {
  const cold = best(
    rows.filter(
      ({ direction, cache, method }) => direction === 'read' && cache !== 'cached' && !method.startsWith('send-'),
    ),
    acceptedRate,
  )
  if (cold === null) return null
  const scanned = acceptedRate(cold) * 1e6 * SEGMENT_SCAN_SECONDS
  const onDevice = best(
    rows.filter(({ direction }) => direction === 'write'),
    deviceRate,
  )
  const sync = smallestBlock(rows, 'fdatasync')
  const rollSeconds = sync === null ? 0 : (sync.figures.latencyUs.p50 / 1e6) * SYNCS_PER_ROLL
  const worthRolling = onDevice === null ? 0 : (rollSeconds / ROLL_TIME_SHARE) * deviceRate(onDevice) * 1e6
  const wanted = Math.max(scanned, worthRolling)
  const bytes = Math.min(KAFKA_SEGMENT_BYTES, Math.max(SMALLEST_SEGMENT_BYTES, powerOfTwoBelow(wanted)))
  const limit =
    worthRolling > scanned
      ? `a smaller one would spend more than ${ROLL_TIME_SHARE * 100} % of the time it takes to fill on syncing it (${micros((rollSeconds / SYNCS_PER_ROLL) * 1e6)} each)`
      : `what a kill leaves unchecked is read at ${rate(acceptedRate(cold))}, so a segment takes ${formatNumber(bytes / 1e6 / acceptedRate(cold))} s`
  return { setting: 'log.segment.bytes', value: String(bytes), reason: `${formatBytes(bytes)}: ${limit}` }
}

// ---- helpers ---------------------------------------------------------------------------------------------------------------

function acceptedRate({ figures }: Measured): number {
  return figures.throughput.median
}

function deviceRate({ figures }: Measured): number {
  return figures.onDevice?.median ?? 0
}

function isBuffered({ method }: Row): boolean {
  return BUFFERED.some((name) => name === method)
}

function isDirect({ method }: Row): boolean {
  return DIRECT.some((name) => name === method)
}

function best(rows: readonly Measured[], by: (row: Measured) => number): Measured | null {
  let found: Measured | null = null
  for (const row of rows) if (found === null || by(row) > by(found)) found = row
  return found
}

function smallestBlock(rows: readonly Measured[], method: string): Measured | null {
  return best(
    rows.filter((row) => row.method === method),
    ({ blockBytes }) => -(blockBytes ?? 0),
  )
}

function largestBlock(rows: readonly Measured[], method: string): Measured | null {
  return best(
    rows.filter((row) => row.method === method),
    ({ blockBytes }) => blockBytes ?? 0,
  )
}

function largestGroup(rows: readonly Measured[]): Measured | null {
  return best(
    rows.filter(({ method }) => method.startsWith('group-')),
    writersOf,
  )
}

function writersOf({ method }: Row): number {
  return Number(method.slice('group-'.length))
}

function place({ method, blockBytes }: Row): string {
  return blockBytes === null ? method : `${method}, ${formatBytes(blockBytes)}`
}

function rate(megabytesPerSecond: number): string {
  return `${formatNumber(megabytesPerSecond)} MB/s`
}

function micros(us: number): string {
  return us >= 1000 ? `${formatNumber(us / 1000)} ms` : `${formatNumber(us)} us`
}

function powerOfTwoBelow(value: number): number {
  return value < 1 ? 0 : 2 ** Math.floor(Math.log2(value))
}
