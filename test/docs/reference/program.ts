/**
 * What the package exports, as the type checker sees it: every name of every entry point with its declaration.
 *
 * Asks the checker of the TypeScript that checks this repository, through the interface that it brings along.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Node, SyntaxKind } from 'typescript/unstable/ast'
import { API, type Checker, type NodeHandle, type Project, type Symbol as TypeSymbol } from 'typescript/unstable/async'

export const ROOT = join(import.meta.dir, '../../..')

export interface ExportedName {
  readonly name: string
  readonly symbol: TypeSymbol
  readonly declaration: Node
  /** Relative to the repository. */
  readonly file: string
  /** Entry points that export it: `samsa`, `samsa/client`. */
  readonly entries: readonly string[]
}

export interface ExportedNames {
  readonly names: readonly ExportedName[]
  readonly checker: Checker
  readonly project: Project
}

interface EntryPoint {
  readonly name: string
  /** The source file, relative to the repository. */
  readonly source: string
}

interface Manifest {
  readonly name: string
  readonly exports: Readonly<Record<string, { readonly bun: string }>>
}

/** What `exports` of package.json lists, with the source that Bun takes. */
export function entryPoints(): EntryPoint[] {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest
  return Object.entries(manifest.exports).map(([path, { bun }]) => ({
    name: `${manifest.name}${path.slice(1)}`,
    source: bun.slice(2),
  }))
}

/** Hands the exported names to `use`; the checker is gone when it is done. */
export async function withExportedNames<T>(use: (exported: ExportedNames) => Promise<T>): Promise<T> {
  const api = new API({ cwd: ROOT })
  try {
    const snapshot = await api.updateSnapshot({ openProjects: [join(ROOT, 'tsconfig.types.json')] })
    const project = snapshot.getProjects()[0]
    if (project === undefined) throw new Error('tsconfig.types.json is no project')
    const names = new Map<string, ExportedName>()
    for (const { name: entry, source } of entryPoints()) {
      for (const found of await exportsOf(project, source)) {
        const key = `${found.file} ${found.name}`
        const entries = [...(names.get(key)?.entries ?? []), entry]
        names.set(key, { ...found, entries })
      }
    }
    return await use({ names: [...names.values()], checker: project.checker, project })
  } finally {
    await api.close()
  }
}

async function exportsOf(project: Project, source: string): Promise<ExportedName[]> {
  const { checker, program } = project
  const file = await program.getSourceFile(join(ROOT, source))
  if (file === undefined) throw new Error(`${source} is not part of tsconfig.types.json`)
  const module = await checker.getSymbolAtLocation(file)
  if (module === undefined) throw new Error(`${source} exports nothing`)
  const found: ExportedName[] = []
  for (const exported of await checker.getExportsOfModule(module)) {
    // The same things once more, as one object.
    if (exported.name === 'default') continue
    const symbol = isAlias(exported.declarations) ? await checker.getAliasedSymbol(exported) : exported
    const handle = symbol.declarations[0]
    const declaration = await handle?.resolve(project)
    if (handle === undefined || declaration === undefined)
      throw new Error(`${exported.name} of ${source} is not declared`)
    found.push({ name: exported.name, symbol, declaration, file: fileOf(handle), entries: [] })
  }
  return found
}

function isAlias(declarations: readonly NodeHandle[]): boolean {
  return declarations.some(({ kind }) => kind === SyntaxKind.ExportSpecifier)
}

/** Relative to the repository; what lies outside of it keeps its whole path. */
export function fileOf({ path }: NodeHandle): string {
  return path.startsWith(`${ROOT}/`) ? path.slice(ROOT.length + 1) : path
}
