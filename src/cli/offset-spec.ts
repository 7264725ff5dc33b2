/**
 * Where `samsa consume` begins (and ends), as people write it after -o: beginning, end, an offset, -N for the last N
 * records of each partition, @time for the first record of that time or younger, @time:@time for a stretch.
 */
export type OffsetSpec =
  | { readonly kind: 'beginning' }
  | { readonly kind: 'end' }
  | { readonly kind: 'offset'; readonly offset: number }
  | { readonly kind: 'last'; readonly count: number }
  | { readonly kind: 'time'; readonly fromMs: number; readonly untilMs: number | null }

const WORDS: { readonly [word: string]: OffsetSpec } = {
  beginning: { kind: 'beginning' },
  start: { kind: 'beginning' },
  earliest: { kind: 'beginning' },
  end: { kind: 'end' },
  latest: { kind: 'end' },
}

/** What was meant, or a sentence that says why nothing can be. */
export function parseOffsetSpec(text: string): OffsetSpec | string {
  const word = WORDS[text]
  if (word !== undefined) return word
  if (/^-?\d+$/.test(text)) {
    const number = Number(text)
    if (!Number.isSafeInteger(number)) return `'${text}' is too large for an offset`
    if (text.startsWith('-')) return number === 0 ? { kind: 'end' } : { kind: 'last', count: -number }
    return { kind: 'offset', offset: number }
  }
  const times = /^s?@(.+?)(?::@(.+))?$/.exec(text)
  if (times === null) return `'${text}' is none of beginning, end, N, -N, @TIME, @TIME:@TIME`
  const fromMs = parseTime(times[1] ?? '')
  const untilMs = times[2] === undefined ? null : parseTime(times[2])
  if (fromMs === undefined || untilMs === undefined) {
    return `'${text}': a time is milliseconds since 1970 or a date such as 2026-01-31T12:00:00Z`
  }
  return { kind: 'time', fromMs, untilMs }
}

function parseTime(text: string): number | undefined {
  const timeMs = /^\d+$/.test(text) ? Number(text) : Date.parse(text)
  return Number.isSafeInteger(timeMs) ? timeMs : undefined
}

/** Offsets per partition. `until` has only the partitions that end somewhere. */
export interface OffsetRange {
  readonly from: Map<number, number>
  readonly until: Map<number, number>
}

/** Looks offsets up: -2 the beginning, -1 the end, otherwise a time; the answer is -1 where nothing is that young. */
export type OffsetLookup = (timestamp: number) => Promise<Map<number, number>>

const END = -1
const BEGINNING = -2

export async function resolveOffsets(
  spec: OffsetSpec,
  options: { stopAtEnd: boolean },
  lookUp: OffsetLookup,
): Promise<OffsetRange> {
  const [beginning, end] = await Promise.all([lookUp(BEGINNING), lookUp(END)])
  const partitions = [...end.keys()]
  const endOf = (partition: number): number => end.get(partition) ?? 0
  const map = (offsetOf: (partition: number) => number): Map<number, number> =>
    new Map(partitions.map((partition) => [partition, offsetOf(partition)]))
  const until = options.stopAtEnd ? map(endOf) : new Map<number, number>()
  if (spec.kind === 'time') {
    const firstAt = async (timeMs: number): Promise<Map<number, number>> => {
      const found = await lookUp(timeMs)
      return map((partition) => {
        const offset = found.get(partition) ?? -1
        return offset < 0 ? endOf(partition) : offset
      })
    }
    const from = await firstAt(spec.fromMs)
    return { from, until: spec.untilMs === null ? until : await firstAt(spec.untilMs) }
  }
  const from = map((partition) => {
    if (spec.kind === 'beginning') return beginning.get(partition) ?? 0
    if (spec.kind === 'end') return endOf(partition)
    if (spec.kind === 'offset') return spec.offset
    return Math.max(beginning.get(partition) ?? 0, endOf(partition) - spec.count)
  })
  return { from, until }
}
