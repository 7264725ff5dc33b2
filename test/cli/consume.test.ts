/** `samsa consume` and `samsa produce` as people search and copy with them, against a running broker. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BrokerTarget, startTarget } from '../support/broker-target.ts'
import { Child } from '../support/child-process.ts'
import { interopTest } from '../support/tools.ts'
import { type Ended, environment, type RunOptions, SAMSA, samsa, withFolder } from './program.ts'

/** Processes are started, and the machine may be busy. */
setDefaultTimeout(120_000)

let broker: BrokerTarget
beforeAll(async () => {
  broker = await startTarget({ 'auto.create.topics.enable': 'false', 'group.initial.rebalance.delay.ms': '0' })
  await ok(['topics', 'create', 'lines', 'copied', 'grouped', 'files', 'atomic', 'orders.eu', '-p', '1'])
  await ok(['topics', 'create', 'mixed', '-p', '2'])
  await ok(['topics', 'create', 'packed', 'small', '-p', '1', '-c', 'max.message.bytes=2000'])
  await ok(['produce', '-t', 'lines'], { stdin: Array.from({ length: 100 }, (_, index) => `line ${index}\n`).join('') })
  await ok(['produce', '-t', 'mixed', '-p', '0', '-K:', '-H', 'source=web'], { stdin: 'k1:tea\nk2:coffee\n' })
  await ok(['produce', '-t', 'mixed', '-p', '1', '-K:', '-Z', '-H', 'source=app', '-H', 'null'], {
    stdin: 'k1:\nk3:green tea\n',
  })
  await ok(['produce', '-t', 'orders.eu'], { stdin: 'o\n' })
}, 180_000)
afterAll(() => broker?.stop())

function run(words: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return samsa(words, { ...options, environment: { SAMSA_BOOTSTRAP: broker.bootstrap, ...options.environment } })
}

async function ok(words: readonly string[], options: RunOptions = {}): Promise<string> {
  const { exitCode, stdout, stderr } = await run(words, options)
  expect([exitCode, stderr]).toEqual([0, ''])
  return stdout
}

/** Everything from the beginning; of several partitions, sorted. */
async function all(...more: string[]): Promise<string[]> {
  const { exitCode, stdout } = await run(['consume', '-o', 'beginning', '-e', '-q', ...more])
  expect(exitCode).toBe(0)
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .sort()
}

describe('search', () => {
  test('filters of all kinds, over all partitions; all of them must be met', async () => {
    expect(await all('-t', 'mixed', '--value-filter', 'tea')).toEqual(['green tea', 'tea'])
    expect(await all('-t', 'mixed', '--value-filter', '/^tea$/')).toEqual(['tea'])
    expect(await all('-t', 'mixed', '--key-filter', 'k1', '-f', '%p:%k\\n')).toEqual(['0:k1', '1:k1'])
    expect(await all('-t', 'mixed', '--header-filter', 'source=app', '--header-filter', 'null', '-K=')).toEqual([
      'k1=',
      'k3=green tea',
    ])
    expect(await all('-t', 'mixed', '--header-filter', 'source=web', '--value-filter', 'coffee')).toEqual(['coffee'])
  })

  test('a summary on stderr; -q leaves it out', async () => {
    const words = ['consume', '-t', 'lines', '-o', 'beginning', '-e', '--value-filter', '/9$/']
    const { stdout, stderr } = await run(words)
    expect(stdout.trimEnd().split('\n')).toHaveLength(10)
    expect(stderr).toMatch(/^samsa: 10 of 100 records \([\d,]+\/s, .*\/s\) matched in \d+\.\d s\n$/)
    expect((await run([...words, '-q'])).stderr).toBe('')
  })

  test('no more is looked at than --max-scanned, no more printed than -c', async () => {
    const words = ['consume', '-t', 'lines', '-o', 'beginning', '--value-filter', 'line']
    const scanned = await run([...words, '--max-scanned', '30', '-c', '50'])
    expect(scanned.stdout.trimEnd().split('\n')).toHaveLength(30)
    expect(scanned.stderr).toContain('30 of 30 records')
    expect((await run([...words, '--max-scanned', '30', '-c', '5'])).stdout).toBe(
      'line 0\nline 1\nline 2\nline 3\nline 4\n',
    )
  })

  test('Ctrl-C ends a search that waits for more with a summary, whole lines and exit code 0', async () => {
    const child = new Child({
      command: [...SAMSA, 'consume', '-t', 'lines', '-o', 'beginning', '--value-filter', 'line 99'],
      environment: environment({ SAMSA_BOOTSTRAP: broker.bootstrap }),
    })
    await child.line((line) => line === 'line 99', 60_000)
    child.kill('SIGINT')
    expect(await child.exited).toBe(0)
    expect(child.stderr).toMatch(/^samsa: 1 of 100 records .* matched in .* s, interrupted\n$/)
  })

  test('topics by name and by expression', async () => {
    expect(await all('^orders\\.', '-f', '%t\\n')).toEqual(['orders.eu'])
    expect(await all('orders.eu', '-t', 'mixed', '-f', '%t\\n')).toEqual([
      'mixed',
      'mixed',
      'mixed',
      'mixed',
      'orders.eu',
    ])
    expect((await run(['consume', '^nothing-like-it', '-e'])).stderr).toContain('no topic matches ^nothing-like-it')
    expect((await run(['consume', '-t', '^('])).exitCode).toBe(2)
  })
})

describe('where to begin and to stop', () => {
  test.each([
    ['10:13', '10 11 12'],
    ['-3:-2', '97'],
    ['@-1h:+1', '0'],
  ])('%s', async (where, expected) => {
    expect((await ok(['consume', '-t', 'lines', '-o', where, '-f', '%o '])).trim()).toBe(expected)
  })

  test('kcat: s@ and e@ as two options; nothing that is as young is nothing', async () => {
    const between = ['consume', '-t', 'lines', '-o', 's@0', '-o', `e@${Date.now() + 60_000}`, '-f', '%o ']
    expect((await ok(between)).split(' ')).toHaveLength(101)
    expect(await ok(['consume', '-t', 'lines', '-o', 'e@1'])).toBe('')
  })
})

describe('as a member of a group', () => {
  test('goes on where it was, commits exactly what was printed, and stops at the end', async () => {
    await ok(['produce', '-t', 'grouped'], { stdin: 'a\nb\nc\nd\n' })
    const read = (...more: string[]): Promise<string> => ok(['consume', '-G', 'readers', '-t', 'grouped', ...more])
    expect(await read('-o', 'beginning', '-c', '3')).toBe('a\nb\nc\n')
    const rows = (await run(['groups', 'describe', 'readers'])).stdout.split('\n')
    expect(rows[1]?.split(/ +/).slice(0, 6)).toEqual(['readers', 'grouped', '0', '3', '4', '1'])
    expect(await ok(['consume', '-t', 'grouped', '-o', 'stored', '--offsets-of', 'readers', '-e'])).toBe('d\n')
    expect(await read('-e')).toBe('d\n')
    expect(await read('-e')).toBe('')
    await ok(['groups', 'seek', 'readers', '--shift-by', '-2'])
    expect(await read('-e')).toBe('c\nd\n')
  })

  test('what makes no sense in one is refused before anything is asked', async () => {
    for (const more of [
      ['-p', '0'],
      ['-o', '5'],
      ['-o', '1:2'],
      ['--offsets-of', 'g'],
    ]) {
      expect((await run(['consume', '-G', 'g', '-t', 't', ...more, '-b', '127.0.0.1:1'])).exitCode).toBe(2)
    }
    expect((await run(['consume', '-t', 't', '-o', 'stored', '-b', '127.0.0.1:1'])).stderr).toContain('name it with -G')
  })
})

describe('input', () => {
  test('JSON goes through a pipe without a loss', async () => {
    await withFolder(async (folder) => {
      const bytes = join(folder, 'bytes')
      writeFileSync(bytes, Buffer.from([0xff, 0x00, 0x0a]))
      await ok(['produce', '-t', 'files', bytes, '-k', 'b', '-H', 'h=1', '-H', 'n'])
      const json = await ok(['consume', '-t', 'files', '-o', 'beginning', '-e', '--format', 'json'])
      await ok(['produce', '-t', 'copied', '--json'], { stdin: json })
      await ok(['produce', '-t', 'copied', '--json'], {
        stdin: await ok(['consume', '-t', 'files', '-o', 'beginning', '-e', '-J']),
      })
      const printed = ['-o', 'beginning', '-e', '-f', '%k %h %v{hex}\\n']
      expect(await ok(['consume', '-t', 'copied', ...printed])).toBe('b h=1,n=NULL ff000a\n'.repeat(2))
    })
  })

  test('-l splits the file, -c stops, -T repeats', async () => {
    await withFolder(async (folder) => {
      const lines = join(folder, 'lines')
      writeFileSync(lines, 'x\ny\nz\n')
      expect(await ok(['produce', '-t', 'copied', '-l', lines, '-c', '2', '-T'])).toBe('x\ny\n')
      expect(await ok(['consume', '-t', 'copied', '-o', '-2', '-e'])).toBe('x\ny\n')
      expect((await run(['produce', '-t', 'copied', join(folder, 'nope')])).stderr).toContain('there is no file')
      expect((await run(['produce', '-t', 'copied', '--json'], { stdin: '{}\nno' })).stderr).toContain(
        'line 2 is no JSON',
      )
    })
  })

  test('a transaction: all of it or nothing', async () => {
    const words = ['produce', '-t', 'atomic', '-X', 'transactional.id=t1', '--json']
    await ok(words, { stdin: '{"value":"a"}\n{"value":"b"}\n' })
    expect((await run(words, { stdin: '{"value":"c"}\nno\n' })).exitCode).toBe(1)
    const read = (...more: string[]): Promise<string> =>
      ok(['consume', '-t', 'atomic', '-o', 'beginning', '-e', ...more])
    expect(await read('--read-committed')).toBe('a\nb\n')
    expect(await read('-X', 'isolation.level=read_committed')).toBe('a\nb\n')
  })
})

describe('what fails', () => {
  test('the records before the one that cannot be shown are printed', async () => {
    await ok(['produce', '-t', 'packed'], { stdin: 'AAAA\nBBBB\nno\nCCCC\n' })
    const { exitCode, stdout, stderr } = await run([
      ...['consume', '-t', 'packed', '-o', 'beginning', '-e', '-s', 'value=>i'],
    ])
    expect([exitCode, stdout]).toEqual([1, '1094795585\n1111638594\n'])
    expect(stderr).toContain('packed-0 at offset 2')
  })

  test('a group does not wait for topics that are not there', async () => {
    const missing = await run(['consume', '-G', 'waiting', '-t', 'nowhere'])
    expect([missing.exitCode, missing.stderr]).toEqual([1, expect.stringContaining("topic 'nowhere'")])
    const unmatched = await run(['consume', '-G', 'waiting', '-t', '^nowhere', '-e'])
    expect([unmatched.exitCode, unmatched.stderr]).toEqual([1, 'samsa: no topic matches ^nowhere\n'])
  })

  test('refused records: what has been delivered is told', async () => {
    const refused = 'x'.repeat(5_000)
    const { exitCode, stderr } = await run(['produce', '-t', 'small', '--linger', '0', '-p', '0'], {
      stdin: `${refused}\n`,
    })
    expect([exitCode, stderr]).toEqual([1, 'samsa: produce to small-0: MESSAGE_TOO_LARGE; 0 of 1 records delivered\n'])
    const wrong = await run(['produce', '-t', 'small', '--json'], { stdin: '{"value":"a"}\n{"valueBase64":"A"}\n' })
    expect(wrong.stderr).toBe('samsa: line 2: valueBase64 is no Base64; 1 of 1 records delivered\n')
    expect(await ok(['consume', '-t', 'small', '-o', 'beginning', '-e'])).toBe('a\n')
    const aborted = await run(['produce', '-t', 'small', '--transactional-id', 'small-1'], { stdin: `a\n${refused}\n` })
    expect(aborted.stderr).toBe('samsa: produce to small-0: MESSAGE_TOO_LARGE; the transaction is not committed\n')
  })

  test('a folder is no record', async () => {
    await withFolder(async (folder) => {
      expect((await run(['produce', '-t', 'copied', folder])).stderr).toBe(
        `samsa: '${folder}' is a folder, not a file\n`,
      )
    })
  })
})

describe('profiles', () => {
  test('the current profile says where the cluster is; --profile before the command, too', async () => {
    await withFolder(async (folder) => {
      const file = join(folder, 'p.yaml')
      writeFileSync(
        file,
        `current: here\nprofiles:\n  here: { brokers: "${broker.bootstrap}" }\n  gone: { brokers: "127.0.0.1:1", timeout.ms: 2000 }\n`,
      )
      const samsaWith = (...words: string[]): Promise<Ended> =>
        samsa(words, { environment: { SAMSA_PROFILES_FILE: file } })
      expect((await samsaWith('topics', 'list')).stdout).toContain('lines\n')
      expect((await samsaWith('--profile', 'gone', 'topics', 'list')).stderr).toContain('no connection to 127.0.0.1:1')
      expect(
        (await samsaWith('-X', `brokers=${broker.bootstrap}`, 'topics', 'list', '--profile', 'gone')).exitCode,
      ).toBe(0)
    })
  })
})

interopTest('the same bytes as kcat prints', ['kcat'], async () => {
  await ok(['topics', 'create', 'same', '-p', '1'])
  await ok(['produce', '-t', 'same', '-K:', '-Z', '-H', 'a=1', '-H', 'b=', '-H', 'n'], {
    stdin: 'k:v\nk:\n:v\nno key\n',
  })
  await ok(['produce', '-t', 'same', '-K:'], { stdin: 'k:\n:\ntäxt:"quoted\t"\n' })
  const printed = (program: readonly string[], words: readonly string[]): string => {
    const given = ['-b', broker.bootstrap, '-t', 'same', '-e', '-q', '-o', 'beginning', ...words]
    const ended = Bun.spawnSync([...program, ...given], { env: environment() })
    expect([words, ended.exitCode, ended.stderr.toString()]).toEqual([words, 0, ''])
    return ended.stdout.toString('latin1')
  }
  const everything = '%t|%p|%o|%k|%K|%s|%S|%R|%h|%T|%%|%s{%k}|\\t\\x41\\101\\q\\\\\\n'
  const cases = [
    ['-f', everything],
    ['-Z', '-f', everything],
    ['-J'],
    ['-K:', '-Z'],
    ['-D', '\\n--\\n', '-c', '2'],
    ['-u'],
  ]
  for (const words of cases) {
    expect([words, printed([...SAMSA, 'consume'], words)]).toEqual([words, printed(['kcat', '-C'], words)])
  }
})
