/** Share sessions: epochs, what is answered, and that an ended session gives back what the member had. */
import { beforeEach, describe, expect, test } from 'bun:test'
import { type ShareFetchTurn, ShareSessions } from '../../../src/broker/share/sessions.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'

const TOPIC = '4_6AKg3nTUq32P4R-HNrNA'
const P0 = { topicId: TOPIC, index: 0 }
const P1 = { topicId: TOPIC, index: 1 }
const EMPTY = { errorCode: ErrorCode.NONE, hasRecords: false }
const FULL = { errorCode: ErrorCode.NONE, hasRecords: true }
const LOST = { errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER, hasRecords: false }

let ended: string[]
let emptied: string[]
let sessions: ShareSessions
const connection = { name: 'connection' }

beforeEach(() => {
  ended = []
  emptied = []
  sessions = new ShareSessions({
    sessionsMax: 2,
    onEnded: ({ memberId }) => ended.push(memberId),
    onGroupEmpty: (groupId) => emptied.push(groupId),
  })
})

const request = (epoch: number, memberId = 'one', over: object = connection) => {
  return { groupId: 'g', memberId, epoch, connection: over }
}

function open(epoch: number, change: { added?: (typeof P0)[]; forgotten?: (typeof P0)[]; memberId?: string } = {}) {
  return sessions.open(
    request(epoch, change.memberId),
    { added: change.added ?? [], forgotten: change.forgotten ?? [] },
    false,
  )
}

function turn(opened: ShareFetchTurn | ErrorCode): ShareFetchTurn {
  if (typeof opened === 'number') throw new Error(`refused with ${opened}`)
  return opened
}

const read = (opened: ShareFetchTurn | ErrorCode): number[] => turn(opened).partitions.map(({ index }) => index)

describe('the epoch', () => {
  test('counts up, and nothing else is taken', () => {
    expect(read(open(0, { added: [P0] }))).toEqual([0])
    expect(read(open(1))).toEqual([0])
    expect(read(open(2))).toEqual([0])
    expect(open(2)).toBe(ErrorCode.INVALID_SHARE_SESSION_EPOCH)
    expect(open(4)).toBe(ErrorCode.INVALID_SHARE_SESSION_EPOCH)
    expect(read(open(3))).toEqual([0])
  })

  test('is the same for fetches and acknowledgements', () => {
    open(0, { added: [P0] })
    expect(sessions.advance(request(1))).toBe(ErrorCode.NONE)
    expect(open(1)).toBe(ErrorCode.INVALID_SHARE_SESSION_EPOCH)
    expect(read(open(2))).toEqual([0])
  })

  test('0 of a session that is there begins it anew, and the member keeps what it has', () => {
    open(0, { added: [P0] })
    expect(read(open(0, { added: [P1] }))).toEqual([1])
    expect(ended).toEqual([])
    expect(sessions.size).toBe(1)
  })

  test('0 cannot bring acknowledgements: nothing was acquired in this session', () => {
    const none = { added: [], forgotten: [] }
    expect(sessions.open(request(0), none, true)).toBe(ErrorCode.INVALID_REQUEST)
    expect(sessions.advance(request(0))).toBe(ErrorCode.INVALID_SHARE_SESSION_EPOCH)
  })

  test.each([1, -1])('%d without a session is refused', (epoch) => {
    expect(open(epoch)).toBe(ErrorCode.SHARE_SESSION_NOT_FOUND)
    expect(sessions.advance(request(epoch))).toBe(ErrorCode.SHARE_SESSION_NOT_FOUND)
  })

  test('-1 reads nothing; the session is there until its end', () => {
    open(0, { added: [P0] })
    expect(turn(open(-1))).toMatchObject({ isFinal: true, partitions: [] })
    expect(sessions.size).toBe(1)
    sessions.end(request(-1))
    expect(sessions.size).toBe(0)
    expect(ended).toEqual(['one'])
    expect(emptied).toEqual(['g'])
  })
})

describe('partitions', () => {
  test('are added and forgotten; an added one again changes nothing', () => {
    open(0, { added: [P0] })
    expect(read(open(1, { added: [P1, P0] }))).toEqual([0, 1])
    expect(read(open(2, { forgotten: [P0] }))).toEqual([1])
  })

  test('with records go to the end, so that all have their turn', () => {
    open(0, { added: [P0, P1] })
    const second = turn(open(1))
    expect(second.isNews(P0, FULL)).toBe(true)
    expect(second.isNews(P1, EMPTY)).toBe(false)
    expect(read(open(2))).toEqual([1, 0])
  })

  test('of a new session are all answered, later only what there is to say', () => {
    expect(turn(open(0, { added: [P0] })).isNews(P0, EMPTY)).toBe(true)
    expect(turn(open(1)).isNews(P0, EMPTY)).toBe(false)
    expect(turn(open(2)).isNews(P0, LOST)).toBe(true)
    // It works again: the client hears that once.
    expect(turn(open(3)).isNews(P0, EMPTY)).toBe(true)
    expect(turn(open(4)).isNews(P0, EMPTY)).toBe(false)
  })

  test('that are added are answered once', () => {
    open(0, { added: [P0] })
    const second = turn(open(1, { added: [P1] }))
    expect([second.isNews(P0, EMPTY), second.isNews(P1, EMPTY)]).toEqual([false, true])
    expect(turn(open(2)).isNews(P1, EMPTY)).toBe(false)
  })
})

describe('the end', () => {
  test('of a connection ends its sessions, and no others', () => {
    const other = { name: 'other' }
    open(0)
    sessions.open(request(0, 'two', other), { added: [], forgotten: [] }, false)
    sessions.connectionClosed(connection)
    expect(ended).toEqual(['one'])
    expect(emptied).toEqual([])
    sessions.connectionClosed(connection)
    sessions.connectionClosed(other)
    expect(ended).toEqual(['one', 'two'])
    expect(emptied).toEqual(['g'])
    expect(sessions.size).toBe(0)
  })

  test('of the connection before does not end a session that was opened anew on another', () => {
    const other = { name: 'other' }
    open(0)
    sessions.open(request(0, 'one', other), { added: [P0], forgotten: [] }, false)
    sessions.connectionClosed(connection)
    expect(ended).toEqual([])
    expect(sessions.size).toBe(1)
  })
})

test('there are no more sessions than allowed; who has one may begin it anew', () => {
  open(0)
  open(0, { memberId: 'two' })
  expect(open(0, { memberId: 'three' })).toBe(ErrorCode.SHARE_SESSION_LIMIT_REACHED)
  expect(read(open(0, { memberId: 'two', added: [P1] }))).toEqual([1])
  sessions.end(request(-1))
  expect(read(open(0, { memberId: 'three', added: [P0] }))).toEqual([0])
})
