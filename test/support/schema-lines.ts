// Declared messages and Kafka's own definitions of them in the same flat form, one line per field, so that a failure reads as a
// difference of lines.

import {
  ALL_VERSIONS,
  type Field,
  type Fields,
  type FieldType,
  type MessageSchema,
  type VersionRange,
  versionRange,
  ZERO_UUID,
} from '../../src/protocol/schema.ts'
import type { KafkaField, KafkaMessage } from './kafka-messages.ts'

const NO_VERSIONS = versionRange('none')

export function intersection(left: VersionRange, right: VersionRange): VersionRange {
  const min = Math.max(left.min, right.min)
  const max = Math.min(left.max, right.max)
  return min > max ? NO_VERSIONS : { min, max }
}

export function shown(range: VersionRange): string {
  return range.min > range.max ? 'none' : `${range.min}-${range.max}`
}

interface Line {
  readonly path: string
  readonly type: string
  readonly versions: VersionRange
  readonly around: VersionRange
  readonly nullable: VersionRange
  readonly tagged: VersionRange
  readonly tag: number | null
  readonly default: unknown
  readonly ignorable: boolean
}

/** `ignorable` counts only where it changes what Samsa's encoder does: see codec.ts. */
function lineOf(line: Line, isRequest: boolean): string {
  const nullabilityVaries = shown(line.nullable) !== 'none' && shown(line.nullable) !== shown(line.versions)
  const absentSomewhere = shown(line.versions) !== shown(line.around)
  const ignorable = nullabilityVaries || (isRequest && absentSomewhere) ? ` ignorable ${line.ignorable}` : ''
  const tag = line.tag === null ? '' : ` tag ${line.tag} in ${shown(line.tagged)}`
  const nullable = ` nullable ${shown(line.nullable)}`
  return `${line.path}: ${line.type} ${shown(line.versions)}${nullable}${tag} default ${JSON.stringify(line.default)}${ignorable}`
}

// ---- Samsa's side

export function ourLines(schema: MessageSchema): string[] {
  const lines: string[] = []
  collectOurs(schema.fields, '', schema.versions, lines, schema.type === 'request')
  return lines
}

function collectOurs(fields: Fields, prefix: string, around: VersionRange, lines: string[], isRequest: boolean): void {
  for (const [name, field] of Object.entries(fields)) {
    const versions = intersection(field.versions ?? ALL_VERSIONS, around)
    const line: Line = {
      path: prefix + name,
      type: ourType(field.type),
      versions,
      around,
      nullable: intersection(field.nullable ?? NO_VERSIONS, versions),
      tagged: intersection(field.tagged ?? NO_VERSIONS, versions),
      tag: field.tag,
      default: field.default === undefined ? implicitDefault(ourType(field.type)) : field.default,
      ignorable: field.ignorable,
    }
    lines.push(lineOf(line, isRequest))
    const nested = nestedFields(field)
    if (nested !== null) collectOurs(nested, `${prefix}${name}.`, versions, lines, isRequest)
  }
}

function ourType(type: FieldType): string {
  return type.kind === 'array' ? `[]${type.element.kind}` : type.kind
}

function nestedFields(field: Field): Fields | null {
  const type = field.type.kind === 'array' ? field.type.element : field.type
  return type.kind === 'struct' ? type.fields : null
}

// ---- Kafka's side

export function kafkaLines(message: KafkaMessage): string[] {
  const structs = new Map((message.commonStructs ?? []).map((struct) => [struct.name, struct.fields]))
  const lines: string[] = []
  const collect = (fields: readonly KafkaField[], prefix: string, around: VersionRange): void => {
    for (const field of fields) {
      const versions = intersection(versionRange(field.versions), around)
      // A field that only versions dropped by Kafka had is no part of any message today.
      if (versions === NO_VERSIONS) continue
      const name = field.name.charAt(0).toLowerCase() + field.name.slice(1)
      const structName = /^(?:\[\])?([A-Z]\w*)$/.exec(field.type)?.[1]
      const type = structName === undefined ? field.type : field.type.replace(structName, 'struct')
      const line: Line = {
        path: prefix + name,
        type,
        versions,
        around,
        nullable: intersection(versionRange(field.nullableVersions ?? 'none'), versions),
        tagged: intersection(versionRange(field.taggedVersions ?? 'none'), versions),
        tag: field.tag ?? null,
        default: kafkaDefault(field, type),
        ignorable: field.ignorable ?? false,
      }
      lines.push(lineOf(line, message.type === 'request'))
      if (structName === undefined) continue
      const nested = field.fields ?? structs.get(structName)
      if (nested === undefined) throw new Error(`${message.name}: no fields for ${structName}`)
      collect(nested, `${prefix}${name}.`, versions)
    }
  }
  collect(message.fields, '', versionRange(message.validVersions))
  return lines
}

function kafkaDefault(field: KafkaField, type: string): unknown {
  if (field.default === undefined) return implicitDefault(type)
  if (field.default === 'null') return null
  if (type === 'string') return field.default
  if (type === 'bool') return String(field.default) === 'true'
  const value = BigInt(String(field.default))
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value)
}

function implicitDefault(type: string): unknown {
  if (type.startsWith('[]')) return []
  switch (type) {
    case 'string':
    case 'bytes':
      return ''
    case 'bool':
      return false
    case 'uuid':
      return ZERO_UUID
    case 'records':
      return null
    case 'struct':
      return {}
    default:
      return 0
  }
}
