import { describe, expect, test } from 'bun:test'
import { buildReport, resultTable, type Summary } from '../../../src/lab/broker/summary.ts'
import { WORKLOADS } from '../../../src/lab/broker/workloads.ts'
import { renderHtml } from '../../../src/lab/report/html.ts'
import { round, target } from './support.ts'

const workload = (name: string) => WORKLOADS.find((one) => one.name === name)!
const used = (cpuSeconds: number) => ({
  cpuSeconds,
  residentBytes: 100e6,
  memory: [{ seconds: 0.5, bytes: 100e6 }],
})

const TARGETS = [target('Samsa'), target('Apache Kafka'), target('Machine limit', { kind: 'machine' })]
const SUMMARY: Summary = {
  title: 'Samsa beside Apache Kafka',
  targets: TARGETS,
  workloads: [workload('produce-16k'), workload('latency-1k'), workload('tail-16k')],
  rounds: [
    ...[600e6, 400e6].map((bytes, index) => round({ round: index, broker: used(1), publishes: { records: 1, bytes } })),
    ...[200e6, 400e6].map((bytes, index) =>
      round({ round: index, target: 'Apache Kafka', broker: used(2), publishes: { records: 1, bytes } }),
    ),
    round({ target: 'Machine limit', broker: used(0.1), publishes: { records: 1, bytes: 1000e6 } }),
    round({ workload: 'latency-1k', broker: used(1), publishes: { records: 1, latenciesMs: [0.05] } }),
    round({
      workload: 'latency-1k',
      target: 'Apache Kafka',
      broker: used(1),
      publishes: { records: 1, latenciesMs: [0.1] },
    }),
    round({
      workload: 'tail-16k',
      broker: used(1),
      publishes: { records: 1, bytes: 300e6 },
      consumes: { records: 1, bytes: 250e6 },
      extra: { recordsBehind: 42 },
    }),
  ],
  environment: [{ name: 'kernel', value: 'linux 6' }],
  method: '2 rounds of 1 s',
  processes: [{ name: 'Samsa', readyMs: 160, idleBytes: 64e6, peakBytes: 180e6 }],
  startedAt: new Date(2026, 10, 21, 18, 13, 53),
}

describe('the table of results', () => {
  const table = resultTable(SUMMARY, SUMMARY.workloads)
  const row = (title: string) => table.rows.find(([work]) => work === title)

  test('names what it compares', () => {
    expect(table.columns.map(({ name }) => name)).toEqual([
      'work',
      'figure',
      'Samsa',
      'Apache Kafka',
      'ratio',
      'spread',
      'Machine limit',
      'Samsa of limit',
      'Apache Kafka of limit',
    ])
  })

  test('medians with their range, the ratio with its spread, the share of the limit', () => {
    expect(row('produce 16 KiB')).toEqual([
      'produce 16 KiB',
      'produced, MB/s',
      '500 (400 .. 600)',
      '300 (200 .. 400)',
      500 / 300,
      '1.00 .. 3.00',
      '1,000',
      '50 %',
      '30 %',
    ])
  })

  test('of latencies, the ratio is that of the times', () => {
    expect(row('one 1 KB request at a time')?.slice(2, 6)).toEqual(['50', '100', 0.5, '0.50 .. 0.50'])
  })

  test('what was not measured is a dash', () => {
    expect(row('tail 16 KiB')?.slice(3)).toEqual(['-', Number.NaN, '-', '-', '-', '-'])
  })
})

describe('the report', () => {
  const report = buildReport(SUMMARY)

  test('has the sections that a comparison is read for', () => {
    expect(report.sections.map(({ heading }) => heading)).toEqual([
      'Results',
      'Latency',
      'Processor time of the brokers',
      'Memory of the brokers',
    ])
    expect(report.sections.flatMap(({ charts }) => charts.map(({ title }) => title))).toEqual([
      'Throughput, MB/s',
      'Latency by percentile: one 1 KB request at a time',
      'CPU seconds per GB',
      'Resident memory over the run',
    ])
  })

  test('reads: who is ahead, where most, where least', () => {
    expect(report.reading).toEqual([
      'Samsa is ahead of Apache Kafka in 2 of 2 workloads.',
      'Largest lead: one 1 KB request at a time, 2.00x; smallest: produce 16 KiB, 1.67x.',
    ])
  })

  test('consumers beside producers: both rates and the distance', () => {
    const table = report.sections[0]?.tables.find(({ title }) => title === 'Consumers beside producers')
    expect(table?.rows).toEqual([['tail 16 KiB', 'Samsa', 300, 250, 42, Number.NaN]])
  })

  test('as a page it holds the figures', () => {
    const html = renderHtml(report)
    expect(html).toContain('500 (400 .. 600)')
    expect(html).toContain('"y":500,"low":400,"high":600')
  })

  test('workloads that were not run leave no trace', () => {
    const alone = buildReport({ ...SUMMARY, workloads: WORKLOADS })
    expect(alone.sections.map(({ heading }) => heading)).toEqual(report.sections.map(({ heading }) => heading))
  })
})

test('points of a curve become one section with rate and cost', () => {
  const curve = [workload('connections-1'), workload('connections-1000')]
  const rounds = curve.map(({ name }, index) =>
    round({
      workload: name,
      broker: used(1),
      publishes: { records: 1000 * (index + 1) },
      extra: { idleBytesPerConnection: 9000 },
    }),
  )
  const report = buildReport({ ...SUMMARY, workloads: curve, rounds })
  expect(report.sections[0]?.heading).toBe('More connections')
  expect(report.sections[0]?.tables[0]?.rows.map((cells) => [cells[0], cells[2], cells[3], cells.at(-1)])).toEqual([
    [1, 1000, 1000, 9000],
    [1000, 2000, 500, 9000],
  ])
  expect(report.sections[0]?.charts.map(({ series }) => series[0]?.points)).toEqual([
    [
      { x: 1, y: 1000 },
      { x: 1000, y: 2000 },
    ],
    [
      { x: 1, y: 1000 },
      { x: 1000, y: 500 },
    ],
  ])
})
