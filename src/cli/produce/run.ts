/**
 * `samsa produce`: reads all input into the producer and waits until it is delivered.
 *
 * What must hold: the command ends with 0 only if every record was acknowledged as -X acks asks, and in a transaction all or none of them are seen.
 */
import { createReadStream, readFileSync } from 'node:fs'
import type { Cluster } from '../../client/cluster.ts'
import type { KafkaError } from '../../client/errors.ts'
import type { Acks } from '../../client/producer/options.ts'
import { Producer } from '../../client/producer/producer.ts'
import type { CodecName } from '../../records/codecs/index.ts'
import { CliError, EXIT_FAILURE, OutputClosed, usageError } from '../errors.ts'
import { LineSplitter, unescapeBytes } from '../lines.ts'
import type { FormatOptions } from '../options.ts'
import { BufferedOutput, note, Progress, printJson } from '../output.ts'
import { type ConnectionOptions, type Settings, settingsFor } from '../profile/settings.ts'
import { withSettings } from '../with-cluster.ts'
import {
  type InputRecord,
  jsonRecords,
  lineRecords,
  type RecordMaker,
  type RecordOptions,
  wholeRecords,
} from './record-maker.ts'

export interface ProduceOptions extends ConnectionOptions, FormatOptions, RecordOptions {
  readonly topic: string
  readonly file?: string
  readonly lines?: boolean
  readonly json?: boolean
  readonly delimiter?: string
  readonly compression?: CodecName | 'none'
  readonly level?: number
  readonly partition?: number
  readonly acks?: Acks
  readonly linger?: number
  readonly batchSize?: number
  readonly count?: number
  readonly tee?: boolean
  readonly transactionalId?: string
}

const READ_CHUNK_BYTES = 1024 * 1024
const BUFFER_BYTES = 16 * 1024 * 1024
/** A line may be as large as the topic takes it. */
const REQUEST_BYTES_MAX = 32 * 1024 * 1024
const LEVEL_MAX: Readonly<Record<string, number>> = { gzip: 9, zstd: 22 }

export async function produce(wholeFiles: readonly string[], options: ProduceOptions): Promise<void> {
  const startMs = performance.now()
  const settings = await settingsFor(options, {
    acks: options.acks,
    'compression.type': options.compression,
    'linger.ms': options.linger,
    'batch.size': options.batchSize,
    'transactional.id': options.transactionalId,
  })
  checkLevel(settings.get('compression.type'), options.level)
  const input = inputOf(wholeFiles, options)
  const { interrupted, delivered } = await withSettings(settings, async (cluster) => {
    await checkPartition(cluster, options)
    const sink = new Sink(cluster, settings, options)
    const interrupted = await feed(sink, input, options)
    return { interrupted, delivered: sink.delivered }
  })
  const seconds = (performance.now() - startMs) / 1000
  if (options.format === 'json') await printJson({ topic: options.topic, records: delivered, seconds })
  else if (process.stderr.isTTY === true) await note(summary(delivered, options.topic, seconds))
  // At a terminal Ctrl-C is how people leave; in a script the input was cut short.
  if (interrupted && process.stdin.isTTY !== true) throw new CliError(`interrupted after ${delivered} records`)
}

/** lz4 and snappy have no levels here: one that is given is not used, as in Kafka with snappy. */
function checkLevel(codec: string | undefined, level: number | undefined): void {
  const most = LEVEL_MAX[codec ?? '']
  if (level !== undefined && most !== undefined && level > most) {
    throw usageError(`--level ${level}: ${codec} has levels from 1 to ${most}`)
  }
}

/** Where records come from: one stream that is split, or files that are a record each. */
interface Input {
  readonly streamOf: string | null
  readonly wholeFiles: readonly string[]
  readonly maker: RecordMaker
}

function inputOf(files: readonly string[], options: ProduceOptions): Input {
  const maker = options.json === true ? jsonRecords(options) : lineRecords(options)
  if (options.file !== undefined) {
    if (files.length > 0) throw usageError('either -f, or files that are a record each')
    return { streamOf: options.file, wholeFiles: [], maker }
  }
  if (options.lines !== true || files.length === 0)
    return { streamOf: null, wholeFiles: files, maker: files.length > 0 ? wholeRecords(options) : maker }
  if (files.length > 1) throw usageError('-l takes one file')
  return { streamOf: files[0] ?? null, wholeFiles: [], maker }
}

/** Says what is wrong with topic or partition before any input is read. */
async function checkPartition(cluster: Cluster, { topic: name, partition }: ProduceOptions): Promise<void> {
  const topic = await cluster.topic(name, { create: true })
  if (partition === undefined || topic.partitions.some(({ partitionIndex }) => partitionIndex === partition)) return
  throw new CliError(`topic '${name}' has no partition ${partition}, only 0 to ${topic.partitions.length - 1}`)
}

/** Where records go: the producer, what it has delivered, and the first thing that went wrong. */
class Sink {
  delivered = 0
  taken = 0
  failure: KafkaError | null = null
  private readonly producer: Producer<Uint8Array, Uint8Array>
  private readonly target: { topic: string; partition: number | undefined }
  readonly isTransactional: boolean

  constructor(cluster: Cluster, settings: Settings, options: ProduceOptions) {
    this.target = { topic: options.topic, partition: options.partition }
    const transactionalId = settings.get('transactional.id')
    this.isTransactional = transactionalId !== undefined
    const lingerMs = settings.number('linger.ms')
    this.producer = new Producer<Uint8Array, Uint8Array>({
      cluster,
      acks: acksOf(settings),
      compression: settings.get('compression.type') as CodecName | 'none',
      ...(options.level === undefined ? {} : { compressionLevel: options.level }),
      ...(transactionalId === undefined ? {} : { transactionalId }),
      lingerMs,
      batchBytes: settings.number('batch.size'),
      bufferBytes: BUFFER_BYTES,
      maxRequestBytes: REQUEST_BYTES_MAX,
      requestTimeoutMs: cluster.timeoutMs,
      // The option is how long to wait for the broker; a record that lingers waits for others, not for the broker.
      deliveryTimeoutMs: cluster.timeoutMs + lingerMs,
      hooks: {
        onBatch: ({ records, error }) => {
          if (error === null) this.delivered += records
          else this.failure ??= error
        },
      },
    })
  }

  /** What went wrong, with what became of the records before it. */
  told(error: unknown): unknown {
    if (!(error instanceof Error) || error instanceof OutputClosed || this.taken === 0) return error
    const outcome = this.isTransactional
      ? 'the transaction is not committed'
      : `${this.delivered} of ${this.taken} records delivered`
    return new CliError(`${error.message}; ${outcome}`, EXIT_FAILURE, { cause: error })
  }

  async begin(): Promise<void> {
    if (this.isTransactional) await this.producer.beginTransaction()
  }

  async add(record: InputRecord): Promise<void> {
    while (this.failure === null && !this.producer.trySend({ ...record, ...this.target })) {
      await this.producer.whenWritable()
    }
    if (this.failure !== null) throw this.failure
    this.taken += 1
  }

  /** Waits until everything is delivered, or has failed. */
  async finish(): Promise<void> {
    try {
      await this.producer.flush()
    } catch (error) {
      await this.abandon().catch(() => undefined)
      throw this.told(error)
    }
    if (this.isTransactional) await this.producer.commitTransaction()
    await this.producer.close()
  }

  /** Nothing of an open transaction is seen; without one, what is under way is waited for. */
  async abandon(): Promise<void> {
    if (this.isTransactional) {
      await this.producer.abortTransaction()
      this.delivered = 0
    }
    await this.producer.close()
  }
}

function acksOf(settings: Settings): Acks {
  const acks = settings.get('acks')
  return acks === '0' ? 0 : acks === '1' ? 1 : 'all'
}

/** True if an interrupt cut the input short. */
async function feed(sink: Sink, input: Input, options: ProduceOptions): Promise<boolean> {
  const stream =
    input.streamOf === null ? process.stdin : createReadStream(input.streamOf, { highWaterMark: READ_CHUNK_BYTES })
  let interrupted = false
  const interrupt = (): void => {
    if (interrupted) process.exit(1)
    interrupted = true
    stream.destroy()
  }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  const progress = new Progress({ isWanted: process.stderr.isTTY === true && process.stdin.isTTY !== true })
  const tee = options.tee === true ? new BufferedOutput() : null
  const isEnough = (): boolean => interrupted || sink.taken >= (options.count ?? Number.POSITIVE_INFINITY)
  const delimiter = unescapeBytes(options.delimiter ?? '\n')
  const take = async (bytes: Buffer): Promise<void> => {
    await sink.add(input.maker(bytes))
    tee?.add(Buffer.concat([bytes, delimiter]))
    if (tee?.isFull === true) await tee.flush()
    progress.update(() => `${sink.delivered} records delivered`)
  }
  try {
    await sink.begin()
    for (const path of input.wholeFiles) if (!isEnough()) await take(wholeFile(path))
    if (input.wholeFiles.length === 0) await takeLines(stream, new LineSplitter(delimiter), take, isEnough)
  } catch (error) {
    // Destroying the input to stop reading it is not a failure of the input.
    if (!interrupted) {
      await sink.abandon().catch(() => undefined)
      throw sink.told(inputError(error, input.streamOf ?? undefined))
    }
  } finally {
    progress.clear()
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
  await tee?.flush()
  // What was sent before Ctrl-C is delivered; a transaction that lacks its end is not.
  await (interrupted && sink.isTransactional ? sink.abandon() : sink.finish())
  return interrupted
}

async function takeLines(
  stream: AsyncIterable<unknown>,
  splitter: LineSplitter,
  take: (line: Buffer) => Promise<void>,
  isEnough: () => boolean,
): Promise<void> {
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    for (const line of splitter.push(chunk)) {
      if (isEnough()) return
      await take(line)
    }
    if (isEnough()) return
  }
  const last = splitter.end()
  if (last !== null && !isEnough()) await take(last)
}

function wholeFile(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw inputError(error, path)
  }
}

/** Reading a folder fails without naming it. */
function inputError(error: unknown, file?: string): unknown {
  const { code, path = file } = error as NodeJS.ErrnoException
  if (path === undefined) return error
  if (code === 'ENOENT') return new CliError(`there is no file '${path}'`)
  if (code === 'EACCES') return new CliError(`file '${path}' may not be read`)
  if (code === 'EISDIR') return new CliError(`'${path}' is a folder, not a file`)
  return error
}

function summary(records: number, topic: string, seconds: number): string {
  return `${records} record${records === 1 ? '' : 's'} delivered to ${topic} in ${seconds.toFixed(2)} s`
}
