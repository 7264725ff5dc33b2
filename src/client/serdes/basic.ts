/** Serdes that need nothing but the runtime. */
import type { Serde } from './serde.ts'

/** UTF-8 text. */
export const stringSerde: Serde<string> = {
  serialize: (value) => value,
  deserialize: (bytes) => bytes.toString('utf8'),
}

/** Bytes as they are; what is read is a copy, so that it keeps no fetched memory alive. */
export const bytesSerde: Serde<Uint8Array> = {
  serialize: (value) => value,
  deserialize: (bytes) => new Uint8Array(bytes),
}

/** JSON text. The type is the caller's promise: nothing checks it. */
export function jsonSerde<T>(): Serde<T> {
  return {
    serialize: (value) => {
      const text: string | undefined = JSON.stringify(value)
      if (text === undefined) throw new TypeError(`a ${typeof value} has no JSON text`)
      return text
    },
    deserialize: (bytes) => JSON.parse(bytes.toString('utf8')) as T,
  }
}
