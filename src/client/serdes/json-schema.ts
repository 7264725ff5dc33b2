/**
 * JSON with a schema registry, checked by ajv: what is written against the schema it is written with, what is read against the serde's own
 * schema, or without one against the schema it was written with. Drafts 6, 7, 2019-09 and 2020-12, as `$schema` says; without it, draft 7.
 */
import { KafkaError, type ValidationIssue, validationError } from '../errors.ts'
import { jsonText, parseJson } from './json-numbers.ts'
import { optionalPackage } from './optional-package.ts'
import type { ResolvedSchema } from './registry/types.ts'
import {
  type PayloadReader,
  type PayloadWriter,
  type SchemaEngine,
  SchemaSerde,
  type SchemaSerdeOptions,
} from './schema-serde.ts'
import type { Serde } from './serde.ts'

type AjvModule = typeof import('ajv')
type Ajv = InstanceType<AjvModule['Ajv']>
type Validate = ReturnType<Ajv['compile']>

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
  if (options.validate === false) return new JsonEngine<T>(options, null)
  const drafts = await optionalPackage('ajv', 'jsonSchemaSerde', async () => {
    const [seven, nineteen, twenty, six] = await Promise.all([
      import('ajv'),
      import('ajv/dist/2019.js'),
      import('ajv/dist/2020.js'),
      import('ajv/dist/refs/json-schema-draft-06.json', { with: { type: 'json' } }),
    ])
    return { seven: seven.Ajv, nineteen: nineteen.Ajv2019, twenty: twenty.Ajv2020, draftSix: six.default }
  })
  const addFormats = await optionalPackage('ajv-formats', 'jsonSchemaSerde', async () => {
    const { default: loaded } = await import('ajv-formats')
    return loaded.default
  })
  return new JsonEngine<T>(options, (schema) => {
    const options = { strict: false, allErrors: false }
    const draft = draftOf(schema)
    const ajv =
      draft === '2020-12'
        ? new drafts.twenty(options)
        : draft === '2019-09'
          ? new drafts.nineteen(options)
          : new drafts.seven(options)
    if (draft === '6') ajv.addMetaSchema(drafts.draftSix)
    addFormats(ajv)
    return ajv
  })
}

/** Of the meta-schema's address, with or without `#` at the end. */
const DRAFTS: Readonly<Record<string, string>> = {
  'json-schema.org/draft-06/schema': '6',
  'json-schema.org/draft-07/schema': '7',
  'json-schema.org/draft/2019-09/schema': '2019-09',
  'json-schema.org/draft/2020-12/schema': '2020-12',
}

function draftOf(schema: unknown): string {
  const named = typeof schema === 'object' && schema !== null && '$schema' in schema ? schema.$schema : undefined
  if (named === undefined) return '7'
  const draft =
    DRAFTS[
      String(named)
        .replace(/^https?:\/\//, '')
        .replace(/#$/, '')
    ]
  if (draft !== undefined) return draft
  throw new KafkaError(
    'ERR_SCHEMA_INVALID',
    `JSON Schema '${String(named)}' is not known here: drafts 6, 7, 2019-09 and 2020-12 are`,
  )
}

class JsonEngine<T> implements SchemaEngine<T> {
  private readonly integers: 'number' | 'bigint'
  /** Null: nothing is checked. */
  private readonly checker: ((schema: unknown) => Ajv) | null

  constructor(options: JsonSchemaSerdeOptions, checker: ((schema: unknown) => Ajv) | null) {
    this.integers = options.longs ?? 'number'
    this.checker = checker
  }

  recordName(schema: ResolvedSchema): string | null {
    const parsed = parseSchema(schema.schema)
    const title = typeof parsed === 'object' && parsed !== null && 'title' in parsed ? parsed.title : null
    return typeof title === 'string' ? title : null
  }

  writer(schema: ResolvedSchema): PayloadWriter<T> {
    const validate = this.compile(schema)
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
    const validate = this.compile(own ?? schema)
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

  private compile({ schema, dependencies }: ResolvedSchema): Validate | null {
    if (this.checker === null) return null
    const parsed = parseSchema(schema)
    const ajv = this.checker(parsed)
    try {
      for (const each of dependencies) ajv.addSchema(parseSchema(each.schema) as never, each.name)
      return ajv.compile(parsed as never)
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new KafkaError('ERR_SCHEMA_INVALID', `the JSON Schema cannot be used: ${reason}`, { cause })
    }
  }
}

function parseSchema(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new KafkaError('ERR_SCHEMA_INVALID', 'the JSON Schema is no JSON', { cause })
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
