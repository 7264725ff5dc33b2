/** What the documents name exists: files, links, classes, methods and functions. */
import { describe, expect, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { ROOT, sourceFiles } from './source-files.ts'

interface Document {
  readonly path: string
  readonly text: string
}

function documents(): Document[] {
  const pages = ['docs', 'docs/adr'].flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `${folder}/${name}`),
  )
  return ['README.md', ...pages].map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }))
}

/** What stands between single backticks outside of code blocks. */
function inlineCode(text: string): string[] {
  const prose = text.replace(/^```[\s\S]*?^```/gm, '')
  return [...prose.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code!)
}

/** `src/log/log.ts`, or shorter where the context says which folder: `log/log.ts`, `log.ts`. */
function namesExistingFile(path: string, sources: readonly string[]): boolean {
  if (existsSync(join(ROOT, path))) return true
  return sources.some((source) => source.endsWith(`/${path}`))
}

function linkTargets(text: string): string[] {
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!)
  return targets.filter((target) => !/^(https?:|#)/.test(target)).map((target) => target.split('#')[0]!)
}

/** The code that declares a class, up to the brace that closes it. */
function classBody(code: string, name: string): string | null {
  return new RegExp(`^(?:export )?(?:abstract )?class ${name}\\b[\\s\\S]*?^}`, 'm').exec(code)?.[0] ?? null
}

const PATH = /^(?:\.ci|src|test|bench|docs)\/[\w./-]+$|^[\w./-]+\.(?:ts|md|json)$/
const METHOD = /^([A-Z]\w+)\.(\w+)$/
const CALL = /^(\w+)\(.*\)$/
const CLASS_OR_MESSAGE = /^[A-Z][a-z]+[A-Z]\w+$/

describe('documents', () => {
  const pages = documents()
  const sources = ['src', 'test', 'bench'].flatMap((folder) => sourceFiles(folder))
  const paths = sources.map(({ path }) => path)
  const product = sources.filter(({ path }) => path.startsWith('src/'))

  test('links lead to files', () => {
    const broken = pages.flatMap(({ path, text }) =>
      linkTargets(text)
        .filter((target) => !existsSync(join(ROOT, dirname(path), target)))
        .map((target) => `${path} links to ${target}`),
    )
    expect(broken).toEqual([])
  })

  test('paths that are named exist', () => {
    const broken = pages.flatMap(({ path, text }) =>
      inlineCode(text)
        .filter((code) => PATH.test(code) && !namesExistingFile(code, paths))
        .map((code) => `${path} names ${code}`),
    )
    expect(broken).toEqual([])
  })

  test('every decision is listed', () => {
    const index = readFileSync(join(ROOT, 'docs/adr/README.md'), 'utf8')
    const decisions = pages.map(({ path }) => path).filter((path) => /^docs\/adr\/\d/.test(path))
    expect(decisions.filter((path) => !index.includes(`(${basename(path)})`))).toEqual([])
  })

  test('classes, methods and functions of the architecture exist', () => {
    const { text } = pages.find(({ path }) => path === 'docs/architecture.md')!
    const broken = inlineCode(text).filter((code) => {
      const [, owner, member] = METHOD.exec(code) ?? []
      if (owner !== undefined) {
        const bodies = product.map((file) => classBody(file.text, owner)).filter((body) => body !== null)
        return !bodies.some((body) => new RegExp(`^ {2}(?:get |async )?${member}\\b`, 'm').test(body))
      }
      const called = CALL.exec(code)?.[1]
      if (called !== undefined) return !product.some((file) => file.text.includes(`function ${called}(`))
      if (!CLASS_OR_MESSAGE.test(code)) return false
      return !product.some((file) => new RegExp(`\\b(?:class ${code}\\b|name: '${code}')`).test(file.text))
    })
    expect(broken).toEqual([])
  })
})
