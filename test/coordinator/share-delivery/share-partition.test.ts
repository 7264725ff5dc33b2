/** Records of a share partition: who gets which, what members may say of them, and what is left after a restart. */
import { describe, expect, test } from 'bun:test'
import type { AcquireInput, LogBatch } from '../../../src/coordinator/share-delivery/acquisition.ts'
import type { AcknowledgeType } from '../../../src/coordinator/share-delivery/record-states.ts'
import { SharePartition, type StateChange } from '../../../src/coordinator/share-delivery/share-partition.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'

const LOCK_MS = 100
const RULES = { deliveryLimit: 5, lockedUntilMs: LOCK_MS, mayRenew: true }

/** Log batches of these sizes, from an offset on. */
function log(from: number, ...sizes: number[]): LogBatch[] {
  let baseOffset = from
  return sizes.map((size) => {
    const batch = { baseOffset, lastOffset: baseOffset + size - 1 }
    baseOffset += size
    return batch
  })
}

function acquire(partition: SharePartition, data: LogBatch[], more: Partial<AcquireInput> = {}): string {
  const ranges = partition.acquire({
    memberId: 'm',
    lockedUntilMs: LOCK_MS,
    fetchOffset: partition.nextFetchOffset(),
    data,
    aborted: [],
    recordsMax: 1000,
    batchSize: 1000,
    isStrict: false,
    deliveryLimit: 5,
    inFlightMax: 1000,
    ...more,
  })
  return ranges
    .map(({ firstOffset, lastOffset, deliveryCount }) => `${firstOffset}-${lastOffset}x${deliveryCount}`)
    .join()
}

function say(partition: SharePartition, first: number, last: number, ...types: AcknowledgeType[]) {
  return partition.acknowledge('m', [{ firstOffset: first, lastOffset: last, types }], RULES)
}

function settle(partition: SharePartition, change: unknown, isWritten = true, nowMs = 0): boolean {
  return partition.settle(change as StateChange, isWritten, { nowMs, deliveryLimit: 5 })
}

function accept(partition: SharePartition, first: number, last: number): void {
  settle(partition, say(partition, first, last, 'accept'))
}

/** Each offset in flight as a letter: free, acquired, known (acknowledged), lost (archived), `-` unknown. */
function picture(partition: SharePartition): string {
  let text = ''
  let offset = partition.startOffset
  for (const { runs } of partition.batches) {
    for (const { firstOffset, lastOffset, state } of runs) {
      text += '-'.repeat(firstOffset - offset)
      const letter = { available: 'f', acquired: 'a', acknowledged: 'k', archived: 'l' }[state]
      text += letter.repeat(lastOffset - firstOffset + 1)
      offset = lastOffset + 1
    }
  }
  return `${partition.startOffset}:${text}`
}

function fresh(startOffset = 0): SharePartition {
  return new SharePartition({ startOffset, batches: [] })
}

describe('handing out', () => {
  test('the rest of a batch of the log comes along, unless the mode is strict', () => {
    const soft = fresh()
    expect(acquire(soft, log(0, 5, 5), { recordsMax: 3 })).toBe('0-4x1')
    const strict = fresh()
    expect(acquire(strict, log(0, 5, 5), { recordsMax: 3, isStrict: true })).toBe('0-2x1')
    expect(picture(strict)).toBe('0:aaaff')
    expect(acquire(strict, log(0, 5, 5), { recordsMax: 3, isStrict: true })).toBe('3-4x1,5-5x1')
  })

  test('what is free comes before what is new', () => {
    const partition = fresh()
    acquire(partition, log(0, 5))
    settle(partition, say(partition, 1, 2, 'release'))
    expect(partition.nextFetchOffset()).toBe(1)
    expect(acquire(partition, log(0, 5, 3))).toBe('1-2x2,5-7x1')
  })

  test('offsets that the log does not have are nobody’s', () => {
    const partition = fresh()
    expect(acquire(partition, log(10, 2), { fetchOffset: 0 })).toBe('10-11x1')
    expect(partition.startOffset).toBe(10)
    accept(partition, 10, 11)
    expect(acquire(partition, log(20, 1), { fetchOffset: 12 })).toBe('20-20x1')
    expect(picture(partition)).toBe('20:a')
  })

  test('what transactions took back is archived, and the member is not told of it', () => {
    const partition = fresh()
    const data = log(0, 3, 3, 3)
    expect(acquire(partition, data, { aborted: [data[1]!] })).toBe('0-2x1,6-8x1')
    expect(picture(partition)).toBe('0:aaalllaaa')
    accept(partition, 0, 2)
    expect(picture(partition)).toBe('6:aaa')
  })

  test('no more than the locks allow; what is in flight may come again all the same', () => {
    const partition = fresh()
    expect(acquire(partition, log(0, 4, 4), { inFlightMax: 4 })).toBe('0-3x1')
    expect(partition.canAcquire(4)).toBe(false)
    settle(partition, say(partition, 1, 3, 'release'))
    expect(partition.canAcquire(4)).toBe(true)
    expect(acquire(partition, log(0, 4, 4), { inFlightMax: 4 })).toBe('1-3x2')
    accept(partition, 0, 0)
    expect(partition.canAcquire(4)).toBe(true)
  })

  test('records that were delivered often come in ever smaller portions, the last time alone', () => {
    const partition = fresh()
    const deliveries: string[] = []
    for (let delivery = 0; delivery < 100; delivery++) {
      const got = acquire(partition, log(0, 8))
      if (got === '') break
      deliveries.push(got)
      const [, first, last] = /^(\d+)-(\d+)x/.exec(got)!
      settle(partition, say(partition, Number(first), Number(last), 'release'))
    }
    // As a real Kafka does it.
    expect(deliveries.join(' ')).toBe('0-7x1 0-7x2 0-7x3 0-3x4 0-0x5 1-1x5 2-2x5 3-3x5 4-7x4 4-4x5 5-5x5 6-6x5 7-7x5')
    expect(picture(partition)).toBe('8:')
  })
})

describe('what members say', () => {
  test('an acknowledgement that is not written down leaves everything as it was', () => {
    const partition = fresh()
    acquire(partition, log(0, 4))
    const change = say(partition, 0, 3, 'accept', 'release', 'reject', 'gap')
    expect(picture(partition)).toBe('0:kfll')
    expect(partition.nextFetchOffset()).toBe(4)
    settle(partition, change, false)
    expect(picture(partition)).toBe('0:aaaa')
    expect(partition.nextLockDueMs).toBe(LOCK_MS)
  })

  test('one wrong batch spoils the others', () => {
    const partition = fresh()
    acquire(partition, log(0, 4))
    accept(partition, 3, 3)
    const batches = [
      { firstOffset: 0, lastOffset: 1, types: ['accept' as const] },
      { firstOffset: 3, lastOffset: 3, types: ['accept' as const] },
    ]
    expect(partition.acknowledge('m', batches, RULES)).toMatchObject({ errorCode: ErrorCode.INVALID_RECORD_STATE })
    expect(picture(partition)).toBe('0:aaak')
  })

  const refusals: readonly [string, (partition: SharePartition) => unknown, ErrorCode][] = [
    ['beyond what was handed out', (p) => say(p, 0, 6, 'accept'), ErrorCode.INVALID_REQUEST],
    ['wholly beyond it', (p) => say(p, 7, 8, 'accept'), ErrorCode.INVALID_REQUEST],
    [
      'somebody else’s',
      (p) => p.acknowledge('other', [{ firstOffset: 2, lastOffset: 3, types: ['accept'] }], RULES),
      ErrorCode.INVALID_RECORD_STATE,
    ],
    [
      'while it is being written down',
      (p) => {
        say(p, 2, 3, 'accept')
        return say(p, 2, 3, 'accept')
      },
      ErrorCode.INVALID_RECORD_STATE,
    ],
    [
      'twice',
      (p) => {
        settle(p, say(p, 3, 3, 'accept'))
        return say(p, 3, 3, 'accept')
      },
      ErrorCode.INVALID_RECORD_STATE,
    ],
    [
      'a renewal that is not allowed',
      (p) => p.acknowledge('m', [{ firstOffset: 2, lastOffset: 3, types: ['renew'] }], { ...RULES, mayRenew: false }),
      ErrorCode.INVALID_RECORD_STATE,
    ],
  ]
  for (const [what, attempt, errorCode] of refusals) {
    test(`refused: ${what}`, () => {
      const partition = fresh(2)
      acquire(partition, log(2, 3))
      expect(attempt(partition)).toMatchObject({ errorCode })
    })
  }

  test('nothing in flight: nothing can be acknowledged, but what is done with may be', () => {
    const partition = fresh(5)
    expect(say(partition, 5, 5, 'accept')).toMatchObject({ errorCode: ErrorCode.INVALID_RECORD_STATE })
    expect(say(partition, 0, 4, 'accept')).toMatchObject({ batches: [] })
  })

  test('a renewed lock lasts longer', () => {
    const partition = fresh()
    acquire(partition, log(0, 2))
    partition.acknowledge('m', [{ firstOffset: 0, lastOffset: 0, types: ['renew'] }], { ...RULES, lockedUntilMs: 300 })
    expect(partition.expireLocks(200, 5).batches).toEqual([
      { firstOffset: 1, lastOffset: 1, deliveryState: 0, deliveryCount: 1 },
    ])
    expect(picture(partition)).toBe('0:af')
    expect(partition.nextLockDueMs).toBe(300)
  })

  test('a member that goes releases what it has, and nothing else', () => {
    const partition = fresh()
    acquire(partition, log(0, 2))
    acquire(partition, log(2, 2), { memberId: 'other' })
    settle(partition, partition.release('m', 5))
    expect(picture(partition)).toBe('0:ffaa')
  })
})

describe('the start offset', () => {
  test('follows what is done with, not what is still being written down', () => {
    const partition = fresh()
    acquire(partition, log(0, 2, 2))
    const first = say(partition, 0, 1, 'accept')
    const second = say(partition, 2, 3, 'accept')
    expect(partition.deliveryCompleteCount).toBe(4)
    expect(settle(partition, second)).toBe(false)
    expect(partition.startOffset).toBe(0)
    expect(settle(partition, first)).toBe(true)
    expect(picture(partition)).toBe('4:')
    expect(partition.nextFetchOffset()).toBe(4)
  })

  test('follows the log when that loses records; acknowledging lost ones is no error', () => {
    const partition = fresh()
    acquire(partition, log(0, 6))
    partition.logStartMoved(4)
    expect(picture(partition)).toBe('4:aa')
    expect(say(partition, 0, 5, 'accept')).toMatchObject({ batches: [{ firstOffset: 4, lastOffset: 5 }] })
  })
})

describe('after a restart', () => {
  test('what was written down holds, what was in flight is read again', () => {
    const partition = new SharePartition({
      startOffset: 10,
      batches: [
        { firstOffset: 12, lastOffset: 13, deliveryState: 2, deliveryCount: 1 },
        { firstOffset: 14, lastOffset: 14, deliveryState: 0, deliveryCount: 3 },
        { firstOffset: 17, lastOffset: 18, deliveryState: 4, deliveryCount: 5 },
      ],
    })
    expect(picture(partition)).toBe('10:--kkf--ll')
    expect(partition.nextFetchOffset()).toBe(10)
    // Half of the allowed deliveries are used up: the record comes alone.
    expect(acquire(partition, log(10, 10))).toBe('10-11x1')
    expect(acquire(partition, log(10, 10))).toBe('14-14x4')
    expect(acquire(partition, log(10, 10))).toBe('15-16x1,19-19x1')
    accept(partition, 10, 11)
    expect(picture(partition)).toBe('14:aaalla')
  })

  test('leading records that are done with are behind the start offset', () => {
    const batches = [
      { firstOffset: 3, lastOffset: 5, deliveryState: 2, deliveryCount: 1 },
      { firstOffset: 6, lastOffset: 7, deliveryState: 0, deliveryCount: 1 },
    ]
    expect(picture(new SharePartition({ startOffset: 3, batches }))).toBe('6:ff')
  })

  test('gaps that turn out to have no records are passed over', () => {
    const batches = [{ firstOffset: 8, lastOffset: 9, deliveryState: 2, deliveryCount: 1 }]
    const partition = new SharePartition({ startOffset: 5, batches })
    expect(acquire(partition, log(8, 4))).toBe('10-11x1')
    expect(picture(partition)).toBe('10:aa')
  })
})
