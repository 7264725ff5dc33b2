/** `samsa produce`: each line of stdin or of a file becomes a record. */
import { createReadStream } from 'node:fs'
import { Command, InvalidArgumentError, Option } from 'commander'
import type { Cluster } from '../../client/cluster.ts'
import type { KafkaError } from '../../client/errors.ts'
import type { Acks } from '../../client/producer/options.ts'
import { Producer } from '../../client/producer/producer.ts'
import { CODEC_NAMES, type CodecName } from '../../records/codecs/index.ts'
import { CliError } from '../errors.ts'
import { LineSplitter, unescapeText } from '../lines.ts'
import {
  type BootstrapOptions,
  bootstrapOptions,
  collect,
  type FormatOptions,
  formatOption,
  type KeyValue,
  keyValue,
  nonNegativeInteger,
  positiveInteger,
} from '../options.ts'
import { note, Progress, printJson } from '../output.ts'
import { withCluster } from '../with-cluster.ts'

interface ProduceOptions extends BootstrapOptions, FormatOptions {
  readonly topic: string
  readonly file?: string
  readonly key?: string
  readonly keySeparator?: string
  readonly delimiter: string
  readonly header?: readonly KeyValue[]
  readonly compression: CodecName | 'none'
  readonly level?: number
  readonly partition?: number
  readonly acks: Acks
  readonly linger: number
  readonly batchSize: number
  readonly null?: boolean
}

const READ_CHUNK_BYTES = 1024 * 1024
const BUFFER_BYTES = 16 * 1024 * 1024
/** A line may be as large as the topic takes it. */
const REQUEST_BYTES_MAX = 32 * 1024 * 1024

const EXAMPLES = `
Examples:
  echo hello | samsa produce -t greetings
  samsa produce -t orders -K: -f orders.txt           lines such as  42:{"item":"tea"}
  samsa produce -t logs -z zstd -H source=web < access.log
  echo 'k1:' | samsa produce -t users -K: -Z          a tombstone: key k1, value null

On a terminal, Ctrl-D ends the input.`

export function command(): Command {
  const made = new Command('produce').description('Write the lines of stdin, or of a file, as records to a topic.')
  for (const option of bootstrapOptions()) made.addOption(option)
  return made
    .requiredOption('-t, --topic <topic>', 'topic to write to')
    .option('-f, --file <path>', 'read from this file instead of stdin')
    .option('-k, --key <key>', 'key of all records')
    .option('-K, --key-separator <text>', 'what stands before it in a line is the key')
    .addOption(
      new Option('-D, --delimiter <text>', 'what ends a record').default('\\n', 'a line feed').argParser(nonEmpty),
    )
    .addOption(
      new Option('-H, --header <name=value>', 'header of all records; may be repeated').argParser(collect(keyValue)),
    )
    .addOption(
      new Option('-z, --compression <codec>', 'compress batches')
        .choices(['none', ...CODEC_NAMES.slice(1)])
        .default('none'),
    )
    .addOption(new Option('--level <n>', 'compression level').argParser(positiveInteger))
    .addOption(
      new Option('-p, --partition <n>', 'write to this partition only (default: the key decides)').argParser(
        nonNegativeInteger,
      ),
    )
    .addOption(
      new Option('--acks <acks>', 'which replicas must have a record: all, 1 (the leader) or 0 (none)')
        .argParser(parseAcks)

        .default('all'),
    )
    .addOption(
      new Option('--linger <ms>', 'how long a record may wait for others').argParser(nonNegativeInteger).default(5),
    )
    .addOption(
      new Option('--batch-size <bytes>', 'size of a batch before compression')
        .argParser(positiveInteger)
        .default(262_144),
    )
    .option('-Z, --null', 'an empty value (or key) becomes null')
    .addOption(formatOption())
    .addHelpText('after', EXAMPLES)
    .action(run)
}

async function run(options: ProduceOptions): Promise<void> {
  const startMs = performance.now()
  const { interrupted, delivered } = await withCluster(options, async (cluster) => {
    await checkPartition(cluster, options)
    const sink = new Sink(cluster, options)
    const interrupted = await feed(sink, options)
    return { interrupted, delivered: sink.delivered }
  })
  const seconds = (performance.now() - startMs) / 1000
  if (options.format === 'json') await printJson({ topic: options.topic, records: delivered, seconds })
  else if (process.stderr.isTTY === true) await note(summary(delivered, options.topic, seconds))
  // At a terminal Ctrl-C is how people leave; in a script the input was cut short.
  if (interrupted && process.stdin.isTTY !== true) throw new CliError(`interrupted after ${delivered} records`)
}

/** Says what is wrong with topic or partition before any input is read. */
async function checkPartition(cluster: Cluster, { topic: name, partition }: ProduceOptions): Promise<void> {
  const topic = await cluster.topic(name, { create: true })
  if (partition === undefined || topic.partitions.some(({ partitionIndex }) => partitionIndex === partition)) return
  throw new CliError(`topic '${name}' has no partition ${partition}, only 0 to ${topic.partitions.length - 1}`)
}

/** A record of a line, or of any other input in bytes. */
export interface LineRecord {
  readonly timestamp: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly { readonly key: string; readonly value: Uint8Array }[]
}

/** Where lines go: the producer, what it has delivered, and the first thing that went wrong. */
class Sink {
  delivered = 0
  failure: KafkaError | null = null
  private readonly producer: Producer<Uint8Array, Uint8Array>
  private readonly target: { topic: string; partition: number | undefined }

  constructor(cluster: Cluster, options: ProduceOptions) {
    this.target = { topic: options.topic, partition: options.partition }
    this.producer = new Producer<Uint8Array, Uint8Array>({
      cluster,
      acks: options.acks,
      compression: options.compression,
      ...(options.level === undefined ? {} : { compressionLevel: options.level }),
      lingerMs: options.linger,
      batchBytes: options.batchSize,
      bufferBytes: BUFFER_BYTES,
      maxRequestBytes: REQUEST_BYTES_MAX,
      requestTimeoutMs: cluster.timeoutMs,
      // The option is how long to wait for the broker; a record that lingers waits for others, not for the broker.
      deliveryTimeoutMs: cluster.timeoutMs + options.linger,
      hooks: {
        onBatch: ({ records, error }) => {
          if (error === null) this.delivered += records
          else this.failure ??= error
        },
      },
    })
  }

  async add(record: LineRecord): Promise<void> {
    while (this.failure === null && !this.producer.trySend({ ...record, ...this.target })) {
      await this.producer.whenWritable()
    }
    if (this.failure !== null) throw this.failure
  }

  /** Waits until everything is delivered. */
  async finish(): Promise<void> {
    await this.producer.flush()
    await this.producer.close()
  }
}

/** Reads all input into the producer and waits until it is delivered. True if an interrupt cut the input short. */
async function feed(sink: Sink, options: ProduceOptions): Promise<boolean> {
  const input =
    options.file === undefined ? process.stdin : createReadStream(options.file, { highWaterMark: READ_CHUNK_BYTES })
  let interrupted = false
  const interrupt = (): void => {
    if (interrupted) process.exit(1)
    interrupted = true
    input.destroy()
  }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  const splitter = new LineSplitter(Buffer.from(unescapeText(options.delimiter)))
  const toRecord = recordMaker(options)
  const progress = new Progress(process.stderr.isTTY === true && process.stdin.isTTY !== true)
  try {
    for await (const chunk of input as AsyncIterable<Buffer>) {
      for (const line of splitter.push(chunk)) await sink.add(toRecord(line))
      progress.update(() => `${sink.delivered} records delivered`)
    }
  } catch (error) {
    // Destroying the input to stop reading it is not a failure of the input.
    if (!interrupted) throw inputError(error, options)
  } finally {
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
  const last = splitter.end()
  if (last !== null && !interrupted) await sink.add(toRecord(last))
  await sink.finish()
  progress.clear()
  return interrupted
}

/** From a line to a record; what is the same for all records is made once. */
export function recordMaker(
  options: Pick<ProduceOptions, 'key' | 'keySeparator' | 'header' | 'null'>,
): (line: Buffer) => LineRecord {
  const fixedKey = options.key === undefined ? null : Buffer.from(options.key)
  const separator = options.keySeparator === undefined ? null : Buffer.from(unescapeText(options.keySeparator))
  const headers = (options.header ?? []).map(({ key, value }) => ({ key, value: Buffer.from(value) }))
  const orNull = (bytes: Buffer): Buffer | null => (options.null === true && bytes.length === 0 ? null : bytes)
  return (line) => {
    const at = separator === null ? -1 : line.indexOf(separator)
    const timestamp = Date.now()
    if (separator === null || at < 0) return { timestamp, key: fixedKey, value: orNull(line), headers }
    const key = orNull(line.subarray(0, at))
    return { timestamp, key, value: orNull(line.subarray(at + separator.length)), headers }
  }
}

function inputError(error: unknown, options: ProduceOptions): unknown {
  const code = (error as NodeJS.ErrnoException).code
  if (options.file === undefined || code === undefined) return error
  if (code === 'ENOENT') return new CliError(`there is no file '${options.file}'`)
  if (code === 'EACCES') return new CliError(`file '${options.file}' may not be read`)
  if (code === 'EISDIR') return new CliError(`'${options.file}' is a folder, not a file`)
  return error
}

function summary(records: number, topic: string, seconds: number): string {
  return `${records} record${records === 1 ? '' : 's'} delivered to ${topic} in ${seconds.toFixed(2)} s`
}

function parseAcks(text: string): Acks {
  if (text === 'all' || text === '-1') return 'all'
  if (text === '0') return 0
  if (text === '1') return 1
  throw new InvalidArgumentError('It must be all, 1 or 0.')
}

function nonEmpty(text: string): string {
  if (text === '') throw new InvalidArgumentError('It must not be empty.')
  return text
}
