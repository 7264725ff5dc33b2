// Random values for any declared message, from a seed: the same seed gives the same values on every machine.

import {
  type Field,
  type Fields,
  type FieldType,
  includes,
  isFlexible,
  type MessageSchema,
  ZERO_UUID,
} from '../../src/protocol/schema.ts'
import type { Random } from './random.ts'

const INT64_EDGES = [0, 1, -1, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 53 - 2, -(2 ** 53) + 2]
const STRINGS = [
  '',
  'a',
  'topic',
  'Grüße',
  '日本語',
  '😀',
  'x'.repeat(63),
  'x'.repeat(64),
  'y'.repeat(65),
  'ü'.repeat(70),
]

function integer(random: Random, min: number, max: number): number {
  return min + random.below(max - min + 1)
}

function randomOf(random: Random, type: FieldType, version: number, flexible: boolean): unknown {
  switch (type.kind) {
    case 'int8':
      return integer(random, -128, 127)
    case 'int16':
      return integer(random, -32768, 32767)
    case 'uint16':
      return integer(random, 0, 65535)
    case 'int32':
      return integer(random, -(2 ** 31), 2 ** 31 - 1)
    case 'int64':
      return random.chance(0.5) ? random.pick(INT64_EDGES) : integer(random, -(2 ** 45), 2 ** 45)
    case 'float64':
      return (random.next() - 0.5) * 1e9
    case 'bool':
      return random.chance(0.5)
    case 'string':
      return random.chance(0.5) ? random.pick(STRINGS) : `name-${integer(random, 0, 1e9)}`
    case 'uuid':
      return random.bytes(16).toString('base64url')
    case 'bytes':
      return random.bytes(random.pick([0, 1, 17, 200]))
    case 'records':
      return [random.bytes(integer(random, 1, 90))]
    case 'array': {
      const length = integer(random, 0, random.chance(0.05) ? 130 : 3)
      return Array.from({ length }, () => randomOf(random, type.element, version, flexible))
    }
    case 'struct':
      return randomStruct(random, type.fields, version, flexible)
  }
}

/** All fields that the version has; those that may be left out sometimes are. */
function randomStruct(random: Random, fields: Fields, version: number, flexible: boolean): Record<string, unknown> {
  const value: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(fields)) {
    if (field.versions !== null && !includes(field.versions, version)) continue
    const optional = field.versions !== null || field.default !== undefined || field.tag !== null
    if (optional && random.chance(0.3)) continue
    const nullable = includes(field.nullable, version)
    value[name] = nullable && random.chance(0.25) ? null : randomOf(random, field.type, version, flexible)
  }
  return value
}

export function randomMessage(random: Random, schema: MessageSchema, version: number): Record<string, unknown> {
  return randomStruct(random, schema.fields, version, isFlexible(schema, version))
}

/** The value that decoding must give for an input: what was left out, or does not exist in the version, is the default. */
export function expectedOf(input: Record<string, unknown>, fields: Fields, version: number): Record<string, unknown> {
  const expected: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(fields)) {
    const given = input[name]
    expected[name] = given === undefined ? defaultOf(field) : expectedValue(given, field.type, version)
  }
  return expected
}

function expectedValue(value: unknown, type: FieldType, version: number): unknown {
  if (value === null) return null
  if (type.kind === 'struct') return expectedOf(value as Record<string, unknown>, type.fields, version)
  if (type.kind !== 'array') return value
  return (value as unknown[]).map((element) => expectedValue(element, type.element, version))
}

export function defaultOf(field: Field): unknown {
  if (field.default !== undefined) return field.default
  switch (field.type.kind) {
    case 'array':
      return []
    case 'struct':
      return Object.fromEntries(Object.entries(field.type.fields).map(([name, member]) => [name, defaultOf(member)]))
    case 'string':
      return ''
    case 'bool':
      return false
    case 'uuid':
      return ZERO_UUID
    case 'bytes':
      return Buffer.alloc(0)
    case 'records':
      return null
    default:
      return 0
  }
}
