import { describe, expect, test } from 'bun:test'
import {
  abortTimedOut,
  completeTransaction,
  endTransaction,
  expireId,
} from '../../../src/coordinator/txn/end-transaction.ts'
import type { Transaction, TransactionStatus } from '../../../src/coordinator/txn/state.ts'
import { context, entry, FRESH_ID, NOW, PARTITIONS, STATUSES, told, written } from './support.ts'

interface Ask {
  producerId?: number
  epoch?: number
  committed?: boolean
  clientVersion?: 0 | 2
  fresh?: number | null
}

function decide(transaction: Transaction | undefined, ask: Ask) {
  const { producerId = 7, epoch: producerEpoch = 5, committed = true, clientVersion = 2, fresh = null } = ask
  return endTransaction(
    transaction,
    { producerId, producerEpoch, committed, clientVersion },
    context({ freshProducerId: fresh }),
  )
}

const MAPPING = 'answers 49/-1/-1'
const FENCED = 'answers 90/-1/-1'
const INVALID = 'answers 48/-1/-1'
const CONCURRENT = 'answers 51/-1/-1'

/** Epoch in use 5; what is answered to [commit, abort]. */
type Outcomes = readonly [commit: string, abort: string]
const both = (outcome: string): Outcomes => [outcome, outcome]

describe('transaction version 2', () => {
  const current: Record<TransactionStatus, Outcomes> = {
    Empty: [INVALID, 'PrepareAbort 7/6, answers 0/7/6'],
    Ongoing: ['PrepareCommit 7/6, answers 0/7/6', 'PrepareAbort 7/6, answers 0/7/6'],
    PrepareCommit: both(CONCURRENT),
    PrepareAbort: both(CONCURRENT),
    CompleteCommit: [INVALID, 'PrepareAbort 7/6, answers 0/7/6'],
    CompleteAbort: [INVALID, 'PrepareAbort 7/6, answers 0/7/6'],
  }
  const before: Record<TransactionStatus, Outcomes> = {
    Empty: both(FENCED),
    Ongoing: both(FENCED),
    PrepareCommit: both(CONCURRENT),
    PrepareAbort: both(CONCURRENT),
    CompleteCommit: ['answers 0/7/5', INVALID],
    CompleteAbort: [INVALID, 'answers 0/7/5'],
  }
  const cases: [name: string, ask: Ask, expected: (status: TransactionStatus) => Outcomes][] = [
    ['the current epoch', {}, (status) => current[status]],
    ['the epoch before', { epoch: 4 }, (status) => before[status]],
    ['an older epoch', { epoch: 3 }, (status) => both(status.startsWith('Prepare') ? CONCURRENT : FENCED)],
    ['a later epoch', { epoch: 6 }, (status) => both(status.startsWith('Prepare') ? CONCURRENT : FENCED)],
    ['another producer', { producerId: 8 }, (status) => both(status.startsWith('Prepare') ? CONCURRENT : MAPPING)],
  ]
  for (const status of STATUSES) {
    for (const [name, ask, expected] of cases) {
      test(`${status}, ${name}`, () => {
        const [commit, abort] = expected(status)
        expect(told(decide(entry(status), { ...ask, committed: true }))).toBe(commit)
        expect(told(decide(entry(status), { ...ask, committed: false }))).toBe(abort)
      })
    }
  }

  test('an unknown id', () => expect(told(decide(undefined, {}))).toBe(MAPPING))

  test('the last epoch: a fresh producer id comes with the answer, and into the entry when it is complete', () => {
    const open = entry('Ongoing', { producerEpoch: 32_766 })
    expect(told(decide(open, { epoch: 32_766 }))).toBe('needs a producer id')
    const ended = decide(open, { epoch: 32_766, fresh: FRESH_ID })
    expect(told(ended)).toBe('PrepareCommit 7 then 900/32767, answers 0/900/0')
    const complete = completeTransaction(written(ended), written(ended), context())
    expect(told(complete)).toBe('CompleteCommit 900/0, answers true')
    const retry = decide(written(complete), { epoch: 32_766 })
    expect(told(retry)).toBe('answers 0/900/0')
  })

  test('an empty transaction begins when it ends', () => {
    expect(written(decide(entry('CompleteCommit'), { committed: false }))).toMatchObject({ startMs: NOW })
  })
})

describe('older requests', () => {
  const current: Record<TransactionStatus, Outcomes> = {
    Empty: both(INVALID),
    Ongoing: ['PrepareCommit 7/5, answers 0/7/5', 'PrepareAbort 7/5, answers 0/7/5'],
    PrepareCommit: both(CONCURRENT),
    PrepareAbort: both(CONCURRENT),
    CompleteCommit: ['answers 0/7/5', INVALID],
    CompleteAbort: [INVALID, 'answers 0/7/5'],
  }
  for (const status of STATUSES) {
    test(status, () => {
      const ask = { clientVersion: 0 } as const
      expect(told(decide(entry(status), { ...ask, committed: true }))).toBe(current[status][0])
      expect(told(decide(entry(status), { ...ask, committed: false }))).toBe(current[status][1])
      for (const epoch of [3, 4, 6]) expect(told(decide(entry(status), { ...ask, epoch }))).toBe(FENCED)
      expect(told(decide(entry(status), { ...ask, producerId: 8 }))).toBe(MAPPING)
    })
  }

  test('the last epoch stays', () => {
    const open = entry('Ongoing', { producerEpoch: 32_766 })
    expect(told(decide(open, { epoch: 32_766, clientVersion: 0 }))).toBe('PrepareCommit 7/32766, answers 0/7/32766')
  })
})

describe('all markers are written', () => {
  test('PrepareCommit becomes CompleteCommit, PrepareAbort CompleteAbort; the partitions are forgotten', () => {
    for (const [from, to] of [
      ['PrepareCommit', 'CompleteCommit'],
      ['PrepareAbort', 'CompleteAbort'],
    ] as const) {
      const ended = entry(from)
      const complete = written(completeTransaction(ended, ended, context()))
      expect(complete).toMatchObject({ status: to, producerId: 7, producerEpoch: 5, startMs: ended.startMs })
      expect(complete.partitions.size).toBe(0)
    }
  })

  test('of another transaction than the one that is there: nothing happens', () => {
    const ended = entry('PrepareCommit')
    for (const status of STATUSES) {
      expect(told(completeTransaction(entry(status), ended, context()))).toBe('answers false')
    }
    expect(told(completeTransaction(undefined, ended, context()))).toBe('answers false')
  })
})

describe('time', () => {
  const LONG_AGO = NOW - 60_001

  test('an open transaction beyond its time-out is aborted with the next epoch', () => {
    const late = entry('Ongoing', { startMs: LONG_AGO, clientVersion: 0 })
    const aborted = written(abortTimedOut(late, context()))
    expect(aborted).toMatchObject({ status: 'PrepareAbort', producerEpoch: 6, partitions: PARTITIONS })
  })

  test('below level 2 of transaction.version the epoch is raised to fence, and nobody can go on with it', () => {
    const late = entry('Ongoing', { startMs: LONG_AGO, clientVersion: 0 })
    const aborted = written(abortTimedOut(late, context({ ownVersion: 0 })))
    expect(aborted).toMatchObject({ status: 'PrepareAbort', producerEpoch: 6, lastProducerEpoch: -1, clientVersion: 0 })
  })

  test('within its time-out, ended or never begun it is left alone', () => {
    expect(told(abortTimedOut(entry('Ongoing', { startMs: LONG_AGO + 1 }), context()))).toBe('answers false')
    for (const status of STATUSES.filter((each) => each !== 'Ongoing')) {
      expect(told(abortTimedOut(entry(status, { startMs: LONG_AGO }), context()))).toBe('answers false')
    }
    expect(told(abortTimedOut(undefined, context()))).toBe('answers false')
  })

  test('the producer of a timed-out transaction may go on with the epoch that it has (KIP-360)', () => {
    const late = entry('Ongoing', { startMs: LONG_AGO })
    expect(written(abortTimedOut(late, context())).lastProducerEpoch).toBe(late.producerEpoch)
  })

  test('an id that is idle for long is forgotten, one with an open or ending transaction never', () => {
    const lastUpdateMs = NOW - 604_800_000
    for (const status of STATUSES) {
      const isIdle = status === 'Empty' || status.startsWith('Complete')
      expect(told(expireId(entry(status, { lastUpdateMs }), context()))).toBe(
        isIdle ? 'forgets, answers true' : 'answers false',
      )
      expect(told(expireId(entry(status, { lastUpdateMs: lastUpdateMs + 1 }), context()))).toBe('answers false')
    }
  })
})
