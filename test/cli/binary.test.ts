// The one file that `npm run build` makes: a broker with everything in it, run where there is nothing else of ours.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Child } from '../support/child-process.ts'
import { REPOSITORY } from '../support/kafka-jars.ts'

const TIMEOUT_MS = 120_000
const folder = mkdtempSync(join(tmpdir(), 'samsa-binary-'))
const binary = join(folder, 'samsa')
let broker: Child | null = null
let bootstrap = ''

function run(command: readonly string[], input = ''): { status: number; output: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { cwd: folder, stdin: Buffer.from(input) })
  return { status: exitCode, output: stdout.toString() + (exitCode === 0 ? '' : stderr.toString()) }
}

beforeAll(async () => {
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
