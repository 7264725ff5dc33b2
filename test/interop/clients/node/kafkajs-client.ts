// kafkajs behind the contract of ../README.md. It brings gzip only: the other codecs are plugged in as its users do.
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import kafkajs, { type IHeaders, type KafkaMessage } from 'kafkajs'
import lz4 from 'lz4-napi'
import snappy from 'snappy'
import type { DriverRecord, ProducedRecord } from '../../../support/client-contract.ts'
import { type Client, emitAssigned, emitRecord, type Member, serve, toBuffer, toText } from './driver.ts'

const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs
const CODECS: Record<string, number> = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
}

const XERIAL_HEADER = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00, 0, 0, 0, 1, 0, 0, 0, 1])

function plugIn(
  type: number,
  compress: (data: Buffer) => Buffer,
  decompress: (data: Buffer) => Uint8Array | string,
): void {
  CompressionCodecs[type as keyof typeof CompressionCodecs] = () => ({
    compress: async (encoder: { buffer: Buffer }) => compress(encoder.buffer),
    decompress: async (data: Buffer) => Buffer.from(decompress(data)),
  })
}

/** The framing of the Java clients, which kafkajs-snappy writes too. */
function xerialCompress(data: Buffer): Buffer {
  const block = snappy.compressSync(data)
  const length = Buffer.alloc(4)
  length.writeInt32BE(block.length)
  return Buffer.concat([XERIAL_HEADER, length, block])
}

function snappyDecompress(data: Buffer): Uint8Array | string {
  if (!data.subarray(0, 8).equals(XERIAL_HEADER.subarray(0, 8))) return snappy.uncompressSync(data)
  const blocks: Uint8Array[] = []
  for (let position = XERIAL_HEADER.length; position < data.length; ) {
    const end = position + 4 + data.readInt32BE(position)
    blocks.push(Buffer.from(snappy.uncompressSync(data.subarray(position + 4, end))))
    position = end
  }
  return Buffer.concat(blocks)
}

plugIn(CompressionTypes.Snappy, xerialCompress, snappyDecompress)
plugIn(CompressionTypes.LZ4, lz4.compressFrameSync, lz4.decompressFrameSync)
plugIn(CompressionTypes.ZSTD, zstdCompressSync, zstdDecompressSync)

const kafka = new Kafka({ brokers: [process.argv[2] as string], logLevel: logLevel.NOTHING, clientId: 'kafkajs' })

function toHeaders(headers: ProducedRecord['headers']): IHeaders {
  const grouped: Record<string, Buffer[]> = {}
  for (const [name, value] of headers) {
    grouped[name] ??= []
    grouped[name].push(toBuffer(value) as Buffer)
  }
  return Object.fromEntries(Object.entries(grouped).map(([name, all]) => [name, all.length === 1 ? all[0] : all]))
}

function fromHeaders(headers: IHeaders | undefined): ProducedRecord['headers'] {
  return Object.entries(headers ?? {}).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((each): [string, string | null] => [name, toText(each as Buffer)]),
  )
}

function toLine(topic: string, partition: number, message: KafkaMessage): DriverRecord {
  return {
    topic,
    partition,
    offset: Number(message.offset),
    timestamp: Number(message.timestamp),
    key: toText(message.key),
    value: toText(message.value),
    headers: fromHeaders(message.headers),
  }
}

async function create(topic: string, partitions: number): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  // Waiting for leaders gives up where a broker does not know the new topic for a moment, as Kafka may not.
  const created = await admin.createTopics({ topics: [{ topic, numPartitions: partitions }], waitForLeaders: false })
  await admin.disconnect()
  if (!created) throw new Error(`${topic} exists`)
}

async function produce(topic: string, partition: number, codec: string, records: ProducedRecord[]): Promise<void> {
  const producer = kafka.producer()
  await producer.connect()
  await producer.send({
    topic,
    acks: -1,
    compression: CODECS[codec] as number,
    messages: records.map((record) => ({
      partition,
      key: toBuffer(record.key),
      value: toBuffer(record.value),
      headers: toHeaders(record.headers),
      ...(record.timestamp === undefined ? {} : { timestamp: String(record.timestamp) }),
    })),
  })
  await producer.disconnect()
}

async function transact(topic: string, transactionalId: string, consumerGroupId: string): Promise<void> {
  const producer = kafka.producer({ transactionalId, idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  for (const value of ['kept 1', 'dropped', 'kept 2']) {
    const transaction = await producer.transaction()
    await transaction.send({ topic, acks: -1, messages: [{ partition: 0, value }] })
    if (value === 'kept 2') {
      const topics = [{ topic, partitions: [{ partition: 0, offset: '3' }] }]
      await transaction.sendOffsets({ consumerGroupId, topics })
    }
    if (value === 'dropped') await transaction.abort()
    else await transaction.commit()
  }
  await producer.disconnect()
}

/** kafkajs consumes only in groups: a group of its own, from the beginning, without commits. */
async function consume(partitions: [topic: string, partition: number, count: number][]): Promise<DriverRecord[]> {
  const expected = partitions.reduce((sum, [, , count]) => sum + count, 0)
  const records: DriverRecord[] = []
  const consumer = kafka.consumer({ groupId: `kafkajs-reader-${process.pid}-${Date.now()}` })
  await consumer.connect()
  await consumer.subscribe({ topics: [...new Set(partitions.map(([topic]) => topic))], fromBeginning: true })
  const { promise: complete, resolve } = Promise.withResolvers<void>()
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ topic, partition, message }) => {
      records.push(toLine(topic, partition, message))
      if (records.length === expected) resolve()
    },
  })
  await complete
  await consumer.disconnect()
  return records
}

/** kafkajs answers the end offset where no record is that late. */
async function offsetByTime(topic: string, partition: number, timestamp: number): Promise<number> {
  const admin = kafka.admin()
  await admin.connect()
  const found = await admin.fetchTopicOffsetsByTimestamp(topic, timestamp)
  await admin.disconnect()
  return Number(found.find((each) => each.partition === partition)?.offset ?? -1)
}

async function join(groupId: string, topic: string): Promise<Member> {
  const consumer = kafka.consumer({ groupId, heartbeatInterval: 500, sessionTimeout: 10_000, maxWaitTimeInMs: 250 })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => emitAssigned(payload.memberAssignment[topic] ?? []))
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ partition, message }) => {
      emitRecord(toLine(topic, partition, message))
      await consumer.commitOffsets([{ topic, partition, offset: String(Number(message.offset) + 1) }])
    },
  })
  return { leave: () => consumer.disconnect() }
}

await serve({ create, produce, consume, offsetByTime, transact, join } satisfies Client)
