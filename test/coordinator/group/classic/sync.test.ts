import { describe, expect, test } from 'bun:test'
import { ErrorCode } from '../../../../src/protocol/errors.ts'
import { GroupTest, type Member } from '../../group-test.ts'

/** Two members in CompletingRebalance of generation 3; the first leads. */
function completing(groups: GroupTest): [Member, Member] {
  const [leader, follower] = groups.stableGroup(2)
  groups.join({ memberId: leader!.memberId })
  groups.join({ memberId: follower!.memberId })
  expect(groups.state()).toBe('CompletingRebalance')
  return [
    { memberId: leader!.memberId, generation: 3 },
    { memberId: follower!.memberId, generation: 3 },
  ]
}

describe('SyncGroup is refused', () => {
  for (const [protocolType, protocolName] of [
    [null, 'range'],
    ['consumer', null],
  ] as const) {
    test(`v5 with protocol type ${protocolType} and name ${protocolName}: INCONSISTENT_GROUP_PROTOCOL`, () => {
      const groups = new GroupTest()
      const [member] = groups.stableGroup(1)
      const { answer } = groups.sync(member!, {}, { version: 5, protocolType, protocolName })
      expect(answer.errorCode).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    })
  }

  test('with an empty group id: INVALID_GROUP_ID', () => {
    const { answer } = new GroupTest().sync({ memberId: 'm', generation: 1 }, {}, { groupId: '' })
    expect(answer.errorCode).toBe(ErrorCode.INVALID_GROUP_ID)
  })

  test('by an unknown group: UNKNOWN_MEMBER_ID', () => {
    const { answer } = new GroupTest().sync({ memberId: 'm', generation: 1 })
    expect(answer).toMatchObject({ errorCode: ErrorCode.UNKNOWN_MEMBER_ID, assignment: Buffer.alloc(0) })
  })

  test('by an empty group: UNKNOWN_MEMBER_ID', () => {
    const groups = new GroupTest()
    const [member] = groups.stableGroup(1)
    groups.leave([member!])
    expect(groups.sync({ ...member!, generation: 2 }).answer.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  test('with an unknown member id: UNKNOWN_MEMBER_ID', () => {
    const groups = new GroupTest()
    const [member] = groups.stableGroup(1)
    expect(groups.sync({ ...member!, memberId: 'x' }).answer.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  test('with a pending id: UNKNOWN_MEMBER_ID', () => {
    const groups = new GroupTest()
    groups.stableGroup(1)
    const { memberId } = groups.join().answer
    expect(groups.sync({ memberId, generation: 1 }).answer.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  for (const generation of [0, 2]) {
    test(`with generation ${generation} in generation 1: ILLEGAL_GENERATION`, () => {
      const groups = new GroupTest()
      const [member] = groups.stableGroup(1)
      expect(groups.sync({ ...member!, generation }).answer.errorCode).toBe(ErrorCode.ILLEGAL_GENERATION)
    })
  }

  for (const names of [
    { protocolType: 'connect', protocolName: 'range' },
    { protocolType: 'consumer', protocolName: 'sticky' },
  ]) {
    test(`with ${names.protocolType}/${names.protocolName} in a consumer/range group: INCONSISTENT_GROUP_PROTOCOL`, () => {
      const groups = new GroupTest()
      const [member] = groups.stableGroup(1)
      const { answer } = groups.sync(member!, {}, { version: 5, ...names })
      expect(answer.errorCode).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    })
  }

  test('PreparingRebalance: REBALANCE_IN_PROGRESS', () => {
    const groups = new GroupTest()
    const [leader, follower] = groups.stableGroup(2)
    groups.join({ memberId: leader!.memberId })
    expect(groups.sync(follower!).answer.errorCode).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
  })
})

describe('CompletingRebalance', () => {
  test('a follower waits for the leader; both get their part, the group is Stable', () => {
    const groups = new GroupTest()
    const [leader, follower] = completing(groups)
    const waiting = groups.sync(follower)
    expect(waiting.isParked).toBe(true)
    const leading = groups.sync(leader, { [leader.memberId]: 'left', [follower.memberId]: 'right' })
    expect(leading.answer).toMatchObject({ errorCode: ErrorCode.NONE, assignment: Buffer.from('left') })
    expect(waiting.answer).toMatchObject({
      errorCode: ErrorCode.NONE,
      protocolType: 'consumer',
      protocolName: 'range',
      assignment: Buffer.from('right'),
    })
    expect(groups.state()).toBe('Stable')
  })

  test('members that the leader left out get empty bytes; ids it made up are ignored', () => {
    const groups = new GroupTest()
    const [leader, follower] = completing(groups)
    const waiting = groups.sync(follower)
    groups.sync(leader, { [leader.memberId]: 'all', stranger: 'none' })
    expect(waiting.answer).toMatchObject({ errorCode: ErrorCode.NONE, assignment: Buffer.alloc(0) })
  })

  test('a second call of the same member ends the first', () => {
    const groups = new GroupTest()
    const [, follower] = completing(groups)
    const first = groups.sync(follower)
    const second = groups.sync(follower)
    expect(first.answer.errorCode).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
    expect(second.isParked).toBe(true)
  })

  test('a rebalance meanwhile: waiting calls get REBALANCE_IN_PROGRESS', () => {
    const groups = new GroupTest()
    const [leader, follower] = completing(groups)
    const waiting = groups.sync(follower)
    groups.leave([leader])
    expect(waiting.answer.errorCode).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
  })

  test('a member that leaves while its call waits gets UNKNOWN_MEMBER_ID', () => {
    const groups = new GroupTest()
    const [, follower] = completing(groups)
    const waiting = groups.sync(follower)
    groups.leave([follower])
    expect(waiting.answer.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  test('nobody learns the assignment before it is durable', () => {
    const groups = new GroupTest()
    const [leader, follower] = completing(groups)
    const waiting = groups.sync(follower)
    groups.log.isHeld = true
    const leading = groups.sync(leader, { [leader.memberId]: 'x' })
    expect([leading.isParked, waiting.isParked]).toEqual([true, true])
    groups.log.settle()
    expect([leading.isParked, waiting.isParked]).toEqual([false, false])
  })

  test('an assignment that no batch can hold: UNKNOWN_SERVER_ERROR for all, and a new rebalance', () => {
    const groups = new GroupTest()
    const [leader, follower] = completing(groups)
    const waiting = groups.sync(follower)
    groups.log.bytesMax = 5_000
    const leading = groups.sync(leader, { [leader.memberId]: 'x'.repeat(6_000) })
    expect(leading.answer.errorCode).toBe(ErrorCode.UNKNOWN_SERVER_ERROR)
    expect(waiting.answer.errorCode).toBe(ErrorCode.UNKNOWN_SERVER_ERROR)
    expect(groups.state()).toBe('PreparingRebalance')
  })

  test('writes the whole group in one record', () => {
    const groups = new GroupTest()
    const [leader, follower] = completing(groups)
    groups.sync(leader, { [leader.memberId]: 'left', [follower.memberId]: 'right' })
    const member = {
      clientId: 'client',
      clientHost: '/127.0.0.1',
      rebalanceTimeoutMs: 60_000,
      sessionTimeoutMs: 10_000,
    }
    expect(groups.log.batches().at(-1)).toEqual([
      {
        type: 'group-metadata',
        group: 'group',
        value: {
          protocolType: 'consumer',
          generation: 3,
          protocol: 'range',
          leader: leader.memberId,
          stateTimestampMs: groups.clock.now(),
          members: [
            {
              ...member,
              memberId: leader.memberId,
              groupInstanceId: null,
              subscription: Buffer.from('metadata'),
              assignment: Buffer.from('left'),
            },
            {
              ...member,
              memberId: follower.memberId,
              groupInstanceId: null,
              subscription: Buffer.from('metadata'),
              assignment: Buffer.from('right'),
            },
          ],
        },
      },
    ])
  })
})

describe('Stable', () => {
  test('answers the stored assignment at once', () => {
    const groups = new GroupTest()
    const [, follower] = groups.stableGroup(2)
    expect(groups.sync(follower!).answer).toMatchObject({ errorCode: ErrorCode.NONE, assignment: Buffer.from('1') })
  })

  test('a repeated call of the leader does not overwrite', () => {
    const groups = new GroupTest()
    const [leader] = groups.stableGroup(1)
    const { answer } = groups.sync(leader!, { [leader!.memberId]: 'other' })
    expect(answer.assignment.toString()).toBe('0')
    expect(groups.describe().members[0]?.memberAssignment.toString()).toBe('0')
  })

  test('starts the session anew', () => {
    const groups = new GroupTest()
    const [member] = groups.stableGroup(1)
    groups.sleep(9_000)
    groups.sync(member!)
    groups.sleep(9_000)
    expect(groups.heartbeat(member!)).toBe(ErrorCode.NONE)
  })
})
