/**
 * Sizes drawn at random: `100`, `50..200` (evenly), `normal:MEAN:DEVIATION`, `lognormal:MEDIAN:FACTOR` (one in six is
 * larger than FACTOR times the median), as --key-size and --value-size take them.
 */
import type { SeededRandom } from '../../storage/random-seeded.ts'
import { bell } from './samples/draw.ts'

export interface SizeDistribution {
  /** As it was written. */
  readonly text: string
  draw(random: SeededRandom): number
}

/** A record larger than this would not fit into what brokers take by default. */
const SIZE_BYTES_MAX = 1_000_000

/** The distribution, or a sentence that says what is wrong with the text. */
export function parseDistribution(text: string): SizeDistribution | string {
  const number = String.raw`(\d+(?:\.\d+)?)`
  const fixed = /^(\d+)$/.exec(text)
  if (fixed !== null) return bounded(text, () => Number(fixed[1]), Number(fixed[1]))
  const even = /^(\d+)\.\.(\d+)$/.exec(text)
  if (even !== null) {
    const [low, high] = [Number(even[1]), Number(even[2])]
    if (low > high) return `'${text}': the smaller size comes first`
    return bounded(text, (random) => low + random.below(high - low + 1), high)
  }
  const normal = new RegExp(`^normal:${number}:${number}$`).exec(text)
  if (normal !== null) {
    const [mean, deviation] = [Number(normal[1]), Number(normal[2])]
    return bounded(text, (random) => mean + deviation * bell(random), mean)
  }
  const lognormal = new RegExp(`^lognormal:${number}:${number}$`).exec(text)
  if (lognormal !== null) {
    const [median, factor] = [Number(lognormal[1]), Number(lognormal[2])]
    if (factor < 1) return `'${text}': the factor is 1 or more`
    return bounded(text, (random) => median * factor ** bell(random), median)
  }
  return `'${text}' is no size: write 100, 50..200, normal:MEAN:DEVIATION or lognormal:MEDIAN:FACTOR`
}

function bounded(text: string, draw: (random: SeededRandom) => number, typical: number): SizeDistribution | string {
  if (typical > SIZE_BYTES_MAX) return `'${text}': keys and values of at most ${SIZE_BYTES_MAX} bytes are measured`
  return { text, draw: (random) => Math.min(SIZE_BYTES_MAX, Math.max(0, Math.round(draw(random)))) }
}
