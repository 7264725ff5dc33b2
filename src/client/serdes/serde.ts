/**
 * How keys and values become bytes and come back. A serializer may answer at once or later (a schema registry has to be
 * asked): those that answer at once cost nothing extra. Null never reaches a serde: it is Kafka's tombstone and stays null.
 */

/** What a key or a value is when no serde is given: strings are UTF-8, bytes are taken as they are (and objects, see Producer, are MessagePack). */
export type Bytes = string | Uint8Array

/** What is being serialized. */
export interface SerdeContext {
  /** The record's topic. */
  readonly topic: string
  /** The record's key or its value. */
  readonly field: 'key' | 'value'
  /** When reading: the last header of this name, a view; undefined if there is none. */
  header?(name: string): Uint8Array | null | undefined
}

/** Makes bytes of keys or values. */
export interface Serializer<T> {
  /** Text is written as UTF-8, straight into the batch. */
  serialize(value: T, context: SerdeContext): Bytes | Promise<Bytes>
}

/** Makes keys or values of bytes. */
export interface Deserializer<T> {
  /** The bytes are a view of what was fetched: copy what must outlive the message. */
  deserialize(bytes: Buffer, context: SerdeContext): T | Promise<T>
}

/** Both ways. */
export interface Serde<T> extends Serializer<T>, Deserializer<T> {}

/** The serdes of a producer's or a consumer's records. */
export interface SerdePair<Side, KeySide> {
  /** For values; without it they are bytes (or, when producing, text). */
  readonly value?: Side
  /** For keys; without it they are bytes (or, when producing, text). */
  readonly key?: KeySide
}
