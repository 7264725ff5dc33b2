/**
 * The share coordinator of one broker: a shard per partition of `__share_group_state` that this broker leads, and one method per
 * question. A method finds the shard and hands a decision to it; the reply comes when the decision is durable, from within the call or
 * later, exactly once.
 *
 * Called by the broker's persister, by the handlers of the requests in which brokers ask each other, and by the share service when partitions
 * come and go.
 */
import { ErrorCode } from '../../protocol/errors.ts'
import { partitionOf } from '../replies.ts'
import { SHARE_STATE_TOPIC } from './config.ts'
import type { ReadState, SharePartitionKey, StateFailure, StateSummary, StateWrite } from './persister.ts'
import { type ShareShardDependencies, ShareStateShard, shareKeyName } from './shard.ts'
import {
  deleteState,
  initializeState,
  readState,
  type ShareState,
  type StateDecision,
  type StateDecisionContext,
  summarizeState,
  writeState,
} from './state.ts'

export interface ShareCoordinatorDependencies extends ShareShardDependencies {
  /** undefined: there is no such topic. */
  partitionCount(topic: string): number | undefined
}

/** Either what was decided, or why nobody here decides. */
export type StateReply<Answer> = (result: Answer | ErrorCode) => void

export class ShareCoordinator {
  readonly #dependencies: ShareCoordinatorDependencies
  readonly #shards = new Map<number, ShareStateShard>()

  constructor(dependencies: ShareCoordinatorDependencies) {
    this.#dependencies = dependencies
  }

  // Partitions of the topic

  partitionFor(key: SharePartitionKey): number {
    return this.partitionForName(shareKeyName(key))
  }

  /** `name` is that of `shareKeyName`. */
  partitionForName(name: string): number {
    const { partitionCount, config } = this.#dependencies
    return partitionOf(name, partitionCount(SHARE_STATE_TOPIC) ?? config.topicPartitions)
  }

  /** This broker leads the partition now: its states are read from the log. A second call for a newer epoch reads them anew. */
  load(partition: number): void {
    this.unload(partition)
    this.#shards.set(partition, new ShareStateShard(partition, this.#dependencies))
  }

  unload(partition: number): void {
    this.#shards.get(partition)?.close()
    this.#shards.delete(partition)
  }

  shard(partition: number): ShareStateShard | undefined {
    return this.#shards.get(partition)
  }

  topicDeleted(topicId: string): void {
    for (const shard of this.#shards.values()) shard.forgetTopics((other) => other === topicId)
  }

  close(): void {
    for (const partition of [...this.#shards.keys()]) this.unload(partition)
  }

  // States

  initialize(
    key: SharePartitionKey,
    state: { readonly stateEpoch: number; readonly startOffset: number },
    reply: StateReply<StateFailure>,
  ): void {
    this.#run(key, (known, context) => initializeState(known, key, state, context), reply)
  }

  write(key: SharePartitionKey, write: StateWrite, reply: StateReply<StateFailure>): void {
    this.#run(key, (known, context) => writeState(known, key, write, context), reply)
  }

  read(key: SharePartitionKey, leaderEpoch: number, reply: StateReply<ReadState>): void {
    this.#run(key, (known, context) => readState(known, key, leaderEpoch, context), reply)
  }

  summarize(key: SharePartitionKey, reply: StateReply<StateSummary>): void {
    this.#run(key, (known, context) => ({ answer: summarizeState(known, key, context), record: null }), reply)
  }

  delete(key: SharePartitionKey, reply: StateReply<StateFailure>): void {
    this.#run(key, (known, context) => deleteState(known, key, context), reply)
  }

  #run<Answer>(
    key: SharePartitionKey,
    decide: (known: ShareState | undefined, context: StateDecisionContext) => StateDecision<Answer>,
    reply: StateReply<Answer>,
  ): void {
    const shard = this.#shards.get(this.partitionFor(key))
    if (shard === undefined) reply(ErrorCode.NOT_COORDINATOR)
    else shard.run(key, decide, { answer: reply, refuse: reply })
  }
}
