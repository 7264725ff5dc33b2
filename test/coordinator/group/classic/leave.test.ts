import { describe, expect, test } from 'bun:test'
import { ErrorCode } from '../../../../src/protocol/errors.ts'
import { GroupTest } from '../../group-test.ts'

describe('v0-v2', () => {
  test('a member leaves, code 0 at the top', () => {
    const groups = new GroupTest()
    const [member] = groups.stableGroup(1)
    expect(groups.leave([member!], 2).answer).toEqual({ errorCode: ErrorCode.NONE, members: [] })
    expect(groups.state()).toBe('Empty')
  })

  test('an unknown member or group: UNKNOWN_MEMBER_ID at the top', () => {
    const groups = new GroupTest()
    expect(groups.leave([{ memberId: 'm' }], 2).answer.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
    groups.stableGroup(1)
    expect(groups.leave([{ memberId: 'm' }], 2).answer.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })
})

describe('v3+', () => {
  test('an empty group id: INVALID_GROUP_ID at the top', () => {
    expect(new GroupTest().leave([{ memberId: 'm' }], 3, '').answer.errorCode).toBe(ErrorCode.INVALID_GROUP_ID)
  })

  test('an unknown group: code 0 at the top, UNKNOWN_MEMBER_ID per member', () => {
    expect(new GroupTest().leave([{ memberId: 'm' }]).answer).toEqual({
      errorCode: ErrorCode.NONE,
      members: [{ memberId: 'm', groupInstanceId: null, errorCode: ErrorCode.UNKNOWN_MEMBER_ID }],
    })
  })

  test('an empty list is fine', () => {
    const groups = new GroupTest()
    groups.stableGroup(1)
    expect(groups.leave([]).answer).toEqual({ errorCode: ErrorCode.NONE, members: [] })
    expect(groups.state()).toBe('Stable')
  })

  test('an empty member id with a known instance removes its holder', () => {
    const groups = new GroupTest()
    groups.join({ groupInstanceId: 'a' })
    expect(groups.leave([{ groupInstanceId: 'a' }]).answer.members).toEqual([
      { memberId: '', groupInstanceId: 'a', errorCode: ErrorCode.NONE },
    ])
    expect(groups.state()).toBe('Empty')
  })

  test('an empty member id with an unknown instance, or none: UNKNOWN_MEMBER_ID', () => {
    const groups = new GroupTest()
    groups.stableGroup(1)
    const codes = groups.leave([{ groupInstanceId: 'x' }, {}]).answer.members?.map(({ errorCode }) => errorCode)
    expect(codes).toEqual([ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.UNKNOWN_MEMBER_ID])
  })

  test('a member id that does not hold the instance: FENCED_INSTANCE_ID', () => {
    const groups = new GroupTest()
    groups.join({ groupInstanceId: 'a' })
    const [row] = groups.leave([{ memberId: 'm', groupInstanceId: 'a' }]).answer.members ?? []
    expect(row?.errorCode).toBe(ErrorCode.FENCED_INSTANCE_ID)
  })

  test('a pending id is forgotten', () => {
    const groups = new GroupTest()
    const { memberId } = groups.join().answer
    expect(groups.leave([{ memberId }]).answer.members?.[0]?.errorCode).toBe(ErrorCode.NONE)
    expect(groups.join({ memberId }).answer.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  test('a pending id that leaves may complete the join phase', () => {
    const groups = new GroupTest()
    const [leader] = groups.stableGroup(1)
    const { memberId } = groups.join().answer
    const waiting = groups.join({ memberId: leader!.memberId })
    expect(waiting.isParked).toBe(true)
    groups.leave([{ memberId }])
    expect(waiting.answer.generationId).toBe(2)
  })

  test('the others rebalance once for the whole list', () => {
    const groups = new GroupTest()
    const [first, second, third] = groups.stableGroup(3)
    const { members } = groups.leave([second!, third!, { memberId: 'x' }]).answer
    expect(members?.map(({ errorCode }) => errorCode)).toEqual([0, 0, ErrorCode.UNKNOWN_MEMBER_ID])
    expect(groups.join({ memberId: first!.memberId }).answer.generationId).toBe(3)
  })

  test('Stable: the others are told to rejoin', () => {
    const groups = new GroupTest()
    const [first, second] = groups.stableGroup(2)
    groups.leave([second!])
    expect(groups.heartbeat(first!)).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
  })

  test('PreparingRebalance: the last one missing leaves, the join phase ends', () => {
    const groups = new GroupTest()
    const [first, second] = groups.stableGroup(2)
    const waiting = groups.join({ memberId: first!.memberId })
    groups.leave([second!])
    expect(waiting.answer).toMatchObject({ generationId: 3, members: [{ memberId: first!.memberId }] })
  })

  test('a member whose JoinGroup waits: that call gets UNKNOWN_MEMBER_ID', () => {
    const groups = new GroupTest()
    const [first] = groups.stableGroup(2)
    const waiting = groups.join({ memberId: first!.memberId })
    groups.leave([first!])
    expect(waiting.answer.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  test('the last member leaves: Empty, generation + 1, protocol cleared, type kept', () => {
    const groups = new GroupTest()
    const [member] = groups.stableGroup(1)
    groups.leave([member!])
    expect(groups.shard.durable.metadata.get('group')).toMatchObject({
      generation: 2,
      protocol: null,
      leader: null,
      protocolType: 'consumer',
      members: [],
    })
  })
})
