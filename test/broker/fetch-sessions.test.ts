import { describe, expect, test } from 'bun:test'
import { FetchSessions, type FetchTurn, type PartitionNews } from '../../src/broker/fetch-sessions.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import type { FetchRequest } from '../../src/protocol/messages/01-fetch.ts'
import { ZERO_UUID } from '../../src/protocol/schema.ts'
import { SeededRandom } from '../../src/storage/random-seeded.ts'

const EVICTION_MS = 120_000

function sessions(slots = 10): FetchSessions {
  return new FetchSessions({ random: new SeededRandom(1), slots: () => slots, evictionMs: EVICTION_MS })
}

interface Asked {
  readonly topic?: string
  readonly index: number
  readonly offset?: number
}

function request(
  sessionId: number,
  sessionEpoch: number,
  asked: readonly Asked[] = [],
  forgotten: readonly Asked[] = [],
): FetchRequest {
  return {
    clusterId: null,
    replicaId: -1,
    replicaState: { replicaId: -1, replicaEpoch: -1 },
    maxWaitMs: 0,
    minBytes: 0,
    maxBytes: 1000,
    isolationLevel: 0,
    sessionId,
    sessionEpoch,
    topics: asked.map(({ topic = 't', index, offset = 0 }) => ({
      topic,
      topicId: ZERO_UUID,
      partitions: [
        {
          partition: index,
          currentLeaderEpoch: -1,
          fetchOffset: offset,
          lastFetchedEpoch: -1,
          logStartOffset: -1,
          partitionMaxBytes: 100,
          replicaDirectoryId: ZERO_UUID,
          highWatermark: 0,
        },
      ],
    })),
    forgottenTopicsData: forgotten.map(({ topic = 't', index }) => ({
      topic,
      topicId: ZERO_UUID,
      partitions: [index],
    })),
    rackId: '',
  }
}

function open(all: FetchSessions, sent: FetchRequest, nowMs = 0): FetchTurn {
  const opened = all.open(sent, false, false, nowMs)
  if (opened.turn === null) throw new Error(`refused with ${opened.errorCode}`)
  return opened.turn
}

function refusal(all: FetchSessions, sent: FetchRequest, usesTopicIds = false): ErrorCode {
  return all.open(sent, usesTopicIds, false, 0).errorCode
}

const QUIET: PartitionNews = {
  errorCode: ErrorCode.NONE,
  highWatermark: 5,
  logStartOffset: 0,
  hasRecords: false,
  hasDivergingEpoch: false,
  preferredReadReplica: -1,
}

/** Answers every partition with the same news; returns the indexes that got a row. */
function answer(turn: FetchTurn, news: Partial<PartitionNews> = {}): number[] {
  const rows: number[] = []
  for (const partition of turn.partitions) {
    if (turn.isNews(partition, { ...QUIET, ...news })) rows.push(partition.index)
  }
  return rows
}

describe('fetch session requests', () => {
  test('epoch -1 without a session is a fetch of its own', () => {
    const all = sessions()
    const turn = open(all, request(0, -1, [{ index: 0 }]))
    expect(turn.sessionId).toBe(0)
    expect(answer(turn)).toEqual([0])
    expect(all.size).toBe(0)
  })

  test('epoch 0 opens a session, and answers everything', () => {
    const all = sessions()
    const turn = open(all, request(0, 0, [{ index: 0 }, { index: 1 }]))
    expect(turn.sessionId).toBeGreaterThan(0)
    expect(answer(turn)).toEqual([0, 1])
    expect(all.size).toBe(1)
  })

  test('epoch 0 with an empty list opens a session too', () => {
    const all = sessions()
    expect(open(all, request(0, 0)).sessionId).toBeGreaterThan(0)
  })

  test('epoch 0 with a session drops the old one', () => {
    const all = sessions()
    const { sessionId } = open(all, request(0, 0, [{ index: 0 }]))
    const renewed = open(all, request(sessionId, 0, [{ index: 0 }]))
    expect(all.size).toBe(1)
    expect(refusal(all, request(sessionId, 1))).toBe(
      renewed.sessionId === sessionId ? ErrorCode.NONE : ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
    )
  })

  test('epoch -1 with a session is answered in full and ends it', () => {
    const all = sessions()
    const { sessionId } = open(all, request(0, 0, [{ index: 0 }]))
    const last = open(all, request(sessionId, -1, [{ index: 0 }]))
    expect(last.sessionId).toBe(0)
    expect(answer(last)).toEqual([0])
    expect(all.size).toBe(0)
  })

  const refusals: [string, (id: number) => FetchRequest, boolean, ErrorCode][] = [
    ['an unknown session', (id) => request(id + 1, 1), false, ErrorCode.FETCH_SESSION_ID_NOT_FOUND],
    ['session 0 with an epoch', () => request(0, 1), false, ErrorCode.FETCH_SESSION_ID_NOT_FOUND],
    ['an epoch ahead', (id) => request(id, 2), false, ErrorCode.INVALID_FETCH_SESSION_EPOCH],
    ['topic ids where the session has names', (id) => request(id, 1), true, ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR],
  ]
  for (const [name, build, usesTopicIds, errorCode] of refusals) {
    test(`${name} is refused, and the epoch does not move`, () => {
      const all = sessions()
      const { sessionId } = open(all, request(0, 0, [{ index: 0 }]))
      expect(refusal(all, build(sessionId), usesTopicIds)).toBe(errorCode)
      expect(refusal(all, request(sessionId, 1))).toBe(ErrorCode.NONE)
      expect(refusal(all, request(sessionId, 1))).toBe(ErrorCode.INVALID_FETCH_SESSION_EPOCH)
      expect(refusal(all, request(sessionId, 2))).toBe(ErrorCode.NONE)
    })
  }
})

describe('incremental fetches', () => {
  test('a quiet partition has no row; a new high watermark or log start gives it one', () => {
    const all = sessions()
    const { sessionId } = open(all, request(0, 0, [{ index: 0 }]))
    expect(answer(open(all, request(sessionId, 1)))).toEqual([0])
    expect(answer(open(all, request(sessionId, 2)))).toEqual([])
    expect(answer(open(all, request(sessionId, 3)), { highWatermark: 6 })).toEqual([0])
    expect(answer(open(all, request(sessionId, 4)), { highWatermark: 6 })).toEqual([])
    expect(answer(open(all, request(sessionId, 5)), { highWatermark: 6, logStartOffset: 2 })).toEqual([0])
  })

  test('records, errors, diverging epochs and preferred replicas give a row every time', () => {
    const news: Partial<PartitionNews>[] = [
      { hasRecords: true },
      { errorCode: ErrorCode.OFFSET_OUT_OF_RANGE },
      { hasDivergingEpoch: true },
      { preferredReadReplica: 2 },
    ]
    for (const one of news) {
      const all = sessions()
      const first = open(all, request(0, 0, [{ index: 0 }]))
      answer(first)
      expect(answer(open(all, request(first.sessionId, 1)), one)).toEqual([0])
      expect(answer(open(all, request(first.sessionId, 2)), one)).toEqual([0])
    }
  })

  test('after an error the partition is told again, though nothing else changed', () => {
    const all = sessions()
    const first = open(all, request(0, 0, [{ index: 0 }]))
    answer(first)
    answer(open(all, request(first.sessionId, 1)), { errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER })
    expect(answer(open(all, request(first.sessionId, 2)))).toEqual([0])
    expect(answer(open(all, request(first.sessionId, 3)))).toEqual([])
  })

  test('added, changed and forgotten partitions are remembered', () => {
    const all = sessions()
    const { sessionId } = open(all, request(0, 0, [{ index: 0 }, { index: 1 }]))
    const changed = open(all, request(sessionId, 1, [{ index: 0, offset: 7 }, { index: 2 }], [{ index: 1 }]))
    expect([...changed.partitions].map(({ index, fetchOffset }) => [index, fetchOffset])).toEqual([
      [0, 7],
      [2, 0],
    ])
    const next = open(all, request(sessionId, 2))
    expect([...next.partitions].map(({ index }) => index)).toEqual([0, 2])
  })

  test('partitions that brought records are read last the next time', () => {
    const all = sessions()
    const first = open(all, request(0, 0, [{ index: 0 }, { index: 1 }, { index: 2 }]))
    for (const partition of first.partitions) first.isNews(partition, { ...QUIET, hasRecords: partition.index === 0 })
    expect([...open(all, request(first.sessionId, 1)).partitions].map(({ index }) => index)).toEqual([1, 2, 0])
  })
})

describe('session slots', () => {
  test('without a free slot the fetch is answered in full, without a session', () => {
    const all = sessions(1)
    open(all, request(0, 0, [{ index: 0 }, { index: 1 }]))
    const second = open(all, request(0, 0, [{ index: 0 }]))
    expect(second.sessionId).toBe(0)
    expect(answer(second)).toEqual([0])
  })

  test('a session that was idle makes room', () => {
    const all = sessions(1)
    const idle = open(all, request(0, 0, [{ index: 0 }]), 0)
    expect(open(all, request(0, 0, [{ index: 0 }]), EVICTION_MS).sessionId).toBe(0)
    expect(open(all, request(0, 0, [{ index: 0 }]), EVICTION_MS + 1).sessionId).toBeGreaterThan(0)
    expect(refusal(all, request(idle.sessionId, 1))).toBe(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
  })

  test('a busy smaller session that had its time makes room for a larger one', () => {
    const all = sessions(1)
    const small = open(all, request(0, 0, [{ index: 0 }]), 0)
    open(all, request(small.sessionId, 1), EVICTION_MS)
    const larger = request(0, 0, [{ index: 0 }, { index: 1 }])
    expect(open(all, larger, EVICTION_MS).sessionId).toBe(0)
    expect(open(all, request(0, 0, [{ index: 0 }]), EVICTION_MS + 1).sessionId).toBe(0)
    expect(open(all, larger, EVICTION_MS + 1).sessionId).toBeGreaterThan(0)
  })

  test('a follower takes the slot of a consumer', () => {
    const all = sessions(1)
    open(all, request(0, 0, [{ index: 0 }, { index: 1 }]), 0)
    const follower = all.open(request(0, 0, [{ index: 0 }]), false, true, 1)
    expect(follower.turn?.sessionId).toBeGreaterThan(0)
    const consumer = all.open(request(0, 0, [{ index: 0 }, { index: 1 }]), false, false, EVICTION_MS)
    expect(consumer.turn?.sessionId).toBe(0)
  })
})
