/** What the coordinator writes, read by Kafka's own dump tool (`kafka-dump-log --offsets-decoder`). */
import { expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildBatch } from '../../src/records/batch.ts'
import { javaTemporaryOption, kafkaJarsOrSkip } from '../support/kafka-jars.ts'
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
