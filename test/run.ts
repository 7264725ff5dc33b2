/**
 * `npm test`: all tests but the longest (PROGRAMS, below), in a few processes at a time. Most of the time goes into files that wait for other programs
 * (brokers that are killed, Java tools, clients in other languages); each of these has a process of its own, as has each of the other folders.
 * Output comes file by file as each process ends; the last lines name what failed and give the counts of all, in the words of the test runner.
 *
 * `npm run test:programs`: those, the same way. They run for minutes: whole Kafka programs (Streams, Connect, every tool), the comparison with a
 * real Kafka request by request, and clients of every language reading each other.
 *
 * With arguments (`npm test -- test/log -t roll`) it is the test runner itself, with these arguments.
 */

import { availableParallelism } from 'node:os'
import { Glob } from 'bun'

/** Folders whose files mostly wait. */
const WAITING = ['interop', 'differential', 'crash', 'cli', 'bench', 'lab', 'programs']
/** The longest come first, so that none of them is left for the end. */
const LONGEST = [
  ...['differential/differential', 'crash/sigkill', 'interop/client-matrix'],
  ...['programs/tools', 'programs/consumer-client', 'programs/adopt-kafka-folder', 'programs/connect'],
]
const PROCESSES = availableParallelism() + 1
/** Only ends what hangs: on a machine with other work, what takes a second here may take many. */
const TIMEOUT_MS = 180_000
/** What runs for minutes: whole Kafka programs, and a real Kafka asked the same things. */
const PROGRAMS = ['test/programs/', 'test/differential/', 'test/interop/client-matrix']

interface Counts {
  pass: number
  skip: number
  todo: number
  fail: number
}

const argumentsGiven = process.argv.slice(2)
const wantsPrograms = argumentsGiven.length === 1 && argumentsGiven[0] === '--programs'
if (argumentsGiven.length > 0 && !wantsPrograms) {
  const only = Bun.spawn([...command(), ...argumentsGiven], { stdio: ['inherit', 'inherit', 'inherit'] })
  process.exit(await only.exited)
}

const beganMs = performance.now()
const files = [...new Glob('test/**/*.test.ts').scanSync('.')]
  .filter((file) => PROGRAMS.some((start) => file.startsWith(start)) === wantsPrograms)
  .sort()
const failed: string[] = []
const total: Counts = { pass: 0, skip: 0, todo: 0, fail: 0 }
const queue = batches(files)
const running = new Set<Bun.Subprocess>()
let isBad = false

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    for (const child of running) child.kill(signal)
    process.exit(130)
  })
}

await Promise.all(Array.from({ length: PROCESSES }, work))
const seconds = ((performance.now() - beganMs) / 1000).toFixed(2)
if (failed.length > 0) console.log(`\nFailed:\n${failed.join('\n')}`)
console.log('\nAll processes together:')
for (const [word, count] of Object.entries(total)) {
  if (count > 0 || word === 'pass' || word === 'fail') console.log(` ${count} ${word}`)
}
console.log(
  `Ran ${total.pass + total.skip + total.todo + total.fail} tests across ${files.length} files. [${seconds}s]`,
)
process.exit(isBad || total.fail > 0 ? 1 : 0)

/** What one process runs each: the waiting files alone, the others folder by folder, whoever takes longest first. */
function batches(all: readonly string[]): string[][] {
  const folderOf = (file: string): string => file.split('/')[1] ?? ''
  const rank = (file: string): number => {
    const place = LONGEST.findIndex((name) => file === `test/${name}.test.ts`)
    return place < 0 ? LONGEST.length : place
  }
  const alone = all.filter((file) => WAITING.includes(folderOf(file))).sort((a, b) => rank(a) - rank(b))
  const first = alone.filter((file) => rank(file) < LONGEST.length)
  const folders = Map.groupBy(
    all.filter((file) => !WAITING.includes(folderOf(file))),
    folderOf,
  )
  return [
    ...first.map((file) => [file]),
    ...[...folders.values()].sort((a, b) => b.length - a.length),
    ...alone.slice(first.length).map((file) => [file]),
  ]
}

function command(): string[] {
  return [process.execPath, 'test', '--timeout', String(TIMEOUT_MS)]
}

async function work(): Promise<void> {
  for (let batch = queue.shift(); batch !== undefined; batch = queue.shift()) await run(batch)
}

async function run(batch: readonly string[]): Promise<void> {
  const child = Bun.spawn([...command(), ...batch.map((file) => `./${file}`)], {
    stdout: 'pipe',
    stderr: 'pipe',
  })
  running.add(child)
  const [out, errors, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  running.delete(child)
  process.stdout.write(out + errors)
  const counts = countsIn(errors)
  failed.push(...failuresIn(errors))
  for (const word of Object.keys(total) as (keyof Counts)[]) total[word] += counts[word]
  // One that ends badly without a failed test (a crash, an error between tests) is a failure all the same.
  if (status === 0) return
  isBad = true
  if (counts.fail === 0) failed.push(`${batch.join(' ')}: ended with status ${status}`)
}

/** The tests that failed, each below its file. */
function failuresIn(text: string): string[] {
  const found: string[] = []
  let file = ''
  for (const line of text.split('\n')) {
    if (/^test\/.*\.test\.ts:$/.test(line)) file = line
    else if (line.startsWith('(fail) ')) found.push(`${file} ${line.slice('(fail) '.length)}`)
  }
  return found
}

/** The counts at the end of the test runner's output. */
function countsIn(text: string): Counts {
  const count = (word: string): number => Number(text.match(new RegExp(`^ *(\\d+) ${word}$`, 'm'))?.[1] ?? 0)
  return { pass: count('pass'), skip: count('skip'), todo: count('todo'), fail: count('fail') }
}
