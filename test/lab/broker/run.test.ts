import { describe, expect, test } from 'bun:test'
import { Flow } from '../../../src/lab/broker/flow.ts'
import { alternated, run, targetsOf } from '../../../src/lab/broker/run.ts'
import type { Context, Workload } from '../../../src/lab/broker/workload.ts'
import { selectWorkloads, WORKLOADS } from '../../../src/lab/broker/workloads.ts'
import { target } from './support.ts'

const A = target('A', { kind: 'machine', pid: null })
const B = target('B', { kind: 'machine', pid: null })

function fake(events: string[], more: Partial<Workload> = {}, failure: () => string | null = () => null): Workload {
  return {
    ...WORKLOADS[0]!,
    name: 'fake',
    async prepare({ target: { name }, rate }: Context) {
      events.push(`prepare ${name}${rate === null ? '' : ` at ${rate}`}`)
      return {
        async load(round) {
          const publish = new Flow()
          return {
            publish,
            consume: null,
            endToEnd: null,
            beside: [],
            finished: null,
            get failure() {
              return failure()
            },
            start: () => events.push(`start ${name} ${round}`),
            stop: () => events.push(`stop ${name} ${round}`),
            extra: () => ({}),
          }
        },
        afterRound: async () => void events.push(`after ${name}`),
      }
    },
    ...more,
  }
}

function runFake(workloads: Workload[], more: Partial<Parameters<typeof run>[0]> = {}) {
  return run({
    targets: [A, B],
    workloads,
    rounds: 2,
    warmupRounds: 1,
    times: { seconds: 0.01, warmupSeconds: 0 },
    rate: null,
    prefix: 'test',
    signal: new AbortController().signal,
    onRound: () => undefined,
    onProgress: () => undefined,
    onNote: () => undefined,
    ...more,
  })
}

test('who goes first changes from round to round', () => {
  expect([-1, 0, 1, 2].map((round) => alternated(['a', 'b', 'c'], round).join(''))).toEqual([
    'cba',
    'abc',
    'cba',
    'abc',
  ])
})

describe('a run', () => {
  test('warms up, alternates, cleans up after every round, and keeps the counted rounds', async () => {
    const events: string[] = []
    const rounds = await runFake([fake(events)])
    expect(events.filter((event) => !/^(stop|after)/.test(event))).toEqual([
      'prepare A',
      'prepare B',
      ...['start B -1', 'start A -1', 'start A 0', 'start B 0', 'start B 1', 'start A 1'],
    ])
    expect(events.slice(2, 5)).toEqual(['start B -1', 'stop B -1', 'after B'])
    expect(rounds.map(({ target: name, round }) => `${name}${round}`)).toEqual(['A0', 'B0', 'B1', 'A1'])
  })

  test('a failed load is stopped and its topics go, and the run ends with the reason', async () => {
    const events: string[] = []
    const failing = runFake([fake(events, {}, () => 'the connection was closed')])
    await expect(failing).rejects.toThrow('B: the connection was closed')
    expect(events.slice(2)).toEqual(['start B -1', 'stop B -1', 'after B'])
  })

  test('an abort ends it at once, and cleans up', async () => {
    const events: string[] = []
    const controller = new AbortController()
    const times = { seconds: 60, warmupSeconds: 60 }
    const long = runFake([fake(events)], { times, signal: controller.signal, onProgress: () => undefined })
    while (!events.includes('start B -1')) await Bun.sleep(1)
    controller.abort(new Error('interrupted'))
    await expect(long).rejects.toThrow('interrupted')
    expect(events.slice(-2)).toEqual(['stop B -1', 'after B'])
  })

  test('the machine is left out where its limit means nothing; the rate goes only to open loops', async () => {
    const events: string[] = []
    await runFake([fake(events, { machine: false })])
    expect(events).toEqual([])
    await runFake([fake(events, { openLoop: false })], { rate: 100, rounds: 1, warmupRounds: 0 })
    expect(events[0]).toBe('prepare A')
    const open: string[] = []
    const rounds = await runFake([fake(open)], { rate: 100, rounds: 1, warmupRounds: 0 })
    expect(open[0]).toBe('prepare A at 100')
    expect(rounds.every(({ openLoop }) => openLoop)).toBe(true)
  })
})

test('a workload that needs the files of a broker is left out for one that was only given by address', async () => {
  const events: string[] = []
  const notes: string[] = []
  const targets = [target('elsewhere'), target('ours', { dataDirectory: '/data' })]
  const needy = fake(events, { needsFiles: true })
  expect(targetsOf(needy, targets).map(({ name }) => name)).toEqual(['ours'])
  await runFake([needy], { targets: targets.slice(0, 1), onNote: (text) => void notes.push(text) })
  expect({ events, notes }).toEqual({
    events: [],
    notes: ["fake: left out, it needs a broker that 'compare' has started"],
  })
})

describe('choosing workloads', () => {
  const names = (...words: string[]) => selectWorkloads(words).map(({ name }) => name)

  test('names are unlike each other, and good for topics and files', () => {
    const all = WORKLOADS.map(({ name }) => name)
    expect(new Set(all).size).toBe(all.length)
    expect(all.filter((name) => !/^[a-z0-9-]+$/.test(name))).toEqual([])
  })

  test('without words the standard ones: no curves', () => {
    expect(names()).toContain('produce-16k')
    expect(names().some((name) => name.startsWith('connections-'))).toBe(false)
  })

  test('by part of a name, by title, or by a whole name alone', () => {
    expect(names('produce-1')).toEqual([
      'produce-100b',
      'produce-100b-100c',
      'produce-16k',
      'produce-128k',
      'produce-1m',
    ])
    expect(names('produce 16 KiB')).toEqual(['produce-16k'])
    expect(names('produce-100b')).toEqual(['produce-100b'])
    expect(names('connections')).toEqual([1, 10, 100, 1000, 5000].map((count) => `connections-${count}`))
    expect(names('latency', 'mixed')).toEqual(['latency-1k', 'mixed'])
    expect(names('nonsense')).toEqual([])
  })
})
