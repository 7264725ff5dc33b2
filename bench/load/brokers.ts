/**
 * The brokers under comparison, each started as a process of its own on a fresh folder and ended by its pid.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Subprocess } from 'bun'
import { metadataFrame } from './frames.ts'
import { ask } from './wire.ts'

export interface BrokerProcess {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly pid: number
  /** From exec to the first answered Metadata request, in ms. */
  readonly readyMs: number
  stop(): Promise<void>
}

const HOST = '127.0.0.1'
const REPOSITORY = resolve(import.meta.dir, '../..')

export async function startSamsa(
  options: { args?: readonly string[]; data?: string; keepData?: boolean } = {},
): Promise<BrokerProcess> {
  const data = options.data ?? mkdtempSync(join(tmpdir(), 'samsa-bench-'))
  const port = await freePort()
  const started = performance.now()
  const child = Bun.spawn(
    [
      join(REPOSITORY, 'node_modules/.bin/bun'),
      join(REPOSITORY, 'src/cli/main.ts'),
      'serve',
      '--listen',
      `${HOST}:${port}`,
      '--http',
      'off',
      '--data',
      data,
      ...(options.args ?? []),
    ],
    { stdout: 'ignore', stderr: 'inherit' },
  )
  const readyMs = await untilReady(child, port, started)
  return brokerProcess('Samsa', child, port, readyMs, options.keepData === true ? [] : [data])
}

/** A single-node KRaft broker with default JVM settings (1 GB heap) and default log settings. */
export async function startKafka(jars: string): Promise<BrokerProcess> {
  const data = mkdtempSync(join(tmpdir(), 'kafka-bench-'))
  const port = await freePort()
  const controllerPort = await freePort()
  const properties = join(data, 'server.properties')
  writeFileSync(
    properties,
    [
      'process.roles=broker,controller',
      'node.id=1',
      `controller.quorum.voters=1@${HOST}:${controllerPort}`,
      `listeners=PLAINTEXT://${HOST}:${port},CONTROLLER://${HOST}:${controllerPort}`,
      `advertised.listeners=PLAINTEXT://${HOST}:${port}`,
      'controller.listener.names=CONTROLLER',
      'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
      `log.dirs=${join(data, 'logs')}`,
      'offsets.topic.replication.factor=1',
      'transaction.state.log.replication.factor=1',
      'transaction.state.log.min.isr=1',
      '',
    ].join('\n'),
  )
  const classPath = `${jars}/*`
  const format = Bun.spawnSync(
    ['java', '-cp', classPath, 'kafka.tools.StorageTool', 'format', '-t', 'AAAAAAAAAAAAAAAAAAAAAw', '-c', properties],
    { stdout: 'pipe', stderr: 'pipe' },
  )
  if (format.exitCode !== 0) throw new Error(`formatting Kafka's folder failed: ${format.stderr.toString()}`)
  const started = performance.now()
  // The options of Kafka's own start script: 1 GB heap, G1.
  const jvm = [
    '-Xmx1G',
    '-Xms1G',
    '-server',
    '-XX:+UseG1GC',
    '-XX:MaxGCPauseMillis=20',
    '-XX:InitiatingHeapOccupancyPercent=35',
    '-XX:+ExplicitGCInvokesConcurrent',
    '-Djava.awt.headless=true',
  ]
  const child = Bun.spawn(['java', ...jvm, '-cp', classPath, 'kafka.Kafka', properties], {
    stdout: 'ignore',
    stderr: 'ignore',
  })
  const readyMs = await untilReady(child, port, started)
  return brokerProcess('Apache Kafka', child, port, readyMs, [data])
}

export function findKafkaJars(): string | null {
  const candidates = [process.env.SAMSA_KAFKA_LIBS, join(REPOSITORY, '.cache/kafka-libs')]
  return candidates.find((directory): directory is string => directory !== undefined && existsSync(directory)) ?? null
}

/** CPU seconds (user + system) that the process has used so far, from the kernel's own accounting. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const CLOCK_TICKS_PER_SECOND = 100
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND
}

export function residentMegabytes(pid: number): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0)
  return { now: kilobytes('VmRSS') / 1024, peak: kilobytes('VmHWM') / 1024 }
}

function brokerProcess(
  name: string,
  child: Subprocess,
  port: number,
  readyMs: number,
  folders: string[],
): BrokerProcess {
  return {
    name,
    host: HOST,
    port,
    pid: child.pid,
    readyMs,
    async stop() {
      child.kill('SIGTERM')
      await child.exited
      for (const folder of folders) rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function untilReady(child: Subprocess, port: number, started: number): Promise<number> {
  const deadline = started + 60_000
  const frame = metadataFrame([])
  while (performance.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`broker ended with exit code ${child.exitCode} before it was ready`)
    try {
      await ask(HOST, port, frame, 5_000)
      return performance.now() - started
    } catch {
      await Bun.sleep(5)
    }
  }
  child.kill('SIGKILL')
  throw new Error('broker not ready within 60 s')
}

function freePort(): Promise<number> {
  const { promise, resolve: found, reject } = Promise.withResolvers<number>()
  const server = createServer()
  server.once('error', reject)
  server.listen(0, HOST, () => {
    const address = server.address()
    server.close(() =>
      typeof address === 'object' && address !== null ? found(address.port) : reject(new Error('no port')),
    )
  })
  return promise
}
