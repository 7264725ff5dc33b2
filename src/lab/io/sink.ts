// The process that takes bytes from sockets, seen from the side that sends them. It ends with `close`, or when its parent does.

import type { Subprocess } from 'bun'

/** Parent to child. */
export type SinkOrder =
  | { readonly kind: 'receive'; readonly id: number; readonly checksum: boolean }
  | { readonly kind: 'download'; readonly id: number; readonly port: number; readonly checksum: boolean }
  /** Say `completed` once that many bytes have come. */
  | { readonly kind: 'expect'; readonly id: number; readonly bytes: number }

/** Child to parent. */
export type SinkNews =
  /** Orders that came before were not heard. */
  | { readonly kind: 'ready'; readonly id: 0 }
  | { readonly kind: 'listening'; readonly id: number; readonly port: number }
  | { readonly kind: 'completed'; readonly id: number; readonly checksum: number | null }
  | { readonly kind: 'failed'; readonly id: number; readonly reason: string }

export interface Transfer {
  /** Where to send to; 0 for a download. */
  readonly port: number
  /** Resolves when that many bytes have come; with their CRC-32C if that was asked for. */
  completed(bytes: number): Promise<{ checksum: number | null }>
}

export class SinkProcess {
  readonly #child: Subprocess
  readonly #waiting = new Map<number, PromiseWithResolvers<SinkNews>>()
  readonly #ready: Promise<SinkNews>
  #lastId = 0
  #hasEnded = false

  /** `command` is the one that runs `serveSink`. */
  constructor(command: readonly string[]) {
    const ready = Promise.withResolvers<SinkNews>()
    this.#waiting.set(0, ready)
    this.#ready = ready.promise
    // Whoever asks is told; until then nobody has to know.
    this.#ready.catch(() => undefined)
    this.#child = Bun.spawn([...command], {
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: 'inherit',
      serialization: 'json',
      ipc: (news: SinkNews) => this.#waiting.get(news.id)?.resolve(news),
      onExit: () => {
        this.#hasEnded = true
        for (const { reject } of this.#waiting.values()) reject(new Error('the receiving process has ended'))
      },
    })
  }

  async receive(checksum: boolean): Promise<Transfer> {
    const id = ++this.#lastId
    const news = await this.#ask({ kind: 'receive', id, checksum })
    if (news.kind !== 'listening') throw unexpected(news)
    return { port: news.port, completed: (bytes) => this.#completed(id, bytes) }
  }

  /** Begins with `GET /` at once. */
  async download(port: number, checksum: boolean): Promise<Transfer> {
    const id = ++this.#lastId
    const news = await this.#ask({ kind: 'download', id, port, checksum })
    if (news.kind !== 'listening') throw unexpected(news)
    return { port: 0, completed: (bytes) => this.#completed(id, bytes) }
  }

  async close(): Promise<void> {
    this.#child.kill()
    await this.#child.exited
  }

  async #completed(id: number, bytes: number): Promise<{ checksum: number | null }> {
    const news = await this.#ask({ kind: 'expect', id, bytes })
    if (news.kind !== 'completed') throw unexpected(news)
    return { checksum: news.checksum }
  }

  async #ask(order: SinkOrder): Promise<SinkNews> {
    await this.#ready
    if (this.#hasEnded) throw new Error('the receiving process has ended')
    const answer = Promise.withResolvers<SinkNews>()
    this.#waiting.set(order.id, answer)
    this.#child.send(order)
    try {
      return await answer.promise
    } finally {
      this.#waiting.delete(order.id)
    }
  }
}

function unexpected(news: SinkNews): Error {
  return new Error(news.kind === 'failed' ? news.reason : `the receiving process said ${news.kind}`)
}
