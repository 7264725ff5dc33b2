/** What the readers of files give out: what there is, in JSON and as a line of text, and what is wrong. */
import { isUtf8 } from 'node:buffer'

export interface Entry {
  readonly kind: string
  /** Where in the file it begins, in bytes. */
  readonly position: number
  readonly fields: Readonly<Record<string, unknown>>
  readonly text: string
}

/** Damage: the file is not what its name says, or does not agree with its neighbour. */
export interface Problem {
  readonly kind: 'problem'
  readonly position: number
  readonly message: string
}

export type Item = Entry | Problem

export function isProblem(item: Item): item is Problem {
  return item.kind === 'problem'
}

export function problem(position: number, message: string): Problem {
  return { kind: 'problem', position, message }
}

/** Text as it is, in quotes; other bytes in base64; `null`. */
export function shownBytes(bytes: Buffer | null): string {
  if (bytes === null) return 'null'
  return isUtf8(bytes) ? JSON.stringify(bytes.toString()) : `base64:${bytes.toString('base64')}`
}

/** A time that people read; the number where there is none. */
export function shownTime(timestampMs: number): string {
  const isDate = timestampMs >= 0 && timestampMs <= 8.64e15
  return isDate ? new Date(timestampMs).toISOString() : String(timestampMs)
}

/** Values as JSON has them: 64-bit numbers as text, bytes as base64, maps as objects. */
export function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, each]) => [String(key), plain(each)]))
  if (value instanceof Set || Array.isArray(value)) return [...value].map(plain)
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]))
  }
  return value
}
