/** A result of the codec lab as a report: what is read on a terminal and looked at in a browser. */

import { median } from '../broker/statistics.ts'
import type { Chart, NamedValue, Report, Section, Series, Table } from '../report/report.ts'
import { formatBytes } from '../report/report.ts'
import type { CodecLabResult, CodecRow } from './result.ts'

/** On a quiet machine rounds differ by a few percent. */
const UNSTEADY_PERCENT = 25

export function codecReport(result: CodecLabResult): Report {
  return {
    title: 'Codec lab',
    subtitle: `${result.data.source}: ${result.data.records} records in ${result.data.batches} batches of up to ${formatBytes(result.data.batchBytes)}`,
    environment: [...result.environment, ...dataFacts(result)],
    reading: reading(result),
    sections: [codecSection(result), ...endToEndSection(result), ...dictionarySection(result)],
  }
}

function dataFacts({ data, settings, codecs }: CodecLabResult): NamedValue[] {
  return [
    { name: 'data', value: `${data.source}, ${formatBytes(data.plainBytes)} in ${data.batches} batches` },
    {
      name: 'records',
      value: `${data.records}, key ${data.keyBytesAverage.toFixed(0)} and value ${data.valueBytesAverage.toFixed(0)} bytes on average, ${data.recordsPerBatchAverage.toFixed(1)} per batch`,
    },
    { name: 'libraries', value: [...new Set(codecs.map(({ version }) => version))].join(', ') },
    { name: 'rounds', value: `${settings.rounds} of ${settings.passMs} ms per codec and direction, medians` },
  ]
}

function reading(result: CodecLabResult): string[] {
  const { recommendation } = result
  if (recommendation === null) return ['Nothing was measured that could be recommended.']
  const sentences = [recommendation.reason, `Settings: ${recommendation.settings.join(', ')}.`]
  const variation = median(result.codecs.map(({ compress }) => halfSpread(compress)))
  if (variation > UNSTEADY_PERCENT) {
    sentences.push(
      `Rounds differed by +-${variation.toFixed(0)} %, so something else was busy on this machine: measure again when it is quiet before relying on close figures.`,
    )
  }
  const plain = result.endToEnd.find(({ id }) => id.startsWith('none/'))
  const chosen = result.endToEnd.find(({ id }) => id === recommendation.choice.id)
  if (plain !== undefined && chosen !== undefined && chosen !== plain) {
    const [rate, plainRate] = [chosen.produceMbPerSecond.median, plain.produceMbPerSecond.median]
    const [read, plainRead] = [chosen.consumeMbPerSecond.median, plain.consumeMbPerSecond.median]
    sentences.push(
      `Through a broker on this machine, without a network in between, one producer made ${rate.toFixed(0)} MB/s with it and ${plainRate.toFixed(0)} without compression; one consumer ${read.toFixed(0)} and ${plainRead.toFixed(0)}.`,
    )
  }
  return sentences
}

function codecSection(result: CodecLabResult): Section {
  const { codecs, unavailable } = result
  return {
    heading: 'Codecs, engines and levels',
    text: [
      'One core; MB are millions of bytes of records before compression. Every batch was compressed, decompressed and compared before it was timed.',
    ],
    tables: [codecTable(codecs), ...(unavailable.length === 0 ? [] : [unavailableTable(unavailable)])],
    charts: [
      paretoChart(
        'Ratio against compression speed',
        'compress, MB/s',
        codecs,
        compressSpeed,
        (row) => row.onCompressFrontier,
      ),
      paretoChart(
        'Ratio against the way there and back',
        'compress and decompress, MB/s',
        codecs,
        roundTripSpeed,
        (row) => row.onRoundTripFrontier,
      ),
    ],
  }
}

function codecTable(codecs: readonly CodecRow[]): Table {
  return {
    title: 'Each on the same batches',
    columns: [
      { name: 'codec' },
      { name: 'level', align: 'right' },
      { name: 'ratio' },
      { name: 'saved', unit: '% of batch' },
      { name: 'compress', unit: 'MB/s' },
      { name: 'spread', unit: '+-%' },
      { name: 'p50', unit: 'us/batch' },
      { name: 'p99', unit: 'us/batch' },
      { name: 'decompress', unit: 'MB/s' },
      { name: 'spread', unit: '+-%' },
      { name: 'p50', unit: 'us/batch' },
      { name: 'p99', unit: 'us/batch' },
      { name: 'best' },
    ],
    rows: codecs.map((row) => [
      `${row.codec}/${row.engine}`,
      row.level === null ? '-' : `${row.level}${row.isDefaultLevel ? '*' : ''}`,
      row.ratio,
      row.savedShare * 100,
      ...directionCells(row.compress),
      ...directionCells(row.decompress),
      `${row.onCompressFrontier ? 'c' : ''}${row.onRoundTripFrontier ? 'r' : ''}`,
    ]),
    note: "* the engine's default level. best: no other is smaller and faster, c to compress, r there and back. spread: half the distance between the slowest and the fastest round.",
  }
}

function directionCells({ mbPerSecond, batchUsP50, batchUsP99 }: CodecRow['compress']): number[] {
  return [mbPerSecond.median, halfSpread({ mbPerSecond }), batchUsP50, batchUsP99]
}

/** Half the distance between the slowest and the fastest round, in percent of the median. */
function halfSpread({ mbPerSecond }: Pick<CodecRow['compress'], 'mbPerSecond'>): number {
  return ((mbPerSecond.high - mbPerSecond.low) / 2 / mbPerSecond.median) * 100
}

function unavailableTable(unavailable: CodecLabResult['unavailable']): Table {
  return {
    title: 'Not measured',
    columns: [{ name: 'engine' }, { name: 'why' }],
    rows: unavailable.map(({ id, reason }) => [id, reason]),
  }
}

interface Speed {
  readonly median: number
  readonly low?: number
  readonly high?: number
}

function compressSpeed(row: CodecRow): Speed {
  return row.compress.mbPerSecond
}

function roundTripSpeed(row: CodecRow): Speed {
  return { median: row.roundTripMbPerSecond }
}

function paretoChart(
  title: string,
  label: string,
  codecs: readonly CodecRow[],
  speed: (row: CodecRow) => Speed,
  isBest: (row: CodecRow) => boolean,
): Chart {
  const best = codecs.filter(isBest).toSorted((a, b) => a.ratio - b.ratio)
  const series: Series[] = [...Map.groupBy(codecs, (row) => `${row.codec}/${row.engine}`)].map(([name, rows]) => ({
    name,
    points: rows.map((row) => {
      const { median, low, high } = speed(row)
      return {
        x: row.ratio,
        y: median,
        label: row.id,
        ...(low === undefined || high === undefined ? {} : { low, high }),
      }
    }),
  }))
  return {
    title,
    kind: 'scatter',
    x: { label: 'compression ratio', scale: 'linear' },
    y: { label, scale: 'log' },
    series: [
      ...series,
      { name: 'best of their size', line: true, points: best.map((row) => ({ x: row.ratio, y: speed(row).median })) },
    ],
    note: 'To the right is smaller, up is faster. On the line are those that no other beats in both.',
  }
}

function endToEndSection({ endToEnd }: CodecLabResult): Section[] {
  if (endToEnd.length === 0) return []
  return [
    {
      heading: 'Through a broker',
      text: [
        'A broker of its own in a temporary folder, one producer that compresses and one consumer that decompresses, over loopback: what smaller batches save on a real network is not in these figures. MB and GB are records before compression.',
      ],
      tables: [
        {
          title: 'End to end',
          columns: [
            { name: 'codec' },
            { name: 'produce', unit: 'MB/s' },
            { name: 'from' },
            { name: 'to' },
            { name: 'broker CPU', unit: 's/GB produced' },
            { name: 'consume', unit: 'MB/s' },
            { name: 'from' },
            { name: 'to' },
            { name: 'broker CPU', unit: 's/GB consumed' },
            { name: 'on disk', unit: '% of plain' },
          ],
          rows: endToEnd.map((row) => [
            row.id,
            ...spreadCells(row.produceMbPerSecond),
            row.brokerProduceCpuSecondsPerGb ?? Number.NaN,
            ...spreadCells(row.consumeMbPerSecond),
            row.brokerConsumeCpuSecondsPerGb ?? Number.NaN,
            row.diskShare * 100,
          ]),
        },
      ],
      charts: [
        {
          title: 'Rates through a broker',
          kind: 'bar',
          x: { label: 'codec', scale: 'category' },
          y: { label: 'MB/s of records', scale: 'linear' },
          series: (['produce', 'consume'] as const).map((name) => ({
            name,
            points: endToEnd.map((row) => {
              const { median, low, high } = row[`${name}MbPerSecond`]
              return { x: row.id, y: median, low, high }
            }),
          })),
        },
      ],
    },
  ]
}

function spreadCells({ median, low, high }: { median: number; low: number; high: number }): number[] {
  return [median, low, high]
}

function dictionarySection({ dictionary }: CodecLabResult): Section[] {
  if (dictionary === null) return []
  return [
    {
      heading: 'Experiment: zstd dictionaries',
      text: [
        "Kafka's protocol cannot hand a dictionary to a consumer: batches made like this are readable only to programs that were given it otherwise. This shows what it would bring, and nothing more.",
        `Learnt from the first half of the records, measured on the second, with ${dictionary.engine} at level ${dictionary.level}; ${dictionary.method}.`,
      ],
      tables: [
        {
          title: 'With and without',
          columns: [
            { name: 'batch of up to' },
            { name: 'dictionary' },
            { name: 'its size', unit: 'bytes' },
            { name: 'ratio' },
            { name: 'compress', unit: 'MB/s' },
            { name: 'decompress', unit: 'MB/s' },
          ],
          rows: dictionary.rows.map((row) => [
            row.batchBytes === 1 ? 'one record' : formatBytes(row.batchBytes),
            row.dictionary,
            row.dictionaryBytes,
            row.ratio,
            row.compressMbPerSecond,
            row.decompressMbPerSecond,
          ]),
        },
      ],
      charts: [],
    },
  ]
}
