// The lab's figures as a report: a grid of throughput per section, and with `details` everything that was measured, with charts.

import {
  type Cell,
  type Chart,
  formatBytes,
  type NamedValue,
  type Point,
  type Report,
  type Section,
  type Table,
} from '../report/report.ts'
import type { Row } from './figures.ts'
import type { Reading } from './reading.ts'

export interface LabSettings {
  readonly sizeBytes: number
  readonly rounds: number
  readonly secondsPerRun: number
}

export interface LabResult {
  readonly settings: LabSettings
  readonly environment: readonly NamedValue[]
  readonly rows: readonly Row[]
  readonly reading: Reading
}

interface Topic {
  readonly heading: string
  readonly text: string
  /** What the figures of the grid are. */
  readonly figure: 'throughput' | 'syncs'
  holds(row: Row): boolean
}

function isSend({ method }: Row): boolean {
  return method.startsWith('send-')
}

const TOPICS: readonly Topic[] = [
  {
    heading: 'Writing',
    text: 'Sequential appends to a new file. MB/s until the last write has returned; "on device" counts the closing fdatasync too.',
    figure: 'throughput',
    holds: ({ direction }) => direction === 'write',
  },
  {
    heading: 'Syncing',
    text: 'Syncs per second, or commits per second where several writers wait for the same sync; latency is that of the sync, or of the wait for it.',
    figure: 'syncs',
    holds: ({ direction }) => direction === 'sync',
  },
  {
    heading: 'Reading from memory',
    text: 'The file is in the page cache.',
    figure: 'throughput',
    holds: (row) => row.cache === 'cached' && !isSend(row),
  },
  {
    heading: 'Reading from the device',
    text: 'The file was put out of the page cache (posix_fadvise), or is read around it (O_DIRECT). A virtual disk may have a cache of its own behind it.',
    figure: 'throughput',
    holds: (row) => (row.cache === 'uncached' || row.cache === 'bypassed') && !isSend(row),
  },
  {
    heading: 'From memory to a socket',
    text: 'The file is in the page cache; another process takes the bytes over loopback.',
    figure: 'throughput',
    holds: (row) => row.cache === 'cached' && isSend(row),
  },
  {
    heading: 'From the device to a socket',
    text: 'The file was put out of the page cache; another process takes the bytes over loopback.',
    figure: 'throughput',
    holds: (row) => row.cache === 'uncached' && isSend(row),
  },
]

export function labReport(result: LabResult, options: { details: boolean }): Report {
  const { settings, environment, rows, reading } = result
  const { sizeBytes, rounds, secondsPerRun } = settings
  return {
    title: 'Samsa sequential I/O lab',
    subtitle: `${formatBytes(sizeBytes)} files, ${rounds} ${rounds === 1 ? 'round' : 'rounds'}, at most ${secondsPerRun} s per run; medians of the rounds`,
    environment,
    reading: [
      ...reading.findings,
      ...reading.recommendations.map(({ setting, value, reason }) => `Set ${setting} to ${value}: ${reason}.`),
    ],
    sections: TOPICS.map((topic) => sectionOf(topic, rows.filter(topic.holds), options.details)).filter(
      (section) => section !== null,
    ),
  }
}

function sectionOf(topic: Topic, rows: readonly Row[], details: boolean): Section | null {
  if (rows.length === 0) return null
  const { heading, text } = topic
  const isAboutLatency = topic.figure === 'syncs'
  const tables = [
    gridOf(topic, rows),
    ...(rows.some(({ figures }) => figures?.onDevice != null) ? [deviceGridOf(rows)] : []),
    ...(details || isAboutLatency ? [detailsOf(rows)] : []),
  ]
  return { heading, text: [text], tables, charts: details ? chartsOf(topic, rows) : [] }
}

function mainFigure({ figures }: Row, topic: Topic): { median: number; min: number; max: number } | null {
  if (figures === null) return null
  return topic.figure === 'syncs' ? figures.operationsPerSecond : figures.throughput
}

function unitOf(topic: Topic): string {
  return topic.figure === 'syncs' ? 'per second' : 'MB/s'
}

function methodsOf(rows: readonly Row[]): string[] {
  return [...new Set(rows.map(({ method }) => method))]
}

function blocksOf(rows: readonly Row[]): (number | null)[] {
  const sizes = [...new Set(rows.map(({ blockBytes }) => blockBytes))]
  return sizes.toSorted((a, b) => (a ?? Number.POSITIVE_INFINITY) - (b ?? Number.POSITIVE_INFINITY))
}

function blockName(blockBytes: number | null): string {
  return blockBytes === null ? 'whole file' : formatBytes(blockBytes)
}

function gridOf(topic: Topic, rows: readonly Row[]): Table {
  const refusals = new Set(rows.flatMap(({ method, refused }) => (refused === null ? [] : [`${method}: ${refused}`])))
  const notes = new Set(rows.flatMap(({ method, note }) => (note === null ? [] : [`${method}: ${note}`])))
  const note = [...refusals, ...notes].join('; ')
  const title = topic.figure === 'syncs' ? 'Syncs or commits per second, by block size' : 'MB/s, by block size'
  const table = grid(title, rows, (row) => mainFigure(row, topic)?.median ?? Number.NaN)
  return note === '' ? table : { ...table, note }
}

function deviceGridOf(rows: readonly Row[]): Table {
  return grid('MB/s until on the device, by block size', rows, ({ figures }) => figures?.onDevice?.median ?? Number.NaN)
}

/** Methods down, block sizes across. */
function grid(title: string, rows: readonly Row[], figureOf: (row: Row) => number): Table {
  const blocks = blocksOf(rows)
  const cellOf = (method: string, blockBytes: number | null): Cell => {
    const row = rows.find((candidate) => candidate.method === method && candidate.blockBytes === blockBytes)
    if (row === undefined) return ''
    return row.refused === null ? figureOf(row) : 'refused'
  }
  return {
    title,
    columns: [
      { name: 'method' },
      ...blocks.map((blockBytes) => ({ name: blockName(blockBytes), align: 'right' as const })),
    ],
    rows: methodsOf(rows).map((method) => [method, ...blocks.map((blockBytes) => cellOf(method, blockBytes))]),
  }
}

function detailsOf(rows: readonly Row[]): Table {
  const right = { align: 'right' as const }
  return {
    title: 'All figures',
    columns: [
      { name: 'method' },
      { name: 'block' },
      { name: 'cache' },
      { name: 'median', unit: 'MB/s', ...right },
      { name: 'lowest', unit: 'MB/s', ...right },
      { name: 'highest', unit: 'MB/s', ...right },
      { name: 'on device', unit: 'MB/s', ...right },
      { name: 'operations', unit: 'per second', ...right },
      { name: 'CPU', unit: 's/GB', ...right },
      { name: 'p50', unit: 'us', ...right },
      { name: 'p99', unit: 'us', ...right },
      { name: 'p99.9', unit: 'us', ...right },
      { name: 'max', unit: 'us', ...right },
      { name: 'note', align: 'left' },
    ],
    rows: rows.map((row) => {
      const start = [row.method, blockName(row.blockBytes), row.cache ?? '']
      const { figures } = row
      if (figures === null) return [...start, ...Array.from({ length: 10 }, () => ''), row.refused ?? '']
      const { throughput, onDevice, operationsPerSecond, cpuSecondsPerGb, latencyUs } = figures
      return [
        ...start,
        throughput.median,
        throughput.min,
        throughput.max,
        onDevice?.median ?? '',
        operationsPerSecond.median,
        cpuSecondsPerGb,
        latencyUs.p50,
        latencyUs.p99,
        latencyUs.p999,
        latencyUs.max,
        row.note ?? '',
      ]
    }),
  }
}

function chartsOf(topic: Topic, rows: readonly Row[]): Chart[] {
  const measured = rows.filter(({ figures }) => figures !== null)
  if (measured.length === 0) return []
  const sized = measured.filter(({ blockBytes }) => blockBytes !== null)
  const charts: Chart[] = []
  if (blocksOf(sized).length > 1) charts.push(byBlockSize(topic, sized))
  const blocks = blocksOf(sized)
  const middle = blocks[Math.floor(blocks.length / 2)] ?? null
  const fixed = measured.filter(({ blockBytes }) => topic.figure === 'syncs' || blockBytes === middle)
  if (fixed.length > 0) charts.push(latencyChart(topic, fixed))
  return charts
}

function byBlockSize(topic: Topic, rows: readonly Row[]): Chart {
  const series = methodsOf(rows).map((method) => ({
    name: method,
    points: rows
      .filter((row) => row.method === method)
      .map((row): Point => {
        const { median, min, max } = mainFigure(row, topic)!
        return { x: row.blockBytes ?? 0, y: median, low: min, high: max }
      })
      .toSorted((a, b) => Number(a.x) - Number(b.x)),
  }))
  return {
    title: `${topic.heading}: ${unitOf(topic)} by block size`,
    kind: 'line',
    x: { label: 'block size', scale: 'log', format: 'bytes' },
    y: { label: unitOf(topic), scale: topic.figure === 'syncs' ? 'log' : 'linear' },
    series,
    note: 'Whiskers: lowest and highest round.',
  }
}

const PERCENTILES = [
  ['p50', 'p50'],
  ['p99', 'p99'],
  ['p99.9', 'p999'],
  ['max', 'max'],
] as const

function latencyChart(topic: Topic, rows: readonly Row[]): Chart {
  const blocks = blocksOf(rows)
  const isMixed = blocks.length > 1
  const nameOf = (row: Row): string => (isMixed ? `${row.method}, ${blockName(row.blockBytes)}` : row.method)
  return {
    title: `${topic.heading}: latency of an operation${isMixed ? '' : ` at ${blockName(blocks[0] ?? null)}`}`,
    kind: 'bar',
    x: { label: 'method', scale: 'category' },
    y: { label: 'microseconds', scale: 'log' },
    series: PERCENTILES.map(([name, key]) => ({
      name,
      points: rows.map((row) => ({ x: nameOf(row), y: row.figures?.latencyUs[key] ?? Number.NaN })),
    })),
  }
}
