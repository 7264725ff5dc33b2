/**
 * Counters and latencies of all clients of this process. Names that the people who run @platformatic/kafka know are kept
 * (kafka_producers, kafka_produced_messages, ...); histograms are Prometheus', in seconds.
 */
import { apiName } from '../../protocol/api-keys.ts'

const SECONDS_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** Times that were measured, by how long they were. */
export interface HistogramSnapshot {
  /** How many there were. */
  readonly count: number
  /** All of them together, seconds. */
  readonly sumSeconds: number
  /** Upper bound in seconds and how many were at most that; the last bound is infinite. */
  readonly buckets: readonly { readonly seconds: number; readonly count: number }[]
}

export class Histogram {
  private readonly counts = new Array<number>(SECONDS_BUCKETS.length + 1).fill(0)
  private count = 0
  private sumSeconds = 0

  observe(seconds: number): void {
    let index = 0
    while (index < SECONDS_BUCKETS.length && seconds > SECONDS_BUCKETS[index]!) index++
    this.counts[index]! += 1
    this.count += 1
    this.sumSeconds += seconds
  }

  snapshot(): HistogramSnapshot {
    let count = 0
    const buckets = this.counts.map((each, index) => {
      count += each
      return { seconds: SECONDS_BUCKETS[index] ?? Number.POSITIVE_INFINITY, count }
    })
    return { count: this.count, sumSeconds: this.sumSeconds, buckets }
  }
}

/** Names of counters and gauges; what they count is their help text. */
const COUNTERS = {
  kafka_producers: 'Producers that are open',
  kafka_produced_messages: 'Records acknowledged, or with acks 0 handed to the kernel',
  kafka_produced_bytes: 'Bytes of acknowledged batches on the wire',
  kafka_produce_retries: 'Batches that had to be sent again',
  kafka_produce_errors: 'Records that failed for good',
  kafka_consumers: 'Consumers that are open',
  kafka_consumers_streams: 'Loops and handler workers of consumers that are open',
  kafka_consumers_topics: 'Topics that consumers have partitions of, one for each consumer',
  kafka_consumed_messages: 'Records handed to the program',
  kafka_consumed_bytes: 'Bytes of record batches fetched',
  kafka_consumer_rebalances: 'Times that partitions were assigned or revoked',
  kafka_consumer_partitions_lost: 'Partitions that were taken away instead of given up',
  kafka_consumer_commits: 'Commits that the broker took',
  kafka_consumer_commit_failures: 'Commits that failed',
  kafka_request_errors: 'Requests that got no answer',
} as const

export type ClientCounter = keyof typeof COUNTERS

const GAUGES: ReadonlySet<ClientCounter> = new Set([
  'kafka_producers',
  'kafka_consumers',
  'kafka_consumers_streams',
  'kafka_consumers_topics',
] as const)

/** Records between where a consumer is and the end of what it may read. */
export interface PartitionLag {
  readonly groupId: string | null
  readonly topic: string
  readonly partition: number
  readonly lag: number
}

/** What all clients of this process have done. */
export class ClientMetrics {
  private readonly counters = new Map<ClientCounter, number>()
  private readonly requests = new Map<number, Histogram>()
  private readonly deliveries = new Histogram()
  private readonly rebalances = new Histogram()
  private readonly lagSources = new Set<() => readonly PartitionLag[]>()

  /** @internal */
  add(counter: ClientCounter, amount = 1): void {
    this.counters.set(counter, (this.counters.get(counter) ?? 0) + amount)
  }

  /** The counter's or gauge's value now; the names are those in `prometheus()`. */
  get(counter: ClientCounter): number {
    return this.counters.get(counter) ?? 0
  }

  /** From a request to its answer. */
  observeRequest(apiKey: number, elapsedMs: number): void {
    let histogram = this.requests.get(apiKey)
    if (histogram === undefined) {
      histogram = new Histogram()
      this.requests.set(apiKey, histogram)
    }
    histogram.observe(elapsedMs / 1000)
  }

  /** From the first `send` of a batch to its acknowledgement. */
  observeDelivery(elapsedMs: number): void {
    this.deliveries.observe(elapsedMs / 1000)
  }

  /** From the moment that partitions are not settled to when they are again. */
  observeRebalance(elapsedMs: number): void {
    this.rebalances.observe(elapsedMs / 1000)
  }

  /** Asked whenever lags are read, until the answered function is called. */
  addLagSource(source: () => readonly PartitionLag[]): () => void {
    this.lagSources.add(source)
    return () => this.lagSources.delete(source)
  }

  /** How far each consumer is behind, by partition. */
  lags(): PartitionLag[] {
    return [...this.lagSources].flatMap((source) => source())
  }

  /** Request latencies by API name. */
  requestLatencies(): ReadonlyMap<string, HistogramSnapshot> {
    return new Map([...this.requests].map(([apiKey, histogram]) => [apiName(apiKey), histogram.snapshot()]))
  }

  /** From the first `send` of a batch to its acknowledgement. */
  deliveryLatency(): HistogramSnapshot {
    return this.deliveries.snapshot()
  }

  /** In Prometheus' text format, to be served by the program. */
  prometheus(): string {
    const lines: string[] = []
    for (const name of Object.keys(COUNTERS) as ClientCounter[]) {
      const type = GAUGES.has(name) ? 'gauge' : 'counter'
      lines.push(`# HELP ${name} ${COUNTERS[name]}`, `# TYPE ${name} ${type}`, `${name} ${this.get(name)}`)
    }
    const requestName = 'kafka_client_request_duration_seconds'
    lines.push(`# HELP ${requestName} From a request to its answer`, `# TYPE ${requestName} histogram`)
    for (const [api, snapshot] of this.requestLatencies()) {
      lines.push(...histogramLines(requestName, `api="${api}"`, snapshot))
    }
    const deliveryName = 'kafka_producer_delivery_duration_seconds'
    lines.push(`# HELP ${deliveryName} From send to acknowledgement`, `# TYPE ${deliveryName} histogram`)
    lines.push(...histogramLines(deliveryName, '', this.deliveryLatency()))
    const rebalanceName = 'kafka_consumer_rebalance_duration_seconds'
    lines.push(`# HELP ${rebalanceName} Until partitions are settled again`, `# TYPE ${rebalanceName} histogram`)
    lines.push(...histogramLines(rebalanceName, '', this.rebalances.snapshot()))
    const lagName = 'kafka_consumers_lags'
    lines.push(`# HELP ${lagName} Records up to the end of what may be read`, `# TYPE ${lagName} gauge`)
    for (const { groupId, topic, partition, lag } of this.lags()) {
      const labels = { consumergroup: groupId ?? '', topic, partition: String(partition) }
      const text = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`)
      lines.push(`${lagName}{${text.join(',')}} ${lag}`)
    }
    return `${lines.join('\n')}\n`
  }
}

function histogramLines(name: string, labels: string, snapshot: HistogramSnapshot): string[] {
  const lines = snapshot.buckets.map(({ seconds, count }) => {
    const bound = seconds === Number.POSITIVE_INFINITY ? '+Inf' : String(seconds)
    return `${name}_bucket{${labels === '' ? '' : `${labels},`}le="${bound}"} ${count}`
  })
  const suffix = labels === '' ? '' : `{${labels}}`
  lines.push(`${name}_sum${suffix} ${snapshot.sumSeconds}`, `${name}_count${suffix} ${snapshot.count}`)
  return lines
}

/** Where all clients of this process count. */
export const clientMetrics = new ClientMetrics()
