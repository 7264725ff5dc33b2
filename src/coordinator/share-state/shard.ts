/**
 * One partition of `__share_group_state` and the share partitions whose states live in it. Runs decisions one at a time: a decision is a
 * pure function of a state (`state.ts`); the record it writes is appended, replayed into memory at once, and its answer is held until the
 * append is durable, as are the answers after it, so that nobody is told of what a failed write takes back.
 *
 * The topic is not compacted: what lies before the oldest of the newest snapshots says nothing any more and is cut off from time to
 * time. A state that nobody writes to gets a new snapshot then and when, so that it does not hold the cut up.
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
import type { ShareCoordinatorConfig } from './config.ts'
import type { SharePartitionKey } from './persister.ts'
import { decodeShareState, encodeShareState, type ShareStateRecord } from './records.ts'
import {
  coldSnapshot,
  replayShareState,
  type ShareState,
  type StateDecision,
  type StateDecisionContext,
} from './state.ts'

/** The log of the states, which is cut off at its beginning. */
export interface ShareStateLog extends CoordinatorLog {
  /** Nothing before the offset is needed any more. */
  trim(partition: number, offset: number): void
}

export interface ShareShardDependencies {
  readonly config: ShareCoordinatorConfig
  readonly log: ShareStateLog
  readonly timers: Timers
  readonly clock: Clock
  readonly logger: Logger
  hasPartition(key: SharePartitionKey): boolean
  hasTopic(topicId: string): boolean
}

interface Entry {
  readonly key: SharePartitionKey
  readonly state: ShareState
  /** Of its newest snapshot. */
  readonly snapshotOffset: number
}

export function shareKeyName({ groupId, topicId, partition }: SharePartitionKey): string {
  return `${groupId}:${topicId}:${partition}`
}

export class ShareStateShard {
  readonly partition: number
  readonly #dependencies: ShareShardDependencies
  #status: ShardStatus = 'loading'
  #entries = new Map<string, Entry>()
  readonly #answers = new HeldAnswers()
  /** Behind the last record that is known. */
  #endOffset = 0
  #trimmedTo = 0
  #stopLoad: () => void = () => {}

  constructor(partition: number, dependencies: ShareShardDependencies) {
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

  /** For looking at; changes go through `run`. */
  state(key: SharePartitionKey): ShareState | undefined {
    return this.#entries.get(shareKeyName(key))?.state
  }

  get size(): number {
    return this.#entries.size
  }

  run<Answer>(
    key: SharePartitionKey,
    decide: (known: ShareState | undefined, context: StateDecisionContext) => StateDecision<Answer>,
    waiter: Waiter<Answer>,
  ): void {
    if (this.unavailable !== ErrorCode.NONE) {
      waiter.refuse(this.unavailable)
      return
    }
    const { clock, config, hasPartition } = this.#dependencies
    const context = { nowMs: clock.now(), updatesPerSnapshot: config.updatesPerSnapshot, hasPartition }
    const { answer, record } = decide(this.state(key), context)
    const held = { deliver: () => waiter.answer(answer), refuse: (code: ErrorCode) => waiter.refuse(code) }
    if (record !== null) this.#write([record], held)
    else this.#answers.hold(held)
  }

  /** The topics are gone, and with them the states of their partitions. */
  forgetTopics(isGone: (topicId: string) => boolean): void {
    if (this.#status !== 'active') return
    const records: ShareStateRecord[] = []
    for (const { key } of this.#entries.values()) {
      if (isGone(key.topicId)) records.push({ type: 'snapshot', key, value: null })
    }
    for (const record of records) this.#write([record], NOBODY)
  }

  close(): void {
    if (this.#status === 'closed') return
    this.#status = 'closed'
    this.#stopLoad()
    const { timers } = this.#dependencies
    for (const name of ['reload', 'prune', 'cold']) timers.cancel(this.#timerName(name))
    this.#drop(ErrorCode.NOT_COORDINATOR)
  }

  // Writing

  #write(records: readonly ShareStateRecord[], held: HeldAnswer): void {
    const append = new PendingAppend()
    const { log, clock, logger } = this.#dependencies
    let baseOffset = 0
    const errorCode = log.append(this.partition, records.map(encodeShareState), {
      nowMs: clock.now(),
      done: (failure) => this.#settled(append, failure),
      queued: (offset) => {
        baseOffset = offset
      },
    })
    if (errorCode !== ErrorCode.NONE) {
      logger.warn('share state refused by the log', { partition: this.partition, error: errorName(errorCode) })
      held.refuse(refusalOf(errorCode))
      return
    }
    this.#answers.appended(append)
    this.#answers.hold(held)
    for (const [index, record] of records.entries()) this.#replay(record, baseOffset + index)
  }

  /** The only place where a state changes; a load is nothing but this over the whole log. */
  #replay(record: ShareStateRecord, offset: number): void {
    this.#endOffset = offset + 1
    const name = shareKeyName(record.key)
    const known = this.#entries.get(name)
    const state = replayShareState(known?.state, record)
    if (state === undefined) {
      this.#entries.delete(name)
      return
    }
    const snapshotOffset = record.type === 'snapshot' || known === undefined ? offset : known.snapshotOffset
    this.#entries.set(name, { key: record.key, state, snapshotOffset })
  }

  #settled(append: PendingAppend, errorCode: ErrorCode): void {
    const waiting = this.#answers.settled(append)
    if (waiting !== null) {
      if (errorCode === ErrorCode.NONE) for (const held of waiting) held.deliver()
      else {
        this.#dependencies.logger.error('share state was not written, reloading its partition', {
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

  #fail(refusal: ErrorCode): void {
    this.#status = 'draining'
    this.#drop(refusal)
    if (this.#answers.isSettled) this.#load()
  }

  /** Forgets the states. Held answers get `refusal`. */
  #drop(refusal: ErrorCode): void {
    const held = this.#answers.drop()
    this.#entries = new Map()
    for (const one of held) one.refuse(refusal)
  }

  // Loading

  #load(): void {
    this.#status = 'loading'
    this.#entries = new Map()
    this.#trimmedTo = 0
    const { log, logger } = this.#dependencies
    let live = true
    const stop = log.load(this.partition, {
      records: (batch, _producerId, baseOffset) => {
        if (!live) return
        for (const [index, { key, value }] of batch.entries()) {
          const record = decodeShareState(key, value)
          if (record.type !== 'skipped') this.#replay(record, baseOffset + index)
          else logger.warn('share state skipped', { partition: this.partition, reason: record.reason })
        }
      },
      // States are never written within a transaction.
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
    this.#status = 'active'
    // Topics may have gone while nobody could write it down.
    const { hasTopic } = this.#dependencies
    this.forgetTopics((topicId) => !hasTopic(topicId))
    this.#schedulePrune()
    this.#scheduleColdSnapshots()
  }

  #loadFailed(failure: Error): void {
    const { logger, timers, clock } = this.#dependencies
    this.#status = 'failed'
    this.#entries = new Map()
    logger.error('share states could not be loaded, trying again', {
      partition: this.partition,
      error: failure.message,
      retryInMs: RELOAD_DELAY_MS,
    })
    timers.schedule(this.#timerName('reload'), clock.now() + RELOAD_DELAY_MS, () => this.#load())
  }

  // Keeping the log short

  #schedulePrune(): void {
    this.#every('prune', this.#dependencies.config.pruneIntervalMs, () => this.#prune())
  }

  #scheduleColdSnapshots(): void {
    this.#every('cold', this.#dependencies.config.coldSnapshotIntervalMs, () => this.#snapshotColdStates())
  }

  #every(name: string, intervalMs: number, run: () => void): void {
    const { timers, clock } = this.#dependencies
    timers.schedule(this.#timerName(name), clock.now() + intervalMs, () => {
      if (this.#status !== 'active') return
      run()
      if (this.#status === 'active') this.#every(name, intervalMs, run)
    })
  }

  #prune(): void {
    // What is not durable yet could still be lost, and with it the snapshot that makes others superfluous.
    if (!this.#answers.isSettled) return
    let neededFrom = this.#endOffset
    for (const { snapshotOffset } of this.#entries.values()) neededFrom = Math.min(neededFrom, snapshotOffset)
    if (neededFrom <= this.#trimmedTo) return
    this.#trimmedTo = neededFrom
    this.#dependencies.log.trim(this.partition, neededFrom)
  }

  #snapshotColdStates(): void {
    const { clock, config } = this.#dependencies
    const nowMs = clock.now()
    const cold = [...this.#entries.values()].filter(({ state, snapshotOffset }) => {
      // One that is at the end of the log holds nothing up.
      return nowMs - state.writeTimestampMs >= config.coldSnapshotIntervalMs && snapshotOffset + 1 < this.#endOffset
    })
    for (const { key, state } of cold) this.#write([coldSnapshot(state, key, nowMs)], NOBODY)
  }

  #timerName(name: string): string {
    return `share-states/${this.partition}/${name}`
  }
}

const NOBODY: HeldAnswer = { deliver: () => {}, refuse: () => {} }
