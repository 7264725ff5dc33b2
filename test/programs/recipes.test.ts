// The recipes of docs/recipes, used as they stand there by programs of their languages.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Child } from '../support/child-process.ts'
import { kafkaJars, REPOSITORY } from '../support/kafka-jars.ts'
import { interopTest, PYTHON } from '../support/tools.ts'
import { JUNIT_TYPES } from './recipes/junit-types.ts'

const TIMEOUT_MS = 300_000
const RECIPES = join(REPOSITORY, 'docs/recipes')
const PROGRAMS = join(import.meta.dir, 'recipes')
const folder = mkdtempSync(join(tmpdir(), 'samsa-recipes-'))
const samsa = join(folder, 'samsa')

interface Outcome {
  readonly code: number
  readonly output: string
}

async function run(command: string[], cwd: string, environment: Record<string, string> = {}): Promise<Outcome> {
  const lines: string[] = []
  const onLine = (line: string): void => void lines.push(line)
  const shell = ['sh', '-c', 'cd "$1" && shift && exec "$@"', 'sh', cwd, ...command]
  const child = new Child({
    command: shell,
    environment: { SAMSA: samsa, ...environment },
    onLine,
    onErrorLine: onLine,
  })
  return { code: await child.exited, output: lines.join('\n') }
}

/** A folder with these files in it. */
function project(name: string, files: Readonly<Record<string, string>>): string {
  const path = join(folder, name)
  for (const [target, source] of Object.entries(files)) {
    mkdirSync(join(path, target, '..'), { recursive: true })
    copyFileSync(source, join(path, target))
  }
  return path
}

beforeAll(() => {
  writeFileSync(samsa, `#!/bin/sh\nexec ${process.execPath} ${join(REPOSITORY, 'src/cli/main.ts')} "$@"\n`)
  chmodSync(samsa, 0o755)
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('a recipe', () => {
  interopTest(
    'for pytest',
    ['python'],
    async () => {
      const path = project('python', {
        'samsa_broker.py': join(RECIPES, 'samsa_broker.py'),
        'test_orders.py': join(PROGRAMS, 'test_orders.py'),
      })
      writeFileSync(join(path, 'conftest.py'), 'from samsa_broker import samsa\n')
      const { code, output } = await run([PYTHON, '-m', 'pytest', '-q', '-p', 'no:cacheprovider'], path)
      expect(`${output}\nended with ${code}`).toMatch(/4 passed.*\nended with 0$/)
    },
    { timeoutMs: TIMEOUT_MS },
  )

  interopTest(
    'for Go',
    ['go'],
    async () => {
      const path = project('go', {
        'samsatest/samsatest.go': join(RECIPES, 'samsatest.go'),
        'orders_test.go': join(PROGRAMS, 'orders_test.go'),
      })
      writeFileSync(join(path, 'go.mod'), 'module example\n\ngo 1.18\n')
      const offline = { GOPROXY: 'off', GOTOOLCHAIN: 'local', GOFLAGS: '-mod=mod' }
      const { code, output } = await run(['go', 'test', '-count=1', './...'], path, offline)
      expect(`${output}\nended with ${code}`).toMatch(/^ok\s+example\s[\s\S]*ended with 0$/m)
      const failing = join(path, 'failing_test.go')
      writeFileSync(
        failing,
        'package example\n\nimport (\n\t"testing"\n\n\t"example/samsatest"\n)\n\nfunc TestRefused(t *testing.T) { samsatest.Start(t, "--set", "num.partitions=0") }\n',
      )
      const refused = await run(['go', 'test', '-count=1', '-run', 'TestRefused', './...'], path, offline)
      expect(refused.code).not.toBe(0)
      expect(refused.output).toContain('num.partitions: Value must be at least 1')
    },
    { timeoutMs: TIMEOUT_MS },
  )

  interopTest(
    'for Java and JUnit 5',
    ['java'],
    async () => {
      const path = project('java', {
        'SamsaBroker.java': join(RECIPES, 'SamsaBroker.java'),
        'SamsaExtension.java': join(RECIPES, 'SamsaExtension.java'),
        'Orders.java': join(PROGRAMS, 'Orders.java'),
      })
      const types = 'org/junit/jupiter/api/extension'
      mkdirSync(join(path, types), { recursive: true })
      for (const [name, text] of Object.entries(JUNIT_TYPES)) {
        writeFileSync(join(path, types, `${name}.java`), `package ${types.replaceAll('/', '.')};\n\n${text}\n`)
      }
      const sources = ['SamsaBroker.java', 'SamsaExtension.java', 'Orders.java']
      const classPath = `${kafkaJars()}/*:.`
      const compiled = await run(['javac', '-proc:none', '-cp', classPath, '-d', '.', ...sources], path)
      expect(compiled).toEqual({ code: 0, output: '' })
      const { code, output } = await run(['java', '-XX:TieredStopAtLevel=1', '-cp', classPath, 'Orders'], path)
      const said = output.split('\n').filter((line) => /^(supported|read|refused|nodes) /.test(line))
      expect({ code, said }).toEqual({ code: 0, said: ['supported true', 'read tea', 'refused true', 'nodes 1'] })
    },
    { timeoutMs: TIMEOUT_MS },
  )
})

test('every recipe is tried here', async () => {
  const own = await Bun.file(import.meta.path).text()
  const untried = [...new Bun.Glob('*').scanSync(RECIPES)].filter((name) => !own.includes(`'${name}'`))
  expect(untried).toEqual([])
})
