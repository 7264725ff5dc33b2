/** kafkajs' admin calls about access control lists: its numbers, the client's names. */
import {
  type Acl as ClientAcl,
  type AclFilter as ClientFilter,
  deleteAcls as dropAcls,
  describeAcls as findAcls,
  createAcls as makeAcls,
} from '../client/admin/acls.ts'
import type { Cluster } from '../client/cluster.ts'
import { checkArray, checkOneOf, refused } from './admin-checks.ts'
import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } from './constants.ts'
import { protocolError } from './translate.ts'
import type { AclEntry, AclFilter, Admin, DescribeAclResource } from './types.ts'

/** `TRANSACTIONAL_ID` is called `transactional-id` in the client, and so on. */
function nameOf(values: Readonly<Record<string, number>>, value: number): string {
  const found = Object.keys(values).find((name) => values[name] === value) ?? 'UNKNOWN'
  return found.toLowerCase().replaceAll('_', '-')
}

function numberOf<Values extends Readonly<Record<string, number>>>(values: Values, name: string): Values[keyof Values] {
  const number = values[name.toUpperCase().replaceAll('-', '_')] ?? values.UNKNOWN
  return number as Values[keyof Values]
}

function checkKinds(row: AclEntry | AclFilter): void {
  checkOneOf(row.operation, AclOperationTypes, 'operation type')
  checkOneOf(row.resourcePatternType, ResourcePatternTypes, 'resource pattern type')
  checkOneOf(row.permissionType, AclPermissionTypes, 'permission type')
  checkOneOf(row.resourceType, AclResourceTypes, 'resource type')
}

/** Null is what a filter leaves out. */
function checkTexts(row: AclEntry | AclFilter, isFilter: boolean): void {
  for (const field of ['principal', 'host', 'resourceName'] as const) {
    const value = row[field]
    if (typeof value === 'string' || (isFilter && value === undefined)) continue
    throw refused(`Invalid ACL, the ${field} has to be a valid string`)
  }
}

function clientAcl(entry: AclEntry): ClientAcl {
  return {
    resourceType: nameOf(AclResourceTypes, entry.resourceType) as ClientAcl['resourceType'],
    resourceName: entry.resourceName,
    patternType: nameOf(ResourcePatternTypes, entry.resourcePatternType) as ClientAcl['patternType'],
    principal: entry.principal,
    host: entry.host,
    operation: nameOf(AclOperationTypes, entry.operation) as ClientAcl['operation'],
    permission: nameOf(AclPermissionTypes, entry.permissionType) as ClientAcl['permission'],
  }
}

function entryOf(acl: ClientAcl): AclEntry {
  return {
    resourceType: numberOf(AclResourceTypes, acl.resourceType),
    resourceName: acl.resourceName,
    resourcePatternType: numberOf(ResourcePatternTypes, acl.patternType),
    principal: acl.principal,
    host: acl.host,
    operation: numberOf(AclOperationTypes, acl.operation),
    permissionType: numberOf(AclPermissionTypes, acl.permission),
  }
}

/** What is ANY is left out. */
function clientFilter(filter: AclFilter): ClientFilter {
  checkTexts(filter, true)
  checkKinds(filter)
  const all: Readonly<Record<string, string | undefined>> = {
    ...clientAcl(filter as AclEntry),
    resourceName: filter.resourceName,
    principal: filter.principal,
    host: filter.host,
  }
  const named = Object.entries(all).filter(([, value]) => value !== undefined && value !== 'any')
  return Object.fromEntries(named) as ClientFilter
}

export async function createAcls(cluster: Cluster, { acl }: Parameters<Admin['createAcls']>[0]): Promise<boolean> {
  checkArray(acl, 'ACL')
  if (acl.length === 0) throw refused('Empty ACL array')
  for (const entry of acl) {
    checkTexts(entry, false)
    checkKinds(entry)
  }
  const failed = (await makeAcls(cluster, acl.map(clientAcl))).find(({ error }) => error !== null)
  if (failed !== undefined) throw failed.error
  return true
}

export async function describeAcls(cluster: Cluster, filter: AclFilter): ReturnType<Admin['describeAcls']> {
  const resources = new Map<string, DescribeAclResource>()
  for (const acl of await findAcls(cluster, clientFilter(filter))) {
    const { resourceType, resourceName, resourcePatternType, ...rest } = entryOf(acl)
    const key = JSON.stringify([resourceType, resourceName, resourcePatternType])
    const resource = resources.get(key) ?? { resourceType, resourceName, resourcePatternType, acls: [] }
    resources.set(key, resource)
    resource.acls.push(rest)
  }
  return { throttleTime: 0, errorCode: 0, resources: [...resources.values()] }
}

export async function deleteAcls(
  cluster: Cluster,
  { filters }: Parameters<Admin['deleteAcls']>[0],
): ReturnType<Admin['deleteAcls']> {
  checkArray(filters, 'ACL Filter')
  if (filters.length === 0) throw refused('Empty ACL Filter array')
  const outcomes = await dropAcls(cluster, filters.map(clientFilter))
  const failed = outcomes.find(({ error }) => error !== null)?.error
  if (failed) throw failed.errorCode === 0 ? failed : protocolError(failed)
  return {
    throttleTime: 0,
    filterResponses: outcomes.map(({ deleted }) => ({
      errorCode: 0,
      matchingAcls: deleted.map((acl) => ({ errorCode: 0, ...entryOf(acl) })),
    })),
  }
}
