import { describe, expect, test } from 'bun:test'
import { ombResult } from '../../../src/lab/broker/omb.ts'
import { WORKLOADS } from '../../../src/lab/broker/workloads.ts'
import { flowOf, round } from './support.ts'

/** The public fields of the benchmark's TestResult.java, in its order. */
const LATENCY_FIELDS = ['Avg', '50pct', '75pct', '95pct', '99pct', '999pct', '9999pct', '99999pct', 'Max']
const latencies = (prefix: string): string[] => LATENCY_FIELDS.map((suffix) => prefix + suffix)
const TEST_RESULT_FIELDS = [
  'workload',
  'driver',
  'messageSize',
  'topics',
  'partitions',
  'producersPerTopic',
  'consumersPerTopic',
  'publishRate',
  'publishErrorRate',
  'consumeRate',
  'backlog',
  ...latencies('publishLatency'),
  ...latencies('publishDelayLatency'),
  ...latencies('aggregatedPublishLatency'),
  ...latencies('aggregatedPublishDelayLatency'),
  'aggregatedPublishLatencyQuantiles',
  'aggregatedPublishDelayLatencyQuantiles',
  ...latencies('endToEndLatency'),
  'aggregatedEndToEndLatencyQuantiles',
  ...latencies('aggregatedEndToEndLatency'),
]

const workload = WORKLOADS.find(({ name }) => name === 'produce-16k')!
const extra = { environment: [{ name: 'kernel', value: 'linux' }], durability: 'os' }

describe('a result', () => {
  const rounds = [
    round({ publishes: { records: 1000, seconds: 2, latenciesMs: [1, 2], delaysMs: [0.5] } }),
    round({ publishes: { records: 3000, seconds: 2, latenciesMs: [3, 4], delaysMs: [1.5] }, round: 1 }),
  ]
  const result = ombResult(workload, rounds, extra)

  test('has all fields of TestResult, and one of our own', () => {
    expect(Object.keys(result).sort()).toEqual([...TEST_RESULT_FIELDS, 'samsa'].sort())
  })

  test('says what was run', () => {
    expect(result).toMatchObject({
      workload: 'produce-16k',
      driver: 'Samsa',
      messageSize: 1000,
      topics: 4,
      partitions: 1,
      producersPerTopic: 1,
      consumersPerTopic: 0,
    })
  })

  test('rates are records per second, one for each window of all rounds', () => {
    expect(result.publishRate).toEqual([500, 1500])
    expect(result.publishErrorRate).toEqual([0, 0])
    expect(result.consumeRate).toEqual([])
    expect(result.backlog).toEqual([0, 0])
  })

  test('latencies are milliseconds, delays microseconds; aggregates are over all rounds', () => {
    expect(result.publishLatencyMax).toEqual([2, 4])
    expect(result.publishDelayLatencyMax).toEqual([500, 1500])
    expect(result.aggregatedPublishLatencyAvg).toBeCloseTo(2.5, 2)
    expect(result.aggregatedPublishLatencyMax).toBeCloseTo(4, 2)
    expect(result.aggregatedPublishDelayLatency99pct).toBe(1500)
    const quantiles = result.aggregatedPublishLatencyQuantiles as Record<string, number>
    expect(quantiles['50']).toBeCloseTo(2, 2)
    expect(Object.keys(quantiles)).toContain('99.99')
    expect(result.aggregatedEndToEndLatencyMax).toBe(0)
  })

  test('is JSON without loss', () => {
    expect(JSON.parse(JSON.stringify(result))).toEqual(result as object)
  })

  test('what the format has no place for is under our key', () => {
    const {
      figure,
      rounds: details,
      durability,
    } = result.samsa as Record<string, unknown> & {
      rounds: Record<string, unknown>[]
    }
    expect(figure).toEqual({ name: 'produced', unit: 'MB/s', better: 'more' })
    expect(durability).toBe('os')
    expect(details.map(({ round: number }) => number)).toEqual([0, 1])
  })
})

test('end-to-end latency, consume rate and backlog come from the rounds', () => {
  const endToEnd = flowOf({ records: 10, latenciesMs: [5] }).result()
  const result = ombResult(
    workload,
    [round({ publishes: { records: 10 }, consumes: { records: 8 }, endToEnd, extra: { recordsBehind: 2 } })],
    extra,
  )
  expect(result).toMatchObject({ consumeRate: [8], backlog: [2] })
  expect(result.endToEndLatency50pct).toEqual([expect.closeTo(5, 1)])
  expect(result.aggregatedEndToEndLatency50pct).toBeCloseTo(5, 1)
})
