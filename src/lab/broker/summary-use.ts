/** What the brokers spent: processor time per GB, and memory over the whole run. */
import type { Section, Series } from '../report/report.ts'
import { cpuPerGigabyte, cpuPerRecord, ratioOf, roundsOf, spreadOf } from './statistics.ts'
import type { Summary } from './summary.ts'
import type { Target } from './target.ts'
import type { Workload } from './workload.ts'

/** Of a broker that the run started. */
export interface ProcessFigures {
  readonly name: string
  readonly readyMs: number | null
  readonly idleBytes: number
  readonly peakBytes: number
}

const MEGABYTE = 1e6
/** A record of a request of its own is what costs there, not its bytes. */
const isSmall = (workload: Workload): boolean => workload.figure.unit !== 'MB/s'

/** Nothing if no broker is on this machine. */
export function processorSection(summary: Summary, workloads: readonly Workload[]): Section[] {
  const local = summary.targets.filter(({ pid }) => pid !== null)
  if (local.length === 0) return []
  const large = workloads.filter((workload) => !isSmall(workload))
  const series = local.map((target): Series => {
    const points = large.flatMap((workload) => {
      const spread = spreadOf(roundsOf(summary.rounds, workload, target).map(cpuPerGigabyte))
      return Number.isNaN(spread.median)
        ? []
        : [{ x: workload.title, y: spread.median, low: spread.low, high: spread.high }]
    })
    return { name: target.name, points }
  })
  const [first, ...others] = local.filter(({ kind }) => kind === 'broker')
  const rows = workloads.map((workload) => {
    const values = (target: Target): number[] =>
      roundsOf(summary.rounds, workload, target).map(isSmall(workload) ? cpuPerRecord : cpuPerGigabyte)
    const ratios = first === undefined ? [] : others.map((other) => ratioOf(values(first), values(other)).median)
    const generator = spreadOf(
      summary.rounds.filter((round) => round.workload === workload.name).map((round) => round.generatorCores),
    )
    return [
      workload.title,
      isSmall(workload) ? 'us per record' : 's per GB',
      ...local.map((target) => spreadOf(values(target)).median),
      ...ratios,
      generator.median,
    ]
  })
  return [
    {
      heading: 'Processor time of the brokers',
      text: ['User and system time of all threads, as the kernel accounts it. Bytes in and out count together.'],
      tables: [
        {
          title: '',
          columns: [
            { name: 'work' },
            { name: 'CPU time' },
            ...local.map(({ name }) => ({ name })),
            ...others.map(({ name }) => ({ name: `${first?.name} / ${name}`, unit: 'x' })),
            { name: 'generator', unit: 'cores' },
          ],
          rows,
        },
      ],
      charts:
        large.length === 0
          ? []
          : [
              {
                title: 'CPU seconds per GB',
                kind: 'bar',
                x: { label: '', scale: 'category' },
                y: { label: 's / GB', scale: 'linear' },
                series: series.filter(({ points }) => points.length > 0),
              },
            ],
    },
  ]
}

export function memorySection(summary: Summary): Section[] {
  const startMs = summary.startedAt.getTime()
  const series = summary.targets.flatMap((target): Series[] => {
    const points = summary.rounds
      .filter((round) => round.target === target.name)
      .flatMap((round) =>
        (round.broker?.memory ?? []).map(({ seconds, bytes }) => ({
          x: (round.startedAt.getTime() - startMs) / 1000 + seconds,
          y: bytes / MEGABYTE,
          label: round.workload,
        })),
      )
    return points.length === 0 ? [] : [{ name: target.name, points }]
  })
  if (series.length === 0) return []
  const rows = summary.processes.map(({ name, readyMs, idleBytes, peakBytes }) => [
    name,
    readyMs ?? Number.NaN,
    idleBytes / MEGABYTE,
    peakBytes / MEGABYTE,
  ])
  const columns = [
    { name: 'process' },
    { name: 'exec to first Metadata answer', unit: 'ms' },
    { name: 'RSS idle', unit: 'MB' },
    { name: 'RSS largest', unit: 'MB' },
  ]
  return [
    {
      heading: 'Memory of the brokers',
      tables: rows.length === 0 ? [] : [{ title: '', columns, rows }],
      charts: [
        {
          title: 'Resident memory over the run',
          kind: 'line',
          x: { label: 'seconds since the start', scale: 'linear' },
          y: { label: 'MB', scale: 'linear' },
          series,
        },
      ],
    },
  ]
}
