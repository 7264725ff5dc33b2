/**
 * Client quotas: what is stored for users, client ids and addresses, who may change it how, and which entry counts for a client.
 * Enforcing them is broker/quotas.ts.
 *
 * What must hold: what is stored has passed `refuseEntity` and `refuseValue`; a stored change is found by `limitOf` before its request is
 * answered. Of the entries that could count for a client the most specific one that has the key does, in the order of
 * Kafka's documentation (user and client id, user with any client, user, any user with the client id, ...).
 */
import { isIP } from 'node:net'
import { ErrorCode } from '../protocol/errors.ts'
import { type MetadataStore, MetadataStoreError, type StoreTransaction } from './store.ts'
import { StoreView } from './store-view.ts'
import { encodeValue } from './values.ts'

/** In the order in which the parts of an entity are shown. */
export const ENTITY_TYPES = ['client-id', 'user', 'ip'] as const
export type EntityType = (typeof ENTITY_TYPES)[number]

/** Entity type -> name; null is the default of all that have no entry of their own. */
export type QuotaEntity = ReadonlyMap<EntityType, string | null>

export interface EntityPart {
  readonly entityType: string
  readonly entityName: string | null
}

export interface QuotaOperation {
  readonly key: string
  readonly value: number
  readonly remove: boolean
}

export interface QuotaAlteration {
  readonly entity: readonly EntityPart[]
  readonly ops: readonly QuotaOperation[]
}

export interface QuotaAlterResult {
  readonly entity: readonly EntityPart[]
  readonly errorCode: ErrorCode
  readonly errorMessage: string | null
}

export interface FilterComponent {
  readonly entityType: string
  readonly matchType: number
  readonly match: string | null
}

export interface QuotaEntry {
  readonly entity: EntityPart[]
  readonly values: { key: string; value: number }[]
}

export type DescribeQuotasResult =
  | { readonly ok: true; readonly entries: QuotaEntry[] }
  | { readonly ok: false; readonly errorCode: ErrorCode; readonly errorMessage: string }

export const QUOTAS_PREFIX = 'quotas/'

export interface QuotaValue {
  readonly entity: readonly (readonly [EntityType, string | null])[]
  readonly values: Readonly<Record<string, number>>
}

export type ClientQuotaKey =
  | 'producer_byte_rate'
  | 'consumer_byte_rate'
  | 'request_percentage'
  | 'controller_mutation_rate'
export const CONNECTION_RATE_KEY = 'connection_creation_rate'

/** Whether the value must be a whole number. */
const CLIENT_KEYS: ReadonlyMap<string, { readonly whole: boolean }> = new Map([
  ['producer_byte_rate', { whole: true }],
  ['consumer_byte_rate', { whole: true }],
  ['request_percentage', { whole: false }],
  ['controller_mutation_rate', { whole: false }],
])
const IP_KEYS: ReadonlyMap<string, { readonly whole: boolean }> = new Map([[CONNECTION_RATE_KEY, { whole: true }]])

const MATCH_EXACT = 0
const MATCH_DEFAULT = 1
const MATCH_ANY = 2
const MAX_ATTEMPTS = 20
/** A value this close to a whole number is one. */
const WHOLE_TOLERANCE = 1e-6
const LONG_MAX = 2 ** 63

/** What counts for a client, and whom it shares it with: everybody of the same `bucket`. */
export interface QuotaLimit {
  readonly limit: number
  readonly bucket: string
}

export class ClientQuotas {
  readonly #store: MetadataStore
  readonly #view: StoreView<QuotaValue>
  /** Key -> user and client id as `partsKey` writes them -> limit. */
  #limits = new Map<string, Map<string, number>>()

  private constructor(store: MetadataStore, view: StoreView<QuotaValue>) {
    this.#store = store
    this.#view = view
    this.#index()
    view.onChange(() => this.#index())
  }

  static async load(store: MetadataStore): Promise<ClientQuotas> {
    return new ClientQuotas(store, await StoreView.load<QuotaValue>(store, QUOTAS_PREFIX))
  }

  close(): void {
    this.#view.close()
  }

  /** Called after every change. */
  onChange(listener: () => void): () => void {
    return this.#view.onChange(listener)
  }

  /** Whether anybody at all has a quota of this kind. */
  has(key: string): boolean {
    return this.#limits.has(key)
  }

  /** null: unlimited. */
  limitOf(key: ClientQuotaKey, user: string, clientId: string): QuotaLimit | null {
    const limits = this.#limits.get(key)
    if (limits === undefined) return null
    const candidates: readonly (readonly [string | null | undefined, string | null | undefined])[] = [
      [user, clientId],
      [user, null],
      [user, undefined],
      [null, clientId],
      [null, null],
      [null, undefined],
      [undefined, clientId],
      [undefined, null],
    ]
    for (const [ofUser, ofClient] of candidates) {
      const limit = limits.get(partsKey(ofUser, ofClient))
      if (limit === undefined) continue
      const bucket = partsKey(ofUser === undefined ? undefined : user, ofClient === undefined ? undefined : clientId)
      return { limit, bucket }
    }
    return null
  }

  /** Connections per second that may come from the address; null: unlimited. */
  connectionRate(address: string): number | null {
    const limits = this.#limits.get(CONNECTION_RATE_KEY)
    return limits?.get(partsKey(address, undefined)) ?? limits?.get(partsKey(null, undefined)) ?? null
  }

  /** DescribeClientQuotas. */
  describe(components: readonly FilterComponent[], strict: boolean): DescribeQuotasResult {
    const filter = readFilter(components)
    if (!filter.ok) return filter
    const entries: QuotaEntry[] = []
    for (const { value } of this.#view.entries.values()) {
      const entity: QuotaEntity = new Map(value.entity)
      if (strict && entity.size !== filter.wanted.size) continue
      if (![...filter.wanted].every(([type, wanted]) => entity.has(type) && wanted(entity.get(type) ?? null))) continue
      entries.push({
        entity: partsOf(entity),
        values: Object.entries(value.values).map(([key, each]) => ({ key, value: each })),
      })
    }
    return { ok: true, entries }
  }

  /**
   * AlterClientQuotas. Each entity is changed entirely or not at all; one that is named again is refused the second time. All changes of a
   * request are one write, which waits for the device once.
   */
  async alter(alterations: readonly QuotaAlteration[], validateOnly: boolean): Promise<QuotaAlterResult[]> {
    const results = new Map<string, QuotaAlterResult>()
    const accepted = new Map<string, Change>()
    for (const { entity: given, ops } of alterations) {
      const entity = distinctParts(given)
      const name = JSON.stringify(entity)
      const isRepeated = results.has(name)
      const judged = judge(entity, ops)
      if (!isRepeated && judged.ok) accepted.set(name, judged)
      const outcome = judged.ok ? ACCEPTED : refused(judged.reason)
      results.set(name, { entity, ...(isRepeated ? REPEATED : outcome) })
    }
    const failure = validateOnly ? null : await this.#save([...accepted.values()])
    if (failure === null) return [...results.values()]
    return Array.from(results, ([name, result]) => (accepted.has(name) ? { ...result, ...failure } : result))
  }

  /** null: it is written. */
  async #save(changes: readonly Change[]): Promise<Refusal | null> {
    try {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        if ((await this.#store.transact(this.#transactionOf(changes))).ok) return null
      }
      return TOO_CONTENDED
    } catch (error) {
      if (!(error instanceof MetadataStoreError)) throw error
      return { errorCode: ErrorCode.KAFKA_STORAGE_ERROR, errorMessage: error.message }
    }
  }

  #transactionOf(changes: readonly Change[]): StoreTransaction {
    const all = changes.map(({ entity, ops }) => {
      const current = this.#view.get(entityName(entity))
      const values: Record<string, number> = { ...current?.value.values }
      for (const { key, value, remove } of ops) {
        if (remove) delete values[key]
        else values[key] = value
      }
      const value: QuotaValue = { entity: [...entity], values }
      return { key: quotaKey(entity), revision: current?.revision ?? null, value }
    })
    const isEmpty = ({ values }: QuotaValue): boolean => Object.keys(values).length === 0
    return {
      checks: all.map(({ key, revision }) => ({ key, revision })),
      puts: all.flatMap(({ key, value }) => (isEmpty(value) ? [] : [{ key, value: encodeValue(value) }])),
      deletes: all.flatMap(({ key, value, revision }) => (isEmpty(value) && revision !== null ? [key] : [])),
    }
  }

  #index(): void {
    const limits = new Map<string, Map<string, number>>()
    for (const { value } of this.#view.entries.values()) {
      const entity: QuotaEntity = new Map(value.entity)
      const name = entity.has('ip')
        ? partsKey(entity.get('ip'), undefined)
        : partsKey(entity.get('user'), entity.get('client-id'))
      for (const [key, limit] of Object.entries(value.values)) {
        const known = limits.get(key) ?? new Map<string, number>()
        limits.set(key, known.set(name, limit))
      }
    }
    this.#limits = limits
  }
}

interface Change {
  readonly entity: QuotaEntity
  readonly ops: readonly QuotaOperation[]
}

interface Refusal {
  readonly errorCode: ErrorCode
  readonly errorMessage: string | null
}

const ACCEPTED: Refusal = { errorCode: ErrorCode.NONE, errorMessage: null }
const REPEATED: Refusal = refused('The entity appears more than once; only its first change was made')
const TOO_CONTENDED: Refusal = {
  errorCode: ErrorCode.REQUEST_TIMED_OUT,
  errorMessage: 'The quota is being changed by others',
}

function refused(errorMessage: string): Refusal {
  return { errorCode: ErrorCode.INVALID_REQUEST, errorMessage }
}

function judge(
  parts: readonly EntityPart[],
  ops: readonly QuotaOperation[],
): ({ readonly ok: true } & Change) | { readonly ok: false; readonly reason: string } {
  const read = readEntity(parts)
  if (!read.ok) return read
  const { entity } = read
  const reason = refuseOperations(ops, entity.has('ip') ? IP_KEYS : CLIENT_KEYS)
  return reason === null ? { ok: true, entity, ops } : { ok: false, reason }
}

/** undefined: not part of the entity; null: the default. Names cannot contain the separator's meaning: each is marked. */
function partsKey(user: string | null | undefined, clientId: string | null | undefined): string {
  return `${partKey(user)}\n${partKey(clientId)}`
}

function partKey(name: string | null | undefined): string {
  if (name === undefined) return ''
  return name === null ? '*' : `=${JSON.stringify(name)}`
}

function entityName(entity: QuotaEntity): string {
  return JSON.stringify([...entity])
}

/** Where the store has the quotas of an entity, whose parts are in the order of ENTITY_TYPES. */
export function quotaKey(entity: QuotaEntity): string {
  return QUOTAS_PREFIX + entityName(entity)
}

function partsOf(entity: QuotaEntity): EntityPart[] {
  return [...entity].map(([entityType, name]) => ({ entityType, entityName: name }))
}

function isEntityType(type: string): type is EntityType {
  return (ENTITY_TYPES as readonly string[]).includes(type)
}

type ReadEntity = { readonly ok: true; readonly entity: QuotaEntity } | { readonly ok: false; readonly reason: string }

/** A type that is named twice counts with its last name. In the order of ENTITY_TYPES, unknown types last. */
function distinctParts(parts: readonly EntityPart[]): EntityPart[] {
  const byType = new Map(parts.map(({ entityType, entityName: name }) => [entityType, name]))
  const rank = (type: string): number => (isEntityType(type) ? ENTITY_TYPES.indexOf(type) : ENTITY_TYPES.length)
  return [...byType]
    .map(([entityType, name]) => ({ entityType, entityName: name }))
    .sort((a, b) => rank(a.entityType) - rank(b.entityType))
}

function readEntity(parts: readonly EntityPart[]): ReadEntity {
  const refuse = (reason: string): ReadEntity => ({ ok: false, reason })
  if (parts.length === 0) return refuse('Invalid empty client quota entity')
  const entity = new Map<EntityType, string | null>()
  for (const { entityType, entityName: name } of parts) {
    if (!isEntityType(entityType)) return refuse(`Unhandled client quota entity type: ${entityType}`)
    if (name === '') return refuse(`Empty ${entityType} not supported`)
    entity.set(entityType, name)
  }
  const ip = entity.get('ip')
  if (ip !== undefined && entity.size > 1) return refuse('An ip cannot be combined with a user or a client-id')
  if (typeof ip === 'string' && isIP(ip) === 0) return refuse(`${ip} is not an IP address`)
  return { ok: true, entity }
}

function refuseOperations(
  ops: readonly QuotaOperation[],
  keys: ReadonlyMap<string, { readonly whole: boolean }>,
): string | null {
  const seen = new Set<string>()
  for (const { key, value, remove } of ops) {
    if (seen.has(key)) return `Duplicate quota key ${key}`
    seen.add(key)
    const reason = remove ? null : refuseValue(key, value, keys)
    if (reason !== null) return reason
  }
  return null
}

function refuseValue(
  key: string,
  value: number,
  keys: ReadonlyMap<string, { readonly whole: boolean }>,
): string | null {
  const known = keys.get(key)
  if (known === undefined) return `Invalid configuration key ${key}`
  if (!(value > 0)) return `Quota ${key} must be greater than 0`
  if (!known.whole) return null
  if (value > LONG_MAX) return `Proposed value for ${key} is too large for a LONG.`
  const distance = Math.abs(Math.floor(value + WHOLE_TOLERANCE) - value)
  return distance > WHOLE_TOLERANCE ? `Proposed value for ${key} must be a LONG.` : null
}

type Wanted = (name: string | null) => boolean
type Filter =
  | { readonly ok: true; readonly wanted: ReadonlyMap<EntityType, Wanted> }
  | { readonly ok: false; readonly errorCode: ErrorCode; readonly errorMessage: string }

function readFilter(components: readonly FilterComponent[]): Filter {
  const invalid = (errorMessage: string): Filter => ({ ok: false, errorCode: ErrorCode.INVALID_REQUEST, errorMessage })
  const wanted = new Map<EntityType, Wanted>()
  for (const { entityType: type, matchType, match } of components) {
    if (type === '') return invalid('Invalid empty entity type.')
    if (wanted.has(type as EntityType))
      return invalid(`Entity type ${type} cannot appear more than once in the filter.`)
    if (!isEntityType(type)) {
      return {
        ok: false,
        errorCode: ErrorCode.UNSUPPORTED_VERSION,
        errorMessage: `Unsupported client quota entity type: ${type}`,
      }
    }
    if (matchType === MATCH_EXACT) {
      if (match === null) return invalid('Request specified MATCH_TYPE_EXACT, but set the match string to null.')
      wanted.set(type, (name) => name === match)
    } else if (matchType === MATCH_DEFAULT || matchType === MATCH_ANY) {
      if (match !== null) return invalid(`The match string must be null for match type ${matchType}.`)
      wanted.set(type, matchType === MATCH_DEFAULT ? (name) => name === null : () => true)
    } else {
      return invalid(`Unknown match type ${matchType}`)
    }
  }
  if (wanted.has('ip') && wanted.size > 1) {
    return invalid('An IP filter component cannot be combined with a user or client-id filter component.')
  }
  return { ok: true, wanted }
}
