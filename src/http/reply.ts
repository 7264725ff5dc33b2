/** What a route answers with, and the shapes in which it does. */

/** A body that is read piece by piece while it is sent. */
export interface ByteSource {
  readonly sizeBytes: number
  /** The next bytes, at most so many, on the thread pool; never fewer than one. Rejects if they are not to be had any more. */
  next(mostBytes: number): Promise<Buffer>
  /** Gives back what it holds, at whatever point. Called once. */
  release(): void
}

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | ByteSource
}

export interface HttpRequest {
  readonly method: string
  readonly url: URL
  header(name: string): string | undefined
}

/** An answer other than 2xx, thrown by a route from wherever it is found out. */
export class HttpError extends Error {
  readonly status: number
  /** Stable, for programs. */
  readonly code: string
  readonly details: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string>>

  constructor(
    status: number,
    code: string,
    message: string,
    more: { details?: Record<string, unknown>; headers?: Record<string, string> } = {},
  ) {
    super(message)
    this.name = 'HttpError'
    this.status = status
    this.code = code
    this.details = more.details ?? {}
    this.headers = more.headers ?? {}
  }
}

export function jsonReply(value: unknown, status = 200, headers: Record<string, string> = {}): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
    body: `${JSON.stringify(value)}\n`,
  }
}

export function textReply(text: string, status = 200): Reply {
  return {
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' },
    body: `${text}\n`,
  }
}

export function errorReply(error: HttpError): Reply {
  const { status, code, message, details, headers } = error
  return jsonReply({ error: { code, message, ...details } }, status, headers)
}
