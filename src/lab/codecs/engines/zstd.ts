/**
 * Zstandard: through node:zlib (what the broker compresses with), through Bun's one-shot calls (what it decompresses
 * with), zstd-napi, and the C library of the system. All contain the same code in different versions; they differ in
 * what a call costs and in whether they keep their working memory between calls.
 */
import { FFIType } from 'bun:ffi'
import manifest from '../../../../package.json' with { type: 'json' }
import { compress, decompress } from '../../../records/codecs/index.ts'
import { CODEC_ZSTD } from '../../../records/header.ts'
import { assertLevel, type Engine, type MissingEngine, RUNTIME, stateless, type Transform } from './engine.ts'
import { dotted, type Loaded, loadLibrary, pointerOf, Scratch, SizeCell } from './native-library.ts'

const MIN_LEVEL = -131_072
const MAX_LEVEL = 22
const LEVELS = [-5, -1, 1, 2, 3, 4, 5, 6, 7, 9, 12, 15, 19]
const QUICK_LEVELS = [1, 3, 9]
const DEFAULT_LEVEL = 3

const node: Engine = {
  codec: 'zstd',
  name: 'node',
  summary: "the runtime's library through node:zlib: what the broker compresses with",
  version: RUNTIME,
  range: { min: MIN_LEVEL, max: MAX_LEVEL },
  // The runtime takes -1 for 'the default', as zlib does.
  unusable: [-1],
  levels: LEVELS.filter((level) => level !== -1),
  quickLevels: QUICK_LEVELS,
  defaultLevel: DEFAULT_LEVEL,
  open(level) {
    assertLevel(node, level)
    return stateless({
      compress: (plain) => compress(CODEC_ZSTD, plain, level!),
      decompress: (packed, maxBytes) => decompress(CODEC_ZSTD, packed, maxBytes),
    })
  },
}

const bun: Engine = {
  codec: 'zstd',
  name: 'bun',
  summary: "the runtime's library through Bun.zstdCompressSync, which takes levels from 1 on",
  version: RUNTIME,
  range: { min: 1, max: MAX_LEVEL },
  levels: LEVELS.filter((level) => level >= 1),
  quickLevels: QUICK_LEVELS,
  defaultLevel: DEFAULT_LEVEL,
  open(level) {
    assertLevel(bun, level)
    const options = { level: level! }
    return stateless({
      compress: (plain) => Bun.zstdCompressSync(plain, options),
      decompress: (packed) => Bun.zstdDecompressSync(packed),
    })
  },
}

type ZstdNapi = typeof import('zstd-napi')
export type LoadPackage = (name: string) => unknown

/** Its prebuilt addon is fetched when it is installed, which not every network allows: then the import throws. */
function zstdNapi(load: LoadPackage): Engine | MissingEngine {
  const named = {
    codec: 'zstd',
    name: 'napi',
    summary: 'the optional package zstd-napi, contexts kept between calls',
  } as const
  let library: ZstdNapi
  try {
    library = load('zstd-napi') as ZstdNapi
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error)
    return { ...named, missing: `the optional package zstd-napi does not load: ${reason?.replace(/ from '.*/, '')}` }
  }
  const engine: Engine = {
    ...named,
    version: `zstd-napi ${manifest.peerDependencies['zstd-napi']}`,
    range: { min: MIN_LEVEL, max: MAX_LEVEL },
    levels: LEVELS,
    quickLevels: QUICK_LEVELS,
    defaultLevel: DEFAULT_LEVEL,
    open(level) {
      assertLevel(engine, level)
      const compressor = new library.Compressor()
      compressor.setParameters({ compressionLevel: level! })
      const decompressor = new library.Decompressor()
      return stateless({
        compress: (plain) => compressor.compress(plain),
        decompress: (packed) => decompressor.decompress(packed),
      })
    },
  }
  return engine
}

const size = FFIType.u64_fast
const SYMBOLS = {
  ZSTD_versionNumber: { args: [], returns: 'u32' },
  ZSTD_createCCtx: { args: [], returns: size },
  ZSTD_freeCCtx: { args: ['ptr'], returns: size },
  ZSTD_CCtx_setParameter: { args: ['ptr', 'i32', 'i32'], returns: size },
  ZSTD_CCtx_loadDictionary: { args: ['ptr', 'ptr', size], returns: size },
  ZSTD_compressBound: { args: [size], returns: size },
  ZSTD_compress2: { args: ['ptr', 'ptr', size, 'ptr', size], returns: size },
  ZSTD_createDCtx: { args: [], returns: size },
  ZSTD_freeDCtx: { args: ['ptr'], returns: size },
  ZSTD_DCtx_loadDictionary: { args: ['ptr', 'ptr', size], returns: size },
  ZSTD_decompressDCtx: { args: ['ptr', 'ptr', size, 'ptr', size], returns: size },
  ZSTD_isError: { args: [size], returns: 'u32' },
  ZDICT_trainFromBuffer: { args: ['ptr', size, 'ptr', 'ptr', 'u32'], returns: size },
  ZDICT_isError: { args: [size], returns: 'u32' },
} as const
type ZstdLibrary = Loaded<typeof SYMBOLS>

/** ZSTD_c_compressionLevel. */
const PARAMETER_LEVEL = 100

export class SystemZstd implements Transform {
  readonly #library: ZstdLibrary
  readonly #compressor: number
  readonly #decompressor: number
  readonly #packed = new Scratch()
  readonly #plain = new Scratch()

  constructor(library: ZstdLibrary, level: number, dictionary: Buffer | null) {
    this.#library = library
    this.#compressor = Number(library.ZSTD_createCCtx())
    this.#decompressor = Number(library.ZSTD_createDCtx())
    this.#checked(library.ZSTD_CCtx_setParameter(pointerOf(this.#compressor), PARAMETER_LEVEL, level))
    if (dictionary === null) return
    this.#checked(library.ZSTD_CCtx_loadDictionary(pointerOf(this.#compressor), dictionary, dictionary.length))
    this.#checked(library.ZSTD_DCtx_loadDictionary(pointerOf(this.#decompressor), dictionary, dictionary.length))
  }

  compress(plain: Buffer): Buffer {
    const target = this.#packed.atLeast(Number(this.#library.ZSTD_compressBound(plain.length)))
    const length = this.#library.ZSTD_compress2(pointerOf(this.#compressor), target, target.length, plain, plain.length)
    return target.subarray(0, this.#checked(length))
  }

  decompress(packed: Buffer, maxBytes: number): Buffer {
    const target = this.#plain.atLeast(maxBytes)
    const length = this.#library.ZSTD_decompressDCtx(
      pointerOf(this.#decompressor),
      target,
      target.length,
      packed,
      packed.length,
    )
    return target.subarray(0, this.#checked(length))
  }

  close(): void {
    this.#library.ZSTD_freeCCtx(pointerOf(this.#compressor))
    this.#library.ZSTD_freeDCtx(pointerOf(this.#decompressor))
  }

  #checked(result: number | bigint): number {
    if (this.#library.ZSTD_isError(result) !== 0) throw new Error('zstd/system: the library reports an error')
    return Number(result)
  }
}

/** The system's library, for its trainer; or why it is not there. */
export function loadZstdLibrary(): ZstdLibrary | string {
  return loadLibrary('zstd', 1, SYMBOLS)
}

/** A dictionary of at most `maxBytes`, made of many samples; null if the trainer finds too little to learn from. */
export function trainDictionary(library: ZstdLibrary, samples: readonly Buffer[], maxBytes: number): Buffer | null {
  const sizes = new SizeList(samples)
  const joined = Buffer.concat(samples)
  if (joined.length === 0) return null
  const dictionary = Buffer.alloc(maxBytes)
  const length = library.ZDICT_trainFromBuffer(dictionary, maxBytes, joined, sizes.words, samples.length)
  return library.ZDICT_isError(length) !== 0 ? null : dictionary.subarray(0, Number(length))
}

/** An array of size_t. */
class SizeList {
  readonly words: Uint32Array

  constructor(samples: readonly Buffer[]) {
    this.words = new Uint32Array(samples.length * 2)
    const cell = new SizeCell()
    samples.forEach((sample, index) => {
      cell.value = sample.length
      this.words.set(cell.words, index * 2)
    })
  }
}

function systemZstd(): Engine | MissingEngine {
  const named = {
    codec: 'zstd',
    name: 'system',
    summary: 'libzstd of the system through FFI, contexts kept between calls',
  } as const
  const library = loadZstdLibrary()
  if (typeof library === 'string') return { ...named, missing: library }
  const engine: Engine = {
    ...named,
    version: `libzstd ${dotted(library.ZSTD_versionNumber())}`,
    range: { min: MIN_LEVEL, max: MAX_LEVEL },
    levels: LEVELS,
    quickLevels: QUICK_LEVELS,
    defaultLevel: DEFAULT_LEVEL,
    open(level) {
      assertLevel(engine, level)
      return new SystemZstd(library, level!, null)
    },
  }
  return engine
}

export function zstdEngines(load: LoadPackage): readonly (Engine | MissingEngine)[] {
  return [node, bun, zstdNapi(load), systemZstd()]
}
