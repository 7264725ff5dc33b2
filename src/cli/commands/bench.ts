/** `samsa bench`: what a broker takes and gives, alone or beside another. */
import { Command, InvalidArgumentError, Option } from 'commander'
import { type Address, parseTargets } from '../../lab/broker/addresses.ts'
import {
  BROKERS_MAX,
  RATE_MAX,
  ROUNDS_MAX,
  SECONDS_MAX,
  WARMUP_ROUNDS_MAX,
  WARMUP_SECONDS_MAX,
} from '../../lab/broker/limits.ts'
import { collect } from '../options.ts'

export interface LoadOptions {
  readonly only?: readonly string[]
  readonly all?: boolean
  readonly list?: boolean
  readonly rounds: number
  readonly seconds: number
  readonly warmup: number
  readonly warmupRounds: number
  readonly prewarm: number
  readonly rate?: number
  readonly json?: string
  readonly html?: string
}

export interface BrokerOptions extends LoadOptions {
  readonly bootstrap: readonly NamedAddress[]
}

export interface CompareOptions extends LoadOptions {
  readonly samsaOnly?: boolean
  readonly machine: boolean
  readonly durability: 'os' | 'fsync'
  readonly data?: string
}

export interface NamedAddress {
  readonly name: string
  readonly address: Address
}

/** Kafka's rate of small requests rises twentyfold in the first 12 seconds of them, on two cores. */
const PREWARM_SECONDS = 30

const OUTPUT = `
Every round prints the line of kafka-producer-perf-test, of kafka-consumer-perf-test, or both, under a line that begins with
'#'. At the end: medians, ratios with their spread, latencies, processor time and memory.

Without --rate the loop is closed: a fixed number of requests is under way, and the next one waits for an answer. With
--rate it is open: requests leave on schedule, and a latency counts from the scheduled time, so that a broker that stalls
is charged for it (no coordinated omission).`

export function command(): Command {
  return new Command('bench')
    .description('Measure brokers: rates, latencies, processor time and memory.')
    .addHelpText(
      'after',
      `
Examples:
  samsa bench broker --list                                     the workloads
  samsa bench broker --bootstrap 127.0.0.1:9092                 one broker
  samsa bench broker --bootstrap a=10.0.0.1:9092,b=10.0.0.2:9092 --html report.html
  samsa bench compare --html report.html                        Samsa, Apache Kafka and the machine's limit
  samsa bench compare --only produce-16k --rounds 5 --seconds 4
  samsa bench compare --durability fsync --only producers-64    group commit`,
    )
    .addCommand(brokerCommand())
    .addCommand(compareCommand())
    .addCommand(machineLimitCommand(), { hidden: true })
}

function brokerCommand(): Command {
  const made = new Command('broker')
    .summary('drive brokers that speak the Kafka protocol, by address')
    .description(
      'Drive brokers that speak the Kafka protocol, by address. Topics are made for the run and deleted after it.',
    )
    .addOption(
      new Option('-b, --bootstrap <[name=]host:port,...>', 'the brokers; rounds alternate between them')
        .argParser(parseBrokers)
        .default(parseBrokers('127.0.0.1:9092'), '127.0.0.1:9092'),
    )
  return withLoadOptions(made, 0)
    .addHelpText(
      'after',
      `${OUTPUT}

Of a broker on this machine, processor time and memory are measured too.

Examples:
  samsa bench broker --bootstrap 127.0.0.1:9092 --only produce-16k,latency-1k
  samsa bench broker --only end-to-end --rate 1000 --seconds 30
  samsa bench broker --bootstrap old=host1:9092,new=host2:9092 --json results/ --html report.html`,
    )
    .action(async (options: BrokerOptions) => {
      const { benchBroker } = await import('../bench/run.ts')
      await benchBroker(options)
    })
}

function compareCommand(): Command {
  const made = new Command('compare')
    .summary('Samsa, Apache Kafka and the limit of this machine, side by side')
    .description(
      `Start Samsa, Apache Kafka and a C server that shows this machine's limit, each on a fresh folder, and compare them.`,
    )
    .option('--samsa-only', 'without Apache Kafka (needs no Java)')
    .option('--no-machine', `without the machine's limit`)
    .addOption(
      new Option('--durability <level>', 'when a record is acknowledged, by both brokers')
        .choices(['os', 'fsync'])
        .default('os'),
    )
    .option('--data <dir>', 'where the folders of all of them are made (default: the temporary folder)')
  return withLoadOptions(made, PREWARM_SECONDS)
    .addHelpText(
      'after',
      `${OUTPUT}

Apache Kafka's jars are taken from SAMSA_KAFKA_LIBS or .cache/kafka-libs; without either, Maven fetches them there.

Examples:
  samsa bench compare --rounds 5 --seconds 4 --html report.html
  samsa bench compare --only connections,partitions,topics --rounds 1     the curves
  samsa bench compare --samsa-only --no-machine --only produce-1m --json rounds.json`,
    )
    .action(async (options: CompareOptions) => {
      const { benchCompare } = await import('../bench/run.ts')
      await benchCompare(options)
    })
}

function machineLimitCommand(): Command {
  return new Command('machine-limit')
    .description(`The C server of 'compare'. Prints its address and serves until it is ended.`)
    .requiredOption('--data <dir>', 'folder for its files')
    .action(async ({ data }: { data: string }) => {
      const { serveMachineLimit } = await import('../../lab/broker/machine-limit.ts')
      serveMachineLimit(data)
    })
}

function withLoadOptions(made: Command, prewarmSeconds: number): Command {
  return made
    .addOption(
      new Option('--only <name,...>', 'workloads whose name contains it; may be repeated').argParser(
        collect((text: string) => text),
      ),
    )
    .option('--all', 'also the curves over connections, partitions and topics, which take long')
    .option('--list', 'print the workloads and end')
    .addOption(new Option('--rounds <n>', 'counted rounds').argParser(bounded(1, ROUNDS_MAX, true)).default(3))
    .addOption(
      new Option('--seconds <n>', 'measured time of a round').argParser(bounded(0.1, SECONDS_MAX, false)).default(5),
    )
    .addOption(
      new Option('--warmup <s>', 'time before it, in every round')
        .argParser(bounded(0, WARMUP_SECONDS_MAX, false))
        .default(2),
    )
    .addOption(
      new Option('--warmup-rounds <n>', 'rounds before the counted ones')
        .argParser(bounded(0, WARMUP_ROUNDS_MAX, true))
        .default(1),
    )
    .addOption(
      new Option('--prewarm <s>', 'drive every broker this long before the first round: compilers work meanwhile')
        .argParser(bounded(0, WARMUP_SECONDS_MAX, false))
        .default(prewarmSeconds),
    )
    .addOption(
      new Option('--rate <n>', 'records per second, on schedule (an open loop)').argParser(bounded(1, RATE_MAX, false)),
    )
    .option('--json <file>', `results in the OpenMessaging Benchmark's format; into a folder, one file for each`)
    .option('--html <file>', 'a report with charts, in one file')
}

function bounded(least: number, most: number, whole: boolean): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text)
    if (!(value >= least && value <= most) || (whole && !Number.isInteger(value))) {
      throw new InvalidArgumentError(`It must be a ${whole ? 'whole ' : ''}number from ${least} to ${most}.`)
    }
    return value
  }
}

function parseBrokers(text: string): readonly NamedAddress[] {
  const targets = parseTargets(text)
  if (typeof targets === 'string') throw new InvalidArgumentError(targets)
  if (targets.length > BROKERS_MAX) throw new InvalidArgumentError(`At most ${BROKERS_MAX} brokers.`)
  return targets
}
