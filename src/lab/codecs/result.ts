/**
 * What a run of the codec lab found out, as `--json` writes it. Figures are unrounded; MB are millions of bytes of records
 * before compression. A figure that could not be had is null.
 */

import type { Spread } from '../broker/statistics.ts'
import type { NamedValue } from '../report/report.ts'
import type { CutBatch } from './cutting.ts'
import type { DictionaryExperiment } from './dictionary.ts'
import type { EndToEnd } from './end-to-end.ts'
import { type CodecLabel, candidateId, engineId, type MissingEngine } from './engines/index.ts'
import type { Direction, Measurement } from './measure.ts'
import type { RatedCodec, Recommendation } from './recommend.ts'

export interface DataDescription {
  /** `file orders.txt`, `topic orders`, `sample json (seed 1)`. */
  readonly source: string
  readonly records: number
  readonly batches: number
  readonly batchBytes: number
  /** Whole uncompressed batches, headers included. */
  readonly plainBytes: number
  readonly keyBytesAverage: number
  readonly valueBytesAverage: number
  readonly recordsPerBatchAverage: number
}

export interface CodecRow {
  readonly id: string
  readonly codec: CodecLabel
  readonly engine: string
  /** The library behind the engine. */
  readonly version: string
  readonly level: number | null
  readonly isDefaultLevel: boolean
  /** Of the records sections, as compression tools count. */
  readonly ratio: number
  /** Of whole batches with their headers: what is not written to disk, and not sent. */
  readonly savedShare: number
  readonly compress: Direction
  readonly decompress: Direction
  /** A MB compressed and decompressed on one core, one after the other. */
  readonly roundTripMbPerSecond: number
  /** No other row is both smaller and faster. */
  readonly onCompressFrontier: boolean
  readonly onRoundTripFrontier: boolean
}

export interface EndToEndRow {
  readonly id: string
  readonly produceMbPerSecond: Spread
  readonly consumeMbPerSecond: Spread
  readonly brokerProduceCpuSecondsPerGb: number | null
  readonly brokerConsumeCpuSecondsPerGb: number | null
  readonly diskShare: number
}

export interface CodecLabResult {
  readonly tool: 'samsa lab codecs'
  readonly formatVersion: 1
  readonly environment: readonly NamedValue[]
  readonly data: DataDescription
  readonly settings: {
    readonly rounds: number
    readonly passMs: number
    readonly goal: string
    readonly networkMbPerSecond: number
    readonly minCompressMbPerSecond: number
  }
  readonly codecs: readonly CodecRow[]
  /** Engines and levels without figures, and why. */
  readonly unavailable: readonly { readonly id: string; readonly reason: string }[]
  readonly endToEnd: readonly EndToEndRow[]
  readonly dictionary: DictionaryExperiment | null
  readonly recommendation: Recommendation | null
}

export function codecRows(measurements: readonly Measurement[], batches: readonly CutBatch[]): CodecRow[] {
  const plainBatchBytes = batches.reduce((sum, batch) => sum + batch.bytes.length, 0)
  const rows = measurements.flatMap(({ candidate, outcome }) => {
    if ('failed' in outcome) return []
    const { engine, level } = candidate
    const { plainBytes, packedBytes, compress, decompress } = outcome
    const secondsPerMb = 1 / compress.mbPerSecond.median + 1 / decompress.mbPerSecond.median
    return {
      id: candidateId(candidate),
      codec: engine.codec,
      engine: engine.name,
      version: engine.version,
      level,
      isDefaultLevel: level === engine.defaultLevel,
      ratio: plainBytes / packedBytes,
      savedShare: (plainBytes - packedBytes) / plainBatchBytes,
      compress,
      decompress,
      roundTripMbPerSecond: 1 / secondsPerMb,
    }
  })
  const compressFrontier = frontier(rows, (row) => row.compress.mbPerSecond.median)
  const roundTripFrontier = frontier(rows, (row) => row.roundTripMbPerSecond)
  return rows.map((row) => ({
    ...row,
    onCompressFrontier: compressFrontier.has(row.id),
    onRoundTripFrontier: roundTripFrontier.has(row.id),
  }))
}

/** The ids of the rows that no other beats in both ratio and speed. */
export function frontier<Row extends { readonly id: string; readonly ratio: number }>(
  rows: readonly Row[],
  speed: (row: Row) => number,
): Set<string> {
  const kept = rows.filter(
    (row) =>
      !rows.some(
        (other) =>
          other.ratio >= row.ratio &&
          speed(other) >= speed(row) &&
          (other.ratio > row.ratio || speed(other) > speed(row)),
      ),
  )
  return new Set(kept.map(({ id }) => id))
}

export function rated(row: CodecRow): RatedCodec {
  return {
    id: row.id,
    codec: row.codec,
    engine: row.engine,
    level: row.level,
    ratio: row.ratio,
    compressMbPerSecond: row.compress.mbPerSecond.median,
    decompressMbPerSecond: row.decompress.mbPerSecond.median,
  }
}

export function unavailableRows(missing: readonly MissingEngine[], measurements: readonly Measurement[]) {
  const failed = measurements.flatMap(({ candidate, outcome }) =>
    'failed' in outcome ? [{ id: candidateId(candidate), reason: outcome.failed }] : [],
  )
  return [...missing.map((engine) => ({ id: engineId(engine), reason: engine.missing })), ...failed]
}

export function endToEndRow(measured: EndToEnd): EndToEndRow {
  return {
    id: candidateId(measured.candidate),
    produceMbPerSecond: measured.produceMbPerSecond,
    consumeMbPerSecond: measured.consumeMbPerSecond,
    brokerProduceCpuSecondsPerGb: orNull(measured.brokerProduceCpuPerGb),
    brokerConsumeCpuSecondsPerGb: orNull(measured.brokerConsumeCpuPerGb),
    diskShare: measured.diskShare,
  }
}

function orNull(value: number): number | null {
  return Number.isFinite(value) ? value : null
}
