/** Which records `samsa consume` prints: text that key, value or headers must contain, or expressions between slashes that must match. */
import { RE2JS, RE2JSSyntaxException } from 're2js'
import type { Message } from '../client/consumer/message.ts'

export type BytesFilter = (bytes: Buffer | null) => boolean
type FilteredRecord = Pick<Message, 'key' | 'value' | 'headers'>
export type RecordFilter = (record: FilteredRecord) => boolean

const FLAGS: ReadonlyMap<string, number> = new Map([
  ['i', RE2JS.CASE_INSENSITIVE],
  ['m', RE2JS.MULTILINE],
  ['s', RE2JS.DOTALL],
])

/** `text` is contained, `/expression/flags` matches somewhere (RE2: linear time). A null key or value never does. Or why it cannot be. */
export function parseBytesFilter(text: string): BytesFilter | string {
  const expression = /^\/(.*)\/([a-z]*)$/s.exec(text)
  if (expression === null) {
    if (text === '') return 'a filter is empty'
    const wanted = Buffer.from(text)
    return (bytes) => bytes?.includes(wanted) ?? false
  }
  const [, source = '', flags = ''] = expression
  const unknown = [...flags].find((flag) => !FLAGS.has(flag))
  if (unknown !== undefined)
    return `'${text}': there is no flag '${unknown}'; known are ${[...FLAGS.keys()].join(', ')}`
  try {
    const pattern = RE2JS.compile(
      source,
      [...flags].reduce((sum, flag) => sum | (FLAGS.get(flag) ?? 0), 0),
    )
    return (bytes) => bytes !== null && pattern.matcher(bytes.toString()).find()
  } catch (error) {
    if (!(error instanceof RE2JSSyntaxException)) throw error
    return `'${text}' is no expression: ${error.message}`
  }
}

export function parseKeyFilter(text: string): RecordFilter | string {
  const filter = parseBytesFilter(text)
  return typeof filter === 'string' ? filter : ({ key }) => filter(key)
}

export function parseValueFilter(text: string): RecordFilter | string {
  const filter = parseBytesFilter(text)
  return typeof filter === 'string' ? filter : ({ value }) => filter(value)
}

/** `name`, `name=text` or `name=/expression/`. Of several headers of that name one is enough. */
export function parseHeaderFilter(text: string): RecordFilter | string {
  const equals = text.indexOf('=')
  const name = equals < 0 ? text : text.slice(0, equals)
  if (name === '') return `'${text}' names no header: NAME, NAME=TEXT or NAME=/EXPRESSION/`
  if (equals < 0) return ({ headers }) => headers.some(({ key }) => key === name)
  const filter = parseBytesFilter(text.slice(equals + 1))
  if (typeof filter === 'string') return filter
  return ({ headers }) => headers.some(({ key, value }) => key === name && filter(value))
}
