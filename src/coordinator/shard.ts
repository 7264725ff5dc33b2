/**
 * One partition of `__consumer_offsets` and the groups that live in it. Runs operations one at a time: the operation decides
 * (pure code under `group/`), its records are appended as one batch and replayed into memory, its answers are held until that
 * batch is durable. An operation without records waits for the batches before it, so that nobody is told of what a failed
 * write takes back.
 *
 * Life: loading -> active. If an append fails, memory and log no longer agree: everybody who waits is refused, the state is
 * dropped, and when the last queued append is settled the log is read anew (draining -> loading). A load that fails is tried
 * again after a while (failed).
 */
import { ErrorCode, errorName } from '../protocol/errors.ts'
import type { Clock } from '../storage/clock.ts'
import { elapsedMs } from '../storage/clock.ts'
import type { Logger } from '../storage/logger.ts'
import type { Random } from '../storage/random.ts'
import type { Timers } from '../storage/timers.ts'
import { BATCH_HEADER_ALLOWANCE_BYTES, type GroupCoordinatorConfig, RELOAD_DELAY_MS } from './config.ts'
import type { CoordinatorLog, TransactionalProducer } from './coordinator-log.ts'
import { timerFired } from './group/classic/timers.ts'
import { expireOffsets } from './group/offsets/expire.ts'
import { decodeRecord, encodeRecord, type GroupRecord, type KeyValue } from './group/records.ts'
import { emptyDurableState, replay, replayMarker, replayPending } from './group/replay.ts'
import { followGroup, restoreGroups } from './group/restore.ts'
import type { DurableState, GroupState } from './group/state.ts'
import { type TimerChange, type TimerEvent, Turn, type TurnInputs, timerName } from './group/turn.ts'
import { HeldAnswers, PendingAppend, type ShardStatus, UNAVAILABLE } from './held-answers.ts'

export interface ShardDependencies {
  readonly config: GroupCoordinatorConfig
  readonly log: CoordinatorLog
  readonly timers: Timers
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** What operations on groups of the newer protocols look at. */
  readonly consumers: Pick<
    TurnInputs,
    'topics' | 'compilePattern' | 'consumerSettings' | 'shareSettings' | 'streamsSettings'
  >
  /** Called when a load is complete, before the first request: repairs that need the cluster's metadata. */
  readonly afterLoad: (state: GroupState, turn: Turn) => void
}

export type Operation = (state: GroupState, turn: Turn) => void

interface OperationOptions {
  /**
   * The operation leaves memory alone until its records are replayed (commits and deletions): if the log refuses them, nothing
   * has happened, and the groups stay as they are.
   */
  readonly recordsOnly?: boolean
  /** The records mean the same in several batches. */
  readonly splittable?: boolean
  /** The records belong to this producer's transaction. */
  readonly producer?: TransactionalProducer
}

/** What waiters are told when the log refuses or loses a batch. Sizes are the caller's affair. */
function batchRefusalOf(appendError: ErrorCode): ErrorCode {
  switch (appendError) {
    case ErrorCode.MESSAGE_TOO_LARGE:
    case ErrorCode.RECORD_LIST_TOO_LARGE:
      return ErrorCode.MESSAGE_TOO_LARGE
    case ErrorCode.KAFKA_STORAGE_ERROR:
    case ErrorCode.NOT_LEADER_OR_FOLLOWER:
      return ErrorCode.NOT_COORDINATOR
    // What the producer of a transaction has to know.
    case ErrorCode.INVALID_PRODUCER_EPOCH:
    case ErrorCode.INVALID_TXN_STATE:
      return appendError
    default:
      return ErrorCode.COORDINATOR_NOT_AVAILABLE
  }
}

export class GroupShard {
  readonly partition: number
  readonly #dependencies: ShardDependencies
  #status: ShardStatus = 'loading'
  #state: GroupState = { durable: emptyDurableState(), groups: new Map() }
  readonly #answers = new HeldAnswers()
  readonly #afterLoad: Operation[] = []
  /** Timers of this state that have not fired. */
  readonly #timers = new Set<string>()
  #stopLoad: () => void = () => {}

  constructor(partition: number, dependencies: ShardDependencies) {
    this.partition = partition
    this.#dependencies = dependencies
    this.#load()
  }

  get status(): ShardStatus {
    return this.#status
  }

  /** What a request is refused with while the shard does not serve; 0 if it does. */
  get unavailable(): ErrorCode {
    return UNAVAILABLE[this.#status]
  }

  /** For looking at (tests, metrics); changes go through `run`. */
  get durable(): DurableState {
    return this.#state.durable
  }

  get groups(): GroupState['groups'] {
    return this.#state.groups
  }

  /** Runs an operation of a request. `refuse` is called instead if it cannot run. */
  run(operation: Operation, refuse: (errorCode: ErrorCode) => void, options: OperationOptions = {}): void {
    const unavailable = this.unavailable
    if (unavailable !== ErrorCode.NONE) refuse(unavailable)
    else if (!this.#run(operation, options)) refuse(ErrorCode.UNKNOWN_SERVER_ERROR)
  }

  /** Runs an operation that nobody waits for, now or as soon as the shard is loaded. */
  runLater(operation: Operation): void {
    if (this.#status === 'active') this.#run(operation, { recordsOnly: true, splittable: true })
    else if (this.#status !== 'closed') this.#afterLoad.push(operation)
  }

  /** A marker was written to this partition: the producer's transaction has ended. */
  transactionEnded(producerId: number, committed: boolean): void {
    this.runLater((state, turn) => {
      for (const groupId of replayMarker(state.durable, producerId, committed)) followGroup(state, turn, groupId)
    })
  }

  /** The broker stops: what waits for other members would hold it up. */
  refuseParked(): void {
    refuseParked(this.#state.groups)
  }

  close(): void {
    if (this.#status === 'closed') return
    this.#status = 'closed'
    this.#stopLoad()
    this.#dependencies.timers.cancel(this.#timerName('reload'))
    this.#drop(ErrorCode.NOT_COORDINATOR)
  }

  #turn(): Turn {
    const { clock, config, random, log, consumers } = this.#dependencies
    return new Turn({
      ...consumers,
      nowMs: clock.now(),
      monotonicMs: clock.monotonic(),
      config,
      random,
      batchBytesMax: log.batchBytesMax(this.partition),
      isScheduled: (name) => this.#timers.has(this.#timerName(name)),
    })
  }

  /** False if the operation failed by a mistake of ours. Its waiters are refused then, and the state is dropped. */
  #run(operation: Operation, options: OperationOptions): boolean {
    const turn = this.#turn()
    try {
      operation(this.#state, turn)
    } catch (error) {
      this.#dependencies.logger.error('group operation failed, reloading its partition', {
        partition: this.partition,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      })
      this.#fail(ErrorCode.UNKNOWN_SERVER_ERROR)
      for (const answer of turn.answers) answer.refuse(ErrorCode.UNKNOWN_SERVER_ERROR)
      return false
    }
    if (turn.records.length === 0) {
      this.#setTimers(turn.timers)
      this.#answers.hold(...turn.answers)
      return true
    }
    const refused = this.#append(turn, options)
    if (refused !== ErrorCode.NONE) {
      const refusal = batchRefusalOf(refused)
      this.#dependencies.logger.warn('group records refused by the log', {
        partition: this.partition,
        error: errorName(refused),
      })
      // Sessions that the operation extended stay extended.
      if (options.recordsOnly === true) this.#setTimers(turn.timers)
      else this.#fail(refusal)
      for (const answer of turn.answers) answer.refuse(refusal)
    }
    return true
  }

  #append(turn: Turn, options: OperationOptions): ErrorCode {
    const batches = options.splittable === true ? this.#split(turn) : [turn.records]
    for (const records of batches) {
      const append = new PendingAppend()
      const done = (errorCode: ErrorCode) => this.#settled(append, errorCode)
      const errorCode = this.#dependencies.log.append(this.partition, records.map(encodeRecord), {
        nowMs: turn.nowMs,
        done,
        ...(options.producer === undefined ? {} : { producer: options.producer }),
      })
      if (errorCode !== ErrorCode.NONE) return errorCode
      this.#answers.appended(append)
      for (const record of records) {
        if (options.producer === undefined) replay(this.#state.durable, record)
        else replayPending(this.#state.durable, options.producer.producerId, record)
      }
      for (const groupId of new Set(records.map(({ group }) => group))) followGroup(this.#state, turn, groupId)
    }
    this.#answers.hold(...turn.answers)
    this.#setTimers(turn.timers)
    return ErrorCode.NONE
  }

  /** Batches below the log's limit. */
  #split(turn: Turn): GroupRecord[][] {
    const bytesMax = turn.batchBytesMax - BATCH_HEADER_ALLOWANCE_BYTES
    const batches: GroupRecord[][] = []
    let batch: GroupRecord[] = []
    let bytes = 0
    for (const record of turn.records) {
      const size = recordBytes(encodeRecord(record))
      if (bytes + size > bytesMax && batch.length > 0) {
        batches.push(batch)
        batch = []
        bytes = 0
      }
      batch.push(record)
      bytes += size
    }
    batches.push(batch)
    return batches
  }

  #settled(append: PendingAppend, errorCode: ErrorCode): void {
    const waiting = this.#answers.settled(append)
    if (waiting !== null) {
      if (errorCode === ErrorCode.NONE) {
        for (const answer of waiting) answer.deliver()
      } else {
        this.#dependencies.logger.error('group records were not written, reloading their partition', {
          partition: this.partition,
          error: errorName(errorCode),
        })
        const refusal = batchRefusalOf(errorCode)
        this.#fail(refusal)
        for (const answer of waiting) answer.refuse(refusal)
      }
    }
    if (this.#status === 'draining' && this.#answers.isSettled) this.#load()
  }

  #fail(refusal: ErrorCode): void {
    this.#status = 'draining'
    this.#drop(refusal)
    if (this.#answers.isSettled) this.#load()
  }

  /** Forgets the state. Held answers get `refusal`, parked calls are sent to look for their coordinator again. */
  #drop(refusal: ErrorCode): void {
    const { groups } = this.#state
    const held = this.#answers.drop()
    this.#cancelTimers()
    this.#state = { durable: emptyDurableState(), groups: new Map() }
    for (const answer of held) answer.refuse(refusal)
    refuseParked(groups)
  }

  #load(): void {
    this.#status = 'loading'
    const { log, clock } = this.#dependencies
    const durable = emptyDurableState()
    const startedMs = clock.monotonic()
    let live = true
    let skipped = 0
    const stop = log.load(this.partition, {
      records: (batch, producerId) => {
        if (live) skipped += this.#replayLoaded(durable, batch, producerId)
      },
      marker: (producerId, committed) => {
        if (live) replayMarker(durable, producerId, committed)
      },
      ended: (failure) => {
        if (!live) return
        live = false
        if (failure === null) this.#loaded(durable, { startedMs, skipped })
        else this.#loadFailed(failure)
      },
    })
    this.#stopLoad = () => {
      if (live) stop()
      live = false
    }
  }

  /** How many records were passed over. */
  #replayLoaded(
    durable: DurableState,
    batch: readonly { readonly key: Buffer | null; readonly value: Buffer | null }[],
    producerId: number | null,
  ): number {
    let skipped = 0
    for (const { key, value } of batch) {
      const record = decodeRecord(key, value)
      if (record.type === 'skipped') {
        skipped++
        this.#dependencies.logger.debug('group record skipped', { partition: this.partition, reason: record.reason })
      } else if (producerId === null) replay(durable, record)
      else replayPending(durable, producerId, record)
    }
    return skipped
  }

  #loaded(durable: DurableState, load: { readonly startedMs: number; readonly skipped: number }): void {
    const { logger, clock, afterLoad } = this.#dependencies
    const turn = this.#turn()
    this.#state = restoreGroups(durable, turn)
    this.#status = 'active'
    this.#setTimers(turn.timers)
    this.#scheduleExpiry()
    logger.debug('groups loaded', {
      partition: this.partition,
      groups: this.#state.groups.size,
      skippedRecords: load.skipped,
      elapsedMs: elapsedMs(load.startedMs, clock.monotonic()),
    })
    this.runLater(afterLoad)
    for (const operation of this.#afterLoad.splice(0)) this.runLater(operation)
  }

  #loadFailed(failure: Error): void {
    const { logger, timers, clock } = this.#dependencies
    this.#status = 'failed'
    logger.error('groups could not be loaded, trying again', {
      partition: this.partition,
      error: failure.message,
      retryInMs: RELOAD_DELAY_MS,
    })
    timers.schedule(this.#timerName('reload'), clock.now() + RELOAD_DELAY_MS, () => this.#load())
  }

  #scheduleExpiry(): void {
    const { timers, clock, config } = this.#dependencies
    timers.schedule(this.#timerName('expiry'), clock.now() + config.offsetsRetentionCheckIntervalMs, () => {
      if (this.#status !== 'active') return
      this.#run(expireOffsets, { recordsOnly: true, splittable: true })
      if (this.#status === 'active') this.#scheduleExpiry()
    })
  }

  #timerName(name: string): string {
    return `groups/${this.partition}/${name}`
  }

  #setTimers(changes: readonly TimerChange[]): void {
    const { timers, clock } = this.#dependencies
    for (const change of changes) {
      const name = this.#timerName(change.name)
      if (change.event === null) {
        timers.cancel(name)
        this.#timers.delete(name)
      } else if (!change.ifAbsent || !this.#timers.has(name)) {
        const { event } = change
        timers.schedule(name, clock.now() + change.delayMs, () => this.#fired(event))
        this.#timers.add(name)
      }
    }
  }

  #fired(event: TimerEvent): void {
    this.#timers.delete(this.#timerName(timerName(event)))
    if (this.#status === 'active') this.#run((state, turn) => timerFired(state, turn, event), {})
  }

  #cancelTimers(): void {
    const { timers } = this.#dependencies
    timers.cancel(this.#timerName('expiry'))
    for (const name of this.#timers) timers.cancel(name)
    this.#timers.clear()
  }
}

/** Whoever waits for other members is sent to look for the coordinator again. */
function refuseParked(groups: GroupState['groups']): void {
  for (const group of groups.values()) {
    // In groups of the newer protocols nobody waits.
    if (group.type !== 'classic') continue
    for (const member of group.members) {
      group.takeJoin(member)?.refuse(ErrorCode.NOT_COORDINATOR)
      group.takeSync(member)?.refuse(ErrorCode.NOT_COORDINATOR)
    }
  }
}

/** An upper bound of what the record takes in a batch. */
function recordBytes({ key, value }: KeyValue): number {
  return key.length + (value?.length ?? 0) + 24
}
