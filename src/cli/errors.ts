/** What ends a command: the exit codes that scripts rely on, and the one line that says why. */
export const EXIT_OK = 0
export const EXIT_FAILURE = 1
export const EXIT_USAGE = 2

/** Ends the command with one line on stderr and this exit code. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: number

  constructor(message: string, exitCode: number = EXIT_FAILURE) {
    super(message)
    this.exitCode = exitCode
  }
}

export function usageError(message: string): CliError {
  return new CliError(message, EXIT_USAGE)
}

/** Whoever read our output has gone (`| head`): nothing is left to do, and nothing went wrong. */
export class OutputClosed extends Error {
  override readonly name = 'OutputClosed'
}
