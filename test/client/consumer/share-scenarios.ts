/** What a share consumer must do against any broker; run against Samsa and a real Kafka. */
import assert from 'node:assert/strict'
import { parseBootstrap } from '../../../src/client/address.ts'
import { alterConfigs } from '../../../src/client/admin/configs.ts'
import { Cluster } from '../../../src/client/cluster.ts'
import { ShareConsumer, type ShareConsumerOptions } from '../../../src/client/consumer/share/share-consumer.ts'
import { type Bench, produce, type Scenario, uniqueName, until, withTopic } from './scenarios.ts'

/** A group that begins with what is there already. */
async function shareGroup(bench: Bench): Promise<string> {
  const groupId = uniqueName('s')
  const bootstrap = parseBootstrap(bench.bootstrap)
  assert(typeof bootstrap !== 'string')
  const cluster = await Cluster.connect({ bootstrap })
  const change = { name: 'share.auto.offset.reset', operation: 'set', value: 'earliest' } as const
  const [outcome] = await alterConfigs(cluster, [{ type: 'group', name: groupId, changes: [change] }])
  await cluster.close()
  assert.equal(outcome?.error ?? null, null)
  return groupId
}

function memberOf(bench: Bench, groupId: string, options: Partial<ShareConsumerOptions> = {}): ShareConsumer {
  return new ShareConsumer({ bootstrap: bench.bootstrap, groupId, maxWaitMs: 100, ...options } as ShareConsumerOptions)
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `v${index}`).sort()
}

export const SHARE_SCENARIOS: readonly Scenario[] = [
  {
    name: 'members of a share group take each record once, from the same partition',
    async run(bench) {
      const topic = await withTopic(bench, 1)
      const groupId = await shareGroup(bench)
      const members = [1, 2].map(() => memberOf(bench, groupId, { maxRecords: 10 }))
      const seen: string[][] = [[], []]
      const running = members.map(async (member, index) => {
        await member.subscribe(topic)
        await member.run({
          concurrency: 2,
          eachMessage: ({ value, deliveryCount }) => {
            assert.equal(deliveryCount, 1)
            seen[index]!.push(String(value))
            return undefined
          },
        })
      })
      await until('both have joined', () => members.every((member) => member.assignment().length === 1))
      await produce(bench, topic, 200, 1)
      await until('everything is taken', () => seen.flat().length >= 200)
      await Promise.all(members.map((member) => member.close()))
      await Promise.all(running)
      assert.deepEqual(seen.flat().sort(), numbered(200))
    },
  },
  {
    name: 'what is released comes again, what is rejected does not, what is renewed stays',
    async run(bench) {
      const topic = await withTopic(bench, 1)
      const groupId = await shareGroup(bench)
      await produce(bench, topic, 4, 1)
      await using member = memberOf(bench, groupId, { acknowledgement: 'explicit' })
      await member.subscribe(topic)
      const seen: string[] = []
      for await (const message of member.messages()) {
        const { value, deliveryCount } = message
        seen.push(`${value} ${deliveryCount}`)
        if (String(value) === 'v1' && deliveryCount < 3) member.acknowledge(message, 'release')
        else if (String(value) === 'v2') member.acknowledge(message, 'reject')
        else {
          if (String(value) === 'v3') {
            member.acknowledge(message, 'renew')
            await member.commit()
          }
          member.acknowledge(message, 'accept')
        }
        if (seen.length === 6) break
      }
      await member.commit()
      assert.deepEqual(seen.sort(), ['v0 1', 'v1 1', 'v1 2', 'v1 3', 'v2 1', 'v3 1'])
    },
  },
  {
    name: 'in batches: the next one accepts the one before, but for what was acknowledged by itself; leaving releases',
    async run(bench) {
      const topic = await withTopic(bench, 2)
      const groupId = await shareGroup(bench)
      await produce(bench, topic, 20, 2)
      await using member = memberOf(bench, groupId)
      await member.subscribe(topic)
      const seen = new Map<string, number>()
      let left: readonly string[] = []
      for await (const { topic: name, partition, messages } of member.batches({ maxMessages: 4 })) {
        assert(messages.length >= 1 && messages.length <= 4)
        assert(messages.every((each) => each.topic === name && each.partition === partition))
        for (const { value } of messages) seen.set(String(value), (seen.get(String(value)) ?? 0) + 1)
        if (seen.size === 20) {
          left = messages.map(({ value }) => String(value))
          break
        }
        // One of each batch comes again, and is accepted with the batch that it is in then.
        const [first] = messages
        if (first?.deliveryCount === 1) member.acknowledge(first, 'release')
      }
      await member.commit()
      const ended = new AbortController()
      for await (const { messages } of member.batches({ signal: ended.signal })) {
        for (const { value } of messages) seen.set(String(value), (seen.get(String(value)) ?? 0) + 1)
        if (left.every((value) => (seen.get(value) ?? 0) > 1)) ended.abort()
      }
      assert.deepEqual([...seen.keys()].sort(), numbered(20))
    },
  },
  {
    name: 'a signal ends whatever waits, and a listener is left nowhere',
    async run(bench) {
      const topic = await withTopic(bench, 1)
      const groupId = await shareGroup(bench)
      await using member = memberOf(bench, groupId)
      const over = { signal: AbortSignal.abort(new Error('enough')) }
      await assert.rejects(member.subscribe(topic, over), { code: 'ERR_ABORTED' })
      await assert.rejects(member.commit(over), { code: 'ERR_ABORTED' })
      for await (const _ of member.messages(over)) assert.fail('a loop with a signal that had fired before')
      await member.run({ ...over, eachMessage: () => assert.fail('nor a handler') })
      await member.subscribe(topic)
      const later = new AbortController()
      const loop = (async () => {
        for await (const _ of member.messages(later)) assert.fail('there is nothing')
      })()
      later.abort()
      await loop
    },
  },
  {
    name: 'what a member has in hand when it closes goes to another one',
    async run(bench) {
      const topic = await withTopic(bench, 2)
      const groupId = await shareGroup(bench)
      await produce(bench, topic, 20, 2)
      const first = memberOf(bench, groupId)
      await first.subscribe(topic)
      const accepted: string[] = []
      for await (const { value } of first.messages()) {
        if (accepted.length === 5) break
        accepted.push(String(value))
      }
      await first.close()
      const second = memberOf(bench, groupId)
      await second.subscribe(topic)
      const others: string[] = []
      for await (const { value } of second.messages()) {
        others.push(String(value))
        if (others.length === 15) second.close().catch(() => undefined)
      }
      await second.close()
      assert.deepEqual([...accepted, ...others].sort(), numbered(20))
    },
  },
]
