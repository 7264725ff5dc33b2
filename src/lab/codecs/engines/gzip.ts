/** gzip: the broker's own (node:zlib), the same library called directly, and libdeflate, which Bun brings as well. */
import { compress, decompress } from '../../../records/codecs/index.ts'
import { CODEC_GZIP } from '../../../records/header.ts'
import { assertLevel, type Engine, RUNTIME, stateless } from './engine.ts'

const ZLIB_LEVELS = [1, 2, 3, 4, 5, 6, 7, 8, 9] as const
const LIBDEFLATE_LEVELS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12] as const
const QUICK_LEVELS = [1, 6]

/** The level as one of the literals that the runtime's types ask for. */
function literal<T extends number>(levels: readonly T[], level: number | null): T {
  return levels.find((candidate) => candidate === level)!
}

const broker: Engine = {
  codec: 'gzip',
  name: 'node',
  summary: "zlib through node:zlib: the broker's own",
  version: RUNTIME,
  range: { min: 1, max: 9 },
  levels: ZLIB_LEVELS,
  quickLevels: QUICK_LEVELS,
  defaultLevel: 6,
  open(level) {
    assertLevel(broker, level)
    return stateless({
      compress: (plain) => compress(CODEC_GZIP, plain, level!),
      decompress: (packed, maxBytes) => decompress(CODEC_GZIP, packed, maxBytes),
    })
  },
}

const bun: Engine = {
  codec: 'gzip',
  name: 'bun',
  summary: 'zlib through Bun.gzipSync',
  version: RUNTIME,
  range: { min: 1, max: 9 },
  levels: [1, 6, 9],
  quickLevels: QUICK_LEVELS,
  defaultLevel: 6,
  open(level) {
    assertLevel(bun, level)
    const options = { library: 'zlib', level: literal(ZLIB_LEVELS, level) } as const
    return stateless({
      compress: (plain) => asBuffer(Bun.gzipSync(attached(plain), options)),
      decompress: (packed) => asBuffer(Bun.gunzipSync(attached(packed), { library: 'zlib' })),
    })
  },
}

const libdeflate: Engine = {
  codec: 'gzip',
  name: 'libdeflate',
  summary: 'libdeflate through Bun.gzipSync: whole buffers only, which batches are',
  version: RUNTIME,
  range: { min: 1, max: 12 },
  levels: [1, 3, 6, 9, 12],
  quickLevels: QUICK_LEVELS,
  defaultLevel: 6,
  open(level) {
    assertLevel(libdeflate, level)
    const options = { library: 'libdeflate', level: literal(LIBDEFLATE_LEVELS, level) } as const
    return stateless({
      compress: (plain) => asBuffer(Bun.gzipSync(attached(plain), options)),
      decompress: (packed) => asBuffer(Bun.gunzipSync(attached(packed), { library: 'libdeflate' })),
    })
  },
}

/** Bun's types ask for memory that is not shared between threads; a batch never is. */
function attached(bytes: Buffer): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

export const gzipEngines: readonly Engine[] = [broker, bun, libdeflate]
