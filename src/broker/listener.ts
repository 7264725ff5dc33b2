/**
 * The listening socket and the connections accepted on it: forwards socket events, flushes answers once per turn, and
 * sweeps for connections that are idle or in the way. Owned by the server.
 */
import type { Socket, TCPSocketListener } from 'bun'
import type { BrokerConfig } from '../metadata/broker-config.ts'
import type { Clock } from '../storage/clock.ts'
import { elapsedMs } from '../storage/clock.ts'
import { libc } from '../storage/libc.ts'
import type { Logger } from '../storage/logger.ts'
import type { Timers } from '../storage/timers.ts'
import type { BrokerContext } from './api.ts'
import { Connection, type ConnectionHost, plainAddress } from './connection.ts'
import { ConnectionLimits } from './connection-limits.ts'
import type { Dispatcher } from './dispatch.ts'
import { STOP_EXECUTING_MS, STOP_GRACE_MS, WAITING_CONNECTIONS_MAX } from './limits.ts'
import { RequestBudget } from './request-budget.ts'
import { BrokerStartError } from './start-error.ts'

export interface ListenerOptions {
  readonly broker: BrokerContext
  readonly dispatcher: Dispatcher
  readonly config: BrokerConfig
  readonly clock: Clock
  readonly timers: Timers
  readonly logger: Logger
}

interface SocketData {
  connection: Connection | null
  /** Where it counts as one more connection; null once it was given back. */
  address: string | null
  /** What it waits for before it is opened or closed. */
  timer: string | null
}

const SWEEP_TIMER = 'connections/sweep'
const STOP_EXECUTING_TIMER = 'connections/stop-executing'
const STOP_TIMER = 'connections/stop'
const MAX_SWEEP_INTERVAL_MS = 1_000
/** Of the files that the process may open; the logs need the rest. */
const CONNECTIONS_SHARE = 0.4

export class Listener implements ConnectionHost {
  readonly broker: BrokerContext
  readonly dispatcher: Dispatcher
  readonly logger: Logger
  readonly timers: Timers
  readonly budget: RequestBudget
  readonly maxRequestBytes: number
  readonly #clock: Clock
  readonly #maxIdleMs: number
  readonly #maxConnections: number
  readonly #limits: ConnectionLimits
  /** Null: the system's own, which grow as they are needed. */
  readonly #sendBufferBytes: number | null
  readonly #receiveBufferBytes: number | null
  #isFull = false
  readonly #connections = new Set<Connection>()
  /** Connections over a rate, by the timer that opens or ends them. */
  readonly #waiting = new Map<string, Socket<SocketData>>()
  #toFlush: Connection[] = []
  #nextConnectionId = 1
  #server: TCPSocketListener<SocketData> | null = null
  #allClosed: (() => void) | null = null

  constructor(options: ListenerOptions) {
    this.broker = options.broker
    this.dispatcher = options.dispatcher
    this.logger = options.logger
    this.timers = options.timers
    this.#clock = options.clock
    const queuedBytesMax = options.config.number('queued.max.request.bytes')
    this.budget = queuedBytesMax > 0 ? new RequestBudget(queuedBytesMax) : new RequestBudget()
    this.#sendBufferBytes = givenBytes(options.config, 'socket.send.buffer.bytes')
    this.#receiveBufferBytes = givenBytes(options.config, 'socket.receive.buffer.bytes')
    this.maxRequestBytes = options.config.number('socket.request.max.bytes')
    this.#maxIdleMs = options.config.number('connections.max.idle.ms')
    this.#limits = new ConnectionLimits({ config: options.config, quotas: options.broker.quotas, clock: options.clock })
    this.#maxConnections = Math.floor(options.broker.disk.mostOpenFiles * CONNECTIONS_SHARE)
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  /** Throws BrokerStartError. Returns the port, which the system chose if 0 was asked for. */
  listen(host: string, port: number): number {
    try {
      this.#server = Bun.listen<SocketData>({
        hostname: host,
        port,
        socket: {
          open: (socket) => this.#opened(socket),
          data: (socket, chunk) => socket.data.connection?.onData(chunk),
          drain: (socket) => socket.data.connection?.onDrain(),
          close: (socket) => this.#gone(socket),
          error: (socket, error) => this.#failed(socket, error),
        },
      })
    } catch (error) {
      throw listenError(host, port, error)
    }
    this.#scheduleSweep()
    return this.#server.port
  }

  /**
   * Accepts nothing more, answers what executes, and closes. What does not come to an end by itself (a parked JoinGroup)
   * is cut after a moment, and peers that do not take their answers or do not close are reset.
   */
  async stop(): Promise<void> {
    this.#server?.stop(false)
    this.#server = null
    this.timers.cancel(SWEEP_TIMER)
    for (const [timer, socket] of [...this.#waiting]) {
      this.timers.cancel(timer)
      socket.terminate()
    }
    this.#waiting.clear()
    const nowMs = this.#clock.now()
    for (const connection of [...this.#connections]) connection.close(null)
    this.timers.schedule(STOP_EXECUTING_TIMER, nowMs + STOP_EXECUTING_MS, () => {
      for (const connection of [...this.#connections]) connection.abandonExecuting()
    })
    this.timers.schedule(STOP_TIMER, nowMs + STOP_GRACE_MS, () => {
      for (const connection of [...this.#connections]) connection.terminate(null)
    })
    if (this.#connections.size > 0) {
      await new Promise<void>((resolve) => {
        this.#allClosed = resolve
      })
    }
    this.timers.cancel(STOP_EXECUTING_TIMER)
    this.timers.cancel(STOP_TIMER)
  }

  terminateAll(): void {
    for (const connection of [...this.#connections]) connection.terminate(null)
  }

  // ConnectionHost

  nowMs(): number {
    return this.#clock.now()
  }

  monotonicMs(): number {
    return this.#clock.monotonic()
  }

  flushLater(connection: Connection): void {
    this.#toFlush.push(connection)
    if (this.#toFlush.length === 1) queueMicrotask(this.#flushAll)
  }

  closed(connection: Connection): void {
    this.#connections.delete(connection)
    this.broker.sharedPartitions.sessions.connectionClosed(connection)
    if (this.#connections.size === 0) this.#allClosed?.()
  }

  readonly #flushAll = (): void => {
    const connections = this.#toFlush
    this.#toFlush = []
    for (const connection of connections) connection.flush()
  }

  /** One connection too many is closed again: without descriptors left no log could be written. */
  #opened(socket: Socket<SocketData>): void {
    socket.data = { connection: null, address: null, timer: null }
    if (this.#connections.size >= this.#maxConnections) {
      if (!this.#isFull)
        this.logger.warn('too many connections: more open files are needed (ulimit -n)', { most: this.#maxConnections })
      this.#isFull = true
      socket.terminate()
      return
    }
    this.#isFull = false
    const address = plainAddress(socket.remoteAddress)
    const admission = this.#limits.admit(address)
    if (admission.kind === 'refused') {
      this.logger.debug('connection refused', { client: address, limit: admission.reason })
      if (admission.delayMs === 0) socket.terminate()
      else this.#after(admission.delayMs, socket, () => socket.terminate())
      return
    }
    socket.data.address = address
    if (admission.kind === 'open') {
      this.#begin(socket)
      return
    }
    this.#after(admission.delayMs, socket, () => {
      socket.resume()
      this.#begin(socket)
    })
  }

  #setBuffers(socket: Socket<SocketData>): void {
    const { setSocketBuffer } = libc()
    const { fd } = socket as { fd?: number }
    if (setSocketBuffer === null || fd === undefined || fd < 0) return
    if (this.#sendBufferBytes !== null) setSocketBuffer(fd, 'send', this.#sendBufferBytes)
    if (this.#receiveBufferBytes !== null) setSocketBuffer(fd, 'receive', this.#receiveBufferBytes)
  }

  #begin(socket: Socket<SocketData>): void {
    if (this.#sendBufferBytes !== null || this.#receiveBufferBytes !== null) this.#setBuffers(socket)
    const connection = new Connection(this, socket, this.#nextConnectionId++)
    socket.data.connection = connection
    this.#connections.add(connection)
  }

  /** Not read until then, so that a client that is refused does not come back at once. */
  #after(delayMs: number, socket: Socket<SocketData>, act: () => void): void {
    if (this.#waiting.size >= WAITING_CONNECTIONS_MAX) {
      socket.terminate()
      return
    }
    socket.pause()
    const timer = `connections/waiting/${this.#nextConnectionId++}`
    socket.data.timer = timer
    this.#waiting.set(timer, socket)
    this.timers.schedule(timer, this.#clock.now() + delayMs, () => {
      socket.data.timer = null
      this.#waiting.delete(timer)
      act()
    })
  }

  #gone(socket: Socket<SocketData>): void {
    const { connection, timer, address } = socket.data
    connection?.onClosed()
    if (timer !== null) {
      this.timers.cancel(timer)
      this.#waiting.delete(timer)
    }
    if (address !== null) this.#limits.closed(address)
    socket.data.address = null
  }

  /** A handler of ours threw, or the socket failed. Either way this connection is of no use any more. */
  #failed(socket: Socket<SocketData>, error: Error): void {
    this.logger.error('connection failed', { client: socket.data?.connection?.peer, error })
    if (socket.data?.connection == null) socket.terminate()
    else socket.data.connection.terminate(null)
  }

  #scheduleSweep(): void {
    const intervalMs = Math.max(1, Math.min(MAX_SWEEP_INTERVAL_MS, Math.floor(this.#maxIdleMs / 4)))
    this.timers.schedule(SWEEP_TIMER, this.#clock.now() + intervalMs, () => {
      this.#sweep()
      this.#scheduleSweep()
    })
  }

  #sweep(): void {
    const nowMs = this.#clock.monotonic()
    this.budget.sweep(nowMs)
    if (this.#maxIdleMs < 0) return
    for (const connection of [...this.#connections]) {
      if (connection.isExecuting || elapsedMs(connection.lastActiveMs, nowMs) < this.#maxIdleMs) continue
      this.logger.debug('closing idle connection', { client: connection.peer })
      // A peer that leaves its answers unread for so long will not take them any more.
      if (connection.unreadBytes > 0) connection.terminate(null)
      else connection.close(null)
    }
  }
}

/** A size that was configured; the default of Kafka is not, because it is smaller than what systems find by themselves. */
function givenBytes(config: BrokerConfig, name: string): number | null {
  const isGiven = config.levels(name).some(({ level }) => level !== 'default')
  const bytes = config.number(name)
  return isGiven && bytes > 0 ? bytes : null
}

function listenError(host: string, port: number, error: unknown): BrokerStartError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'EADDRINUSE') {
    return new BrokerStartError('PORT_IN_USE', `cannot listen on ${host}:${port}: the port is in use`, { cause: error })
  }
  const reason = error instanceof Error ? error.message : String(error)
  return new BrokerStartError('ADDRESS_UNUSABLE', `cannot listen on ${host}:${port}: ${reason}`, { cause: error })
}
