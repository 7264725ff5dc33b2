/**
 * Spans and propagation for OpenTelemetry, after its semantic conventions for messaging. The program brings `@opentelemetry/api`; nothing
 * here depends on it, the shapes below are the part of it that is used.
 *
 *     import { context, propagation, trace } from '@opentelemetry/api'
 *     const telemetry = openTelemetry({ context, propagation, trace })
 *     const producer = new Producer({ bootstrap, hooks: telemetry.producer() })
 *     await consumer.run({ eachMessage: telemetry.process(handle, { groupId: 'readers' }) })
 *
 * A record carries the context of its `send` in its headers (`traceparent` and whatever else the propagator writes), and the span of its
 * processing is a child of that.
 */
import type { ClientHooks, OutgoingRecord, RecordSettled } from './hooks.ts'

/** A span, as far as it is used. */
export interface TelemetrySpan {
  /** Adds an attribute. */
  setAttribute(name: string, value: string | number | boolean): unknown
  /** 2 is an error. */
  setStatus(status: { code: number; message?: string }): unknown
  /** Adds an error as an event. */
  recordException(error: Error): void
  /** Ends it now. */
  end(): void
}

/** `@opentelemetry/api`, as far as it is used. `Context` is its own type of that name. */
export interface TelemetryApi<Context, Span extends TelemetrySpan> {
  /** What is going on. */
  readonly context: {
    active(): Context
    with<Result>(context: Context, run: () => Result): Result
  }
  /** How contexts travel. */
  readonly propagation: {
    inject<Carrier>(
      context: Context,
      carrier: Carrier,
      setter: { set(carrier: Carrier, key: string, value: string): void },
    ): void
    extract<Carrier>(
      context: Context,
      carrier: Carrier,
      getter: { get(carrier: Carrier, key: string): string | string[] | undefined; keys(carrier: Carrier): string[] },
    ): Context
  }
  /** Where tracers come from. */
  readonly trace: {
    getTracer(
      name: string,
      version?: string,
    ): {
      startSpan(
        name: string,
        options: { kind: number; attributes: Record<string, string | number | boolean> },
        context: Context,
      ): Span
    }
    setSpan(context: Context, span: Span): Context
  }
}

/** What a message must have to be traced: any of a consumer's or a share consumer's has it. */
export interface TracedMessage {
  /** Its topic. */
  readonly topic: string
  /** Its partition. */
  readonly partition: number
  /** Its place in the partition. */
  readonly offset: number
  /** Its key, as it was deserialized. */
  readonly key: unknown
  /** Its value; null is a tombstone. */
  readonly value: unknown
  /** Its headers, with the context in them. */
  readonly headers: readonly { readonly key: string; readonly value: Uint8Array | null }[]
}

/** What is known of a consumer besides its messages. */
export interface ProcessOptions {
  /** Its group. */
  readonly groupId?: string
  /** Its client id. */
  readonly clientId?: string
}

/** What `openTelemetry` answers. */
export interface OpenTelemetry {
  /** For `hooks` of a producer: a span `send TOPIC` for each record, from `send` to its acknowledgement. `hooks` of your own are called, too. */
  producer(hooks?: ClientHooks): ClientHooks
  /** Around a handler: a span `process TOPIC`, active while it runs. */
  process<M extends TracedMessage, Rest extends unknown[], Result>(
    handler: (message: M, ...rest: Rest) => Result,
    options?: ProcessOptions,
  ): (message: M, ...rest: Rest) => Result
}

type Attributes = Record<string, string | number | boolean>

const TRACER = 'samsa'
/** Of `SpanKind` and `SpanStatusCode`. */
const KIND_PRODUCER = 3
const KIND_CONSUMER = 4
const STATUS_ERROR = 2

const HEADER_SETTER = {
  set(headers: OutgoingRecord['headers'], key: string, value: string): void {
    const before = headers.findIndex((header) => header.key === key)
    if (before >= 0) headers.splice(before, 1)
    headers.push({ key, value })
  },
}

const HEADER_GETTER = {
  get(headers: TracedMessage['headers'], key: string): string | undefined {
    // The last one counts, as for Kafka's own `lastHeader`.
    const value = headers.findLast((header) => header.key.toLowerCase() === key)?.value
    return value === undefined || value === null ? undefined : Buffer.from(value).toString()
  },
  keys: (headers: TracedMessage['headers']): string[] => headers.map(({ key }) => key),
}

/** Takes `{ context, propagation, trace }` of `@opentelemetry/api`. */
export function openTelemetry<Context, Span extends TelemetrySpan>(api: TelemetryApi<Context, Span>): OpenTelemetry {
  const { context, propagation, trace } = api
  const tracer = trace.getTracer(TRACER)

  const onSend = (record: OutgoingRecord): RecordSettled => {
    const { topic, partition, key, value } = record
    const attributes = attributesOf('send', topic, key, value)
    if (partition !== undefined) attributes['messaging.destination.partition.id'] = String(partition)
    attributes['messaging.client.id'] = record.clientId
    const span = tracer.startSpan(`send ${topic}`, { kind: KIND_PRODUCER, attributes }, context.active())
    propagation.inject(trace.setSpan(context.active(), span), record.headers, HEADER_SETTER)
    return (error, place) => {
      if (place !== null) {
        span.setAttribute('messaging.destination.partition.id', String(place.partition))
        if (place.offset >= 0) span.setAttribute('messaging.kafka.offset', place.offset)
      }
      if (error !== null) failed(span, error)
      span.end()
    }
  }

  return {
    producer: (hooks = {}) => ({
      ...hooks,
      onSend: (record) => {
        const others = hooks.onSend?.(record)
        const settled = onSend(record)
        return (error, place) => {
          settled(error, place)
          others?.(error, place)
        }
      },
    }),

    process(handler, { groupId, clientId } = {}) {
      return (message, ...rest) => {
        const { topic, partition, offset, key, value, headers } = message
        const attributes = attributesOf('process', topic, key, value)
        attributes['messaging.destination.partition.id'] = String(partition)
        attributes['messaging.kafka.offset'] = offset
        if (groupId !== undefined) attributes['messaging.consumer.group.name'] = groupId
        if (clientId !== undefined) attributes['messaging.client.id'] = clientId
        const parent = propagation.extract(context.active(), headers, HEADER_GETTER)
        const span = tracer.startSpan(`process ${topic}`, { kind: KIND_CONSUMER, attributes }, parent)
        return ending(span, () => context.with(trace.setSpan(parent, span), () => handler(message, ...rest)))
      }
    },
  }
}

function attributesOf(operation: 'send' | 'process', topic: string, key: unknown, value: unknown): Attributes {
  const attributes: Attributes = {
    'messaging.system': 'kafka',
    'messaging.operation.name': operation,
    'messaging.operation.type': operation,
    'messaging.destination.name': topic,
  }
  if (typeof key === 'string' || typeof key === 'number') attributes['messaging.kafka.message.key'] = String(key)
  else if (key instanceof Uint8Array) attributes['messaging.kafka.message.key'] = Buffer.from(key).toString()
  if (value === null) attributes['messaging.kafka.message.tombstone'] = true
  return attributes
}

/** Ends the span when the result is there, be it now or later. */
function ending<Result>(span: TelemetrySpan, run: () => Result): Result {
  let result: Result
  try {
    result = run()
  } catch (error) {
    failed(span, error)
    span.end()
    throw error
  }
  if (!(result instanceof Promise)) {
    span.end()
    return result
  }
  return result
    .catch((error: unknown) => {
      failed(span, error)
      throw error
    })
    .finally(() => span.end()) as Result
}

/** `error.type` is the code, which is stable; an error without one has the name of its class. */
function failed(span: TelemetrySpan, error: unknown): void {
  const exception = error instanceof Error ? error : new Error(String(error))
  const { code } = exception as { code?: unknown }
  span.setAttribute('error.type', typeof code === 'string' ? code : exception.name)
  span.recordException(exception)
  span.setStatus({ code: STATUS_ERROR, message: exception.message })
}
