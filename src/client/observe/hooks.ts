/**
 * What a program can see of its clients. Three ways, all optional and free while unused: hooks given with the options
 * (OpenTelemetry is made of them: opentelemetry.ts), events of node:diagnostics_channel, and metrics (metrics.ts).
 */
import { channel } from 'node:diagnostics_channel'
import type { KafkaError } from '../errors.ts'
import type { RecordMetadata } from '../producer/record.ts'
import { clientMetrics } from './metrics.ts'

/** A request that was answered, or failed. */
export interface RequestEvent {
  /** The client that sent it. */
  readonly clientId: string
  /** Kafka's number of the request: 0 is Produce, 1 Fetch. */
  readonly apiKey: number
  /** From sending it to its answer, milliseconds. */
  readonly elapsedMs: number
  /** Null if it was answered; errors inside of the answer are not told here. */
  readonly error: KafkaError | null
}

/** A batch that was acknowledged, or has failed for good. */
export interface BatchEvent {
  /** The producer's client id. */
  readonly clientId: string
  /** The batch's topic. */
  readonly topic: string
  /** The batch's partition. */
  readonly partition: number
  /** How many records it has. */
  readonly records: number
  /** On the wire. */
  readonly bytes: number
  /** The offset of its first record; -1 if it failed, and with acks 0. */
  readonly baseOffset: number
  /** From the first record's `send`. */
  readonly elapsedMs: number
  /** How often it was sent. */
  readonly attempts: number
  /** Null: it is stored. */
  readonly error: KafkaError | null
}

/** A batch that will be sent again. */
export interface RetryEvent {
  /** The producer's client id. */
  readonly clientId: string
  /** The batch's topic. */
  readonly topic: string
  /** The batch's partition. */
  readonly partition: number
  /** How often it was sent so far. */
  readonly attempts: number
  /** Why it was not taken. */
  readonly error: KafkaError
}

/** A record on its way, as `onSend` sees it. */
export interface OutgoingRecord {
  /** Where it goes. */
  readonly topic: string
  /** Undefined where the partitioner will decide. */
  readonly partition: number | undefined
  /** To be changed in place. */
  readonly headers: { key: string; value: string | Uint8Array | null }[]
  /** As it was given to `send`. */
  readonly key: unknown
  /** As it was given to `send`; null is a tombstone. */
  readonly value: unknown
  /** The producer's client id. */
  readonly clientId: string
}

/** Called once for a record: it is stored at `place`, or has failed with `error`; the other one is null. */
export type RecordSettled = (error: KafkaError | null, place: RecordMetadata | null) => void

/** Functions that are called as things happen. They are not waited for; what they throw is reported as uncaught. */
export interface ClientHooks {
  /** Before a record is encoded: may add headers, and may answer who is told what became of it. What it throws fails the `send`. */
  readonly onSend?: (record: OutgoingRecord) => RecordSettled | undefined
  /** A batch was acknowledged, or has failed for good. */
  readonly onBatch?: (event: BatchEvent) => void
  /** A batch will be sent again. */
  readonly onRetry?: (event: RetryEvent) => void
  /** A request was answered, or failed. */
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

/** For the connections of a cluster: counts requests, and tells the observer. */
export function requestObserver(
  observer: Observer,
  clientId: () => string,
): (apiKey: number, elapsedMs: number, error: KafkaError | null) => void {
  return (apiKey, elapsedMs, error) => {
    clientMetrics.observeRequest(apiKey, elapsedMs)
    if (error !== null) clientMetrics.add('kafka_request_errors')
    observer.request({ clientId: clientId(), apiKey, elapsedMs, error })
  }
}

/** A hook that throws harms nobody but itself. */
export function tell<Args extends unknown[]>(hook: ((...args: Args) => unknown) | undefined, ...args: Args): void {
  if (hook === undefined) return
  try {
    hook(...args)
  } catch (error) {
    // As an event target does: the caller's mistake must be seen, but not by the request that happened to set it off.
    queueMicrotask(() => {
      throw error
    })
  }
}
