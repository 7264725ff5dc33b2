// The language in which messages are declared. One declaration spans all versions of a message; TypeScript types are
// inferred from it (`Infer` for what is read, `Input` for what may be written) and codec.ts compiles it per version.
//
//   const Example = request({ key: 3, name: 'ExampleRequest', versions: '0-13', flexible: '9+' }, {
//     name: string(),                                    // in every version
//     topics: array({ id: uuid('10+') }, { nullable: '1+' }),
//     allowAutoTopicCreation: bool('4+', { default: true }),
//   })
//
// A field without versions is there wherever the struct around it is. Version ranges read '4', '0-12' or '12+'.
// A field that some versions lack, that has a default, or that is tagged may be left out when a message is written.

import type { Reader } from './reader.ts'
import type { Writer } from './writer.ts'

/** Both ends included; an open range ends at Infinity. */
export interface VersionRange {
  readonly min: number
  readonly max: number
}

export const ZERO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA'

/** The bytes of record batches as they lay in the frame: a list of views, in order, never concatenated. */
export type RecordsData = readonly Uint8Array[]

/** Bytes of record batches that stay where they are, for instance in a file: whoever sends the message fetches them. */
export interface StoredBytes {
  readonly storedBytes: number
}

/** What a response may give as records. */
export type RecordsSource = readonly (Uint8Array | StoredBytes)[]

export type ScalarKind =
  | 'int8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'int64'
  | 'float64'
  | 'bool'
  | 'string'
  | 'uuid'
  | 'bytes'
  | 'records'

export type FieldType =
  | { readonly kind: ScalarKind }
  | { readonly kind: 'struct'; readonly fields: Fields }
  | { readonly kind: 'array'; readonly element: ElementType }

export type ElementType = { readonly kind: ScalarKind } | { readonly kind: 'struct'; readonly fields: Fields }

export type DefaultValue = number | boolean | string | null

export interface FieldOptions {
  /** Versions in which null is allowed; `true` for all that have the field. */
  readonly nullable?: true | string
  readonly default?: DefaultValue
  /** In versions that lack the field a value for it is dropped without an error. */
  readonly ignorable?: true
  /** The field is optional on the wire, under this number, in the versions given by `tagged` (default: all of its own). */
  readonly tag?: number
  readonly tagged?: string
}

declare const types: unique symbol

/** `Out` is what decoding yields, `In` what encoding accepts; `Optional` fields may be left out of the input. */
export interface Field<Out = unknown, In = unknown, Optional extends boolean = boolean> {
  readonly type: FieldType
  /** null: wherever the struct around it is. */
  readonly versions: VersionRange | null
  readonly nullable: VersionRange | null
  readonly default: DefaultValue | undefined
  readonly ignorable: boolean
  readonly tag: number | null
  readonly tagged: VersionRange | null
  /** Exists only for the type checker. */
  readonly [types]: { out: Out; in: In; optional: Optional }
}

export type Fields = Readonly<Record<string, Field>>

type Flatten<T> = { [K in keyof T]: T[K] }
type OutOf<F extends Fields> = { -readonly [K in keyof F]: F[K][typeof types]['out'] }
type OptionalKeys<F extends Fields> = {
  [K in keyof F]: F[K][typeof types]['optional'] extends true ? K : never
}[keyof F]
type InOf<F extends Fields> = Flatten<
  { readonly [K in Exclude<keyof F, OptionalKeys<F>>]: F[K][typeof types]['in'] } & {
    readonly [K in OptionalKeys<F>]?: F[K][typeof types]['in'] | undefined
  }
>

type Nullable<O> = O extends { nullable: true | string } ? null : never
type IsOptional<O> = O extends { default: DefaultValue } | { tag: number } ? true : false

interface ScalarFactory<Out, In = Out> {
  (): Field<Out, In, false>
  <const O extends FieldOptions>(options: O): Field<Out | Nullable<O>, In | Nullable<O>, IsOptional<O>>
  <const O extends FieldOptions>(versions: string, options?: O): Field<Out | Nullable<O>, In | Nullable<O>, true>
  readonly kind: ScalarKind
}

export const ALL_VERSIONS: VersionRange = { min: 0, max: Number.POSITIVE_INFINITY }

/** Reads '4', '0-12', '12+'; 'none' is the empty range. */
export function versionRange(text: string): VersionRange {
  if (text === 'none') return { min: 1, max: 0 }
  const match = /^(\d+)(?:(\+)|-(\d+))?$/.exec(text)
  if (match === null) throw new Error(`Not a version range: '${text}'`)
  const min = Number(match[1])
  const max = match[2] === '+' ? Number.POSITIVE_INFINITY : match[3] === undefined ? min : Number(match[3])
  return { min, max }
}

export function includes(range: VersionRange | null, version: number): boolean {
  return range !== null && version >= range.min && version <= range.max
}

function field(type: FieldType, first?: string | FieldOptions, second?: FieldOptions): Field {
  const options = (typeof first === 'string' ? second : first) ?? {}
  const versions = typeof first === 'string' ? versionRange(first) : null
  const { nullable, tag, tagged } = options
  const declared: Omit<Field, typeof types> = {
    type,
    versions,
    nullable: nullable === undefined ? null : nullable === true ? ALL_VERSIONS : versionRange(nullable),
    default: options.default,
    ignorable: options.ignorable ?? false,
    tag: tag ?? null,
    tagged: tag === undefined ? null : tagged === undefined ? ALL_VERSIONS : versionRange(tagged),
  }
  return declared as Field
}

function scalar<Out, In = Out>(kind: ScalarKind): ScalarFactory<Out, In> {
  const factory = (first?: string | FieldOptions, second?: FieldOptions): Field => field({ kind }, first, second)
  return Object.assign(factory, { kind }) as unknown as ScalarFactory<Out, In>
}

export const int8 = scalar<number>('int8')
export const int16 = scalar<number>('int16')
export const uint16 = scalar<number>('uint16')
export const int32 = scalar<number>('int32')
/** A number; what lies beyond 2^53-1 on the wire reads as 2^53-1, which is written as the largest int64 (same below). */
export const int64 = scalar<number>('int64')
export const float64 = scalar<number>('float64')
export const bool = scalar<boolean>('bool')
export const string = scalar<string>('string')
/** 22 characters of base64url. */
export const uuid = scalar<string>('uuid')
export const bytes = scalar<Buffer, Uint8Array>('bytes')
export const records = scalar<RecordsData, RecordsSource>('records')

type ElementOut<E> = E extends ScalarFactory<infer Out, infer _In> ? Out : E extends Fields ? OutOf<E> : never
type ElementIn<E> = E extends ScalarFactory<infer _Out, infer In> ? In : E extends Fields ? InOf<E> : never
type ArrayField<E, O, Optional extends boolean> = Field<
  ElementOut<E>[] | Nullable<O>,
  readonly ElementIn<E>[] | Nullable<O>,
  Optional
>

/** The element is a struct given by its fields, or one of the scalars: `array(int32)`. */
export function array<const E>(element: E): ArrayField<E, object, false>
export function array<const E, const O extends FieldOptions>(element: E, options: O): ArrayField<E, O, IsOptional<O>>
export function array<const E, const O extends FieldOptions>(
  element: E,
  versions: string,
  options?: O,
): ArrayField<E, O, true>
export function array(
  element: Fields | ScalarFactory<unknown>,
  first?: string | FieldOptions,
  second?: FieldOptions,
): Field {
  const elementType: ElementType =
    typeof element === 'function' ? { kind: element.kind } : { kind: 'struct', fields: element }
  return field({ kind: 'array', element: elementType }, first, second)
}

export function struct<F extends Fields>(fields: F): Field<OutOf<F>, InOf<F>, false>
export function struct<F extends Fields, const O extends FieldOptions>(
  fields: F,
  options: O,
): Field<OutOf<F> | Nullable<O>, InOf<F> | Nullable<O>, IsOptional<O>>
export function struct<F extends Fields, const O extends FieldOptions>(
  fields: F,
  versions: string,
  options?: O,
): Field<OutOf<F> | Nullable<O>, InOf<F> | Nullable<O>, true>
export function struct(fields: Fields, first?: string | FieldOptions, second?: FieldOptions): Field {
  return field({ kind: 'struct', fields }, first, second)
}

export type Decoder = (reader: Reader) => unknown
export type Encoder = (writer: Writer, value: unknown) => void

export type SchemaType = 'request' | 'response' | 'data'

export interface MessageSchema<F extends Fields = Fields> {
  readonly type: SchemaType
  /** -1 for data that is no request or response of its own (record values, embedded protocols). */
  readonly key: number
  readonly name: string
  readonly versions: VersionRange
  readonly flexible: VersionRange
  /** The newest version is not final in Kafka and not advertised by it. */
  readonly latestVersionUnstable: boolean
  readonly fields: F
  /** Compiled at first use; owned by codec.ts. */
  readonly decoders: Decoder[]
  readonly encoders: Encoder[]
}

export interface SchemaOptions {
  readonly name: string
  readonly versions: string
  readonly flexible: string
  readonly latestVersionUnstable?: true
}

function schema<F extends Fields>(type: SchemaType, key: number, options: SchemaOptions, fields: F): MessageSchema<F> {
  return {
    type,
    key,
    name: options.name,
    versions: versionRange(options.versions),
    flexible: versionRange(options.flexible),
    latestVersionUnstable: options.latestVersionUnstable ?? false,
    fields,
    decoders: [],
    encoders: [],
  }
}

export function request<F extends Fields>(
  options: SchemaOptions & { readonly key: number },
  fields: F,
): MessageSchema<F> {
  return schema('request', options.key, options, fields)
}

export function response<F extends Fields>(
  options: SchemaOptions & { readonly key: number },
  fields: F,
): MessageSchema<F> {
  return schema('response', options.key, options, fields)
}

/** A versioned struct outside requests and responses, such as the value of a record. */
export function data<F extends Fields>(options: SchemaOptions, fields: F): MessageSchema<F> {
  return schema('data', -1, options, fields)
}

/** What decoding yields: every field, those that the version lacks with their default. */
export type Infer<S extends MessageSchema> = OutOf<S['fields']>

/** What encoding accepts. */
export type Input<S extends MessageSchema> = InOf<S['fields']>

export function isFlexible(schema: MessageSchema, version: number): boolean {
  return includes(schema.flexible, version)
}
