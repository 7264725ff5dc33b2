/**
 * Values of Protobuf fields, held against their types before they are written: the library would cut an integer to its size, and leave out
 * a field that it does not know, without a word.
 */
import { KafkaError, type ValidationIssue, validationError } from '../errors.ts'

export type ProtobufType = import('protobufjs').Type
type Field = ProtobufType['fieldsArray'][number]
type Message = Record<string, unknown>

const LONG_TYPES: ReadonlySet<string> = new Set(['int64', 'uint64', 'sint64', 'fixed64', 'sfixed64'])
const UNSIGNED_TYPES: ReadonlySet<string> = new Set(['uint32', 'fixed32', 'uint64', 'fixed64'])
const INTEGER_TYPES: ReadonlySet<string> = new Set(['int32', 'uint32', 'sint32', 'fixed32', 'sfixed32'])
/** How deep messages may lie in each other. */
const DEPTH_MAX = 100
const ISSUES_MAX = 20

/** Throws ERR_VALIDATION, with every field that is not what its type asks for. */
export function checkMessage(type: ProtobufType, value: unknown): void {
  const check = new Check()
  check.message(type, value)
  if (check.issues.length > 0)
    throw validationError(`the value is no '${type.fullName.replace(/^\./, '')}'`, check.issues)
}

/** One walk through a value. The path is that of the place where it is now: it is copied only where something is wrong. */
class Check {
  readonly issues: ValidationIssue[] = []
  private readonly path: string[] = []

  message(type: ProtobufType, value: unknown): void {
    if (this.issues.length >= ISSUES_MAX) return
    if (!hasFields(value) || this.path.length > DEPTH_MAX) {
      this.wrong('not a message')
      return
    }
    const fields = value
    for (const name of Object.keys(fields)) {
      const each = fields[name]
      const field = Object.hasOwn(type.fields, name) ? type.fields[name] : undefined
      if (field === undefined) this.at(name, () => this.wrong('no field of the message'))
      else if (each !== undefined && each !== null) this.field(field, name, each)
    }
    for (const field of type.fieldsArray) {
      if (field.required && (fields[field.name] ?? null) === null) this.at(field.name, () => this.wrong('missing'))
    }
    for (const { name, oneof } of type.oneofsArray) {
      if (oneof.length < 2) continue
      const set = oneof.filter((each) => (fields[each] ?? null) !== null)
      if (set.length > 1) this.wrong(`more than one of '${name}': ${set.join(', ')}`)
    }
  }

  private field(field: Field, name: string, value: unknown): void {
    this.path.push(name)
    if (field.map) {
      if (!hasFields(value)) this.wrong('not a map')
      else for (const key of Object.keys(value)) this.one(field, value[key], key)
    } else if (field.repeated) {
      if (!Array.isArray(value)) this.wrong('not a list')
      else for (let index = 0; index < value.length; index++) this.one(field, value[index], index)
    } else this.one(field, value, null)
    this.path.pop()
  }

  /** `key` is that of the entry in a map or list; null where the value is all of the field. */
  private one(field: Field, value: unknown, key: string | number | null): void {
    const { resolvedType } = field
    if (key !== null) this.path.push(String(key))
    if (resolvedType !== null && 'fields' in resolvedType) this.message(resolvedType, value)
    else {
      const isOk = resolvedType === null ? isScalar(field.type, value) : isEnumValue(resolvedType.values, value)
      if (!isOk) this.wrong(`not a valid ${field.type}`)
    }
    if (key !== null) this.path.pop()
  }

  private at(name: string, then: () => void): void {
    this.path.push(name)
    then()
    this.path.pop()
  }

  private wrong(message: string): void {
    this.issues.push({ path: [...this.path], message })
  }
}

/** What has its content elsewhere, as a `Date` or a `Map`, would be written as if it were empty. */
function hasFields(value: unknown): value is Message {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) return false
  return !(value instanceof Date || value instanceof Map || value instanceof Set)
}

function isEnumValue(values: Readonly<Record<string, number>>, value: unknown): boolean {
  // A number without a name may be one that a newer schema names.
  if (typeof value === 'number') return Number.isInteger(value) && value === (value | 0)
  return typeof value === 'string' && Object.hasOwn(values, value)
}

function isScalar(type: string, value: unknown): boolean {
  if (LONG_TYPES.has(type)) return isLong(value, UNSIGNED_TYPES.has(type))
  if (INTEGER_TYPES.has(type)) {
    return typeof value === 'number' && value === (UNSIGNED_TYPES.has(type) ? value >>> 0 : value | 0)
  }
  switch (type) {
    case 'string':
      return typeof value === 'string'
    case 'bool':
      return typeof value === 'boolean'
    case 'bytes':
      return value instanceof Uint8Array
    default:
      return typeof value === 'number'
  }
}

function isLong(value: unknown, unsigned: boolean): boolean {
  if (typeof value === 'number') return Number.isSafeInteger(value) && (!unsigned || value >= 0)
  return typeof value === 'bigint' && value === (unsigned ? BigInt.asUintN(64, value) : BigInt.asIntN(64, value))
}

/** Whether the type, or one within it, has a field that matches. */
function holds(type: ProtobufType, matches: (field: Field) => boolean, seen = new Set<ProtobufType>()): boolean {
  if (seen.has(type)) return false
  seen.add(type)
  return type.fieldsArray.some((field) => {
    const { resolvedType } = field
    return matches(field) || (resolvedType !== null && 'fields' in resolvedType && holds(resolvedType, matches, seen))
  })
}

export function holdsLongs(type: ProtobufType): boolean {
  return holds(type, (field) => LONG_TYPES.has(field.type))
}

export function holdsBytes(type: ProtobufType): boolean {
  return holds(type, (field) => field.type === 'bytes')
}

/** Makes numbers of the BigInts of a message that was read, in place; fails where that would change one. */
export function narrowLongs(type: ProtobufType, message: Message): void {
  for (const field of type.fieldsArray) {
    const value = message[field.name]
    if (value === undefined || value === null) continue
    if (!field.map && !field.repeated) message[field.name] = narrowed(field, value)
    // Of an object too: its entries are set by name.
    else for (const key of Object.keys(value)) (value as Message)[key] = narrowed(field, (value as Message)[key])
  }
}

function narrowed(field: Field, value: unknown): unknown {
  const { resolvedType } = field
  if (resolvedType !== null && 'fields' in resolvedType) {
    if (typeof value === 'object' && value !== null) narrowLongs(resolvedType, value as Message)
    return value
  }
  if (typeof value !== 'bigint') return value
  const number = Number(value)
  if (Number.isSafeInteger(number)) return number
  const message = `'${field.name}' is ${value}, which does not fit into a number: read it with longs: 'bigint'`
  throw new KafkaError('ERR_SERIALIZATION', message)
}
