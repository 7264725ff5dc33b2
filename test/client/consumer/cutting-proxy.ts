/** Stands between a client and a broker and cuts connections after so many bytes, in whichever direction they go. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

export class CuttingProxy {
  cuts = 0
  private readonly server: Server
  private readonly sockets = new Set<Socket>()
  /** How many bytes the next connection lives for; null: for ever. */
  private readonly budget: () => number | null
  private target = 0

  private constructor(budget: () => number | null) {
    this.budget = budget
    this.server = createServer((client) => this.accepted(client))
  }

  static async listen(budget: () => number | null): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(budget)
    await new Promise<void>((resolve) => proxy.server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  forwardTo(port: number): void {
    this.target = port
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    await new Promise((resolve) => this.server.close(resolve))
  }

  private accepted(client: Socket): void {
    const broker = connect(this.target, '127.0.0.1')
    let left = this.budget() ?? Number.POSITIVE_INFINITY
    const cut = (): void => {
      client.destroy()
      broker.destroy()
    }
    const forward = (to: Socket) => (chunk: Buffer) => {
      const passed = chunk.subarray(0, Math.min(left, chunk.length))
      left -= passed.length
      if (passed.length > 0) to.write(passed)
      if (left > 0) return
      this.cuts += 1
      // What was passed on is to arrive.
      setImmediate(cut)
    }
    client.on('data', forward(broker))
    broker.on('data', forward(client))
    for (const socket of [client, broker]) {
      this.sockets.add(socket)
      socket.on('error', cut)
      socket.on('close', () => {
        this.sockets.delete(socket)
        cut()
      })
    }
  }
}
