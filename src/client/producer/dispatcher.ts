/**
 * Brings batches to the leaders of their partitions. Lanes that have something to send are gathered for one turn of the
 * event loop, routed to their leaders' senders, and come back here after each answer.
 *
 * What must hold: a lane is in one place at a time, which its phase names. A batch that was accepted is completed or
 * failed exactly once, at the latest a second after its delivery timeout.
 */
import type { Cluster } from '../cluster.ts'
import { brokerError, isConnectionLoss, KafkaError } from '../errors.ts'
import type { Observer } from '../observe/hooks.ts'
import { clientMetrics } from '../observe/metrics.ts'
import { backoffMs } from '../retry.ts'
import type { Batch, ProducerIdentity } from './batch.ts'
import { BrokerSender, type PartitionAnswer } from './broker-sender.ts'
import { type Lane, leaderIdOf } from './lane.ts'
import type { ProducerMemory } from './memory.ts'
import type { ResolvedOptions } from './options.ts'
import { ErrorClass, errorClassOf } from './produce-errors.ts'
import { splitBatch } from './split.ts'

/** Where producer ids come from: the broker at large, or the coordinator of a transactional id. */
export interface IdentitySource {
  /** Null until `acquire` has resolved. */
  readonly current: ProducerIdentity | null
  /** Resolves with an identity; rejects with what makes one impossible. */
  acquire(): Promise<ProducerIdentity>
  /** The epochs of this producer id are used up. */
  discard(): void
}

export interface DispatcherContext {
  readonly cluster: Cluster
  readonly options: ResolvedOptions
  readonly memory: ProducerMemory
  readonly observer: Observer
  readonly identity: IdentitySource
  /** Whether this lane's partition is part of the transaction; whoever answers false calls `resume` later. */
  mayLeave(lane: Lane): boolean
  /** Whether the brokers are told of partitions by the first batch itself (KIP-890). */
  readonly usesTransactionV2: boolean
  /** A batch is done: there may be room. `error` if it failed, `unheard` if nobody waited for one of its records. */
  settled(error: KafkaError | null, unheard: boolean): void
}

const SWEEPS_PER_TIMEOUT = 20
const SWEEP_MS_MAX = 1_000

export class Dispatcher {
  readonly context: DispatcherContext
  private readonly lanes = new Set<Lane>()
  private readonly senders = new Map<number, BrokerSender>()
  private touched: Lane[] = []
  private turn: ReturnType<typeof setImmediate> | null = null
  private lingering: { readonly lane: Lane; readonly dueMs: number }[] = []
  private lingerTimer: ReturnType<typeof setTimeout> | null = null
  private sweepTimer: ReturnType<typeof setTimeout> | null = null
  private readonly backoffTimers = new Set<ReturnType<typeof setTimeout>>()
  private identityPending = false
  private stopped = false
  /** What fails a batch that comes back without success: the transaction is aborted, or all is over. */
  private givenUp: KafkaError | null = null

  constructor(context: DispatcherContext) {
    this.context = context
  }

  /** Every lane with something in it. */
  get activeLanes(): ReadonlySet<Lane> {
    return this.lanes
  }

  /** Records were added to the lane's open batch. */
  appended(lane: Lane, hurry: boolean): void {
    if (!this.lanes.has(lane)) this.enlist(lane)
    if (lane.phase === 'ready' || lane.phase === 'waiting') return
    const { lingerMs } = this.context.options
    if (lingerMs === 0 || hurry || lane.queue.length > 0) this.touch(lane)
    else if (lane.phase === 'idle') this.linger(lane, performance.now() + lingerMs)
  }

  /** Sends what waits for more records. */
  hurry(): void {
    for (const lane of this.lanes) {
      lane.seal()
      if (lane.phase === 'idle' || lane.phase === 'lingering') this.touch(lane)
    }
  }

  /** A lane that `mayLeave` held back may go on. */
  resume(lane: Lane): void {
    if (lane.phase !== 'waiting') return
    lane.phase = 'idle'
    this.touch(lane)
  }

  /** Takes the waiting batches out of all lanes and fails them; what is under way is answered first. */
  failWaiting(error: KafkaError, condition: (batch: Batch) => boolean = () => true): void {
    for (const lane of this.lanes) for (const batch of lane.removeWaiting(condition)) this.fail(lane, batch, error)
    this.forgetEmptyLanes()
  }

  /**
   * Fails what waits, and what is under way if it does not succeed now: nothing is sent again. Resolves when nothing is under way any more,
   * at the latest when the requests' time is up.
   */
  async giveUp(error: KafkaError): Promise<void> {
    this.givenUp = error
    this.failWaiting(error)
    try {
      await this.quiesce()
    } finally {
      if (this.givenUp === error) this.givenUp = null
    }
  }

  /** Fails what has never left. Resolves when it is known what became of the rest, which goes on being sent. */
  async giveUpUnsent(error: KafkaError): Promise<void> {
    const fails = (batch: Batch): boolean => batch.attempts === 0
    this.failWaiting(error, fails)
    while (this.lanes.size > 0) {
      const pending = this.pending()
      if (pending.length === 0) return
      await Promise.all(pending)
    }
  }

  /** Resolves when nothing is under way any more. */
  private async quiesce(): Promise<void> {
    const waiting: Promise<void>[] = []
    for (const lane of this.lanes) for (const batch of lane.inFlight) waiting.push(batch.whenDone())
    await Promise.all(waiting)
  }

  /** One promise per batch that is not done. */
  pending(): Promise<void>[] {
    const batches = [...this.lanes].flatMap((lane) => {
      return [...lane.queue, ...lane.retries, ...lane.inFlight, ...(lane.open === null ? [] : [lane.open])]
    })
    return batches.map((batch) => batch.whenDone())
  }

  /** After `stop`, when the connections are closed: what came back from them fails. */
  async quiesceStopped(error: KafkaError): Promise<void> {
    // The rejections of the connections' requests are handled in microtasks of their own.
    await new Promise((resolve) => setImmediate(resolve))
    // A cluster that others use answers on.
    this.givenUp = error
    this.failWaiting(error)
  }

  stop(): void {
    this.stopped = true
    if (this.turn !== null) clearImmediate(this.turn)
    if (this.lingerTimer !== null) clearTimeout(this.lingerTimer)
    if (this.sweepTimer !== null) clearTimeout(this.sweepTimer)
    for (const timer of this.backoffTimers) clearTimeout(timer)
    for (const sender of this.senders.values()) sender.stop()
  }

  /** After an answer, or the loss of it: sends what the lane has next. */
  wake(lane: Lane): void {
    if (lane.isEmpty) {
      lane.failures = 0
      if (lane.phase === 'idle') this.lanes.delete(lane)
      return
    }
    if (lane.phase !== 'idle' || lane.waitingBatches === 0) return
    const onlyOpen = lane.waitingBatches === 1 && lane.open !== null
    const dueMs = onlyOpen ? lane.openDueMs : 0
    if (dueMs > 0) this.linger(lane, performance.now() + dueMs)
    else this.touch(lane)
  }

  /** What became of one batch. */
  answered(lane: Lane, batch: Batch, row: PartitionAnswer, nodeId: number): void {
    const { errorCode } = row
    switch (errorClassOf(errorCode)) {
      case ErrorClass.done:
        this.complete(lane, batch, row)
        return
      case ErrorClass.tooLarge:
        if (batch.recordCount > 1) this.split(lane, batch)
        else this.reject(lane, batch, row)
        return
      case ErrorClass.sequence:
        this.outOfSequence(lane, batch, row)
        return
      case ErrorClass.retriable:
        this.again(lane, batch, brokerError(errorCode, whatOf(lane), row.errorMessage), nodeId)
        return
      case ErrorClass.final:
        this.reject(lane, batch, row)
    }
  }

  /** The answer to these batches is lost; whether they are stored is unknown. */
  lost(batches: readonly { lane: Lane; batch: Batch }[], error: KafkaError, nodeId: number): void {
    for (const { lane, batch } of batches) {
      if (isConnectionLoss(error)) this.again(lane, batch, error, nodeId)
      else this.settleFailed(lane, batch, error)
    }
  }

  /** Puts the lane aside until leaders are known again. `error` is why they cannot be reached. */
  later(lane: Lane, error: KafkaError | null = null): void {
    lane.phase = 'waiting'
    if (error !== null) lane.notReached(error)
    if (this.stopped) return
    const { cluster, options } = this.context
    // Who answers what is seen at the next attempt.
    cluster.update([lane.topic]).catch(() => undefined)
    const delayMs = backoffMs(options.retry, lane.failures)
    lane.failures += 1
    const timer = setTimeout(() => {
      this.backoffTimers.delete(timer)
      this.resume(lane)
    }, delayMs)
    this.backoffTimers.add(timer)
  }

  /** With acks 0, or when its request was refused as a whole. */
  complete(lane: Lane, batch: Batch, answer: { baseOffset: number; logAppendTimeMs: number }): void {
    lane.stored(batch)
    this.report(lane, batch, answer.baseOffset, null)
    batch.complete(lane.topic, lane.partition, answer)
    this.context.settled(null, false)
  }

  fail(lane: Lane, batch: Batch, error: KafkaError): void {
    this.report(lane, batch, -1, error)
    this.context.settled(error, batch.fail(error))
  }

  private enlist(lane: Lane): void {
    this.lanes.add(lane)
    if (this.sweepTimer !== null) return
    const { deliveryTimeoutMs } = this.context.options
    const everyMs = Math.min(SWEEP_MS_MAX, deliveryTimeoutMs / SWEEPS_PER_TIMEOUT)
    this.sweepTimer = setTimeout(() => this.sweep(), everyMs)
  }

  private touch(lane: Lane): void {
    if (this.stopped) return
    lane.phase = 'ready'
    this.touched.push(lane)
    this.turn ??= setImmediate(() => {
      this.turn = null
      this.route()
    })
  }

  private linger(lane: Lane, dueMs: number): void {
    lane.phase = 'lingering'
    this.lingering.push({ lane, dueMs })
    this.lingerTimer ??= setTimeout(() => this.lingered(), this.context.options.lingerMs)
  }

  private lingered(): void {
    this.lingerTimer = null
    const nowMs = performance.now()
    let count = 0
    // All linger equally long, so the oldest are in front.
    for (; count < this.lingering.length && this.lingering[count]!.dueMs <= nowMs; count++) {
      const { lane } = this.lingering[count]!
      if (lane.phase === 'lingering') this.touch(lane)
    }
    this.lingering.splice(0, count)
    const next = this.lingering[0]
    if (next !== undefined) this.lingerTimer = setTimeout(() => this.lingered(), Math.ceil(next.dueMs - nowMs))
  }

  private route(): void {
    const { options, identity, cluster } = this.context
    const lanes = this.touched.filter((lane) => this.hasNext(lane))
    this.touched = []
    if (lanes.length > 0 && options.idempotence && identity.current === null) {
      this.awaitIdentity(lanes)
      return
    }
    const senders = new Set<BrokerSender>()
    for (const lane of lanes) {
      if (!this.context.mayLeave(lane)) lane.phase = 'waiting'
      else {
        const leaderId = leaderIdOf(cluster.partition(lane.topic, lane.partition))
        if (leaderId < 0) this.later(lane)
        else senders.add(this.senderOf(leaderId).add(lane))
      }
    }
    for (const sender of senders) sender.pump()
  }

  /** If not, the lane is put where its next batch finds it: it waits for an answer, or for the linger of that batch. */
  private hasNext(lane: Lane): boolean {
    const dueMs = lane.openDueMs
    if (lane.next(this.context.options.maxInFlightPerPartition) !== null) return true
    lane.phase = 'idle'
    if (lane.isEmpty) this.lanes.delete(lane)
    else if (dueMs > 0) this.linger(lane, performance.now() + dueMs)
    return false
  }

  private senderOf(nodeId: number): BrokerSender {
    let sender = this.senders.get(nodeId)
    if (sender === undefined) {
      sender = new BrokerSender(nodeId, this)
      this.senders.set(nodeId, sender)
    }
    return sender
  }

  /** The lanes wait in `touched`, so that they are routed when there is one. */
  private awaitIdentity(lanes: Lane[]): void {
    this.touched = [...lanes, ...this.touched]
    if (this.identityPending) return
    this.identityPending = true
    const ready = (): void => {
      this.identityPending = false
      if (!this.stopped) this.route()
    }
    this.context.identity.acquire().then(ready, (error: unknown) => {
      this.failWaiting(error instanceof KafkaError ? error : new KafkaError('ERR_CLOSED', String(error)))
      ready()
    })
  }

  private again(lane: Lane, batch: Batch, error: KafkaError, nodeId: number): void {
    const { options, observer, cluster } = this.context
    if (this.givenUp !== null) {
      this.settleFailed(lane, batch, because(this.givenUp, error))
      return
    }
    if (performance.now() - batch.createdMs >= options.deliveryTimeoutMs) {
      this.settleFailed(lane, batch, overdue(lane, error, options.deliveryTimeoutMs))
      return
    }
    clientMetrics.add('kafka_produce_retries')
    batch.lastError = error
    const { topic, partition } = lane
    observer.retry({ clientId: cluster.clientId, topic, partition, attempts: batch.attempts, error })
    lane.failed(batch)
    if (lane.phase === 'ready' || lane.phase === 'waiting') return
    // A broker that names the new leader spares the wait.
    const leaderId = leaderIdOf(cluster.partition(topic, partition))
    if (error.errorCode !== 0 && leaderId >= 0 && leaderId !== nodeId) this.touch(lane)
    else this.later(lane)
  }

  private outOfSequence(lane: Lane, batch: Batch, row: PartitionAnswer): void {
    const { options, identity } = this.context
    const error = brokerError(row.errorCode, whatOf(lane), row.errorMessage)
    const isOldest = lane.outOfOrder(batch)
    // In a transaction a gap means that records of it are lost: it can only be aborted.
    if (!options.idempotence || (isOldest && options.transactionalId !== null) || this.givenUp !== null) {
      this.settleFailed(lane, batch, this.givenUp ?? error)
      return
    }
    if (performance.now() - batch.createdMs >= options.deliveryTimeoutMs) {
      this.settleFailed(lane, batch, overdue(lane, error, options.deliveryTimeoutMs))
      return
    }
    if (lane.needsNewProducerId) identity.discard()
    lane.failed(batch)
    this.wake(lane)
  }

  private split(lane: Lane, batch: Batch): void {
    if (this.givenUp !== null) {
      this.settleFailed(lane, batch, this.givenUp)
      return
    }
    const parts = splitBatch(batch, this.context.memory)
    lane.split(batch, parts)
    batch.replacedBy(parts)
    this.wake(lane)
  }

  private reject(lane: Lane, batch: Batch, row: PartitionAnswer): void {
    const detail = row.recordErrors[0]?.batchIndexErrorMessage ?? row.errorMessage
    this.settleFailed(lane, batch, brokerError(row.errorCode, whatOf(lane), detail))
  }

  private settleFailed(lane: Lane, batch: Batch, error: KafkaError): void {
    lane.settled(batch)
    this.fail(lane, batch, error)
    this.wake(lane)
  }

  private sweep(): void {
    this.sweepTimer = null
    const { deliveryTimeoutMs } = this.context.options
    const oldestMs = performance.now() - deliveryTimeoutMs
    for (const lane of [...this.lanes]) {
      for (const batch of lane.removeWaiting(({ createdMs }) => createdMs <= oldestMs)) {
        this.fail(lane, batch, overdue(lane, batch.lastError, deliveryTimeoutMs))
      }
    }
    this.forgetEmptyLanes()
    const [lane] = this.lanes
    if (lane !== undefined && !this.stopped) this.enlist(lane)
  }

  private forgetEmptyLanes(): void {
    for (const lane of [...this.lanes]) if (lane.isEmpty && lane.phase !== 'ready') this.lanes.delete(lane)
  }

  private report(lane: Lane, batch: Batch, baseOffset: number, error: KafkaError | null): void {
    const elapsedMs = performance.now() - batch.createdMs
    if (error === null) {
      clientMetrics.add('kafka_produced_messages', batch.recordCount)
      clientMetrics.add('kafka_produced_bytes', batch.wireBytes)
      clientMetrics.observeDelivery(elapsedMs)
    } else clientMetrics.add('kafka_produce_errors', batch.recordCount)
    this.context.observer.batch({
      clientId: this.context.cluster.clientId,
      topic: lane.topic,
      partition: lane.partition,
      records: batch.recordCount,
      bytes: batch.wireBytes,
      baseOffset,
      elapsedMs,
      attempts: batch.attempts,
      error,
    })
  }
}

function whatOf(lane: Lane): string {
  return `produce to ${lane.name}`
}

/** `error` as what it came to, with the loss behind it: whether the batch is stored is unknown then. */
function because(error: KafkaError, cause: KafkaError): KafkaError {
  return new KafkaError(error.code, `${error.message}; ${cause.message}`, { cause })
}

function overdue(lane: Lane, cause: KafkaError | null, timeoutMs: number): KafkaError {
  const last = cause === null ? '' : `; at last: ${cause.message}`
  const message = `${whatOf(lane)}: not acknowledged within ${timeoutMs} ms${last}`
  return new KafkaError('ERR_DELIVERY_TIMEOUT', message, cause === null ? {} : { cause })
}
