/** The records of streams groups, judged by what a Kafka 4.3.1 wrote. */
import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { hashGroup, hashTopic } from '../../../../src/coordinator/group/consumer/metadata-hash.ts'
import { decodeRecord, encodeRecord, type GroupRecord } from '../../../../src/coordinator/group/records.ts'
import { emptyDurableState, replay } from '../../../../src/coordinator/group/replay.ts'

const FILE = join(import.meta.dir, '../../../golden/coordinator/streams-groups.json')
const GOLDEN = JSON.parse(readFileSync(FILE, 'utf8')) as {
  topicIds: Record<string, string>
  records: [key: string, value: string | null][]
}
const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex')

function decoded(key: string, value: string | null): GroupRecord {
  const record = decodeRecord(bytes(key), value === null ? null : bytes(value))
  if (record.type === 'skipped') throw new Error(record.reason)
  return record
}

const RECORDS = GOLDEN.records.map(([key, value]) => decoded(key, value))

describe("Kafka's records", () => {
  test('are of every type that it writes', () => {
    const types = new Set(RECORDS.map(({ type, value }) => `${type}${value === null ? ' tombstone' : ''}`))
    for (const type of ['group', 'member', 'target-epoch', 'target', 'progress', 'topology'])
      expect(types).toContain(`streams-${type}`)
    for (const type of ['group', 'member', 'target-epoch', 'target', 'progress', 'topology'])
      expect(types).toContain(`streams-${type} tombstone`)
  })

  for (const [index, [key, value]] of GOLDEN.records.entries()) {
    test(`record ${index}, ${RECORDS[index]!.type}, is written byte for byte as it was read`, () => {
      const written = encodeRecord(RECORDS[index]!)
      expect([written.key.toString('hex'), written.value?.toString('hex') ?? null]).toEqual([key, value])
    })

    test(`record ${index} cut at any byte is skipped, never half read`, () => {
      const whole = bytes(value ?? '')
      for (let length = 0; length < whole.length; length++) {
        expect(decodeRecord(bytes(key), whole.subarray(0, length)).type).toBe('skipped')
      }
      for (let length = 0; length < bytes(key).length; length++) {
        expect(decodeRecord(bytes(key).subarray(0, length), value === null ? null : whole).type).toBe('skipped')
      }
    })
  }

  test('of the first member say what it said', () => {
    expect(RECORDS[0]).toMatchObject({
      type: 'streams-member',
      group: 'golden-group',
      memberId: 'one',
      value: {
        rackId: 'rack',
        processId: 'process of one',
        topologyEpoch: 0,
        userEndpoint: { host: 'localhost', port: 65_000 },
        clientTags: new Map([['zone', 'a']]),
      },
    })
  })

  test('make the group that Kafka had: empty, with its topology', () => {
    const state = emptyDurableState()
    for (const record of RECORDS) replay(state, record)
    expect([...state.streamsGroups.keys()]).toEqual(['golden-group'])
    const group = state.streamsGroups.get('golden-group')!
    expect(group).toMatchObject({ state: 'Empty', size: 0 })
    expect(group.topology?.subtopologies.map(({ sourceTopics }) => sourceTopics)).toEqual([
      ['golden'],
      ['golden-other'],
    ])
  })
})

test('an unknown version is skipped, and says so', () => {
  const [key] = GOLDEN.records[0]!
  expect(decodeRecord(bytes(key), bytes('0001'))).toMatchObject({
    type: 'skipped',
    reason: 'streams-member of unknown version 1',
  })
  expect(decodeRecord(bytes(key), bytes('00'))).toMatchObject({ type: 'skipped' })
})

test('the hash of the required topics is the one that Kafka made', () => {
  const epoch = RECORDS.find(({ type }) => type === 'streams-group')
  if (epoch?.type !== 'streams-group') throw new Error('no such record')
  const partitions: Record<string, number> = {
    golden: 3,
    'golden-changelog': 3,
    'golden-other': 2,
    'golden-sums': 2,
  }
  const hash = hashGroup(Object.keys(partitions), (name) => {
    const racks = Array.from({ length: partitions[name]! }, () => [])
    return hashTopic({ topicId: GOLDEN.topicIds[name]!, name, racks })
  })
  expect(epoch.value?.metadataHash).toBe(hash)
})
