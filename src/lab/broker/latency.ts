/**
 * Latencies of one kind, counted in HdrHistogram's buckets (three digits) in whole microseconds: percentiles stay exact
 * under millions of requests, and histograms of rounds can be put together.
 */
import { build, type Histogram } from 'hdr-histogram-js'

/** Above this a request counts as this long. */
const MICROSECONDS_MAX = 3_600_000_000

/** All in microseconds. */
export interface LatencySummary {
  readonly count: number
  readonly mean: number
  readonly p50: number
  readonly p75: number
  readonly p95: number
  readonly p99: number
  readonly p999: number
  readonly p9999: number
  readonly p99999: number
  readonly max: number
}

/** The percentiles at which whole distributions are shown. */
const PERCENTILE_LADDER: readonly number[] = [
  0, 10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 92.5, 95, 97, 98, 99, 99.5, 99.9, 99.95, 99.99, 99.999, 100,
]

export class Latencies {
  private readonly histogram: Histogram

  constructor() {
    this.histogram = build({
      bitBucketSize: 32,
      lowestDiscernibleValue: 1,
      highestTrackableValue: MICROSECONDS_MAX,
      numberOfSignificantValueDigits: 3,
      autoResize: false,
      useWebAssembly: false,
    })
  }

  get count(): number {
    return this.histogram.totalCount
  }

  record(milliseconds: number): void {
    this.histogram.recordValue(Math.max(0, Math.min(Math.round(milliseconds * 1000), MICROSECONDS_MAX)))
  }

  add(other: Latencies): void {
    this.histogram.add(other.histogram)
  }

  clear(): void {
    this.histogram.reset()
  }

  /** Microseconds. */
  percentile(percentile: number): number {
    return this.count === 0 ? 0 : this.histogram.getValueAtPercentile(percentile)
  }

  /** Pairs of percentile and microseconds. */
  distribution(): [number, number][] {
    return this.count === 0 ? [] : PERCENTILE_LADDER.map((percentile) => [percentile, this.percentile(percentile)])
  }

  /** Null if nothing was counted. */
  summary(): LatencySummary | null {
    if (this.count === 0) return null
    return {
      count: this.count,
      mean: this.histogram.mean,
      p50: this.percentile(50),
      p75: this.percentile(75),
      p95: this.percentile(95),
      p99: this.percentile(99),
      p999: this.percentile(99.9),
      p9999: this.percentile(99.99),
      p99999: this.percentile(99.999),
      max: this.histogram.maxValue,
    }
  }
}
