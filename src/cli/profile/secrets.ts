/** Passwords: from a file, or asked for at the terminal without showing them. They are never printed. */
import { closeSync, openSync, readFileSync } from 'node:fs'
import { ReadStream } from 'node:tty'
import { CliError, usageError } from '../errors.ts'
import { note } from '../output.ts'

const INTERRUPTED_EXIT_CODE = 130
const BACKSPACE = new Set(['\x7f', '\b'])

/** The first line of the file; a line feed at its end is not part of the secret. */
export function secretFrom(path: string, what: string): string {
  const text = fileFor(path, what).toString()
  return text.split(/\r?\n/, 1)[0] ?? ''
}

export function fileFor(path: string, what: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new CliError(`${what} cannot be read: ${(error as Error).message}`)
  }
}

/** Null where nobody can be asked: there is no terminal. */
export async function askSecret(question: string): Promise<string | null> {
  let terminal: number
  try {
    // Standard input may be the records of `produce`.
    terminal = openSync('/dev/tty', 'r+')
  } catch {
    return null
  }
  const input = new ReadStream(terminal)
  try {
    process.stderr.write(question)
    input.setRawMode(true)
    return await readHidden(input)
  } finally {
    input.setRawMode(false)
    input.destroy()
    process.stderr.write('\n')
    try {
      closeSync(terminal)
    } catch {
      // The stream has closed it.
    }
  }
}

async function readHidden(input: ReadStream): Promise<string> {
  let secret = ''
  for await (const chunk of input as AsyncIterable<Buffer>) {
    for (const char of chunk.toString()) {
      if (char === '\r' || char === '\n' || char === '\x04') return secret
      if (char === '\x03') throw new CliError('interrupted', INTERRUPTED_EXIT_CODE)
      secret = BACKSPACE.has(char) ? secret.slice(0, -1) : secret + char
    }
  }
  return secret
}

/** A new password for something: twice at the terminal, once from a pipe. */
export async function newSecret(what: string): Promise<string> {
  if (process.stdin.isTTY !== true) {
    const piped = (await Bun.stdin.text()).replace(/\r?\n$/, '')
    if (piped === '') throw usageError(`no ${what} on standard input`)
    return piped
  }
  for (;;) {
    const [first, second] = [await askSecret(`New ${what}: `), await askSecret('Again: ')]
    if (first === null || second === null) throw usageError(`no ${what}: there is no terminal to ask at`)
    if (first === second && first !== '') return first
    await note(first === '' ? 'It is empty.' : 'They differ.')
  }
}
