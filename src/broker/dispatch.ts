/**
 * The one way from a frame to a handler and from its answer to bytes: API lookup, version check, decoding, throttling
 * and encoding are here and nowhere else. Called by connections, in the order of their requests.
 *
 * What must hold: a request that names no API of ours, a version we do not serve, or that cannot be decoded ends its
 * connection without an answer (any answer would be read with the wrong schema). ApiVersions is the one exception: it
 * is how a client finds out, so an unknown version of it is answered in version 0.
 */
import { apiName } from '../protocol/api-keys.ts'
import { decode } from '../protocol/codec.ts'
import { encodeResponseParts } from '../protocol/frame.ts'
import { Reader } from '../protocol/reader.ts'
import { decodeRequestHeader } from '../protocol/request-header.ts'
import { UNSUPPORTED_API_VERSIONS_ANSWER } from './api/18-api-versions.ts'
import type { Api } from './api.ts'
import type { Exchange } from './exchange.ts'
import type { OutQueue } from './out-queue.ts'
import type { Throttle } from './throttle.ts'

const API_VERSIONS_KEY = 18

export class Dispatcher {
  readonly #apis = new Map<number, Api>()
  readonly #throttle: Throttle
  /** Headers and bodies are decoded synchronously, so one reader serves all connections. */
  readonly #reader = new Reader([])

  constructor(apis: readonly Api[], throttle: Throttle) {
    for (const api of apis) this.#apis.set(api.key, api)
    this.#throttle = throttle
  }

  /** Fills in what the header says. May refuse the exchange. */
  readHeader(exchange: Exchange): void {
    const reader = this.#reader
    try {
      reader.reset(exchange.chunks)
      const header = decodeRequestHeader(reader)
      exchange.apiVersion = header.apiVersion
      exchange.correlationId = header.correlationId
      exchange.clientId = header.clientId
      exchange.bodyOffset = reader.consumed
      const api = this.#apis.get(header.apiKey)
      if (api === undefined)
        exchange.refuse(`it sent a request of unknown key ${header.apiKey} (${apiName(header.apiKey)})`)
      else exchange.api = api
    } catch (error) {
      exchange.refuse(`it sent a request whose header cannot be read: ${messageOf(error)}`)
    }
  }

  begin(exchange: Exchange): void {
    const api = exchange.api!
    exchange.nowMs = exchange.broker.clock.now()
    if (this.#throttle.measuresTime) this.#runTimed(exchange, api)
    else this.#run(exchange, api)
  }

  /** Hands the exchange to its handler; afterwards it has ended, or will. */
  #run(exchange: Exchange, api: Api): void {
    const version = exchange.apiVersion
    if (version < api.servedFrom || version > api.maxVersion) {
      this.#refuseVersion(exchange, api)
      return
    }
    let request: unknown
    try {
      this.#reader.reset(exchange.chunks)
      this.#reader.skip(exchange.bodyOffset)
      request = decode(api.request, this.#reader, version)
    } catch (error) {
      exchange.refuse(`it sent a ${api.name} request of version ${version} that cannot be read: ${messageOf(error)}`)
      return
    }
    try {
      api.run(exchange, request)
    } catch (error) {
      exchange.fail(error)
    }
  }

  /** What asynchronous handlers do later is not counted; little of what takes long is asynchronous and ours. */
  #runTimed(exchange: Exchange, api: Api): void {
    exchange.startTiming()
    this.#run(exchange, api)
    exchange.stopTiming()
  }

  /** Charges the ended exchange to its client's quotas. Once, and also when there is no answer to send. */
  charge(exchange: Exchange): void {
    exchange.throttleMs = this.#throttle.charge(exchange)
  }

  /** Appends the answer's frame to the queue. */
  encodeAnswer(exchange: Exchange, out: Pick<OutQueue, 'push'>): void {
    const api = exchange.api!
    const { throttleMs } = exchange
    // The answer may be a constant of its handler.
    const answer = exchange.response as Record<string, unknown>
    const response = throttleMs > 0 ? { ...answer, throttleTimeMs: throttleMs } : answer
    const parts = encodeResponseParts(api.response, exchange.apiVersion, exchange.correlationId, response)
    for (const part of parts) out.push(part)
  }

  #refuseVersion(exchange: Exchange, api: Api): void {
    if (api.key === API_VERSIONS_KEY) {
      exchange.apiVersion = 0
      exchange.reply(UNSUPPORTED_API_VERSIONS_ANSWER)
      return
    }
    exchange.refuse(
      `it sent a ${api.name} request of version ${exchange.apiVersion}, versions ${api.servedFrom}-${api.maxVersion} are served`,
    )
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
