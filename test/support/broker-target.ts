// The broker that the interop tests talk to: Samsa, or a real Kafka with SAMSA_INTEROP_TARGET=kafka, which judges the tests themselves.
import { startKafka } from './kafka-process.ts'
import { startSamsa } from './samsa-process.ts'

export interface BrokerTarget {
  readonly kind: 'samsa' | 'kafka'
  readonly host: string
  readonly port: number
  /** host:port */
  readonly bootstrap: string
  readonly dataDirectory: string
  stop(): Promise<void>
}

/** Settings by Kafka's names; both brokers get them. */
export type BrokerSettings = Record<string, string>

export function startTarget(settings: BrokerSettings = {}): Promise<BrokerTarget> {
  return process.env.SAMSA_INTEROP_TARGET === 'kafka' ? startKafka(settings) : startSamsa(settings)
}
