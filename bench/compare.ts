/**
 * Samsa and Apache Kafka 4.3.1 on this machine, in one run, under the same pre-encoded load: `bun bench/compare.ts`.
 * Rounds alternate between the two; every figure is the median of its rounds, and every ratio compares medians.
 *
 *   --rounds N     counted rounds per broker and workload (default 3); one more, first, only warms up
 *   --seconds N    measured seconds per round (default 5)
 *   --only NAME    workloads whose name contains NAME
 *   --samsa-only   without Kafka (needs no Java)
 *   --json FILE    all rounds as JSON
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, release, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type BrokerProcess, findKafkaJars, residentMegabytes, startKafka, startSamsa } from './load/brokers.ts'
import {
  deleteTopics,
  type FetchWork,
  fillTopic,
  type Outcome,
  type ProduceWork,
  runFetch,
  runProduce,
} from './load/workloads.ts'

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
    'samsa-only': { type: 'boolean', default: false },
    json: { type: 'string' },
  },
})
const rounds = Number(flags.rounds)
const seconds = Number(flags.seconds)
const warmupSeconds = 2
/** A JVM compiles while it works: what it does in its first seconds says little. */
const WARM_UP_ROUND = -1

interface Workload {
  readonly name: string
  /** The figure that the comparison is about. */
  readonly figure: 'requestsPerSecond' | 'megabytesPerSecond'
  run(broker: BrokerProcess, round: number): Promise<Outcome>
}

function produce(
  name: string,
  figure: Workload['figure'],
  work: Omit<ProduceWork, 'seconds' | 'warmupSeconds'>,
): Workload {
  return {
    name,
    figure,
    async run(broker, round) {
      const prefix = `${name.replaceAll(/[^a-z0-9]+/gi, '-')}-${round}`
      const outcome = await runProduce(broker, { ...work, seconds, warmupSeconds }, prefix)
      await deleteTopics(
        broker,
        Array.from({ length: work.connections }, (_, index) => `${prefix}-${index}`),
      )
      return outcome
    },
  }
}

const CATCH_UP_BYTES = 2e9

function catchUp(
  name: string,
  shape: { recordBytes: number; recordsPerBatch: number },
  work: Omit<FetchWork, 'seconds' | 'warmupSeconds'>,
): Workload {
  const filled = new Map<BrokerProcess, number>()
  const topic = name.replaceAll(/[^a-z0-9]+/gi, '-')
  return {
    name,
    figure: 'megabytesPerSecond',
    async run(broker) {
      let endOffset = filled.get(broker)
      if (endOffset === undefined) {
        endOffset = await fillTopic(broker, topic, shape, CATCH_UP_BYTES)
        filled.set(broker, endOffset)
      }
      return runFetch(broker, { ...work, seconds, warmupSeconds }, { topic, shape, endOffset })
    },
  }
}

const WORKLOADS: Workload[] = [
  produce('produce 1 x 100 B', 'requestsPerSecond', {
    connections: 4,
    inFlight: 8,
    acks: 1,
    recordBytes: 100,
    recordsPerBatch: 1,
  }),
  produce('produce 16 KiB', 'megabytesPerSecond', {
    connections: 4,
    inFlight: 8,
    acks: 1,
    recordBytes: 1000,
    recordsPerBatch: 16,
  }),
  produce('produce 1 MiB', 'megabytesPerSecond', {
    connections: 4,
    inFlight: 2,
    acks: 1,
    recordBytes: 1000,
    recordsPerBatch: 1030,
  }),
  catchUp(
    'catch-up read 16 KiB batches',
    { recordBytes: 1000, recordsPerBatch: 16 },
    { connections: 2, maxBytes: 1 << 20 },
  ),
  catchUp(
    'catch-up read 1 MiB batches',
    { recordBytes: 1000, recordsPerBatch: 1030 },
    { connections: 2, maxBytes: 8 << 20 },
  ),
].filter((workload) => workload.name.includes(flags.only))

interface Round {
  readonly workload: string
  readonly broker: string
  readonly outcome: Outcome
}

const median = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

function environment(): Record<string, string> {
  const data = execFileSync('df', ['--output=fstype,source', tmpdir()]).toString().trim().split('\n')[1] ?? ''
  return {
    kernel: release(),
    processors: `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    disk: data.replaceAll(/\s+/g, ' '),
    bun: Bun.version,
    durability: 'both brokers acknowledge from the page cache (Samsa: durability os; Kafka: defaults)',
  }
}

async function main(): Promise<void> {
  const jars = flags['samsa-only'] ? null : findKafkaJars()
  if (jars === null && !flags['samsa-only'])
    throw new Error("Kafka's jars are not there: set SAMSA_KAFKA_LIBS, or run with --samsa-only")
  for (const [name, value] of Object.entries(environment())) console.log(`${name.padEnd(12)} ${value}`)

  const data = mkdtempSync(join(tmpdir(), 'samsa-bench-'))
  const brokers = [await startSamsa({ data })]
  if (jars !== null) brokers.push(await startKafka(jars))
  for (const broker of brokers) {
    console.log(
      `${broker.name.padEnd(12)} ready after ${broker.readyMs.toFixed(0)} ms, idle RSS ${residentMegabytes(broker.pid).now.toFixed(0)} MB`,
    )
  }

  const results: Round[] = []
  try {
    for (const workload of WORKLOADS) {
      for (const broker of brokers) await workload.run(broker, WARM_UP_ROUND)
      for (let round = 0; round < rounds; round++) {
        const order = round % 2 === 0 ? brokers : brokers.toReversed()
        for (const broker of order)
          results.push({ workload: workload.name, broker: broker.name, outcome: await workload.run(broker, round) })
      }
      report(workload, brokers, results)
    }
    for (const broker of brokers)
      console.log(`${broker.name.padEnd(12)} peak RSS ${residentMegabytes(broker.pid).peak.toFixed(0)} MB`)
  } finally {
    for (const broker of brokers) await broker.stop()
    rmSync(data, { recursive: true, force: true })
  }
  if (flags.json !== undefined)
    writeFileSync(flags.json, JSON.stringify({ environment: environment(), results }, null, 2))
}

function report(workload: Workload, brokers: readonly BrokerProcess[], results: readonly Round[]): void {
  console.log(`\n${workload.name}`)
  const medians = brokers.map((broker) => {
    const outcomes = results
      .filter((result) => result.workload === workload.name && result.broker === broker.name)
      .map((result) => result.outcome)
    const of = (figure: keyof Outcome) => outcomes.map((outcome) => outcome[figure])
    const range = of(workload.figure)
    console.log(
      `  ${broker.name.padEnd(12)} ${median(of('requestsPerSecond')).toFixed(0).padStart(8)} batches/s ${median(of('megabytesPerSecond')).toFixed(1).padStart(8)} MB/s` +
        ` ${median(of('cpuSecondsPerGigabyte')).toFixed(2).padStart(7)} CPU s/GB ${median(of('residentMegabytes')).toFixed(0).padStart(6)} MB RSS` +
        `   (${Math.min(...range).toFixed(0)} .. ${Math.max(...range).toFixed(0)} over ${range.length} rounds)`,
    )
    return { figure: median(of(workload.figure)), cpu: median(of('cpuSecondsPerGigabyte')) }
  })
  const [samsa, kafka] = medians
  if (samsa === undefined || kafka === undefined) return
  console.log(
    `  Samsa / Kafka: ${(samsa.figure / kafka.figure).toFixed(2)}x the rate, ${(samsa.cpu / kafka.cpu).toFixed(2)}x the CPU per GB`,
  )
}

await main()
