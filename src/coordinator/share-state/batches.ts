/**
 * State batches put together: what is known of the records of a share partition, and what somebody says anew. The new ones count, but
 * never take a delivery back: of two that differ the one with more deliveries holds, of two with as many the later state.
 *
 * What must hold of a result: sorted, no two overlap, neighbours differ, nothing lies below the start offset.
 */
import { NO_START_OFFSET, type StateBatch } from './persister.ts'

export function combineBatches(
  known: readonly StateBatch[],
  added: readonly StateBatch[],
  startOffset: number,
): StateBatch[] {
  const all: StateBatch[] = []
  for (const batch of [...known, ...added]) {
    if (startOffset === NO_START_OFFSET || batch.firstOffset >= startOffset) all.push(batch)
    else if (batch.lastOffset >= startOffset) all.push({ ...batch, firstOffset: startOffset })
  }
  if (all.length < 2) return all
  return merged(all)
}

/** Between two neighbouring borders the state is one: that of the strongest batch over it. */
function merged(batches: readonly StateBatch[]): StateBatch[] {
  const borders = new Set<number>()
  for (const { firstOffset, lastOffset } of batches) borders.add(firstOffset).add(lastOffset + 1)
  const sorted = [...borders].sort((one, other) => one - other)
  const byFirst = [...batches].sort((one, other) => one.firstOffset - other.firstOffset)
  const result: StateBatch[] = []
  let open: StateBatch[] = []
  let next = 0
  for (let index = 0; index + 1 < sorted.length; index++) {
    const firstOffset = sorted[index]!
    open = open.filter(({ lastOffset }) => lastOffset >= firstOffset)
    while (next < byFirst.length && byFirst[next]!.firstOffset === firstOffset) open.push(byFirst[next++]!)
    const [first, ...others] = open
    if (first === undefined) continue
    const strongest = others.reduce((one, other) => (isStronger(other, one) ? other : one), first)
    append(result, { ...strongest, firstOffset, lastOffset: sorted[index + 1]! - 1 })
  }
  return result
}

function isStronger(one: StateBatch, other: StateBatch): boolean {
  if (one.deliveryCount !== other.deliveryCount) return one.deliveryCount > other.deliveryCount
  return one.deliveryState > other.deliveryState
}

function append(result: StateBatch[], batch: StateBatch): void {
  const last = result.at(-1)
  const continues =
    last !== undefined &&
    last.lastOffset + 1 === batch.firstOffset &&
    last.deliveryCount === batch.deliveryCount &&
    last.deliveryState === batch.deliveryState
  if (continues) result[result.length - 1] = { ...last, lastOffset: batch.lastOffset }
  else result.push(batch)
}
