import { Kafka, logLevel } from 'kafkajs'
import type { Adapter } from '../work.ts'

export const adapter: Adapter = {
  async sender(bootstrap, topic) {
    const producer = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING }).producer()
    await producer.connect()
    return {
      one: (value) => producer.send({ topic, acks: -1, messages: [{ value }] }),
      many: (values) => producer.send({ topic, acks: -1, messages: values.map((value) => ({ value })) }),
      close: () => producer.disconnect(),
    }
  },

  async read(bootstrap, topic, groupId, seen) {
    const consumer = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING }).consumer({ groupId })
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
  },
}
