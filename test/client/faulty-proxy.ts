/**
 * Stands between clients and a broker and does to their connections what networks do: cuts them after any byte in either direction, lets
 * them fall silent without an end (no FIN, as after a cable was pulled), and delivers late, each connection by its own clock, so that
 * answers on different connections overtake each other. Within a connection and direction bytes keep their order.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** What happens to one connection, decided when it comes up. Without a field nothing does. */
export interface ConnectionFaults {
  /** Ends for both sides after so many bytes, counted over both directions. */
  readonly cutAfterBytes?: number
  /** After so many bytes nothing passes any more, in neither direction, and nobody is told. */
  readonly freezeAfterBytes?: number
  /** Milliseconds that the next piece is held back; asked for each. */
  readonly delayMs?: () => number
}

export class FaultyProxy {
  cuts = 0
  freezes = 0
  /** Bytes that went from the broker to clients. */
  bytesToClients = 0
  /** New connections are ended at once. */
  isRefusing = false
  private readonly server: Server
  private readonly sockets = new Set<Socket>()
  private readonly freezers = new Set<() => void>()
  private readonly faults: () => ConnectionFaults
  private target = 0

  private constructor(faults: () => ConnectionFaults) {
    this.faults = faults
    this.server = createServer((client) => this.accepted(client))
  }

  static async listen(faults: () => ConnectionFaults = () => ({})): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(faults)
    await new Promise<void>((resolve) => proxy.server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  get connectionCount(): number {
    return this.sockets.size
  }

  forwardTo(port: number): void {
    this.target = port
  }

  /** Ends every connection at once. */
  cutAll(): void {
    for (const socket of this.sockets) socket.destroy()
  }

  /** All connections that there are fall silent. */
  freezeAll(): void {
    for (const freeze of this.freezers) freeze()
  }

  async close(): Promise<void> {
    this.cutAll()
    await new Promise((resolve) => this.server.close(resolve))
  }

  private accepted(client: Socket): void {
    if (this.isRefusing) {
      client.on('error', () => undefined)
      client.destroy()
      return
    }
    const broker = connect(this.target, '127.0.0.1')
    const { cutAfterBytes = Infinity, freezeAfterBytes = Infinity, delayMs } = this.faults()
    let passed = 0
    let isFrozen = false
    const cut = (): void => {
      client.destroy()
      broker.destroy()
    }
    const deliver = (to: Socket, chunk: Buffer): void => {
      if (isFrozen || to.destroyed) return
      const part = chunk.subarray(0, Math.min(cutAfterBytes, freezeAfterBytes) - passed)
      passed += part.length
      if (to === client) this.bytesToClients += part.length
      if (part.length > 0) to.write(part)
      if (passed >= cutAfterBytes) {
        this.cuts += 1
        // What was passed on is to arrive.
        setImmediate(cut)
      } else if (passed >= freezeAfterBytes) {
        this.freezes += 1
        freeze()
      }
    }
    const freeze = (): void => {
      isFrozen = true
    }
    this.freezers.add(freeze)
    client.on('close', () => this.freezers.delete(freeze))
    this.pump(client, (chunk) => deliver(broker, chunk), delayMs)
    this.pump(broker, (chunk) => deliver(client, chunk), delayMs)
    for (const socket of [client, broker]) {
      this.sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        this.sockets.delete(socket)
        if (!isFrozen) cut()
      })
    }
  }

  private pump(from: Socket, deliver: (chunk: Buffer) => void, delayMs: (() => number) | undefined): void {
    if (delayMs === undefined) {
      from.on('data', deliver)
      return
    }
    let last: Promise<unknown> = Promise.resolve()
    from.on('data', (chunk: Buffer) => {
      const held = new Promise((resolve) => setTimeout(resolve, delayMs()))
      last = Promise.all([last, held]).then(() => deliver(chunk))
    })
  }
}
