/** Members of share groups: how they come, share partitions, go silent, and survive a restart of the broker. */
import { describe, expect, test } from 'bun:test'
import { ErrorCode } from '../../../../src/protocol/errors.ts'
import { type GroupTest, TOPICS } from '../../group-test.ts'
import { ShareMember, shareTest } from './share-test.ts'

const OK = { errorCode: ErrorCode.NONE, errorMessage: null }
const SESSION_MS = 45_000
const ORDERS = TOPICS.orders!.id

function groupOf(groups: GroupTest, groupId = 'group') {
  const group = groups.shardOf(groupId).groups.get(groupId)
  return group?.type === 'share' ? group : undefined
}

/** Who has joined and has its partitions. */
function joined(groups: GroupTest, memberId: string, topics?: readonly string[]): ShareMember {
  const member = new ShareMember(groups, memberId)
  member.join(topics)
  member.beat()
  return member
}

describe('the first member', () => {
  test('has the states of its partitions made, and gets them with its next heartbeat', () => {
    const groups = shareTest()
    const one = new ShareMember(groups, 'one')
    const first = one.join()
    expect(first).toMatchObject({ ...OK, memberId: 'one', memberEpoch: 2, heartbeatIntervalMs: 5_000 })
    expect(first.assignment).toEqual({ topicPartitions: [] })
    expect([...groups.persister.startOffsets.values()]).toEqual([-1, -1, -1])
    expect(one.beat()).toMatchObject({ ...OK, memberEpoch: 3 })
    expect(one.held).toEqual({ orders: [0, 1, 2] })
    expect(one.beat()).toMatchObject({ ...OK, memberEpoch: 3, assignment: null })
    expect(groupOf(groups)?.state).toBe('Stable')
  })

  test('writes the records that Kafka writes', () => {
    const groups = shareTest()
    joined(groups, 'one')
    expect(groups.log.batches().map((batch) => batch.map(({ type }) => type))).toEqual([
      ['share-member', 'share-group', 'share-target', 'share-target-epoch', 'share-progress', 'share-states'],
      ['share-states'],
      ['share-group', 'share-target', 'share-target-epoch', 'share-progress'],
    ])
  })

  test('is answered when they are durable, and only then are states asked for', () => {
    const groups = shareTest()
    groups.log.isHeld = true
    const call = new ShareMember(groups, 'one').call({ memberEpoch: 0, subscribedTopicNames: ['orders'] })
    expect(call.isParked).toBe(true)
    expect(groups.persister.startOffsets.size).toBe(0)
    groups.log.settle()
    expect(call.answer.memberEpoch).toBe(2)
    expect(groups.persister.startOffsets.size).toBe(3)
  })

  test('whose records are lost is refused, and there is no group', () => {
    const groups = shareTest()
    groups.log.isHeld = true
    const call = new ShareMember(groups, 'one').call({ memberEpoch: 0, subscribedTopicNames: ['orders'] })
    groups.log.settle(ErrorCode.KAFKA_STORAGE_ERROR)
    expect(call.answer.errorCode).toBe(ErrorCode.NOT_COORDINATOR)
    groups.log.isHeld = false
    expect(groupOf(groups)).toBeUndefined()
    expect(groups.persister.startOffsets.size).toBe(0)
  })
})

test('states that the share coordinator refuses are asked for again with the next heartbeat', () => {
  const groups = shareTest()
  groups.persister.outcome = { errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE, errorMessage: null }
  const one = new ShareMember(groups, 'one')
  one.join()
  one.beat()
  expect(one.held).toEqual({})
  groups.persister.outcome = { errorCode: ErrorCode.NONE, errorMessage: null }
  one.beat()
  one.beat()
  expect(one.held).toEqual({ orders: [0, 1, 2] })
})

test('members share what there is, and who is one too many reads along', () => {
  const groups = shareTest()
  const members = ['one', 'two', 'three', 'four'].map((memberId) => joined(groups, memberId))
  for (const member of members) member.beat()
  const held = members.flatMap((member) => member.held.orders ?? [])
  expect(new Set(held)).toEqual(new Set([0, 1, 2]))
  for (const member of members) expect(member.held.orders?.length).toBeGreaterThan(0)
})

test('partitions that a topic gains are made states for, and assigned', () => {
  const groups = shareTest()
  const one = joined(groups, 'one')
  groups.setTopic('orders', 5)
  one.beat()
  one.beat()
  expect(one.held).toEqual({ orders: [0, 1, 2, 3, 4] })
})

test('a topic that is deleted goes, with what is known of its states', () => {
  const groups = shareTest()
  const one = joined(groups, 'one', ['orders', 'payments'])
  expect(one.held).toEqual({ orders: [0, 1, 2], payments: [0, 1] })
  groups.setTopic('orders', 0)
  groups.coordinator.topicDeleted('orders', ORDERS)
  groups.sleep(1)
  expect([...groupOf(groups)!.states.initialized.values()].map(({ name }) => name)).toEqual(['payments'])
  one.beat()
  expect(one.held).toEqual({ payments: [0, 1] })
})

describe('the member epoch', () => {
  test.each([
    ['its own', 3, ErrorCode.NONE],
    ['the one before', 2, ErrorCode.NONE],
    ['an older one', 1, ErrorCode.FENCED_MEMBER_EPOCH],
    ['one that was never given', 4, ErrorCode.FENCED_MEMBER_EPOCH],
    ['none: it joins anew', 0, ErrorCode.NONE],
    ['one that means nothing', -2, ErrorCode.INVALID_REQUEST],
  ])('%s', (_name, memberEpoch, errorCode) => {
    const groups = shareTest()
    const one = joined(groups, 'one')
    expect(one.epoch).toBe(3)
    const fields = memberEpoch === 0 ? { subscribedTopicNames: ['orders'] } : {}
    expect(one.call({ memberEpoch, ...fields }).answer.errorCode).toBe(errorCode)
  })

  test('of somebody unknown is no member', () => {
    const groups = shareTest()
    joined(groups, 'one')
    const two = new ShareMember(groups, 'two')
    expect(two.call({ memberEpoch: 1 }).answer.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
    expect(two.call({ memberEpoch: -1 }).answer.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
    const elsewhere = new ShareMember(groups, 'one', 'no-such-group')
    expect(elsewhere.call({ memberEpoch: 1 }).answer.errorCode).toBe(ErrorCode.GROUP_ID_NOT_FOUND)
  })
})

describe('a member that goes', () => {
  test('by its own word leaves its partitions to the others', () => {
    const groups = shareTest()
    const one = joined(groups, 'one')
    const two = joined(groups, 'two')
    one.beat()
    expect(one.call({ memberEpoch: -1 }).answer).toMatchObject({ ...OK, memberEpoch: -1 })
    two.beat()
    expect(two.held).toEqual({ orders: [0, 1, 2] })
  })

  test('by its silence: the others get what it had, and it must join anew', () => {
    const groups = shareTest()
    const one = joined(groups, 'one')
    const two = joined(groups, 'two')
    groups.sleep(SESSION_MS - 1)
    two.beat()
    groups.sleep(1)
    expect([...groupOf(groups)!.members.keys()]).toEqual(['two'])
    two.beat()
    expect(two.held).toEqual({ orders: [0, 1, 2] })
    expect(one.beat().errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  test('as the last one leaves an empty group with its states', () => {
    const groups = shareTest()
    const one = joined(groups, 'one')
    one.call({ memberEpoch: -1 })
    expect(groupOf(groups)).toMatchObject({ state: 'Empty' })
    expect([...groupOf(groups)!.states.initialized.keys()]).toEqual([ORDERS])
    groups.sleep(SESSION_MS * 2)
    expect(groupOf(groups)?.state).toBe('Empty')
  })
})

test('a group that is full takes nobody in, and its members stay', () => {
  const groups = shareTest({ config: { share: { membersMax: 1, initializeRetryIntervalMs: 30_000 } } })
  const one = joined(groups, 'one')
  expect(new ShareMember(groups, 'two').join().errorCode).toBe(ErrorCode.GROUP_MAX_SIZE_REACHED)
  expect(one.beat().errorCode).toBe(ErrorCode.NONE)
})

describe('after a restart', () => {
  test('everybody is where it was, in its epoch', () => {
    const groups = shareTest()
    const one = joined(groups, 'one')
    const two = joined(groups, 'two')
    one.beat()
    const before = groupOf(groups)!
    groups.crash()
    const after = groupOf(groups)!
    expect(after).not.toBe(before)
    const { epoch, assignmentEpoch, metadataHash } = before
    expect(after).toMatchObject({ epoch, assignmentEpoch, metadataHash })
    expect(after.members).toEqual(before.members)
    expect(after.targets).toEqual(before.targets)
    expect([...after.states.initialized.keys()]).toEqual([...before.states.initialized.keys()])
    for (const member of [one, two]) expect(member.beat()).toMatchObject({ ...OK, memberEpoch: member.epoch })
  })

  test('who is silent for a session goes', () => {
    const groups = shareTest()
    joined(groups, 'one')
    groups.crash()
    groups.sleep(SESSION_MS - 1)
    expect(groupOf(groups)?.size).toBe(1)
    groups.sleep(1)
    expect(groupOf(groups)?.size).toBe(0)
  })

  test('between the question for states and its answer, the states are asked for again', () => {
    const groups = shareTest()
    const one = new ShareMember(groups, 'one')
    one.join()
    // What came after the first batch, which says that states are being made, is lost.
    groups.log.partitions.get(0)!.length = 1
    groups.crash()
    expect(groupOf(groups)!.states.initialized.size).toBe(0)
    one.beat()
    one.beat()
    expect(one.held).toEqual({ orders: [0, 1, 2] })
  })
})

describe('a group id of another type', () => {
  test('is no share group', () => {
    const groups = shareTest()
    groups.joinWithId({ groupId: 'group' })
    expect(new ShareMember(groups, 'one').join().errorCode).toBe(ErrorCode.GROUP_ID_NOT_FOUND)
  })

  test('cannot be taken by a classic member while a share group has it', () => {
    const groups = shareTest()
    joined(groups, 'one')
    expect(groups.join().answer.errorCode).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
  })
})
