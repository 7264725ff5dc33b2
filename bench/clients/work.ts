/** What is measured, and how a client is asked to do it. Imports no client: a worker loads the one that it measures, and nothing else. */

export const WORKS = ['awaited', 'batched', 'latency', 'consume'] as const
export type Work = (typeof WORKS)[number]

/** Those of JavaScript. */
export const CLIENTS = ['samsa', 'platformatic', 'kafkajs', 'confluent', 'rdkafka'] as const
export type ClientName = (typeof CLIENTS)[number]

export interface Measured {
  readonly perSecond: number
  /** Milliseconds; NaN where the program does not tell. */
  readonly p50Ms: number
  readonly p99Ms: number
  /** Of the process: at the end, and the largest there was. */
  readonly rssMiB: number
  readonly peakMiB: number
}

export interface Sender {
  one(value: Buffer): Promise<unknown>
  many(values: readonly Buffer[]): Promise<unknown>
  close(): Promise<unknown>
}

/** Calls back for every message until that says that it has seen enough. */
export type Seen = (value: Buffer | null) => boolean

export interface Adapter {
  sender(bootstrap: string, topic: string): Promise<Sender>
  /** Reads the topic from its beginning, message by message, in a group, offsets committed. */
  read(bootstrap: string, topic: string, group: string, seen: Seen): Promise<void>
}

export const RECORD_BYTES = 256
/** Records in a call of `many`, and calls under way. */
export const BATCH_RECORDS = 1_000
export const CONCURRENCY = 5
export const WARM_UP_MS = 1_000
/** Of `latency`. */
export const RATE_PER_SECOND = 200
/** Of the topic that `consume` reads. */
export const CONSUMED_RECORDS = 500_000
/** What the producers that can be told are told: Samsa's own defaults. */
export const BATCH_BYTES = 256 * 1024
export const BUFFER_BYTES = 32 * 1024 * 1024
