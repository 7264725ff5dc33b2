/** From input to records: lines with a key before a separator, whole files, or the JSON that `samsa consume` prints. */
import { CliError } from '../errors.ts'
import { unescapeBytes } from '../lines.ts'

export interface HeaderToSend {
  readonly key: string
  readonly value: Uint8Array | null
}

/** A record of a line, or of any other input in bytes. */
export interface InputRecord {
  readonly timestamp: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly HeaderToSend[]
}

export interface RecordOptions {
  readonly key?: string
  readonly keySeparator?: string
  readonly header?: readonly HeaderToSend[]
  readonly null?: boolean
}

export type RecordMaker = (input: Buffer) => InputRecord

/** What is the same for all records is made once. */
export function lineRecords(options: RecordOptions): RecordMaker {
  const separator = options.keySeparator === undefined ? null : unescapeBytes(options.keySeparator)
  const whole = wholeRecords(options)
  if (separator === null) return whole
  return (line) => {
    const at = line.indexOf(separator)
    if (at < 0) return whole(line)
    const key = orNull(line.subarray(0, at), options)
    return { ...whole(line.subarray(at + separator.length)), key }
  }
}

/** All of the input is the value. */
export function wholeRecords(options: RecordOptions): RecordMaker {
  const key = options.key === undefined ? null : Buffer.from(options.key)
  const headers = options.header ?? []
  return (bytes) => ({ timestamp: Date.now(), key, value: orNull(bytes, options), headers })
}

function orNull(bytes: Buffer, options: RecordOptions): Buffer | null {
  return options.null === true && bytes.length === 0 ? null : bytes
}

const BASE64 = /^[\w+/-]*={0,2}$/

/** Header names go with their values, each after the other, in kcat's envelope. */
type JsonHeaders = readonly (string | null | { readonly [name: string]: unknown })[]

/**
 * A line of `consume --format json`, or of -J and kcat's -J: key, value or payload, headers; as text or, with Base64 behind the name, as bytes.
 * Any JSON that is no text becomes the text of that JSON. Topic, partition, offset and time of the line are not kept.
 */
export function jsonRecords(options: RecordOptions): RecordMaker {
  let count = 0
  return (line) => {
    count += 1
    let parsed: unknown
    try {
      parsed = JSON.parse(line.toString())
    } catch (error) {
      throw new CliError(`line ${count} is no JSON: ${(error as Error).message}`)
    }
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
      throw new CliError(`line ${count} is no JSON object, as in {"key":"k","value":"v"}`)
    }
    const fields = parsed as Readonly<Record<string, unknown>>
    const headers = [...(options.header ?? []), ...jsonHeaders(fields.headers, count)]
    const fallbackKey = options.key === undefined ? null : Buffer.from(options.key)
    const value = bytesOf(fields, 'value', count) ?? bytesOf(fields, 'payload', count)
    return { timestamp: Date.now(), key: bytesOf(fields, 'key', count) ?? fallbackKey, value, headers }
  }
}

function bytesOf(fields: Readonly<Record<string, unknown>>, name: string, line: number): Buffer | null {
  const encoded = fields[`${name}Base64`]
  if (typeof encoded === 'string') {
    // Buffer.from would leave out what is no Base64, and with it bytes of the record.
    const isWhole = encoded.replace(/=+$/, '').length % 4 !== 1
    if (!isWhole || !BASE64.test(encoded)) throw new CliError(`line ${line}: ${name}Base64 is no Base64`)
    return Buffer.from(encoded, 'base64')
  }
  const value = fields[name]
  if (value === undefined || value === null) return null
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
}

function jsonHeaders(given: unknown, line: number): HeaderToSend[] {
  if (given === undefined || given === null) return []
  const trouble = new CliError(`line ${line}: headers must be a list of {"key":..., "value":...}`)
  if (!Array.isArray(given)) {
    if (typeof given !== 'object') throw trouble
    return Object.entries(given).map(([key, value]) => ({ key, value: bytesOf({ value }, 'value', line) }))
  }
  const headers: HeaderToSend[] = []
  const list = given as JsonHeaders
  for (let at = 0; at < list.length; at++) {
    const each = list[at]
    if (typeof each === 'string') headers.push({ key: each, value: bytesOf({ value: list[++at] }, 'value', line) })
    else if (typeof each === 'object' && each !== null && typeof each.key === 'string') {
      headers.push({ key: each.key, value: bytesOf(each, 'value', line) })
    } else throw trouble
  }
  return headers
}
