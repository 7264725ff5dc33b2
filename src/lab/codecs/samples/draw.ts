/** Draws that the samples share. */
import type { SeededRandom } from '../../../storage/random-seeded.ts'

/** 2026-01-05T08:00:00Z: any fixed moment does. */
export const SAMPLE_START_MS = 1_767_600_000_000

export function pick<T>(random: SeededRandom, values: readonly T[]): T {
  return values[random.below(values.length)]!
}

/** A whole number in [0, limit), small ones far more often: few customers buy most, few pages are read most. */
export function skewed(random: SeededRandom, limit: number): number {
  const drawn = random.next()
  return Math.floor(limit * drawn * drawn * drawn)
}

/** About the standard normal distribution: twelve uniform draws, because logarithms may differ between machines. */
export function bell(random: SeededRandom): number {
  let sum = -6
  for (let index = 0; index < 12; index++) sum += random.next()
  return sum
}

export function hex(random: SeededRandom, digits: number): string {
  let text = ''
  for (let index = 0; index < digits; index++) text += random.below(16).toString(16)
  return text
}

export function between(random: SeededRandom, low: number, high: number): number {
  return low + random.below(high - low + 1)
}
