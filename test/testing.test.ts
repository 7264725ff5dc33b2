// The broker as a process of its own, started from Bun and from Node.

import { afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Admin } from '../src/client/index.ts'
import { type SamsaOptions, type SamsaProcess, startSamsa } from '../src/testing.ts'
import { Child } from './support/child-process.ts'
import { REPOSITORY } from './support/kafka-jars.ts'
import { nodeProgram } from './support/node-program.ts'
import { interopTest } from './support/tools.ts'

const TIMEOUT_MS = 120_000
const POLL_MS = 20
const started: SamsaProcess[] = []
const folders: string[] = []

// Processes are started; a machine with other work takes its time.
setDefaultTimeout(TIMEOUT_MS)

afterEach(async () => {
  await Promise.all(started.splice(0).map((broker) => broker.stop()))
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

async function start(options: SamsaOptions = {}): Promise<SamsaProcess> {
  const broker = await startSamsa({ timeoutMs: TIMEOUT_MS / 2, ...options })
  started.push(broker)
  return broker
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'samsa-testing-'))
  folders.push(path)
  return path
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

async function untilGone(port: number): Promise<void> {
  const deadline = performance.now() + TIMEOUT_MS / 2
  while (await accepts(port)) {
    if (performance.now() > deadline) throw new Error('the broker is still there')
    await Bun.sleep(POLL_MS)
  }
}

test('serves on a free port with the settings given, and is gone after stop, also when stopped twice', async () => {
  const logged: string[] = []
  const broker = await start({ config: { 'num.partitions': '3' }, onLog: (line) => logged.push(line) })
  expect(broker.bootstrap).toBe(`127.0.0.1:${broker.port}`)
  {
    await using admin = new Admin({ bootstrap: broker.bootstrap })
    await admin.createTopics([{ name: 'orders' }])
    expect((await admin.describeTopics(['orders']))[0]?.partitions).toHaveLength(3)
  }
  await Promise.all([broker.stop(), broker.stop()])
  expect(await accepts(broker.port)).toBe(false)
  expect(logged.length).toBeGreaterThan(0)
})

test('two of them live side by side', async () => {
  const [one, other] = await Promise.all([start(), start()])
  expect(one.port).not.toBe(other.port)
})

test('keeps its data in the folder given', async () => {
  const dataDirectory = folder()
  const first = await start({ dataDirectory })
  {
    await using admin = new Admin({ bootstrap: first.bootstrap })
    await admin.createTopics([{ name: 'kept' }])
  }
  await first.stop()
  const second = await start({ dataDirectory })
  await using admin = new Admin({ bootstrap: second.bootstrap })
  expect(await admin.listTopics()).toEqual(['kept'])
})

test('a start that fails says why', async () => {
  await expect(start({ config: { 'num.partitions': '0' } })).rejects.toThrow('num.partitions: Value must be at least 1')
  await expect(start({ command: ['/no/such/program'] })).rejects.toThrow('the broker did not start')
  const { port } = await start()
  await expect(start({ port })).rejects.toThrow(String(port))
})

interopTest(
  'Node: a test process that forgets its broker ends by itself, and the broker with it',
  ['node'],
  async () => {
    const program = join(folder(), 'forgets.ts')
    writeFileSync(
      program,
      `import { startSamsa } from ${JSON.stringify(join(REPOSITORY, 'src/testing.ts'))}
const broker = await startSamsa({ timeoutMs: ${TIMEOUT_MS / 2}, command: ${JSON.stringify([process.execPath, join(REPOSITORY, 'src/cli/launcher.js')])} })
console.log('port', broker.port)
`,
    )
    const child = new Child({ command: [nodeProgram()!, program] })
    const line = await child.line((each) => each.startsWith('port '), TIMEOUT_MS)
    expect(await child.exited).toBe(0)
    await untilGone(Number(line.slice('port '.length)))
  },
)
