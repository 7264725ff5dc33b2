/** What a run says: frontier, JSON and report, on a run with made-up engines and on one through a real broker. */
import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { type BrokerProcess, startBroker } from '../../../src/lab/codecs/broker-process.ts'
import { allEngines, type Selected, select } from '../../../src/lab/codecs/engines/index.ts'
import { codecReport } from '../../../src/lab/codecs/report.ts'
import { type CodecLabResult, frontier } from '../../../src/lab/codecs/result.ts'
import { type CodecLabInput, endToEndIds, runCodecLab } from '../../../src/lab/codecs/run.ts'
import { sampleRecords } from '../../../src/lab/codecs/samples/index.ts'
import { renderHtml } from '../../../src/lab/report/html.ts'
import { renderText } from '../../../src/lab/report/text.ts'
import { SAMSA } from '../../cli/program.ts'

/** A broker is started, and the machine may be busy. */
setDefaultTimeout(30_000)

const TOOLS = {
  nowNs: () => Bun.nanoseconds(),
  collectGarbage: () => undefined,
  throwIfInterrupted: () => undefined,
  breathe: async () => undefined,
}

function selected(codecs: string[]): Selected {
  const engines = allEngines(() => {
    throw new Error('not installed')
  })
  const result = select(engines, { codecs, levels: [], quick: true })
  if (typeof result === 'string') throw new Error(result)
  return result
}

function input(over: Partial<CodecLabInput> = {}): CodecLabInput {
  return {
    records: sampleRecords('json', 1, 200_000),
    source: 'sample json (seed 1)',
    reshape: { keySize: null, valueSize: null, seed: 1 },
    batchBytes: 16_384,
    selected: selected(['zstd', 'snappy']),
    rounds: 1,
    passMs: 1,
    goal: 'size',
    networkMbPerSecond: 125,
    minCompressMbPerSecond: 0.001,
    environment: [{ name: 'machine', value: 'of a test' }],
    broker: null,
    dictionaries: false,
    ...over,
  }
}

describe('frontier', () => {
  const row = (id: string, ratio: number, speed: number) => ({ id, ratio, speed })

  test('holds what no other beats in both', () => {
    const rows = [
      row('fast', 1, 900),
      row('good', 3, 500),
      row('beaten', 2, 400),
      row('small', 5, 10),
      row('slow', 5, 9),
    ]
    expect([...frontier(rows, ({ speed }) => speed)]).toEqual(['fast', 'good', 'small'])
  })

  test('equals stay both', () => {
    const rows = [row('a', 2, 100), row('b', 2, 100)]
    expect([...frontier(rows, ({ speed }) => speed)]).toEqual(['a', 'b'])
  })
})

describe('a run', () => {
  test('answers JSON whose shape scripts can rely on', async () => {
    const result = await runCodecLab(input(), TOOLS)
    const parsed = JSON.parse(JSON.stringify(result)) as CodecLabResult
    expect(parsed).toMatchObject({
      tool: 'samsa lab codecs',
      formatVersion: 1,
      environment: [{ name: 'machine', value: 'of a test' }],
      data: { source: 'sample json (seed 1)', batchBytes: 16_384 },
      settings: { rounds: 1, passMs: 1, goal: 'size', networkMbPerSecond: 125 },
      endToEnd: [],
      dictionary: null,
      recommendation: { goal: 'size', networkMbPerSecond: 125, choice: { codec: 'zstd' }, settings: expect.any(Array) },
    })
    const spread = { median: expect.any(Number), low: expect.any(Number), high: expect.any(Number) }
    const direction = { mbPerSecond: spread, batchUsP50: expect.any(Number), batchUsP99: expect.any(Number) }
    for (const row of parsed.codecs) {
      expect(row).toEqual({
        id: expect.any(String),
        codec: expect.any(String),
        engine: expect.any(String),
        version: expect.any(String),
        level: row.level === null ? null : expect.any(Number),
        isDefaultLevel: expect.any(Boolean),
        ratio: expect.any(Number),
        savedShare: expect.any(Number),
        compress: direction,
        decompress: direction,
        roundTripMbPerSecond: expect.any(Number),
        onCompressFrontier: expect.any(Boolean),
        onRoundTripFrontier: expect.any(Boolean),
      } as never)
    }
    expect(parsed.codecs.map(({ id }) => id)).toContain('snappy/raw')
    expect(parsed.codecs.find(({ id }) => id === 'none/copy')).toMatchObject({ ratio: 1, savedShare: 0 })
    expect(parsed.codecs.find(({ id }) => id === 'zstd/bun 9')!.ratio).toBeGreaterThan(3)
  })

  test('an engine that is not here has a row that says so', async () => {
    const result = await runCodecLab(input(), TOOLS)
    const row = { id: 'zstd/napi', reason: 'the optional package zstd-napi does not load: not installed' }
    expect(result.unavailable).toContainEqual(row)
    const text = renderText(codecReport(result), { colours: false })
    expect(text).toMatch(/zstd\/napi +the optional package zstd-napi does not load: not installed/)
  })

  test('the report has the table, both charts, the recommendation and its settings', async () => {
    const result = await runCodecLab(input({ dictionaries: true }), TOOLS)
    const report = codecReport(result)
    expect(report.sections.map(({ heading }) => heading)).toEqual([
      'Codecs, engines and levels',
      'Experiment: zstd dictionaries',
    ])
    expect(report.reading[0]).toBe(result.recommendation!.reason)
    const [byCompress, byRoundTrip] = report.sections[0]!.charts
    for (const chart of [byCompress!, byRoundTrip!]) {
      expect(chart.kind).toBe('scatter')
      const points = chart.series.filter(({ line }) => line !== true).flatMap((series) => series.points)
      expect(points.map(({ label }) => label).toSorted()).toEqual(result.codecs.map(({ id }) => id).toSorted())
    }
    const html = renderHtml(report)
    expect(html).toContain('zstd/bun 9')
    expect(html).toContain('Settings: compression.type=zstd, compression.zstd.level=')
  })
})

describe('rounds that differ much', () => {
  test.each([
    [40, true],
    [10, false],
  ])('by +-%d %%: said %p', async (percent, said) => {
    const result = await runCodecLab(input({ selected: selected(['snappy']) }), TOOLS)
    const mbPerSecond = { median: 100, low: 100 - percent, high: 100 + percent }
    const codecs = result.codecs.map((row) => ({ ...row, compress: { ...row.compress, mbPerSecond } }))
    const warned = codecReport({ ...result, codecs }).reading.some((line) =>
      line.startsWith('Rounds differed by +-40 %'),
    )
    expect(warned).toBe(said)
  })
})

describe('through a broker', () => {
  test('which codecs: the best of each, and the recommended one', async () => {
    const { codecs } = await runCodecLab(input({ selected: selected([]) }), TOOLS)
    const ids = endToEndIds(codecs, null, 125)
    expect([...ids].map((id) => id.split('/')[0]!).toSorted()).toEqual(['gzip', 'lz4', 'none', 'snappy', 'zstd'])
  })

  test('all records go in and come out, the files get smaller, and nothing stays behind', async () => {
    let broker: BrokerProcess | null = null
    const start = async (): Promise<BrokerProcess> => {
      broker = await startBroker([...SAMSA, 'serve'])
      return broker
    }
    const result = await runCodecLab(input({ broker: { start, rounds: 1, bytes: 500_000 } }), TOOLS)
    const rows = new Map(result.endToEnd.map((row) => [row.id.split('/')[0], row]))
    expect([...rows.keys()].toSorted()).toEqual(['none', 'snappy', 'zstd'])
    expect(rows.get('none')!.diskShare).toBeCloseTo(1, 10)
    expect(rows.get('zstd')!.diskShare).toBeLessThan(0.4)
    for (const row of rows.values()) {
      expect(row.produceMbPerSecond.median).toBeGreaterThan(0)
      expect(row.consumeMbPerSecond.median).toBeGreaterThan(0)
    }
    expect(existsSync(broker!.dataDirectory)).toBe(false)
    expect(broker!.cpuSeconds()).toBeNaN()
    expect(renderText(codecReport(result), { colours: false })).toContain('Through a broker on this machine')
  })

  test('an interrupted run stops its broker', async () => {
    let broker: BrokerProcess | null = null
    const start = async (): Promise<BrokerProcess> => {
      broker = await startBroker([...SAMSA, 'serve'])
      return broker
    }
    const throwIfInterrupted = (): void => {
      throw new Error('interrupted')
    }
    const run = runCodecLab(input({ broker: { start, rounds: 1, bytes: 500_000 } }), { ...TOOLS, throwIfInterrupted })
    expect(await run.catch((error: Error) => error.message)).toBe('interrupted')
    expect(existsSync(broker!.dataDirectory)).toBe(false)
  })

  test('a broker that does not start is an error with its own words', async () => {
    const starting = startBroker([...SAMSA, 'serve', '--storage', 'paper'])
    expect(await starting.catch((error: Error) => error.message)).toMatch(/did not start: .*paper/)
  })
})
