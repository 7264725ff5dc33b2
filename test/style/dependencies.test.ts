/** docs/dependencies.md says what package.json says, and what the installed packages say of themselves. */
import { describe, expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './source-files.ts'

interface Manifest {
  readonly license?: string
  readonly scripts?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

interface Row {
  readonly name: string
  readonly section: string
  readonly cells: readonly string[]
}

const SECTIONS = {
  'At run time': 'dependencies',
  Optional: 'optionalDependencies',
  'For development': 'devDependencies',
} as const

function manifestAt(...path: string[]): Manifest {
  return JSON.parse(readFileSync(join(ROOT, ...path), 'utf8')) as Manifest
}

/** The rows of all tables, with the heading above them. A pipe in a cell is escaped. */
function documented(): Row[] {
  const rows: Row[] = []
  let section = ''
  for (const line of readFileSync(join(ROOT, 'docs/dependencies.md'), 'utf8').split('\n')) {
    if (line.startsWith('## ')) section = line.slice(3)
    const name = /^\| `([^`]+)` \|/.exec(line)?.[1]
    if (name === undefined) continue
    const cells = line.split(/(?<!\\)\|/).slice(2, -1)
    rows.push({ name, section, cells: cells.map((cell) => cell.trim().replaceAll('\\|', '|')) })
  }
  return rows
}

const manifest = manifestAt('package.json')
const rows = documented()

describe('docs/dependencies.md', () => {
  for (const [section, kind] of Object.entries(SECTIONS)) {
    test(`'${section}' lists the ${kind} of package.json, in order`, () => {
      const named = rows.filter((row) => row.section === section).map(({ name }) => name)
      expect(named).toEqual(Object.keys(manifest[kind] ?? {}).sort())
    })
  }

  test('every row is complete', () => {
    const incomplete = rows.filter(({ cells }) => cells.length !== 5 || cells.includes(''))
    expect(incomplete.map(({ name }) => name)).toEqual([])
  })

  test.each(rows.map((row) => [row.name, row] as const))(
    '%s: licence and install script are as stated',
    (name, row) => {
      if (!existsSync(join(ROOT, 'node_modules', name, 'package.json'))) {
        expect(row.section, `${name} is not installed`).toBe('Optional')
        return
      }
      const installed = manifestAt('node_modules', name, 'package.json')
      const { preinstall, install, postinstall } = installed.scripts ?? {}
      const script = preinstall ?? install ?? postinstall
      expect(row.cells[1]).toBe(installed.license ?? 'none')
      expect(row.cells[4]).toBe(script === undefined ? 'none' : `\`${script}\``)
    },
  )
})

test('versions are pinned', () => {
  const all = { ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.devDependencies }
  expect(Object.entries(all).filter(([, version]) => !/^\d+\.\d+\.\d+/.test(version))).toEqual([])
})

test('the setup script installs the pinned runtime', () => {
  expect(manifest.scripts?.setup).toContain(`bun@${manifest.optionalDependencies?.bun} `)
})
