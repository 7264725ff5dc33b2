/** What a consumer counts, under the names that dashboards of JavaScript clients know (kafka_consumers...), plus rebalances and latencies. */

/** Upper bounds in seconds. */
const LATENCY_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

export interface HistogramSnapshot {
  /** Upper bounds in seconds with the number of observations up to each. */
  readonly buckets: readonly { readonly le: number; readonly count: number }[]
  readonly count: number
  readonly sum: number
}

export class Histogram {
  private readonly counts = new Array<number>(LATENCY_BUCKETS.length).fill(0)
  private count = 0
  private sum = 0

  observeMs(elapsedMs: number): void {
    const seconds = elapsedMs / 1000
    this.count += 1
    this.sum += seconds
    for (let index = 0; index < LATENCY_BUCKETS.length; index++) {
      if (seconds <= LATENCY_BUCKETS[index]!) this.counts[index]! += 1
    }
  }

  snapshot(): HistogramSnapshot {
    const buckets = LATENCY_BUCKETS.map((le, index) => ({ le, count: this.counts[index]! }))
    return { buckets, count: this.count, sum: this.sum }
  }
}

/** Names are those of the metrics without their labels. */
export interface ConsumerMetricsSnapshot {
  /** Consumers that are open: 1, or 0 after close. */
  readonly kafka_consumers: number
  /** Loops and runs that are open. */
  readonly kafka_consumers_streams: number
  readonly kafka_consumers_topics: number
  readonly kafka_consumed_messages: number
  /** Records up to the end of what may be read, by partition. */
  readonly kafka_consumers_lags: readonly {
    readonly topic: string
    readonly partition: number
    readonly lag: number
  }[]
  readonly kafka_consumer_buffered_bytes: number
  readonly kafka_consumer_rebalances: number
  /** Partitions that were lost without being given up in order. */
  readonly kafka_consumer_partitions_lost: number
  readonly kafka_consumer_commits: number
  readonly kafka_consumer_commit_failures: number
  readonly kafka_consumer_fetch_latency_seconds: HistogramSnapshot
  readonly kafka_consumer_rebalance_latency_seconds: HistogramSnapshot
}

export class ConsumerMetrics {
  messages = 0
  streams = 0
  rebalances = 0
  partitionsLost = 0
  commits = 0
  commitFailures = 0
  readonly fetchLatency = new Histogram()
  readonly rebalanceLatency = new Histogram()
}

/** The text format of Prometheus; the labels are added to every line. */
export function prometheusText(
  snapshot: ConsumerMetricsSnapshot,
  labels: Readonly<Record<string, string>> = {},
): string {
  const lines: string[] = []
  for (const [name, value] of Object.entries(snapshot)) {
    if (typeof value === 'number') {
      const counter = !['kafka_consumers', 'kafka_consumers_streams', 'kafka_consumers_topics'].includes(name)
      lines.push(`# TYPE ${name} ${counter && name !== 'kafka_consumer_buffered_bytes' ? 'counter' : 'gauge'}`)
      lines.push(`${name}${labelText(labels)} ${value}`)
    } else if (isHistogram(value)) {
      lines.push(`# TYPE ${name} histogram`)
      for (const { le, count } of value.buckets) {
        lines.push(`${name}_bucket${labelText({ ...labels, le: String(le) })} ${count}`)
      }
      lines.push(`${name}_bucket${labelText({ ...labels, le: '+Inf' })} ${value.count}`)
      lines.push(`${name}_sum${labelText(labels)} ${value.sum}`, `${name}_count${labelText(labels)} ${value.count}`)
    } else {
      lines.push(`# TYPE ${name} gauge`)
      for (const { topic, partition, lag } of value as ConsumerMetricsSnapshot['kafka_consumers_lags']) {
        lines.push(`${name}${labelText({ ...labels, topic, partition: String(partition) })} ${lag}`)
      }
    }
  }
  return `${lines.join('\n')}\n`
}

function isHistogram(value: unknown): value is HistogramSnapshot {
  return typeof value === 'object' && value !== null && 'buckets' in value
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}
