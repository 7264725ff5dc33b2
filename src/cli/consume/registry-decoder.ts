/**
 * Keys and values that were written with a schema registry, as JSON: the id before the bytes (or in a header) names the schema, the schema says
 * whether it is Avro, JSON Schema or Protobuf. Bytes without such an id stay what they are.
 */
import type { Message } from '../../client/consumer/message.ts'
import { KafkaError } from '../../client/errors.ts'
import { avroSerde } from '../../client/serdes/avro.ts'
import { readFrame } from '../../client/serdes/framing.ts'
import { jsonSchemaSerde } from '../../client/serdes/json-schema.ts'
import { protobufSerde } from '../../client/serdes/protobuf.ts'
import { SchemaRegistry } from '../../client/serdes/registry/schema-registry.ts'
import type { SchemaType } from '../../client/serdes/registry/types.ts'
import type { Deserializer, SerdeContext } from '../../client/serdes/serde.ts'
import { usageError } from '../errors.ts'
import type { Settings } from '../profile/settings.ts'
import type { PrintableRecord } from '../record-format.ts'

export interface DecodedFields {
  readonly key: boolean
  readonly value: boolean
}

type PrintedRecord = PrintableRecord['record']

export class RegistryDecoder {
  private readonly registry: SchemaRegistry
  private readonly serdes: Readonly<Record<SchemaType, Deserializer<unknown>>>
  private readonly fields: DecodedFields
  /** By id or GUID. A topic has few of them. */
  private readonly types = new Map<number | string, SchemaType>()

  constructor(settings: Settings, fields: DecodedFields) {
    const url = settings.get('schema.registry.url')
    if (url === undefined) throw usageError('-s registry needs one: -r URL, or schema.registry.url in the profile')
    const user = settings.get('schema.registry.basic.auth.user.info')
    const [username = '', ...password] = user?.split(':') ?? []
    this.registry = new SchemaRegistry({
      url,
      ...(user === undefined ? {} : { auth: { username, password: password.join(':') } }),
    })
    const options = { registry: this.registry, longs: 'bigint' } as const
    this.serdes = {
      AVRO: avroSerde(options),
      JSON: jsonSchemaSerde({ ...options, validate: false }),
      PROTOBUF: protobufSerde(options),
    }
    this.fields = fields
  }

  /** The record with JSON text in place of the bytes, and with what it stands for. */
  async decode(record: Message): Promise<PrintedRecord> {
    const { topic, offset, timestamp, timestampType, leaderEpoch, headers } = record
    const header = (name: string): Uint8Array | null | undefined => record.header(name)
    const key = this.fields.key ? await this.field(record.key, { topic, field: 'key', header }) : undefined
    const value = this.fields.value ? await this.field(record.value, { topic, field: 'value', header }) : undefined
    return {
      ...{ offset, timestamp, timestampType, leaderEpoch, headers },
      key: key === undefined ? record.key : Buffer.from(key),
      value: value === undefined ? record.value : Buffer.from(value),
      decoded: {
        ...(key === undefined ? {} : { key: JSON.parse(key) as unknown }),
        ...(value === undefined ? {} : { value: JSON.parse(value) as unknown }),
      },
    }
  }

  /** Undefined: it has no schema. */
  private async field(bytes: Buffer | null, context: SerdeContext): Promise<string | undefined> {
    if (bytes === null) return undefined
    const id = schemaOf(bytes, context)
    if (id === null) return undefined
    const type = this.types.get(id) ?? (await this.typeOf(id))
    return JSON.stringify(await this.serdes[type].deserialize(bytes, context), plainNumber)
  }

  private async typeOf(id: number | string): Promise<SchemaType> {
    const stored = await (typeof id === 'number' ? this.registry.schemaById(id) : this.registry.schemaByGuid(id))
    this.types.set(id, stored.schemaType)
    return stored.schemaType
  }
}

function schemaOf(bytes: Buffer, context: SerdeContext): number | string | null {
  try {
    return readFrame(bytes, context, false).schema
  } catch (error) {
    if (error instanceof KafkaError && error.code === 'ERR_SERIALIZATION') return null
    throw error
  }
}

/** Whole numbers beyond 2^53 as text, so that none is changed on the way; bytes in base64. */
function plainNumber(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : value.toString()
  }
  const isBuffer = typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer'
  if (isBuffer && 'data' in value && Array.isArray(value.data))
    return Buffer.from(value.data as number[]).toString('base64')
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value
}
