/**
 * A consumer in a share group (KIP-932): many members take records of the same partitions, each record is acknowledged by itself, and
 * what is not accepted is handed out again, to whoever asks.
 *
 * What must hold: a record that was handed out is acknowledged at most once here; records that were not acknowledged when the consumer
 * closes, or when the broker's lock on them ends, go to others.
 */

import { DEFAULT_MAX_DECOMPRESSED_BYTES } from '../../../records/limits.ts'
import { unlessAborted } from '../../call.ts'
import { Cluster } from '../../cluster.ts'
import { asKafkaError, KafkaError } from '../../errors.ts'
import { clientMetrics } from '../../observe/metrics.ts'
import { bootstrapOf } from '../../producer/options.ts'
import type { CallOptions } from '../consumer-options.ts'
import { CoordinatorLink } from '../coordinator-link.ts'
import {
  type ConsumerSerdes,
  type DeserializeErrorHandler,
  type DeserializersFor,
  MessagePreparer,
} from '../deserialize.ts'
import type { Message } from '../message.ts'
import type { ConnectionOptions } from '../options.ts'
import type { TopicPartition } from '../topic-partition.ts'
import { within } from '../within.ts'
import type { Acknowledgement } from './acknowledgements.ts'
import { ShareFetcher, type ShareFetchOwner } from './share-fetcher.ts'
import { ShareMembership } from './share-membership.ts'

interface OwnOptions<V, K> {
  /** The share group to be in. */
  readonly groupId: string
  /**
   * `implicit` (default): a message is accepted when the next one is asked for, or its handler is done. `explicit`: `acknowledge` says
   * what becomes of each.
   */
  readonly acknowledgement?: 'implicit' | 'explicit'
  /** What makes keys and values of bytes. Without it they are views of the bytes. */
  readonly serdes?: ConsumerSerdes<V, K>
  /** When it is done, the message is rejected: nobody gets it again. Without it the reading ends. */
  readonly onDeserializeError?: DeserializeErrorHandler
  /**
   * Told when a broker did not take an acknowledgement, usually because it came too late: others get the record. And when records cannot
   * be read (ERR_CORRUPT_RECORDS): they are rejected, as by Java's clients, or nobody would get past them.
   */
  readonly onWarning?: (error: KafkaError) => void
  /** Records taken and not handed out yet. Default 500. */
  readonly maxRecords?: number
  /** Default 1. */
  readonly minBytes?: number
  /** Milliseconds. Default 500. */
  readonly maxWaitMs?: number
  /** Default 8 MiB. */
  readonly maxBytes?: number
  /** Whether the checksum of every batch is checked. Default true. */
  readonly checkCrcs?: boolean
  /** The most that the records of one compressed batch may become. Default 64 MiB. */
  readonly maxDecompressedBytes?: number
  /** Where this member is, for the group's assignor. Default: not said. */
  readonly rack?: string
  /** How long `close` may take, for handlers that are under way and for what brokers are to hear. Default 30,000 ms. */
  readonly closeTimeoutMs?: number
}

/** Messages of one partition that were taken together, in order. */
export interface ShareBatch<V, K> {
  /** The topic that they are from. */
  readonly topic: string
  /** The partition that they are from. */
  readonly partition: number
  /** At least one. */
  readonly messages: readonly Message<V, K>[]
}

/** How large the batches of a loop are, and how it ends. */
export interface ShareBatchOptions extends CallOptions {
  /** Default: all that wait and follow each other. */
  readonly maxMessages?: number
}

/** `bootstrap` makes connections of the consumer's own; a `cluster` is shared and stays open. */
export type ShareConsumerOptions<V = Buffer, K = Buffer> = OwnOptions<V, K> &
  (
    | (ConnectionOptions & { readonly cluster?: undefined })
    | {
        /** A cluster that is open already, in place of `bootstrap`: its connections are shared, and it is left open. */
        readonly cluster: Cluster
        readonly bootstrap?: undefined
      }
  )

/** What a handler says of its message; nothing means accept. */
export type ShareHandler<V, K> = (
  message: Message<V, K>,
  context: { readonly signal: AbortSignal },
) => Promise<Acknowledgement | undefined> | Acknowledgement | undefined

/** How `run` handles messages. */
export interface ShareRunOptions<V, K> {
  /** Called for each message; its answer says what becomes of it. */
  readonly eachMessage: ShareHandler<V, K>
  /** Handlers at once. Default 1. */
  readonly concurrency?: number
  /** Ends the run after the handlers that are under way. They hear of it by the signal in their context. */
  readonly signal?: AbortSignal | undefined
}

const MIB = 1024 * 1024
const CLOSE_TIMEOUT_MS = 30_000
/** For each of the goodbyes, where nobody answers. */
const FAREWELL_MS = 5_000

/**
 * Takes records as a member of a share group (KIP-932): many members read the same partitions, and each record is acknowledged by itself.
 */
export class ShareConsumer<V = Buffer, K = Buffer> implements AsyncDisposable {
  /** The share group. */
  readonly groupId: string
  /** Drawn at random; the group knows the member by it. */
  readonly memberId: string
  private readonly cluster: Cluster
  private readonly options: ShareConsumerOptions<V, K>
  private readonly maxRecords: number
  private readonly membership: ShareMembership
  private readonly link: CoordinatorLink
  private readonly preparer: MessagePreparer<V, K> | null
  private readonly fetchers = new Map<number, ShareFetcher<V, K>>()
  private partitions: readonly TopicPartition[] = []
  private queue: Message<V, K>[] = []
  /** Handed out or waiting, and not acknowledged: which broker is to hear of them. */
  private readonly open = new Map<Message<V, K>, ShareFetcher<V, K>>()
  private readonly waiters = new Set<() => void>()
  private failure: KafkaError | null = null
  private closed: Promise<void> | null = null
  private readonly closing = new AbortController()
  private readonly runs = new Set<Promise<void>>()

  /** Throws ERR_INVALID_OPTION. No connection is made yet. */
  constructor(options: ShareConsumerOptions<V, K> & DeserializersFor<V, K>) {
    if (options.groupId === '') throw new KafkaError('ERR_INVALID_OPTION', 'groupId is empty')
    this.options = options
    this.groupId = options.groupId
    this.maxRecords = options.maxRecords ?? 500
    this.memberId = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('base64url')
    this.cluster = options.cluster ?? new Cluster({ ...options, bootstrap: bootstrapOf(options.bootstrap) })
    this.link = new CoordinatorLink(this.cluster, this.groupId, { own: false })
    this.preparer = MessagePreparer.of(options.serdes, options.onDeserializeError)
    const { groupId, memberId } = this
    this.membership = new ShareMembership(this.cluster, { groupId, memberId, rack: options.rack ?? null }, this.link, {
      assigned: (partitions) => this.assigned(partitions),
      fatal: (error) => this.fail(error),
    })
    clientMetrics.add('kafka_consumers')
  }

  /** Joins the group for these topics; replaces an earlier subscription. Throws the error of a topic that cannot be looked up. */
  async subscribe(topics: string | readonly string[], options: CallOptions = {}): Promise<void> {
    this.assertOpen('subscribe')
    const { signal } = options
    const names = typeof topics === 'string' ? [topics] : [...topics]
    if (names.length > 0) await unlessAborted(this.cluster.metadata(names, { signal }), signal, 'subscribe')
    this.membership.subscribe(names)
  }

  /** Partitions that this member takes records from; others may take from them, too. */
  assignment(): readonly TopicPartition[] {
    return this.partitions
  }

  /** Ends with the signal or with `close`; what is in hand then is released, unless it was acknowledged. */
  async *messages(options: CallOptions = {}): AsyncGenerator<Message<V, K>, undefined> {
    for await (const { messages } of this.batches({ signal: options.signal, maxMessages: 1 })) yield messages[0]!
  }

  /**
   * The same by what was taken together of one partition. Asking for the next batch accepts what of this one was not acknowledged;
   * leaving the loop releases it.
   */
  async *batches(options: ShareBatchOptions = {}): AsyncGenerator<ShareBatch<V, K>, undefined> {
    this.assertOpen('consume')
    const { maxMessages = Number.POSITIVE_INFINITY } = options
    const signal = AbortSignal.any([this.closing.signal, ...(options.signal === undefined ? [] : [options.signal])])
    clientMetrics.add('kafka_consumers_streams')
    try {
      for (;;) {
        const messages = await this.nextFew(signal, maxMessages)
        if (messages.length === 0) return
        clientMetrics.add('kafka_consumed_messages', messages.length)
        const { topic, partition } = messages[0]!
        let rest: Acknowledgement = 'release'
        try {
          yield { topic, partition, messages }
          rest = 'accept'
        } finally {
          if (this.options.acknowledgement !== 'explicit') this.acknowledgeOpen(messages, rest)
        }
      }
    } finally {
      clientMetrics.add('kafka_consumers_streams', -1)
    }
  }

  /** Handles messages, `concurrency` at once. A handler that throws releases its message and ends the run. */
  run(options: ShareRunOptions<V, K>): Promise<void> {
    this.assertOpen('consume')
    const running = this.runWorkers(options)
    const tracked = running.catch(() => undefined).finally(() => this.runs.delete(tracked))
    this.runs.add(tracked)
    return running
  }

  /**
   * `accept`: done. `release`: give it to somebody again. `reject`: give it to nobody. `renew`: keep it for me for another while, and
   * say later. Sent with the next request; `commit` waits for that.
   */
  acknowledge(message: Message<V, K>, what: Acknowledgement = 'accept'): void {
    const fetcher = this.open.get(message)
    if (fetcher === undefined) {
      const place = `${message.topic}-${message.partition} at offset ${message.offset}`
      throw new KafkaError('ERR_INVALID_STATE', `acknowledge ${place}: it is not in hand, or was acknowledged already`)
    }
    const { topic, partition, offset } = message
    fetcher.acknowledgements({ topic, partition }).set(offset, what)
    if (what !== 'renew') this.open.delete(message)
    fetcher.wake()
  }

  /** Resolves when brokers have heard all that was acknowledged so far. */
  async commit(options: CallOptions = {}): Promise<void> {
    const heard = Promise.all([...this.fetchers.values()].map((fetcher) => fetcher.flush()))
    await unlessAborted(heard, options.signal, 'commit')
  }

  /**
   * Waits for handlers, says what became of their messages, releases the rest and leaves the group. Ends in bounded time, even where no
   * broker answers: `timeoutMs` in place of the option `closeTimeoutMs`.
   */
  close(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.closed ??= this.shutDown(options.timeoutMs ?? this.options.closeTimeoutMs ?? CLOSE_TIMEOUT_MS)
    return this.closed
  }

  /** As `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  private async shutDown(timeoutMs: number): Promise<void> {
    this.closing.abort()
    this.wakeWaiters()
    await within(timeoutMs, Promise.all(this.runs))
    this.acknowledgeOpen([...this.open.keys()], 'release')
    await Promise.all([...this.fetchers.values()].map((fetcher) => fetcher.stop()))
    await within(FAREWELL_MS, this.membership.leave())
    await within(FAREWELL_MS, this.link.close())
    if (this.options.cluster === undefined) await within(FAREWELL_MS, this.cluster.close())
    clientMetrics.add('kafka_consumers', -1)
  }

  private async runWorkers({ eachMessage, concurrency = 1, signal }: ShareRunOptions<V, K>): Promise<void> {
    const stop = new AbortController()
    const stopped = AbortSignal.any([this.closing.signal, stop.signal, ...(signal === undefined ? [] : [signal])])
    const worker = async (): Promise<void> => {
      for (let message = await this.next(stopped); message !== null; message = await this.next(stopped)) {
        clientMetrics.add('kafka_consumed_messages')
        try {
          const said = await eachMessage(message, { signal: stopped })
          this.acknowledgeOpen([message], said ?? 'accept')
        } catch (error) {
          this.acknowledgeOpen([message], 'release')
          stop.abort()
          this.wakeWaiters()
          throw error
        }
      }
    }
    const wake = (): void => this.wakeWaiters()
    signal?.addEventListener('abort', wake, { once: true })
    const results = await Promise.allSettled(Array.from({ length: concurrency }, worker))
    signal?.removeEventListener('abort', wake)
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  private acknowledgeOpen(messages: readonly Message<V, K>[], what: Acknowledgement): void {
    for (const message of messages) if (this.open.has(message)) this.acknowledge(message, what)
  }

  private async next(signal: AbortSignal): Promise<Message<V, K> | null> {
    return (await this.nextFew(signal, 1))[0] ?? null
  }

  /** Of one partition, as many as wait and follow each other; none when there is nothing more to wait for. */
  private async nextFew(signal: AbortSignal, most: number): Promise<Message<V, K>[]> {
    const taken: Message<V, K>[] = []
    while (taken.length === 0) {
      if (this.failure !== null) throw this.failure
      if (signal.aborted) return []
      if (this.queue.length === 0) {
        await this.nextChange(signal)
        continue
      }
      const { topic, partition } = this.queue[0]!
      const other = this.queue.findIndex((each) => each.topic !== topic || each.partition !== partition)
      const next = this.queue.splice(0, Math.min(most, other < 0 ? this.queue.length : other))
      if (this.queue.length === 0) for (const fetcher of this.fetchers.values()) fetcher.wake()
      try {
        for (const message of next) {
          const readable = (await this.preparer?.prepare(message)) ?? true
          if (readable) taken.push(message)
          else this.acknowledgeOpen([message], 'reject')
        }
      } catch (error) {
        this.acknowledgeOpen(next, 'release')
        throw error
      }
    }
    return taken
  }

  private nextChange(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        signal.removeEventListener('abort', done)
        this.waiters.delete(done)
        resolve()
      }
      signal.addEventListener('abort', done, { once: true })
      this.waiters.add(done)
    })
  }

  private wakeWaiters(): void {
    for (const wake of [...this.waiters]) wake()
  }

  private assigned(partitions: readonly TopicPartition[]): void {
    this.partitions = partitions
    this.deal()
  }

  /** A fetcher for every broker that leads something. */
  private deal(): void {
    if (this.closed !== null) return
    const leaders = new Set(this.partitions.map((each) => this.leaderOf(each)).filter((nodeId) => nodeId >= 0))
    for (const nodeId of leaders) {
      if (!this.fetchers.has(nodeId)) this.fetchers.set(nodeId, this.makeFetcher(nodeId))
    }
    for (const fetcher of this.fetchers.values()) fetcher.wake()
  }

  private leaderOf({ topic, partition }: TopicPartition): number {
    return this.cluster.partition(topic, partition)?.leaderId ?? -1
  }

  private makeFetcher(nodeId: number): ShareFetcher<V, K> {
    const { options, groupId, memberId, maxRecords } = this
    const settings = {
      groupId,
      memberId,
      maxRecords,
      maxWaitMs: options.maxWaitMs ?? 500,
      minBytes: options.minBytes ?? 1,
      maxBytes: options.maxBytes ?? 8 * MIB,
      checkCrcs: options.checkCrcs ?? true,
      maxDecompressedBytes: options.maxDecompressedBytes ?? DEFAULT_MAX_DECOMPRESSED_BYTES,
    }
    const owner: ShareFetchOwner<V, K> = {
      partitionsOf: (node) => this.partitions.filter((each) => this.leaderOf(each) === node),
      room: () => maxRecords - this.queue.length,
      take: (messages) => {
        for (const message of messages) this.open.set(message, fetcher)
        this.queue.push(...messages)
        this.wakeWaiters()
      },
      moved: () => this.lookUpLeaders(),
      refused: (_partition, error) => this.options.onWarning?.(error),
      unreadable: (error) => this.options.onWarning?.(error),
      fatal: (error) => this.fail(error),
    }
    const fetcher: ShareFetcher<V, K> = new ShareFetcher(nodeId, this.cluster, settings, owner)
    return fetcher
  }

  private lookUpLeaders(): void {
    const topics = new Set(this.partitions.map(({ topic }) => topic))
    if (this.closed !== null || topics.size === 0) return
    void this.cluster.update(topics).then(
      () => this.deal(),
      // Asked again when the fetcher has waited and failed again.
      () => undefined,
    )
  }

  private assertOpen(what: string): void {
    if (this.closed !== null) throw new KafkaError('ERR_CLOSED', `${what}: this consumer is closed`)
  }

  private fail(error: unknown): void {
    this.failure ??= asKafkaError(error, 'ERR_INVALID_STATE', `share group '${this.groupId}'`)
    this.wakeWaiters()
  }
}
