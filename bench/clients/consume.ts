/** Reading a topic from its beginning as each client's documentation does it: message by message, in a group, offsets committed. */
import { Consumer as PlatformaticConsumer } from '@platformatic/kafka'
import { Kafka, logLevel } from 'kafkajs'
import { Consumer } from '../../src/client/consumer/consumer.ts'
import type { ClientName } from './worker.ts'

/** Calls back for every message until that says that it has seen enough. */
type Reader = (seen: (value: Buffer | null) => boolean) => Promise<void>

function readerOf(client: ClientName, bootstrap: string, topic: string): Reader {
  const group = `bench-${client}-${process.pid}-${Date.now()}`
  switch (client) {
    case 'samsa':
      return async (seen) => {
        const consumer = new Consumer({ bootstrap, groupId: group, offsetReset: 'earliest' })
        await consumer.subscribe(topic)
        for await (const { value } of consumer.messages()) if (seen(value)) break
        await consumer.close()
      }
    case 'platformatic':
      return async (seen) => {
        const consumer = new PlatformaticConsumer({ groupId: group, clientId: 'bench', bootstrapBrokers: [bootstrap] })
        const stream = await consumer.consume({ topics: [topic], mode: 'earliest', autocommit: true, maxWaitTime: 500 })
        for await (const { value } of stream) if (seen(value)) break
        await consumer.close(true)
      }
    case 'kafkajs':
      return async (seen) => {
        const consumer = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING }).consumer({ groupId: group })
        await consumer.connect()
        await consumer.subscribe({ topics: [topic], fromBeginning: true })
        const { promise: finished, resolve } = Promise.withResolvers<void>()
        let done = false
        await consumer.run({
          eachMessage: async ({ message }) => {
            if (done || !seen(message.value)) return
            done = true
            resolve()
          },
        })
        await finished
        await consumer.disconnect()
      }
  }
}

export interface Consumed {
  readonly perSecond: number
  /** From the call to the first message. */
  readonly firstMs: number
}

/** Reads so many records; the rate counts from the first one on. */
export async function measureConsume(
  client: ClientName,
  bootstrap: string,
  topic: string,
  count: number,
): Promise<Consumed> {
  const beganMs = performance.now()
  let firstMs = 0
  let endMs = 0
  let records = 0
  let bytes = 0
  await readerOf(
    client,
    bootstrap,
    topic,
  )((value) => {
    if (records === 0) firstMs = performance.now()
    records += 1
    // What is not looked at may never have been decoded.
    bytes += value?.length ?? 0
    if (records < count) return false
    endMs = performance.now()
    return true
  })
  if (bytes === 0) throw new Error('the messages were empty')
  return { perSecond: (records / (endMs - firstMs)) * 1000, firstMs: firstMs - beganMs }
}
