/** What kafkajs' admin refuses before it asks a broker. */
import { KafkaJSNonRetriableError } from './errors.ts'

export function refused(message: string): KafkaJSNonRetriableError {
  return new KafkaJSNonRetriableError(message)
}

export function checkArray(value: unknown, what: string): asserts value is unknown[] {
  if (!Array.isArray(value)) throw refused(`Invalid ${what} array ${value}`)
}

export function checkName(value: unknown, what: string): asserts value is string {
  if (!value || typeof value !== 'string') throw refused(`Invalid ${what} ${value}`)
}

/** Rows about topics: each names one, and none twice. */
export function checkTopicRows(rows: readonly { readonly topic: string }[], what = 'topics'): void {
  checkArray(rows, what)
  if (rows.some(({ topic }) => typeof topic !== 'string')) {
    throw refused(`Invalid ${what} array, the topic names have to be a valid string`)
  }
  if (new Set(rows.map(({ topic }) => topic)).size < rows.length) {
    throw refused(`Invalid ${what} array, it cannot have multiple entries for the same topic`)
  }
}

export function checkOneOf(value: unknown, values: Readonly<Record<string, unknown>>, what: string): void {
  if (!Object.values(values).includes(value)) throw refused(`Invalid ${what} ${value}`)
}
