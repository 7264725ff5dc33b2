import { describe, expect, test } from 'bun:test'
import { ErrorCode } from '../../../../src/protocol/errors.ts'
import { GroupTest, type Member } from '../../group-test.ts'

/** A stable group of two static members `a` (leading) and `b`, in generation 2. */
function pairOf(groups: GroupTest): [Member, Member] {
  const first = groups.join({ groupInstanceId: 'a' }).answer.memberId
  const joining = groups.join({ groupInstanceId: 'b' })
  groups.join({ groupInstanceId: 'a', memberId: first })
  const second = joining.answer.memberId
  const pair: [Member, Member] = [
    { memberId: first, generation: 2, groupInstanceId: 'a' },
    { memberId: second, generation: 2, groupInstanceId: 'b' },
  ]
  groups.sync(pair[0], { [first]: 'for a', [second]: 'for b' })
  groups.sync(pair[1])
  expect(groups.state()).toBe('Stable')
  return pair
}

describe('a static member', () => {
  for (const version of [5, 9]) {
    test(`v${version}: never gets MEMBER_ID_REQUIRED; its id is made of its instance id`, () => {
      const { answer } = new GroupTest().join({ version, groupInstanceId: 'rack-7' })
      expect(answer.errorCode).toBe(ErrorCode.NONE)
      expect(answer.memberId).toMatch(/^rack-7-[0-9a-f-]{36}$/)
      expect(answer.members[0]?.groupInstanceId).toBe('rack-7')
    })
  }

  test('with an instance that another member holds: FENCED_INSTANCE_ID', () => {
    const groups = new GroupTest()
    const [, second] = pairOf(groups)
    const { answer } = groups.join({ groupInstanceId: 'a', memberId: second.memberId })
    expect(answer.errorCode).toBe(ErrorCode.FENCED_INSTANCE_ID)
  })

  test('goes by session timeout', () => {
    const groups = new GroupTest()
    const [first] = pairOf(groups)
    groups.sleep(9_000)
    expect(groups.heartbeat(first)).toBe(ErrorCode.NONE)
    groups.sleep(1_000)
    expect(groups.classicGroup()?.holderOf('b')).toBeUndefined()
    expect(groups.heartbeat(first)).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
  })

  test('that is away through a rebalance is not dropped by the sync timer of a generation it does not know', () => {
    const groups = new GroupTest()
    const long = { sessionTimeoutMs: 1_000_000 }
    const away = groups.join({ ...long, groupInstanceId: 'a' }).answer.memberId
    const call = groups.join({ ...long, version: 3 })
    groups.sleep(60_000)
    const leader = { memberId: call.answer.memberId, generation: 2 }
    groups.sync(leader, { [leader.memberId]: 'all' })
    groups.sleep(120_000)
    expect(groups.classicGroup()?.holderOf('a')).toBe(away)
    expect(groups.state()).toBe('Stable')
  })
})

describe('Stable: a static member starts again', () => {
  test('v5-v8: new id, same generation, the former leader id, no members, no rebalance', () => {
    const groups = new GroupTest()
    const [first, second] = pairOf(groups)
    const { answer } = groups.join({ version: 8, groupInstanceId: 'a' })
    expect(answer).toMatchObject({
      errorCode: ErrorCode.NONE,
      generationId: 2,
      leader: first.memberId,
      members: [],
      skipAssignment: false,
    })
    expect(answer.memberId).not.toBe(first.memberId)
    expect(groups.heartbeat(second)).toBe(ErrorCode.NONE)
    const assignment = groups.sync({ memberId: answer.memberId, generation: 2, groupInstanceId: 'a' }).answer
    expect(assignment).toMatchObject({ errorCode: ErrorCode.NONE, assignment: Buffer.from('for a') })
  })

  test('v9, leader: its new id leads, members are listed, SkipAssignment', () => {
    const groups = new GroupTest()
    pairOf(groups)
    const { answer } = groups.join({ version: 9, groupInstanceId: 'a' })
    expect(answer).toMatchObject({ generationId: 2, leader: answer.memberId, skipAssignment: true })
    expect(answer.members.map(({ groupInstanceId }) => groupInstanceId).sort()).toEqual(['a', 'b'])
  })

  test('v9, follower: the leader id, no members, no SkipAssignment', () => {
    const groups = new GroupTest()
    const [first] = pairOf(groups)
    const { answer } = groups.join({ version: 9, groupInstanceId: 'b' })
    expect(answer).toMatchObject({ generationId: 2, leader: first.memberId, skipAssignment: false, members: [] })
  })

  test('is persisted before it is answered', () => {
    const groups = new GroupTest()
    const [, second] = pairOf(groups)
    groups.log.isHeld = true
    const call = groups.join({ groupInstanceId: 'b' })
    expect(call.isParked).toBe(true)
    groups.log.isHeld = false
    groups.log.flush()
    const ids = groups.shard.durable.metadata.get('group')?.members.map(({ memberId }) => memberId)
    expect(ids).toContain(call.answer.memberId)
    expect(ids).not.toContain(second.memberId)
  })

  test('the former incarnation is fenced: 82 with its instance id, 25 without', () => {
    const groups = new GroupTest()
    const [first] = pairOf(groups)
    groups.join({ groupInstanceId: 'a' })
    expect(groups.heartbeat(first)).toBe(ErrorCode.FENCED_INSTANCE_ID)
    expect(groups.heartbeat({ ...first, groupInstanceId: null })).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
    expect(groups.sync(first).answer.errorCode).toBe(ErrorCode.FENCED_INSTANCE_ID)
    expect(groups.commitCodes(first)).toEqual([ErrorCode.FENCED_INSTANCE_ID])
    expect(groups.leave([first]).answer.members?.[0]?.errorCode).toBe(ErrorCode.FENCED_INSTANCE_ID)
  })

  test('with metadata that changes the protocol choice: a rebalance', () => {
    const groups = new GroupTest()
    const both = { range: 'r', sticky: 's' }
    const only = groups.join({ groupInstanceId: 'a', protocols: both }).answer.memberId
    groups.sync({ memberId: only, generation: 1, groupInstanceId: 'a' })
    const { answer } = groups.join({ groupInstanceId: 'a', protocols: { sticky: 's', range: 'r' } })
    expect(answer).toMatchObject({ errorCode: ErrorCode.NONE, generationId: 2, protocolName: 'sticky' })
  })

  test('its session is its own: the timer of the former id does nothing', () => {
    const groups = new GroupTest()
    const [first] = pairOf(groups)
    groups.sleep(9_000)
    groups.heartbeat(first)
    const { memberId } = groups.join({ groupInstanceId: 'b' }).answer
    groups.sleep(9_000)
    expect(groups.heartbeat({ memberId, generation: 2, groupInstanceId: 'b' })).toBe(ErrorCode.NONE)
  })
})

describe('a static member starts again while the group rebalances', () => {
  test('PreparingRebalance: waits; the former waiting call gets FENCED_INSTANCE_ID', () => {
    const groups = new GroupTest()
    const [first] = pairOf(groups)
    const former = groups.join({ groupInstanceId: 'a', memberId: first.memberId })
    expect(former.isParked).toBe(true)
    const again = groups.join({ groupInstanceId: 'a' })
    expect(former.answer.errorCode).toBe(ErrorCode.FENCED_INSTANCE_ID)
    expect(again.isParked).toBe(true)
    expect(groups.state()).toBe('PreparingRebalance')
  })

  test('CompletingRebalance: a new rebalance; the former waiting SyncGroup gets FENCED_INSTANCE_ID', () => {
    const groups = new GroupTest()
    const [first, second] = pairOf(groups)
    groups.join({ groupInstanceId: 'a', memberId: first.memberId })
    groups.join({ groupInstanceId: 'b', memberId: second.memberId })
    expect(groups.state()).toBe('CompletingRebalance')
    const syncing = groups.sync({ ...second, generation: 3 })
    const again = groups.join({ groupInstanceId: 'b' })
    expect(syncing.answer.errorCode).toBe(ErrorCode.FENCED_INSTANCE_ID)
    expect(groups.state()).toBe('PreparingRebalance')
    groups.join({ groupInstanceId: 'a', memberId: first.memberId })
    expect(again.answer).toMatchObject({ errorCode: ErrorCode.NONE, generationId: 4, leader: first.memberId })
  })
})

test('the returning leader of older clients is told a leader that is not itself', () => {
  const groups = new GroupTest()
  const only = groups.join({ groupInstanceId: 'a' }).answer.memberId
  groups.sync({ memberId: only, generation: 1, groupInstanceId: 'a' }, { [only]: 'all' })
  const { answer } = groups.join({ version: 7, groupInstanceId: 'a' })
  expect(answer.leader).toBe(only)
  expect(answer.leader).not.toBe(answer.memberId)
})
