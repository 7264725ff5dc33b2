/**
 * Produce requests that were encoded once, sent again and again. Closed loop: a fixed number is under way, and each answer
 * causes the next request. Open loop: the pacer's schedule decides, whatever the broker does.
 */
import { Flow } from './flow.ts'
import { type BatchShape, benchBatch, produceErrorPosition, produceFrame } from './frames.ts'
import { OPEN_LOOP_IN_FLIGHT_MAX } from './limits.ts'
import { Pacer, REAL_CLOCK, runSchedule } from './pacer.ts'
import type { Address } from './target.ts'
import { Wire } from './wire.ts'

export interface ProducePlan {
  readonly shape: BatchShape
  readonly acks: number
  readonly lanes: readonly ProduceLane[]
  /** Closed loop: requests under way, on every connection, or on all together, each answered by the next connection's turn. */
  readonly inFlight: { readonly perConnection: number } | { readonly together: number }
  /** Records per second of an open loop; null closes the loop. */
  readonly rate: number | null
  /** Stops sending after this many requests have been answered without an error. */
  readonly requestsMax?: number
}

/** One connection, and the partitions that it writes to in turn. All topics of a lane have names of one length. */
export interface ProduceLane {
  readonly address: Address
  readonly partitions: readonly { readonly topic: string; readonly partition: number }[]
}

/** UNKNOWN_TOPIC_OR_PARTITION and NOT_LEADER_OR_FOLLOWER: a topic that was just created may still be on its way. */
export const NOT_READY_YET: ReadonlySet<number> = new Set([3, 6])

/** Send times of the requests under way on a connection, oldest first: answers come in order. */
class Timeline {
  private readonly times: Float64Array
  private first = 0
  private used = 0

  constructor(capacity: number) {
    this.times = new Float64Array(capacity)
  }

  get length(): number {
    return this.used
  }

  push(timeMs: number): void {
    this.times[(this.first + this.used) % this.times.length] = timeMs
    this.used++
  }

  shift(): number {
    const timeMs = this.times[this.first] ?? 0
    this.first = (this.first + 1) % this.times.length
    this.used--
    return timeMs
  }
}

interface Lane {
  readonly wire: Wire
  readonly frames: readonly Buffer[]
  readonly timeline: Timeline
  next: number
}

export class ProduceLoad {
  readonly flow = new Flow()
  private readonly plan: ProducePlan
  private readonly batch: Buffer
  private lanes: Lane[] = []
  private turn = 0
  private failed: string | null = null
  private stopped = false
  private readonly requestsMax: number
  private underWay = 0
  /** Answers so far, also those of the warm-up. */
  answered = 0

  private constructor(plan: ProducePlan) {
    this.plan = plan
    this.batch = benchBatch(plan.shape)
    this.requestsMax = plan.requestsMax ?? Number.POSITIVE_INFINITY
  }

  /** Connects, and sends nothing yet. */
  static async connect(plan: ProducePlan): Promise<ProduceLoad> {
    const load = new ProduceLoad(plan)
    try {
      for (const lane of plan.lanes) load.lanes.push(await load.openLane(lane))
      return load
    } catch (error) {
      load.stop()
      throw error
    }
  }

  get batchBytes(): number {
    return this.batch.length
  }

  get failure(): string | null {
    if (this.failed !== null) return this.failed
    for (const { wire } of this.lanes) if (wire.failure !== null) return wire.failure
    return null
  }

  start(): void {
    const { inFlight, rate } = this.plan
    if (rate !== null) this.startSchedule(rate)
    else if ('together' in inFlight) {
      for (let started = 0; started < inFlight.together; started++) this.sendNow(this.nextLane())
    } else {
      for (const lane of this.lanes) {
        for (let started = 0; started < inFlight.perConnection; started++) this.sendNow(lane)
      }
    }
  }

  stop(): void {
    this.stopped = true
    for (const { wire } of this.lanes) wire.close()
  }

  private startSchedule(recordsPerSecond: number): void {
    const requestsPerSecond = recordsPerSecond / this.plan.shape.recordsPerBatch
    runSchedule({
      pacer: new Pacer({ requestsPerSecond, startMs: performance.now() }),
      clock: REAL_CLOCK,
      stopped: () => this.stopped || this.failed !== null,
      send: (dueMs) => {
        const lane = this.laneWithRoom()
        if (lane === null) return false
        this.flow.countDelay(performance.now() - dueMs)
        this.send(lane, dueMs)
        return true
      },
    })
  }

  private nextLane(): Lane {
    const lane = this.lanes[this.turn]!
    this.turn = (this.turn + 1) % this.lanes.length
    return lane
  }

  private laneWithRoom(): Lane | null {
    for (let tried = 0; tried < this.lanes.length; tried++) {
      const lane = this.nextLane()
      if (lane.timeline.length < OPEN_LOOP_IN_FLIGHT_MAX) return lane
    }
    return null
  }

  private sendNow(lane: Lane): void {
    this.send(lane, performance.now())
  }

  private send(lane: Lane, timeMs: number): void {
    this.underWay++
    lane.timeline.push(timeMs)
    lane.wire.send(lane.frames[lane.next]!)
    lane.next = (lane.next + 1) % lane.frames.length
  }

  private async openLane(plan: ProduceLane): Promise<Lane> {
    const { acks, shape, rate, inFlight } = this.plan
    const topic = plan.partitions[0]?.topic ?? ''
    const errorAt = produceErrorPosition(topic)
    const closed = 'together' in inFlight ? inFlight.together : inFlight.perConnection
    const lane: Lane = {
      frames: plan.partitions.map((partition) => produceFrame({ ...partition, acks, batch: this.batch })),
      timeline: new Timeline(rate === null ? closed : OPEN_LOOP_IN_FLIGHT_MAX),
      next: 0,
      wire: await Wire.connect(plan.address, {
        onAnswer: (payloadBytes, head) => {
          const sentMs = lane.timeline.shift()
          this.underWay--
          const errorCode = payloadBytes < errorAt + 2 ? -1 : head.readInt16BE(errorAt)
          if (errorCode === 0) {
            this.answered++
            this.flow.count(1, shape.recordsPerBatch, this.batch.length)
            this.flow.countLatency(performance.now() - sentMs)
          } else if (!NOT_READY_YET.has(errorCode)) {
            this.failed ??= `Produce to ${topic} was answered with error ${errorCode}`
          }
          if (rate !== null || this.stopped || this.failed !== null) return
          if (this.answered + this.underWay >= this.requestsMax) return
          this.sendNow('together' in inFlight ? this.nextLane() : lane)
        },
      }),
    }
    return lane
  }
}
