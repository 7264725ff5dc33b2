/** `samsa serve` as a process: what scripts and operators rely on. */
import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Connection } from '../../src/client/connection.ts'
import { Child } from '../support/child-process.ts'
import { environment, SAMSA, samsa, withFolder } from './program.ts'

/** Processes are started, and the machine may be busy. */
setDefaultTimeout(30_000)

const READY = /^samsa (\d+\.\d+\.\d+) ready on (\S+):(\d+) \((.*)\)$/
const START_TIMEOUT_MS = 60_000

const children: Child[] = []
afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.stop()))
})

interface Serving {
  readonly child: Child
  readonly host: string
  readonly port: number
  readonly ready: string
}

async function serve(arguments_: readonly string[], variables: Record<string, string> = {}): Promise<Serving> {
  const child = new Child({
    command: [...SAMSA, 'serve', '--http', 'off', ...arguments_],
    environment: environment(variables),
  })
  children.push(child)
  const ready = await child.line((line) => line.includes(' ready on '), START_TIMEOUT_MS)
  const [, host = '', port = ''] = / ready on ([^\s"]+):(\d+)/.exec(ready) ?? []
  return { child, host, port: Number(port), ready }
}

const MEMORY = ['--storage', 'memory', '--listen', '127.0.0.1:0']

function onDisk(folder: string, ...more: string[]): string[] {
  return ['--listen', '127.0.0.1:0', '--data', folder, ...more]
}

describe('the ready line', () => {
  test('says version, address, node, data, durability, topics and time, and clients can connect', async () => {
    await withFolder(async (folder) => {
      const { ready, host, port, child } = await serve(onDisk(folder, '--node-id', '7'))
      expect(ready).toMatch(READY)
      expect(READY.exec(ready)?.[4]).toMatch(new RegExp(`^node 7, data ${folder}, durability os, 0 topics, \\d+ ms$`))
      const connection = await Connection.connect({ host, port })
      await connection.close()
      expect(await child.stop()).toBe(0)
      expect(child.lines).toEqual([ready])
    })
  })

  test('counts the topics that were there', async () => {
    await withFolder(async (folder) => {
      const first = await serve(onDisk(folder))
      const created = await samsa(['topics', 'create', 'a', 'b', '-b', `127.0.0.1:${first.port}`])
      expect(created.stderr).toBe('')
      await first.child.stop()
      expect((await serve(onDisk(folder))).ready).toContain(', 2 topics,')
    })
  })

  test('with --log-format json it is one object, and so is every line on stderr', async () => {
    const { child, ready, port } = await serve([...MEMORY, '--log-format', 'json'])
    expect(JSON.parse(ready)).toMatchObject({
      level: 'info',
      address: `127.0.0.1:${port}`,
      nodeId: 1,
      storage: 'memory',
      durability: 'memory',
      topics: 0,
    })
    await child.stop()
    const lines = child.stderr.trimEnd().split('\n')
    expect(lines.length).toBeGreaterThan(1)
    for (const line of lines) expect(JSON.parse(line)).toHaveProperty('message')
  })

  test('memory storage says so, and leaves no folder', async () => {
    await withFolder(async (folder) => {
      const command = [...MEMORY, '--data', join(folder, 'never')]
      expect((await serve(command)).ready).toContain('(node 1, data in memory, durability memory, 0 topics, ')
      expect(await Bun.file(join(folder, 'never', 'meta.properties')).exists()).toBe(false)
    })
  })
})

describe('what is logged at start', () => {
  test("the defaults that differ from Kafka's, unless they were set", async () => {
    const plain = await serve(MEMORY)
    await plain.child.stop()
    expect(plain.child.stderr).toContain("defaults that differ from Kafka's")
    expect(plain.child.stderr).toContain('group.initial.rebalance.delay.ms=0')
    const set = await serve([...MEMORY, '--set', 'group.initial.rebalance.delay.ms=3000'])
    await set.child.stop()
    expect(set.child.stderr).not.toContain('group.initial.rebalance.delay.ms')
  })

  test('a property that nobody knows is a warning', async () => {
    const { child } = await serve([...MEMORY, '--set', 'log.retention.mss=5'])
    await child.stop()
    expect(child.stderr).toMatch(/ WARN .*log\.retention\.mss/)
  })
})

describe('configuration', () => {
  async function retentionOf(port: number): Promise<string | undefined> {
    const bootstrap = `127.0.0.1:${port}`
    await samsa(['topics', 'create', 't', '-b', bootstrap])
    const { stdout } = await samsa(['topics', 'describe', 't', '--configs', '-b', bootstrap])
    return /Config: retention\.ms=(\d+)/.exec(stdout)?.[1]
  }

  test('--set over environment over file', async () => {
    await withFolder(async (folder) => {
      const file = join(folder, 'server.properties')
      writeFileSync(file, 'log.retention.ms=3000\nlisteners=PLAINTEXT://127.0.0.1:0\n')
      const memory = ['--storage', 'memory', '--config', file]
      const variable = { SAMSA_LOG_RETENTION_MS: '2000' }
      expect(await retentionOf((await serve(memory)).port)).toBe('3000')
      expect(await retentionOf((await serve(memory, variable)).port)).toBe('2000')
      expect(await retentionOf((await serve([...memory, '--set', 'log.retention.ms=1000'], variable)).port)).toBe(
        '1000',
      )
    })
  }, 60_000)
})

describe('what prevents a start', () => {
  async function refused(words: readonly string[], exitCode: number): Promise<string> {
    const ended = await samsa(['serve', '--http', 'off', ...words])
    expect(ended.stdout).toBe('')
    expect(ended.exitCode).toBe(exitCode)
    const lines = ended.stderr.trimEnd().split('\n')
    const last = lines.at(-1) ?? ''
    expect(last).toStartWith('samsa: ')
    expect(ended.stderr).not.toMatch(/^\s+at /m)
    return last
  }

  test('the port is taken', async () => {
    const { port } = await serve(MEMORY)
    const address = `127.0.0.1:${port}`
    expect(await refused(['--storage', 'memory', '--listen', address], 1)).toContain(address)
  })

  test('another broker holds the data folder', async () => {
    await withFolder(async (folder) => {
      const first = await serve(onDisk(folder))
      expect(await refused(onDisk(folder), 1)).toContain(folder)
      expect(await first.child.stop()).toBe(0)
      await serve(onDisk(folder))
    })
  })

  test('the data folder may not be written', async () => {
    // Not even root may make folders here.
    expect(await refused(onDisk('/sys/samsa-data'), 1)).toContain('/sys/samsa-data')
  })

  test('the data folder is a file', async () => {
    await withFolder(async (folder) => {
      const data = join(folder, 'file')
      writeFileSync(data, '')
      expect(await refused(onDisk(data), 1)).toContain(data)
    })
  })

  test('an impossible value: the key, the value and what is allowed', async () => {
    const message = await refused([...MEMORY, '--set', 'log.segment.bytes=small'], 2)
    expect(message).toContain('log.segment.bytes')
    expect(message).toContain('small')
    expect(message).toContain('allowed')
  })

  test('a file cannot be read', async () => {
    expect(await refused([...MEMORY, '--config', 'none.properties'], 2)).toContain("'none.properties'")
  })
})

describe('how it ends', () => {
  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('%s is a clean stop', async (signal) => {
    await withFolder(async (folder) => {
      const { child, port } = await serve(onDisk(folder))
      const connection = await Connection.connect({ host: '127.0.0.1', port })
      child.kill(signal)
      expect(await child.exited).toBe(0)
      await connection.whenClosed()
      expect(child.stderr).toContain(`stopping signal=${signal}`)
      expect(child.stderr).toContain('stopped ms=')
    })
  })

  test('a key press that arrives twice, as under npm, is one signal', async () => {
    const { child } = await serve(MEMORY)
    child.kill('SIGINT')
    child.kill('SIGINT')
    expect(await child.exited).toBe(0)
  })

  test('a consumer that waits is not in the way', async () => {
    const { child, port } = await serve(MEMORY)
    const bootstrap = `127.0.0.1:${port}`
    await samsa(['produce', '-b', bootstrap, '-t', 't'], { stdin: 'before\n' })
    const command = [...SAMSA, 'consume', '-b', bootstrap, '-t', 't', '-o', 'beginning', '--timeout', '1000']
    const consumer = new Child({ command })
    children.push(consumer)
    await consumer.line((line) => line === 'before', 60_000)
    const startMs = performance.now()
    child.kill('SIGTERM')
    expect(await child.exited).toBe(0)
    // As promised for every stop.
    expect(performance.now() - startMs).toBeLessThan(10_000)
  })
})

describe('the HTTP port', () => {
  const READY_HTTP = / http (127\.0\.0\.1:\d+), /

  async function serveHttp(http: readonly string[], more: readonly string[] = []): Promise<Child> {
    const child = new Child({ command: [...SAMSA, 'serve', ...http, ...MEMORY, ...more], environment: environment() })
    children.push(child)
    return child
  }

  test('is open where it was asked for, is named in the ready line, and ends with the broker', async () => {
    const child = await serveHttp(['--http', '127.0.0.1:0'])
    const ready = await child.line((line) => line.includes(' ready on '), START_TIMEOUT_MS)
    const address = READY_HTTP.exec(ready)?.[1]
    const health = await fetch(`http://${address}/healthz`)
    expect([health.status, await health.text()]).toEqual([200, 'ready\n'])
    expect(await child.stop()).toBe(0)
    expect(fetch(`http://${address}/healthz`)).rejects.toThrow()
  })

  test('that was asked for and is taken is a start error', async () => {
    const taken = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
    try {
      const ended = await samsa(['serve', '--http', `127.0.0.1:${taken.port}`, ...MEMORY])
      expect(ended.exitCode).toBe(1)
      expect(ended.stderr.trimEnd().split('\n').at(-1)).toBe(
        `samsa: not started: cannot listen on 127.0.0.1:${taken.port} (http): the port is in use`,
      )
    } finally {
      taken.stop(true)
    }
  })

  test('at the default address is done without where it is taken', async () => {
    // Whether it is this test or somebody else on the machine who has it, makes no difference.
    let taken: { stop(force: boolean): void } | null = null
    try {
      taken = Bun.listen({ hostname: '127.0.0.1', port: 9080, socket: { data() {} } })
    } catch {
      taken = null
    }
    try {
      const child = await serveHttp([])
      const ready = await child.line((line) => line.includes(' ready on '), START_TIMEOUT_MS)
      expect(ready).not.toContain(' http ')
      expect(await child.stop()).toBe(0)
      expect(child.stderr).toContain(
        'cannot listen on 127.0.0.1:9080 (http): the port is in use; the broker goes on without',
      )
    } finally {
      taken?.stop(true)
    }
  })
})
