import { describe, expect, test } from 'bun:test'
import { decodeMetrics, OtlpError } from '../../../src/broker/telemetry/otlp.ts'
import { double, field, fixed64, metricsData, text, varint } from './otlp-writer.ts'

const gauge = (name: string, value: number): Buffer =>
  Buffer.concat([text(1, name), field(5, field(1, Buffer.concat([fixed64(3, 5_000_000_000n), double(4, value)])))])

const sum = (name: string, value: bigint, temporality: number): Buffer =>
  Buffer.concat([
    text(1, name),
    text(2, 'described'),
    field(7, Buffer.concat([field(1, fixed64(6, value)), varint(2, temporality), varint(3, 1)])),
  ])

describe('pushed metrics', () => {
  test('gauges have a value and a time, sums say whether they are deltas', () => {
    const bytes = metricsData([gauge('g', 1.5), sum('s', 7n, 1), sum('t', -7n, 2)])
    expect(decodeMetrics(bytes, 100)).toEqual([
      { name: 'g', attributes: [], value: 1.5, timeMs: 5000, isDelta: false },
      { name: 's', attributes: [], value: 7, timeMs: 0, isDelta: true },
      { name: 't', attributes: [], value: -7, timeMs: 0, isDelta: false },
    ])
  })

  test('attributes are sorted texts', () => {
    const attribute = (key: string, value: Buffer): Buffer => field(7, Buffer.concat([text(1, key), field(2, value)]))
    const point = Buffer.concat([attribute('b', text(1, 'x')), attribute('a', varint(3, 12)), double(4, 1)])
    const [metric] = decodeMetrics(metricsData([Buffer.concat([field(5, field(1, point)), text(1, 'late')])]), 100)
    expect(metric?.name).toBe('late')
    expect(metric?.attributes).toEqual([
      ['a', '12'],
      ['b', 'x'],
    ])
  })

  test('no more than the limit is taken', () => {
    const bytes = metricsData(Array.from({ length: 50 }, (_, index) => gauge(`g${index}`, index)))
    expect(decodeMetrics(bytes, 20)).toHaveLength(20)
  })

  test('bytes that are cut anywhere are refused or read as less, never beyond their end', () => {
    const bytes = metricsData([gauge('g', 1.5), sum('s', 7n, 1)])
    for (let length = 0; length < bytes.length; length++) {
      try {
        expect(decodeMetrics(bytes.subarray(0, length), 100).length).toBeLessThanOrEqual(2)
      } catch (error) {
        expect(error).toBeInstanceOf(OtlpError)
      }
    }
  })
})
