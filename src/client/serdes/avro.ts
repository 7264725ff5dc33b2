/**
 * Avro with a schema registry, by avsc. Records are read with the schema they were written with, and resolved to the serde's own
 * schema if it has one: fields that were added have their defaults, fields that went are skipped, numbers are widened.
 *
 * A long is a number as long as a number holds it exactly; what does not fit fails, in both directions. With `longs: 'bigint'` every
 * long is a BigInt. A value of a union is the value itself where its JavaScript type tells which branch is meant (`["null", "string"]`), and
 * `{ 'shop.Card': value }` where it does not, as with several records. A schema that is nothing but `bytes` has its payload as it is, without a length: so do Confluent's serializers.
 */
import { KafkaError, type ValidationIssue, validationError } from '../errors.ts'
import { type AvroConverter, BUILT_IN_CONVERTERS } from './avro-logical.ts'
import { missingPackage } from './optional-package.ts'
import type { ResolvedSchema } from './registry/types.ts'
import {
  type PayloadReader,
  type PayloadWriter,
  type SchemaEngine,
  SchemaSerde,
  type SchemaSerdeOptions,
} from './schema-serde.ts'
import type { Serde } from './serde.ts'

type Avsc = typeof import('avsc')
type AvroType = InstanceType<Avsc['Type']>

/** How Avro values look in the program. */
export interface AvroSerdeOptions extends SchemaSerdeOptions {
  /** JSON text, or what it stands for. Records are written with it, and resolved to it when read; without it they are read as they were written. */
  readonly schema?: string | object
  /** Default `number`. */
  readonly longs?: 'number' | 'bigint'
  /**
   * True: timestamps and dates are `Date`, decimals exact text (`'12.50'`). Or converters by the name of the logical type, which are added to
   * these. Default false: the values underneath.
   */
  readonly logicalTypes?: boolean | Readonly<Record<string, AvroConverter>>
}

/** The type is the caller's promise, which the schema holds to when a record is written. */
export function avroSerde<T>(options: AvroSerdeOptions): Serde<T> {
  const { schema = null } = options
  const text = schema === null || typeof schema === 'string' ? schema : JSON.stringify(schema)
  return new SchemaSerde<T>(
    { schemaType: 'AVRO', schema: text, load: async () => new AvroEngine<T>(await loadAvsc(), options) },
    options,
  )
}

async function loadAvsc(): Promise<Avsc> {
  try {
    const loaded: Avsc & { readonly default?: Avsc } = await import('avsc')
    return loaded.default ?? loaded
  } catch (cause) {
    throw missingPackage('avsc', 'avroSerde', cause)
  }
}

class AvroEngine<T> implements SchemaEngine<T> {
  private readonly avsc: Avsc
  private readonly long: AvroType | null
  private readonly converters: Readonly<Record<string, AvroConverter>>

  constructor(avsc: Avsc, { longs, logicalTypes = false }: AvroSerdeOptions) {
    this.avsc = avsc
    this.long = longs === 'bigint' ? bigintLong(avsc) : null
    this.converters =
      logicalTypes === false ? {} : { ...BUILT_IN_CONVERTERS, ...(logicalTypes === true ? {} : logicalTypes) }
  }

  recordName(schema: ResolvedSchema): string | null {
    return this.parse(schema).name ?? null
  }

  writer(schema: ResolvedSchema): PayloadWriter<T> {
    return new AvroWriter<T>(this.parse(schema))
  }

  reader(schema: ResolvedSchema, own: ResolvedSchema | null): PayloadReader<T> {
    const written = this.parse(schema)
    const wanted = own === null ? null : this.parse(own)
    // Without its length the payload of plain bytes is nothing that a resolver can read.
    if (written.typeName === 'bytes' && (wanted === null || wanted.typeName === 'bytes')) {
      return { read: (payload) => new Uint8Array(payload) as T }
    }
    if (wanted === null) return { read: (payload) => written.fromBuffer(payload) as T }
    const resolver = resolverOf(wanted, written)
    return { read: (payload) => wanted.fromBuffer(payload, resolver) as T }
  }

  private parse({ schema, dependencies }: ResolvedSchema): AvroType {
    // Types by name, filled by one schema and used by the next.
    const registry: Record<string, AvroType> = {}
    const logicalTypes = logicalTypesOf(this.avsc, this.converters)
    const options = {
      registry,
      logicalTypes,
      omitRecordMethods: true,
      typeHook: (each: unknown) => (this.long !== null && this.isPlainLong(each) ? this.long : undefined),
    }
    try {
      for (const each of dependencies) this.avsc.Type.forSchema(jsonOf(each.schema), options as never)
      return this.avsc.Type.forSchema(jsonOf(schema), options as never)
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new KafkaError('ERR_SCHEMA_INVALID', `the Avro schema cannot be used: ${reason}`, { cause })
    }
  }

  /** A long with a converter stays a number: the converter makes something else of it. */
  private isPlainLong(schema: unknown): boolean {
    if (schema === 'long') return true
    if (typeof schema !== 'object' || schema === null || !('type' in schema) || schema.type !== 'long') return false
    const name = 'logicalType' in schema ? String(schema.logicalType) : ''
    return !Object.hasOwn(this.converters, name)
  }
}

/** The name of a primitive type may stand there without the quotes that JSON asks for. */
function jsonOf(text: string): never {
  return (/^\s*[[{"]/.test(text) ? JSON.parse(text) : text.trim()) as never
}

function resolverOf(wanted: AvroType, written: AvroType): ReturnType<AvroType['createResolver']> {
  try {
    return wanted.createResolver(written)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const message = `what was written cannot be resolved to the schema of the reader: ${reason}`
    throw new KafkaError('ERR_SERIALIZATION', message, { cause })
  }
}

const SCRATCH_BYTES = 4 * 1024

class AvroWriter<T> implements PayloadWriter<T> {
  readonly path = null
  private readonly type: AvroType
  private readonly isPlainBytes: boolean
  /** Records are encoded into it and copied out: nothing awaits in between. */
  private scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)

  constructor(type: AvroType) {
    this.type = type
    this.isPlainBytes = type.typeName === 'bytes'
  }

  write(value: T, frame: Buffer): Buffer {
    if (this.isPlainBytes && value instanceof Uint8Array) return Buffer.concat([frame, value])
    const end = this.encode(value, frame.length)
    frame.copy(this.scratch)
    return Buffer.from(this.scratch.subarray(0, end))
  }

  private encode(value: T, at: number): number {
    let end: number
    try {
      end = this.type.encode(value, this.scratch, at)
      if (end < 0) {
        // It says how many bytes were missing.
        const { length } = this.scratch
        this.scratch = Buffer.allocUnsafeSlow(Math.max(2 * length, length - end))
        end = this.type.encode(value, this.scratch, at)
      }
    } catch (cause) {
      throw this.invalid(value, cause)
    }
    return end
  }

  /** The library's own message fails with a BigInt, and lacks the place within the record. */
  private invalid(value: T, cause: unknown): KafkaError {
    const issues: ValidationIssue[] = []
    try {
      this.type.isValid(value, {
        errorHook: (path: string[], _any: unknown, type: AvroType) => {
          const wanted = type.name ?? type.typeName.replace('abstract:', '')
          issues.push({ path: [...path], message: `not a valid ${wanted}` })
        },
      })
    } catch {
      // What cannot even be looked at is described by the cause.
    }
    if (issues.length === 0) issues.push({ path: [], message: cause instanceof Error ? cause.message : String(cause) })
    return validationError('the value does not fit its Avro schema', issues, cause)
  }
}

function bigintLong(avsc: Avsc): AvroType {
  return avsc.types.LongType.__with({
    fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
    toBuffer: (value: bigint) => {
      const bytes = Buffer.alloc(8)
      bytes.writeBigInt64LE(value)
      return bytes
    },
    // Defaults in the schema, and ints that are widened.
    fromJSON: (value: number) => BigInt(value),
    toJSON: (value: bigint) => Number(value),
    isValid: (value: unknown) => typeof value === 'bigint' && BigInt.asIntN(64, value) === value,
    compare: (a: bigint, b: bigint) => (a < b ? -1 : Number(a > b)),
  })
}

/** Classes, because that is what the library takes. */
function logicalTypesOf(
  avsc: Avsc,
  converters: Readonly<Record<string, AvroConverter>>,
): Record<string, new (schema: never, options: never) => AvroType> {
  const classes: Record<string, new (schema: never, options: never) => AvroType> = {}
  for (const [name, converter] of Object.entries(converters)) {
    classes[name] = class extends avsc.types.LogicalType {
      private readonly attributes: Readonly<Record<string, unknown>>

      constructor(schema: never, options: never) {
        super(schema, options)
        this.attributes = schema
      }

      protected override _fromValue(value: unknown): unknown {
        return converter.read(value, this.attributes)
      }

      protected override _toValue(value: unknown): unknown {
        return converter.write(value, this.attributes)
      }

      /** What was written with the same logical type has been converted already; anything else of a type underneath is converted now. */
      protected override _resolve(type: AvroType): ((value: unknown) => unknown) | undefined {
        if (type instanceof avsc.types.LogicalType) {
          return type.typeName === this.typeName ? (value) => value : undefined
        }
        return UNDERNEATH.has(type.typeName) ? (value) => this._fromValue(value) : undefined
      }
    } as never
  }
  return classes
}

const UNDERNEATH: ReadonlySet<string> = new Set(['int', 'long', 'bytes', 'string', 'fixed'])
