import { describe, expect, test } from 'bun:test'
import { CONSUMER_HEADER, consumerLine, producerLine } from '../../../src/lab/broker/kafka-lines.ts'
import { flowOf } from './support.ts'

/** As the tools of Kafka 4.3.1 printed them. */
const PRODUCER_TOOL =
  '30000 records sent, 4975.124378 records/sec (4.74 MB/sec), 57.63 ms avg latency, 814.00 ms max latency, 3 ms 50th, 316 ms 95th, 340 ms 99th, 344 ms 99.9th.'
const CONSUMER_TOOL = [
  'start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec',
  '2026-11-21 18:13:53:051, 2026-11-21 18:13:54:189, 28.6102, 25.1408, 30000, 26362.0387, 772, 366, 78.1700, 81967.2131',
] as const

/** Whole numbers become `n`; digits after a point count, their values do not. Names of percentiles stay. */
function shape(line: string): string {
  return line.replaceAll(/\d+(?:\.(\d+))?(?!\d*(?:\.\d+)?th)/g, (_match, fraction: string | undefined) =>
    fraction === undefined ? 'n' : `n.${'0'.repeat(fraction.length)}`,
  )
}

describe("kafka-producer-perf-test's line", () => {
  const flow = flowOf({ records: 30_000, seconds: 6.03, latenciesMs: [0.4, 3.2, 316.9, 344] })

  test('has the words and the digits of the tool', () => {
    expect(shape(producerLine(flow.result(), 1000))).toBe(shape(PRODUCER_TOOL))
    expect(shape(PRODUCER_TOOL)).toContain('n records sent, n.000000 records/sec (n.00 MB/sec)')
  })

  test('counts records and their bytes only, MB of 2^20, and whole milliseconds of percentiles', () => {
    expect(producerLine(flow.result(), 1000)).toBe(
      '30000 records sent, 4975.124378 records/sec (4.74 MB/sec), 166.08 ms avg latency, 344.00 ms max latency, ' +
        '3 ms 50th, 344 ms 95th, 344 ms 99th, 344 ms 99.9th.',
    )
  })

  test('nothing sent is a line too', () => {
    expect(producerLine(flowOf({ records: 0 }).result(), 100)).toBe(
      '0 records sent, 0.000000 records/sec (0.00 MB/sec), 0.00 ms avg latency, 0.00 ms max latency, ' +
        '0 ms 50th, 0 ms 95th, 0 ms 99th, 0 ms 99.9th.',
    )
  })
})

describe("kafka-consumer-perf-test's line", () => {
  const startedAt = new Date(2026, 10, 21, 18, 13, 53, 51)

  test('header and line have the fields of the tool', () => {
    expect(CONSUMER_HEADER).toBe(CONSUMER_TOOL[0])
    const line = consumerLine(flowOf({ records: 30_000, seconds: 1.138 }).result(), { startedAt, recordBytes: 1000 })
    expect(line).toBe(
      '2026-11-21 18:13:53:051, 2026-11-21 18:13:54:189, 28.6102, 25.1408, 30000, 26362.0387, 0, 1138, 25.1408, 26362.0387',
    )
    expect(shape(line)).toBe(shape(CONSUMER_TOOL[1]))
  })
})
