/** `samsa export` as a process: files that are the broker's, runs that were cut and go on, and what it refuses. */
import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Socket } from 'bun'
import { verifyLogFile } from '../../src/cli/export/verify.ts'
import { batchOf, batchOfSize, createTopic, produce } from '../broker/support/test-broker.ts'
import { type Serving, serving, until } from '../http/support.ts'
import { Child } from '../support/child-process.ts'
import { interopTest, javaCommand } from '../support/tools.ts'
import { type Ended, SAMSA, samsa, withFolder } from './program.ts'

setDefaultTimeout(30_000)

let broker: Serving
afterEach(() => broker.stop())

const MIB = 1024 * 1024

interface Summary {
  readonly topic: string
  readonly bytesFetched: number
  readonly partitions: readonly {
    readonly partition: number
    readonly firstOffset: number | null
    readonly nextOffset: number | null
    readonly segments: number
    readonly segmentsFetched: number
    readonly bytes: number
    readonly bytesFetched: number
  }[]
}

function exportTo(folder: string, ...more: string[]): Promise<Ended> {
  return samsa(['export', 't', '--output', folder, '--http', `127.0.0.1:${broker.http.port}`, ...more])
}

async function summary(folder: string, ...more: string[]): Promise<Summary> {
  const ended = await exportTo(folder, '--format', 'json', ...more)
  expect(ended.stderr).toBe('')
  expect(ended.exitCode).toBe(0)
  return JSON.parse(ended.stdout) as Summary
}

/** Partition 0 with several segments, partition 1 with one batch, partition 2 with none. */
async function withTopic(): Promise<void> {
  broker = await serving({ onDisk: true })
  await createTopic(broker.connection, 't', { partitions: 3 })
  broker.rollAt('t', 100_000)
  for (let i = 1; i <= 40; i++) await produce(broker.connection, batchOfSize(i * 500), { topic: 't' })
  await produce(broker.connection, batchOf(['only']), { topic: 't', partition: 1 })
}

function logFiles(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.log'))
    .sort()
}

/** The exported folder has the broker's files of that partition, and nothing half done. */
function expectSame(folder: string, partition = 0): void {
  const [theirs, ours] = [join(broker.folder, `t-${partition}`), join(folder, `t-${partition}`)]
  expect(logFiles(ours)).toEqual(logFiles(theirs).filter((name) => statSync(join(theirs, name)).size > 0))
  for (const name of logFiles(ours)) {
    expect(readFileSync(join(ours, name)).equals(readFileSync(join(theirs, name))), name).toBe(true)
  }
  expect(readdirSync(ours).filter((name) => /\.part$|\.tmp$/.test(name))).toEqual([])
}

/** Lets so many bytes of answers through to each connection, then no more. */
function stallingProxy(port: number, mostBytes: number) {
  const state = { forwarded: 0, stalled: false }
  const server = Bun.listen<{ up: Socket<undefined> | null; waiting: Buffer[] }>({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      async open(client) {
        client.data = { up: null, waiting: [] }
        const up = await Bun.connect({
          hostname: '127.0.0.1',
          port,
          socket: {
            data(_up, chunk) {
              const room = mostBytes - state.forwarded
              const part = chunk.subarray(0, Math.max(0, room))
              state.forwarded += part.length
              if (part.length < chunk.length) state.stalled = true
              if (part.length > 0) client.write(part)
            },
          },
        })
        for (const chunk of client.data.waiting) up.write(chunk)
        client.data.up = up
      },
      data(client, chunk) {
        if (client.data.up === null) client.data.waiting.push(Buffer.from(chunk))
        else client.data.up.write(chunk)
      },
      close(client) {
        client.data.up?.terminate()
      },
    },
  })
  return { port: server.port, state, stop: () => server.stop(true) }
}

describe('an export', () => {
  test("is the broker's files, and a second one fetches nothing", async () => {
    await withTopic()
    await withFolder(async (folder) => {
      const first = await summary(folder)
      expect(first.partitions.map(({ firstOffset, nextOffset }) => [firstOffset, nextOffset])).toEqual([
        [0, 40],
        [0, 1],
        [null, null],
      ])
      expect(first.partitions[0]!.segments).toBe(broker.log('t').segments.count)
      expect(first.bytesFetched).toBe(broker.log('t').sizeBytes + broker.log('t', 1).sizeBytes)
      for (const partition of [0, 1, 2]) expectSame(folder, partition)
      const second = await summary(folder)
      expect(second.bytesFetched).toBe(0)
      expect(second.partitions.map(({ bytes }) => bytes)).toEqual(first.partitions.map(({ bytes }) => bytes))
    })
  })

  test('goes on where the log has grown, with nothing but the new bytes', async () => {
    await withTopic()
    await withFolder(async (folder) => {
      await summary(folder)
      const before = broker.log('t').sizeBytes
      for (let i = 1; i <= 15; i++) await produce(broker.connection, batchOfSize(i * 1000), { topic: 't' })
      const again = await summary(folder, '--partition', '0')
      expect(again.bytesFetched).toBe(broker.log('t').sizeBytes - before)
      expectSame(folder)
    })
  })

  test('takes the partitions and offsets that were asked for', async () => {
    await withTopic()
    await withFolder(async (folder) => {
      const second = broker.log('t').segments.all[1]!
      const { partitions } = await summary(folder, '-p', '0', '--from', String(second.baseOffset + 1))
      expect(partitions).toHaveLength(1)
      expect(partitions[0]).toMatchObject({ partition: 0, firstOffset: second.baseOffset, nextOffset: 40 })
      expect(existsSync(join(folder, 't-1'))).toBe(false)
    })
  })

  test('says in text what it did', async () => {
    await withTopic()
    await withFolder(async (folder) => {
      const { stdout, stderr, exitCode } = await exportTo(folder)
      expect(exitCode).toBe(0)
      expect(stdout).toMatch(/^PARTITION OFFSETS +SEGMENTS +MIB +FETCHED +DIRECTORY\n0 +0 \.\. 39 +\d+ \(\d+ new\) /)
      expect(stderr).toMatch(/^samsa: [\d.]+ MiB fetched in [\d.]+ s \([\d.]+ MiB\/s\), all checksums right\n$/)
    })
  })
})

describe('an export that was cut', () => {
  test('by a kill in mid-download goes on from there, to identical bytes', async () => {
    broker = await serving({ onDisk: true })
    await createTopic(broker.connection, 't')
    for (let i = 0; i < 12; i++) await produce(broker.connection, batchOfSize(MIB - 200), { topic: 't' })
    await withFolder(async (folder) => {
      const proxy = stallingProxy(broker.http.port, 5 * MIB)
      const child = new Child({ command: [...SAMSA, 'export', 't', '-o', folder, '--http', `127.0.0.1:${proxy.port}`] })
      const part = join(folder, 't-0', '00000000000000000000.log.part')
      await until(() => proxy.state.stalled && existsSync(part) && statSync(part).size > 4 * MIB)
      process.kill(child.pid, 'SIGKILL')
      await child.exited
      proxy.stop()
      expect(logFiles(join(folder, 't-0'))).toEqual([])
      const kept = statSync(part).size
      const { bytesFetched } = await summary(folder)
      expect(bytesFetched).toBe(broker.log('t').sizeBytes - kept)
      expectSame(folder)
    })
  })

  test('and whose bytes are not those of the segment any more begins anew', async () => {
    await withTopic()
    await withFolder(async (folder) => {
      await summary(folder, '-p', '1')
      broker.log('t', 1).startOver(0)
      for (let i = 0; i < 3; i++) await produce(broker.connection, batchOf([`new ${i}`]), { topic: 't', partition: 1 })
      const { bytesFetched } = await summary(folder, '-p', '1')
      expect(bytesFetched).toBe(broker.log('t', 1).sizeBytes)
      expectSame(folder, 1)
    })
  })

  test('leaves no trust in files that it knows nothing of, or that lost their end', async () => {
    await withTopic()
    await withFolder(async (folder) => {
      const name = '00000000000000000000.log'
      mkdirSync(join(folder, 't-0'))
      writeFileSync(join(folder, 't-0', name), 'not from here')
      await summary(folder, '-p', '0')
      expectSame(folder)
      truncateSync(join(folder, 't-0', name), 1000)
      const { bytesFetched } = await summary(folder, '-p', '0')
      expect(bytesFetched).toBe(broker.log('t').segments.first.sizeBytes - 1000)
      expectSame(folder)
    })
  })

  test('with damage in what was kept is found out by the checksums, and repaired', async () => {
    await withTopic()
    await withFolder(async (folder) => {
      await summary(folder, '-p', '0')
      const path = join(folder, 't-0', '00000000000000000000.log')
      const bytes = readFileSync(path)
      bytes[200]! ^= 1
      writeFileSync(path, bytes.subarray(0, bytes.length - 10))
      const { stderr, exitCode } = await exportTo(folder, '-p', '0')
      expect(stderr).toContain('came damaged: at byte 0: the checksum of the batch at offset 0 is wrong; trying again')
      expect(exitCode).toBe(0)
      expectSame(folder)
    })
  })
})

describe('what an export refuses', () => {
  test('says why, with the exit code of a failure or of bad usage', async () => {
    await withTopic()
    const http = ['--http', `127.0.0.1:${broker.http.port}`]
    const refusals: [string[], number, string][] = [
      [['nope'], 1, "there is no topic 'nope'"],
      [['t', '-p', '7'], 1, "topic 't' has no partition 7, only 0 to 2"],
      [['t', '-p', 'x'], 2, 'must be a whole number'],
      [['t', '--from', '-1'], 2, 'must be a whole number'],
      [[], 2, "missing required argument 'topic'"],
    ]
    await withFolder(async (folder) => {
      const run = (words: string[]) => samsa(['export', ...http, '--output', folder, ...words])
      const ended = await Promise.all(refusals.map(([words]) => run(words)))
      for (const [index, [words, exitCode, message]] of refusals.entries()) {
        expect(ended[index]!.stderr, words.join(' ')).toContain(message)
        expect([ended[index]!.exitCode, ended[index]!.stdout]).toEqual([exitCode, ''])
      }
    })
  })

  test('a port where nobody listens', async () => {
    await withTopic()
    await withFolder(async (folder) => {
      const port = broker.http.port
      await broker.http.stop()
      const ended = await samsa(['export', 't', '-o', folder, '--http', `127.0.0.1:${port}`])
      expect(ended.exitCode).toBe(1)
      expect(ended.stderr).toContain(`cannot reach 127.0.0.1:${port}`)
    })
  })
})

describe('the verification of a file', () => {
  test('finds every single damaged byte that a checksum covers, and every cut', async () => {
    await withTopic()
    await withFolder(async (folder) => {
      await summary(folder, '-p', '1')
      const path = join(folder, 't-1', '00000000000000000000.log')
      const good = readFileSync(path)
      expect(await verifyLogFile(path)).toEqual({ batches: 1, firstOffset: 0, nextOffset: 1 })
      for (let at = 16; at < good.length; at++) {
        const bad = Buffer.from(good)
        bad[at]! ^= 0x10
        writeFileSync(path, bad)
        expect(typeof (await verifyLogFile(path)), `byte ${at}`).toBe('string')
      }
      for (let length = 1; length < good.length; length++) {
        writeFileSync(path, good.subarray(0, length))
        expect(typeof (await verifyLogFile(path)), `${length} bytes`).toBe('string')
      }
    })
  })
})

interopTest('the dump tool of a real Kafka reads what was exported', ['java'], async () => {
  await withTopic()
  await withFolder(async (folder) => {
    await summary(folder)
    const files = logFiles(join(folder, 't-0')).map((name) => join(folder, 't-0', name))
    const tool = Bun.spawn(
      javaCommand('org.apache.kafka.tools.DumpLogSegments', '--deep-iteration', '--files', files.join(',')),
      {
        stdout: 'pipe',
        stderr: 'pipe',
      },
    )
    const [output, errors] = await Promise.all([tool.stdout.text(), tool.stderr.text(), tool.exited])
    expect(output + errors).not.toMatch(/isvalid: false|Exception|CORRUPT/)
    expect(output.match(/baseOffset: \d+ /g)).toHaveLength(40)
  })
})
