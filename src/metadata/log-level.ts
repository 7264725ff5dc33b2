/** A logger whose level can be changed while the broker runs: the one logger that broker-logger configs know, `root`. */
import type { LogFields, Logger } from '../storage/logger.ts'

export const ROOT_LOGGER = 'root'

/** Kafka's level names, the most severe first; the ones that Samsa lacks mean the next one that it has. */
export const LOGGER_LEVELS: readonly string[] = ['FATAL', 'ERROR', 'WARN', 'INFO', 'DEBUG', 'TRACE']

const ERROR = LOGGER_LEVELS.indexOf('ERROR')
const WARN = LOGGER_LEVELS.indexOf('WARN')
const INFO = LOGGER_LEVELS.indexOf('INFO')
const DEBUG = LOGGER_LEVELS.indexOf('DEBUG')

export class LeveledLogger implements Logger {
  readonly #inner: Logger
  readonly #initial: string
  #level: string

  /** `inner` should let everything pass. */
  constructor(inner: Logger, level: string) {
    this.#inner = inner
    this.#initial = level.toUpperCase()
    this.#level = this.#initial
    if (!LOGGER_LEVELS.includes(this.#level)) throw new Error(`there is no log level ${level}`)
  }

  get level(): string {
    return this.#level
  }

  /** null: back to the level of the start. */
  setLevel(level: string | null): void {
    this.#level = level ?? this.#initial
  }

  debug(message: string, fields?: LogFields): void {
    if (this.#lets(DEBUG)) this.#inner.debug(message, fields)
  }

  info(message: string, fields?: LogFields): void {
    if (this.#lets(INFO)) this.#inner.info(message, fields)
  }

  warn(message: string, fields?: LogFields): void {
    if (this.#lets(WARN)) this.#inner.warn(message, fields)
  }

  error(message: string, fields?: LogFields): void {
    if (this.#lets(ERROR) || this.#level === 'FATAL') this.#inner.error(message, fields)
  }

  #lets(severity: number): boolean {
    return LOGGER_LEVELS.indexOf(this.#level) >= severity
  }
}
