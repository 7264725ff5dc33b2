/**
 * Reads what operators write: `server.properties` in Java's syntax, `key=value` arguments, SAMSA_... variables. Knows nothing
 * of what the properties mean; broker-config.ts judges them.
 */
import { BROKER_DEFINITIONS } from './config-definitions/index.ts'

/**
 * Java's properties: `#` and `!` begin a comment line, a backslash at the end of a line continues it, the key ends at the first
 * `=`, `:` or blank that is not escaped. The last of several equal keys wins.
 */
export function parseProperties(text: string): Map<string, string> {
  const properties = new Map<string, string>()
  for (const line of logicalLines(text)) {
    const end = keyEnd(line)
    const separator = /^[ \t\f]*[=:]?[ \t\f]*/.exec(line.slice(end))![0]
    properties.set(unescapeProperty(line.slice(0, end)), unescapeProperty(line.slice(end + separator.length)))
  }
  return properties
}

function logicalLines(text: string): string[] {
  const lines: string[] = []
  let pending: string | null = null
  for (const natural of text.split(/\r\n|\n|\r/)) {
    const line = natural.replace(/^[ \t\f]+/, '')
    if (pending === null && (line === '' || line.startsWith('#') || line.startsWith('!'))) continue
    const whole: string = (pending ?? '') + line
    const backslashes = /\\*$/.exec(line)![0].length
    if (backslashes % 2 === 1) {
      pending = whole.slice(0, -1)
    } else {
      lines.push(whole)
      pending = null
    }
  }
  if (pending !== null && pending !== '') lines.push(pending)
  return lines
}

function keyEnd(line: string): number {
  for (let index = 0; index < line.length; index++) {
    const character = line[index]!
    if (character === '\\') index++
    else if ('=: \t\f'.includes(character)) return index
  }
  return line.length
}

const ESCAPES: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' }

function unescapeProperty(text: string): string {
  return text.replace(/\\(?:u([0-9a-fA-F]{4})|([\s\S]))/g, (_, unicode: string | undefined, character: string) =>
    unicode === undefined ? (ESCAPES[character] ?? character) : String.fromCharCode(Number.parseInt(unicode, 16)),
  )
}

const ENVIRONMENT_PREFIX = 'SAMSA_'

/** SAMSA_LOG_RETENTION_MS -> log.retention.ms. Variables that name no property are left to whoever else reads them. */
export function propertiesFromEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): Map<string, string> {
  const properties = new Map<string, string>()
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith(ENVIRONMENT_PREFIX) || value === undefined) continue
    const name = variable.slice(ENVIRONMENT_PREFIX.length).toLowerCase().replaceAll('_', '.')
    if (BROKER_DEFINITIONS.has(name)) properties.set(name, value)
  }
  return properties
}
