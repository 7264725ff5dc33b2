// Ranges of files in the out-queue: sent from the page cache, copied where that cannot be, read first when they are cold.
import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { OutQueue, type QueueOwner } from '../../src/broker/out-queue.ts'
import { FileRange } from '../../src/log/file-range.ts'
import type { DiskFile } from '../../src/storage/disk.ts'
import { MemoryDisk } from '../../src/storage/disk-memory.ts'
import { RealDisk } from '../../src/storage/disk-real.ts'

const FILE_BYTES = 5 * 1024 * 1024 + 77
const content = Buffer.alloc(FILE_BYTES)
for (let at = 0; at + 4 <= FILE_BYTES; at += 4) content.writeUInt32BE(at, at)

const folder = mkdtempSync(join(tmpdir(), 'samsa-out-queue-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function realFile(name: string): DiskFile {
  const file = new RealDisk().open(join(folder, name), { create: true })
  file.writev([content], 0)
  return file
}

function memoryFile(disk = new MemoryDisk()): DiskFile {
  disk.makeDirectory('/data')
  const file = disk.open('/data/log', { create: true })
  file.writev([content], 0)
  return file
}

/** Takes at most so many bytes at a time, as a socket does whose peer reads slowly. */
class SlowSink {
  readonly taken: Buffer[] = []
  readonly #room: number

  constructor(room: number) {
    this.#room = room
  }

  write(bytes: Uint8Array, offset: number, length: number): number {
    const count = Math.min(length, this.#room)
    this.taken.push(Buffer.from(bytes.subarray(offset, offset + count)))
    return count
  }
}

/** Counts, and lets a test wait for the next event. */
class Owner implements QueueOwner {
  loads = 0
  lost: unknown = null
  #next = Promise.withResolvers<void>()

  partLoaded(): void {
    this.loads++
    this.#happened()
  }

  partLost(error: unknown): void {
    this.lost = error
    this.#happened()
  }

  next(): Promise<void> {
    return this.#next.promise
  }

  #happened(): void {
    const { resolve } = this.#next
    this.#next = Promise.withResolvers<void>()
    resolve()
  }
}

describe('without a socket to hand bytes to', () => {
  test('a range is copied piece by piece, in its place between other parts, and released when it has left', () => {
    const queue = new OutQueue(new Owner())
    const range = new FileRange(memoryFile(), 1000, FILE_BYTES - 2000)
    let released = 0
    queue.push(Buffer.from('before'))
    queue.push(range)
    queue.pushRelease(() => released++)
    queue.push(Buffer.from('after'))
    expect(queue.bytes).toBe(6 + FILE_BYTES - 2000 + 5)
    const sink = new SlowSink(100_000)
    let rounds = 0
    while (!queue.flush(sink)) {
      expect(released).toBe(0)
      rounds++
    }
    expect(rounds).toBeGreaterThan(10)
    const expected = Buffer.concat([
      Buffer.from('before'),
      content.subarray(1000, FILE_BYTES - 1000),
      Buffer.from('after'),
    ])
    expect(Buffer.concat(sink.taken).equals(expected)).toBe(true)
    expect([released, queue.bytes, queue.isEmpty]).toEqual([1, 0, true])
  })

  test('cold data is read on the thread pool, a piece at a time, and nothing overtakes it', async () => {
    const disk = new MemoryDisk()
    const file = memoryFile(disk)
    disk.setCold(true)
    const owner = new Owner()
    const queue = new OutQueue(owner)
    queue.push(new FileRange(file, 0, FILE_BYTES))
    queue.push(Buffer.from('after'))
    const sink = new SlowSink(300_000)
    for (let allLeft = false; !allLeft; ) {
      const loads = owner.loads
      const loaded = owner.next()
      allLeft = queue.flush(sink)
      if (allLeft || sink.taken.at(-1)?.length === 300_000) continue
      if (owner.loads === loads) await loaded
    }
    expect(owner.loads).toBeGreaterThan(4)
    expect(Buffer.concat(sink.taken).equals(Buffer.concat([content, Buffer.from('after')]))).toBe(true)
  })

  test('a file that ends before the range does is told to the owner', async () => {
    const owner = new Owner()
    const queue = new OutQueue(owner)
    const file = memoryFile()
    queue.push(new FileRange(file, 0, FILE_BYTES + 10))
    const happened = owner.next()
    expect(queue.flush(new SlowSink(FILE_BYTES))).toBe(false)
    await happened
    expect(String(owner.lost)).toContain('ends before position')
  })

  test('a queue that is cleared while a piece is being read forgets it', async () => {
    const disk = new MemoryDisk()
    const file = memoryFile(disk)
    disk.setCold(true)
    const owner = new Owner()
    const queue = new OutQueue(owner)
    let released = 0
    queue.push(new FileRange(file, 0, FILE_BYTES))
    queue.pushRelease(() => released++)
    queue.flush(new SlowSink(1000))
    queue.clear()
    await file.read(Buffer.alloc(1), 0, 1, 0)
    expect([released, owner.loads, owner.lost, queue.isEmpty]).toEqual([1, 0, null, true])
  })
})

describe('over a real socket', () => {
  test('the bytes of a file arrive as they are, though it was closed and removed meanwhile', async () => {
    const file = realFile('sent')
    const range = new FileRange(file, 123, FILE_BYTES - 123)
    const { promise: done, resolve } = Promise.withResolvers<void>()
    const received: Buffer[] = []
    let missing = 6 + FILE_BYTES - 123 + 5
    const queue = new OutQueue({ partLoaded: () => undefined, partLost: (error) => expect(error).toBeNull() })
    const server = Bun.listen({
      hostname: '127.0.0.1',
      port: 0,
      socket: {
        open: (socket) => {
          queue.push(Buffer.from('before'))
          queue.push(range)
          queue.pushRelease(() => range.release())
          queue.push(Buffer.from('after'))
          file.close()
          new RealDisk().remove(join(folder, 'sent'))
          queue.flush(socket)
        },
        drain: (socket) => {
          queue.flush(socket)
        },
        data() {},
      },
    })
    const client = await Bun.connect({
      hostname: '127.0.0.1',
      port: server.port,
      socket: {
        data: (_socket, chunk) => {
          received.push(chunk)
          missing -= chunk.length
          if (missing <= 0) resolve()
        },
      },
    })
    await done
    client.terminate()
    server.stop(true)
    const expected = Buffer.concat([Buffer.from('before'), content.subarray(123), Buffer.from('after')])
    expect(Buffer.concat(received).equals(expected)).toBe(true)
    expect(() => file.readNow(Buffer.alloc(1), 0, 1, 0)).toThrow('closed')
  })

  test('a peer that goes away in the middle ends neither the process nor other connections', async () => {
    const file = realFile('aborted')
    const { promise: closed, resolve } = Promise.withResolvers<void>()
    const server = Bun.listen({
      hostname: '127.0.0.1',
      port: 0,
      socket: {
        open: (socket) => {
          const queue = new OutQueue({ partLoaded: () => undefined, partLost: () => undefined })
          for (let index = 0; index < 20; index++) queue.push(new FileRange(file, 0, FILE_BYTES))
          queue.flush(socket)
          Object.assign(socket, { data: queue })
        },
        drain: (socket) => {
          ;(socket.data as unknown as OutQueue).flush(socket)
        },
        close: () => resolve(),
        data() {},
        error() {},
      },
    })
    const client = await Bun.connect({
      hostname: '127.0.0.1',
      port: server.port,
      socket: {
        data: (socket) => {
          socket.terminate()
        },
      },
    })
    await closed
    expect(client.readyState).toBeLessThanOrEqual(0)
    server.stop(true)
    file.close()
  })
})
