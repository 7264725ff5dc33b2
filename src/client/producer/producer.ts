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
import { Cluster } from '../cluster.ts'
import { abortedError, asKafkaError, fromCallSite, KafkaError } from '../errors.ts'
import { Observer } from '../observe/hooks.ts'
import { clientMetrics } from '../observe/metrics.ts'
import type { Bytes, SerdeContext, Serializer } from '../serdes/serde.ts'
import { AdmissionQueue, WaitingBudget, type WaitingRecord } from './admission.ts'
import { Batch, type EncodedHeaders, encodeHeaders, isHeaderList, type KeyBytes, recordBytesBound } from './batch.ts'
import { type Delivery, ManyDeliveries, SingleDelivery } from './deliveries.ts'
import { Dispatcher, type IdentitySource } from './dispatcher.ts'
import { IdempotentIdentity } from './identity.ts'
import type { Lane } from './lane.ts'
import { ProducerMemory } from './memory.ts'
import {
  clusterOptionsOf,
  type ProducerOptions,
  type ResolvedOptions,
  resolveOptions,
  serializersOf,
} from './options.ts'
import type { EncodedRecord, HeadersInput, HeaderValue, ProducerRecord, RecordMetadata } from './record.ts'
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
const SCRATCH_BYTES = 4096
const SHORT_KEY = 64

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
  private roomWaiters: (() => void)[] = []
  /** A record found no room, and there is none yet. */
  private isRefusing = false
  /** What went wrong with records that nobody waits for, until `flush` tells it. */
  private unheard: KafkaError | null = null
  private state: 'open' | 'closing' | 'closed' = 'open'
  /** From the call of `commitTransaction` on nothing more is taken: it would miss the commit, and begin a transaction of its own. */
  private isCommitting = false
  private readonly scratch = Buffer.allocUnsafe(SCRATCH_BYTES)
  private readonly scratchKey = { bytes: this.scratch as Uint8Array, length: 0 }

  /** Throws ERR_INVALID_OPTION. No connection is made yet. */
  constructor(options: ProducerOptions<V, K>) {
    this.options = resolveOptions(options)
    this.serializers = serializersOf(options)
    this.observer = new Observer(options.hooks)
    this.ownsCluster = options.cluster === undefined
    this.cluster =
      options.cluster ??
      new Cluster(
        clusterOptionsOf(options, (apiKey, elapsedMs, error) => {
          clientMetrics.observeRequest(apiKey, elapsedMs)
          if (error !== null) clientMetrics.add('kafka_request_errors')
          this.observer.request({ clientId: this.cluster.clientId, apiKey, elapsedMs, error })
        }),
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
      return signal === undefined ? many.promise : unlessAborted(many.promise, signal)
    }
    const delivery = new SingleDelivery()
    this.deliver(input, delivery)
    return signal === undefined ? delivery.promise : unlessAborted(delivery.promise, signal)
  }

  /**
   * Takes the record if there is room for it now; nobody is told what becomes of it but `flush`, hooks and events. False:
   * not taken, try again after `whenWritable`.
   */
  trySend(record: ProducerRecord<V, K>): boolean {
    const refusal = this.refusal()
    if (refusal !== null) throw refusal
    if (!this.isWritable) return false
    const isTaken = this.accept(record, null)
    if (!isTaken) this.isRefusing = true
    return isTaken
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
  async flush(): Promise<void> {
    await this.settleAll()
    const { unheard } = this
    this.unheard = null
    if (unheard !== null) throw fromCallSite(unheard, new Error())
  }

  /** Runs the function in a transaction: commits when it resolves, aborts when it rejects, with that error. */
  async transaction<T>(run: (transaction: Transaction<V, K>) => Promise<T>): Promise<T> {
    await this.beginTransaction()
    const send = ((input: ProducerRecord<V, K>, options?: SendOptions) => {
      const sent = this.send(input, options)
      // A send that nobody waits for fails the commit, which is where it is told.
      sent.catch(() => undefined)
      return sent
    }) as Producer<V, K>['send']
    let result: T
    try {
      result = await run({ send, sendOffsets: (group, offsets) => this.sendOffsets(group, offsets) })
    } catch (error) {
      await this.abortTransaction().catch(() => undefined)
      throw error
    }
    await this.commitTransaction()
    return result
  }

  /**
   * Resolves when records may be sent. Throws ERR_INVALID_STATE while a transaction is open or without `transactionalId`, ERR_FENCED once
   * another producer has the id.
   */
  async beginTransaction(): Promise<void> {
    if (this.state !== 'open') throw closedError()
    await this.transactional().begin()
  }

  /** Resolves when the transaction is committed. On failure it is aborted, and the error says why. */
  async commitTransaction(): Promise<void> {
    const transactions = this.transactional()
    if (this.isCommitting) throw endingError()
    this.isCommitting = true
    try {
      const before = transactions.refusal()
      if (before === null) await this.settleAll()
      const refusal = transactions.refusal()
      if (refusal === null) return await transactions.end(true)
      if (transactions.state === 'abortable') await this.abortTransaction()
      throw refusal
    } finally {
      this.isCommitting = false
    }
  }

  /** Nothing of the open transaction will be seen; resolves when the coordinator knows. Throws ERR_INVALID_STATE if none is open. */
  async abortTransaction(): Promise<void> {
    const transactions = this.transactional()
    if (transactions.state === 'none') throw new KafkaError('ERR_INVALID_STATE', 'no transaction is open')
    const error = new KafkaError('ERR_TRANSACTION_ABORTABLE', 'the transaction was aborted', {
      cause: transactions.error ?? undefined,
    })
    transactions.giveUp()
    // What is still being serialized is refused then: it must not end up in the next transaction.
    while (this.serializing !== null) await this.serializing
    for (const waiting of this.removeWaiting()) this.gaveUp(waiting, error)
    this.dispatcher.failWaiting(error)
    await this.dispatcher.quiesce()
    // What had to be repeated came back in the meantime.
    this.dispatcher.failWaiting(error)
    await transactions.end(false)
  }

  /** In the open transaction: these offsets become the group's when it commits. Takes `consumer.groupMetadata`, or a group id. */
  sendOffsets(group: GroupMetadata | string, offsets: readonly TransactionOffset[]): Promise<void> {
    return this.transactional().sendOffsets(typeof group === 'string' ? { groupId: group } : group, offsets)
  }

  /**
   * Sends everything accepted, then closes. After `timeoutMs` (default: `deliveryTimeoutMs`) what is left fails. An open
   * transaction is aborted.
   */
  async close(options: { timeoutMs?: number } = {}): Promise<void> {
    if (this.state !== 'open') return
    this.state = 'closing'
    const timeoutMs = options.timeoutMs ?? this.options.deliveryTimeoutMs
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, timeoutMs)
    const state = this.transactions?.state
    const finished = state === 'open' || state === 'abortable' ? this.abortTransaction() : this.settleAll()
    await Promise.race([finished.catch(() => undefined), late])
    clearTimeout(timer)
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

  /** As `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  private deliver(record: ProducerRecord<V, K>, delivery: Delivery): void {
    const refusal = this.refusal()
    try {
      if (refusal !== null) throw refusal
      if (!this.accept(record, delivery)) {
        throw new KafkaError('ERR_BUFFER_FULL', `${this.options.bufferBytes} bytes of records wait already`)
      }
    } catch (error) {
      const failure = asKafkaError(error, 'ERR_INVALID_RECORD', `send to topic '${record.topic}'`)
      // A transaction that lacks one of its records must not commit, whether or not somebody waits for this one.
      if (refusal === null) this.transactions?.batchFailed(failure)
      delivery.failed(failure, new Error())
    }
  }

  private refusal(): KafkaError | null {
    if (this.state !== 'open') return closedError()
    if (this.isCommitting) return endingError()
    return this.transactions?.refusal() ?? null
  }

  /** Serializes, and goes on when that is done. False if there is no room even to wait. */
  private accept(record: ProducerRecord<V, K>, delivery: Delivery | null): boolean {
    const { topic, partition } = record
    const key = this.serialized(this.serializers.key, record.key ?? null, { topic, field: 'key' })
    const value = this.serialized(this.serializers.value, record.value, { topic, field: 'value' })
    const hook = this.observer.onSend
    const headers = hook === undefined ? record.headers : this.hooked(hook, record)
    const timestamp = record.timestamp ?? Date.now()
    const encoded = { topic, headers, partition: partition ?? -1, timestamp }
    if (!(key instanceof Promise) && !(value instanceof Promise) && this.serializing === null) {
      return this.admit({ ...encoded, key, value }, delivery)
    }
    const previous = this.serializing
    const current: Promise<void> = (async () => {
      // Attached at once, so that a failure is not unhandled while the records before this one are waited for.
      const both = Promise.all([key, value])
      both.catch(() => undefined)
      await previous
      try {
        const [keyBytes, valueBytes] = await both
        const refusal = this.state === 'closed' ? closedError() : (this.transactions?.refusal() ?? null)
        if (refusal !== null) throw refusal
        if (!this.admit({ ...encoded, key: keyBytes, value: valueBytes }, delivery)) {
          throw new KafkaError('ERR_BUFFER_FULL', `${this.options.bufferBytes} bytes of records wait already`)
        }
      } catch (error) {
        const failure = asKafkaError(error, 'ERR_SERIALIZATION', `serialize a record of topic '${topic}'`)
        this.failOne(failure, delivery, null)
      }
    })()
    this.serializing = current
    current.then(() => {
      if (this.serializing === current) this.serializing = null
    })
    return true
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

  private hooked(hook: NonNullable<Observer['onSend']>, record: ProducerRecord<V, K>): HeadersInput {
    const headers: { key: string; value: HeaderValue }[] = []
    const given = record.headers ?? []
    if (isHeaderList(given)) headers.push(...given)
    else for (const [key, value] of Object.entries(given)) headers.push({ key, value })
    hook({ topic: record.topic, partition: record.partition, headers })
    return headers
  }

  /** Into a batch, or into a queue; false if that is full, too. */
  private admit(record: EncodedRecord, delivery: Delivery | null): boolean {
    const topic = this.topicOf(record.topic)
    if (topic.count === 0 || topic.waiting.length > 0) {
      const waiting = topic.waiting.push(record, delivery)
      if (waiting !== null) this.learnPartitions(topic)
      return waiting !== null
    }
    if (this.full.length === 0 && this.append(topic, record, delivery)) return true
    const waiting = this.full.push(record, delivery)
    // Memory comes back when batches leave.
    if (waiting !== null && this.full.length === 1) this.dispatcher.hurry()
    return waiting !== null
  }

  /** False if the memory is full. `origin` is where a record that had to wait was sent. */
  private append(topic: TopicLanes, record: EncodedRecord, delivery: Delivery | null, origin?: Error): boolean {
    const { value } = record
    const key = this.keyBytes(record.key)
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
    if (!this.memory.hasRoom(batch === null ? bytes : batch.missingRoom(bytes))) return false
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

  /** Valid until the next call. */
  private keyBytes(key: Bytes | null): KeyBytes | null {
    if (key === null) return null
    const view = this.scratchKey
    if (typeof key !== 'string') {
      view.bytes = key
      view.length = key.length
      return view
    }
    view.bytes = this.scratch
    if (key.length <= SHORT_KEY && this.asciiIntoScratch(key)) view.length = key.length
    else if (key.length * 3 <= SCRATCH_BYTES) view.length = this.scratch.write(key)
    else {
      view.bytes = Buffer.from(key)
      view.length = view.bytes.length
    }
    return view
  }

  private asciiIntoScratch(text: string): boolean {
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      if (code > 0x7f) return false
      this.scratch[index] = code
    }
    return true
  }

  private topicOf(name: string): TopicLanes {
    let topic = this.topics.get(name)
    if (topic === undefined) {
      const gaveUp = (waiting: WaitingRecord, error: KafkaError): void => this.gaveUp(waiting, error)
      topic = new TopicLanes(name, this.cluster, this.options, this.waitingBudget, gaveUp)
      topic.refresh()
      this.topics.set(name, topic)
    }
    return topic
  }

  /** Asks for the topic's partitions until they are known or nobody waits for them any more. */
  private learnPartitions(topic: TopicLanes): void {
    if (topic.isAsking) return
    topic.isAsking = true
    const ask = async (): Promise<void> => {
      try {
        await this.cluster.topic(topic.name, { create: this.options.createTopics, creationWaitMs: CREATION_WAIT_MS })
        topic.refresh()
        this.admitWaiting(topic)
      } catch (error) {
        const failure = asKafkaError(error, 'ERR_BAD_RESPONSE', `topic '${topic.name}'`)
        // A broker that cannot be reached may come back while there is time.
        if (failure.retriable && failure.errorCode === 0 && topic.waiting.length > 0 && this.state !== 'closed') {
          return ask()
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
    if (delivery === null) this.unheard ??= error
    else delivery.failed(error, origin)
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

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => reject(abortedError('send', signal))
    if (signal.aborted) aborted()
    signal.addEventListener('abort', aborted, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted))
  })
}
