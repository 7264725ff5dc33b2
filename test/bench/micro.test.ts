/** The micro-benchmarks run: what they measure has not gone from under them. */
import { expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { REPOSITORY } from '../support/kafka-jars.ts'

setDefaultTimeout(60_000)

async function micro(...words: string[]) {
  const child = Bun.spawn(
    [join(REPOSITORY, 'node_modules/.bin/bun'), join(REPOSITORY, 'bench/micro/run.ts'), ...words],
    { stdout: 'pipe', stderr: 'pipe' },
  )
  const [stdout, stderr, exitCode] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
  return { stdout, stderr, exitCode }
}

test('all of them are set up, and those whose name matches are measured', async () => {
  const { stdout, stderr, exitCode } = await micro('--format', 'json', '^crc32c: 64 B$')
  expect(stderr).toBe('')
  expect(exitCode).toBe(0)
  const { benchmarks } = JSON.parse(stdout) as { benchmarks: { runs: { name: string; stats: { p50: number } }[] }[] }
  const runs = benchmarks.flatMap((benchmark) => benchmark.runs)
  expect(runs.map(({ name }) => name)).toEqual(['crc32c: 64 B'])
  expect(runs[0]!.stats.p50).toBeGreaterThan(0)
})

test('what cannot be meant is bad usage', async () => {
  expect(await micro('--nope')).toMatchObject({ exitCode: 2, stdout: '' })
  expect(await micro('--format', 'pdf')).toMatchObject({ exitCode: 2, stdout: '' })
})
