/**
 * JSON with a schema registry, checked by ajv: what is written against the schema it is written with, what is read against the serde's own
 * schema, or without one against the schema it was written with.
 */
import { type ValidationIssue, validationError } from '../errors.ts'
import { type JsonIntegers, jsonText, parseJson } from './json-numbers.ts'
import { type JsonSchemaCompiler, loadJsonSchemaCompiler, parseSchema, type Validate } from './json-schema-compiler.ts'
import type { ResolvedSchema } from './registry/types.ts'
import {
  type PayloadReader,
  type PayloadWriter,
  type SchemaEngine,
  SchemaSerde,
  type SchemaSerdeOptions,
} from './schema-serde.ts'
import type { Serde } from './serde.ts'

/** How JSON values are checked, and how they look in the program. */
export interface JsonSchemaSerdeOptions extends SchemaSerdeOptions {
  /** JSON text, or what it stands for. */
  readonly schema?: string | object
  /** Integers beyond 2^53, read as BigInt, or refused. BigInts are written as integers either way. Default `number`: refused. */
  readonly longs?: 'number' | 'bigint'
  /** Hold values against the schema. Default true. */
  readonly validate?: boolean
}

/** The type is the caller's promise, and the schema holds values to it. */
export function jsonSchemaSerde<T>(options: JsonSchemaSerdeOptions): Serde<T> {
  const { schema = null } = options
  const text = schema === null || typeof schema === 'string' ? schema : JSON.stringify(schema)
  return new SchemaSerde<T>({ schemaType: 'JSON', schema: text, load: () => loadEngine<T>(options) }, options)
}

async function loadEngine<T>(options: JsonSchemaSerdeOptions): Promise<SchemaEngine<T>> {
  const compile = options.validate === false ? null : await loadJsonSchemaCompiler()
  return new JsonEngine<T>(options.longs ?? 'number', compile)
}

class JsonEngine<T> implements SchemaEngine<T> {
  private readonly integers: JsonIntegers
  /** Null: nothing is checked. */
  private readonly compiler: JsonSchemaCompiler | null

  constructor(integers: JsonIntegers, compiler: JsonSchemaCompiler | null) {
    this.integers = integers
    this.compiler = compiler
  }

  recordName(schema: ResolvedSchema): string | null {
    const parsed = parseSchema(schema.schema)
    const title = typeof parsed === 'object' && parsed !== null && 'title' in parsed ? parsed.title : null
    return typeof title === 'string' ? title : null
  }

  writer(schema: ResolvedSchema): PayloadWriter<T> {
    const validate = this.compiler?.(schema) ?? null
    return {
      path: null,
      write: (value, frame) => {
        const text = jsonText(value)
        if (text === undefined) throw new TypeError(`a ${typeof value} has no JSON text`)
        // What is checked is what is written: a Date is text by then, a field that is undefined is gone.
        if (validate !== null) check(validate, text)
        const bytes = Buffer.allocUnsafe(frame.length + Buffer.byteLength(text))
        frame.copy(bytes)
        bytes.write(text, frame.length)
        return bytes
      },
    }
  }

  reader(schema: ResolvedSchema, own: ResolvedSchema | null): PayloadReader<T> {
    const validate = this.compiler?.(own ?? schema) ?? null
    return {
      read: (payload) => {
        const text = payload.toString('utf8')
        const value = parseJson(text, this.integers)
        // To a schema a BigInt is no integer: then the check has a look of its own.
        if (validate !== null) check(validate, text, this.integers === 'bigint' ? undefined : value)
        return value as T
      },
    }
  }
}

/** `value` is what the text says, where that is known already. */
function check(validate: Validate, text: string, value: unknown = JSON.parse(text)): void {
  if (validate(value)) return
  const issues: ValidationIssue[] = (validate.errors ?? []).map(({ instancePath, message = 'not allowed' }) => ({
    path: instancePath.split('/').slice(1).map(unescapePointer),
    message,
  }))
  throw validationError('the value does not fit its JSON Schema', issues)
}

/** RFC 6901. */
function unescapePointer(step: string): string {
  return step.replaceAll('~1', '/').replaceAll('~0', '~')
}
