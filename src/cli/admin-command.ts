/** What all commands that ask a cluster something, or change something in it, have in common: options, examples, and how outcomes are told. */
import { Command } from 'commander'
import type { Outcome } from '../client/admin/outcome.ts'
import { allFailures } from './errors.ts'
import { connectionOptions, type FormatOptions, formatOption } from './options.ts'
import { print, printJson } from './output.ts'
import type { ConnectionOptions } from './profile/settings.ts'

export type CommonOptions = ConnectionOptions & FormatOptions

/** `examples`: one or several lines, each indented by two. */
export function adminCommand(name: string, summary: string, examples: string): Command {
  const made = new Command(name).summary(summary).description(`${summary[0]?.toUpperCase()}${summary.slice(1)}.`)
  for (const option of [...connectionOptions(), formatOption()]) made.addOption(option)
  return made.addHelpText('after', `\nExamples:\n${examples}`)
}

export interface Told {
  /** As it is told in JSON: `topic`, `group`, ... */
  readonly kind: string
  /** `Deleted topic`: what is said of each that worked, before its name. */
  readonly verb: string
  /** A code that is no failure here, as with --if-exists. */
  readonly tolerated?: number | null
  /** What text tells of those fields, behind the name. */
  readonly after?: (fields: Readonly<Record<string, unknown>>) => string
}

export type NamedOutcome = Outcome & {
  readonly name: string
  /** More that JSON tells of it. */
  readonly fields?: Readonly<Record<string, unknown>>
}

/** What was done on stdout, one by one; what failed as the command's error. */
export async function tellOutcomes(
  options: FormatOptions,
  outcomes: readonly NamedOutcome[],
  { kind, verb, tolerated = null, after }: Told,
): Promise<void> {
  const failed = outcomes.filter(({ error }) => error !== null && error.errorCode !== tolerated)
  if (options.format === 'json') {
    const rows = outcomes.map(({ name, error, fields = {} }) => {
      const skipped = error !== null && error.errorCode === tolerated
      return {
        [kind]: name,
        ...fields,
        done: error === null,
        ...(skipped || error === null ? {} : { error: error.message }),
      }
    })
    await printJson(rows)
  } else {
    const done = outcomes.filter(({ error }) => error === null)
    if (done.length > 0)
      await print(done.map(({ name, fields }) => `${verb} ${name}${after?.(fields ?? {}) ?? ''}.`).join('\n'))
  }
  if (failed.length > 0) throw allFailures(failed.map(({ error }) => error))
}
