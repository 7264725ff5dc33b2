/**
 * librdkafka as Confluent binds it. Its install downloads or compiles, so it is no dependency of this repository: it is taken from
 * .cache/confluent if somebody has installed it there.
 */
import { createRequire } from 'node:module'
import type { Adapter } from '../work.ts'

/** As far as it is used here: its API after kafkajs. */
interface Package {
  readonly KafkaJS: {
    readonly Kafka: new (
      options: object,
    ) => {
      producer(options: object): Producer
      consumer(options: object): Consumer
    }
    readonly logLevel: { readonly NOTHING: number }
  }
}
interface Producer {
  connect(): Promise<void>
  send(batch: { topic: string; messages: { value: Buffer }[] }): Promise<unknown>
  disconnect(): Promise<void>
}
interface Consumer {
  connect(): Promise<void>
  subscribe(options: { topics: string[] }): Promise<void>
  run(options: { eachMessage(input: { message: { value: Buffer | null } }): Promise<void> }): Promise<void>
  disconnect(): Promise<void>
}

function load(): Package['KafkaJS'] {
  const folder = process.env.SAMSA_BENCH_CONFLUENT ?? ''
  return (createRequire(`${folder}/`)('@confluentinc/kafka-javascript') as Package).KafkaJS
}

export const adapter: Adapter = {
  async sender(bootstrap, topic) {
    const { Kafka, logLevel } = load()
    const kafka = new Kafka({ kafkaJS: { brokers: [bootstrap], logLevel: logLevel.NOTHING } })
    const producer = kafka.producer({ kafkaJS: { acks: -1 } })
    await producer.connect()
    return {
      one: (value) => producer.send({ topic, messages: [{ value }] }),
      many: (values) => producer.send({ topic, messages: values.map((value) => ({ value })) }),
      close: () => producer.disconnect(),
    }
  },

  async read(bootstrap, topic, groupId, seen) {
    const { Kafka, logLevel } = load()
    const kafka = new Kafka({ kafkaJS: { brokers: [bootstrap], logLevel: logLevel.NOTHING } })
    const consumer = kafka.consumer({ kafkaJS: { groupId, fromBeginning: true } })
    await consumer.connect()
    await consumer.subscribe({ topics: [topic] })
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
