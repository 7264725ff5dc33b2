// From what the rounds of one method came to, to the figures that are shown: medians with the spread of the rounds, percentiles
// over the operations of all of them.

import { build, type Histogram } from 'hdr-histogram-js'
import type { CacheState, Direction } from './method.ts'
import type { Timed } from './timing.ts'

/** Latencies are kept in nanoseconds, to three digits, up to a minute. */
const NANOSECONDS_PER_MS = 1e6
const LATENCY_NS_MAX = 60e9

export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

export interface LatencyFigures {
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly max: number
  readonly count: number
}

/** One method, at one block size, in one state of the cache. */
export interface Row {
  readonly direction: Direction
  readonly method: string
  /** Null: the whole file in one go. */
  readonly blockBytes: number | null
  /** Null for what is no read. */
  readonly cache: CacheState | null
  /** Why there are no figures; null if there are. */
  readonly refused: string | null
  /** What to know about these figures. */
  readonly note: string | null
  readonly figures: Figures | null
}

export interface Figures {
  readonly rounds: number
  /** MB/s (10^6 bytes), from the first operation to the end of the last. */
  readonly throughput: Spread
  /** Writes only: MB/s until the device has it, the closing fdatasync included. */
  readonly onDevice: Spread | null
  readonly operationsPerSecond: Spread
  /** Processor seconds of this process per 10^9 bytes, all threads; what the kernel does on its own account is not in it. */
  readonly cpuSecondsPerGb: number
  readonly latencyUs: LatencyFigures
}

/** Gathers the rounds of one row. */
export class Rounds {
  readonly #histogram: Histogram = build({
    bitBucketSize: 32,
    highestTrackableValue: LATENCY_NS_MAX,
    numberOfSignificantValueDigits: 3,
    useWebAssembly: false,
  })
  readonly #throughput: number[] = []
  readonly #onDevice: number[] = []
  readonly #operations: number[] = []
  #bytes = 0
  #cpuMs = 0

  /** `syncMs`: what the fdatasync after a write took; null for what is no write. */
  add(timed: Timed, syncMs: number | null): void {
    const { bytes, elapsedMs, cpuMs, latencies } = timed
    this.#throughput.push(bytes / elapsedMs / 1000)
    if (syncMs !== null) this.#onDevice.push(bytes / (elapsedMs + syncMs) / 1000)
    this.#operations.push((latencies.count / elapsedMs) * 1000)
    this.#bytes += bytes
    this.#cpuMs += cpuMs
    for (const ms of latencies.values()) {
      this.#histogram.recordValue(Math.min(LATENCY_NS_MAX, Math.max(1, Math.round(ms * NANOSECONDS_PER_MS))))
    }
  }

  figures(): Figures | null {
    if (this.#throughput.length === 0) return null
    const percentile = (share: number): number => this.#histogram.getValueAtPercentile(share) / 1000
    return {
      rounds: this.#throughput.length,
      throughput: spreadOf(this.#throughput),
      onDevice: this.#onDevice.length === 0 ? null : spreadOf(this.#onDevice),
      operationsPerSecond: spreadOf(this.#operations),
      cpuSecondsPerGb: this.#cpuMs / 1000 / (this.#bytes / 1e9),
      latencyUs: {
        p50: percentile(50),
        p99: percentile(99),
        p999: percentile(99.9),
        max: this.#histogram.maxValue / 1000,
        count: this.#histogram.totalCount,
      },
    }
  }
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
  return { median, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN }
}
