// Examples of the documentation, run as they stand there. A fenced block of TypeScript that begins with an import is a program of its own; it
// is run against an embedded broker, whose address takes the place of `localhost:9092`, and a schema registry, whose address takes that of
// `http://localhost:8081`. What it prints must be what the `text` block right after it says, if there is one.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Broker } from '../../src/index.ts'
import { FakeRegistry } from '../support/fake-registry.ts'

const ROOT = join(import.meta.dir, '../..')
const DOCUMENTED_ADDRESS = /localhost:9092/g
const DOCUMENTED_REGISTRY = /http:\/\/localhost:8081/g

export interface Example {
  /** The heading above it. */
  readonly title: string
  readonly code: string
  readonly isTest: boolean
  /** Null: it may print what it likes. */
  readonly output: string | null
}

export function examplesIn(markdown: string): Example[] {
  const found: Example[] = []
  let title = ''
  const pattern = /^(#+) (.*)$|^```(\w*)\n([\s\S]*?)^```$/gm
  let last: { example: Example; end: number } | null = null
  for (const match of markdown.matchAll(pattern)) {
    const [whole, , heading, language, body = ''] = match
    if (heading !== undefined) title = heading
    else if (language === 'ts' && body.startsWith('import ')) {
      const example = { title, code: body, isTest: /from 'bun:test'/.test(body), output: null }
      found.push(example)
      last = { example, end: match.index + whole.length }
    } else if (language === 'text' && last !== null && markdown.slice(last.end, match.index).trim() === '') {
      found[found.indexOf(last.example)] = { ...last.example, output: body }
    }
  }
  return found
}

/** One test per example of the file. */
export function describeExamples(file: string): void {
  const examples = examplesIn(readFileSync(join(ROOT, file), 'utf8'))
  const folder = join(ROOT, '.cache', 'examples', file.replace(/\W/g, '-'))
  let broker: Broker
  let registry: FakeRegistry

  describe(`examples of ${file}`, () => {
    beforeAll(async () => {
      mkdirSync(folder, { recursive: true })
      broker = await Broker.start()
      registry = new FakeRegistry()
    })

    afterAll(async () => {
      await broker.stop()
      await registry.stop()
      rmSync(folder, { recursive: true, force: true })
    })

    test('are found', () => {
      expect(examples.length).toBeGreaterThan(0)
    })

    for (const [index, { title, code, isTest, output }] of examples.entries()) {
      test(`${index + 1}: ${title}`, async () => {
        const path = join(folder, `example-${index + 1}${isTest ? '.test' : ''}.ts`)
        const program = code.replace(DOCUMENTED_ADDRESS, broker.bootstrap).replace(DOCUMENTED_REGISTRY, registry.url)
        writeFileSync(path, program)
        const command = isTest ? [process.execPath, 'test', path] : [process.execPath, path]
        const child = Bun.spawn(command, { cwd: ROOT, stdout: 'pipe', stderr: 'pipe' })
        const [printed, complaints, status] = await Promise.all([
          new Response(child.stdout).text(),
          new Response(child.stderr).text(),
          child.exited,
        ])
        expect(`${status === 0 ? '' : complaints + printed}ended with ${status}`).toBe('ended with 0')
        if (output !== null) expect(printed).toBe(output)
      }, 60_000)
    }
  })
}
