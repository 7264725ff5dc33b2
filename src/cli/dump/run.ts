/**
 * `samsa dump`: shows the files of a data folder and checks them. Nothing is written to them, or beside them.
 *
 * What must hold: damage never ends the run: it is told with file and position, and the exit code says that there was some.
 */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { CliError, usageError } from '../errors.ts'
import type { FormatOptions } from '../options.ts'
import { BufferedOutput, note } from '../output.ts'
import { type FileKind, fileKindOf, type RecordKind, recordKindOf } from './file-kinds.ts'
import { dumpIndex } from './index-files.ts'
import { type Item, isProblem, plain } from './item.ts'
import { dumpLog } from './log-file.ts'
import { dumpSmall } from './small-files.ts'

export interface OffsetRange {
  readonly from: number
  readonly to: number
}

export interface DumpOptions extends FormatOptions {
  readonly records?: boolean
  readonly offsets?: OffsetRange
  readonly as?: RecordKind
  /** Only problems, and how much was looked at. */
  readonly check?: boolean
}

const ALL_OFFSETS: OffsetRange = { from: 0, to: Number.POSITIVE_INFINITY }

export async function dump(paths: readonly string[], options: DumpOptions): Promise<void> {
  const files = paths.flatMap(filesOf)
  const output = new BufferedOutput()
  const counts = { entries: 0, problems: 0, damaged: 0 }
  for (const { path, kind } of files) {
    const before = counts.problems
    if (options.format === 'text' && options.check !== true) output.add(`${path}\n`)
    for (const item of itemsOf(path, kind, options)) {
      if (isProblem(item)) {
        counts.problems++
        await output.flush()
        await note(`samsa: ${path}: at byte ${item.position}: ${item.message}`)
      } else counts.entries++
      if (options.check !== true || options.format === 'json') output.add(lineOf(path, item, options))
      if (output.isFull) await output.flush()
    }
    if (counts.problems > before) counts.damaged++
  }
  if (options.check === true && options.format === 'text') {
    output.add(`${files.length} files, ${counts.entries} entries, ${counts.problems} problems\n`)
  }
  await output.flush()
  if (counts.problems > 0) {
    throw new CliError(`${counts.problems} problems in ${counts.damaged} of ${files.length} files`)
  }
}

interface FileToShow {
  readonly path: string
  readonly kind: FileKind
}

/** A file that is named must be one of a broker's; of a folder those are taken that are. */
function filesOf(path: string): FileToShow[] {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) throw new CliError(`'${path}' does not exist`)
  if (stat.isDirectory()) {
    const found = readdirSync(path)
      .sort()
      .flatMap((name) => {
        const kind = fileKindOf(name)
        return kind === null ? [] : [{ path: join(path, name), kind }]
      })
    if (found.length === 0)
      throw usageError(`'${path}' holds no file that dump knows; name a partition's folder or its files`)
    return found.filter((each) => statSync(each.path).isFile())
  }
  const kind = fileKindOf(path)
  if (kind === null) throw usageError(`'${path}' is no file that dump knows by its name; see 'samsa dump --help'`)
  return [{ path, kind }]
}

function itemsOf(path: string, kind: FileKind, options: DumpOptions): Generator<Item> {
  switch (kind) {
    case 'log':
    case 'metadata-snapshot': {
      const isSnapshot = kind === 'metadata-snapshot'
      const records = options.as ?? (isSnapshot ? 'metadata' : recordKindOf(path))
      const range = options.offsets ?? ALL_OFFSETS
      return dumpLog(path, { ...range, kind: records, records: options.records === true, isSnapshot })
    }
    case 'offset-index':
    case 'time-index':
    case 'txn-index':
      return dumpIndex(path, kind)
    default:
      return dumpSmall(path, kind)
  }
}

function lineOf(path: string, item: Item, { format, check }: DumpOptions): string {
  if (format === 'json') {
    if (isProblem(item)) {
      const { position, message } = item
      return `${JSON.stringify({ file: path, kind: 'problem', position, message })}\n`
    }
    if (check === true) return ''
    const fields = plain(item.fields) as Record<string, unknown>
    return `${JSON.stringify({ file: path, kind: item.kind, position: item.position, ...fields })}\n`
  }
  return isProblem(item) ? '' : `  ${item.text}\n`
}
