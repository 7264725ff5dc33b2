/**
 * Measures candidates on batches: first every batch through every candidate and back, compared byte for byte, which also
 * warms up; then timed rounds.
 *
 * What must hold: a candidate that does not give every batch back has no figures. Candidates take turns within a round
 * and the order moves on from round to round, so that what else happens on the machine hits all alike. Only the calls
 * themselves are on the clock, one by one; garbage is collected between them, off the clock. One thread works, so MB/s
 * are MB/s of one core (MB: a million bytes before compression).
 */

import { type Spread, spreadOf } from '../broker/statistics.ts'
import { type CutBatch, sectionOf } from './cutting.ts'
import { type Candidate, candidateId, type Transform } from './engines/index.ts'

export interface MeasureOptions {
  readonly rounds: number
  /** How long one candidate is timed per round and direction; a pass handles at least `BATCHES_PER_PASS_MIN` batches. */
  readonly passMs: number
  readonly nowNs: () => number
  readonly collectGarbage: () => void
  /** Called often; gives the event loop a turn, and throws to end the measurement. */
  readonly breathe: (done: number, total: number, what: string) => Promise<void>
}

export interface Direction {
  readonly mbPerSecond: Spread
  readonly batchUsP50: number
  readonly batchUsP99: number
}

export interface Figures {
  /** Records sections of all batches. */
  readonly plainBytes: number
  readonly packedBytes: number
  readonly compress: Direction
  readonly decompress: Direction
}

export interface Measurement {
  readonly candidate: Candidate
  readonly outcome: Figures | { readonly failed: string }
}

const BATCHES_PER_PASS_MIN = 4
/** Results become garbage; after so many bytes of them it is collected, before the collector would do so by itself. */
const COLLECT_EVERY_BYTES = 16 * 1024 * 1024
/** Longest time without giving the event loop a turn, off the clock. */
const BREATHE_EVERY_NS = 100e6

interface Runner {
  readonly candidate: Candidate
  readonly transform: Transform
  readonly packed: readonly Buffer[]
  readonly packedBytes: number
  readonly compress: Timings
  readonly decompress: Timings
}

interface Timings {
  readonly mbPerSecond: number[]
  readonly batchNs: number[]
}

export async function measure(
  candidates: readonly Candidate[],
  batches: readonly CutBatch[],
  options: MeasureOptions,
): Promise<Measurement[]> {
  const sections = batches.map(sectionOf)
  const plainBytes = sections.reduce((sum, section) => sum + section.length, 0)
  const runners = new Map<Candidate, Runner>()
  const failures = new Map<Candidate, string>()
  const transforms: Transform[] = []
  try {
    for (const [index, candidate] of candidates.entries()) {
      const transform = candidate.engine.open(candidate.level)
      transforms.push(transform)
      const check = async (): Promise<void> =>
        options.breathe(index, candidates.length, `check ${candidateId(candidate)}`)
      const checked = await roundTrip(transform, sections, options, check)
      if (typeof checked === 'string') failures.set(candidate, checked)
      else runners.set(candidate, { candidate, transform, ...checked, compress: noTimings(), decompress: noTimings() })
    }
    await timeRounds([...runners.values()], sections, options)
    return candidates.map((candidate) => {
      const runner = runners.get(candidate)
      if (runner === undefined) return { candidate, outcome: { failed: failures.get(candidate)! } }
      const { packedBytes, compress, decompress } = runner
      const outcome = { plainBytes, packedBytes, compress: directionOf(compress), decompress: directionOf(decompress) }
      return { candidate, outcome }
    })
  } finally {
    for (const transform of transforms) transform.close()
  }
}

/** Every section there and back. The compressed ones, or a sentence about the first that did not come back. */
async function roundTrip(
  transform: Transform,
  sections: readonly Buffer[],
  options: MeasureOptions,
  breathe: () => Promise<void>,
): Promise<{ packed: Buffer[]; packedBytes: number } | string> {
  const packed: Buffer[] = []
  let packedBytes = 0
  let lastBreathNs = Number.NEGATIVE_INFINITY
  for (const [index, section] of sections.entries()) {
    if (options.nowNs() - lastBreathNs > BREATHE_EVERY_NS) {
      await breathe()
      lastBreathNs = options.nowNs()
    }
    try {
      const compressed = Buffer.from(transform.compress(section))
      if (!transform.decompress(compressed, section.length).equals(section)) return `batch ${index} came back different`
      packed.push(compressed)
      packedBytes += compressed.length
    } catch (error) {
      return `batch ${index}: ${error instanceof Error ? error.message : String(error)}`
    }
  }
  return { packed, packedBytes }
}

async function timeRounds(
  runners: readonly Runner[],
  sections: readonly Buffer[],
  options: MeasureOptions,
): Promise<void> {
  const total = options.rounds * runners.length
  for (let round = 0; round < options.rounds; round++) {
    for (let turn = 0; turn < runners.length; turn++) {
      const runner = runners[(turn + round) % runners.length]!
      const what = `round ${round + 1}/${options.rounds} ${candidateId(runner.candidate)}`
      await options.breathe(round * runners.length + turn, total, what)
      const start = Math.floor((round / options.rounds) * sections.length)
      const { transform, packed } = runner
      timePass(runner.compress, sections, start, options, (index) => transform.compress(sections[index]!))
      timePass(runner.decompress, sections, start, options, (index) =>
        transform.decompress(packed[index]!, sections[index]!.length),
      )
    }
  }
}

/** One pass over the batches from `start` on, round and round until the time is over. */
function timePass(
  timings: Timings,
  sections: readonly Buffer[],
  start: number,
  options: MeasureOptions,
  call: (index: number) => Buffer,
): void {
  const { nowNs } = options
  const limitNs = options.passMs * 1e6
  let spentNs = 0
  let plainBytes = 0
  let garbageBytes = 0
  options.collectGarbage()
  for (let done = 0; done < BATCHES_PER_PASS_MIN || spentNs < limitNs; done++) {
    const index = (start + done) % sections.length
    const beforeNs = nowNs()
    const result = call(index)
    const tookNs = nowNs() - beforeNs
    spentNs += tookNs
    plainBytes += sections[index]!.length
    timings.batchNs.push(tookNs)
    garbageBytes += result.length
    if (garbageBytes < COLLECT_EVERY_BYTES) continue
    garbageBytes = 0
    options.collectGarbage()
  }
  // Bytes per nanosecond are thousands of MB per second.
  timings.mbPerSecond.push((plainBytes / Math.max(1, spentNs)) * 1000)
}

function noTimings(): Timings {
  return { mbPerSecond: [], batchNs: [] }
}

function directionOf({ mbPerSecond, batchNs }: Timings): Direction {
  return {
    mbPerSecond: spreadOf(mbPerSecond),
    batchUsP50: percentile(batchNs, 0.5) / 1000,
    batchUsP99: percentile(batchNs, 0.99) / 1000,
  }
}

/** The value that `share` (0..1) of the values do not exceed; NaN of nothing. */
export function percentile(values: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(values).sort()
  if (sorted.length === 0) return Number.NaN
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))]!
}
