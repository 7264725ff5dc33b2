/** What a member does when its group, or the group's coordinator, does not behave as it hoped. */
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { EmbeddedBroker } from '../../../src/broker/embedded/broker.ts'
import type { Consumer } from '../../../src/client/consumer/consumer.ts'
import { KafkaError } from '../../../src/client/errors.ts'
import { FaultyProxy } from '../faulty-proxy.ts'
import { consumerOf, produce, uniqueName, until, withTopic } from './scenarios.ts'

// Nothing here waits for time; a busy machine does.
setDefaultTimeout(120_000)

let broker: EmbeddedBroker
const consumers: Consumer[] = []

beforeEach(async () => {
  broker = await EmbeddedBroker.start({
    config: { 'group.consumer.min.heartbeat.interval.ms': '100', 'group.consumer.heartbeat.interval.ms': '100' },
  })
})

afterEach(async () => {
  for (const consumer of consumers.splice(0)) await consumer.close()
  await broker.stop()
})

function open(options: Parameters<typeof consumerOf>[1]): Consumer {
  const consumer = consumerOf(broker, options)
  consumers.push(consumer)
  return consumer
}

describe('a group that does not take the new protocol', () => {
  test.each(['names', 'an expression'] as const)(
    'is joined with the classic one, and that is told: %s',
    async (kind) => {
      broker.inject({ api: 'ConsumerGroupHeartbeat', error: 'GROUP_ID_NOT_FOUND' })
      const topic = await withTopic(broker, 2)
      await produce(broker, topic, 4, 2)
      const warnings: KafkaError[] = []
      const groupId = uniqueName('g')
      const consumer = open({ groupId, onWarning: (error) => void warnings.push(error) })
      await consumer.subscribe(kind === 'names' ? topic : new RegExp(`^${topic}$`))
      let seen = 0
      for await (const _ of consumer.messages()) if (++seen === 4) break
      expect(consumer.member?.protocol).toBe('classic')
      expect(warnings.map(({ code }) => code)).toEqual(['GROUP_ID_NOT_FOUND'])
      expect(warnings[0]!.message).toStartWith(`group '${groupId}' is joined with the classic protocol: `)
    },
  )

  test('is an error for a consumer that insists', async () => {
    broker.inject({ api: 'ConsumerGroupHeartbeat', error: 'GROUP_ID_NOT_FOUND' })
    const consumer = open({ groupId: uniqueName('g'), groupProtocol: 'consumer' })
    await consumer.subscribe(await withTopic(broker, 1))
    await expect(consumer.messages().next()).rejects.toMatchObject({ code: 'GROUP_ID_NOT_FOUND' })
  })
})

describe.each([
  ['classic', 'Heartbeat', 'ILLEGAL_GENERATION'],
  ['consumer', 'ConsumerGroupHeartbeat', 'UNKNOWN_MEMBER_ID'],
] as const)('a %s member that the group has given up', (groupProtocol, api, error) => {
  test('a commit while it lets go fails at once instead of waiting for itself, and it joins again', async () => {
    const topic = await withTopic(broker, 1)
    const failures: unknown[] = []
    let losses = 0
    const consumer = open({
      groupId: uniqueName('g'),
      groupProtocol,
      heartbeatIntervalMs: 20,
      commit: 'manual',
      rebalance: {
        async lost(partitions) {
          losses += 1
          await consumer
            .commit(partitions.map((each) => ({ ...each, offset: 1 })))
            .catch((error) => failures.push(error))
        },
      },
    })
    await consumer.subscribe(topic)
    await until('it has its partition', () => consumer.assignment().length === 1)
    broker.inject({ api, error, times: 1 })
    await until('it has lost it', () => losses === 1)
    await until('and has it again', () => consumer.assignment().length === 1)
    expect(failures).toHaveLength(1)
    expect(failures[0]).toMatchObject({ code: 'ILLEGAL_GENERATION' })
    const place = { topic, partition: 0 }
    await consumer.commit([{ ...place, offset: 3 }])
    expect(await consumer.committed([place])).toMatchObject([{ offset: 3 }])
  })

  test('a listener that throws ends the reading with its error, and the consumer closes', async () => {
    const topic = await withTopic(broker, 1)
    const consumer = open({
      groupId: uniqueName('g'),
      groupProtocol,
      heartbeatIntervalMs: 20,
      rebalance: {
        async lost() {
          await Promise.resolve()
          throw new Error('not prepared for that')
        },
      },
    })
    await consumer.subscribe(topic)
    await until('it has its partition', () => consumer.assignment().length === 1)
    const reading = consumer.messages().next()
    broker.inject({ api, error, times: 1 })
    await expect(reading).rejects.toThrow('not prepared for that')
    await consumer.close()
  })

  test('a member that is fenced for good says so and closes at once', async () => {
    const topic = await withTopic(broker, 1)
    const consumer = open({ groupId: uniqueName('g'), groupProtocol, groupInstanceId: 'one', heartbeatIntervalMs: 20 })
    await consumer.subscribe(topic)
    await until('it has its partition', () => consumer.assignment().length === 1)
    broker.inject({ api, error: 'FENCED_INSTANCE_ID' })
    const failure = await consumer
      .messages()
      .next()
      .catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(KafkaError)
    expect((failure as KafkaError).code).toBe('FENCED_INSTANCE_ID')
    // Without a member there is nothing to leave, and nobody to wait for.
    await consumer.close({ timeoutMs: 1_000_000 })
  })
})

test('close and await using end where the broker has fallen silent', async () => {
  let isSilent = false
  const proxy = await FaultyProxy.listen(() => (isSilent ? { freezeAfterBytes: 0 } : {}))
  const silent = await EmbeddedBroker.start({
    config: { 'advertised.listeners': `PLAINTEXT://127.0.0.1:${proxy.port}` },
  })
  proxy.forwardTo(silent.port)
  try {
    const topic = await withTopic(silent, 1)
    await produce(silent, topic, 3, 1)
    const consumer = consumerOf(
      { bootstrap: `127.0.0.1:${proxy.port}` },
      { groupId: uniqueName('g'), closeTimeoutMs: 500 },
    )
    await consumer.subscribe(topic)
    expect(String((await consumer.messages().next()).value?.value)).toBe('v0')
    isSilent = true
    proxy.freezeAll()
    // A request waits for half a minute, a rebalance for five: this ends before, or the test does not.
    await consumer.close()
    await using other = consumerOf(
      { bootstrap: `127.0.0.1:${proxy.port}` },
      { groupId: uniqueName('g'), closeTimeoutMs: 500 },
    )
    other.subscribe(topic).catch(() => undefined)
  } finally {
    await proxy.close()
    await silent.stop()
  }
}, 60_000)
