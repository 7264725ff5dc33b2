/** What the pure layers may not do: they get time, randomness, timers, disks and sockets as arguments. */
import { describe, expect, test } from 'bun:test'
import { importsOf } from './imports.ts'
import { blankOut, placesOf, type SourceFile, sourceFiles } from './source-files.ts'

const PURE = ['protocol', 'records', 'log', 'coordinator']
/** State machines: an `await` between a check and the change that relies on it would be a race. */
const SYNCHRONOUS = ['src/coordinator/group/']

interface Ban {
  readonly pattern: RegExp
  readonly instead: string
}

const BANNED_CALLS: readonly Ban[] = [
  { pattern: /\bDate\.now\b|\bnew Date\(\)/, instead: 'take nowMs as an argument, or a Clock (src/storage/clock.ts)' },
  { pattern: /\bperformance\.(now|timeOrigin)\b/, instead: 'take a Clock (src/storage/clock.ts)' },
  { pattern: /\bBun\.nanoseconds\b|\bprocess\.hrtime\b/, instead: 'take a Clock (src/storage/clock.ts)' },
  {
    pattern: /\bMath\.random\b|\bcrypto\.(randomUUID|getRandomValues)\b|\brandom(Bytes|UUID|Int)\s*\(/,
    instead: 'take a Random (src/storage/random.ts)',
  },
  { pattern: /\bset(Timeout|Interval)\b/, instead: 'take Timers (src/storage/timers.ts)' },
  { pattern: /\bBun\.\w+/, instead: 'take a Disk, a Clock or a Random (src/storage)' },
  { pattern: /\bfetch\s*\(\s*['"`]/, instead: 'nothing here talks to the network' },
  { pattern: /\bprocess\.(env|exit|on|argv)\b/, instead: 'pass the value in; src/cli reads the environment' },
  { pattern: /\bconsole\.\w+/, instead: 'take a Logger (src/storage/logger.ts)' },
]

const BANNED_IMPORTS =
  /^(node:)?(fs|fs\/promises|net|tls|http|https|dgram|child_process|worker_threads|os|timers)$|^bun(:ffi|:sqlite)?$/

/** Hashing and compression are arithmetic, also where the runtime lends them. */
const ALLOWED_CALLS = /^Bun\.(hash|zstdCompressSync|zstdDecompressSync|gzipSync|gunzipSync|deflateSync|inflateSync|gc)/

function pureFiles(): SourceFile[] {
  return PURE.flatMap((folder) => sourceFiles(`src/${folder}`)).filter(({ path }) => !path.endsWith('-real.ts'))
}

function bannedIn(file: SourceFile): string[] {
  const calls = BANNED_CALLS.flatMap(({ pattern, instead }) =>
    placesOf(file, pattern)
      .filter(({ match }) => !ALLOWED_CALLS.test(match))
      .map(({ place, match }) => `${place} uses ${match}: ${instead}`),
  )
  const imports = importsOf(file)
    .filter(({ specifier, typeOnly }) => !typeOnly && BANNED_IMPORTS.test(specifier))
    .map(({ specifier, line }) => `${file.path}:${line} imports ${specifier}: go through src/storage`)
  return [...calls, ...imports]
}

describe('pure layers', () => {
  test('no clock, randomness, timers, files, sockets or environment', () => {
    expect(pureFiles().flatMap(bannedIn)).toEqual([])
  })

  test('state machines have no await', () => {
    const broken = sourceFiles('src')
      .filter(({ path }) => SYNCHRONOUS.some((folder) => path.startsWith(folder)))
      .flatMap((file) => placesOf(file, /\b(async|await)\b/))
      .map(({ place, match }) => `${place} uses ${match}: return records and timers, let the runtime wait`)
    expect(broken).toEqual([])
  })
})

describe('the ban itself', () => {
  function verdict(text: string): string[] {
    return bannedIn({ path: 'x.ts', text, lines: text.split('\n'), code: blankOut(text) })
  }

  test('names file, line, call and replacement', () => {
    expect(verdict('const a = 1\nconst t = Date.now()')).toEqual([
      'x.ts:2 uses Date.now: take nowMs as an argument, or a Clock (src/storage/clock.ts)',
    ])
    expect(verdict("import { openSync } from 'node:fs'")).toEqual(['x.ts:1 imports node:fs: go through src/storage'])
  })

  test('comments, strings and types are free', () => {
    expect(
      verdict("// Date.now()\nconst s = 'Math.random()' /* setTimeout */\nimport type { Socket } from 'bun'"),
    ).toEqual([])
  })

  test('a call inside a template is seen', () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is the source text under test
    expect(verdict('const s = `at ${Date.now()} o`')).toHaveLength(1)
  })
})
