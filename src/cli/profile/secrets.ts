/** Passwords: from a file, or asked for at the terminal without showing them. They are never printed. */
import { spawnSync } from 'node:child_process'
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs'
import { CliError, usageError } from '../errors.ts'
import { note } from '../output.ts'

const INTERRUPTED_EXIT_CODE = 130
const INTERRUPT = 3
const END_OF_INPUT = 4
const ENDS: ReadonlySet<number> = new Set([END_OF_INPUT, 10, 13])
const ERASERS: ReadonlySet<number> = new Set([8, 127])

/** The password of addresses such as http://user:password@host. */
const URL_PASSWORDS = /([a-z][\w+.-]*:\/\/[^/?#:@,]*:)[^/?#,]*(?=@)/gi

/** As it may be printed. */
export function withoutUrlPasswords(value: string): string {
  return value.replace(URL_PASSWORDS, '$1***')
}

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
export function askSecret(question: string): string | null {
  let terminal: number
  try {
    // Standard input may be the records of `produce`.
    terminal = openSync('/dev/tty', 'r+')
  } catch {
    return null
  }
  const before = terminalMode(terminal, '-g')
  if (before === null) {
    closeSync(terminal)
    return null
  }
  try {
    // Keys come one by one and are not shown; Ctrl-C is one of them, so that the terminal is put right in any case.
    terminalMode(terminal, '-echo', '-icanon', '-isig')
    writeSync(terminal, question)
    return readHidden(terminal)
  } finally {
    terminalMode(terminal, before.trim())
    writeSync(terminal, '\n')
    closeSync(terminal)
  }
}

/** What stty prints; null where there is none. */
function terminalMode(terminal: number, ...words: string[]): string | null {
  const { status, stdout } = spawnSync('stty', words, { stdio: [terminal, 'pipe', 'ignore'] })
  return status === 0 ? stdout.toString() : null
}

/** Waits for the keys without letting anything else run: there is nothing to do before the answer. */
function readHidden(terminal: number): string {
  const typed: number[] = []
  const byte = Buffer.alloc(1)
  for (;;) {
    const key = readSync(terminal, byte) === 0 ? END_OF_INPUT : byte[0]!
    if (key === INTERRUPT) throw new CliError('interrupted', INTERRUPTED_EXIT_CODE)
    if (ENDS.has(key)) return Buffer.from(typed).toString()
    if (!ERASERS.has(key)) typed.push(key)
    // A character may have several bytes: those that continue it go with it.
    else while (typed.length > 0 && (typed.pop()! & 0xc0) === 0x80);
  }
}

/** A new password for something: twice at the terminal, once from a pipe. */
export async function newSecret(what: string): Promise<string> {
  if (process.stdin.isTTY !== true) {
    const piped = (await Bun.stdin.text()).replace(/\r?\n$/, '')
    if (piped === '') throw usageError(`no ${what} on standard input`)
    return piped
  }
  for (;;) {
    const [first, second] = [askSecret(`New ${what}: `), askSecret('Again: ')]
    if (first === null || second === null) throw usageError(`no ${what}: there is no terminal to ask at`)
    if (first === second && first !== '') return first
    await note(first === '' ? 'It is empty.' : 'They differ.')
  }
}
