/**
 * Micro-benchmarks of every function that a record passes. Each suite registers its own; a pattern chooses among them by name.
 *
 *   npm run bench:micro                     all of them
 *   npm run bench:micro -- 'crc|validate'   those whose name matches
 *   npm run bench:micro -- --format markdown append
 *
 * What they measure is the function alone, its data in the CPU's caches: good for comparing two versions of it, not for predicting a
 * broker's throughput (docs/benchmarks.md).
 */
import { run } from 'mitata'
import * as frames from './frames.ts'
import * as groups from './groups.ts'
import * as indexes from './indexes.ts'
import * as log from './log.ts'
import * as messages from './messages.ts'
import * as records from './records.ts'

const FORMATS = ['mitata', 'markdown', 'json'] as const
type Format = (typeof FORMATS)[number]

interface Arguments {
  readonly filter: RegExp
  readonly format: Format
}

function parse(words: readonly string[]): Arguments | string {
  let format: Format = 'mitata'
  let filter = /.*/
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!
    if (word === '--format') {
      const given = words[++index]
      const known = FORMATS.find((each) => each === given)
      if (known === undefined) return `--format is one of ${FORMATS.join(', ')}`
      format = known
    } else if (word.startsWith('-')) return `there is no option ${word}; give a pattern, and --format`
    else filter = new RegExp(word, 'i')
  }
  return { filter, format }
}

const parsed = parse(process.argv.slice(2))
if (typeof parsed === 'string') {
  console.error(parsed)
  process.exit(2)
}

const closers: (() => Promise<void>)[] = []
try {
  frames.register()
  messages.register()
  records.register()
  indexes.register()
  closers.push(await log.register())
  closers.push(await groups.register())
  const { filter } = parsed
  const format = parsed.format === 'json' ? { json: { debug: false, samples: false } } : parsed.format
  await run({ filter, format, throw: true, colors: process.stdout.isTTY === true })
} finally {
  for (const close of closers) await close()
}
process.exit(0)
