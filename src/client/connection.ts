/**
 * One connection to one broker: versions negotiated once, requests pipelined, responses matched in order. Owned by
 * `Cluster`, and used alone by tests that want to see exact bytes.
 *
 * What must hold: a broker answers the requests of a connection in the order they were sent, so waiting requests are a
 * plain queue. A request that timed out keeps its place in the queue until its late response has been taken off the
 * wire; otherwise every later response would be matched to the wrong request.
 */
import type { Socket } from 'bun'
import { apiName } from '../protocol/api-keys.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { decodeResponse, encodeRequest, FrameReader } from '../protocol/frame.ts'
import { ApiVersionsRequest, ApiVersionsResponse } from '../protocol/messages/18-api-versions.ts'
import { Reader } from '../protocol/reader.ts'
import type { Infer, Input, MessageSchema } from '../protocol/schema.ts'
import { formatHostPort } from './address.ts'
import { brokerError, ClientError } from './errors.ts'
import { OutQueue } from './out-queue.ts'

export interface VersionRange {
  readonly min: number
  readonly max: number
}

export interface ConnectOptions {
  readonly host: string
  readonly port: number
  readonly clientId?: string | null
  /** For the connection to come up, and for each request unless it brings its own. */
  readonly timeoutMs?: number
  /** Leave out the ApiVersions exchange: `versions` stays empty, and each `send` must name its version. */
  readonly negotiate?: boolean
}

export interface SendOptions {
  /** Exactly this version, even one that the broker does not list. */
  readonly version?: number
  /** No version above this one. */
  readonly maxVersion?: number
  readonly timeoutMs?: number
}

const DEFAULT_TIMEOUT_MS = 30_000
const CLOSE_TIMEOUT_MS = 5_000
/** A fetch answer may be larger than what brokers take as a request. */
const MAX_RESPONSE_BYTES = 1024 * 1024 * 1024
const SOFTWARE = { clientSoftwareName: 'samsa', clientSoftwareVersion: '0.1.0' }

interface Waiting {
  /** Null for frames whose sender chose the id. */
  readonly correlationId: number | null
  readonly what: string
  readonly timer: ReturnType<typeof setTimeout>
  readonly answered: (chunks: Buffer[]) => void
  readonly failed: (error: ClientError) => void
}

export class Connection {
  readonly host: string
  readonly port: number
  readonly clientId: string | null
  /** What the broker serves, by API key. Empty until negotiated. */
  versions: ReadonlyMap<number, VersionRange> = new Map()
  /** Why the connection is no longer usable; null while it is. */
  closedBy: ClientError | null = null

  private readonly timeoutMs: number
  private readonly frames = new FrameReader(MAX_RESPONSE_BYTES)
  private readonly out = new OutQueue()
  private waiting: Waiting[] = []
  private waitingHead = 0
  private nextCorrelationId = 0
  private socket: Socket | null = null
  private flushScheduled = false
  private readonly closed = Promise.withResolvers<void>()

  private constructor(options: ConnectOptions) {
    this.host = options.host
    this.port = options.port
    this.clientId = options.clientId === undefined ? 'samsa' : options.clientId
    this.timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS
  }

  static async connect(options: ConnectOptions): Promise<Connection> {
    const connection = new Connection(options)
    await connection.open()
    if (options.negotiate === false) return connection
    try {
      await connection.negotiate()
    } catch (error) {
      connection.fail(new ClientError('CONNECTION_CLOSED', 'closed after failed negotiation', { cause: error }))
      throw error
    }
    return connection
  }

  get address(): string {
    return formatHostPort(this)
  }

  /** The version that `send` would use: the highest one that both sides know. */
  versionFor(request: MessageSchema, maxVersion = Number.MAX_SAFE_INTEGER): number {
    const served = this.versions.get(request.key)
    const name = apiName(request.key)
    if (served === undefined) {
      throw new ClientError('UNSUPPORTED_VERSION', `the broker at ${this.address} does not serve ${name}`)
    }
    const version = Math.min(served.max, request.versions.max, maxVersion)
    if (version < Math.max(served.min, request.versions.min)) {
      const ours = `${request.versions.min}-${Math.min(request.versions.max, maxVersion)}`
      throw new ClientError(
        'UNSUPPORTED_VERSION',
        `the broker at ${this.address} serves ${name} ${served.min}-${served.max}, this client speaks ${ours}`,
      )
    }
    return version
  }

  async send<Request extends MessageSchema, Response extends MessageSchema>(
    request: Request,
    response: Response,
    value: Input<Request>,
    options: SendOptions = {},
  ): Promise<Infer<Response>> {
    const version = options.version ?? this.versionFor(request, options.maxVersion)
    const correlationId = this.takeCorrelationId()
    const parts = encodeRequest(request, version, correlationId, this.clientId, value)
    const chunks = await this.exchange(parts, correlationId, apiName(request.key), options.timeoutMs)
    return this.decode(response, version, chunks)
  }

  /** For requests that brokers do not answer: Produce with acks=0. */
  sendNoReply<Request extends MessageSchema>(request: Request, value: Input<Request>, options: SendOptions = {}): void {
    const version = options.version ?? this.versionFor(request, options.maxVersion)
    this.enqueue(encodeRequest(request, version, this.takeCorrelationId(), this.clientId, value))
  }

  /** Sends a whole frame, size prefix included, as it is; resolves with the whole answer without its size prefix. */
  async sendRaw(frame: Uint8Array, options: { timeoutMs?: number } = {}): Promise<Buffer> {
    const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength)
    const chunks = await this.exchange([bytes], null, 'raw request', options.timeoutMs)
    return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
  }

  /** Puts bytes on the wire without expecting anything: half frames and worse, for tests of the broker. */
  writeBytes(bytes: Uint8Array): void {
    this.enqueue([Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)])
  }

  /** Resolves once everything handed over is with the kernel. */
  drained(): Promise<void> {
    return this.out.isEmpty || this.closedBy !== null ? Promise.resolve() : this.out.whenEmpty()
  }

  /** Resolves when the connection has ended, for whatever reason. */
  whenClosed(): Promise<void> {
    return this.closed.promise
  }

  /** Waits until everything sent is with the kernel, then closes. Requests still waiting for an answer are rejected. */
  async close(): Promise<void> {
    if (this.closedBy !== null) return this.closed.promise
    this.flush()
    await within(CLOSE_TIMEOUT_MS, this.drained())
    const socket = this.socket
    this.rejectAll(new ClientError('CONNECTION_CLOSED', `connection to ${this.address} was closed by its owner`))
    // `end()` drops what the kernel has not taken yet, so: a FIN first, then wait for the peer's.
    socket?.shutdown()
    await within(CLOSE_TIMEOUT_MS, this.closed.promise)
    socket?.terminate()
  }

  private async open(): Promise<void> {
    const opened = Bun.connect({
      hostname: this.host,
      port: this.port,
      socket: {
        data: (_socket, chunk) => this.received(chunk),
        drain: () => this.flush(),
        close: (_socket, error) => this.ended(error),
        error: (_socket, error) => this.fail(this.closedError(error)),
        connectError: () => undefined,
      },
    })
    const refused = (cause?: unknown): ClientError => {
      const reason = cause instanceof Error ? cause.message : `no answer within ${this.timeoutMs} ms`
      return new ClientError('CONNECT_FAILED', `no connection to ${this.address}: ${reason}`, { cause })
    }
    const socket = await within(
      this.timeoutMs,
      opened.catch((error: unknown) => Promise.reject(refused(error))),
    )
    if (socket === undefined) {
      opened.then((late) => late.terminate()).catch(() => undefined)
      throw refused()
    }
    this.socket = socket
  }

  /** KIP-35: ask with the newest version; a broker that does not know it answers in version 0 with what it knows. */
  private async negotiate(): Promise<void> {
    const first = await this.askVersions(ApiVersionsRequest.versions.max)
    let answer = first
    if (first.errorCode === ErrorCode.UNSUPPORTED_VERSION) {
      const known = first.apiKeys.find((row) => row.apiKey === ApiVersionsRequest.key)
      answer = await this.askVersions(Math.min(known?.maxVersion ?? 0, ApiVersionsRequest.versions.max - 1))
    }
    if (answer.errorCode !== 0) throw brokerError(answer.errorCode, `ask ${this.address} for its API versions`)
    this.versions = new Map(answer.apiKeys.map((row) => [row.apiKey, { min: row.minVersion, max: row.maxVersion }]))
  }

  private async askVersions(version: number): Promise<Infer<typeof ApiVersionsResponse>> {
    const correlationId = this.takeCorrelationId()
    const parts = encodeRequest(ApiVersionsRequest, version, correlationId, this.clientId, SOFTWARE)
    const chunks = await this.exchange(parts, correlationId, 'ApiVersions')
    // The error code follows the correlation id in every version; with UNSUPPORTED_VERSION the rest is version 0.
    const refused = new Reader(chunks)
    refused.int32()
    const readAs = refused.int16() === ErrorCode.UNSUPPORTED_VERSION ? 0 : version
    return this.decode(ApiVersionsResponse, readAs, chunks)
  }

  private decode<Response extends MessageSchema>(
    response: Response,
    version: number,
    chunks: Buffer[],
  ): Infer<Response> {
    try {
      const reader = new Reader(chunks)
      reader.int32() // the correlation id, by which `answer` found the request
      return decodeResponse(response, version, reader)
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      const what = `${apiName(response.key)} v${version} answer from ${this.address} cannot be read: ${reason}`
      throw new ClientError('BAD_RESPONSE', what, { cause })
    }
  }

  private takeCorrelationId(): number {
    const id = this.nextCorrelationId
    this.nextCorrelationId = (id + 1) & 0x7fffffff
    return id
  }

  private exchange(
    parts: readonly Buffer[],
    correlationId: number | null,
    what: string,
    timeoutMs = this.timeoutMs,
  ): Promise<Buffer[]> {
    return new Promise((resolve, reject) => {
      if (this.closedBy !== null) {
        reject(this.closedBy)
        return
      }
      const timer = setTimeout(() => {
        reject(new ClientError('TIMEOUT', `${what}: no answer from ${this.address} within ${timeoutMs} ms`))
      }, timeoutMs)
      this.waiting.push({ correlationId, what, timer, answered: resolve, failed: reject })
      this.enqueue(parts)
    })
  }

  private enqueue(parts: readonly Buffer[]): void {
    if (this.closedBy !== null) throw this.closedBy
    for (const part of parts) this.out.push(part)
    if (this.flushScheduled) return
    this.flushScheduled = true
    // One write for everything that is sent in this turn of the caller.
    queueMicrotask(() => {
      this.flushScheduled = false
      this.flush()
    })
  }

  private flush(): void {
    if (this.socket !== null && this.closedBy === null) this.out.writeTo(this.socket)
  }

  private received(chunk: Buffer): void {
    try {
      this.frames.push(chunk, (chunks) => this.answer(chunks))
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      this.fail(
        new ClientError('BAD_RESPONSE', `${this.address} does not speak Kafka's protocol: ${reason}`, { cause }),
      )
    }
  }

  private answer(chunks: Buffer[]): void {
    const waiting = this.waiting[this.waitingHead]
    const correlationId = new Reader(chunks).int32()
    if (waiting === undefined) {
      const message = `${this.address} sent an answer (correlation id ${correlationId}) that nobody asked for`
      this.fail(new ClientError('BAD_RESPONSE', message))
      return
    }
    if (waiting.correlationId !== null && waiting.correlationId !== correlationId) {
      const message = `${this.address} answered with correlation id ${correlationId} instead of ${waiting.correlationId}`
      this.fail(new ClientError('BAD_RESPONSE', message))
      return
    }
    this.waitingHead += 1
    if (this.waitingHead === this.waiting.length) {
      this.waiting = []
      this.waitingHead = 0
    }
    clearTimeout(waiting.timer)
    waiting.answered(chunks)
  }

  private closedError(cause?: unknown): ClientError {
    const oldest = this.waiting[this.waitingHead]
    const during = oldest === undefined ? '' : ` while ${oldest.what} waited for its answer`
    const reason = cause instanceof Error ? `: ${cause.message}` : ''
    return new ClientError('CONNECTION_CLOSED', `${this.address} closed the connection${during}${reason}`, { cause })
  }

  private ended(cause?: unknown): void {
    this.rejectAll(this.closedError(cause))
    this.closed.resolve()
  }

  private fail(error: ClientError): void {
    this.rejectAll(error)
    this.socket?.terminate()
  }

  private rejectAll(error: ClientError): void {
    this.closedBy ??= error
    const waiting = this.waiting.slice(this.waitingHead)
    this.waiting = []
    this.waitingHead = 0
    this.out.clear()
    for (const { timer, failed } of waiting) {
      clearTimeout(timer)
      failed(error)
    }
  }
}

/** The value, or undefined when it took longer; the timer does not outlive the answer. */
async function within<T>(timeoutMs: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), timeoutMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
