/**
 * Client metrics subscriptions (KIP-714) as configs: what one may be set to, and which clients it means. Pure. Who is asked for
 * what follows from all of them: broker/client-telemetry.ts.
 *
 * What must hold: patterns come from outside and run on every new client: they are matched by an engine that takes linear time.
 */
import { RE2JS } from 're2js'
import { ErrorCode } from '../protocol/errors.ts'

export const DEFAULT_PUSH_INTERVAL_MS = 300_000
const MIN_PUSH_INTERVAL_MS = 100
const MAX_PUSH_INTERVAL_MS = 3_600_000

/** What a pattern can look at. */
const MATCH_KEYS = [
  'client_instance_id',
  'client_id',
  'client_software_name',
  'client_software_version',
  'client_source_address',
  'client_source_port',
] as const
export type MatchKey = (typeof MATCH_KEYS)[number]
export type ClientFacts = Readonly<Record<MatchKey, string>>

export interface Subscription {
  readonly name: string
  readonly intervalMs: number
  /** Prefixes of names; `*` alone stands for all. */
  readonly metrics: readonly string[]
  matches(client: ClientFacts): boolean
}

export interface Refusal {
  readonly errorCode: ErrorCode
  readonly errorMessage: string
}

function items(text: string | undefined): string[] {
  return text === undefined || text.trim() === '' ? [] : text.split(',').map((item) => item.trim())
}

/** Why a subscription cannot be so; null: it can. Values have passed their types. */
export function refuseSubscription(values: ReadonlyMap<string, string>): Refusal | null {
  const interval = values.get('interval.ms')
  if (interval !== undefined) {
    const ms = Number(interval)
    if (ms < MIN_PUSH_INTERVAL_MS || ms > MAX_PUSH_INTERVAL_MS) {
      const errorMessage = `Invalid value ${interval} for interval.ms, interval must be between ${MIN_PUSH_INTERVAL_MS} and ${MAX_PUSH_INTERVAL_MS} (1 hour)`
      return { errorCode: ErrorCode.INVALID_REQUEST, errorMessage }
    }
  }
  const patterns = readPatterns(values.get('match'))
  return typeof patterns === 'string' ? { errorCode: ErrorCode.INVALID_CONFIG, errorMessage: patterns } : null
}

/** What is stored has passed `refuseSubscription`. */
export function readSubscription(name: string, values: ReadonlyMap<string, string>): Subscription {
  const patterns = readPatterns(values.get('match'))
  if (typeof patterns === 'string') throw new Error(`client metrics ${name}: ${patterns}`)
  const metrics = items(values.get('metrics'))
  return {
    name,
    intervalMs: Number(values.get('interval.ms') ?? DEFAULT_PUSH_INTERVAL_MS),
    metrics: metrics.includes('*') ? ['*'] : metrics,
    matches: (client) => patterns.every(([key, pattern]) => pattern.matches(client[key])),
  }
}

/** The patterns, or why there are none. */
function readPatterns(text: string | undefined): [MatchKey, RE2JS][] | string {
  const patterns: [MatchKey, RE2JS][] = []
  for (const item of items(text)) {
    const [key, pattern, ...rest] = item.split('=')
    if (pattern === undefined || rest.length > 0) return `Illegal client matching pattern: ${item}`
    const name = (key ?? '').trim()
    if (!isMatchKey(name)) return `Illegal client matching pattern: ${item}`
    try {
      patterns.push([name, RE2JS.compile(pattern.trim())])
    } catch {
      return `Illegal client matching pattern: ${item}`
    }
  }
  return patterns
}

function isMatchKey(name: string): name is MatchKey {
  return (MATCH_KEYS as readonly string[]).includes(name)
}
