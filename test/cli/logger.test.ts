import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger, type LoggerOptions } from '../../src/cli/logger.ts'

/** Processes are started, and the machine may be busy. */
setDefaultTimeout(30_000)

const NOW = new Date('2026-01-31T12:00:00.123Z')

function lines(options: Partial<LoggerOptions>, log: (logger: ReturnType<typeof createLogger>) => void): string[] {
  const written: string[] = []
  const write = (line: string): boolean => {
    written.push(line)
    return true
  }
  log(createLogger({ format: 'text', level: 'info', now: () => NOW, write, ...options }))
  return written
}

describe('text', () => {
  test('time, level, message, then fields', () => {
    expect(
      lines({}, (logger) => logger.info('loaded', { topic: 'orders', partitions: 3, skipped: undefined })),
    ).toEqual(['2026-01-31T12:00:00.123Z INFO  loaded topic=orders partitions=3\n'])
  })

  test('values with blanks or quotes are quoted', () => {
    expect(
      lines({}, (logger) => logger.warn('x', { path: 'a b', empty: '', quote: 'a"b', list: [1, 2] }))[0],
    ).toEndWith(' x path="a b" empty="" quote="a\\"b" list=[1,2]\n')
  })

  test('what a client sent cannot begin a new line', () => {
    const [line] = lines({}, (logger) => logger.info('client\nfake ERROR', { id: 'a\n2026 ERROR x', esc: '\x1b[31m' }))
    expect(line?.split('\n')).toHaveLength(2)
    expect(line).not.toContain('\x1b')
  })

  test('an expected error gives its message, a bug its stack, both in one line', () => {
    const expected = Object.assign(new Error('no space'), { code: 'ENOSPC' })
    const [one, two] = lines({}, (logger) => {
      logger.error('write failed', { error: expected })
      logger.error('bug', { error: new TypeError('x is not a function') })
    })
    expect(one).toEndWith('error="Error: no space"\n')
    expect(two).toContain('TypeError: x is not a function\\n')
    expect(two?.split('\n')).toHaveLength(2)
  })

  test('colour only when asked for', () => {
    expect(lines({ colour: true }, (logger) => logger.error('x'))[0]).toStartWith('\x1b[31m')
    expect(lines({}, (logger) => logger.error('x'))[0]).not.toContain('\x1b')
  })
})

describe('json', () => {
  test('one object per line', () => {
    const error = Object.assign(new Error('gone'), { code: 'X' })
    const [line] = lines({ format: 'json' }, (logger) => logger.info('a\nb', { offset: 5, error }))
    expect(line?.endsWith('\n')).toBe(true)
    expect(JSON.parse(line ?? '')).toEqual({
      time: '2026-01-31T12:00:00.123Z',
      level: 'info',
      message: 'a\nb',
      offset: 5,
      error: 'Error: gone',
    })
  })
})

test('lines below the level are not written', () => {
  const written = lines({ level: 'warn' }, (logger) => {
    logger.debug('d')
    logger.info('i')
    logger.warn('w')
    logger.error('e')
  })
  expect(written.map((line) => line.split(' ')[1])).toEqual(['WARN', 'ERROR'])
})

test('lines that could not be written are counted, and the count is logged when writing works again', () => {
  const written: string[] = []
  let full = false
  const write = (line: string): boolean => {
    if (full) return false
    written.push(line)
    return true
  }
  const logger = createLogger({ format: 'text', level: 'info', now: () => NOW, write })
  full = true
  logger.info('lost 1')
  logger.info('lost 2')
  full = false
  logger.info('back')
  expect(written.map((line) => line.slice(25).trim())).toEqual(['WARN  log lines dropped lines=2', 'INFO  back'])
})

test.skipIf(process.platform !== 'linux')(
  'a pipe that nobody reads does not stop the process (needs /proc)',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'samsa-logger-'))
    const path = join(folder, 'pipe')
    Bun.spawnSync(['mkfifo', path])
    const pipe = openSync(path, constants.O_RDWR)
    const script = `
    const { createLogger } = await import(${JSON.stringify(join(import.meta.dir, '../../src/cli/logger.ts'))})
    const logger = createLogger({ format: 'json', level: 'info' })
    for (let index = 0; index < 20000; index++) logger.info('x'.repeat(50), { index })
    process.stdout.write('done')
  `
    try {
      const child = Bun.spawn([process.execPath, '-e', script], { stdout: 'pipe', stderr: pipe })
      expect(await child.stdout.text()).toBe('done')
      const buffer = Buffer.alloc(1024 * 1024)
      const text = buffer.toString('utf8', 0, readSync(pipe, buffer))
      const whole = text.split('\n').slice(0, -1)
      for (const [index, line] of whole.entries()) expect(JSON.parse(line)).toMatchObject({ level: 'info', index })
      expect(whole.length).toBeGreaterThan(100)
      expect(whole.length).toBeLessThan(20_000)
    } finally {
      closeSync(pipe)
      rmSync(folder, { recursive: true })
    }
  },
)
