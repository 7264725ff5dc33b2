/**
 * From the sending of a record to its arrival at a consumer that waits for it. Closed loop: one record under way, as
 * kafka-e2e-latency does it. Open loop: records leave on schedule; their latency counts from when they were due.
 *
 * Every request holds one record and the topic is fresh, so the n-th record sent is the one at offset n.
 */
import { Flow } from './flow.ts'
import {
  benchBatch,
  fetchAnswerOverhead,
  fetchErrorPosition,
  fetchFrame,
  patchFetchOffset,
  produceErrorPosition,
  produceFrame,
} from './frames.ts'
import { Pacer, REAL_CLOCK, runSchedule } from './pacer.ts'
import { NOT_READY_YET } from './produce-load.ts'
import type { Address } from './target.ts'
import { Wire } from './wire.ts'

export interface EndToEndPlan {
  readonly address: Address
  readonly topic: string
  readonly recordBytes: number
  readonly acks: number
  /** Records per second of an open loop; null closes the loop. */
  readonly rate: number | null
}

/** Records sent and not yet seen by the consumer. */
const UNDER_WAY_MAX = 65_536

export class EndToEndLoad {
  readonly publish = new Flow()
  readonly consume = new Flow()
  readonly endToEnd = new Flow()
  private readonly plan: EndToEndPlan
  private readonly batchBytes: number
  private readonly frame: Buffer
  private readonly dueMs = new Float64Array(UNDER_WAY_MAX)
  private producer: Wire | null = null
  private consumer: Wire | null = null
  private sent = 0
  private acknowledged = 0
  private consumed = 0
  private failed: string | null = null
  private stopped = false

  private constructor(plan: EndToEndPlan) {
    this.plan = plan
    const batch = benchBatch({ recordBytes: plan.recordBytes, recordsPerBatch: 1 })
    this.batchBytes = batch.length
    this.frame = produceFrame({ topic: plan.topic, partition: 0, acks: plan.acks, batch })
  }

  static async connect(plan: EndToEndPlan): Promise<EndToEndLoad> {
    const load = new EndToEndLoad(plan)
    try {
      load.producer = await load.openProducer()
      load.consumer = await load.openConsumer()
      return load
    } catch (error) {
      load.stop()
      throw error
    }
  }

  get failure(): string | null {
    return this.failed ?? this.producer?.failure ?? this.consumer?.failure ?? null
  }

  start(): void {
    const { rate } = this.plan
    if (rate === null) {
      this.send(performance.now())
      return
    }
    runSchedule({
      pacer: new Pacer({ requestsPerSecond: rate, startMs: performance.now() }),
      clock: REAL_CLOCK,
      stopped: () => this.stopped || this.failed !== null,
      send: (dueMs) => {
        if (this.sent - Math.min(this.consumed, this.acknowledged) >= UNDER_WAY_MAX) return false
        this.publish.countDelay(performance.now() - dueMs)
        this.send(dueMs)
        return true
      },
    })
  }

  stop(): void {
    this.stopped = true
    this.producer?.close()
    this.consumer?.close()
  }

  private send(dueMs: number): void {
    this.dueMs[this.sent % UNDER_WAY_MAX] = dueMs
    this.sent++
    this.producer?.send(this.frame)
  }

  private sendNextIfIdle(): void {
    if (this.plan.rate !== null || this.stopped || this.failed !== null) return
    if (this.acknowledged === this.sent && this.consumed === this.sent) this.send(performance.now())
  }

  private openProducer(): Promise<Wire> {
    const { topic, address } = this.plan
    const errorAt = produceErrorPosition(topic)
    return Wire.connect(address, {
      onAnswer: (payloadBytes, head) => {
        const errorCode = payloadBytes < errorAt + 2 ? -1 : head.readInt16BE(errorAt)
        if (NOT_READY_YET.has(errorCode)) {
          // Refused, so it took no offset; all records are equal, and the next one takes its place.
          if (!this.stopped) this.producer?.send(this.frame)
          return
        }
        if (errorCode !== 0) {
          this.failed ??= `Produce to ${topic} was answered with error ${errorCode}`
          return
        }
        const dueMs = this.dueMs[this.acknowledged % UNDER_WAY_MAX] ?? 0
        this.acknowledged++
        this.publish.count(1, 1, this.batchBytes)
        this.publish.countLatency(performance.now() - dueMs)
        this.sendNextIfIdle()
      },
    })
  }

  private async openConsumer(): Promise<Wire> {
    const { topic, address } = this.plan
    const fetch = fetchFrame({ topic, partition: 0, maxBytes: 1 << 20 })
    const overhead = fetchAnswerOverhead(topic)
    const errorAt = fetchErrorPosition(topic)
    const wire = await Wire.connect(address, {
      onAnswer: (payloadBytes, head) => {
        if (this.stopped) return
        const errorCode = payloadBytes < errorAt + 2 ? -1 : head.readInt16BE(errorAt)
        if (errorCode !== 0 && !NOT_READY_YET.has(errorCode)) {
          this.failed ??= `Fetch of ${topic} at offset ${this.consumed} was answered with error ${errorCode}`
          return
        }
        const arrived = errorCode === 0 ? Math.floor((payloadBytes - overhead) / this.batchBytes) : 0
        this.countArrived(arrived)
        patchFetchOffset(fetch, this.consumed)
        wire.send(fetch.frame)
        this.sendNextIfIdle()
      },
    })
    wire.send(fetch.frame)
    return wire
  }

  private countArrived(records: number): void {
    if (records <= 0) return
    const nowMs = performance.now()
    this.consume.count(1, records, records * this.batchBytes)
    this.endToEnd.count(1, records, records * this.batchBytes)
    for (let index = 0; index < records; index++) {
      this.endToEnd.countLatency(nowMs - (this.dueMs[this.consumed % UNDER_WAY_MAX] ?? 0))
      this.consumed++
    }
  }
}
