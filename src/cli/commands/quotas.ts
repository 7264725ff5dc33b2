/** `samsa quotas`: limits of users, client ids and addresses. */
import { Command, Option } from 'commander'
import {
  alterClientQuotas,
  type ClientQuota,
  describeClientQuotas,
  QUOTA_NAMES,
  type QuotaEntity,
  type QuotaName,
} from '../../client/admin/quotas.ts'
import { adminCommand, type CommonOptions, tellOutcomes } from '../admin-command.ts'
import { usageError } from '../errors.ts'
import { keyValue } from '../options.ts'
import { print, printJson, table } from '../output.ts'
import { withCluster } from '../with-cluster.ts'

export function command(): Command {
  return new Command('quotas')
    .description('List, set and delete quotas of clients.')
    .addHelpText(
      'after',
      `
Examples:
  samsa quotas list
  samsa quotas set --user alice producer_byte_rate=1048576
  samsa quotas set --default-client-id request_percentage=50
  samsa quotas delete --user alice producer_byte_rate`,
    )
    .addCommand(listCommand())
    .addCommand(setCommand())
    .addCommand(deleteCommand())
}

interface EntityOptions extends CommonOptions {
  readonly user?: string
  readonly clientId?: string
  readonly ip?: string
  readonly defaultUser?: boolean
  readonly defaultClientId?: boolean
  readonly defaultIp?: boolean
}

function entityCommand(name: string, summary: string, examples: string): Command {
  const made = adminCommand(name, summary, examples)
  for (const [kind, what] of [
    ['user', 'this user'],
    ['client-id', 'this client id'],
    ['ip', 'this address'],
  ] as const) {
    made.addOption(new Option(`--${kind} <name>`, `of ${what}`))
    made.addOption(new Option(`--default-${kind}`, `of all that have none of their own`).conflicts(kind))
  }
  return made
}

function entityFrom(options: EntityOptions): QuotaEntity {
  return {
    ...(options.user === undefined ? {} : { user: options.user }),
    ...(options.defaultUser === true ? { user: null } : {}),
    ...(options.clientId === undefined ? {} : { clientId: options.clientId }),
    ...(options.defaultClientId === true ? { clientId: null } : {}),
    ...(options.ip === undefined ? {} : { ip: options.ip }),
    ...(options.defaultIp === true ? { ip: null } : {}),
  }
}

function listCommand(): Command {
  return entityCommand('list', 'list quotas', '  samsa quotas list\n  samsa quotas list --user alice').action(
    async (options: EntityOptions) => {
      const entity = entityFrom(options)
      const filter = Object.fromEntries(
        Object.entries(entity).map(([kind, name]) => [kind, name ?? ({ is: 'default' } as const)]),
      )
      const found = await withCluster(options, (cluster) => describeClientQuotas(cluster, filter))
      if (options.format === 'json') return printJson(found)
      await print(quotaTable(found))
    },
  )
}

function quotaTable(found: readonly ClientQuota[]): string {
  const cell = (name: string | null | undefined): string => (name === undefined ? '-' : (name ?? '<default>'))
  const rows = found.flatMap(({ entity, quotas }) =>
    Object.entries(quotas).map(([name, value]) => [
      ...[cell(entity.user), cell(entity.clientId), cell(entity.ip)],
      ...[name, String(value)],
    ]),
  )
  return table(['USER', 'CLIENT-ID', 'IP', 'QUOTA', 'VALUE'], rows)
}

function setCommand(): Command {
  return entityCommand(
    'set',
    `set quotas: ${QUOTA_NAMES.join(', ')}`,
    '  samsa quotas set --user alice --client-id billing producer_byte_rate=1048576 consumer_byte_rate=2097152',
  )
    .argument('<quota=value...>', 'bytes per second, percent of a thread, changes per second')
    .action(async (pairs: string[], options: EntityOptions) => {
      const quotas = pairs.map(keyValue).map(({ key, value }) => {
        if (!(Number(value) > 0)) throw usageError(`${key}: '${value}' is no number above 0`)
        return [quotaName(key), Number(value)] as const
      })
      await change(options, Object.fromEntries(quotas), 'Set the quotas of')
    })
}

function deleteCommand(): Command {
  return entityCommand('delete', 'delete quotas', '  samsa quotas delete --user alice producer_byte_rate')
    .argument('<quota...>', 'names of the quotas')
    .action(async (names: string[], options: EntityOptions) => {
      await change(options, Object.fromEntries(names.map((name) => [quotaName(name), null])), 'Deleted quotas of')
    })
}

function quotaName(text: string): QuotaName {
  const name = QUOTA_NAMES.find((each) => each === text)
  if (name === undefined) throw usageError(`'${text}' is none of ${QUOTA_NAMES.join(', ')}`)
  return name
}

async function change(
  options: EntityOptions,
  quotas: Partial<Record<QuotaName, number | null>>,
  verb: string,
): Promise<void> {
  const entity = entityFrom(options)
  if (Object.keys(entity).length === 0) throw usageError('whose? give --user, --client-id or --ip, or a --default- one')
  const [outcome] = await withCluster(options, (cluster) => alterClientQuotas(cluster, [{ entity, quotas }]))
  const name = Object.entries(entity)
    .map(([kind, who]) => `${kind} ${who ?? '<default>'}`)
    .join(', ')
  await tellOutcomes(options, [{ name, error: outcome!.error }], { kind: 'entity', verb })
}
