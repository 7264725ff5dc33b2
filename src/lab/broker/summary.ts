/** The report of a run: ratios first, then throughput, latency, processor time, memory, and the curves. */
import type { Chart, NamedValue, Report, Section, Series, Table } from '../report/report.ts'
import type { Round } from './measure.ts'
import { generatorLimit, median, ratioOf, roundsOf, spreadOf, valuesOf } from './statistics.ts'
import { CURVE_SECTIONS } from './summary-curves.ts'
import { latencySection } from './summary-latency.ts'
import { memorySection, type ProcessFigures, processorSection } from './summary-use.ts'
import type { Target } from './target.ts'
import { CONSUMED_MEGABYTES, PUBLISHED_MEGABYTES, type Workload } from './workload.ts'

export interface Summary {
  readonly title: string
  readonly targets: readonly Target[]
  readonly workloads: readonly Workload[]
  readonly rounds: readonly Round[]
  readonly environment: readonly NamedValue[]
  /** One line on how it was measured. */
  readonly method: string
  readonly processes: readonly ProcessFigures[]
  readonly startedAt: Date
}

export function buildReport(summary: Summary): Report {
  const measured: Summary = {
    ...summary,
    workloads: summary.workloads.filter(({ name }) => summary.rounds.some((round) => round.workload === name)),
  }
  const plain = measured.workloads.filter(({ curve }) => curve === null)
  const sections: Section[] = []
  if (plain.length > 0) {
    sections.push(resultSection(measured, plain))
    sections.push(latencySection(measured, plain))
    sections.push(...processorSection(measured, plain))
  }
  sections.push(...CURVE_SECTIONS.flatMap((section) => section(measured)))
  sections.push(...memorySection(measured))
  return {
    title: summary.title,
    subtitle: `${summary.startedAt.toISOString().slice(0, 16).replace('T', ' ')} UTC. ${summary.method}`,
    environment: summary.environment,
    reading: reading(measured, plain),
    sections,
  }
}

/** One row for each workload: medians, the ratio to every other broker, the share of what the machine can do. */
export function resultTable(summary: Summary, workloads: readonly Workload[]): Table {
  const brokers = summary.targets.filter(({ kind }) => kind === 'broker')
  const machine = summary.targets.find(({ kind }) => kind === 'machine')
  const [first, ...others] = brokers
  const columns: Table['columns'] = [
    { name: 'work' },
    { name: 'figure' },
    ...brokers.map(({ name }) => ({ name, align: 'right' as const })),
    ...others.flatMap(({ name }) => [
      others.length === 1 ? { name: 'ratio' } : { name: `to ${name}` },
      { name: 'spread', align: 'right' as const },
    ]),
    ...(machine === undefined ? [] : [{ name: machine.name, align: 'right' as const }]),
    ...(machine === undefined
      ? []
      : brokers.map(({ name }) => ({ name: `${name} of limit`, align: 'right' as const }))),
  ]
  const rows = workloads.map((workload) => {
    const values = (target: Target): number[] => valuesOf(roundsOf(summary.rounds, workload, target), workload.figure)
    const ratios = others.flatMap((other) => {
      const ratio = ratioOf(values(first!), values(other))
      return [ratio.median, rangeText(ratio)]
    })
    const limit = machine === undefined ? Number.NaN : spreadOf(values(machine)).median
    const share = (target: Target): string => {
      const { median } = spreadOf(values(target))
      const part = workload.figure.better === 'more' ? median / limit : limit / median
      return Number.isNaN(part) ? '-' : `${Math.round(part * 100)} %`
    }
    return [
      workload.title,
      `${workload.figure.name}, ${workload.figure.unit}`,
      ...brokers.map((target) => spreadText(spreadOf(values(target)))),
      ...ratios,
      ...(machine === undefined ? [] : [Number.isNaN(limit) ? '-' : figureText(limit)]),
      ...(machine === undefined ? [] : brokers.map(share)),
    ]
  })
  const note =
    `Medians of the rounds, in parentheses the lowest and highest. A ratio is ${first?.name}'s median by the other's; its ` +
    'spread is over pairs of rounds that ran one after the other. MB is 10^6 bytes of record batches. For latencies less is better.' +
    (machine === undefined ? '' : ` ${MACHINE_NOTE}`)
  return { title: '', columns, rows, note }
}

const MACHINE_NOTE =
  'The machine limit is a C server that checks nothing and keeps nothing in order: loopback to page cache and back.'

function rangeText({ low, high }: { low: number; high: number }): string {
  return Number.isNaN(low) ? '-' : `${low.toFixed(2)} .. ${high.toFixed(2)}`
}

function spreadText({ median, low, high }: { median: number; low: number; high: number }): string {
  if (Number.isNaN(median)) return '-'
  return low === high ? figureText(median) : `${figureText(median)} (${figureText(low)} .. ${figureText(high)})`
}

/** Three digits are as many as such figures have. */
function figureText(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en')
  return String(Number(value.toPrecision(3)))
}

function resultSection(summary: Summary, workloads: readonly Workload[]): Section {
  const units = [...new Set(workloads.map(({ figure }) => figure.unit))]
  const charts = units.flatMap((unit) => throughputChart(summary, workloads, unit))
  return {
    heading: 'Results',
    tables: [resultTable(summary, workloads), ...followersTable(summary, workloads)],
    charts,
  }
}

/** Where consumers ran beside producers: what both did, and how far apart they were at the end. */
function followersTable(summary: Summary, workloads: readonly Workload[]): Table[] {
  const rows = workloads.flatMap((workload) =>
    summary.targets.flatMap((target) => {
      const rounds = roundsOf(summary.rounds, workload, target).filter(({ extra }) => 'recordsBehind' in extra)
      if (rounds.length === 0) return []
      const extra = (key: string): number => median(rounds.map((round) => round.extra[key] ?? Number.NaN))
      return [
        [
          workload.title,
          target.name,
          median(valuesOf(rounds, PUBLISHED_MEGABYTES)),
          median(valuesOf(rounds, CONSUMED_MEGABYTES)),
          extra('recordsBehind'),
          extra('catchUpMegabytesPerSecond'),
        ],
      ]
    }),
  )
  const columns = [
    { name: 'work' },
    { name: 'target' },
    { name: 'produced', unit: 'MB/s' },
    { name: 'read', unit: 'MB/s' },
    { name: 'behind at the end', unit: 'records' },
    { name: 'catch-up read', unit: 'MB/s' },
  ]
  return rows.length === 0 ? [] : [{ title: 'Consumers beside producers', columns, rows }]
}

function throughputChart(summary: Summary, workloads: readonly Workload[], unit: string): Chart[] {
  const shown = workloads.filter(({ figure }) => figure.unit === unit && figure.better === 'more')
  if (shown.length === 0) return []
  const series = summary.targets.map((target): Series => {
    const points = shown.flatMap((workload) => {
      const spread = spreadOf(valuesOf(roundsOf(summary.rounds, workload, target), workload.figure))
      if (Number.isNaN(spread.median)) return []
      return [{ x: workload.title, y: spread.median, low: spread.low, high: spread.high }]
    })
    return { name: target.name, points }
  })
  return [
    {
      title: `Throughput, ${unit}`,
      kind: 'bar',
      x: { label: '', scale: 'category' },
      y: { label: unit, scale: 'linear' },
      series: series.filter(({ points }) => points.length > 0),
      note: 'Bars are medians, whiskers the lowest and highest round.',
    },
  ]
}

function reading(summary: Summary, workloads: readonly Workload[]): string[] {
  const [first, ...others] = summary.targets.filter(({ kind }) => kind === 'broker')
  const sentences: string[] = []
  for (const other of others) sentences.push(...comparison(summary, workloads, first!, other))
  const limits = new Map<string, string>()
  for (const round of summary.rounds) {
    const limit = generatorLimit(round)
    if (limit !== null) limits.set(`${round.workload} on ${round.target}`, limit)
  }
  for (const [where, limit] of limits) sentences.push(`Warning: ${where}: ${limit}.`)
  return sentences
}

function comparison(summary: Summary, workloads: readonly Workload[], one: Target, other: Target): string[] {
  const ratios = workloads.flatMap((workload) => {
    const values = (target: Target): number[] => valuesOf(roundsOf(summary.rounds, workload, target), workload.figure)
    const { median } = ratioOf(values(one), values(other))
    if (Number.isNaN(median)) return []
    return [{ title: workload.title, better: workload.figure.better === 'more' ? median : 1 / median }]
  })
  if (ratios.length === 0) return []
  const sorted = ratios.toSorted((a, b) => b.better - a.better)
  const best = sorted[0]!
  const worst = sorted.at(-1)!
  const ahead = ratios.filter(({ better }) => better > 1).length
  const text = [`${one.name} is ahead of ${other.name} in ${ahead} of ${ratios.length} workloads.`]
  if (ratios.length > 1) {
    text.push(
      `Largest lead: ${best.title}, ${best.better.toFixed(2)}x; smallest: ${worst.title}, ${worst.better.toFixed(2)}x.`,
    )
  }
  return text
}
