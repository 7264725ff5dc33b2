/** `samsa lab codecs`: its options. What it does is in ./codecs-run.ts and src/lab/codecs, loaded once the options are right. */
import { Command, InvalidArgumentError, Option } from 'commander'
import { connectionOptions, nonNegativeInteger, positiveInteger } from '../options.ts'
import type { CodecsOptions } from './codecs-run.ts'

const HELP = `
Data: one of --file, --topic and --sample. It is cut into batches as a producer would, and every batch is compressed,
decompressed and compared before any figure counts. Kept in memory: the sample, and once more compressed by each engine.

Splits of a file:
  lines       at --delimiter; with --key-separator what stands before it is the key
  u32be       behind a length of four bytes; also u16be, u16le, u32le and varint (protobuf)
  fixed:200   all of 200 bytes

Sizes of keys and values: taken from the data, or drawn: 100, 50..200, normal:500:100, lognormal:400:2. Values are then cut
anew from the data's own bytes, keys are made up.

Goals:
  throughput  the most records per second: the slowest of compressing, network and decompressing
  balanced    the shortest way of a record from producer to consumer: the sum of the three (default)
  size        the fewest bytes, at --min-compress MB/s or more

Examples:
  samsa lab codecs --sample json --quick
  samsa lab codecs --file access.log --network 12.5 --html codecs.html
  samsa lab codecs --topic orders -b broker:9092 --codec zstd,lz4 --level 1,3,6
  samsa lab codecs --file events.bin --split u32be --batch-size 128KiB --goal size --json -
  samsa lab codecs --list`

const SAMPLES = ['json', 'logs', 'avro', 'metrics', 'random']
const GOALS = ['throughput', 'balanced', 'size']

export function codecsCommand(): Command {
  const made = new Command('codecs')
    .summary('measure compression codecs on your data, and recommend one')
    .description('Measure compression codecs on your data, and recommend one.')
  made
    .option('-f, --file <path>', 'records of this file')
    .option('-t, --topic <topic>', 'records of this topic, from its beginning')
    .addOption(new Option('--sample <kind>', 'made-up records').choices(SAMPLES))
  for (const option of connectionOptions()) made.addOption(option)
  return made
    .addOption(new Option('--split <how>', 'how the file is split; see below').default('lines'))
    .addOption(new Option('-D, --delimiter <text>', 'what ends a line').default('\\n', 'a line feed'))
    .option('-K, --key-separator <text>', 'what stands before it in a line is the key')
    .addOption(new Option('--size <bytes>', 'how much of the data (default: 4MiB, quick 1MiB)').argParser(byteSize))
    .addOption(
      new Option('--batch-size <bytes>', 'records of a batch, before compression')
        .argParser(byteSize)
        .default(16_384, '16KiB'),
    )
    .option('--key-size <size>', 'draw the sizes of keys; see below')
    .option('--value-size <size>', 'draw the sizes of values; see below')
    .addOption(new Option('--seed <n>', 'of samples and drawn sizes').argParser(nonNegativeInteger).default(1))
    .addOption(
      new Option('--codec <name,...>', 'only these codecs (zstd) or engines (zstd/bun)')
        .argParser(words)
        .default([], 'all'),
    )
    .addOption(
      new Option('--level <n,...>', 'only these levels').argParser(integers).default([], 'those worth measuring'),
    )
    .addOption(new Option('--rounds <n>', 'timed rounds (default: 5, quick 3)').argParser(positiveInteger))
    .option('--quick', 'fewer levels, less data, shorter rounds: half a minute')
    .addOption(new Option('--goal <goal>', 'what the recommendation is for').choices(GOALS).default('balanced'))
    .addOption(
      new Option('--network <MB/s>', 'what the network carries, for the recommendation')
        .argParser(positiveNumber)
        .default(125, '125, which is 1 Gbit/s'),
    )
    .addOption(
      new Option('--min-compress <MB/s>', 'with --goal size: what one core compresses at least')
        .argParser(positiveNumber)
        .default(20),
    )
    .option('--no-broker', 'do not try them through a broker')
    .option('--no-dictionary', 'leave out the experiment with zstd dictionaries')
    .option('--json <file>', 'write the result as JSON; - is stdout, then without the table')
    .option('--html <file>', 'write a report with charts')
    .option('--list', 'list engines and levels, measure nothing')
    .addHelpText('after', HELP)
    .action(async (options: CodecsOptions) => (await import('./codecs-run.ts')).run(options))
}

/** `16384`, `16KiB`, `4MiB`; `k` and `m` stand for the same. */
function byteSize(text: string): number {
  const match = /^(\d+)\s*(?:(k|m)(?:i?b)?|b)?$/i.exec(text)
  const factor = { k: 1024, m: 1024 * 1024 }[match?.[2]?.toLowerCase() ?? ''] ?? 1
  const bytes = Number(match?.[1] ?? Number.NaN) * factor
  if (!Number.isSafeInteger(bytes) || bytes < 1)
    throw new InvalidArgumentError('It must be a size such as 16384 or 16KiB.')
  return bytes
}

function positiveNumber(text: string): number {
  const value = Number(text)
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('It must be a number above 0.')
  return value
}

function words(text: string): string[] {
  return text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')
}

function integers(text: string): number[] {
  const levels = words(text).map((word) => (/^-?\d+$/.test(word) ? Number(word) : Number.NaN))
  if (levels.length === 0 || levels.some(Number.isNaN)) {
    throw new InvalidArgumentError('It must be a list of whole numbers such as 3 or 1,3,9.')
  }
  return levels
}
