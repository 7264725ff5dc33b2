/**
 * The targets of a comparison, each a process of its own on a fresh folder, ended by its pid; the folder goes with it. Data
 * folders lie beside each other, so all of them use the same disk.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { Subprocess } from 'bun'
import { Cluster } from '../../client/cluster.ts'
import { CLIENT_ID } from './frames.ts'
import { type Address, residentBytesOf, type Target } from './target.ts'

export type Durability = 'os' | 'fsync'

export interface StartedTarget {
  readonly target: Target
  /** From exec to the first answered Metadata request; null for what answers none. */
  readonly readyMs: number | null
  readonly idleBytes: number
  stop(): Promise<void>
}

interface StartOptions {
  /** A folder for the folders of all targets. */
  readonly directory: string
  readonly durability: Durability
}

const HOST = '127.0.0.1'
const START_TIMEOUT_MS = 60_000
/** How long a broker may take to stop: it syncs what the last round wrote. */
const STOP_TIMEOUT_MS = 60_000
/** After the first answer something is still being set up; what is idle is measured a little later. */
const IDLE_AFTER_MS = 1_000

/** `command` is this program: Samsa is measured as it is installed. */
export async function startSamsa(command: readonly string[], options: StartOptions): Promise<StartedTarget> {
  const directory = mkdtempSync(join(options.directory, 'samsa-'))
  const port = await freePort()
  const serve = ['serve', '--listen', `${HOST}:${port}`, '--http', 'off', '--log-level', 'warn', '--data', directory]
  const startMs = performance.now()
  const child = Bun.spawn([...command, ...serve, '--durability', options.durability], {
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'inherit',
  })
  const durability =
    options.durability === 'fsync' ? 'fsync: synced before the answer, in groups' : 'os: answered from the page cache'
  return startedBroker({ name: 'Samsa', child, port, startMs, directory, durability })
}

/** One broker and its controller, with the heap (1 GB) and collector of Kafka's own start script and default log settings. */
export async function startKafka(jars: string, options: StartOptions): Promise<StartedTarget> {
  const directory = mkdtempSync(join(options.directory, 'kafka-'))
  const port = await freePort()
  const properties = join(directory, 'server.properties')
  const temporary = join(directory, 'java-temporary')
  mkdirSync(temporary)
  const text = kafkaProperties({ port, controllerPort: await freePort(), directory, durability: options.durability })
  writeFileSync(properties, text)
  const java = ['java', '-cp', `${jars}/*`, `-Djava.io.tmpdir=${temporary}`]
  const format = ['kafka.tools.StorageTool', 'format', '-t', 'AAAAAAAAAAAAAAAAAAAAAw', '-c', properties]
  const formatted = Bun.spawnSync([...java, ...format], { stdout: 'pipe', stderr: 'pipe' })
  if (formatted.exitCode !== 0) {
    rmSync(directory, { recursive: true, force: true })
    throw new Error(`Apache Kafka's folder cannot be formatted: ${lastLine(formatted.stderr.toString())}`)
  }
  const startMs = performance.now()
  const child = Bun.spawn([...java, ...JVM_OPTIONS, 'kafka.Kafka', properties], {
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'ignore',
  })
  const durability =
    options.durability === 'fsync'
      ? 'log.flush.interval.messages=1: synced at every append'
      : 'defaults: answered from the page cache'
  return startedBroker({ name: 'Apache Kafka', child, port, startMs, directory, durability })
}

const JVM_OPTIONS = [
  '-Xmx1G',
  '-Xms1G',
  '-server',
  '-XX:+UseG1GC',
  '-XX:MaxGCPauseMillis=20',
  '-XX:InitiatingHeapOccupancyPercent=35',
  '-XX:+ExplicitGCInvokesConcurrent',
  '-Djava.awt.headless=true',
]

function kafkaProperties(options: {
  port: number
  controllerPort: number
  directory: string
  durability: Durability
}): string {
  const { port, controllerPort, directory, durability } = options
  return [
    'process.roles=broker,controller',
    'node.id=1',
    `controller.quorum.voters=1@${HOST}:${controllerPort}`,
    `listeners=PLAINTEXT://${HOST}:${port},CONTROLLER://${HOST}:${controllerPort}`,
    `advertised.listeners=PLAINTEXT://${HOST}:${port}`,
    'controller.listener.names=CONTROLLER',
    'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    `log.dirs=${join(directory, 'logs')}`,
    'offsets.topic.replication.factor=1',
    'transaction.state.log.replication.factor=1',
    'transaction.state.log.min.isr=1',
    ...(durability === 'fsync' ? ['log.flush.interval.messages=1'] : []),
    '',
  ].join('\n')
}

/** The C server; `command` is this program, which holds it. */
export async function startMachineLimit(
  command: readonly string[],
  options: Pick<StartOptions, 'directory'>,
): Promise<StartedTarget> {
  const directory = mkdtempSync(join(options.directory, 'machine-'))
  const child = Bun.spawn([...command, 'bench', 'machine-limit', '--data', directory], {
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const errors = new Response(child.stderr).text()
  const port = await printedPort(child.stdout)
  if (port === null) {
    await child.exited
    rmSync(directory, { recursive: true, force: true })
    throw new Error(`the machine's limit cannot be measured: ${lastLine(await errors)}`)
  }
  return {
    target: {
      name: 'Machine limit',
      address: { host: HOST, port },
      pid: child.pid,
      kind: 'machine',
      durability: 'none: a C server that writes to the page cache and checks nothing',
      dataDirectory: null,
    },
    readyMs: null,
    idleBytes: residentBytesOf(child.pid).now,
    stop: () => stopChild(child, directory),
  }
}

async function printedPort(stdout: ReadableStream<Uint8Array>): Promise<number | null> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of stdout) {
    text += decoder.decode(chunk, { stream: true })
    const port = /listening on \S+:(\d+)\n/.exec(text)?.[1]
    if (port !== undefined) return Number(port)
  }
  return null
}

async function startedBroker(parts: {
  name: string
  child: Subprocess
  port: number
  startMs: number
  directory: string
  durability: string
}): Promise<StartedTarget> {
  const { name, child, port, startMs, directory, durability } = parts
  const address = { host: HOST, port }
  const stop = (): Promise<void> => stopChild(child, directory)
  try {
    const readyMs = await untilAnswering({ name, child, address, startMs })
    await Bun.sleep(IDLE_AFTER_MS)
    const idleBytes = residentBytesOf(child.pid).now
    const target: Target = { name, address, pid: child.pid, kind: 'broker', durability, dataDirectory: directory }
    return { target, readyMs, idleBytes, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Milliseconds from `startMs` to the first answered Metadata request. */
async function untilAnswering(parts: {
  name: string
  child: Subprocess
  address: Address
  startMs: number
}): Promise<number> {
  const { name, child, address, startMs } = parts
  while (performance.now() - startMs < START_TIMEOUT_MS) {
    if (child.exitCode !== null) throw new Error(`${name} ended with exit code ${child.exitCode} before it was ready`)
    try {
      const cluster = await Cluster.connect({ bootstrap: [address], clientId: CLIENT_ID, timeoutMs: 5_000 })
      try {
        await cluster.metadata([])
        return performance.now() - startMs
      } finally {
        await cluster.close()
      }
    } catch {
      // Not listening yet, or not yet answering.
      await Bun.sleep(5)
    }
  }
  throw new Error(`${name} did not answer within ${START_TIMEOUT_MS / 1000} s`)
}

async function stopChild(child: Subprocess, directory: string): Promise<void> {
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
  await child.exited
  clearTimeout(timer)
  rmSync(directory, { recursive: true, force: true })
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? ''
}

function freePort(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const server = createServer()
  server.once('error', reject)
  server.listen(0, HOST, () => {
    const address = server.address()
    server.close(() =>
      typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('no port')),
    )
  })
  return promise
}
