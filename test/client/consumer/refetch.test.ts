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
