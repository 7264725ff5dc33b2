import { describe, expect, test } from 'bun:test'
import { ErrorCode } from '../../../../src/protocol/errors.ts'
import { Call, GroupTest, subscription, TOPICS } from '../../group-test.ts'

function offsetDelete(groups: GroupTest, partitions: readonly string[], groupId = 'group') {
  const topics = partitions.map((key) => {
    const [name = '', index] = key.split('/')
    return { name, partitions: [{ partitionIndex: Number(index) }] }
  })
  const { answer } = groups.call(groups.coordinator.offsetDelete, 0, { groupId, topics })
  const codes = answer.topics.flatMap((topic) => topic.partitions.map(({ errorCode }) => errorCode))
  return { errorCode: answer.errorCode, codes }
}

function deleteGroups(groups: GroupTest, ...groupIds: string[]): [string, number][] {
  const call = new Call<Parameters<Parameters<typeof groups.coordinator.deleteGroups>[2]>[0]>()
  groups.coordinator.deleteGroups(groups.context(2), groupIds, call.reply)
  groups.log.flush()
  return call.answer.map(({ groupId, errorCode }) => [groupId, errorCode])
}

describe('OffsetDelete', () => {
  test('empty group id: INVALID_GROUP_ID', () => {
    expect(offsetDelete(new GroupTest(), ['orders/0'], '').errorCode).toBe(ErrorCode.INVALID_GROUP_ID)
  })

  test('unknown group: GROUP_ID_NOT_FOUND', () => {
    expect(offsetDelete(new GroupTest(), ['orders/0'])).toEqual({ errorCode: ErrorCode.GROUP_ID_NOT_FOUND, codes: [] })
  })

  test('Empty: tombstones for what was committed, success for what was not, 3 for what does not exist', () => {
    const groups = new GroupTest()
    groups.commit({ offsets: { 'orders/0': 1, 'orders/1': 2 } })
    const { errorCode, codes } = offsetDelete(groups, ['orders/0', 'orders/2', 'orders/7', 'nothing/0'])
    expect(errorCode).toBe(ErrorCode.NONE)
    expect(codes).toEqual([0, 0, 3, 3])
    expect(groups.committed()).toEqual({ 'orders/1': 2 })
    expect(groups.log.batches().at(-1)).toEqual([
      { type: 'offset-commit', group: 'group', topic: 'orders', partition: 0, value: null },
    ])
  })

  test('with members of another protocol type: NON_EMPTY_GROUP', () => {
    const groups = new GroupTest()
    groups.stableGroup(1, { protocolType: 'connect' })
    expect(offsetDelete(groups, ['orders/0']).errorCode).toBe(ErrorCode.NON_EMPTY_GROUP)
  })

  test('with consumers: subscribed topics are GROUP_SUBSCRIBED_TO_TOPIC, others are deleted', () => {
    const groups = new GroupTest()
    const [member] = groups.stableGroup(1, { protocols: { range: subscription('orders') } })
    groups.commit({ ...member, offsets: { 'orders/0': 1, 'payments/0': 2 } })
    const { codes } = offsetDelete(groups, ['orders/0', 'payments/0'])
    expect(codes).toEqual([ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC, 0])
    expect(groups.committed()).toEqual({ 'orders/0': 1 })
  })

  test('with consumers whose metadata cannot be parsed: every topic counts as subscribed', () => {
    const groups = new GroupTest()
    groups.stableGroup(1, { protocols: { range: 'not a subscription' } })
    expect(offsetDelete(groups, ['payments/0']).codes).toEqual([ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC])
  })
})

describe('DeleteGroups', () => {
  test('unknown: GROUP_ID_NOT_FOUND; with members: NON_EMPTY_GROUP; named twice: answered once', () => {
    const groups = new GroupTest()
    groups.stableGroup(1, { groupId: 'live' })
    groups.commit({ groupId: 'idle' })
    expect(deleteGroups(groups, 'none', 'live', 'idle', 'idle')).toEqual([
      ['none', ErrorCode.GROUP_ID_NOT_FOUND],
      ['live', ErrorCode.NON_EMPTY_GROUP],
      ['idle', ErrorCode.NONE],
    ])
  })

  test('deletes the offsets and the group, by tombstones', () => {
    const groups = new GroupTest()
    groups.commit({ offsets: { 'orders/0': 1, 'payments/1': 2 } })
    deleteGroups(groups, 'group')
    expect(groups.log.batches().at(-1)).toEqual([
      { type: 'offset-commit', group: 'group', topic: 'orders', partition: 0, value: null },
      { type: 'offset-commit', group: 'group', topic: 'payments', partition: 1, value: null },
      { type: 'group-metadata', group: 'group', value: null },
    ])
    expect(groups.shard.groups.size).toBe(0)
    expect(groups.state()).toBe('Dead')
    groups.crash()
    expect(groups.shard.durable).toMatchObject({ metadata: new Map(), offsets: new Map() })
  })

  test('the empty group id can be deleted if it exists', () => {
    const groups = new GroupTest()
    expect(deleteGroups(groups, '')).toEqual([['', ErrorCode.GROUP_ID_NOT_FOUND]])
    groups.commit({ groupId: '' })
    expect(deleteGroups(groups, '')).toEqual([['', ErrorCode.NONE]])
  })

  test('a group whose only joiner is pending is empty; its id is void then', () => {
    const groups = new GroupTest()
    const { memberId } = groups.join().answer
    expect(deleteGroups(groups, 'group')).toEqual([['group', ErrorCode.NONE]])
    expect(groups.timers.names().filter((name) => name.includes('pending-join'))).toEqual([])
    expect(groups.join({ memberId }).answer.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  test('with more offsets than a batch can hold: several batches', () => {
    const groups = new GroupTest()
    groups.topics.set('wide', { id: 'd2lkZXdpZGV3aWRld2lkZQ', partitions: 200 })
    groups.commit({ offsets: Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`wide/${index}`, index])) })
    groups.log.bytesMax = 2_000
    expect(deleteGroups(groups, 'group')).toEqual([['group', ErrorCode.NONE]])
    expect(groups.log.batches().length).toBeGreaterThan(3)
    expect(groups.shard.durable.offsets.size).toBe(0)
  })
})

describe('a topic is deleted', () => {
  test('every group forgets its positions in it', () => {
    const groups = new GroupTest({ partitions: 3 })
    for (const groupId of ['a', 'b', 'c', 'd']) {
      groups.commit({ groupId, offsets: { 'orders/0': 1, 'payments/0': 2 } })
    }
    groups.topics.delete('orders')
    groups.coordinator.topicDeleted('orders', TOPICS.orders!.id)
    groups.log.flush()
    for (const groupId of ['a', 'b', 'c', 'd']) expect(groups.committed(groupId)).toEqual({ 'payments/0': 2 })
    groups.crash()
    expect(groups.committed('a')).toEqual({ 'payments/0': 2 })
  })

  test('while the groups are loading: they forget when they are loaded', () => {
    const groups = new GroupTest()
    groups.commit({ offsets: { 'orders/0': 1, 'payments/0': 2 } })
    groups.log.areLoadsHeld = true
    groups.crash()
    groups.coordinator.topicDeleted('orders', TOPICS.orders!.id)
    groups.log.releaseLoads()
    groups.log.flush()
    expect(groups.committed()).toEqual({ 'payments/0': 2 })
  })

  test('and the process ends before the tombstones are written: they are written after the next load', () => {
    const groups = new GroupTest()
    groups.commit({ offsets: { 'orders/0': 1, 'payments/0': 2 } })
    groups.topics.delete('orders')
    groups.crash()
    expect(groups.committed()).toEqual({ 'payments/0': 2 })
    expect(groups.log.batches().at(-1)).toMatchObject([{ topic: 'orders', value: null }])
  })

  test('and made anew before the next load: positions that carry the former id go', () => {
    const groups = new GroupTest()
    groups.commit({ version: 10, offsets: { 'orders/0': 1, 'payments/0': 2 } })
    groups.topics.set('orders', { id: 'bmV3bmV3bmV3bmV3bmV3bg', partitions: 3 })
    groups.crash()
    expect(groups.committed()).toEqual({ 'payments/0': 2 })
  })
})
