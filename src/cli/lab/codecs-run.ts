/** Carries out `samsa lab codecs`: finds the records, runs the lab, writes what came out where it is wanted. */
import { closeSync, fstatSync, openSync, readSync, writeFileSync } from 'node:fs'
import { startBroker } from '../../lab/codecs/broker-process.ts'
import { parseDistribution, type SizeDistribution } from '../../lab/codecs/distribution.ts'
import {
  allEngines,
  type Engine,
  engineId,
  isMissing,
  type MissingEngine,
  type Selected,
  select,
} from '../../lab/codecs/engines/index.ts'
import type { Goal } from '../../lab/codecs/recommend.ts'
import { LENGTH_PREFIXES, type Split, splitRecords } from '../../lab/codecs/record-file.ts'
import { codecReport } from '../../lab/codecs/report.ts'
import type { CodecLabResult } from '../../lab/codecs/result.ts'
import { type CodecLabInput, runCodecLab } from '../../lab/codecs/run.ts'
import { type SampleName, sampleRecords } from '../../lab/codecs/samples/index.ts'
import { topicRecords } from '../../lab/codecs/topic-records.ts'
import { describeEnvironment } from '../../lab/report/environment.ts'
import { renderHtml } from '../../lab/report/html.ts'
import { renderText } from '../../lab/report/text.ts'
import type { RecordInput } from '../../records/batch.ts'
import { CliError, usageError } from '../errors.ts'
import { unescapeBytes } from '../lines.ts'
import { note, Progress, print, printJson, table, wantsColour } from '../output.ts'
import type { ConnectionOptions } from '../profile/settings.ts'
import { selfCommand } from '../self.ts'
import { withCluster } from '../with-cluster.ts'

export interface CodecsOptions extends ConnectionOptions {
  readonly file?: string
  readonly topic?: string
  readonly sample?: SampleName
  readonly split: string
  readonly delimiter: string
  readonly keySeparator?: string
  readonly size?: number
  readonly batchSize: number
  readonly keySize?: string
  readonly valueSize?: string
  readonly seed: number
  readonly codec: readonly string[]
  readonly level: readonly number[]
  readonly rounds?: number
  readonly quick?: boolean
  readonly goal: Goal
  readonly network: number
  readonly minCompress: number
  readonly broker: boolean
  readonly dictionary: boolean
  readonly json?: string
  readonly html?: string
  readonly list?: boolean
}

const MIB = 1024 * 1024
/** The data is in memory, once plain and once per engine and level. */
const SIZE_BYTES_MAX = 256 * MIB
/** Brokers take requests of up to 100 MiB. */
const BATCH_BYTES_MAX = 32 * MIB

interface Effort {
  readonly bytes: number
  readonly rounds: number
  readonly passMs: number
  readonly brokerRounds: number
  readonly brokerBytes: number
}

const FULL: Effort = { bytes: 4 * MIB, rounds: 5, passMs: 120, brokerRounds: 3, brokerBytes: 128 * MIB }
const QUICK: Effort = { bytes: MIB, rounds: 3, passMs: 50, brokerRounds: 1, brokerBytes: 32 * MIB }

export async function run(options: CodecsOptions): Promise<void> {
  const engines = allEngines()
  if (options.list === true) return print(listing(engines))
  const selected = select(engines, { codecs: options.codec, levels: options.level, quick: options.quick === true })
  if (typeof selected === 'string') throw usageError(selected)
  const effort = options.quick === true ? QUICK : FULL
  const input = await inputFor(options, selected, effort)
  const result = await interruptible((tools) => runCodecLab(input, tools))
  await write(result, options)
}

async function inputFor(options: CodecsOptions, selected: Selected, effort: Effort): Promise<CodecLabInput> {
  const { batchSize, seed, goal, network, minCompress } = options
  if (batchSize > BATCH_BYTES_MAX) throw usageError(`--batch-size: at most ${BATCH_BYTES_MAX} bytes`)
  const keySize = distribution('--key-size', options.keySize)
  const valueSize = distribution('--value-size', options.valueSize)
  const bytes = options.size ?? effort.bytes
  if (bytes > SIZE_BYTES_MAX) throw usageError(`--size: at most ${SIZE_BYTES_MAX} bytes`)
  const { records, source } = await findRecords(options, bytes)
  if (records.length === 0) throw new CliError(`${source} holds no records`)
  return {
    records,
    source,
    reshape: { keySize, valueSize, seed },
    batchBytes: batchSize,
    selected,
    rounds: options.rounds ?? effort.rounds,
    passMs: effort.passMs,
    goal,
    networkMbPerSecond: network,
    minCompressMbPerSecond: minCompress,
    environment: describeEnvironment(),
    broker: options.broker
      ? {
          start: () => startBroker([...selfCommand(), 'serve']),
          rounds: effort.brokerRounds,
          bytes: effort.brokerBytes,
        }
      : null,
    dictionaries: options.dictionary,
  }
}

function distribution(name: string, text: string | undefined): SizeDistribution | null {
  if (text === undefined) return null
  const parsed = parseDistribution(text)
  if (typeof parsed === 'string') throw usageError(`${name}: ${parsed}`)
  return parsed
}

interface Found {
  readonly records: readonly RecordInput[]
  readonly source: string
}

async function findRecords(options: CodecsOptions, bytes: number): Promise<Found> {
  const { file, topic, sample, seed } = options
  const given = [file, topic, sample].filter((each) => each !== undefined)
  if (given.length !== 1) throw usageError('name the data: one of --file, --topic and --sample')
  if (sample !== undefined) {
    return { records: sampleRecords(sample, seed, bytes), source: `sample ${sample} (seed ${seed})` }
  }
  if (topic !== undefined) {
    const records = await withCluster(options, (cluster) => topicRecords(cluster, topic, bytes))
    return { records, source: `topic ${topic}` }
  }
  const split = splitOf(options)
  const records = splitRecords(readStart(file!, bytes), split)
  if (typeof records === 'string') throw new CliError(`file '${file}': ${records}`)
  return { records, source: `file ${file}` }
}

function splitOf({ split, delimiter, keySeparator }: CodecsOptions): Split {
  if (split === 'lines') {
    const end = unescapeBytes(delimiter)
    if (end.length === 0) throw usageError('--delimiter must not be empty')
    const separator = keySeparator === undefined ? null : unescapeBytes(keySeparator)
    return { kind: 'delimiter', delimiter: end, keySeparator: separator }
  }
  const prefix = LENGTH_PREFIXES.find((name) => name === split)
  if (prefix !== undefined) return { kind: 'prefix', prefix }
  const fixed = /^fixed:(\d+)$/.exec(split)
  if (fixed !== null && Number(fixed[1]) > 0) return { kind: 'fixed', recordBytes: Number(fixed[1]) }
  throw usageError(`--split: '${split}' is not lines, ${LENGTH_PREFIXES.join(', ')} or fixed:BYTES`)
}

function readStart(path: string, bytes: number): { bytes: Buffer; cutOff: boolean } {
  let descriptor: number | null = null
  try {
    descriptor = openSync(path, 'r')
    const target = Buffer.alloc(bytes)
    let length = 0
    for (;;) {
      const read = length < bytes ? readSync(descriptor, target, length, bytes - length, null) : 0
      if (read === 0) break
      length += read
    }
    const { size } = fstatSync(descriptor)
    return { bytes: target.subarray(0, length), cutOff: size > length }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT') throw new CliError(`there is no file '${path}'`)
    if (code === 'EACCES') throw new CliError(`file '${path}' may not be read`)
    if (code === 'EISDIR') throw new CliError(`'${path}' is a folder, not a file`)
    throw error
  } finally {
    if (descriptor !== null) closeSync(descriptor)
  }
}

/** Runs with progress on stderr until it is done or somebody interrupts; the lab then puts away what it started. */
async function interruptible<T>(work: (tools: Parameters<typeof runCodecLab>[1]) => Promise<T>): Promise<T> {
  const progress = new Progress()
  let interrupted = false
  const interrupt = (): void => {
    if (interrupted) process.exit(1)
    interrupted = true
  }
  const throwIfInterrupted = (): void => {
    if (interrupted) throw new CliError('interrupted')
  }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  try {
    return await work({
      nowNs: () => Bun.nanoseconds(),
      collectGarbage: () => Bun.gc(true),
      throwIfInterrupted,
      breathe: async (done, total, what) => {
        progress.update(() => `${Math.floor((done / total) * 100)} % ${what}`)
        // A turn of the event loop: signals are handled there.
        await new Promise((resolve) => setImmediate(resolve))
        throwIfInterrupted()
      },
    })
  } finally {
    progress.clear()
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
}

async function write(result: CodecLabResult, options: CodecsOptions): Promise<void> {
  const report = codecReport(result)
  if (options.html !== undefined) writeFileSync(options.html, renderHtml(report))
  if (options.json === '-') return printJson(result)
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`)
  const width = process.stdout.isTTY === true ? process.stdout.columns : undefined
  await print(renderText(report, { colours: wantsColour(process.stdout), ...(width === undefined ? {} : { width }) }))
  if (options.html !== undefined && process.stderr.isTTY === true) await note(`charts: ${options.html}`)
}

function listing(engines: readonly (Engine | MissingEngine)[]): string {
  const rows = engines.map((engine) => {
    if (isMissing(engine)) return [engineId(engine), '-', '-', '-', `not here: ${engine.missing}`]
    const levels = engine.range === null ? '-' : engine.levels.join(' ')
    const range = engine.range === null ? '-' : `${engine.range.min}..${engine.range.max}`
    return [engineId(engine), engine.version, levels, range, engine.summary]
  })
  return table(['ENGINE', 'LIBRARY', 'MEASURED LEVELS', 'TAKES', 'WHAT'], rows)
}
