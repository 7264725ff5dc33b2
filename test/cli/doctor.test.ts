/** What is broken has a name: each of these set-ups is wrong in one way. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Socket } from 'bun'
import { inspectCluster, partitionFindings, skewFinding } from '../../src/cli/doctor/cluster-state.ts'
import type { Finding } from '../../src/cli/doctor/finding.ts'
import { inspectMachine } from '../../src/cli/doctor/machine.ts'
import type { ClusterOptions } from '../../src/client/cluster.ts'
import { type SamsaProcess, startSamsaWith } from '../support/samsa-process.ts'
import { environment, SAMSA, samsa } from './program.ts'

setDefaultTimeout(120_000)

const folder = mkdtempSync(join(tmpdir(), 'samsa-doctor-'))
let broker: SamsaProcess
let astray: SamsaProcess

beforeAll(async () => {
  const openssl = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'key', '-out', 'cert', '-days', '2']
  const made = Bun.spawnSync(['openssl', ...openssl, '-subj', '/CN=localhost'], { cwd: folder })
  if (made.exitCode !== 0) throw new Error(made.stderr.toString())
  broker = await startSamsaWith({ dataDirectory: join(folder, 'a') })
  astray = await startSamsaWith({ dataDirectory: join(folder, 'b'), arguments: ['--advertise', '127.0.0.1:1'] })
}, 180_000)

afterAll(async () => {
  await Promise.all([broker?.stop(), astray?.stop()])
  rmSync(folder, { recursive: true, force: true })
}, 60_000)

function look(address: { host: string; port: number }, more: Partial<ClusterOptions> = {}): Promise<Finding[]> {
  return inspectCluster({ bootstrap: [address], timeoutMs: 3_000, clientId: 'doctor', ...more })
}

/** The broker behind TLS. */
function tlsProxy(target: { host: string; port: number }) {
  interface Pair {
    readonly out: Promise<Socket>
  }
  return Bun.listen<Pair>({
    hostname: '127.0.0.1',
    port: 0,
    tls: { key: readFileSync(join(folder, 'key')), cert: readFileSync(join(folder, 'cert')) },
    socket: {
      open: (socket) => {
        const back = { data: (_: Socket, chunk: Buffer) => void socket.write(chunk), close: () => void socket.end() }
        socket.data = { out: Bun.connect({ hostname: target.host, port: target.port, socket: back }) }
      },
      data: (socket, chunk) => void socket.data.out.then((out) => out.write(chunk)),
      close: (socket) => void socket.data?.out.then((out) => out.end()),
      error: () => undefined,
    },
  })
}

describe('addresses', () => {
  test('all is well', async () => {
    const findings = await look(broker)
    expect(findings.filter(({ level }) => level !== 'ok')).toEqual([])
    expect(findings.map(({ check }) => check)).toEqual(['reachable', 'advertised', 'partitions', 'version', 'clock'])
    expect(findings.at(-1)?.what).toContain('agrees with that of this machine')
  })

  test('nobody is there; there is no such host', async () => {
    const [refused] = await look({ host: '127.0.0.1', port: 1 })
    expect(refused).toMatchObject({ check: 'reachable', level: 'problem' })
    expect(refused?.advice).toContain('Is a broker running there')
    const [unknown] = await look({ host: 'no-such-host.invalid', port: 9092 })
    expect(unknown?.what).toContain("there is no host 'no-such-host.invalid'")
  })

  test('an HTTP server', async () => {
    const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response('hello') })
    try {
      const [finding] = await look({ host: '127.0.0.1', port: server.port! })
      expect(finding?.what).toContain('an HTTP server listens there')
    } finally {
      await server.stop(true)
    }
  })

  test('a broker that sends its clients astray', async () => {
    const finding = (await look(astray)).find(({ check }) => check === 'advertised')
    expect(finding).toMatchObject({ level: 'problem' })
    expect(finding?.what).toContain('sends its clients to 127.0.0.1:1, which cannot be reached')
    expect(finding?.advice).toContain('It advertises a loopback address')
  })

  test('TLS spoken to without, plain text spoken to with, a certificate that nobody trusts', async () => {
    const proxy = tlsProxy(broker)
    try {
      const address = { host: '127.0.0.1', port: proxy.port }
      const [without] = await look(address)
      expect(without?.what).toContain('it speaks TLS, and was spoken to without')
      const [untrusted] = await look(address, { tls: true })
      expect(untrusted?.what).toContain('its certificate is not trusted')
      expect(untrusted?.advice).toContain('ssl.ca.location')
      const [plain] = await look(broker, { tls: true })
      expect(plain?.what).toContain('it speaks no TLS')
    } finally {
      proxy.stop(true)
    }
  })
})

describe('the state of the cluster', () => {
  const row = (partitionIndex: number, leaderId: number, isr: number[]) => {
    return { partitionIndex, leaderId, replicaNodes: [1, 2], isrNodes: isr }
  }

  test('partitions without a leader, and without all replicas', () => {
    expect(partitionFindings([{ name: 't', partitions: [row(0, 1, [1, 2])] }]).map(({ level }) => level)).toEqual([
      'ok',
    ])
    const partitions = Array.from({ length: 8 }, (_, index) => row(index, -1, []))
    const [leaderless, behind] = partitionFindings([{ name: 't', partitions: [...partitions, row(8, 1, [1])] }])
    expect(leaderless?.what).toBe('8 partitions have no leader: t-0, t-1, t-2, t-3, t-4, ...')
    expect(behind).toMatchObject({ level: 'warning', what: '1 partitions lack in-sync replicas: t-8' })
  })

  test("clocks: the broker's answer lies between question and reply", () => {
    expect(skewFinding(1_005, 1_000, 1_010).level).toBe('ok')
    expect(skewFinding(1_500, 1_000, 1_010).level).toBe('ok')
    expect(skewFinding(9_010, 1_000, 1_010)).toMatchObject({ level: 'warning' })
    expect(skewFinding(9_010, 1_000, 1_010).what).toContain('8.0 s ahead of')
    expect(skewFinding(1_000, 101_000, 101_010)).toMatchObject({ level: 'problem' })
    expect(skewFinding(1_000, 101_000, 101_010).what).toContain('100.0 s behind')
  })
})

describe('this machine', () => {
  test('everything that is looked at; nothing is left behind', async () => {
    const findings = await inspectMachine(join(folder, 'not', 'there', 'yet'))
    expect(findings.map(({ check }) => check)).toEqual(
      ['version', 'clock', 'open files', 'disk', 'file system', 'sync', 'speed'].slice(0, findings.length),
    )
    expect(findings.at(-1)?.what).toMatch(/MiB\/s$/)
    const left = Bun.spawnSync(['ls', '-A', folder]).stdout.toString()
    expect(left).not.toContain('.samsa-doctor')
  })

  test('a folder that cannot be written', async () => {
    // Where even root can make no file.
    const unwritable = existsSync('/proc/self/task') ? '/proc/self/task' : folder
    chmodSync(folder, 0o500)
    try {
      const findings = await inspectMachine(unwritable)
      expect(findings.find(({ check }) => check === 'sync')).toMatchObject({ level: 'problem' })
    } finally {
      chmodSync(folder, 0o700)
    }
  })
})

test('few open files: a warning, which only --strict makes a failure', async () => {
  const command = (more: string): string =>
    `ulimit -n 512; exec "$@" doctor --no-cluster --data ${folder} --format json ${more}`
  const run = async (more: string): Promise<[number, Finding | undefined]> => {
    const ended = Bun.spawnSync(['bash', '-c', command(more), '_', ...SAMSA], { env: environment() })
    const findings = JSON.parse(ended.stdout.toString()) as Finding[]
    return [ended.exitCode, findings.find(({ check }) => check === 'open files')]
  }
  expect(await run('')).toEqual([
    0,
    expect.objectContaining({ level: 'warning', what: 'a process may open 512 files' }),
  ])
  expect((await run('--strict'))[0]).toBe(1)
})

test('a problem makes the exit code 1, with a line on stderr', async () => {
  const { exitCode, stdout, stderr } = await samsa(['doctor', '-b', astray.bootstrap, '--data', folder])
  expect(exitCode).toBe(1)
  expect(stdout).toContain(`FAIL  broker 1 sends its clients to 127.0.0.1:1`)
  expect(stderr).toMatch(/^samsa: 1 of \d+ checks failed\n$/)
})
