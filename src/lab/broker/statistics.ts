/** Figures out of rounds: medians, ratios between targets with their spread, and what a target spent. */
import type { Round } from './measure.ts'
import type { Target } from './target.ts'
import type { Figure, Workload } from './workload.ts'

/** The middle one; of an even number, the mean of the two in the middle. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).toSorted((a, b) => a - b)
  if (sorted.length === 0) return Number.NaN
  const middle = sorted.length / 2
  return Number.isInteger(middle) ? (sorted[middle - 1]! + sorted[middle]!) / 2 : sorted[Math.floor(middle)]!
}

export interface Spread {
  readonly median: number
  readonly low: number
  readonly high: number
}

export function spreadOf(values: readonly number[]): Spread {
  const usable = values.filter((value) => !Number.isNaN(value))
  if (usable.length === 0) return { median: Number.NaN, low: Number.NaN, high: Number.NaN }
  return { median: median(usable), low: Math.min(...usable), high: Math.max(...usable) }
}

/**
 * `one` against `other`: the ratio of the medians, and the lowest and highest ratio of two rounds that ran beside each
 * other. Alternation makes those pairs comparable when the machine is busy with something else for a while.
 */
export function ratioOf(one: readonly number[], other: readonly number[]): Spread {
  const pairs = one.slice(0, other.length).map((value, index) => value / other[index]!)
  const { low, high } = spreadOf(pairs)
  return { median: median(one) / median(other), low, high }
}

export function roundsOf(rounds: readonly Round[], workload: Workload, target: Target): Round[] {
  return rounds.filter((round) => round.workload === workload.name && round.target === target.name)
}

export function valuesOf(rounds: readonly Round[], figure: Figure): number[] {
  return rounds.map((round) => figure.of(round))
}

/** Broker CPU seconds per GB (10^9 bytes of batches) that went in or out. NaN for a broker that is not here. */
export function cpuPerGigabyte({ broker, publish, consume }: Round): number {
  const bytes = (publish?.bytes ?? 0) + (consume?.bytes ?? 0)
  return broker === null || bytes === 0 ? Number.NaN : broker.cpuSeconds / (bytes / 1e9)
}

/** Broker CPU microseconds per record produced. */
export function cpuPerRecord({ broker, publish }: Round): number {
  return broker === null || publish === null || publish.records === 0
    ? Number.NaN
    : (broker.cpuSeconds * 1e6) / publish.records
}

/** Of one core; above it the generator has no time left. */
const GENERATOR_BUSY_CORES = 0.9
const BROKER_IDLE_CORES = 0.8
/** Of the schedule of an open loop: how late a request may leave. */
const DELAY_MICROSECONDS_MAX = 5_000

/** Why the figure says more about this process than about the broker, or null. */
export function generatorLimit(round: Round): string | null {
  const brokerCores = round.broker === null ? null : round.broker.cpuSeconds / round.seconds
  if (round.openLoop) {
    // A busy generator is no sign here: it waits for the next due time in turns of the event loop.
    const late = round.publish?.delay.percentile(99) ?? 0
    return late > DELAY_MICROSECONDS_MAX
      ? `one request in a hundred left ${(late / 1000).toFixed(1)} ms late or more: the rate is too high for the generator or the broker`
      : null
  }
  if (round.generatorCores < GENERATOR_BUSY_CORES) return null
  if (brokerCores !== null && brokerCores >= BROKER_IDLE_CORES) return null
  const broker = brokerCores === null ? 'the broker is elsewhere' : `the broker ${percent(brokerCores)}`
  return `the generator used ${percent(round.generatorCores)} of a core, ${broker}: the generator is the limit`
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}
