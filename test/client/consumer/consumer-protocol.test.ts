import { expect, test } from 'bun:test'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../../src/client/consumer/group/consumer-protocol.ts'

/** As Java 4.3 writes it: version 3, topics [t], user data of four bytes, t-0 owned, generation 5, rack r. */
const SUBSCRIPTION = '0003 00000001 0001 74 00000004 00000005 00000001 0001 74 00000001 00000000 00000005 0001 72'
/** Version 0: topics and user data only. */
const OLD = '0000 00000001 0001 74 ffffffff'
/** Version 9: what is known, and one field more. */
const NEWER = `0009 00000001 0001 74 ffffffff 00000000 ffffffff ffff 00`

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex')

test('a subscription is written as version 3, byte for byte', () => {
  const subscription = {
    topics: ['t'],
    userData: bytes('00000005'),
    owned: [{ topic: 't', partition: 0 }],
    generation: 5,
    rackId: 'r',
  }
  expect(encodeSubscription(subscription).toString('hex')).toBe(SUBSCRIPTION.replaceAll(' ', ''))
  expect(decodeSubscription(bytes(SUBSCRIPTION))).toEqual(subscription)
})

test('older and newer versions are read', () => {
  const plain = { topics: ['t'], userData: null, owned: [], generation: -1, rackId: null }
  expect(decodeSubscription(bytes(OLD))).toEqual(plain)
  expect(decodeSubscription(bytes(NEWER))).toEqual(plain)
})

test('an assignment comes back; no bytes are no partitions', () => {
  const assigned = [
    { topic: 'a', partition: 1 },
    { topic: 'a', partition: 3 },
    { topic: 'b', partition: 0 },
  ]
  expect(decodeAssignment(encodeAssignment(assigned))).toEqual(assigned)
  expect(decodeAssignment(Buffer.alloc(0))).toEqual([])
})

test('bytes that are none are refused', () => {
  expect(() => decodeSubscription(bytes('ffff'))).toThrow('version -1')
  expect(() => decodeSubscription(bytes('0001 7fffffff'))).toThrow()
})
