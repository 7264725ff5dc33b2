/** Members of consumer groups: how they come, share, go silent, and survive a restart of the broker. */
import { describe, expect, test } from 'bun:test'
import { REGEX_MATCHES_PER_TURN } from '../../../../src/coordinator/config.ts'
import { ErrorCode } from '../../../../src/protocol/errors.ts'
import { GroupTest } from '../../group-test.ts'
import { Consumer, consumerTest, settle } from './consumer-test.ts'

const NOTHING_NEW = { errorCode: ErrorCode.NONE, assignment: null }

describe('the first member', () => {
  test('gets everything in epoch 2, and afterwards hears nothing new', () => {
    const groups = consumerTest()
    const one = new Consumer(groups, 'one')
    expect(one.join()).toMatchObject({
      errorCode: ErrorCode.NONE,
      memberId: 'one',
      memberEpoch: 2,
      heartbeatIntervalMs: 5_000,
    })
    expect(one.held).toEqual({ orders: [0, 1, 2] })
    expect(one.beat()).toMatchObject({ ...NOTHING_NEW, memberEpoch: 2 })
    expect(groups.consumerGroup()?.state).toBe('Stable')
  })

  test('writes the records that Kafka writes, in one batch', () => {
    const groups = consumerTest()
    new Consumer(groups, 'one').join()
    expect(groups.log.batches().map((batch) => batch.map(({ type }) => type))).toEqual([
      ['consumer-member', 'consumer-group', 'consumer-target', 'consumer-target-epoch', 'consumer-progress'],
    ])
  })

  test('is answered when they are durable, not before', () => {
    const groups = consumerTest()
    groups.log.isHeld = true
    const one = new Consumer(groups, 'one')
    const fields = { memberEpoch: 0, rebalanceTimeoutMs: 30_000, subscribedTopicNames: ['orders'], topicPartitions: [] }
    const call = one.call(fields)
    expect(call.isParked).toBe(true)
    groups.log.settle()
    expect(call.answer.memberEpoch).toBe(2)
  })

  test('whose records are lost is refused, and there is no group', () => {
    const groups = consumerTest()
    groups.log.isHeld = true
    const fields = { memberEpoch: 0, rebalanceTimeoutMs: 30_000, subscribedTopicNames: ['orders'], topicPartitions: [] }
    const call = new Consumer(groups, 'one').call(fields)
    groups.log.settle(ErrorCode.KAFKA_STORAGE_ERROR)
    expect(call.answer.errorCode).toBe(ErrorCode.NOT_COORDINATOR)
    groups.log.isHeld = false
    expect(groups.consumerGroup()).toBeUndefined()
    expect(groups.timers.names().filter((name) => name.includes('consumer'))).toEqual([])
  })
})

test('a group that does not fit into a batch does not grow, and nobody else is disturbed', () => {
  const groups = consumerTest()
  const one = new Consumer(groups, 'one')
  one.join()
  groups.log.bytesMax = 600
  const { loads } = groups.log
  const topics = Array.from({ length: 40 }, (_, index) => `a-topic-with-a-name-of-its-own-${index}`)
  expect(new Consumer(groups, 'two').join(topics).errorCode).toBe(ErrorCode.UNKNOWN_SERVER_ERROR)
  expect(groups.log.loads).toBe(loads)
  expect(one.beat()).toMatchObject({ ...NOTHING_NEW, memberEpoch: 2 })
})

describe('sharing', () => {
  test('no partition is handed over before the one who has it has given it up', () => {
    const groups = consumerTest()
    const [one, two] = [new Consumer(groups, 'one'), new Consumer(groups, 'two')]
    one.join()
    expect(two.join()).toMatchObject({ memberEpoch: 3, assignment: { topicPartitions: [] } })
    const before = one.holds
    expect(one.beat().assignment?.topicPartitions.flatMap(({ partitions }) => partitions)).toHaveLength(2)
    expect(one.epoch).toBe(2)
    expect(one.beat({ topicPartitions: before }).memberEpoch).toBe(2)
    expect(two.beat()).toMatchObject(NOTHING_NEW)
    expect(one.own().memberEpoch).toBe(3)
    expect(two.beat().assignment?.topicPartitions).toHaveLength(1)
    expect([...(one.held.orders ?? []), ...(two.held.orders ?? [])].sort()).toEqual([0, 1, 2])
    expect(groups.consumerGroup()?.state).toBe('Stable')
  })

  test('a second assignment waits for the interval, and comes with a heartbeat after it', () => {
    const groups = new GroupTest()
    const [one, two] = [new Consumer(groups, 'one'), new Consumer(groups, 'two')]
    one.join()
    expect(two.join()).toMatchObject({ memberEpoch: 2, assignment: { topicPartitions: [] } })
    groups.sleep(999)
    one.beat()
    expect(groups.consumerGroup()?.state).toBe('Assigning')
    groups.sleep(1)
    one.beat()
    expect(groups.consumerGroup()?.state).toBe('Reconciling')
  })

  test('a second assignment does not wait for a clock that was set back', () => {
    const groups = new GroupTest()
    const [one, two] = [new Consumer(groups, 'one'), new Consumer(groups, 'two')]
    one.join()
    groups.clock.set(groups.clock.now() - 3_600_000)
    two.join()
    expect(groups.consumerGroup()?.state).toBe('Reconciling')
  })

  test('a member that wants nothing gets nothing, and takes nothing from the others', () => {
    const groups = consumerTest()
    const [one, two, idle] = ['one', 'two', 'idle'].map((id) => new Consumer(groups, id)) as [
      Consumer,
      Consumer,
      Consumer,
    ]
    for (const consumer of [one, two]) consumer.join()
    settle([one, two])
    two.leave()
    // The assignment that this makes due is made when the idle one joins.
    expect(idle.join([])).toMatchObject({ assignment: { topicPartitions: [] } })
    settle([one, idle])
    expect([one.held, idle.held]).toEqual([{ orders: [0, 1, 2] }, {}])
  })

  test('what a member had that leaves goes to the others', () => {
    const groups = consumerTest()
    const [one, two] = [new Consumer(groups, 'one'), new Consumer(groups, 'two')]
    for (const consumer of [one, two]) consumer.join()
    settle([one, two])
    expect(one.leave()).toMatchObject({
      errorCode: ErrorCode.NONE,
      memberEpoch: -1,
      heartbeatIntervalMs: 0,
      assignment: null,
    })
    settle([two])
    expect(two.held).toEqual({ orders: [0, 1, 2] })
    expect(one.beat().errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  test('new partitions are given out with the next heartbeat', () => {
    const groups = consumerTest()
    const one = new Consumer(groups, 'one')
    one.join()
    groups.setTopic('orders', 5)
    expect(one.own()).toMatchObject({ memberEpoch: 3 })
    expect(one.held).toEqual({ orders: [0, 1, 2, 3, 4] })
  })

  test('a change of a topic that nobody subscribes to changes nothing', () => {
    const groups = consumerTest()
    const one = new Consumer(groups, 'one')
    one.join()
    groups.setTopic('payments', 7)
    expect(one.own().memberEpoch).toBe(2)
  })

  test('a topic that comes later is taken in, one that goes is given up', () => {
    const groups = consumerTest()
    const one = new Consumer(groups, 'one')
    one.join(['orders', 'later'])
    groups.setTopic('later', 2)
    one.own()
    expect(one.holds.map(({ partitions }) => partitions.length).sort()).toEqual([2, 3])
    groups.setTopic('orders', 0)
    settle([one])
    expect(one.holds.map(({ partitions }) => partitions.length)).toEqual([2])
  })
})

describe('time', () => {
  test('a silent member is gone after its session', () => {
    const groups = consumerTest()
    const [one, two] = [new Consumer(groups, 'one'), new Consumer(groups, 'two')]
    for (const consumer of [one, two]) consumer.join()
    groups.sleep(44_999)
    two.beat()
    expect(groups.consumerGroup()?.size).toBe(2)
    groups.sleep(1)
    expect([...groups.consumerGroup()!.members.keys()]).toEqual(['two'])
  })

  test("the group's own session counts", () => {
    const groups = consumerTest()
    groups.settings.set('group', { sessionTimeoutMs: 1_000, heartbeatIntervalMs: 700 })
    const one = new Consumer(groups, 'one')
    expect(one.join().heartbeatIntervalMs).toBe(700)
    groups.sleep(1_000)
    expect(groups.consumerGroup()?.state).toBe('Empty')
  })

  test('a member that does not give up in time is fenced, one that does is not', () => {
    const groups = consumerTest()
    const [one, two] = [new Consumer(groups, 'one'), new Consumer(groups, 'two')]
    one.join(['orders'], { rebalanceTimeoutMs: 2_000 })
    two.join()
    one.beat()
    groups.sleep(1_999)
    expect(groups.consumerGroup()?.size).toBe(2)
    groups.sleep(1)
    expect([...groups.consumerGroup()!.members.keys()]).toEqual(['two'])
    one.join(['orders'], { rebalanceTimeoutMs: 2_000 })
    settle([one, two])
    groups.sleep(10_000)
    expect(groups.consumerGroup()?.size).toBe(2)
  })

  test('after a restart sessions begin anew, and everything is as it was', () => {
    const groups = consumerTest()
    const [one, two] = [new Consumer(groups, 'one'), new Consumer(groups, 'two', { instanceId: 'static' })]
    for (const consumer of [one, two]) consumer.join()
    settle([one, two])
    groups.sleep(40_000)
    groups.crash()
    groups.sleep(44_000)
    expect([one.own(), two.own()]).toMatchObject([{ errorCode: ErrorCode.NONE, memberEpoch: 3 }, { memberEpoch: 3 }])
    groups.crash()
    groups.sleep(45_000)
    expect(groups.consumerGroup()?.state).toBe('Empty')
  })

  test('after a restart a member still has to give up in time', () => {
    const groups = consumerTest()
    const [one, two] = [new Consumer(groups, 'one'), new Consumer(groups, 'two')]
    one.join(['orders'], { rebalanceTimeoutMs: 2_000 })
    two.join()
    one.beat()
    groups.crash()
    groups.sleep(2_000)
    expect([...groups.consumerGroup()!.members.keys()]).toEqual(['two'])
  })
})

describe('expressions', () => {
  test('are resolved after the answer, and again when topics come', () => {
    const groups = consumerTest()
    const one = new Consumer(groups, 'one')
    expect(one.join(null, { subscribedTopicRegex: 'pay.*' })).toMatchObject({
      memberEpoch: 1,
      assignment: { topicPartitions: [] },
    })
    groups.sleep(1)
    expect(one.own().memberEpoch).toBe(2)
    expect(one.held).toEqual({ payments: [0, 1] })
    groups.setTopic('payroll', 1)
    one.own()
    expect(one.holds).toHaveLength(1)
    // Not more often than every ten seconds.
    groups.sleep(10_001)
    one.own()
    groups.sleep(1)
    one.own()
    expect(one.holds).toHaveLength(2)
  })

  test('are resolved again although the clock was set back', () => {
    const groups = consumerTest()
    const one = new Consumer(groups, 'one')
    one.join(null, { subscribedTopicRegex: 'pay.*' })
    groups.sleep(1)
    one.own()
    groups.clock.set(groups.clock.now() - 3_600_000)
    groups.setTopic('payroll', 1)
    one.own()
    groups.sleep(1)
    one.own()
    expect(one.holds).toHaveLength(2)
  })

  test('are resolved in several turns if they are many, and all of them in the end', () => {
    const groups = consumerTest()
    for (let topic = 0; topic < REGEX_MATCHES_PER_TURN / 2; topic++) groups.setTopic(`t-${topic}`, 1)
    const consumers = Array.from({ length: 5 }, (_, index) => new Consumer(groups, `member-${index}`))
    for (const [index, consumer] of consumers.entries()) consumer.join(null, { subscribedTopicRegex: `t-${index}` })
    groups.crash()
    expect(groups.consumerGroup()!.regexes.size).toBe(0)
    consumers[0]!.own()
    groups.sleep(10)
    const { regexes } = groups.consumerGroup()!
    expect([...regexes].map(([regex, { topics }]) => [regex, ...topics]).sort()).toEqual(
      [0, 1, 2, 3, 4].map((index) => [`t-${index}`, `t-${index}`]),
    )
  })

  test('match only what the member may see', () => {
    const groups = consumerTest()
    groups.forbidden.add('payments')
    const one = new Consumer(groups, 'one')
    one.join(null, { subscribedTopicRegex: '.*' })
    groups.sleep(1)
    one.own()
    expect(one.held).toEqual({ orders: [0, 1, 2] })
  })

  test('that nobody has any more are forgotten', () => {
    const groups = consumerTest()
    const [one, two] = [new Consumer(groups, 'one'), new Consumer(groups, 'two')]
    for (const consumer of [one, two]) consumer.join(null, { subscribedTopicRegex: 'pay.*' })
    groups.sleep(1)
    one.beat({ subscribedTopicNames: ['orders'], subscribedTopicRegex: '' })
    expect([...groups.consumerGroup()!.regexes.keys()]).toEqual(['pay.*'])
    two.leave()
    expect(groups.consumerGroup()!.regexes.size).toBe(0)
    expect([...groups.consumerGroup()!.topicCounts.keys()]).toEqual(['orders'])
  })
})

describe('static members', () => {
  test('keep their partitions while they are away, until the session ends', () => {
    const groups = consumerTest()
    const one = new Consumer(groups, 'one', { instanceId: 'a' })
    const two = new Consumer(groups, 'two', { instanceId: 'b' })
    for (const consumer of [one, two]) consumer.join()
    settle([one, two])
    expect(one.leave(-2)).toMatchObject({ errorCode: ErrorCode.NONE, memberEpoch: -2 })
    two.own()
    expect(two.epoch).toBe(3)
    const again = new Consumer(groups, 'again', { instanceId: 'a' })
    again.join()
    expect(again.held).toEqual(one.held)
    expect(two.own()).toMatchObject({ memberEpoch: 3 })
    again.leave(-2)
    groups.sleep(40_000)
    two.own()
    groups.sleep(5_000)
    settle([two])
    expect(two.held).toEqual({ orders: [0, 1, 2] })
  })
})

describe('an empty group', () => {
  test('is deleted by DeleteGroups with all its records, and by the expiry of its offsets', () => {
    const groups = consumerTest()
    const one = new Consumer(groups, 'one')
    one.join()
    groups.commit({ version: 9, memberId: 'one', generation: 2 })
    one.leave()
    groups.sleep(8 * 24 * 3_600_000)
    expect(groups.shard.groups.size).toBe(0)
    groups.crash()
    expect(groups.shard.groups.size).toBe(0)
  })

  test('offsets of topics that somebody subscribes to stay', () => {
    const groups = consumerTest()
    const one = new Consumer(groups, 'one')
    one.join()
    groups.commit({ version: 9, memberId: 'one', generation: 2, offsets: { 'orders/0': 3, 'payments/0': 4 } })
    for (let hours = 0; hours < 8 * 24; hours++) {
      for (let beats = 0; beats < 90; beats++) {
        groups.sleep(40_000)
        one.beat()
      }
    }
    expect(groups.committed()).toEqual({ 'orders/0': 3 })
  })
})
