import { Consumer, Producer } from '../../../src/client/index.ts'
import type { Adapter } from '../work.ts'

export const adapter: Adapter = {
  async sender(bootstrap, topic) {
    const producer = new Producer({ bootstrap })
    return {
      one: (value) => producer.send({ topic, value }),
      many: (values) => producer.send(values.map((value) => ({ topic, value }))),
      close: () => producer.close(),
    }
  },

  async read(bootstrap, topic, groupId, seen) {
    const consumer = new Consumer({ bootstrap, groupId, offsetReset: 'earliest' })
    await consumer.subscribe(topic)
    for await (const { value } of consumer.messages()) if (seen(value)) break
    await consumer.close()
  },
}
