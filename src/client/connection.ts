/**
 * One connection to one broker: versions negotiated once, the caller authenticated, requests pipelined, responses matched
 * in order. Owned by `Cluster`, and used alone by tests that want to see exact bytes.
 *
 * What must hold: a broker answers the requests of a connection in the order they were sent, so waiting requests are a
 * plain queue. A request that was aborted keeps its place in the queue until its late response has been taken off the wire;
 * otherwise every later response would be matched to the wrong request. One that is not answered in time, aborted or not,
 * ends the connection, as with Java's clients: what is asked next would wait behind it, perhaps for as long as TCP keeps a
 * dead connection.
 *
 * While a session is renewed (KIP-368) other requests wait: between SaslHandshake and the last SaslAuthenticate a broker
 * takes nothing else.
 */
import { apiName } from '../protocol/api-keys.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { decodeResponse, encodeRequest, FrameReader } from '../protocol/frame.ts'
import { SaslHandshakeRequest, SaslHandshakeResponse } from '../protocol/messages/17-sasl-handshake.ts'
import { ApiVersionsRequest, ApiVersionsResponse } from '../protocol/messages/18-api-versions.ts'
import { SaslAuthenticateRequest, SaslAuthenticateResponse } from '../protocol/messages/36-sasl-authenticate.ts'
import { Reader } from '../protocol/reader.ts'
import type { Infer, Input, MessageSchema } from '../protocol/schema.ts'
import { formatHostPort } from './address.ts'
import { abortedError, brokerError, KafkaError } from './errors.ts'
import { TIMER_MS_MAX } from './retry.ts'
import type { SaslOptions } from './sasl.ts'
import { openTransport } from './transport/open.ts'
import type { TlsOptions, Transport } from './transport/transport.ts'

export interface VersionRange {
  readonly min: number
  readonly max: number
}

/** How to be let in: the same for every broker of a cluster. */
export interface SecurityOptions {
  /** True for the system's authorities. Without it the connection is not encrypted. */
  readonly tls?: TlsOptions | boolean
  /** How the client says who it is. Without it, it does not. */
  readonly sasl?: SaslOptions
}

/** Which request it was, for those who tell requests one by one. */
export interface RequestDetails {
  /** Of the broker, `host:port`. */
  readonly address: string
  readonly version: number
  readonly correlationId: number
  /** Of the answer; 0 where none came. */
  readonly bytes: number
}

/** Told after every answer, for metrics: how long it took, in milliseconds, and what came of it. */
export type RequestObserver = (
  apiKey: number,
  elapsedMs: number,
  error: KafkaError | null,
  details: RequestDetails,
) => void

export interface ConnectOptions extends SecurityOptions {
  readonly host: string
  readonly port: number
  readonly clientId?: string | null
  /** For the connection to come up, and for each request unless it brings its own. Default 30,000. */
  readonly timeoutMs?: number
  /** For the connection to come up alone, where that is another time. */
  readonly connectTimeoutMs?: number | undefined
  /** Leave out the ApiVersions exchange: `versions` stays empty, and each `send` must name its version. */
  readonly negotiate?: boolean
  readonly observer?: RequestObserver | undefined
  /** Gives up connecting. */
  readonly signal?: AbortSignal | undefined
}

export interface SendOptions {
  /** Exactly this version, even one that the broker does not list. */
  readonly version?: number
  /** No version above this one. */
  readonly maxVersion?: number
  readonly timeoutMs?: number
  /** Stops waiting for the answer; the broker may execute the request all the same. */
  readonly signal?: AbortSignal | undefined
}

const DEFAULT_TIMEOUT_MS = 30_000
const CLOSE_TIMEOUT_MS = 5_000
/** A fetch answer may be larger than what brokers take as a request. */
const MAX_RESPONSE_BYTES = 1024 * 1024 * 1024
const SOFTWARE = { clientSoftwareName: 'samsa', clientSoftwareVersion: '0.1.0' }
/** The part of a session's life after which it is renewed, spread so that not all connections do it at once. */
const RENEW_AFTER = 0.85
const RENEW_SPREAD = 0.1
/** What OpenSSL calls the ways in which a certificate is not good enough: no repetition helps. */
const CERTIFICATE_ERRORS: ReadonlySet<unknown> = new Set([
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'HOSTNAME_MISMATCH',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_REVOKED',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'CERT_SIGNATURE_FAILURE',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'INVALID_CA',
  'INVALID_PURPOSE',
])

/** A frame that its sender made: not for this client to name. */
const RAW = { apiKey: -1, version: -1 } as const

/** Answered requests are taken off the front of the queue so many at a time. */
const COMPACT_FROM = 256

interface Waiting {
  /** Null for frames whose sender chose the id. */
  readonly correlationId: number | null
  readonly apiKey: number
  readonly version: number
  readonly sentMs: number
  readonly deadlineMs: number
  /** Its sender has given up; only its place in the queue is left. */
  settled: boolean
  readonly answered: (chunks: Buffer[]) => void
  readonly failed: (error: KafkaError) => void
}

export class Connection {
  readonly host: string
  readonly port: number
  readonly clientId: string | null
  /** What the broker serves, by API key. Empty until negotiated. */
  versions: ReadonlyMap<number, VersionRange> = new Map()
  /** Levels of the cluster's features (KIP-584), as far as the broker tells: `transaction.version`, for one. */
  features: ReadonlyMap<string, number> = new Map()
  /** Why the connection is no longer usable; null while it is. */
  closedBy: KafkaError | null = null

  private readonly options: ConnectOptions
  private readonly timeoutMs: number
  private readonly frames = new FrameReader(MAX_RESPONSE_BYTES)
  private waiting: Waiting[] = []
  private waitingHead = 0
  private nextCorrelationId = 0
  private transport: Transport | null = null
  private outgoing: Buffer[] = []
  private flushScheduled = false
  private deadlineTimer: ReturnType<typeof setTimeout> | null = null
  private deadlineTimerMs = Number.POSITIVE_INFINITY
  private renewTimer: ReturnType<typeof setTimeout> | null = null
  /** Other requests wait for it. */
  private renewal: Promise<void> | null = null
  private readonly closed = Promise.withResolvers<void>()
  private hasEnded = false

  private constructor(options: ConnectOptions) {
    this.options = options
    this.host = options.host
    this.port = options.port
    this.clientId = options.clientId === undefined ? 'samsa' : options.clientId
    this.timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS
  }

  static async connect(options: ConnectOptions): Promise<Connection> {
    const connection = new Connection(options)
    const { signal } = options
    await connection.open()
    const aborted = (): void => {
      if (signal !== undefined) connection.fail(abortedError(`connect to ${connection.address}`, signal))
    }
    signal?.addEventListener('abort', aborted, { once: true })
    // It may have fired when the connection was just up.
    if (signal?.aborted === true) aborted()
    try {
      if (options.negotiate !== false) await connection.negotiate()
      if (options.sasl !== undefined) await connection.authenticate(options.sasl)
    } catch (error) {
      connection.fail(new KafkaError('ERR_CONNECTION_CLOSED', 'closed after failed negotiation', { cause: error }))
      throw error
    } finally {
      signal?.removeEventListener('abort', aborted)
    }
    return connection
  }

  get address(): string {
    return formatHostPort(this)
  }

  /** Requests that wait for their answer, given up or not. */
  get inFlight(): number {
    return this.waiting.length - this.waitingHead
  }

  /** The version that `send` would use: the highest one that both sides know. */
  versionFor(request: MessageSchema, maxVersion = Number.MAX_SAFE_INTEGER): number {
    const served = this.versions.get(request.key)
    const name = apiName(request.key)
    if (served === undefined) {
      throw new KafkaError('ERR_UNSUPPORTED_VERSION', `the broker at ${this.address} does not serve ${name}`)
    }
    const version = Math.min(served.max, request.versions.max, maxVersion)
    if (version < Math.max(served.min, request.versions.min)) {
      const ours = `${request.versions.min}-${Math.min(request.versions.max, maxVersion)}`
      throw new KafkaError(
        'ERR_UNSUPPORTED_VERSION',
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
    while (this.renewal !== null) await this.renewal
    return this.sendNow(request, response, value, options)
  }

  /** For requests that brokers do not answer: Produce with acks=0. */
  sendNoReply<Request extends MessageSchema>(request: Request, value: Input<Request>, options: SendOptions = {}): void {
    const version = options.version ?? this.versionFor(request, options.maxVersion)
    const parts = encodeRequest(request, version, this.takeCorrelationId(), this.clientId, value)
    if (this.renewal === null) this.enqueue(parts)
    else this.renewal.then(() => this.enqueue(parts)).catch(() => undefined)
  }

  /** Sends a whole frame, size prefix included, as it is; resolves with the whole answer without its size prefix. */
  async sendRaw(frame: Uint8Array, options: { timeoutMs?: number } = {}): Promise<Buffer> {
    const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength)
    const chunks = await this.exchange([bytes], null, RAW, options)
    return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
  }

  /** Puts bytes on the wire without expecting anything: half frames and worse, for tests of the broker. */
  writeBytes(bytes: Uint8Array): void {
    this.enqueue([Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)])
  }

  /** Resolves once everything handed over is with the kernel. */
  async drained(): Promise<void> {
    // What `sendNoReply` was given meanwhile is not even with the transport.
    while (this.renewal !== null) await this.renewal
    if (this.closedBy !== null) return
    this.flush()
    await this.transport?.whenFlushed()
  }

  /** Resolves when the connection has ended, for whatever reason. */
  whenClosed(): Promise<void> {
    return this.closed.promise
  }

  /** Whether waiting on this connection keeps the process alive; it does at first. */
  unref(): void {
    this.transport?.unref()
  }

  /** Waits until everything sent is with the kernel, then closes. Requests still waiting for an answer are rejected. */
  async close(): Promise<void> {
    if (this.closedBy !== null) return this.closed.promise
    await within(CLOSE_TIMEOUT_MS, this.drained())
    this.rejectAll(new KafkaError('ERR_CONNECTION_CLOSED', `connection to ${this.address} was closed by its owner`))
    // A FIN first, then wait for the peer's.
    this.transport?.shutdown()
    await within(CLOSE_TIMEOUT_MS, this.closed.promise)
    this.transport?.terminate()
  }

  /** Ends the connection at once; what waits for an answer fails with this error. */
  destroy(error: KafkaError): void {
    this.fail(error)
  }

  private async open(): Promise<void> {
    const { tls } = this.options
    const gaveUp = new AbortController()
    const timeoutMs = this.options.connectTimeoutMs ?? this.timeoutMs
    const timer = setTimeout(() => gaveUp.abort(), Math.min(timeoutMs, TIMER_MS_MAX))
    const { signal } = this.options
    try {
      this.transport = await openTransport(
        {
          host: this.host,
          port: this.port,
          tls: tls === true ? {} : tls === undefined || tls === false ? null : tls,
          signal: signal === undefined ? gaveUp.signal : AbortSignal.any([gaveUp.signal, signal]),
        },
        {
          data: (chunk) => this.received(chunk),
          drain: () => undefined,
          closed: (error) => this.ended(error),
        },
      )
    } catch (cause) {
      if (signal?.aborted === true) throw abortedError(`connect to ${this.address}`, signal)
      const inTime = cause instanceof Error && !gaveUp.signal.aborted
      const reason = inTime ? cause.message : `no answer within ${timeoutMs} ms`
      const code =
        inTime && CERTIFICATE_ERRORS.has((cause as NodeJS.ErrnoException).code) ? 'ERR_AUTHENTICATION' : 'ERR_CONNECT'
      throw new KafkaError(code, `no connection to ${this.address}: ${reason}`, { cause })
    } finally {
      clearTimeout(timer)
    }
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
    this.features = new Map(answer.finalizedFeatures.map(({ name, maxVersionLevel }) => [name, maxVersionLevel]))
  }

  private async askVersions(version: number): Promise<Infer<typeof ApiVersionsResponse>> {
    const correlationId = this.takeCorrelationId()
    const parts = encodeRequest(ApiVersionsRequest, version, correlationId, this.clientId, SOFTWARE)
    const chunks = await this.exchange(parts, correlationId, { apiKey: ApiVersionsRequest.key, version }, {})
    // The error code follows the correlation id in every version; with UNSUPPORTED_VERSION the rest is version 0.
    const refused = new Reader(chunks)
    refused.int32()
    const readAs = refused.int16() === ErrorCode.UNSUPPORTED_VERSION ? 0 : version
    return this.decode(ApiVersionsResponse, readAs, chunks)
  }

  /** SASL in requests (KIP-43, KIP-152). Where the session ends some time (KIP-368), a timer renews it before. */
  private async authenticate(sasl: SaslOptions): Promise<void> {
    const { mechanism } = sasl
    const what = `authenticate at ${this.address} with ${mechanism}`
    // Version 0 is followed by bare SASL bytes instead of SaslAuthenticate requests.
    const handshake = await this.sendNow(SaslHandshakeRequest, SaslHandshakeResponse, { mechanism }, { version: 1 })
    if (handshake.errorCode !== 0) {
      const cause = brokerError(handshake.errorCode, what)
      const isUnknown = handshake.errorCode === ErrorCode.UNSUPPORTED_SASL_MECHANISM
      const message = isUnknown ? `${what}: it offers ${handshake.mechanisms.join(', ')}` : cause.message
      throw new KafkaError('ERR_AUTHENTICATION', message, { cause })
    }
    // Only those who authenticate need node:crypto.
    const { authenticate } = await import('./sasl.ts')
    let lifetimeMs = 0
    try {
      const conversation = authenticate(sasl, async (message) => {
        const answer = await this.sendNow(SaslAuthenticateRequest, SaslAuthenticateResponse, { authBytes: message })
        if (answer.errorCode !== 0) throw brokerError(answer.errorCode, what, answer.errorMessage)
        lifetimeMs = answer.sessionLifetimeMs
        return answer.authBytes
      }).then(() => true)
      // Whoever makes tokens may hang, while all requests wait.
      const isDone = await within(this.timeoutMs, conversation)
      if (isDone === undefined) throw new KafkaError('ERR_TIMEOUT', `${what}: not done within ${this.timeoutMs} ms`)
    } catch (cause) {
      if (cause instanceof KafkaError && cause.retriable) throw cause
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new KafkaError('ERR_AUTHENTICATION', reason.startsWith(what) ? reason : `${what}: ${reason}`, { cause })
    }
    if (lifetimeMs > 0) this.renewAfter(lifetimeMs * (RENEW_AFTER + RENEW_SPREAD * Math.random()), sasl)
  }

  private renewAfter(delayMs: number, sasl: SaslOptions): void {
    const timer = setTimeout(
      () => {
        this.renewTimer = null
        this.renewal = this.authenticate(sasl)
          .catch((cause: unknown) => {
            // Who was let in before may be let in again by a new connection: nothing that waits here has been refused.
            const reason = cause instanceof Error ? cause.message : String(cause)
            const message = `the session at ${this.address} could not be renewed: ${reason}`
            this.fail(new KafkaError('ERR_CONNECTION_CLOSED', message, { cause }))
          })
          .finally(() => {
            this.renewal = null
          })
      },
      Math.min(delayMs, TIMER_MS_MAX),
    )
    timer.unref()
    this.renewTimer = timer
  }

  private async sendNow<Request extends MessageSchema, Response extends MessageSchema>(
    request: Request,
    response: Response,
    value: Input<Request>,
    options: SendOptions = {},
  ): Promise<Infer<Response>> {
    const version = options.version ?? this.versionFor(request, options.maxVersion)
    const correlationId = this.takeCorrelationId()
    const parts = encodeRequest(request, version, correlationId, this.clientId, value)
    const chunks = await this.exchange(parts, correlationId, { apiKey: request.key, version }, options)
    return this.decode(response, version, chunks)
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
      throw new KafkaError('ERR_BAD_RESPONSE', what, { cause })
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
    { apiKey, version }: { readonly apiKey: number; readonly version: number },
    options: { readonly timeoutMs?: number; readonly signal?: AbortSignal | undefined },
  ): Promise<Buffer[]> {
    const { signal, timeoutMs = this.timeoutMs } = options
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(abortedError(`request to ${this.address}`, signal))
        return
      }
      if (this.closedBy !== null) {
        reject(this.closedBy)
        return
      }
      const sentMs = performance.now()
      const waiting: Waiting = {
        correlationId,
        apiKey,
        version,
        sentMs,
        deadlineMs: sentMs + timeoutMs,
        settled: false,
        answered: resolve,
        failed: reject,
      }
      this.waiting.push(waiting)
      this.watchDeadline(waiting.deadlineMs)
      this.enqueue(parts)
      if (signal !== undefined) this.giveUpOn(waiting, signal)
    })
  }

  private giveUpOn(waiting: Waiting, signal: AbortSignal): void {
    const aborted = (): void => this.settle(waiting, abortedError(nameOf(waiting), signal))
    signal.addEventListener('abort', aborted, { once: true })
    const forget = (): void => signal.removeEventListener('abort', aborted)
    const { answered, failed } = waiting
    Object.assign(waiting, {
      answered: (chunks: Buffer[]) => {
        forget()
        answered(chunks)
      },
      failed: (error: KafkaError) => {
        forget()
        failed(error)
      },
    })
  }

  /** One timer for all requests: it is set for the earliest deadline, and looks at all of them when it fires. */
  private watchDeadline(deadlineMs: number): void {
    if (deadlineMs >= this.deadlineTimerMs) return
    if (this.deadlineTimer !== null) clearTimeout(this.deadlineTimer)
    this.deadlineTimerMs = deadlineMs
    const delayMs = Math.max(0, Math.ceil(deadlineMs - performance.now()))
    this.deadlineTimer = setTimeout(() => this.expire(), Math.min(delayMs, TIMER_MS_MAX))
  }

  private expire(): void {
    this.deadlineTimer = null
    this.deadlineTimerMs = Number.POSITIVE_INFINITY
    const nowMs = performance.now()
    let nextMs = Number.POSITIVE_INFINITY
    let overdue: KafkaError | null = null
    for (let index = this.waitingHead; index < this.waiting.length; index++) {
      const waiting = this.waiting[index]!
      if (waiting.deadlineMs > nowMs) nextMs = Math.min(nextMs, waiting.deadlineMs)
      else {
        const waitedMs = Math.round(waiting.deadlineMs - waiting.sentMs)
        const message = `${nameOf(waiting)}: no answer from ${this.address} within ${waitedMs} ms`
        const error = new KafkaError('ERR_TIMEOUT', message)
        this.settle(waiting, error)
        overdue ??= error
      }
    }
    if (overdue !== null) {
      this.fail(new KafkaError('ERR_CONNECTION_CLOSED', `connection ended: ${overdue.message}`, { cause: overdue }))
    } else if (nextMs !== Number.POSITIVE_INFINITY) this.watchDeadline(nextMs)
  }

  private settle(waiting: Waiting, error: KafkaError): void {
    if (waiting.settled) return
    waiting.settled = true
    this.tell(waiting, error, 0)
    waiting.failed(error)
  }

  private enqueue(parts: readonly Buffer[]): void {
    if (this.closedBy !== null) throw this.closedBy
    for (const part of parts) this.outgoing.push(part)
    if (this.flushScheduled) return
    this.flushScheduled = true
    // One write for everything that is sent in this turn of the caller.
    queueMicrotask(() => {
      this.flushScheduled = false
      this.flush()
    })
  }

  private flush(): void {
    if (this.transport === null || this.closedBy !== null || this.outgoing.length === 0) return
    const parts = this.outgoing
    this.outgoing = []
    this.transport.write(parts)
  }

  private received(chunk: Buffer): void {
    try {
      this.frames.push(chunk, (chunks) => this.answer(chunks))
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      this.fail(
        new KafkaError('ERR_BAD_RESPONSE', `${this.address} does not speak Kafka's protocol: ${reason}`, { cause }),
      )
    }
  }

  private answer(chunks: Buffer[]): void {
    const waiting = this.waiting[this.waitingHead]
    const correlationId = new Reader(chunks).int32()
    if (waiting === undefined) {
      const message = `${this.address} sent an answer (correlation id ${correlationId}) that nobody asked for`
      this.fail(new KafkaError('ERR_BAD_RESPONSE', message))
      return
    }
    if (waiting.correlationId !== null && waiting.correlationId !== correlationId) {
      const message = `${this.address} answered with correlation id ${correlationId} instead of ${waiting.correlationId}`
      this.fail(new KafkaError('ERR_BAD_RESPONSE', message))
      return
    }
    this.waitingHead += 1
    if (this.waitingHead === this.waiting.length || this.waitingHead === COMPACT_FROM) {
      this.waiting = this.waiting.slice(this.waitingHead)
      this.waitingHead = 0
    }
    if (waiting.settled) return
    waiting.settled = true
    this.tell(
      waiting,
      null,
      chunks.reduce((bytes, { length }) => bytes + length, 0),
    )
    waiting.answered(chunks)
  }

  private tell(waiting: Waiting, error: KafkaError | null, bytes: number): void {
    const { observer } = this.options
    if (observer === undefined) return
    const { apiKey, version, correlationId, sentMs } = waiting
    const details = { address: this.address, version, correlationId: correlationId ?? -1, bytes }
    observer(apiKey, performance.now() - sentMs, error, details)
  }

  private closedError(cause?: unknown): KafkaError {
    const oldest = this.waiting[this.waitingHead]
    const during = oldest === undefined ? '' : ` while ${nameOf(oldest)} waited for its answer`
    const reason = cause instanceof Error ? `: ${cause.message}` : ''
    return new KafkaError('ERR_CONNECTION_CLOSED', `${this.address} closed the connection${during}${reason}`, { cause })
  }

  private ended(cause?: unknown): void {
    if (this.hasEnded) return
    this.hasEnded = true
    this.rejectAll(this.closedError(cause))
    this.closed.resolve()
  }

  private fail(error: KafkaError): void {
    this.rejectAll(error)
    this.transport?.terminate()
  }

  private rejectAll(error: KafkaError): void {
    this.closedBy ??= error
    if (this.renewTimer !== null) clearTimeout(this.renewTimer)
    if (this.deadlineTimer !== null) clearTimeout(this.deadlineTimer)
    this.deadlineTimer = null
    const waiting = this.waiting.slice(this.waitingHead)
    this.waiting = []
    this.waitingHead = 0
    this.outgoing = []
    for (const each of waiting) this.settle(each, error)
  }
}

function nameOf({ apiKey }: Waiting): string {
  return apiKey < 0 ? 'raw request' : apiName(apiKey)
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
