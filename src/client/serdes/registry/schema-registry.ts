/**
 * A client of schema registries that speak Confluent's REST API (Confluent, Karapace, Apicurio, Redpanda).
 *
 * What never changes is asked for once and kept, up to `cacheMax` of each kind: the schema of an id, the id of a schema under a subject.
 * What may change, the latest version of a subject, is kept for `latestMaxAgeMs`. Who asks for the same at the same time shares one
 * request, which goes on when one of them gives up.
 */
import { abortedError, KafkaError } from '../../errors.ts'
import { type RetryPolicy, retryPolicy } from '../../retry.ts'
import {
  flagOf,
  numberListOf,
  numberOf,
  registeredSchemaOf,
  storedSchemaOf,
  subjectSchemaOf,
  subjectVersionsOf,
  textFieldOf,
  textListField,
  textListOf,
} from './answers.ts'
import { LoadingCache } from './cache.ts'
import { type FetchFunction, RegistryHttp, type RegistryRequest } from './http.ts'
import type {
  Compatibility,
  CompatibilityLevel,
  NamedSchema,
  RegisteredSchema,
  RegistryAuth,
  RegistryMode,
  ResolvedSchema,
  SchemaInput,
  SchemaReference,
  StoredSchema,
  SubjectSchema,
} from './types.ts'

/** Schemas that one schema may refer to, directly or not. */
const DEPENDENCIES_MAX = 1_000
const DEFAULT_TIMEOUT_MS = 10_000
const DEFAULT_RETRIES = 5
const DEFAULT_RETRY = { backoffMs: 100, backoffMaxMs: 2_000 }
const DEFAULT_CACHE_MAX = 1_000
const DEFAULT_LATEST_MAX_AGE_MS = 300_000

/** Where the registry is, and how it is asked. */
export interface SchemaRegistryOptions {
  /** `https://host:8081`, perhaps with a path; several are tried in turn. `http://user:password@host` works, too. */
  readonly url: string | readonly string[]
  /** Default: what the URL says. */
  readonly auth?: RegistryAuth
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>
  /** For one attempt at one address, milliseconds. Default 10,000. */
  readonly timeoutMs?: number
  /** How often all addresses are tried again when none of them answers. Default 5. */
  readonly retries?: number
  /** The waits between; doubled each time, spread at random. Default 100 to 2,000 ms. */
  readonly retry?: Partial<RetryPolicy>
  /** Schemas and ids that are kept, each. Default 1,000. */
  readonly cacheMax?: number
  /** How long the latest version of a subject counts as the latest, milliseconds. Default 300,000. */
  readonly latestMaxAgeMs?: number
  /** Instead of the runtime's own: for proxies, client certificates, tests. */
  readonly fetch?: FetchFunction
}

/** For every call. */
export interface RegistryCallOptions {
  /** Ends the waiting; the call rejects with ERR_ABORTED. */
  readonly signal?: AbortSignal
}

/** How a schema is compared with those that are there. */
export interface NormalizeOptions extends RegistryCallOptions {
  /** Let the registry bring the schema into a standard form first, so that the order of attributes does not matter. Default false. */
  readonly normalize?: boolean
}

/** Which subjects or versions are listed. */
export interface ListOptions extends RegistryCallOptions {
  /** Include those that were deleted, but not for good. Default false. */
  readonly deleted?: boolean
}

/** How a subject or version is deleted. */
export interface DeleteOptions extends RegistryCallOptions {
  /** For good: only what was deleted before without it can be. Default false. */
  readonly permanent?: boolean
}

/** Schemas by id and by subject, kept in memory. */
export class SchemaRegistry {
  private readonly http: RegistryHttp
  private readonly byId: LoadingCache<number | string, StoredSchema>
  /** By subject, normalization and the schema's text. */
  private readonly registered: LoadingCache<string, RegisteredSchema>
  private readonly found: LoadingCache<string, SubjectSchema>
  /** By subject and version. */
  private readonly versionsBySubject: LoadingCache<string, SubjectSchema>
  private readonly latest: LoadingCache<string, SubjectSchema>
  /** How long the latest version of a subject counts as the latest, milliseconds. */
  readonly latestMaxAgeMs: number

  /** Throws ERR_INVALID_OPTION. Nothing is asked of the registry yet. */
  constructor(options: SchemaRegistryOptions) {
    const entriesMax = options.cacheMax ?? DEFAULT_CACHE_MAX
    if (!(entriesMax >= 1)) throw new KafkaError('ERR_INVALID_OPTION', 'cacheMax is at least 1')
    this.latestMaxAgeMs = options.latestMaxAgeMs ?? DEFAULT_LATEST_MAX_AGE_MS
    this.http = new RegistryHttp({
      urls: typeof options.url === 'string' ? options.url.split(',').map((url) => url.trim()) : options.url,
      auth: options.auth ?? null,
      headers: options.headers ?? {},
      timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      retries: options.retries ?? DEFAULT_RETRIES,
      retry: retryPolicy({ ...DEFAULT_RETRY, ...options.retry }),
      fetch: options.fetch ?? ((url, init) => fetch(url, init)),
    })
    this.byId = new LoadingCache({ entriesMax })
    this.registered = new LoadingCache({ entriesMax })
    this.found = new LoadingCache({ entriesMax })
    this.versionsBySubject = new LoadingCache({ entriesMax })
    this.latest = new LoadingCache({ entriesMax, maxAgeMs: this.latestMaxAgeMs })
  }

  /** The schema that records with this id were written with. */
  schemaById(id: number, options: RegistryCallOptions = {}): Promise<StoredSchema> {
    const what = `read schema ${id}`
    return shared(options.signal, what, () =>
      this.byId.get(id, async () => storedSchemaOf(await this.get(`/schemas/ids/${id}`, what), what, id)),
    )
  }

  /** The schema that a header names: the same in every registry. */
  schemaByGuid(guid: string, options: RegistryCallOptions = {}): Promise<StoredSchema> {
    const what = `read schema ${guid}`
    return shared(options.signal, what, () =>
      this.byId.get(guid, async () => storedSchemaOf(await this.get(`/schemas/guids/${guid}`, what), what)),
    )
  }

  /** With everything that the schema refers to, directly or not. */
  async resolve(
    schema: Pick<StoredSchema, 'schema' | 'schemaType' | 'references'>,
    options: RegistryCallOptions = {},
  ): Promise<ResolvedSchema> {
    const dependencies: NamedSchema[] = []
    const seen = new Set<string>()
    const visit = async (references: readonly SchemaReference[]): Promise<void> => {
      for (const { name, subject, version } of references) {
        if (seen.has(name)) continue
        // Before its own references, so that two schemas which refer to each other end here.
        seen.add(name)
        if (seen.size > DEPENDENCIES_MAX) {
          throw new KafkaError('ERR_BAD_RESPONSE', `a schema refers to more than ${DEPENDENCIES_MAX} others`)
        }
        const found = await this.version(subject, version, options)
        await visit(found.references)
        dependencies.push({ name, schema: found.schema })
      }
    }
    await visit(schema.references)
    return { schema: schema.schema, schemaType: schema.schemaType, dependencies }
  }

  /** Puts a schema under a subject, and answers its id; one that is there already is found again. */
  register(subject: string, schema: SchemaInput, options: NormalizeOptions = {}): Promise<RegisteredSchema> {
    const what = `register a schema under '${subject}'`
    return shared(options.signal, what, () =>
      this.registered.get(keyOf(subject, schema, options), async () => {
        const path = `/subjects/${encodeURIComponent(subject)}/versions`
        const answer = await this.post(path, bodyOf(schema), what, { normalize: options.normalize })
        this.latest.deleteWhere((key) => key === subject)
        return registeredSchemaOf(answer, what)
      }),
    )
  }

  /** The version under which a subject has this schema; ERR_SCHEMA_NOT_FOUND if it has not. */
  lookup(subject: string, schema: SchemaInput, options: NormalizeOptions = {}): Promise<SubjectSchema> {
    const what = `look a schema up under '${subject}'`
    return shared(options.signal, what, () =>
      this.found.get(keyOf(subject, schema, options), async () => {
        const path = `/subjects/${encodeURIComponent(subject)}`
        return subjectSchemaOf(await this.post(path, bodyOf(schema), what, { normalize: options.normalize }), what)
      }),
    )
  }

  /** Kept for `latestMaxAgeMs`. */
  latestVersion(subject: string, options: RegistryCallOptions = {}): Promise<SubjectSchema> {
    const what = `read the latest version of '${subject}'`
    return shared(options.signal, what, () =>
      this.latest.get(subject, async () => {
        const path = `/subjects/${encodeURIComponent(subject)}/versions/latest`
        return subjectSchemaOf(await this.get(path, what), what)
      }),
    )
  }

  /** One version of a subject, deleted or not: what was written with it must stay readable. */
  version(subject: string, version: number, options: RegistryCallOptions = {}): Promise<SubjectSchema> {
    const what = `read version ${version} of '${subject}'`
    return shared(options.signal, what, () =>
      this.versionsBySubject.get(`${version} ${subject}`, async () => {
        const path = `/subjects/${encodeURIComponent(subject)}/versions/${version}`
        return subjectSchemaOf(await this.get(path, what, { deleted: true }), what)
      }),
    )
  }

  /** Names of subjects, all or those that begin with `prefix`. */
  async subjects(options: ListOptions & { readonly prefix?: string } = {}): Promise<string[]> {
    const what = 'list subjects'
    const query = { subjectPrefix: options.prefix, deleted: options.deleted }
    return textListOf(await this.get('/subjects', what, query, options.signal), what)
  }

  /** The numbers of a subject's versions. */
  async versions(subject: string, options: ListOptions = {}): Promise<number[]> {
    const what = `list the versions of '${subject}'`
    const path = `/subjects/${encodeURIComponent(subject)}/versions`
    return numberListOf(await this.get(path, what, { deleted: options.deleted }, options.signal), what)
  }

  /** Where the schema of an id is registered. */
  async subjectsOf(id: number, options: ListOptions = {}): Promise<{ subject: string; version: number }[]> {
    const what = `list the subjects of schema ${id}`
    const query = { deleted: options.deleted }
    return subjectVersionsOf(await this.get(`/schemas/ids/${id}/versions`, what, query, options.signal), what)
  }

  /** The kinds of schemas that the registry takes. */
  async schemaTypes(options: RegistryCallOptions = {}): Promise<string[]> {
    const what = 'list the schema types'
    return textListOf(await this.get('/schemas/types', what, {}, options.signal), what)
  }

  /** Whether a subject would take this schema: compared with its latest version, with one version, or with all that its level names. */
  async checkCompatibility(
    subject: string,
    schema: SchemaInput,
    options: NormalizeOptions & { readonly version?: number | 'latest' | 'all' } = {},
  ): Promise<Compatibility> {
    const what = `check a schema against '${subject}'`
    const version = options.version ?? 'latest'
    const one = version === 'all' ? '' : `/${version}`
    const path = `/compatibility/subjects/${encodeURIComponent(subject)}/versions${one}`
    const query = { verbose: true, normalize: options.normalize }
    const answer = await this.post(path, bodyOf(schema), what, query, options.signal)
    return { compatible: flagOf(answer, 'is_compatible', what), messages: textListField(answer, 'messages', what) }
  }

  /** Answers the versions that were deleted. Records stay readable unless it is `permanent`. */
  async deleteSubject(subject: string, options: DeleteOptions = {}): Promise<number[]> {
    const what = `delete subject '${subject}'`
    const answer = await this.delete(`/subjects/${encodeURIComponent(subject)}`, what, options)
    this.forget(subject)
    return numberListOf(answer, what)
  }

  /** Answers the version's number. */
  async deleteVersion(subject: string, version: number | 'latest', options: DeleteOptions = {}): Promise<number> {
    const what = `delete version ${version} of '${subject}'`
    const answer = await this.delete(`/subjects/${encodeURIComponent(subject)}/versions/${version}`, what, options)
    this.forget(subject)
    return numberOf(answer, what)
  }

  /** The level of a subject, or without one the registry's; a subject without a level of its own has the registry's. */
  async compatibilityLevel(subject?: string, options: RegistryCallOptions = {}): Promise<CompatibilityLevel> {
    const what = `read the compatibility level${ofSubject(subject)}`
    const query = subject === undefined ? {} : { defaultToGlobal: true }
    const answer = await this.get(pathOf('/config', subject), what, query, options.signal)
    return textFieldOf(answer, 'compatibilityLevel', what) as CompatibilityLevel
  }

  /** Of one subject, or with null the registry's. */
  async setCompatibilityLevel(
    subject: string | null,
    level: CompatibilityLevel,
    options: RegistryCallOptions = {},
  ): Promise<void> {
    const what = `set the compatibility level${ofSubject(subject)}`
    const { signal } = options
    const path = pathOf('/config', subject)
    await this.http.request({ method: 'PUT', path, body: { compatibility: level }, what, signal })
  }

  /** Back to the registry's level, or with null to the one that it began with. */
  async resetCompatibilityLevel(subject: string | null, options: RegistryCallOptions = {}): Promise<void> {
    await this.delete(pathOf('/config', subject), `reset the compatibility level${ofSubject(subject)}`, options)
  }

  /** What may be done to a subject, or without one to the registry. */
  async mode(subject?: string, options: RegistryCallOptions = {}): Promise<RegistryMode> {
    const what = `read the mode${ofSubject(subject)}`
    const query = subject === undefined ? {} : { defaultToGlobal: true }
    const answer = await this.get(pathOf('/mode', subject), what, query, options.signal)
    return textFieldOf(answer, 'mode', what) as RegistryMode
  }

  /** Of one subject, or with null the registry's. `force` allows IMPORT where there are schemas already. */
  async setMode(
    subject: string | null,
    mode: RegistryMode,
    options: RegistryCallOptions & { readonly force?: boolean } = {},
  ): Promise<void> {
    const what = `set the mode${ofSubject(subject)}`
    const { signal } = options
    const query = { force: options.force }
    await this.http.request({ method: 'PUT', path: pathOf('/mode', subject), query, body: { mode }, what, signal })
  }

  /** Back to the registry's mode. */
  async resetMode(subject: string, options: RegistryCallOptions = {}): Promise<void> {
    await this.delete(pathOf('/mode', subject), `reset the mode${ofSubject(subject)}`, options)
  }

  private get(
    path: string,
    what: string,
    query: NonNullable<RegistryRequest['query']> = {},
    signal?: AbortSignal,
  ): Promise<unknown> {
    return this.http.request({ method: 'GET', path, query, what, signal })
  }

  private post(
    path: string,
    body: unknown,
    what: string,
    query: NonNullable<RegistryRequest['query']>,
    signal?: AbortSignal,
  ): Promise<unknown> {
    return this.http.request({ method: 'POST', path, body, query, what, signal })
  }

  private delete(path: string, what: string, options: DeleteOptions): Promise<unknown> {
    const query = { permanent: options.permanent === true ? true : undefined }
    return this.http.request({ method: 'DELETE', path, query, what, signal: options.signal })
  }

  private forget(subject: string): void {
    this.registered.deleteWhere((key) => subjectIn(key) === subject)
    this.found.deleteWhere((key) => subjectIn(key) === subject)
    this.versionsBySubject.deleteWhere((key) => key.slice(key.indexOf(' ') + 1) === subject)
    this.latest.deleteWhere((key) => key === subject)
  }
}

/** The request belongs to all who wait for it, so a signal ends the waiting only. */
async function shared<T>(signal: AbortSignal | undefined, what: string, start: () => Promise<T>): Promise<T> {
  if (signal === undefined) return await start()
  if (signal.aborted) throw abortedError(what, signal)
  const aborted = Promise.withResolvers<never>()
  const abort = (): void => aborted.reject(abortedError(what, signal))
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([start(), aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** A list in JSON: none of its parts can look like another one. */
function keyOf(subject: string, schema: SchemaInput, options: NormalizeOptions): string {
  const { schemaType = 'AVRO', references = [] } = schema
  const names = references.map(({ name, subject: from, version }) => [name, from, version])
  return JSON.stringify([subject, options.normalize === true, schemaType, schema.schema, names])
}

function subjectIn(key: string): string {
  return (JSON.parse(key) as [string])[0]
}

function bodyOf({ schema, schemaType, references }: SchemaInput): Record<string, unknown> {
  return {
    schema,
    // Avro goes without, for registries that know nothing else.
    ...(schemaType === undefined || schemaType === 'AVRO' ? {} : { schemaType }),
    ...(references === undefined || references.length === 0 ? {} : { references }),
  }
}

function pathOf(base: string, subject: string | null | undefined): string {
  return subject === undefined || subject === null ? base : `${base}/${encodeURIComponent(subject)}`
}

function ofSubject(subject: string | null | undefined): string {
  return subject === undefined || subject === null ? '' : ` of '${subject}'`
}
