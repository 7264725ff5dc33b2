import { expect, test } from 'bun:test'
import { ApiKey, apiName } from '../../src/protocol/api-keys.ts'
import { ErrorCode, errorName, isRetriable } from '../../src/protocol/errors.ts'

test('error codes run from -1 to the newest without a gap, each once', () => {
  const codes = Object.values(ErrorCode).toSorted((a, b) => a - b)
  expect(codes).toEqual(Array.from({ length: 135 }, (_, index) => index - 1) as never)
})

test('names are those of the protocol, also for codes that nobody knows', () => {
  expect(errorName(0)).toBe('NONE')
  expect(errorName(-1)).toBe('UNKNOWN_SERVER_ERROR')
  expect(errorName(ErrorCode.REBOOTSTRAP_REQUIRED)).toBe('REBOOTSTRAP_REQUIRED')
  expect(errorName(9999)).toBe('UNKNOWN(9999)')
})

test('retriable codes are told from the others', () => {
  expect(isRetriable(ErrorCode.NOT_LEADER_OR_FOLLOWER)).toBe(true)
  expect(isRetriable(ErrorCode.MESSAGE_TOO_LARGE)).toBe(false)
  expect(isRetriable(ErrorCode.NONE)).toBe(false)
})

test('api keys have names, also those that nobody knows', () => {
  expect(apiName(ApiKey.Fetch)).toBe('Fetch')
  expect(apiName(92)).toBe('DeleteShareGroupOffsets')
  expect(apiName(12345)).toBe('Unknown(12345)')
})
