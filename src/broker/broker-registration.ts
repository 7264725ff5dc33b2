/**
 * Shows this broker to the cluster: its id and address under `brokers/ID` in the metadata store, bound to a lease that
 * is kept alive while the process runs. A lease that was lost (the process was stopped for a while) is taken anew.
 */
import type { MetadataStore } from '../metadata/store.ts'
import { type BrokerValue, brokerKey, encodeValue } from '../metadata/values.ts'
import type { Clock } from '../storage/clock.ts'
import type { Logger } from '../storage/logger.ts'
import type { Timers } from '../storage/timers.ts'

export interface BrokerRegistrationOptions {
  readonly store: MetadataStore
  readonly nodeId: number
  readonly broker: BrokerValue
  readonly clock: Clock
  readonly timers: Timers
  readonly logger: Logger
  /** How long the registration outlives the last sign of life (`broker.session.timeout.ms`). */
  readonly sessionTimeoutMs: number
  /** `broker.heartbeat.interval.ms` */
  readonly heartbeatIntervalMs: number
}

const TIMER = 'broker/heartbeat'

export class BrokerRegistration {
  readonly #options: BrokerRegistrationOptions
  #lease = 0
  #isStopped = false

  private constructor(options: BrokerRegistrationOptions) {
    this.#options = options
  }

  /** One left behind by an earlier process of the same id is replaced: the data folder's lock knows who is alive. */
  static async register(options: BrokerRegistrationOptions): Promise<BrokerRegistration> {
    const registration = new BrokerRegistration(options)
    await registration.#register()
    registration.#scheduleHeartbeat()
    return registration
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#options.timers.cancel(TIMER)
    await this.#options.store.revokeLease(this.#lease)
  }

  async #register(): Promise<void> {
    const { store, nodeId, broker, sessionTimeoutMs } = this.#options
    const lease = await store.grantLease(sessionTimeoutMs)
    const result = await store.transact({ puts: [{ key: brokerKey(nodeId), value: encodeValue(broker), lease }] })
    if (!result.ok) throw new Error(`broker ${nodeId} could not be registered: its lease ended at once`)
    this.#lease = lease
  }

  #scheduleHeartbeat(): void {
    if (this.#isStopped) return
    const { clock, timers, heartbeatIntervalMs } = this.#options
    timers.schedule(TIMER, clock.now() + heartbeatIntervalMs, () => {
      void this.#heartbeat().finally(() => this.#scheduleHeartbeat())
    })
  }

  async #heartbeat(): Promise<void> {
    const { store, logger, nodeId } = this.#options
    try {
      const isHeld = await store.keepAlive(this.#lease)
      if (isHeld || this.#isStopped) return
      logger.warn('the broker registration was lost, registering again', { nodeId })
      await this.#register()
    } catch (error) {
      if (!this.#isStopped) logger.warn('the broker registration could not be renewed', { nodeId, error })
    }
  }
}
