import type { SourceFile } from './source-files.ts'

export interface Import {
  readonly line: number
  readonly specifier: string
  readonly typeOnly: boolean
}

const STATIC = /(?:^|[\n;])\s*(import|export)\b([^;'"`]*?)\bfrom\s*['"]([^'"]+)['"]/g
const SIDE_EFFECT = /(?:^|[\n;])\s*import\s*['"]([^'"]+)['"]/g
const DYNAMIC = /\b(?:import|require)\s*\(\s*['"`]([^'"`]+)['"`]/g

/** Static and dynamic imports and re-exports, in the order of the file. */
export function importsOf(file: Pick<SourceFile, 'text'>): Import[] {
  const imports: (Import & { position: number })[] = []
  const add = (match: RegExpExecArray, specifier: string, typeOnly: boolean): void => {
    const position = match.index + match[0].lastIndexOf(specifier)
    imports.push({ specifier, typeOnly, position, line: file.text.slice(0, position).split('\n').length })
  }
  for (const match of file.text.matchAll(STATIC)) add(match, match[3] ?? '', /^\s*type\b/.test(match[2] ?? ''))
  for (const match of file.text.matchAll(SIDE_EFFECT)) add(match, match[1] ?? '', false)
  for (const match of file.text.matchAll(DYNAMIC)) add(match, match[1] ?? '', false)
  return imports.sort((a, b) => a.position - b.position)
}
