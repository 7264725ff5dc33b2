/** The loops that methods are measured in. */
import { describe, expect, test } from 'bun:test'
import { Rounds, spreadOf } from '../../../src/lab/io/figures.ts'
import { type Meters, timeInFlight, timeSteps } from '../../../src/lab/io/timing.ts'
import { ManualClock } from '../../../src/storage/clock-manual.ts'

function meters(clock: ManualClock): Meters {
  return { clock, cpuMs: () => clock.monotonic() / 2 }
}

function tick(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

describe('steps', () => {
  test('cover the extent, the last one shorter', () => {
    const clock = new ManualClock()
    const steps: [number, number][] = []
    const timed = timeSteps(meters(clock), { bytes: 100, blockBytes: 10, mostMs: 1000 }, 40, (position, bytes) => {
      steps.push([position, bytes])
      clock.advance(3)
    })
    expect(steps).toEqual([
      [0, 40],
      [40, 40],
      [80, 20],
    ])
    expect(timed).toMatchObject({ bytes: 100, elapsedMs: 9, cpuMs: 4.5 })
    expect([...timed.latencies.values()]).toEqual([3, 3, 3])
  })

  test('none begins after the time is up, and what was done counts', () => {
    const clock = new ManualClock()
    const timed = timeSteps(meters(clock), { bytes: 1000, blockBytes: 10, mostMs: 10 }, 10, () => clock.advance(4))
    expect(timed).toMatchObject({ bytes: 30, elapsedMs: 12 })
  })
})

describe('in flight', () => {
  test('as many as asked for, each lane with one at a time, every position once', async () => {
    const clock = new ManualClock()
    const positions: number[] = []
    const busy = new Set<number>()
    let most = 0
    const timed = await timeInFlight(
      meters(clock),
      { bytes: 200, blockBytes: 10, mostMs: 1000 },
      4,
      (lane, position, done) => {
        expect(busy.has(lane)).toBe(false)
        busy.add(lane)
        most = Math.max(most, busy.size)
        positions.push(position)
        tick().then(() => {
          clock.advance(1)
          busy.delete(lane)
          done(null)
        })
      },
    )
    expect(most).toBe(4)
    expect(timed.bytes).toBe(200)
    expect(timed.latencies.count).toBe(20)
    expect(positions).toEqual(Array.from({ length: 20 }, (_, index) => index * 10))
  })

  test('a failure ends it once nothing is under way any more', async () => {
    let active = 0
    const begin = (_: number, position: number, done: (error: Error | null) => void): void => {
      active++
      tick().then(() => {
        active--
        done(position === 20 ? new Error('broken') : null)
      })
    }
    const run = timeInFlight(meters(new ManualClock()), { bytes: 1000, blockBytes: 10, mostMs: 1000 }, 3, begin)
    await expect(run).rejects.toThrow('broken')
    expect(active).toBe(0)
  })
})

describe('figures', () => {
  test('the median with its spread', () => {
    expect(spreadOf([5, 1, 9])).toEqual({ median: 5, min: 1, max: 9 })
    expect(spreadOf([4, 1, 2, 9])).toEqual({ median: 3, min: 1, max: 9 })
  })

  test('rounds come to throughput, rate on the device, processor time and percentiles', () => {
    const rounds = new Rounds()
    for (const stepMs of [1, 2, 4]) {
      const clock = new ManualClock()
      const timed = timeSteps(meters(clock), { bytes: 1e6, blockBytes: 1e5, mostMs: 1000 }, 1e5, () =>
        clock.advance(stepMs),
      )
      rounds.add(timed, stepMs * 10)
    }
    const figures = rounds.figures()!
    expect(figures.rounds).toBe(3)
    expect(figures.throughput).toEqual({ median: 50, min: 25, max: 100 })
    expect(figures.onDevice?.median).toBe(25)
    expect(figures.operationsPerSecond.median).toBe(500)
    // Half of 70 ms for 3 MB.
    expect(figures.cpuSecondsPerGb).toBeCloseTo(0.035 / 0.003, 6)
    expect(figures.latencyUs.count).toBe(30)
    expect(figures.latencyUs.p50).toBeCloseTo(2000, -1)
    expect(figures.latencyUs.max).toBeCloseTo(4000, -2)
  })
})
