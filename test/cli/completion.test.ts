/** The script for bash, run by bash: what the tab key offers. Names of the cluster come from a stand-in for the program. */
import { describe, expect, test } from 'bun:test'
import { script } from '../../src/cli/completion/scripts.ts'
import { completionsOf } from '../../src/cli/completion/words.ts'
import { wholeProgram } from '../../src/cli/program.ts'

const COMPLETIONS = completionsOf(await wholeProgram())

/** Says how it was asked, and one name. */
const STAND_IN = 'samsa() { printf "%s\\n" "asked-$3" "$4$5" orders; }'

function offered(...words: string[]): string[] {
  const asked = `${STAND_IN}\n${script('bash', COMPLETIONS)}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _samsa; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout, stderr } = Bun.spawnSync(['bash', '-c', asked, '_', ...words])
  expect(stderr.toString()).toBe('')
  return stdout
    .toString()
    .split('\n')
    .filter((line) => line !== '')
}

describe('bash', () => {
  test('commands and sub-commands', () => {
    expect(offered('samsa', 'top')).toEqual(['topics'])
    expect(offered('samsa', 'topics', '')).toEqual(['create', 'list', 'describe', 'alter', 'delete', 'help'])
    expect(offered('samsa', 'profile', 're')).toEqual(['rename'])
  })

  test('options, and their fixed values, also behind =', () => {
    expect(offered('samsa', 'topics', 'create', '--part')).toEqual(['--partitions'])
    expect(offered('samsa', 'produce', '-z', 'z')).toEqual(['zstd'])
    expect(offered('samsa', 'topics', 'list', '--format', '')).toEqual(['text', 'json'])
    expect(offered('samsa', 'topics', 'list', '--format', '=', 'j')).toEqual(['json'])
    expect(offered('samsa', 'configs', 'set', 'br')).toEqual(['broker', 'broker-logger'])
  })

  test('names of topics and groups, asked with the connection that is typed already', () => {
    expect(offered('samsa', 'consume', '-t', 'o')).toEqual(['orders'])
    expect(offered('samsa', 'topics', 'delete', 'one', 'o')).toEqual(['orders'])
    expect(offered('samsa', 'groups', 'describe', 'asked')).toEqual(['asked-groups'])
    expect(offered('samsa', '--profile', 'prod', 'topics', 'describe', '')).toEqual([
      'asked-topics',
      '--profileprod',
      'orders',
    ])
    expect(offered('samsa', 'topics', 'list', '--profile', 'asked')).toEqual(['asked-profiles'])
    expect(offered('samsa', 'configs', 'set', 'topic', 'asked')).toEqual(['asked-topics'])
    expect(offered('samsa', 'configs', 'set', 'group', 'asked')).toEqual(['asked-groups'])
  })

  test('nothing where nobody can know, files where they are meant', () => {
    expect(offered('samsa', 'topics', 'create', 'o')).toEqual([])
    expect(offered('samsa', 'consume', '--count', '')).toEqual([])
    expect(offered('samsa', 'dump', '/etc/host').length).toBeGreaterThan(0)
    expect(offered('samsa', 'nonsense', '')).not.toContain('create')
  })
})

test('a value that is called like a command is no command', () => {
  expect(offered('samsa', 'topics', 'create', '--config', 'list', '--form')).toEqual(['--format'])
})

test('zsh and fish have the same words', () => {
  const zsh = script('zsh', COMPLETIONS)
  expect(zsh).toStartWith('#compdef samsa\n')
  const fish = script('fish', COMPLETIONS)
  expect(fish).toContain("complete -c samsa -n '__fish_seen_subcommand_from topics; and ")
  expect(fish).toContain("-l format -r -a 'text json'")
  expect(fish).toContain("-a '(__samsa_names topics)'")
  for (const { path } of COMPLETIONS.slice(1)) expect(fish).toContain(`-a ${path.at(-1)} -d `)
})

test.skipIf(Bun.which('fish') === null)('fish takes the script', () => {
  expect(Bun.spawnSync(['fish', '--no-execute', '-c', script('fish', COMPLETIONS)]).exitCode).toBe(0)
})

test.skipIf(Bun.which('zsh') === null)('zsh takes the script', () => {
  expect(Bun.spawnSync(['zsh', '-n', '-c', script('zsh', COMPLETIONS)]).exitCode).toBe(0)
})
