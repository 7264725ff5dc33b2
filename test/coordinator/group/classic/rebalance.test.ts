import { describe, expect, test } from 'bun:test'
import { ErrorCode } from '../../../../src/protocol/errors.ts'
import { GroupTest } from '../../group-test.ts'

describe('the initial rebalance delay', () => {
  const config = { initialRebalanceDelayMs: 1_000 }

  test('is waited for by a single joiner', () => {
    const groups = new GroupTest({ config })
    const call = groups.joinWithId()
    groups.sleep(999)
    expect(call.isParked).toBe(true)
    groups.sleep(1)
    expect(call.answer.generationId).toBe(1)
  })

  test('is extended by one step when somebody joins meanwhile', () => {
    const groups = new GroupTest({ config })
    const first = groups.join({ version: 3 })
    groups.sleep(600)
    const second = groups.join({ version: 3 })
    groups.sleep(1_399)
    expect(first.isParked).toBe(true)
    groups.sleep(1)
    expect(first.answer.members).toHaveLength(2)
    expect(second.answer).toMatchObject({ generationId: 1, leader: first.answer.memberId, members: [] })
  })

  test('never lasts longer than the rebalance timeout that the group began with', () => {
    const groups = new GroupTest({ config })
    const first = groups.join({ version: 3, rebalanceTimeoutMs: 2_500 })
    for (let elapsed = 500; elapsed < 2_500; elapsed += 500) {
      groups.sleep(500)
      groups.join({ version: 3, rebalanceTimeoutMs: 2_500 })
      expect(first.isParked).toBe(true)
    }
    groups.sleep(500)
    expect(first.answer.members).toHaveLength(5)
  })

  test('does not wait for pending ids', () => {
    const groups = new GroupTest({ config })
    const first = groups.join({ version: 3 })
    groups.join()
    groups.sleep(1_000)
    expect(first.answer.generationId).toBe(1)
  })

  test('0 answers the first joiner at once', () => {
    expect(new GroupTest().join({ version: 3 }).answer.generationId).toBe(1)
  })

  test('applies again to a group that had become empty', () => {
    const groups = new GroupTest({ config })
    const call = groups.join({ version: 3 })
    groups.sleep(1_000)
    groups.leave([{ memberId: call.answer.memberId }])
    expect(groups.state()).toBe('Empty')
    expect(groups.join({ version: 3 }).isParked).toBe(true)
  })
})

describe('the join timer', () => {
  test('removes dynamic members that did not rejoin', () => {
    const groups = new GroupTest()
    const [leader, late] = groups.stableGroup(2, { sessionTimeoutMs: 300_000 })
    const call = groups.join({ memberId: leader!.memberId })
    groups.sleep(59_999)
    expect(call.isParked).toBe(true)
    groups.sleep(1)
    expect(call.answer.members).toHaveLength(1)
    expect(groups.heartbeat(late!)).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  test('is as long as the largest rebalance timeout in the group', () => {
    const groups = new GroupTest()
    const slow = groups.join({ version: 3, rebalanceTimeoutMs: 120_000, sessionTimeoutMs: 300_000 }).answer.memberId
    const quick = groups.join({ version: 3, rebalanceTimeoutMs: 10_000 })
    groups.sleep(119_999)
    expect(quick.isParked).toBe(true)
    groups.sleep(1)
    expect(quick.answer).toMatchObject({ generationId: 2, leader: quick.answer.memberId })
    expect(groups.join({ memberId: slow }).answer.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  test('keeps static members that are away, with their assignment', () => {
    const groups = new GroupTest()
    const away = groups.join({ groupInstanceId: 'a', sessionTimeoutMs: 300_000 }).answer.memberId
    const present = groups.join({ version: 3 })
    groups.join({ memberId: away, groupInstanceId: 'a', sessionTimeoutMs: 300_000 })
    const member = { memberId: present.answer.memberId, generation: 2 }
    const holder = { memberId: away, generation: 2, groupInstanceId: 'a' }
    groups.sync(holder, { [away]: 'mine', [member.memberId]: 'yours' })
    groups.sync(member)
    const call = groups.join({ memberId: member.memberId, protocols: { range: 'new' } })
    groups.sleep(60_000)
    // The leader was away, so the other one leads; the group still has both.
    expect(call.answer).toMatchObject({ generationId: 3, leader: member.memberId })
    expect(call.answer.members.map(({ groupInstanceId }) => groupInstanceId)).toEqual(['a', null])
    expect(groups.classicGroup()?.member(away)?.assignment.toString()).toBe('mine')
  })

  test('starts again while only absent static members are left', () => {
    const groups = new GroupTest()
    const away = groups.join({ groupInstanceId: 'a', sessionTimeoutMs: 300_000 }).answer.memberId
    const dynamic = groups.join({ version: 3 })
    groups.join({ memberId: away, groupInstanceId: 'a', sessionTimeoutMs: 300_000 })
    groups.leave([{ memberId: dynamic.answer.memberId }])
    expect(groups.state()).toBe('PreparingRebalance')
    groups.sleep(60_000)
    expect(groups.state()).toBe('PreparingRebalance')
    const back = groups.join({ memberId: away, groupInstanceId: 'a', sessionTimeoutMs: 300_000 })
    expect(back.answer).toMatchObject({ errorCode: ErrorCode.NONE, generationId: 3 })
  })
})

describe('the sync timer', () => {
  const patient = { sessionTimeoutMs: 300_000 }

  test('removes members that do not fetch their assignment, and rebalances', () => {
    const groups = new GroupTest()
    const [leader, late] = groups.stableGroup(2, patient)
    groups.join({ ...patient, memberId: late!.memberId, protocols: { range: 'new' } })
    groups.join({ ...patient, memberId: leader!.memberId })
    groups.sync({ memberId: leader!.memberId, generation: 3 }, {})
    expect(groups.state()).toBe('Stable')
    groups.sleep(60_000)
    expect(groups.state()).toBe('PreparingRebalance')
    expect(groups.heartbeat({ memberId: late!.memberId, generation: 3 })).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  test('a leader that never syncs is dropped, and its followers are told to rejoin', () => {
    const groups = new GroupTest()
    const [leader, follower] = groups.stableGroup(2, patient)
    groups.join({ ...patient, memberId: follower!.memberId, protocols: { range: 'new' } })
    groups.join({ ...patient, memberId: leader!.memberId })
    const waiting = groups.sync({ memberId: follower!.memberId, generation: 3 })
    expect(waiting.isParked).toBe(true)
    groups.sleep(60_000)
    expect(waiting.answer.errorCode).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
    expect(groups.join({ ...patient, memberId: follower!.memberId }).answer).toMatchObject({
      leader: follower!.memberId,
    })
  })

  test('does nothing once everybody has synced', () => {
    const groups = new GroupTest()
    const members = groups.stableGroup(2, { sessionTimeoutMs: 300_000 })
    groups.sleep(120_000)
    for (const member of members) expect(groups.heartbeat(member)).toBe(ErrorCode.NONE)
  })

  test('members that never sync at all empty the group after the rebalance timeout', () => {
    const groups = new GroupTest()
    groups.join({ version: 3, rebalanceTimeoutMs: 8_000, sessionTimeoutMs: 300_000 })
    groups.sleep(8_000)
    expect(groups.describe()).toMatchObject({ groupState: 'Empty', protocolType: 'consumer' })
  })
})

describe('the session timer', () => {
  test('expiry of the only member empties the group, with one more generation', () => {
    const groups = new GroupTest()
    groups.stableGroup(1)
    groups.sleep(9_999)
    expect(groups.state()).toBe('Stable')
    groups.sleep(1)
    expect(groups.state()).toBe('Empty')
    expect(groups.log.batches().at(-1)).toMatchObject([
      { type: 'group-metadata', value: { generation: 2, protocol: null, protocolType: 'consumer', members: [] } },
    ])
  })

  test('expiry of one member makes the others rebalance', () => {
    const groups = new GroupTest()
    const [leader, silent] = groups.stableGroup(2)
    groups.sleep(9_000)
    expect(groups.heartbeat(leader!)).toBe(ErrorCode.NONE)
    groups.sleep(1_000)
    expect(groups.heartbeat(leader!)).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
    expect(groups.heartbeat(silent!)).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  test('is rearmed by Heartbeat', () => {
    const groups = new GroupTest()
    const [member] = groups.stableGroup(1)
    for (let beat = 0; beat < 5; beat++) {
      groups.sleep(9_000)
      expect(groups.heartbeat(member!)).toBe(ErrorCode.NONE)
    }
  })

  test('is rearmed by an accepted commit in Stable', () => {
    const groups = new GroupTest()
    const [member] = groups.stableGroup(1)
    for (let commit = 0; commit < 5; commit++) {
      groups.sleep(9_000)
      expect(groups.commitCodes(member)).toEqual([ErrorCode.NONE])
    }
    expect(groups.state()).toBe('Stable')
  })

  test('is rearmed by an accepted commit in PreparingRebalance', () => {
    const groups = new GroupTest()
    const [leader, follower] = groups.stableGroup(2)
    groups.join({ memberId: leader!.memberId })
    groups.sleep(9_000)
    expect(groups.commitCodes(follower)).toEqual([ErrorCode.NONE])
    groups.sleep(9_000)
    expect(groups.heartbeat(follower!)).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
  })

  test('is not rearmed by a refused commit', () => {
    const groups = new GroupTest()
    const [member] = groups.stableGroup(1)
    groups.sleep(9_000)
    expect(groups.commitCodes({ ...member, generation: 9 })).toEqual([ErrorCode.ILLEGAL_GENERATION])
    groups.sleep(1_000)
    expect(groups.state()).toBe('Empty')
  })

  test('does not remove a member whose JoinGroup waits', () => {
    const groups = new GroupTest()
    const [leader, follower] = groups.stableGroup(2)
    const waiting = groups.join({ memberId: leader!.memberId })
    for (let beat = 0; beat < 5; beat++) {
      groups.sleep(9_000)
      groups.heartbeat(follower!)
    }
    expect(waiting.isParked).toBe(true)
    groups.join({ memberId: follower!.memberId })
    expect(waiting.answer.errorCode).toBe(ErrorCode.NONE)
    // The answer started a new session.
    groups.sleep(9_999)
    expect(groups.heartbeat({ ...leader!, generation: 3 })).toBe(ErrorCode.NONE)
  })

  test('a jump of the wall clock expires nobody', () => {
    const groups = new GroupTest()
    const [member] = groups.stableGroup(1)
    groups.sleep(5_000)
    expect(groups.heartbeat(member!)).toBe(ErrorCode.NONE)
    groups.clock.set(groups.clock.now() + 86_400_000)
    groups.sleep(1)
    expect(groups.heartbeat(member!)).toBe(ErrorCode.NONE)
  })
})
