/** What stands in for a producer's serde when none is given. */
import { msgpackSerde } from './msgpack.ts'
import type { Bytes, Serde, Serializer } from './serde.ts'

let objects: Serde<unknown> | null = null

/** Text and bytes as they are, anything else as MessagePack: `msgpackSerde` reads it. */
export const defaultSerializer: Serializer<unknown> = {
  serialize: (value, context): Bytes | Promise<Bytes> => {
    if (typeof value === 'string' || value instanceof Uint8Array) return value
    if (value === undefined || typeof value === 'function' || typeof value === 'symbol') {
      throw new TypeError(`a ${value === undefined ? 'missing value' : typeof value} cannot be sent`)
    }
    objects ??= msgpackSerde<unknown>()
    return objects.serialize(value, context)
  },
}
