/**
 * The producer: takes records, gathers them into batches, and answers each with the place it got.
 *
 *     const producer = new Producer({ bootstrap: '127.0.0.1:9092' })
 *     const { partition, offset } = await producer.send({ topic: 'orders', key: 'k1', value: 'tea' })
 *     await producer.close()
 *
 * What must hold: records of one partition are stored in the order of their `send` calls. With idempotence, the default,
 * a record that was acknowledged is stored once, whatever happens to brokers and connections on the way. Memory is
 * bounded: above `bufferBytes` a `send` waits, and `trySend` refuses.
 */

import { BATCH_HEADER_BYTES } from '../../records/batch.ts'
import { type CallOptions, calling, unlessAborted } from '../call.ts'
import { Cluster } from '../cluster.ts'
import { abortedError, asKafkaError, KafkaError } from '../errors.ts'
import { Observer, requestObserver } from '../observe/hooks.ts'
import { clientMetrics } from '../observe/metrics.ts'
import { backoffMs, sleep, TIMER_MS_MAX } from '../retry.ts'
import type { Bytes, SerdeContext, Serializer } from '../serdes/serde.ts'
import { AdmissionQueue, WaitingBudget, type WaitingRecord } from './admission.ts'
import { Batch, type EncodedHeaders, encodeHeaders, type KeyBytes, recordBytesBound } from './batch.ts'
import { type Delivery, ManyDeliveries, ObservedDelivery, SingleDelivery } from './deliveries.ts'
import { Dispatcher, type IdentitySource } from './dispatcher.ts'
import { IdempotentIdentity } from './identity.ts'
import { KeyScratch } from './key-bytes.ts'
import type { Lane } from './lane.ts'
import { ProducerMemory } from './memory.ts'
import {
  clusterOptionsOf,
  type ProducerOptions,
  type ResolvedOptions,
  resolveOptions,
  serializersOf,
} from './options.ts'
import {
  copyOf,
  type EncodedRecord,
  type HeadersInput,
  type HeaderValue,
  isHeaderList,
  ownHeaders,
  type ProducerRecord,
  RECORD_OVERHEAD_BYTES,
  type RecordMetadata,
  sizeOfRecord,
} from './record.ts'
import { TopicLanes } from './topic-lanes.ts'
import { type GroupMetadata, type TransactionOffset, Transactions } from './transactions.ts'

/** How long a `send` waits. */
export interface SendOptions {
  /** Stops waiting; a record that is in a batch already may be stored all the same. */
  readonly signal?: AbortSignal
}

/** What a transaction's function may do. */
export interface Transaction<V, K> {
  /** As the producer's own `send`. */
  send: Producer<V, K>['send']
  /** The offsets become the group's when, and only when, the transaction commits. */
  sendOffsets(group: GroupMetadata | string, offsets: readonly TransactionOffset[]): Promise<void>
}

/** A batch header and more; what a record may take of the largest request. */
const REQUEST_OVERHEAD_BYTES = 1024
/** A busy cluster may take its time to create a topic. */
const CREATION_WAIT_MS = 20_000

/** Sends records. Connects at the first one; is closed by `close` or `await using`. Safe to be used by many callers at once. */
export class Producer<V = Bytes, K = Bytes> {
  private readonly cluster: Cluster
  private readonly ownsCluster: boolean
  private readonly options: ResolvedOptions
  private readonly serializers: { readonly value: Serializer<V>; readonly key: Serializer<K> }
  private readonly memory: ProducerMemory
  private readonly waitingBudget: WaitingBudget
  private readonly observer: Observer
  private readonly dispatcher: Dispatcher
  private readonly transactions: Transactions | null
  private readonly topics = new Map<string, TopicLanes>()
  /** Records that wait for memory. */
  private readonly full: AdmissionQueue
  /** Serializers that answer later are waited for one after the other, so that the order of calls is kept. */
  private serializing: Promise<unknown> | null = null
  /** What serializers that answer later made of a record lately, bytes: so much is set aside until the next one is done. */
  private serializedBytes = 0
  private roomWaiters: (() => void)[] = []
  /** A record found no room, and there is none yet. */
  private isRefusing = false
  /** What went wrong with records that nobody waits for, until `flush` tells it. */
  private unheard: KafkaError | null = null
  private state: 'open' | 'closing' | 'closed' = 'open'
  private closing: Promise<void> = Promise.resolve()
  /** From the call of `commitTransaction` on nothing more is taken: it would miss the commit, and begin a transaction of its own. */
  private isCommitting = false
  private readonly keys = new KeyScratch()

  /** Throws ERR_INVALID_OPTION. No connection is made yet. */
  constructor(options: ProducerOptions<V, K>) {
    this.options = resolveOptions(options)
    this.serializers = serializersOf(options)
    this.observer = new Observer(options.hooks)
    this.ownsCluster = options.cluster === undefined
    this.cluster =
      options.cluster ??
      new Cluster(
        clusterOptionsOf(
          options,
          requestObserver(this.observer, () => this.cluster.clientId),
        ),
      )
    this.memory = new ProducerMemory(this.options.bufferBytes)
    this.waitingBudget = new WaitingBudget(this.options.bufferBytes)
    this.full = new AdmissionQueue(this.waitingBudget, {
      waitMs: this.options.maxBlockMs,
      why: `the producer's ${this.options.bufferBytes} bytes of memory are still full`,
      code: 'ERR_BUFFER_FULL',
      gaveUp: (waiting, error) => this.gaveUp(waiting, error),
    })
    this.transactions = this.makeTransactions()
    this.dispatcher = this.makeDispatcher()
    clientMetrics.add('kafka_producers')
  }

  /**
   * Resolves when the record is acknowledged. Rejects with a KafkaError once nothing more can be done for it: a broker
   * refused it, or `deliveryTimeoutMs` has passed. Of several records it resolves when all are acknowledged.
   */
  send(record: ProducerRecord<V, K>, options?: SendOptions): Promise<RecordMetadata>
  send(records: readonly ProducerRecord<V, K>[], options?: SendOptions): Promise<RecordMetadata[]>
  send(
    input: ProducerRecord<V, K> | readonly ProducerRecord<V, K>[],
    options?: SendOptions,
  ): Promise<RecordMetadata> | Promise<RecordMetadata[]> {
    const { signal } = options ?? {}
    if (isMany(input)) {
      const many = new ManyDeliveries(input.length)
      for (const [index, record] of input.entries()) this.deliver(record, many.at(index))
      return unlessAborted(many.promise, signal, 'send')
    }
    const delivery = new SingleDelivery()
    this.deliver(input, delivery)
    return unlessAborted(delivery.promise, signal, 'send')
  }

  /**
   * Takes the record if there is room for it now; nobody is told what becomes of it but `flush`, hooks and events. False:
   * not taken, try again after `whenWritable`.
   */
  trySend(record: ProducerRecord<V, K>): boolean {
    const refusal = this.refusal()
    if (refusal !== null) throw refusal
    if (!this.isWritable) return false
    const hook = this.observer.onSend
    const observed = hook === undefined ? null : this.observed(hook, record, null)
    if (this.accept(record, observed === null ? record.headers : observed.headers, observed?.delivery ?? null))
      return true
    this.isRefusing = true
    observed?.delivery?.failed(this.tooMuch(), null)
    return false
  }

  /** Memory of records that are in batches and not acknowledged yet. */
  get bufferedBytes(): number {
    return this.memory.usedBytes
  }

  /** Whether a record of usual size would be taken at once. */
  get isWritable(): boolean {
    return !this.isRefusing && this.full.length === 0 && this.memory.usedBytes < this.options.bufferBytes
  }

  /** Resolves when half of the memory is free. */
  whenWritable(): Promise<void> {
    if (this.isWritable) return Promise.resolve()
    this.dispatcher.hurry()
    return new Promise((resolve) => this.roomWaiters.push(resolve))
  }

  /**
   * Sends what waits for more records, and resolves when everything accepted so far is acknowledged or has failed. Rejects
   * with the first failure among records of `trySend` since the last `flush`.
   */
  flush({ signal }: CallOptions = {}): Promise<void> {
    return calling('flush', signal, async () => {
      await this.settleAll()
      const { unheard } = this
      this.unheard = null
      if (unheard !== null) throw unheard
    })
  }

  /**
   * Runs the function in a transaction: commits when it resolves, aborts when it rejects, with that error. A signal that fires while it runs
   * aborts the transaction, too.
   */
  async transaction<T>(run: (transaction: Transaction<V, K>) => Promise<T>, options: CallOptions = {}): Promise<T> {
    const { signal } = options
    const origin = new Error()
    await this.beginTransaction(options)
    const send = ((input: ProducerRecord<V, K>, sendOptions?: SendOptions) => {
      const sent = this.send(input, sendOptions)
      // A send that nobody waits for fails the commit, which is where it is told.
      sent.catch(() => undefined)
      return sent
    }) as Producer<V, K>['send']
    let result: T
    try {
      const running = run({ send, sendOffsets: (group, offsets) => this.sendOffsets(group, offsets) })
      result = await unlessAborted(running, signal, 'transaction')
    } catch (error) {
      await this.abortTransaction().catch(() => undefined)
      throw error
    }
    await calling('commitTransaction', signal, () => this.commit(signal), origin)
    return result
  }

  /** Waits for the coordinator to finish what was left of this `transactionalId`. */
  beginTransaction({ signal }: CallOptions = {}): Promise<void> {
    return calling('beginTransaction', signal, async () => {
      if (this.state !== 'open') throw closedError()
      await this.transactional().begin(signal)
    })
  }

  /**
   * Resolves when the transaction is committed. On failure it is aborted, and the error says why. After a signal the transaction is still open
   * if its records were not all stored yet; otherwise it may be committed.
   */
  commitTransaction({ signal }: CallOptions = {}): Promise<void> {
    return calling('commitTransaction', signal, () => this.commit(signal))
  }

  /** What waits is given up; what is under way is waited for once, and not repeated. */
  abortTransaction({ signal }: CallOptions = {}): Promise<void> {
    return calling('abortTransaction', signal, () => this.abort())
  }

  /** The offsets become the group's when, and only when, the transaction commits. */
  sendOffsets(
    group: GroupMetadata | string,
    offsets: readonly TransactionOffset[],
    { signal }: CallOptions = {},
  ): Promise<void> {
    const metadata = typeof group === 'string' ? { groupId: group } : group
    return calling('sendOffsets', signal, async () => this.transactional().sendOffsets(metadata, offsets))
  }

  /**
   * Sends everything accepted, then closes. After `timeoutMs` (default: `deliveryTimeoutMs`), or when the signal fires, what is left fails. An
   * open transaction is aborted.
   */
  close(options: { timeoutMs?: number } & CallOptions = {}): Promise<void> {
    const { signal } = options
    if (this.state === 'open') {
      this.state = 'closing'
      this.closing = this.finish(options.timeoutMs ?? this.options.deliveryTimeoutMs, signal)
    }
    return calling('close', signal, () => this.closing)
  }

  /** As `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  private async finish(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const hurry = (): void => resolve()
    const timer = setTimeout(hurry, signal?.aborted === true ? 0 : Math.min(timeoutMs, TIMER_MS_MAX))
    signal?.addEventListener('abort', hurry, { once: true })
    const state = this.transactions?.state
    const finished = state === 'open' || state === 'abortable' ? this.abort() : this.settleAll()
    await Promise.race([finished.catch(() => undefined), late])
    clearTimeout(timer)
    signal?.removeEventListener('abort', hurry)
    this.state = 'closed'
    const error = new KafkaError('ERR_CLOSED', `the producer was closed and did not finish within ${timeoutMs} ms`)
    for (const waiting of this.removeWaiting()) this.gaveUp(waiting, error)
    this.dispatcher.failWaiting(error)
    this.dispatcher.stop()
    clientMetrics.add('kafka_producers', -1)
    if (this.ownsCluster) await this.cluster.close()
    // Requests that were under way have been rejected by now, and their batches wait for an attempt that never comes.
    await this.dispatcher.quiesceStopped(error)
  }

  private async commit(signal: AbortSignal | undefined): Promise<void> {
    const transactions = this.transactional()
    if (this.isCommitting) throw endingError()
    this.isCommitting = true
    try {
      const before = transactions.refusal()
      if (before === null) await this.settleAll()
      if (signal?.aborted === true) throw abortedError('commitTransaction', signal)
      const refusal = transactions.refusal()
      if (refusal === null) return await transactions.end(true)
      if (transactions.state === 'abortable') await this.abort()
      throw refusal
    } finally {
      this.isCommitting = false
    }
  }

  private async abort(): Promise<void> {
    const transactions = this.transactional()
    if (transactions.state === 'none') throw new KafkaError('ERR_INVALID_STATE', 'no transaction is open')
    const error = new KafkaError('ERR_TRANSACTION_ABORTABLE', 'the transaction was aborted', {
      cause: transactions.error ?? undefined,
    })
    transactions.giveUp()
    // What is still being serialized is refused then: it must not end up in the next transaction.
    while (this.serializing !== null) await this.serializing
    for (const waiting of this.removeWaiting()) this.gaveUp(waiting, error)
    // The markers of version 2 carry a new epoch: a batch whose answer was lost comes too late wherever it is. Those of version 1 do not, and it
    // would be taken for part of the next transaction: what has left is sent until it is known to be stored or not, as Java's producer does.
    if (transactions.usesVersion2) await this.dispatcher.giveUp(error)
    else await this.dispatcher.giveUpUnsent(error)
    await transactions.end(false)
  }

  private deliver(record: ProducerRecord<V, K>, delivery: Delivery): void {
    const refusal = this.refusal()
    let told: Delivery = delivery
    try {
      if (refusal !== null) throw refusal
      const hook = this.observer.onSend
      let { headers } = record
      if (hook !== undefined) ({ headers, delivery: told } = this.observed(hook, record, delivery))
      if (!this.accept(record, headers, told)) throw this.tooMuch()
    } catch (error) {
      const failure = asKafkaError(error, 'ERR_INVALID_RECORD', `send to topic '${record.topic}'`)
      // A transaction that lacks one of its records must not commit, whether or not somebody waits for this one.
      if (refusal === null) this.transactions?.batchFailed(failure)
      told.failed(failure, new Error())
    }
  }

  private refusal(): KafkaError | null {
    if (this.state !== 'open') return closedError()
    if (this.isCommitting) return endingError()
    return this.transactions?.refusal() ?? null
  }

  /** Serializes, and goes on when that is done. False if there is no room even to wait. */
  private accept(record: ProducerRecord<V, K>, headers: HeadersInput | undefined, delivery: Delivery | null): boolean {
    const { topic, partition } = record
    const key = this.serialized(this.serializers.key, record.key ?? null, { topic, field: 'key' })
    const value = this.serialized(this.serializers.value, record.value, { topic, field: 'value' })
    const timestamp = record.timestamp ?? Date.now()
    const encoded = { topic, headers, partition: partition ?? -1, timestamp }
    if (!(key instanceof Promise) && !(value instanceof Promise) && this.serializing === null) {
      return this.admit({ ...encoded, key, value }, delivery)
    }
    return this.admitLater({ ...encoded, key: null, value: null }, key, value, delivery)
  }

  /** Goes on when the serializers are done with this record and with those before it. False if too much waits already. */
  private admitLater(
    record: EncodedRecord,
    key: Bytes | null | Promise<Bytes>,
    value: Bytes | null | Promise<Bytes>,
    delivery: Delivery | null,
  ): boolean {
    let bytes = RECORD_OVERHEAD_BYTES + this.serializedBytes
    if (!this.waitingBudget.take(bytes)) return false
    const { topic } = record
    const headers = record.headers === undefined ? undefined : ownHeaders(record.headers)
    const ownKey = key instanceof Promise ? key : copyOf(key)
    const previous = this.serializing
    const current: Promise<void> = (async () => {
      // Attached at once, so that a failure is not unhandled while the records before this one are waited for.
      const both = Promise.all([ownKey, value instanceof Promise ? value : copyOf(value)]).then(
        ([keyBytes, valueBytes]) => {
          const encoded = { ...record, headers, key: keyBytes, value: valueBytes }
          const size = sizeOfRecord(encoded)
          this.waitingBudget.takeBack(size - bytes)
          bytes = size
          this.serializedBytes = size - RECORD_OVERHEAD_BYTES
          return encoded
        },
      )
      both.catch(() => undefined)
      await previous
      try {
        const encoded = await both
        const refusal = this.state === 'closed' ? closedError() : (this.transactions?.refusal() ?? null)
        if (refusal !== null) throw refusal
        this.waitingBudget.giveBack(bytes)
        bytes = 0
        this.admit(encoded, delivery, true)
      } catch (error) {
        const failure = asKafkaError(error, 'ERR_SERIALIZATION', `serialize a record of topic '${topic}'`)
        this.failOne(failure, delivery, null)
      }
      this.waitingBudget.giveBack(bytes)
      if (this.isRefusing) this.admitFull()
    })()
    this.serializing = current
    current.then(() => {
      if (this.serializing === current) this.serializing = null
    })
    return true
  }

  private tooMuch(): KafkaError {
    return new KafkaError('ERR_BUFFER_FULL', `${this.options.bufferBytes} bytes of records wait already`)
  }

  private serialized<T>(
    serializer: Serializer<T>,
    value: T | null,
    context: SerdeContext,
  ): Bytes | null | Promise<Bytes> {
    if (value === null) return null
    try {
      return serializer.serialize(value, context)
    } catch (error) {
      throw asKafkaError(error, 'ERR_SERIALIZATION', `serialize the ${context.field} of a record of '${context.topic}'`)
    }
  }

  /** The record's headers and who is told of it, once the hook has seen it. */
  private observed<D extends Delivery | null>(
    hook: NonNullable<Observer['onSend']>,
    record: ProducerRecord<V, K>,
    delivery: D,
  ): { readonly headers: HeadersInput; readonly delivery: D | ObservedDelivery } {
    const headers: { key: string; value: HeaderValue }[] = []
    const given = record.headers ?? []
    if (isHeaderList(given)) headers.push(...given)
    else for (const [key, value] of Object.entries(given)) headers.push({ key, value })
    const { topic, partition, key = null, value } = record
    const settled = hook({ topic, partition, headers, key, value, clientId: this.cluster.clientId })
    return { headers, delivery: settled === undefined ? delivery : new ObservedDelivery(delivery, settled) }
  }

  /** Into a batch, or into a queue; false if that is full, too. What was taken before has its place there. */
  private admit(record: EncodedRecord, delivery: Delivery | null, wasTaken = false): boolean {
    const topic = this.topicOf(record.topic)
    // A partition that is not there may be new.
    if (topic.count === 0 || topic.waiting.length > 0 || record.partition >= topic.count) {
      const waiting = topic.waiting.push(record, delivery, wasTaken)
      if (waiting !== null) this.learnPartitions(topic)
      return waiting !== null
    }
    if (this.full.length === 0 && this.append(topic, record, delivery)) return true
    const waiting = this.full.push(record, delivery, wasTaken)
    // Memory comes back when batches leave.
    if (waiting !== null && this.full.length === 1) this.dispatcher.hurry()
    return waiting !== null
  }

  /** False if the memory is full. `origin` is where a record that had to wait was sent. */
  private append(topic: TopicLanes, record: EncodedRecord, delivery: Delivery | null, origin?: Error): boolean {
    const { value } = record
    const key = this.keys.bytesOf(record.key)
    const valueBytes = value === null ? 0 : typeof value === 'string' ? Buffer.byteLength(value) : value.length
    const headers = record.headers === undefined ? null : encodeHeaders(record.headers)
    const bytes = recordBytesBound(key?.length ?? 0, valueBytes, headers)
    const { maxRequestBytes, batchBytes } = this.options
    if (bytes > maxRequestBytes - REQUEST_OVERHEAD_BYTES) {
      const message = `a record of ${bytes} bytes for topic '${topic.name}' is larger than maxRequestBytes ${maxRequestBytes}`
      throw new KafkaError('ERR_INVALID_RECORD', message)
    }
    const partition = record.partition >= 0 ? record.partition : topic.chooser.choose(key, topic)
    const lane = topic.lane(partition)
    if (lane === undefined) throw noPartition(topic, partition)
    let batch = lane.open
    if (batch !== null && (batch.sizeBytes + bytes > batchBytes || batch.isFull)) {
      lane.seal()
      topic.chooser.batchLeft(partition)
      batch = null
    }
    const missing = batch === null ? BATCH_HEADER_BYTES + bytes : batch.missingRoom(bytes)
    if (missing > 0 && !this.memory.hasRoom(batch?.chunkCount ?? 0, missing)) return false
    if (batch === null) batch = this.newBatch(topic, lane, bytes, origin)
    this.addTo(batch, { key, value, valueBytes, headers, timestamp: record.timestamp, delivery })
    topic.chooser.wrote(partition, bytes)
    this.dispatcher.appended(lane, batch.sizeBytes >= batchBytes || this.full.length > 0)
    return true
  }

  private newBatch(topic: TopicLanes, lane: Lane, firstBytes: number, origin: Error | undefined): Batch {
    const createdMs = performance.now()
    const isTransactional = this.transactions !== null
    const batch = new Batch(this.memory, { createdMs, isTransactional, firstBytes, origin })
    lane.open = batch
    if (this.cluster.isStale(topic.name)) this.learnPartitions(topic)
    return batch
  }

  private addTo(
    batch: Batch,
    record: {
      key: KeyBytes | null
      value: Bytes | null
      valueBytes: number
      headers: EncodedHeaders | null
      timestamp: number
      delivery: Delivery | null
    },
  ): void {
    const { key, value, valueBytes, headers, timestamp, delivery } = record
    batch.append(key, value, valueBytes, headers, timestamp, delivery)
  }

  private topicOf(name: string): TopicLanes {
    let topic = this.topics.get(name)
    if (topic === undefined) {
      const gaveUp = (waiting: WaitingRecord, error: KafkaError): void => this.gaveUp(waiting, error)
      topic = new TopicLanes(name, this.cluster, this.options, this.waitingBudget, gaveUp)
      this.topics.set(name, topic)
    }
    topic.refresh()
    return topic
  }

  /** Asks for the topic's partitions until they are known or nobody waits for them any more. */
  private learnPartitions(topic: TopicLanes): void {
    if (topic.isAsking) return
    topic.isAsking = true
    const ask = async (attempt = 0): Promise<void> => {
      try {
        await this.cluster.topic(topic.name, { create: this.options.createTopics, creationWaitMs: CREATION_WAIT_MS })
        topic.refresh()
        topic.waiting.lastError = null
        this.admitWaiting(topic)
      } catch (error) {
        const failure = asKafkaError(error, 'ERR_BAD_RESPONSE', `topic '${topic.name}'`)
        topic.waiting.lastError = failure
        // A broker that cannot be reached may come back while there is time.
        if (failure.retriable && failure.errorCode === 0 && topic.waiting.length > 0 && this.state !== 'closed') {
          await sleep(backoffMs(this.cluster.retry, attempt))
          return ask(attempt + 1)
        }
        for (const waiting of topic.waiting.remove()) this.gaveUp(waiting, failure)
      }
    }
    ask().finally(() => {
      topic.isAsking = false
      if (topic.waiting.length > 0 && this.state !== 'closed') this.learnPartitions(topic)
    })
  }

  private admitWaiting(topic: TopicLanes): void {
    topic.waiting.drain(({ record, delivery, origin }) => {
      try {
        if (this.full.length === 0 && this.append(topic, record, delivery, origin)) return true
        return this.full.push(record, delivery) !== null
      } catch (error) {
        this.failOne(asKafkaError(error, 'ERR_INVALID_RECORD', `send to topic '${topic.name}'`), delivery, origin)
        return true
      }
    })
    this.admitFull()
  }

  /** Memory has come back. */
  private admitFull(): void {
    if (this.full.length > 0) {
      this.full.drain(({ record, delivery, origin }) => {
        try {
          return this.append(this.topicOf(record.topic), record, delivery, origin)
        } catch (error) {
          this.failOne(asKafkaError(error, 'ERR_INVALID_RECORD', `send to topic '${record.topic}'`), delivery, origin)
          return true
        }
      })
    }
    const hasRoom = this.memory.usedBytes <= this.options.bufferBytes / 2 && this.waitingBudget.isHalfFree
    if (hasRoom) this.isRefusing = false
    if (this.roomWaiters.length > 0 && hasRoom) {
      const waiters = this.roomWaiters
      this.roomWaiters = []
      for (const wake of waiters) wake()
    }
  }

  private gaveUp({ delivery, origin }: WaitingRecord, error: KafkaError): void {
    this.failOne(error, delivery, origin)
    if (this.isRefusing) this.admitFull()
  }

  private failOne(error: KafkaError, delivery: Delivery | null, origin: Error | null): void {
    clientMetrics.add('kafka_produce_errors')
    if (delivery === null || !delivery.isHeard) this.unheard ??= error
    delivery?.failed(error, origin)
    if (this.transactions !== null && this.state === 'open') this.transactions.batchFailed(error)
  }

  private removeWaiting(): WaitingRecord[] {
    const queues = [this.full, ...[...this.topics.values()].map(({ waiting }) => waiting)]
    return queues.flatMap((queue) => queue.remove())
  }

  /** Resolves when everything accepted before the call is delivered or has failed. */
  private async settleAll(): Promise<void> {
    while (this.serializing !== null) await this.serializing
    for (;;) {
      this.dispatcher.hurry()
      const pending = this.dispatcher.pending()
      const isWaiting = this.full.length > 0 || [...this.topics.values()].some(({ waiting }) => waiting.length > 0)
      if (pending.length === 0 && !isWaiting) return
      if (pending.length > 0) await Promise.all(pending)
      // Only the cluster can move what waits for a topic's partitions: nothing here to wait for but time.
      else await new Promise((resolve) => setTimeout(resolve, 5))
      if (!isWaiting) return
    }
  }

  private transactional(): Transactions {
    if (this.transactions !== null) return this.transactions
    throw new KafkaError('ERR_INVALID_STATE', 'transactions need the option transactionalId')
  }

  private makeTransactions(): Transactions | null {
    const { transactionalId, transactionTimeoutMs, maxBlockMs, createTopics } = this.options
    if (transactionalId === null) return null
    return new Transactions(
      this.cluster,
      { transactionalId, transactionTimeoutMs, timeoutMs: maxBlockMs, createTopics },
      {
        lanesAdded: (lanes) => {
          for (const lane of lanes) this.dispatcher.resume(lane)
        },
        broke: (error) => this.dispatcher.failWaiting(error),
      },
    )
  }

  private makeDispatcher(): Dispatcher {
    const { transactions } = this
    const identity: IdentitySource =
      transactions ?? new IdempotentIdentity(this.cluster, this.options.deliveryTimeoutMs)
    return new Dispatcher({
      cluster: this.cluster,
      options: this.options,
      memory: this.memory,
      observer: this.observer,
      identity,
      mayLeave: (lane) => transactions?.mayLeave(lane) ?? true,
      get usesTransactionV2() {
        return transactions?.usesVersion2 ?? false
      },
      settled: (error, unheard) => {
        if (error !== null) {
          if (unheard) this.unheard ??= error
          transactions?.batchFailed(error)
        }
        this.admitFull()
      },
    })
  }
}

function isMany<V, K>(
  input: ProducerRecord<V, K> | readonly ProducerRecord<V, K>[],
): input is readonly ProducerRecord<V, K>[] {
  return Array.isArray(input)
}

function closedError(): KafkaError {
  return new KafkaError('ERR_CLOSED', 'the producer is closed')
}

function endingError(): KafkaError {
  return new KafkaError('ERR_INVALID_STATE', 'the transaction is ending')
}

function noPartition(topic: TopicLanes, partition: number): KafkaError {
  const message = `topic '${topic.name}' has no partition ${partition}, only 0 to ${topic.count - 1}`
  return new KafkaError('ERR_INVALID_RECORD', message)
}
