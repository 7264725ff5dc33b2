/** The files that the style tests look at, and a TypeScript-aware look at each of them. */
import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

export const ROOT = join(import.meta.dir, '..', '..')

export interface SourceFile {
  /** Relative to the repository, with forward slashes. */
  readonly path: string
  readonly text: string
  readonly lines: readonly string[]
  /** The same text with comments and the contents of strings blanked out: same length, same lines. */
  readonly code: string
}

export function sourceFiles(folder: string): SourceFile[] {
  const glob = new Bun.Glob('**/*.ts')
  const files: SourceFile[] = []
  for (const path of glob.scanSync({ cwd: join(ROOT, folder), absolute: true })) files.push(read(path))
  return files.sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** Every style test looks at the same files; each is read once per run. */
const cache = new Map<string, SourceFile>()

function read(absolutePath: string): SourceFile {
  const known = cache.get(absolutePath)
  if (known !== undefined) return known
  const file = load(absolutePath)
  cache.set(absolutePath, file)
  return file
}

function load(absolutePath: string): SourceFile {
  const text = readFileSync(absolutePath, 'utf8')
  return {
    path: relative(ROOT, absolutePath).replaceAll('\\', '/'),
    text,
    lines: text.split('\n'),
    code: blankOut(text),
  }
}

/** Files that git knows; what is ignored or not added does not count. */
export function trackedFiles(): string[] {
  const listed = Bun.spawnSync(['git', 'ls-files', '-z'], { cwd: ROOT })
  if (listed.exitCode !== 0) return []
  return listed.stdout.toString().split('\0').filter(Boolean)
}

export function lineAt(file: Pick<SourceFile, 'text'>, position: number): number {
  return file.text.slice(0, position).split('\n').length
}

/** Every match of the pattern in the code, as `path:line`. */
export function placesOf(file: SourceFile, pattern: RegExp): { place: string; match: string }[] {
  const found = file.code.matchAll(
    new RegExp(pattern.source, pattern.flags.includes('g') ? pattern.flags : `${pattern.flags}g`),
  )
  return [...found].map((match) => ({ place: `${file.path}:${lineAt(file, match.index)}`, match: match[0] }))
}

type Mode = 'code' | 'line comment' | 'block comment' | 'string' | 'regex'

/** Comments, strings and regular expressions become spaces; code inside `${...}` stays. */
export function blankOut(text: string): string {
  const out = text.split('')
  let mode: Mode = 'code'
  let quote = ''
  let inClass = false
  /** Depth of braces at which each open template goes on. */
  const templates: number[] = []
  let depth = 0
  let lastCode = ''
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!
    const pair = char + (text[at + 1] ?? '')
    if (mode === 'code') {
      if (pair === '//' || pair === '/*') {
        mode = pair === '//' ? 'line comment' : 'block comment'
        out[at] = ' '
      } else if (char === "'" || char === '"' || char === '`') {
        mode = 'string'
        quote = char
      } else if (char === '/' && regexMayStart(lastCode, text, at)) {
        mode = 'regex'
        inClass = false
      } else if (char === '{') depth += 1
      else if (char === '}') {
        if (templates.at(-1) === depth) {
          templates.pop()
          mode = 'string'
          quote = '`'
        }
        depth -= 1
      }
      if (mode === 'code' && char.trim() !== '') lastCode = char
      continue
    }
    if (mode === 'line comment') {
      if (char === '\n') mode = 'code'
      else out[at] = ' '
    } else if (mode === 'block comment') {
      if (char !== '\n') out[at] = ' '
      if (pair === '*/') {
        out[++at] = ' '
        mode = 'code'
      }
    } else if (mode === 'regex') {
      if (char === '\\') out[at++] = ' '
      else if (char === '[') inClass = true
      else if (char === ']') inClass = false
      else if (char === '/' && !inClass) {
        mode = 'code'
        lastCode = '/'
        continue
      }
      if (text[at] !== '\n') out[at] = ' '
    } else if (char === '\\') {
      out[at] = ' '
      if (text[at + 1] !== '\n') out[at + 1] = ' '
      at += 1
    } else if (quote === '`' && pair === '${') {
      depth += 1
      templates.push(depth)
      mode = 'code'
      at += 1
    } else if (char === quote) {
      mode = 'code'
      lastCode = quote
    } else if (char !== '\n') out[at] = ' '
  }
  return out.join('')
}

/** A slash after an operator, a bracket or `return` begins a regular expression; after a value it divides. */
function regexMayStart(lastCode: string, text: string, at: number): boolean {
  if (lastCode === '' || '(,=:[!&|?{};+-*%<>~^'.includes(lastCode)) return true
  return /\b(return|typeof|case|in|of|do|else|void|yield|await)\s*$/.test(text.slice(Math.max(0, at - 12), at))
}

export interface SourceFunction {
  readonly name: string
  readonly line: number
  readonly lineCount: number
}

const HEAD =
  /(?:\bfunction\b\s*\*?\s*([\w$]*)|(?:^|\n)[ \t]+(?:(?:public|private|protected|static|override|async|readonly|get|set)\s+)*\*?(#?[\w$]+)\s*(?:<[^>{}()]*>)?\s*(?=\()|\b(?:const|let)\s+([\w$]+)[^=\n;]*=\s*(?:async\s*)?(?=\())/g
const NOT_FUNCTIONS = new Set(['if', 'for', 'while', 'switch', 'catch', 'return', 'await', 'super', 'throw', 'do'])

/** Functions with a body in braces: declarations, methods, and arrow functions that are given a name. */
export function functionsIn(file: SourceFile): SourceFunction[] {
  const { code } = file
  const functions: SourceFunction[] = []
  for (const match of code.matchAll(HEAD)) {
    const name = match[1] ?? match[2] ?? match[3] ?? 'function'
    if (NOT_FUNCTIONS.has(name)) continue
    const open = code.indexOf('(', match.index + match[0].length - 1)
    const bodyStart = open < 0 ? -1 : bodyAfter(code, closing(code, open))
    if (bodyStart < 0) continue
    const start = match.index + match[0].length - match[0].trimStart().length
    const line = lineAt({ text: code }, start)
    functions.push({
      name: name || 'function',
      line,
      lineCount: lineAt({ text: code }, closing(code, bodyStart)) - line + 1,
    })
  }
  return functions
}

/** Position of the `{` of a body that follows a parameter list; -1 when what follows is no body. */
function bodyAfter(code: string, parametersEnd: number): number {
  const rest = code.slice(parametersEnd + 1)
  const plain = /^\s*(?:=>\s*)?\{/.exec(rest)
  if (plain !== null) return parametersEnd + plain[0].length
  // A return type; one that is an object type is not followed.
  const typed = /^\s*:\s*[^{};=]*?(?:=>\s*)?\{/.exec(rest)
  return typed === null ? -1 : parametersEnd + typed[0].length
}

const CLOSING = { '(': ')', '{': '}' } as const

function closing(code: string, open: number): number {
  const opener = code[open] as '(' | '{'
  let depth = 0
  for (let at = open; at < code.length; at++) {
    if (code[at] === opener) depth += 1
    else if (code[at] === CLOSING[opener] && --depth === 0) return at
  }
  return code.length - 1
}
