/**
 * Limits of length, as ratchets: what is over the limit stands in a list with its size, may only shrink, and leaves the list
 * once it fits. Split by question, not by line count.
 */
import { describe, expect, test } from 'bun:test'
import { blankOut, functionsIn, type SourceFile, sourceFiles } from './source-files.ts'

const FILE_LINES_MAX = 700
const FUNCTION_LINES_MAX = 70
const TEST_FILE_LINES_MAX = 800

/** `path` to lines. Only shrinks. */
const LONG_FILES: Readonly<Record<string, number>> = {}

/** `path name` to lines. Only shrinks. */
const LONG_FUNCTIONS: Readonly<Record<string, number>> = {}

interface Measured {
  readonly what: string
  readonly lines: number
}

/** What breaks the limit or the list. */
function judge(measured: readonly Measured[], limit: number, allowed: Readonly<Record<string, number>>): string[] {
  const problems: string[] = []
  const over = new Map(measured.filter(({ lines }) => lines > limit).map(({ what, lines }) => [what, lines]))
  for (const [what, lines] of over) {
    const ceiling = allowed[what]
    if (ceiling === undefined) problems.push(`${what} has ${lines} lines, the limit is ${limit}: split it`)
    else if (lines > ceiling)
      problems.push(`${what} has grown from ${ceiling} to ${lines} lines; the limit is ${limit}`)
    else if (lines < ceiling) problems.push(`${what} has shrunk to ${lines} lines: write that into the list`)
  }
  for (const what of Object.keys(allowed)) {
    if (!over.has(what)) problems.push(`${what} fits now (or is gone): take it off the list`)
  }
  return problems
}

function lineCount(file: SourceFile): number {
  return file.lines.at(-1) === '' ? file.lines.length - 1 : file.lines.length
}

function functionsOf(files: readonly SourceFile[]): Measured[] {
  return files.flatMap((file) =>
    functionsIn(file).map(({ name, lineCount: lines }) => ({ what: `${file.path} ${name}`, lines })),
  )
}

describe('size', () => {
  const source = [...sourceFiles('src'), ...sourceFiles('bench')]

  test('source files', () => {
    const measured = source.map((file) => ({ what: file.path, lines: lineCount(file) }))
    expect(judge(measured, FILE_LINES_MAX, LONG_FILES)).toEqual([])
  })

  test('functions', () => {
    expect(judge(functionsOf(source), FUNCTION_LINES_MAX, LONG_FUNCTIONS)).toEqual([])
  })

  test('test files', () => {
    const measured = sourceFiles('test').map((file) => ({ what: file.path, lines: lineCount(file) }))
    expect(judge(measured, TEST_FILE_LINES_MAX, {})).toEqual([])
  })
})

describe('the ratchet itself', () => {
  const long = [{ what: 'a.ts', lines: 80 }]

  test('new, grown, shrunk and finished entries are all reported', () => {
    expect(judge(long, 70, {})).toEqual(['a.ts has 80 lines, the limit is 70: split it'])
    expect(judge(long, 70, { 'a.ts': 75 })[0]).toContain('has grown from 75 to 80')
    expect(judge(long, 70, { 'a.ts': 90 })[0]).toContain('has shrunk to 80')
    expect(judge([], 70, { 'a.ts': 90 })[0]).toContain('take it off the list')
    expect(judge(long, 70, { 'a.ts': 80 })).toEqual([])
  })
})

describe('how functions are found', () => {
  function found(text: string): string[] {
    const file = { path: 'x.ts', text, lines: text.split('\n'), code: blankOut(text) }
    return functionsIn(file).map(({ name, line, lineCount: lines }) => `${name} ${line}+${lines}`)
  }

  test('declarations, methods, named arrow functions', () => {
    const text = [
      'export async function one(a: { b: number }): Promise<void> {',
      "  if (a.b) { return '}' as never }",
      '}',
      'class Two {',
      '  private readonly x = 1',
      '  static async three<T>(value: T): Promise<T> {',
      '    return value // }',
      '  }',
      '  get four(): number {',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: this is the source text under test
      '    return `${[1].map((n) => { return n })}`.length',
      '  }',
      '}',
      'const five = (a: number): number => {',
      '  return a',
      '}',
    ].join('\n')
    expect(found(text)).toEqual(['one 1+3', 'three 6+3', 'four 9+3', 'five 13+3'])
  })

  test('every source file reads as balanced code', () => {
    const unbalanced = sourceFiles('src').filter(({ code }) => {
      return ['{}', '()', '[]'].some(([open, close]) => code.split(open!).length !== code.split(close!).length)
    })
    expect(unbalanced.map(({ path }) => path)).toEqual([])
  })
})
