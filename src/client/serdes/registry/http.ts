/**
 * Requests to a schema registry. Each is tried at one address after the other, beginning with the one that answered last; when none of
 * them answers, all are tried again after a wait. Worth another attempt is what passes by itself: no connection, no answer in time, 408,
 * 429 and 5xx. Every request of the API may be repeated: registering the same schema twice gives the same id.
 */
import { abortedError, type ClientErrorCode, KafkaError } from '../../errors.ts'
import { backoffMs, type RetryPolicy, sleep } from '../../retry.ts'
import type { RegistryAuth } from './types.ts'

/** The largest answer that is read, bytes. */
export const RESPONSE_BYTES_MAX = 16 * 1024 * 1024
/** The longest wait that a registry may ask for with Retry-After, milliseconds. */
const RETRY_AFTER_MAX_MS = 30_000
const CONTENT_TYPE = 'application/vnd.schemaregistry.v1+json'
const TEXT_MAX = 500

/** What carries requests: the runtime's own `fetch`, or one with a proxy or client certificates. */
export type FetchFunction = (url: string, init: RequestInit) => Promise<Response>

export interface RegistryHttpOptions {
  readonly urls: readonly string[]
  readonly auth: RegistryAuth | null
  readonly headers: Readonly<Record<string, string>>
  readonly timeoutMs: number
  readonly retries: number
  readonly retry: RetryPolicy
  readonly fetch: FetchFunction
}

export interface RegistryRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** After the registry's address, beginning with a slash, escaped. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  readonly body?: unknown
  /** For error messages: "register a schema under 'orders-value'". */
  readonly what: string
  readonly signal?: AbortSignal | undefined
}

interface Address {
  readonly url: string
  /** From the address itself: `http://user:password@host`. */
  readonly auth: RegistryAuth | null
}

/** One attempt failed in a way that another one may not. */
class Unavailable {
  readonly error: KafkaError
  readonly waitMs: number

  constructor(error: KafkaError, waitMs = 0) {
    this.error = error
    this.waitMs = waitMs
  }
}

export class RegistryHttp {
  private readonly options: RegistryHttpOptions
  private readonly addresses: readonly Address[]
  /** The address that answered last. */
  private preferred = 0

  constructor(options: RegistryHttpOptions) {
    this.options = options
    this.addresses = options.urls.map(parseAddress)
    if (this.addresses.length === 0) throw new KafkaError('ERR_INVALID_OPTION', 'a schema registry needs a URL')
  }

  /** The answer's JSON. */
  async request(request: RegistryRequest): Promise<unknown> {
    for (let round = 0; ; round++) {
      const failure = await this.tryAddresses(request)
      if (!(failure instanceof Unavailable)) return failure.answer
      if (round >= this.options.retries) throw failure.error
      await sleep(Math.max(failure.waitMs, backoffMs(this.options.retry, round)), request.signal)
    }
  }

  private async tryAddresses(request: RegistryRequest): Promise<{ readonly answer: unknown } | Unavailable> {
    const count = this.addresses.length
    const first = this.preferred
    let failure: Unavailable | null = null
    for (let tried = 0; tried < count; tried++) {
      const index = (first + tried) % count
      const result = await this.attempt(this.addresses[index] as Address, request)
      if (!(result instanceof Unavailable)) {
        this.preferred = index
        return result
      }
      failure = result
    }
    return failure as Unavailable
  }

  private async attempt(
    address: Address,
    request: RegistryRequest,
  ): Promise<{ readonly answer: unknown } | Unavailable> {
    const { signal, what } = request
    if (hasAborted(signal)) throw abortedError(what, signal as AbortSignal)
    const controller = new AbortController()
    // Tokens and a `fetch` of the application's own may not listen to signals.
    const stopped = Promise.withResolvers<never>()
    const stop = (): void => {
      controller.abort()
      stopped.reject(controller.signal.reason)
    }
    const timer = setTimeout(stop, this.options.timeoutMs)
    signal?.addEventListener('abort', stop, { once: true })
    try {
      return await Promise.race([this.exchange(address, request, controller.signal), stopped.promise])
    } catch (error) {
      if (error instanceof KafkaError) throw error
      if (hasAborted(signal)) throw abortedError(what, signal as AbortSignal)
      const reason = controller.signal.aborted ? `no answer within ${this.options.timeoutMs} ms` : reasonOf(error)
      const message = `${what}: the schema registry at ${address.url} cannot be reached: ${reason}`
      return new Unavailable(new KafkaError('ERR_REGISTRY_UNAVAILABLE', message, { cause: error }))
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
    }
  }

  private async exchange(
    address: Address,
    request: RegistryRequest,
    signal: AbortSignal,
  ): Promise<{ readonly answer: unknown } | Unavailable> {
    const { method, path, body, what } = request
    const response = await this.options.fetch(address.url + path + queryOf(request), {
      method,
      headers: await this.headers(address, request),
      signal,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await textOf(response, what)
    if (!response.ok) return refused(response, text, `${what} at ${address.url}`)
    return { answer: parseAnswer(text, what) }
  }

  private async headers(address: Address, request: RegistryRequest): Promise<Record<string, string>> {
    const headers: Record<string, string> = { accept: `${CONTENT_TYPE}, application/json`, ...this.options.headers }
    if (request.body !== undefined) headers['content-type'] = CONTENT_TYPE
    const auth = this.options.auth ?? address.auth
    if (auth === null) return headers
    headers.authorization = await authorizationOf(auth, request.what)
    return headers
  }
}

/** A call, because the compiler believes that what was false stays so. */
function hasAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true
}

async function authorizationOf(auth: RegistryAuth, what: string): Promise<string> {
  if ('username' in auth) return `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}`
  try {
    return `Bearer ${typeof auth.token === 'string' ? auth.token : await auth.token()}`
  } catch (cause) {
    throw new KafkaError('ERR_AUTHENTICATION', `${what}: no token: ${reasonOf(cause)}`, { cause })
  }
}

/** Credentials are taken out: `fetch` refuses addresses that contain them, and they do not belong into messages. */
function parseAddress(text: string): Address {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    const shown = text.replace(/[^/]*@/, '')
    throw new KafkaError('ERR_INVALID_OPTION', `'${shown}' is no http or https address of a schema registry`)
  }
  const credentials = { username: unescaped(url.username), password: unescaped(url.password) }
  const path = url.pathname.replace(/\/+$/, '')
  return { url: `${url.origin}${path}`, auth: url.username === '' ? null : credentials }
}

/** A percent sign that stands for itself is left alone. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function queryOf({ query }: RegistryRequest): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined) parameters.set(name, String(value))
  }
  return parameters.size === 0 ? '' : `?${parameters}`
}

async function textOf(response: Response, what: string): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  const reader = response.body?.getReader()
  if (reader === undefined) return ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return Buffer.concat(chunks).toString('utf8')
    bytes += value.byteLength
    if (bytes > RESPONSE_BYTES_MAX) {
      await reader.cancel()
      throw new KafkaError('ERR_BAD_RESPONSE', `${what}: the answer has more than ${RESPONSE_BYTES_MAX} bytes`)
    }
    chunks.push(value)
  }
}

function parseAnswer(text: string, what: string): unknown {
  if (text === '') return null
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new KafkaError('ERR_BAD_RESPONSE', `${what}: what answered is no schema registry`, { cause })
  }
}

/** Throws what no repetition changes. */
function refused(response: Response, text: string, what: string): Unavailable {
  const { status } = response
  const { code, message } = refusalIn(text, status)
  const error = new KafkaError(errorCodeOf(status, code), `${what}: ${message} (${code})`, { registryCode: code })
  if (error.code !== 'ERR_REGISTRY_UNAVAILABLE') throw error
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  return new Unavailable(error, seconds >= 0 ? Math.min(seconds * 1_000, RETRY_AFTER_MAX_MS) : 0)
}

function refusalIn(text: string, status: number): { readonly code: number; readonly message: string } {
  try {
    const body = JSON.parse(text) as { readonly error_code?: unknown; readonly message?: unknown } | null
    const code = typeof body?.error_code === 'number' ? body.error_code : status
    return { code, message: typeof body?.message === 'string' ? body.message : `HTTP ${status}` }
  } catch {
    // A proxy's page, perhaps: its beginning says more than nothing.
    return { code: status, message: text === '' ? `HTTP ${status}` : `HTTP ${status}: ${text.slice(0, TEXT_MAX)}` }
  }
}

/** `code` is the registry's: the HTTP status, or that with two more digits. A 404 without them is a wrong address. */
function errorCodeOf(status: number, code: number): ClientErrorCode {
  if (status >= 500 || status === 429 || status === 408) return 'ERR_REGISTRY_UNAVAILABLE'
  if (status === 401 || status === 403) return 'ERR_AUTHENTICATION'
  if (status === 404 && code > 40_400 && code < 40_500) return 'ERR_SCHEMA_NOT_FOUND'
  if (status === 409) return 'ERR_SCHEMA_INCOMPATIBLE'
  return code === 42_201 ? 'ERR_SCHEMA_INVALID' : 'ERR_REGISTRY'
}

/** The runtimes put what happened to the socket into the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message
}
