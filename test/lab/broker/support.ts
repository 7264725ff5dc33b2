/** Rounds as a run would have measured them, from a few figures. */
import { Flow } from '../../../src/lab/broker/flow.ts'
import type { Round } from '../../../src/lab/broker/measure.ts'
import type { Target } from '../../../src/lab/broker/target.ts'

export function target(name: string, more: Partial<Target> = {}): Target {
  const address = { host: '127.0.0.1', port: 1 }
  return { name, address, pid: 1, kind: 'broker', durability: 'os', dataDirectory: null, ...more }
}

export interface FlowFigures {
  readonly records: number
  readonly bytes?: number
  readonly seconds?: number
  readonly latenciesMs?: readonly number[]
  readonly delaysMs?: readonly number[]
}

/** One window. */
export function flowOf({ records, bytes = 0, seconds = 1, latenciesMs = [], delaysMs = [] }: FlowFigures): Flow {
  const flow = new Flow()
  flow.count(records, records, bytes)
  for (const latency of latenciesMs) flow.countLatency(latency)
  for (const delay of delaysMs) flow.countDelay(delay)
  flow.closeWindow(seconds)
  return flow
}

export function round(more: Partial<Round> & { publishes?: FlowFigures; consumes?: FlowFigures }): Round {
  const { publishes, consumes, ...rest } = more
  return {
    workload: 'produce-16k',
    target: 'Samsa',
    round: 0,
    startedAt: new Date(2026, 10, 21, 18, 13, 53, 51),
    seconds: 1,
    publish: publishes === undefined ? null : flowOf(publishes).result(),
    consume: consumes === undefined ? null : flowOf(consumes).result(),
    endToEnd: null,
    broker: null,
    generatorCores: 0.2,
    openLoop: false,
    extra: {},
    ...rest,
  }
}
