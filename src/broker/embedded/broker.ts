/**
 * A broker inside a test, or inside any program: started in one call with nothing to say, emptied between tests, and with faults and time in
 * the caller's hands. It is the whole broker, on a real port of the loopback interface, with the real protocol.
 *
 * What must hold: after `reset` nothing of before is left but the port; after `stop` nothing at all, no timer and no socket. Resets and stops
 * that are asked for at once happen one after the other, and none after the first stop.
 */
import type { Durability } from '../../log/types.ts'
import { BrokerConfig } from '../../metadata/broker-config.ts'
import { decodeValue, encodeValue } from '../../metadata/values.ts'
import { type Logger, silentLogger } from '../../storage/logger.ts'
import { TimeTravel } from '../../storage/time-travel.ts'
import { Broker } from '../server.ts'
import { type Fault, Faults, type InjectedFault } from './faults.ts'
import { TopicView } from './topic-view.ts'

/** Kafka spreads what its coordinators keep over 50 partitions; for one process in a test that is work for nothing. */
const DEFAULTS: Readonly<Record<string, string>> = {
  'offsets.topic.num.partitions': '1',
  'transaction.state.log.num.partitions': '1',
  'share.coordinator.state.topic.num.partitions': '1',
}

/**
 * Settings and metadata values take milliseconds when they are read and written for the first time in a process. That time passes while the module
 * is loaded, beside everything else that is, and not while a test waits for its broker.
 */
function warmUp(): void {
  new BrokerConfig({ properties: new Map(Object.entries(DEFAULTS)) })
  decodeValue('defaults', encodeValue(DEFAULTS))
}

warmUp()

/** How the broker is to be; everything has a default. */
export interface EmbeddedBrokerOptions {
  /** `memory`, the default, keeps everything in the process; `disk` needs `dataDirectory`. */
  readonly storage?: 'memory' | 'disk'
  /** The folder of storage `disk`; made if it is missing. */
  readonly dataDirectory?: string
  /** With storage `disk`: `os` unless given. */
  readonly durability?: Exclude<Durability, 'memory'>
  /** 127.0.0.1 unless given. */
  readonly host?: string
  /** A free one unless given. */
  readonly port?: number
  /** `node.id`; 1 unless given. */
  readonly nodeId?: number
  /** Kafka's broker properties. */
  readonly config?: Readonly<Record<string, string>>
  /** Silent unless given. */
  readonly logger?: Logger
}

/** A whole broker inside this process, on a port of the loopback interface. `await using` stops it. */
export class EmbeddedBroker implements AsyncDisposable {
  readonly #options: EmbeddedBrokerOptions
  readonly #faults: Faults
  #time: TimeTravel
  #broker: Broker
  /** Fires when everything that there is now is given up. */
  #life = new AbortController()
  #stopping: Promise<void> | null = null
  /** The reset that is under way, or was the last. */
  #resetting: Promise<void> = Promise.resolve()

  private constructor(options: EmbeddedBrokerOptions, faults: Faults, time: TimeTravel, broker: Broker) {
    this.#options = options
    this.#faults = faults
    this.#time = time
    this.#broker = broker
  }

  /** Resolves when clients can connect. Throws BrokerStartError. */
  static async start(options: EmbeddedBrokerOptions = {}): Promise<EmbeddedBroker> {
    const faults = new Faults()
    const time = new TimeTravel()
    return new EmbeddedBroker(options, faults, time, await startCore(options, options.port ?? 0, faults, time))
  }

  /** For `bootstrap.servers`: `127.0.0.1:40123`. */
  get bootstrap(): string {
    return this.#broker.bootstrap
  }

  /** The address that it listens on. */
  get host(): string {
    return this.#broker.host
  }

  /** The port that it listens on; the same after `reset`. */
  get port(): number {
    return this.#broker.port
  }

  /** A topic by name, whether it exists or not. */
  topic(name: string): TopicView {
    return new TopicView(name, () => ({ context: this.#running().context, ended: this.#life.signal }))
  }

  /** Names of all topics but Kafka's internal ones, sorted. */
  topics(): string[] {
    const topics = this.#running()
      .context.image.topics()
      .filter(({ internal }) => !internal)
    return topics.map(({ name }) => name).sort()
  }

  /** Requests that fit meet the fault until it is removed, used up or reset. Throws a RangeError for one that cannot be. */
  inject(fault: Fault): InjectedFault {
    this.#running()
    return this.#faults.inject(fault)
  }

  /** Takes requests and answers none, as a process that is stopped or a machine that swaps. */
  pause(): void {
    this.#running()
    this.#faults.pause()
  }

  /** Serves what came in the meantime, in its order. */
  resume(): void {
    this.#faults.resume()
  }

  /** Breaks all connections, without a word. Clients may connect again at once. */
  disconnectClients(): void {
    this.#broker.disconnectClients()
  }

  /** The broker's time in milliseconds since 1970. */
  now(): number {
    return this.#time.clock.now()
  }

  /**
   * Moves the broker's time forward: sessions and transactions that end in this time end now, and what is too old is removed. Clients know
   * nothing of it: a live one that sent no heartbeat in this time counts as gone.
   */
  async advance(ms: number): Promise<void> {
    this.#running()
    await this.#time.advance(ms)
  }

  /** Everything as after `start`, on the same port: no topics, groups, transactions, settings or faults. Connections are broken. */
  async reset(): Promise<void> {
    this.#running()
    if (this.#options.storage === 'disk') throw new Error('reset is for storage: memory; it would delete a folder')
    const before = this.#resetting
    this.#resetting = before.catch(() => undefined).then(() => this.#startAnew())
    await this.#resetting
  }

  /** Breaks all connections and gives the port back. Again: the same. */
  stop(): Promise<void> {
    this.#stopping ??= this.#resetting.catch(() => undefined).then(() => this.#shutDown())
    return this.#stopping
  }

  /** As `stop`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** A stop that was asked for meanwhile comes first. */
  async #startAnew(): Promise<void> {
    if (this.#stopping !== null) return
    const { port } = this
    await this.#shutDown()
    this.#time = new TimeTravel()
    this.#life = new AbortController()
    this.#broker = await startCore(this.#options, port, this.#faults, this.#time)
  }

  /** Connections first: who tests a broker does not wait for a drain of its clients. */
  async #shutDown(): Promise<void> {
    this.#life.abort()
    this.#faults.clear()
    this.#broker.disconnectClients()
    await this.#broker.stop()
    this.#time.cancelAll()
  }

  #running(): Broker {
    if (this.#stopping !== null) throw new Error('the broker has been stopped')
    return this.#broker
  }
}

function startCore(options: EmbeddedBrokerOptions, port: number, faults: Faults, time: TimeTravel): Promise<Broker> {
  const storage = options.storage ?? 'memory'
  if (storage === 'disk' && options.dataDirectory === undefined)
    throw new TypeError("storage 'disk' needs a dataDirectory")
  return Broker.start({
    listen: { host: options.host ?? '127.0.0.1', port },
    dataDirectory: options.dataDirectory ?? '',
    storage,
    durability: storage === 'memory' ? 'memory' : (options.durability ?? 'os'),
    nodeId: options.nodeId ?? 1,
    config: new Map(Object.entries({ ...DEFAULTS, ...options.config })),
    logger: options.logger ?? silentLogger,
    environment: { clock: time.clock, timers: time },
    around: (api) => faults.around(api),
  })
}
