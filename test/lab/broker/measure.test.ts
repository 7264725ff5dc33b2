import { describe, expect, test } from 'bun:test'
import { Flow } from '../../../src/lab/broker/flow.ts'
import { measure, type RunningLoad } from '../../../src/lab/broker/measure.ts'
import { target } from './support.ts'

function load(more: Partial<RunningLoad> & { onStart?: () => void } = {}): RunningLoad {
  const { onStart = () => undefined, ...rest } = more
  return {
    publish: null,
    consume: null,
    endToEnd: null,
    beside: [],
    failure: null,
    finished: null,
    start: onStart,
    stop: () => undefined,
    extra: () => ({}),
    ...rest,
  }
}

function round(running: RunningLoad, times = { warmupSeconds: 0, seconds: 0.01 }) {
  const identity = { workload: 'w', round: 3, openLoop: false }
  const signal = new AbortController().signal
  return measure({ target: target('A', { pid: process.pid }), load: running, times, signal, identity })
}

/** Something passes right after the warm-up has been forgotten. */
class CountsWhenMeasured extends Flow {
  private readonly afterWarmUp: number

  constructor(afterWarmUp: number) {
    super()
    this.afterWarmUp = afterWarmUp
  }

  override restart(): void {
    super.restart()
    this.count(1, this.afterWarmUp, 1)
  }
}

describe('a round', () => {
  test('forgets what was counted while warming up, and counts every flow', async () => {
    const flow = (records: number): Flow => new CountsWhenMeasured(records)
    const [publish, consume, endToEnd, beside] = [flow(1), flow(2), flow(3), flow(4)]
    const onStart = (): void => {
      for (const one of [publish, consume, endToEnd, beside]) one.count(1000, 1000, 1000)
    }
    const measured = await round(load({ publish, consume, endToEnd, beside: [beside], onStart }))
    expect([measured.publish, measured.consume, measured.endToEnd].map((result) => result?.records)).toEqual([1, 2, 3])
    expect(beside.result().records).toBe(4)
    expect(measured).toMatchObject({ workload: 'w', target: 'A', round: 3, openLoop: false })
  })

  test('watches the process of the broker', async () => {
    const { broker, generatorCores } = await round(load())
    expect(broker!.residentBytes).toBeGreaterThan(1e6)
    expect(broker!.memory.length).toBeGreaterThan(0)
    expect(broker!.cpuSeconds).toBeGreaterThanOrEqual(0)
    expect(generatorCores).toBeGreaterThanOrEqual(0)
  })

  test('a load that ends by itself is measured from start to end, however long a round is', async () => {
    const { promise: finished, resolve } = Promise.withResolvers<void>()
    const consume = new Flow()
    const onStart = (): void => {
      consume.count(1, 7, 70)
      resolve()
    }
    const measured = await round(load({ consume, finished, onStart }), { warmupSeconds: 3600, seconds: 3600 })
    expect(measured.consume?.records).toBe(7)
    expect(measured.consume?.windows).toHaveLength(1)
  })

  test('a load that fails ends it, with the name of the broker', async () => {
    await expect(round(load({ failure: 'Produce was answered with error 87' }))).rejects.toThrow(
      'A: Produce was answered with error 87',
    )
  })
})
