// Turns the declaration of a message into the source of an encoder for one version, and compiles it. Called by codec.ts;
// the counterpart of compile-decoder.ts. One function per struct; each field is written by one call of the Writer.

import { defaultSource, isNullable } from './compile-decoder.ts'
import { EncodeError } from './errors.ts'
import {
  type Encoder,
  type Field,
  type Fields,
  type FieldType,
  includes,
  isFlexible,
  type MessageSchema,
} from './schema.ts'

interface Compilation {
  readonly version: number
  readonly flexible: boolean
  readonly isRequest: boolean
  readonly functions: string[]
}

const EMPTY_BYTES = Buffer.alloc(0)

export function compileEncoder(schema: MessageSchema, version: number): Encoder {
  const isRequest = schema.type === 'request'
  const compilation: Compilation = { version, flexible: isFlexible(schema, version), isRequest, functions: [] }
  const entry = structWriter(compilation, schema.name, schema.fields)
  const source = `'use strict'\n${compilation.functions.join('\n')}\nreturn ${entry}`
  const fail = (path: string, reason: string): never => {
    throw new EncodeError(`${schema.name} v${version}: ${path} ${reason}`)
  }
  return new Function('EMPTY_BYTES', 'fail', source)(EMPTY_BYTES, fail) as Encoder
}

/** Adds the function that writes a struct; returns its name. `path` reads like `Message_field_field`. */
function structWriter(compilation: Compilation, path: string, fields: Fields): string {
  const { version, flexible, isRequest } = compilation
  const lines: string[] = []
  const tagged: [name: string, field: Field][] = []
  for (const [name, field] of Object.entries(fields)) {
    if (field.versions !== null && !includes(field.versions, version)) {
      if (isRequest && !field.ignorable) lines.push(rejectUnlessDefault(compilation, path, name, field))
    } else if (flexible && includes(field.tagged, version)) {
      tagged.push([name, field])
    } else {
      lines.push(`const $${name} = ${valueSource(name, field)}`)
      lines.push(writeField(compilation, path, name, field))
    }
  }
  if (flexible) lines.push(...taggedFieldsSource(compilation, path, tagged))
  compilation.functions.push(`function ${path}(writer, value) {\n  ${lines.join('\n  ')}\n}`)
  return path
}

/** The given value, or the default of a field that may be left out. */
function valueSource(name: string, field: Field): string {
  const optional = field.versions !== null || field.default !== undefined || field.tag !== null
  return optional ? `value.${name} === undefined ? ${defaultSource(field)} : value.${name}` : `value.${name}`
}

function writeField(compilation: Compilation, path: string, name: string, field: Field): string {
  const { kind } = field.type
  const nullable = isNullable(field, compilation.version)
  const write = writeSource(compilation, `${path}_${name}`, field.type, nullable, `$${name}`)
  const hasLength = kind === 'string' || kind === 'bytes' || kind === 'records' || kind === 'array'
  if (!hasLength && kind !== 'struct' && kind !== 'uuid') return write
  const refuse = `fail('${dotted(path, name)}', 'is ' + $${name} + ', which this version does not allow')`
  if (nullable) return `if ($${name} === undefined) ${refuse}\n  ${write}`
  if (!field.ignorable) return `if ($${name} == null) ${refuse}\n  ${write}`
  const replacement = defaultSource({ ...field, default: field.default ?? undefined, nullable: null })
  const replaced = writeSource(compilation, `${path}_${name}`, field.type, nullable, replacement)
  return `if ($${name} == null) { ${replaced} } else { ${write} }`
}

/** Statements that write the value held by the variable (or given by the expression) `value`. */
function writeSource(
  compilation: Compilation,
  path: string,
  type: FieldType,
  nullable: boolean,
  value: string,
): string {
  const compact = compilation.flexible
  switch (type.kind) {
    case 'struct': {
      const write = `${structWriter(compilation, path, type.fields)}(writer, ${value})`
      return nullable ? `if (${value} === null) writer.int8(-1); else { writer.int8(1); ${write} }` : write
    }
    case 'array': {
      const count = compact ? 'compactArrayLength' : 'arrayLength'
      const element = type.element.kind === 'struct' || type.element.kind === 'string' ? 'element' : `${value}[index]`
      const bind = element === 'element' ? `const element = ${value}[index]; ` : ''
      const write = writeSource(compilation, path, type.element, false, element)
      const loop = `writer.${count}(${value}.length); for (let index = 0; index < ${value}.length; index++) { ${bind}${write} }`
      return nullable ? `if (${value} === null) writer.${count}(-1); else { ${loop} }` : loop
    }
    case 'string':
      return `writer.${methodName('String', compact, nullable)}(${value})`
    case 'bytes':
      return `writer.${nullable || compact ? methodName('Bytes', compact, nullable) : 'byteString'}(${value})`
    case 'records':
      return `writer.${compact ? 'compactRecords' : 'records'}(${value})`
    default:
      return `writer.${type.kind}(${value})`
  }
}

function taggedFieldsSource(compilation: Compilation, path: string, tagged: [string, Field][]): string[] {
  if (tagged.length === 0) return ['writer.unsignedVarint(0)']
  const lines = ['let tagCount = 0']
  for (const [name, field] of tagged) {
    lines.push(`const $${name} = value.${name}`)
    lines.push(`const has$${name} = $${name} !== undefined && !(${isDefaultSource(field, `$${name}`)})`)
    lines.push(`if (has$${name}) tagCount++`)
  }
  lines.push('writer.unsignedVarint(tagCount)')
  // Tagged fields are written in the order of their tags.
  const ordered = tagged.toSorted(([, left], [, right]) => Number(left.tag) - Number(right.tag))
  for (const [name, field] of ordered) {
    lines.push(`if (has$${name}) {`, `  const begin = writer.beginTaggedField(${field.tag})`)
    lines.push(`  ${writeField(compilation, path, name, field)}`, '  writer.endTaggedField(begin)', '}')
  }
  return lines
}

function rejectUnlessDefault(compilation: Compilation, path: string, name: string, field: Field): string {
  const value = `value.${name}`
  const reason = `'has a value, but the field does not exist in version ${compilation.version}'`
  return `if (${value} !== undefined && !(${isDefaultSource(field, value)})) fail('${dotted(path, name)}', ${reason})`
}

/** An expression that says whether the value is the default of its field. */
function isDefaultSource(field: Field, value: string): string {
  if (field.default !== undefined) return `${value} === ${defaultSource(field)}`
  switch (field.type.kind) {
    case 'bytes':
    case 'array':
      return `${value} !== null && ${value}.length === 0`
    case 'records':
      return field.nullable === null ? `${value}.length === 0` : `${value} === null`
    case 'struct': {
      const members = Object.entries(field.type.fields).map(([name, member]) => {
        const memberValue = `${value}.${name}`
        return `(${memberValue} === undefined || ${isDefaultSource(member, memberValue)})`
      })
      return [`${value} !== null`, ...members].join(' && ')
    }
    default:
      return `${value} === ${defaultSource(field)}`
  }
}

function methodName(noun: 'String' | 'Bytes', compact: boolean, nullable: boolean): string {
  const name = `${compact ? 'Compact' : ''}${nullable ? 'Nullable' : ''}${noun}`
  return name.charAt(0).toLowerCase() + name.slice(1)
}

/** `Message_topics_name` and `field` make `topics.name.field`. */
function dotted(path: string, name: string): string {
  return [...path.split('_').slice(1), name].join('.')
}
