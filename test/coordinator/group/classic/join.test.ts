import { describe, expect, test } from 'bun:test'
import { ErrorCode } from '../../../../src/protocol/errors.ts'
import { GroupTest } from '../../group-test.ts'

describe('JoinGroup is refused', () => {
  test('with an empty group id: INVALID_GROUP_ID', () => {
    expect(new GroupTest().join({ groupId: '' }).answer.errorCode).toBe(ErrorCode.INVALID_GROUP_ID)
  })

  for (const sessionTimeoutMs of [0, 5_999, 1_800_001]) {
    test(`with a session timeout of ${sessionTimeoutMs} ms: INVALID_SESSION_TIMEOUT`, () => {
      expect(new GroupTest().join({ sessionTimeoutMs }).answer.errorCode).toBe(ErrorCode.INVALID_SESSION_TIMEOUT)
    })
  }

  test('with a member id in an unknown group: UNKNOWN_MEMBER_ID, and no group comes of it', () => {
    const groups = new GroupTest()
    const { answer } = groups.join({ memberId: 'somebody' })
    expect(answer).toMatchObject({ errorCode: ErrorCode.UNKNOWN_MEMBER_ID, memberId: 'somebody' })
    expect(groups.shard.groups.size).toBe(0)
  })

  test('with an unknown member id in a known group: UNKNOWN_MEMBER_ID', () => {
    const groups = new GroupTest()
    groups.stableGroup(1)
    expect(groups.join({ memberId: 'somebody' }).answer.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  test('with an unknown instance id and a member id: UNKNOWN_MEMBER_ID', () => {
    const groups = new GroupTest()
    const [member] = groups.stableGroup(1)
    const { answer } = groups.join({ memberId: member!.memberId, groupInstanceId: 'nobody' })
    expect(answer.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  for (const [what, fields] of [
    ['another protocol type', { protocolType: 'connect' }],
    ['no common protocol', { protocols: { sticky: '' } }],
    ['no protocol at all', { protocols: {} }],
  ] as const) {
    test(`with ${what} in a group with members: INCONSISTENT_GROUP_PROTOCOL`, () => {
      const groups = new GroupTest()
      groups.stableGroup(1)
      expect(groups.join(fields).answer.errorCode).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    })
  }

  test('with an empty protocol type or list in a new group: INCONSISTENT_GROUP_PROTOCOL, and no group comes of it', () => {
    const groups = new GroupTest()
    expect(groups.join({ protocolType: '' }).answer.errorCode).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    expect(groups.join({ protocols: {} }).answer.errorCode).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    expect(groups.shard.groups.size).toBe(0)
    expect(groups.log.batches()).toEqual([])
  })

  test('with errors in the shape of the version: protocol name null from v7, empty before', () => {
    const groups = new GroupTest()
    const failure = { generationId: -1, leader: '', memberId: 'x', members: [], skipAssignment: false }
    expect(groups.join({ memberId: 'x', version: 6 }).answer).toMatchObject({ ...failure, protocolName: '' })
    expect(groups.join({ memberId: 'x', version: 7 }).answer).toMatchObject({ ...failure, protocolName: null })
  })
})

describe('group.max.size', () => {
  test('Stable: a further member gets GROUP_MAX_SIZE_REACHED and an empty member id', () => {
    const groups = new GroupTest({ config: { membersMax: 2 } })
    groups.stableGroup(2)
    expect(groups.join().answer).toMatchObject({ errorCode: ErrorCode.GROUP_MAX_SIZE_REACHED, memberId: '' })
  })

  test('CompletingRebalance: members may return, others may not enter', () => {
    const groups = new GroupTest({ config: { membersMax: 1 } })
    const { memberId } = groups.joinWithId().answer
    expect(groups.state()).toBe('CompletingRebalance')
    expect(groups.join({ memberId }).answer.errorCode).toBe(ErrorCode.NONE)
    expect(groups.join().answer.errorCode).toBe(ErrorCode.GROUP_MAX_SIZE_REACHED)
  })

  test('PreparingRebalance: who waits counts, so that the first to come back get the places', () => {
    const groups = new GroupTest({ config: { membersMax: 2 } })
    const [leader, follower] = groups.stableGroup(2)
    expect(groups.join({ memberId: leader!.memberId }).isParked).toBe(true)
    const newcomer = groups.join({ version: 3 })
    expect(newcomer.isParked).toBe(true)
    expect(groups.join({ memberId: follower!.memberId }).answer.errorCode).toBe(ErrorCode.GROUP_MAX_SIZE_REACHED)
    expect(groups.join({ memberId: leader!.memberId }).isParked).toBe(true)
  })
})

describe('a first JoinGroup', () => {
  test('v4+: MEMBER_ID_REQUIRED with an id made of client id and UUID', () => {
    const groups = new GroupTest()
    const { answer } = groups.join({ version: 4, clientId: 'billing' })
    expect(answer.errorCode).toBe(ErrorCode.MEMBER_ID_REQUIRED)
    expect(answer.memberId).toMatch(/^billing-[0-9a-f-]{36}$/)
    expect(groups.describe()).toMatchObject({ groupState: 'Empty', protocolType: '', members: [] })
  })

  test('v0-v3: admitted at once, as leader of generation 1', () => {
    const groups = new GroupTest()
    const { answer } = groups.join({ version: 3, protocols: { range: 'mine' } })
    expect(answer).toMatchObject({
      errorCode: ErrorCode.NONE,
      generationId: 1,
      protocolType: 'consumer',
      protocolName: 'range',
      leader: answer.memberId,
      members: [{ memberId: answer.memberId, groupInstanceId: null, metadata: Buffer.from('mine') }],
    })
  })

  test('v0: the session timeout is the rebalance timeout, too', () => {
    const groups = new GroupTest()
    const { answer } = groups.join({ version: 0, rebalanceTimeoutMs: -1, sessionTimeoutMs: 30_000 })
    expect(groups.classicGroup()?.member(answer.memberId)?.rebalanceTimeoutMs).toBe(30_000)
  })

  test('writes an empty metadata record of generation 0 before anybody knows the group', () => {
    const groups = new GroupTest()
    groups.join()
    expect(groups.log.batches()).toEqual([
      [
        {
          type: 'group-metadata',
          group: 'group',
          value: {
            protocolType: '',
            generation: 0,
            protocol: null,
            leader: null,
            stateTimestampMs: groups.clock.now(),
            members: [],
          },
        },
      ],
    ])
  })

  test('a pending id is admitted when it comes back, and is a member like any other then', () => {
    const groups = new GroupTest()
    const { answer } = groups.joinWithId()
    expect(answer).toMatchObject({ errorCode: ErrorCode.NONE, generationId: 1, leader: answer.memberId })
    expect(groups.timers.names().filter((name) => name.includes('pending-join'))).toEqual([])
  })

  test('a pending id that does not come back within its session timeout is forgotten', () => {
    const groups = new GroupTest()
    const { memberId } = groups.join({ sessionTimeoutMs: 7_000 }).answer
    groups.sleep(6_999)
    expect(groups.classicGroup()?.pendingJoins.has(memberId)).toBe(true)
    groups.sleep(1)
    expect(groups.classicGroup()?.pendingJoins.has(memberId)).toBe(false)
    expect(groups.join({ memberId }).answer.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  test('a pending id holds the join phase open until it joins', () => {
    const groups = new GroupTest()
    const [leader] = groups.stableGroup(1)
    const { memberId } = groups.join().answer
    const waiting = groups.join({ memberId: leader!.memberId })
    expect(waiting.isParked).toBe(true)
    groups.join({ memberId })
    expect(waiting.answer.generationId).toBe(2)
  })

  test('a pending id that runs out completes the join phase', () => {
    const groups = new GroupTest()
    const [leader] = groups.stableGroup(1)
    groups.join({ sessionTimeoutMs: 6_000 })
    const waiting = groups.join({ memberId: leader!.memberId })
    expect(waiting.isParked).toBe(true)
    groups.sleep(6_000)
    expect(waiting.answer).toMatchObject({ generationId: 2, members: [{ memberId: leader!.memberId }] })
  })

  test('that is never answered ends after five minutes, whatever session timeout it asked for', () => {
    const groups = new GroupTest()
    const [leader] = groups.stableGroup(1, { rebalanceTimeoutMs: 1_000_000, sessionTimeoutMs: 1_800_000 })
    const newcomer = groups.join({ version: 3, rebalanceTimeoutMs: 1_000_000, sessionTimeoutMs: 6_000 })
    groups.sleep(299_999)
    expect(newcomer.isParked).toBe(true)
    groups.sleep(1)
    expect(newcomer.answer.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
    expect(groups.join({ memberId: leader!.memberId }).answer.members).toHaveLength(1)
  })
})

describe('a known member joins again', () => {
  test('PreparingRebalance: waits with the others', () => {
    const groups = new GroupTest()
    const [leader, follower] = groups.stableGroup(2)
    const leading = groups.join({ memberId: leader!.memberId })
    expect(leading.isParked).toBe(true)
    const following = groups.join({ memberId: follower!.memberId })
    expect(leading.answer).toMatchObject({ generationId: 3, leader: leader!.memberId })
    expect(leading.answer.members).toHaveLength(2)
    expect(following.answer).toMatchObject({ generationId: 3, leader: leader!.memberId, members: [] })
  })

  test('PreparingRebalance: a second call under the same id ends the first', () => {
    const groups = new GroupTest()
    const [leader] = groups.stableGroup(2)
    const first = groups.join({ memberId: leader!.memberId })
    const second = groups.join({ memberId: leader!.memberId })
    expect(first.answer.errorCode).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
    expect(second.isParked).toBe(true)
  })

  test('CompletingRebalance, same metadata: answered at once with the current generation', () => {
    const groups = new GroupTest()
    const { memberId } = groups.joinWithId().answer
    const { answer } = groups.join({ memberId })
    expect(answer).toMatchObject({ generationId: 1, leader: memberId, members: [{ memberId }] })
    expect(groups.state()).toBe('CompletingRebalance')
  })

  test('CompletingRebalance, changed metadata: a new rebalance', () => {
    const groups = new GroupTest()
    const { memberId } = groups.joinWithId().answer
    expect(groups.join({ memberId, protocols: { range: 'changed' } }).answer.generationId).toBe(2)
  })

  test('Stable, leader: always a rebalance', () => {
    const groups = new GroupTest()
    const [leader] = groups.stableGroup(1)
    expect(groups.join({ memberId: leader!.memberId }).answer.generationId).toBe(2)
  })

  test('Stable, follower with the same metadata: answered at once, no rebalance', () => {
    const groups = new GroupTest()
    const [leader, follower] = groups.stableGroup(2)
    const { answer } = groups.join({ memberId: follower!.memberId })
    expect(answer).toMatchObject({ errorCode: 0, generationId: 2, leader: leader!.memberId, members: [] })
    expect(groups.state()).toBe('Stable')
  })

  for (const [what, protocols] of [
    ['other bytes', { range: 'changed' }],
    ['another name', { range: 'metadata', sticky: 'metadata' }],
  ] as const) {
    test(`Stable, follower with ${what}: a rebalance`, () => {
      const groups = new GroupTest()
      const [leader, follower] = groups.stableGroup(2)
      expect(groups.join({ memberId: follower!.memberId, protocols }).isParked).toBe(true)
      expect(groups.heartbeat(leader!)).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
    })
  }

  test('Stable, follower with the same names in another order: a rebalance', () => {
    const groups = new GroupTest()
    const [, follower] = groups.stableGroup(2, { protocols: { range: 'r', sticky: 's' } })
    expect(groups.join({ memberId: follower!.memberId, protocols: { sticky: 's', range: 'r' } }).isParked).toBe(true)
  })

  test('Empty: nobody is known', () => {
    const groups = new GroupTest()
    const [leader] = groups.stableGroup(1)
    groups.leave([{ memberId: leader!.memberId }])
    expect(groups.state()).toBe('Empty')
    expect(groups.join({ memberId: leader!.memberId }).answer.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })
})

describe('leader and protocol', () => {
  test('the leader is kept across rebalances', () => {
    const groups = new GroupTest()
    const [first, second] = groups.stableGroup(2)
    const following = groups.join({ memberId: second!.memberId, protocols: { range: 'changed' } })
    groups.join({ memberId: first!.memberId })
    expect(following.answer.leader).toBe(first!.memberId)
  })

  test('a leader that did not rejoin gives way to the first member that did', () => {
    const groups = new GroupTest()
    const [, second, third] = groups.stableGroup(3)
    const calls = [third, second].map((member) =>
      groups.join({ memberId: member!.memberId, protocols: { range: 'new' } }),
    )
    groups.sleep(60_000)
    for (const { answer } of calls) expect(answer).toMatchObject({ generationId: 3, leader: second!.memberId })
  })

  test('when the leader leaves, the next in join order leads', () => {
    const groups = new GroupTest()
    const [first, second, third] = groups.stableGroup(3)
    groups.leave([{ memberId: first!.memberId }])
    const calls = [third, second].map((member) => groups.join({ memberId: member!.memberId }))
    for (const { answer } of calls) expect(answer.leader).toBe(second!.memberId)
  })

  test('members are shown to the leader with their metadata for the chosen protocol', () => {
    const groups = new GroupTest()
    const first = groups.join({ version: 3, protocols: { range: 'a-range', sticky: 'a-sticky' } }).answer.memberId
    const second = groups.join({ version: 3, protocols: { sticky: 'b-sticky' } })
    const leading = groups.join({ memberId: first, protocols: { range: 'a-range', sticky: 'a-sticky' } })
    expect(leading.answer.protocolName).toBe('sticky')
    expect(leading.answer.members.map(({ metadata }) => metadata.toString())).toEqual(['a-sticky', 'b-sticky'])
    expect(second.answer.protocolName).toBe('sticky')
  })

  test('an emptied group keeps its protocol type but takes any other', () => {
    const groups = new GroupTest()
    const [leader] = groups.stableGroup(1)
    groups.leave([{ memberId: leader!.memberId }])
    expect(groups.describe()).toMatchObject({ groupState: 'Empty', protocolType: 'consumer' })
    expect(groups.join({ version: 3, protocolType: 'connect' }).answer).toMatchObject({
      errorCode: ErrorCode.NONE,
      protocolType: 'connect',
      generationId: 3,
    })
  })
})
