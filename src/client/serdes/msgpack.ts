/** MessagePack by msgpackr: smaller than JSON, and dates, bytes and 64-bit integers come back as what they were. JSON is faster on Bun. */
import { createRequire } from 'node:module'
import type { Serde } from './serde.ts'

type Msgpackr = typeof import('msgpackr')
let loaded: Msgpackr | null = null

/** Loaded at first use: it takes several megabytes. */
function msgpackr(): Msgpackr {
  // Outside of Bun, modules have no `require` of their own; a bundler follows this one.
  loaded ??= (typeof require === 'function' ? require('msgpackr') : requireHere('msgpackr')) as Msgpackr
  return loaded
}

const requireHere = createRequire(import.meta.url)

/** How msgpackr writes. */
export interface MsgpackOptions {
  /**
   * Write objects as plain maps, which MessagePack libraries of every language read. Without it they are msgpackr's records:
   * a structure that occurs several times in a message is named once. Both are read either way. Default false.
   */
  readonly maps?: boolean
}

/** Every message stands alone. The type is the caller's promise: nothing checks it. */
export function msgpackSerde<T>(options: MsgpackOptions = {}): Serde<T> {
  const { Packr } = msgpackr()
  const writer = new Packr({ useRecords: options.maps !== true })
  const reader = new Packr({ useRecords: true, mapsAsObjects: true, copyBuffers: true })
  return {
    serialize: (value) => writer.pack(value),
    deserialize: (bytes) => reader.unpack(bytes) as T,
  }
}
