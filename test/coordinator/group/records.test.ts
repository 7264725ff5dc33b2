/** The golden bytes were serialized by Kafka 4.3.1's own record classes. */
import { describe, expect, test } from 'bun:test'
import { decodeRecord, encodeRecord, groupMetadataBytes } from '../../../src/coordinator/group/records.ts'
import type { CommittedOffset, GroupMetadata } from '../../../src/coordinator/group/state.ts'
import { ZERO_UUID } from '../../../src/protocol/schema.ts'
import { SeededRandom } from '../../../src/storage/random-seeded.ts'

const OFFSET_KEY = '00010009672d636c61737369630006632d6e6f6e6500000000'
const GROUP_KEY = '000200076772757070c3a9'

const COMMIT: CommittedOffset = {
  offset: 1234567890123,
  leaderEpoch: 9,
  metadata: 'näme',
  commitTimestampMs: 1700000000123,
  expireTimestampMs: null,
  topicId: '4_6AKg3nTUq32P4R-HNrNA',
}

const OFFSET_VALUES: readonly (readonly [bytes: string, value: CommittedOffset])[] = [
  ['00000000011f71fb04cb00056ec3a46d650000018bcfe5687b', { ...COMMIT, leaderEpoch: -1, topicId: ZERO_UUID }],
  [
    '00010000011f71fb04cb00056ec3a46d650000018bcfe5687b0000018bd01c56fb',
    { ...COMMIT, leaderEpoch: -1, topicId: ZERO_UUID, expireTimestampMs: 1700003600123 },
  ],
  ['00020000011f71fb04cb00056ec3a46d650000018bcfe5687b', { ...COMMIT, leaderEpoch: -1, topicId: ZERO_UUID }],
  ['00030000011f71fb04cb0000000900056ec3a46d650000018bcfe5687b', { ...COMMIT, topicId: ZERO_UUID }],
  ['00040000011f71fb04cb00000009066ec3a46d650000018bcfe5687b010010e3fe802a0de74d4ab7d8fe11f8736b34', COMMIT],
]

const FIRST = {
  memberId: 'm-1',
  groupInstanceId: 'inst',
  clientId: 'c',
  clientHost: '/10.0.0.1',
  rebalanceTimeoutMs: 60000,
  sessionTimeoutMs: 10000,
  subscription: Buffer.from([0, 1, 2]),
  assignment: Buffer.from([3, 4]),
}
const SECOND = {
  memberId: 'm-2',
  groupInstanceId: null,
  clientId: 'd',
  clientHost: '/10.0.0.2',
  rebalanceTimeoutMs: 30000,
  sessionTimeoutMs: 20000,
  subscription: Buffer.alloc(0),
  assignment: Buffer.alloc(0),
}
const GROUP: GroupMetadata = {
  protocolType: 'consumer',
  generation: 5,
  protocol: 'range',
  leader: 'm-1',
  stateTimestampMs: 1700000000123,
  members: [FIRST, SECOND],
}
const DYNAMIC = { ...GROUP, members: [{ ...FIRST, groupInstanceId: null }, SECOND] }

const GROUP_VALUES: readonly (readonly [bytes: string, value: GroupMetadata])[] = [
  [
    '00000008636f6e73756d657200000005000572616e676500036d2d310000000200036d2d3100016300092f31302e302e302e31000027100000000300010200000002030400036d2d3200016400092f31302e302e302e3200004e200000000000000000',
    {
      ...DYNAMIC,
      stateTimestampMs: -1,
      members: DYNAMIC.members.map((member) => ({ ...member, rebalanceTimeoutMs: member.sessionTimeoutMs })),
    },
  ],
  [
    '00010008636f6e73756d657200000005000572616e676500036d2d310000000200036d2d3100016300092f31302e302e302e310000ea60000027100000000300010200000002030400036d2d3200016400092f31302e302e302e320000753000004e200000000000000000',
    { ...DYNAMIC, stateTimestampMs: -1 },
  ],
  [
    '00020008636f6e73756d657200000005000572616e676500036d2d310000018bcfe5687b0000000200036d2d3100016300092f31302e302e302e310000ea60000027100000000300010200000002030400036d2d3200016400092f31302e302e302e320000753000004e200000000000000000',
    DYNAMIC,
  ],
  [
    '00030008636f6e73756d657200000005000572616e676500036d2d310000018bcfe5687b0000000200036d2d310004696e737400016300092f31302e302e302e310000ea60000027100000000300010200000002030400036d2d32ffff00016400092f31302e302e302e320000753000004e200000000000000000',
    GROUP,
  ],
  [
    '000409636f6e73756d6572000000050672616e6765046d2d310000018bcfe5687b03046d2d3105696e737402630a2f31302e302e302e310000ea60000027100400010203030400046d2d320002640a2f31302e302e302e320000753000004e2001010000',
    GROUP,
  ],
]

const EMPTY_GROUP: GroupMetadata = {
  protocolType: '',
  generation: 0,
  protocol: null,
  leader: null,
  stateTimestampMs: 1700000000123,
  members: [],
}

function bytes(hex: string): Buffer {
  return Buffer.from(hex, 'hex')
}

describe('offset commits', () => {
  const fields = { type: 'offset-commit', group: 'g-classic', topic: 'c-none', partition: 0 } as const

  for (const [version, [hex, value]] of OFFSET_VALUES.entries()) {
    test(`version ${version} is read`, () => {
      expect(decodeRecord(bytes(OFFSET_KEY), bytes(hex))).toEqual({ ...fields, value })
    })
  }

  test('are written as version 4, with the topic id as a tagged field', () => {
    const { key, value } = encodeRecord({ ...fields, value: COMMIT })
    expect(key.toString('hex')).toBe(OFFSET_KEY)
    expect(value?.toString('hex')).toBe(OFFSET_VALUES[4]?.[0])
  })

  test('without topic id and leader epoch have no tagged field', () => {
    const value = { ...COMMIT, offset: -1, leaderEpoch: -1, metadata: '', commitTimestampMs: 0, topicId: ZERO_UUID }
    const encoded = encodeRecord({ ...fields, value }).value
    expect(encoded?.toString('hex')).toBe('0004ffffffffffffffffffffffff01000000000000000000')
    expect(decodeRecord(bytes(OFFSET_KEY), encoded)).toEqual({ ...fields, value })
  })

  test('with an expiry of their own are written as version 1', () => {
    const value = { ...COMMIT, expireTimestampMs: 1700003600123 }
    expect(encodeRecord({ ...fields, value }).value?.toString('hex')).toBe(OFFSET_VALUES[1]?.[0])
  })

  test('the example of a real broker is read', () => {
    const value = bytes(
      '0004000000000000000700000000' + '01' + '000001a1fb2f6b59' + '010010e3fe802a0de74d4ab7d8fe11f8736b34',
    )
    expect(decodeRecord(bytes(OFFSET_KEY), value)).toMatchObject({
      value: { offset: 7, leaderEpoch: 0, metadata: '', commitTimestampMs: 0x1a1fb2f6b59, topicId: COMMIT.topicId },
    })
  })

  test('legacy keys (type 0) are read like those of today', () => {
    const key = bytes(`0000${OFFSET_KEY.slice(4)}`)
    expect(decodeRecord(key, bytes(OFFSET_VALUES[0]![0]))).toMatchObject({
      ...fields,
      value: { offset: 1234567890123 },
    })
  })

  test('a null value is a tombstone', () => {
    expect(encodeRecord({ ...fields, value: null }).value).toBeNull()
    expect(decodeRecord(bytes(OFFSET_KEY), null)).toEqual({ ...fields, value: null })
  })

  test('metadata of more than 127 bytes takes a longer length', () => {
    const value = { ...COMMIT, metadata: 'ü'.repeat(4096) }
    expect(decodeRecord(bytes(OFFSET_KEY), encodeRecord({ ...fields, value }).value)).toEqual({ ...fields, value })
  })

  test('offsets that a number cannot count saturate', () => {
    const value = bytes(`00047fffffffffffffff${OFFSET_VALUES[4]![0].slice(20)}`)
    expect(decodeRecord(bytes(OFFSET_KEY), value)).toMatchObject({ value: { offset: Number.MAX_SAFE_INTEGER } })
  })
})

describe('group metadata', () => {
  const fields = { type: 'group-metadata', group: 'gruppé' } as const

  for (const [version, [hex, value]] of GROUP_VALUES.entries()) {
    test(`version ${version} is read`, () => {
      expect(decodeRecord(bytes(GROUP_KEY), bytes(hex))).toEqual({ ...fields, value })
    })
  }

  test('is written as version 3', () => {
    const { key, value } = encodeRecord({ ...fields, value: GROUP })
    expect(key.toString('hex')).toBe(GROUP_KEY)
    expect(value?.toString('hex')).toBe(GROUP_VALUES[3]?.[0])
    expect(groupMetadataBytes(GROUP)).toBe(value?.length ?? 0)
  })

  test('of an empty group has null protocol and leader', () => {
    const { value } = encodeRecord({ ...fields, value: EMPTY_GROUP })
    expect(value?.toString('hex')).toBe('0003000000000000ffffffff0000018bcfe5687b00000000')
    expect(decodeRecord(bytes(GROUP_KEY), value)).toEqual({ ...fields, value: EMPTY_GROUP })
  })
})

describe('what is not ours', () => {
  const others = [9, 18]
  for (const type of others) {
    test(`record type ${type} is passed over`, () => {
      const key = Buffer.concat([Buffer.from([0, type]), Buffer.from([0, 1, 0x67])])
      const record = decodeRecord(key, bytes('0000'))
      expect(record).toEqual({ type: 'skipped', reason: `record type ${type} belongs to another group protocol` })
    })
  }

  test('unknown value versions are passed over', () => {
    expect(decodeRecord(bytes(OFFSET_KEY), bytes('0005'))).toMatchObject({ type: 'skipped' })
    expect(decodeRecord(bytes(GROUP_KEY), bytes('0005'))).toMatchObject({ type: 'skipped' })
    expect(decodeRecord(bytes(GROUP_KEY), bytes('ffff'))).toMatchObject({ type: 'skipped' })
  })

  test('a record without key is passed over', () => {
    expect(decodeRecord(null, bytes('0000'))).toEqual({ type: 'skipped', reason: 'no key' })
  })
})

describe('damaged records', () => {
  test('cut at any byte they are passed over, or say less only where a version allows it', () => {
    for (const [key, values] of [
      [OFFSET_KEY, OFFSET_VALUES],
      [GROUP_KEY, GROUP_VALUES],
    ] as const) {
      for (const [hex] of values) {
        const whole = bytes(hex)
        // Version 4 of group metadata ends in tagged fields that nothing is read from.
        for (let length = 0; length < whole.length - 1; length++) {
          expect(decodeRecord(bytes(key), whole.subarray(0, length)).type).toBe('skipped')
        }
      }
      for (let length = 0; length < key.length / 2; length++) {
        expect(decodeRecord(bytes(key).subarray(0, length), bytes(values[4]![0])).type).toBe('skipped')
      }
    }
  })

  test('with any bytes changed they never throw and never allocate by what they claim', () => {
    const random = new SeededRandom(20)
    for (let round = 0; round < 5_000; round++) {
      const [key, values] = round % 2 === 0 ? [OFFSET_KEY, OFFSET_VALUES] : [GROUP_KEY, GROUP_VALUES]
      const damaged = bytes(values[round % 5]![0])
      for (let hits = 1 + random.below(4); hits > 0; hits--) damaged[random.below(damaged.length)] = random.below(256)
      expect(['skipped', 'offset-commit', 'group-metadata']).toContain(decodeRecord(bytes(key), damaged).type)
    }
  })
})
