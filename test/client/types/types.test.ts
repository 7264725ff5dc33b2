/** The files named *.types.ts beside this one are compiled: a line marked as an error that is none fails, and so does any other error. */
import { expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const ROOT = join(import.meta.dir, '../../..')
const TIMEOUT_MS = 120_000

async function compile(files: readonly string[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'samsa-types-'))
  try {
    const project = join(folder, 'tsconfig.json')
    const typeRoots = [join(ROOT, 'node_modules')]
    const compilerOptions = { typeRoots, rootDir: '/' }
    writeFileSync(
      project,
      JSON.stringify({ extends: join(ROOT, 'tsconfig.json'), compilerOptions, include: [], files }),
    )
    const child = Bun.spawn([join(ROOT, 'node_modules/.bin/tsc'), '-p', project, '--pretty', 'false'], {
      stdout: 'pipe',
      stderr: 'pipe',
    })
    return await child.stdout.text()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

test(
  'types infer what they should and refuse what they should',
  async () => {
    const names = readdirSync(import.meta.dir).filter((name) => name.endsWith('.types.ts'))
    expect(names.length).toBeGreaterThan(0)
    const output = await compile(names.map((name) => join(import.meta.dir, name)))
    expect(output.split('\n').filter((line) => line.includes('.types.ts'))).toEqual([])
  },
  TIMEOUT_MS,
)
