import { expect, test } from 'bun:test'
import { parseSubscribedTopics } from '../../../src/coordinator/group/consumer-protocol.ts'
import { int32, subscription } from '../group-test.ts'

const OWNED = Buffer.concat([int32(1), Buffer.from([0, 1, 0x61]), int32(2), int32(0), int32(1)])
const GENERATION = int32(4)
const RACK = Buffer.from([0, 1, 0x72])

function versioned(version: number, ...tail: Buffer[]): Buffer {
  const bytes = Buffer.concat([subscription('a', 'bb'), ...tail])
  bytes.writeInt16BE(version)
  return bytes
}

test('topics are read from every version', () => {
  expect(parseSubscribedTopics(versioned(0))).toEqual(['a', 'bb'])
  expect(parseSubscribedTopics(versioned(1, OWNED))).toEqual(['a', 'bb'])
  expect(parseSubscribedTopics(versioned(2, OWNED, GENERATION))).toEqual(['a', 'bb'])
  expect(parseSubscribedTopics(versioned(3, OWNED, GENERATION, RACK))).toEqual(['a', 'bb'])
})

test('a newer version is read as the newest known', () => {
  expect(parseSubscribedTopics(versioned(9, OWNED, GENERATION, RACK, Buffer.from([1, 2, 3])))).toEqual(['a', 'bb'])
})

test('no topics are a subscription to nothing', () => {
  expect(parseSubscribedTopics(subscription())).toEqual([])
})

test('cut at any byte it is no subscription', () => {
  const whole = versioned(3, OWNED, GENERATION, RACK)
  for (let length = 0; length < whole.length; length++)
    expect(parseSubscribedTopics(whole.subarray(0, length))).toBeNull()
})

test('negative versions and impossible counts are no subscription', () => {
  expect(parseSubscribedTopics(versioned(-1))).toBeNull()
  expect(parseSubscribedTopics(Buffer.concat([Buffer.from([0, 0]), int32(2 ** 31 - 1)]))).toBeNull()
  expect(parseSubscribedTopics(Buffer.concat([Buffer.from([0, 0]), int32(-2)]))).toBeNull()
})
