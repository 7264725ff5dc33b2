/** What a consumer must do at the edges, against any broker; see scenarios.ts. */
import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { Admin } from '../../../src/client/admin/admin.ts'
import type { Message } from '../../../src/client/consumer/message.ts'
import { KafkaError } from '../../../src/client/errors.ts'
import { Producer } from '../../../src/client/producer/producer.ts'
import { sleep } from '../../../src/client/retry.ts'
import { ApiKey } from '../../../src/protocol/api-keys.ts'
import { type Bench, consumerOf, produce, type Scenario, uniqueName, until, withTopic } from './scenarios.ts'

const PROTOCOLS = ['classic', 'consumer'] as const
const text = ({ value }: Message): string => value?.toString() ?? ''

/** What the call fails with. */
async function failureOf(promise: Promise<unknown>): Promise<KafkaError> {
  const failure = await promise.then(
    () => null,
    (error: unknown) => error,
  )
  assert(failure instanceof KafkaError, `${failure}`)
  return failure
}

async function withAdmin<T>(bench: Bench, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new Admin({ bootstrap: bench.bootstrap })
  try {
    return await work(admin)
  } finally {
    await admin.close()
  }
}

/** The topic of this name is deleted, and there is one with as many partitions again. */
async function recreate(bench: Bench, topic: string, partitions: number): Promise<void> {
  await withAdmin(bench, async (admin) => {
    await admin.deleteTopics([topic])
    await until(`${topic} can be made again`, async () => {
      const [outcome] = await admin.createTopics([{ name: topic, partitions, replicationFactor: 1 }])
      return outcome?.error === null
    })
  })
}

const membership: Scenario[] = PROTOCOLS.flatMap((groupProtocol): Scenario[] => [
  {
    name: `${groupProtocol}: the first message comes with the first fetch, which waits for nothing but the join`,
    async run(bench) {
      const topic = await withTopic(bench, 1)
      await produce(bench, topic, 1, 1)
      let fetches = 0
      const consumer = consumerOf(bench, {
        groupId: uniqueName('g'),
        groupProtocol,
        maxWaitMs: 20_000,
        hooks: {
          onRequest({ apiKey }) {
            if (apiKey === ApiKey.Fetch) fetches += 1
          },
        },
      })
      await consumer.subscribe(topic)
      const { value } = await consumer.messages().next()
      assert.equal(text(value!), 'v0')
      assert.equal(fetches, 1)
      await consumer.close()
    },
  },
  {
    name: `${groupProtocol}: a commit of a partition that is not the member's leaves the others of the same moment alone`,
    async run(bench) {
      const topic = await withTopic(bench, 2)
      const options = { groupId: uniqueName('g'), groupProtocol, commit: 'manual' } as const
      const first = consumerOf(bench, options)
      const second = consumerOf(bench, options)
      await first.subscribe(topic)
      await second.subscribe(topic)
      await until('each has one', () => first.assignment().length === 1 && second.assignment().length === 1)
      const [[ours], [theirs]] = [first.assignment(), second.assignment()]
      const [failed, taken] = await Promise.allSettled([
        first.commit([{ ...theirs!, offset: 5 }]),
        first.commit([{ ...ours!, offset: 7 }]),
      ])
      assert.equal(failed.status, 'rejected')
      assert.equal(taken.status, 'fulfilled')
      assert.deepEqual(
        (await first.committed([ours!, theirs!])).map(({ partition, offset }) => [partition, offset]),
        [[ours!.partition, 7]],
      )
      await first.close()
      await second.close()
    },
  },
  {
    name: `${groupProtocol}: unsubscribe gives everything up at once; subscribing again goes on where that was`,
    async run(bench) {
      const topic = await withTopic(bench, 2)
      await produce(bench, topic, 10, 2)
      const options = { groupId: uniqueName('g'), groupProtocol }
      const consumer = consumerOf(bench, options)
      const seen: string[] = []
      const running = consumer.run({ eachMessage: (message) => void seen.push(text(message)) })
      await consumer.subscribe(topic)
      await until('everything is read', () => seen.length === 10)
      await consumer.unsubscribe()
      assert.deepEqual(consumer.assignment(), [])
      const other = consumerOf(bench, options)
      await other.subscribe(topic)
      await until('another member has everything', () => other.assignment().length === 2)
      await other.close()
      await produce(bench, topic, 4, 2, 'w')
      await consumer.subscribe(topic)
      await until('the rest is read', () => seen.length === 14)
      assert.deepEqual(seen.slice(10).sort(), ['w0', 'w1', 'w2', 'w3'])
      await consumer.unsubscribe()
      await consumer.assign([{ topic, partition: 0, offset: 0 }])
      await until('and by hand', () => seen.length === 21)
      await consumer.close()
      await running
    },
  },
  {
    name: `${groupProtocol}: a topic that is deleted and made anew under a subscription is read from its beginning`,
    slow: true,
    async run(bench) {
      const topic = await withTopic(bench, 2)
      await produce(bench, topic, 20, 2, 'old')
      const consumer = consumerOf(bench, {
        groupId: uniqueName('g'),
        groupProtocol,
        commitIntervalMs: 50,
        topicsRefreshMs: 200,
      })
      const seen: string[] = []
      const running = consumer.run({ eachMessage: (message) => void seen.push(text(message)) })
      await consumer.subscribe(topic)
      await until('everything is read', () => seen.length === 20)
      await recreate(bench, topic, 2)
      // More than there was before, so that the old positions lie within it.
      await produce(bench, topic, 60, 2, 'new')
      await until('all of the new one is read', () => new Set(seen).size === 80)
      await consumer.close()
      await running
    },
  },
  {
    name: `${groupProtocol}: partitions that a topic gets later are read, with an expression, too`,
    slow: true,
    async run(bench) {
      const topic = await withTopic(bench, 1)
      const options = { groupProtocol, topicsRefreshMs: 200 }
      const named = consumerOf(bench, { ...options, groupId: uniqueName('g') })
      const matched = consumerOf(bench, { ...options, groupId: uniqueName('g') })
      await named.subscribe(topic)
      await matched.subscribe(new RegExp(`^${topic}$`))
      await until('both have the first', () => [named, matched].every((each) => each.assignment().length === 1))
      await withAdmin(bench, (admin) => admin.createPartitions([{ name: topic, count: 3 }]))
      await until('both have all', () => [named, matched].every((each) => each.assignment().length === 3))
      await named.close()
      await matched.close()
    },
  },
  {
    name: `${groupProtocol}: close ends in the middle of a join, of a fetch and of a handler, and commits what was done`,
    async run(bench) {
      const topic = await withTopic(bench, 1)
      await produce(bench, topic, 3, 1)
      const options = { groupId: uniqueName('g'), groupProtocol }
      const joining = consumerOf(bench, options)
      const joined = joining.subscribe(topic).catch(() => undefined)
      await joining.close()
      await joined
      const working = consumerOf(bench, { ...options, maxWaitMs: 30_000 })
      let handled = 0
      let isAborted = false
      const running = working.run({
        eachMessage: async (_message, { signal }) => {
          if (++handled < 3) return
          await sleep(60_000, signal).catch(() => undefined)
          isAborted = signal.aborted
        },
      })
      await working.subscribe(topic)
      await until('the last one is in hand', () => handled === 3)
      await working.close()
      await running
      assert(isAborted)
      const after = consumerOf(bench, options)
      assert.deepEqual(
        (await after.committed([{ topic, partition: 0 }])).map(({ offset }) => offset),
        [3],
      )
      await after.close()
    },
  },
])

const fencing: Scenario[] = [
  {
    name: 'classic: a static member whose place somebody else has taken is told, and does not take it back',
    async run(bench) {
      const topic = await withTopic(bench, 1)
      const options = { groupId: uniqueName('g'), groupProtocol: 'classic', groupInstanceId: 'one' } as const
      const first = consumerOf(bench, options)
      await first.subscribe(topic)
      await until('the first has the partition', () => first.assignment().length === 1)
      const reading = failureOf(first.messages().next())
      const second = consumerOf(bench, options)
      await second.subscribe(topic)
      assert.equal((await reading).code, 'FENCED_INSTANCE_ID')
      await until('the second has it', () => second.assignment().length === 1)
      await first.close()
      await second.close()
    },
  },
  {
    name: 'consumer: the place of a static member that is there is not given to another one',
    async run(bench) {
      const topic = await withTopic(bench, 1)
      const options = { groupId: uniqueName('g'), groupProtocol: 'consumer', groupInstanceId: 'one' } as const
      const first = consumerOf(bench, options)
      await first.subscribe(topic)
      await until('the first has the partition', () => first.assignment().length === 1)
      const second = consumerOf(bench, options)
      await second.subscribe(topic)
      assert.equal((await failureOf(second.messages().next())).code, 'UNRELEASED_INSTANCE_ID')
      await second.close()
      assert.equal(first.assignment().length, 1)
      await first.close()
    },
  },
]

const signals: Scenario[] = [
  {
    name: 'a signal ends whatever waits; what it ended leaves the consumer usable',
    async run(bench) {
      const topic = await withTopic(bench, 1)
      await produce(bench, topic, 1, 1)
      const consumer = consumerOf(bench, { groupId: uniqueName('g') })
      const ended = { signal: AbortSignal.abort(new Error('enough')) }
      const place = { topic, partition: 0 }
      const calls: (() => Promise<unknown>)[] = [
        () => consumer.subscribe(topic, ended),
        () => consumer.subscribe(/never/, ended),
        () => consumer.commit([{ ...place, offset: 0 }], ended),
        () => consumer.committed([place], ended),
        () => consumer.beginningOffsets([place], ended),
        () => consumer.endOffsets([place], ended),
        () => consumer.offsetsForTimes(0, [place], ended),
      ]
      for (const call of calls) {
        const { code, cause } = await failureOf(call())
        assert.equal(code, 'ERR_ABORTED')
        assert.equal((cause as Error).message, 'enough')
      }
      for await (const _ of consumer.messages(ended)) assert.fail('a loop with a signal that had fired before')
      await consumer.run({ ...ended, eachMessage: () => assert.fail('nor a handler') })
      const { signal } = new AbortController()
      await consumer.subscribe(topic, { signal })
      for await (const message of consumer.messages({ signal })) {
        assert.equal(text(message), 'v0')
        break
      }
      await consumer.commit(null, { signal })
      await consumer.committed([place], { signal })
      await consumer.endOffsets([place], { signal })
      assert.deepEqual(getEventListeners(signal, 'abort'), [])
      await consumer.unsubscribe({ signal })
      await consumer.assign([{ ...place, offset: 0, until: 1 }], { signal })
      await consumer.run({ signal, eachMessage: () => undefined })
      assert.deepEqual(getEventListeners(signal, 'abort'), [])
      await consumer.close()
    },
  },
]

const positions: Scenario[] = [
  {
    name: 'seek and pause inside a handler, also to an end and to a time: nothing from before is handed out after them',
    async run(bench) {
      const topic = await withTopic(bench, 1, { 'retention.ms': '-1' })
      const producer = new Producer({ bootstrap: bench.bootstrap })
      await producer.send(
        Array.from({ length: 10 }, (_, index) => ({
          topic,
          partition: 0,
          value: `v${index}`,
          timestamp: 1_000 + index,
        })),
      )
      await producer.close()
      const place = { topic, partition: 0 }
      const consumer = consumerOf(bench, {})
      await consumer.assign([{ ...place, offset: 0 }])
      const seen: string[] = []
      const stop = new AbortController()
      await consumer.run({
        signal: stop.signal,
        eachMessage(message) {
          seen.push(text(message))
          if (seen.length === 2) consumer.seek({ ...place, offset: { timestamp: 1_007 } })
          if (seen.length === 3) consumer.seek({ ...place, offset: 'earliest' })
          if (seen.length === 4) {
            consumer.pause()
            setTimeout(() => consumer.resume(), 20)
          }
          if (seen.length === 6) stop.abort()
        },
      })
      assert.deepEqual(seen, ['v0', 'v1', 'v7', 'v0', 'v1', 'v2'])
      await consumer.close()
    },
  },
  {
    name: 'a partition that ends in what is never handed out: the position passes it, and nothing lags',
    async run(bench) {
      const topic = await withTopic(bench, 1)
      const producer = new Producer({ bootstrap: bench.bootstrap, transactionalId: uniqueName('x') })
      const aborted = producer.transaction(async (transaction) => {
        for (let index = 0; index < 50; index++) {
          await transaction.send({ topic, partition: 0, value: `never ${index}` })
          if (index === 0) continue
        }
        throw new Error('no')
      })
      await aborted.catch(() => undefined)
      await producer.transaction((transaction) => transaction.send({ topic, partition: 0, value: 'seen' }))
      await producer.transaction((transaction) => transaction.send({ topic, partition: 0, value: 'last' }))
      await producer.close()
      const place = { topic, partition: 0 }
      const groupId = uniqueName('g')
      // So little at a time that the aborted transaction lies in many answers.
      const consumer = consumerOf(bench, { groupId, readCommitted: true, maxBytesPerPartition: 200, maxBytes: 200 })
      await consumer.assign([{ ...place, offset: 0 }])
      const seen: string[] = []
      const running = consumer.run({ eachMessage: (message) => void seen.push(text(message)) })
      const [end] = await consumer.endOffsets([place])
      await until('the position is at the end', () => consumer.position(place) === end!.offset)
      assert.deepEqual(seen, ['seen', 'last'])
      assert.equal(consumer.lag(place), 0)
      assert.deepEqual(consumer.lags(), [{ groupId, ...place, lag: 0 }])
      await consumer.commit()
      assert.equal((await consumer.committed([place]))[0]!.offset, end!.offset)
      await consumer.close()
      await running
    },
  },
  {
    name: 'a message larger than everything that may be fetched or buffered is read all the same',
    async run(bench) {
      const topic = await withTopic(bench, 2)
      const producer = new Producer({ bootstrap: bench.bootstrap })
      for (const partition of [0, 1, 0, 1])
        await producer.send({ topic, partition, value: Buffer.alloc(300_000, partition) })
      await producer.close()
      const tiny = { maxBytes: 1_000, maxBytesPerPartition: 1_000, bufferBytes: 1_000, bufferBytesPerPartition: 1_000 }
      const consumer = consumerOf(bench, tiny)
      await consumer.assign([0, 1].map((partition) => ({ topic, partition, offset: 0, until: 2 })))
      let bytes = 0
      for await (const { value } of consumer.messages()) bytes += value!.length
      assert.equal(bytes, 1_200_000)
      await consumer.close()
    },
  },
  {
    name: 'without a committed offset reading begins at so long ago',
    async run(bench) {
      const topic = await withTopic(bench, 1, { 'retention.ms': '-1' })
      const producer = new Producer({ bootstrap: bench.bootstrap })
      const nowMs = Date.now()
      for (const agoMs of [7_200_000, 5_400_000, 1_800_000, 0]) {
        await producer.send({ topic, partition: 0, value: `${agoMs}`, timestamp: nowMs - agoMs })
      }
      await producer.close()
      const consumer = consumerOf(bench, { groupId: uniqueName('g'), offsetReset: { agoMs: 3_600_000 } })
      await consumer.subscribe(topic)
      assert.equal(text((await consumer.messages().next()).value!), '1800000')
      await consumer.close()
    },
  },
]

const wire: Scenario[] = [
  {
    name: 'of a paused partition not a byte is fetched',
    async run(bench) {
      const topic = await withTopic(bench, 1)
      await produce(bench, topic, 5, 1)
      let fetched = 0
      const consumer = consumerOf(bench, {
        maxWaitMs: 50,
        hooks: {
          onRequest({ apiKey }) {
            if (apiKey === ApiKey.Fetch) fetched += 1
          },
        },
      })
      await consumer.assign([{ topic, partition: 0, offset: 0 }])
      const seen: string[] = []
      const running = consumer.run({ eachMessage: (message) => void seen.push(text(message)) })
      await until('it is read', () => seen.length === 5)
      consumer.pause()
      // The fetch that was under way ends within its long poll; after it there is none.
      let before = -1
      await until('the last fetch is answered', async () => {
        const same = before === fetched
        before = fetched
        await sleep(200)
        return same && before === fetched
      })
      await produce(bench, topic, 5, 1, 'w')
      await sleep(300)
      assert.equal(fetched, before)
      assert.equal(consumer.bufferedBytes, 0)
      consumer.resume()
      await until('it goes on', () => seen.length === 10)
      await consumer.close()
      await running
    },
  },
]

export const EDGE_SCENARIOS: readonly Scenario[] = [...membership, ...fencing, ...signals, ...positions, ...wire]
