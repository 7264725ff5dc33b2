/**
 * Reads the metrics that clients push: OpenTelemetry's `MetricsData` message (opentelemetry/proto/metrics/v1, Protocol Buffers), as far as
 * Kafka's clients use it: gauges and sums of numbers, with attributes. What else is in a message is skipped.
 *
 * What must hold: the bytes come from outside. Every length is checked against its message, nesting is as deep as the code, and no more
 * than `limit` numbers are taken out of one push.
 */

export class OtlpError extends Error {
  override readonly name = 'OtlpError'
}

export interface PushedMetric {
  readonly name: string
  /** Sorted by name. */
  readonly attributes: readonly (readonly [name: string, value: string])[]
  readonly value: number
  readonly timeMs: number
  /** The value counts from the last push on, not from the client's start. */
  readonly isDelta: boolean
}

/** Wire types of Protocol Buffers. */
const VARINT = 0
const FIXED64 = 1
const BYTES = 2
const FIXED32 = 5

const DELTA_TEMPORALITY = 1
const NANOS_PER_MS = 1_000_000n

type FieldReader = (field: number, wireType: number, message: Message) => void

/** A message's bytes, read front to back. */
class Message {
  readonly #bytes: Buffer
  #position: number
  readonly #end: number

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.#bytes = bytes
    this.#position = start
    this.#end = end
  }

  /** Calls `read` for each field; what it does not read is skipped. */
  forEach(read: FieldReader): void {
    while (this.#position < this.#end) {
      const tag = this.varint()
      const wireType = tag & 7
      const before = this.#position
      read(Math.floor(tag / 8), wireType, this)
      if (this.#position === before) this.#skip(wireType)
    }
  }

  /** Up to 53 bits; what is larger loses its lowest bits. */
  varint(): number {
    let value = 0
    let factor = 1
    for (let count = 0; count < 10; count++) {
      const byte = this.#bytes[this.#take(1)] ?? 0
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
      factor *= 128
    }
    throw new OtlpError('a number is too long')
  }

  double(): number {
    return this.#bytes.readDoubleLE(this.#take(8))
  }

  signed64(): number {
    return Number(this.#bytes.readBigInt64LE(this.#take(8)))
  }

  nanosAsMs(): number {
    return Number(this.#bytes.readBigUInt64LE(this.#take(8)) / NANOS_PER_MS)
  }

  text(): string {
    const length = this.varint()
    const start = this.#take(length)
    return this.#bytes.toString('utf8', start, start + length)
  }

  inner(): Message {
    const length = this.varint()
    const start = this.#take(length)
    return new Message(this.#bytes, start, start + length)
  }

  #skip(wireType: number): void {
    if (wireType === VARINT) this.varint()
    else if (wireType === FIXED64) this.#take(8)
    else if (wireType === BYTES) this.#take(this.varint())
    else if (wireType === FIXED32) this.#take(4)
    else throw new OtlpError(`unknown wire type ${wireType}`)
  }

  /** The position of so many bytes, which are behind us then. */
  #take(length: number): number {
    const start = this.#position
    if (length > this.#end - start) throw new OtlpError('a field ends beyond its message')
    this.#position = start + length
    return start
  }
}

/** Throws OtlpError if the bytes are no message. */
export function decodeMetrics(bytes: Buffer, limit: number): PushedMetric[] {
  const metrics: PushedMetric[] = []
  // MetricsData.resource_metrics, ResourceMetrics.scope_metrics, ScopeMetrics.metrics
  eachInner(new Message(bytes), 1, (resource) =>
    eachInner(resource, 2, (scope) => eachInner(scope, 2, (metric) => readMetric(metric, metrics, limit))),
  )
  return metrics
}

function eachInner(message: Message, wanted: number, visit: (inner: Message) => void): void {
  message.forEach((field, wireType, at) => {
    if (field === wanted && wireType === BYTES) visit(at.inner())
  })
}

interface Point {
  value: number
  timeMs: number
  attributes: [string, string][]
}

/** Metric: name 1, gauge 5, sum 7. The name may come last. */
function readMetric(message: Message, metrics: PushedMetric[], limit: number): void {
  let name = ''
  let isDelta = false
  const points: Point[] = []
  message.forEach((field, wireType, at) => {
    if (wireType !== BYTES) return
    if (field === 1) name = at.text()
    if (field !== 5 && field !== 7) return
    at.inner().forEach((part, type, within) => {
      if (part === 1 && type === BYTES) {
        const point = readPoint(within.inner())
        if (metrics.length + points.length < limit) points.push(point)
      } else if (field === 7 && part === 2 && type === VARINT) {
        isDelta = within.varint() === DELTA_TEMPORALITY
      }
    })
  })
  for (const point of points) metrics.push({ name, isDelta, ...point })
}

/** NumberDataPoint: time 3, double 4, integer 6, attributes 7. */
function readPoint(message: Message): Point {
  const point: Point = { value: 0, timeMs: 0, attributes: [] }
  message.forEach((field, wireType, at) => {
    if (field === 3 && wireType === FIXED64) point.timeMs = at.nanosAsMs()
    else if (field === 4 && wireType === FIXED64) point.value = at.double()
    else if (field === 6 && wireType === FIXED64) point.value = at.signed64()
    else if (field === 7 && wireType === BYTES) point.attributes.push(readAttribute(at.inner()))
  })
  point.attributes.sort(([a], [b]) => (a < b ? -1 : 1))
  return point
}

/** KeyValue: key 1, value 2, of which string 1, bool 2, integer 3, double 4. */
function readAttribute(message: Message): [string, string] {
  const attribute: [string, string] = ['', '']
  message.forEach((field, wireType, at) => {
    if (wireType !== BYTES) return
    if (field === 1) attribute[0] = at.text()
    if (field !== 2) return
    at.inner().forEach((kind, type, within) => {
      if (kind === 1 && type === BYTES) attribute[1] = within.text()
      else if (kind === 2 && type === VARINT) attribute[1] = String(within.varint() === 1)
      else if (kind === 3 && type === VARINT) attribute[1] = String(within.varint())
      else if (kind === 4 && type === FIXED64) attribute[1] = String(within.double())
    })
  })
  return attribute
}
