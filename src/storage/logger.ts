/**
 * Structured log lines, as seen by every layer. The wiring (cli, tests) supplies the implementation; nothing below it
 * knows where lines go.
 */
export type LogFields = Readonly<Record<string, unknown>>

/** Where a broker's log lines go. `fields` are values to be shown with the message, by name. */
export interface Logger {
  /** What helps to find an error in the broker. */
  debug(message: string, fields?: LogFields): void
  /** What an operator may want to know. */
  info(message: string, fields?: LogFields): void
  /** What an operator should look at. */
  warn(message: string, fields?: LogFields): void
  /** What went wrong. */
  error(message: string, fields?: LogFields): void
}

/** Drops everything. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} }
