/** `samsa lab io` as people run it. */
import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { METHODS } from '../../src/lab/io/methods/index.ts'
import type { LabResult } from '../../src/lab/io/report.ts'
import { environment, SAMSA, samsa, withFolder } from './program.ts'

/** Processes are started, and the machine may be busy. */
setDefaultTimeout(60_000)

const SMALL = ['--size', '1MiB', '--block', '64KiB', '--rounds', '1', '--seconds', '0.02']

test('--list names every method with what it does', async () => {
  const { exitCode, stdout } = await samsa(['lab', 'io', '--list'])
  expect(exitCode).toBe(0)
  const lines = stdout.trimEnd().split('\n')
  for (const { name, does } of METHODS) {
    expect(
      lines.some((line) => line.startsWith(`${name} `) && line.endsWith(does)),
      name,
    ).toBe(true)
  }
  expect(lines).toHaveLength(METHODS.length + 1)
  const some = await samsa(['lab', 'io', '--list', '--method', 'write-pool-*,fsync'])
  expect(some.stdout.match(/^\S+/gm)).toEqual(['METHOD', 'write-pool-1', 'write-pool-8', 'fsync'])
})

describe('results', () => {
  test('JSON on stdout and nothing else there; HTML in its file; nothing left in the folder', async () => {
    await withFolder(async (folder) => {
      const page = join(folder, 'io.html')
      const words = ['lab', 'io', '--path', folder, ...SMALL, '--json', '-', '--html', page]
      const { exitCode, stdout, stderr } = await samsa(words)
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: `report: ${page}\n` })
      const result = JSON.parse(stdout) as LabResult
      expect(result.settings).toEqual({ sizeBytes: 1024 * 1024, rounds: 1, secondsPerRun: 0.02 })
      expect(result.environment.map(({ name }) => name)).toContain('disk')
      expect(new Set(result.rows.map(({ method }) => method))).toEqual(new Set(METHODS.map(({ name }) => name)))
      const write = result.rows.find(({ method }) => method === 'write')!
      expect(Object.keys(write.figures ?? {})).toEqual([
        'rounds',
        'throughput',
        'onDevice',
        'operationsPerSecond',
        'cpuSecondsPerGb',
        'latencyUs',
      ])
      expect(result.reading.findings.length).toBeGreaterThan(0)
      expect(result.reading.recommendations.map(({ setting }) => setting)).toContain('--durability')
      expect(readFileSync(page, 'utf8')).toContain('Samsa sequential I/O lab')
      expect(readdirSync(folder)).toEqual(['io.html'])
    })
  })

  test('as tables, without a C library: what needs one says so', async () => {
    await withFolder(async (folder) => {
      const words = ['lab', 'io', '--path', folder, ...SMALL, '--method', 'write,write-direct,read']
      const { exitCode, stdout } = await samsa(words, { environment: { SAMSA_NO_FFI: '1' } })
      expect(exitCode).toBe(0)
      expect(stdout).toMatch(/^ *write-direct +refused$/m)
      expect(stdout).toContain('write-direct: needs a C library to call (aligned memory)')
      expect(stdout).toContain('read: needs a C library to call (posix_fadvise)')
      expect(stdout).toMatch(/^ *write +[\d,.]+$/m)
    })
  })
})

describe('wrong usage: exit code 2 and one line', () => {
  const cases: [string[], string][] = [
    [[], '--path is missing'],
    [['--path', '.', '--method', 'nonsense'], "there is no method 'nonsense'"],
    [['--path', '.', '--size', 'large'], 'It must be a number of bytes'],
    [['--path', '.', '--block', '100'], 'A block has 512 B to 64 MiB'],
    [['--path', '.', '--size', '1MiB', '--block', '2MiB'], 'is less than the largest block'],
    [['--path', '.', '--rounds', '0'], 'above 0'],
    [['--path', '.', '--html', '/no/such/folder/io.html'], "--html '/no/such/folder/io.html' cannot be written"],
    [['--path', '.', '--seconds', '-1'], 'above 0'],
  ]
  test.concurrent.each(cases.map(([words, text]) => [words.join(' ') || '(nothing)', words, text] as const))(
    '%s',
    async (_, words, text) => {
      const { exitCode, stdout, stderr } = await samsa(['lab', 'io', ...words])
      expect(stderr).toContain(text)
      expect(stderr.trimEnd().split('\n')).toHaveLength(1)
      expect(stdout).toBe('')
      expect(exitCode).toBe(2)
    },
  )
})

describe('a disk that cannot be measured: exit code 1 and one line', () => {
  test('no room', async () => {
    await withFolder(async (folder) => {
      const { exitCode, stderr } = await samsa(['lab', 'io', '--path', folder, '--size', '4000TiB'])
      expect(stderr).toMatch(/^samsa: not enough room in .* are needed, .* are free; give a smaller --size\n$/)
      expect(exitCode).toBe(1)
      expect(readdirSync(folder)).toEqual([])
    })
  })

  test('no folder', async () => {
    const { exitCode, stderr } = await samsa(['lab', 'io', '--path', '/no/such/folder'])
    expect(stderr).toContain("'/no/such/folder' is not a folder")
    expect(exitCode).toBe(1)
  })
})

test.each(['SIGINT', 'SIGTERM'] as const)('%s removes the files', async (signal) => {
  await withFolder(async (folder) => {
    const words = ['lab', 'io', '--path', folder, '--size', '16MiB', '--rounds', '100']
    const child = Bun.spawn([...SAMSA, ...words], {
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
      env: environment(),
    })
    while (readdirSync(folder, { recursive: true }).length < 2 && child.exitCode === null) await Bun.sleep(5)
    child.kill(signal)
    expect(await child.exited).toBe(1)
    expect(await child.stderr.text()).toBe('samsa: interrupted; its files are removed\n')
    expect(await child.stdout.text()).toBe('')
    expect(readdirSync(folder)).toEqual([])
  })
})
