/**
 * This process among the brokers of the cluster: its registration, which lives as long as its lease. The server registers at start, and
 * says good-bye at a clean stop.
 *
 * What must hold: while the process is responsive its registration stands. Whoever loses the lease (a suspended machine) registers
 * again, with a higher epoch.
 */
import type { Clock } from '../storage/clock.ts'
import type { Logger } from '../storage/logger.ts'
import type { Timers } from '../storage/timers.ts'
import type { MetadataImage } from './image.ts'
import { type MetadataStore, MetadataStoreError } from './store.ts'
import { type BrokerValue, brokerKey, encodeValue } from './values.ts'

export interface RegistrationOptions {
  readonly store: MetadataStore
  readonly image: MetadataImage
  readonly clock: Clock
  readonly timers: Timers
  readonly logger: Logger
  readonly nodeId: number
  readonly broker: BrokerValue
  /** How long the registration outlives the last sign of life. */
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
}

export class BrokerRegistration {
  readonly #options: RegistrationOptions
  readonly #timerName: string
  #lease = 0
  #stopped = false

  private constructor(options: RegistrationOptions) {
    this.#options = options
    this.#timerName = `metadata/broker/${options.nodeId}/heartbeat`
  }

  /** A registration that an earlier process of the same id left behind is replaced: the data folder's lock knows who is alive. */
  static async register(options: RegistrationOptions): Promise<BrokerRegistration> {
    const registration = new BrokerRegistration(options)
    await registration.#register()
    registration.#scheduleHeartbeat()
    return registration
  }

  /** A store that takes no writes any more does not hold up the stop: the lease ends by itself. */
  async stop(): Promise<void> {
    const { store, timers, logger, nodeId } = this.#options
    this.#stopped = true
    timers.cancel(this.#timerName)
    try {
      await store.revokeLease(this.#lease)
    } catch (error) {
      if (!(error instanceof MetadataStoreError)) throw error
      logger.warn('broker registration could not be ended, it runs out', { nodeId, error })
    }
  }

  async #register(): Promise<void> {
    const { store, nodeId, broker, sessionTimeoutMs } = this.#options
    this.#lease = await store.grantLease(sessionTimeoutMs)
    const put = { key: brokerKey(nodeId), value: encodeValue(broker), lease: this.#lease }
    const result = await store.transact({ puts: [put] })
    if (!result.ok) throw new Error(`broker ${nodeId} could not be registered: its lease ended at once`)
  }

  #scheduleHeartbeat(): void {
    const { timers, clock, heartbeatIntervalMs } = this.#options
    timers.schedule(this.#timerName, clock.now() + heartbeatIntervalMs, () => void this.#heartbeat())
  }

  async #heartbeat(): Promise<void> {
    const { store, image, logger, nodeId, broker } = this.#options
    try {
      const held = await store.keepAlive(this.#lease)
      if (this.#stopped) return
      const ours = image.broker(nodeId)?.incarnation === broker.incarnation
      if (!held || !ours) {
        logger.warn('broker registration was lost, registering again', { nodeId })
        await this.#register()
      }
    } catch (error) {
      if (this.#stopped) return
      logger.warn('broker heartbeat failed', { nodeId, error })
    }
    if (!this.#stopped) this.#scheduleHeartbeat()
  }
}
