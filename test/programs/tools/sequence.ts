// How a sequence of commands is declared: command lines as people type them, and what has to be said beside the line.
//
// `{bootstrap}`, `{copied}` (what was copied from the broker's data folder) and `{files}` (the sequence's own files) are filled in, and so is what an earlier command of the
// sequence kept. A line that names no bootstrap server gets the broker's, unless it is to run alone.

/** A command line, or one with something to say about it. */
export type Step = string | Command | Living | Ending | Copying

export interface Command {
  readonly run: string
  /** Standard input. */
  readonly input?: string
  /** The line is complete as it is: no bootstrap server is added. */
  readonly alone?: true
  /** The rows come in no particular order: by hash maps of the tool or ids that each broker makes itself. */
  readonly anyOrder?: true
  /** Texts of this command's output that later lines use: a name and the expression whose first group is kept. */
  readonly keep?: Readonly<Record<string, RegExp>>
  /**
   * It may be asked again, because it changes nothing: while the two outputs differ, or `until` does not hold for Kafka's, it is, for a while. Kafka's
   * views follow its controller and its coordinators a moment later. A command that lists or describes need not say so.
   */
  readonly again?: boolean
  /** What Kafka's output must contain before it counts. */
  readonly until?: RegExp
  /** Reduces the normalised lines to what is compared, where the rest is chance. */
  readonly only?: (lines: readonly string[]) => readonly string[]
  /** The same for standard error. */
  readonly errors?: (lines: readonly string[]) => readonly string[]
  /** Why Samsa prints something else, as a name in DELIBERATE (deliberate.ts). */
  readonly differs?: string
}

/** Starts a tool that goes on beside the following commands. */
export interface Living {
  readonly start: string
  readonly as: string
}

/** Ends it, as a termination signal would; its output is compared. */
export interface Ending {
  readonly stop: string
  readonly only?: (lines: readonly string[]) => readonly string[]
}

/** Copies folders of partitions out of the broker's data folder to `{copied}`: the tool that reads files trims some of them. */
export interface Copying {
  readonly copy: readonly string[]
}

export interface Sequence {
  readonly name: string
  /** Written to `{files}` before the first command. */
  readonly files?: Readonly<Record<string, unknown>>
  readonly steps: readonly Step[]
}

const READING =
  / (--list|--describe|--verify|--version|list|describe|describe-producers|find-hanging|cluster-id|list-endpoints)( |$)|^kafka-(get-offsets|broker-api-versions|replica-verification)/

/** Whether a command may be run again until both brokers say the same. */
export function mayRunAgain(command: Command): boolean {
  return command.again ?? READING.test(command.run)
}

/** Splits a command line at spaces; single quotes keep a word together, as in a shell. */
export function words(line: string): string[] {
  return [...line.matchAll(/(?:'[^']*'|[^\s'])+/g)].map(([word]) => word.replaceAll("'", ''))
}
