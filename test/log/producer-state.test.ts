import { describe, expect, test } from 'bun:test'
import { decodeSnapshot, encodeSnapshot } from '../../src/log/producer-snapshot.ts'
import { ProducerState } from '../../src/log/producer-state.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import type { EndTransactionMarker } from '../../src/records/control.ts'
import type { BatchHeader } from '../../src/records/header.ts'
import { batchOf } from './support.ts'

let nextOffset = 0

function header(options: {
  id?: number
  epoch?: number
  sequence: number
  count?: number
  transactional?: boolean
  timestamp?: number
  offset?: number
}): BatchHeader {
  const {
    id = 7,
    epoch = 0,
    sequence,
    count = 1,
    transactional = false,
    timestamp = 1000,
    offset = nextOffset,
  } = options
  const made = batchOf({
    count,
    timestamp,
    producerId: id,
    producerEpoch: epoch,
    baseSequence: sequence,
    isTransactional: transactional,
  }).header
  made.baseOffset = offset
  nextOffset = offset + count
  return made
}

function markerHeader(options: { id?: number; epoch?: number; offset?: number; timestamp?: number }): BatchHeader {
  const made = header({ sequence: -1, transactional: true, ...options })
  made.attributes |= 0x20
  return made
}

const commit: EndTransactionMarker = { type: 'commit', coordinatorEpoch: 3 }
const abort: EndTransactionMarker = { type: 'abort', coordinatorEpoch: 3 }

function outcome(
  state: ProducerState,
  batch: BatchHeader,
  origin: 'client' | 'coordinator' = 'client',
  marker: EndTransactionMarker | null = null,
): string | number {
  const check = state.check(batch, { origin }, marker)
  if (check.kind === 'refuse') return check.errorCode
  return check.kind === 'duplicate' ? `duplicate of ${check.firstOffset}..${check.lastOffset}` : 'accept'
}

function withBatches(count: number, size = 10): ProducerState {
  nextOffset = 0
  const state = new ProducerState()
  for (let index = 0; index < count; index++) state.apply(header({ sequence: index * size, count: size }), null)
  return state
}

describe('sequences', () => {
  test('an unknown producer may begin anywhere', () => {
    expect(outcome(new ProducerState(), header({ sequence: 55 }))).toBe('accept')
  })

  test('the next batch continues the sequence', () => {
    const state = withBatches(2)
    expect(outcome(state, header({ sequence: 20 }))).toBe('accept')
    expect(outcome(state, header({ sequence: 21 }))).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    expect(outcome(state, header({ sequence: 5 }))).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
  })

  test('after 2147483647 comes 0, also inside a batch', () => {
    const state = new ProducerState()
    state.apply(header({ sequence: 2147483647 }), null)
    expect(outcome(state, header({ sequence: 0 }))).toBe('accept')
    const wrapped = new ProducerState()
    wrapped.apply(header({ sequence: 2147483646, count: 5 }), null)
    expect(outcome(wrapped, header({ sequence: 3 }))).toBe('accept')
    expect(outcome(wrapped, header({ sequence: 0 }))).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
  })

  test('each of the last five batches is recognised, the sixth last is not', () => {
    const state = withBatches(6)
    for (let index = 1; index < 6; index++) {
      expect(outcome(state, header({ sequence: index * 10, count: 10 }))).toBe(
        `duplicate of ${index * 10}..${index * 10 + 9}`,
      )
    }
    expect(outcome(state, header({ sequence: 0, count: 10 }))).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
  })

  test('a repetition has the same first and last sequence', () => {
    const state = withBatches(2)
    expect(outcome(state, header({ sequence: 10, count: 9 }))).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    expect(outcome(state, header({ sequence: 11, count: 9 }))).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
  })

  test('the coordinator is not held to sequences', () => {
    const state = withBatches(1)
    expect(outcome(state, header({ sequence: -1 }), 'coordinator')).toBe('accept')
  })
})

describe('epochs', () => {
  test('an older one is fenced, a newer one begins at 0', () => {
    const state = new ProducerState()
    state.apply(header({ epoch: 5, sequence: 0 }), null)
    expect(outcome(state, header({ epoch: 4, sequence: 1 }))).toBe(ErrorCode.INVALID_PRODUCER_EPOCH)
    expect(outcome(state, header({ epoch: 6, sequence: 1 }))).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    expect(outcome(state, header({ epoch: 6, sequence: 0 }))).toBe('accept')
  })

  test('a new one forgets the old batches', () => {
    const state = new ProducerState()
    state.apply(header({ epoch: 5, sequence: 0 }), null)
    state.apply(header({ epoch: 6, sequence: 0 }), null)
    expect(state.get(7)?.batches.length).toBe(1)
    expect(outcome(state, header({ epoch: 5, sequence: 0 }))).toBe(ErrorCode.INVALID_PRODUCER_EPOCH)
  })
})

describe('transactions', () => {
  test('the first unstable offset is that of the oldest one open', () => {
    const state = new ProducerState()
    state.apply(header({ id: 1, sequence: 0, transactional: true, offset: 10 }), null)
    state.apply(header({ id: 2, sequence: 0, transactional: true, offset: 20 }), null)
    state.apply(header({ id: 1, sequence: 1, transactional: true, offset: 30 }), null)
    expect(state.firstUnstableOffset(40)).toBe(10)
    state.apply(markerHeader({ id: 1, offset: 40 }), commit)
    // The marker is not below the high watermark yet.
    expect(state.firstUnstableOffset(40)).toBe(10)
    expect(state.firstUnstableOffset(41)).toBe(20)
    state.apply(markerHeader({ id: 2, offset: 41 }), commit)
    expect(state.firstUnstableOffset(42)).toBeNull()
  })

  test('an abort is an entry for the index; its stable offset is that of the oldest other one', () => {
    const state = new ProducerState()
    state.apply(header({ id: 1, sequence: 0, transactional: true, offset: 10 }), null)
    state.apply(header({ id: 2, sequence: 0, transactional: true, offset: 20 }), null)
    expect(state.apply(markerHeader({ id: 2, offset: 30 }), abort)).toEqual({
      producerId: 2,
      firstOffset: 20,
      lastOffset: 30,
      lastStableOffset: 10,
    })
    expect(state.apply(markerHeader({ id: 1, offset: 31 }), abort)).toEqual({
      producerId: 1,
      firstOffset: 10,
      lastOffset: 31,
      lastStableOffset: 32,
    })
    expect(state.apply(markerHeader({ id: 1, offset: 32 }), abort)).toBeNull()
  })

  test('a plain batch of a producer with an open transaction is refused', () => {
    const state = new ProducerState()
    state.apply(header({ sequence: 0, transactional: true }), null)
    expect(outcome(state, header({ sequence: 1 }))).toBe(ErrorCode.INVALID_TXN_STATE)
    expect(outcome(state, header({ sequence: 1, transactional: true }))).toBe('accept')
  })

  test('markers: old epoch and old coordinator are refused', () => {
    const state = new ProducerState()
    state.apply(header({ epoch: 2, sequence: 0, transactional: true }), null)
    expect(outcome(state, markerHeader({ epoch: 1 }), 'coordinator', commit)).toBe(ErrorCode.INVALID_PRODUCER_EPOCH)
    state.apply(markerHeader({ epoch: 2 }), commit)
    expect(outcome(state, markerHeader({ epoch: 2 }), 'coordinator', { type: 'commit', coordinatorEpoch: 2 })).toBe(
      ErrorCode.TRANSACTION_COORDINATOR_FENCED,
    )
    expect(outcome(state, markerHeader({ epoch: 2 }), 'coordinator', commit)).toBe('accept')
  })

  test('after a marker with a new epoch the sequence begins at 0', () => {
    const state = new ProducerState()
    state.apply(header({ epoch: 2, sequence: 0, transactional: true }), null)
    state.apply(markerHeader({ epoch: 3 }), commit)
    expect(outcome(state, header({ epoch: 3, sequence: 1, transactional: true }))).toBe(
      ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
    )
    expect(outcome(state, header({ epoch: 3, sequence: 0, transactional: true }))).toBe('accept')
  })
})

describe('undo', () => {
  test('puts back exactly what was there', () => {
    const state = withBatches(3)
    const before = [...state.entries()]
    const previous = state.get(7)
    const batch = header({ sequence: 30 })
    state.apply(batch, null)
    const other = header({ id: 8, sequence: 0 })
    state.apply(other, null)
    state.undo(8, undefined, other.baseOffset)
    state.undo(7, previous, batch.baseOffset)
    expect([...state.entries()]).toEqual(before)
    expect(state.get(7)).toBe(previous)
  })

  test('closes a transaction that it opened and opens one that it closed', () => {
    const state = new ProducerState()
    const first = header({ sequence: 0, transactional: true, offset: 10 })
    state.apply(first, null)
    const open = state.get(7)
    state.apply(markerHeader({ offset: 20 }), commit)
    state.undo(7, open, 20)
    expect(state.firstUnstableOffset(100)).toBe(10)
    state.undo(7, undefined, 10)
    expect(state.firstUnstableOffset(100)).toBeNull()
    expect(state.size).toBe(0)
  })
})

test('silent producers are forgotten, unless a transaction is open', () => {
  const state = new ProducerState()
  state.apply(header({ id: 1, sequence: 0, timestamp: 1000 }), null)
  state.apply(header({ id: 2, sequence: 0, timestamp: 5000 }), null)
  state.apply(header({ id: 3, sequence: 0, timestamp: 1000, transactional: true }), null)
  state.expire(11_000, 10_000)
  expect([...state.entries()].map((entry) => entry.producerId)).toEqual([2, 3])
  state.expire(10_999, 10_000)
  expect(state.size).toBe(2)
})

test('active producers are described', () => {
  const state = withBatches(2)
  expect(state.active()).toEqual([
    {
      producerId: 7,
      producerEpoch: 0,
      lastSequence: 19,
      lastTimestamp: 1009,
      coordinatorEpoch: -1,
      currentTransactionStartOffset: -1,
    },
  ])
})

describe('snapshot file', () => {
  test("Kafka's bytes", () => {
    // One producer (11, epoch 0, sequence 1 at offset 1, delta 1) with a transaction open since offset 0.
    const hex =
      '0001d045b82200000001000000000000000b00000000000100000000000000010000000100' +
      '0001a1fb330378ffffffff0000000000000000'
    const decoded = decodeSnapshot(Buffer.from(hex, 'hex'))
    expect(decoded).toEqual({
      ok: true,
      value: [
        {
          producerId: 11,
          epoch: 0,
          batches: [{ lastSequence: 1, lastOffset: 1, offsetDelta: 1, timestamp: 0x01a1fb330378 }],
          coordinatorEpoch: -1,
          lastTimestamp: 0x01a1fb330378,
          currentTxnFirstOffset: 0,
        },
      ],
    })
    if (decoded.ok) expect(encodeSnapshot(decoded.value).toString('hex')).toBe(hex)
  })

  test('the empty state has 10 bytes', () => {
    const bytes = encodeSnapshot([])
    expect(bytes.length).toBe(10)
    expect(decodeSnapshot(bytes)).toEqual({ ok: true, value: [] })
  })

  test('keeps the newest batch of a producer', () => {
    const state = withBatches(4)
    const decoded = decodeSnapshot(encodeSnapshot(state.entries()))
    expect(decoded.ok && decoded.value[0]?.batches).toEqual([
      { lastSequence: 39, lastOffset: 39, offsetDelta: 9, timestamp: 1009 },
    ])
  })

  test('every flipped bit and every shorter length is noticed', () => {
    const bytes = encodeSnapshot(withBatches(1).entries())
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = Buffer.from(bytes)
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      expect(decodeSnapshot(damaged).ok).toBe(false)
    }
    for (let length = 0; length < bytes.length; length++)
      expect(decodeSnapshot(bytes.subarray(0, length)).ok).toBe(false)
  })
})
