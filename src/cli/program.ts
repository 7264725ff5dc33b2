/**
 * The commands of `samsa`. Finds the one that is wanted, loads only that, runs it, and turns however it ended into an exit code:
 * 0 done, 1 failed, 2 bad usage or configuration.
 */
import { Command, CommanderError } from 'commander'
import { normalized } from './arguments.ts'
import { CliError, EXIT_FAILURE, EXIT_OK, EXIT_USAGE, OutputClosed } from './errors.ts'
import { hintFor } from './hints.ts'
import { wantsColour } from './output.ts'
import { VERSION } from './version.ts'

interface CommandEntry {
  readonly name: string
  readonly summary: string
  load(): Promise<{ command(): Command }>
}

const COMMANDS: readonly CommandEntry[] = [
  { name: 'serve', summary: 'run a broker', load: () => import('./commands/serve.ts') },
  {
    name: 'topics',
    summary: 'create, list, describe, alter and delete topics',
    load: () => import('./commands/topics.ts'),
  },
  { name: 'produce', summary: 'write lines as records to a topic', load: () => import('./commands/produce.ts') },
  { name: 'consume', summary: 'print the records of a topic', load: () => import('./commands/consume.ts') },
  {
    name: 'groups',
    summary: 'list, describe, move and delete consumer groups',
    load: () => import('./commands/groups.ts'),
  },
  {
    name: 'configs',
    summary: 'show and change settings of topics, brokers and groups',
    load: () => import('./commands/configs.ts'),
  },
  {
    name: 'offsets',
    summary: 'list offsets, delete records before one',
    load: () => import('./commands/offsets.ts'),
  },
  {
    name: 'transactions',
    summary: 'list and describe transactions, end hanging ones',
    load: () => import('./commands/transactions.ts'),
  },
  {
    name: 'acls',
    summary: 'list, create and delete access control lists',
    load: () => import('./commands/acls.ts'),
  },
  {
    name: 'profile',
    summary: 'name clusters, and choose which one is meant',
    load: () => import('./commands/profile.ts'),
  },
  { name: 'users', summary: 'list, set and delete SCRAM credentials', load: () => import('./commands/users.ts') },
  { name: 'quotas', summary: 'list, set and delete quotas of clients', load: () => import('./commands/quotas.ts') },
  {
    name: 'cluster',
    summary: 'show brokers, features, data folders and moves',
    load: () => import('./commands/cluster.ts'),
  },
  {
    name: 'doctor',
    summary: 'check what usually goes wrong between clients and brokers',
    load: () => import('./commands/doctor.ts'),
  },
  { name: 'export', summary: "copy a topic's log files into a folder", load: () => import('./commands/export.ts') },
  {
    name: 'dump',
    summary: "show and check the files of a broker's data folder",
    load: () => import('./commands/dump.ts'),
  },
  {
    name: 'hand-back',
    summary: 'make a data folder one that Kafka starts on',
    load: () => import('./commands/hand-back.ts'),
  },
  {
    name: 'lab',
    summary: 'measure this machine and this data',
    load: () => import('./commands/lab.ts'),
  },
  {
    name: 'bench',
    summary: 'measure brokers, alone or side by side',
    load: () => import('./commands/bench.ts'),
  },
  {
    name: 'completion',
    summary: 'print a script that completes commands and options in a shell',
    load: () => import('./commands/completion.ts'),
  },
  { name: 'version', summary: 'print the version', load: () => import('./commands/version.ts') },
]

const EXAMPLES = `
Examples:
  samsa serve                                    a broker on 127.0.0.1:9092, data in ./samsa-data
  samsa topics create orders --partitions 6      a topic
  echo 'k1:hello' | samsa produce -t orders -K:  a record with a key
  samsa consume -t orders -o beginning -e        everything in it, then exit

Exit codes: 0 done, 1 failed, 2 bad usage or configuration.`

/** With every command loaded. */
export function wholeProgram(): Promise<Command> {
  return buildProgram(() => true)
}

/** Only what is wanted is loaded: of the others the name and the summary are enough. */
function wantedBy(argv: readonly string[]): (name: string) => boolean {
  const words = argv.filter((argument) => !argument.startsWith('-'))
  const wanted = words[0] === 'help' ? words[1] : words[0]
  return (name) => name === wanted
}

async function buildProgram(isWanted: (name: string) => boolean): Promise<Command> {
  const program = new Command('samsa')
    .description("A message broker that speaks Apache Kafka's protocol, and its tools.")
    .version(`samsa ${VERSION}`, '-V, --version', 'print the version')
    .addHelpText('after', EXAMPLES)
  for (const entry of COMMANDS) {
    const loaded = isWanted(entry.name) ? (await entry.load()).command() : new Command(entry.name)
    program.addCommand(loaded.summary(entry.summary))
  }
  applyConventions(program)
  return program
}

/** Commander's own errors become exceptions with one line of text; sub-commands added later do not inherit that. */
function applyConventions(command: Command): void {
  command.exitOverride()
  command.configureOutput({ writeErr: () => undefined, outputError: () => undefined })
  command.helpOption('-h, --help', 'show this help')
  command.showHelpAfterError(false)
  if (command.commands.length > 0) command.helpCommand('help [command]', 'show the help of a command')
  for (const child of command.commands) applyConventions(child)
}

function printError(message: string): void {
  const [start, end] = wantsColour(process.stderr) ? ['\x1b[31m', '\x1b[0m'] : ['', '']
  const line = message.replace(/\s*\n\s*/g, ' ').trim()
  process.stderr.write(`samsa: ${start}${line}${end}\n`)
}

/** What went wrong, in one line. Only a bug in Samsa brings its stack, and only when asked for. */
function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const expected = error instanceof CliError || 'code' in error
  if (process.env.SAMSA_DEBUG) return (error.stack ?? error.message).replaceAll('\n', ' | ')
  if (expected) return `${error.message}${hintFor(error)}`
  return `unexpected ${error.name}: ${error.message} (SAMSA_DEBUG=1 shows where)`
}

/** `samsa topics create`, as far as there are such commands. */
function commandPath(program: Command, argv: readonly string[]): string {
  let command = program
  const path = [program.name()]
  for (const word of argv.filter((argument) => !argument.startsWith('-'))) {
    const child = command.commands.find((each) => each.name() === word)
    if (child === undefined) break
    command = child
    path.push(word)
  }
  return path.join(' ')
}

/** `path`: the command whose help says more. */
function exitCodeOf(error: unknown, path: string): number {
  if (error instanceof OutputClosed) return EXIT_OK
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT_OK
    // Help shown because no sub-command was given.
    if (error.code === 'commander.help') printError(`a command is missing; see '${path} --help'`)
    else printError(`${error.message.replace(/^error: /, '')}; see '${path} --help'`)
    return EXIT_USAGE
  }
  printError(describeFailure(error))
  return error instanceof CliError ? error.exitCode : EXIT_FAILURE
}

export async function main(): Promise<void> {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT_OK)
  })
  const argv = normalized(process.argv.slice(2))
  const program = await buildProgram(wantedBy(argv))
  try {
    await program.parseAsync(argv, { from: 'user' })
    process.exitCode ??= EXIT_OK
  } catch (error) {
    process.exit(exitCodeOf(error, commandPath(program, argv)))
  }
}
