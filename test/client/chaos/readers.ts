/** Who reads in bad weather: groups of both protocols, a share group, and a pipeline that copies exactly once. */
import assert from 'node:assert/strict'
import { Consumer } from '../../../src/client/consumer/consumer.ts'
import type { ConsumerSettings } from '../../../src/client/consumer/options.ts'
import { ShareConsumer } from '../../../src/client/consumer/share/share-consumer.ts'
import type { MessageBatch } from '../../../src/client/consumer/streams.ts'
import { KafkaError } from '../../../src/client/errors.ts'
import { Producer } from '../../../src/client/producer/producer.ts'
import { until } from '../consumer/scenarios.ts'

export const PARTITIONS = 3
export const RETRY = { backoffMs: 5, backoffMaxMs: 100 }
export const TIMEOUT_MS = 2_000
/** Of a transaction that nobody ends any more. */
const TRANSACTION_TIMEOUT_MS = 5_000

/** By partition, the value at each offset; control records leave holes. */
export type Log = readonly (readonly string[])[]

export interface Readers {
  readonly name: string
  /** Whether all of these have been read. Rejects when one of those who read has failed. */
  hasSeen(values: ReadonlySet<string>): Promise<boolean>
  /** Once everything is read: whether what was left behind is right. */
  check(log: Log): Promise<void>
  close(): Promise<void>
}

function memberOf(
  bootstrap: string,
  groupId: string,
  groupProtocol: 'classic' | 'consumer',
  options: ConsumerSettings,
): Consumer {
  return new Consumer({
    bootstrap,
    groupId,
    groupProtocol,
    commit: 'batch',
    ...options,
    offsetReset: 'earliest',
    retry: RETRY,
    timeoutMs: TIMEOUT_MS,
    maxWaitMs: 100,
    maxBytesPerPartition: 2_000,
    sessionTimeoutMs: 4_000,
    // A join on a connection that has fallen silent is given up after it.
    rebalanceTimeoutMs: 5_000,
    heartbeatIntervalMs: 200,
    bufferBytes: 256 * 1024,
  })
}

/** Two members of a group; what both have seen. */
export class GroupReaders implements Readers {
  readonly name: string
  private readonly seen = new Set<string>()
  private readonly topic: string
  private readonly members: Consumer[]
  private readonly running: Promise<void>[]

  constructor(bootstrap: string, topic: string, groupProtocol: 'classic' | 'consumer', readCommitted = false) {
    this.name = `a ${groupProtocol} group`
    this.topic = topic
    this.members = [1, 2].map(() => memberOf(bootstrap, `${topic}-${groupProtocol}`, groupProtocol, { readCommitted }))
    this.running = this.members.map(async (member) => {
      await subscribed(() => member.subscribe(topic))
      await member.run({
        concurrency: PARTITIONS,
        eachMessage: ({ value }) => {
          assert(member.bufferedBytes <= 512 * 1024, 'more is buffered than allowed')
          this.seen.add(String(value))
        },
      })
    })
    for (const running of this.running) running.catch(() => undefined)
  }

  hasSeen(values: ReadonlySet<string>): Promise<boolean> {
    return hasSeen(this.seen, values, this.running)
  }

  /** What is committed ends where the log does. */
  async check(log: readonly (readonly string[])[]): Promise<void> {
    const places = log.map((_, partition) => ({ topic: this.topic, partition }))
    await until(`${this.name} has committed everything`, async () => {
      const committed = await this.members[0]!.committed(places).catch(() => [])
      return (
        committed.length === places.length &&
        committed.every(({ partition, offset }) => offset === log[partition]!.length)
      )
    })
  }

  async close(): Promise<void> {
    await Promise.all(this.members.map((member) => member.close()))
    await Promise.all(this.running)
  }
}

export class ShareReaders implements Readers {
  readonly name = 'a share group'
  private readonly seen = new Set<string>()
  private readonly members: ShareConsumer[]
  private readonly running: Promise<void>[]

  constructor(bootstrap: string, topic: string) {
    this.members = [1, 2].map(() => {
      return new ShareConsumer({
        bootstrap,
        groupId: `${topic}-share`,
        maxWaitMs: 100,
        maxRecords: 50,
        retry: RETRY,
        timeoutMs: TIMEOUT_MS,
      })
    })
    this.running = this.members.map(async (member) => {
      await subscribed(() => member.subscribe(topic))
      await member.run({
        concurrency: 2,
        eachMessage: ({ value }) => {
          this.seen.add(String(value))
          return undefined
        },
      })
    })
    for (const running of this.running) running.catch(() => undefined)
  }

  hasSeen(values: ReadonlySet<string>): Promise<boolean> {
    return hasSeen(this.seen, values, this.running)
  }

  async check(): Promise<void> {}

  async close(): Promise<void> {
    await Promise.all(this.members.map((member) => member.close()))
    await Promise.all(this.running)
  }
}

/** The call gives up after its timeout; an application asks again. */
async function subscribed(subscribe: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await subscribe()
    } catch (error) {
      if (!(error instanceof KafkaError) || !error.retriable) throw error
    }
  }
}

/** Rejects when one of those who read has failed. */
async function hasSeen(
  seen: ReadonlySet<string>,
  values: ReadonlySet<string>,
  running: readonly Promise<void>[],
): Promise<boolean> {
  await Promise.race([...running, new Promise<void>((resolve) => setImmediate(resolve))])
  return values.isSubsetOf(seen)
}

/** Two members that copy what they read to another topic, each batch and its offsets in one transaction. */
export class Pipeline implements Readers {
  readonly name = 'a pipeline'
  /** Transactions that had to be given up. */
  failures = 0
  private readonly output: string
  private readonly topic: string
  private readonly bootstrap: string
  private readonly members: Consumer[]
  private readonly running: Promise<void>[]
  private readonly reader: GroupReaders

  constructor(bootstrap: string, topic: string, output: string) {
    this.topic = topic
    this.output = output
    this.bootstrap = bootstrap
    this.members = [1, 2].map(() => memberOf(bootstrap, `${topic}-pipeline`, 'consumer', { commit: 'manual' }))
    this.running = this.members.map((member, index) => this.copy(member, `${topic}-${index}`))
    for (const running of this.running) running.catch(() => undefined)
    this.reader = new GroupReaders(bootstrap, output, 'consumer', true)
  }

  async hasSeen(values: ReadonlySet<string>): Promise<boolean> {
    return (await hasSeen(values, values, this.running)) && this.reader.hasSeen(values)
  }

  /** Everything was copied, and nothing twice. */
  async check(log: Log): Promise<void> {
    const consumer = new Consumer({
      bootstrap: this.bootstrap,
      readCommitted: true,
      timeoutMs: TIMEOUT_MS,
      retry: RETRY,
    })
    const places = log.map((_, partition) => ({ topic: this.output, partition }))
    const copied: string[] = []
    const ends = await consumer.endOffsets(places)
    await consumer.assign(ends.map(({ topic, partition, offset }) => ({ topic, partition, offset: 0, until: offset })))
    for await (const { value } of consumer.messages()) copied.push(String(value))
    await consumer.close()
    assert.equal(new Set(copied).size, copied.length, 'a record was copied twice')
    assert.deepEqual(new Set(copied), new Set(log.flat()))
  }

  async close(): Promise<void> {
    await Promise.all(this.members.map((member) => member.close()))
    await Promise.all(this.running)
    await this.reader.close()
  }

  private async copy(member: Consumer, transactionalId: string): Promise<void> {
    await subscribed(() => member.subscribe(this.topic))
    let producer: Producer | null = null
    for await (const batch of member.batches({ maxMessages: 50 })) {
      // Of when the batch was read: a member that has lost its partitions meanwhile must not speak for the new owner.
      const group = member.groupMetadata!
      producer ??= new Producer({
        bootstrap: this.bootstrap,
        transactionalId,
        transactionTimeoutMs: TRANSACTION_TIMEOUT_MS,
        retry: RETRY,
        requestTimeoutMs: TIMEOUT_MS,
        maxBlockMs: 4 * TIMEOUT_MS,
        deliveryTimeoutMs: 4 * TIMEOUT_MS,
      })
      try {
        await this.copyBatch(producer, batch, group)
      } catch (error) {
        assert(error instanceof KafkaError, String(error))
        this.failures += 1
        // Whether it was committed is not known; a new producer of this name ends it, and the group knows what became of it.
        await producer.close().catch(() => undefined)
        producer = null
        const { topic, partition } = batch
        const isOurs = member.assignment().some((each) => each.partition === partition)
        if (isOurs) member.seek({ topic, partition, offset: 'committed' })
      }
    }
    await producer?.close()
  }

  private async copyBatch(
    producer: Producer,
    { topic, partition, messages }: MessageBatch<Buffer, Buffer>,
    group: NonNullable<Consumer['groupMetadata']>,
  ): Promise<void> {
    await producer.transaction(async (transaction) => {
      const sent = messages.map(({ value }) => transaction.send({ topic: this.output, partition, value }))
      await Promise.all(sent)
      await transaction.sendOffsets(group, [{ topic, partition, offset: messages.at(-1)!.offset + 1 }])
    })
  }
}
