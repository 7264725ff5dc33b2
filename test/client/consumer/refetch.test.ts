/** What was fetched but not handed out when the log changed under it, or turned out to be unreadable half-way. */
import { afterEach, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import { Consumer } from '../../../src/client/consumer/consumer.ts'
import { KafkaError } from '../../../src/client/errors.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { FetchRequest, FetchResponse } from '../../../src/protocol/messages/01-fetch.ts'
import {
  OffsetForLeaderEpochRequest,
  OffsetForLeaderEpochResponse,
} from '../../../src/protocol/messages/23-offset-for-leader-epoch.ts'
import { buildBatch } from '../../../src/records/batch.ts'
import { FakeBroker } from '../fake-broker.ts'
import { serveMetadata, TOPIC_ID } from '../fake-metadata.ts'

// Nothing here waits for time; a busy machine does.
setDefaultTimeout(60_000)

const topic = 'orders'
let fake: FakeBroker
let consumer: Consumer<Buffer, Buffer>

beforeEach(() => {
  fake = new FakeBroker()
  serveMetadata(fake, { topic, partitions: 1 })
  consumer = new Consumer({ bootstrap: `127.0.0.1:${fake.port}`, retry: { backoffMs: 1, backoffMaxMs: 5 } })
})

afterEach(async () => {
  await consumer.close()
  fake.stop()
})

function batch(baseOffset: number, leaderEpoch: number, values: readonly string[]): Buffer {
  const records = values.map((value) => ({ timestamp: 5, key: null, value: Buffer.from(value), headers: [] }))
  return buildBatch({ baseOffset, leaderEpoch, records })
}

/** Answers each fetch with what this offset gives: batches, or an error. */
function serveFetches(answerAt: (fetchOffset: number) => Buffer[] | number): void {
  fake.on(FetchRequest, FetchResponse, async ({ topics }) => {
    const asked = topics[0]?.partitions[0]
    if (asked === undefined) return { throttleTimeMs: 0, errorCode: 0, sessionId: 0, responses: [] }
    const answer = answerAt(asked.fetchOffset)
    // Stands for the long poll of a real broker.
    if (typeof answer !== 'number' && answer.length === 0) await Bun.sleep(5)
    const row = {
      partitionIndex: 0,
      errorCode: typeof answer === 'number' ? answer : 0,
      highWatermark: 100,
      lastStableOffset: 100,
      logStartOffset: 0,
      abortedTransactions: null,
      records: typeof answer === 'number' ? [] : answer,
    }
    const responses = [{ topic, topicId: TOPIC_ID, partitions: [row] }]
    return { throttleTimeMs: 0, errorCode: 0, sessionId: 0, responses }
  })
}

test('a truncated log: what was fetched, not handed out, and is still there is not skipped', async () => {
  fake.on(OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, () => {
    const partitions = [{ errorCode: 0, partition: 0, leaderEpoch: 0, endOffset: 3 }]
    return { throttleTimeMs: 0, topics: [{ topic, partitions }] }
  })
  let isTruncated = false
  const { promise: isFetchedAgain, resolve: fetchedAgain } = Promise.withResolvers<void>()
  serveFetches((fetchOffset) => {
    if (fetchOffset < 5 && isTruncated) {
      fetchedAgain()
      return [batch(0, 0, ['a', 'b', 'c']), batch(3, 1, ['D', 'E'])]
    }
    if (fetchOffset === 0) return [batch(0, 0, ['a', 'b', 'c', 'd', 'e'])]
    if (isTruncated) return []
    isTruncated = true
    serveMetadata(fake, { topic, partitions: 1, leaderEpoch: 1 })
    return ErrorCode.FENCED_LEADER_EPOCH
  })
  await consumer.assign([{ topic, partition: 0, offset: 0 }])
  const values: string[] = []
  for await (const { value } of consumer.messages()) {
    values.push(String(value))
    await isFetchedAgain
    if (values.length === 5) break
  }
  expect(values).toEqual(['a', 'b', 'c', 'D', 'E'])
})

test.each(['eachMessage', 'eachBatch'] as const)(
  'what a handler has thrown at is read again by the next run: %s',
  async (kind) => {
    serveFetches((fetchOffset) => (fetchOffset < 3 ? [batch(0, 0, ['a', 'b', 'c'])] : []))
    await consumer.assign([{ topic, partition: 0, offset: 0 }])
    const seen: string[] = []
    const stop = new AbortController()
    const handle = (value: Buffer | null): void => {
      seen.push(String(value))
      if (seen.length === 2) throw new Error('not this time')
      if (seen.at(-1) === 'c') stop.abort()
    }
    const run = (): Promise<void> =>
      consumer.run(
        kind === 'eachMessage'
          ? { eachMessage: ({ value }) => handle(value), signal: stop.signal }
          : { eachBatch: ({ messages }) => handle(messages[0]!.value), maxMessages: 1, signal: stop.signal },
      )
    await expect(run()).rejects.toThrow('not this time')
    await run()
    expect(seen).toEqual(['a', 'b', 'b', 'c'])
  },
)

test('a batch of messages ends before a record that cannot be read; the error comes after it', async () => {
  const broken = batch(2, 0, ['c'])
  broken[broken.length - 1]! ^= 0xff
  serveFetches((fetchOffset) => (fetchOffset < 3 ? [batch(0, 0, ['a', 'b']), broken] : []))
  await consumer.assign([{ topic, partition: 0, offset: 0 }])
  const stream = consumer.batches()
  const { value: first } = await stream.next()
  expect(first?.messages.map(({ value }) => String(value))).toEqual(['a', 'b'])
  const failure = await stream.next().then(
    () => null,
    (error: unknown) => error,
  )
  expect(failure).toBeInstanceOf(KafkaError)
  expect((failure as KafkaError).code).toBe('ERR_CORRUPT_RECORDS')
  expect(consumer.position({ topic, partition: 0 })).toBe(2)
})

test('the error of an unreadable record says where to go on, and a seek there does', async () => {
  const broken = batch(2, 0, ['c', 'd'])
  broken[broken.length - 1]! ^= 0xff
  const log = [batch(0, 0, ['a', 'b']), broken, batch(4, 0, ['e'])]
  serveFetches((fetchOffset) => (fetchOffset < 5 ? log.slice(fetchOffset / 2) : []))
  const place = { topic, partition: 0 }
  await consumer.assign([{ ...place, offset: 0 }])
  const values: string[] = []
  const read = async (): Promise<void> => {
    for await (const { value } of consumer.messages()) if (values.push(String(value)) === 3) break
  }
  // As often as it is read: nothing is passed over by itself.
  for (let attempt = 0; attempt < 2; attempt++) {
    const failure = await read().catch((error: unknown) => error)
    expect((failure as KafkaError).code).toBe('ERR_CORRUPT_RECORDS')
    expect((failure as KafkaError).place).toEqual({ ...place, offset: 2, nextOffset: 4 })
    expect((failure as KafkaError).message).toEndWith('seek to 4 to go on without it')
  }
  consumer.seek({ ...place, offset: 4 })
  await read()
  expect(values).toEqual(['a', 'b', 'e'])
})

test('bytes that are no batch at all are an error and not a wait for ever; they are asked for once per attempt', async () => {
  const garbage = batch(1, 0, ['x'])
  garbage.writeInt32BE(7, 8)
  serveFetches((fetchOffset) => (fetchOffset === 0 ? [batch(0, 0, ['a']), garbage] : [garbage]))
  await consumer.assign([{ topic, partition: 0, offset: 0 }])
  const stream = consumer.messages()
  expect(String((await stream.next()).value?.value)).toBe('a')
  await expect(stream.next()).rejects.toMatchObject({
    code: 'ERR_CORRUPT_RECORDS',
    place: { offset: 1, nextOffset: null },
  })
  expect(fake.requests(FetchRequest.key).length).toBeLessThan(4)
})

test('a broker that finds its own log corrupt is an error that names the place', async () => {
  serveFetches(() => ErrorCode.CORRUPT_MESSAGE)
  await consumer.assign([{ topic, partition: 0, offset: 9 }])
  await expect(consumer.messages().next()).rejects.toMatchObject({ code: 'ERR_CORRUPT_RECORDS', place: { offset: 9 } })
})

test.each(['at once', 'later'] as const)(
  'a deserializer that fails %s: the messages before are handed out, none is passed over',
  async (when) => {
    serveFetches((fetchOffset) => (fetchOffset < 4 ? [batch(0, 0, ['a', 'b', 'bad', 'd'])] : []))
    const picky = new Consumer({
      cluster: consumer.cluster,
      serdes: {
        value: {
          deserialize(bytes: Buffer): string | Promise<string> {
            const check = (): string => {
              if (bytes.toString() === 'bad') throw new Error('not today')
              return bytes.toString()
            }
            return when === 'at once' ? check() : Promise.resolve().then(check)
          },
        },
      },
    })
    const place = { topic, partition: 0 }
    await picky.assign([{ ...place, offset: 0 }])
    const batches = picky.batches()
    expect((await batches.next()).value?.messages.map(({ value }) => value)).toEqual(['a', 'b'])
    await expect(batches.next()).rejects.toMatchObject({
      code: 'ERR_SERIALIZATION',
      place: { ...place, offset: 2, nextOffset: 3 },
    })
    expect(picky.processed()).toMatchObject([{ offset: 2 }])
    await expect(picky.messages().next()).rejects.toMatchObject({ code: 'ERR_SERIALIZATION' })
    expect(picky.processed()).toMatchObject([{ offset: 2 }])
    picky.seek({ ...place, offset: 3 })
    expect((await picky.messages().next()).value?.value).toBe('d')
    await picky.close()
  },
)

test('a handler that throws at a batch which ends before an unreadable record gets that batch again', async () => {
  const broken = batch(2, 0, ['c'])
  broken[broken.length - 1]! ^= 0xff
  serveFetches((fetchOffset) => (fetchOffset < 3 ? [batch(0, 0, ['a', 'b']), broken] : []))
  await consumer.assign([{ topic, partition: 0, offset: 0 }])
  const seen: string[] = []
  const run = (): Promise<void> =>
    consumer.run({
      eachBatch({ messages }) {
        seen.push(messages.map(({ value }) => String(value)).join(''))
        if (seen.length === 1) throw new Error('not this time')
      },
    })
  await expect(run()).rejects.toThrow('not this time')
  await expect(run()).rejects.toMatchObject({ code: 'ERR_CORRUPT_RECORDS' })
  expect(seen).toEqual(['ab', 'ab'])
})

test('items that are asked for without awaiting come in order, each once', async () => {
  serveFetches((fetchOffset) => (fetchOffset < 4 ? [batch(0, 0, ['a', 'b', 'c', 'd'])] : []))
  await consumer.assign([{ topic, partition: 0, offset: 0 }])
  const stream = consumer.messages()
  const items = await Promise.all([1, 2, 3, 4].map(() => stream.next()))
  expect(items.map(({ value }) => String(value?.value))).toEqual(['a', 'b', 'c', 'd'])
})

test.each(['messages', 'batches'] as const)(
  '%s: what is being deserialized when the loop is left is handed out to the next one',
  async (kind) => {
    serveFetches((fetchOffset) => (fetchOffset === 0 ? [batch(0, 0, ['a', 'b'])] : []))
    const { promise: isAsked, resolve: asked } = Promise.withResolvers<void>()
    const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<void>()
    const value = {
      deserialize: async (bytes: Buffer) => {
        asked()
        await mayGoOn
        return String(bytes)
      },
    }
    const key = { deserialize: String }
    await using slow = new Consumer<string, string>({ bootstrap: `127.0.0.1:${fake.port}`, serdes: { key, value } })
    await slow.assign([{ topic, partition: 0, offset: 0 }])
    const left = slow[kind]()
    const next = left.next()
    await isAsked
    await left.return?.()
    goOn()
    expect(await next).toEqual({ done: true, value: undefined })
    const values: string[] = []
    for await (const message of slow.messages()) if (values.push(message.value ?? '') === 2) break
    expect(values).toEqual(['a', 'b'])
  },
)
