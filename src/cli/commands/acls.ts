/** `samsa acls`: what kafka-acls does. */
import { Command, InvalidArgumentError, Option } from 'commander'
import {
  ACL_OPERATIONS,
  ACL_RESOURCE_TYPES,
  type Acl,
  type AclFilter,
  type AclOperation,
  type AclPermission,
  type AclResourceType,
  createAcls,
  deleteAcls,
  describeAcls,
} from '../../client/admin/acls.ts'
import { adminCommand, type CommonOptions, tellOutcomes } from '../admin-command.ts'
import { CliError, usageError } from '../errors.ts'
import { collect } from '../options.ts'
import { print, printJson, table } from '../output.ts'
import { withCluster } from '../with-cluster.ts'

const CLUSTER_NAME = 'kafka-cluster'

export function command(): Command {
  return new Command('acls')
    .description('List, create and delete access control lists.')
    .addHelpText(
      'after',
      `
Examples:
  samsa acls list --resource topic:orders
  samsa acls create --allow User:alice --operation read --operation describe --resource topic:orders
  samsa acls create --allow User:bob --operation all --resource group:billing- --prefixed
  samsa acls delete --principal User:alice`,
    )
    .addCommand(listCommand())
    .addCommand(createCommand())
    .addCommand(deleteCommand())
}

interface Resource {
  readonly resourceType: AclResourceType
  readonly resourceName: string
}

interface FilterOptions extends CommonOptions {
  readonly resource?: Resource
  readonly prefixed?: boolean
  readonly principal?: string
  readonly host?: string
  readonly operation?: AclOperation
  readonly permission?: AclPermission
}

function filterCommand(name: string, summary: string, examples: string): Command {
  return adminCommand(name, summary, examples)
    .option('--resource <type:name>', 'of this resource, or cluster', resource)
    .option('--prefixed', 'whose resource is a prefix')
    .option('--principal <principal>', 'of User:NAME')
    .option('--host <address>', 'from this address')
    .addOption(new Option('--operation <operation>', 'for this operation').choices(ACL_OPERATIONS))
    .addOption(new Option('--permission <permission>', 'that allow, or deny').choices(['allow', 'deny']))
}

function filterFrom({ resource: of, prefixed, principal, host, operation, permission }: FilterOptions): AclFilter {
  return {
    ...of,
    ...(prefixed === true ? { patternType: 'prefixed' as const } : {}),
    ...(principal === undefined ? {} : { principal }),
    ...(host === undefined ? {} : { host }),
    ...(operation === undefined ? {} : { operation }),
    ...(permission === undefined ? {} : { permission }),
  }
}

function listCommand(): Command {
  return filterCommand('list', 'list ACLs', '  samsa acls list\n  samsa acls list --resource topic:orders').action(
    async (options: FilterOptions) => {
      const acls = await withCluster(options, (cluster) => describeAcls(cluster, filterFrom(options)))
      if (options.format === 'json') return printJson(acls)
      await print(aclTable(acls))
    },
  )
}

interface CreateOptions extends CommonOptions {
  readonly allow?: readonly string[]
  readonly deny?: readonly string[]
  readonly operation: readonly AclOperation[]
  readonly resource: readonly Resource[]
  readonly host: string
  readonly prefixed?: boolean
}

function createCommand(): Command {
  const text = (value: string): string => value
  return adminCommand(
    'create',
    'create ACLs: one for each principal, resource and operation',
    `  samsa acls create --allow User:alice --operation read --resource topic:orders --resource group:billing
  samsa acls create --deny 'User:*' --operation all --resource topic:secret- --prefixed`,
  )
    .option('--allow <principal>', 'User:NAME, or User:* for everybody; may be repeated', collect(text))
    .option('--deny <principal>', 'the same; may be repeated', collect(text))
    .requiredOption(
      '--operation <operation>',
      `one of ${ACL_OPERATIONS.join(', ')}; may be repeated`,
      collect(operation),
    )
    .requiredOption(
      '--resource <type:name>',
      'topic:NAME, group:NAME, ..., or cluster; may be repeated',
      collect(resource),
    )
    .option('--host <address>', 'only from this address', '*')
    .option('--prefixed', 'names of resources are prefixes')
    .action(async (options: CreateOptions) => {
      const acls = aclsFrom(options)
      if (acls.length === 0) throw usageError('nobody named: give --allow or --deny')
      const outcomes = await withCluster(options, (cluster) => createAcls(cluster, acls))
      const named = outcomes.map(({ acl, error }) => ({ name: inWords(acl), error }))
      await tellOutcomes(options, named, { kind: 'acl', verb: 'Created:' })
    })
}

function aclsFrom({
  allow = [],
  deny = [],
  operation: operations,
  resource: resources,
  host,
  prefixed,
}: CreateOptions): Acl[] {
  const patternType = prefixed === true ? 'prefixed' : 'literal'
  const principals = [
    ...allow.map((principal) => ({ principal, permission: 'allow' as const })),
    ...deny.map((principal) => ({ principal, permission: 'deny' as const })),
  ]
  return principals.flatMap((who) =>
    resources.flatMap((what) => operations.map((each) => ({ ...who, ...what, patternType, host, operation: each }))),
  )
}

function deleteCommand(): Command {
  return filterCommand(
    'delete',
    'delete the ACLs that fit',
    '  samsa acls delete --principal User:alice\n  samsa acls delete --resource topic:orders --operation read',
  )
    .option('--all', 'delete all there are')
    .action(async (options: FilterOptions & { all?: boolean }) => {
      const filter = filterFrom(options)
      if (Object.keys(filter).length === 0 && options.all !== true) {
        throw usageError('this would delete every ACL: give a condition, or --all')
      }
      const [outcome] = await withCluster(options, (cluster) => deleteAcls(cluster, [filter]))
      if (outcome!.error !== null) throw new CliError(outcome!.error.message)
      if (options.format === 'json') return printJson(outcome!.deleted)
      if (outcome!.deleted.length > 0)
        await print(outcome!.deleted.map((acl) => `Deleted: ${inWords(acl)}.`).join('\n'))
    })
}

function aclTable(acls: readonly Acl[]): string {
  const header = ['PRINCIPAL', 'HOST', 'RESOURCE-TYPE', 'RESOURCE-NAME', 'PATTERN', 'OPERATION', 'PERMISSION']
  const rows = acls.map((acl) => [
    ...[acl.principal, acl.host, acl.resourceType, acl.resourceName],
    ...[acl.patternType, acl.operation, acl.permission],
  ])
  return table(header, rows)
}

function inWords({
  permission,
  principal,
  operation: what,
  resourceType,
  resourceName,
  patternType,
  host,
}: Acl): string {
  const pattern = patternType === 'prefixed' ? '*' : ''
  return `${permission} ${principal} ${what} on ${resourceType}:${resourceName}${pattern} from ${host}`
}

function resource(text: string): Resource {
  if (text === 'cluster') return { resourceType: 'cluster', resourceName: CLUSTER_NAME }
  const colon = text.indexOf(':')
  const resourceType = ACL_RESOURCE_TYPES.find((type) => type === text.slice(0, colon))
  if (colon < 0 || resourceType === undefined) {
    throw new InvalidArgumentError(`It must be TYPE:NAME, with a type of ${ACL_RESOURCE_TYPES.join(', ')}.`)
  }
  return { resourceType, resourceName: text.slice(colon + 1) }
}

function operation(text: string): AclOperation {
  const found = ACL_OPERATIONS.find((each) => each === text)
  if (found === undefined) throw new InvalidArgumentError(`It must be one of ${ACL_OPERATIONS.join(', ')}.`)
  return found
}
