/** How long `close` waits for what is under way. */
import { expect, test } from 'bun:test'
import { Producer } from '../../../src/client/producer/producer.ts'
import { ProduceRequest, ProduceResponse } from '../../../src/protocol/messages/00-produce.ts'
import { FakeBroker } from '../fake-broker.ts'
import { serveMetadata, TOPIC_ID } from '../fake-metadata.ts'

test('without a limit, and with one that no timer takes, it waits for the answer', async () => {
  const fake = new FakeBroker()
  serveMetadata(fake, { topic: 'orders', partitions: 1 })
  const { promise: isSent, resolve: sent } = Promise.withResolvers<void>()
  fake.on(ProduceRequest, ProduceResponse, async () => {
    sent()
    // More than the timer of a limit that is too large would take.
    await Bun.sleep(50)
    const row = { index: 0, errorCode: 0, baseOffset: 7 }
    return { responses: [{ name: 'orders', topicId: TOPIC_ID, partitionResponses: [row] }], throttleTimeMs: 0 }
  })
  const limit = Number.POSITIVE_INFINITY
  const bootstrap = `127.0.0.1:${fake.port}`
  const producer = new Producer({ bootstrap, idempotence: false, maxBlockMs: limit })
  const { promise, resolve } = Promise.withResolvers<unknown>()
  producer.send({ topic: 'orders', value: 'tea' }).then(({ offset }) => resolve(offset), resolve)
  await isSent
  await producer.close({ timeoutMs: limit })
  expect(await promise).toBe(7)
  fake.stop()
})
