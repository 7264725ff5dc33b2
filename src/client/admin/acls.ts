/** Access control lists: who may do what to which resource. */
import { DescribeAclsRequest, DescribeAclsResponse } from '../../protocol/messages/29-describe-acls.ts'
import { CreateAclsRequest, CreateAclsResponse } from '../../protocol/messages/30-create-acls.ts'
import { DeleteAclsRequest, DeleteAclsResponse } from '../../protocol/messages/31-delete-acls.ts'
import type { Cluster } from '../cluster.ts'
import { errorOf, type Outcome, throwIfFailed } from './outcome.ts'

const RESOURCE_TYPES = {
  any: 1,
  topic: 2,
  group: 3,
  cluster: 4,
  'transactional-id': 5,
  'delegation-token': 6,
  user: 7,
} as const
const PATTERN_TYPES = { any: 1, match: 2, literal: 3, prefixed: 4 } as const
const PERMISSIONS = { any: 1, deny: 2, allow: 3 } as const
const OPERATIONS = {
  any: 1,
  all: 2,
  read: 3,
  write: 4,
  create: 5,
  delete: 6,
  alter: 7,
  describe: 8,
  'cluster-action': 9,
  'describe-configs': 10,
  'alter-configs': 11,
  'idempotent-write': 12,
  'create-tokens': 13,
  'describe-tokens': 14,
  'two-phase-commit': 15,
} as const

/** What a right is about: `topic`, `group`, `cluster`, `transactional-id`, `delegation-token` or `user`. */
export type AclResourceType = Exclude<keyof typeof RESOURCE_TYPES, 'any'>
export const ACL_RESOURCE_TYPES = without(RESOURCE_TYPES, 'any')
export const ACL_OPERATIONS = without(OPERATIONS, 'any')

function without<T extends object, K extends keyof T>(names: T, name: K): Exclude<keyof T, K>[] {
  return Object.keys(names).filter((each) => each !== name) as Exclude<keyof T, K>[]
}

/** How the name of the resource is compared: with the whole name, or with its beginning. */
export type AclPatternType = Exclude<keyof typeof PATTERN_TYPES, 'any' | 'match'>
/** A `deny` that applies counts more than any `allow`. */
export type AclPermission = Exclude<keyof typeof PERMISSIONS, 'any'>
/** What may be done: `read`, `write`, `create`, ... as in Kafka's documentation, or `all`. */
export type AclOperation = Exclude<keyof typeof OPERATIONS, 'any'>

/** One right: this principal, from this host, may or may not do this with these resources. */
export interface Acl {
  /** What kind of thing the right is about. */
  readonly resourceType: AclResourceType
  /** `kafka-cluster` for the cluster; `*` for all of the type. */
  readonly resourceName: string
  /** How `resourceName` is compared with names. */
  readonly patternType: AclPatternType
  /** `User:alice`, or `User:*`. */
  readonly principal: string
  /** An address, or `*`. */
  readonly host: string
  /** What is allowed or denied. */
  readonly operation: AclOperation
  /** Whether it is allowed or denied. */
  readonly permission: AclPermission
}

/** What is left out does not matter. `match` finds every pattern that applies to the name. */
export type AclFilter = Partial<Omit<Acl, 'patternType'>> & {
  /** `any` unless given. */
  readonly patternType?: keyof typeof PATTERN_TYPES
}

export async function describeAcls(cluster: Cluster, filter: AclFilter = {}): Promise<Acl[]> {
  const connection = await cluster.any()
  const answer = await connection.send(DescribeAclsRequest, DescribeAclsResponse, wireFilter(filter))
  throwIfFailed(answer, 'describe ACLs')
  return answer.resources.flatMap(({ acls, ...resource }) => acls.map((acl) => aclFrom({ ...resource, ...acl })))
}

export async function createAcls(cluster: Cluster, acls: readonly Acl[]): Promise<(Outcome & { readonly acl: Acl })[]> {
  const controller = await cluster.controller()
  const answer = await controller.send(CreateAclsRequest, CreateAclsResponse, {
    creations: acls.map((acl) => ({
      resourceType: RESOURCE_TYPES[acl.resourceType],
      resourceName: acl.resourceName,
      resourcePatternType: PATTERN_TYPES[acl.patternType],
      principal: acl.principal,
      host: acl.host,
      operation: OPERATIONS[acl.operation],
      permissionType: PERMISSIONS[acl.permission],
    })),
  })
  // Answers come by position.
  return acls.map((acl, index) => ({ acl, error: errorOf(answer.results[index], `create an ACL of ${acl.principal}`) }))
}

/** One outcome per filter, with what it deleted. */
export async function deleteAcls(
  cluster: Cluster,
  filters: readonly AclFilter[],
): Promise<(Outcome & { readonly filter: AclFilter; readonly deleted: readonly Acl[] })[]> {
  const controller = await cluster.controller()
  const answer = await controller.send(DeleteAclsRequest, DeleteAclsResponse, { filters: filters.map(wireFilter) })
  return filters.map((filter, index) => {
    const row = answer.filterResults[index]
    const deleted = row?.matchingAcls.filter(({ errorCode }) => errorCode === 0).map(aclFrom) ?? []
    const failed = row?.matchingAcls.find(({ errorCode }) => errorCode !== 0)
    return { filter, deleted, error: errorOf(failed ?? row, 'delete ACLs') }
  })
}

function wireFilter(filter: AclFilter) {
  return {
    resourceTypeFilter: RESOURCE_TYPES[filter.resourceType ?? 'any'],
    resourceNameFilter: filter.resourceName ?? null,
    patternTypeFilter: PATTERN_TYPES[filter.patternType ?? 'any'],
    principalFilter: filter.principal ?? null,
    hostFilter: filter.host ?? null,
    operation: OPERATIONS[filter.operation ?? 'any'],
    permissionType: PERMISSIONS[filter.permission ?? 'any'],
  }
}

interface WireAcl {
  readonly resourceType: number
  readonly resourceName: string
  readonly patternType: number
  readonly principal: string
  readonly host: string
  readonly operation: number
  readonly permissionType: number
}

function aclFrom(acl: WireAcl): Acl {
  return {
    resourceType: nameIn(RESOURCE_TYPES, acl.resourceType) as AclResourceType,
    resourceName: acl.resourceName,
    patternType: nameIn(PATTERN_TYPES, acl.patternType) as AclPatternType,
    principal: acl.principal,
    host: acl.host,
    operation: nameIn(OPERATIONS, acl.operation) as AclOperation,
    permission: nameIn(PERMISSIONS, acl.permissionType) as AclPermission,
  }
}

function nameIn(names: Readonly<Record<string, number>>, code: number): string {
  return Object.keys(names).find((name) => names[name] === code) ?? `unknown(${code})`
}
