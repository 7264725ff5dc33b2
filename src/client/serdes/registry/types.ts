/** The nouns of a schema registry, as this client's callers see them; their names are those of Confluent's REST API. */

/** The kinds of schemas that a registry keeps. */
export type SchemaType = 'AVRO' | 'JSON' | 'PROTOBUF'

/** Names a schema that another one refers to: a record name (Avro), a `$ref` (JSON Schema), or an import path (Protobuf). */
export interface SchemaReference {
  /** What stands for it in the schema that refers to it. */
  readonly name: string
  /** Where the registry keeps it. */
  readonly subject: string
  /** Which of the subject's versions is meant. */
  readonly version: number
}

/** A schema as it is handed to a registry. */
export interface SchemaInput {
  /** Its text: JSON for Avro and JSON Schema, the `.proto` file for Protobuf. */
  readonly schema: string
  /** Default `AVRO`. */
  readonly schemaType?: SchemaType
  /** What the text refers to, if anything. */
  readonly references?: readonly SchemaReference[]
}

/** A schema as a registry keeps it. */
export interface StoredSchema {
  /** The number that stands before every record of this schema. */
  readonly id: number
  /** The identifier that is the same in every registry; null where the registry is too old to know it. */
  readonly guid: string | null
  /** Its text. */
  readonly schema: string
  /** Its kind. */
  readonly schemaType: SchemaType
  /** What the text refers to. */
  readonly references: readonly SchemaReference[]
}

/** A schema as one version of a subject. */
export interface SubjectSchema extends StoredSchema {
  /** Where it is registered. */
  readonly subject: string
  /** Counted from 1. */
  readonly version: number
}

/** What a registration answers. */
export interface RegisteredSchema {
  /** The number that stands before every record of this schema. */
  readonly id: number
  /** Null where the registry is too old to tell. */
  readonly guid: string | null
  /** Null where the registry is too old to tell. */
  readonly version: number | null
}

/** A schema that another one needs, under the name by which that one refers to it. */
export interface NamedSchema {
  /** The record name, `$ref` or import path. */
  readonly name: string
  /** Its text. */
  readonly schema: string
}

/** A schema with everything that it refers to, directly or not. */
export interface ResolvedSchema {
  /** Its text. */
  readonly schema: string
  /** Its kind. */
  readonly schemaType: SchemaType
  /** Each once, and before whatever refers to it. */
  readonly dependencies: readonly NamedSchema[]
}

/** What a registry accepts as the next version of a subject. */
export type CompatibilityLevel =
  | 'NONE'
  | 'BACKWARD'
  | 'BACKWARD_TRANSITIVE'
  | 'FORWARD'
  | 'FORWARD_TRANSITIVE'
  | 'FULL'
  | 'FULL_TRANSITIVE'

/** What may be done to a subject. */
export type RegistryMode = 'READWRITE' | 'READONLY' | 'READONLY_OVERRIDE' | 'IMPORT' | 'FORWARD'

/** The answer of a compatibility check. */
export interface Compatibility {
  /** Whether the registry would accept the schema. */
  readonly compatible: boolean
  /** Why not, in the registry's words; empty if it is compatible. */
  readonly messages: readonly string[]
}

/** How names and passwords, or tokens, are shown to a registry. */
export type RegistryAuth =
  | { readonly username: string; readonly password: string }
  /** A bearer token, or a function that is asked for one before every request. */
  | { readonly token: string | (() => string | Promise<string>) }
