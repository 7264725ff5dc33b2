import { describe, expect, test } from 'bun:test'
import { encodeRecord } from '../../src/coordinator/group/records.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { GroupTest, TOPICS } from './group-test.ts'

describe('loading', () => {
  test('a group with members comes back Stable, with generation, leader and assignments', () => {
    const groups = new GroupTest()
    const members = groups.stableGroup(2)
    groups.commit({ ...members[0], offsets: { 'orders/1': 12 } })
    const before = groups.describe()
    groups.crash()
    expect(groups.describe()).toEqual(before)
    expect(groups.committed()).toEqual({ 'orders/1': 12 })
    for (const member of members) expect(groups.heartbeat(member)).toBe(ErrorCode.NONE)
    expect(groups.sync(members[1]!).answer.assignment.toString()).toBe('1')
  })

  test('sessions begin anew: nobody is expired for the time the coordinator was away', () => {
    const groups = new GroupTest()
    const [member] = groups.stableGroup(1)
    groups.sleep(9_000)
    groups.crash()
    groups.sleep(9_999)
    expect(groups.heartbeat(member!)).toBe(ErrorCode.NONE)
    groups.sleep(10_000)
    expect(groups.state()).toBe('Empty')
  })

  test('a generation that was never stored is forgotten with the process', () => {
    const groups = new GroupTest()
    const [member] = groups.stableGroup(1)
    groups.join({ memberId: member!.memberId, protocols: { range: 'new' } })
    expect(groups.state()).toBe('CompletingRebalance')
    groups.crash()
    expect(groups.heartbeat(member!)).toBe(ErrorCode.NONE)
    expect(groups.state()).toBe('Stable')
  })

  test('requests are answered COORDINATOR_LOAD_IN_PROGRESS meanwhile; Heartbeat answers 0', () => {
    const groups = new GroupTest()
    const [member] = groups.stableGroup(1)
    groups.log.areLoadsHeld = true
    groups.crash()
    const loading = ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
    expect(groups.heartbeat(member!)).toBe(ErrorCode.NONE)
    expect(groups.join({ memberId: member!.memberId }).answer.errorCode).toBe(loading)
    expect(groups.sync(member!).answer.errorCode).toBe(loading)
    expect(groups.leave([member!]).answer).toEqual({ errorCode: loading, members: [] })
    expect(groups.commitCodes(member)).toEqual([loading])
    expect(groups.fetch({}).answer).toEqual({ errorCode: loading, topics: [] })
    expect(groups.describe().errorCode).toBe(loading)
    // What can be checked without the group is checked first.
    expect(groups.join({ groupId: '' }).answer.errorCode).toBe(ErrorCode.INVALID_GROUP_ID)
    groups.log.releaseLoads()
    expect(groups.heartbeat(member!)).toBe(ErrorCode.NONE)
    expect(groups.state()).toBe('Stable')
  })

  test('records of other group protocols are passed over', () => {
    const groups = new GroupTest()
    groups.commit()
    groups.log.write(0, [{ key: Buffer.from([0, 11, 0, 1, 0x67]), value: Buffer.from([0, 0, 0, 0, 0, 5, 0]) }])
    groups.crash()
    expect(groups.committed()).toEqual({ 'orders/0': 7 })
    expect(groups.shard.groups.size).toBe(1)
  })

  test('commits of old brokers without a metadata record make a simple group', () => {
    const groups = new GroupTest()
    const value = {
      offset: 3,
      leaderEpoch: -1,
      metadata: '',
      commitTimestampMs: groups.clock.now(),
      expireTimestampMs: null,
      topicId: 'AAAAAAAAAAAAAAAAAAAAAA',
    }
    const record = { type: 'offset-commit', group: 'group', topic: 'orders', partition: 0, value } as const
    groups.log.write(0, [encodeRecord(record)])
    groups.crash()
    expect(groups.describe()).toMatchObject({ groupState: 'Empty', protocolType: '' })
    expect(groups.committed()).toEqual({ 'orders/0': 3 })
    groups.coordinator.topicDeleted('orders', TOPICS.orders!.id)
    groups.log.flush()
    expect(groups.state()).toBe('Dead')
  })

  test('that fails is tried again a second later; meanwhile COORDINATOR_NOT_AVAILABLE', () => {
    const groups = new GroupTest()
    const [member] = groups.stableGroup(1)
    const { load } = groups.log
    groups.log.load = (_partition, sink) => {
      sink.ended(new Error('the disk is gone'))
      return () => {}
    }
    groups.crash()
    expect(groups.heartbeat(member!)).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    groups.log.load = load
    groups.sleep(1_000)
    expect(groups.heartbeat(member!)).toBe(ErrorCode.NONE)
  })
})

describe('a partition that is not led here', () => {
  test('has no coordinator: NOT_COORDINATOR', () => {
    const groups = new GroupTest()
    groups.coordinator.unload(0)
    expect(groups.join().answer.errorCode).toBe(ErrorCode.NOT_COORDINATOR)
    expect(groups.heartbeat({ memberId: 'm', generation: 1 })).toBe(ErrorCode.NOT_COORDINATOR)
    expect(groups.commitCodes()).toEqual([ErrorCode.NOT_COORDINATOR])
    expect(groups.fetch({}).answer.errorCode).toBe(ErrorCode.NOT_COORDINATOR)
    expect(groups.describe().errorCode).toBe(ErrorCode.NOT_COORDINATOR)
  })

  test('when it is given up, whoever waits is told, and no timer stays behind', () => {
    const groups = new GroupTest()
    const [leader, follower] = groups.stableGroup(2)
    const joining = groups.join({ memberId: leader!.memberId })
    groups.join()
    groups.log.isHeld = true
    const committing = groups.commit(follower)
    groups.coordinator.unload(0)
    expect(joining.answer.errorCode).toBe(ErrorCode.NOT_COORDINATOR)
    expect(committing.answer.topics[0]?.partitions[0]?.errorCode).toBe(ErrorCode.NOT_COORDINATOR)
    expect(groups.timers.names()).toEqual([])
    groups.log.settle()
    expect(committing.answers).toHaveLength(1)
  })

  test('when it is given up while loading, nothing comes of the load', () => {
    const groups = new GroupTest()
    groups.log.areLoadsHeld = true
    groups.crash()
    groups.coordinator.unload(0)
    groups.log.releaseLoads()
    expect(groups.timers.names()).toEqual([])
  })
})

describe('a write fails', () => {
  test('after it was queued: refused, the state is dropped and read again', () => {
    const groups = new GroupTest()
    const [member] = groups.stableGroup(1)
    groups.commit({ ...member, offsets: { 'orders/0': 1 } })
    groups.log.isHeld = true
    const commit = groups.commit({ ...member, offsets: { 'orders/0': 2 } })
    const heartbeat = groups.call(groups.coordinator.heartbeat, 3, {
      groupId: 'group',
      generationId: 1,
      memberId: member!.memberId,
      groupInstanceId: null,
    })
    groups.log.settle(ErrorCode.KAFKA_STORAGE_ERROR)
    expect(commit.answer.topics[0]?.partitions[0]?.errorCode).toBe(ErrorCode.NOT_COORDINATOR)
    expect(heartbeat.answer.errorCode).toBe(ErrorCode.NOT_COORDINATOR)
    groups.log.isHeld = false
    expect(groups.log.loads).toBe(2)
    expect(groups.committed()).toEqual({ 'orders/0': 1 })
    expect(groups.heartbeat(member!)).toBe(ErrorCode.NONE)
  })

  test('parked calls are sent away, too', () => {
    const groups = new GroupTest()
    const [leader, follower] = groups.stableGroup(2)
    const joining = groups.join({ memberId: leader!.memberId })
    groups.log.isHeld = true
    groups.commit(follower)
    groups.log.settle(ErrorCode.KAFKA_STORAGE_ERROR)
    expect(joining.answer.errorCode).toBe(ErrorCode.NOT_COORDINATOR)
    groups.log.isHeld = false
    expect(groups.state()).toBe('Stable')
  })

  test('the log is read again only when every queued write is settled', () => {
    const groups = new GroupTest()
    groups.commit({ offsets: { 'orders/0': 1 } })
    groups.log.isHeld = true
    groups.commit({ offsets: { 'orders/0': 2 } })
    const later = groups.commit({ offsets: { 'orders/1': 3 } })
    groups.log.settle(ErrorCode.KAFKA_STORAGE_ERROR)
    expect(groups.log.loads).toBe(1)
    expect(later.answer.topics[0]?.partitions[0]?.errorCode).toBe(ErrorCode.NOT_COORDINATOR)
    expect(groups.commitCodes({ offsets: { 'orders/0': 4 } })).toEqual([ErrorCode.COORDINATOR_LOAD_IN_PROGRESS])
    groups.log.settle()
    groups.log.isHeld = false
    expect(groups.log.loads).toBe(2)
    // The second write did reach the log, though its committer was told otherwise.
    expect(groups.committed()).toEqual({ 'orders/0': 1, 'orders/1': 3 })
  })

  test('is refused at once, commit: an error and nothing else', () => {
    const groups = new GroupTest()
    const [leader, follower] = groups.stableGroup(2)
    const joining = groups.join({ memberId: leader!.memberId })
    groups.log.refuseWith = ErrorCode.KAFKA_STORAGE_ERROR
    expect(groups.commitCodes(follower)).toEqual([ErrorCode.NOT_COORDINATOR])
    groups.log.refuseWith = ErrorCode.NONE
    expect(joining.isParked).toBe(true)
    expect(groups.log.loads).toBe(1)
    expect(groups.commitCodes(follower)).toEqual([ErrorCode.NONE])
  })

  test('is refused at once, SyncGroup of the leader: all members are sent away and the state is read again', () => {
    const groups = new GroupTest()
    const { memberId } = groups.joinWithId().answer
    groups.log.refuseWith = ErrorCode.NOT_ENOUGH_REPLICAS
    const { answer } = groups.sync({ memberId, generation: 1 }, { [memberId]: 'x' })
    expect(answer.errorCode).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    groups.log.refuseWith = ErrorCode.NONE
    expect(groups.log.loads).toBe(2)
    expect(groups.state()).toBe('Empty')
  })

  test('a commit that no batch can hold: INVALID_COMMIT_OFFSET_SIZE', () => {
    const groups = new GroupTest()
    groups.commit()
    groups.log.bytesMax = 200
    expect(groups.commitCodes({ offsets: { 'orders/0': [1, 'x'.repeat(500)] } })).toEqual([
      ErrorCode.INVALID_COMMIT_OFFSET_SIZE,
    ])
    expect(groups.committed()).toEqual({ 'orders/0': 7 })
  })
})

test('a broker that stops lets nobody wait for other members, and takes commits to the end', () => {
  const groups = new GroupTest()
  const [leader, follower] = groups.stableGroup(2)
  const joining = groups.join({ memberId: leader!.memberId })
  expect(joining.isParked).toBe(true)
  groups.coordinator.stopWaiting()
  expect(joining.answer.errorCode).toBe(ErrorCode.NOT_COORDINATOR)
  expect(groups.join({ memberId: leader!.memberId }).answer.errorCode).toBe(ErrorCode.NOT_COORDINATOR)
  expect(groups.commitCodes(follower)).toEqual([ErrorCode.NONE])
})

describe('answers', () => {
  test('that rest on nothing pending come at once', () => {
    const groups = new GroupTest()
    const [member] = groups.stableGroup(1)
    groups.log.isHeld = true
    expect(groups.heartbeat(member!)).toBe(ErrorCode.NONE)
  })

  test('come in the order of the writes they wait for', () => {
    const groups = new GroupTest()
    groups.commit()
    groups.log.isHeld = true
    const first = groups.commit({ offsets: { 'orders/0': 1 } })
    const fetched = groups.fetch({})
    const second = groups.commit({ offsets: { 'orders/0': 2 } })
    groups.log.settle()
    expect([first.isParked, fetched.isParked, second.isParked]).toEqual([false, false, true])
    groups.log.settle()
    expect(second.isParked).toBe(false)
  })

  test('a mistake in an operation refuses its caller and reloads, and the coordinator lives on', () => {
    const groups = new GroupTest()
    const [member] = groups.stableGroup(1)
    const failures: ErrorCode[] = []
    const broken = () => {
      throw new Error('a mistake of ours')
    }
    groups.shard.run(broken, (errorCode) => failures.push(errorCode))
    expect(failures).toEqual([ErrorCode.UNKNOWN_SERVER_ERROR])
    expect(groups.log.loads).toBe(2)
    expect(groups.heartbeat(member!)).toBe(ErrorCode.NONE)
  })
})
