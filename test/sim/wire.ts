/**
 * One client's connection to the simulated broker. Requests and answers go through the real codec and the real handlers; in place of a socket
 * there is a queue that the simulation empties when it likes. As on a real connection requests are executed in order, one at a time but for
 * Produces, and nobody knows what became of a request whose connection broke.
 */
import type { Api, ApiCall, BrokerContext } from '../../src/broker/api.ts'
import type { Connection } from '../../src/broker/connection.ts'
import { decode } from '../../src/protocol/codec.ts'
import { decodeResponse, encodeRequest, encodeResponse } from '../../src/protocol/frame.ts'
import { EndTxnRequest } from '../../src/protocol/messages/26-end-txn.ts'
import { Reader } from '../../src/protocol/reader.ts'
import { decodeRequestHeader } from '../../src/protocol/request-header.ts'
import type { Infer, Input, MessageSchema } from '../../src/protocol/schema.ts'
import type { SimProcess } from './process.ts'

const PRODUCE_KEY = 0
const SIZE_BYTES = 4

export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost'
}

/** The first version that answers with the next epoch (KIP-890). */
const END_TXN_OF_ONE_EPOCH = 5

interface Message {
  readonly request: MessageSchema
  readonly response: MessageSchema
  readonly version: number
  readonly frame: Buffer
  readonly resolve: (answer: { readonly value: unknown; readonly deliveredAt: number }) => void
  readonly reject: (error: Error) => void
  /** Called whether anybody waits for the answer or not. */
  readonly answered: (value: never) => void
  call: SimCall | null
  deliveredAt: number
}

export interface WireHost {
  readonly process: SimProcess
  /** Counts requests that have arrived: later ones have higher numbers. */
  readonly now: number
  /** Something happened that never may. */
  report(problem: string): void
}

export class Wire {
  readonly #host: WireHost
  readonly #clientId: string
  readonly #process: SimProcess
  /** What the broker knows this connection by. */
  readonly #connection = { clientHost: '/sim', principal: 'User:ANONYMOUS', peer: 'sim' } as unknown as Connection
  #queue: Message[] = []
  #executing: Message[] = []
  /** Nobody listens any more; what was sent may still arrive. */
  isAbandoned = false
  /** What its client has sent does not arrive once it has given up waiting. */
  readonly #dropsLate: boolean

  constructor(host: WireHost, clientId: string, options: { readonly dropsLate: boolean }) {
    this.#host = host
    this.#dropsLate = options.dropsLate
    this.#clientId = clientId
    this.#process = host.process
  }

  get isBroken(): boolean {
    return this.isAbandoned || this.#process.isDead || this.#process.isOver
  }

  get executingCount(): number {
    return this.#executing.length
  }

  get waitingCount(): number {
    return this.#queue.length
  }

  get canDeliver(): boolean {
    const next = this.#queue[0]
    if (next === undefined || this.#process.context === null) return false
    const overlaps = (message: Message) => message.request.key === PRODUCE_KEY
    return this.#executing.length === 0 || (overlaps(next) && this.#executing.every(overlaps))
  }

  describe(): string {
    const names = (messages: readonly Message[]) => messages.map(({ request }) => request.name).join(', ')
    if (this.#executing.length + this.#queue.length === 0) return ''
    return `${this.#clientId}${this.isAbandoned ? ' (gone)' : ''}: executing ${names(this.#executing)}, waiting ${names(this.#queue)}`
  }

  /**
   * Resolves with the answer and when its request arrived, or rejects with ConnectionLost. `answered` hears of the answer when the broker gives
   * it, even if its client has left.
   */
  ask<Request extends MessageSchema, Response extends MessageSchema>(
    request: Request,
    response: Response,
    version: number,
    value: Input<Request>,
    answered: (value: Infer<Response>) => void = () => {},
  ): Promise<{ readonly value: Infer<Response>; readonly deliveredAt: number }> {
    if (this.isBroken) return Promise.reject(new ConnectionLost('the connection is gone'))
    const frame = Buffer.concat(encodeRequest(request, version, 1, this.#clientId, value)).subarray(SIZE_BYTES)
    return new Promise((resolve, reject) => {
      const take = (answer: { readonly value: unknown; readonly deliveredAt: number }) =>
        resolve(answer as { readonly value: Infer<Response>; readonly deliveredAt: number })
      const waiting = { request, response, version, frame, resolve: take, reject, answered }
      this.#queue.push({ ...waiting, call: null, deliveredAt: -1 })
    })
  }

  /** The next request reaches the broker. */
  deliver(): void {
    const message = this.#queue.shift()!
    const broker = this.#process.context!
    const api = broker.apis.find(({ key }) => key === message.request.key)!
    message.deliveredAt = this.#host.now
    this.#executing.push(message)
    const ended = (outcome: Outcome) => this.#ended(message, outcome)
    const call = new SimCall(broker, this.#connection, { api, apiVersion: message.version }, ended)
    message.call = call
    const reader = new Reader([Buffer.from(message.frame)])
    call.readHeader(reader)
    api.run(call, decode(api.request, reader, message.version))
  }

  #ended(message: Message, outcome: Outcome): void {
    // Whatever a dead process says, nobody hears it; its wires are cut.
    if (this.#process.isDead) return
    const index = this.#executing.indexOf(message)
    if (index >= 0) this.#executing.splice(index, 1)
    else if (outcome.kind !== 'answered') return
    if (outcome.kind === 'answered') this.#answer(message, outcome)
    else {
      if (outcome.kind === 'failed') this.#reportFailure(message, outcome.error)
      message.reject(new ConnectionLost('the broker closed the connection'))
    }
    this.#closeIfDone()
  }

  #reportFailure({ request }: Message, error: unknown): void {
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.#host.report(`${request.name} failed inside the broker: ${reason}`)
  }

  #answer(message: Message, outcome: Answered): void {
    const bytes = encodeResponse(message.response, message.request.key, message.version, 1, outcome.response as never)
    const reader = new Reader([Buffer.from(Buffer.concat(bytes).subarray(SIZE_BYTES))])
    reader.int32()
    const value = decodeResponse(message.response, message.version, reader)
    outcome.release()
    message.answered(value as never)
    message.resolve({ value, deliveredAt: message.deliveredAt })
  }

  /** The broker learns that the connection is gone when everything that was sent on it has been executed. */
  #closeIfDone(): void {
    if (!this.isAbandoned || this.#executing.length + this.#queue.length > 0) return
    this.#close()
  }

  #close(): void {
    if (!this.#process.isDead) this.#process.context?.sharedPartitions.sessions.connectionClosed(this.#connection)
  }

  /** The client goes away. What it has sent is on its way all the same, unless it is dropped. */
  abandon(options: { readonly drop: boolean }): void {
    this.isAbandoned = true
    const lost = [...this.#executing, ...this.#queue]
    const arrives = (message: Message) => !options.drop && !this.#dropsLate && !endsWhateverIsOpen(message)
    for (const message of this.#executing) if (!arrives(message)) message.call?.abandon()
    this.#executing = this.#executing.filter(arrives)
    this.#queue = this.#queue.filter(arrives)
    for (const message of lost) message.reject(new ConnectionLost('the client has left'))
    this.#closeIfDone()
  }

  /** The broker is gone. */
  cut(): void {
    const lost = [...this.#executing, ...this.#queue]
    this.#executing = []
    this.#queue = []
    for (const message of lost) message.reject(new ConnectionLost('the broker is gone'))
    this.#close()
  }
}

interface Answered {
  readonly kind: 'answered'
  readonly response: unknown
  readonly release: () => void
}

type Outcome = Answered | { readonly kind: 'failed'; readonly error: unknown } | { readonly kind: 'refused' }

/** What a connection's exchange is, without the connection. */
class SimCall implements ApiCall {
  readonly broker: BrokerContext
  readonly connection: Connection
  readonly clientHost = '/sim'
  readonly principal = 'User:ANONYMOUS'
  readonly correlationId = 1
  readonly busyMs = 0
  readonly apiVersion: number
  readonly nowMs: number
  readonly api: Api
  clientId: string | null = null
  readonly #end: (outcome: Outcome) => void
  #releases: (() => void)[] = []
  #onAbandoned: (() => void) | null = null
  #isDone = false

  constructor(
    broker: BrokerContext,
    connection: Connection,
    { api, apiVersion }: { readonly api: Api; readonly apiVersion: number },
    end: (outcome: Outcome) => void,
  ) {
    this.broker = broker
    this.connection = connection
    this.api = api
    this.apiVersion = apiVersion
    this.nowMs = broker.clock.now()
    this.#end = end
  }

  readHeader(reader: Reader): void {
    this.clientId = decodeRequestHeader(reader).clientId
  }

  allowed(): boolean {
    return true
  }

  throttle(): void {}

  afterSent(release: () => void): void {
    this.#releases.push(release)
  }

  onAbandoned(stop: () => void): void {
    this.#onAbandoned = stop
  }

  reply(response: unknown): void {
    this.#finish({ kind: 'answered', response, release: () => this.#release() })
  }

  refuse(): void {
    this.#finish({ kind: 'refused' })
  }

  fail(error: unknown): void {
    this.#finish({ kind: 'failed', error })
  }

  abandon(): void {
    if (this.#isDone) return
    this.#isDone = true
    this.#onAbandoned?.()
    this.#release()
  }

  #finish(outcome: Outcome): void {
    if (this.#isDone) {
      if (outcome.kind === 'answered') outcome.release()
      return
    }
    this.#isDone = true
    this.#end(outcome)
  }

  #release(): void {
    for (const release of this.#releases.splice(0)) release()
  }
}

/**
 * In the protocol before transaction version 2 an EndTxn that comes late ends the transaction that its producer is in by then, in Kafka, too:
 * nothing in it says which one it meant (KIP-890).
 */
function endsWhateverIsOpen({ request, version }: Message): boolean {
  return request.key === EndTxnRequest.key && version < END_TXN_OF_ONE_EPOCH
}
