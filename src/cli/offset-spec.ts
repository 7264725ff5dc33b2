/**
 * Places in a partition as people write them: `-o` of `samsa consume`, `--to` of `groups seek`, `--at` of `offsets list`. A stretch is
 * FROM:UNTIL; its end is not part of it.
 */
export type OffsetPoint =
  | { readonly kind: 'beginning' }
  | { readonly kind: 'end' }
  | { readonly kind: 'offset'; readonly offset: number }
  /** So many records before the end. */
  | { readonly kind: 'last'; readonly count: number }
  /** So many after the beginning. */
  | { readonly kind: 'after'; readonly count: number }
  | { readonly kind: 'time'; readonly timeMs: number }

export type OffsetStart = OffsetPoint | { readonly kind: 'stored' }

/** Undefined: not said. */
export interface OffsetSpec {
  readonly from?: OffsetStart
  readonly until?: OffsetPoint
}

const WORDS: { readonly [word: string]: OffsetPoint } = {
  beginning: { kind: 'beginning' },
  start: { kind: 'beginning' },
  earliest: { kind: 'beginning' },
  oldest: { kind: 'beginning' },
  end: { kind: 'end' },
  latest: { kind: 'end' },
  newest: { kind: 'end' },
}

const UNITS_MS: { readonly [unit: string]: number } = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const KNOWN = 'beginning, end, stored, N, -N, +N, @TIME, FROM:UNTIL'
const KNOWN_TIMES = 'milliseconds since 1970, a date such as 2026-01-31T12:00:00Z, or a time ago such as -2h'

/** What was meant, or a sentence that says why nothing can be. Also kcat's s@TIME and e@TIME. */
export function parseOffsetSpec(text: string, nowMs: number): OffsetSpec | string {
  if (text === 'stored') return { from: { kind: 'stored' } }
  const kcat = /^([se])(@.*)$/.exec(text)
  if (kcat !== null && !text.includes(':@')) {
    const point = parseOffsetPoint(kcat[2] ?? '', nowMs)
    if (typeof point === 'string') return point
    return kcat[1] === 's' ? { from: point } : { until: point }
  }
  const whole = parseOffsetPoint(text, nowMs)
  if (typeof whole !== 'string') return { from: whole }
  // Dates have colons of their own: the first one that has something sensible on both sides is it.
  for (let at = text.indexOf(':'); at >= 0; at = text.indexOf(':', at + 1)) {
    const [before, after] = [text.slice(0, at), text.slice(at + 1)]
    const from = before === '' ? WORDS.beginning! : parseOffsetPoint(before.replace(/^s@/, '@'), nowMs)
    const until = parseOffsetPoint(after, nowMs)
    if (typeof from !== 'string' && typeof until !== 'string') return { from, until }
  }
  return whole
}

export function parseOffsetPoint(text: string, nowMs: number): OffsetPoint | string {
  const word = WORDS[text]
  if (word !== undefined) return word
  if (/^[-+]?\d+$/.test(text)) {
    const number = Math.abs(Number(text))
    if (!Number.isSafeInteger(number)) return `'${text}' is too large for an offset`
    if (text.startsWith('-')) return number === 0 ? { kind: 'end' } : { kind: 'last', count: number }
    if (text.startsWith('+')) return { kind: 'after', count: number }
    return { kind: 'offset', offset: number }
  }
  if (!text.startsWith('@')) return `'${text}' is none of ${KNOWN}`
  const timeMs = parseTime(text.slice(1), nowMs)
  return timeMs === undefined ? `'${text}': a time is ${KNOWN_TIMES}` : { kind: 'time', timeMs }
}

function parseTime(text: string, nowMs: number): number | undefined {
  const ago = /^-(\d+)(ms|[smhd])$/.exec(text)
  if (ago !== null) return nowMs - Number(ago[1]) * (UNITS_MS[ago[2] ?? ''] ?? 0)
  const timeMs = /^\d+$/.test(text) ? Number(text) : Date.parse(text)
  return Number.isSafeInteger(timeMs) ? timeMs : undefined
}

/** Looks offsets up: -2 the beginning, -1 the end, otherwise a time; the answer is -1 where nothing is that young. */
export type OffsetLookup = (timestamp: number) => Promise<Map<number, number>>

const END = -1
const BEGINNING = -2

/** The offset of this point in each partition. What would lie before the beginning is the beginning. */
export async function resolvePoint(point: OffsetPoint, lookUp: OffsetLookup): Promise<Map<number, number>> {
  const [beginnings, ends] = await Promise.all([lookUp(BEGINNING), lookUp(END)])
  const atTime = point.kind === 'time' ? await lookUp(point.timeMs) : null
  return new Map(
    [...ends].map(([partition, end]) => {
      const beginning = beginnings.get(partition) ?? 0
      return [partition, offsetAt(point, beginning, end, atTime?.get(partition) ?? -1)]
    }),
  )
}

function offsetAt(point: OffsetPoint, beginning: number, end: number, atTime: number): number {
  switch (point.kind) {
    case 'beginning':
      return beginning
    case 'end':
      return end
    case 'offset':
      return point.offset
    case 'last':
      return Math.max(beginning, end - point.count)
    case 'after':
      return Math.min(end, beginning + point.count)
    case 'time':
      return atTime < 0 ? end : atTime
  }
}
