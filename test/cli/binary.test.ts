// The one file that `npm run build` makes: a broker with everything in it, run where there is nothing else of ours.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Child } from '../support/child-process.ts'
import { REPOSITORY } from '../support/kafka-jars.ts'

const TIMEOUT_MS = 120_000
const folder = mkdtempSync(join(tmpdir(), 'samsa-binary-'))
const binary = join(folder, 'samsa')
const home = join(folder, 'home')
let broker: Child | null = null
let bootstrap = ''

/** As somebody who has just got the file: no settings, another folder than ours, nothing of our environment. */
function run(command: readonly string[], input = ''): { status: number; output: string } {
  const env = { HOME: home, PATH: process.env.PATH ?? '' }
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { cwd: home, env, stdin: Buffer.from(input) })
  return { status: exitCode, output: stdout.toString() + (exitCode === 0 ? '' : stderr.toString()) }
}

beforeAll(async () => {
  mkdirSync(home)
  const main = join(REPOSITORY, 'src/cli/main.ts')
  const build = [process.execPath, 'build', '--compile', '--minify', main, '--outfile', binary]
  expect(Bun.spawnSync(build, { cwd: folder }).exitCode).toBe(0)
  const data = join(folder, 'data')
  broker = new Child({ command: [binary, 'serve', '--listen', '127.0.0.1:0', '--http', 'off', '--data', data] })
  const ready = await broker.line((line) => line.includes(' ready on '), TIMEOUT_MS)
  bootstrap = ready.match(/ ready on (\S+)/)![1]!
}, TIMEOUT_MS)

afterAll(async () => {
  await broker?.stop()
  rmSync(folder, { recursive: true, force: true })
}, TIMEOUT_MS)

for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
  test(
    `produces and consumes with ${codec}`,
    () => {
      const topic = `t-${codec}`
      const produce = ['produce', '-t', topic, '--bootstrap', bootstrap, '--compression', codec, '-K', ':']
      expect(run([binary, ...produce], 'a:1\nb:2\n')).toEqual({ status: 0, output: '' })
      const consume = ['consume', '-t', topic, '--bootstrap', bootstrap, '-o', 'start', '-e', '-f', '%k=%s\\n']
      expect(run([binary, ...consume])).toEqual({ status: 0, output: 'a=1\nb=2\n' })
    },
    TIMEOUT_MS,
  )
}

test(
  'its dump reads what its broker wrote',
  () => {
    const log = join(folder, 'data', 't-zstd-0', '00000000000000000000.log')
    expect(run([binary, 'dump', log]).status).toBe(0)
  },
  TIMEOUT_MS,
)

test(
  'its lab has the second process that sending needs',
  () => {
    const { status, output } = run([
      binary,
      'lab',
      'io',
      '--path',
      folder,
      '--size',
      '1M',
      '--quick',
      '--method',
      'send-read',
    ])
    expect({ status, sends: output.includes('send-read') }).toEqual({ status: 0, sends: true })
  },
  TIMEOUT_MS,
)

test(
  'profiles: made in an empty home, used by the commands',
  () => {
    expect(run([binary, 'profile', 'create', 'mine', `brokers=${bootstrap}`]).status).toBe(0)
    expect(existsSync(join(home, '.config/samsa/profiles.yaml'))).toBe(true)
    expect(run([binary, 'topics', 'list', '--format', 'json'])).toMatchObject({ status: 0 })
    const search = [
      'consume',
      '^t-',
      '-o',
      'start',
      '-e',
      '-q',
      '--key-filter',
      '/^a$/',
      '-f',
      '%v\\n',
      '--max-scanned',
      '99',
    ]
    expect(run([binary, ...search])).toEqual({ status: 0, output: '1\n'.repeat(5) })
    expect(run([binary, 'profile', 'delete', 'mine']).status).toBe(0)
  },
  TIMEOUT_MS,
)

for (const { words, shows } of [
  { words: ['version'], shows: 'samsa ' },
  { words: ['completion', 'bash'], shows: 'complete -F _samsa samsa' },
  { words: ['doctor', '-b', 'BOOTSTRAP', '--data', 'DATA'], shows: 'sends its clients to' },
  { words: ['groups', 'list', '-b', 'BOOTSTRAP'], shows: '' },
  { words: ['bench', 'broker', '--list'], shows: 'produce-16k' },
  {
    words: [
      'lab',
      'codecs',
      '--sample',
      'json',
      '--codec',
      'zstd',
      '--level',
      '1',
      '--rounds',
      '1',
      '--quick',
      '--size',
      '64K',
      '--html',
      'codecs.html',
    ],
    shows: 'zstd',
  },
  { words: ['dump', '--check', 'DATA/t-gzip-0'], shows: ' 0 problems' },
  { words: ['help', 'consume'], shows: 'Examples:' },
]) {
  test(
    words.join(' '),
    () => {
      const data = join(folder, 'data')
      const given = words.map((word) => word.replace('BOOTSTRAP', bootstrap).replace('DATA', data))
      const { status, output } = run([binary, ...given])
      expect({ status, shows: output.includes(shows), output: status === 0 ? '' : output }).toEqual({
        status: 0,
        shows: true,
        output: '',
      })
    },
    TIMEOUT_MS,
  )
}

test(
  'a reader that has seen enough is no error',
  () => {
    const commands = ['topics list', 'profile properties', 'completion zsh', 'consume --help']
    for (const command of commands) {
      const line = `("${binary}" ${command} -b ${bootstrap}; echo "code $?" >&2) | true`
      const words = command === 'topics list' ? line : line.replace(` -b ${bootstrap}`, '')
      const { stderr } = Bun.spawnSync(['bash', '-c', words], { env: { HOME: home, PATH: process.env.PATH ?? '' } })
      expect([command, stderr.toString()]).toEqual([command, 'code 0\n'])
    }
  },
  TIMEOUT_MS,
)
