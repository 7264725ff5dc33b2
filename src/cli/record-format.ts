/** How `samsa consume` prints a record: kcat's format strings, or one JSON object per line. */
import { isUtf8 } from 'node:buffer'
import type { Message } from '../client/consumer/message.ts'
import { unescapeText } from './lines.ts'
import type { BufferedOutput } from './output.ts'

export interface PrintableRecord {
  readonly topic: string
  readonly partition: number
  readonly record: Pick<Message, 'offset' | 'timestamp' | 'key' | 'value' | 'headers'>
}

export type RecordPrinter = (output: BufferedOutput, printable: PrintableRecord) => void

type Piece = (printable: PrintableRecord) => Uint8Array | string

const EMPTY = Buffer.alloc(0)

const TOKENS: { readonly [token: string]: Piece } = {
  s: ({ record }) => record.value ?? EMPTY,
  S: ({ record }) => String(record.value?.length ?? -1),
  k: ({ record }) => record.key ?? EMPTY,
  K: ({ record }) => String(record.key?.length ?? -1),
  t: ({ topic }) => topic,
  p: ({ partition }) => String(partition),
  o: ({ record }) => String(record.offset),
  T: ({ record }) => String(record.timestamp),
  h: ({ record }) => record.headers.map(({ key, value }) => `${key}=${value?.toString() ?? 'NULL'}`).join(','),
  '%': () => '%',
}

/** The printer, or a sentence that says what is wrong with the format. */
export function formatPrinter(format: string): RecordPrinter | string {
  const pieces: (Piece | Buffer)[] = []
  let literal = ''
  const endLiteral = (): void => {
    if (literal !== '') pieces.push(Buffer.from(unescapeText(literal)))
    literal = ''
  }
  for (let at = 0; at < format.length; at++) {
    const char = format[at]!
    if (char !== '%') {
      literal += char
      continue
    }
    at += 1
    const token = format[at] ?? ''
    const piece = TOKENS[token]
    if (piece === undefined) return `format '${format}': there is no %${token}; known are ${knownTokens()}`
    endLiteral()
    pieces.push(piece)
  }
  endLiteral()
  return (output, printable) => {
    for (const piece of pieces) output.add(typeof piece === 'function' ? piece(printable) : piece)
  }
}

function knownTokens(): string {
  return Object.keys(TOKENS)
    .map((token) => `%${token}`)
    .join(' ')
}

export const jsonPrinter: RecordPrinter = (output, { topic, partition, record }) => {
  const { offset, timestamp } = record
  const headers = record.headers.map(({ key, value }) => ({ key, ...bytesAs('value', value) }))
  const fields = { topic, partition, offset, timestamp, headers }
  output.add(`${JSON.stringify({ ...fields, ...bytesAs('key', record.key), ...bytesAs('value', record.value) })}\n`)
}

/** Text as text; what is not valid UTF-8 in base64, under a name that says so. */
export function bytesAs(name: string, bytes: Buffer | null): { [name: string]: string | null } {
  if (bytes === null) return { [name]: null }
  return isUtf8(bytes) ? { [name]: bytes.toString() } : { [`${name}Base64`]: bytes.toString('base64') }
}
