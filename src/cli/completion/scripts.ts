/** Scripts for bash, zsh and fish. Commands, options and fixed values are in the script; names of topics and groups are asked of the cluster. */
import type { Completions, OptionWords, ValueKind } from './words.ts'

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

export function script(shell: Shell, completions: readonly Completions[]): string {
  switch (shell) {
    case 'bash':
      return `${bash(completions)}complete -F _samsa samsa`
    case 'zsh':
      return `#compdef samsa\nautoload -U +X bashcompinit && bashcompinit\n${bash(completions)}complete -F _samsa samsa`
    case 'fish':
      return fish(completions)
  }
}

/** In the scripts: words apart by spaces, or the name of a source behind @. */
function source(value: ValueKind): string {
  return value.kind === 'choices' ? value.choices.join(' ') : value.kind === 'none' ? '' : `@${value.kind}`
}

/** How the cluster is reached is said by options that are typed already: they are handed on. */
const CONNECTION_OPTIONS = '-b|--bootstrap|--bootstrap-server|--profile|--profiles-file|-X|--property'

/** The words so far without options and their values make the path, and after it the arguments. `=` is a word of its own to bash. */
function bash(completions: readonly Completions[]): string {
  return `_samsa() {
  local path=samsa commands='' options='' valued='' positionals='' variadic=''
  local current="\${COMP_WORDS[COMP_CWORD]}" previous='' word i source='' index=0
  local -a connection=() given=()
  _samsa_words "$path"
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    if [[ "$word" == '=' ]]; then continue; fi
    if [[ -n "$previous" ]]; then
      case "$previous" in ${CONNECTION_OPTIONS}) connection+=("$previous" "$word") ;; esac
      previous=''
    elif [[ "$word" == -* ]]; then
      if [[ " $valued " == *" $word "* ]]; then previous="$word"; fi
    elif [[ " $commands " == *" $word "* ]]; then path="$path $word"; _samsa_words "$path"
    else given+=("$word"); index=$((index + 1))
    fi
  done
  if [[ "$current" == '=' ]]; then current=''; fi
  if [[ -n "$previous" ]]; then source="$(_samsa_value "$path" "$previous")"
  elif [[ "$current" == -* ]]; then source="$options"
  elif [[ -n "$commands" && $index -eq 0 ]]; then source="$commands"
  fi
  if [[ -z "$previous" && "$current" != -* && -n "$positionals" ]]; then
    local -a places; IFS=';' read -r -a places <<< "$positionals"
    if [[ -n "$variadic" && $index -ge \${#places[@]} ]]; then index=$((\${#places[@]} - 1)); fi
    source="$source \${places[index]}"
  fi
  source="\${source# }"
  if [[ "$source" == @name ]]; then source="@\${given[0]}s"; fi
  case "$source" in
    @file) COMPREPLY=($(compgen -f -- "$current")); return ;;
    @topics|@groups|@profiles) source="$(samsa completion names "\${source#@}" "\${connection[@]}" 2>/dev/null)" ;;
    @*) source='' ;;
  esac
  COMPREPLY=($(compgen -W "$source" -- "$current"))
}
_samsa_words() {
  case "$1" in
${completions.map(bashWords).join('\n')}
  esac
}
_samsa_value() {
  case "$1 $2" in
${completions.flatMap(bashValues).join('\n')}
  esac
}
`
}

function bashWords({ path, commands, options, positionals, isVariadic }: Completions): string {
  const set = {
    commands: commands.map(({ name }) => name).join(' '),
    options: options.map(({ flags }) => flags[0]).join(' '),
    valued: options.flatMap(({ flags, value }) => (value === null ? [] : flags)).join(' '),
    positionals: positionals.map((each) => source(each) || '-').join(';'),
    variadic: isVariadic ? 'yes' : '',
  }
  const assignments = Object.entries(set).map(([name, value]) => `${name}=${quoted(value)}`)
  return `    ${quoted(path.join(' '))}) ${assignments.join('; ')} ;;`
}

function bashValues({ path, options }: Completions): string[] {
  return options.flatMap(({ flags, value }) => {
    if (value === null || source(value) === '') return []
    const patterns = flags.map((flag) => quoted(`${path.join(' ')} ${flag}`)).join('|')
    return [`    ${patterns}) printf %s ${quoted(source(value))} ;;`]
  })
}

function fish(completions: readonly Completions[]): string {
  const lines = [
    'complete -c samsa -f',
    'function __samsa_names',
    '  set -l connection',
    '  set -l previous',
    '  for word in (commandline -opc)',
    `    if contains -- "$previous" ${CONNECTION_OPTIONS.replaceAll('|', ' ')}; set -a connection $previous $word; end`,
    '    set previous $word',
    '  end',
    '  samsa completion names $argv[1] $connection 2>/dev/null',
    'end',
  ]
  for (const each of completions) lines.push(...fishLines(each))
  return lines.join('\n')
}

function fishLines({ path, commands, options, positionals }: Completions): string[] {
  const seen = path.slice(1).map((name) => `__fish_seen_subcommand_from ${name}`)
  const none =
    commands.length === 0 ? [] : [`not __fish_seen_subcommand_from ${commands.map(({ name }) => name).join(' ')}`]
  const condition = [...seen, ...none].join('; and ')
  const when = `complete -c samsa${condition === '' ? '' : ` -n ${quoted(condition)}`}`
  return [
    ...commands.map(({ name, summary }) => `${when} -a ${name} -d ${quoted(summary)}`),
    ...options.map((option) => `${when} ${fishFlags(option)} -d ${quoted(option.summary)}`),
    ...positionals.flatMap((value) => fishSource(value).map((words) => `${when} ${words}`)),
  ]
}

function fishFlags({ flags, value }: OptionWords): string {
  const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`))
  return [...names, ...(value === null ? [] : ['-r', ...fishSource(value)])].join(' ')
}

function fishSource(value: ValueKind): string[] {
  switch (value.kind) {
    case 'choices':
      return [`-a ${quoted(value.choices.join(' '))}`]
    case 'topics':
    case 'groups':
    case 'profiles':
      return [`-a '(__samsa_names ${value.kind})'`]
    case 'file':
      return ['-F']
    default:
      return []
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "'\\''")}'`
}
