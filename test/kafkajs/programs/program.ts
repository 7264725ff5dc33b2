/**
 * Programs as people write them for kafkajs, run with kafkajs itself and with `samsa/kafkajs`: what is asserted here is so
 * with both. They use nothing of a test runner, so that they also run on Node.
 */
import { AssertionError } from 'node:assert'
import assert from 'node:assert/strict'
import type * as adapter from '../../../src/kafkajs/index.ts'

export type KafkaJS = typeof adapter
export type Kafka = adapter.Kafka

export interface Setting {
  readonly kafkajs: KafkaJS
  readonly brokers: string[]
  /** Whether the brokers keep access control lists; without them they say so. */
  readonly hasAuthorizer: boolean
  /** A name that no other program has. */
  name(kind: string): string
}

export type Program = (setting: Setting) => Promise<void>
export type Programs = Readonly<Record<string, Program>>

/** Names that no other call gives, nor any other run against the same brokers. */
export function naming(): Setting['name'] {
  const run = process.pid.toString(36)
  let count = 0
  return (kind) => `${kind}-${run}-${++count}`
}

export function connect({ kafkajs, brokers }: Setting, config: Partial<adapter.KafkaConfig> = {}): Kafka {
  return new kafkajs.Kafka({
    clientId: 'program',
    brokers,
    logLevel: kafkajs.logLevel.NOTHING,
    connectionTimeout: 30_000,
    retry: { initialRetryTime: 20, retries: 5 },
    ...config,
  })
}

/** Options with which a consumer of kafkajs does not keep a test waiting. */
export const QUICK = { maxWaitTimeInMs: 50, heartbeatInterval: 50 } as const

const PATIENCE_MS = 60_000

/** Resolves when the condition holds; what makes it hold calls `changed`. */
export class Awaited {
  private waiting: (() => void)[] = []

  changed(): void {
    for (const wake of this.waiting.splice(0)) wake()
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, PATIENCE_MS)
    let isLate = false
    late.then(() => {
      isLate = true
      this.changed()
    })
    while (!holds()) {
      if (isLate) throw new AssertionError({ message: `not within ${PATIENCE_MS} ms: ${what}` })
      await new Promise<void>((wake) => this.waiting.push(wake))
    }
    clearTimeout(timer)
  }
}

/** What is read in the end: brokers of Kafka learn a moment later what the controller has answered already. */
export async function eventually<T>(read: () => Promise<T>, expected: T): Promise<void> {
  const untilMs = Date.now() + PATIENCE_MS
  for (;;) {
    try {
      assert.deepEqual(await read(), expected)
      return
    } catch (error) {
      if (Date.now() > untilMs) throw error
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

/** What a consumer has seen, to be waited for. */
export class Seen<T> extends Awaited {
  readonly items: T[] = []

  add(item: T): void {
    this.items.push(item)
    this.changed()
  }

  count(count: number): Promise<void> {
    return this.until(`${count} items, there are ${this.items.length}`, () => this.items.length >= count)
  }
}

/** What the call rejects with, or throws. */
export async function failureOf(call: () => unknown): Promise<Error & Record<string, unknown>> {
  try {
    await call()
  } catch (error) {
    return error as Error & Record<string, unknown>
  }
  throw new AssertionError({ message: 'it should have failed' })
}

export async function makeTopic(kafka: Kafka, topic: string, numPartitions = 1): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions }] })
  await admin.disconnect()
}

/** Texts, one message each, into partition 0 unless said otherwise. */
export async function produce(kafka: Kafka, topic: string, values: readonly string[], partition = 0): Promise<void> {
  const producer = kafka.producer()
  await producer.connect()
  await producer.send({ topic, messages: values.map((value) => ({ value, partition })) })
  await producer.disconnect()
}

/** What the group has committed for the topic, by partition. */
export async function committed(kafka: Kafka, groupId: string, topic: string): Promise<string[]> {
  const admin = kafka.admin()
  await admin.connect()
  const [row] = await admin.fetchOffsets({ groupId, topics: [topic] })
  await admin.disconnect()
  return row!.partitions.toSorted((one, other) => one.partition - other.partition).map(({ offset }) => offset)
}

export function numbered(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`)
}
