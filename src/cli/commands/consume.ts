/** `samsa consume`: prints the records of a topic, without a group and without leaving a trace. */
import { Command, InvalidArgumentError, Option } from 'commander'
import type { Cluster, TopicMetadata } from '../../client/cluster.ts'
import { Consumer } from '../../client/consumer/consumer.ts'
import type { MessageBatch } from '../../client/consumer/streams.ts'
import { EARLIEST_TIMESTAMP, LATEST_TIMESTAMP, listOffsets } from '../../client/offsets.ts'
import { CliError, usageError } from '../errors.ts'
import { type OffsetSpec, parseOffsetSpec, resolveOffsets } from '../offset-spec.ts'
import {
  type BootstrapOptions,
  bootstrapOptions,
  type FormatOptions,
  formatOption,
  positiveInteger,
} from '../options.ts'
import { BufferedOutput, note } from '../output.ts'
import { formatPrinter, jsonPrinter, type RecordPrinter } from '../record-format.ts'
import { withCluster } from '../with-cluster.ts'

interface ConsumeOptions extends BootstrapOptions, FormatOptions {
  readonly topic: string
  readonly partition?: readonly number[]
  readonly offset: OffsetSpec
  readonly count?: number
  readonly exit?: boolean
  readonly keySeparator?: string
  readonly formatString?: string
  readonly isolation: 'read_uncommitted' | 'read_committed'
}

const HELP = `
Format strings:
  %s value   %k key   %t topic   %p partition   %o offset   %T timestamp (ms)   %h headers
  %S and %K size in bytes of value and key (-1: null)   \\n \\t \\xHH as usual   %% a percent sign

Examples:
  samsa consume -t orders                               what comes from now on
  samsa consume -t orders -o beginning -e               all there is, then exit
  samsa consume -t orders -o -5 -e                      the last five records of each partition
  samsa consume -t orders -p 0 -o 1000 -n 10            ten records from offset 1000
  samsa consume -t orders -o @2026-01-31T12:00:00Z -e   since that time
  samsa consume -t orders -f '%p %o %k: %s\\n'           with position and key
  samsa consume -t orders --format json | jq .value`

export function command(): Command {
  const made = new Command('consume').description('Print the records of a topic.')
  for (const option of bootstrapOptions()) made.addOption(option)
  return made
    .requiredOption('-t, --topic <topic>', 'topic to read')
    .addOption(new Option('-p, --partition <n,...>', 'only these partitions').argParser(partitionList))
    .addOption(
      new Option('-o, --offset <where>', 'beginning, end, N, -N (last N), @TIME or @TIME:@TIME')
        .argParser(offsetOption)
        .default({ kind: 'end' }, 'end'),
    )
    .addOption(new Option('-n, --count <n>', 'exit after so many records').argParser(positiveInteger))
    .option('-e, --exit', 'exit at the end of what is there now')
    .option('-f, --format-string <format>', 'how to print a record; see below (default: "%s\\n")')
    .option('-K, --key-separator <text>', 'print the key and this text before the value')
    .addOption(
      new Option('--isolation <level>', 'whether to wait for transactions and hide the aborted ones')
        .choices(['read_uncommitted', 'read_committed'])
        .default('read_uncommitted'),
    )
    .addOption(formatOption())
    .addHelpText('after', HELP)
    .action(run)
}

async function run(options: ConsumeOptions): Promise<void> {
  const print = printerFor(options)
  await withCluster(options, async (cluster) => {
    const topic = await cluster.topic(options.topic)
    const range = await rangeToRead(cluster, topic, options)
    const stopped = new AbortController()
    const stop = (): void => stopped.abort()
    process.on('SIGINT', stop)
    process.on('SIGTERM', stop)
    await using consumer = new Consumer({
      cluster,
      readCommitted: options.isolation === 'read_committed',
      // What was deleted while it was being read is passed over.
      offsetReset: 'earliest',
      onWarning: ({ message }) => void note(`samsa: ${message}`),
    })
    const partitions = [...range.from].map(([partition, offset]) => {
      const until = range.until?.get(partition)
      return { topic: options.topic, partition, offset, ...(until === undefined ? {} : { until }) }
    })
    await consumer.assign(partitions)
    const printBatch = recordsHandler(options, print, stop)
    for await (const batch of consumer.batches({ signal: stopped.signal })) await printBatch(batch)
  })
}

/** Prints what a fetch brought with few large writes, and stops the consumer after the wanted number of records. */
function recordsHandler(
  options: ConsumeOptions,
  print: RecordPrinter,
  stop: () => void,
): (batch: MessageBatch<Buffer, Buffer>) => Promise<void> {
  const output = new BufferedOutput()
  let left = options.count ?? Number.POSITIVE_INFINITY
  return async ({ partition, messages }) => {
    for (const record of messages) {
      if (left === 0) break
      left -= 1
      print(output, { topic: options.topic, partition, record })
      if (output.isFull) await output.flush()
    }
    await output.flush()
    if (left === 0) stop()
  }
}

async function rangeToRead(cluster: Cluster, topic: TopicMetadata, options: ConsumeOptions) {
  const all = topic.partitions.map((row) => row.partitionIndex)
  const partitions = options.partition ?? all
  const missing = partitions.filter((partition) => !all.includes(partition))
  if (missing.length > 0) {
    throw new CliError(`topic '${options.topic}' has no partition ${missing.join(', ')}, only 0 to ${all.length - 1}`)
  }
  const readCommitted = options.isolation === 'read_committed'
  const range = await resolveOffsets(options.offset, { stopAtEnd: options.exit === true }, (timestamp) =>
    listOffsets(cluster, topic, partitions, timestamp, { readCommitted }),
  )
  const [starts, ends] = await Promise.all(
    [EARLIEST_TIMESTAMP, LATEST_TIMESTAMP].map((end) =>
      listOffsets(cluster, topic, partitions, end, { readCommitted }),
    ),
  )
  for (const [partition, offset] of range.from) {
    const end = ends?.get(partition) ?? offset
    if (offset <= end) continue
    const held = `the partition holds offsets from ${starts?.get(partition) ?? 0} to before ${end}`
    throw new CliError(`${options.topic}-${partition} at offset ${offset}: ${held}`)
  }
  return range
}

function printerFor(options: ConsumeOptions): RecordPrinter {
  const { format, formatString, keySeparator } = options
  if (format === 'json') {
    if (formatString !== undefined || keySeparator !== undefined) {
      throw usageError('--format json does not go with --format-string or --key-separator')
    }
    return jsonPrinter
  }
  const keyed = keySeparator === undefined ? '%s\\n' : `%k${keySeparator.replaceAll('%', '%%')}%s\\n`
  const printer = formatPrinter(formatString ?? keyed)
  if (typeof printer === 'string') throw usageError(printer)
  return printer
}

function offsetOption(text: string): OffsetSpec {
  const spec = parseOffsetSpec(text)
  if (typeof spec === 'string') throw new InvalidArgumentError(spec)
  return spec
}

function partitionList(text: string): number[] {
  const partitions = text.split(',').map((part) => (/^\d+$/.test(part.trim()) ? Number(part) : Number.NaN))
  if (partitions.some(Number.isNaN)) throw new InvalidArgumentError('It must be a list of numbers such as 0 or 0,2.')
  return [...new Set(partitions)]
}
