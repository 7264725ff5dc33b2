/**
 * How others use the states of share partitions: groups begin and delete them, deliveries read and write them. The broker implements it over
 * the share coordinator (`coordinator.ts`), which may be loading, or whose topic may not exist yet: an implementation tries again for a while
 * before it reports an error.
 */
import type { ErrorCode } from '../../protocol/errors.ts'

/** Names a share partition. */
export interface SharePartitionKey {
  readonly groupId: string
  readonly topicId: string
  readonly partition: number
}

/** What is kept of a range of records that is neither wholly before nor wholly after the start offset. */
export interface StateBatch {
  readonly firstOffset: number
  readonly lastOffset: number
  readonly deliveryState: number
  readonly deliveryCount: number
}

/** As the records and the requests have them. */
export const DeliveryState = { AVAILABLE: 0, ACQUIRED: 1, ACKNOWLEDGED: 2, ARCHIVING: 3, ARCHIVED: 4 } as const

/** Nobody has read the partition yet: where it begins is decided by whoever reads first. */
export const NO_START_OFFSET = -1

/** The writer did not count. */
export const NO_DELIVERY_COUNT = -1

export interface StateWrite {
  readonly stateEpoch: number
  readonly leaderEpoch: number
  /** NO_START_OFFSET: as it is. */
  readonly startOffset: number
  /** Records from the start offset on that need no delivery any more. */
  readonly deliveryCompleteCount: number
  readonly batches: readonly StateBatch[]
}

export interface StateFailure {
  readonly errorCode: ErrorCode
  readonly errorMessage: string | null
}

export interface ReadState extends StateFailure {
  readonly stateEpoch: number
  readonly startOffset: number
  readonly batches: readonly StateBatch[]
}

export interface StateSummary extends StateFailure {
  readonly stateEpoch: number
  readonly leaderEpoch: number
  readonly startOffset: number
  readonly deliveryCompleteCount: number
}

/** Every callback is called exactly once, from within the call or later. */
export interface SharePersister {
  initialize(
    key: SharePartitionKey,
    state: { readonly stateEpoch: number; readonly startOffset: number },
    done: (result: StateFailure) => void,
  ): void
  delete(key: SharePartitionKey, done: (result: StateFailure) => void): void
  summarize(key: SharePartitionKey, done: (result: StateSummary) => void): void
  read(key: SharePartitionKey, leaderEpoch: number, done: (result: ReadState) => void): void
  write(key: SharePartitionKey, state: StateWrite, done: (result: StateFailure) => void): void
}
