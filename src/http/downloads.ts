/**
 * Sends bodies from log files, at the pace of their readers, and bounds how many there are.
 *
 * A piece is read on the thread pool, handed to the socket, and the next one is read only when the socket has room: between two pieces the
 * event loop serves everybody else (docs/adr/0011-http-downloads.md has the figures). A download that ends early closes its
 * connection, so that the reader sees that bytes are missing.
 */
import type { ServerResponse } from 'node:http'
import type { Clock } from '../storage/clock.ts'
import type { Logger } from '../storage/logger.ts'
import type { Timers } from '../storage/timers.ts'
import {
  DOWNLOAD_PIECE_BYTES_MAX,
  DOWNLOAD_PIECES_BUDGET_BYTES,
  DOWNLOAD_RETRY_AFTER_S,
  DOWNLOAD_STALL_MS,
  DOWNLOADS_MAX,
} from './limits.ts'
import { type ByteSource, HttpError } from './reply.ts'

export interface DownloadsOptions {
  readonly clock: Clock
  readonly timers: Timers
  readonly logger: Logger
  readonly most?: number
  readonly stallMs?: number
}

export class Downloads {
  readonly #clock: Clock
  readonly #timers: Timers
  readonly #logger: Logger
  readonly #most: number
  readonly #stallMs: number
  readonly #responses = new Set<ServerResponse>()
  #nextId = 1

  constructor(options: DownloadsOptions) {
    this.#clock = options.clock
    this.#timers = options.timers
    this.#logger = options.logger
    this.#most = options.most ?? DOWNLOADS_MAX
    this.#stallMs = options.stallMs ?? DOWNLOAD_STALL_MS
  }

  get count(): number {
    return this.#responses.size
  }

  /** Throws the refusal if there are as many as may be. */
  checkRoom(): void {
    if (this.count < this.#most) return
    throw new HttpError(
      503,
      'too_many_downloads',
      `${this.#most} downloads are under way, no more are allowed at once`,
      {
        headers: { 'retry-after': String(DOWNLOAD_RETRY_AFTER_S) },
      },
    )
  }

  /** Sends all of it; the head has been written. Resolves when the last piece was handed over, or the download was cut. */
  async send(response: ServerResponse, source: ByteSource): Promise<void> {
    this.#responses.add(response)
    try {
      let left = source.sizeBytes
      while (left > 0 && !response.destroyed) {
        const piece = await source.next(this.#pieceBytes())
        if (response.destroyed) break
        left -= piece.length
        if (!response.write(piece) && left > 0 && !response.destroyed) await this.#drained(response)
      }
      response.end()
    } catch (error) {
      this.#logger.warn('a download was cut short', { path: response.req.url, reason: String(error) })
      response.socket?.destroy()
    } finally {
      this.#responses.delete(response)
      source.release()
    }
  }

  /** Cuts all that are under way. */
  stop(): void {
    for (const response of this.#responses) response.socket?.destroy()
  }

  #pieceBytes(): number {
    return Math.min(DOWNLOAD_PIECE_BYTES_MAX, Math.floor(DOWNLOAD_PIECES_BUDGET_BYTES / this.count))
  }

  /** Resolves when the socket takes more, or is gone; a reader that takes nothing for too long loses it. */
  #drained(response: ServerResponse): Promise<void> {
    const timer = `http/download/${this.#nextId++}`
    return new Promise((resolve) => {
      const done = (): void => {
        this.#timers.cancel(timer)
        response.off('drain', done)
        response.off('close', done)
        resolve()
      }
      response.on('drain', done)
      response.on('close', done)
      this.#timers.schedule(timer, this.#clock.now() + this.#stallMs, () => {
        this.#logger.info('a download is cut: its reader takes nothing', { path: response.req.url })
        response.socket?.destroy()
        done()
      })
    })
  }
}
