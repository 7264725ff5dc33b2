// A proxy between a Kafka client and a Kafka broker that keeps every exchange as raw bytes. It knows of the protocol only
// what it needs to pair a response with its request: size, key, version and correlation id. Nothing is changed.

import { connect, createServer, type Socket } from 'node:net'

export interface Exchange {
  readonly key: number
  readonly version: number
  /** Header and body, without the size. The response is null after a request that has none. */
  readonly request: Buffer
  readonly response: Buffer | null
}

export interface RecordingProxy {
  readonly port: number
  readonly exchanges: Exchange[]
  stop(): void
}

/** Cuts a byte stream into frames. */
function frames(onFrame: (frame: Buffer) => void): (bytes: Buffer) => void {
  let pending = Buffer.alloc(0)
  return (bytes) => {
    pending = Buffer.concat([pending, bytes])
    while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE(0)) {
      const end = 4 + pending.readInt32BE(0)
      onFrame(Buffer.from(pending.subarray(4, end)))
      pending = pending.subarray(end)
    }
  }
}

function record(client: Socket, broker: Socket, exchanges: Exchange[]): void {
  const waiting: Buffer[] = []
  const exchange = (request: Buffer, response: Buffer | null): void => {
    exchanges.push({ key: request.readInt16BE(0), version: request.readInt16BE(2), request, response })
  }
  const onRequest = frames((request) => waiting.push(request))
  const onResponse = frames((response) => {
    const correlationId = response.readInt32BE(0)
    // Responses come in order; requests before the one answered have no response.
    for (let request = waiting.shift(); request !== undefined; request = waiting.shift()) {
      const answered = request.readInt32BE(4) === correlationId
      exchange(request, answered ? response : null)
      if (answered) return
    }
  })
  client.on('data', (bytes: Buffer) => {
    onRequest(bytes)
    broker.write(bytes)
  })
  broker.on('data', (bytes: Buffer) => {
    onResponse(bytes)
    client.write(bytes)
  })
}

/** Listens on `port` and passes everything on to the broker's own port, which may be opened later. */
export function startRecordingProxy(port: number, brokerPort: () => number): Promise<RecordingProxy> {
  const exchanges: Exchange[] = []
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const broker = connect(brokerPort(), '127.0.0.1')
    for (const [socket, other] of [
      [client, broker],
      [broker, client],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
    record(client, broker, exchanges)
  })
  const { promise, resolve, reject } = Promise.withResolvers<RecordingProxy>()
  server.once('error', reject)
  server.listen(port, '127.0.0.1', () => {
    resolve({
      port: (server.address() as { port: number }).port,
      exchanges,
      stop() {
        for (const socket of sockets) socket.destroy()
        server.close()
      },
    })
  })
  return promise
}
