/** Curves: what a record costs as connections, partitions or topics become more. */
import type { Axis, Chart, Section, Series, Table } from '../report/report.ts'
import type { Round } from './measure.ts'
import { cpuPerRecord, median, roundsOf, spreadOf } from './statistics.ts'
import type { Summary } from './summary.ts'
import type { Workload } from './workload.ts'

const CURVES = [
  { name: 'connections', heading: 'More connections' },
  { name: 'partitions', heading: 'More partitions' },
  { name: 'topics', heading: 'More topics' },
] as const

/** Figures of some workloads alone that belong into the curve's table. */
const EXTRA_COLUMNS = [
  // The largest of the rounds: memory that was freed before is used first, and then nothing grows.
  { key: 'idleBytesPerConnection', name: 'growth per idle connection', unit: 'bytes', of: largest },
  { key: 'createSeconds', name: 'to create them', unit: 's', of: median },
] as const

export const CURVE_SECTIONS: readonly ((summary: Summary) => Section[])[] = CURVES.map(
  ({ name, heading }) =>
    (summary) => {
      const points = summary.workloads.filter(({ curve }) => curve?.name === name)
      return points.length === 0 ? [] : [curveSection(summary, points, heading)]
    },
)

function largest(values: readonly number[]): number {
  return spreadOf(values).high
}

function recordsPerSecond(round: Round): number {
  return round.publish === null ? Number.NaN : round.publish.records / round.publish.seconds
}

function curveSection(summary: Summary, workloads: readonly Workload[], heading: string): Section {
  const label = workloads[0]?.curve?.label ?? ''
  const chart = (title: string, unit: string, of: (round: Round) => number): Chart => {
    const series = summary.targets.map((target): Series => {
      const points = workloads.flatMap((workload) => {
        const y = median(roundsOf(summary.rounds, workload, target).map(of))
        return Number.isNaN(y) ? [] : [{ x: workload.curve?.x ?? 0, y }]
      })
      return { name: target.name, points }
    })
    const x: Axis = { label, scale: 'log' }
    const shown = series.filter(({ points }) => points.length > 0)
    return { title, kind: 'line', x, y: { label: unit, scale: 'linear' }, series: shown }
  }
  const charts = [
    chart(`Records per second by ${label}`, 'records/s', recordsPerSecond),
    chart(`Broker CPU time per record by ${label}`, 'us / record', cpuPerRecord),
  ]
  return {
    heading,
    text: [
      'One 100-byte record per request; the number of requests under way is the same at every point. On few connections several of them share a system call, on many each has its own.',
    ],
    tables: [curveTable(summary, workloads, label)],
    charts: charts.filter(({ series }) => series.length > 0),
  }
}

function curveTable(summary: Summary, workloads: readonly Workload[], label: string): Table {
  const extras = EXTRA_COLUMNS.filter(({ key }) =>
    summary.rounds.some(
      (round) => workloads.some((workload) => workload.name === round.workload) && key in round.extra,
    ),
  )
  const rows = workloads.flatMap((workload) =>
    summary.targets.flatMap((target) => {
      const rounds = roundsOf(summary.rounds, workload, target)
      if (rounds.length === 0) return []
      return [
        [
          workload.curve?.x ?? Number.NaN,
          target.name,
          median(rounds.map(recordsPerSecond)),
          median(rounds.map(cpuPerRecord)),
          median(rounds.map((round) => round.publish?.latency.percentile(99) ?? Number.NaN)),
          median(rounds.map((round) => round.broker?.residentBytes ?? Number.NaN)) / 1e6,
          ...extras.map(({ key, of }) => of(rounds.map((round) => round.extra[key] ?? Number.NaN))),
        ],
      ]
    }),
  )
  return {
    title: '',
    columns: [
      { name: label },
      { name: 'target' },
      { name: 'rate', unit: 'records/s' },
      { name: 'CPU', unit: 'us / record' },
      { name: '99th latency', unit: 'us' },
      { name: 'RSS', unit: 'MB' },
      ...extras.map(({ name, unit }) => ({ name, unit })),
    ],
    rows,
  }
}
