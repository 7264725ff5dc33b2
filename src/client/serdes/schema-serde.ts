/**
 * What the serdes of Avro, JSON Schema and Protobuf have in common: which schema a record is written with and which it was written with,
 * its id before the payload, the registry asked once for each.
 *
 * What must hold: once a topic's schema is known, records are serialized without waiting; once an id is known, they are read without
 * waiting. What failed is asked for again with the next record.
 */
import { KafkaError } from '../errors.ts'
import { frameOf, readFrame } from './framing.ts'
import { LoadingCache } from './registry/cache.ts'
import type { SchemaRegistry } from './registry/schema-registry.ts'
import type {
  NamedSchema,
  ResolvedSchema,
  SchemaInput,
  SchemaReference,
  SchemaType,
  StoredSchema,
} from './registry/types.ts'
import type { Serde, SerdeContext } from './serde.ts'
import { type SubjectNameStrategy, subjectOf } from './subjects.ts'

/** Topics whose schema is kept, and schemas that are kept ready for reading. */
const PREPARED_MAX = 1_000

/** A schema that another one refers to, brought along instead of found in the registry. */
export interface SchemaDependency {
  /** How the other schema calls it: a record name (Avro), a `$ref` (JSON Schema), an import path (Protobuf). */
  readonly name: string
  /** Its text. */
  readonly schema: string
  /** Where it is registered. Default: its name. */
  readonly subject?: string
  /** What it refers to itself. */
  readonly references?: readonly (SchemaReference | SchemaDependency)[]
}

/** How a serde uses the registry. */
export interface SchemaSerdeOptions {
  /** The registry that keeps the schemas; one for all serdes shares what it knows. */
  readonly registry: SchemaRegistry
  /** Default `topic`. */
  readonly subject?: SubjectNameStrategy
  /** Put the schema into the registry when the first record is written; without it, it must be there. Default true. */
  readonly autoRegister?: boolean
  /** Write with the subject's latest version, whatever schema was given. Default false; goes without `autoRegister`. */
  readonly useLatestVersion?: boolean
  /** Let the registry bring schemas into a standard form before they are compared. Default false. */
  readonly normalize?: boolean
  /** What the schema refers to: as the registry knows it, or to be registered along with it. */
  readonly references?: readonly (SchemaReference | SchemaDependency)[]
}

/** Writes values of one schema. */
export interface PayloadWriter<V> {
  /** To the message type; null without Protobuf. */
  readonly path: readonly number[] | null
  /** A buffer of its own: `frame`, and the payload behind it. */
  write(value: V, frame: Buffer): Buffer
}

/** Reads what was written with one schema. */
export interface PayloadReader<V> {
  read(payload: Buffer, path: readonly number[] | null): V
}

/** A kind of schema, its package loaded. */
export interface SchemaEngine<V> {
  /** The schema's own name, if it has one. */
  recordName(schema: ResolvedSchema): string | null
  writer(schema: ResolvedSchema): PayloadWriter<V>
  /** `own` is the schema that the serde was given, if any. */
  reader(schema: ResolvedSchema, own: ResolvedSchema | null): PayloadReader<V>
}

/** How an engine is got, and what the application said of its schema. */
export interface SchemaFormat<V> {
  readonly schemaType: SchemaType
  /** Null: what the registry says. */
  readonly schema: string | null
  load(): Promise<SchemaEngine<V>>
}

interface PreparedWriter<V> {
  readonly frame: Buffer
  readonly writer: PayloadWriter<V>
}

export class SchemaSerde<V> implements Serde<V> {
  private readonly format: SchemaFormat<V>
  private readonly options: SchemaSerdeOptions
  private readonly useLatest: boolean
  private readonly autoRegister: boolean
  private readonly writers: Readonly<Record<'key' | 'value', LoadingCache<string, PreparedWriter<V>>>>
  private readonly readers = new LoadingCache<number | string, PayloadReader<V>>({ entriesMax: PREPARED_MAX })
  private readonly engines = new LoadingCache<'engine', SchemaEngine<V>>({ entriesMax: 1 })
  private readonly own = new LoadingCache<'own', ResolvedSchema>({ entriesMax: 1 })

  constructor(format: SchemaFormat<V>, options: SchemaSerdeOptions) {
    this.format = format
    this.options = options
    this.useLatest = options.useLatestVersion ?? false
    this.autoRegister = options.autoRegister ?? !this.useLatest
    if (this.useLatest && this.autoRegister) {
      throw new KafkaError('ERR_INVALID_OPTION', 'useLatestVersion and autoRegister contradict each other')
    }
    const age = this.useLatest ? { maxAgeMs: options.registry.latestMaxAgeMs } : {}
    const writers = (): LoadingCache<string, PreparedWriter<V>> =>
      new LoadingCache({ entriesMax: PREPARED_MAX, ...age })
    this.writers = { key: writers(), value: writers() }
  }

  serialize(value: V, context: SerdeContext): Buffer | Promise<Buffer> {
    const cache = this.writers[context.field]
    const { topic, field } = context
    const prepared = cache.peek(topic)
    if (prepared !== undefined) return prepared.writer.write(value, prepared.frame)
    return cache
      .get(topic, () => this.prepareWriter(topic, field))
      .then(({ writer, frame }) => writer.write(value, frame))
  }

  deserialize(bytes: Buffer, context: SerdeContext): V | Promise<V> {
    const { schema, path, payload } = readFrame(bytes, context, this.format.schemaType === 'PROTOBUF')
    const reader = this.readers.peek(schema)
    if (reader !== undefined) return reader.read(payload, path)
    return this.readers.get(schema, () => this.prepareReader(schema)).then((ready) => ready.read(payload, path))
  }

  private engine(): Promise<SchemaEngine<V>> {
    return this.engines.get('engine', () => this.format.load())
  }

  private async prepareWriter(topic: string, field: 'key' | 'value'): Promise<PreparedWriter<V>> {
    const engine = await this.engine()
    const own = await this.ownSchema()
    const recordName = own === null ? null : engine.recordName(own)
    const subject = subjectOf(this.options.subject ?? 'topic', { topic, field, recordName })
    const { id, schema } = await this.schemaFor(subject, own)
    const writer = engine.writer(schema)
    return { writer, frame: frameOf(id, writer.path) }
  }

  /** With which schema records of a subject are written. */
  private async schemaFor(
    subject: string,
    own: ResolvedSchema | null,
  ): Promise<{ readonly id: number; readonly schema: ResolvedSchema }> {
    const { registry, references = [] } = this.options
    if (this.useLatest) {
      const latest = await registry.latestVersion(subject)
      this.checkType(latest)
      return { id: latest.id, schema: await registry.resolve(latest) }
    }
    if (own === null) {
      throw new KafkaError('ERR_INVALID_OPTION', "to write, a serde needs a 'schema', or 'useLatestVersion'")
    }
    const { id } = await this.put(subject, await this.inputOf(own.schema, references))
    return { id, schema: own }
  }

  private put(subject: string, input: SchemaInput): Promise<{ readonly id: number }> {
    const { registry, normalize = false } = this.options
    if (this.autoRegister) return registry.register(subject, input, { normalize })
    return registry.lookup(subject, input, { normalize })
  }

  /** As the registry wants it: what is brought along is put there first, because references name subjects and versions. */
  private async inputOf(schema: string, given: readonly (SchemaReference | SchemaDependency)[]): Promise<SchemaInput> {
    const { registry, normalize = false } = this.options
    const references: SchemaReference[] = []
    for (const each of given) {
      if (!isDependency(each)) {
        references.push(each)
        continue
      }
      const subject = each.subject ?? each.name
      const input = await this.inputOf(each.schema, each.references ?? [])
      if (this.autoRegister) await registry.register(subject, input, { normalize })
      // Older registries do not say at the registration which version it became.
      const { version } = await registry.lookup(subject, input, { normalize })
      references.push({ name: each.name, subject, version })
    }
    return { schema, schemaType: this.format.schemaType, references }
  }

  private async prepareReader(schema: number | string): Promise<PayloadReader<V>> {
    const { registry } = this.options
    const engine = await this.engine()
    const stored = await (typeof schema === 'number' ? registry.schemaById(schema) : registry.schemaByGuid(schema))
    this.checkType(stored)
    return engine.reader(await registry.resolve(stored), await this.ownSchema())
  }

  private checkType(stored: StoredSchema): void {
    if (stored.schemaType === this.format.schemaType) return
    const message = `schema ${stored.id} is of type ${stored.schemaType}, not ${this.format.schemaType}`
    throw new KafkaError('ERR_SERIALIZATION', message)
  }

  /** The schema that the application gave. Nothing is put into the registry for it: who only reads changes nothing there. */
  private async ownSchema(): Promise<ResolvedSchema | null> {
    const { schema, schemaType } = this.format
    if (schema === null) return null
    return await this.own.get('own', async () => {
      const dependencies = new Map<string, NamedSchema>()
      await this.gather(this.options.references ?? [], dependencies)
      return { schema, schemaType, dependencies: [...dependencies.values()] }
    })
  }

  /** A map keeps the order in which it was filled: what is needed comes first. */
  private async gather(
    given: readonly (SchemaReference | SchemaDependency)[],
    into: Map<string, NamedSchema>,
  ): Promise<void> {
    const { registry } = this.options
    for (const each of given) {
      if (isDependency(each)) {
        await this.gather(each.references ?? [], into)
        into.set(each.name, { name: each.name, schema: each.schema })
        continue
      }
      const found = await registry.resolve({ schema: '', schemaType: this.format.schemaType, references: [each] })
      for (const dependency of found.dependencies) into.set(dependency.name, dependency)
    }
  }
}

function isDependency(each: SchemaReference | SchemaDependency): each is SchemaDependency {
  return 'schema' in each
}
