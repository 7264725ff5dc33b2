/**
 * What a broker costs a test suite: `bun bench/embedded.ts [files]`. Writes a project of so many test files (100), each of which starts a broker of its
 * own, makes a topic, produces and reads a record, and runs it with `bun test`; then starts brokers in fresh processes, one after the other,
 * and, where Kafka's jars are (`.ci/install-interop`), one Kafka. Prints seconds and milliseconds.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kafkaJars } from '../test/support/kafka-jars.ts'
import { startKafkaWith } from '../test/support/kafka-process.ts'

const STARTS = 10
const SOURCE = join(import.meta.dir, '../src/index.ts')

function testFile(index: number): string {
  return `import { expect, test } from 'bun:test'
import { Broker, Producer } from ${JSON.stringify(SOURCE)}

test('file ${index}', async () => {
  await using broker = await Broker.start()
  await broker.topic('orders').create()
  await using producer = new Producer({ bootstrap: broker.bootstrap })
  await producer.send({ topic: 'orders', value: 'tea' })
  expect(await broker.topic('orders').values()).toEqual(['tea'])
})
`
}

const ONE_START = `const importedMs = performance.now()
const { Broker } = await import(${JSON.stringify(SOURCE)})
const beganMs = performance.now()
const broker = await Broker.start()
const startedMs = performance.now()
await broker.stop()
const againMs = performance.now()
const again = await Broker.start()
const endMs = performance.now()
await again.stop()
console.log(JSON.stringify([beganMs - importedMs, startedMs - beganMs, endMs - againMs]))
`

function run(command: string[], cwd: string): { seconds: number; output: string } {
  const beganMs = performance.now()
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, { cwd })
  if (exitCode !== 0) throw new Error(`${command.join(' ')} ended with ${exitCode}\n${stdout}${stderr}`)
  return { seconds: (performance.now() - beganMs) / 1000, output: stdout.toString() }
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0
}

const files = Number(process.argv[2] ?? 100)
const folder = mkdtempSync(join(tmpdir(), 'samsa-embedded-bench-'))
try {
  mkdirSync(join(folder, 'test'))
  for (let index = 0; index < files; index++) writeFileSync(join(folder, 'test', `t${index}.test.ts`), testFile(index))
  const suite = run([process.execPath, 'test'], folder)
  console.log(`${files} test files with a broker each: ${suite.seconds.toFixed(2)} s`)
  writeFileSync(join(folder, 'start.ts'), ONE_START)
  const starts = Array.from({ length: STARTS }, () => {
    return JSON.parse(run([process.execPath, 'start.ts'], folder).output) as [number, number, number]
  })
  for (const [place, name] of ['import of samsa', 'first start of a process', 'second start'].entries()) {
    const times = starts.map((each) => each[place] ?? 0)
    console.log(`${name}: median ${median(times).toFixed(1)} ms, least ${Math.min(...times).toFixed(1)} ms`)
  }
  if (kafkaJars() !== null) {
    const beganMs = performance.now()
    const kafka = await startKafkaWith({})
    console.log(`one Kafka, formatted and started: ${((performance.now() - beganMs) / 1000).toFixed(2)} s`)
    await kafka.stop()
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
