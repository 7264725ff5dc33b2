import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { EmbeddedBroker } from '../../../src/broker/embedded/broker.ts'
import { Consumer } from '../../../src/client/consumer/consumer.ts'
import {
  DEAD_LETTER_HEADERS,
  deadLetterUnreadable,
  withDeadLetter,
  withRetryTopics,
} from '../../../src/client/consumer/dead-letter.ts'
import type { Message } from '../../../src/client/consumer/message.ts'
import { Producer } from '../../../src/client/producer/producer.ts'
import { jsonSerde } from '../../../src/client/serdes/basic.ts'
import { until, withTopic } from './scenarios.ts'

setDefaultTimeout(120_000)

let broker: EmbeddedBroker
let producer: Producer

beforeAll(async () => {
  broker = await EmbeddedBroker.start()
  producer = new Producer({ bootstrap: broker.bootstrap })
})
afterAll(async () => {
  await producer.close()
  await broker.stop()
})

async function readAll(topic: string, count: number): Promise<Message[]> {
  await using consumer = new Consumer({ bootstrap: broker.bootstrap })
  await consumer.assign([{ topic, partition: 0, offset: 'earliest', until: count }])
  const messages: Message[] = []
  for await (const message of consumer.messages()) messages.push(message)
  return messages
}

function header(message: Message, name: keyof typeof DEAD_LETTER_HEADERS): string | undefined {
  return message.header(DEAD_LETTER_HEADERS[name])?.toString()
}

test('what keeps failing is tried again, then put aside with its origin; the rest goes on in order', async () => {
  const [topic, aside] = [await withTopic(broker, 1), await withTopic(broker, 1)]
  await producer.send(['a', 'bad', 'c'].map((value) => ({ topic, value, key: value, headers: { h: '1' } })))
  const calls: string[] = []
  await using consumer = new Consumer({ bootstrap: broker.bootstrap })
  await consumer.assign([{ topic, partition: 0, offset: 0, until: 3 }])
  await consumer.run({
    eachMessage: withDeadLetter(
      ({ value }) => {
        calls.push(String(value))
        if (String(value) === 'bad') throw new Error('cannot')
      },
      { producer, topic: aside, attempts: 3, backoffMs: 1, groupId: 'g' },
    ),
  })
  expect(calls).toEqual(['a', 'bad', 'bad', 'bad', 'c'])
  const [letter] = await readAll(aside, 1)
  expect(String(letter!.value)).toBe('bad')
  expect(String(letter!.key)).toBe('bad')
  expect(letter!.header('h')?.toString()).toBe('1')
  const names = ['topic', 'partition', 'offset', 'group', 'attempts', 'message'] as const
  expect(names.map((name) => header(letter!, name))).toEqual([topic, '0', '1', 'g', '3', 'cannot'])
})

test('through retry topics, then aside; the origin stays that of the first topic', async () => {
  const [topic, soon, later, aside] = await Promise.all([1, 1, 1, 1].map((count) => withTopic(broker, count)))
  await producer.send(['a', 'bad', 'once'].map((value) => ({ topic: topic!, value })))
  const calls: string[] = []
  await using consumer = new Consumer({ bootstrap: broker.bootstrap })
  await consumer.assign([topic!, soon!, later!].map((name) => ({ topic: name, partition: 0, offset: 0 })))
  const stop = new AbortController()
  const running = consumer.run({
    signal: stop.signal,
    eachMessage: withRetryTopics(
      (message) => {
        calls.push(`${message.value} ${[topic, soon, later].indexOf(message.topic)}`)
        if (String(message.value) === 'bad') throw new Error('cannot')
        if (String(message.value) === 'once' && message.topic === topic) throw new Error('not yet')
      },
      {
        producer,
        topic: aside!,
        retryTopics: [
          { topic: soon!, delayMs: 1 },
          { topic: later!, delayMs: 2 },
        ],
      },
    ),
  })
  await until('everything was tried', () => calls.length === 6)
  await until('it is put aside', async () => (await broker.topic(aside!).records()).length === 1)
  stop.abort()
  await running
  expect(calls.toSorted()).toEqual(['a 0', 'bad 0', 'bad 1', 'bad 2', 'once 0', 'once 1'])
  const [letter] = await readAll(aside!, 1)
  expect([header(letter!, 'topic'), header(letter!, 'offset'), header(letter!, 'attempts')]).toEqual([topic, '1', '3'])
})

test('what cannot be deserialized goes aside as the bytes that it is', async () => {
  const [topic, aside] = [await withTopic(broker, 1), await withTopic(broker, 1)]
  await producer.send(['1', '{', '3'].map((value) => ({ topic, value })))
  await using consumer = new Consumer({
    bootstrap: broker.bootstrap,
    serdes: { value: jsonSerde<number>() },
    onDeserializeError: deadLetterUnreadable({ producer, topic: aside }),
  })
  await consumer.assign([{ topic, partition: 0, offset: 0, until: 3 }])
  const values: (number | null)[] = []
  for await (const { value } of consumer.messages()) values.push(value)
  expect(values).toEqual([1, 3])
  const [letter] = await readAll(aside, 1)
  expect(String(letter!.value)).toBe('{')
  expect(header(letter!, 'offset')).toBe('1')
})
