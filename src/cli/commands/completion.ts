/** `samsa completion`: scripts that complete commands, options and names in bash, zsh and fish. What is in them: ../completion/. */
import { Argument, Command } from 'commander'
import { listGroups } from '../../client/admin/groups.ts'
import { SHELLS, type Shell, script } from '../completion/scripts.ts'
import { completionsOf } from '../completion/words.ts'
import { connectionOptions } from '../options.ts'
import { print } from '../output.ts'
import { profilesPath, readProfiles } from '../profile/profiles-file.ts'
import type { ConnectionOptions } from '../profile/settings.ts'
import { withCluster } from '../with-cluster.ts'

const KINDS = ['topics', 'groups', 'profiles'] as const
type Kind = (typeof KINDS)[number]

/** Whoever presses the tab key does not wait for longer. */
const NAMES_TIMEOUT_MS = 1_500
const NAMES_MAX = 10_000

export function command(): Command {
  return new Command('completion')
    .description('Print a script that completes commands, options, and names of topics, groups and profiles.')
    .addArgument(new Argument('<shell>', 'where it shall work').choices(SHELLS))
    .addCommand(namesCommand(), { hidden: true })
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

/** What the scripts ask for. Silence where nobody answers: there is nothing to complete then. */
function namesCommand(): Command {
  const made = new Command('names')
    .description('Print names that the cluster knows, for the scripts.')
    .addArgument(new Argument('<kind>', 'names of what').choices(KINDS))
  for (const option of connectionOptions()) made.addOption(option)
  return made.action(async (kind: Kind, options: ConnectionOptions) => {
    const bounded = { ...options, timeout: options.timeout ?? NAMES_TIMEOUT_MS }
    const names = await namesOf(kind, bounded)
    if (names.length > 0) await print(names.slice(0, NAMES_MAX).join('\n'))
  })
}

async function namesOf(kind: Kind, options: ConnectionOptions): Promise<string[]> {
  if (kind === 'profiles') return [...readProfiles(profilesPath(options.profilesFile)).profiles.keys()]
  return withCluster(options, async (cluster) => {
    if (kind === 'groups') return (await listGroups(cluster)).map(({ groupId }) => groupId)
    const { topics } = await cluster.metadata(null)
    return topics.flatMap(({ name, isInternal }) => (name === null || isInternal ? [] : [name])).sort()
  })
}
