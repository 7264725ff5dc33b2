/**
 * What a program can see of its clients. Three ways, all optional and free while unused: hooks given with the options
 * (also the place for OpenTelemetry: `onSend` may add a `traceparent` header), events of node:diagnostics_channel, and
 * metrics (metrics.ts).
 */
import { channel } from 'node:diagnostics_channel'
import type { KafkaError } from '../errors.ts'

export interface RequestEvent {
  readonly clientId: string
  readonly apiKey: number
  readonly elapsedMs: number
  readonly error: KafkaError | null
}

/** A batch that was acknowledged, or has failed for good. */
export interface BatchEvent {
  readonly clientId: string
  readonly topic: string
  readonly partition: number
  readonly records: number
  /** On the wire. */
  readonly bytes: number
  readonly baseOffset: number
  /** From the first record's `send`. */
  readonly elapsedMs: number
  readonly attempts: number
  readonly error: KafkaError | null
}

/** A batch that will be sent again. */
export interface RetryEvent {
  readonly clientId: string
  readonly topic: string
  readonly partition: number
  readonly attempts: number
  readonly error: KafkaError
}

export interface OutgoingRecord {
  readonly topic: string
  readonly partition: number | undefined
  /** To be changed in place. */
  readonly headers: { key: string; value: string | Uint8Array | null }[]
}

export interface ClientHooks {
  /** Before a record is encoded: may add headers. What it throws fails the `send`. */
  readonly onSend?: (record: OutgoingRecord) => void
  readonly onBatch?: (event: BatchEvent) => void
  readonly onRetry?: (event: RetryEvent) => void
  readonly onRequest?: (event: RequestEvent) => void
}

const requests = channel('samsa:client:request')
const batches = channel('samsa:client:batch')
const retries = channel('samsa:client:retry')

/** Tells hooks and subscribers. A hook that throws harms nobody but itself: its error is reported as uncaught. */
export class Observer {
  private readonly hooks: ClientHooks

  constructor(hooks: ClientHooks = {}) {
    this.hooks = hooks
  }

  get onSend(): ClientHooks['onSend'] {
    return this.hooks.onSend
  }

  request(event: RequestEvent): void {
    tell(this.hooks.onRequest, event)
    if (requests.hasSubscribers) requests.publish(event)
  }

  batch(event: BatchEvent): void {
    tell(this.hooks.onBatch, event)
    if (batches.hasSubscribers) batches.publish(event)
  }

  retry(event: RetryEvent): void {
    tell(this.hooks.onRetry, event)
    if (retries.hasSubscribers) retries.publish(event)
  }
}

function tell<Event>(hook: ((event: Event) => void) | undefined, event: Event): void {
  if (hook === undefined) return
  try {
    hook(event)
  } catch (error) {
    // As an event target does: the caller's mistake must be seen, but not by the request that happened to set it off.
    queueMicrotask(() => {
      throw error
    })
  }
}
