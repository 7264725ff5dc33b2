/**
 * A program as people write it in TypeScript for kafkajs. It is checked twice: as it is, against kafkajs' own types, and with
 * `samsa/kafkajs` in place of kafkajs (test/kafkajs/types.test.ts).
 */
import kafkajs, {
  type Admin,
  AssignerProtocol,
  CompressionTypes,
  ConfigResourceTypes,
  type Consumer,
  type ConsumerConfig,
  type ConsumerCrashEvent,
  type ConsumerGroupJoinEvent,
  type EachBatchPayload,
  type EachMessageHandler,
  type EachMessagePayload,
  type GroupDescription,
  type ICustomPartitioner,
  type InstrumentationEvent,
  type ITopicConfig,
  Kafka,
  type KafkaConfig,
  KafkaJSError,
  KafkaJSNumberOfRetriesExceeded,
  KafkaJSProtocolError,
  type KafkaMessage,
  type LogEntry,
  type logCreator,
  logLevel,
  type Message,
  type Offsets,
  PartitionAssigners,
  Partitioners,
  type Producer,
  type ProducerBatch,
  type ProducerRecord,
  type RecordMetadata,
  type SASLOptions,
  type TopicPartitionOffsetAndMetadata,
  type Transaction,
} from 'kafkajs'

const sasl: SASLOptions = { mechanism: 'scram-sha-512', username: 'u', password: 'p' }
const toNowhere: logCreator = (level) => (entry: LogEntry) => void [level, entry.log.message, entry.log.extra]
const config: KafkaConfig = {
  clientId: 'typed',
  brokers: async () => ['localhost:9092'],
  ssl: { rejectUnauthorized: false, ca: ['pem'] },
  sasl,
  connectionTimeout: 1_000,
  retry: { retries: 3, initialRetryTime: 100, restartOnFailure: async (error: Error) => error.message !== '' },
  logLevel: logLevel.WARN,
  logCreator: toNowhere,
}

const toZero: ICustomPartitioner =
  () =>
  ({ topic, partitionMetadata, message }) => {
    const leaders: number[] = partitionMetadata.map(({ leader }) => leader)
    return topic === '' || message.key === null ? leaders.length : 0
  }

export async function produce(kafka: Kafka): Promise<string | undefined> {
  const producer: Producer = kafka.producer({ createPartitioner: toZero, idempotent: true, transactionalId: 'id' })
  const remove = producer.on(producer.events.REQUEST, ({ payload }) => void payload.apiName.toUpperCase())
  remove()
  await producer.connect()
  const messages: Message[] = [
    { key: 'k', value: Buffer.from('v'), headers: { h: ['a', Buffer.from('b')] }, timestamp: '1' },
  ]
  const record: ProducerRecord = { topic: 't', messages, acks: -1, timeout: 1_000, compression: CompressionTypes.GZIP }
  const [row]: RecordMetadata[] = await producer.send(record)
  const batch: ProducerBatch = { topicMessages: [{ topic: 't', messages }] }
  await producer.sendBatch(batch)
  const transaction: Transaction = await producer.transaction()
  const offsets: Offsets = { topics: [{ topic: 't', partitions: [{ partition: 0, offset: '1' }] }] }
  await transaction.sendOffsets({ consumerGroupId: 'g', ...offsets })
  if (transaction.isActive()) await transaction.commit()
  return row?.baseOffset
}

const each: EachMessageHandler = async ({ topic, partition, message, heartbeat, pause }: EachMessagePayload) => {
  const { offset, timestamp, key, value, headers }: KafkaMessage = message
  const text: string | undefined = value?.toString()
  const header = headers?.name
  if (Array.isArray(header)) header.map((one) => one.toString())
  await heartbeat()
  const resume = pause()
  resume()
  void [topic, partition, offset.length, timestamp.length, key, text]
}

async function eachBatch({ batch, resolveOffset, isRunning, isStale, ...rest }: EachBatchPayload): Promise<void> {
  const { highWatermark, messages } = batch
  for (const { offset } of messages) {
    if (!isRunning() || isStale()) break
    resolveOffset(offset)
    await rest.heartbeat()
  }
  await rest.commitOffsetsIfNecessary(rest.uncommittedOffsets())
  const first: string | null = batch.firstOffset()
  void [highWatermark, first, batch.lastOffset(), batch.offsetLag(), batch.isEmpty()]
}

export async function consume(kafka: Kafka): Promise<GroupDescription> {
  const options: ConsumerConfig = { groupId: 'g', partitionAssigners: [PartitionAssigners.roundRobin], rackId: 'r' }
  const consumer: Consumer = kafka.consumer(options)
  const { GROUP_JOIN, CRASH, COMMIT_OFFSETS, HEARTBEAT } = consumer.events
  consumer.on(GROUP_JOIN, ({ payload }: ConsumerGroupJoinEvent) => void payload.memberAssignment.t?.length)
  consumer.on(CRASH, ({ payload }: ConsumerCrashEvent) => void (payload.error.message && payload.restart))
  consumer.on(COMMIT_OFFSETS, (event) => void event.payload.topics.map(({ partitions }) => partitions[0]?.offset))
  consumer.on(HEARTBEAT, ({ timestamp, payload }) => void (timestamp + payload.groupGenerationId))
  const onStop = (event: InstrumentationEvent<null>): void => void event.type
  consumer.on(consumer.events.STOP, onStop)
  await consumer.subscribe({ topics: ['t', /^t\./], fromBeginning: true })
  await consumer.subscribe({ topic: 't' })
  await consumer.run({ eachMessage: each, autoCommitInterval: 5_000, partitionsConsumedConcurrently: 2 })
  await consumer.run({ eachBatch, eachBatchAutoResolve: false, autoCommitThreshold: null })
  consumer.seek({ topic: 't', partition: 0, offset: '7' })
  consumer.pause([{ topic: 't', partitions: [0] }])
  consumer.resume(consumer.paused())
  const rows: TopicPartitionOffsetAndMetadata[] = [{ topic: 't', partition: 0, offset: '1', metadata: 'm' }]
  await consumer.commitOffsets(rows)
  const description = await consumer.describeGroup()
  const decoded = AssignerProtocol.MemberAssignment.decode(description.members[0]!.memberAssignment)
  void decoded?.assignment.t
  consumer.logger().namespace('mine').info('done', { extra: true })
  return description
}

export async function administer(admin: Admin): Promise<boolean> {
  const topics: ITopicConfig[] = [{ topic: 't', numPartitions: 2, configEntries: [{ name: 'a', value: 'b' }] }]
  const made = await admin.createTopics({ topics, waitForLeaders: true })
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: 't', configNames: ['retention.ms'] }],
  })
  const value: string | undefined = resources[0]?.configEntries[0]?.configValue
  const [offset] = await admin.fetchTopicOffsets('t')
  const groups = await admin.describeGroups(['g'])
  await admin.deleteTopicRecords({ topic: 't', partitions: [{ partition: 0, offset: offset!.high }] })
  return made && value !== groups.groups[0]?.state
}

export function reason(error: unknown): string | number | undefined {
  if (error instanceof KafkaJSProtocolError) return error.type.length + error.code
  if (error instanceof KafkaJSNumberOfRetriesExceeded) return error.retryCount
  if (error instanceof KafkaJSError) return error.retriable ? error.name : error.helpUrl
  return undefined
}

export const kafka = new Kafka(config)
export const other = kafka.producer({ createPartitioner: Partitioners.LegacyPartitioner })
export const all = new kafkajs.Kafka({ brokers: ['localhost:9092'] })
