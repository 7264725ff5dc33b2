/**
 * Rounds as results of the OpenMessaging Benchmark, one for each workload and target, with the field names of its
 * TestResult, so that its plotters read them. Rates are records per second, one value per window of a round; latencies are
 * milliseconds, delays (scheduled to sent, open loop only) microseconds, as there. What it has no place for stands under
 * the one key `samsa`.
 */
import type { NamedValue } from '../report/report.ts'
import type { FlowResult, Window } from './flow.ts'
import { Latencies, type LatencySummary } from './latency.ts'
import type { Round } from './measure.ts'
import type { Workload } from './workload.ts'

const SUFFIXES = [
  ['Avg', 'mean'],
  ['50pct', 'p50'],
  ['75pct', 'p75'],
  ['95pct', 'p95'],
  ['99pct', 'p99'],
  ['999pct', 'p999'],
  ['9999pct', 'p9999'],
  ['99999pct', 'p99999'],
  ['Max', 'max'],
] as const satisfies readonly (readonly [string, keyof LatencySummary])[]

const MICROSECONDS_PER_MILLISECOND = 1000

export type OmbResult = Readonly<Record<string, unknown>>

/** `rounds` are those of one workload on one target. */
export function ombResult(
  workload: Workload,
  rounds: readonly Round[],
  extra: { readonly environment: readonly NamedValue[]; readonly durability: string },
): OmbResult {
  const publish = rounds.flatMap((round) => round.publish ?? [])
  const consume = rounds.flatMap((round) => round.consume ?? [])
  const endToEnd = rounds.flatMap((round) => round.endToEnd ?? [])
  const windows = (flows: readonly FlowResult[]): Window[] => flows.flatMap((flow) => flow.windows)
  const rate = (window: Window): number => window.records / window.seconds
  const published = windows(publish)
  return {
    workload: workload.name,
    driver: rounds[0]?.target ?? '',
    ...workload.shape,
    publishRate: published.map(rate),
    publishErrorRate: published.map(() => 0),
    consumeRate: windows(consume).map(rate),
    backlog: rounds.map((round) => round.extra.recordsBehind ?? 0),
    ...perWindow('publishLatency', published, (window) => window.latency, MICROSECONDS_PER_MILLISECOND),
    ...perWindow('publishDelayLatency', published, (window) => window.delay, 1),
    ...aggregated(
      'PublishLatency',
      merged(publish, (flow) => flow.latency),
      MICROSECONDS_PER_MILLISECOND,
    ),
    ...aggregated(
      'PublishDelayLatency',
      merged(publish, (flow) => flow.delay),
      1,
    ),
    ...perWindow('endToEndLatency', windows(endToEnd), (window) => window.latency, MICROSECONDS_PER_MILLISECOND),
    ...aggregated(
      'EndToEndLatency',
      merged(endToEnd, (flow) => flow.latency),
      MICROSECONDS_PER_MILLISECOND,
    ),
    samsa: {
      figure: { name: workload.figure.name, unit: workload.figure.unit, better: workload.figure.better },
      ...extra,
      rounds: rounds.map((round) => roundDetails(round, workload)),
    },
  }
}

function perWindow(
  prefix: string,
  windows: readonly Window[],
  of: (window: Window) => LatencySummary | null,
  divisor: number,
): Record<string, number[]> {
  const summaries = windows.map(of)
  return Object.fromEntries(
    SUFFIXES.map(([suffix, key]) => [
      prefix + suffix,
      summaries.map((summary) => (summary === null ? 0 : summary[key] / divisor)),
    ]),
  )
}

function aggregated(name: string, latencies: Latencies, divisor: number): Record<string, unknown> {
  const summary = latencies.summary()
  const values = SUFFIXES.map(([suffix, key]) => [
    `aggregated${name}${suffix}`,
    summary === null ? 0 : summary[key] / divisor,
  ])
  const quantiles = latencies.distribution().map(([percentile, value]) => [String(percentile), value / divisor])
  return { ...Object.fromEntries(values), [`aggregated${name}Quantiles`]: Object.fromEntries(quantiles) }
}

/** One distribution over all rounds. */
export function merged(flows: readonly FlowResult[], of: (flow: FlowResult) => Latencies): Latencies {
  const all = new Latencies()
  for (const flow of flows) all.add(of(flow))
  return all
}

function roundDetails(round: Round, workload: Workload): Record<string, unknown> {
  const flow = (result: FlowResult | null): Record<string, unknown> | null =>
    result === null
      ? null
      : {
          requests: result.requests,
          records: result.records,
          bytes: result.bytes,
          seconds: result.seconds,
          latencyMicroseconds: result.latency.summary(),
        }
  return {
    round: round.round,
    startedAt: round.startedAt.toISOString(),
    seconds: round.seconds,
    value: workload.figure.of(round),
    openLoop: round.openLoop,
    publish: flow(round.publish),
    consume: flow(round.consume),
    endToEnd: flow(round.endToEnd),
    broker: round.broker,
    generatorCores: round.generatorCores,
    ...(Object.keys(round.extra).length > 0 ? { extra: round.extra } : {}),
  }
}
