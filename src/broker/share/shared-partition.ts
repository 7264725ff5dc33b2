/**
 * One partition as one share group reads it on this broker: the records in flight (`coordinator/share-delivery`), with the log under them,
 * the states that are written down, and the locks that run out. Loaded when the group first fetches from it; forgotten when the group has
 * no session left here, when the partition is no longer what it was, or when somebody else has taken its state over.
 *
 * What must hold: what members are told of an acknowledgement is written down; writes of a partition follow one another, never
 * overtake, and those that come meanwhile go together; whoever waits for records is woken when some become free.
 */
import { SharePartition, type StateChange } from '../../coordinator/share-delivery/share-partition.ts'
import { combineBatches } from '../../coordinator/share-state/batches.ts'
import {
  DeliveryState,
  NO_START_OFFSET,
  type ReadState,
  type SharePartitionKey,
  type SharePersister,
  type StateFailure,
} from '../../coordinator/share-state/persister.ts'
import { ErrorCode, errorName } from '../../protocol/errors.ts'
import type { Clock } from '../../storage/clock.ts'
import type { Logger } from '../../storage/logger.ts'
import type { Timers } from '../../storage/timers.ts'
import type { Partition } from '../partition.ts'
import type { DeliverySettings, ShareSettings } from './settings.ts'

export interface SharedPartitionDependencies {
  readonly persister: SharePersister
  readonly settings: ShareSettings
  readonly clock: Clock
  readonly timers: Timers
  readonly logger: Logger
}

/** Somebody who waits for records. */
export interface ShareWait {
  recordsFree(): void
}

interface PendingWrite {
  readonly change: StateChange
  readonly done: (failure: StateFailure) => void
}

const WRITTEN: StateFailure = { errorCode: ErrorCode.NONE, errorMessage: null }

export class SharedPartition {
  readonly key: SharePartitionKey
  readonly partition: Partition
  readonly leaderEpoch: number
  readonly #dependencies: SharedPartitionDependencies
  readonly #forget: (shared: SharedPartition) => void
  #records: SharePartition | null = null
  #stateEpoch = 0
  #status: 'loading' | 'active' | 'closed' = 'loading'
  /** Why it could not be loaded. */
  #failure: StateFailure = WRITTEN
  #onLoaded: (() => void)[] = []
  readonly #waits = new Set<ShareWait>()
  /** One reader at a time: two would be given the same records to choose from. */
  #isReading = false
  /** Somebody found it being read. */
  #isContended = false
  #queued: PendingWrite[] = []
  #isWriting = false
  /** Nobody of the group is here any more. */
  #isRetired = false

  constructor(
    key: SharePartitionKey,
    partition: Partition,
    dependencies: SharedPartitionDependencies,
    forget: (shared: SharedPartition) => void,
  ) {
    this.key = key
    this.partition = partition
    this.leaderEpoch = partition.leaderEpoch
    this.#dependencies = dependencies
    this.#forget = forget
    dependencies.persister.read(key, partition.leaderEpoch, (state) => this.#read(state))
  }

  /** null: not loaded, or no longer served. */
  get records(): SharePartition | null {
    return this.#status === 'active' ? this.#records : null
  }

  get isLoading(): boolean {
    return this.#status === 'loading'
  }

  get failure(): StateFailure {
    return this.#failure
  }

  /** Whether it is still the partition that it was loaded for. */
  get isCurrent(): boolean {
    return this.#status !== 'closed' && !this.partition.isDeleted && this.partition.leaderEpoch === this.leaderEpoch
  }

  get settings(): DeliverySettings {
    return this.#dependencies.settings.of(this.key.groupId)
  }

  /** Called when it is loaded, or cannot be. */
  whenLoaded(loaded: () => void): void {
    if (this.#status === 'loading') this.#onLoaded.push(loaded)
    else loaded()
  }

  // Loading

  #read(state: ReadState): void {
    if (this.#status !== 'loading') return
    if (state.errorCode !== ErrorCode.NONE) {
      this.#fail(refusalOf(state))
      return
    }
    if (state.startOffset !== NO_START_OFFSET) {
      this.#begin(state, state.startOffset)
      return
    }
    this.#resetOffset().then(
      (startOffset) => this.#begin(state, startOffset),
      (error: unknown) => {
        this.#dependencies.logger.error('a share group cannot find where to begin', { ...this.key, error })
        this.#fail({ errorCode: ErrorCode.KAFKA_STORAGE_ERROR, errorMessage: null })
      },
    )
  }

  /** The group reads the partition for the first time. */
  async #resetOffset(): Promise<number> {
    const { log } = this.partition
    if (log === null) throw new Error('the log cannot be read')
    const reset = this.#dependencies.settings.offsetReset(this.key.groupId)
    if (reset === 'earliest') return log.logStartOffset
    if (reset === 'latest') return log.highWatermark
    const since = this.#dependencies.clock.now() - reset.durationMs
    const found = await log.offsetForTimestamp(since, log.highWatermark)
    // Nothing is as young as that: the group begins with what comes.
    return found?.offset ?? log.highWatermark
  }

  #begin(state: ReadState, startOffset: number): void {
    if (this.#status !== 'loading') return
    this.#stateEpoch = state.stateEpoch
    this.#records = new SharePartition({ startOffset, batches: state.batches })
    const { log } = this.partition
    if (log !== null) this.#records.logStartMoved(log.logStartOffset)
    this.#status = 'active'
    this.#tellLoaded()
  }

  #fail(failure: StateFailure): void {
    this.#failure = failure
    this.close()
  }

  #tellLoaded(): void {
    const listeners = this.#onLoaded
    this.#onLoaded = []
    for (const loaded of listeners) loaded()
  }

  // Members

  addWait(wait: ShareWait): void {
    this.#waits.add(wait)
  }

  removeWait(wait: ShareWait): void {
    this.#waits.delete(wait)
  }

  wake(): void {
    for (const wait of [...this.#waits]) wait.recordsFree()
  }

  /** False: somebody else reads, and whoever waits will be woken. */
  beginReading(): boolean {
    if (this.#isReading) {
      this.#isContended = true
      return false
    }
    this.#isReading = true
    return true
  }

  endReading(): void {
    this.#isReading = false
    this.#watchLocks()
    if (!this.#isContended) return
    this.#isContended = false
    this.wake()
  }

  /** Writes a change down and settles it. */
  write(change: StateChange, done: (failure: StateFailure) => void): void {
    if (change.batches.length === 0) {
      this.#settle(change, WRITTEN)
      done(WRITTEN)
      return
    }
    this.#queued.push({ change, done })
    this.#writeQueued()
  }

  #writeQueued(): void {
    const records = this.#records
    if (this.#isWriting || this.#queued.length === 0 || records === null) return
    const pending = this.#queued
    this.#queued = []
    this.#isWriting = true
    const { startOffset, deliveryCompleteCount } = records
    const batches = combineBatches(
      [],
      pending.flatMap(({ change }) => change.batches),
      startOffset,
    )
    const write = { stateEpoch: this.#stateEpoch, leaderEpoch: this.leaderEpoch, startOffset, deliveryCompleteCount }
    this.#dependencies.persister.write(this.key, { ...write, batches }, (result) => {
      this.#isWriting = false
      const failure = result.errorCode === ErrorCode.NONE ? WRITTEN : refusalOf(result)
      let isFreed =
        failure !== WRITTEN || batches.some(({ deliveryState }) => deliveryState === DeliveryState.AVAILABLE)
      for (const { change } of pending) if (this.#settle(change, failure)) isFreed = true
      for (const { done } of pending) done(failure)
      if (isFencing(failure.errorCode)) this.close()
      this.#watchLocks()
      if (isFreed) this.wake()
      this.#writeQueued()
      if (this.#isRetired && !this.#isWriting) this.close()
    })
  }

  /** Whether the start offset has moved, which makes room. */
  #settle(change: StateChange, { errorCode }: StateFailure): boolean {
    const { clock } = this.#dependencies
    const now = { nowMs: clock.monotonic(), deliveryLimit: this.settings.deliveryLimit }
    return this.#records?.settle(change, errorCode === ErrorCode.NONE, now) ?? false
  }

  /** What the member has acquired is free again. */
  release(memberId: string): void {
    const { records } = this
    if (records === null) return
    this.write(records.release(memberId, this.settings.deliveryLimit), (failure) => this.#logFailure(failure))
  }

  // Locks

  #watchLocks(): void {
    const { timers, clock } = this.#dependencies
    const dueMs = this.records?.nextLockDueMs ?? Number.POSITIVE_INFINITY
    const timer = this.#lockTimer
    if (dueMs === Number.POSITIVE_INFINITY) timers.cancel(timer)
    else timers.schedule(timer, clock.now() + Math.max(0, dueMs - clock.monotonic()), () => this.#expireLocks())
  }

  get #lockTimer(): string {
    const { groupId, topicId, partition } = this.key
    return `share-locks/${partition}/${topicId}/${groupId}`
  }

  #expireLocks(): void {
    const { records } = this
    if (records === null) return
    const expired = records.expireLocks(this.#dependencies.clock.monotonic(), this.settings.deliveryLimit)
    if (expired.batches.length > 0) {
      this.write(expired, (failure) => this.#logFailure(failure))
      this.wake()
    }
    this.#watchLocks()
  }

  #logFailure({ errorCode }: StateFailure): void {
    if (errorCode === ErrorCode.NONE) return
    this.#dependencies.logger.warn('what became of shared records was not written down; they may come again', {
      ...this.key,
      error: errorName(errorCode),
    })
  }

  /** To be closed as soon as everything is written down, unless somebody comes before. */
  retire(): void {
    if (this.#isWriting || this.#queued.length > 0) this.#isRetired = true
    else this.close()
  }

  reuse(): void {
    this.#isRetired = false
  }

  /** Not served any more. Whoever comes next loads it anew. */
  close(): void {
    if (this.#status === 'closed') return
    this.#status = 'closed'
    this.#dependencies.timers.cancel(this.#lockTimer)
    this.#forget(this)
    this.#tellLoaded()
    this.wake()
  }
}

/** What members are told when the share coordinator refuses. */
function refusalOf({ errorCode, errorMessage }: StateFailure): StateFailure {
  switch (errorCode) {
    case ErrorCode.NOT_COORDINATOR:
    case ErrorCode.COORDINATOR_NOT_AVAILABLE:
    case ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
      return { errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE, errorMessage }
    case ErrorCode.GROUP_ID_NOT_FOUND:
    case ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
      return { errorCode, errorMessage }
    case ErrorCode.FENCED_LEADER_EPOCH:
    case ErrorCode.FENCED_STATE_EPOCH:
      return { errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER, errorMessage }
    default:
      return { errorCode: ErrorCode.UNKNOWN_SERVER_ERROR, errorMessage }
  }
}

/** The state belongs to somebody else now, or to nobody. */
function isFencing(errorCode: ErrorCode): boolean {
  switch (errorCode) {
    case ErrorCode.NOT_LEADER_OR_FOLLOWER:
    case ErrorCode.GROUP_ID_NOT_FOUND:
    case ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
    // The state was deleted: nobody has begun it anew.
    case ErrorCode.UNKNOWN_SERVER_ERROR:
      return true
    default:
      return false
  }
}
