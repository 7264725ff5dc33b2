import { describe, expect, test } from 'bun:test'
import {
  cpuPerGigabyte,
  cpuPerRecord,
  generatorLimit,
  median,
  ratioOf,
  spreadOf,
} from '../../../src/lab/broker/statistics.ts'
import { round } from './support.ts'

describe('medians', () => {
  test.each([
    [[3, 1, 2], 2],
    [[4, 1, 2, 3], 2.5],
    [[7], 7],
    [[5, Number.NaN, 7], 6],
  ])('%p: %d', (values, expected) => {
    expect(median(values)).toBe(expected)
  })

  test('of nothing there is none', () => {
    expect(median([])).toBeNaN()
    expect(spreadOf([]).low).toBeNaN()
  })
})

test('a ratio is that of the medians, its spread that of rounds that ran beside each other', () => {
  expect(ratioOf([200, 100, 300], [100, 100, 100])).toEqual({ median: 2, low: 1, high: 3 })
})

describe('what a broker spent', () => {
  const broker = { cpuSeconds: 2, residentBytes: 0, memory: [] }

  test('for each GB in and out, and for each record in', () => {
    const both = round({ broker, publishes: { records: 1000, bytes: 3e9 }, consumes: { records: 0, bytes: 1e9 } })
    expect(cpuPerGigabyte(both)).toBe(0.5)
    expect(cpuPerRecord(both)).toBe(2000)
  })

  test('is unknown for a broker elsewhere', () => {
    expect(cpuPerGigabyte(round({ publishes: { records: 1, bytes: 1 } }))).toBeNaN()
    expect(cpuPerRecord(round({ publishes: { records: 1, bytes: 1 } }))).toBeNaN()
  })
})

describe('who was the limit', () => {
  const used = (cpuSeconds: number) => ({ cpuSeconds, residentBytes: 0, memory: [] })

  test('a generator with time left is not', () => {
    expect(generatorLimit(round({ generatorCores: 0.5, broker: used(0.4) }))).toBeNull()
  })

  test('nor one that is as busy as the broker', () => {
    expect(generatorLimit(round({ generatorCores: 0.97, broker: used(0.95) }))).toBeNull()
  })

  test('a busy generator before a broker with time left is', () => {
    expect(generatorLimit(round({ generatorCores: 0.97, broker: used(0.55) }))).toBe(
      'the generator used 97 % of a core, the broker 55 %: the generator is the limit',
    )
    expect(generatorLimit(round({ generatorCores: 1 }))).toContain('the broker is elsewhere')
  })

  test('in an open loop what counts is whether requests left on time', () => {
    const late = { records: 100, delaysMs: [0, 0, 20] }
    expect(generatorLimit(round({ openLoop: true, generatorCores: 1, publishes: { records: 1 } }))).toBeNull()
    expect(generatorLimit(round({ openLoop: true, generatorCores: 1, publishes: late }))).toContain('20.0 ms late')
  })
})
