/**
 * What a consumer must do against any broker: run against Samsa and a real Kafka, on Bun and on Node. Each scenario uses topics and
 * groups of its own, so that they can share a broker. They wait for conditions, never for time.
 */
import assert from 'node:assert/strict'
import { parseBootstrap } from '../../../src/client/address.ts'
import { Admin } from '../../../src/client/admin/admin.ts'
import { createTopics } from '../../../src/client/admin/topics.ts'
import { Cluster } from '../../../src/client/cluster.ts'
import { Consumer } from '../../../src/client/consumer/consumer.ts'
import type { ConsumerOptions } from '../../../src/client/consumer/consumer-options.ts'
import type { Message } from '../../../src/client/consumer/message.ts'
import { KafkaError } from '../../../src/client/errors.ts'
import { Producer } from '../../../src/client/producer/producer.ts'
import { sleep } from '../../../src/client/retry.ts'
import { jsonSerde, stringSerde } from '../../../src/client/serdes/basic.ts'
import { ApiKey } from '../../../src/protocol/api-keys.ts'

export interface Bench {
  readonly bootstrap: string
}

export interface Scenario {
  readonly name: string
  readonly run: (bench: Bench) => Promise<void>
  /** Brokers look for topics that match an expression only every ten seconds. */
  readonly slow?: true
}

/** Long, for machines that are busy with much else. */
const WAIT_MS = 150_000
const POLL_MS = 10
let topicNumber = 0

/** Unlike what a test before, or another run against the same broker, used. */
export function uniqueName(prefix: string): string {
  topicNumber += 1
  return `${prefix}-${process.pid}-${topicNumber}-${Math.trunc(performance.now())}`
}

export async function until(what: string, holds: () => boolean | Promise<boolean>, waitMs = WAIT_MS): Promise<void> {
  const deadlineMs = performance.now() + waitMs
  while (!(await holds())) {
    if (performance.now() > deadlineMs) throw new Error(`not in time: ${what}`)
    await sleep(POLL_MS)
  }
}

export async function withTopic(
  bench: Bench,
  partitions: number,
  configs: Readonly<Record<string, string>> = {},
  name = uniqueName('t'),
): Promise<string> {
  const bootstrap = parseBootstrap(bench.bootstrap)
  assert(typeof bootstrap !== 'string')
  const cluster = await Cluster.connect({ bootstrap })
  try {
    const rows = Object.entries(configs).map(([key, value]) => ({ key, value }))
    const [outcome] = await createTopics(cluster, [{ name, partitions, replicationFactor: 1, configs: rows }])
    assert.equal(outcome?.error ?? null, null)
    await until(`topic ${name} has leaders`, async () => {
      const topic = (await cluster.metadata([name])).topics[0]
      return (
        topic?.errorCode === 0 &&
        topic.partitions.length === partitions &&
        topic.partitions.every(({ leaderId }) => leaderId >= 0)
      )
    })
    return name
  } finally {
    await cluster.close()
  }
}

/** Values `prefix0`.. spread over the partitions by number. */
export async function produce(
  bench: Bench,
  topic: string,
  count: number,
  partitions: number,
  prefix = 'v',
): Promise<void> {
  const producer = new Producer({ bootstrap: bench.bootstrap })
  try {
    await producer.send(
      Array.from({ length: count }, (_, index) => {
        return { topic, key: `k${index}`, value: `${prefix}${index}`, partition: index % partitions }
      }),
    )
  } finally {
    await producer.close()
  }
}

const text = ({ value }: Message): string => value?.toString() ?? ''

export function consumerOf(bench: Bench, options: Partial<ConsumerOptions> & { groupId?: string }): Consumer {
  return new Consumer({
    bootstrap: bench.bootstrap,
    offsetReset: 'earliest',
    heartbeatIntervalMs: 200,
    ...options,
  } as ConsumerOptions)
}

async function take(consumer: Consumer, count: number): Promise<string[]> {
  const values: string[] = []
  for await (const message of consumer.messages()) {
    values.push(text(message))
    if (values.length === count) {
      await consumer.commit(message)
      break
    }
  }
  return values
}

function numbered(count: number, prefix = 'v'): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`).sort()
}

/** A member whose handler notes what it has seen. */
class Member {
  readonly seen: string[] = []
  readonly consumer: Consumer
  readonly running: Promise<void>

  constructor(bench: Bench, topic: string | RegExp, options: Partial<ConsumerOptions>, handlerMs = 0) {
    this.consumer = consumerOf(bench, options)
    const joined = this.consumer.subscribe(topic)
    this.running = joined.then(() =>
      this.consumer.run({
        concurrency: 4,
        eachMessage: async (message) => {
          if (handlerMs > 0) await sleep(handlerMs)
          this.seen.push(text(message))
        },
      }),
    )
    this.running.catch(() => undefined)
  }

  get partitions(): string {
    return this.consumer
      .assignment()
      .map(({ partition }) => partition)
      .sort((one, other) => one - other)
      .join(',')
  }

  async close(): Promise<void> {
    await this.consumer.close()
    await this.running
  }
}

function covered(members: readonly Member[], partitions: number): boolean {
  const all = members.flatMap(({ consumer }) => consumer.assignment())
  return all.length === partitions && new Set(all.map(({ partition }) => partition)).size === partitions
}

const PROTOCOLS = ['classic', 'consumer'] as const

const perProtocol: Scenario[] = PROTOCOLS.flatMap((groupProtocol): Scenario[] => [
  {
    name: `${groupProtocol}: what is committed is not read again`,
    async run(bench) {
      const topic = await withTopic(bench, 3)
      await produce(bench, topic, 30, 3)
      const groupId = uniqueName('g')
      const first = consumerOf(bench, { groupId, groupProtocol })
      await first.subscribe(topic)
      const one = await take(first, 12)
      await first.close()
      const second = consumerOf(bench, { groupId, groupProtocol })
      await second.subscribe(topic)
      const other = await take(second, 18)
      await second.close()
      assert.deepEqual([...one, ...other].sort(), numbered(30))
    },
  },
  {
    name: `${groupProtocol}: members come and go while records flow; none is lost, what was committed is not repeated`,
    async run(bench) {
      const partitions = 6
      const topic = await withTopic(bench, partitions)
      const options = { groupId: uniqueName('g'), groupProtocol, commit: 'batch' } as const
      const members = [new Member(bench, topic, options)]
      const all = [...members]
      const total = 600
      for (let part = 0; part < 6; part++) {
        await produce(bench, topic, total / 6, partitions, `p${part}-`)
        if (part === 1 || part === 2) {
          const member = new Member(bench, topic, options)
          members.push(member)
          all.push(member)
        }
        if (part === 4) await members.shift()!.close()
      }
      const seen = (): string[] => all.flatMap((member) => member.seen)
      await until('everything is seen', () => new Set(seen()).size === total)
      await until('the partitions are dealt out', () => covered(members, partitions))
      for (const member of members) await member.close()
      // Everybody gave up in order, so everything was committed once it was processed.
      assert.equal(seen().length, total)
    },
  },
  {
    name: `${groupProtocol}: heartbeats leave while a handler works, so it keeps its partitions`,
    async run(bench) {
      const topic = await withTopic(bench, 1)
      await produce(bench, topic, 2, 1)
      let assignments = 0
      let heartbeats = 0
      const consumer = consumerOf(bench, {
        groupId: uniqueName('g'),
        groupProtocol,
        hooks: {
          onRequest({ apiKey, error }) {
            if (error === null && (apiKey === ApiKey.Heartbeat || apiKey === ApiKey.ConsumerGroupHeartbeat))
              heartbeats += 1
          },
        },
        rebalance: {
          assigned() {
            assignments += 1
          },
        },
      })
      await consumer.subscribe(topic)
      const seen: string[] = []
      const stop = new AbortController()
      await consumer.run({
        signal: stop.signal,
        eachMessage: async (message) => {
          const before = heartbeats
          await until('several heartbeats', () => heartbeats >= before + 5)
          seen.push(text(message))
          if (seen.length === 2) stop.abort()
        },
      })
      assert.deepEqual(seen, ['v0', 'v1'])
      assert.equal(assignments, 1)
      await consumer.close()
    },
  },
  {
    name: `${groupProtocol}: a static member that comes back gets what it had, and nobody else notices`,
    async run(bench) {
      const topic = await withTopic(bench, 4)
      const groupId = uniqueName('g')
      const options = (groupInstanceId: string) => ({ groupId, groupProtocol, groupInstanceId })
      const stays = new Member(bench, topic, options('stays'))
      let goes = new Member(bench, topic, options('goes'))
      await until('both have partitions', () => covered([stays, goes], 4) && stays.partitions.length === 3)
      const before = goes.partitions
      const generation = stays.consumer.member?.generation
      await goes.close()
      goes = new Member(bench, topic, options('goes'))
      await until('it has its partitions again', () => goes.partitions === before)
      assert.equal(stays.consumer.member?.generation, generation)
      await goes.close()
      await stays.close()
    },
  },
  {
    name: `${groupProtocol}: a commit of a partition that was taken away fails, and says why`,
    async run(bench) {
      const topic = await withTopic(bench, 2)
      await produce(bench, topic, 2, 2)
      const options = { groupId: uniqueName('g'), groupProtocol, commit: 'manual' } as const
      const first = consumerOf(bench, options)
      await first.subscribe(topic)
      await until('the first has both', () => first.assignment().length === 2)
      const second = consumerOf(bench, options)
      await second.subscribe(topic)
      await until('each has one', () => first.assignment().length === 1 && second.assignment().length === 1)
      const [theirs] = second.assignment()
      await assert.rejects(first.commit([{ ...theirs!, offset: 1 }]), (error: unknown) => {
        assert(error instanceof KafkaError)
        assert.equal(error.code, 'ILLEGAL_GENERATION')
        return true
      })
      await second.commit([{ ...theirs!, offset: 1 }])
      assert.deepEqual(
        (await second.committed([theirs!])).map(({ offset }) => offset),
        [1],
      )
      await first.close()
      await second.close()
    },
  },
  {
    name: `${groupProtocol}: an expression finds topics that are there, and one that comes later`,
    ...(groupProtocol === 'consumer' ? { slow: true } : {}),
    async run(bench) {
      const prefix = uniqueName('rx')
      await withTopic(bench, 1, {}, `${prefix}-a`)
      await withTopic(bench, 1, {}, `other-${prefix}`)
      const member = new Member(bench, new RegExp(`^${prefix}-[ab]$`), {
        groupId: uniqueName('g'),
        groupProtocol,
        topicsRefreshMs: 200,
      })
      const topics = (): string[] => member.consumer.assignment().map(({ topic }) => topic)
      await until('the first topic', () => topics().join() === `${prefix}-a`)
      await withTopic(bench, 1, {}, `${prefix}-b`)
      await until('the second one, too', () => topics().sort().join() === `${prefix}-a,${prefix}-b`)
      await member.close()
    },
  },
])

const reading: Scenario[] = [
  {
    name: 'partitions by hand: from an offset, up to an offset, from a time',
    async run(bench) {
      // Records of 1970 are too old for every broker that looks.
      const topic = await withTopic(bench, 2, { 'retention.ms': '-1' })
      const producer = new Producer({ bootstrap: bench.bootstrap })
      for (let index = 0; index < 10; index++) {
        await producer.send({ topic, partition: index % 2, value: `v${index}`, timestamp: 1_000 + index })
      }
      await producer.close()
      const consumer = consumerOf(bench, {})
      await consumer.assign([
        { topic, partition: 0, offset: 1, until: 3 },
        { topic, partition: 1, offset: { timestamp: 1_006 }, until: 5 },
      ])
      const values: string[] = []
      for await (const message of consumer.messages()) values.push(text(message))
      assert.deepEqual(values.sort(), ['v2', 'v4', 'v7', 'v9'])
      const found = await consumer.offsetsForTimes(1_005)
      assert.deepEqual(
        found.map(({ offset, recordTimestamp }) => [offset, recordTimestamp]),
        [
          [3, 1_006],
          [2, 1_005],
        ],
      )
      const ends = await consumer.endOffsets()
      assert.deepEqual(
        ends.map(({ offset }) => offset),
        [5, 5],
      )
      assert.deepEqual(
        (await consumer.beginningOffsets()).map(({ offset }) => offset),
        [0, 0],
      )
      await consumer.close()
    },
  },
  {
    name: 'seek goes back and forth; position and lag follow',
    async run(bench) {
      const topic = await withTopic(bench, 1)
      await produce(bench, topic, 10, 1)
      const consumer = consumerOf(bench, {})
      const place = { topic, partition: 0 }
      await consumer.assign([{ ...place, offset: 'earliest' }])
      const values: string[] = []
      for await (const message of consumer.messages()) {
        values.push(text(message))
        if (values.length === 3) consumer.seek({ ...place, offset: 8 })
        if (values.length === 5) consumer.seek({ ...place, offset: 0 })
        if (values.length === 6) break
      }
      assert.deepEqual(values, ['v0', 'v1', 'v2', 'v8', 'v9', 'v0'])
      assert.equal(consumer.position(place), 1)
      assert.equal(consumer.lag(place), 9)
      await consumer.close()
    },
  },
  {
    name: 'a paused partition is neither handed out nor fetched; the others go on',
    async run(bench) {
      const topic = await withTopic(bench, 2)
      const consumer = consumerOf(bench, { maxWaitMs: 50 })
      await consumer.assign([
        { topic, partition: 0, offset: 'earliest' },
        { topic, partition: 1, offset: 'earliest' },
      ])
      const seen: string[] = []
      const running = consumer.run({ eachMessage: (message) => void seen.push(text(message)) })
      consumer.pause([{ topic, partition: 0 }])
      await produce(bench, topic, 20, 2)
      await until('the other partition is read', () => seen.length === 10)
      assert.equal(consumer.position({ topic, partition: 0 }), 0)
      assert.equal(consumer.bufferedBytes, 0)
      assert.deepEqual(consumer.paused(), [{ topic, partition: 0 }])
      consumer.resume()
      await until('everything is read', () => seen.length === 20)
      await consumer.close()
      await running
    },
  },
  {
    name: 'one partition in order, several partitions at once, never more than asked for',
    async run(bench) {
      const partitions = 5
      const topic = await withTopic(bench, partitions)
      await produce(bench, topic, 100, partitions)
      const consumer = consumerOf(bench, {})
      await consumer.assign(
        Array.from({ length: partitions }, (_, partition) => ({ topic, partition, offset: 0, until: 20 })),
      )
      const byPartition = new Map<number, number[]>()
      let running = 0
      let most = 0
      const busy = new Set<number>()
      await consumer.run({
        concurrency: 3,
        eachMessage: async ({ partition, offset }) => {
          assert(!busy.has(partition), 'two handlers in one partition')
          busy.add(partition)
          running += 1
          most = Math.max(most, running)
          await sleep(2)
          byPartition.set(partition, [...(byPartition.get(partition) ?? []), offset])
          running -= 1
          busy.delete(partition)
        },
      })
      assert(most === 2 || most === 3, `${most} handlers at once`)
      const inOrder = Array.from({ length: 20 }, (_, offset) => offset)
      for (let partition = 0; partition < partitions; partition++) assert.deepEqual(byPartition.get(partition), inOrder)
      await consumer.close()
    },
  },
  {
    name: 'read_committed sees neither aborted nor open transactions; otherwise all is seen',
    async run(bench) {
      const topic = await withTopic(bench, 1)
      const producer = new Producer({ bootstrap: bench.bootstrap, transactionalId: uniqueName('x') })
      const write = async (values: readonly string[], fail: boolean): Promise<void> => {
        await producer
          .transaction(async (transaction) => {
            for (const value of values) await transaction.send({ topic, partition: 0, value })
            if (fail) throw new Error('no')
          })
          .catch((error: unknown) => assert.equal((error as Error).message, 'no'))
      }
      await write(['a', 'b'], false)
      await write(['c', 'd'], true)
      await write(['e'], false)
      await write(['f'], true)
      await producer.close()
      await produce(bench, topic, 1, 1, 'plain')
      const read = async (readCommitted: boolean, count: number): Promise<string[]> => {
        const consumer = consumerOf(bench, { readCommitted })
        await consumer.assign([{ topic, partition: 0, offset: 'earliest' }])
        const values: string[] = []
        for await (const message of consumer.messages()) {
          values.push(text(message))
          if (values.length === count) break
        }
        await consumer.close()
        return values
      }
      assert.deepEqual(await read(true, 4), ['a', 'b', 'e', 'plain0'])
      assert.deepEqual(await read(false, 7), ['a', 'b', 'c', 'd', 'e', 'f', 'plain0'])
    },
  },
  {
    name: 'every codec, in batches as they were fetched',
    async run(bench) {
      const topic = await withTopic(bench, 1)
      for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
        const producer = new Producer({ bootstrap: bench.bootstrap, compression })
        await producer.send(
          Array.from({ length: 50 }, (_, index) => ({
            topic,
            value: `${compression} ${index} ${'x'.repeat(200)}`,
            headers: { codec: compression },
          })),
        )
        await producer.close()
      }
      const consumer = consumerOf(bench, {})
      await consumer.assign([{ topic, partition: 0, offset: 0, until: 250 }])
      const codecs: string[] = []
      for await (const batch of consumer.batches({ maxMessages: 40 })) {
        assert(batch.messages.length <= 40)
        for (const message of batch.messages) {
          assert(text(message).startsWith(`${message.header('codec')?.toString()} `))
          codecs.push(message.headers[0]!.value!.toString())
        }
      }
      assert.equal(codecs.length, 250)
      assert.deepEqual([...new Set(codecs)], ['none', 'gzip', 'snappy', 'lz4', 'zstd'])
      await consumer.close()
    },
  },
  {
    name: 'what cannot be deserialized is told, and the rest is read',
    async run(bench) {
      const topic = await withTopic(bench, 1)
      const producer = new Producer({ bootstrap: bench.bootstrap })
      for (const value of ['{"n":1}', 'not json', '{"n":3}', null]) await producer.send({ topic, key: 'k', value })
      await producer.close()
      const bad: string[] = []
      const consumer = new Consumer({
        bootstrap: bench.bootstrap,
        serdes: { value: jsonSerde<{ n: number }>(), key: stringSerde },
        onDeserializeError: ({ rawValue, offset }, error) =>
          void bad.push(`${offset} ${rawValue?.toString()} ${error.code}`),
      })
      await consumer.assign([{ topic, partition: 0, offset: 0, until: 4 }])
      const seen: (number | null)[] = []
      for await (const { key, value } of consumer.messages()) {
        assert.equal(key, 'k')
        seen.push(value === null ? null : value.n)
      }
      assert.deepEqual(seen, [1, 3, null])
      assert.deepEqual(bad, ['1 not json ERR_SERIALIZATION'])
      await consumer.close()
    },
  },
  {
    name: 'buffers stay within their bounds, and a full partition does not starve the others',
    async run(bench) {
      const topic = await withTopic(bench, 2)
      const producer = new Producer({ bootstrap: bench.bootstrap })
      const value = Buffer.alloc(10_000)
      for (let round = 0; round < 20; round++) {
        await producer.send(Array.from({ length: 20 }, () => ({ topic, partition: 0, value })))
      }
      const consumer = consumerOf(bench, {
        bufferBytes: 600_000,
        bufferBytesPerPartition: 200_000,
        maxBytesPerPartition: 200_000,
        maxWaitMs: 100,
      })
      await consumer.assign([
        { topic, partition: 0, offset: 0 },
        { topic, partition: 1, offset: 0 },
      ])
      let most = 0
      let hot = 0
      let other = 0
      const stop = new AbortController()
      const running = consumer.run({
        signal: stop.signal,
        eachMessage: async ({ partition }) => {
          most = Math.max(most, consumer.bufferedBytes)
          if (partition === 0) hot += 1
          else other += 1
          if (hot === 20 && other === 0) await producer.send({ topic, partition: 1, value: 'wait for me' })
          if (hot + other === 401) stop.abort()
          else await sleep(1)
        },
      })
      await until('the other partition got its turn', () => other === 1 && hot < 400)
      await running
      await producer.close()
      await consumer.close()
      // A batch may be larger than what was asked for.
      assert(most <= 600_000 + 2 * 300_000, `${most} bytes were buffered`)
    },
  },
]

const gone: Scenario[] = [
  {
    name: 'records that were deleted are passed over with a warning, or end the reading; a seek repairs that',
    async run(bench) {
      const topic = await withTopic(bench, 1)
      await produce(bench, topic, 10, 1)
      const place = { topic, partition: 0 }
      const admin = new Admin({ bootstrap: bench.bootstrap })
      await admin.deleteRecords([{ ...place, offset: 6 }])
      await admin.close()
      const warnings: string[] = []
      const lenient = consumerOf(bench, { onWarning: ({ message }) => void warnings.push(message) })
      await lenient.assign([{ ...place, offset: 2, until: 10 }])
      const offsets: number[] = []
      for await (const { offset } of lenient.messages()) offsets.push(offset)
      assert.deepEqual(offsets, [6, 7, 8, 9])
      assert.deepEqual(warnings, [`${topic}-0: records 2 to 5 were deleted before they were read`])
      await lenient.close()
      const strict = consumerOf(bench, { offsetReset: 'none' })
      await strict.assign([{ ...place, offset: 2, until: 10 }])
      await assert.rejects(strict.messages().next(), { code: 'ERR_NO_OFFSET' })
      strict.seek({ ...place, offset: 9 })
      for await (const { offset } of strict.messages()) offsets.push(offset)
      assert.deepEqual(offsets, [6, 7, 8, 9, 9])
      await strict.close()
    },
  },
]

export const SCENARIOS: readonly Scenario[] = [...perProtocol, ...reading, ...gone]
