/** `samsa users`: SCRAM credentials, as kafka-configs --entity-type users manages them. */
import { Command, Option } from 'commander'
import { alterUsers, type CredentialChange, describeUsers, type ScramMechanism } from '../../client/admin/users.ts'
import { adminCommand, type CommonOptions, tellOutcomes } from '../admin-command.ts'
import { usageError } from '../errors.ts'
import { positiveInteger } from '../options.ts'
import { print, printJson, table } from '../output.ts'
import { withCluster } from '../with-cluster.ts'

const MECHANISMS: readonly ScramMechanism[] = ['SCRAM-SHA-256', 'SCRAM-SHA-512']

export function command(): Command {
  return new Command('users')
    .description('List, set and delete the SCRAM credentials of users.')
    .addHelpText(
      'after',
      `
Examples:
  samsa users list
  samsa users set alice < password.txt
  samsa users set alice --mechanism SCRAM-SHA-256 --iterations 8192 < password.txt
  samsa users delete alice`,
    )
    .addCommand(listCommand())
    .addCommand(setCommand())
    .addCommand(deleteCommand())
}

function mechanismOption(): Option {
  return new Option('--mechanism <name>', 'SASL mechanism').choices(MECHANISMS).default('SCRAM-SHA-512')
}

function listCommand(): Command {
  return adminCommand(
    'list',
    'list users that have credentials',
    '  samsa users list\n  samsa users list alice --format json',
  )
    .argument('[user...]', 'only these')
    .action(async (names: string[], options: CommonOptions) => {
      const users = await withCluster(options, (cluster) =>
        describeUsers(cluster, names.length > 0 ? names : undefined),
      )
      if (options.format === 'json') return printJson(users)
      const rows = users.flatMap(({ user, credentials }) =>
        credentials.map(({ mechanism, iterations }) => [user, mechanism, String(iterations)]),
      )
      await print(table(['USER', 'MECHANISM', 'ITERATIONS'], rows))
    })
}

interface SetOptions extends CommonOptions {
  readonly mechanism: ScramMechanism
  readonly iterations?: number
}

function setCommand(): Command {
  return adminCommand(
    'set',
    'set the password of a user, read from standard input',
    '  samsa users set alice < password.txt\n  pass show kafka/alice | samsa users set alice',
  )
    .argument('<user>')
    .addOption(mechanismOption())
    .option('--iterations <n>', '4096 to 16384', positiveInteger)
    .action(async (user: string, options: SetOptions) => {
      const { mechanism, iterations } = options
      // On the command line everybody on the machine could read it.
      const password = (await Bun.stdin.text()).replace(/\r?\n$/, '')
      if (password === '') throw usageError('no password on standard input')
      await change(options, { user, mechanism, password, ...(iterations === undefined ? {} : { iterations }) }, 'Set')
    })
}

function deleteCommand(): Command {
  return adminCommand('delete', 'delete a credential of a user', '  samsa users delete alice --mechanism SCRAM-SHA-256')
    .argument('<user>')
    .addOption(mechanismOption())
    .action(async (user: string, options: SetOptions) => {
      await change(options, { user, mechanism: options.mechanism, remove: true }, 'Deleted')
    })
}

async function change(options: SetOptions, wanted: CredentialChange, verb: string): Promise<void> {
  const outcomes = await withCluster(options, (cluster) => alterUsers(cluster, [wanted]))
  const named = outcomes.map(({ user: name, error }) => ({ name, error }))
  await tellOutcomes(options, named, { kind: 'user', verb: `${verb} ${options.mechanism} of` })
}
