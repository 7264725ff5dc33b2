/**
 * One round: a load runs, its warm-up is forgotten, and for the measured time client and broker are watched. What a round
 * gives is complete and unrounded; which figure of it counts is the workload's matter.
 */
import type { Flow, FlowResult } from './flow.ts'
import { MEMORY_SAMPLES_MAX } from './limits.ts'
import { cpuSecondsOf, residentBytesOf, type Target } from './target.ts'

/** A load as a round sees it. */
export interface RunningLoad {
  readonly publish: Flow | null
  readonly consume: Flow | null
  readonly endToEnd: Flow | null
  /** Flows of loads beside the one that the round is about: measured like the others, told in `extra`. */
  readonly beside: readonly Flow[]
  readonly failure: string | null
  /** A load that ends by itself is measured from its start to its end, without warm-up. */
  readonly finished: Promise<void> | null
  start(): void
  stop(): void
  /** Figures of this workload alone, asked for at the end of the measured time. */
  extra(): Readonly<Record<string, number>>
}

export interface MemorySample {
  readonly seconds: number
  readonly bytes: number
}

export interface BrokerUse {
  readonly cpuSeconds: number
  readonly residentBytes: number
  readonly memory: readonly MemorySample[]
}

export interface Round {
  readonly workload: string
  readonly target: string
  /** From 0; the warm-up round is not kept. */
  readonly round: number
  readonly startedAt: Date
  readonly seconds: number
  readonly publish: FlowResult | null
  readonly consume: FlowResult | null
  readonly endToEnd: FlowResult | null
  /** Null for a broker on another machine. */
  readonly broker: BrokerUse | null
  /** Cores that this process kept busy. */
  readonly generatorCores: number
  readonly openLoop: boolean
  readonly extra: Readonly<Record<string, number>>
}

export interface MeasureTimes {
  readonly warmupSeconds: number
  readonly seconds: number
}

const WINDOW_SECONDS = 1
const SAMPLE_SECONDS = 0.25
/** A load that ends by itself, but does not. */
const FINISH_SECONDS_MAX = 600

export async function measure(options: {
  target: Target
  load: RunningLoad
  times: MeasureTimes
  signal: AbortSignal
  identity: Pick<Round, 'workload' | 'round' | 'openLoop'>
}): Promise<Round> {
  const { target, load, times, signal, identity } = options
  const flows = [load.publish, load.consume, load.endToEnd, ...load.beside].filter((flow) => flow !== null)
  const check = (): void => {
    if (load.failure !== null) throw new Error(`${target.name}: ${load.failure}`)
  }
  if (load.finished === null) {
    load.start()
    await pause(times.warmupSeconds, signal)
    check()
  }
  for (const flow of flows) flow.restart()
  const startedAt = new Date()
  const startMs = performance.now()
  const processorBefore = process.cpuUsage()
  const cpuBefore = target.pid === null ? 0 : cpuSecondsOf(target.pid)
  if (load.finished !== null) load.start()
  const memory = await watch({ target, load, flows, times, signal, check })
  const seconds = (performance.now() - startMs) / 1000
  const processor = process.cpuUsage(processorBefore)
  const use =
    target.pid === null
      ? null
      : { cpuSeconds: cpuSecondsOf(target.pid) - cpuBefore, residentBytes: residentBytesOf(target.pid).now, memory }
  return {
    ...identity,
    target: target.name,
    startedAt,
    seconds,
    publish: load.publish?.result() ?? null,
    consume: load.consume?.result() ?? null,
    endToEnd: load.endToEnd?.result() ?? null,
    broker: use,
    generatorCores: (processor.user + processor.system) / 1e6 / seconds,
    extra: load.extra(),
  }
}

/** Closes windows and samples memory until the time is over or the load has ended. */
async function watch(options: {
  target: Target
  load: RunningLoad
  flows: readonly Flow[]
  times: MeasureTimes
  signal: AbortSignal
  check: () => void
}): Promise<MemorySample[]> {
  const { target, load, flows, times, signal, check } = options
  const memory: MemorySample[] = []
  const startMs = performance.now()
  const elapsed = (): number => (performance.now() - startMs) / 1000
  const limit = load.finished === null ? times.seconds : FINISH_SECONDS_MAX
  const step = Math.max(SAMPLE_SECONDS, times.seconds / MEMORY_SAMPLES_MAX)
  let ended = false
  const finished = load.finished?.then(() => {
    ended = true
  })
  let windowStart = 0
  while (!ended && elapsed() < limit) {
    const wait = pause(Math.max(0, Math.min(step, limit - elapsed())), signal)
    await (finished === undefined ? wait : Promise.race([wait, finished]))
    check()
    if (target.pid !== null) memory.push({ seconds: elapsed(), bytes: residentBytesOf(target.pid).now })
    // The last window takes what is left, so that none is much shorter than the others.
    const now = elapsed()
    const last = ended || now >= limit
    if (last || (now - windowStart >= WINDOW_SECONDS && limit - now >= WINDOW_SECONDS / 2)) {
      for (const flow of flows) flow.closeWindow(now - windowStart)
      windowStart = now
    }
  }
  if (load.finished !== null && !ended) throw new Error(`${target.name}: not finished after ${FINISH_SECONDS_MAX} s`)
  return memory
}

/** Sleeps, and ends at once with the signal's reason when that comes. */
export async function pause(seconds: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, seconds * 1000)
  const abort = (): void => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    await promise
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
  }
}
