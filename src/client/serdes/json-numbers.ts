/**
 * JSON with integers that are not changed silently. `JSON.parse` makes the nearest double of every number: 9007199254740993 becomes
 * ...992. Here such an integer is an error, or a BigInt. Numbers with a point or an exponent are doubles by intention.
 */
import { KafkaError } from '../errors.ts'

/** What an integer beyond 2^53 is read as; BigInts are written as integers either way. */
export type JsonIntegers = 'number' | 'bigint'

/** Only a text with this many digits in a row can hold an integer that a double does not: others are parsed without a closer look. */
const MANY_DIGITS = /\d{16}/
const INTEGER = /^-?\d+$/

interface ParseContext {
  readonly source?: string
}

/** With the source text of the number, which the type library does not know yet. */
type Reviver = (key: string, value: unknown, context: ParseContext) => unknown

export function parseJson(text: string, integers: JsonIntegers): unknown {
  if (!MANY_DIGITS.test(text)) return JSON.parse(text)
  const revive: Reviver = (_key, value, { source }) => {
    if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
    if (source === undefined || !INTEGER.test(source)) return value
    if (integers === 'bigint') return BigInt(source)
    throw new KafkaError('ERR_SERIALIZATION', `${source} does not fit into a number: read it with longs: 'bigint'`)
  }
  return JSON.parse(text, revive as (key: string, value: unknown) => unknown)
}

const RAW = JSON as typeof JSON & { readonly rawJSON: (text: string) => unknown }

/** Undefined for what has no JSON text. */
export function jsonText(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch {
    // Because of a BigInt, most likely; whatever else it is comes again. Looking at every value costs several times as much.
    return JSON.stringify(value, (_key, each: unknown) =>
      typeof each === 'bigint' ? RAW.rawJSON(each.toString()) : each,
    )
  }
}
