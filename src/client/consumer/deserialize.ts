/** Bytes to keys and values, and what becomes of a message whose bytes cannot be read. */
import { KafkaError } from '../errors.ts'
import type { Deserializer, SerdeContext, SerdePair } from '../serdes/serde.ts'
import type { Message } from './message.ts'

/** What makes keys and values of bytes; without one, they stay views of the bytes. */
export type ConsumerSerdes<V, K> = SerdePair<Deserializer<V>, Deserializer<K>>

/**
 * The compiler knows of a type that is not made of bytes by itself, so there must be a deserializer that makes it: `Consumer<Order>`
 * without one would have bytes and call them an order.
 */
export type DeserializersFor<V, K> = ([Buffer] extends [V]
  ? unknown
  : { readonly serdes: { readonly value: Deserializer<V> } }) &
  ([Buffer] extends [K] ? unknown : { readonly serdes: { readonly key: Deserializer<K> } })

/**
 * Told of a message whose key or value cannot be read; `rawKey` and `rawValue` are its bytes. When it is done, perhaps after it put the
 * bytes elsewhere, the message counts as processed. What it throws ends the reading.
 */
export type DeserializeErrorHandler = (message: Message, error: KafkaError) => Promise<void> | void

/** False when the message cannot be read; it has been dealt with. */
export type Preparation = boolean | Promise<boolean>

/**
 * What a record itself is to blame for. Anything else (a schema registry that is down, or refuses the password) would befall the next
 * record, too: it ends the reading, so that a good record is not put aside.
 */
const ABOUT_THE_RECORD: ReadonlySet<string> = new Set([
  'ERR_SERIALIZATION',
  'ERR_VALIDATION',
  'ERR_SCHEMA_NOT_FOUND',
  'ERR_SCHEMA_INVALID',
])

/** Headers are decoded only if the deserializer asks for one. */
class MessageContext implements SerdeContext {
  readonly field: 'key' | 'value'
  private readonly message: Pick<Message, 'topic' | 'header'>

  constructor(message: Pick<Message, 'topic' | 'header'>, field: 'key' | 'value') {
    this.message = message
    this.field = field
  }

  get topic(): string {
    return this.message.topic
  }

  header(name: string): Buffer | null | undefined {
    return this.message.header(name)
  }
}

export class MessagePreparer<V, K> {
  private readonly serdes: ConsumerSerdes<V, K>
  private readonly onError: DeserializeErrorHandler | null

  private constructor(serdes: ConsumerSerdes<V, K>, onError: DeserializeErrorHandler | null) {
    this.serdes = serdes
    this.onError = onError
  }

  /** Null where messages need no preparation: bytes are looked at when they are asked for. */
  static of<V, K>(
    serdes: ConsumerSerdes<V, K> | undefined,
    onError: DeserializeErrorHandler | undefined,
  ): MessagePreparer<V, K> | null {
    if (serdes === undefined || (serdes.key === undefined && serdes.value === undefined)) return null
    return new MessagePreparer(serdes, onError ?? null)
  }

  prepare(message: Message<V, K>): Preparation {
    try {
      const key = this.prepareKey(message)
      const value = this.prepareValue(message)
      if (key === null && value === null) return true
      return this.settle(message, key, value)
    } catch (error) {
      return this.failed(message, error)
    }
  }

  /** Null once it is set; a promise where the deserializer takes its time. */
  private prepareKey(message: Message<V, K>): Promise<K> | null {
    const { key } = this.serdes
    const bytes = key === undefined ? null : message.rawKey
    if (key === undefined || bytes === null) return null
    const made = key.deserialize(bytes, new MessageContext(message, 'key'))
    if (made instanceof Promise) return made
    message.setKey(made)
    return null
  }

  private prepareValue(message: Message<V, K>): Promise<V> | null {
    const { value } = this.serdes
    const bytes = value === undefined ? null : message.rawValue
    if (value === undefined || bytes === null) return null
    const made = value.deserialize(bytes, new MessageContext(message, 'value'))
    if (made instanceof Promise) return made
    message.setValue(made)
    return null
  }

  private async settle(message: Message<V, K>, key: Promise<K> | null, value: Promise<V> | null): Promise<boolean> {
    // Both are awaited whatever happens, so that neither's failure goes unheard.
    const [madeKey, madeValue] = await Promise.allSettled([key, value])
    if (madeKey.status === 'rejected') return this.failed(message, madeKey.reason)
    if (madeValue.status === 'rejected') return this.failed(message, madeValue.reason)
    if (key !== null) message.setKey(madeKey.value as K)
    if (value !== null) message.setValue(madeValue.value as V)
    return true
  }

  private async failed(message: Message<V, K>, cause: unknown): Promise<boolean> {
    const { topic, partition, offset } = message
    const reason = cause instanceof Error ? cause.message : String(cause)
    const what = `${topic}-${partition} at offset ${offset} cannot be deserialized: ${reason}`
    const place = { topic, partition, offset, nextOffset: offset + 1 }
    if (cause instanceof KafkaError && !ABOUT_THE_RECORD.has(cause.code)) {
      throw new KafkaError(cause.code, what, { cause, place, registryCode: cause.registryCode })
    }
    const issues = cause instanceof KafkaError ? cause.issues : []
    const error = new KafkaError('ERR_SERIALIZATION', what, { cause, place, issues })
    if (this.onError === null) throw error
    await this.onError(message as unknown as Message, error)
    return false
  }
}
