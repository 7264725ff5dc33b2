/**
 * One partition of `__transaction_state` and the transactional ids that live in it. Runs decisions one at a time: a decision is a
 * pure function of an id's entry; the entry it writes is appended, replayed into memory at once, and its answer is held until
 * the append is durable, as are the answers after it, so that nobody is told of what a failed write takes back.
 *
 * An entry that decides an outcome (Prepare*) sets off the markers once it is durable, after a load as well; when every
 * partition has its marker, the entry that completes it is written. A marker that cannot be written is tried again until it can be.
 *
 * Life: loading -> active. If an append fails, memory and log no longer agree: everybody who waits is refused, the state is
 * dropped, and when the last queued append is settled the log is read anew (draining -> loading). A load that fails is tried
 * again after a while (failed).
 */
import { ErrorCode, errorName } from '../../protocol/errors.ts'
import type { Clock } from '../../storage/clock.ts'
import type { Logger } from '../../storage/logger.ts'
import type { Timers } from '../../storage/timers.ts'
import { RELOAD_DELAY_MS } from '../config.ts'
import type { CoordinatorLog } from '../coordinator-log.ts'
import {
  type HeldAnswer,
  HeldAnswers,
  PendingAppend,
  refusalOf,
  type ShardStatus,
  UNAVAILABLE,
  type Waiter,
} from '../held-answers.ts'
import {
  MARKER_LOG_EVERY_ROUNDS,
  MARKER_RETRY_DELAY_MS,
  type TransactionCoordinatorConfig,
  WAITING_ADDITIONS_MAX,
} from './config.ts'
import { abortTimedOut, completeTransaction, expireId, isExpired, isTimedOut } from './end-transaction.ts'
import type { MarkerWriter } from './markers.ts'
import { decodeTransaction, encodeTransaction } from './records.ts'
import { type Decide, type Decision, type DecisionContext, isEnding, type Transaction } from './state.ts'

export interface TransactionShardDependencies {
  readonly config: TransactionCoordinatorConfig
  readonly log: CoordinatorLog
  readonly markers: MarkerWriter
  /** The level of the feature transaction.version, as it is now. */
  readonly transactionVersion: () => number
  /** An id that nobody has had. Rejects when none can be had at present. */
  readonly nextProducerId: () => number | Promise<number>
  readonly timers: Timers
  readonly clock: Clock
  readonly logger: Logger
}

/** A transaction whose outcome is durable, on its way to being complete. */
interface Ending {
  readonly transaction: Transaction
  /** Partitions that have not taken their marker and have to be asked (again). */
  left: { readonly topic: string; readonly partition: number }[]
  /** Markers that are being written. */
  underWay: number
  rounds: number
}

export class TransactionShard {
  readonly partition: number
  readonly #dependencies: TransactionShardDependencies
  #status: ShardStatus = 'loading'
  #transactions = new Map<string, Transaction>()
  readonly #answers = new HeldAnswers()
  readonly #endings = new Map<string, Ending>()
  /** By transactional id: who waits for its ending transaction to be complete. */
  readonly #waiting = new Map<string, Set<() => void>>()
  #nextWait = 0
  #stopLoad: () => void = () => {}
  /** Called when the state of `isSettled` may have changed. */
  onSettled: (() => void) | null = null

  constructor(partition: number, dependencies: TransactionShardDependencies) {
    this.partition = partition
    this.#dependencies = dependencies
    this.#load()
  }

  get status(): ShardStatus {
    return this.#status
  }

  get unavailable(): ErrorCode {
    return UNAVAILABLE[this.#status]
  }

  /** Loaded, and every ended transaction has its markers; or not to be had at present. */
  get isSettled(): boolean {
    return (
      this.#status === 'failed' || this.#status === 'closed' || (this.#status === 'active' && this.#endings.size === 0)
    )
  }

  /** For looking at; changes go through `run`. */
  get transactions(): ReadonlyMap<string, Transaction> {
    return this.#transactions
  }

  /** Runs a decision about one id. */
  run<Answer>(transactionalId: string, decide: Decide<Answer>, waiter: Waiter<Answer>): void {
    this.#run(transactionalId, decide, waiter, null)
  }

  /**
   * The same, but while the id's last transaction is ending it waits for that, within limits. Its decision must cope with an ending
   * transaction all the same.
   */
  runWhenComplete<Answer>(transactionalId: string, decide: Decide<Answer>, waiter: Waiter<Answer>): void {
    const transaction = this.#transactions.get(transactionalId)
    const { config, timers, clock } = this.#dependencies
    const waiting = this.#waiting.get(transactionalId) ?? new Set()
    const mustWait = this.#status === 'active' && transaction !== undefined && isEnding(transaction)
    if (!mustWait || waiting.size >= WAITING_ADDITIONS_MAX || config.addPartitionsWaitMsMax === 0) {
      this.#run(transactionalId, decide, waiter, null)
      return
    }
    const timer = this.#timerName(`wait/${this.#nextWait++}`)
    const goOn = () => {
      timers.cancel(timer)
      waiting.delete(goOn)
      if (waiting.size === 0) this.#waiting.delete(transactionalId)
      const { unavailable } = this
      if (unavailable === ErrorCode.NONE) this.#run(transactionalId, decide, waiter, null)
      else waiter.refuse(unavailable)
    }
    waiting.add(goOn)
    this.#waiting.set(transactionalId, waiting)
    timers.schedule(timer, clock.now() + config.addPartitionsWaitMsMax, goOn)
  }

  close(): void {
    if (this.#status === 'closed') return
    this.#status = 'closed'
    this.#stopLoad()
    const { timers } = this.#dependencies
    for (const name of ['reload', 'timeouts', 'expiry']) timers.cancel(this.#timerName(name))
    this.#drop(ErrorCode.NOT_COORDINATOR)
  }

  // Deciding and writing

  #context(freshProducerId: number | null): DecisionContext {
    const { clock, config, transactionVersion } = this.#dependencies
    const ownVersion = transactionVersion() >= 2 ? 2 : 0
    return { nowMs: clock.now(), config, ownVersion, freshProducerId }
  }

  #run<Answer>(
    transactionalId: string,
    decide: Decide<Answer>,
    waiter: Waiter<Answer>,
    freshProducerId: number | null,
  ): void {
    if (this.unavailable !== ErrorCode.NONE) {
      waiter.refuse(this.unavailable)
      return
    }
    let decision: Decision<Answer>
    try {
      decision = decide(this.#transactions.get(transactionalId), this.#context(freshProducerId))
    } catch (error) {
      this.#dependencies.logger.error('transaction operation failed', {
        partition: this.partition,
        transactionalId,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      })
      waiter.refuse(ErrorCode.UNKNOWN_SERVER_ERROR)
      return
    }
    if (decision.kind === 'needs-producer-id') {
      this.#runWithProducerId(transactionalId, decide, waiter)
      return
    }
    const { answer } = decision
    const held = { deliver: () => waiter.answer(answer), refuse: (code: ErrorCode) => waiter.refuse(code) }
    if (decision.kind === 'write') this.#write(transactionalId, decision.next, held)
    else this.#answers.hold(held)
  }

  #runWithProducerId<Answer>(transactionalId: string, decide: Decide<Answer>, waiter: Waiter<Answer>): void {
    const refuse = (error: unknown) => {
      const message = error instanceof Error ? error.message : String(error)
      this.#dependencies.logger.error('no producer id could be taken from the metadata store', { error: message })
      // Retriable: the store may be back in a moment.
      waiter.refuse(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
    }
    const next = this.#dependencies.nextProducerId()
    if (typeof next === 'number') this.#run(transactionalId, decide, waiter, next)
    else next.then((producerId) => this.#run(transactionalId, decide, waiter, producerId), refuse)
  }

  #write(transactionalId: string, next: Transaction | null, held: HeldAnswer): void {
    const append = new PendingAppend()
    const { log, transactionVersion } = this.#dependencies
    const record = encodeTransaction(transactionalId, next, transactionVersion() >= 1 ? 1 : 0)
    const errorCode = log.append(this.partition, [record], {
      nowMs: this.#dependencies.clock.now(),
      done: (failure) => this.#settled(append, next, failure),
    })
    if (errorCode !== ErrorCode.NONE) {
      this.#dependencies.logger.warn('transaction entry refused by the log', {
        partition: this.partition,
        transactionalId,
        error: errorName(errorCode),
      })
      held.refuse(refusalOf(errorCode))
      return
    }
    this.#answers.appended(append)
    this.#answers.hold(held)
    this.#replay(transactionalId, next)
  }

  /** The only place where an entry changes; a load is nothing but this over the whole log. */
  #replay(transactionalId: string, value: Transaction | null): void {
    if (value === null) this.#transactions.delete(transactionalId)
    else this.#transactions.set(transactionalId, value)
  }

  #settled(append: PendingAppend, written: Transaction | null, errorCode: ErrorCode): void {
    const waiting = this.#answers.settled(append)
    if (waiting !== null) {
      if (errorCode === ErrorCode.NONE) {
        // Before the answers: the markers are on their way when the client hears of the outcome.
        if (written !== null && isEnding(written)) this.#end(written)
        for (const held of waiting) held.deliver()
        if (written !== null && !isEnding(written)) this.#wakeWaiting(written.transactionalId)
      } else {
        this.#dependencies.logger.error('transaction entry was not written, reloading its partition', {
          partition: this.partition,
          error: errorName(errorCode),
        })
        const refusal = refusalOf(errorCode)
        this.#fail(refusal)
        for (const held of waiting) held.refuse(refusal)
      }
    }
    if (this.#status === 'draining' && this.#answers.isSettled) this.#load()
  }

  #wakeWaiting(transactionalId: string): void {
    for (const goOn of [...(this.#waiting.get(transactionalId) ?? [])]) goOn()
  }

  // Ending

  /** The outcome is durable: its markers go out. */
  #end(transaction: Transaction): void {
    const ending: Ending = { transaction, left: [], underWay: 0, rounds: 0 }
    for (const [topic, indexes] of transaction.partitions) {
      for (const partition of indexes) ending.left.push({ topic, partition })
    }
    this.#endings.set(transaction.transactionalId, ending)
    this.#writeMarkers(ending)
  }

  #writeMarkers(ending: Ending): void {
    const { transaction } = ending
    const { markers, log } = this.#dependencies
    const { producerId, producerEpoch, clientVersion } = transaction
    const marker = {
      producerId,
      producerEpoch,
      committed: transaction.status === 'PrepareCommit',
      coordinatorEpoch: log.leaderEpoch(this.partition),
      transactionVersion: clientVersion,
    }
    const asked = ending.left
    ending.left = []
    ending.underWay = asked.length
    ending.rounds++
    if (asked.length === 0) this.#complete(ending)
    for (const target of asked) {
      markers.write(marker, target.topic, target.partition, (errorCode) => {
        if (!isMarkerSettled(errorCode)) ending.left.push(target)
        if (errorCode !== ErrorCode.NONE) this.#logMarker(ending, target, errorCode)
        if (--ending.underWay === 0) this.#markersAnswered(ending)
      })
    }
  }

  #markersAnswered(ending: Ending): void {
    const { transactionalId } = ending.transaction
    // A reload has begun the ending anew.
    if (this.#endings.get(transactionalId) !== ending) return
    if (ending.left.length === 0) {
      this.#complete(ending)
      return
    }
    const { timers, clock } = this.#dependencies
    const again = () => {
      if (this.#endings.get(transactionalId) === ending) this.#writeMarkers(ending)
    }
    timers.schedule(this.#timerName(`markers/${transactionalId}`), clock.now() + MARKER_RETRY_DELAY_MS, again)
  }

  #complete(ending: Ending): void {
    const { transaction } = ending
    const { transactionalId } = transaction
    const retry = () => {
      if (this.#endings.get(transactionalId) !== ending) return
      const { timers, clock } = this.#dependencies
      timers.schedule(this.#timerName(`markers/${transactionalId}`), clock.now() + MARKER_RETRY_DELAY_MS, () => {
        if (this.#endings.get(transactionalId) === ending) this.#complete(ending)
      })
    }
    this.#run(
      transactionalId,
      (current, context) => completeTransaction(current, transaction, context),
      {
        answer: () => {
          if (this.#endings.get(transactionalId) === ending) this.#endings.delete(transactionalId)
          this.onSettled?.()
        },
        refuse: retry,
      },
      null,
    )
  }

  #logMarker(ending: Ending, target: Ending['left'][number], errorCode: ErrorCode): void {
    const { logger } = this.#dependencies
    const { transactionalId, producerId } = ending.transaction
    const fields = { transactionalId, producerId, ...target, error: errorName(errorCode) }
    if (isMarkerSettled(errorCode)) logger.info('a partition takes no transaction marker', fields)
    // A disk can be full for hours: the log on it must not fill what is left.
    else if (ending.rounds % MARKER_LOG_EVERY_ROUNDS === 1) {
      logger.warn('transaction marker was not written, trying again', fields)
    }
  }

  // Loading and dropping

  #fail(refusal: ErrorCode): void {
    this.#status = 'draining'
    this.#drop(refusal)
    if (this.#answers.isSettled) this.#load()
  }

  /** Forgets the state. Held answers get `refusal`. */
  #drop(refusal: ErrorCode): void {
    const { timers } = this.#dependencies
    const held = this.#answers.drop()
    const waiting = [...this.#waiting.values()].flatMap((waiters) => [...waiters])
    for (const transactionalId of this.#endings.keys()) timers.cancel(this.#timerName(`markers/${transactionalId}`))
    this.#transactions = new Map()
    this.#endings.clear()
    for (const one of held) one.refuse(refusal)
    for (const goOn of waiting) goOn()
    this.onSettled?.()
  }

  #load(): void {
    this.#status = 'loading'
    const { log, logger } = this.#dependencies
    let live = true
    const stop = log.load(this.partition, {
      records: (batch) => {
        if (!live) return
        for (const { key, value } of batch) {
          const record = decodeTransaction(key, value)
          if (record.type === 'transaction') this.#replay(record.transactionalId, record.value)
          else logger.warn('transaction record skipped', { partition: this.partition, reason: record.reason })
        }
      },
      // Entries are never written within a transaction.
      marker: () => {},
      ended: (failure) => {
        if (!live) return
        live = false
        if (failure === null) this.#loaded()
        else this.#loadFailed(failure)
      },
    })
    this.#stopLoad = () => {
      if (live) stop()
      live = false
    }
  }

  #loaded(): void {
    const { logger } = this.#dependencies
    this.#status = 'active'
    const ending = [...this.#transactions.values()].filter(isEnding)
    if (ending.length > 0)
      logger.info('finishing ended transactions', { partition: this.partition, count: ending.length })
    for (const transaction of ending) this.#end(transaction)
    this.#scheduleTimeouts()
    this.#scheduleExpiry()
    this.onSettled?.()
  }

  #loadFailed(failure: Error): void {
    const { logger, timers, clock } = this.#dependencies
    this.#status = 'failed'
    this.#transactions = new Map()
    logger.error('transactions could not be loaded, trying again', {
      partition: this.partition,
      error: failure.message,
      retryInMs: RELOAD_DELAY_MS,
    })
    timers.schedule(this.#timerName('reload'), clock.now() + RELOAD_DELAY_MS, () => this.#load())
    this.onSettled?.()
  }

  // Time

  #scheduleTimeouts(): void {
    const { timers, clock, config } = this.#dependencies
    timers.schedule(this.#timerName('timeouts'), clock.now() + config.abortTimedOutIntervalMs, () => {
      if (this.#status !== 'active') return
      this.#sweep(
        (transaction, context) => isTimedOut(transaction, context.nowMs),
        abortTimedOut,
        (transaction) => {
          const { transactionalId, producerId, timeoutMs } = transaction
          this.#dependencies.logger.info('transaction timed out, aborting it', {
            transactionalId,
            producerId,
            timeoutMs,
          })
        },
      )
      this.#scheduleTimeouts()
    })
  }

  #scheduleExpiry(): void {
    const { timers, clock, config } = this.#dependencies
    timers.schedule(this.#timerName('expiry'), clock.now() + config.removeExpiredIntervalMs, () => {
      if (this.#status !== 'active') return
      this.#sweep(isExpired, expireId, ({ transactionalId }) => {
        this.#dependencies.logger.debug('transactional id expired', { transactionalId })
      })
      this.#scheduleExpiry()
    })
  }

  #sweep(
    isDue: (transaction: Transaction, context: DecisionContext) => boolean,
    decide: Decide<boolean>,
    tell: (transaction: Transaction) => void,
  ): void {
    const context = this.#context(null)
    for (const transaction of [...this.#transactions.values()]) {
      if (!isDue(transaction, context)) continue
      const waiter = { answer: (done: boolean) => done && tell(transaction), refuse: () => {} }
      this.#run(transaction.transactionalId, decide, waiter, null)
    }
  }

  #timerName(name: string): string {
    return `transactions/${this.partition}/${name}`
  }
}

/** Whether there is nothing left to do in a partition that answered so. */
function isMarkerSettled(errorCode: ErrorCode): boolean {
  switch (errorCode) {
    case ErrorCode.NONE:
    // The topic was deleted, and with it what the marker would have ended.
    case ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
    // Somebody else ended the transaction there and the producer has gone on.
    case ErrorCode.INVALID_PRODUCER_EPOCH:
    case ErrorCode.TRANSACTION_COORDINATOR_FENCED:
      return true
    default:
      return false
  }
}
