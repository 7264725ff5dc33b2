// Groups that change between the classic and the consumer protocol while their members run.
import { OffsetCommitRequest, OffsetCommitResponse } from '../../src/protocol/messages/08-offset-commit.ts'
import { OffsetFetchRequest, OffsetFetchResponse } from '../../src/protocol/messages/09-offset-fetch.ts'
import type { DifferentialBroker } from './broker.ts'
import type { CaseGroup, DifferentialCase } from './case.ts'
import { prepareConsumerTopics, TOPIC } from './cases-consumer-groups.ts'
import { ConsumerClient, describeConsumers, settled } from './consumer-group-helpers.ts'
import { describeGroup, Participant, subscription } from './group-helpers.ts'

function story(name: string, tell: (broker: DifferentialBroker) => Promise<unknown>): DifferentialCase {
  return { name, ask: tell }
}

const PROTOCOLS = { protocols: [{ name: 'range', metadata: subscription(TOPIC) }] }

/** A consumer protocol assignment, version 0. */
function assignment(topic: string, ...partitions: number[]): Buffer {
  const name = Buffer.from(topic)
  const bytes = Buffer.alloc(2 + 4 + 2 + name.length + 4 + 4 * partitions.length + 4)
  let at = bytes.writeInt32BE(1, 2)
  at = bytes.writeInt16BE(name.length, at)
  at += name.copy(bytes, at)
  at = bytes.writeInt32BE(partitions.length, at)
  for (const partition of partitions) at = bytes.writeInt32BE(partition, at)
  bytes.writeInt32BE(-1, at)
  return bytes
}

/** A stable classic group of one member that has all partitions. */
async function classicGroup(
  broker: DifferentialBroker,
  groupId: string,
  instanceId: string | null = null,
): Promise<Participant> {
  const member = new Participant(broker, groupId, 'classic', instanceId)
  await member.join(PROTOCOLS)
  const assigned = [{ memberId: member.memberId, assignment: assignment(TOPIC, 0, 1, 2, 3) }]
  await member.sync([], { assignments: assigned })
  return member
}

const UPGRADE: CaseGroup = {
  api: 'Group migration: to the consumer protocol',
  prepare: prepareConsumerTopics,
  cases: [
    story('an empty group that has offsets', async (broker) => {
      const connection = await broker.connection('commits')
      const partitions = [{ partitionIndex: 1, committedOffset: 7, committedMetadata: 'kept' }]
      const topics = [{ name: TOPIC, partitions }]
      const commit = { groupId: 'kip-taken', generationIdOrMemberEpoch: -1, memberId: '', topics }
      await connection.send(OffsetCommitRequest, OffsetCommitResponse, commit, { version: 9 })
      const client = new ConsumerClient(broker, 'kip-taken', 'one')
      const joined = await client.join([TOPIC])
      const groups = [{ groupId: 'kip-taken', topics: null }]
      const fetch = { groups, requireStable: false }
      const offsets = await connection.send(OffsetFetchRequest, OffsetFetchResponse, fetch, { version: 9 })
      return [joined, offsets, await describeConsumers(broker, 'kip-taken')]
    }),
    story('a group with a classic member', async (broker) => {
      const groupId = 'kip-upgraded'
      const classic = await classicGroup(broker, groupId)
      const client = new ConsumerClient(broker, groupId, 'one')
      const told: unknown[] = [await client.join([TOPIC]), await describeConsumers(broker, groupId)]
      told.push(await describeGroup(broker, groupId), await classic.heartbeat(), await classic.sync([]))
      // It comes again, still having everything, and is told what it shall keep.
      const owning = { protocols: [{ name: 'range', metadata: owned(TOPIC, [0, 1, 2, 3]) }] }
      told.push(
        await classic.join(owning),
        await classic.sync([]),
        await describeConsumers(broker, groupId),
        await classic.heartbeat(),
      )
      const keeping = { protocols: [{ name: 'range', metadata: owned(TOPIC, [0, 1]) }] }
      told.push(await classic.join(keeping), await classic.sync([]), await classic.heartbeat())
      told.push(await client.own(), await client.own(), await describeConsumers(broker, groupId))
      return told
    }),
    story('a group of another protocol type', async (broker) => {
      const member = new Participant(broker, 'kip-connect', 'classic')
      await member.join({ protocolType: 'connect' })
      const client = new ConsumerClient(broker, 'kip-connect', 'one')
      return [await client.join([TOPIC]), (await describeGroup(broker, 'kip-connect')).groups[0]?.groupState]
    }),
    story('a group with something else than subscriptions', async (broker) => {
      const member = new Participant(broker, 'kip-odd', 'classic')
      await member.join({ protocols: [{ name: 'range', metadata: Buffer.from('odd') }] })
      const client = new ConsumerClient(broker, 'kip-odd', 'one')
      return [await client.join([TOPIC]), (await describeGroup(broker, 'kip-odd')).groups[0]?.groupState]
    }),
    story('a classic member that waits for others is sent to join again', async (broker) => {
      const groupId = 'kip-waiting'
      const one = await classicGroup(broker, groupId)
      const two = new Participant(broker, groupId, 'second')
      await two.joinOnce(PROTOCOLS)
      const waiting = two.joinOnce(PROTOCOLS)
      await broker.until(
        'it waits',
        async () => (await describeGroup(broker, groupId)).groups[0]?.groupState === 'PreparingRebalance',
      )
      const client = new ConsumerClient(broker, groupId, 'one')
      const joined = await client.join([TOPIC])
      return [
        joined,
        (await waiting).errorCode,
        await one.heartbeat(),
        (await describeConsumers(broker, groupId))[0]?.members.length,
      ]
    }),
  ],
}

/** A consumer protocol subscription, version 1, with what the member has. */
function owned(topic: string, partitions: number[]): Buffer {
  const base = subscription(topic)
  base.writeInt16BE(1)
  // Without the version and the missing user data, a list of topics with partitions is what an assignment is.
  return Buffer.concat([base, assignment(topic, ...partitions).subarray(2, -4)])
}

const DOWNGRADE: CaseGroup = {
  api: 'Group migration: to the classic protocol',
  prepare: prepareConsumerTopics,
  cases: [
    story('a consumer group without members', async (broker) => {
      const client = new ConsumerClient(broker, 'kip-left', 'one')
      await client.join([TOPIC])
      await client.leave()
      const member = new Participant(broker, 'kip-left', 'classic')
      const joined = await member.join(PROTOCOLS)
      return [joined, await describeGroup(broker, 'kip-left'), await describeConsumers(broker, 'kip-left')]
    }),
    story('a classic member joins members of the new protocol, which then leave', async (broker) => {
      const groupId = 'kip-downgraded'
      const client = new ConsumerClient(broker, groupId, 'one')
      await client.join([TOPIC])
      const classic = new Participant(broker, groupId, 'classic')
      const told: unknown[] = [
        await classic.joinOnce({ ...PROTOCOLS, memberId: '' }, 9),
        await classic.joinOnce(PROTOCOLS),
      ]
      told.push(await classic.sync([]), await classic.heartbeat())
      told.push(
        await client.own(),
        await client.own(),
        await classic.heartbeat(),
        await describeConsumers(broker, groupId),
      )
      told.push(await client.leave(), await classic.heartbeat(), await describeGroup(broker, groupId))
      told.push(await classic.join(PROTOCOLS), await describeConsumers(broker, groupId))
      return told
    }),
    story('what classic members of a consumer group may not', async (broker) => {
      const groupId = 'kip-refused'
      const client = new ConsumerClient(broker, groupId, 'one')
      await client.join([TOPIC])
      const other = new Participant(broker, groupId, 'other')
      const told: unknown[] = [
        await other.join({ protocolType: 'connect' }),
        await other.join({ protocols: [] }),
        await other.heartbeat({ memberId: 'one', generationId: 2 }),
        await other.heartbeat({ memberId: 'nobody', generationId: 2 }),
      ]
      const classic = new Participant(broker, groupId, 'classic')
      await classic.join(PROTOCOLS)
      told.push(await other.join({ protocols: [{ name: 'sticky', metadata: subscription(TOPIC) }] }))
      told.push(await classic.heartbeat({ generationId: 99 }), await classic.sync([], { generationId: 99 }))
      told.push(await classic.sync([], { protocolName: 'sticky' }), await classic.sync([], { protocolType: 'connect' }))
      told.push(await client.send({ memberId: classic.memberId, memberEpoch: 99 }))
      return told
    }),
    story('a static member changes its protocol, there and back', async (broker) => {
      const groupId = 'kip-static-back'
      const classic = await classicGroup(broker, groupId, 'instance')
      const client = new ConsumerClient(broker, groupId, 'one', 'instance')
      const told: unknown[] = [
        await client.join([TOPIC]),
        await describeConsumers(broker, groupId),
        await classic.heartbeat(),
      ]
      const again = new Participant(broker, groupId, 'again', 'instance')
      told.push(
        await again.join(PROTOCOLS),
        await again.sync([]),
        await describeGroup(broker, groupId),
        await client.beat(),
      )
      return told
    }),
    story('members leave by the classic request', async (broker) => {
      const groupId = 'kip-leaving'
      const client = new ConsumerClient(broker, groupId, 'one')
      await client.join([TOPIC])
      const classic = new Participant(broker, groupId, 'classic', 'instance')
      await classic.join(PROTOCOLS)
      const told: unknown[] = [await classic.leave(), await classic.leave(), await settled(broker, [client])]
      const stranger = new Participant(broker, groupId, 'stranger')
      stranger.memberId = 'one'
      told.push(await stranger.leave(), await describeConsumers(broker, groupId))
      return told
    }),
  ],
}

export const GROUP_MIGRATION_CASES: readonly CaseGroup[] = [UPGRADE, DOWNGRADE]
