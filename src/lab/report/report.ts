/**
 * What a measurement has to say, before it is drawn: the benchmark and the labs build a `Report`, and `renderText` and
 * `renderHtml` show the same one on a terminal and in a browser.
 *
 * What must hold: a report carries only what was measured and said. Rounding, colours and layout belong to the renderers,
 * so figures go in unrounded.
 */

/** A figure goes in as a number and unrounded; `NaN` is a figure that could not be had, and shows as a dash. */
export type Cell = string | number

export interface Column {
  readonly name: string
  /** Stands under the name; what every figure of the column is in. */
  readonly unit?: string
  /** Without it: right if every cell is a number, left otherwise. */
  readonly align?: 'left' | 'right'
}

export interface Table {
  readonly title: string
  readonly columns: readonly Column[]
  readonly rows: readonly (readonly Cell[])[]
  readonly note?: string
}

export interface Axis {
  readonly label: string
  readonly scale: 'linear' | 'log'
  /** `bytes`: ticks in powers of two (4 KiB, 1 MiB); otherwise plain numbers. */
  readonly format?: 'number' | 'bytes'
}

export interface CategoryAxis {
  readonly label: string
  readonly scale: 'category'
}

export interface Point {
  readonly x: number | string
  readonly y: number
  /** Shown with the point: in its tooltip, and beside it in a scatter chart of at most `LABELLED_POINTS_MAX` points. */
  readonly label?: string
  /** The spread of the rounds behind the figure, drawn as a whisker. */
  readonly low?: number
  readonly high?: number
}

export interface Series {
  readonly name: string
  readonly points: readonly Point[]
  /** Only for `scatter`: connect the points, in the order they are in. */
  readonly line?: boolean
}

export interface Chart {
  readonly title: string
  readonly kind: 'line' | 'bar' | 'scatter'
  /** A bar chart's x axis is a `category` axis. */
  readonly x: Axis | CategoryAxis
  readonly y: Axis
  readonly series: readonly Series[]
  readonly note?: string
}

export interface Section {
  readonly heading: string
  /** Paragraphs. */
  readonly text?: readonly string[]
  readonly tables: readonly Table[]
  readonly charts: readonly Chart[]
}

export interface NamedValue {
  readonly name: string
  readonly value: string
}

export interface Report {
  readonly title: string
  readonly subtitle: string
  /** The machine, the versions, the settings: whatever somebody needs to repeat the run. */
  readonly environment: readonly NamedValue[]
  /** The conclusions, one short sentence each, in plain words. */
  readonly reading: readonly string[]
  readonly sections: readonly Section[]
}

/** A scatter chart with more points than this would be a cloud of words. */
export const LABELLED_POINTS_MAX = 40

/** Four significant digits, thousands separated: 1,234,567 / 123.4 / 0.01234. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return '-'
  const magnitude = Math.abs(value)
  if (magnitude >= 1000 || Number.isInteger(value)) return groupThousands(Math.round(value))
  if (magnitude >= 100) return value.toFixed(1)
  if (magnitude >= 10) return value.toFixed(2)
  if (magnitude >= 1) return value.toFixed(3)
  return magnitude < 1e-6 ? value.toExponential(2) : String(Number(value.toPrecision(3)))
}

export function formatCell(cell: Cell): string {
  return typeof cell === 'number' ? formatNumber(cell) : cell
}

/** Sizes as people say them: 512 B, 4 KiB, 1.5 MiB. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let unit = 0
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${Number(value.toFixed(1))} ${units[unit]}`
}

export function alignmentOf(table: Table, columnIndex: number): 'left' | 'right' {
  const stated = table.columns[columnIndex]?.align
  if (stated !== undefined) return stated
  return table.rows.length > 0 && table.rows.every((row) => typeof row[columnIndex] === 'number') ? 'right' : 'left'
}

function groupThousands(integer: number): string {
  return integer.toString().replace(/\B(?=(\d{3})+$)/g, ',')
}
