/**
 * What values a property may have, beyond its type. A validator answers null or says why not; the texts name what is
 * allowed, because they travel to the user of an admin tool as they are.
 */

/** A value of the property's type: numbers for int, short, long (saturating) and double, arrays for lists. */
export type ConfigScalar = string | number | boolean | readonly string[] | null

export interface Validator {
  /** For messages and documentation. */
  readonly allowed: string
  check(value: ConfigScalar): string | null
}

export function atLeast(min: number): Validator {
  return {
    allowed: `[${min},...]`,
    check: (value) => (typeof value === 'number' && value < min ? `Value must be at least ${min}` : null),
  }
}

export function between(min: number, max: number): Validator {
  return {
    allowed: `[${min},...,${max}]`,
    check(value) {
      if (typeof value !== 'number') return null
      // NaN is neither: only a comparison that must hold refuses it.
      if (!(value >= min)) return `Value must be at least ${min}`
      return value <= max ? null : `Value must be no more than ${max}`
    },
  }
}

export function oneOf(...values: readonly string[]): Validator {
  return {
    allowed: `[${values.join(', ')}]`,
    check: (value) =>
      typeof value === 'string' && values.includes(value) ? null : `String must be one of: ${values.join(', ')}`,
  }
}

export function oneOfIgnoringCase(...values: readonly string[]): Validator {
  const lowered = new Set(values.map((value) => value.toLowerCase()))
  return {
    allowed: `(case insensitive) [${values.join(', ')}]`,
    check: (value) =>
      typeof value === 'string' && lowered.has(value.toLowerCase())
        ? null
        : `String must be one of (case insensitive): ${values.join(', ')}`,
  }
}

export interface ListRule {
  /** Empty: any. */
  readonly values?: readonly string[]
  readonly mayBeEmpty: boolean
  readonly mayBeNull?: boolean
}

export function listOf(rule: ListRule): Validator {
  const allowed = rule.values ?? []
  return {
    allowed:
      allowed.length > 0 ? `[${allowed.join(', ')}]` : rule.mayBeEmpty ? 'any list' : 'any list that is not empty',
    check(value) {
      if (value === null) return rule.mayBeNull === true ? null : 'Configuration must not be null'
      if (!Array.isArray(value)) return null
      if (value.length === 0) return rule.mayBeEmpty ? null : 'List must not be empty'
      for (const item of value) {
        if (item === '') return 'List must not contain empty items'
        if (allowed.length > 0 && !allowed.includes(item)) {
          return `String must be one of: ${allowed.join(', ')}`
        }
      }
      return null
    },
  }
}

export const nonEmptyString: Validator = {
  allowed: 'non-empty string',
  check: (value) => (value === '' ? 'String must be non-empty' : null),
}

export const nonNullString: Validator = {
  allowed: 'non-null string',
  check: (value) => (value === null ? 'Value must be non-null' : null),
}

export const gzipLevel: Validator = {
  allowed: '[1,...,9] or -1',
  check: (value) =>
    value === -1 || (typeof value === 'number' && value >= 1 && value <= 9)
      ? null
      : 'Value must be between 1 and 9 or equal to -1',
}

/** `*`, or pairs of partition and broker. */
export const throttledReplicas: Validator = {
  allowed: '[partitionId]:[brokerId],[partitionId]:[brokerId],...',
  check(value) {
    if (!Array.isArray(value) || value.length === 0) return null
    if (value.length === 1 && value[0] === '*') return null
    return value.every((item: string) => /^[0-9]+:[0-9]+$/.test(item))
      ? null
      : 'Value must be the literal * or a list of replicas in the form [partitionId]:[brokerId],[partitionId]:[brokerId],...'
  },
}

/** ISO-8601 durations as Java reads them: days to seconds, seconds with a fraction. */
const DURATION = /^[-+]?P(?=[\d+-]|T)([-+]?\d+D)?(T(?=[\d+-])([-+]?\d+H)?([-+]?\d+M)?([-+]?\d+([.,]\d{0,9})?S)?)?$/i

export const shareOffsetReset: Validator = {
  allowed: '[latest, earliest, by_duration:PnDTnHnMn.nS]',
  check(value) {
    if (typeof value !== 'string') return 'Value must be latest, earliest or by_duration:PnDTnHnMn.nS'
    if (value === 'latest' || value === 'earliest') return null
    const duration = value.startsWith('by_duration:') ? value.slice('by_duration:'.length) : null
    if (duration === null || !DURATION.test(duration))
      return 'Value must be latest, earliest or by_duration:PnDTnHnMn.nS'
    return duration.includes('-') ? 'The duration must not be negative' : null
  },
}

/** Replica voters and bootstrap servers of a controller quorum: Samsa has none, but a file that names them is accepted. */
export const quorumEndpoints: Validator = {
  allowed: 'non-empty list',
  check: (value) => (value === null ? 'Value must be a list' : null),
}
