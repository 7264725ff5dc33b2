/** Latencies: a table of all workloads, and the whole distribution of those that are about latency. */
import type { Chart, Section, Table } from '../report/report.ts'
import { Latencies, type LatencySummary } from './latency.ts'
import type { Round } from './measure.ts'
import { merged } from './omb.ts'
import { roundsOf } from './statistics.ts'
import type { Summary } from './summary.ts'
import type { Target } from './target.ts'
import type { Workload } from './workload.ts'

const OPEN_NOTE =
  'Open loop: a latency counts from when its request was due, so a broker that stalls is charged for all that should have been sent meanwhile.'
const CLOSED_NOTE =
  'Closed loop: a latency counts from the sending, and the next request waits for an answer; under load it mostly says how much was under way.'

export function latencySection(summary: Summary, workloads: readonly Workload[]): Section {
  const isOpen = summary.rounds.some(({ openLoop }) => openLoop)
  const isClosed = summary.rounds.some(({ openLoop }) => !openLoop)
  return {
    heading: 'Latency',
    text: [...(isOpen ? [OPEN_NOTE] : []), ...(isClosed ? [CLOSED_NOTE] : [])],
    tables: [latencyTable(summary, workloads)],
    charts: workloads
      .filter(({ figure }) => figure.better === 'less' || isOpen)
      .flatMap((w) => latencyChart(summary, w)),
  }
}

/** What a request of this workload waited for: the consumer at the far end, the acknowledgement, or the records. */
function latencyOf(rounds: readonly Round[]): Latencies {
  const first = rounds[0]
  if (first === undefined) return new Latencies()
  const key = first.endToEnd !== null ? 'endToEnd' : first.publish !== null ? 'publish' : 'consume'
  return merged(
    rounds.flatMap((round) => round[key] ?? []),
    (flow) => flow.latency,
  )
}

const COLUMNS = [
  ['mean', 'mean'],
  ['50th', 'p50'],
  ['95th', 'p95'],
  ['99th', 'p99'],
  ['99.9th', 'p999'],
  ['largest', 'max'],
] as const satisfies readonly (readonly [string, keyof LatencySummary])[]

function latencyTable(summary: Summary, workloads: readonly Workload[]): Table {
  const rows = workloads.flatMap((workload) =>
    summary.targets.flatMap((target) => {
      const latency = latencyOf(roundsOf(summary.rounds, workload, target)).summary()
      if (latency === null) return []
      return [[workload.title, target.name, ...COLUMNS.map(([, key]) => latency[key])]]
    }),
  )
  return {
    title: '',
    columns: [{ name: 'work' }, { name: 'target' }, ...COLUMNS.map(([name]) => ({ name, unit: 'us' }))],
    rows,
    note: 'All rounds together.',
  }
}

const SHOWN_PERCENTILES = [1, 10, 25, 50, 75, 90, 95, 99, 99.9, 99.99]

function latencyChart(summary: Summary, workload: Workload): Chart[] {
  const points = (target: Target): { x: string; y: number }[] => {
    const latencies = latencyOf(roundsOf(summary.rounds, workload, target))
    if (latencies.count === 0) return []
    return SHOWN_PERCENTILES.map((percentile) => ({ x: `${percentile}`, y: latencies.percentile(percentile) }))
  }
  const series = summary.targets.map((target) => ({ name: target.name, points: points(target) }))
  const shown = series.filter((one) => one.points.length > 0)
  if (shown.length === 0) return []
  return [
    {
      title: `Latency by percentile: ${workload.title}`,
      kind: 'line',
      x: { label: 'percentile', scale: 'category' },
      y: { label: 'us', scale: 'log' },
      series: shown,
    },
  ]
}
