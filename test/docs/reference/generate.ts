/** Writes docs/api from the comments in src: `npm run docs`. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readEntries } from './model.ts'
import { type Page, pagesOf, uncommented } from './pages.ts'
import { ROOT, withExportedNames } from './program.ts'

export const REFERENCE_FOLDER = join(ROOT, 'docs/api')

export interface Reference {
  readonly pages: readonly Page[]
  /** What has no comment. */
  readonly uncommented: readonly string[]
}

export function generateReference(): Promise<Reference> {
  return withExportedNames(async (exported) => {
    const entries = await readEntries(exported)
    return { pages: pagesOf(entries), uncommented: uncommented(entries) }
  })
}

if (import.meta.main) {
  const { pages, uncommented: missing } = await generateReference()
  mkdirSync(REFERENCE_FOLDER, { recursive: true })
  const kept = new Set(pages.map(({ path }) => path))
  for (const name of readdirSync(REFERENCE_FOLDER)) if (!kept.has(name)) rmSync(join(REFERENCE_FOLDER, name))
  for (const { path, text } of pages) writeFileSync(join(REFERENCE_FOLDER, path), text)
  for (const name of missing) console.error(`no comment: ${name}`)
  process.exitCode = missing.length === 0 ? 0 : 1
}
