import { expect, test } from 'bun:test'
import { ErrorCode } from '../../../../src/protocol/errors.ts'
import { GroupTest } from '../../group-test.ts'

test('empty group id: INVALID_GROUP_ID', () => {
  expect(new GroupTest().heartbeat({ memberId: 'm', generation: 1 }, '')).toBe(ErrorCode.INVALID_GROUP_ID)
})

test('unknown group: UNKNOWN_MEMBER_ID', () => {
  expect(new GroupTest().heartbeat({ memberId: 'm', generation: 1 })).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
})

test('unknown member: UNKNOWN_MEMBER_ID', () => {
  const groups = new GroupTest()
  groups.stableGroup(1)
  expect(groups.heartbeat({ memberId: 'm', generation: 1 })).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
})

test('pending id: UNKNOWN_MEMBER_ID', () => {
  const groups = new GroupTest()
  const { memberId } = groups.join().answer
  expect(groups.heartbeat({ memberId, generation: 0 })).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
})

test('instance held by another member id: FENCED_INSTANCE_ID', () => {
  const groups = new GroupTest()
  groups.join({ groupInstanceId: 'a' })
  expect(groups.heartbeat({ memberId: 'm', generation: 1, groupInstanceId: 'a' })).toBe(ErrorCode.FENCED_INSTANCE_ID)
})

test('wrong generation: ILLEGAL_GENERATION', () => {
  const groups = new GroupTest()
  const [member] = groups.stableGroup(1)
  for (const generation of [-1, 0, 2]) {
    expect(groups.heartbeat({ ...member!, generation })).toBe(ErrorCode.ILLEGAL_GENERATION)
  }
})

test('Empty: UNKNOWN_MEMBER_ID', () => {
  const groups = new GroupTest()
  const [member] = groups.stableGroup(1)
  groups.leave([member!])
  expect(groups.heartbeat({ ...member!, generation: 2 })).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
})

test('PreparingRebalance: REBALANCE_IN_PROGRESS', () => {
  const groups = new GroupTest()
  const [leader, follower] = groups.stableGroup(2)
  groups.join({ memberId: leader!.memberId })
  expect(groups.heartbeat(follower!)).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
})

test('CompletingRebalance: 0', () => {
  const groups = new GroupTest()
  const { memberId } = groups.joinWithId().answer
  expect(groups.heartbeat({ memberId, generation: 1 })).toBe(ErrorCode.NONE)
})

test('Stable: 0', () => {
  const groups = new GroupTest()
  const [member] = groups.stableGroup(1)
  expect(groups.heartbeat(member!)).toBe(ErrorCode.NONE)
})
