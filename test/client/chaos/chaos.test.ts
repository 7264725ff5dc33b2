/**
 * Clients in bad weather, all kinds at once. A few seconds in the usual run; `SAMSA_CHAOS_MINUTES=15` goes on with new seeds for so long,
 * and `SAMSA_CHAOS_SEED` begins with that one, as a failure names it.
 */
import { expect, test } from 'bun:test'
import { ChaosWorld } from './world.ts'

const minutes = Number(process.env.SAMSA_CHAOS_MINUTES ?? 0)
const firstSeed = Number(process.env.SAMSA_CHAOS_SEED ?? 1)
const FAULT_MS = 3_000
const ROUNDS = 2
const ROUND_TIMEOUT_MS = 300_000
/** Of the whole process, broker not included: what is buffered is bounded, so more records do not take more of it. */
const RESIDENT_BYTES_MAX = 400 * 1024 * 1024

test(
  'nothing that was acknowledged is lost or doubled, nobody is stuck, and everybody closes',
  async () => {
    const unhandled: unknown[] = []
    const onUnhandled = (reason: unknown): void => void unhandled.push(reason)
    process.on('unhandledRejection', onUnhandled)
    const world = await ChaosWorld.start()
    try {
      const untilMs = performance.now() + minutes * 60_000
      for (let round = 0; round < ROUNDS || performance.now() < untilMs; round++) {
        const seed = firstSeed + round
        if (minutes > 0) console.log('seed', seed)
        const report = await world.round(seed, minutes > 0 ? 2 * FAULT_MS : FAULT_MS)
        if (minutes > 0) console.log(JSON.stringify(report))
        expect(unhandled, `seed ${seed}`).toEqual([])
        // In the usual run this process has other tests behind it.
        if (minutes > 0) expect(report.residentBytes, `seed ${seed}`).toBeLessThan(RESIDENT_BYTES_MAX)
      }
    } finally {
      await world.stop()
      process.off('unhandledRejection', onUnhandled)
    }
  },
  (minutes + 1) * 60_000 + ROUND_TIMEOUT_MS,
)
