/** `samsa completion`: scripts that complete commands and options in bash, zsh and fish, made from the commands themselves. */
import { Argument, Command } from 'commander'
import { print } from '../output.ts'

type Shell = 'bash' | 'zsh' | 'fish'

/** A command as typed so far, and what may come next. */
export interface Completions {
  /** `samsa topics create`. */
  readonly path: readonly string[]
  readonly commands: readonly { readonly name: string; readonly summary: string }[]
  readonly options: readonly { readonly flag: string; readonly summary: string }[]
}

export function command(): Command {
  return new Command('completion')
    .description('Print a script that completes commands and options.')
    .addArgument(new Argument('<shell>', 'where it shall work').choices(['bash', 'zsh', 'fish']))
    .addHelpText(
      'after',
      `
Examples:
  source <(samsa completion bash)                                      now
  samsa completion bash > ~/.local/share/bash-completion/completions/samsa
  samsa completion zsh > "\${fpath[1]}/_samsa"
  samsa completion fish > ~/.config/fish/completions/samsa.fish`,
    )
    .action(async (shell: Shell) => {
      const { wholeProgram } = await import('../program.ts')
      await print(script(shell, completionsOf(await wholeProgram())))
    })
}

export function completionsOf(program: Command, before: readonly string[] = []): Completions[] {
  const path = [...before, program.name()]
  const shown = program.createHelp().visibleCommands(program)
  const own: Completions = {
    path,
    commands: shown.map((child) => ({ name: child.name(), summary: child.summary() || child.description() })),
    options: program
      .createHelp()
      .visibleOptions(program)
      .flatMap(({ long, description }) => (long === undefined ? [] : [{ flag: long, summary: description }])),
  }
  return [
    own,
    ...program.commands.filter((child) => shown.includes(child)).flatMap((child) => completionsOf(child, path)),
  ]
}

function script(shell: Shell, completions: readonly Completions[]): string {
  if (shell === 'fish') return fish(completions)
  const functions = bash(completions)
  return shell === 'bash'
    ? `${functions}complete -F _samsa samsa`
    : `#compdef samsa\nautoload -U +X bashcompinit && bashcompinit\n${functions}complete -F _samsa samsa`
}

/** The words so far without options make the path; a value of an option is no command, so it does not lengthen it. */
function bash(completions: readonly Completions[]): string {
  const cases = completions.map(({ path, commands, options }) => {
    const names = commands.map(({ name }) => name).join(' ')
    const flags = options.map(({ flag }) => flag).join(' ')
    return `    '${path.join(' ')}') commands='${names}'; options='${flags}' ;;`
  })
  return `_samsa() {
  local path=samsa commands='' options='' word i
  _samsa_words "$path"
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    if [[ " $commands " == *" $word "* ]]; then path="$path $word"; _samsa_words "$path"; fi
  done
  if [[ "\${COMP_WORDS[COMP_CWORD]}" == -* ]]; then commands="$options"; fi
  COMPREPLY=($(compgen -W "$commands" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
_samsa_words() {
  case "$1" in
${cases.join('\n')}
  esac
}
`
}

function fish(completions: readonly Completions[]): string {
  const lines = ['complete -c samsa -f']
  for (const { path, commands, options } of completions) {
    const seen = path.slice(1).map((name) => `__fish_seen_subcommand_from ${name}`)
    const none =
      commands.length === 0 ? [] : [`not __fish_seen_subcommand_from ${commands.map(({ name }) => name).join(' ')}`]
    const condition = [...seen, ...none].join('; and ')
    const when = condition === '' ? '' : ` -n '${condition}'`
    for (const { name, summary } of commands) lines.push(`complete -c samsa${when} -a ${name} -d ${quoted(summary)}`)
    for (const { flag, summary } of options)
      lines.push(`complete -c samsa${when} -l ${flag.slice(2)} -d ${quoted(summary)}`)
  }
  return lines.join('\n')
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
