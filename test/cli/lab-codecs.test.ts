/** `samsa lab codecs` as people run it: options, exit codes, files, a topic of a running broker, and an interrupt. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CommanderError } from 'commander'
import { CliError, EXIT_FAILURE, EXIT_USAGE } from '../../src/cli/errors.ts'
import { codecsCommand } from '../../src/cli/lab/codecs.ts'
import type { CodecLabResult } from '../../src/lab/codecs/result.ts'
import { Child } from '../support/child-process.ts'
import { type SamsaProcess, startSamsa } from '../support/samsa-process.ts'
import { type Ended, environment, type RunOptions, SAMSA, samsa, withFolder } from './program.ts'

/** Processes are started, and the machine may be busy. */
setDefaultTimeout(30_000)

/** Little of everything: the figures do not matter here. */
const SMALL = [
  '--size',
  '64KiB',
  '--rounds',
  '1',
  '--quick',
  '--codec',
  'snappy,zstd/bun',
  '--level',
  '3',
  '--no-dictionary',
]
const ALONE = [...SMALL, '--no-broker']

function lab(words: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return samsa(['lab', 'codecs', ...words], options)
}

/** How the command fails, without a process of its own. */
async function failureOf(words: readonly string[]): Promise<{ exitCode: number; message: string }> {
  const command = codecsCommand()
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
  try {
    await command.parseAsync([...words], { from: 'user' })
  } catch (error) {
    if (error instanceof CliError) return { exitCode: error.exitCode, message: error.message }
    // Whatever commander finds wrong is bad usage.
    if (error instanceof CommanderError) return { exitCode: EXIT_USAGE, message: error.message }
    throw error
  }
  throw new Error('it worked')
}

async function result(words: readonly string[], options: RunOptions = {}): Promise<CodecLabResult> {
  const { exitCode, stdout, stderr } = await lab([...words, '--json', '-'], options)
  expect(stderr).toBe('')
  expect(exitCode).toBe(0)
  return JSON.parse(stdout) as CodecLabResult
}

describe('data', () => {
  test('a sample: table and reading on stdout, JSON and HTML in files', async () => {
    await withFolder(async (folder) => {
      const [json, html] = [join(folder, 'result.json'), join(folder, 'report.html')]
      const { exitCode, stdout, stderr } = await lab(['--sample', 'json', ...ALONE, '--json', json, '--html', html])
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
      expect(stdout).toMatch(/^Codec lab\n/)
      expect(stdout).toMatch(/ zstd\/bun +3\* /)
      expect(stdout).toContain('Settings: compression.type=')
      const written = JSON.parse(readFileSync(json, 'utf8')) as CodecLabResult
      expect(written.codecs.map(({ id }) => id)).toEqual(['none/copy', 'snappy/stream', 'snappy/raw', 'zstd/bun 3'])
      expect(readFileSync(html, 'utf8')).toStartWith('<!doctype html>')
    })
  })

  test('a file by lines with keys, and by length', async () => {
    await withFolder(async (folder) => {
      const lines = join(folder, 'lines.txt')
      writeFileSync(lines, 'key1:one\nkey2:two\nkey3:three\n'.repeat(100))
      const byLine = await result(['--file', lines, '-K', ':', ...ALONE])
      expect(byLine.data).toMatchObject({ source: `file ${lines}`, records: 300, keyBytesAverage: 4 })
      const prefixed = join(folder, 'prefixed.bin')
      writeFileSync(prefixed, Buffer.from('\x00\x03abc'.repeat(50), 'latin1'))
      const byLength = await result(['--file', prefixed, '--split', 'u16be', '--batch-size', '1k', ...ALONE])
      expect(byLength.data).toMatchObject({ records: 50, valueBytesAverage: 3, batchBytes: 1024 })
    })
  })

  test('sizes of keys and values of one’s own choice', async () => {
    const { data } = await result(['--sample', 'logs', '--key-size', '12', '--value-size', '100', ...ALONE])
    expect(data.keyBytesAverage).toBe(12)
    expect(data.valueBytesAverage).toBeWithin(99, 101)
  })

  test('goal and network make the recommendation', async () => {
    const words = ['--sample', 'metrics', ...ALONE]
    const slow = await result([...words, '--network', '0.01'])
    const fast = await result([...words, '--network', '1000000'])
    expect([slow, fast].map(({ recommendation }) => recommendation?.choice.codec)).toEqual(['zstd', 'none'])
  })
})

describe('a topic', () => {
  let broker: SamsaProcess
  beforeAll(async () => {
    broker = await startSamsa({})
  }, 60_000)
  afterAll(() => broker?.stop())

  test('its records are read from all partitions and cut anew', async () => {
    const target = { environment: { SAMSA_BOOTSTRAP: broker.bootstrap } }
    await samsa(['topics', 'create', 'orders', '--partitions', '3'], target)
    const stdin = Array.from({ length: 600 }, (_, index) => `customer-${index}:order number ${index}\n`).join('')
    await samsa(['produce', '-t', 'orders', '-K', ':', '-z', 'gzip'], { ...target, stdin })
    const { data } = await result(['--topic', 'orders', ...ALONE], target)
    expect(data).toMatchObject({ source: 'topic orders', records: 600 })
    expect(data.valueBytesAverage).toBeWithin(14, 16)
  })

  test('one that does not exist is a failure in one line', async () => {
    const { exitCode, stdout, stderr } = await lab(['--topic', 'nowhere', '-b', broker.bootstrap, ...ALONE])
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
    expect(stderr).toMatch(/^samsa: .*nowhere.*does not exist.*\n$/)
  })
})

describe('usage', () => {
  test('--list names engines, levels and what is missing, and measures nothing', async () => {
    const { exitCode, stdout } = await lab(['--list'], { environment: { SAMSA_NO_FFI: '1' } })
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/^ENGINE +LIBRARY +MEASURED LEVELS +TAKES +WHAT\n/)
    expect(stdout).toMatch(/^gzip\/node +Bun \S+ +1 2 3 4 5 6 7 8 9 +1\.\.9 /m)
    expect(stdout).toMatch(/^lz4\/system .*not here: FFI is switched off \(SAMSA_NO_FFI=1\)$/m)
  })

  test.each([
    [[], 'name the data: one of --file, --topic and --sample'],
    [['--sample', 'json', '--file', 'x'], 'name the data: one of --file, --topic and --sample'],
    [['--sample', 'poems'], "'poems'"],
    [['--sample', 'json', '--codec', 'brotli'], "there is no codec or engine 'brotli'"],
    [['--sample', 'json', '--codec', 'gzip', '--level', '44'], 'no chosen engine knows level 44'],
    [['--sample', 'json', '--level', 'high'], 'a list of whole numbers'],
    [['--sample', 'json', '--size', 'big'], 'a size such as 16384 or 16KiB'],
    [['--sample', 'json', '--size', '1024m'], '--size: at most'],
    [['--sample', 'json', '--batch-size', '64m'], '--batch-size: at most'],
    [['--sample', 'json', '--value-size', 'huge'], "--value-size: 'huge' is no size"],
    [['--sample', 'json', '--goal', 'fame'], "'fame'"],
    [['--sample', 'json', '--network', '0'], 'a number above 0'],
    [['--file', 'x', '--split', 'words'], "--split: 'words' is not lines, u16be"],
  ])('%p is bad usage', async (words, message) => {
    expect(await failureOf(words)).toEqual({ exitCode: EXIT_USAGE, message: expect.stringContaining(message) })
  })

  test('bad usage ends the process with 2, one line on stderr and nothing on stdout', async () => {
    const { exitCode, stdout, stderr } = await lab(['--sample', 'json', '--codec', 'brotli'])
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
    expect(stderr).toMatch(/^samsa: there is no codec or engine 'brotli'.*\n$/)
  })

  test('a file that is not there, or not split that way, is a failure', async () => {
    await withFolder(async (folder) => {
      const failure = async (
        name: string,
        content: string | null,
        message: string,
        more: string[] = [],
      ): Promise<void> => {
        const path = join(folder, name)
        if (content !== null) writeFileSync(path, content)
        expect(await failureOf(['--file', path, ...more])).toEqual({
          exitCode: EXIT_FAILURE,
          message: expect.stringContaining(message),
        })
      }
      await failure('missing', null, `there is no file '${folder}/missing'`)
      await failure('.', null, 'is a folder')
      await failure('empty', '', 'holds no records')
      await failure('odd', 'x', 'at byte 0 stands no u32be length', ['--split', 'u32be'])
    })
  })
})

test('Ctrl-C ends it, its broker and its temporary folder', async () => {
  await withFolder(async (folder) => {
    const child = new Child({
      command: [...SAMSA, 'lab', 'codecs', '--sample', 'json', ...SMALL, '--size', '1m'],
      environment: environment({ TMPDIR: folder }),
    })
    // The lab's broker has a folder as soon as it is being started.
    while (!readdirSync(folder).some((name) => name.startsWith('samsa-lab-codecs-'))) await Bun.sleep(5)
    child.kill('SIGINT')
    expect(await child.exited).toBe(1)
    expect(child.stderr).toContain('samsa: interrupted')
    expect(readdirSync(folder).filter((name) => name.startsWith('samsa-lab-codecs-'))).toEqual([])
  })
})
