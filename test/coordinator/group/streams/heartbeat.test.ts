/** Streams groups as their members see them, where time, restarts and faults come in; requests and answers are compared with a real Kafka elsewhere. */
import { describe, expect, test } from 'bun:test'
import { StreamsStatus } from '../../../../src/coordinator/group/streams/status.ts'
import type { StreamsGroupAnswer } from '../../../../src/coordinator/streams-requests.ts'
import { ErrorCode } from '../../../../src/protocol/errors.ts'
import { Call, type GroupTest } from '../../group-test.ts'
import { internal, settle, streamsTest, subtopology, Thread, TOPOLOGY } from './streams-test.ts'

function described(groups: GroupTest, groupId = 'group'): StreamsGroupAnswer {
  const call = new Call<StreamsGroupAnswer[]>()
  groups.coordinator.streams.describe(groups.context(0), [groupId], call.reply)
  return call.answer[0]!
}

function statusCodes(response: ReturnType<Thread['beat']>): number[] {
  return (response.status ?? []).map(({ statusCode }) => statusCode)
}

describe('joining', () => {
  test('the first member gets all tasks, and the group is stable', () => {
    const groups = streamsTest()
    const thread = new Thread(groups, 'one')
    expect(thread.join()).toMatchObject({ errorCode: 0, memberEpoch: 2, heartbeatIntervalMs: 5_000, status: [] })
    expect(thread.tasks('active')).toEqual(['0_0', '0_1', '0_2', '1_0', '1_1'])
    expect(described(groups)).toMatchObject({ groupState: 'Stable', groupEpoch: 2, assignmentEpoch: 2 })
  })

  test('is one batch of records, in the order of Kafka', () => {
    const groups = streamsTest()
    new Thread(groups, 'one').join()
    const types = groups.log.batches().map((batch) => batch.map(({ type }): string => type))
    const names = ['member', 'topology', 'group', 'target', 'target-epoch', 'progress']
    expect(types).toEqual([names.map((name) => `streams-${name}`)])
  })

  test('what does not fit into a batch leaves nothing behind', () => {
    const groups = streamsTest()
    groups.log.bytesMax = 500
    const thread = new Thread(groups, 'one')
    expect(thread.join().errorCode).toBe(ErrorCode.UNKNOWN_SERVER_ERROR)
    expect(groups.shard.groups.size).toBe(0)
    expect(groups.timers.names().filter((name) => name.includes('streams'))).toEqual([])
  })

  test('a heartbeat that changes nothing writes nothing', () => {
    const groups = streamsTest()
    const thread = new Thread(groups, 'one')
    thread.join()
    const before = groups.log.batches().length
    thread.own()
    thread.beat()
    expect(groups.log.batches()).toHaveLength(before)
  })
})

describe('time', () => {
  test('a silent member is removed when its session ends, and the others get its tasks', () => {
    const groups = streamsTest()
    const [one, two] = [new Thread(groups, 'one'), new Thread(groups, 'two')]
    one.join()
    two.join()
    settle([one, two])
    for (let waited = 0; waited < 50_000; waited += 5_000) {
      groups.sleep(5_000)
      one.own()
    }
    expect(described(groups).members.map(({ memberId }) => memberId)).toEqual(['one'])
    settle([one])
    expect(one.tasks('active')).toHaveLength(5)
    expect(two.beat().errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  test('a member that does not give up in time is removed, after a restart as well', () => {
    const groups = streamsTest()
    const [one, two] = [new Thread(groups, 'one'), new Thread(groups, 'two')]
    one.join({ rebalanceTimeoutMs: 10_000 })
    two.join()
    one.beat()
    expect(described(groups).members.map(({ memberId }) => memberId)).toContain('one')
    groups.crash()
    groups.sleep(9_000)
    one.beat()
    two.own()
    expect(described(groups).members).toHaveLength(2)
    groups.sleep(2_000)
    expect(described(groups).members.map(({ memberId }) => memberId)).toEqual(['two'])
  })

  test('the first assignment waits for the group to gather, and for no longer', () => {
    const groups = streamsTest()
    groups.streamsSettings.set('group', { initialRebalanceDelayMs: 3_000, assignmentIntervalMs: 0 })
    const [one, two] = [new Thread(groups, 'one'), new Thread(groups, 'two')]
    expect(statusCodes(one.join())).toEqual([StreamsStatus.ASSIGNMENT_DELAYED])
    groups.sleep(1_000)
    expect(statusCodes(two.join())).toEqual([StreamsStatus.ASSIGNMENT_DELAYED])
    expect(one.tasks('active')).toEqual([])
    groups.sleep(2_000)
    expect(described(groups)).toMatchObject({ groupState: 'Reconciling', groupEpoch: 3, assignmentEpoch: 3 })
    settle([one, two])
    expect([one, two].map((thread) => thread.tasks('active').length).toSorted()).toEqual([2, 3])
  })

  test('a restart ends that delay', () => {
    const groups = streamsTest()
    groups.streamsSettings.set('group', { initialRebalanceDelayMs: 60_000, assignmentIntervalMs: 0 })
    const thread = new Thread(groups, 'one')
    thread.join()
    groups.crash()
    expect(statusCodes(thread.own())).toEqual([])
    expect(thread.tasks('active')).toHaveLength(5)
  })

  test('no two assignments within the interval', () => {
    const groups = streamsTest()
    groups.streamsSettings.set('group', { initialRebalanceDelayMs: 0, assignmentIntervalMs: 10_000 })
    const [one, two] = [new Thread(groups, 'one'), new Thread(groups, 'two')]
    one.join()
    expect(statusCodes(two.join())).toEqual([StreamsStatus.ASSIGNMENT_DELAYED])
    groups.sleep(10_000)
    settle([one, two])
    expect(two.tasks('active').length).toBeGreaterThan(0)
  })
})

describe('topics', () => {
  test('those that are missing are handed over to be created, with the partitions that were decided', () => {
    const groups = streamsTest()
    groups.setTopic('sums', 0)
    const thread = new Thread(groups, 'one')
    const { response, missingTopics } = thread.call(thread.joining()).answer
    expect(statusCodes(thread.take({ response, missingTopics }))).toEqual([StreamsStatus.MISSING_INTERNAL_TOPICS])
    expect(missingTopics).toEqual([{ name: 'sums', partitions: 3, replicationFactor: 0, topicConfigs: [] }])
    expect(described(groups)).toMatchObject({ groupState: 'NotReady' })
    groups.setTopic('sums', 3)
    expect(statusCodes(thread.own())).toEqual([])
    expect(thread.tasks('active')).toHaveLength(5)
  })

  test('more partitions of a source ask for a larger changelog; what tasks there are is lost until it is there', () => {
    const groups = streamsTest()
    const thread = new Thread(groups, 'one')
    thread.join()
    groups.setTopic('orders', 4)
    expect(statusCodes(thread.own())).toEqual([StreamsStatus.INCORRECTLY_PARTITIONED_TOPICS])
    groups.setTopic('sums', 4)
    settle([thread])
    expect(thread.tasks('active')).toContain('0_3')
  })

  test('changes of other topics do not matter', () => {
    const groups = streamsTest()
    const thread = new Thread(groups, 'one')
    thread.join()
    thread.own()
    groups.setTopic('unrelated', 7)
    expect(thread.own().memberEpoch).toBe(2)
    expect(described(groups).groupEpoch).toBe(2)
  })

  test('more standbys in the settings of the group: a new assignment', () => {
    const groups = streamsTest()
    const [one, two] = [new Thread(groups, 'one'), new Thread(groups, 'two')]
    one.join()
    two.join()
    settle([one, two])
    groups.streamsSettings.set('group', { assignmentIntervalMs: 0, standbyReplicas: 1 })
    settle([one, two])
    expect([...one.tasks('standby'), ...two.tasks('standby')].toSorted()).toEqual(['0_0', '0_1', '0_2'])
  })

  test('a topology that reads only what it writes itself', () => {
    const groups = streamsTest()
    const topology = {
      epoch: 0,
      subtopologies: [
        subtopology('0', { sourceTopics: ['orders'], repartitionSinkTopics: ['between'] }),
        subtopology('1', { repartitionSourceTopics: [internal('between')] }),
      ],
    }
    const thread = new Thread(groups, 'one')
    thread.join({ topology })
    groups.setTopic('between', 3)
    settle([thread])
    expect(thread.tasks('active')).toEqual(['0_0', '0_1', '0_2', '1_0', '1_1', '1_2'])
  })
})

describe('a restart', () => {
  test('finds members, epochs and tasks again', () => {
    const groups = streamsTest()
    const [one, two] = [new Thread(groups, 'one'), new Thread(groups, 'two')]
    one.join()
    two.join()
    settle([one, two])
    const before = described(groups)
    groups.crash()
    expect(described(groups)).toEqual({
      ...before,
      // Nobody has looked at the topics yet: they are as the members said.
      topology: {
        epoch: 0,
        subtopologies: TOPOLOGY.subtopologies.map(({ subtopologyId, sourceTopics, stateChangelogTopics }) => {
          const nothing = { repartitionSinkTopics: [], repartitionSourceTopics: [] }
          return { subtopologyId, sourceTopics, stateChangelogTopics, ...nothing }
        }),
      },
    })
    const epochs = [one.epoch, two.epoch]
    settle([one, two])
    expect([one.epoch, two.epoch]).toEqual(epochs)
    expect(described(groups)).toEqual(before)
  })
})

describe('the end', () => {
  test('a group that is deleted leaves no records', () => {
    const groups = streamsTest()
    const thread = new Thread(groups, 'one')
    thread.join()
    groups.commit({ memberId: 'one', generation: 2, version: 9, offsets: { 'orders/0': 3 } })
    thread.leave()
    groups.call(groups.coordinator.deleteGroups, 2, ['group'])
    const values = new Map<string, unknown>()
    for (const record of groups.log.batches().flat()) {
      const { value, ...key } = record
      values.set(JSON.stringify(key), value)
    }
    expect([...values].filter(([, value]) => value !== null)).toEqual([])
    groups.crash()
    expect(groups.shard.groups.size).toBe(0)
  })

  test('commits of topics that nobody reads expire, and with the last one the empty group', () => {
    const groups = streamsTest({ config: { offsetsRetentionMs: 60_000, offsetsRetentionCheckIntervalMs: 10_000 } })
    const thread = new Thread(groups, 'one')
    thread.join()
    groups.setTopic('unrelated', 1)
    const offsets = { 'orders/0': 3, 'unrelated/0': 1 }
    groups.commit({ memberId: 'one', generation: 2, version: 9, offsets })
    for (let waited = 0; waited < 80_000; waited += 5_000) {
      groups.sleep(5_000)
      thread.own()
    }
    expect([...groups.shard.durable.offsets.get('group')!.keys()]).toEqual(['orders'])
    thread.leave()
    groups.sleep(80_000)
    expect(groups.shard.groups.size).toBe(0)
  })

  test('who asked for the end of the application is forgotten with the last member', () => {
    const groups = streamsTest()
    const [one, two] = [new Thread(groups, 'one'), new Thread(groups, 'two')]
    one.join()
    two.join()
    settle([one, two])
    expect(statusCodes(one.beat({ shutdownApplication: true }))).toEqual([StreamsStatus.SHUTDOWN_APPLICATION])
    expect(statusCodes(two.beat())).toEqual([StreamsStatus.SHUTDOWN_APPLICATION])
    one.leave()
    two.leave()
    expect(statusCodes(one.join())).toEqual([])
  })
})

test('topics that the client may not see hide the whole group', () => {
  const groups = streamsTest()
  new Thread(groups, 'one').join()
  groups.forbidden.add('sums')
  expect(described(groups)).toMatchObject({
    errorCode: ErrorCode.TOPIC_AUTHORIZATION_FAILED,
    members: [],
    topology: null,
  })
  groups.forbidden.add('group')
  expect(described(groups)).toMatchObject({ errorCode: ErrorCode.GROUP_AUTHORIZATION_FAILED })
})
