// The loops that every method runs in, and what they note: time of the whole, time of each operation, processor time.
// What must hold: between two readings of the clock lies one operation and nothing else of weight; figures are worked out later.

import type { Clock } from '../../storage/clock.ts'

/** More operations than this end a run early: their times are kept until it is over. */
const OPERATIONS_MAX = 4 * 1024 * 1024
const CHUNK_LENGTH = 64 * 1024

/** Milliseconds of each operation, in order. */
export class Latencies {
  readonly #full: Float64Array[] = []
  #current = new Float64Array(CHUNK_LENGTH)
  #used = 0

  get count(): number {
    return this.#full.length * CHUNK_LENGTH + this.#used
  }

  get isFull(): boolean {
    return this.count >= OPERATIONS_MAX
  }

  add(ms: number): void {
    if (this.#used === CHUNK_LENGTH) {
      this.#full.push(this.#current)
      this.#current = new Float64Array(CHUNK_LENGTH)
      this.#used = 0
    }
    this.#current[this.#used++] = ms
  }

  *values(): Generator<number> {
    for (const chunk of this.#full) yield* chunk
    yield* this.#current.subarray(0, this.#used)
  }
}

export interface Meters {
  readonly clock: Clock
  /** User and system time of this process, all threads, in milliseconds. */
  cpuMs(): number
}

export const realCpuMs = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

export interface Timed {
  readonly bytes: number
  readonly elapsedMs: number
  readonly cpuMs: number
  readonly latencies: Latencies
}

/** What a run may take at most. */
export interface Extent {
  /** A multiple of `blockBytes`. */
  readonly bytes: number
  readonly blockBytes: number
  /** No operation begins later than this. */
  readonly mostMs: number
}

/** One stop watch per run. `lap` ends an operation; true while another one may begin. */
export class StopWatch {
  readonly latencies = new Latencies()
  readonly #meters: Meters
  readonly #mostMs: number
  readonly #startMs: number
  readonly #startCpuMs: number
  #lastMs: number

  constructor(meters: Meters, mostMs: number) {
    this.#meters = meters
    this.#mostMs = mostMs
    this.#startCpuMs = meters.cpuMs()
    this.#startMs = meters.clock.monotonic()
    this.#lastMs = this.#startMs
  }

  now(): number {
    return this.#meters.clock.monotonic()
  }

  /** An operation that began when the one before it ended. */
  lap(): boolean {
    const beganMs = this.#lastMs
    return this.ended(beganMs)
  }

  /** An operation that began at `beganMs`. */
  ended(beganMs: number): boolean {
    const nowMs = this.#meters.clock.monotonic()
    this.latencies.add(nowMs - beganMs)
    this.#lastMs = nowMs
    return nowMs - this.#startMs < this.#mostMs && !this.latencies.isFull
  }

  stop(bytes: number): Timed {
    return {
      bytes,
      elapsedMs: this.now() - this.#startMs,
      cpuMs: this.#meters.cpuMs() - this.#startCpuMs,
      latencies: this.latencies,
    }
  }
}

/** Block after block; `step` does `bytes` of them at `position`, at most `stepBytes` at once. */
export function timeSteps(
  meters: Meters,
  extent: Extent,
  stepBytes: number,
  step: (position: number, bytes: number) => void,
): Timed {
  const watch = new StopWatch(meters, extent.mostMs)
  let position = 0
  while (position < extent.bytes) {
    const bytes = Math.min(stepBytes, extent.bytes - position)
    step(position, bytes)
    position += bytes
    if (!watch.lap()) break
  }
  return watch.stop(position)
}

/** As `timeSteps`, for steps that have to wait. */
export async function timeStepsLater(
  meters: Meters,
  extent: Extent,
  step: (position: number) => Promise<void>,
): Promise<Timed> {
  const watch = new StopWatch(meters, extent.mostMs)
  let position = 0
  while (position < extent.bytes) {
    await step(position)
    position += extent.blockBytes
    if (!watch.lap()) break
  }
  return watch.stop(position)
}

/** Keeps `depth` blocks under way. A lane is the number of a slot whose buffer the block may use. */
export function timeInFlight(
  meters: Meters,
  extent: Extent,
  depth: number,
  begin: (lane: number, position: number, done: (error: Error | null) => void) => void,
): Promise<Timed> {
  const { promise, resolve, reject } = Promise.withResolvers<Timed>()
  const watch = new StopWatch(meters, extent.mostMs)
  let next = 0
  let active = 0
  let failure: Error | null = null
  let mayGoOn = true
  const launch = (lane: number): void => {
    const position = next
    const beganMs = watch.now()
    next += extent.blockBytes
    active++
    begin(lane, position, (error) => {
      active--
      failure ??= error
      if (!watch.ended(beganMs)) mayGoOn = false
      if (failure === null && mayGoOn && next < extent.bytes) launch(lane)
      else if (active > 0) return
      else if (failure === null) resolve(watch.stop(next))
      else reject(failure)
    })
  }
  for (let lane = 0; lane < depth && next < extent.bytes; lane++) launch(lane)
  return promise
}
