/** Every command's help: it has examples, they can be typed as they stand, and docs/cli.md says the same. No process is started. */
import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { normalized } from '../../src/cli/arguments.ts'
import { JSON_FIELDS } from '../../src/cli/json-fields.ts'
import { wholeProgram } from '../../src/cli/program.ts'
import { afterHelp, isShown, renderReference } from '../../src/cli/reference.ts'
import { REPOSITORY } from '../support/kafka-jars.ts'

interface Found {
  readonly name: string
  readonly command: Command
}

function walk(command: Command, name: string): Found[] {
  const children = command.commands.filter((child) => isShown(command, child))
  return [{ name, command }, ...children.flatMap((child) => walk(child, `${name} ${child.name()}`))]
}

const COMMANDS = walk(await wholeProgram(), 'samsa')

/** The lines below `Examples:`, each indented, up to the first that is not. */
function examples(command: Command): string[] {
  const lines = afterHelp(command).split('\n')
  const start = lines.indexOf('Examples:')
  if (start < 0) return []
  const rest = lines.slice(start + 1)
  const end = rest.findIndex((line) => !line.startsWith('  '))
  return rest.slice(0, end < 0 ? rest.length : end).map((line) => line.trim())
}

interface Word {
  readonly text: string
  readonly isQuoted: boolean
}

/** Words as a shell sees them; what stands behind two blanks outside of quotes is a remark of the help. */
function shellWords(line: string): Word[] {
  const words: Word[] = []
  const token = /\s*((?:'[^']*'|"[^"]*"|[^\s'"])+)( {2,}.*)?/y
  for (let match = token.exec(line); match !== null; match = token.exec(line)) {
    const raw = match[1] ?? ''
    words.push({ text: raw.replace(/'([^']*)'|"([^"]*)"/g, '$1$2'), isQuoted: raw !== raw.replace(/['"]/g, '') })
    if (match[2] !== undefined) break
  }
  return words
}

/** The `samsa ...` parts of a line with pipes and redirections. */
function invocations(line: string): string[][] {
  const found: string[][] = []
  let current: string[] | null = null
  let isTarget = false
  for (const { text, isQuoted } of shellWords(line.replaceAll('<(', '<( ').replace(/\)(?=\s|$)/g, ' ) '))) {
    const isOperator = !isQuoted && /^([|<>);]|>>|<\(|&&)$/.test(text)
    if (isTarget && !isOperator) isTarget = false
    else if (isOperator) {
      isTarget = text === '<' || text.startsWith('>')
      if (!isTarget || text === '<(') current = null
      if (text === '<(') isTarget = false
    } else if (current !== null) current.push(text)
    else if (text === 'samsa') {
      current = []
      found.push(current)
    }
  }
  return found
}

/** Parses without doing anything. */
async function parse(words: readonly string[]): Promise<void> {
  const program = await wholeProgram()
  for (const { command } of walk(program, ''))
    if (command.commands.length === 0 || command.registeredArguments.length > 0) command.action(() => undefined)
  await program.parseAsync(normalized(words), { from: 'user' })
}

describe('help', () => {
  test.each(COMMANDS)('$name has examples', ({ command }) => {
    expect(examples(command)).not.toEqual([])
  })

  const lines = COMMANDS.flatMap(({ command }) => examples(command))
  test.each([...new Set(lines)])('%s', async (line) => {
    const parts = invocations(line)
    // Some examples show what another program does with our files.
    if (parts.length === 0) expect(line).not.toMatch(/(^|[\s(])samsa /)
    for (const words of parts) await parse(words)
  })

  test('defaults are texts', () => {
    const wrong = COMMANDS.filter(({ command }) => command.helpInformation().includes('[object'))
    expect(wrong.map(({ name }) => name)).toEqual([])
  })

  test('no line is wider than a usual terminal by much', () => {
    const wide = COMMANDS.flatMap(({ command }) => afterHelp(command).split('\n')).filter((line) => line.length > 140)
    expect(wide).toEqual([])
  })
})

test('examples are really parsed: a wrong one is refused', async () => {
  expect(invocations("echo 'a | b' | samsa produce -t t < in.txt && samsa topics list > out")).toEqual([
    ['produce', '-t', 't'],
    ['topics', 'list'],
  ])
  await expect(parse(['topics', 'list', '--frobnicate'])).rejects.toThrow("unknown option '--frobnicate'")
  await expect(parse(['consume', '-t', 't', '-o', 'middle'])).rejects.toThrow('none of beginning')
})

test('docs/cli.md is what the commands say: `bun src/cli/reference.ts` writes it', async () => {
  expect(readFileSync(join(REPOSITORY, 'docs/cli.md'), 'utf8')).toBe(await renderReference())
})

test('JSON is documented for commands that there are', () => {
  const names = new Set(COMMANDS.map(({ name }) => name.replace('samsa ', '')))
  expect(Object.keys(JSON_FIELDS).filter((name) => !names.has(name))).toEqual([])
})

test('options before the command belong to it', () => {
  expect(normalized(['--profile', 'prod', '-Xa=b', '--bootstrap-server=h:1', 'topics', 'list'])).toEqual(
    'topics list --profile prod -Xa=b --bootstrap=h:1'.split(' '),
  )
  expect(normalized(['-b', 'h:1', 'consume', '--', '-t'])).toEqual(['consume', '-b', 'h:1', '--', '-t'])
  expect(normalized(['version'])).toEqual(['version'])
})
