/** Look-ups in the indexes of a full segment of 1 GiB: an entry for every 4 KiB. */
import { bench, group } from 'mitata'
import { OffsetIndex } from '../../src/log/offset-index.ts'
import { TimeIndex } from '../../src/log/time-index.ts'

const ENTRIES = 1024 * 256
const BATCH_BYTES = 4096
const RECORDS_PER_BATCH = 40
const START_MS = 1_700_000_000_000
/** Prime, so that look-ups wander over the whole index. */
const STRIDE = 7_368_787

export function register(): void {
  const offsets = new OffsetIndex('/none', 0)
  const times = new TimeIndex('/none', 0)
  for (let entry = 1; entry <= ENTRIES; entry++) {
    offsets.append(entry * RECORDS_PER_BATCH, entry * BATCH_BYTES)
    times.append(START_MS + entry * 10, entry * RECORDS_PER_BATCH)
  }
  const largestOffset = ENTRIES * RECORDS_PER_BATCH
  let at = 0
  const next = (range: number): number => {
    at = (at + STRIDE) % range
    return at
  }
  group('indexes', () => {
    bench('offset index: look-up among 262,144', () => offsets.positionFor(next(largestOffset)))
    bench('time index: look-up among 262,144', () => times.offsetFor(START_MS + next(ENTRIES * 10)))
  })
}
