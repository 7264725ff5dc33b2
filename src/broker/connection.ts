/**
 * One client connection: frames in, answers out. Requests execute and are answered strictly in the order they came;
 * only Produces may begin while earlier Produces of the same connection still wait for their disk. Owned by the
 * server, which forwards the socket's events.
 *
 * What must hold:
 * - nothing is written while a request executes: answers gather in the out-queue and leave in one flush per turn;
 * - what a client can make us hold is bounded (limits.ts): above a limit the socket is not read;
 * - a close never loses answers that were already given: drain, shutdown, then wait for the peer.
 */
import { FrameReader, type Lent } from '../protocol/frame.ts'
import { ReceivedChunk } from '../protocol/received-chunk.ts'
import type { Part } from '../protocol/writer.ts'
import { BufferPool } from '../storage/buffer-pool.ts'
import { libc } from '../storage/libc.ts'
import type { Logger } from '../storage/logger.ts'
import type { Timers } from '../storage/timers.ts'
import type { BrokerContext } from './api.ts'
import type { Dispatcher } from './dispatch.ts'
import { Exchange } from './exchange.ts'
import {
  CLOSE_GRACE_MS,
  CONNECTION_BYTES_PER_TURN,
  CONNECTION_REQUEST_BYTES_MAX,
  CONNECTION_REQUESTS_MAX,
  CONNECTION_UNREAD_BYTES_MAX,
  FREED_CHUNK_BYTES_MIN,
  LENT_BYTES_MAX,
  LENT_PIECE_BYTES_MAX,
  RECEIVE_BYTES_MIN,
  RECEIVE_HEAD_BYTES,
  REQUEST_MEMORY_KEPT_BYTES,
} from './limits.ts'
import type { ByteSink, QueueOwner } from './out-queue.ts'
import { OutQueue } from './out-queue.ts'
import type { BudgetMember, RequestBudget } from './request-budget.ts'

const { receive } = libc()

/** Memory for large Produces, of all connections. */
const requestMemory = new BufferPool(REQUEST_MEMORY_KEPT_BYTES)

/** Piece by piece, because a size that was only announced is not worth memory; none when too much is out. */
function lendRequestMemory(missingBytes: number): Buffer | null {
  if (requestMemory.takenBytes > LENT_BYTES_MAX) return null
  return requestMemory.take(Math.min(missingBytes, LENT_PIECE_BYTES_MAX))
}

/** The part of a Bun socket that a connection uses. */
export interface ConnectionSocket extends ByteSink {
  /** Undefined when the peer is gone before we look. */
  readonly remoteAddress: string | undefined
  readonly remotePort: number | undefined
  readonly localAddress: string
  readonly localPort: number
  pause(): void
  resume(): void
  shutdown(): void
  terminate(): void
}

/** What all connections of a broker share. */
export interface ConnectionHost {
  readonly broker: BrokerContext
  readonly dispatcher: Dispatcher
  readonly budget: RequestBudget
  readonly logger: Logger
  readonly timers: Timers
  readonly maxRequestBytes: number
  nowMs(): number
  /** For how long something has lasted: the wall clock may jump, and a peer is not idle for that. */
  monotonicMs(): number
  /** Calls `flush` of the connection at the end of this turn. */
  flushLater(connection: Connection): void
  closed(connection: Connection): void
}

/**
 * open: reads and executes. draining: begins nothing more, answers what runs. shut: all sent and FIN sent, waits for the
 * peer's. closed: the socket is gone.
 */
type State = 'open' | 'draining' | 'shut' | 'closed'

export class Connection implements BudgetMember, QueueOwner {
  readonly id: number
  readonly clientHost: string
  /** `127.0.0.1:40123`, for log lines. */
  readonly peer: string
  readonly localAddress: string
  readonly localPort: number
  principal = 'User:ANONYMOUS'
  /** As told by ApiVersions v3+. */
  clientSoftware: { name: string; version: string } | null = null
  /** Request bytes received and not yet answered, half a frame included. */
  heldBytes = 0
  lastActiveMs: number

  readonly #host: ConnectionHost
  readonly #socket: ConnectionSocket
  readonly #frames: FrameReader
  /** Bytes by correlation id; null outside of tests. */
  #cuts: Map<number, number> | null = null
  readonly #out = new OutQueue(this)
  #state: State = 'open'
  #isReading = true
  #isPumping = false
  #isFlushScheduled = false
  /** Received since the end of the last turn that had something to send. */
  #bytesThisTurn = 0
  /** 0: not muted. */
  #mutedUntilMs = 0
  /** Whole requests; [0, head) are answered, [head, next) execute, the rest wait. */
  #exchanges: Exchange[] = []
  #head = 0
  #next = 0
  /** Bytes of the exchanges that are not answered. */
  #requestBytes = 0

  constructor(host: ConnectionHost, socket: ConnectionSocket, id: number) {
    this.#host = host
    this.#socket = socket
    this.id = id
    const address = plainAddress(socket.remoteAddress ?? 'unknown')
    this.clientHost = `/${address}`
    this.peer = `${address}:${socket.remotePort ?? 0}`
    this.localAddress = plainAddress(socket.localAddress)
    this.localPort = socket.localPort
    this.lastActiveMs = host.monotonicMs()
    this.#frames = new FrameReader(host.maxRequestBytes)
  }

  get isClosed(): boolean {
    return this.#state === 'closed'
  }

  get unreadBytes(): number {
    return this.#out.bytes
  }

  /** A request executes: the peer is not idle, we are. */
  get isExecuting(): boolean {
    return this.#head < this.#next
  }

  // Events of the socket

  onData(chunk: Buffer): void {
    if (this.#state !== 'open') return
    this.lastActiveMs = this.#host.monotonicMs()
    this.#took(chunk.length)
    const received = ReceivedChunk.of(chunk, FREED_CHUNK_BYTES_MIN)
    try {
      this.#frames.push(chunk, this.#onFrame, received)
      received?.done()
      this.#receiveMore()
    } catch (error) {
      this.#pushRefused(error instanceof Error ? error.message : String(error))
    }
    this.#pump()
    this.#updateReading()
  }

  /**
   * The rest of a large Produce, taken from the socket straight into memory that is used again and again: buffers of the runtime's would be
   * filled by one more copy, and each is a new one. What follows it is taken the same way, so that under load little comes as an event.
   */
  #receiveMore(): void {
    const descriptor = this.#socket.fd
    if (receive === null || descriptor === undefined || descriptor < 0) return
    let isAtNextFrame = false
    while (this.#mayRead()) {
      const missing = this.#frames.missingBytes
      let count: number
      if (missing >= RECEIVE_BYTES_MIN && this.#frames.pendingApiKey === PRODUCE_KEY) {
        const landing = this.#frames.land(lendRequestMemory)
        if (landing === null) return
        const { memory, filled } = landing
        count = receive(descriptor, memory, filled, Math.min(missing, memory.length - filled))
        this.#took(count)
        if (count > 0) this.#frames.landed(count, this.#onFrame)
        isAtNextFrame = count === missing
      } else if (isAtNextFrame) {
        const head = Buffer.allocUnsafe(RECEIVE_HEAD_BYTES)
        count = receive(descriptor, head, 0, head.length)
        this.#took(count)
        if (count > 0) this.#frames.push(head.subarray(0, count), this.#onFrame)
        isAtNextFrame = false
      } else return
      if (count <= 0) return
    }
  }

  #took(bytes: number): void {
    if (bytes <= 0) return
    this.heldBytes += bytes
    this.#bytesThisTurn += bytes
    // The end of the turn counts anew; until then others have theirs.
    if (this.#bytesThisTurn > CONNECTION_BYTES_PER_TURN) this.#scheduleFlush()
    this.#host.budget.take(this, bytes, this.lastActiveMs)
  }

  /** A request's memory, after its answer. */
  takeBack(lent: readonly Lent[]): void {
    for (const memory of lent) {
      if (memory instanceof ReceivedChunk) memory.done()
      else requestMemory.give(memory)
    }
  }

  lose(lent: readonly Lent[]): void {
    for (const memory of lent) {
      if (memory instanceof ReceivedChunk) memory.lose()
      else requestMemory.lose(memory)
    }
  }

  onDrain(): void {
    if (this.#state === 'closed') return
    this.lastActiveMs = this.#host.monotonicMs()
    this.flush()
  }

  onClosed(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#host.timers.cancel(this.#closeTimer)
    if (this.#mutedUntilMs > 0) this.#host.timers.cancel(this.#muteTimer)
    this.#out.clear()
    this.lose(this.#frames.takeLent() ?? [])
    const open = this.#exchanges.slice(this.#head)
    this.#exchanges = []
    this.#head = 0
    this.#next = 0
    for (const exchange of open) exchange.abandon()
    this.#giveBack(this.heldBytes)
    this.#host.budget.forget(this)
    this.#host.closed(this)
  }

  // Called by exchanges, the server's turn and its sweeps

  /** Some exchange ended; answers leave in order, so it may have to wait for earlier ones. */
  exchangeDone(): void {
    if (this.#isPumping || this.#state === 'closed') return
    this.#deliver()
    this.#pump()
    this.#updateReading()
  }

  flush(): void {
    this.#isFlushScheduled = false
    this.#bytesThisTurn = 0
    if (this.#state === 'closed' || this.#state === 'shut') return
    const allLeft = this.#out.flush(this.#socket)
    this.#pump()
    this.#updateReading()
    if (allLeft && this.#out.isEmpty) this.#shutWhenDone()
  }

  partLoaded(): void {
    this.flush()
  }

  partLost(error: unknown): void {
    this.terminate(`data it was promised cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }

  budgetChanged(): void {
    this.#updateReading()
  }

  closeStalled(): void {
    this.close('it stalled in the middle of a request while the memory for requests is used up')
  }

  /** Answers what executes, drops what only waits, then closes. A reason is logged. */
  close(reason: string | null): void {
    if (this.#state !== 'open') return
    if (reason !== null) this.#host.logger.warn('closing connection', { client: this.peer, reason })
    this.#state = 'draining'
    const waiting = this.#exchanges.splice(this.#next)
    for (const exchange of waiting) exchange.abandon()
    // Half a frame and what waited will not be answered.
    this.#giveBack(this.heldBytes - this.#executingBytes())
    this.#updateReading()
    if (this.#out.isEmpty) this.#shutWhenDone()
    else this.#scheduleFlush()
  }

  /** The broker stops: what still executes will not be answered. */
  abandonExecuting(): void {
    if (this.#state !== 'draining') return
    for (const exchange of this.#exchanges.slice(this.#head, this.#next)) {
      if (!exchange.isDone) exchange.abandon()
    }
    this.#deliver()
  }

  /** For tests: of the answer to this request only so many bytes leave, its length prefix included, and nothing after them. */
  cutAnswer(correlationId: number, bytes: number): void {
    this.#cuts ??= new Map()
    this.#cuts.set(correlationId, bytes)
  }

  /** Does not wait for the peer to take anything. */
  terminate(reason: string | null): void {
    if (this.#state === 'closed') return
    if (reason !== null) this.#host.logger.warn('closing connection', { client: this.peer, reason })
    this.#socket.terminate()
    this.onClosed()
  }

  // Requests

  readonly #onFrame = (chunks: Buffer[], length: number, lent: readonly Lent[] | null): void => {
    let returned = lent
    // Others may keep what their request brought (a group its members' subscriptions); a Produce's records are written when it is answered.
    if (lent !== null && (length < 2 || chunks[0]!.readInt16BE(0) !== PRODUCE_KEY)) {
      this.lose(lent)
      returned = null
    }
    this.#exchanges.push(new Exchange(this, this.#host.broker, chunks, length + FRAME_PREFIX_BYTES, returned))
    this.#requestBytes += length + FRAME_PREFIX_BYTES
  }

  /** The bytes stopped making sense: what came before is still answered, then the connection closes. */
  #pushRefused(reason: string): void {
    const exchange = new Exchange(this, this.#host.broker, [], 0)
    exchange.isDone = true
    exchange.closeReason = reason
    this.#exchanges.push(exchange)
  }

  /** Begins every exchange that may begin now. */
  #pump(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    while (this.#next < this.#exchanges.length) {
      if (this.#state !== 'open' || this.#mutedUntilMs > 0 || this.#out.bytes > CONNECTION_UNREAD_BYTES_MAX) break
      const exchange = this.#exchanges[this.#next]!
      if (!exchange.isDone && exchange.api === null) this.#host.dispatcher.readHeader(exchange)
      if (this.#head < this.#next && !this.#mayOverlap(exchange)) break
      this.#next++
      if (!exchange.isDone) this.#host.dispatcher.begin(exchange)
      this.#deliver()
    }
    this.#isPumping = false
  }

  /** Whatever executes beside others is a Produce, so the oldest one tells about all of them. */
  #mayOverlap(exchange: Exchange): boolean {
    return exchange.api?.key === PRODUCE_KEY && this.#exchanges[this.#head]!.api?.key === PRODUCE_KEY
  }

  /** Moves answers to the out-queue, as far as they are complete from the oldest on. */
  #deliver(): void {
    while (this.#head < this.#next && this.#exchanges[this.#head]!.isDone) {
      const exchange = this.#exchanges[this.#head]!
      this.#head++
      this.#requestBytes -= exchange.sizeBytes
      this.#giveBack(exchange.sizeBytes)
      if (exchange.closeReason === null) this.#send(exchange)
      if (exchange.closeReason !== null) {
        exchange.release()
        this.close(exchange.closeReason)
        break
      }
    }
    if (this.#head === this.#exchanges.length) {
      this.#exchanges = []
      this.#head = 0
      this.#next = 0
    } else if (this.#head >= COMPACT_AT) {
      this.#exchanges.splice(0, this.#head)
      this.#next -= this.#head
      this.#head = 0
    }
    if (this.#state === 'draining' && this.#out.isEmpty) this.#shutWhenDone()
  }

  /** An answer that cannot be encoded is our bug; it ends the connection like any other failure of a handler. */
  #send(exchange: Exchange): void {
    this.#host.dispatcher.charge(exchange)
    if (exchange.throttleMs > 0) this.#mute(exchange.throttleMs)
    if (exchange.response !== null) {
      try {
        const cut = this.#cuts?.get(exchange.correlationId)
        if (cut === undefined) this.#host.dispatcher.encodeAnswer(exchange, this.#out)
        else this.#sendCut(exchange, cut)
      } catch (error) {
        this.#host.logger.error('answer cannot be encoded', { api: exchange.api?.name, error })
        exchange.closeReason = `its ${exchange.api?.name ?? 'request'} failed inside the broker`
        return
      }
      this.#scheduleFlush()
    }
    const releases = exchange.takeReleases()
    if (releases !== null) for (const release of releases) this.#out.pushRelease(release)
  }

  #sendCut(exchange: Exchange, bytes: number): void {
    let left = bytes
    const push = (part: Part): void => {
      if (left <= 0) return
      // What lies in a file is sent whole, or not at all.
      const isWhole = !(part instanceof Uint8Array) || part.length <= left
      this.#out.push(isWhole ? part : part.subarray(0, left))
      left -= part instanceof Uint8Array ? part.length : part.storedBytes
    }
    this.#host.dispatcher.encodeAnswer(exchange, { push })
    for (const later of this.#exchanges.slice(this.#head)) later.abandon()
    exchange.closeReason = `its answer was to be cut after ${bytes} bytes`
  }

  /** The answer leaves at once; nothing further is executed or read for a while (KIP-219). */
  #mute(ms: number): void {
    const untilMs = this.#host.nowMs() + ms
    if (untilMs <= this.#mutedUntilMs) return
    this.#mutedUntilMs = untilMs
    this.#host.timers.schedule(this.#muteTimer, untilMs, () => {
      this.#mutedUntilMs = 0
      this.#pump()
      this.#updateReading()
    })
  }

  #scheduleFlush(): void {
    if (this.#isFlushScheduled) return
    this.#isFlushScheduled = true
    this.#host.flushLater(this)
  }

  #executingBytes(): number {
    let bytes = 0
    for (let i = this.#head; i < this.#next; i++) bytes += this.#exchanges[i]!.sizeBytes
    return bytes
  }

  #giveBack(bytes: number): void {
    if (bytes === 0) return
    this.heldBytes -= bytes
    this.#host.budget.give(this, bytes)
  }

  // Reading and closing

  #mayRead(): boolean {
    if (this.#state === 'shut') return true
    if (this.#state !== 'open') return false
    return (
      this.#mutedUntilMs === 0 &&
      this.#bytesThisTurn <= CONNECTION_BYTES_PER_TURN &&
      this.#out.bytes <= CONNECTION_UNREAD_BYTES_MAX &&
      this.#requestBytes <= CONNECTION_REQUEST_BYTES_MAX &&
      this.#exchanges.length - this.#head <= CONNECTION_REQUESTS_MAX &&
      this.#host.budget.mayRead(this, this.lastActiveMs)
    )
  }

  #updateReading(): void {
    if (this.#state === 'closed') return
    const mayRead = this.#mayRead()
    if (mayRead === this.#isReading) return
    this.#isReading = mayRead
    if (mayRead) this.#socket.resume()
    else this.#socket.pause()
  }

  /**
   * While draining and with nothing left to answer or send: FIN. Reading goes on (the bytes are dropped), because a
   * paused socket does not notice that the peer has closed.
   */
  #shutWhenDone(): void {
    if (this.#state !== 'draining' || this.isExecuting) return
    this.#state = 'shut'
    this.#socket.shutdown()
    this.#updateReading()
    this.#host.timers.schedule(this.#closeTimer, this.#host.nowMs() + CLOSE_GRACE_MS, () => this.terminate(null))
  }

  get #muteTimer(): string {
    return `connection/${this.id}/mute`
  }

  get #closeTimer(): string {
    return `connection/${this.id}/close`
  }
}

const FRAME_PREFIX_BYTES = 4
const PRODUCE_KEY = 0
const COMPACT_AT = 256

/** An IPv4 client of a dual-stack listener shows as `::ffff:1.2.3.4`. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}
