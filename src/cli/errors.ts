/** What ends a command: the exit codes that scripts rely on, and the one line that says why. */
export const EXIT_OK = 0
export const EXIT_FAILURE = 1
export const EXIT_USAGE = 2

/** Ends the command with one line on stderr and this exit code. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: number

  constructor(message: string, exitCode: number = EXIT_FAILURE, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCode
  }
}

export function usageError(message: string): CliError {
  return new CliError(message, EXIT_USAGE)
}

/** Of several things that failed: what each of them says, and as the cause the first, for the hint that belongs to it. */
export function allFailures(errors: readonly unknown[]): unknown {
  if (errors.length === 1) return errors[0]
  const messages = errors.map((error) => (error instanceof Error ? error.message : String(error)))
  return new CliError(messages.join('; '), EXIT_FAILURE, { cause: errors[0] })
}

/** Whoever read our output has gone (`| head`): nothing is left to do, and nothing went wrong. */
export class OutputClosed extends Error {
  override readonly name = 'OutputClosed'
}
