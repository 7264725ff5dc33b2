// Ways from a file to a socket. A process of its own takes the bytes, so that the processor time is the sender's alone; it shares
// the machine. A run ends when everything has arrived there.

import { readSync } from 'node:fs'
import type { Socket } from 'bun'
import { BufferPool } from '../../../storage/buffer-pool.ts'
import { NOT_SUPPORTED, SOCKET_FULL, WOULD_BLOCK } from '../../../storage/libc.ts'
import { type Method, Refused, type Work } from '../method.ts'
import type { Transfer } from '../sink.ts'
import { StopWatch, type Timed, timeStepsLater } from '../timing.ts'
import { expectBytes } from './buffers.ts'
import { BOTH, withFile } from './read.ts'
import { unmap } from './write.ts'

/** What is written to a full socket so that it says when it takes more. */
const PROBE_BYTES = 16 * 1024

/** One connection to the sink; writes all of something, waiting while the socket is full. */
class Sender {
  #socket: Socket | null = null
  #writable: PromiseWithResolvers<void> | null = null
  #failure: Error | null = null

  static async connect(port: number): Promise<Sender> {
    const sender = new Sender()
    sender.#socket = await Bun.connect({
      hostname: '127.0.0.1',
      port,
      socket: {
        drain: () => sender.#wake(null),
        close: () => sender.#wake(new Error('the receiving process closed the connection')),
        error: (_, error) => sender.#wake(error),
        data: () => undefined,
      },
    })
    return sender
  }

  get descriptor(): number {
    const descriptor = (this.#socket as { fd?: unknown } | null)?.fd
    return typeof descriptor === 'number' ? descriptor : -1
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) at += await this.writeSome(bytes, at)
  }

  /** Writes at least one byte; if that was not all, it has waited for more room. */
  async writeSome(bytes: Uint8Array, from: number): Promise<number> {
    for (;;) {
      if (this.#failure !== null) throw this.#failure
      const wanted = bytes.length - from
      const written = this.#socket?.write(bytes, from, wanted) ?? -1
      if (written < 0) throw new Error('the receiving process closed the connection')
      if (written === wanted) return written
      this.#writable = Promise.withResolvers()
      await this.#writable.promise
      if (written > 0) return written
    }
  }

  close(): void {
    this.#socket?.terminate()
  }

  #wake(failure: Error | null): void {
    this.#failure ??= failure
    this.#writable?.resolve()
    this.#writable = null
  }
}

/** Sends block after block by `sendBlock` over a connection of its own. */
async function sendAll(work: Work, sendBlock: (sender: Sender, position: number) => Promise<void>): Promise<Timed> {
  const { tools, extent, inspect } = work
  const sink = await tools.sink()
  const transfer = await sink.receive(inspect !== null)
  const sender = await Sender.connect(transfer.port)
  try {
    const watch = new StopWatch(tools.meters, extent.mostMs)
    const sent = await timeStepsLater(tools.meters, extent, (position) => sendBlock(sender, position))
    await arrived(transfer, sent.bytes, work)
    return { ...watch.stop(sent.bytes), latencies: sent.latencies }
  } finally {
    sender.close()
  }
}

async function arrived(transfer: Transfer, bytes: number, work: Work): Promise<void> {
  const { checksum } = await transfer.completed(bytes)
  if (checksum !== null) work.inspect?.arrived(bytes, checksum)
}

const readAndWritten: Method = {
  name: 'send-read',
  direction: 'read',
  does: 'readSync into a pooled buffer, written to a socket',
  blocks: 'chosen',
  caches: BOTH,
  run: (work) =>
    withFile(work.path, (descriptor) => {
      const pool = new BufferPool()
      const { blockBytes } = work.extent
      return sendAll(work, async (sender, position) => {
        const buffer = pool.take(blockBytes)
        expectBytes(readSync(descriptor, buffer, 0, blockBytes, position), blockBytes, 'read')
        await sender.write(buffer.subarray(0, blockBytes))
        pool.give(buffer)
      })
    }),
}

const mapped: Method = {
  name: 'send-mmap',
  direction: 'read',
  does: 'a view of a shared mapping, written to a socket',
  blocks: 'chosen',
  caches: BOTH,
  run: async (work) => {
    const view = Bun.mmap(work.path, { shared: true })
    try {
      const { blockBytes } = work.extent
      return await sendAll(work, (sender, position) => sender.write(view.subarray(position, position + blockBytes)))
    } finally {
      unmap(view)
    }
  },
}

const handedOver: Method = {
  name: 'send-sendfile',
  direction: 'read',
  does: 'sendfile(2) of what is in memory, pages asked for first (cachestat): as Samsa answers large fetches',
  blocks: 'chosen',
  caches: ['cached'],
  refusal: ({ libc }) => (libc.sendCached === null ? 'needs a C library to call (sendfile)' : null),
  run: (work) =>
    withFile(work.path, (descriptor) => {
      const sendCached = work.tools.libc.sendCached
      if (sendCached === null) throw new Refused('needs a C library to call (sendfile)')
      const { blockBytes } = work.extent
      const probe = Buffer.allocUnsafeSlow(Math.min(PROBE_BYTES, blockBytes))
      return sendAll(work, async (sender, position) => {
        for (let at = 0; at < blockBytes; ) {
          const sent = sendCached(sender.descriptor, descriptor, position + at, blockBytes - at)
          if (sent === NOT_SUPPORTED)
            throw new Refused('the kernel does not tell what is in memory (cachestat), or not send it')
          if (sent > 0) {
            at += sent
            continue
          }
          // Only a write of the socket's own is followed by word that it takes more; what is not in memory is read.
          if (sent !== SOCKET_FULL && sent !== WOULD_BLOCK && sent !== 0) throw new Error(`sendfile: ${sent}`)
          const count = readSync(descriptor, probe, 0, Math.min(probe.length, blockBytes - at), position + at)
          at += await sender.writeSome(probe.subarray(0, count), 0)
        }
      })
    }),
}

const served: Method = {
  name: 'send-serve',
  direction: 'read',
  does: 'new Response(Bun.file(...)) of Bun.serve, which uses sendfile; its latency is that of the whole file',
  blocks: 'whole',
  caches: BOTH,
  run: async (work) => {
    const { tools, extent, path, inspect } = work
    const sink = await tools.sink()
    const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response(Bun.file(path)) })
    try {
      const watch = new StopWatch(tools.meters, extent.mostMs)
      const transfer = await sink.download(server.port ?? 0, inspect !== null)
      await arrived(transfer, extent.bytes, work)
      watch.lap()
      return watch.stop(extent.bytes)
    } finally {
      await server.stop(true)
    }
  },
}

export const SEND_METHODS: readonly Method[] = [readAndWritten, mapped, handedOver, served]
