/**
 * The transaction coordinator of one broker: a shard per partition of `__transaction_state` that this broker leads, and one method
 * per question. A method checks what can be checked without the transaction, finds the shard, and hands a decision to it; the
 * reply comes when the decision is durable, from within the call or later, exactly once.
 *
 * Called by the API handlers, by the broker's verification of transactional data, and by its transaction service when partitions
 * come and go.
 */
import { ErrorCode } from '../../protocol/errors.ts'
import { partitionOf } from '../replies.ts'
import { type AddPartitionsInput, addPartitions, type PartitionsInput, verifyPartitions } from './add-partitions.ts'
import { TRANSACTION_TOPIC, TRANSACTIONAL_ID_BYTES_MAX } from './config.ts'
import { type EndTransactionInput, endTransaction } from './end-transaction.ts'
import { type InitProducerIdInput, initProducerId } from './init-producer-id.ts'
import { isListed, type TransactionFilters } from './inspect.ts'
import { TransactionShard, type TransactionShardDependencies } from './shard.ts'
import { type ProducerAnswer, producerFailure, type Transaction } from './state.ts'

export interface TransactionCoordinatorDependencies extends TransactionShardDependencies {
  /** undefined: there is no such topic. */
  readonly partitionCount: (topic: string) => number | undefined
}

export type DescribedTransaction = Transaction | ErrorCode
export type ListedTransactions = readonly Transaction[] | ErrorCode

export class TransactionCoordinator {
  readonly #dependencies: TransactionCoordinatorDependencies
  readonly #shards = new Map<number, TransactionShard>()
  #onSettled: (() => void)[] = []

  constructor(dependencies: TransactionCoordinatorDependencies) {
    this.#dependencies = dependencies
  }

  // Partitions of the topic

  partitionFor(transactionalId: string): number {
    const { partitionCount, config } = this.#dependencies
    return partitionOf(transactionalId, partitionCount(TRANSACTION_TOPIC) ?? config.topicPartitions)
  }

  /** This broker leads the partition now: its transactions are read from the log. A second call for a newer epoch reads them anew. */
  load(partition: number): void {
    this.unload(partition)
    const shard = new TransactionShard(partition, this.#dependencies)
    shard.onSettled = () => this.#tellSettled()
    this.#shards.set(partition, shard)
  }

  unload(partition: number): void {
    const shard = this.#shards.get(partition)
    this.#shards.delete(partition)
    shard?.close()
  }

  shard(partition: number): TransactionShard | undefined {
    return this.#shards.get(partition)
  }

  close(): void {
    for (const partition of [...this.#shards.keys()]) this.unload(partition)
  }

  /** Resolves when everything is loaded and no transaction that has ended waits for its markers. */
  settled(): Promise<void> {
    if (this.#isSettled) return Promise.resolve()
    return new Promise((resolve) => this.#onSettled.push(resolve))
  }

  get #isSettled(): boolean {
    for (const shard of this.#shards.values()) if (!shard.isSettled) return false
    return true
  }

  #tellSettled(): void {
    if (this.#onSettled.length === 0 || !this.#isSettled) return
    const listeners = this.#onSettled
    this.#onSettled = []
    for (const listener of listeners) listener()
  }

  // Producers

  initProducerId(input: InitProducerIdInput, reply: (answer: ProducerAnswer) => void): void {
    const { transactionalId, timeoutMs } = input
    const refuse = (errorCode: ErrorCode) => reply(producerFailure(errorCode))
    if (transactionalId === '' || Buffer.byteLength(transactionalId) > TRANSACTIONAL_ID_BYTES_MAX) {
      refuse(ErrorCode.INVALID_REQUEST)
    } else if (timeoutMs <= 0 || timeoutMs > this.#dependencies.config.timeoutMsMax) {
      refuse(ErrorCode.INVALID_TRANSACTION_TIMEOUT)
    } else {
      const shard = this.#shardOf(transactionalId)
      if (shard === undefined) refuse(ErrorCode.NOT_COORDINATOR)
      else {
        const waiter = { answer: reply, refuse }
        shard.run(transactionalId, (transaction, context) => initProducerId(transaction, input, context), waiter)
      }
    }
  }

  /** Waits a little if the last transaction is still ending. */
  addPartitions(transactionalId: string, input: AddPartitionsInput, reply: (errorCode: ErrorCode) => void): void {
    const shard = this.#shardFor(transactionalId)
    const waiter = { answer: reply, refuse: reply }
    if (typeof shard === 'number') reply(shard)
    else shard.runWhenComplete(transactionalId, (found, context) => addPartitions(found, input, context), waiter)
  }

  /** A code per partition, in the order of the input's topics and indexes; or one for all of them. */
  verifyPartitions(
    transactionalId: string,
    input: PartitionsInput,
    reply: (result: readonly ErrorCode[] | ErrorCode) => void,
  ): void {
    const shard = this.#shardFor(transactionalId)
    const waiter = { answer: reply, refuse: reply }
    if (typeof shard === 'number') reply(shard)
    else shard.run(transactionalId, (transaction) => verifyPartitions(transaction, input), waiter)
  }

  endTransaction(transactionalId: string, input: EndTransactionInput, reply: (answer: ProducerAnswer) => void): void {
    const refuse = (errorCode: ErrorCode) => reply(producerFailure(errorCode))
    const shard = this.#shardFor(transactionalId)
    const waiter = { answer: reply, refuse }
    if (typeof shard === 'number') refuse(shard)
    else shard.run(transactionalId, (transaction, context) => endTransaction(transaction, input, context), waiter)
  }

  // Inspection

  describe(transactionalId: string): DescribedTransaction {
    const shard = this.#shardFor(transactionalId)
    if (typeof shard === 'number') return shard
    if (shard.unavailable !== ErrorCode.NONE) return shard.unavailable
    return shard.transactions.get(transactionalId) ?? ErrorCode.TRANSACTIONAL_ID_NOT_FOUND
  }

  /** A partition that cannot say fails the whole, so that no transaction seems gone. */
  list(filters: TransactionFilters): ListedTransactions {
    const nowMs = this.#dependencies.clock.now()
    const listed: Transaction[] = []
    for (const shard of this.#shards.values()) {
      if (shard.unavailable !== ErrorCode.NONE) return shard.unavailable
      for (const transaction of shard.transactions.values()) {
        if (isListed(transaction, filters, nowMs)) listed.push(transaction)
      }
    }
    return listed
  }

  /** Who answers for the id, or why nobody here does. */
  #shardFor(transactionalId: string): TransactionShard | ErrorCode {
    if (transactionalId === '') return ErrorCode.INVALID_REQUEST
    return this.#shardOf(transactionalId) ?? ErrorCode.NOT_COORDINATOR
  }

  #shardOf(transactionalId: string): TransactionShard | undefined {
    return this.#shards.get(this.partitionFor(transactionalId))
  }
}
