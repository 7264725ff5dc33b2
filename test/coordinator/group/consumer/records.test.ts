/** The records of consumer groups, judged by what a Kafka 4.3.1 wrote. */
import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { hashGroup, hashTopic } from '../../../../src/coordinator/group/consumer/metadata-hash.ts'
import { decodeRecord, encodeRecord, type GroupRecord } from '../../../../src/coordinator/group/records.ts'

const FILE = join(import.meta.dir, '../../../golden/coordinator/consumer-groups.json')
const GOLDEN = JSON.parse(readFileSync(FILE, 'utf8')) as [key: string, value: string | null][]
const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex')

function decoded(key: string, value: string | null): GroupRecord {
  const record = decodeRecord(bytes(key), value === null ? null : bytes(value))
  if (record.type === 'skipped') throw new Error(record.reason)
  return record
}

const RECORDS = GOLDEN.map(([key, value]) => decoded(key, value))

describe("Kafka's records", () => {
  test('are of every type that it writes', () => {
    const types = new Set(RECORDS.map(({ type, value }) => `${type}${value === null ? ' tombstone' : ''}`))
    for (const type of ['group', 'member', 'target-epoch', 'target', 'progress', 'regex'])
      expect(types).toContain(`consumer-${type}`)
    for (const type of ['member', 'target', 'progress']) expect(types).toContain(`consumer-${type} tombstone`)
  })

  for (const [index, [key, value]] of GOLDEN.entries()) {
    test(`record ${index}, ${RECORDS[index]!.type}, is written byte for byte as it was read`, () => {
      const written = encodeRecord(RECORDS[index]!)
      expect([written.key.toString('hex'), written.value?.toString('hex') ?? null]).toEqual([key, value])
    })

    test(`record ${index} cut at any byte is skipped, never half read`, () => {
      const whole = bytes(value ?? '')
      for (let length = 0; length < whole.length - 1; length++) {
        const record = decodeRecord(bytes(key), whole.subarray(0, length))
        if (record.type === 'skipped') continue
        // Only tagged fields at the end may be missing, where their count is the last thing read.
        expect(length).toBeGreaterThan(0)
      }
    })
  }

  test('of the first member say what it said', () => {
    expect(RECORDS[0]).toMatchObject({
      type: 'consumer-member',
      group: 'golden-group',
      memberId: 'one',
      value: {
        rackId: 'rack',
        topicNames: ['golden', 'golden-other'],
        serverAssignor: 'range',
        topicRegex: '',
        classic: null,
      },
    })
  })

  test('of a classic member keep its protocols', () => {
    const classic = RECORDS.flatMap((record) =>
      record.type === 'consumer-member' ? [record.value?.classic ?? null] : [],
    )
    expect(classic.find((each) => each !== null)).toMatchObject({
      sessionTimeoutMs: 10_000,
      protocols: [{ name: 'range' }],
    })
  })
})

test('the hash of the subscribed topics is the one that Kafka made', () => {
  const epoch = RECORDS.find(({ type }) => type === 'consumer-group')
  const target = RECORDS.find(({ type }) => type === 'consumer-target')
  if (epoch?.type !== 'consumer-group' || target?.type !== 'consumer-target') throw new Error('no such records')
  const partitions: Record<string, number> = { golden: 3, 'golden-other': 2 }
  const ids = new Map(
    [...target.value!].map(([topicId, { size }]) => [size === 3 ? 'golden' : 'golden-other', topicId]),
  )
  const hash = hashGroup(ids.keys(), (name) => {
    const racks = Array.from({ length: partitions[name]! }, () => [])
    return hashTopic({ topicId: ids.get(name)!, name, racks })
  })
  expect(hash).toBe(epoch.value!.metadataHash)
})

test('an older record without epochs of partitions: the epoch of the member counts', () => {
  const uuid = '000102030405060708090a0b0c0d0e0f'
  const value = `0000${'00000007'}${'00000006'}00${'02'}${uuid}${'02'}${'00000003'}${'00'}${'01'}${'00'}`
  const record = decoded('0008000167000131', value)
  const assigned = new Map([[Buffer.from(uuid, 'hex').toString('base64url'), new Map([[3, 7]])]])
  expect(record).toMatchObject({ type: 'consumer-progress', value: { memberEpoch: 7, state: 'stable', assigned } })
})
