/**
 * A stream of bytes to one broker, the only thing in the client that knows the runtime's sockets. Two implementations:
 * `bun.ts` over Bun's sockets, `node.ts` over node:net and node:tls (Node, and TLS on both).
 *
 * What must hold: views handed to `write` are sent in order and must not change until `whenFlushed` resolves or the
 * transport has closed. `closed` is called exactly once, after everything else.
 */

/**
 * A peer that vanished without a word (its host died, a cable was pulled) is asked for after so long a silence, milliseconds: a request
 * that may wait for minutes, as a JoinGroup does, would not notice.
 */
export const KEEP_ALIVE_MS = 20_000

export interface TransportHandlers {
  /** A chunk of its own: it may be kept. */
  data(chunk: Buffer): void
  /** Everything handed to `write` is with the kernel, after a `write` that answered false. */
  drain(): void
  /** The connection has ended: by either side, with the error that ended it if there was one. */
  closed(error?: Error): void
}

export interface Transport {
  /** Hands over views to be sent in this order. False: they wait for the peer to read; `drain` will tell. */
  write(parts: readonly Uint8Array[]): boolean
  /** Whether everything written is with the kernel. */
  readonly isFlushed: boolean
  /** Resolves once everything written is with the kernel, or the connection has ended. */
  whenFlushed(): Promise<void>
  /** No `data` until `resume`; the peer's window closes. */
  pause(): void
  resume(): void
  /** Whether the connection keeps the process alive; it does at first. */
  ref(): void
  unref(): void
  /** A FIN after what was written; the peer's end of the connection closes it. */
  shutdown(): void
  /** Ends the connection at once; what is not sent is lost. */
  terminate(): void
}

/** Certificates and keys in PEM. */
export interface TlsOptions {
  /** Authorities to trust instead of the system's. */
  readonly ca?: string | Buffer | readonly (string | Buffer)[]
  /** The client's own certificate and key, where the broker asks for them (mTLS). */
  readonly cert?: string | Buffer
  /** The key of `cert`. */
  readonly key?: string | Buffer
  /** Of an encrypted `key`. */
  readonly passphrase?: string
  /** The name that the broker's certificate must be for; without it the host that is connected to. */
  readonly servername?: string
  /** False accepts any certificate: for tests only. Default true. */
  readonly rejectUnauthorized?: boolean
}

export interface TransportTarget {
  readonly host: string
  readonly port: number
  readonly tls: TlsOptions | null
  /** Gives up connecting, TLS handshake included. */
  readonly signal: AbortSignal
}

export type OpenTransport = (target: TransportTarget, handlers: TransportHandlers) => Promise<Transport>
