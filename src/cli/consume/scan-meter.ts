/** How far a search has come: records and bytes looked at, how many of them matched, and where it is. */
import type { MessageBatch } from '../../client/consumer/streams.ts'
import type { PlannedPartition } from './plan.ts'

const KIB = 1024

export class ScanMeter {
  scanned = 0
  matched = 0
  private bytes = 0
  private place = ''
  private readonly startMs: number
  private readonly positions = new Map<string, number>()
  /** Offsets to look at in total; null where the search has no end. */
  private readonly total: number | null
  private readonly starts: ReadonlyMap<string, number>

  constructor(partitions: readonly PlannedPartition[], nowMs: number) {
    this.startMs = nowMs
    this.starts = new Map(partitions.map(({ topic, partition, offset }) => [`${topic}-${partition}`, offset]))
    const isBounded = partitions.length > 0 && partitions.every(({ until }) => until !== undefined)
    this.total = isBounded
      ? partitions.reduce((sum, { offset, until = offset }) => sum + Math.max(0, until - offset), 0)
      : null
  }

  looked({ topic, partition, messages }: Pick<MessageBatch<Buffer, Buffer>, 'topic' | 'partition' | 'messages'>): void {
    const last = messages.at(-1)
    if (last === undefined) return
    const name = `${topic}-${partition}`
    this.positions.set(name, last.offset + 1)
    this.place = `${name} at ${last.offset}`
    for (const { sizeBytes } of messages) this.bytes += sizeBytes
  }

  line(nowMs: number): string {
    const share = this.share()
    const cells = [
      `${this.rates(nowMs)}`,
      ...(share === null ? [] : [`${share} %`]),
      `${grouped(this.matched)} matched`,
    ]
    return [...cells, ...(this.place === '' ? [] : [this.place])].join(', ')
  }

  summary(nowMs: number, isInterrupted: boolean): string {
    const seconds = Math.max(0, nowMs - this.startMs) / 1000
    const share = this.share()
    const cut = isInterrupted ? `, interrupted${share === null ? '' : ` at ${share} %`}` : ''
    return `${grouped(this.matched)} of ${this.rates(nowMs)} matched in ${seconds.toFixed(1)} s${cut}`
  }

  private rates(nowMs: number): string {
    const seconds = Math.max(0.001, (nowMs - this.startMs) / 1000)
    const perSecond = grouped(Math.round(this.scanned / seconds))
    return `${grouped(this.scanned)} records (${perSecond}/s, ${sized(this.bytes / seconds)}/s)`
  }

  private share(): number | null {
    if (this.total === null) return null
    let done = 0
    for (const [name, position] of this.positions) done += position - (this.starts.get(name) ?? position)
    return this.total === 0 ? 100 : Math.min(100, Math.floor((100 * done) / this.total))
  }
}

function grouped(count: number): string {
  return count.toLocaleString('en-US')
}

function sized(bytes: number): string {
  if (bytes < KIB * KIB) return `${(bytes / KIB).toFixed(0)} KiB`
  return `${(bytes / KIB / KIB).toFixed(1)} MiB`
}
