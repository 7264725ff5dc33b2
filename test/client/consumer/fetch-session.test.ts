import { expect, test } from 'bun:test'
import { FetchSession, type WantedPartition } from '../../../src/client/consumer/fetch-session.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'

function wanted(partition: number, fetchOffset: number): WantedPartition {
  return { topic: 't', partition, fetchOffset, currentLeaderEpoch: 0, logStartOffset: -1, maxBytes: 100 }
}

const summary = (session: FetchSession, ...partitions: WantedPartition[]): string => {
  const { sessionId, sessionEpoch, named, forgotten } = session.next(partitions)
  const names = (rows: readonly { partition: number }[]): string => rows.map(({ partition }) => partition).join(',')
  return `${sessionId}/${sessionEpoch} names ${names(named)} forgets ${names(forgotten)}`
}

test('after a full request only what changed is named, and what is left out is forgotten', () => {
  const session = new FetchSession()
  expect(summary(session, wanted(0, 0), wanted(1, 0))).toBe('0/0 names 0,1 forgets ')
  expect(session.answered(0, 7)).toBe(true)
  expect(summary(session, wanted(0, 5), wanted(1, 0))).toBe('7/1 names 0 forgets ')
  session.answered(0, 7)
  expect(summary(session, wanted(1, 0), wanted(2, 0))).toBe('7/2 names 2 forgets 0')
  session.answered(0, 7)
  expect(summary(session, wanted(1, 0), wanted(2, 0))).toBe('7/3 names  forgets ')
})

test('a broker that gives no session is asked in full each time', () => {
  const session = new FetchSession()
  for (let round = 0; round < 2; round++) {
    expect(summary(session, wanted(0, 0))).toBe('0/0 names 0 forgets ')
    session.answered(0, 0)
  }
})

test.each([
  ['is not known', ErrorCode.FETCH_SESSION_ID_NOT_FOUND, '0/0 names 0 forgets '],
  ['has another epoch', ErrorCode.INVALID_FETCH_SESSION_EPOCH, '7/0 names 0 forgets '],
] as const)('a session that %s is begun anew', (_what, errorCode, next) => {
  const session = new FetchSession()
  summary(session, wanted(0, 0))
  session.answered(0, 7)
  summary(session, wanted(0, 0))
  expect(session.answered(errorCode, 0)).toBe(false)
  expect(summary(session, wanted(0, 0))).toBe(next)
})

test('after a request without an answer the next one closes the session and begins another', () => {
  const session = new FetchSession()
  summary(session, wanted(0, 0))
  session.answered(0, 7)
  summary(session, wanted(0, 1))
  session.failed()
  expect(summary(session, wanted(0, 1))).toBe('7/0 names 0 forgets ')
})
