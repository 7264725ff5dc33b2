import { describe, expect, test } from 'bun:test'
import { chartFigures, renderHtml } from '../../../src/lab/report/html.ts'
import type { Chart, Report } from '../../../src/lab/report/report.ts'

const HOSTILE = `</script><img src=x onerror=alert(1)>"'&`

const CHART: Chart = {
  title: `Throughput ${HOSTILE}`,
  kind: 'bar',
  x: { label: 'work', scale: 'category' },
  y: { label: 'MB/s', scale: 'linear' },
  series: [
    { name: 'Samsa', points: [{ x: '16 KiB', y: 4711.25, low: 4000, high: 5000 }] },
    { name: HOSTILE, points: [{ x: '16 KiB', y: 815 }] },
  ],
}

const REPORT: Report = {
  title: `Title ${HOSTILE}`,
  subtitle: HOSTILE,
  environment: [{ name: HOSTILE, value: HOSTILE }],
  reading: [HOSTILE],
  sections: [
    {
      heading: HOSTILE,
      text: [HOSTILE],
      tables: [
        { title: HOSTILE, columns: [{ name: HOSTILE, unit: HOSTILE }], rows: [[HOSTILE], [4321.5]], note: HOSTILE },
      ],
      charts: [CHART],
    },
    { heading: 'Second', tables: [], charts: [{ ...CHART, title: 'Second chart' }] },
  ],
}

function chartsIn(html: string): unknown {
  const json = /<script type="application\/json" id="report-charts">(.*?)<\/script>/s.exec(html)?.[1]
  return JSON.parse(json ?? 'null')
}

/** The page without what is not markup: scripts and styles. */
function markupOf(html: string): string {
  return html.replaceAll(/<(script|style)\b[^>]*>.*?<\/\1>/gs, '')
}

describe('a report as a page', () => {
  const html = renderHtml(REPORT)

  test('holds the charts, unrounded, and one canvas for each', () => {
    expect(chartsIn(html)).toEqual({ charts: [CHART, { ...CHART, title: 'Second chart' }], labelledPointsMax: 40 })
    expect([...html.matchAll(/<canvas data-chart="(\d)"/g)].map((match) => match[1])).toEqual(['0', '1'])
  })

  test('holds the tables', () => {
    expect(html).toContain('<th scope="row">4,322</th>')
  })

  test('nothing of the report becomes markup', () => {
    expect(markupOf(html)).not.toContain('<img')
    expect(html).not.toContain(HOSTILE)
  })

  test('loads nothing: no address in any attribute or style, and a policy that forbids it', () => {
    expect(markupOf(html)).not.toMatch(/\s(src|href|srcset|action|data)\s*="/)
    expect(html).not.toMatch(/@import|url\(\s*['"]?(https?:)?\/\//)
    expect(html).toContain(`content="default-src 'none';`)
    expect(markupOf(html)).not.toMatch(/https?:/)
  })

  test('a report without charts carries no script', () => {
    const page = renderHtml({ ...REPORT, sections: [] })
    expect(page).not.toContain('<script')
    expect(page.length).toBeLessThan(10_000)
  })
})

describe("a chart's figures", () => {
  test('every point, without columns that say nothing', () => {
    expect(chartFigures(CHART)).toEqual({
      title: '',
      columns: [{ name: 'Series' }, { name: 'work' }, { name: 'MB/s' }, { name: 'Lowest' }, { name: 'Highest' }],
      rows: [
        ['Samsa', '16 KiB', 4711.25, 4000, 5000],
        [HOSTILE, '16 KiB', 815, '', ''],
      ],
    })
  })
})
