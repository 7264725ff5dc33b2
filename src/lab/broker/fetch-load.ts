/**
 * Fetches, one under way on each connection. The log holds equal batches, so the next offset follows from the size of the
 * answer and nothing has to be parsed.
 */
import { Flow } from './flow.ts'
import {
  type BatchShape,
  benchBatch,
  fetchAnswerOverhead,
  fetchErrorPosition,
  fetchFrame,
  patchFetchOffset,
} from './frames.ts'
import { NOT_READY_YET } from './produce-load.ts'
import type { Address } from './target.ts'
import { Wire } from './wire.ts'

export interface FetchLane {
  readonly address: Address
  readonly topic: string
  readonly partition: number
}

export interface FetchPlan {
  readonly shape: BatchShape
  readonly lanes: readonly FetchLane[]
  readonly maxBytes: number
  /**
   * `tail`: follow a log that grows. Otherwise the partition ends at an offset: read it again and again, or once, from
   * start to end.
   */
  readonly until: 'tail' | { readonly endOffset: number; readonly repeat: boolean }
  /** Takes one chunk from the socket, then leaves the socket alone for this long. */
  readonly pauseMs?: number
}

export class FetchLoad {
  readonly flow = new Flow()
  /** Resolves when every lane has read its partition once; never for `tail`. */
  readonly finished: Promise<void>
  /** Records read so far, also those of the warm-up. */
  recordsRead = 0
  private readonly plan: FetchPlan
  private readonly batchBytes: number
  private readonly wires: Wire[] = []
  private readonly starts: (() => void)[] = []
  private lanesLeft: number
  private finish: () => void = () => undefined
  private failed: string | null = null
  private stopped = false

  private constructor(plan: FetchPlan) {
    this.plan = plan
    this.batchBytes = benchBatch(plan.shape).length
    this.lanesLeft = plan.lanes.length
    this.finished = new Promise((resolve) => {
      this.finish = resolve
    })
  }

  /** Connects, and sends nothing yet. */
  static async connect(plan: FetchPlan): Promise<FetchLoad> {
    const load = new FetchLoad(plan)
    try {
      for (const lane of plan.lanes) await load.openLane(lane)
      return load
    } catch (error) {
      load.stop()
      throw error
    }
  }

  get failure(): string | null {
    if (this.failed !== null) return this.failed
    for (const wire of this.wires) if (wire.failure !== null) return wire.failure
    return null
  }

  start(): void {
    for (const startLane of this.starts) startLane()
  }

  stop(): void {
    this.stopped = true
    for (const wire of this.wires) wire.close()
  }

  private async openLane(lane: FetchLane): Promise<void> {
    const { until, maxBytes, shape, pauseMs } = this.plan
    const fetch = fetchFrame({ topic: lane.topic, partition: lane.partition, maxBytes })
    const overhead = fetchAnswerOverhead(lane.topic)
    const errorAt = fetchErrorPosition(lane.topic)
    let offset = 0
    let sentMs = 0
    const send = (): void => {
      // The frame is patched in place: what was sent before has been answered, so it has left.
      patchFetchOffset(fetch, offset)
      sentMs = performance.now()
      wire.send(fetch.frame)
    }
    const wire = await Wire.connect(lane.address, {
      onAnswer: (payloadBytes, head) => {
        if (this.stopped) return
        const errorCode = payloadBytes < errorAt + 2 ? -1 : head.readInt16BE(errorAt)
        if (errorCode !== 0 && !NOT_READY_YET.has(errorCode)) {
          this.failed ??= `Fetch of ${lane.topic} at offset ${offset} was answered with error ${errorCode}`
          return
        }
        const whole = errorCode === 0 ? Math.floor((payloadBytes - overhead) / this.batchBytes) : 0
        if (whole > 0) {
          const records = whole * shape.recordsPerBatch
          offset += records
          this.recordsRead += records
          this.flow.count(1, records, whole * this.batchBytes)
          this.flow.countLatency(performance.now() - sentMs)
        } else if (until !== 'tail' && errorCode === 0) {
          this.failed ??= `Fetch of ${lane.topic} at offset ${offset} of ${until.endOffset} was answered with no batch`
          return
        }
        if (until !== 'tail' && offset >= until.endOffset) {
          if (!until.repeat) {
            if (--this.lanesLeft === 0) this.finish()
            return
          }
          offset = 0
        }
        send()
      },
      ...(pauseMs === undefined
        ? {}
        : {
            onChunk: () => {
              wire.pause()
              setTimeout(() => wire.resume(), pauseMs)
            },
          }),
    })
    this.wires.push(wire)
    this.starts.push(send)
  }
}
