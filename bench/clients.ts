/**
 * The clients of JavaScript side by side: Samsa's client, @platformatic/kafka and kafkajs on Bun and on Node, the bindings of librdkafka
 * on Node where they are installed, and Kafka's own perf tools, against one broker. Rounds alternate between the clients, so that what
 * else the machine does hits all of them; the table shows medians. `--help` has the options.
 */

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Admin } from '../src/client/admin/admin.ts'
import { Producer } from '../src/client/producer/producer.ts'
import { kafkaJars } from '../test/support/kafka-jars.ts'
import { startKafka } from '../test/support/kafka-process.ts'
import { nodeProgram } from '../test/support/node-program.ts'
import { JAVA_WORKS, measureJava } from './clients/java.ts'
import {
  BATCH_RECORDS,
  CLIENTS,
  CONSUMED_RECORDS,
  type Measured,
  RECORD_BYTES,
  WORKS,
  type Work,
} from './clients/work.ts'

const HELP = `bun bench/clients.ts [options]

Measures Kafka clients against one broker and prints a table.

  --bootstrap HOST:PORT  a broker that runs already; without it Samsa is started in a process of its own
  --kafka                start a real Kafka instead (needs java and .cache/kafka-libs)
  --rounds N             per row; the table shows medians (default 3)
  --seconds N            per round, after a second of warm-up (default 2)
  --work NAME            ${WORKS.join(', ')}; repeatable, default all
  --client NAME          ${CLIENTS.join(', ')}, java; repeatable, default all
  --runtime NAME         bun, node, java; repeatable, default all
  --json FILE            write the figures there as well, each round of them
  --help

awaited   one record, and the next when it is acknowledged
batched   five calls of a thousand records under way
latency   200 records a second; p50 and p99 of a send
consume   half a million records, message by message, in a group; p50 is the time to the first

RSS is the memory of the client's process at the end, peak the largest it was. A librdkafka client takes part if it is installed:
  npm install --prefix .cache/confluent @confluentinc/kafka-javascript
  npm install --prefix .cache/rdkafka node-rdkafka
`

const ROOT = join(import.meta.dirname, '..')
const BUN = process.execPath
const WORKER = join(ROOT, 'bench/clients/worker.ts')
const TOPIC_PARTITIONS = 3
const WORKER_LIMIT_MS = 120_000

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '2' },
    bootstrap: { type: 'string' },
    kafka: { type: 'boolean', default: false },
    work: { type: 'string', multiple: true },
    client: { type: 'string', multiple: true },
    runtime: { type: 'string', multiple: true },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

/** Somebody who can be measured at some kinds of work. */
interface Contender {
  readonly runtime: 'bun' | 'node' | 'java'
  readonly client: string
  readonly works: readonly Work[]
  run(work: Work, bootstrap: string, topic: string): Promise<Measured>
}

interface Row {
  readonly runtime: string
  readonly work: Work
  readonly client: string
  readonly rounds: Measured[]
}

function contenders(): Contender[] {
  const found: Contender[] = []
  for (const client of ['samsa', 'platformatic', 'kafkajs']) found.push(worker('bun', client, [BUN, WORKER]))
  const node = nodeProgram()
  if (node === null) note('no Node 22.18 or later (SAMSA_NODE, .ci/install-interop): Bun only')
  else {
    // As it is published: nobody has Node strip types of the client at each start.
    const command = [node, buildWorker()]
    for (const client of CLIENTS) if (isInstalled(client)) found.push(worker('node', client, command))
  }
  const jars = kafkaJars()
  if (jars === null) note("no Kafka jars (SAMSA_KAFKA_LIBS, .cache/kafka-libs): without Kafka's own perf tools")
  else {
    const run: Contender['run'] = (work, bootstrap, topic) =>
      measureJava(jars, work, bootstrap, topic, Number(options.seconds))
    found.push({ runtime: 'java', client: 'java', works: JAVA_WORKS, run })
  }
  return found.filter(({ runtime, client }) => wanted(options.runtime, runtime) && wanted(options.client, client))
}

/** What the bindings of librdkafka install downloads or compiles, so it is no dependency of this repository. */
function isInstalled(client: string): boolean {
  const names: Record<string, string> = { confluent: '@confluentinc/kafka-javascript', rdkafka: 'node-rdkafka' }
  const name = names[client]
  if (name === undefined || existsSync(join(ROOT, '.cache', client, 'node_modules', name))) return true
  if (wanted(options.client, client)) note(`no ${name}: npm install --prefix .cache/${client} ${name}`)
  return false
}

function wanted(list: readonly string[] | undefined, name: string): boolean {
  return list?.includes(name) ?? true
}

function note(text: string): void {
  process.stderr.write(`${text}\n`)
}

function buildWorker(): string {
  const folder = join(ROOT, '.cache/bench-clients')
  rmSync(folder, { recursive: true, force: true })
  const build = ['build', '--target=node', '--packages=external', '--splitting', '--outdir', folder, WORKER]
  const { exitCode, stderr } = Bun.spawnSync([BUN, ...build])
  if (exitCode !== 0) throw new Error(`the worker cannot be built: ${stderr.toString()}`)
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}\n')
  return join(folder, 'worker.js')
}

function worker(runtime: 'bun' | 'node', client: string, command: readonly string[]): Contender {
  const run = async (work: Work, bootstrap: string, topic: string): Promise<Measured> => {
    const child = Bun.spawn([...command, client, work, bootstrap, topic, options.seconds], {
      stdout: 'pipe',
      stderr: 'pipe',
      timeout: WORKER_LIMIT_MS,
      env: {
        ...process.env,
        KAFKAJS_NO_PARTITIONER_WARNING: '1',
        SAMSA_BENCH_CONFLUENT: join(ROOT, '.cache/confluent'),
        SAMSA_BENCH_RDKAFKA: join(ROOT, '.cache/rdkafka'),
      },
    })
    const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()])
    if ((await child.exited) !== 0) throw new Error(errors.slice(-500) || 'it took too long')
    return JSON.parse(output.trim().split('\n').at(-1) ?? '') as Measured
  }
  return { runtime, client, works: WORKS, run }
}

async function newTopic(bootstrap: string, name: string): Promise<string> {
  await using admin = new Admin({ bootstrap })
  const [outcome] = await admin.createTopics([{ name, partitions: TOPIC_PARTITIONS, replicationFactor: 1 }])
  if (outcome?.error) throw outcome.error
  return name
}

/** For `consume`; one for all who read. */
async function filledTopic(bootstrap: string): Promise<string> {
  const topic = await newTopic(bootstrap, `bench-consume-${Date.now()}`)
  await using producer = new Producer({ bootstrap })
  const value = Buffer.alloc(RECORD_BYTES, 'x')
  for (let sent = 0; sent < CONSUMED_RECORDS; sent += BATCH_RECORDS) {
    await producer.send(Array.from({ length: BATCH_RECORDS }, () => ({ topic, value })))
  }
  return topic
}

function median(rounds: readonly Measured[], of: (measured: Measured) => number): number {
  const sorted = rounds.map(of).toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

const HEADER = 'runtime work     client               rate        p50         p99      RSS      peak'

function line({ runtime, work, client, rounds }: Row): string {
  const cell = (of: (measured: Measured) => number, digits: number, width: number): string => {
    const value = median(rounds, of)
    return (Number.isNaN(value) ? '-' : value.toFixed(digits)).padStart(width)
  }
  const rate = `${cell((each) => each.perSecond, 0, 9)} /s`
  const latency = `${cell((each) => each.p50Ms, 2, 8)} ms ${cell((each) => each.p99Ms, 2, 8)} ms`
  const memory = `${cell((each) => each.rssMiB, 0, 5)} MiB ${cell((each) => each.peakMiB, 0, 5)} MiB`
  return `${runtime.padEnd(8)}${work.padEnd(9)}${client.padEnd(14)}${rate}${latency} ${memory}`
}

async function measureAll(bootstrap: string): Promise<Row[]> {
  const all = contenders()
  const rows: Row[] = []
  process.stdout.write(`${HEADER}\n`)
  let filled: string | null = null
  for (const work of WORKS.filter((each) => wanted(options.work, each))) {
    if (work === 'consume') filled = await filledTopic(bootstrap)
    for (const runtime of ['bun', 'node', 'java'] as const) {
      const taking = all.filter((each) => each.runtime === runtime && each.works.includes(work))
      const measured: Row[] = taking.map(({ client }) => ({ runtime, work, client, rounds: [] }))
      for (let round = 0; round < Number(options.rounds); round++) {
        for (const [index, { client, run }] of taking.entries()) {
          const topic = filled ?? (await newTopic(bootstrap, `bench-${runtime}-${client}-${work}-${Date.now()}`))
          try {
            measured[index]!.rounds.push(await run(work, bootstrap, topic))
          } catch (error) {
            note(`${client} on ${runtime} failed at '${work}': ${error instanceof Error ? error.message : error}`)
          }
        }
      }
      for (const row of measured) if (row.rounds.length > 0) process.stdout.write(`${line(row)}\n`)
      rows.push(...measured)
    }
  }
  return rows
}

/** What is aimed at: first everywhere, three times kafkajs, twice platformatic, half of Java, with the least memory. */
function verdicts(rows: readonly Row[]): string[] {
  const found = (runtime: string, work: Work, client: string): Row | undefined =>
    rows.find((row) => row.runtime === runtime && row.work === work && row.client === client && row.rounds.length > 0)
  return rows
    .filter(({ client, rounds }) => client === 'samsa' && rounds.length > 0)
    .map((own) => {
      const { runtime, work } = own
      const rate = (row: Row): number => median(row.rounds, ({ perSecond }) => perSecond)
      const others = [
        found(runtime, work, 'platformatic'),
        found(runtime, work, 'kafkajs'),
        found('java', work, 'java'),
      ]
      const times = others.flatMap((other) => {
        if (other === undefined) return []
        const isLatency = work === 'latency'
        const p50 = (row: Row): number => median(row.rounds, ({ p50Ms }) => p50Ms)
        const times = isLatency ? p50(other) / p50(own) : rate(own) / rate(other)
        return [`${times.toFixed(2)} times as ${isLatency ? 'quick' : 'much'} as ${other.client}`]
      })
      const peak = (row: Row): number => median(row.rounds, ({ peakMiB }) => peakMiB)
      const larger = others.filter(
        (other) => other !== undefined && other.runtime === runtime && peak(other) <= peak(own),
      )
      const memory =
        larger.length === 0 ? 'least memory' : `more memory than ${larger.map((each) => each?.client).join(', ')}`
      return `${runtime.padEnd(8)}${work.padEnd(9)}${[...times, memory].join(', ')}`
    })
}

/** Runs with a Samsa of its own, which goes with its folder. */
async function withSamsa(run: (bootstrap: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'samsa-bench-clients-'))
  const serve = ['serve', '--listen', '127.0.0.1:0', '--http', 'off', '--data', folder]
  const broker = Bun.spawn([BUN, join(ROOT, 'src/cli/main.ts'), ...serve], { stdout: 'pipe', stderr: 'ignore' })
  try {
    let output = ''
    for await (const chunk of broker.stdout) {
      output += Buffer.from(chunk).toString()
      const ready = / ready on (\S+:\d+)/.exec(output)
      if (ready === null) continue
      await run(ready[1]!)
      return
    }
    throw new Error(`the broker did not start: ${output}`)
  } finally {
    broker.kill()
    await broker.exited
    rmSync(folder, { recursive: true, force: true })
  }
}

async function withKafka(run: (bootstrap: string) => Promise<void>): Promise<void> {
  if (kafkaJars() === null) throw new Error('--kafka needs the jars (SAMSA_KAFKA_LIBS, .cache/kafka-libs)')
  const kafka = await startKafka()
  try {
    await run(kafka.bootstrap)
  } finally {
    await kafka.stop()
  }
}

async function report(bootstrap: string): Promise<void> {
  const broker = options.bootstrap ?? (options.kafka ? 'kafka' : 'samsa')
  const rows = await measureAll(bootstrap)
  const lines = verdicts(rows)
  if (lines.length > 0) process.stdout.write(`\nSamsa's client, by medians\n${lines.join('\n')}\n`)
  if (options.json === undefined) return
  const machine = { cpus: cpus().length, model: cpus()[0]?.model ?? 'unknown', bun: Bun.version }
  writeFileSync(options.json, `${JSON.stringify({ broker, machine, rows }, null, 2)}\n`)
}

if (options.help) process.stdout.write(HELP)
else if (options.bootstrap !== undefined) await report(options.bootstrap)
else if (options.kafka) await withKafka(report)
else await withSamsa(report)
