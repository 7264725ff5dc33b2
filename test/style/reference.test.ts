/** docs/api is what the comments in src say now, and there is a comment for everything that the package exports. */
import { beforeAll, describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateReference, REFERENCE_FOLDER, type Reference } from '../docs/reference/generate.ts'

const TIMEOUT_MS = 120_000

function committed(path: string): string {
  return readFileSync(join(REFERENCE_FOLDER, path), 'utf8')
}

/** As GitHub makes them, numbered where headings repeat. */
function anchorsOf(text: string): Set<string> {
  const counts = new Map<string, number>()
  const prose = text.replace(/^```[\s\S]*?^```/gm, '')
  return new Set(
    [...prose.matchAll(/^#+ (.*)$/gm)].map(([, title]) => {
      const plain = title!
        .toLowerCase()
        .replace(/[^\w -]/g, '')
        .replaceAll(' ', '-')
      const count = counts.get(plain) ?? 0
      counts.set(plain, count + 1)
      return count === 0 ? plain : `${plain}-${count}`
    }),
  )
}

describe('docs/api', () => {
  let reference: Reference

  beforeAll(async () => {
    reference = await generateReference()
  }, TIMEOUT_MS)

  test('every exported name, member and option has a comment', () => {
    expect(reference.uncommented, 'say there what it is, in which unit, its default, what it throws').toEqual([])
  })

  test('the pages are those that the comments make', () => {
    const stale = reference.pages.filter(
      ({ path, text }) => !readdirSync(REFERENCE_FOLDER).includes(path) || committed(path) !== text,
    )
    expect(
      stale.map(({ path }) => path),
      'run `npm run docs`',
    ).toEqual([])
    expect(readdirSync(REFERENCE_FOLDER).sort()).toEqual(reference.pages.map(({ path }) => path).sort())
  })

  test('links lead to headings', () => {
    const anchors = new Map(reference.pages.map(({ path, text }) => [path, anchorsOf(text)]))
    const broken = reference.pages.flatMap(({ path, text }) =>
      [...text.matchAll(/\]\(([\w-]*\.md)?#([^)]+)\)/g)]
        .filter(([, page, anchor]) => !anchors.get(page ?? path)?.has(anchor!))
        .map(([link]) => `${path}: ${link}`),
    )
    expect(broken).toEqual([])
  })

  test('names are those of the package, private members are left out, inherited options are not', () => {
    const text = (path: string): string => reference.pages.find((page) => page.path === path)!.text
    const lines = new Set(['testing.md', 'producer.md', 'admin.md'].flatMap((path) => text(path).split('\n')))
    expect(lines).toContain('start(options?: BrokerOptions): Promise<Broker>')
    expect(text('testing.md').includes('EmbeddedBroker')).toBe(false)
    expect(text('producer.md').includes('makeDispatcher')).toBe(false)
    expect(
      [...lines].filter((line) => line.startsWith('| `tls?` | `TlsOptions \\| boolean` |')).length,
    ).toBeGreaterThan(0)
    expect(lines).toContain('type ScramMechanism = "SCRAM-SHA-256" | "SCRAM-SHA-512"')
  })
})
