/** What the coordinator writes, read by Kafka's own dump tool (`kafka-dump-log --offsets-decoder`). */
import { expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildBatch } from '../../src/records/batch.ts'
import { javaTemporaryOption, kafkaJarsOrSkip } from '../support/kafka-jars.ts'
import { Consumer, settle } from './group/consumer/consumer-test.ts'
import { GroupTest, subscription, TOPICS } from './group-test.ts'

const NAME = "Kafka's dump tool reads the records of a group's life"
const jars = kafkaJarsOrSkip(NAME)

/** The life of a group: joined, assigned, committed in three ways, deleted. Its log as a segment file. */
function writeLife(groups: GroupTest, folder: string): string {
  const [member] = groups.stableGroup(1, { protocols: { range: subscription('orders') } })
  groups.commit({ ...member, offsets: { 'orders/0': [7, 'note'] } })
  groups.commit({ ...member, version: 10, offsets: { 'orders/1': 8 } })
  groups.commit({ ...member, version: 4, retentionTimeMs: 1_000, offsets: { 'orders/2': 9 } })
  groups.leave([member!])
  groups.coordinator.deleteGroups(groups.context(2), ['group'], () => {})
  groups.log.flush()
  return writeSegment(groups, folder)
}

/** The life of a consumer group: two members share, one of them static and by expression; a classic one joins; all leave. */
function writeConsumerLife(groups: GroupTest, folder: string): string {
  groups.settings.set('group', { assignmentIntervalMs: 0 })
  const one = new Consumer(groups, 'one')
  const two = new Consumer(groups, 'two', { instanceId: 'static' })
  one.join(['orders'], { serverAssignor: 'range', rackId: 'rack' })
  two.join([], { subscribedTopicRegex: 'pay.*' })
  groups.sleep(1)
  settle([one, two])
  groups.joinWithId({ protocols: { range: subscription('orders') } })
  for (const consumer of [one, two]) consumer.leave()
  return writeSegment(groups, folder)
}

function writeSegment(groups: GroupTest, folder: string): string {
  const batches: Buffer[] = []
  let baseOffset = 0
  for (const written of groups.log.partitions.get(0) ?? []) {
    const records = written.map(({ key, value }) => ({ timestamp: groups.clock.now(), key, value }))
    batches.push(buildBatch({ baseOffset, leaderEpoch: 0, records }))
    baseOffset += records.length
  }
  const partition = join(folder, '__consumer_offsets-0')
  mkdirSync(partition)
  const path = join(partition, '00000000000000000000.log')
  writeFileSync(path, Buffer.concat(batches))
  return path
}

function dump(path: string): [key: unknown, payload: unknown][] {
  const command = ['java', '-Xmx256m', '-XX:TieredStopAtLevel=1', javaTemporaryOption(), '-cp', `${jars}/*`]
  const tool = ['org.apache.kafka.tools.DumpLogSegments', '--offsets-decoder', '--files', path]
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command, ...tool])
  if (exitCode !== 0) throw new Error(stderr.toString())
  expect(stdout.toString()).not.toContain('isvalid: false')
  return [...stdout.toString().matchAll(/ key: (\{.*?\}) payload: (.*)$/gm)].map(([, key = '', payload = '']) => [
    JSON.parse(key),
    payload === '<DELETE>' ? null : JSON.parse(payload),
  ])
}

const run = jars === null ? test.skip : test

run(
  NAME,
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'samsa-formatter-'))
    try {
      const groups = new GroupTest()
      const now = groups.clock.now()
      const records = dump(writeLife(groups, folder))
      const groupKey = { type: '2', data: { group: 'group' } }
      const commitKey = (partition: number) => ({ type: '1', data: { group: 'group', topic: 'orders', partition } })
      const empty = { protocolType: '', generation: 0, protocol: null, leader: null, members: [] }
      const topicId = TOPICS.orders!.id
      const commit = { metadata: '', commitTimestamp: now }
      expect(records[1]).toMatchObject([
        groupKey,
        {
          version: '3',
          data: {
            leader: expect.stringMatching(/^client-/),
            members: [{ subscription: { topics: ['orders'] }, rebalanceTimeout: 60_000 }],
          },
        },
      ])
      expect([records[0], ...records.slice(2)]).toEqual([
        [groupKey, { version: '3', data: { ...empty, currentStateTimestamp: now } }],
        [
          commitKey(0),
          { version: '4', data: expect.objectContaining({ ...commit, offset: 7, leaderEpoch: 3, metadata: 'note' }) },
        ],
        [commitKey(1), { version: '4', data: { ...commit, offset: 8, leaderEpoch: 3, topicId } }],
        [commitKey(2), { version: '1', data: { ...commit, offset: 9, expireTimestamp: now + 1_000 } }],
        [
          groupKey,
          { version: '3', data: { ...empty, protocolType: 'consumer', generation: 2, currentStateTimestamp: now } },
        ],
        [commitKey(0), null],
        [commitKey(1), null],
        [commitKey(2), null],
        [groupKey, null],
      ])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
  60_000,
)

run(
  "Kafka's dump tool reads the records of a consumer group's life",
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'samsa-formatter-'))
    try {
      const groups = new GroupTest()
      const now = groups.clock.now()
      const records = dump(writeConsumerLife(groups, folder)) as [
        key: { type: string },
        payload: { data: object } | null,
      ][]
      const ofType = (type: string) => records.filter(([key]) => key.type === type)
      const first = (type: string) => ofType(type)[0]?.[1]?.data
      const topicId = TOPICS.orders!.id
      expect(first('5')).toMatchObject({
        rackId: 'rack',
        subscribedTopicNames: ['orders'],
        serverAssignor: 'range',
        rebalanceTimeoutMs: 30_000,
      })
      expect(first('3')).toMatchObject({ epoch: 2, metadataHash: expect.any(Number) as number })
      expect(first('6')).toMatchObject({ assignmentEpoch: 2, assignmentTimestamp: now })
      expect(first('7')).toMatchObject({ topicPartitions: [{ topicId, partitions: [0, 1, 2] }] })
      const assignedPartitions = [{ topicId, partitions: [0, 1, 2], assignmentEpochs: [2, 2, 2] }]
      expect(first('8')).toMatchObject({ memberEpoch: 2, previousMemberEpoch: 0, state: 0, assignedPartitions })
      expect(first('16')).toMatchObject({ topics: ['payments'] })
      const classic = ofType('5').find(([, payload]) => JSON.stringify(payload).includes('"sessionTimeoutMs":10000'))
      expect(classic).toBeDefined()
      // Taken away again: three records of each member, and everything of the group when it became a classic one.
      for (const type of ['3', '5', '6', '7', '8', '16']) expect(ofType(type).at(-1)?.[1]).toBeNull()
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
  60_000,
)
