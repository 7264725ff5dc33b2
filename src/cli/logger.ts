/**
 * Log lines of the running broker, one per event, on stderr: `text` for people, `json` for collectors. Lines are written
 * with a synchronous call, so that the last one before an exit is never lost.
 *
 * What must hold: a reader that stalls must not stall the broker. A full pipe is retried for a moment, then lines are
 * dropped and counted until the pipe takes one again.
 */
import { constants, fstatSync, openSync, writeSync } from 'node:fs'
import type { LogFields, Logger } from '../storage/logger.ts'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]
export const LOG_FORMATS = ['text', 'json'] as const
export type LogFormat = (typeof LOG_FORMATS)[number]

export interface LoggerOptions {
  readonly format: LogFormat
  readonly level: LogLevel
  readonly colour?: boolean
  /** Takes whole lines; stderr unless told. Returns false when the line could not be written. */
  readonly write?: (line: string) => boolean
  readonly now?: () => Date
}

const FULL_PIPE_RETRIES = 20
const COLOURS: Record<LogLevel, string> = { debug: '\x1b[2m', info: '', warn: '\x1b[33m', error: '\x1b[31m' }
const RESET = '\x1b[0m'

export function createLogger(options: LoggerOptions): Logger {
  const now = options.now ?? (() => new Date())
  const write = options.write ?? lineWriter(2)
  const render = options.format === 'json' ? renderJson : (line: Line) => renderText(line, options.colour === true)
  let dropped = 0

  const log = (level: LogLevel, message: string, fields?: LogFields): void => {
    if (dropped > 0) {
      const notice = render({ time: now(), level: 'warn', message: 'log lines dropped', fields: { lines: dropped } })
      if (write(notice)) dropped = 0
    }
    if (!write(render({ time: now(), level, message, fields }))) dropped += 1
  }
  const at = (level: LogLevel): Logger[LogLevel] => {
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(options.level)) return () => undefined
    return (message, fields) => log(level, message, fields)
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

interface Line {
  readonly time: Date
  readonly level: LogLevel
  readonly message: string
  readonly fields?: LogFields | undefined
}

function renderText({ time, level, message, fields }: Line, colour: boolean): string {
  let line = `${time.toISOString()} ${level.toUpperCase().padEnd(5)} ${oneLine(message)}`
  for (const [key, value] of Object.entries(fields ?? {})) {
    if (value !== undefined) line += ` ${key}=${textValue(value)}`
  }
  return colour && COLOURS[level] !== '' ? `${COLOURS[level]}${line}${RESET}\n` : `${line}\n`
}

function renderJson({ time, level, message, fields }: Line): string {
  return `${JSON.stringify({ time: time.toISOString(), level, message, ...fields }, jsonValue)}\n`
}

function textValue(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(errorText(value))
  if (typeof value === 'object' && value !== null) return JSON.stringify(value, jsonValue)
  const text = oneLine(String(value))
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text)
}

function jsonValue(_key: string, value: unknown): unknown {
  if (value instanceof Error) return errorText(value)
  return typeof value === 'bigint' ? value.toString() : value
}

/** Stacks are for whoever debugs Samsa: only errors that are bugs (no `code`) bring theirs. */
function errorText(error: Error): string {
  return 'code' in error ? `${error.name}: ${error.message}` : (error.stack ?? `${error.name}: ${error.message}`)
}

/** What clients send (ids, names) ends up in log lines; it must not be able to forge one. */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return text.replace(/[\x00-\x1f\x7f]/g, (char) => JSON.stringify(char).slice(1, -1).replace('\x7f', '\\u007f'))
}

/**
 * Writing to a full pipe blocks the whole process unless the pipe is non-blocking. Opening it again gives it a description
 * of its own with that flag, and leaves the one shared with other processes alone. Other kinds of files never fill up.
 */
function withoutBlocking(fd: number): number {
  try {
    if (!fstatSync(fd).isFIFO()) return fd
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK)
  } catch {
    // No /proc, or a pipe of another user: then a reader that stalls can stall us.
    return fd
  }
}

function lineWriter(stream: number): (line: string) => boolean {
  const fd = withoutBlocking(stream)
  let rest: Uint8Array = new Uint8Array(0)
  let retries = FULL_PIPE_RETRIES
  const drain = (): boolean => {
    for (let attempt = 0; rest.byteLength > 0; ) {
      try {
        rest = rest.subarray(writeSync(fd, rest))
        retries = FULL_PIPE_RETRIES
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') {
          rest = new Uint8Array(0)
          return false
        }
        if (++attempt > retries) {
          // Whoever reads is not coming back soon: later lines do not wait again until one went through.
          retries = 0
          return false
        }
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
      }
    }
    return true
  }
  return (line) => {
    // A line that was cut in half is finished before the next one begins.
    if (!drain()) return false
    rest = Buffer.from(line)
    return drain() || rest.byteLength < Buffer.byteLength(line)
  }
}
