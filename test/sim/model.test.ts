// The checkers can fail: each broken promise that the simulation looks for, told to the model by hand.

import { describe, expect, test } from 'bun:test'
import { Incarnations } from './fleeting.ts'
import { Beliefs } from './members.ts'
import { Model, type PartitionView, type SeenRecord, type SentRecord } from './model.ts'
import { ShareLedger } from './share-ledger.ts'
import { ShareStarts } from './share-members.ts'

const LOG = 'orders-0'
const OTHER = 'orders-1'
const TABLE = 'table-0'
const NO_POSITIONS = new Map<string, number>()

function view(all: readonly SeenRecord[], committed: readonly SeenRecord[] = all, logStart = 0): PartitionView {
  return { logStart, all, committed }
}

function acknowledged(model: Model, record: SentRecord, offset: number): SeenRecord {
  model.acknowledge([record], offset)
  return { offset, value: record.value }
}

describe('records', () => {
  test('what was acknowledged and can be read is fine, and so is what was never acknowledged', () => {
    const model = new Model(new Set())
    const seen = acknowledged(model, model.send(LOG), 0)
    const { value } = model.send(LOG)
    expect(model.check(new Map([[LOG, view([seen, { offset: 1, value }])]]), NO_POSITIONS)).toEqual([])
  })

  test('lost, twice, moved, foreign and in the wrong place', () => {
    const broken: ((model: Model, seen: SeenRecord) => PartitionView)[] = [
      () => view([]),
      (_model, seen) => view([seen, { ...seen, offset: 1 }]),
      (_model, seen) => view([{ ...seen, offset: 1 }]),
      (_model, seen) => view([seen, { offset: 1, value: 'unheard of' }]),
      (model, seen) => view([seen, { offset: 1, value: model.send(OTHER).value }]),
      (model, seen) => view([{ offset: 1, value: model.send(LOG).value }, seen]),
    ]
    for (const make of broken) {
      const model = new Model(new Set())
      const seen = acknowledged(model, model.send(LOG), 0)
      expect(model.check(new Map([[LOG, make(model, seen)]]), NO_POSITIONS)).not.toEqual([])
    }
  })

  test('deleted records may be gone, and must not come back', () => {
    for (const [logStart, problems] of [
      [1, 0],
      [0, 1],
    ] as const) {
      const model = new Model(new Set())
      const first = acknowledged(model, model.send(LOG), 0)
      const second = acknowledged(model, model.send(LOG), 1)
      model.deletedTo.set(LOG, 1)
      const all = logStart === 0 ? [first, second] : [second]
      expect(model.check(new Map([[LOG, view(all, all, logStart)]]), NO_POSITIONS)).toHaveLength(problems)
    }
  })
})

describe('transactions', () => {
  function transaction(outcome: 'open' | 'unknown' | 'committed' | 'aborted') {
    const model = new Model(new Set())
    const sent = model.begin('writer')
    const one = acknowledged(model, model.send(LOG, { transaction: sent }), 0)
    const other = acknowledged(model, model.send(OTHER, { transaction: sent }), 0)
    sent.position = { group: 'group', offset: 5, isAcknowledged: true }
    sent.outcome = outcome
    const check = (first: SeenRecord[], second: SeenRecord[], position: number) =>
      model.check(
        new Map([
          [LOG, view([one], first)],
          [OTHER, view([other], second)],
        ]),
        new Map([['group', position]]),
      )
    return { check, one, other, model }
  }

  test('all of it, where it was committed or may have been', () => {
    for (const outcome of ['committed', 'unknown'] as const) {
      const { check, one, other } = transaction(outcome)
      expect(check([one], [other], 5)).toEqual([])
    }
  })

  test('nothing of it, unless it was committed', () => {
    for (const outcome of ['unknown', 'aborted', 'open'] as const) {
      const { check } = transaction(outcome)
      expect(check([], [], -1)).toEqual([])
    }
    expect(transaction('committed').check([], [], -1)).not.toEqual([])
  })

  test('never a part of it: one of its partitions, or the position alone, or all but the position', () => {
    for (const outcome of ['committed', 'unknown'] as const) {
      for (const [first, second, position] of [
        [true, false, 5],
        [false, false, 5],
        [true, true, -1],
      ] as const) {
        const { check, one, other } = transaction(outcome)
        expect(check(first ? [one] : [], second ? [other] : [], position)).not.toEqual([])
      }
    }
  })

  test('an aborted one is seen neither at the end nor on the way', () => {
    const { check, one, other, model } = transaction('aborted')
    model.saw(LOG, one, true)
    expect(model.problems).toHaveLength(1)
    expect(check([one], [other], 5).length).toBeGreaterThan(1)
  })
})

describe('compacted partitions', () => {
  function table(...values: ('value' | 'tombstone')[]) {
    const model = new Model(new Set([TABLE]))
    const seen = values.map((kind, offset) =>
      acknowledged(model, model.send(TABLE, { key: 'k', isTombstone: kind === 'tombstone' }), offset),
    )
    const check = (...kept: number[]) => {
      const all = kept.map((index) => seen[index]!)
      return model.check(new Map([[TABLE, view(all)]]), NO_POSITIONS)
    }
    return check
  }

  test('the last value of a key stays, the ones before may go', () => {
    expect(table('value', 'value')(0, 1)).toEqual([])
    expect(table('value', 'value')(1)).toEqual([])
    expect(table('value', 'value')(0)).not.toEqual([])
    expect(table('value', 'value')()).not.toEqual([])
  })

  test('a tombstone may go, but nothing comes back', () => {
    expect(table('value', 'tombstone')(1)).toEqual([])
    expect(table('value', 'tombstone')()).toEqual([])
    expect(table('value', 'tombstone')(0)).not.toEqual([])
  })
})

describe('groups', () => {
  test('a partition has one owner, until its session is over or it is given up', () => {
    const problems: string[] = []
    const beliefs = new Beliefs('group', problems)
    const [one, other] = [{}, {}]
    beliefs.believe(one, ['orders-0'], 0, 10)
    beliefs.believe(other, ['orders-1'], 5, 15)
    beliefs.believe(other, ['orders-0'], 10, 20)
    beliefs.giveUp(other)
    beliefs.believe(one, ['orders-0'], 12, 22)
    expect(problems).toEqual([])
    beliefs.believe(other, ['orders-0'], 21, 31)
    expect(problems).toEqual(['group: orders-0 has two owners'])
  })

  test('epochs do not go back', () => {
    const problems: string[] = []
    const beliefs = new Beliefs('group', problems)
    for (const epoch of [1, 2, 2, 3]) beliefs.sawEpoch(epoch)
    expect(problems).toEqual([])
    beliefs.sawEpoch(2)
    expect(problems).toEqual(['group: epoch 2 after 3'])
  })
})

describe('share groups', () => {
  const LIMIT = 3
  const claimOf = (member: object, untilMs: number) => ({ member, untilMs, isAlive: () => true })
  const ledgerOf = (problems: string[], locksHold = true) =>
    new ShareLedger({ group: 'sharing', deliveryLimit: LIMIT, problems, locksHold: () => locksHold })
  const only = (deliveryCount: number) => ({ firstOffset: 0, lastOffset: 0, deliveryCount })

  test('what was accepted or rejected does not come again, what was released does', () => {
    for (const [verdict, problems] of [
      ['release', 0],
      ['accept', 1],
      ['reject', 1],
    ] as const) {
      const found: string[] = []
      const ledger = ledgerOf(found)
      ledger.delivered(LOG, only(1), claimOf({}, 10), 0)
      ledger.giveUp(LOG, [0])
      ledger.acknowledge(LOG, 0, verdict, 1)
      ledger.delivered(LOG, only(2), claimOf({}, 20), 5)
      expect(found).toHaveLength(problems)
    }
  })

  test('deliveries are counted on, and end', () => {
    const found: string[] = []
    const ledger = ledgerOf(found)
    const member = {}
    const deliver = (count: number) => ledger.delivered(LOG, only(count), claimOf(member, 10), 0)
    deliver(2)
    ledger.acknowledge(LOG, 0, 'release', 2)
    deliver(3)
    expect(found).toEqual([])
    deliver(2)
    deliver(LIMIT + 1)
    ledger.acknowledge(LOG, 0, 'release', LIMIT)
    deliver(LIMIT)
    expect(found).toEqual([
      'sharing: orders-0@0: delivery 2 after 2 were acknowledged',
      'sharing: orders-0@0 is delivered 4 times',
      'sharing: orders-0@0 was done with, and is delivered again',
    ])
  })

  test('a record is locked for one member, until the lock runs out, is renewed no more, or its connection is gone', () => {
    const found: string[] = []
    const ledger = ledgerOf(found)
    const [one, other] = [{}, {}]
    let isAlive = true
    ledger.delivered(LOG, only(1), { ...claimOf(one, 10), isAlive: () => isAlive }, 0)
    ledger.renewed(LOG, 0, one, 20)
    ledger.delivered(LOG, only(2), claimOf(other, 30), 20)
    ledger.delivered(LOG, only(2), { ...claimOf(one, 50), isAlive: () => isAlive }, 30)
    isAlive = false
    ledger.delivered(LOG, only(3), claimOf(other, 60), 40)
    expect(found).toEqual([])
    ledger.delivered(LOG, only(3), claimOf(one, 70), 59)
    expect(found).toEqual(['sharing: orders-0@0 is delivered to two members at a time'])
  })

  test('records that nobody got are missed', () => {
    const found: string[] = []
    const ledger = ledgerOf(found)
    ledger.delivered(LOG, { firstOffset: 0, lastOffset: 1, deliveryCount: 1 }, claimOf({}, 10), 0)
    ledger.checkAllSeen(LOG, [0, 1])
    expect(found).toEqual([])
    ledger.checkAllSeen(LOG, [0, 1, 2])
    expect(found).toEqual(['sharing: orders-0 has records that nobody ever got: 2'])
  })

  test('the start does not go back', () => {
    const found: string[] = []
    const starts = new ShareStarts(found)
    for (const start of [0, 3, 3, 5]) starts.saw(LOG, start)
    expect(found).toEqual([])
    starts.saw(LOG, 4)
    expect(found).toEqual(['the start of orders-0 went back from 5 to 4'])
  })
})

describe('a topic that is made anew', () => {
  test('has none of the positions that were answered before its predecessor was to be deleted', () => {
    const incarnations = new Incarnations()
    incarnations.positions.set(7, 0)
    expect(incarnations.problemWith(7)).toBeNull()
    incarnations.deletions++
    expect(incarnations.problemWith(7)).not.toBeNull()
    expect(incarnations.problemWith(-1)).toBeNull()
    incarnations.positions.set(8, 1)
    expect(incarnations.problemWith(8)).toBeNull()
  })
})
