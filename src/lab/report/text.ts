/** A report on a terminal: tables with aligned columns, conclusions as a list. Charts are what the HTML report is for. */
import { alignmentOf, formatCell, type NamedValue, type Report, type Section, type Table } from './report.ts'

export interface TextOptions {
  readonly colours: boolean
  /** Columns of the terminal; prose is wrapped there, tables are not. */
  readonly width?: number
}

interface Style {
  bold(text: string): string
  dim(text: string): string
}

const PLAIN: Style = { bold: (text) => text, dim: (text) => text }
const ANSI: Style = { bold: (text) => `\x1b[1m${text}\x1b[22m`, dim: (text) => `\x1b[2m${text}\x1b[22m` }
const DEFAULT_WIDTH = 100
const INDENT = '  '

export function renderText(report: Report, options: TextOptions): string {
  const style = options.colours ? ANSI : PLAIN
  const width = options.width ?? DEFAULT_WIDTH
  const blocks = [
    [style.bold(report.title), ...wrap(report.subtitle, width)],
    environmentLines(report.environment, style),
    ...report.sections.flatMap((section) => sectionBlocks(section, style, width)),
  ]
  if (report.reading.length > 0) {
    const lines = report.reading.flatMap((sentence) => hanging(sentence, '- ', width))
    blocks.push([style.bold('Reading'), ...lines])
  }
  const shown = blocks.filter((lines) => lines.length > 0)
  return `${shown.map((lines) => lines.join('\n')).join('\n\n')}\n`
}

function sectionBlocks(section: Section, style: Style, width: number): string[][] {
  // A section of charts alone has nothing to show here.
  if (section.tables.length === 0 && section.text === undefined) return []
  const opening = [style.bold(section.heading), ...(section.text ?? []).flatMap((text) => wrap(text, width))]
  return [opening, ...section.tables.map((table) => tableLines(table, style, width))]
}

function environmentLines(environment: readonly NamedValue[], style: Style): string[] {
  const widest = Math.max(0, ...environment.map(({ name }) => name.length))
  return environment.map(({ name, value }) => `${style.dim(name.padEnd(widest))}  ${value}`)
}

function tableLines(table: Table, style: Style, width: number): string[] {
  const cells = table.rows.map((row) => table.columns.map((_, index) => formatCell(row[index] ?? '')))
  const heads = table.columns.map(({ name, unit }) => [name, unit ?? ''] as const)
  const widths = table.columns.map((_, index) =>
    Math.max(...(heads[index] ?? []).map(displayWidth), ...cells.map((row) => displayWidth(row[index] ?? ''))),
  )
  const alignments = table.columns.map((_, index) => alignmentOf(table, index))
  const line = (row: readonly string[]): string =>
    row
      .map((cell, index) => pad(cell, widths[index] ?? 0, alignments[index] ?? 'left'))
      .join('  ')
      .trimEnd()
  const lines = table.title === '' ? [] : [table.title]
  lines.push(INDENT + style.dim(line(heads.map(([name]) => name))))
  if (heads.some(([, unit]) => unit !== '')) lines.push(INDENT + style.dim(line(heads.map(([, unit]) => unit))))
  lines.push(...cells.map((row) => INDENT + line(row)))
  if (table.note !== undefined) {
    lines.push(...wrap(table.note, width - INDENT.length).map((text) => INDENT + style.dim(text)))
  }
  return lines
}

function pad(text: string, width: number, align: 'left' | 'right'): string {
  const missing = ' '.repeat(Math.max(0, width - displayWidth(text)))
  return align === 'right' ? missing + text : text + missing
}

function displayWidth(text: string): number {
  return Bun.stringWidth(text)
}

function hanging(text: string, marker: string, width: number): string[] {
  const lines = wrap(text, width - marker.length)
  return lines.map((line, index) => (index === 0 ? marker : ' '.repeat(marker.length)) + line)
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/\s+/).filter((part) => part !== '')) {
    if (line !== '' && displayWidth(line) + 1 + displayWidth(word) > width) {
      lines.push(line)
      line = ''
    }
    line += line === '' ? word : ` ${word}`
  }
  if (line !== '') lines.push(line)
  return lines
}
