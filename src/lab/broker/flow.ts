/**
 * What passes between generator and broker in one direction: counted per window of about a second, and over the whole
 * measured time. Warm-up is dropped by starting anew.
 */
import { Latencies, type LatencySummary } from './latency.ts'

export interface Window {
  readonly seconds: number
  readonly requests: number
  readonly records: number
  readonly bytes: number
  readonly latency: LatencySummary | null
  readonly delay: LatencySummary | null
}

export interface FlowResult {
  readonly seconds: number
  readonly requests: number
  readonly records: number
  /** Batch bytes: what lies in the log, without requests around it. */
  readonly bytes: number
  /** From sending, or in an open loop from the due time, to the answer. */
  readonly latency: Latencies
  /** Open loop: from the due time to the sending. */
  readonly delay: Latencies
  readonly windows: readonly Window[]
}

export class Flow {
  private requests = 0
  private records = 0
  private bytes = 0
  private latency = new Latencies()
  private delay = new Latencies()
  private readonly totalLatency = new Latencies()
  private readonly totalDelay = new Latencies()
  private windows: Window[] = []

  count(requests: number, records: number, bytes: number): void {
    this.requests += requests
    this.records += records
    this.bytes += bytes
  }

  countLatency(milliseconds: number): void {
    this.latency.record(milliseconds)
  }

  countDelay(milliseconds: number): void {
    this.delay.record(milliseconds)
  }

  /** Forgets everything so far. */
  restart(): void {
    this.requests = 0
    this.records = 0
    this.bytes = 0
    for (const latencies of [this.latency, this.delay, this.totalLatency, this.totalDelay]) latencies.clear()
    this.windows = []
  }

  closeWindow(seconds: number): void {
    const { requests, records, bytes } = this
    const latency = this.latency.summary()
    const delay = this.delay.summary()
    this.windows.push({ seconds, requests, records, bytes, latency, delay })
    this.totalLatency.add(this.latency)
    this.totalDelay.add(this.delay)
    this.latency.clear()
    this.delay.clear()
    this.requests = 0
    this.records = 0
    this.bytes = 0
  }

  /** Of the windows that were closed. */
  result(): FlowResult {
    const sum = (of: (window: Window) => number): number =>
      this.windows.reduce((total, window) => total + of(window), 0)
    return {
      seconds: sum((window) => window.seconds),
      requests: sum((window) => window.requests),
      records: sum((window) => window.records),
      bytes: sum((window) => window.bytes),
      latency: this.totalLatency,
      delay: this.totalDelay,
      windows: this.windows,
    }
  }
}
