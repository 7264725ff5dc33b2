/**
 * What commands print. Results go to stdout, in full and in order, however slow the reader; notes and progress go to
 * stderr, progress only where a person watches.
 *
 * What must hold: stdout carries nothing but the result, so that it can be piped. A reader that has gone ends the
 * command quietly (OutputClosed).
 */
import { writeSync } from 'node:fs'
import { OutputClosed } from './errors.ts'

const STDOUT = 1
const STDERR = 2
const FLUSH_BYTES = 64 * 1024

export type OutputFormat = 'text' | 'json'

/** Colours only where a person looks, and not against their wish (no-color.org). */
export function wantsColour(stream: { isTTY?: boolean }): boolean {
  const { NO_COLOR, TERM } = process.env
  return stream.isTTY === true && (NO_COLOR === undefined || NO_COLOR === '') && TERM !== 'dumb'
}

/** Writes all of it; waits, without blocking the event loop, while the reader is slow. */
async function writeFully(fd: number, bytes: Uint8Array): Promise<void> {
  let rest = bytes
  while (rest.byteLength > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest))
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code
      if (code === 'EPIPE') throw new OutputClosed()
      if (code !== 'EAGAIN') throw error
      await Bun.sleep(2)
    }
  }
}

export async function print(text: string): Promise<void> {
  await writeFully(STDOUT, Buffer.from(text.endsWith('\n') ? text : `${text}\n`))
}

export async function printJson(value: unknown): Promise<void> {
  await print(JSON.stringify(value, null, process.stdout.isTTY === true ? 2 : 0))
}

/** A remark on stderr, out of the way of the result. */
export async function note(text: string): Promise<void> {
  await writeFully(STDERR, Buffer.from(`${text}\n`))
}

/** Collects small pieces of output and writes them in large ones. */
export class BufferedOutput {
  private readonly fd: number
  private parts: Uint8Array[] = []
  private bytes = 0

  constructor(fd: number = STDOUT) {
    this.fd = fd
  }

  add(part: Uint8Array | string): void {
    const bytes = typeof part === 'string' ? Buffer.from(part) : part
    this.parts.push(bytes)
    this.bytes += bytes.byteLength
  }

  get isEmpty(): boolean {
    return this.bytes === 0
  }

  get isFull(): boolean {
    return this.bytes >= FLUSH_BYTES
  }

  async flush(): Promise<void> {
    if (this.bytes === 0) return
    const all = Buffer.concat(this.parts, this.bytes)
    this.parts = []
    this.bytes = 0
    await writeFully(this.fd, all)
  }
}

/** Columns as wide as their widest cell; the last one is not padded. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (column === cells.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join(' ')
      .trimEnd()
  return [line(header), ...rows.map(line)].join('\n')
}

const REDRAW_MS = 100
/** Where it is no terminal, each is a line that stays. */
const LINE_EVERY_MS = 1_000
const WIDTH_UNKNOWN = 80

/** One line on stderr that keeps changing, no wider than the terminal; where nobody watches, nothing, or plain lines if they are wanted. */
export class Progress {
  private readonly isWanted: boolean
  private readonly isTerminal = process.stderr.isTTY === true
  private lastMs: number
  private shown = false

  constructor({ isWanted = process.stderr.isTTY === true }: { readonly isWanted?: boolean } = {}) {
    this.isWanted = isWanted
    // The first line that stays comes after a while, the first that changes at once.
    this.lastMs = this.isTerminal ? 0 : performance.now()
  }

  update(text: () => string): void {
    if (!this.isWanted) return
    const nowMs = performance.now()
    if (nowMs - this.lastMs < (this.isTerminal ? REDRAW_MS : LINE_EVERY_MS)) return
    this.lastMs = nowMs
    if (!this.isTerminal) {
      process.stderr.write(`${text()}\n`)
      return
    }
    this.shown = true
    const width = (process.stderr.columns || WIDTH_UNKNOWN) - 1
    process.stderr.write(`\r\x1b[K${text().slice(0, width)}`)
  }

  clear(): void {
    if (this.shown) process.stderr.write('\r\x1b[K')
    this.shown = false
  }
}
