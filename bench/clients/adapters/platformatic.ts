import { Consumer, ProduceAcks, Producer } from '@platformatic/kafka'
import type { Adapter } from '../work.ts'

export const adapter: Adapter = {
  async sender(bootstrap, topic) {
    const producer = new Producer<Buffer, Buffer, Buffer, Buffer>({
      clientId: 'bench',
      bootstrapBrokers: [bootstrap],
      acks: ProduceAcks.ALL,
    })
    return {
      one: (value) => producer.send({ messages: [{ topic, value }] }),
      many: (values) => producer.send({ messages: values.map((value) => ({ topic, value })) }),
      close: () => producer.close(),
    }
  },

  async read(bootstrap, topic, groupId, seen) {
    const consumer = new Consumer({ groupId, clientId: 'bench', bootstrapBrokers: [bootstrap] })
    const stream = await consumer.consume({ topics: [topic], mode: 'earliest', autocommit: true, maxWaitTime: 500 })
    for await (const { value } of stream) if (seen(value)) break
    await consumer.close(true)
  },
}
