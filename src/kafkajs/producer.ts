/**
 * kafkajs' producer over the client's: where a record goes is decided here, as kafkajs does, and everything after that is the
 * client's work. One client producer serves each `acks`; the codec is that of the last `send` to a topic.
 *
 * What must hold: `send` answers one row per partition, with the offset of the first record that this call put there.
 */
import type { Cluster, PartitionMetadata as WirePartition } from '../client/cluster.ts'
import { KafkaError } from '../client/errors.ts'
import type { Acks } from '../client/producer/options.ts'
import { Producer as ClientProducer } from '../client/producer/producer.ts'
import type {
  ProducerRecord as ClientRecord,
  HeadersInput,
  RecordMetadata as Place,
} from '../client/producer/record.ts'
import { CODEC_NAMES, type CodecName } from '../records/codecs/index.ts'
import { CompressionTypes } from './constants.ts'
import { KafkaJSError, KafkaJSNonRetriableError } from './errors.ts'
import { type Events, producerEvents } from './events.ts'
import type { ClusterLink } from './link.ts'
import type { Logger } from './logger.ts'
import { Partitioners } from './partitioners.ts'
import { patienceMs, TIMER_MS_MAX } from './retry.ts'
import { KafkaTransaction } from './transaction.ts'
import { translated } from './translate.ts'
import type {
  IHeaders,
  Message,
  PartitionMetadata,
  Producer,
  ProducerBatch,
  ProducerConfig,
  ProducerRecord,
  RecordMetadata,
  TopicMessages,
  Transaction,
} from './types.ts'

/** kafkajs knows no limit of its own: the broker's `message.max.bytes` decides. */
const MAX_REQUEST_BYTES = 64 * 1024 * 1024
const BUFFER_BYTES = 2 * MAX_REQUEST_BYTES
/** What idempotence allows. */
const IN_FLIGHT_MAX = 5
const ACKS: ReadonlyMap<number, Acks> = new Map<number, Acks>([
  [-1, 'all'],
  [0, 0],
  [1, 1],
])
const NOT_KNOWN = '-1'

type Batch = Required<Pick<ProducerBatch, 'topicMessages'>> & Omit<ProducerBatch, 'topicMessages'>
type ProducerOf = (cluster: Cluster) => Promise<ClientProducer>

interface HandedOver {
  readonly records: readonly ClientRecord[]
  readonly sent: Promise<readonly Place[]>
}

export class KafkaProducer implements Producer {
  readonly events = producerEvents
  readonly on: Producer['on']
  private readonly link: ClusterLink
  private readonly config: ProducerConfig
  private readonly listeners: Events
  private readonly log: Logger
  /** Told which offsets a transaction has committed for a group. */
  readonly offsetsCommitted: (groupId: string, topic: string, partition: number, offset: string) => void
  private readonly partitioner: ReturnType<NonNullable<ProducerConfig['createPartitioner']>>
  private readonly byAcks = new Map<Acks, ClientProducer>()
  private readonly codecs = new Map<string, CodecName | 'none'>()
  private transactional: ClientProducer | null = null
  private current: KafkaTransaction | null = null
  /** Sends whose records are not with the client yet. */
  private readonly preparing = new Set<Promise<unknown>>()
  private status: 'connected' | 'disconnecting' | 'disconnected' = 'disconnected'

  constructor(
    link: ClusterLink,
    config: ProducerConfig,
    listeners: Events,
    log: Logger,
    offsetsCommitted: KafkaProducer['offsetsCommitted'],
  ) {
    if (config.idempotent === true && link.retry.retries < 1) {
      throw new KafkaJSNonRetriableError('an idempotent producer must be allowed to retry')
    }
    this.link = link
    this.config = config
    this.listeners = listeners
    this.log = log
    this.offsetsCommitted = offsetsCommitted
    this.partitioner = (config.createPartitioner ?? Partitioners.DefaultPartitioner)()
    this.on = (name, listener) => listeners.on(name, listener)
  }

  async connect(): Promise<void> {
    await this.link.connect()
    this.status = 'connected'
    this.listeners.emit(producerEvents.CONNECT)
  }

  async disconnect(): Promise<void> {
    this.status = 'disconnecting'
    await Promise.allSettled(this.preparing)
    const open = [...this.byAcks.values(), ...(this.transactional === null ? [] : [this.transactional])]
    this.byAcks.clear()
    this.transactional = null
    this.current = null
    await Promise.all(open.map((producer) => producer.close()))
    await this.link.disconnect()
    this.status = 'disconnected'
    this.listeners.emit(producerEvents.DISCONNECT)
  }

  isIdempotent(): boolean {
    return this.config.idempotent ?? false
  }

  logger(): Logger {
    return this.log
  }

  send({ topic, messages, ...rest }: ProducerRecord): Promise<RecordMetadata[]> {
    return this.sendBatch({ ...rest, topicMessages: [{ topic, messages }] })
  }

  async sendBatch({ topicMessages = [], ...rest }: ProducerBatch): Promise<RecordMetadata[]> {
    const batch = { ...rest, topicMessages }
    this.check(batch, this.isIdempotent())
    const acks = ACKS.get(batch.acks ?? -1)
    if (acks === undefined) throw new KafkaJSNonRetriableError(`Invalid acks ${batch.acks}, it must be -1, 0 or 1`)
    return this.deliver(batch, async (cluster) => this.producerFor(acks, cluster))
  }

  async transaction(): Promise<Transaction> {
    const { transactionalId } = this.config
    if (transactionalId === undefined || transactionalId === '') {
      throw new KafkaJSNonRetriableError('Must provide transactional id for transactional producer')
    }
    if (this.current?.isActive() === true) {
      throw new KafkaJSNonRetriableError('There is already an ongoing transaction for this producer: end it first')
    }
    this.checkStatus()
    const cluster = await this.link.connect()
    // Disconnected meanwhile.
    this.checkStatus()
    const { transactionTimeout } = this.config
    this.transactional ??= new ClientProducer({
      ...this.shared('all', cluster),
      transactionalId,
      ...(transactionTimeout === undefined ? {} : { transactionTimeoutMs: transactionTimeout }),
    })
    this.current = await KafkaTransaction.begin(this, this.transactional)
    return this.current
  }

  /** Refuses what kafkajs refuses. */
  check({ acks, topicMessages }: Batch, mustBeAll: boolean): void {
    if (topicMessages.some(({ topic }) => !topic)) throw new KafkaJSNonRetriableError('Invalid topic')
    if (mustBeAll && acks !== undefined && acks !== -1) {
      throw new KafkaJSNonRetriableError('an idempotent producer needs the acknowledgement of all replicas (acks -1)')
    }
    for (const { topic, messages } of topicMessages) {
      if (!messages) throw new KafkaJSNonRetriableError(`Invalid messages array [${messages}] for topic "${topic}"`)
      const empty = messages.find(({ value }) => value === undefined)
      if (empty === undefined) continue
      const message = `Invalid message without value for topic "${topic}": ${JSON.stringify(empty)}`
      throw new KafkaJSNonRetriableError(message)
    }
    this.checkStatus()
  }

  /** Chooses partitions, hands over, and tells where it all went. */
  async deliver(batch: Batch, producerOf: ProducerOf): Promise<RecordMetadata[]> {
    try {
      const preparing = this.prepared(batch, producerOf)
      this.preparing.add(preparing)
      const { records, sent } = await preparing.finally(() => this.preparing.delete(preparing))
      if (batch.acks !== 0) return answerOf(records, await sent)
      await sent
      return []
    } catch (error) {
      throw this.failed(error)
    }
  }

  /** What was begun before a `disconnect` is still handed over. */
  private async prepared({ topicMessages, compression }: Batch, producerOf: ProducerOf): Promise<HandedOver> {
    const cluster = await this.link.connect()
    const producer = await producerOf(cluster)
    const records: ClientRecord[] = []
    for (const each of topicMessages) {
      const partitions = await this.partitionsOf(cluster, each.topic)
      this.codecs.set(each.topic, codecOf(compression))
      for (const message of each.messages) records.push(this.recordOf(each, message, partitions))
    }
    return { records, sent: producer.send(records) }
  }

  /** As kafkajs reports it, and logged as there. */
  failed(error: unknown): Error {
    const { retries, initialRetryTime } = this.link.retry
    const failure = translated(error, { retries, retryTime: initialRetryTime })
    this.log.error(failure.message, { retryCount: retries, retryTime: initialRetryTime })
    return failure
  }

  private checkStatus(): void {
    if (this.status === 'disconnecting') {
      throw new KafkaJSNonRetriableError('The producer is disconnecting and takes no more messages')
    }
    if (this.status === 'disconnected') throw new KafkaJSError('The producer is disconnected')
  }

  private producerFor(acks: Acks, cluster: Cluster): ClientProducer {
    const known = this.byAcks.get(acks)
    if (known !== undefined) return known
    const producer = new ClientProducer(this.shared(acks, cluster))
    this.byAcks.set(acks, producer)
    return producer
  }

  private shared(acks: Acks, cluster: Cluster) {
    const { allowAutoTopicCreation = true, maxInFlightRequests } = this.config
    const isIdempotent = acks === 'all'
    const maxInFlight = maxInFlightRequests ?? IN_FLIGHT_MAX
    // All the time that kafkajs would go on trying, the last request included.
    const patience = Math.min(TIMER_MS_MAX, patienceMs(this.link.retry) + this.link.timeoutMs)
    return {
      cluster,
      acks,
      clientId: this.link.clientId,
      createTopics: allowAutoTopicCreation,
      maxInFlight: isIdempotent ? Math.min(IN_FLIGHT_MAX, maxInFlight) : maxInFlight,
      requestTimeoutMs: this.link.timeoutMs,
      deliveryTimeoutMs: patience,
      maxBlockMs: patience,
      maxRequestBytes: MAX_REQUEST_BYTES,
      bufferBytes: BUFFER_BYTES,
      compression: (topic: string) => this.codecs.get(topic) ?? 'none',
    }
  }

  private async partitionsOf(cluster: Cluster, topic: string): Promise<PartitionMetadata[]> {
    const { allowAutoTopicCreation = true } = this.config
    const known = cluster.isStale(topic) ? undefined : cluster.knownTopic(topic)
    const { partitions } = known ?? (await cluster.topic(topic, { create: allowAutoTopicCreation }))
    return partitions.map(partitionMetadata)
  }

  private recordOf({ topic }: TopicMessages, message: Message, partitionMetadata: PartitionMetadata[]): ClientRecord {
    const { key, value, headers, timestamp } = message
    const partition = Number(this.partitioner({ topic, partitionMetadata, message }))
    if (!partitionMetadata.some(({ partitionId }) => partitionId === partition)) {
      throw new KafkaError('ERR_INVALID_RECORD', `topic '${topic}' has no partition ${partition}`)
    }
    return {
      topic,
      partition,
      key: key === undefined || key === null ? null : bytesOf(key),
      value: value === null ? null : bytesOf(value),
      ...(headers === undefined ? {} : { headers: headersOf(headers) }),
      timestamp: timestamp === undefined ? Date.now() : Number(timestamp),
    }
  }
}

/** kafkajs writes what is no buffer as text. */
function bytesOf(value: Buffer | string): Buffer | string {
  return Buffer.isBuffer(value) ? value : String(value)
}

function headersOf(headers: IHeaders): HeadersInput {
  return Object.entries(headers).flatMap(([key, value]) => {
    const values = Array.isArray(value) ? value : [value]
    return values.map((each) => ({ key, value: each === undefined || each === null ? null : bytesOf(each) }))
  })
}

function codecOf(compression: CompressionTypes | undefined): CodecName | 'none' {
  const codec = compression ?? CompressionTypes.None
  const name = CODEC_NAMES[codec]
  if (name === undefined) throw new KafkaJSNonRetriableError(`Invalid compression type ${compression}`)
  return codec === CompressionTypes.None ? 'none' : name
}

export function partitionMetadata(row: WirePartition): PartitionMetadata {
  return {
    partitionErrorCode: row.errorCode,
    partitionId: row.partitionIndex,
    leader: row.leaderId,
    replicas: row.replicaNodes,
    isr: row.isrNodes,
    offlineReplicas: row.offlineReplicas,
  }
}

/** In the order of the first record of each partition. The broker's time, where the topic asks for that (LogAppendTime). */
function answerOf(records: readonly ClientRecord[], places: readonly Place[]): RecordMetadata[] {
  const rows = new Map<string, RecordMetadata>()
  for (const [index, { topic, partition, offset, timestamp }] of places.entries()) {
    if (rows.has(`${topic}:${partition}`)) continue
    const own = records[index]!.timestamp
    const isBrokers = own !== undefined && own !== timestamp
    rows.set(`${topic}:${partition}`, {
      topicName: topic,
      partition,
      errorCode: 0,
      baseOffset: String(offset),
      logAppendTime: isBrokers ? String(timestamp) : NOT_KNOWN,
      logStartOffset: NOT_KNOWN,
    })
  }
  return [...rows.values()]
}
