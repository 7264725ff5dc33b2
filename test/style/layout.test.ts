/** The layout and its one rule: imports point down. */

import { describe, expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { basename, dirname, join, normalize } from 'node:path'
import { importsOf } from './imports.ts'
import { ROOT, sourceFiles } from './source-files.ts'

/** What makes the public API; it may import anything. */
const ROOTS = ['index.ts', 'index.node.ts', 'testing.ts']

/** From top to bottom. A folder may import from its own and from the folders below its level. */
const LEVELS: readonly (readonly string[])[] = [
  ['cli'],
  ['http', 'lab', 'kafkajs', 'client', 'broker'],
  ['coordinator', 'security'],
  ['log', 'metadata'],
  ['records', 'protocol'],
  ['storage'],
]

/** Imports within one level: at most these, and never both ways. */
const WITHIN_LEVEL: Readonly<Record<string, readonly string[]>> = {
  http: ['lab', 'client', 'broker'],
  lab: ['client', 'broker'],
  kafkajs: ['client'],
  log: ['metadata'],
  records: ['protocol'],
}

function levelOf(folder: string): number {
  return LEVELS.findIndex((level) => level.includes(folder))
}

function mayImport(from: string, to: string): boolean {
  if (from === to) return true
  if (levelOf(from) === levelOf(to)) return WITHIN_LEVEL[from]?.includes(to) ?? false
  return levelOf(from) < levelOf(to)
}

function folderOf(path: string): string {
  return path.split('/')[1] ?? ''
}

describe('layout', () => {
  test('src holds only the folders of the layout, and what makes the public API', () => {
    const known = new Set([...LEVELS.flat(), ...ROOTS])
    const strange = readdirSync(join(ROOT, 'src')).filter((name) => !known.has(name))
    expect(strange, 'put these into one of the folders of docs/architecture.md').toEqual([])
  })

  test('imports point down', () => {
    const broken: string[] = []
    for (const file of sourceFiles('src').filter(
      ({ path }) => !ROOTS.includes(basename(path)) || dirname(path) !== 'src',
    )) {
      for (const { specifier, line } of importsOf(file)) {
        if (!specifier.startsWith('.')) continue
        const target = normalize(join(dirname(file.path), specifier)).replaceAll('\\', '/')
        // A file of a package that its exports do not name, taken as text.
        if (target === 'package.json' || target.startsWith('node_modules/')) continue
        const from = folderOf(file.path)
        const to = folderOf(target)
        if (!target.startsWith('src/')) broken.push(`${file.path}:${line} imports ${specifier}, outside of src`)
        else if (!mayImport(from, to)) {
          broken.push(
            `${file.path}:${line} imports ${specifier}: ${from} may not know ${to}; pass it in as an argument`,
          )
        }
      }
    }
    expect(broken).toEqual([])
  })

  test('nothing in src imports a development dependency', async () => {
    const manifest = (await Bun.file(join(ROOT, 'package.json')).json()) as Record<string, Record<string, string>>
    const { dependencies, optionalDependencies, peerDependencies } = manifest
    const allowed = new Set(Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }))
    const broken = sourceFiles('src').flatMap((file) =>
      importsOf(file)
        .filter(({ specifier }) => !/^(\.|node:|bun$|bun:)/.test(specifier))
        .filter(({ specifier }) => !allowed.has(packageOf(specifier)))
        .map(({ specifier, line }) => `${file.path}:${line} imports ${specifier}: add it to dependencies`),
    )
    expect(broken).toEqual([])
  })
})

function packageOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}

describe('the rule itself', () => {
  test.each([
    ['cli', 'broker', true],
    ['broker', 'cli', false],
    ['broker', 'storage', true],
    ['storage', 'records', false],
    ['log', 'coordinator', false],
    ['client', 'broker', false],
    ['protocol', 'records', false],
    ['log', 'log', true],
  ])('%s -> %s: %s', (from, to, allowed) => {
    expect(mayImport(from, to)).toBe(allowed)
  })

  test('sees static, type, side-effect and dynamic imports and re-exports', () => {
    const text = [
      "import a from './a.ts'",
      "import type {\n  B,\n} from './b.ts'",
      "import './c.ts'",
      "const d = await import('./d.ts')",
      "export * from './e.ts'",
      "export { f } from './f.ts'",
    ].join('\n')
    expect(importsOf({ text }).map(({ specifier, line }) => `${specifier}:${line}`)).toEqual([
      './a.ts:1',
      './b.ts:4',
      './c.ts:5',
      './d.ts:6',
      './e.ts:7',
      './f.ts:8',
    ])
  })
})
