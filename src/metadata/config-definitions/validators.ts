/**
 * What values a property may have, beyond its type. A validator answers null or says why not; the texts name what is
 * allowed, because they travel to the user of an admin tool as they are.
 */

/** A value of the property's type: numbers for int, short, long (saturating) and double, arrays for lists. */
export type ConfigScalar = string | number | boolean | readonly string[] | null

/** What is judged, for the text of a refusal. */
export interface Judged {
  readonly name: string
  /** The value as the text shows it: canonical, and hidden if it is a secret. */
  readonly shown: string | null
}

export interface Validator {
  /** For messages and documentation. */
  readonly allowed: string
  /** null: allowed. Otherwise the whole sentence. */
  check(value: ConfigScalar, judged: Judged): string | null
}

export function invalidValue({ name, shown }: Judged, reason: string): string {
  return `Invalid value ${shown} for configuration ${name}: ${reason}`
}

/** A validator that is one condition with one reason. Values of another kind (null: unset) are none of its business. */
function condition<T>(
  allowed: string,
  isValue: (value: ConfigScalar) => value is T & ConfigScalar,
  refuse: (value: T) => string | null,
): Validator {
  return {
    allowed,
    check(value, judged) {
      const reason = isValue(value) ? refuse(value) : null
      return reason === null ? null : invalidValue(judged, reason)
    },
  }
}

const isNumber = (value: ConfigScalar): value is number => typeof value === 'number'
const isText = (value: ConfigScalar): value is string => typeof value === 'string'

export function atLeast(min: number): Validator {
  return condition(`[${min},...]`, isNumber, (value) => (value < min ? `Value must be at least ${min}` : null))
}

/** NaN is neither too small nor too large: Kafka accepts it, too. */
export function between(min: number, max: number): Validator {
  return condition(`[${min},...,${max}]`, isNumber, (value) => {
    if (value < min) return `Value must be at least ${min}`
    return value > max ? `Value must be no more than ${max}` : null
  })
}

export function oneOf(...values: readonly string[]): Validator {
  const list = values.join(', ')
  return condition(`[${list}]`, isText, (value) => (values.includes(value) ? null : `String must be one of: ${list}`))
}

export function oneOfIgnoringCase(...values: readonly string[]): Validator {
  const list = values.join(', ')
  const lowered = new Set(values.map((value) => value.toLowerCase()))
  return condition(`(case insensitive) [${list}]`, isText, (value) =>
    lowered.has(value.toLowerCase()) ? null : `String must be one of (case insensitive): ${list}`,
  )
}

export interface ListRule {
  /** Empty: any. */
  readonly values?: readonly string[]
  readonly mayBeEmpty: boolean
  readonly mayBeNull?: boolean
}

export function listOf(rule: ListRule): Validator {
  const allowed = rule.values ?? []
  const list = allowed.join(', ')
  return {
    allowed: allowed.length > 0 ? `[${list}]` : rule.mayBeEmpty ? 'any list' : 'any list that is not empty',
    check(value, { name }) {
      if (value === null) return rule.mayBeNull === true ? null : `Configuration '${name}' values must not be null.`
      if (!Array.isArray(value)) return null
      if (value.length === 0 && !rule.mayBeEmpty) return `Configuration '${name}' must not be empty.`
      for (const item of value as readonly string[]) {
        if (item === '') return `Configuration '${name}' values must not be empty.`
        if (allowed.length > 0 && !allowed.includes(item)) {
          return invalidValue({ name, shown: item }, `String must be one of: ${list}`)
        }
      }
      return null
    },
  }
}

export const nonEmptyString: Validator = condition('non-empty string', isText, (value) =>
  value === '' ? 'String must be non-empty' : null,
)

export const nonNullString: Validator = {
  allowed: 'non-null string',
  check: (value, judged) => (value === null ? invalidValue(judged, 'entry must be non null') : null),
}

export const gzipLevel: Validator = condition('[1,...,9] or -1', isNumber, (value) =>
  value === -1 || (value >= 1 && value <= 9) ? null : 'Value must be between 1 and 9 or equal to -1',
)

const REPLICA_LIST = '[partitionId]:[brokerId],[partitionId]:[brokerId],...'

/** `*`, or pairs of partition and broker. */
export const throttledReplicas: Validator = {
  allowed: REPLICA_LIST,
  check(value, { name }) {
    if (!Array.isArray(value) || value.length === 0) return null
    if (value.length === 1 && value[0] === '*') return null
    if (value.every((item: string) => /^[0-9]+:[0-9]+$/.test(item))) return null
    const reason = `${name} must be the literal '*' or a list of replicas in the following format: ${REPLICA_LIST}`
    return invalidValue({ name, shown: `[${value.join(', ')}]` }, reason)
  },
}

/** ISO-8601 durations as Java reads them: days to seconds, seconds with a fraction, nothing negative. */
const DURATION = /^\+?P(?=[\d+]|T)(\+?\d+D)?(T(?=[\d+])(\+?\d+H)?(\+?\d+M)?(\+?\d+([.,]\d{0,9})?S)?)?$/i
const BY_DURATION = 'by_duration:'

export const shareOffsetReset: Validator = {
  allowed: '[latest, earliest, by_duration:PnDTnHnMn.nS]',
  check(value, judged) {
    if (!isText(value) || value === 'latest' || value === 'earliest') return null
    if (value.startsWith(BY_DURATION) && DURATION.test(value.slice(BY_DURATION.length))) return null
    const reason = `Invalid value \`${value}\` for configuration ${judged.name}. The value must be either 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'.`
    return invalidValue(judged, reason)
  },
}

/** Replica voters and bootstrap servers of a controller quorum: Samsa has none, but a file that names them is accepted. */
export const quorumEndpoints: Validator = {
  allowed: 'non-empty list',
  check: (value, judged) => (value === null ? invalidValue(judged, 'the list must not be null') : null),
}
