import { describe, expect, test } from 'bun:test'
import { ErrorCode } from '../../../../src/protocol/errors.ts'
import { GroupTest, TOPICS, UNKNOWN_TOPIC_ID } from '../../group-test.ts'

describe('rows that fail alone', () => {
  test('unknown topic or partition: UNKNOWN_TOPIC_OR_PARTITION, the others commit', () => {
    const groups = new GroupTest()
    const offsets = { 'orders/0': 1, 'orders/3': 2, 'orders/-1': 2, 'nothing/0': 3, 'payments/1': 4 }
    expect(groups.commitCodes({ offsets })).toEqual([0, 3, 3, 3, 0])
    expect(groups.committed()).toEqual({ 'orders/0': 1, 'payments/1': 4 })
  })

  test('v10, unknown topic id: UNKNOWN_TOPIC_ID, the others commit', () => {
    const groups = new GroupTest()
    const { answer } = groups.commit({ version: 10, offsets: { 'orders/0': 1, 'nothing/0': 2, 'orders/9': 3 } })
    expect(answer.topics).toEqual([
      {
        name: '',
        topicId: TOPICS.orders!.id,
        partitions: [
          { partitionIndex: 0, errorCode: 0 },
          { partitionIndex: 9, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION },
        ],
      },
      {
        name: '',
        topicId: UNKNOWN_TOPIC_ID,
        partitions: [{ partitionIndex: 0, errorCode: ErrorCode.UNKNOWN_TOPIC_ID }],
      },
    ])
  })

  test('a topic that the principal may not read: TOPIC_AUTHORIZATION_FAILED', () => {
    const groups = new GroupTest()
    groups.forbidden.add('orders')
    const offsets = { 'orders/0': 1, 'payments/0': 2 }
    expect(groups.commitCodes({ offsets })).toEqual([ErrorCode.TOPIC_AUTHORIZATION_FAILED, 0])
  })

  test('metadata of more than offset.metadata.max.bytes characters: OFFSET_METADATA_TOO_LARGE', () => {
    const groups = new GroupTest()
    const longest = 'é'.repeat(4096)
    const offsets = { 'orders/0': [1, longest], 'orders/1': [2, `${longest}x`], 'orders/2': 3 } as const
    expect(groups.commitCodes({ offsets })).toEqual([0, ErrorCode.OFFSET_METADATA_TOO_LARGE, 0])
    expect(groups.committed()).toEqual({ 'orders/0': 1, 'orders/2': 3 })
  })

  test('nothing but failing rows: answered without looking for the group', () => {
    const groups = new GroupTest()
    expect(groups.commitCodes({ offsets: { 'nothing/0': 1 } })).toEqual([3])
    expect(groups.shard.groups.size).toBe(0)
  })
})

describe('the group', () => {
  test('unknown, generation < 0: a simple group is made, whatever the member id', () => {
    const groups = new GroupTest()
    expect(groups.commitCodes({ memberId: 'anybody' })).toEqual([0])
    expect(groups.describe()).toMatchObject({ groupState: 'Empty', protocolType: '', members: [] })
    expect(groups.log.batches()).toMatchObject([
      [
        { type: 'group-metadata', value: { generation: 0, protocolType: '', members: [] } },
        { type: 'offset-commit', value: { offset: 7 } },
      ],
    ])
  })

  test('unknown, generation >= 0: GROUP_ID_NOT_FOUND from v9, ILLEGAL_GENERATION before', () => {
    const groups = new GroupTest()
    expect(groups.commitCodes({ version: 9, generation: 0 })).toEqual([ErrorCode.GROUP_ID_NOT_FOUND])
    expect(groups.commitCodes({ version: 8, generation: 0 })).toEqual([ErrorCode.ILLEGAL_GENERATION])
  })

  test('Empty, generation < 0: stored', () => {
    const groups = new GroupTest()
    groups.commit()
    expect(groups.commitCodes({ memberId: 'admin', offsets: { 'orders/1': 9 } })).toEqual([0])
    expect(groups.committed()).toEqual({ 'orders/0': 7, 'orders/1': 9 })
  })

  test('with members, generation < 0 and no member id: UNKNOWN_MEMBER_ID', () => {
    const groups = new GroupTest()
    groups.stableGroup(1)
    expect(groups.commitCodes()).toEqual([ErrorCode.UNKNOWN_MEMBER_ID])
  })

  test('unknown member: UNKNOWN_MEMBER_ID', () => {
    const groups = new GroupTest()
    groups.stableGroup(1)
    expect(groups.commitCodes({ memberId: 'x', generation: 1 })).toEqual([ErrorCode.UNKNOWN_MEMBER_ID])
  })

  test('instance held by another: FENCED_INSTANCE_ID', () => {
    const groups = new GroupTest()
    groups.join({ groupInstanceId: 'a' })
    const codes = groups.commitCodes({ memberId: 'x', generation: 1, groupInstanceId: 'a' })
    expect(codes).toEqual([ErrorCode.FENCED_INSTANCE_ID])
  })

  test('wrong generation: ILLEGAL_GENERATION, on every row', () => {
    const groups = new GroupTest()
    const [member] = groups.stableGroup(1)
    const offsets = { 'orders/0': 1, 'payments/0': 2 }
    expect(groups.commitCodes({ ...member, generation: 2, offsets })).toEqual([22, 22])
  })

  test('Stable: stored', () => {
    const groups = new GroupTest()
    const [member] = groups.stableGroup(1)
    expect(groups.commitCodes(member)).toEqual([0])
  })

  test('PreparingRebalance: stored', () => {
    const groups = new GroupTest()
    const [leader, follower] = groups.stableGroup(2)
    groups.join({ memberId: leader!.memberId })
    expect(groups.state()).toBe('PreparingRebalance')
    expect(groups.commitCodes(follower)).toEqual([0])
    expect(groups.committed()).toEqual({ 'orders/0': 7 })
  })

  test('CompletingRebalance: REBALANCE_IN_PROGRESS', () => {
    const groups = new GroupTest()
    const { memberId } = groups.joinWithId().answer
    expect(groups.commitCodes({ memberId, generation: 1 })).toEqual([ErrorCode.REBALANCE_IN_PROGRESS])
  })

  test('with an empty id may commit', () => {
    const groups = new GroupTest()
    expect(groups.commitCodes({ groupId: '' })).toEqual([0])
    expect(groups.committed('')).toEqual({ 'orders/0': 7 })
  })
})

describe('what is stored', () => {
  test('offset, leader epoch, metadata and time; the topic id whichever way the request named the topic', () => {
    const groups = new GroupTest()
    groups.commit({ offsets: { 'orders/0': [5, 'mark\0'] } })
    groups.commit({ version: 10, offsets: { 'orders/1': [6, null] } })
    const stored = { leaderEpoch: 3, commitTimestampMs: groups.clock.now(), expireTimestampMs: null }
    const orders = groups.shard.durable.offsets.get('group')?.get('orders')
    expect(orders?.get(0)).toEqual({ ...stored, offset: 5, metadata: 'mark\0', topicId: TOPICS.orders!.id })
    expect(orders?.get(1)).toEqual({ ...stored, offset: 6, metadata: '', topicId: TOPICS.orders!.id })
  })

  test('negative offsets as they are', () => {
    const groups = new GroupTest()
    expect(groups.commitCodes({ offsets: { 'orders/0': -5 } })).toEqual([0])
    expect(groups.committed()).toEqual({ 'orders/0': -5 })
  })

  test('a retention time of the request becomes an expiry of the commit', () => {
    const groups = new GroupTest()
    groups.commit({ version: 4, retentionTimeMs: 60_000 })
    const stored = groups.shard.durable.offsets.get('group')?.get('orders')?.get(0)
    expect(stored?.expireTimestampMs).toBe(groups.clock.now() + 60_000)
  })

  test('one batch per request, answered when it is durable', () => {
    const groups = new GroupTest()
    groups.commit()
    groups.log.isHeld = true
    const call = groups.commit({ offsets: { 'orders/0': 8, 'orders/1': 9 } })
    expect(call.isParked).toBe(true)
    groups.log.settle()
    expect(call.answer.topics[0]?.partitions).toHaveLength(2)
    expect(groups.log.batches().map((batch) => batch.length)).toEqual([2, 2])
  })
})
