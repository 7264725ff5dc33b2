/**
 * A broker that answers what a test tells it to, in real bytes over a real socket. Requests without a handler are
 * answered by closing the connection, as a broker does with what it does not know.
 */
import type { Socket, TCPSocketListener } from 'bun'
import { decode } from '../../src/protocol/codec.ts'
import { encodeResponse, FrameReader } from '../../src/protocol/frame.ts'
import { ApiVersionsRequest, ApiVersionsResponse } from '../../src/protocol/messages/18-api-versions.ts'
import { MESSAGES } from '../../src/protocol/messages/index.ts'
import { Reader } from '../../src/protocol/reader.ts'
import { decodeRequestHeader } from '../../src/protocol/request-header.ts'
import type { Infer, Input, MessageSchema } from '../../src/protocol/schema.ts'

export interface SeenRequest {
  readonly apiKey: number
  readonly version: number
  readonly correlationId: number
  readonly body: unknown
}

interface Receiving {
  readonly frames: FrameReader
  queue: Promise<void>
  bytes: number
}

type Handler = (body: unknown, seen: SeenRequest) => unknown

export class FakeBroker {
  readonly seen: SeenRequest[] = []
  /** API keys and the versions that are advertised; more can be added before clients connect. */
  readonly versions = new Map<number, [number, number]>([
    [ApiVersionsRequest.key, [0, ApiVersionsRequest.versions.max]],
  ])
  private readonly handlers = new Map<number, Handler>()
  private readonly listener: TCPSocketListener<Receiving>
  private readonly sockets = new Set<Socket<unknown>>()
  /** New connections are closed at once, as by a broker that is starting. */
  isRefusing = false
  /** Closes the connection once it has read so many bytes. */
  cutAfterInputBytes = Number.POSITIVE_INFINITY
  /** How many bytes of an answer get out before the connection is closed; null for all of it, without closing. */
  cutAnswer: (apiKey: number, bytes: number) => number | null = () => null

  constructor() {
    this.listener = Bun.listen<Receiving>({
      hostname: '127.0.0.1',
      port: 0,
      socket: {
        open: (socket) => {
          if (this.isRefusing) {
            socket.terminate()
            return
          }
          socket.data = { frames: new FrameReader(), queue: Promise.resolve(), bytes: 0 }
          this.sockets.add(socket)
        },
        data: (socket, chunk) => {
          socket.data.bytes += chunk.byteLength
          if (socket.data.bytes > this.cutAfterInputBytes) {
            socket.terminate()
            return
          }
          socket.data.frames.push(chunk, (chunks) => {
            socket.data.queue = socket.data.queue.then(() => this.answer(socket, chunks))
          })
        },
        close: (socket) => void this.sockets.delete(socket),
        error: (socket) => void socket.terminate(),
      },
    })
    this.onRaw(ApiVersionsRequest.key, () => ({ errorCode: 0, apiKeys: this.advertised() }))
  }

  get host(): string {
    return '127.0.0.1'
  }

  get port(): number {
    return this.listener.port
  }

  get connectionCount(): number {
    return this.sockets.size
  }

  advertised(): { apiKey: number; minVersion: number; maxVersion: number }[] {
    return [...this.versions].map(([apiKey, [minVersion, maxVersion]]) => ({ apiKey, minVersion, maxVersion }))
  }

  /** Null answers nothing and keeps the connection; `hangUp` closes it. */
  on<Request extends MessageSchema, Response extends MessageSchema>(
    request: Request,
    _response: Response,
    handle: (body: Infer<Request>, seen: SeenRequest) => Input<Response> | null | Promise<Input<Response> | null>,
    versions: [number, number] = [request.versions.min, request.versions.max],
  ): this {
    this.versions.set(request.key, versions)
    this.onRaw(request.key, (body, seen) => handle(body as Infer<Request>, seen))
    return this
  }

  onRaw(apiKey: number, handle: Handler): void {
    this.handlers.set(apiKey, handle)
  }

  handlerOf(apiKey: number): (body: unknown, seen: SeenRequest) => unknown {
    const handler = this.handlers.get(apiKey)
    if (handler === undefined) throw new Error(`nobody handles API key ${apiKey}`)
    return handler
  }

  requests(apiKey: number): SeenRequest[] {
    return this.seen.filter((request) => request.apiKey === apiKey)
  }

  hangUp(): void {
    for (const socket of this.sockets) socket.terminate()
  }

  sendToAll(bytes: Uint8Array): void {
    for (const socket of this.sockets) socket.write(bytes, 0, bytes.byteLength)
  }

  stop(): void {
    this.listener.stop(true)
  }

  private async answer(socket: Socket<unknown>, chunks: Buffer[]): Promise<void> {
    const reader = new Reader(chunks)
    const { apiKey, apiVersion: version, correlationId } = decodeRequestHeader(reader)
    const message = MESSAGES.get(apiKey)
    const handler = this.handlers.get(apiKey)
    if (message === undefined || handler === undefined) {
      socket.terminate()
      return
    }
    const known = version <= message.request.versions.max
    const seen = { apiKey, version, correlationId, body: known ? decode(message.request, reader, version) : null }
    this.seen.push(seen)
    const value = await handler(seen.body, seen)
    if (value === null) return
    const answerVersion = apiKey === ApiVersionsResponse.key && isUnsupported(value) ? 0 : version
    const parts = encodeResponse(message.response, apiKey, answerVersion, correlationId, value as Input<MessageSchema>)
    const bytes = Buffer.concat(parts)
    const cutAt = this.cutAnswer(apiKey, bytes.byteLength)
    if (cutAt === null || cutAt > 0) socket.write(bytes, 0, cutAt ?? bytes.byteLength)
    // What was written goes out before the end.
    if (cutAt !== null) socket.end()
  }
}

function isUnsupported(value: unknown): boolean {
  return (value as { errorCode?: number }).errorCode === 35
}
