import { describe, expect, test } from 'bun:test'
import { ErrorCode } from '../../../../src/protocol/errors.ts'
import { ZERO_UUID } from '../../../../src/protocol/schema.ts'
import { GroupTest, TOPICS, UNKNOWN_TOPIC_ID } from '../../group-test.ts'

const NOTHING = { committedOffset: -1, committedLeaderEpoch: -1, metadata: '', errorCode: 0 }

describe('one group (v1-v7)', () => {
  test('unknown group, topic and partition: offset -1, no error', () => {
    const groups = new GroupTest()
    const topics = [{ name: 'orders', partitionIndexes: [0, 99] }]
    expect(groups.fetch({ groupId: 'nobody', topics }).answer).toEqual({
      errorCode: 0,
      topics: [
        {
          name: 'orders',
          partitions: [
            { partitionIndex: 0, ...NOTHING },
            { partitionIndex: 99, ...NOTHING },
          ],
        },
      ],
    })
    groups.commit()
    const unknown = groups.fetch({ topics: [{ name: 'nothing', partitionIndexes: [0] }] }).answer
    expect(unknown.topics?.[0]?.partitions).toEqual([{ partitionIndex: 0, ...NOTHING }])
  })

  test('null topics: everything stored; an empty list: nothing', () => {
    const groups = new GroupTest()
    groups.commit({ offsets: { 'orders/0': 1, 'payments/1': [2, 'note'] } })
    expect(groups.fetch({ topics: [] }).answer.topics).toEqual([])
    expect(groups.fetch({ topics: null }, 2).answer.topics).toEqual([
      {
        name: 'orders',
        partitions: [{ partitionIndex: 0, committedOffset: 1, committedLeaderEpoch: 3, metadata: '', errorCode: 0 }],
      },
      {
        name: 'payments',
        partitions: [
          { partitionIndex: 1, committedOffset: 2, committedLeaderEpoch: 3, metadata: 'note', errorCode: 0 },
        ],
      },
    ])
  })

  test('what fails for the whole group: at the top from v2, on every partition in v1', () => {
    const groups = new GroupTest()
    groups.forbidden.add('group')
    const topics = [{ name: 'orders', partitionIndexes: [0] }]
    const errorCode = ErrorCode.GROUP_AUTHORIZATION_FAILED
    expect(groups.fetch({ topics }, 2).answer).toEqual({ errorCode, topics: [] })
    expect(groups.fetch({ topics }, 1).answer.topics).toEqual([
      { name: 'orders', partitions: [{ partitionIndex: 0, ...NOTHING, errorCode }] },
    ])
  })

  test('topics that the principal may not describe: an error when named, left out of "all"', () => {
    const groups = new GroupTest()
    groups.commit({ offsets: { 'orders/0': 1, 'payments/1': 2 } })
    groups.forbidden.add('orders')
    const named = groups.fetch({ topics: [{ name: 'orders', partitionIndexes: [0] }] }).answer
    expect(named.topics?.[0]?.partitions[0]?.errorCode).toBe(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
    expect(groups.fetch({ topics: null }).answer.topics?.map(({ name }) => name)).toEqual(['payments'])
  })
})

describe('many groups (v8+)', () => {
  const ask = (groupId: string, topics: { name: string; topicId: string; partitionIndexes: number[] }[] | null) => ({
    groupId,
    memberId: null,
    memberEpoch: -1,
    topics,
  })

  test('each in the order of the request, with an error of its own', () => {
    const groups = new GroupTest({ partitions: 3 })
    groups.commit({ groupId: 'one', offsets: { 'orders/0': 1 } })
    groups.commit({ groupId: 'two', offsets: { 'orders/0': 2 } })
    groups.forbidden.add('three')
    const { answer } = groups.fetch(
      { groups: [ask('three', null), ask('two', null), ask('one', null), ask('no', null)] },
      8,
    )
    expect(answer.topics).toBeUndefined()
    expect(answer.groups?.map(({ groupId, errorCode }) => [groupId, errorCode])).toEqual([
      ['three', ErrorCode.GROUP_AUTHORIZATION_FAILED],
      ['two', 0],
      ['one', 0],
      ['no', 0],
    ])
    expect(answer.groups?.map(({ topics }) => topics[0]?.partitions[0]?.committedOffset)).toEqual([
      undefined,
      2,
      1,
      undefined,
    ])
  })

  test('no groups: an empty answer', () => {
    expect(new GroupTest().fetch({ groups: [] }, 8).answer.groups).toEqual([])
  })

  test('v10: topics by id; an unknown id is UNKNOWN_TOPIC_ID on its partitions', () => {
    const groups = new GroupTest()
    groups.commit({ offsets: { 'orders/2': 5 } })
    const topics = [
      { name: '', topicId: TOPICS.orders!.id, partitionIndexes: [2] },
      { name: '', topicId: UNKNOWN_TOPIC_ID, partitionIndexes: [0] },
    ]
    const [answer] = groups.fetch({ groups: [ask('group', topics)] }, 10).answer.groups ?? []
    expect(answer?.topics.map(({ topicId, partitions }) => [topicId, partitions[0]?.committedOffset])).toEqual([
      [TOPICS.orders!.id, 5],
      [UNKNOWN_TOPIC_ID, -1],
    ])
    expect(answer?.topics[1]?.partitions[0]?.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_ID)
  })

  test('v10, everything stored: with topic ids, without topics that have none any more', () => {
    const groups = new GroupTest()
    groups.commit({ offsets: { 'orders/0': 1, 'payments/0': 2 } })
    groups.topics.delete('payments')
    const [v10] = groups.fetch({ groups: [ask('group', null)] }, 10).answer.groups ?? []
    expect(v10?.topics.map(({ topicId }) => topicId)).toEqual([TOPICS.orders!.id])
    const [v9] = groups.fetch({ groups: [ask('group', null)] }, 9).answer.groups ?? []
    expect(v9?.topics.map(({ name, topicId }) => [name, topicId])).toEqual([
      ['orders', TOPICS.orders!.id],
      ['payments', ZERO_UUID],
    ])
  })
})

test('a commit that is not durable yet is not told: the fetch waits for it', () => {
  const groups = new GroupTest()
  groups.commit({ offsets: { 'orders/0': 1 } })
  groups.log.isHeld = true
  groups.commit({ offsets: { 'orders/0': 2 } })
  const call = groups.fetch({ topics: null })
  expect(call.isParked).toBe(true)
  groups.log.settle()
  expect(call.answer.topics?.[0]?.partitions[0]?.committedOffset).toBe(2)
})
