/**
 * A schema registry in this process, with the REST API and the error codes of Confluent's: ids belong to schemas, not to subjects; deleting
 * is soft before it is permanent; Avro schemas are compared with those before them. It remembers what it was asked, and fails on demand.
 */
import { createHash } from 'node:crypto'
import avro from 'avsc'

export interface FakeSchema {
  readonly id: number
  readonly guid: string
  readonly schemaType: string
  readonly schema: string
  readonly references: readonly { readonly name: string; readonly subject: string; readonly version: number }[]
}

interface Version {
  readonly version: number
  readonly content: FakeSchema
  deleted: boolean
}

interface Refusal {
  readonly status: number
  readonly code: number
  readonly message: string
}

export interface FakeRegistryOptions {
  /** What `authorization` must be. */
  readonly authorization?: string
  /** As registries before 7.4: a registration answers the id alone. */
  readonly terse?: boolean
}

const LEVELS = ['NONE', 'BACKWARD', 'BACKWARD_TRANSITIVE', 'FORWARD', 'FORWARD_TRANSITIVE', 'FULL', 'FULL_TRANSITIVE']
const MODES = ['READWRITE', 'READONLY', 'READONLY_OVERRIDE', 'IMPORT', 'FORWARD']
const SUBJECT = /^\/subjects\/([^/]+)$/
const VERSIONS = /^\/subjects\/([^/]+)\/versions$/
const VERSION = /^\/subjects\/([^/]+)\/versions\/([^/]+)$/
const COMPATIBILITY = /^\/compatibility\/subjects\/([^/]+)\/versions(?:\/([^/]+))?$/
const SETTING = /^\/(config|mode)(?:\/([^/]+))?$/
const SCHEMA = /^\/schemas\/(ids|guids)\/([^/]+)(\/versions)?$/

function refuse(status: number, code: number, message: string): never {
  throw { status, code, message } satisfies Refusal
}

export class FakeRegistry {
  /** `GET /schemas/ids/1`, in the order in which they came. */
  readonly requests: string[] = []
  private readonly server: Bun.Server<undefined>
  private readonly schemas: FakeSchema[] = []
  private readonly subjects = new Map<string, Version[]>()
  private readonly settings = new Map<string, string>([
    ['config ', 'BACKWARD'],
    ['mode ', 'READWRITE'],
  ])
  private readonly failures: (() => Response | Promise<Response>)[] = []
  private readonly options: FakeRegistryOptions

  constructor(options: FakeRegistryOptions = {}) {
    this.options = options
    this.server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: (request) => this.answer(request) })
  }

  get url(): string {
    return `http://127.0.0.1:${this.server.port}`
  }

  async stop(): Promise<void> {
    await this.server.stop(true)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** The next requests are answered by these instead. */
  failNext(...answers: (() => Response | Promise<Response>)[]): void {
    this.failures.push(...answers)
  }

  private async answer(request: Request): Promise<Response> {
    const url = new URL(request.url)
    this.requests.push(`${request.method} ${url.pathname}${url.search}`)
    const failure = this.failures.shift()
    if (failure !== undefined) return await failure()
    const { authorization } = this.options
    const headers = { 'content-type': 'application/vnd.schemaregistry.v1+json' }
    try {
      if (authorization !== undefined && request.headers.get('authorization') !== authorization) {
        refuse(401, 40101, 'Unauthorized')
      }
      const body = request.method === 'POST' || request.method === 'PUT' ? ((await request.json()) as never) : null
      return Response.json(this.handle(request.method, url, body), { headers })
    } catch (error) {
      const { status, code, message } = error as Refusal
      if (status === undefined) throw error
      return Response.json({ error_code: code, message }, { status, headers })
    }
  }

  private handle(method: string, url: URL, body: Record<string, never> | null): unknown {
    const { pathname, searchParams } = url
    const deleted = searchParams.get('deleted') === 'true'
    const permanent = searchParams.get('permanent') === 'true'
    let match = SCHEMA.exec(pathname)
    if (match !== null) return this.schemaOf(match[1] as string, match[2] as string, match[3] !== undefined)
    if (pathname === '/schemas/types') return ['JSON', 'PROTOBUF', 'AVRO']
    if (pathname === '/subjects') return this.list(deleted, searchParams.get('subjectPrefix') ?? '')
    match = SUBJECT.exec(pathname)
    if (match !== null) {
      const subject = decodeURIComponent(match[1] as string)
      return method === 'DELETE' ? this.deleteSubject(subject, permanent) : this.lookup(subject, body as never, deleted)
    }
    match = VERSIONS.exec(pathname)
    if (match !== null) {
      const subject = decodeURIComponent(match[1] as string)
      if (method === 'POST') return this.register(subject, body as never)
      return this.versionsOf(subject, deleted).map(({ version }) => version)
    }
    match = VERSION.exec(pathname)
    if (match !== null) {
      const subject = decodeURIComponent(match[1] as string)
      const found = this.versionOf(subject, match[2] as string, deleted || permanent)
      return method === 'DELETE' ? this.deleteVersion(subject, found, permanent) : described(subject, found)
    }
    match = COMPATIBILITY.exec(pathname)
    if (match !== null) return this.compatibility(decodeURIComponent(match[1] as string), match[2], body as never)
    match = SETTING.exec(pathname)
    if (match !== null) {
      const subject = decodeURIComponent(match[2] ?? '')
      return this.setting(method, match[1] as 'config' | 'mode', subject, body, searchParams)
    }
    return refuse(404, 404, 'HTTP 404 Not Found')
  }

  private schemaOf(kind: string, name: string, versions: boolean): unknown {
    const found = this.schemas.find(({ id, guid }) => (kind === 'ids' ? String(id) === name : guid === name))
    if (found === undefined) return refuse(404, 40403, `Schema ${name} not found`)
    if (!versions) return kind === 'ids' ? contentOf(found) : { id: found.id, ...contentOf(found) }
    return [...this.subjects].flatMap(([subject, list]) =>
      list.filter((each) => each.content === found && !each.deleted).map(({ version }) => ({ subject, version })),
    )
  }

  private list(deleted: boolean, prefix: string): string[] {
    const names = [...this.subjects].filter(([, list]) => deleted || list.some((each) => !each.deleted))
    return names.map(([name]) => name).filter((name) => name.startsWith(prefix))
  }

  private versionsOf(subject: string, deleted: boolean): Version[] {
    const list = (this.subjects.get(subject) ?? []).filter((each) => deleted || !each.deleted)
    return list.length === 0 ? refuse(404, 40401, `Subject '${subject}' not found.`) : list
  }

  private versionOf(subject: string, name: string, deleted: boolean): Version {
    const list = this.versionsOf(subject, deleted)
    if (name !== 'latest' && !/^[1-9]\d*$/.test(name))
      refuse(422, 42202, `The specified version '${name}' is not a valid version id.`)
    const found = name === 'latest' ? list.at(-1) : list.find(({ version }) => String(version) === name)
    return found ?? refuse(404, 40402, `Version ${name} not found.`)
  }

  private contentFor(body: { schema: string; schemaType?: string; references?: FakeSchema['references'] }): FakeSchema {
    const { schema, schemaType = 'AVRO', references = [] } = body
    const known = this.schemas.find(
      (each) =>
        each.schema === schema &&
        each.schemaType === schemaType &&
        JSON.stringify(each.references) === JSON.stringify(references),
    )
    const digest = createHash('md5')
      .update(JSON.stringify([schemaType, schema, references]))
      .digest('hex')
    const guid = digest.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
    return known ?? { id: this.schemas.length + 1, guid, schemaType, schema, references }
  }

  private register(subject: string, body: Parameters<FakeRegistry['contentFor']>[0]): unknown {
    const content = this.contentFor(body)
    const list = this.subjects.get(subject) ?? []
    const known = list.find((each) => each.content === content && !each.deleted)
    if (known !== undefined) return this.options.terse ? { id: content.id } : described(subject, known)
    const problems = this.problems(subject, content, 'all')
    if (problems.length > 0) {
      refuse(
        409,
        409,
        `Schema being registered is incompatible with an earlier schema for subject "${subject}": ${problems}`,
      )
    }
    if (!this.schemas.includes(content)) this.schemas.push(content)
    const version = { version: (list.at(-1)?.version ?? 0) + 1, content, deleted: false }
    this.subjects.set(subject, [...list, version])
    return this.options.terse ? { id: content.id } : described(subject, version)
  }

  private lookup(subject: string, body: Parameters<FakeRegistry['contentFor']>[0], deleted: boolean): unknown {
    const content = this.contentFor(body)
    const found = this.versionsOf(subject, deleted).find((each) => each.content === content)
    return found === undefined ? refuse(404, 40403, 'Schema not found') : described(subject, found)
  }

  private deleteSubject(subject: string, permanent: boolean): number[] {
    const list = this.versionsOf(subject, permanent)
    if (permanent && list.some((each) => !each.deleted)) {
      refuse(404, 40405, `Subject '${subject}' was not deleted first before being permanently deleted`)
    }
    for (const each of list) each.deleted = true
    if (permanent) this.subjects.delete(subject)
    return list.map(({ version }) => version)
  }

  private deleteVersion(subject: string, found: Version, permanent: boolean): number {
    if (permanent && !found.deleted) {
      refuse(
        404,
        40407,
        `Subject '${subject}' Version ${found.version} was not deleted first before being permanently deleted`,
      )
    }
    found.deleted = true
    const rest = (this.subjects.get(subject) ?? []).filter((each) => each !== found)
    if (permanent) this.subjects.set(subject, rest)
    return found.version
  }

  private compatibility(subject: string, version: string | undefined, body: never): unknown {
    if (version !== undefined) this.versionOf(subject, version, false)
    const messages = this.problems(subject, this.contentFor(body), version ?? 'all')
    return { is_compatible: messages.length === 0, messages }
  }

  private levelOf(subject: string): string {
    return this.settings.get(`config ${subject}`) ?? (this.settings.get('config ') as string)
  }

  /** Avro only: what the new schema could not read, or the old one could not. */
  private problems(subject: string, { schema, schemaType, references }: FakeSchema, version: string): string[] {
    if (schemaType !== 'AVRO' || references.length > 0) return []
    let fresh: avro.Type
    try {
      fresh = avro.Type.forSchema(JSON.parse(schema))
    } catch (error) {
      return refuse(422, 42201, `Invalid schema ${schema}: ${String(error)}`)
    }
    const level = this.levelOf(subject)
    const there = (this.subjects.get(subject) ?? []).filter(
      (each) => !each.deleted && each.content.schemaType === 'AVRO',
    )
    const named = version === 'all' && level.endsWith('TRANSITIVE') ? there : there.slice(-1)
    const compared = /^\d+$/.test(version) ? there.filter((each) => String(each.version) === version) : named
    return compared.flatMap(({ content }) => {
      const old = avro.Type.forSchema(JSON.parse(content.schema))
      const pairs: [avro.Type, avro.Type][] = []
      if (/BACKWARD|FULL/.test(level)) pairs.push([fresh, old])
      if (/FORWARD|FULL/.test(level)) pairs.push([old, fresh])
      return pairs.flatMap(([reader, writer]) => {
        try {
          reader.createResolver(writer)
          return []
        } catch (error) {
          return [String(error)]
        }
      })
    })
  }

  private setting(
    method: string,
    kind: 'config' | 'mode',
    subject: string,
    body: Record<string, never> | null,
    query: URLSearchParams,
  ): unknown {
    const key = `${kind} ${subject}`
    const given = kind === 'config' ? 'compatibility' : 'mode'
    const name = kind === 'config' ? 'compatibilityLevel' : 'mode'
    if (method === 'PUT') {
      const value = String(body?.[given])
      if (kind === 'config' && !LEVELS.includes(value)) refuse(422, 42203, 'Invalid compatibility level.')
      if (kind === 'mode' && !MODES.includes(value)) refuse(422, 42204, 'Invalid mode.')
      this.settings.set(key, value)
      return { [given]: value }
    }
    const inherits = query.get('defaultToGlobal') === 'true' ? this.settings.get(`${kind} `) : undefined
    const value = this.settings.get(key) ?? inherits
    if (value === undefined) {
      return kind === 'config'
        ? refuse(404, 40408, `Subject '${subject}' does not have subject-level compatibility configured`)
        : refuse(404, 40409, `Subject '${subject}' does not have subject-level mode configured`)
    }
    if (method === 'DELETE') this.settings.delete(key)
    return { [name]: value }
  }
}

function contentOf({ guid, schemaType, schema, references }: FakeSchema): Record<string, unknown> {
  return {
    schema,
    guid,
    ...(schemaType === 'AVRO' ? {} : { schemaType }),
    ...(references.length === 0 ? {} : { references }),
  }
}

function described(subject: string, { version, content }: Version): Record<string, unknown> {
  return { subject, version, id: content.id, ...contentOf(content) }
}
