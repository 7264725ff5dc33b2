/**
 * A plain connection over Bun's sockets. Bun keeps nothing back: a write takes what the kernel takes, so what is left
 * waits in an OutQueue for `drain`.
 */
import type { Socket } from 'bun'
import { OutQueue } from '../out-queue.ts'
import { KEEP_ALIVE_MS, type Transport, type TransportHandlers, type TransportTarget } from './transport.ts'

class BunTransport implements Transport {
  socket: Socket | null = null
  private readonly handlers: TransportHandlers
  private readonly out = new OutQueue()
  private closed = false

  constructor(handlers: TransportHandlers) {
    this.handlers = handlers
  }

  get isFlushed(): boolean {
    return this.out.isEmpty
  }

  whenFlushed(): Promise<void> {
    return this.out.isEmpty ? Promise.resolve() : this.out.whenEmpty()
  }

  write(parts: readonly Uint8Array[]): boolean {
    if (this.closed || this.socket === null) return true
    for (const part of parts) this.out.push(part)
    this.out.writeTo(this.socket)
    return this.out.isEmpty
  }

  pause(): void {
    this.socket?.pause()
  }

  resume(): void {
    this.socket?.resume()
  }

  ref(): void {
    this.socket?.ref()
  }

  unref(): void {
    this.socket?.unref()
  }

  /** `end()` would drop what the kernel has not taken yet. */
  shutdown(): void {
    this.socket?.shutdown()
  }

  terminate(): void {
    this.socket?.terminate()
  }

  drained(): void {
    if (this.socket === null || this.out.isEmpty) return
    this.out.writeTo(this.socket)
    if (this.out.isEmpty) this.handlers.drain()
  }

  ended(error?: Error): void {
    if (this.closed) return
    this.closed = true
    this.out.clear()
    this.handlers.closed(error)
  }
}

export async function openBunTransport(target: TransportTarget, handlers: TransportHandlers): Promise<Transport> {
  const transport = new BunTransport(handlers)
  const { promise: given, reject: giveUp } = Promise.withResolvers<never>()
  const aborted = (): void => giveUp(target.signal.reason)
  target.signal.throwIfAborted()
  target.signal.addEventListener('abort', aborted, { once: true })
  const opened = Bun.connect({
    hostname: target.host,
    port: target.port,
    socket: {
      data: (_socket, chunk) => handlers.data(chunk),
      drain: () => transport.drained(),
      close: (_socket, error) => transport.ended(error),
      error: (socket, error) => {
        transport.ended(error)
        socket.terminate()
      },
      connectError: () => undefined,
    },
  })
  try {
    transport.socket = await Promise.race([opened, given])
    transport.socket.setKeepAlive(true, KEEP_ALIVE_MS)
    return transport
  } catch (error) {
    // It may still come up: nobody waits for it any more.
    opened.then((late) => late.terminate()).catch(() => undefined)
    throw error
  } finally {
    target.signal.removeEventListener('abort', aborted)
  }
}
