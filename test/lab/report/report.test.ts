import { describe, expect, test } from 'bun:test'
import { alignmentOf, formatBytes, formatNumber, type Report } from '../../../src/lab/report/report.ts'
import { renderText } from '../../../src/lab/report/text.ts'

const REPORT: Report = {
  title: 'Two brokers',
  subtitle: 'a subtitle',
  environment: [
    { name: 'kernel', value: 'linux 6' },
    { name: 'disk', value: 'ext4' },
  ],
  reading: ['One is faster than the other, and this sentence is long enough that it does not fit on one short line.'],
  sections: [
    {
      heading: 'Rates',
      text: ['What was measured.'],
      tables: [
        {
          title: 'Medians',
          columns: [{ name: 'work' }, { name: 'rate', unit: 'MB/s' }, { name: 'spread', align: 'right' }],
          rows: [
            ['produce', 1234.5, '1 .. 2'],
            ['fetch', Number.NaN, '-'],
          ],
          note: 'acks=1',
        },
      ],
      charts: [],
    },
    { heading: 'Only charts', tables: [], charts: [] },
  ],
}

describe('figures', () => {
  test.each([
    [1234567, '1,234,567'],
    [999.96, '1000.0'],
    [123.44, '123.4'],
    [12.345, '12.35'],
    [1.5, '1.500'],
    [7, '7'],
    [0.012345, '0.0123'],
    [0, '0'],
    [-4321.4, '-4,321'],
    [Number.NaN, '-'],
  ])('%p is written %s', (value, text) => {
    expect(formatNumber(value)).toBe(text)
  })

  test('sizes in powers of two', () => {
    expect([0, 512, 4096, 1.5 * 2 ** 20, 3 * 2 ** 40].map(formatBytes)).toEqual([
      '0 B',
      '512 B',
      '4 KiB',
      '1.5 MiB',
      '3 TiB',
    ])
  })

  test('columns of figures stand right unless told otherwise', () => {
    const table = REPORT.sections[0]!.tables[0]!
    expect([0, 1, 2].map((column) => alignmentOf(table, column))).toEqual(['left', 'right', 'right'])
  })
})

describe('on a terminal', () => {
  test('title, environment, aligned tables, reading', () => {
    expect(renderText(REPORT, { colours: false, width: 60 })).toMatchInlineSnapshot(`
"Two brokers
a subtitle

kernel  linux 6
disk    ext4

Rates
What was measured.

Medians
  work      rate  spread
            MB/s
  produce  1,235  1 .. 2
  fetch        -       -
  acks=1

Reading
- One is faster than the other, and this sentence is long
  enough that it does not fit on one short line.
"
`)
  })

  test('colours only when asked for', () => {
    expect(renderText(REPORT, { colours: false })).not.toContain('\x1b[')
    expect(renderText(REPORT, { colours: true })).toContain('\x1b[1mTwo brokers\x1b[22m')
  })
})
