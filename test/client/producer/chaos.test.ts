/**
 * Connections cut at any byte, answers that are lost or late, brokers that refuse: whatever happens, an acknowledged record
 * is stored once, where the answer says, and records of a partition are stored in the order they were sent.
 */
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { KafkaError } from '../../../src/client/errors.ts'
import { Producer } from '../../../src/client/producer/producer.ts'
import type { RecordMetadata } from '../../../src/client/producer/record.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { ProduceRequest } from '../../../src/protocol/messages/00-produce.ts'
import { Random } from '../../support/random.ts'
import { FakeBroker } from '../fake-broker.ts'
import { serveMetadata } from '../fake-metadata.ts'
import { type ModelLog, serveLogs, type Verdict } from '../model-log.ts'

// Nothing here waits for time; a busy machine does.
setDefaultTimeout(60_000)

const PARTITIONS = 2
let fake: FakeBroker
const unhandled: unknown[] = []
const onUnhandled = (reason: unknown): void => void unhandled.push(reason)

beforeEach(() => {
  fake = new FakeBroker()
  serveMetadata(fake, { topic: 'orders', partitions: PARTITIONS })
  unhandled.length = 0
  process.on('unhandledRejection', onUnhandled)
})

afterEach(() => {
  fake.stop()
  process.off('unhandledRejection', onUnhandled)
  expect(unhandled).toEqual([])
})

function open(options: Partial<ConstructorParameters<typeof Producer>[0]> = {}): Producer {
  return new Producer({
    bootstrap: `127.0.0.1:${fake.port}`,
    retry: { backoffMs: 1, backoffMaxMs: 5 },
    requestTimeoutMs: 2_000,
    deliveryTimeoutMs: 60_000,
    ...options,
  })
}

/** Sends `count` records in bursts of random length; answers what became of each. */
async function sendAll(
  producer: Producer,
  count: number,
  random: Random,
): Promise<{ value: string; outcome: RecordMetadata | KafkaError }[]> {
  const sent: Promise<{ value: string; outcome: RecordMetadata | KafkaError }>[] = []
  for (let index = 0; index < count; index++) {
    const value = String(index)
    const partition = random.below(PARTITIONS)
    const outcome = producer.send({ topic: 'orders', value, partition }).catch((error: unknown) => {
      if (error instanceof KafkaError) return error
      throw error
    })
    sent.push(outcome.then((of) => ({ value, outcome: of })))
    if (random.chance(0.2)) await new Promise((resolve) => setImmediate(resolve))
  }
  return Promise.all(sent)
}

function checkLogs(logs: readonly ModelLog[], outcomes: Awaited<ReturnType<typeof sendAll>>): void {
  for (const { values } of logs) {
    const numbers = values.map(Number)
    expect(new Set(numbers).size).toBe(numbers.length)
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
  }
  for (const { value, outcome } of outcomes) {
    if (outcome instanceof KafkaError) expect(outcome.code).toBe('ERR_DELIVERY_TIMEOUT')
    else expect(logs[outcome.partition]?.values[outcome.offset]).toBe(value)
  }
}

const RETRIABLE = [ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.NOT_ENOUGH_REPLICAS, ErrorCode.KAFKA_STORAGE_ERROR]

function randomVerdict(random: Random): Verdict {
  const draw = random.next()
  if (draw < 0.75) return 'take'
  if (draw < 0.85) return { refuse: random.pick(RETRIABLE) }
  if (draw < 0.9) return { takeAndAnswer: ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND }
  return draw < 0.95 ? 'take and hang up' : 'hang up'
}

describe('whatever the broker does', () => {
  test.each(Array.from({ length: 12 }, (_, seed) => seed))(
    'refusals, hang-ups and lost answers, seed %i',
    async (seed) => {
      const random = new Random(seed)
      const { logs } = serveLogs(fake, PARTITIONS, () => randomVerdict(random))
      const producer = open({ batchBytes: 200 })
      const outcomes = await sendAll(producer, 300, random)
      expect(producer.bufferedBytes).toBe(0)
      await producer.close()
      expect(outcomes.every(({ outcome }) => !(outcome instanceof KafkaError))).toBe(true)
      expect(logs.flatMap(({ values }) => values)).toHaveLength(300)
      checkLogs(logs, outcomes)
    },
  )

  test.each(Array.from({ length: 8 }, (_, seed) => seed))('answers cut at any byte, seed %i', async (seed) => {
    const random = new Random(100 + seed)
    const { logs } = serveLogs(fake, PARTITIONS)
    fake.cutAnswer = (apiKey, bytes) =>
      apiKey === ProduceRequest.key && random.chance(0.3) ? random.below(bytes) : null
    const producer = open({ batchBytes: 200 })
    const outcomes = await sendAll(producer, 200, random)
    expect(producer.bufferedBytes).toBe(0)
    await producer.close()
    expect(logs.flatMap(({ values }) => values)).toHaveLength(200)
    checkLogs(logs, outcomes)
  })

  test('requests cut at every byte', async () => {
    const { logs } = serveLogs(fake, PARTITIONS)
    const producer = open()
    await producer.send({ topic: 'orders', value: '0', partition: 0 })
    for (let bytes = 1; bytes < 120; bytes++) {
      // The next connection ends after so many bytes; the one after it lives.
      fake.cutAfterInputBytes = bytes
      fake.hangUp()
      const sent = producer.send({ topic: 'orders', value: String(bytes), partition: 0 })
      const seen = fake.seen.length
      setTimeout(() => {
        fake.cutAfterInputBytes = Number.POSITIVE_INFINITY
      }, 2)
      await sent
      expect(fake.seen.length).toBeGreaterThan(seen)
    }
    await producer.close()
    expect(logs[0]!.values).toEqual(Array.from({ length: 120 }, (_, index) => String(index)))
  })

  test('an answer that never comes: the connection is given up, and the batch is stored once', async () => {
    let silent = 1
    const { logs } = serveLogs(fake, PARTITIONS, () => (silent-- > 0 ? 'take in silence' : 'take'))
    const producer = open({ requestTimeoutMs: 500 })
    const { offset } = await producer.send({ topic: 'orders', value: 'once', partition: 1 })
    expect(offset).toBe(0)
    expect(logs[1]!.values).toEqual(['once'])
    await producer.close()
  })

  test('a broker that is away for a while', async () => {
    const { logs } = serveLogs(fake, PARTITIONS)
    const producer = open()
    await producer.send({ topic: 'orders', value: '0', partition: 0 })
    fake.isRefusing = true
    fake.hangUp()
    const sent = [1, 2, 3].map((value) => producer.send({ topic: 'orders', value: String(value), partition: 0 }))
    setTimeout(() => {
      fake.isRefusing = false
    }, 100)
    await Promise.all(sent)
    expect(logs[0]!.values).toEqual(['0', '1', '2', '3'])
    await producer.close()
  })
})

describe('the end of the delivery timeout', () => {
  test('what a broker never took fails in time; what comes after it is stored', async () => {
    let refusing = true
    const { logs } = serveLogs(fake, PARTITIONS, () => (refusing ? { refuse: ErrorCode.NOT_ENOUGH_REPLICAS } : 'take'))
    const producer = open({ deliveryTimeoutMs: 200 })
    const failure = await producer.send({ topic: 'orders', value: 'never', partition: 0 }).catch((error) => error)
    expect(failure).toBeInstanceOf(KafkaError)
    expect(failure.code).toBe('ERR_DELIVERY_TIMEOUT')
    expect(failure.cause).toBeInstanceOf(KafkaError)
    refusing = false
    // On a busy machine it may take longer than so short a timeout, too.
    const later = (): Promise<unknown> => producer.send({ topic: 'orders', value: 'later', partition: 0 })
    while ((await later().catch((error: KafkaError) => error)) instanceof KafkaError);
    expect(new Set(logs[0]!.values)).toEqual(new Set(['later']))
    await producer.close()
  })

  test('a gap that a failed batch left is closed by a new epoch', async () => {
    // Batch A is refused for good after it had a sequence. B follows it, so the broker finds a gap before B.
    const { logs, batches } = serveLogs(fake, PARTITIONS, ({ values }) =>
      values[0] === 'A' ? { refuse: ErrorCode.INVALID_RECORD } : 'take',
    )
    const producer = open()
    await producer.send({ topic: 'orders', value: 'first', partition: 0 })
    const failure = await producer.send({ topic: 'orders', value: 'A', partition: 0 }).catch((error) => error)
    expect(failure.code).toBe('INVALID_RECORD')
    await Promise.all(['B', 'C'].map((value) => producer.send({ topic: 'orders', value, partition: 0 })))
    expect(logs[0]!.values).toEqual(['first', 'B', 'C'])
    expect(batches.at(-1)).toMatchObject({ producerEpoch: 1, baseSequence: 0 })
    await producer.close()
  })

  test('a log that lost its producers is written to again', async () => {
    const { logs } = serveLogs(fake, PARTITIONS)
    const producer = open()
    for (let index = 0; index < 20; index++) {
      await producer.send({ topic: 'orders', value: String(index), partition: 0 })
      if (index % 5 === 4) logs[0]!.forgetProducers()
    }
    expect(logs[0]!.values).toEqual(Array.from({ length: 20 }, (_, index) => String(index)))
    await producer.close()
  })
})
