/**
 * One request and its answer, from the frame's arrival until the answer is in the connection's out-queue. It is the
 * `RequestContext` of its handler. Created by the connection, begun by the dispatcher.
 *
 * What must hold: it ends exactly once (`reply`, `fail` or `refuse`); afterwards later endings are ignored, because a
 * handler may still hold a callback when the connection is long gone.
 */
import type { Lent } from '../protocol/frame.ts'
import type { Api, BrokerContext, Operation, RequestContext, ResourceType } from './api.ts'
import type { Connection } from './connection.ts'

export class Exchange implements RequestContext {
  readonly connection: Connection
  readonly broker: BrokerContext
  /** The frame without its length prefix. Emptied when the exchange ended. */
  chunks: readonly Buffer[]
  /** What the frame counts against the request limits, length prefix included. */
  readonly sizeBytes: number
  /** Memory of the connection's that the chunks are views of. */
  #lent: readonly Lent[] | null

  /** Null until the header was read, and when it names no API that we serve. */
  api: Api | null = null
  bodyOffset = 0
  apiVersion = 0
  correlationId = 0
  clientId: string | null = null
  nowMs = 0
  /** For how long its client has to hold back. */
  throttleMs = 0

  isDone = false
  /** The answer, once done; null when there is none to send. */
  response: unknown = null
  /** Set instead of an answer: after the earlier answers are out, the connection closes. */
  closeReason: string | null = null

  #busyMs = 0
  /** On the monotonic clock; null while nobody times it. */
  #busySinceMs: number | null = null
  #releases: (() => void)[] | null = null
  #onAbandoned: (() => void) | null = null

  constructor(
    connection: Connection,
    broker: BrokerContext,
    chunks: readonly Buffer[],
    sizeBytes: number,
    lent: readonly Lent[] | null = null,
  ) {
    this.#lent = lent
    this.connection = connection
    this.broker = broker
    this.chunks = chunks
    this.sizeBytes = sizeBytes
  }

  get clientHost(): string {
    return this.connection.clientHost
  }

  get principal(): string {
    return this.connection.principal
  }

  /** Without an authorizer configured, everybody may do everything. */
  allowed(_operation: Operation, _resource: ResourceType, _name: string): boolean {
    return true
  }

  /** Buffers the answer points into: given back once it left, or when the connection is gone. */
  afterSent(release: () => void): void {
    this.#releases ??= []
    this.#releases.push(release)
  }

  /** Called when the connection closed before the answer came: whatever waits on behalf of it can stop. */
  onAbandoned(stop: () => void): void {
    this.#onAbandoned = stop
  }

  /** Time the broker's thread spent on it, in milliseconds; counted only where a quota asks for it. */
  get busyMs(): number {
    const running = this.#busySinceMs === null ? 0 : this.broker.clock.monotonic() - this.#busySinceMs
    return this.#busyMs + running
  }

  startTiming(): void {
    this.#busySinceMs = this.broker.clock.monotonic()
  }

  stopTiming(): void {
    this.#busyMs = this.busyMs
    this.#busySinceMs = null
  }

  throttle(ms: number): void {
    this.throttleMs = Math.max(this.throttleMs, ms)
  }

  reply(response: unknown): void {
    if (this.isDone) {
      this.release()
      return
    }
    this.response = response
    this.#end()
    // Only now is it sure that nobody works with the request's bytes any more.
    if (this.#lent !== null) this.connection.takeBack(this.#lent)
    this.#lent = null
  }

  /** It ended without an answer: somebody may still work with the request's bytes. */
  #loseLent(): void {
    if (this.#lent !== null) this.connection.lose(this.#lent)
    this.#lent = null
  }

  /** The request itself is at fault. */
  refuse(reason: string): void {
    if (this.isDone) return
    this.closeReason = reason
    this.#loseLent()
    this.#end()
  }

  /** We are at fault: a handler threw. */
  fail(error: unknown): void {
    if (this.isDone) return
    this.broker.logger.error('request failed', {
      api: this.api?.name,
      version: this.apiVersion,
      client: this.connection.peer,
      error,
    })
    this.refuse(`its ${this.api?.name ?? 'request'} failed inside the broker`)
  }

  /** The connection closed while this was queued or executing. */
  abandon(): void {
    this.isDone = true
    this.response = null
    this.chunks = []
    this.#loseLent()
    const stop = this.#onAbandoned
    this.#onAbandoned = null
    stop?.()
    this.release()
  }

  takeReleases(): readonly (() => void)[] | null {
    const releases = this.#releases
    this.#releases = null
    return releases
  }

  release(): void {
    const releases = this.takeReleases()
    if (releases !== null) for (const release of releases) release()
  }

  #end(): void {
    this.isDone = true
    this.chunks = []
    this.#onAbandoned = null
    this.connection.exchangeDone()
  }
}
