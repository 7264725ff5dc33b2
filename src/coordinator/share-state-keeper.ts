/**
 * What share groups ask of the share coordinator: to begin states, or to take them away; and the group is told what came of it. A part of
 * `GroupCoordinator`, used by the requests about share groups.
 */
import { ErrorCode } from '../protocol/errors.ts'
import { type PartitionSet, setOfList } from './group/consumer/assignment.ts'
import { statesInitialized, statesNotInitialized } from './group/share/offsets.ts'
import type { Waiter } from './group/turn.ts'
import { Gather } from './replies.ts'
import type { RunInGroup } from './run-in-group.ts'
import type { SharePartitionKey, SharePersister, StateFailure } from './share-state/persister.ts'

/** What share groups need of the rest of the broker. */
export interface ShareServices {
  readonly persister: SharePersister
  /** Where the next record of a partition will be; null: it cannot be said here. */
  latestOffset(topic: string, partition: number): number | null
  /** The state of the share partition is another one from now on. */
  forgetDeliveries(key: SharePartitionKey): void
}

/** Topic id -> partition -> start offset. */
export type StartOffsets = ReadonlyMap<string, ReadonlyMap<number, number>>

/** By `partition/topicId`. */
export type StateResults = ReadonlyMap<string, StateFailure>

/** For operations that nobody waits for. */
export const NOBODY: Waiter<void> = { answer: () => {}, refuse: () => {} }

const SUCCESS: StateFailure = { errorCode: ErrorCode.NONE, errorMessage: null }

export function firstFailure(results: Iterable<StateFailure>): StateFailure {
  for (const result of results) if (result.errorCode !== ErrorCode.NONE) return result
  return SUCCESS
}

export class ShareStateKeeper {
  readonly #services: ShareServices
  readonly #run: RunInGroup

  constructor(services: ShareServices, run: RunInGroup) {
    this.#services = services
    this.#run = run
  }

  initialize(groupId: string, stateEpoch: number, offsets: StartOffsets, done: (results: StateResults) => void): void {
    const keys = keysOf(groupId, partitionsOf(offsets))
    const gather = new Gather<StateFailure>(keys.length, (results) => {
      const outcome = firstFailure(results).errorCode === ErrorCode.NONE ? statesInitialized : statesNotInitialized
      const partitions = partitionsOf(offsets)
      this.#forgetDeliveries(keys)
      this.#run(groupId, NOBODY, (state, turn) => outcome(state, turn, groupId, partitions), { recordsOnly: true })
      done(byPartition(keys, results))
    })
    for (const [index, key] of keys.entries()) {
      const startOffset = offsets.get(key.topicId)!.get(key.partition)!
      this.#services.persister.initialize(key, { stateEpoch, startOffset }, (result) => gather.put(index, result))
    }
  }

  delete(groupId: string, states: PartitionSet, done: (results: StateResults) => void): void {
    const keys = keysOf(groupId, states)
    const gather = new Gather<StateFailure>(keys.length, (results) => {
      this.#forgetDeliveries(keys)
      done(byPartition(keys, results))
    })
    for (const [index, key] of keys.entries())
      this.#services.persister.delete(key, (result) => gather.put(index, result))
  }

  /** Of these partitions only: what members have acquired of others stays theirs. */
  #forgetDeliveries(keys: readonly SharePartitionKey[]): void {
    for (const key of keys) this.#services.forgetDeliveries(key)
  }
}

function partitionsOf(offsets: StartOffsets): PartitionSet {
  return setOfList(Array.from(offsets, ([topicId, byIndex]) => ({ topicId, partitions: [...byIndex.keys()] })))
}

function keysOf(groupId: string, states: PartitionSet) {
  return [...states].flatMap(([topicId, partitions]) => {
    return Array.from(partitions, (partition) => ({ groupId, topicId, partition }))
  })
}

function byPartition(
  keys: readonly { readonly topicId: string; readonly partition: number }[],
  results: readonly StateFailure[],
): StateResults {
  return new Map(keys.map(({ topicId, partition }, index) => [`${partition}/${topicId}`, results[index]!]))
}
