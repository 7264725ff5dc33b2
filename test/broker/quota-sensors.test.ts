import { describe, expect, test } from 'bun:test'
import { TokenBucket, WindowedRate } from '../../src/broker/quota-sensors.ts'

describe('a rate over windows', () => {
  test('a burst counts as if it were spread over all full windows', () => {
    const rate = new WindowedRate(1_000, 11)
    rate.record(160_000, 5_000)
    expect(rate.measure(5_000)).toBe(16_000)
    expect(rate.spanMs(5_000)).toBe(10_000)
  })

  test('windows that are over stop counting one by one', () => {
    const rate = new WindowedRate(1_000, 11)
    for (let second = 0; second < 30; second++) rate.record(100, second * 1_000)
    expect(rate.measure(29_500)).toBeCloseTo(100, -1)
    expect(rate.isIdle(29_500)).toBe(false)
    expect(rate.measure(41_000)).toBe(0)
    expect(rate.isIdle(41_000)).toBe(true)
  })

  test('what was recorded by mistake can be taken back', () => {
    const rate = new WindowedRate(1_000, 11)
    rate.record(500, 0)
    rate.record(-500, 10)
    expect(rate.measure(10)).toBe(0)
  })
})

describe('a token bucket', () => {
  test('begins full, is overdrawn once, and fills with the rate', () => {
    const bucket = new TokenBucket(11)
    expect(bucket.tokens(2, 1_000)).toBe(22)
    bucket.take(30, 2, 1_000)
    expect(bucket.tokens(2, 1_000)).toBe(-8)
    expect(bucket.tokens(2, 5_000)).toBe(0)
    expect(bucket.tokens(2, 100_000)).toBe(22)
  })
})
