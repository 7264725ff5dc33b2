/**
 * A run of the codec lab from records to result: reshape, cut, measure, try through a broker, the dictionary experiment,
 * recommend. What talks to the outside (records, a broker, clocks, progress) comes in as arguments.
 */
import type { RecordInput } from '../../records/batch.ts'
import type { NamedValue } from '../report/report.ts'
import type { BrokerProcess } from './broker-process.ts'
import { type CutBatch, cutBatches, type Reshape, reshape } from './cutting.ts'
import { type DictionaryExperiment, measureDictionaries } from './dictionary.ts'
import { measureEndToEnd } from './end-to-end.ts'
import { type Candidate, candidateId, type Selected } from './engines/index.ts'
import { measure } from './measure.ts'
import { type Goal, type Recommendation, recommend, underWayMsPerMb } from './recommend.ts'
import {
  type CodecLabResult,
  type CodecRow,
  codecRows,
  type DataDescription,
  type EndToEndRow,
  endToEndRow,
  rated,
  unavailableRows,
} from './result.ts'

export interface CodecLabInput {
  readonly records: readonly RecordInput[]
  /** Where they come from, in words. */
  readonly source: string
  readonly reshape: Reshape
  readonly batchBytes: number
  readonly selected: Selected
  readonly rounds: number
  readonly passMs: number
  readonly goal: Goal
  readonly networkMbPerSecond: number
  readonly minCompressMbPerSecond: number
  readonly environment: readonly NamedValue[]
  /** Null: no broker is started. */
  readonly broker: BrokerTrial | null
  readonly dictionaries: boolean
}

export interface BrokerTrial {
  readonly start: () => Promise<BrokerProcess>
  readonly rounds: number
  /** Records' bytes per codec and round; slow codecs get by with fewer. */
  readonly bytes: number
}

export interface LabTools {
  readonly nowNs: () => number
  readonly collectGarbage: () => void
  /** Throws once the run is to end. */
  readonly throwIfInterrupted: () => void
  /** Shows progress and gives the event loop a turn. */
  readonly breathe: (done: number, total: number, what: string) => Promise<void>
}

/** The level whose dictionaries are tried. */
const DICTIONARY_LEVEL = 3

export async function runCodecLab(input: CodecLabInput, tools: LabTools): Promise<CodecLabResult> {
  const records = reshaped(input)
  const batches = cutBatches(records, input.batchBytes)
  const { candidates, missing } = input.selected
  const measurements = await measure(candidates, batches, { ...tools, rounds: input.rounds, passMs: input.passMs })
  const rows = codecRows(measurements, batches)
  const recommendation = recommend(rows.map(rated), input)
  const endToEnd = await tryBroker(input, batches, rows, recommendation, tools)
  return {
    tool: 'samsa lab codecs',
    formatVersion: 1,
    environment: input.environment,
    data: describeData(input, records, batches),
    settings: {
      rounds: input.rounds,
      passMs: input.passMs,
      goal: input.goal,
      networkMbPerSecond: input.networkMbPerSecond,
      minCompressMbPerSecond: input.minCompressMbPerSecond,
    },
    codecs: rows,
    unavailable: unavailableRows(missing, measurements),
    endToEnd,
    dictionary: await tryDictionaries(input, records, tools),
    recommendation,
  }
}

function reshaped({ records, reshape: wish }: CodecLabInput): readonly RecordInput[] {
  return wish.keySize === null && wish.valueSize === null ? records : reshape(records, wish)
}

async function tryBroker(
  input: CodecLabInput,
  batches: readonly CutBatch[],
  rows: readonly CodecRow[],
  recommendation: Recommendation | null,
  tools: LabTools,
): Promise<EndToEndRow[]> {
  if (input.broker === null) return []
  const ids = endToEndIds(rows, recommendation, input.networkMbPerSecond)
  const trials = input.selected.candidates
    .filter((candidate) => ids.has(candidateId(candidate)))
    .map((candidate) => ({ candidate, compressMbPerSecond: speedOf(candidate, rows) }))
  const broker = await input.broker.start()
  try {
    const measured = await measureEndToEnd(broker, trials, batches, { ...input.broker, ...tools })
    return measured.map(endToEndRow)
  } finally {
    await broker.stop()
  }
}

function speedOf(candidate: Candidate, rows: readonly CodecRow[]): number {
  return rows.find(({ id }) => id === candidateId(candidate))?.compress.mbPerSecond.median ?? 1
}

/** Of each codec the one whose batches are under way shortest, and what is recommended. */
export function endToEndIds(
  rows: readonly CodecRow[],
  recommendation: Recommendation | null,
  networkMbPerSecond: number,
): Set<string> {
  const ids = new Set<string>(recommendation === null ? [] : [recommendation.choice.id])
  for (const group of Map.groupBy(rows.map(rated), ({ codec }) => codec).values()) {
    const best = group.reduce((shortest, codec) =>
      underWayMsPerMb(codec, networkMbPerSecond) < underWayMsPerMb(shortest, networkMbPerSecond) ? codec : shortest,
    )
    ids.add(best.id)
  }
  return ids
}

async function tryDictionaries(
  input: CodecLabInput,
  records: readonly RecordInput[],
  tools: LabTools,
): Promise<DictionaryExperiment | null> {
  if (!input.dictionaries) return null
  const { batchBytes, rounds } = input
  return measureDictionaries(records, { ...tools, level: DICTIONARY_LEVEL, batchBytes, rounds })
}

function describeData(
  { source, batchBytes }: CodecLabInput,
  records: readonly RecordInput[],
  batches: readonly CutBatch[],
): DataDescription {
  const keyBytes = records.reduce((sum, { key }) => sum + (key?.length ?? 0), 0)
  const valueBytes = records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0)
  return {
    source,
    records: records.length,
    batches: batches.length,
    batchBytes,
    plainBytes: batches.reduce((sum, batch) => sum + batch.bytes.length, 0),
    keyBytesAverage: keyBytes / records.length,
    valueBytesAverage: valueBytes / records.length,
    recordsPerBatchAverage: records.length / batches.length,
  }
}
