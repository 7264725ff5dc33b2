/**
 * A report as one HTML file: readable without a network, on a phone, in the dark and on paper. Charts are drawn by chart.js,
 * whose one-file build is put into the page; `page-script.js` turns the report's charts into its configuration.
 *
 * What must hold: nothing of the report reaches the page as markup or script. Text is escaped, charts travel as JSON in
 * which no `<` is left, and the page's own policy forbids it to load anything.
 */
import chartLibrary from '../../../node_modules/chart.js/dist/chart.umd.min.js' with { type: 'text' }
import pageScript from './page-script.js' with { type: 'text' }
import pageStyle from './page-style.css' with { type: 'text' }
import {
  alignmentOf,
  type Chart,
  formatCell,
  LABELLED_POINTS_MAX,
  type Report,
  type Section,
  type Table,
} from './report.ts'

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"

export function renderHtml(report: Report): string {
  const charts = report.sections.flatMap((section) => section.charts)
  let drawn = 0
  const sections = report.sections.map((section) => {
    const first = drawn
    drawn += section.charts.length
    return sectionHtml(section, first)
  })
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>${escapeHtml(report.title)}</title>
<style>
${pageStyle}</style>
</head>
<body>
<header>
<h1>${escapeHtml(report.title)}</h1>
<p class="subtitle">${escapeHtml(report.subtitle)}</p>
</header>
<main>
${readingHtml(report)}${sections.join('')}${environmentHtml(report)}</main>
${charts.length === 0 ? '' : scriptsHtml(charts)}</body>
</html>
`
}

function readingHtml(report: Report): string {
  if (report.reading.length === 0) return ''
  const items = report.reading.map((sentence) => `<li>${escapeHtml(sentence)}</li>`)
  return `<section class="reading">\n<h2>Reading</h2>\n<ul>\n${items.join('\n')}\n</ul>\n</section>\n`
}

function environmentHtml(report: Report): string {
  if (report.environment.length === 0) return ''
  const rows = report.environment.map(({ name, value }) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`)
  return `<section>\n<h2>Environment</h2>\n<dl>\n${rows.join('\n')}\n</dl>\n</section>\n`
}

function sectionHtml(section: Section, firstChart: number): string {
  const paragraphs = (section.text ?? []).map((text) => `<p>${escapeHtml(text)}</p>\n`)
  const charts = section.charts.map((chart, index) => chartHtml(chart, firstChart + index))
  const grid = charts.length === 0 ? '' : `<div class="charts">\n${charts.join('')}</div>\n`
  const tables = section.tables.map(tableHtml)
  return `<section>\n<h2>${escapeHtml(section.heading)}</h2>\n${paragraphs.join('')}${grid}${tables.join('')}</section>\n`
}

function chartHtml(chart: Chart, index: number): string {
  return `<figure>
<figcaption>${escapeHtml(chart.title)}</figcaption>
<div class="canvas"><canvas data-chart="${index}" role="img" aria-label="${escapeHtml(chart.title)}"></canvas></div>
${noteHtml(chart.note)}<details><summary>Figures</summary>
${tableHtml(chartFigures(chart))}</details>
</figure>
`
}

/** The chart's points as a table: for those who cannot see the drawing, and for copying. */
export function chartFigures(chart: Chart): Table {
  const rows = chart.series.flatMap((series) =>
    series.points.map((point) => [series.name, point.x, point.y, point.low ?? '', point.high ?? '', point.label ?? '']),
  )
  const columns = [
    { name: 'Series' },
    { name: chart.x.label },
    { name: chart.y.label },
    { name: 'Lowest' },
    { name: 'Highest' },
    { name: 'Point' },
  ]
  // Columns that say nothing are left out.
  const used = columns.map((_, column) => rows.some((row) => row[column] !== ''))
  return {
    title: '',
    columns: columns.filter((_, column) => used[column]),
    rows: rows.map((row) => row.filter((_, column) => used[column])),
  }
}

function tableHtml(table: Table): string {
  const classes = table.columns.map((_, index) => (alignmentOf(table, index) === 'right' ? ' class="number"' : ''))
  const heads = table.columns.map(({ name, unit }, index) => {
    const below = unit === undefined ? '' : `<span class="unit">${escapeHtml(unit)}</span>`
    return `<th scope="col"${classes[index]}>${escapeHtml(name)}${below}</th>`
  })
  const rows = table.rows.map((row) => {
    const cells = table.columns.map((_, index) => {
      const text = escapeHtml(formatCell(row[index] ?? ''))
      return index === 0 ? `<th scope="row"${classes[index]}>${text}</th>` : `<td${classes[index]}>${text}</td>`
    })
    return `<tr>${cells.join('')}</tr>`
  })
  const caption = table.title === '' ? '' : `<caption>${escapeHtml(table.title)}</caption>\n`
  return `<div class="table"><table>
${caption}<thead><tr>${heads.join('')}</tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table></div>
${noteHtml(table.note)}`
}

function noteHtml(note: string | undefined): string {
  return note === undefined ? '' : `<p class="note">${escapeHtml(note)}</p>\n`
}

function scriptsHtml(charts: readonly Chart[]): string {
  const data = JSON.stringify({ charts, labelledPointsMax: LABELLED_POINTS_MAX })
  return `<script type="application/json" id="report-charts">${data.replaceAll('<', '\\u003c')}</script>
<script>${chartLibrary}</script>
<script>
${pageScript}</script>
`
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}
