/** What a registry answers, checked: nothing of it is believed to have the right shape. */
import { KafkaError } from '../../errors.ts'
import type { RegisteredSchema, SchemaReference, SchemaType, StoredSchema, SubjectSchema } from './types.ts'

type Fields = Readonly<Record<string, unknown>>

function malformed(what: string, field: string): KafkaError {
  return new KafkaError('ERR_BAD_RESPONSE', `${what}: the schema registry's answer has no proper '${field}'`)
}

function fieldsOf(answer: unknown, what: string): Fields {
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) throw malformed(what, 'object')
  return answer as Fields
}

function textIn(fields: Fields, name: string, what: string): string {
  const value = fields[name]
  if (typeof value !== 'string') throw malformed(what, name)
  return value
}

function numberIn(fields: Fields, name: string, what: string): number {
  const value = fields[name]
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw malformed(what, name)
  return value
}

function optionalText(fields: Fields, name: string): string | null {
  const value = fields[name]
  return typeof value === 'string' ? value : null
}

/** Avro has no name on the wire: it was there first. */
function schemaTypeIn(fields: Fields, what: string): SchemaType {
  const type = fields.schemaType ?? 'AVRO'
  if (type === 'AVRO' || type === 'JSON' || type === 'PROTOBUF') return type
  throw malformed(what, 'schemaType')
}

function referencesIn(fields: Fields, what: string): SchemaReference[] {
  const references = fields.references ?? []
  if (!Array.isArray(references)) throw malformed(what, 'references')
  return references.map((each: unknown) => {
    const reference = fieldsOf(each, what)
    return {
      name: textIn(reference, 'name', what),
      subject: textIn(reference, 'subject', what),
      version: numberIn(reference, 'version', what),
    }
  })
}

/** `id` where the answer does not repeat it. */
export function storedSchemaOf(answer: unknown, what: string, id?: number): StoredSchema {
  const fields = fieldsOf(answer, what)
  return {
    id: id ?? numberIn(fields, 'id', what),
    guid: optionalText(fields, 'guid'),
    schema: textIn(fields, 'schema', what),
    schemaType: schemaTypeIn(fields, what),
    references: referencesIn(fields, what),
  }
}

export function subjectSchemaOf(answer: unknown, what: string): SubjectSchema {
  const fields = fieldsOf(answer, what)
  const subject = textIn(fields, 'subject', what)
  return { ...storedSchemaOf(answer, what), subject, version: numberIn(fields, 'version', what) }
}

export function registeredSchemaOf(answer: unknown, what: string): RegisteredSchema {
  const fields = fieldsOf(answer, what)
  const version = typeof fields.version === 'number' ? fields.version : null
  return { id: numberIn(fields, 'id', what), guid: optionalText(fields, 'guid'), version }
}

export function textFieldOf(answer: unknown, name: string, what: string): string {
  return textIn(fieldsOf(answer, what), name, what)
}

export function flagOf(answer: unknown, name: string, what: string): boolean {
  const value = fieldsOf(answer, what)[name]
  if (typeof value !== 'boolean') throw malformed(what, name)
  return value
}

/** The list in a field of the answer; empty if the field is missing. */
export function textListField(answer: unknown, name: string, what: string): string[] {
  const value = fieldsOf(answer, what)[name]
  return value === undefined ? [] : textListOf(value, what)
}

export function textListOf(answer: unknown, what: string): string[] {
  if (Array.isArray(answer) && answer.every((each) => typeof each === 'string')) return answer
  throw malformed(what, 'list of names')
}

export function numberListOf(answer: unknown, what: string): number[] {
  if (Array.isArray(answer) && answer.every((each) => typeof each === 'number')) return answer
  throw malformed(what, 'list of numbers')
}

export function numberOf(answer: unknown, what: string): number {
  if (typeof answer === 'number') return answer
  throw malformed(what, 'number')
}

export function subjectVersionsOf(answer: unknown, what: string): { subject: string; version: number }[] {
  if (!Array.isArray(answer)) throw malformed(what, 'list of versions')
  return answer.map((each: unknown) => {
    const fields = fieldsOf(each, what)
    return { subject: textIn(fields, 'subject', what), version: numberIn(fields, 'version', what) }
  })
}
