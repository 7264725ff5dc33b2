// Every combination of conditions, for every table: there is a row, every row is needed, and what must never happen does not.

import { describe, expect, test } from 'bun:test'
import {
  type DecisionRow,
  decide,
  FILE_TABLE,
  type FileSituation,
  PRODUCER_TABLE,
  type ProducerSituation,
  RECOVERY_POINT_TABLE,
  type RecoveryPointSituation,
  SEGMENT_TABLE,
  type SegmentSituation,
} from '../../src/log/recovery-decisions.ts'

type Choices<S> = { readonly [K in keyof S]: readonly S[K][] }

function combinations<S extends object>(choices: Choices<S>): S[] {
  let found: Partial<S>[] = [{}]
  for (const key of Object.keys(choices) as (keyof S)[]) {
    found = found.flatMap((partial) => choices[key].map((value) => ({ ...partial, [key]: value })))
  }
  return found as S[]
}

/** The row taken for every situation; fails if one has none or a row is never taken. */
function walk<S extends object, A>(
  table: readonly DecisionRow<S, A>[],
  choices: Choices<S>,
): { situation: S; row: DecisionRow<S, A> }[] {
  const taken = combinations(choices).map((situation) => ({ situation, row: decide(table, situation) }))
  const used = new Set(taken.map(({ row }) => row.name))
  expect([...used].sort()).toEqual(table.map((row) => row.name).sort())
  expect(new Set(table.map((row) => row.name)).size).toBe(table.length)
  return taken
}

const SEGMENTS: Choices<SegmentSituation> = {
  stop: ['clean', 'unclean'],
  place: ['below', 'around', 'above'],
  facts: ['agree', 'none'],
  offsetIndex: ['good', 'missing', 'bad'],
  timeIndex: ['good', 'missing', 'bad'],
  txnIndex: ['good', 'bad'],
}

describe('segments', () => {
  const taken = walk(SEGMENT_TABLE, SEGMENTS)

  test('there are 216 situations', () => {
    expect(taken.length).toBe(216)
  })

  test('nothing is trusted unread after an unclean stop', () => {
    for (const { situation, row } of taken) if (situation.stop === 'unclean') expect(row.action).not.toBe('trust')
  })

  test('what was not synced is checked batch by batch, whatever its indexes look like', () => {
    for (const { situation, row } of taken) {
      if (situation.stop === 'unclean' && situation.place === 'above') expect(row.action).toBe('scan whole')
    }
  })

  test('partly synced: trusted below the recovery point only with all indexes usable', () => {
    for (const { situation, row } of taken) {
      if (situation.stop !== 'unclean' || situation.place !== 'around') continue
      const usable = situation.offsetIndex === 'good' && situation.timeIndex === 'good' && situation.txnIndex === 'good'
      expect(row.action === 'scan from recovery point').toBe(usable)
    }
  })

  test('an index that is missing or bad never stays', () => {
    for (const { situation, row } of taken) {
      const unusable =
        situation.offsetIndex !== 'good' || situation.timeIndex !== 'good' || situation.txnIndex === 'bad'
      if (unusable) expect(['rebuild indexes', 'rebuild transactions', 'scan whole']).toContain(row.action)
    }
  })

  test('synced segments are never cut: no scan below the recovery point or after a clean stop', () => {
    for (const { situation, row } of taken) {
      if (situation.stop === 'clean' || situation.place === 'below') expect(row.action).not.toStartWith('scan')
    }
  })

  test('after a clean stop only segments that it vouched for go unread', () => {
    for (const { situation, row } of taken) {
      const good = situation.offsetIndex === 'good' && situation.timeIndex === 'good' && situation.txnIndex === 'good'
      if (situation.stop === 'clean' && good)
        expect(row.action).toBe(situation.facts === 'agree' ? 'trust' : 'check tail')
    }
  })
})

test('recovery point', () => {
  const choices: Choices<RecoveryPointSituation> = {
    stop: ['clean', 'unclean'],
    checkpoint: ['entry', 'no entry', 'unreadable'],
  }
  for (const { situation, row } of walk(RECOVERY_POINT_TABLE, choices)) {
    const expected =
      situation.stop === 'clean' ? 'log end' : situation.checkpoint === 'entry' ? 'checkpoint' : 'log start'
    expect(row.action).toBe(expected)
  }
})

test('producers', () => {
  const choices: Choices<ProducerSituation> = {
    snapshot: ['at the end', 'older', 'none'],
    transactions: ['kept', 'rebuilt'],
    log: ['empty', 'has batches'],
  }
  for (const { situation, row } of walk(PRODUCER_TABLE, choices)) {
    if (situation.log === 'has batches' && situation.snapshot === 'none') expect(row.action).toBe('replay everything')
    if (situation.log === 'has batches' && situation.transactions === 'rebuilt')
      expect(row.action).toBe('replay everything')
    if (situation.snapshot === 'older' && situation.transactions === 'kept')
      expect(row.action).toBe('replay after snapshot')
  }
})

test('files left over', () => {
  const choices: Choices<FileSituation> = {
    kind: ['segment', 'index', 'temporary', 'deleted', 'cleaned', 'swap', 'other'],
    log: ['there', 'missing'],
    unfinishedRound: [true, false],
  }
  for (const { situation, row } of walk(FILE_TABLE, choices)) {
    if (situation.kind === 'segment' || situation.kind === 'other') expect(row.action).toBe('keep')
    if (situation.kind === 'deleted' || situation.kind === 'cleaned' || situation.kind === 'temporary')
      expect(row.action).toBe('remove')
    if (situation.kind === 'swap') expect(row.action).toBe(situation.unfinishedRound ? 'remove' : 'finish swap')
    if (situation.kind === 'index') expect(row.action).toBe(situation.log === 'there' ? 'keep' : 'remove')
  }
})

test('a table without a row for a situation says so', () => {
  expect(() => decide([{ name: 'x', when: { a: 1 }, action: 0 }], { a: 2 })).toThrow('no row')
})
