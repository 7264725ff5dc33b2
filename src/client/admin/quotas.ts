/** Client quotas (KIP-546): limits of users, client ids and addresses. */
import {
  DescribeClientQuotasRequest,
  DescribeClientQuotasResponse,
} from '../../protocol/messages/48-describe-client-quotas.ts'
import { AlterClientQuotasRequest, AlterClientQuotasResponse } from '../../protocol/messages/49-alter-client-quotas.ts'
import type { Cluster } from '../cluster.ts'
import { errorOf, type Outcome, throwIfFailed } from './outcome.ts'

/** Bytes per second (twice), percent of one thread, partition changes per second, connections per second. */
export const QUOTA_NAMES = [
  'producer_byte_rate',
  'consumer_byte_rate',
  'request_percentage',
  'controller_mutation_rate',
  'connection_creation_rate',
] as const

/**
 * Kafka's name of a limit: bytes per second of producers or consumers, percent of one thread, partition changes or connections per second.
 */
export type QuotaName = (typeof QUOTA_NAMES)[number]

/** Whom a quota is for; null is the default of all that have none of their own. At least one is given. */
export interface QuotaEntity {
  /** A user's name without `User:`. */
  readonly user?: string | null
  /** A client id. */
  readonly clientId?: string | null
  /** An address; not together with the other two. */
  readonly ip?: string | null
}

/** The limits of an entity. */
export interface ClientQuota {
  /** Whom they are for. */
  readonly entity: QuotaEntity
  /** Limit by name; what is not there is not limited here. */
  readonly quotas: Readonly<Partial<Record<QuotaName, number>>>
}

/** Null takes the quota away. */
export interface QuotaChange {
  /** Whom the limits are for. */
  readonly entity: QuotaEntity
  /** Only what shall change. */
  readonly quotas: Readonly<Partial<Record<QuotaName, number | null>>>
}

/** For each kind of entity: a name, `default`, or any that has one. What is left out does not matter. */
export interface QuotaFilter {
  /** A user's name, the default of users, or any user. */
  readonly user?: string | { readonly is: 'default' | 'any' }
  /** A client id, the default of client ids, or any. */
  readonly clientId?: string | { readonly is: 'default' | 'any' }
  /** An address, the default of addresses, or any. */
  readonly ip?: string | { readonly is: 'default' | 'any' }
  /** Only entities of exactly the kinds named here. */
  readonly strict?: boolean
}

const ENTITY_TYPES = { user: 'user', clientId: 'client-id', ip: 'ip' } as const
const KINDS = ['user', 'clientId', 'ip'] as const
const MATCH = { exact: 0, default: 1, any: 2 } as const

export async function describeClientQuotas(cluster: Cluster, filter: QuotaFilter = {}): Promise<ClientQuota[]> {
  const connection = await cluster.any()
  const components = KINDS.flatMap((kind) => {
    const wanted = filter[kind]
    if (wanted === undefined) return []
    const exact = typeof wanted === 'string'
    const matchType = exact ? MATCH.exact : MATCH[wanted.is]
    return [{ entityType: ENTITY_TYPES[kind], matchType, match: exact ? wanted : null }]
  })
  const answer = await connection.send(DescribeClientQuotasRequest, DescribeClientQuotasResponse, {
    components,
    strict: filter.strict ?? false,
  })
  throwIfFailed(answer, 'describe client quotas')
  return (answer.entries ?? []).map(({ entity, values }) => ({
    entity: entityFrom(entity),
    quotas: Object.fromEntries(values.map(({ key, value }) => [key, value])),
  }))
}

export async function alterClientQuotas(
  cluster: Cluster,
  changes: readonly QuotaChange[],
  options: { readonly validateOnly?: boolean } = {},
): Promise<(Outcome & { readonly entity: QuotaEntity })[]> {
  const controller = await cluster.controller()
  const answer = await controller.send(AlterClientQuotasRequest, AlterClientQuotasResponse, {
    entries: changes.map(({ entity, quotas }) => ({
      entity: KINDS.flatMap((kind) => {
        const entityName = entity[kind]
        return entityName === undefined ? [] : [{ entityType: ENTITY_TYPES[kind], entityName }]
      }),
      ops: Object.entries(quotas).map(([key, value]) => ({ key, value: value ?? 0, remove: value === null })),
    })),
    validateOnly: options.validateOnly ?? false,
  })
  return changes.map(({ entity }) => {
    const row = answer.entries.find((each) => isSame(entityFrom(each.entity), entity))
    return { entity, error: errorOf(row, `alter the quotas of ${describe(entity)}`) }
  })
}

function entityFrom(parts: readonly { entityType: string; entityName: string | null }[]): QuotaEntity {
  return Object.fromEntries(
    parts.map(({ entityType, entityName }) => [entityType === 'client-id' ? 'clientId' : entityType, entityName]),
  )
}

function isSame(a: QuotaEntity, b: QuotaEntity): boolean {
  return KINDS.every((kind) => a[kind] === b[kind])
}

function describe(entity: QuotaEntity): string {
  return KINDS.filter((kind) => entity[kind] !== undefined)
    .map((kind) => `${ENTITY_TYPES[kind]} ${entity[kind] === null ? '<default>' : `'${entity[kind]}'`}`)
    .join(', ')
}
