/**
 * `samsa consume`: reads partitions, or what a group gives it, prints what passes the filters, and stops where it was told to.
 *
 * What must hold: a record is printed before its offset is committed; what is printed is printed in whole lines, also when a signal ends it.
 */
import type { Cluster } from '../../client/cluster.ts'
import { Consumer } from '../../client/consumer/consumer.ts'
import type { Message } from '../../client/consumer/message.ts'
import type { OffsetReset } from '../../client/consumer/options.ts'
import type { MessageBatch } from '../../client/consumer/streams.ts'
import { isConnectionLoss, type KafkaError } from '../../client/errors.ts'
import { CliError, OutputClosed, usageError } from '../errors.ts'
import type { RecordFilter } from '../filters.ts'
import type { OffsetSpec } from '../offset-spec.ts'
import type { FormatOptions } from '../options.ts'
import { BufferedOutput, note, Progress } from '../output.ts'
import { type ConnectionOptions, type Settings, settingsFor } from '../profile/settings.ts'
import {
  envelopePrinter,
  formatPrinter,
  jsonPrinter,
  type PrintableRecord,
  type RecordPrinter,
} from '../record-format.ts'
import { UnpackError, type Unpacker } from '../unpack.ts'
import { withSettings } from '../with-cluster.ts'
import { GroupEnd } from './group-end.ts'
import { isExpression, type PlannedPartition, planPartitions, topicExpression, topicNames } from './plan.ts'
import { RegistryDecoder } from './registry-decoder.ts'
import { ScanMeter } from './scan-meter.ts'

export interface ConsumeOptions extends ConnectionOptions, FormatOptions {
  readonly topic?: readonly string[]
  readonly partition?: readonly number[]
  readonly offset?: OffsetSpec
  readonly group?: string
  readonly offsetsOf?: string
  readonly count?: number
  readonly exit?: boolean
  readonly formatString?: string
  readonly envelope?: boolean
  readonly delimiter?: string
  readonly keySeparator?: string
  readonly null?: boolean
  readonly unpack?: readonly UnpackOption[]
  readonly registry?: string
  readonly unbuffered?: boolean
  readonly quiet?: boolean
  readonly keyFilter?: readonly RecordFilter[]
  readonly valueFilter?: readonly RecordFilter[]
  readonly headerFilter?: readonly RecordFilter[]
  readonly maxScanned?: number
  readonly progress?: boolean
  readonly isolation?: 'read_uncommitted' | 'read_committed'
  readonly readCommitted?: boolean
  readonly rack?: string
}

/** How binary keys or values are shown: by a pack string, or by the schema that a registry has of them. */
export interface UnpackOption {
  readonly of: 'key' | 'value' | 'both'
  readonly unpacker: Unpacker | 'registry'
}

/** As kcat prints it. */
const NULL_TEXT = 'NULL'

export async function consume(positional: readonly string[], options: ConsumeOptions): Promise<void> {
  const topics = [...(options.topic ?? []), ...positional]
    .flatMap((each) => each.split(','))
    .filter((each) => each !== '')
  if (topics.length === 0) throw usageError('no topic: give -t TOPIC')
  for (const topic of topics.filter(isExpression)) topicExpression(topic)
  checkCombination(options)
  const settings = await settingsFor(options, {
    'isolation.level': options.readCommitted === true ? 'read_committed' : options.isolation,
    'client.rack': options.rack,
    'schema.registry.url': options.registry,
  })
  let reading: Reading | null = null
  await withSettings(
    settings,
    (cluster) => {
      reading = new Reading(cluster, settings, topics, options)
      return reading.run()
    },
    { observer: (_apiKey, _elapsedMs, error) => reading?.answered(error) },
  )
}

function checkCombination(options: ConsumeOptions): void {
  const { format, formatString, keySeparator, delimiter, envelope, group, partition, offset, offsetsOf } = options
  const isText = formatString !== undefined || keySeparator !== undefined || delimiter !== undefined
  if (format === 'json' && (isText || envelope === true)) {
    throw usageError('--format json does not go with --format-string, -D, --key-separator or -J')
  }
  if (envelope === true && isText) throw usageError('-J does not go with --format-string, -D or --key-separator')
  if (group === undefined) {
    const isMissing = offset?.from?.kind === 'stored' && offsetsOf === undefined
    if (isMissing) throw usageError("'stored' are the offsets of a group: name it with -G or --offsets-of")
    return
  }
  if (group === '') throw usageError('-G names a group: it must not be empty')
  resetFor(offset)
  if (partition !== undefined) throw usageError('-G lets the group choose partitions: it does not go with -p')
  if (offset?.until !== undefined)
    throw usageError('-G does not go with an end such as FROM:UNTIL; -e stops at the end')
  if (offsetsOf !== undefined) throw usageError('-G has offsets of its own: it does not go with --offsets-of')
}

/** One run of the command. */
class Reading {
  private readonly stopped = new AbortController()
  private readonly output = new BufferedOutput()
  private readonly progress: Progress
  private readonly filters: readonly RecordFilter[]
  private readonly printer: RecordPrinter
  private meter = new ScanMeter([], performance.now())
  private isInterrupted = false
  private isAway = false
  /** Between the first question and the last: what is closed then is not lost. */
  private isWatched = false
  private left: number
  private readonly cluster: Cluster
  private readonly topics: readonly string[]
  private readonly options: ConsumeOptions
  private readonly readCommitted: boolean
  private readonly rack: string | undefined
  private readonly decoder: RegistryDecoder | null

  constructor(cluster: Cluster, settings: Settings, topics: readonly string[], options: ConsumeOptions) {
    this.cluster = cluster
    this.topics = topics
    this.options = options
    this.readCommitted = settings.get('isolation.level') === 'read_committed'
    this.rack = settings.get('client.rack')
    this.decoder = decoderFor(settings, options)
    this.left = options.count ?? Number.POSITIVE_INFINITY
    this.filters = [options.keyFilter, options.headerFilter, options.valueFilter].flatMap((each) => each ?? [])
    this.printer = printerFor(options, (topic, partition) => cluster.partition(topic, partition)?.leaderId ?? -1)
    this.progress = new Progress({
      // On a terminal that shows the records, too, a progress line would stand between them.
      isWanted:
        options.progress ?? (this.filters.length > 0 && options.quiet !== true && process.stderr.isTTY === true),
    })
  }

  async run(): Promise<void> {
    const interrupt = (): void => {
      if (this.isInterrupted) process.exit(1)
      this.isInterrupted = true
      this.stopped.abort()
    }
    process.on('SIGINT', interrupt)
    process.on('SIGTERM', interrupt)
    try {
      await (this.options.group === undefined ? this.readPartitions() : this.readInGroup(this.options.group))
    } finally {
      this.progress.clear()
      process.off('SIGINT', interrupt)
      process.off('SIGTERM', interrupt)
    }
    const isWorthTelling =
      this.filters.length > 0 || this.options.progress === true || this.options.maxScanned !== undefined
    if (isWorthTelling && this.options.quiet !== true) {
      await note(`samsa: ${this.meter.summary(performance.now(), this.isInterrupted)}`)
    }
  }

  private async readPartitions(): Promise<void> {
    const { offset: spec = {}, partition: partitions, exit, offsetsOf: groupId } = this.options
    const planned = await planPartitions(this.cluster, {
      ...{
        topics: this.topics,
        partitions,
        spec,
        stopAtEnd: exit === true,
        readCommitted: this.readCommitted,
        groupId,
      },
    })
    this.meter = new ScanMeter(planned, performance.now())
    // What was deleted while it was being read is passed over.
    await using consumer = this.makeConsumer({ offsetReset: 'earliest' })
    await consumer.assign(planned)
    await this.readBatches(consumer)
  }

  private async readInGroup(groupId: string): Promise<void> {
    // A group would wait without a word for a topic that is not there; only an expression may match one later.
    const names = this.topics.filter((topic) => !isExpression(topic))
    if (this.options.exit === true) await topicNames(this.cluster, this.topics)
    await Promise.all(names.map((name) => this.cluster.topic(name)))
    const groupEnd = new GroupEnd()
    await using consumer: Consumer = this.makeConsumer({
      groupId,
      offsetReset: resetFor(this.options.offset),
      rebalance: {
        assigned: async (partitions) => {
          if (this.options.exit === true) await groupEnd.assigned(consumer, partitions)
        },
      },
    })
    await consumer.subscribe(this.topics.some(isExpression) ? anyOf(this.topics) : this.topics)
    if (this.options.exit === true) groupEnd.watch(consumer, () => this.stopped.abort())
    try {
      await this.readBatches(consumer)
    } finally {
      groupEnd.stop()
    }
  }

  private makeConsumer(more: {
    readonly offsetReset: OffsetReset
    readonly groupId?: string
    readonly rebalance?: { assigned(partitions: readonly PlannedPartitionName[]): Promise<void> }
  }): Consumer {
    return new Consumer({
      cluster: this.cluster,
      readCommitted: this.readCommitted,
      ...(this.rack === undefined ? {} : { rack: this.rack }),
      ...(this.options.quiet === true ? {} : { onWarning: (error) => this.warn(error) }),
      ...more,
    })
  }

  private warn(error: KafkaError): void {
    // What Ctrl-C cuts off is no trouble.
    if (error.code !== 'ERR_ABORTED' || !this.isInterrupted) void note(`samsa: ${error.message}`)
  }

  /** Reading waits for brokers that are away, however long: whoever watches is told, once until one answers again. */
  answered(error: KafkaError | null): void {
    if (error === null) this.isAway = false
    else if (!this.isAway && this.isWatched && !this.stopped.signal.aborted && isConnectionLoss(error)) {
      this.isAway = true
      void note(`samsa: ${error.message}; reading goes on when a broker can be reached`)
    }
  }

  private async readBatches(consumer: Consumer): Promise<void> {
    this.isWatched = this.options.quiet !== true
    for await (const batch of consumer.batches({ signal: this.stopped.signal })) {
      const taken = await this.print(batch).catch((error: unknown) => {
        // What ends now ends on purpose.
        this.isWatched = false
        throw error
      })
      if (taken === batch.messages.length && this.left > 0 && !this.isScannedEnough) continue
      this.isWatched = false
      const last = batch.messages[taken - 1]
      // Leaving the loop commits nothing of what is in hand.
      if (consumer.groupId !== null && last !== undefined) {
        await consumer.commit([{ topic: batch.topic, partition: batch.partition, offset: last.offset + 1 }])
      }
      break
    }
    this.isWatched = false
  }

  private get isScannedEnough(): boolean {
    return this.meter.scanned >= (this.options.maxScanned ?? Number.POSITIVE_INFINITY)
  }

  /** Few large writes for what a fetch brought. Answers how many of the messages were looked at. */
  private async print(batch: MessageBatch<Buffer, Buffer>): Promise<number> {
    const { topic, partition, messages } = batch
    const { meter, output, options } = this
    let taken = 0
    try {
      for (const message of messages) {
        if (this.left === 0 || this.isScannedEnough) break
        taken += 1
        meter.scanned += 1
        const record = this.decoder === null ? message : await this.decoded(message)
        if (!this.filters.every((filter) => filter(record))) continue
        meter.matched += 1
        this.left -= 1
        this.printer(output, { topic, partition, record })
        if (output.isFull || options.unbuffered === true) await this.flush()
      }
    } catch (error) {
      // Those before the one that cannot be shown are printed.
      if (!(error instanceof OutputClosed)) await this.flush()
      throw error
    }
    meter.looked({ topic, partition, messages: taken === messages.length ? messages : messages.slice(0, taken) })
    await this.flush()
    this.progress.update(() => meter.line(performance.now()))
    return taken
  }

  private async decoded(message: Message): Promise<PrintableRecord['record']> {
    try {
      return await this.decoder!.decode(message)
    } catch (error) {
      const { topic, partition, offset } = message
      throw new CliError(`${topic}-${partition} at offset ${offset}: ${(error as Error).message}`)
    }
  }

  private async flush(): Promise<void> {
    if (this.output.isEmpty) return
    this.progress.clear()
    await this.output.flush()
  }
}

type PlannedPartitionName = Pick<PlannedPartition, 'topic' | 'partition'>

/** Where a group begins that has no offsets yet. */
function resetFor(spec: OffsetSpec | undefined): OffsetReset {
  const from = spec?.from ?? { kind: 'stored' }
  switch (from.kind) {
    case 'beginning':
      return 'earliest'
    case 'end':
    case 'stored':
      return 'latest'
    case 'time':
      return { agoMs: Math.max(0, Date.now() - from.timeMs) }
    default:
      throw usageError('-G goes on where the group was: -o can say only beginning, end, stored or @TIME')
  }
}

function anyOf(topics: readonly string[]): RegExp {
  const escaped = topics.map((topic) => (isExpression(topic) ? topic : `^${topic.replaceAll('.', '\\.')}$`))
  try {
    return new RegExp(escaped.map((each) => `(?:${each})`).join('|'))
  } catch (error) {
    throw usageError(`no expression: ${(error as Error).message}`)
  }
}

function decoderFor(settings: Settings, { unpack = [] }: ConsumeOptions): RegistryDecoder | null {
  const [key, value] = (['value', 'key'] as const).map((other) => {
    return unpack.findLast(({ of }) => of !== other)?.unpacker === 'registry'
  }) as [boolean, boolean]
  return key || value ? new RegistryDecoder(settings, { key, value }) : null
}

function printerFor(options: ConsumeOptions, leaderOf: (topic: string, partition: number) => number): RecordPrinter {
  if (options.format === 'json') return jsonPrinter
  if (options.envelope === true) return envelopePrinter(leaderOf)
  const literal = (text: string): string => text.replaceAll('%', '%%')
  const { keySeparator, delimiter = '\\n' } = options
  const line = `${keySeparator === undefined ? '' : `%k${literal(keySeparator)}`}%s${literal(delimiter)}`
  const unpackerOf = (other: 'key' | 'value'): Unpacker | undefined => {
    const found = options.unpack?.findLast(({ of }) => of !== other)?.unpacker
    return found === 'registry' ? undefined : found
  }
  const printer = formatPrinter(options.formatString ?? line, {
    nullText: options.null === true ? NULL_TEXT : undefined,
    unpackKey: unpackerOf('value'),
    unpackValue: unpackerOf('key'),
  })
  if (typeof printer === 'string') throw usageError(printer)
  return (output, printable) => {
    try {
      printer(output, printable)
    } catch (error) {
      if (!(error instanceof UnpackError)) throw error
      const { topic, partition, record } = printable
      throw new CliError(`${topic}-${partition} at offset ${record.offset}: ${error.message}`)
    }
  }
}
