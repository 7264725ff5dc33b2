// One program, checked against kafkajs' types and against those of `samsa/kafkajs`; and what kafkajs exports is exported.
import { expect, test } from 'bun:test'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import * as original from 'kafkajs'
import all, * as adapter from '../../src/kafkajs/index.ts'

const ROOT = join(import.meta.dir, '../..')
const PROGRAM = join(import.meta.dir, 'types/program.types.ts')
const TIMEOUT_MS = 120_000

/** What the compiler says of the program with the module in place of kafkajs. */
function check(module: string): string {
  const folder = join(ROOT, '.cache', `kafkajs-types-${process.pid}`)
  mkdirSync(folder, { recursive: true })
  try {
    const path = join(folder, 'program.ts')
    const specifier = module === 'kafkajs' ? module : relative(folder, join(ROOT, module))
    writeFileSync(path, readFileSync(PROGRAM, 'utf8').replace("from 'kafkajs'", `from '${specifier}'`))
    const config = { extends: join(ROOT, 'tsconfig.json'), compilerOptions: { esModuleInterop: true }, files: [path] }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ ...config, include: [] }))
    const { stdout } = Bun.spawnSync([join(ROOT, 'node_modules/.bin/tsc'), '-p', folder, '--noEmit'], { cwd: ROOT })
    return stdout.toString()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

test.each(['kafkajs', 'src/kafkajs/index.ts'])(
  'the program checks against %s',
  (module) => {
    expect(check(module)).toBe('')
  },
  TIMEOUT_MS,
)

test('every value that kafkajs exports is there, by name and as the default', () => {
  const names = Object.keys(original).filter((name) => name !== 'default' && name !== '__esModule')
  expect(names.length).toBeGreaterThan(40)
  expect(
    Object.keys(adapter)
      .filter((name) => name !== 'default')
      .toSorted(),
  ).toEqual(names.toSorted())
  expect(Object.keys(all).toSorted()).toEqual(names.toSorted())
})

test('its numbers have the same names', () => {
  const tables = [
    'logLevel',
    'CompressionTypes',
    'ConfigResourceTypes',
    'ConfigSource',
    'AclResourceTypes',
    'AclOperationTypes',
    'AclPermissionTypes',
    'ResourcePatternTypes',
  ] as const
  const theirs = original as unknown as Record<string, Record<string, number>>
  for (const table of tables) {
    expect(Object.entries<number>(all[table])).toEqual(Object.entries<number>(theirs[table]!))
  }
})

test('its errors are the same classes of each other', () => {
  const parentOf = (loaded: object, name: string): string =>
    Object.getPrototypeOf((loaded as Record<string, { name: string }>)[name]!).name
  const errors = Object.keys(original).filter((name) => name.startsWith('KafkaJS') && /Error|Exceeded/.test(name))
  for (const name of errors) expect(`${name}: ${parentOf(adapter, name)}`).toBe(`${name}: ${parentOf(original, name)}`)
})
