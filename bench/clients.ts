/**
 * The clients of JavaScript side by side: Samsa's client, @platformatic/kafka and kafkajs, on Bun and on Node, against one
 * broker. Rounds alternate between the clients, so that what else the machine does hits all of them; the table shows medians.
 *
 *     bun bench/clients.ts [--rounds 3] [--seconds 2] [--bootstrap host:port]
 *
 * The latencies of `consume` are the time to the first message. Without a bootstrap address Samsa is started in a process of its own.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { parseBootstrap } from '../src/client/address.ts'
import { createTopics } from '../src/client/admin/topics.ts'
import { Cluster } from '../src/client/cluster.ts'
import { CLIENTS, type ClientName, fill, type Measured, WORKS, type Work } from './clients/worker.ts'

const ROOT = join(import.meta.dirname, '..')
const BUN = join(ROOT, 'node_modules/.bin/bun')
const WORKER = join(ROOT, 'bench/clients/worker.ts')
const TOPIC_PARTITIONS = 3

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '2' },
    bootstrap: { type: 'string' },
    work: { type: 'string', multiple: true },
    client: { type: 'string', multiple: true },
    runtime: { type: 'string', multiple: true },
  },
})

interface Runtime {
  readonly name: string
  readonly command: readonly string[]
}

function runtimes(): Runtime[] {
  const found: Runtime[] = [{ name: 'bun', command: [BUN] }]
  const node = [process.env.SAMSA_NODE, join(ROOT, '.cache/node/node_modules/node/bin/node')].find(
    (path) => path !== undefined && existsSync(path),
  )
  if (node !== undefined) found.push({ name: 'node', command: [node, '--disable-warning=ExperimentalWarning'] })
  else process.stderr.write('no Node 22.18 or later (SAMSA_NODE, .ci/install-interop): Bun only\n')
  return found
}

async function newTopic(bootstrap: string, name: string): Promise<void> {
  const addresses = parseBootstrap(bootstrap)
  if (typeof addresses === 'string') throw new Error(addresses)
  const cluster = await Cluster.connect({ bootstrap: addresses })
  try {
    const topic = { name, partitions: TOPIC_PARTITIONS, replicationFactor: 1, configs: [] }
    const [outcome] = await createTopics(cluster, [topic])
    if (outcome?.error) throw outcome.error
  } finally {
    await cluster.close()
  }
}

let filled: string | null = null

/** One for all who read. */
async function filledTopic(bootstrap: string): Promise<string> {
  if (filled !== null) return filled
  const topic = `bench-consume-${Date.now()}`
  await newTopic(bootstrap, topic)
  await fill(bootstrap, topic)
  filled = topic
  return topic
}

async function runOnce(runtime: Runtime, client: ClientName, work: Work, bootstrap: string): Promise<Measured> {
  const topic =
    work === 'consume' ? await filledTopic(bootstrap) : `bench-${runtime.name}-${client}-${work}-${Date.now()}`
  if (work !== 'consume') await newTopic(bootstrap, topic)
  const child = Bun.spawn([...runtime.command, WORKER, client, work, bootstrap, topic, options.seconds], {
    stdout: 'pipe',
    stderr: 'ignore',
    env: { ...process.env, KAFKAJS_NO_PARTITIONER_WARNING: '1' },
  })
  const output = await child.stdout.text()
  if ((await child.exited) !== 0) throw new Error(`${client} on ${runtime.name} failed at '${work}'`)
  return JSON.parse(output.trim().split('\n').at(-1) ?? '') as Measured
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

function row(runtime: string, work: Work, client: string, rounds: readonly Measured[]): string {
  const number = (of: (measured: Measured) => number, digits = 0): string => median(rounds.map(of)).toFixed(digits)
  const rate = `${number((each) => each.perSecond).padStart(9)} /s`
  const latency = `${number((each) => each.p50Ms, 2).padStart(8)} ms ${number((each) => each.p99Ms, 2).padStart(8)} ms`
  return `${runtime.padEnd(6)}${work.padEnd(9)}${client.padEnd(14)}${rate}${latency}${number((each) => each.rssMiB).padStart(7)} MiB`
}

async function measureAll(bootstrap: string): Promise<void> {
  const works = WORKS.filter((work) => options.work?.includes(work) ?? true)
  const clients = CLIENTS.filter((client) => options.client?.includes(client) ?? true)
  process.stdout.write('runtime work  client              rate      p50         p99      RSS\n')
  for (const runtime of runtimes().filter(({ name }) => options.runtime?.includes(name) ?? true)) {
    for (const work of works) {
      const measured = new Map<ClientName, Measured[]>(clients.map((client) => [client, []]))
      for (let round = 0; round < Number(options.rounds); round++) {
        for (const client of clients) measured.get(client)!.push(await runOnce(runtime, client, work, bootstrap))
      }
      for (const [client, rounds] of measured) process.stdout.write(`${row(runtime.name, work, client, rounds)}\n`)
    }
  }
}

/** Runs with a broker of its own, which goes with its folder. */
async function withBroker(run: (bootstrap: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'samsa-bench-clients-'))
  const command = [
    BUN,
    join(ROOT, 'src/cli/main.ts'),
    'serve',
    '--listen',
    '127.0.0.1:0',
    '--http',
    'off',
    '--data',
    folder,
  ]
  const broker = Bun.spawn(command, { stdout: 'pipe', stderr: 'ignore' })
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

if (options.bootstrap === undefined) await withBroker(measureAll)
else await measureAll(options.bootstrap)
