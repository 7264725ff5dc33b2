/** State batches put together, against the obvious: record by record. */
import { describe, expect, test } from 'bun:test'
import { combineBatches } from '../../../src/coordinator/share-state/batches.ts'
import type { StateBatch } from '../../../src/coordinator/share-state/persister.ts'
import { SeededRandom } from '../../../src/storage/random-seeded.ts'

function batch(firstOffset: number, lastOffset: number, deliveryState: number, deliveryCount: number): StateBatch {
  return { firstOffset, lastOffset, deliveryState, deliveryCount }
}

/** The strongest of each offset: more deliveries, then the later state. */
function byOffset(batches: readonly StateBatch[], startOffset: number): Map<number, string> {
  const strongest = new Map<number, StateBatch>()
  for (const each of batches) {
    for (let offset = Math.max(each.firstOffset, startOffset); offset <= each.lastOffset; offset++) {
      const known = strongest.get(offset)
      const isStronger =
        known === undefined ||
        each.deliveryCount > known.deliveryCount ||
        (each.deliveryCount === known.deliveryCount && each.deliveryState > known.deliveryState)
      if (isStronger) strongest.set(offset, each)
    }
  }
  const states = Array.from(strongest, ([offset, { deliveryState, deliveryCount }]): [number, string] => {
    return [offset, `${deliveryState}x${deliveryCount}`]
  })
  return new Map(states.sort(([one], [other]) => one - other))
}

describe('combined', () => {
  const cases: readonly [string, StateBatch[], StateBatch[], number, StateBatch[]][] = [
    ['nothing', [], [], -1, []],
    ['neighbours of one state become one', [batch(0, 4, 2, 1)], [batch(5, 9, 2, 1)], -1, [batch(0, 9, 2, 1)]],
    [
      'neighbours of two states stay two',
      [batch(0, 4, 2, 1)],
      [batch(5, 9, 0, 1)],
      -1,
      [batch(0, 4, 2, 1), batch(5, 9, 0, 1)],
    ],
    [
      'a stronger one in the middle splits',
      [batch(0, 9, 0, 1)],
      [batch(3, 5, 2, 2)],
      -1,
      [batch(0, 2, 0, 1), batch(3, 5, 2, 2), batch(6, 9, 0, 1)],
    ],
    ['a weaker one disappears', [batch(0, 9, 2, 2)], [batch(3, 5, 0, 1)], -1, [batch(0, 9, 2, 2)]],
    ['below the start offset nothing stays', [batch(0, 4, 0, 1), batch(5, 9, 0, 2)], [], 7, [batch(7, 9, 0, 2)]],
  ]
  for (const [what, known, added, startOffset, expected] of cases) {
    test(what, () => expect(combineBatches(known, added, startOffset)).toEqual(expected))
  }

  test('random ones: every record has its strongest state, no two overlap, neighbours differ', () => {
    const random = new SeededRandom(42)
    const below = (bound: number): number => Math.floor(random.next() * bound)
    for (let round = 0; round < 2_000; round++) {
      const some = (): StateBatch[] =>
        Array.from({ length: below(6) }, () => {
          const first = below(20)
          return batch(first, first + below(8), [0, 2, 4][below(3)]!, 1 + below(3))
        })
      const [known, added, startOffset] = [some(), some(), below(2) === 0 ? -1 : below(15)]
      const combined = combineBatches(known, added, startOffset)
      expect(byOffset(combined, -1)).toEqual(byOffset([...known, ...added], startOffset))
      if (known.length + added.length < 2) continue
      for (const [index, each] of combined.slice(1).entries()) {
        const before = combined[index]!
        expect(each.firstOffset).toBeGreaterThan(before.lastOffset)
        const isSame = each.deliveryState === before.deliveryState && each.deliveryCount === before.deliveryCount
        expect(isSame && each.firstOffset === before.lastOffset + 1).toBe(false)
      }
    }
  })
})
