// Turns the declaration of a message into the source of a decoder for one version, and compiles it. Called by codec.ts.
// The source is straight-line code: one function per struct and per array, each field read by one call of the Reader.
// It is built from the declarations in this repository only; nothing from the wire ever gets into it.

import type { Reader } from './reader.ts'
import {
  type Decoder,
  type ElementType,
  type Field,
  type Fields,
  type FieldType,
  includes,
  isFlexible,
  type MessageSchema,
  type ScalarKind,
  ZERO_UUID,
} from './schema.ts'

interface Compilation {
  readonly version: number
  readonly flexible: boolean
  readonly functions: string[]
}

const FIXED_BYTES: Partial<Record<ScalarKind, number>> = {
  int8: 1,
  bool: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  int64: 8,
  float64: 8,
  uuid: 16,
}

/** Shared by all decoded messages: an empty buffer has nothing to change. */
const EMPTY_BYTES = Buffer.alloc(0)

export function compileDecoder(schema: MessageSchema, version: number): Decoder {
  const compilation: Compilation = { version, flexible: isFlexible(schema, version), functions: [] }
  const entry = structReader(compilation, schema.name, schema.fields)
  const source = `'use strict'\n${compilation.functions.join('\n')}\nreturn ${entry}`
  return new Function('EMPTY_BYTES', 'notNull', source)(EMPTY_BYTES, notNull) as Decoder
}

function notNull<T>(reader: Reader, value: T | null): T {
  if (value === null) throw reader.malformed('null where the version does not allow it')
  return value
}

/** Adds the function that reads a struct; returns its name. */
function structReader(compilation: Compilation, path: string, fields: Fields): string {
  const { version, flexible } = compilation
  const lines: string[] = []
  const tagged: [name: string, field: Field][] = []
  for (const [name, field] of Object.entries(fields)) {
    if (field.versions !== null && !includes(field.versions, version)) {
      lines.push(`const $${name} = ${defaultSource(field)}`)
    } else if (flexible && includes(field.tagged, version)) {
      tagged.push([name, field])
      lines.push(`let $${name} = ${defaultSource(field)}`)
    } else {
      lines.push(
        `const $${name} = ${readSource(compilation, `${path}_${name}`, field.type, isNullable(field, version))}`,
      )
    }
  }
  if (flexible) lines.push(...taggedFieldsSource(compilation, path, tagged))
  const members = Object.keys(fields).map((name) => `${name}: $${name}`)
  compilation.functions.push(
    `function ${path}(reader) {\n  ${lines.join('\n  ')}\n  return { ${members.join(', ')} }\n}`,
  )
  return path
}

function taggedFieldsSource(compilation: Compilation, path: string, tagged: [string, Field][]): string[] {
  if (tagged.length === 0) return ['reader.skipTaggedFields()']
  const cases = tagged.map(([name, field]) => {
    const read = readSource(compilation, `${path}_${name}`, field.type, isNullable(field, compilation.version))
    return `      case ${field.tag}: $${name} = ${read}; reader.closeTaggedField(end, tag); break`
  })
  return [
    'for (let count = reader.unsignedVarint(); count > 0; count--) {',
    '  const tag = reader.unsignedVarint()',
    '  const end = reader.taggedFieldEnd()',
    '  switch (tag) {',
    ...cases,
    '      default: reader.skipTo(end)',
    '  }',
    '}',
  ]
}

function readSource(compilation: Compilation, path: string, type: FieldType, nullable: boolean): string {
  if (type.kind === 'array') return `${arrayReader(compilation, path, type.element, nullable)}(reader)`
  if (type.kind === 'struct') {
    const read = `${structReader(compilation, path, type.fields)}(reader)`
    return nullable ? `reader.structFollows() ? ${read} : null` : read
  }
  const compact = compilation.flexible
  switch (type.kind) {
    case 'string':
      return `reader.${methodName('String', compact, nullable)}()`
    case 'bytes':
      return `reader.${nullable || compact ? methodName('Bytes', compact, nullable) : 'byteString'}()`
    case 'records': {
      const read = `reader.${compact ? 'compactRecords' : 'records'}()`
      return nullable ? read : `notNull(reader, ${read})`
    }
    default:
      return `reader.${type.kind}()`
  }
}

function methodName(noun: 'String' | 'Bytes', compact: boolean, nullable: boolean): string {
  const name = `${compact ? 'Compact' : ''}${nullable ? 'Nullable' : ''}${noun}`
  return name.charAt(0).toLowerCase() + name.slice(1)
}

/** Adds the function that reads an array; returns its name. */
function arrayReader(compilation: Compilation, path: string, element: ElementType, nullable: boolean): string {
  const name = `${path}_array`
  const read = readSource(compilation, path, element, false)
  const count = compilation.flexible ? 'compactArrayLength' : 'arrayLength'
  compilation.functions.push(`function ${name}(reader) {
  const count = reader.${count}(${Math.max(1, leastBytes(compilation, element))})
  if (count < 0) ${nullable ? 'return null' : "throw reader.malformed('a null array where the version does not allow it')"}
  const values = []
  for (let index = 0; index < count; index++) values.push(${read})
  return values
}`)
  return name
}

/** The fewest bytes a value of this type takes on the wire: an array's count is checked against it. */
function leastBytes(compilation: Compilation, type: FieldType): number {
  const fixed = type.kind === 'array' || type.kind === 'struct' ? undefined : FIXED_BYTES[type.kind]
  if (fixed !== undefined) return fixed
  const { version, flexible } = compilation
  if (type.kind !== 'struct') return flexible ? 1 : type.kind === 'string' ? 2 : 4
  let total = flexible ? 1 : 0
  for (const field of Object.values(type.fields)) {
    const present = field.versions === null || includes(field.versions, version)
    if (!present || (flexible && includes(field.tagged, version))) continue
    total += field.type.kind === 'struct' && isNullable(field, version) ? 1 : leastBytes(compilation, field.type)
  }
  return total
}

export function isNullable(field: Field, version: number): boolean {
  return includes(field.nullable, version)
}

/** The source of a field's default: the declared one, or that of its type. Used by the encoder as well. */
export function defaultSource(field: Field): string {
  if (field.default !== undefined) return JSON.stringify(field.default)
  switch (field.type.kind) {
    case 'string':
      return "''"
    case 'uuid':
      return `'${ZERO_UUID}'`
    case 'bool':
      return 'false'
    case 'bytes':
      return 'EMPTY_BYTES'
    case 'records':
      return field.nullable === null ? '[]' : 'null'
    case 'array':
      return '[]'
    case 'struct': {
      const members = Object.entries(field.type.fields).map(([name, member]) => `${name}: ${defaultSource(member)}`)
      return `{ ${members.join(', ')} }`
    }
    default:
      return '0'
  }
}
