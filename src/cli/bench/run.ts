/**
 * Carries out `samsa bench broker` and `samsa bench compare`: finds or starts the targets, runs the workloads, prints
 * rounds as they end and the report at the end, and leaves nothing behind, whatever happens.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import {
  type Durability,
  type StartedTarget,
  startKafka,
  startMachineLimit,
  startSamsa,
} from '../../lab/broker/brokers.ts'
import { describeKafka, kafkaJars, requireJava } from '../../lab/broker/kafka-jars.ts'
import { CONSUMER_HEADER, consumerLine, producerLine } from '../../lab/broker/kafka-lines.ts'
import type { Round } from '../../lab/broker/measure.ts'
import { run } from '../../lab/broker/run.ts'
import { generatorLimit } from '../../lab/broker/statistics.ts'
import { buildReport, type Summary } from '../../lab/broker/summary.ts'
import { processListeningOn, residentBytesOf, type Target } from '../../lab/broker/target.ts'
import type { Workload } from '../../lab/broker/workload.ts'
import { selectWorkloads, WORKLOADS } from '../../lab/broker/workloads.ts'
import { describeEnvironment } from '../../lab/report/environment.ts'
import type { NamedValue } from '../../lab/report/report.ts'
import { renderText } from '../../lab/report/text.ts'
import type { BrokerOptions, CompareOptions, LoadOptions } from '../commands/bench.ts'
import { CliError, usageError } from '../errors.ts'
import { note, print, wantsColour } from '../output.ts'
import { selfCommand } from '../self.ts'
import { writeResults } from './results.ts'
import { StatusLine } from './status-line.ts'

const INTERRUPTED = 'interrupted'

export async function benchBroker(options: BrokerOptions): Promise<void> {
  const workloads = chosen(options)
  if (options.list === true) return listWorkloads(workloads)
  const targets = options.bootstrap.map(({ name, address }): Target => {
    const pid = processListeningOn(address)
    return { name, address, pid, kind: 'broker', durability: `as ${name} is set up`, dataDirectory: null }
  })
  const environment = [
    ...describeEnvironment(),
    ...targets.map(({ name, pid }) => ({
      name,
      value: pid === null ? 'not on this machine: no processor time, no memory' : `process ${pid} on this machine`,
    })),
  ]
  await interruptible(async (signal, status) => {
    await measureAll({ title: 'Brokers measured', options, workloads, targets, environment, signal, status })
  })
}

export async function benchCompare(options: CompareOptions): Promise<void> {
  const workloads = chosen(options)
  if (options.list === true) return listWorkloads(workloads)
  await interruptible(async (signal, status) => {
    if (options.samsaOnly !== true) requireJava()
    const onProgress = (text: string): void => status.show(text)
    const jars = options.samsaOnly === true ? null : await kafkaJars({ onProgress })
    const parent = resolve(options.data ?? tmpdir())
    mkdirSync(parent, { recursive: true })
    const directory = mkdtempSync(join(parent, 'samsa-bench-'))
    const started: StartedTarget[] = []
    try {
      await startAll({ options, workloads, jars, directory, started, signal, status })
      const targets = started.map(({ target }) => target)
      const environment = [
        ...describeEnvironment({ path: directory }),
        ...(jars === null ? [] : [{ name: 'Apache Kafka', value: describeKafka(jars) }]),
        ...targets.map(({ name, durability }) => ({ name: `durability of ${name}`, value: durability })),
      ]
      const title = jars === null ? 'Samsa measured' : 'Samsa beside Apache Kafka'
      await measureAll({ title, options, workloads, targets, started, environment, signal, status })
    } finally {
      status.show('stopping')
      await Promise.allSettled(started.map((one) => one.stop()))
      rmSync(directory, { recursive: true, force: true })
    }
  })
}

/** Fills `started` one by one, so that whoever called ends those that came up when a later one does not. */
async function startAll(parts: {
  options: CompareOptions
  workloads: readonly Workload[]
  jars: string | null
  directory: string
  started: StartedTarget[]
  signal: AbortSignal
  status: StatusLine
}): Promise<void> {
  const { options, workloads, jars, directory, started, signal, status } = parts
  const durability: Durability = options.durability
  status.show('starting Samsa')
  started.push(await startSamsa(selfCommand(), { directory, durability }))
  signal.throwIfAborted()
  if (jars !== null) {
    status.show('starting Apache Kafka')
    started.push(await startKafka(jars, { directory, durability }))
    signal.throwIfAborted()
  }
  // It keeps nothing, so beside brokers that sync it would say little.
  if (options.machine && durability === 'os' && workloads.some(({ machine }) => machine)) {
    status.show(`starting the machine's limit`)
    started.push(await startMachineLimit(selfCommand(), { directory }))
  }
}

/** What a broker meets in most workloads, and the share of the time that each gets: small requests compile longest. */
const PREWARM: readonly (readonly [string, number])[] = [
  ['produce-100b', 0.5],
  ['tail-16k', 0.25],
  ['end-to-end', 0.25],
]

/** Compilers of both brokers work while they run: what is measured comes after the most of that. */
async function prewarm(parts: {
  seconds: number
  targets: readonly Target[]
  prefix: string
  signal: AbortSignal
  status: StatusLine
}): Promise<void> {
  const { seconds, targets, prefix, signal, status } = parts
  if (seconds === 0) return
  for (const [name, share] of PREWARM) {
    await run({
      targets: targets.filter(({ kind }) => kind === 'broker'),
      workloads: selectWorkloads([name]),
      rounds: 0,
      warmupRounds: 1,
      times: { seconds: seconds * share, warmupSeconds: 0 },
      rate: null,
      prefix: `${prefix}-warm`,
      signal,
      onProgress: (text) => status.show(`before the first round: ${text}`),
      onNote: (text) => status.note(text),
      onRound: () => undefined,
    })
  }
}

async function measureAll(parts: {
  title: string
  options: LoadOptions
  workloads: readonly Workload[]
  targets: readonly Target[]
  started?: readonly StartedTarget[]
  environment: readonly NamedValue[]
  signal: AbortSignal
  status: StatusLine
}): Promise<void> {
  const { title, options, workloads, targets, started = [], environment, signal, status } = parts
  const { rounds, warmupRounds, seconds, warmup: warmupSeconds, rate = null } = options
  const prefix = `samsa-bench-${randomBytes(3).toString('hex')}`
  await prewarm({ seconds: options.prewarm, targets, prefix, signal, status })
  const startedAt = new Date()
  let isFirstConsumer = true
  const measured = await run({
    targets,
    workloads,
    rounds,
    warmupRounds,
    times: { seconds, warmupSeconds },
    rate,
    prefix,
    signal,
    onProgress: (text) => status.show(text),
    onNote: (text) => status.note(text),
    onRound: async (round, workload) => {
      status.clear()
      await print(roundLines(round, workload, { rounds, withHeader: isFirstConsumer }))
      if (round.consume !== null) isFirstConsumer = false
      const limit = generatorLimit(round)
      if (limit !== null) await note(`warning: ${limit}`)
    },
  })
  const processes = started.map(({ target, readyMs, idleBytes }) => {
    return {
      name: target.name,
      readyMs,
      idleBytes,
      peakBytes: target.pid === null ? Number.NaN : residentBytesOf(target.pid).peak,
    }
  })
  const summary: Summary = {
    title,
    targets,
    workloads,
    rounds: measured,
    environment,
    method: methodOf(options),
    processes,
    startedAt,
  }
  const report = buildReport(summary)
  status.clear()
  const width = process.stdout.columns ?? 120
  await print(`\n${renderText(report, { colours: wantsColour(process.stdout), width })}`)
  await writeResults(options, summary, report)
}

function methodOf({ rounds, seconds, warmup, warmupRounds, prewarm, rate }: LoadOptions): string {
  const count = (number: number): string => (number === 1 ? '1 round' : `${number} rounds`)
  const uncounted = warmupRounds === 0 ? '' : `, after ${count(warmupRounds)} not counted`
  const before = uncounted + (prewarm === 0 ? '' : `, each broker driven for ${prewarm} s before the first`)
  const loop = rate === undefined ? 'closed loop' : `open loop at ${rate} records/s (reads: closed loop)`
  return `${count(rounds)} of ${seconds} s and ${warmup} s of warm-up in each${before}, alternated; ${loop}.`
}

/** `#` and what it is, then the lines of Kafka's tools, which scripts can read. */
function roundLines(round: Round, workload: Workload, options: { rounds: number; withHeader: boolean }): string {
  const recordBytes = workload.shape.messageSize
  const lines = [`# ${workload.name}, ${round.target}, round ${round.round + 1} of ${options.rounds}`]
  if (round.publish !== null) lines.push(producerLine(round.publish, recordBytes))
  if (round.consume !== null) {
    if (options.withHeader) lines.push(CONSUMER_HEADER)
    lines.push(consumerLine(round.consume, { startedAt: round.startedAt, recordBytes }))
  }
  return lines.join('\n')
}

function chosen(options: LoadOptions): Workload[] {
  const words = (options.only ?? []).flatMap((text) => text.split(',')).map((word) => word.trim())
  if (options.all === true && words.length === 0) return [...WORKLOADS]
  if (options.list === true && words.length === 0) return [...WORKLOADS]
  const workloads = selectWorkloads(words.filter((word) => word !== ''))
  if (workloads.length === 0) throw usageError(`no workload is called '${words.join(', ')}'; --list names them`)
  return workloads
}

async function listWorkloads(workloads: readonly Workload[]): Promise<void> {
  const widest = Math.max(...workloads.map(({ name }) => name.length))
  await print(workloads.map(({ name, summary }) => `${name.padEnd(widest)}  ${summary}`).join('\n'))
}

/** The first Ctrl-C ends the run in order; the second one ends the program. */
async function interruptible(work: (signal: AbortSignal, status: StatusLine) => Promise<void>): Promise<void> {
  const controller = new AbortController()
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(1)
    controller.abort(new CliError(INTERRUPTED))
  }
  const signals = ['SIGINT', 'SIGTERM'] as const
  for (const name of signals) process.on(name, interrupt)
  const status = new StatusLine()
  try {
    await work(controller.signal, status)
  } catch (error) {
    // What failed because everything was being ended is no news.
    throw controller.signal.aborted ? controller.signal.reason : readable(error)
  } finally {
    status.clear()
    for (const name of signals) process.off(name, interrupt)
  }
}

/** Errors of a run are about brokers and machines; they are shown in one line, as any expected failure. */
function readable(error: unknown): unknown {
  if (error instanceof CliError || !(error instanceof Error) || error.name !== 'Error') return error
  return new CliError(error.message)
}
