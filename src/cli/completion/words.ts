/** What may stand where on a command line, found in the commands themselves: sub-commands, options, and what their values can be. */
import type { Argument, Command, Option } from 'commander'
import { connectionOptions, formatOption } from '../options.ts'

/** What a value is: one of these words, names that the cluster knows, a file, or nothing that anybody could complete. */
export type ValueKind =
  | { readonly kind: 'choices'; readonly choices: readonly string[] }
  /** `name`: of what the argument before says, as in `configs describe topic NAME`. */
  | { readonly kind: 'topics' | 'groups' | 'profiles' | 'name' | 'file' | 'none' }

export interface OptionWords {
  /** With dashes: `--format`; the short one, too, where there is one. */
  readonly flags: readonly string[]
  readonly summary: string
  /** Null: it takes none. */
  readonly value: ValueKind | null
}

/** A command as typed so far, and what may come next. */
export interface Completions {
  /** `samsa topics create`. */
  readonly path: readonly string[]
  readonly commands: readonly { readonly name: string; readonly summary: string }[]
  readonly options: readonly OptionWords[]
  readonly positionals: readonly ValueKind[]
  /** The last positional may be repeated. */
  readonly isVariadic: boolean
}

const NONE: ValueKind = { kind: 'none' }
const OPTION_KINDS: ReadonlyMap<string, ValueKind> = new Map<string, ValueKind>([
  ['topic', { kind: 'topics' }],
  ['group', { kind: 'groups' }],
  ['offsetsOf', { kind: 'groups' }],
  ['profile', { kind: 'profiles' }],
  ['from', { kind: 'profiles' }],
  ['profilesFile', { kind: 'file' }],
  ['file', { kind: 'file' }],
  ['config', { kind: 'file' }],
  ['output', { kind: 'file' }],
  ['data', { kind: 'file' }],
  ['metadataDir', { kind: 'file' }],
  ['path', { kind: 'file' }],
  ['json', { kind: 'file' }],
  ['html', { kind: 'file' }],
])

export function completionsOf(program: Command, before: readonly string[] = []): Completions[] {
  const path = [...before, program.name()]
  const shown = program.createHelp().visibleCommands(program)
  const own: Completions = {
    path,
    commands: shown.map((child) => ({ name: child.name(), summary: child.summary() || child.description() })),
    options: [...program.createHelp().visibleOptions(program), ...(before.length === 0 ? leadingOptions() : [])].map(
      (option) => optionWords(option, path),
    ),
    positionals: program.registeredArguments.map((argument) => argumentKind(argument, path)),
    isVariadic: program.registeredArguments.at(-1)?.variadic ?? false,
  }
  const children = program.commands.filter((child) => shown.includes(child) && child.name() !== 'help')
  return [own, ...children.flatMap((child) => completionsOf(child, path))]
}

/** They may stand before the command, too. */
function leadingOptions(): Option[] {
  return [...connectionOptions(), formatOption()].filter(({ hidden }) => !hidden)
}

function optionWords(option: Option, path: readonly string[]): OptionWords {
  const flags = [option.long, option.short].filter((flag) => flag !== undefined && flag !== null)
  const takesValue = option.required || option.optional
  return { flags, summary: option.description, value: takesValue ? optionKind(option, path) : null }
}

function optionKind(option: Option, path: readonly string[]): ValueKind {
  if (option.argChoices !== undefined) return { kind: 'choices', choices: option.argChoices }
  const name = option.attributeName()
  // A topic's --config is a setting, serve's is a file; --from of consumers' commands is an offset.
  if (name === 'config' && path[1] !== 'serve') return NONE
  if (name === 'from' && path[1] !== 'profile') return NONE
  return OPTION_KINDS.get(name) ?? NONE
}

function argumentKind(argument: Argument, path: readonly string[]): ValueKind {
  if (argument.argChoices !== undefined) return { kind: 'choices', choices: argument.argChoices }
  switch (argument.name()) {
    case 'topic':
      return path.at(-1) === 'create' ? NONE : { kind: 'topics' }
    case 'group':
      return { kind: 'groups' }
    case 'file':
      return { kind: 'file' }
    case 'name':
      if (path[1] === 'configs') return { kind: 'name' }
      return path[1] === 'profile' && path[2] !== 'create' ? { kind: 'profiles' } : NONE
    default:
      return NONE
  }
}
