/** What the program says when it is asked for help or used wrongly. No broker is needed. */
import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { samsa } from './program.ts'

/** Processes are started, and the machine may be busy. */
setDefaultTimeout(30_000)

describe('help', () => {
  test('without a command the help lists all of them', async () => {
    const { stdout } = await samsa(['--help'])
    for (const name of ['serve', 'topics', 'profile', 'completion']) expect(stdout).toContain(`\n  ${name} `)
    expect(stdout).toContain('Examples:\n  ')
  })

  test('help of the options that users ask about', async () => {
    const { stdout } = await samsa(['serve', '--help'])
    for (const option of ['--listen', '--advertise', '--data', '--durability', '--set', '--config', '--http']) {
      expect(stdout).toContain(option)
    }
    expect(stdout).toContain('Where the default port is taken the broker goes on without.')
  })
})

describe('wrong usage: exit code 2, one line on stderr, nothing on stdout', () => {
  const cases: [string[], string][] = [
    [[], 'a command is missing'],
    [['nonsense'], "unknown command 'nonsense'"],
    [['topics'], 'a command is missing'],
    [['topics', 'create'], "missing required argument 'topic'"],
    [['topics', 'create', 't', '--partitions', 'many'], '--partitions <n>'],
    [['topics', 'create', 't', '--config', 'novalue'], 'is not KEY=VALUE'],
    [['topics', 'alter', 't'], 'nothing to alter'],
    [['topics', 'list', '--format', 'yaml'], 'Allowed choices are text, json'],
    [['topics', 'list', '--bootstrap', ':x'], 'is not HOST:PORT'],
    [['produce'], "required option '-t, --topic <topic>' not specified"],
    [['produce', '-t', 't', '-z', 'brotli'], 'Allowed choices are none, gzip, snappy, lz4, zstd'],
    [['produce', '-t', 't', '--acks', '2'], 'It must be all, 1 or 0'],
    [['produce', '-t', 't', '-K', ''], 'must not be empty'],
    [['produce', '-t', 't', '-z', 'gzip', '--level', '10'], 'gzip has levels from 1 to 9'],
    [['configs', 'describe', 'broker', 'one', '-b', '127.0.0.1:1'], "'one' is no node id"],
    [['consume', '-t', 't', '-G', ''], 'must not be empty'],
    [['consume', '-t', 't', '-o', 'middle'], 'none of beginning, end'],
    [['consume', '-t', 't', '-f', '%y'], 'there is no %y'],
    [['consume', '-t', 't', '-p', 'zero'], 'list of numbers'],
    [['consume', '-t', 't', '--format', 'json', '-f', '%s'], 'does not go with'],
    [['groups', 'describe', 'g', '--members', '--state'], 'give one of them'],
    [['serve', '--listen', 'nowhere'], 'names no port'],
    [['serve', '--durability', 'maybe'], 'Allowed choices are memory, os, fsync'],
    [['serve', '--storage', 'memory', '--durability', 'fsync'], 'cannot be promised'],
    [['serve', '--config', 'no-such-file.properties'], "'no-such-file.properties' cannot be read: it does not exist"],
    [['serve', '--set', 'novalue'], 'is not KEY=VALUE'],
    [['serve', '--frobnicate'], "unknown option '--frobnicate'"],
  ]
  test.concurrent.each(cases.map(([words, text]) => [words.join(' ') || '(nothing)', words, text] as const))(
    '%s',
    async (_, words, text) => {
      const { exitCode, stdout, stderr } = await samsa(words)
      expect(stderr).toContain(text)
      expect(stderr.trimEnd().split('\n')).toHaveLength(1)
      expect(stderr).toStartWith('samsa: ')
      expect(stdout).toBe('')
      expect(exitCode).toBe(2)
    },
  )
})

describe('no broker there', () => {
  test.concurrent.each([
    ['topics list', ['topics', 'list']],
    ['consume', ['consume', '-t', 't']],
    ['groups list', ['groups', 'list']],
  ] as const)('%s: exit code 1 and one line that names the address', async (_, words) => {
    const { exitCode, stderr, stdout } = await samsa([...words, '-b', '127.0.0.1:1'])
    expect(stderr).toContain('no connection to 127.0.0.1:1')
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
    expect(stdout).toBe('')
    expect(exitCode).toBe(1)
  })
})

test('version, as text and as JSON', async () => {
  const text = await samsa(['version'])
  expect(text.stdout).toMatch(/^samsa \d+\.\d+\.\d+ \(bun \d/)
  const json = JSON.parse((await samsa(['version', '--format', 'json'])).stdout) as { samsa: string }
  expect(text.stdout).toContain(`samsa ${json.samsa} `)
  expect((await samsa(['--version'])).stdout).toBe(`samsa ${json.samsa}\n`)
})
