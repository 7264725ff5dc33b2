/**
 * Protobuf with a schema registry, by protobufjs: the registry keeps the text of `.proto` files, which is read here, so that nothing has to
 * be generated. Message types of generated code are used with `codec`.
 *
 * Fields have the names of generated TypeScript (`itemCount` for `item_count`) unless `keepCase`. What is not set has its default, a message
 * is null then, and a field of a oneof or with `optional` is absent. Enums are names. A 64-bit integer is a number as long as a number holds it exactly, and fails otherwise, in both directions.
 * With `longs: 'bigint'` they are BigInts. What a field cannot hold, and fields that the message has not, are errors when written.
 */
import { KafkaError } from '../errors.ts'
import { missingPackage } from './optional-package.ts'
import { checkMessage, holdsBytes, holdsLongs, narrowLongs, type ProtobufType } from './protobuf-values.ts'
import type { ResolvedSchema } from './registry/types.ts'
import {
  type PayloadReader,
  type PayloadWriter,
  type SchemaEngine,
  SchemaSerde,
  type SchemaSerdeOptions,
} from './schema-serde.ts'
import type { Serde } from './serde.ts'

type ProtobufJs = typeof import('protobufjs')
type Root = InstanceType<ProtobufJs['Root']>
type Namespace = InstanceType<ProtobufJs['Namespace']>

/** Generated code of one message type, whatever generated it. */
export interface ProtobufCodec<T> {
  /** The bytes of a message; what it throws fails the `send` with ERR_SERIALIZATION. */
  readonly encode: (message: T) => Uint8Array
  /** The bytes may be kept. */
  readonly decode: (bytes: Uint8Array) => T
}

/** Which message is written, and how messages look in the program. */
export interface ProtobufSerdeOptions<T> extends SchemaSerdeOptions {
  /** The text of the `.proto` file. */
  readonly schema?: string
  /** The full name of the message that is written. Default: the first of the file. Records of other messages are refused where it is given. */
  readonly message?: string
  /** Default `number`. */
  readonly longs?: 'number' | 'bigint'
  /** `item_count` instead of `itemCount`. Default false. */
  readonly keepCase?: boolean
  /** Reads and writes the payload instead of this serde, for generated code; `message` says which message it is made for. */
  readonly codec?: ProtobufCodec<T>
}

/** The type is the caller's promise, or that of the codec. */
export function protobufSerde<T>(options: ProtobufSerdeOptions<T>): Serde<T> {
  const { schema = null } = options
  if (options.codec !== undefined && options.message === undefined) {
    throw new KafkaError('ERR_INVALID_OPTION', "'codec' needs 'message', the name of the message type it is made for")
  }
  return new SchemaSerde<T>(
    { schemaType: 'PROTOBUF', schema, load: async () => new ProtobufEngine<T>(await loadProtobufJs(), options) },
    options,
  )
}

async function loadProtobufJs(): Promise<ProtobufJs> {
  try {
    const loaded: ProtobufJs & { readonly default?: ProtobufJs } = await import('protobufjs')
    return loaded.default ?? loaded
  } catch (cause) {
    throw missingPackage('protobufjs', 'protobufSerde', cause)
  }
}

/** A file with what it imports, and the message types that it declares itself. */
interface ProtoFile {
  readonly root: Root
  /** Of this file alone: in `root`, files of one package share a namespace. */
  readonly own: Namespace
}

class ProtobufEngine<T> implements SchemaEngine<T> {
  private readonly protobuf: ProtobufJs
  private readonly options: ProtobufSerdeOptions<T>

  constructor(protobuf: ProtobufJs, options: ProtobufSerdeOptions<T>) {
    this.protobuf = protobuf
    this.options = options
  }

  recordName(schema: ResolvedSchema): string {
    return this.pathAndName(this.parse(schema)).name
  }

  writer(schema: ResolvedSchema): PayloadWriter<T> {
    const file = this.parse(schema)
    const { path, name } = this.pathAndName(file)
    const { codec } = this.options
    if (codec !== undefined) {
      return { path, write: (value, frame) => Buffer.concat([frame, codec.encode(value)]) }
    }
    const type: ProtobufType = file.root.lookupType(name)
    return {
      path,
      write: (value, frame) => {
        checkMessage(type, value)
        return Buffer.concat([frame, type.encode(type.fromObject(value as Record<string, unknown>)).finish()])
      },
    }
  }

  reader(schema: ResolvedSchema): PayloadReader<T> {
    const file = this.parse(schema)
    const byPath = new Map<string, (payload: Buffer) => T>()
    return {
      read: (payload, path) => {
        const key = (path ?? []).join()
        let read = byPath.get(key)
        if (read === undefined) {
          // There are no more of them than message types in the file.
          read = this.decoder(file, path ?? [])
          byPath.set(key, read)
        }
        return read(payload)
      },
    }
  }

  private decoder(file: ProtoFile, path: readonly number[]): (payload: Buffer) => T {
    const name = this.nameAt(file.own, path)
    const { codec, message, longs = 'number' } = this.options
    if (message !== undefined && message !== name) {
      throw new KafkaError('ERR_SERIALIZATION', `the record is a '${name}', not a '${message}'`)
    }
    if (codec !== undefined) return (payload) => codec.decode(new Uint8Array(payload))
    const type: ProtobufType = file.root.lookupType(name)
    const narrows = longs === 'number' && holdsLongs(type)
    const copies = holdsBytes(type)
    const options = { longs: BigInt, enums: String, defaults: true, arrays: true, objects: true }
    return (payload) => {
      // Fields of bytes are views: they shall not keep the memory of the fetch.
      const decoded = type.decode(copies ? Buffer.from(payload) : payload)
      const value = type.toObject(decoded, options as never)
      if (narrows) narrowLongs(type, value)
      return value as T
    }
  }

  private parse({ schema, dependencies }: ResolvedSchema): ProtoFile {
    const { Root, parse, common } = this.protobuf
    const options = { keepCase: this.options.keepCase ?? false }
    try {
      const root = new Root()
      const texts = new Map(dependencies.map(({ name, schema: text }) => [name, text]))
      const seen = new Set<string>()
      const add = (text: string): void => {
        const { imports = [], weakImports = [] } = parse(text, root, options)
        for (const name of [...imports, ...weakImports]) {
          if (seen.has(name)) continue
          seen.add(name)
          const imported = texts.get(name)
          const wellKnown = common.get(name)
          // Others contain options only, which mean nothing to an encoding; a type that is missing is found below.
          if (imported !== undefined) add(imported)
          else if (wellKnown?.nested !== undefined) root.addJSON(wellKnown.nested)
        }
      }
      add(schema)
      root.resolveAll()
      const alone = parse(schema, new Root(), options)
      return { root, own: alone.package === undefined ? alone.root : (alone.root.lookup(alone.package) as Namespace) }
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new KafkaError('ERR_SCHEMA_INVALID', `the Protobuf schema cannot be used: ${reason}`, { cause })
    }
  }

  /** Of the message that is written. */
  private pathAndName({ own }: ProtoFile): { readonly path: readonly number[]; readonly name: string } {
    const { message } = this.options
    const [first] = this.messagesIn(own)
    if (first === undefined) throw new KafkaError('ERR_SCHEMA_INVALID', 'the Protobuf schema has no message')
    if (message === undefined) return { path: [0], name: nameOf(first) }
    const path = this.pathTo(own, message)
    if (path !== null) return { path, name: message }
    throw new KafkaError('ERR_INVALID_OPTION', `the Protobuf schema has no message '${message}'`)
  }

  private pathTo(namespace: Namespace, message: string): number[] | null {
    for (const [index, type] of this.messagesIn(namespace).entries()) {
      const name = nameOf(type)
      if (name === message) return [index]
      const rest = message.startsWith(`${name}.`) ? this.pathTo(type, message) : null
      if (rest !== null) return [index, ...rest]
    }
    return null
  }

  private nameAt(own: Namespace, path: readonly number[]): string {
    let at: Namespace = own
    for (const step of path) {
      const next = this.messagesIn(at)[step]
      if (next === undefined) {
        throw new KafkaError('ERR_SERIALIZATION', `the Protobuf schema has no message at ${path.join('.')}`)
      }
      at = next
    }
    return nameOf(at)
  }

  /** In the order of the file. The entries of maps and groups are no messages of their own here, as in Confluent's Java serializers. */
  private messagesIn(namespace: Namespace): ProtobufType[] {
    const types = namespace.nestedArray.filter((each) => each instanceof this.protobuf.Type)
    return types.filter((type) => (type as ProtobufType & { readonly group?: boolean }).group !== true)
  }
}

/** Without the dot that it begins with. */
function nameOf(namespace: Namespace): string {
  return namespace.fullName.replace(/^\./, '')
}
