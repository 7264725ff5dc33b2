import { describe, expect, test } from 'bun:test'
import { Flow } from '../../../src/lab/broker/flow.ts'
import { Latencies } from '../../../src/lab/broker/latency.ts'

describe('latencies', () => {
  test('percentiles are exact to three digits', () => {
    const latencies = new Latencies()
    for (let microseconds = 1; microseconds <= 100_000; microseconds++) latencies.record(microseconds / 1000)
    const summary = latencies.summary()!
    expect(summary.count).toBe(100_000)
    for (const [value, expected] of [
      [summary.p50, 50_000],
      [summary.p95, 95_000],
      [summary.p99, 99_000],
      [summary.p999, 99_900],
      [summary.max, 100_000],
      [summary.mean, 50_000],
    ] as const) {
      expect(Math.abs(value - expected) / expected).toBeLessThan(0.001)
    }
  })

  test('small ones are whole microseconds', () => {
    const latencies = new Latencies()
    for (const microseconds of [17, 30, 75, 142]) latencies.record(microseconds / 1000)
    expect([1, 50, 75, 100].map((percentile) => latencies.percentile(percentile))).toEqual([17, 30, 75, 142])
  })

  test('what cannot be is put at the ends: clocks that step back, requests longer than an hour', () => {
    const latencies = new Latencies()
    latencies.record(-5)
    latencies.record(1e12)
    expect(latencies.percentile(1)).toBe(0)
    expect(latencies.count).toBe(2)
    expect(latencies.summary()!.max).toBeGreaterThan(3_590_000_000)
  })

  test('nothing counted has no summary', () => {
    expect(new Latencies().summary()).toBeNull()
    expect(new Latencies().distribution()).toEqual([])
  })
})

describe('a flow', () => {
  test('what was counted before a restart is forgotten', () => {
    const flow = new Flow()
    flow.count(1, 10, 1000)
    flow.countLatency(5)
    flow.closeWindow(1)
    flow.count(1, 10, 1000)
    flow.countLatency(6)
    flow.restart()
    flow.count(2, 20, 2000)
    flow.countLatency(7)
    flow.closeWindow(0.5)
    const { seconds, requests, records, bytes, latency, windows } = flow.result()
    expect({ seconds, requests, records, bytes }).toEqual({ seconds: 0.5, requests: 2, records: 20, bytes: 2000 })
    expect(latency.count).toBe(1)
    expect(windows).toHaveLength(1)
  })

  test('windows are counted apart, and together', () => {
    const flow = new Flow()
    flow.count(1, 10, 1000)
    flow.countLatency(1)
    flow.closeWindow(1)
    flow.count(3, 30, 3000)
    flow.countLatency(9)
    flow.closeWindow(1)
    const result = flow.result()
    expect(result.windows.map(({ records }) => records)).toEqual([10, 30])
    expect(result.windows.map(({ latency }) => latency?.p50)).toEqual([1000, 9000 - (9000 % 8) + 7])
    expect(result.records).toBe(40)
    expect(result.latency.count).toBe(2)
  })
})
