/**
 * JSON Schemas made into functions by ajv: drafts 6, 7, 2019-09 and 2020-12, as `$schema` says; without it, draft 7. Keywords that ajv does
 * not know mean nothing: other programs leave theirs in schemas.
 *
 * A schema has a compiler of its own, because two schemas may have the same `$id`. That a schema is one is checked by a compiler for all of
 * its draft, which takes longer to begin with than any schema after it.
 */
import { KafkaError } from '../errors.ts'
import { missingPackage } from './optional-package.ts'
import type { ResolvedSchema } from './registry/types.ts'

type Ajv = InstanceType<typeof import('ajv')['Ajv']>
type AjvOptions = NonNullable<ConstructorParameters<typeof import('ajv')['Ajv']>[0]>

export type Validate = ReturnType<Ajv['compile']>
export type JsonSchemaCompiler = (schema: ResolvedSchema) => Validate

type Draft = '6' | '7' | '2019-09' | '2020-12'

/** Of the meta-schema's address, without `#` at the end. */
const DRAFTS: Readonly<Record<string, Draft>> = {
  'json-schema.org/draft-06/schema': '6',
  'json-schema.org/draft-07/schema': '7',
  'json-schema.org/draft/2019-09/schema': '2019-09',
  'json-schema.org/draft/2020-12/schema': '2020-12',
}

/** Those that say whether a schema is one, by draft. */
const judges = new Map<Draft, Ajv>()

export async function loadJsonSchemaCompiler(): Promise<JsonSchemaCompiler> {
  const make = await loadAjv()
  return ({ schema, dependencies }) => {
    const parsed = parseSchema(schema)
    const draft = draftOf(parsed)
    let judge = judges.get(draft)
    if (judge === undefined) {
      judge = make(draft, {})
      judges.set(draft, judge)
    }
    try {
      const ajv = make(draft, { validateSchema: false })
      for (const each of dependencies) ajv.addSchema(judged(judge, parseSchema(each.schema)), each.name)
      return ajv.compile(judged(judge, parsed))
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new KafkaError('ERR_SCHEMA_INVALID', `the JSON Schema cannot be used: ${reason}`, { cause })
    }
  }
}

async function loadAjv(): Promise<(draft: Draft, options: AjvOptions) => Ajv> {
  const [seven, nineteen, twenty, six] = await importAjv()
  const addFormats = await importFormats()
  const classes = { '6': seven.Ajv, '7': seven.Ajv, '2019-09': nineteen.Ajv2019, '2020-12': twenty.Ajv2020 } as const
  return (draft, options) => {
    const ajv = new classes[draft]({ ...options, strict: false })
    if (draft === '6') ajv.addMetaSchema(six.default)
    addFormats(ajv)
    return ajv
  }
}

async function importAjv() {
  try {
    return await Promise.all([
      import('ajv'),
      import('ajv/dist/2019.js'),
      import('ajv/dist/2020.js'),
      import('ajv/dist/refs/json-schema-draft-06.json', { with: { type: 'json' } }),
    ])
  } catch (cause) {
    throw missingPackage('ajv', 'jsonSchemaSerde', cause)
  }
}

async function importFormats() {
  try {
    const { default: loaded } = await import('ajv-formats')
    return loaded.default
  } catch (cause) {
    throw missingPackage('ajv-formats', 'jsonSchemaSerde', cause)
  }
}

function judged(judge: Ajv, schema: unknown): object | boolean {
  if (judge.validateSchema(schema as object) !== true) throw new Error(judge.errorsText(judge.errors))
  return schema as object | boolean
}

export function parseSchema(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new KafkaError('ERR_SCHEMA_INVALID', 'the JSON Schema is no JSON', { cause })
  }
}

function draftOf(schema: unknown): Draft {
  const named = typeof schema === 'object' && schema !== null && '$schema' in schema ? schema.$schema : undefined
  if (named === undefined) return '7'
  const draft = DRAFTS[String(named).replace(/^https?:\/\/|#$/g, '')]
  if (draft !== undefined) return draft
  const known = Object.values(DRAFTS).join(', ')
  throw new KafkaError('ERR_SCHEMA_INVALID', `JSON Schema '${String(named)}' is not known here: drafts ${known} are`)
}
