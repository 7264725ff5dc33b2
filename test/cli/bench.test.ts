/** `samsa bench` as people run it, against a broker of its own. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WORKLOADS } from '../../src/lab/broker/workloads.ts'
import { type SamsaProcess, startSamsaWith } from '../support/samsa-process.ts'
import { environment, SAMSA, samsa, withFolder } from './program.ts'

/** Processes are started, and the machine may be busy. */
setDefaultTimeout(60_000)

let broker: SamsaProcess
beforeAll(async () => {
  broker = await startSamsaWith({ arguments: ['--durability', 'os'] })
})
afterAll(() => broker.stop())

/** One round without what goes before it. */
const SHORT = ['--rounds', '1', '--seconds', '0.4', '--warmup', '0.1', '--warmup-rounds', '0', '--prewarm', '0']

async function topicNames(): Promise<string[]> {
  const { stdout } = await samsa(['topics', 'list', '--format', 'json', '-b', broker.bootstrap])
  return (JSON.parse(stdout) as { name: string }[]).map(({ name }) => name)
}

test('--list names every workload with what it does', async () => {
  const { exitCode, stdout } = await samsa(['bench', 'broker', '--list'])
  expect(exitCode).toBe(0)
  const lines = stdout.trimEnd().split('\n')
  expect(lines.map((line) => line.split(' ')[0])).toEqual(WORKLOADS.map(({ name }) => name))
  expect(lines.every((line, index) => line.endsWith(WORKLOADS[index]!.summary))).toBe(true)
})

describe('a broker by address', () => {
  const PRODUCER = /^\d+ records sent, \d+\.\d{6} records\/sec \(\d+\.\d\d MB\/sec\), .*\.$/
  const CONSUMER = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d:\d{3}, .*, 0, \d+, \d+\.\d{4}, \d+\.\d{4}$/

  test('lines of the tools, results, page, and no topic left', async () => {
    await withFolder(async (folder) => {
      const page = join(folder, 'report.html')
      const only = 'produce-16k,tail-16k,end-to-end,latency-1k,slow-consumer,connections-10,partitions-10,topics-10'
      const files = ['--json', `${folder}/results/`, '--html', page]
      const { exitCode, stdout, stderr } = await samsa([
        ...['bench', 'broker', '-b', `mine=${broker.bootstrap}`, '--only', only],
        ...SHORT,
        ...files,
      ])
      expect({ exitCode, stderr: stderr.replaceAll(/^warning: .*\n/gm, '') }).toEqual({ exitCode: 0, stderr: '' })
      const lines = stdout.split('\n')
      const at = lines.indexOf('# tail-16k, mine, round 1 of 1')
      expect(lines[at + 1]).toMatch(PRODUCER)
      expect(lines[at + 2]).toStartWith('start.time, end.time, ')
      expect(lines[at + 3]).toMatch(CONSUMER)
      expect(stdout).toContain('\nConsumers beside producers\n')
      expect(stdout).toContain(`process ${broker.child.pid} on this machine`)

      const written = readdirSync(join(folder, 'results')).sort()
      expect(written).toEqual(
        only
          .split(',')
          .map((name) => `${name}-mine.json`)
          .sort(),
      )
      for (const name of written) {
        const result = JSON.parse(readFileSync(join(folder, 'results', name), 'utf8')) as Record<string, number[]>
        expect(result.publishRate?.[0], name).toBeGreaterThan(0)
      }
      const html = readFileSync(page, 'utf8')
      expect(html).toContain('More connections')
      expect(html).not.toMatch(/\s(src|href)\s*=\s*["']/)
    })
    expect((await topicNames()).filter((name) => name.startsWith('samsa-bench-'))).toEqual([])
  })

  test('an open loop keeps to its rate, and one file holds all results', async () => {
    await withFolder(async (folder) => {
      const file = join(folder, 'all.json')
      const words = ['bench', 'broker', '-b', broker.bootstrap, '--only', 'latency-1k,end-to-end', '--rate', '200']
      const { exitCode, stdout } = await samsa([...words, ...SHORT, '--json', file])
      expect(exitCode).toBe(0)
      expect(stdout.replaceAll(/\s+/g, ' ')).toContain('open loop at 200 records/s')
      const results = JSON.parse(readFileSync(file, 'utf8')) as Record<string, number[]>[]
      expect(results.map(({ workload }) => workload as unknown)).toEqual(['latency-1k', 'end-to-end'])
      for (const { publishRate, publishDelayLatencyMax } of results) {
        // How near to its rate it comes is up to the machine (the schedule itself: `pacer.test.ts`); a closed loop would be ten times as fast.
        expect(publishRate![0]!).toBeGreaterThan(0)
        expect(publishRate![0]!).toBeLessThan(1000)
        expect(publishDelayLatencyMax![0]!).toBeGreaterThan(0)
      }
    })
  })

  test('a broker that is not there: one line, exit code 1', async () => {
    const { exitCode, stdout, stderr } = await samsa(['bench', 'broker', '-b', '127.0.0.1:1', ...SHORT])
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
    expect(stderr).toContain('127.0.0.1:1')
  })

  test('Ctrl-C ends it and deletes its topics', async () => {
    const words = ['bench', 'broker', '-b', broker.bootstrap, '--only', 'produce-100b', '--seconds', '60']
    const child = Bun.spawn([...SAMSA, ...words], { stdout: 'ignore', stderr: 'pipe', env: environment() })
    while (!(await topicNames()).some((name) => name.startsWith('samsa-bench-'))) await Bun.sleep(20)
    child.kill('SIGINT')
    expect(await child.exited).toBe(1)
    expect(await child.stderr.text()).toContain('interrupted')
    expect((await topicNames()).filter((name) => name.startsWith('samsa-bench-'))).toEqual([])
  })
})

describe('side by side', () => {
  test.if(process.platform === 'linux')('Samsa and the limit of the machine, written and read', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'samsa-bench-test-'))
    try {
      const words = ['bench', 'compare', '--samsa-only', '--only', 'produce-16k,latency-1k', '--data', folder]
      const { exitCode, stdout, stderr } = await samsa([...words, ...SHORT])
      expect({ exitCode, stderr: stderr.replaceAll(/^warning: .*\n/gm, '') }).toEqual({ exitCode: 0, stderr: '' })
      expect(stdout).toContain('# produce-16k, Machine limit, round 1 of 1\n')
      expect(stdout).toMatch(/produce 16 KiB +produced, MB\/s .* \d+ %\n/)
      expect(stdout).toContain('os: answered from the page cache')
      expect(readdirSync(folder)).toEqual([])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  test('without a Kafka it says how to get one', async () => {
    const variables = { SAMSA_KAFKA_LIBS: '/nowhere/kafka' }
    const { exitCode, stderr } = await samsa(['bench', 'compare', ...SHORT], { environment: variables })
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/SAMSA_KAFKA_LIBS names \/nowhere\/kafka|there is no java/)
  })
})

test.each([
  [['--rounds', '0'], '--rounds <n>'],
  [['--rounds', '1.5'], 'whole number'],
  [['--seconds', '99999'], 'from 0.1 to 3600'],
  [['--rate', 'fast'], '--rate <n>'],
  [['--only', 'nonsense'], "no workload is called 'nonsense'"],
  [['-b', 'x=1.2.3.4:1,x=1.2.3.4:2'], "two brokers are called 'x'"],
])('wrong usage %p: exit code 2', async (words, message) => {
  const { exitCode, stderr } = await samsa(['bench', 'broker', ...words])
  expect(exitCode).toBe(2)
  expect(stderr).toContain(message)
})
