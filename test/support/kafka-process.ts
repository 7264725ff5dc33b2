// Starts a real Kafka (one KRaft node, broker and controller in one process) in a folder of its own and removes it afterwards.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrokerSettings, BrokerTarget } from './broker-target.ts'
import { Child } from './child-process.ts'
import { javaTemporaryOption, kafkaJars } from './kafka-jars.ts'

const START_TIMEOUT_MS = 180_000
const POLL_MS = 100
/** A loaded machine takes its time, and a stop that is cut short is not a clean one. */
const STOP_TIMEOUT_MS = 180_000
const CLUSTER_ID = 'kafkaToCompareWithSams'

export function freePort(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const server = createServer().once('error', reject)
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as { port: number }
    server.close(() => resolve(port))
  })
  return promise
}

function java(mainClass: string, ...args: string[]): string[] {
  const options = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
  return ['java', ...options, javaTemporaryOption(), '-cp', `${kafkaJars()}/*`, mainClass, ...args]
}

export interface KafkaProcess extends BrokerTarget {
  readonly child: Child
  readonly nodeId: number
  readonly controllerPort: number
}

export interface KafkaOptions {
  settings?: BrokerSettings
  /** A folder that outlives the process, formatted if it is empty; without it a new one that goes with the process. */
  dataDirectory?: string
  /** For the formatting, such as `--release-version 3.9`. */
  formatArguments?: string[]
  /** A second broker for this one's cluster, with a node id of its own; it has no controller. */
  joins?: { readonly controllerPort: number; readonly nodeId: number }
}

export function startKafka(settings: BrokerSettings = {}): Promise<BrokerTarget> {
  return startKafkaWith({ settings })
}

export async function startKafkaWith(options: KafkaOptions): Promise<KafkaProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'kafka-interop-'))
  const { joins } = options
  const [port, ownControllerPort] = await Promise.all([freePort(), freePort()])
  const controllerPort = joins?.controllerPort ?? ownControllerPort
  const nodeId = joins?.nodeId ?? 1
  const dataDirectory = options.dataDirectory ?? join(folder, 'data')
  const properties: BrokerSettings = {
    'process.roles': joins === undefined ? 'broker,controller' : 'broker',
    'node.id': `${nodeId}`,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    listeners: `PLAINTEXT://127.0.0.1:${port}${joins === undefined ? `,CONTROLLER://127.0.0.1:${controllerPort}` : ''}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'log.dirs': dataDirectory,
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
    ...options.settings,
  }
  const configuration = join(folder, 'server.properties')
  writeFileSync(
    configuration,
    Object.entries(properties)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  )
  if (!existsSync(join(dataDirectory, 'meta.properties'))) {
    const extra = options.formatArguments ?? []
    const format = new Child({
      command: java('kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', configuration, ...extra),
    })
    if ((await format.exited) !== 0) {
      rmSync(folder, { recursive: true, force: true })
      throw new Error(`cannot format ${dataDirectory}\n${format.lines.join('\n')}\n${format.stderr}`)
    }
  }
  const child = new Child({ command: java('kafka.Kafka', configuration) })
  const stop = async (): Promise<void> => {
    await child.stop(STOP_TIMEOUT_MS)
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await accepts(child, port)
  } catch (error) {
    await stop()
    throw error
  }
  const where = { host: '127.0.0.1', port, bootstrap: `127.0.0.1:${port}`, nodeId, controllerPort }
  return { kind: 'kafka', ...where, dataDirectory, child, stop }
}

/** Kafka opens its broker port only once it is registered and unfenced. */
async function accepts(child: Child, port: number): Promise<void> {
  let ended = false
  child.exited.then(() => {
    ended = true
  })
  for (let waitedMs = 0; waitedMs < START_TIMEOUT_MS; waitedMs += POLL_MS) {
    if (ended) break
    const socket = await Bun.connect({ hostname: '127.0.0.1', port, socket: { data() {} } }).catch(() => null)
    if (socket !== null) {
      socket.end()
      return
    }
    await Bun.sleep(POLL_MS)
  }
  throw new Error(`Kafka does not start\n${child.lines.slice(-20).join('\n')}\n${child.stderr}`)
}
