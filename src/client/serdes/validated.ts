/**
 * Values held against a schema of the application's own: of any library that speaks Standard Schema (standardschema.dev), such as Zod,
 * Valibot or ArkType. It is asked before a value is serialized and after it is deserialized.
 *
 * What is written is the value as it was given, not what the schema makes of it: the reader's schema gets the same input and makes the same
 * of it. So a schema that turns text into a `Date` works in both directions, and defaults are filled in by the reader.
 */
import { type ValidationIssue, validationError } from '../errors.ts'
import type { Bytes, Deserializer, SerdeContext, Serializer } from './serde.ts'

/** Standard Schema, version 1: what such libraries have in common. */
export interface StandardSchema<Input = unknown, Output = Input> {
  /** The name of the property is the standard's. */
  readonly '~standard': {
    /** Of the standard. */
    readonly version: 1
    /** The library's name. */
    readonly vendor: string
    /** Checks a value, and perhaps makes another one of it. */
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>
    /** For the compiler only. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

/** A value, or what is wrong with it. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] }

/** What is wrong, and where. */
export interface StandardIssue {
  /** For people. */
  readonly message: string
  /** From the value down. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** The type of values that a schema takes. */
export type SchemaInputOf<S extends StandardSchema> = NonNullable<S['~standard']['types']>['input']

/** The type of values that a schema makes. */
export type SchemaOutputOf<S extends StandardSchema> = NonNullable<S['~standard']['types']>['output']

/** Takes what the schema takes and answers what it makes. */
export interface ValidatedSerde<Input, Output> extends Serializer<Input>, Deserializer<Output> {}

/** `serde` makes bytes of values and back; `schema` says which values. What does not fit fails with ERR_VALIDATION and its `issues`. */
export function validated<S extends StandardSchema>(
  serde: Serializer<SchemaInputOf<S>> & Deserializer<unknown>,
  schema: S,
): ValidatedSerde<SchemaInputOf<S>, SchemaOutputOf<S>> {
  const standard = schema['~standard']
  return {
    serialize: (value, context): Bytes | Promise<Bytes> => {
      const result = standard.validate(value)
      if (!(result instanceof Promise)) {
        outputOf(result, context)
        return serde.serialize(value, context)
      }
      return result.then((later) => {
        outputOf(later, context)
        return serde.serialize(value, context)
      })
    },
    deserialize: (bytes, context): SchemaOutputOf<S> | Promise<SchemaOutputOf<S>> => {
      const value = serde.deserialize(bytes, context)
      if (value instanceof Promise)
        return value.then(async (later) => outputOf(await standard.validate(later), context))
      const result = standard.validate(value)
      if (!(result instanceof Promise)) return outputOf(result, context)
      return result.then((later) => outputOf(later, context))
    },
  }
}

function outputOf<Output>(result: StandardResult<Output>, { topic, field }: SerdeContext): Output {
  if (result.issues === undefined) return result.value
  const issues: ValidationIssue[] = result.issues.map(({ message, path = [] }) => ({
    message,
    path: path.map((step) => String(typeof step === 'object' ? step.key : step)),
  }))
  throw validationError(`the ${field} of a record of '${topic}' does not fit its schema`, issues)
}
