/**
 * What happens, told to listeners as kafkajs tells it: an event has an id, its name, a time and a payload.
 *
 * REQUEST and REQUEST_TIMEOUT come from the client's connections. Nothing waits in a queue there (requests are pipelined),
 * so REQUEST_QUEUE_SIZE always says 0, after every answer.
 */

import type { RequestDetails } from '../client/connection.ts'
import type { KafkaError } from '../client/errors.ts'
import { apiName } from '../protocol/api-keys.ts'
import { KafkaJSNonRetriableError } from './errors.ts'
import type { Logger } from './logger.ts'

export interface InstrumentationEvent<T> {
  id: string
  type: string
  timestamp: number
  payload: T
}

export type RemoveInstrumentationEventListener<_Name> = () => void

export type ConnectEvent = InstrumentationEvent<null>
export type DisconnectEvent = InstrumentationEvent<null>
export type RequestEvent = InstrumentationEvent<{
  apiKey: number
  apiName: string
  apiVersion: number
  broker: string
  clientId: string
  correlationId: number
  createdAt: number
  duration: number
  pendingDuration: number
  sentAt: number
  size: number
}>
export type RequestTimeoutEvent = InstrumentationEvent<{
  apiKey: number
  apiName: string
  apiVersion: number
  broker: string
  clientId: string
  correlationId: number
  createdAt: number
  pendingDuration: number
  sentAt: number
}>
export type RequestQueueSizeEvent = InstrumentationEvent<{ broker: string; clientId: string; queueSize: number }>

function networkEvents<Namespace extends string>(namespace: Namespace) {
  return {
    CONNECT: `${namespace}.connect`,
    DISCONNECT: `${namespace}.disconnect`,
    REQUEST: `${namespace}.network.request`,
    REQUEST_TIMEOUT: `${namespace}.network.request_timeout`,
    REQUEST_QUEUE_SIZE: `${namespace}.network.request_queue_size`,
  } as const
}

export const adminEvents = networkEvents('admin')
export const producerEvents = networkEvents('producer')
export const consumerEvents = {
  ...networkEvents('consumer'),
  HEARTBEAT: 'consumer.heartbeat',
  COMMIT_OFFSETS: 'consumer.commit_offsets',
  GROUP_JOIN: 'consumer.group_join',
  FETCH: 'consumer.fetch',
  FETCH_START: 'consumer.fetch_start',
  START_BATCH_PROCESS: 'consumer.start_batch_process',
  END_BATCH_PROCESS: 'consumer.end_batch_process',
  STOP: 'consumer.stop',
  CRASH: 'consumer.crash',
  REBALANCING: 'consumer.rebalancing',
  RECEIVED_UNSUBSCRIBED_TOPICS: 'consumer.received_unsubscribed_topics',
} as const

export type AdminEvents = typeof adminEvents
export type ProducerEvents = typeof producerEvents
export type ConsumerEvents = typeof consumerEvents

type NetworkPayloads<Namespace extends string> = {
  [Key in `${Namespace}.connect` | `${Namespace}.disconnect`]: ConnectEvent
} & { [Key in `${Namespace}.network.request`]: RequestEvent } & {
  [Key in `${Namespace}.network.request_timeout`]: RequestTimeoutEvent
} & { [Key in `${Namespace}.network.request_queue_size`]: RequestQueueSizeEvent }

export type AdminEventMap = NetworkPayloads<'admin'>
export type ProducerEventMap = NetworkPayloads<'producer'>
export type ConsumerNetworkEventMap = NetworkPayloads<'consumer'>

/** Events of one producer, consumer or admin. */
export class Events {
  readonly names: Readonly<Record<string, string>>
  private readonly namespace: string
  private readonly logger: Logger
  private readonly listeners = new Map<string, Set<(event: InstrumentationEvent<unknown>) => void>>()

  constructor(namespace: 'admin' | 'producer' | 'consumer', names: Readonly<Record<string, string>>, logger: Logger) {
    this.namespace = namespace
    this.names = names
    this.logger = logger
  }

  on<Event extends InstrumentationEvent<unknown>>(name: string, listener: (event: Event) => unknown): () => void {
    if (!Object.values(this.names).includes(name)) {
      const known = Object.keys(this.names).map((key) => `${this.namespace}.events.${key}`)
      throw new KafkaJSNonRetriableError(`Event name should be one of ${known.join(', ')}`)
    }
    const listeners = this.listeners.get(name) ?? new Set()
    this.listeners.set(name, listeners)
    const told = (event: InstrumentationEvent<unknown>): void => this.tell(name, event as Event, listener)
    listeners.add(told)
    return () => listeners.delete(told)
  }

  /** `timestamp`: when it happened, where that was not now. */
  emit(type: string, payload: unknown = null, timestamp = Date.now()): void {
    const listeners = this.listeners.get(type)
    if (listeners === undefined || listeners.size === 0) return
    const event = { id: String(nextId++), type, timestamp, payload }
    for (const listener of [...listeners]) listener(event)
  }

  /** What a connection tells of every request. */
  request(clientId: string, apiKey: number, elapsedMs: number, error: KafkaError | null, at: RequestDetails): void {
    const { REQUEST, REQUEST_TIMEOUT, REQUEST_QUEUE_SIZE } = this.names
    const duration = Math.round(elapsedMs)
    const sentAt = Date.now() - duration
    const what = {
      broker: at.address,
      clientId,
      correlationId: at.correlationId,
      apiKey,
      apiName: apiName(apiKey),
      apiVersion: at.version,
      createdAt: sentAt,
      sentAt,
      pendingDuration: 0,
    }
    if (error === null) this.emit(REQUEST!, { ...what, size: at.bytes, duration })
    else if (error.code === 'ERR_TIMEOUT') this.emit(REQUEST_TIMEOUT!, what)
    this.emit(REQUEST_QUEUE_SIZE!, { broker: at.address, clientId, queueSize: 0 })
  }

  private tell<Event>(name: string, event: Event, listener: (event: Event) => unknown): void {
    const failed = (error: unknown): void => {
      const { message, stack } = error instanceof Error ? error : new Error(String(error))
      this.logger.error(`Failed to execute listener: ${message}`, { eventName: name, stack })
    }
    try {
      Promise.resolve(listener(event)).catch(failed)
    } catch (error) {
      failed(error)
    }
  }
}

let nextId = 0
