/**
 * Random histories of a whole broker (but for its sockets) on a simulated disk and clock. SAMSA_SIM_HISTORIES sets how many, SAMSA_SIM_SEED
 * repeats one of them and shows what happened in it.
 */
import { expect, test } from 'bun:test'
import { History } from './history.ts'

const SEED = process.env.SAMSA_SIM_SEED
const FIRST = Number(SEED ?? process.env.SAMSA_SIM_FIRST ?? 1)
const COUNT = SEED === undefined ? Number(process.env.SAMSA_SIM_HISTORIES ?? 60) : 1
const STEPS = Number(process.env.SAMSA_SIM_STEPS ?? 400)
const LINES_SHOWN = 150

test(
  `${COUNT} histories from seed ${FIRST} on keep every promise`,
  async () => {
    const totals: Record<string, number> = {}
    for (let seed = FIRST; seed < FIRST + COUNT; seed++) {
      const { problems, lines, counts } = await new History({ seed, steps: STEPS }).run()
      if (problems.length > 0) {
        const story = SEED === undefined ? [] : lines.slice(-LINES_SHOWN)
        throw new Error(`SAMSA_SIM_SEED=${seed}: ${problems.slice(0, 10).join('\n')}\n${story.join('\n')}`)
      }
      for (const [name, count] of Object.entries(counts)) totals[name] = (totals[name] ?? 0) + count
    }
    if (SEED !== undefined || COUNT > 1000) console.log(totals)
    if (COUNT < 50) return
    // The simulation is worth its time only if it gets somewhere.
    for (const name of ['kills', 'powerLosses', 'cleanStops', 'diskFull', 'stormy', 'recordsDeleted', 'incarnations'])
      expect(totals[name]).toBeGreaterThan(0)
    for (const name of [
      'committed',
      'aborted',
      'handedOut',
      'groupCommits',
      'seen',
      'shared',
      'sharedAgain',
      'shareAcknowledged',
    ]) {
      expect(totals[name]).toBeGreaterThan(COUNT / 4)
    }
  },
  24 * 60 * 60_000,
)
