/** A connection over node:net or node:tls. */
import { connect as connectPlain, isIP, type Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import {
  KEEP_ALIVE_MS,
  type TlsOptions,
  type Transport,
  type TransportHandlers,
  type TransportTarget,
} from './transport.ts'

class NodeTransport implements Transport {
  private readonly socket: Socket
  private readonly handlers: TransportHandlers
  private closed = false
  private blocked = false
  private waiters: (() => void)[] = []
  private failure: Error | undefined

  constructor(socket: Socket, handlers: TransportHandlers) {
    this.socket = socket
    this.handlers = handlers
    socket.on('data', (chunk) => handlers.data(chunk as Buffer))
    socket.on('drain', () => this.drained())
    socket.on('error', (error) => {
      this.failure = error
    })
    socket.on('close', () => this.ended())
  }

  get isFlushed(): boolean {
    return this.closed || this.socket.writableLength === 0
  }

  whenFlushed(): Promise<void> {
    if (this.isFlushed) return Promise.resolve()
    return new Promise((resolve) => {
      this.waiters.push(resolve)
      // Called when all before it is with the kernel.
      this.socket.write('', () => this.releaseWaiters())
    })
  }

  write(parts: readonly Uint8Array[]): boolean {
    if (this.closed) return true
    if (parts.length === 1) {
      this.blocked = !this.socket.write(parts[0]!)
      return !this.blocked
    }
    // One system call for all of them.
    this.socket.cork()
    let taken = true
    for (const part of parts) taken = this.socket.write(part)
    this.socket.uncork()
    this.blocked = !taken
    return taken
  }

  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  ref(): void {
    this.socket.ref()
  }

  unref(): void {
    this.socket.unref()
  }

  shutdown(): void {
    this.socket.end()
  }

  terminate(): void {
    this.socket.destroy()
  }

  private drained(): void {
    if (!this.blocked) return
    this.blocked = false
    this.handlers.drain()
  }

  private ended(): void {
    if (this.closed) return
    this.closed = true
    this.releaseWaiters()
    this.handlers.closed(this.failure)
  }

  private releaseWaiters(): void {
    const waiters = this.waiters
    this.waiters = []
    for (const release of waiters) release()
  }
}

function tlsOptions(tls: TlsOptions, host: string): ConnectionOptions {
  const { ca, cert, key, passphrase, servername, rejectUnauthorized } = tls
  const options: ConnectionOptions = { rejectUnauthorized: rejectUnauthorized ?? true }
  if (ca !== undefined) options.ca = Array.isArray(ca) ? [...ca] : (ca as string | Buffer)
  if (cert !== undefined) options.cert = cert
  if (key !== undefined) options.key = key
  if (passphrase !== undefined) options.passphrase = passphrase
  // A name for the handshake must not be an address (RFC 6066).
  const name = servername ?? (isIP(host) === 0 ? host : undefined)
  if (name !== undefined) options.servername = name
  return options
}

export async function openNodeTransport(target: TransportTarget, handlers: TransportHandlers): Promise<Transport> {
  const { host, port, tls, signal } = target
  // Loaded by those who encrypt.
  const connectTls = tls === null ? null : (await import('node:tls')).connect
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason)
      return
    }
    const socket =
      tls === null || connectTls === null
        ? connectPlain({ host, port })
        : connectTls({ host, port, ...tlsOptions(tls, host) })
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    const refused = (error: unknown): void => {
      cleanUp()
      socket.on('error', () => undefined)
      socket.destroy()
      reject(error)
    }
    const aborted = (): void => refused(signal.reason)
    const closed = (): void => refused(new Error('the connection was closed while it was being made'))
    const ready = tls === null ? 'connect' : 'secureConnect'
    const opened = (): void => {
      cleanUp()
      resolve(new NodeTransport(socket, handlers))
    }
    const cleanUp = (): void => {
      signal.removeEventListener('abort', aborted)
      socket.off('error', refused)
      socket.off('close', closed)
      socket.off(ready, opened)
    }
    signal.addEventListener('abort', aborted, { once: true })
    socket.once('error', refused)
    socket.once('close', closed)
    socket.once(ready, opened)
  })
}
