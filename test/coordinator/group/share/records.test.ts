/** The records of share groups: each comes back as it was written, and what is cut short is never half read. */
import { describe, expect, test } from 'bun:test'
import { decodeRecord, encodeRecord, type GroupRecord } from '../../../../src/coordinator/group/records.ts'

const TOPIC = '4_6AKg3nTUq32P4R-HNrNA'
const OTHER = 'Zm9vYmFyYmF6cXV4MTIzNA'
const states = (name: string, partitions: number[]) => ({ name, partitions: new Set(partitions), askedAtMs: 0 })

const RECORDS: readonly GroupRecord[] = [
  {
    type: 'share-member',
    group: 'g',
    memberId: 'one',
    value: { rackId: 'rack', clientId: 'client', clientHost: '/127.0.0.1', topicNames: ['a', 'b'] },
  },
  {
    type: 'share-member',
    group: 'g',
    memberId: 'two',
    value: { rackId: null, clientId: '', clientHost: '', topicNames: [] },
  },
  { type: 'share-group', group: 'g', value: { epoch: 7, metadataHash: 0x7fedcba987654321n } },
  { type: 'share-group', group: 'g', value: { epoch: 7, metadataHash: 0n } },
  { type: 'share-target-epoch', group: 'g', value: { assignmentEpoch: 6, assignedAtMs: 0 } },
  { type: 'share-target-epoch', group: 'g', value: { assignmentEpoch: 6, assignedAtMs: 1_760_000_000_000 } },
  { type: 'share-target', group: 'g', memberId: 'one', value: new Map([[TOPIC, new Set([0, 2])]]) },
  {
    type: 'share-progress',
    group: 'g',
    memberId: 'one',
    value: { memberEpoch: 3, previousMemberEpoch: 2, assigned: new Map([[OTHER, new Set([1])]]) },
  },
  {
    type: 'share-states',
    group: 'g',
    value: {
      initializing: new Map([[TOPIC, states('a', [1, 2])]]),
      initialized: new Map([[OTHER, states('b', [0])]]),
      deleting: new Map([[OTHER, 'b']]),
    },
  },
]

const TOMBSTONES = [
  'share-member',
  'share-group',
  'share-target-epoch',
  'share-target',
  'share-progress',
  'share-states',
]

function tombstone(type: string): GroupRecord {
  const isOfMember = ['share-member', 'share-target', 'share-progress'].includes(type)
  return { type, group: 'g', ...(isOfMember ? { memberId: 'one' } : {}), value: null } as GroupRecord
}

describe('a record', () => {
  test.each(RECORDS.map((record, index) => [index, record.type, record] as const))(
    '%d, %s, comes back',
    (_, _type, record) => {
      const { key, value } = encodeRecord(record)
      expect(decodeRecord(key, value)).toMatchObject(record as object)
    },
  )

  test.each(RECORDS.map((record, index) => [index, record.type, record] as const))(
    '%d, %s, cut short is skipped',
    (_, _type, record) => {
      const { key, value } = encodeRecord(record)
      for (let length = 0; length < value!.length - 1; length++) {
        expect(decodeRecord(key, value!.subarray(0, length))).toMatchObject({ type: 'skipped' })
      }
    },
  )

  test.each(TOMBSTONES)('tombstone of %s names what goes', (type) => {
    const { key, value } = encodeRecord(tombstone(type))
    expect(value).toBeNull()
    expect(decodeRecord(key, null)).toMatchObject({ type, group: 'g', value: null })
  })
})

test('the keys are those of Kafka, types 10 to 15', () => {
  const keys = TOMBSTONES.map((type) => encodeRecord(tombstone(type)).key.toString('hex'))
  const group = '000167'
  const member = '00036f6e65'
  expect(keys).toEqual([
    `000a${group}${member}`,
    `000b${group}`,
    `000c${group}`,
    `000d${group}${member}`,
    `000e${group}${member}`,
    `000f${group}`,
  ])
})

test('a hash beyond 2^63 keeps all its bits', () => {
  for (const metadataHash of [0xffffffffffffffffn, 0x80000000ffffffffn, 0x00000000ffffffffn, 0xffffffff00000000n]) {
    const record: GroupRecord = { type: 'share-group', group: 'g', value: { epoch: 1, metadataHash } }
    const { key, value } = encodeRecord(record)
    const read = decodeRecord(key, value)
    expect(BigInt.asUintN(64, (read as { value: { metadataHash: bigint } }).value.metadataHash)).toBe(metadataHash)
  }
})
