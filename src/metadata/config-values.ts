/**
 * Texts to values and back, as Kafka's properties read and print: what is accepted for a type, and the one spelling in
 * which a value is described. Used by broker-config.ts and configs.ts.
 */
import type { ConfigDefinition, ConfigType } from './config-definitions/definition.ts'
import { type ConfigScalar, invalidValue } from './config-definitions/validators.ts'

export type ParsedValue =
  | { readonly ok: true; readonly value: ConfigScalar; readonly text: string | null }
  | { readonly ok: false; readonly reason: string }

const INTEGER_BOUNDS: Readonly<Partial<Record<ConfigType, readonly [bigint, bigint]>>> = {
  short: [-32768n, 32767n],
  int: [-2147483648n, 2147483647n],
  long: [-9223372036854775808n, 9223372036854775807n],
}

const INTEGER = /^[+-]?[0-9]+$/
const DOUBLE = /^[+-]?(NaN|Infinity|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[dDfF]?$/

/** The value of a property given as text, or why it has none. `text` is the canonical spelling. */
export function parseConfigValue(definition: ConfigDefinition, given: string | null): ParsedValue {
  const { name, type, validator } = definition
  const parsed = given === null ? { ok: true as const, value: null, text: null } : parseAs(type, given)
  if (!parsed.ok) {
    return { ok: false, reason: invalidValue({ name, shown: type === 'password' ? HIDDEN : given }, parsed.reason) }
  }
  // Unset is allowed wherever the default is unset.
  if (validator === null || (given === null && definition.defaultValue === null)) return parsed
  const refusal = validator.check(parsed.value, { name, shown: type === 'password' ? HIDDEN : parsed.text })
  return refusal === null ? parsed : { ok: false, reason: refusal }
}

const HIDDEN = '[hidden]'

function parseAs(type: ConfigType, given: string): ParsedValue {
  const trimmed = given.trim()
  switch (type) {
    case 'boolean':
      return parseBoolean(trimmed)
    case 'int':
    case 'short':
    case 'long':
      return parseInteger(type, trimmed)
    case 'double':
      return parseDouble(trimmed)
    case 'list': {
      const items = trimmed === '' ? [] : trimmed.split(/\s*,\s*/)
      return { ok: true, value: items, text: items.join(',') }
    }
    case 'string':
    case 'class':
      return { ok: true, value: trimmed, text: trimmed }
    case 'password':
      return { ok: true, value: given, text: given }
  }
}

function parseBoolean(text: string): ParsedValue {
  const lowered = text.toLowerCase()
  if (lowered === 'true' || lowered === 'false') return { ok: true, value: lowered === 'true', text: lowered }
  return { ok: false, reason: 'Expected value to be either true or false' }
}

function parseInteger(type: 'int' | 'short' | 'long', text: string): ParsedValue {
  const [min, max] = INTEGER_BOUNDS[type]!
  if (INTEGER.test(text)) {
    const exact = BigInt(text.startsWith('+') ? text.slice(1) : text)
    if (exact >= min && exact <= max) return { ok: true, value: saturated(exact), text: exact.toString() }
  }
  return { ok: false, reason: `Not a number of type ${type.toUpperCase()}` }
}

/** A long beyond 2^53 is a limit nobody reaches: the nearest number that is exact stands for it. */
function saturated(exact: bigint): number {
  if (exact > BigInt(Number.MAX_SAFE_INTEGER)) return Number.MAX_SAFE_INTEGER
  return exact < BigInt(Number.MIN_SAFE_INTEGER) ? Number.MIN_SAFE_INTEGER : Number(exact)
}

function parseDouble(text: string): ParsedValue {
  if (!DOUBLE.test(text)) return { ok: false, reason: 'Not a number of type DOUBLE' }
  const value = Number(text.replace(/[dDfF]$/, ''))
  return { ok: true, value, text: doubleText(value) }
}

/** Java's spelling: at least one digit after the point, an exponent outside 10^-3..10^7. */
export function doubleText(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0'
  const magnitude = Math.abs(value)
  if (magnitude >= 1e-3 && magnitude < 1e7) return Number.isInteger(value) ? `${value}.0` : String(value)
  const [digits = '', exponent = '0'] = value.toExponential().split('e')
  return `${digits.includes('.') ? digits : `${digits}.0`}E${Number(exponent)}`
}

/** Names of Kafka's wire codes for the types. */
export const WIRE_TYPES: Readonly<Record<ConfigType, number>> = {
  boolean: 1,
  string: 2,
  int: 3,
  short: 4,
  long: 5,
  double: 6,
  list: 7,
  class: 8,
  password: 9,
}
