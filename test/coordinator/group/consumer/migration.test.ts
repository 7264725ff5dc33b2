/** Groups between the protocols, and what a restart in between finds. */
import { describe, expect, test } from 'bun:test'
import type { MigrationPolicy } from '../../../../src/coordinator/config.ts'
import { GROUP_COORDINATOR_DEFAULTS } from '../../../../src/coordinator/config.ts'
import { encodeAssignment, parseAssignment } from '../../../../src/coordinator/group/consumer-protocol.ts'
import { ErrorCode } from '../../../../src/protocol/errors.ts'
import { GroupTest, subscription } from '../../group-test.ts'
import { Consumer, settle } from './consumer-test.ts'

const PROTOCOLS = { range: subscription('orders') }

function withPolicy(migration: MigrationPolicy): GroupTest {
  const groups = new GroupTest({ config: { consumer: { ...GROUP_COORDINATOR_DEFAULTS.consumer, migration } } })
  groups.settings.set('group', { assignmentIntervalMs: 0 })
  return groups
}

/** A classic group of one member that has all partitions of orders. */
function classicGroup(groups: GroupTest): string {
  const { memberId } = groups.joinWithId({ protocols: PROTOCOLS }).answer
  const all = encodeAssignment(0, [{ topic: 'orders', partitions: [0, 1, 2] }])
  groups.sync({ memberId, generation: 1 }, { [memberId]: all })
  return memberId
}

describe('to the consumer protocol', () => {
  test('allowed: the classic member keeps what it has until it gives it up', () => {
    const groups = withPolicy('upgrade')
    const memberId = classicGroup(groups)
    const one = new Consumer(groups, 'one')
    expect(one.join()).toMatchObject({ errorCode: ErrorCode.NONE, assignment: { topicPartitions: [] } })
    expect(groups.consumerGroup()?.member(memberId)).toMatchObject({
      classic: { sessionTimeoutMs: 10_000 },
      memberEpoch: 1,
    })
    expect(groups.heartbeat({ memberId, generation: 1 })).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
    expect(groups.timers.names().filter((name) => /\/(join|sync|session)\//.test(name))).toEqual([])
    groups.crash()
    expect(groups.consumerGroup()?.size).toBe(2)
    expect(groups.classicGroup()).toBeUndefined()
  })

  test('a classic member that does not come again in time is gone', () => {
    const groups = withPolicy('bidirectional')
    const memberId = classicGroup(groups)
    const one = new Consumer(groups, 'one')
    one.join()
    for (let second = 0; second < 60; second++) {
      groups.heartbeat({ memberId, generation: 1 })
      one.own()
      groups.sleep(1_000)
    }
    settle([one])
    expect(one.held).toEqual({ orders: [0, 1, 2] })
  })

  for (const policy of ['disabled', 'downgrade'] as const) {
    test(`${policy}: refused, and the group is as it was`, () => {
      const groups = withPolicy(policy)
      const memberId = classicGroup(groups)
      expect(new Consumer(groups, 'one').join().errorCode).toBe(ErrorCode.GROUP_ID_NOT_FOUND)
      expect(groups.heartbeat({ memberId, generation: 1 })).toBe(ErrorCode.NONE)
      expect(groups.state()).toBe('Stable')
    })
  }

  test('more members than a consumer group may have: refused', () => {
    const groups = new GroupTest({ config: { consumer: { ...GROUP_COORDINATOR_DEFAULTS.consumer, membersMax: 1 } } })
    groups.stableGroup(2, { protocols: PROTOCOLS })
    expect(new Consumer(groups, 'one').join().errorCode).toBe(ErrorCode.GROUP_ID_NOT_FOUND)
  })
})

describe('to the classic protocol', () => {
  test('allowed: who is left rebalances as a classic group', () => {
    const groups = withPolicy('bidirectional')
    const one = new Consumer(groups, 'one')
    one.join()
    const { memberId } = groups.joinWithId({ protocols: PROTOCOLS }).answer
    settle([one])
    one.leave()
    expect(groups.state()).toBe('PreparingRebalance')
    const joined = groups.join({ memberId, protocols: PROTOCOLS }).answer
    expect(joined).toMatchObject({ errorCode: ErrorCode.NONE, leader: memberId, members: [{ memberId }] })
    expect(groups.timers.names().filter((name) => name.includes('consumer'))).toEqual([])
    groups.crash()
    expect(groups.state()).toBe('Stable')
    expect(groups.consumerGroup()).toBeUndefined()
  })

  for (const policy of ['disabled', 'upgrade'] as const) {
    test(`${policy}: the group stays what it is`, () => {
      const groups = withPolicy(policy)
      const one = new Consumer(groups, 'one')
      one.join()
      const answer = groups.join({ protocols: PROTOCOLS }).answer
      const code = policy === 'disabled' ? ErrorCode.INCONSISTENT_GROUP_PROTOCOL : ErrorCode.MEMBER_ID_REQUIRED
      expect(answer.errorCode).toBe(code)
      if (policy === 'upgrade') groups.join({ memberId: answer.memberId, protocols: PROTOCOLS })
      one.leave()
      expect(groups.consumerGroup()?.size).toBe(policy === 'disabled' ? 0 : 1)
    })
  }

  test('without members: the classic group has its offsets', () => {
    const groups = withPolicy('disabled')
    const one = new Consumer(groups, 'one')
    one.join()
    groups.commit({ version: 9, memberId: 'one', generation: 2 })
    one.leave()
    const { memberId } = groups.joinWithId({ protocols: PROTOCOLS }).answer
    expect(groups.classicGroup()?.has(memberId)).toBe(true)
    expect(groups.committed()).toEqual({ 'orders/0': 7 })
    groups.crash()
    expect(groups.consumerGroup()).toBeUndefined()
    expect(groups.committed()).toEqual({ 'orders/0': 7 })
  })
})

describe('classic members among others', () => {
  test('SyncGroup brings what the broker assigned', () => {
    const groups = withPolicy('bidirectional')
    const one = new Consumer(groups, 'one')
    one.join()
    const { memberId } = groups.joinWithId({ protocols: PROTOCOLS }).answer
    settle([one])
    expect(groups.heartbeat({ memberId, generation: 3 })).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
    const { generationId } = groups.join({ memberId, protocols: PROTOCOLS }).answer
    const { answer } = groups.sync({ memberId, generation: generationId ?? -1 })
    const assigned = parseAssignment(answer.assignment as Buffer)?.assigned ?? []
    expect(assigned.flatMap(({ partitions }) => partitions)).toHaveLength(1)
    expect(groups.heartbeat({ memberId, generation: generationId ?? -1 })).toBe(ErrorCode.NONE)
  })

  test('one that joined and does not sync in time is gone', () => {
    const groups = withPolicy('bidirectional')
    const one = new Consumer(groups, 'one')
    one.join()
    groups.joinWithId({ protocols: PROTOCOLS, rebalanceTimeoutMs: 3_000 })
    groups.sleep(2_999)
    expect(groups.consumerGroup()?.size).toBe(2)
    groups.sleep(1)
    expect(groups.consumerGroup()?.size).toBe(1)
  })
})
