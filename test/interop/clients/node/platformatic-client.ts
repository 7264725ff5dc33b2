// @platformatic/kafka behind the contract of ../README.md.
import {
  Admin,
  type CompressionAlgorithmValue,
  Consumer,
  type Message,
  MessagesStreamFallbackModes,
  MessagesStreamModes,
  Producer,
} from '@platformatic/kafka'
import type { DriverRecord, ProducedRecord } from '../../../support/client-contract.ts'
import { type Client, emitAssigned, emitRecord, type Member, serve, toBuffer, toText } from './driver.ts'

const connection = { clientId: 'platformatic', bootstrapBrokers: [process.argv[2] as string] }

function toLine(message: Message): DriverRecord {
  return {
    topic: message.topic,
    partition: message.partition,
    offset: Number(message.offset),
    timestamp: Number(message.timestamp),
    key: toText(message.key),
    value: toText(message.value),
    headers: message.headerEntries.map(([name, value]) => [name.toString(), toText(value)]),
  }
}

async function create(topic: string, partitions: number): Promise<void> {
  const admin = new Admin(connection)
  await admin.createTopics({ topics: [topic], partitions, replicas: 1 })
  await admin.close()
}

async function produce(topic: string, partition: number, codec: string, records: ProducedRecord[]): Promise<void> {
  const producer = new Producer(connection)
  await producer.send({
    acks: -1,
    compression: codec as CompressionAlgorithmValue,
    messages: records.map((record) => ({
      topic,
      partition,
      key: toBuffer(record.key) as Buffer,
      value: toBuffer(record.value) as Buffer,
      headers: new Map(record.headers.map(([name, value]) => [Buffer.from(name), toBuffer(value) as Buffer])),
      ...(record.timestamp === undefined ? {} : { timestamp: BigInt(record.timestamp) }),
    })),
  })
  await producer.close()
}

async function consume(partitions: [topic: string, partition: number, count: number][]): Promise<DriverRecord[]> {
  const expected = partitions.reduce((sum, [, , count]) => sum + count, 0)
  const records: DriverRecord[] = []
  const consumer = new Consumer({ ...connection, groupId: `platformatic-reader-${process.pid}-${Date.now()}` })
  const stream = await consumer.consume({
    topics: [...new Set(partitions.map(([topic]) => topic))],
    mode: MessagesStreamModes.EARLIEST,
    autocommit: false,
    maxWaitTime: 250,
  })
  for await (const message of stream) {
    records.push(toLine(message))
    if (records.length === expected) break
  }
  await consumer.close(true)
  return records
}

async function offsetByTime(topic: string, partition: number, timestamp: number): Promise<number> {
  const consumer = new Consumer({ ...connection, groupId: 'unused' })
  const found = await consumer.listOffsets({ topics: [topic], timestamp: BigInt(timestamp) })
  await consumer.close()
  return Number(found.get(topic)?.[partition] ?? -1)
}

async function join(groupId: string, topic: string): Promise<Member> {
  const consumer = new Consumer({
    ...connection,
    groupId,
    heartbeatInterval: 500,
    sessionTimeout: 10_000,
    rebalanceTimeout: 10_000,
  })
  const report = (): void => {
    emitAssigned(consumer.assignments?.find((each) => each.topic === topic)?.partitions ?? [])
  }
  consumer.on('consumer:group:join', report)
  const stream = await consumer.consume({
    topics: [topic],
    mode: MessagesStreamModes.COMMITTED,
    fallbackMode: MessagesStreamFallbackModes.EARLIEST,
    autocommit: false,
    maxWaitTime: 250,
  })
  const consuming = (async () => {
    for await (const message of stream) {
      emitRecord(toLine(message))
      await message.commit()
    }
  })()
  return {
    async leave() {
      await stream.close()
      await consuming
      await consumer.close()
    },
  }
}

await serve({ create, produce, consume, offsetByTime, join } satisfies Client)
