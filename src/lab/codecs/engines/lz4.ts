/**
 * LZ4: the broker's own frames around lz4-napi's blocks, lz4-napi's frames, and the C library of the system. The package
 * has only a fast compressor; the levels that `compression.lz4.level` speaks of exist in the C library alone.
 */
import { FFIType } from 'bun:ffi'
import { compressFrameSync, decompressFrameSync } from 'lz4-napi'
import manifest from '../../../../package.json' with { type: 'json' }
import { compress, decompress } from '../../../records/codecs/index.ts'
import { CODEC_LZ4 } from '../../../records/header.ts'
import { assertLevel, type Engine, type MissingEngine, stateless, type Transform, WITHOUT_LEVELS } from './engine.ts'
import { dotted, type Loaded, loadLibrary, pointerOf, Scratch, SizeCell } from './native-library.ts'

const VERSION = `lz4-napi ${manifest.dependencies['lz4-napi']}`

const block: Engine = {
  codec: 'lz4',
  name: 'block',
  summary: "lz4-napi's blocks in frames of the broker's own making: the broker's own",
  version: VERSION,
  ...WITHOUT_LEVELS,
  open: () =>
    stateless({
      compress: (plain) => compress(CODEC_LZ4, plain),
      decompress: (packed, maxBytes) => decompress(CODEC_LZ4, packed, maxBytes),
    }),
}

const frame: Engine = {
  codec: 'lz4',
  name: 'frame',
  summary: 'lz4-napi, its own frames',
  version: VERSION,
  ...WITHOUT_LEVELS,
  open: () =>
    stateless({ compress: (plain) => compressFrameSync(plain), decompress: (packed) => decompressFrameSync(packed) }),
}

const size = FFIType.u64_fast
const SYMBOLS = {
  LZ4_versionNumber: { args: [], returns: 'i32' },
  LZ4F_createCompressionContext: { args: ['ptr', 'u32'], returns: size },
  LZ4F_freeCompressionContext: { args: ['ptr'], returns: size },
  LZ4F_compressBound: { args: [size, 'ptr'], returns: size },
  LZ4F_compressBegin: { args: ['ptr', 'ptr', size, 'ptr'], returns: size },
  LZ4F_compressUpdate: { args: ['ptr', 'ptr', size, 'ptr', size, 'ptr'], returns: size },
  LZ4F_compressEnd: { args: ['ptr', 'ptr', size, 'ptr'], returns: size },
  LZ4F_createDecompressionContext: { args: ['ptr', 'u32'], returns: size },
  LZ4F_freeDecompressionContext: { args: ['ptr'], returns: size },
  LZ4F_decompress: { args: ['ptr', 'ptr', 'ptr', 'ptr', 'ptr', 'ptr'], returns: size },
  LZ4F_isError: { args: [size], returns: 'u32' },
} as const
type Lz4Library = Loaded<typeof SYMBOLS>

const FRAME_API_VERSION = 100
/** Largest header of a frame, LZ4F_HEADER_SIZE_MAX. */
const FRAME_HEADER_BYTES_MAX = 19
/** End mark, and never nothing: an empty array is no address. */
const FRAME_END_BYTES = 16
const BLOCKS_OF_64_KIB = 4
const INDEPENDENT_BLOCKS = 1
const PREFERENCES_BYTES = 56
const BLOCK_BYTES = 64 * 1024

/** LZ4F_preferences_t: as Java clients write frames, independent blocks of 64 KiB without checksums. */
function preferences(level: number): Buffer {
  const bytes = Buffer.alloc(PREFERENCES_BYTES)
  bytes.writeUInt32LE(BLOCKS_OF_64_KIB, 0)
  bytes.writeUInt32LE(INDEPENDENT_BLOCKS, 4)
  bytes.writeInt32LE(level, 32)
  bytes.writeUInt32LE(1, 36) // autoFlush: no copy into a buffer of the context
  return bytes
}

class SystemLz4 implements Transform {
  readonly #library: Lz4Library
  readonly #preferences: Buffer
  readonly #compressor: number
  readonly #decompressor: number
  readonly #packed = new Scratch()
  readonly #plain = new Scratch()
  readonly #produced = new SizeCell()
  readonly #consumed = new SizeCell()

  constructor(library: Lz4Library, level: number) {
    this.#library = library
    this.#preferences = preferences(level)
    const pointer = new SizeCell()
    this.#checked(library.LZ4F_createCompressionContext(pointer.words, FRAME_API_VERSION))
    this.#compressor = pointer.value
    this.#checked(library.LZ4F_createDecompressionContext(pointer.words, FRAME_API_VERSION))
    this.#decompressor = pointer.value
  }

  compress(plain: Buffer): Buffer {
    const library = this.#library
    const capacity =
      FRAME_HEADER_BYTES_MAX + Number(library.LZ4F_compressBound(plain.length, this.#preferences)) + FRAME_END_BYTES
    const target = this.#packed.atLeast(capacity)
    let at = this.#checked(
      library.LZ4F_compressBegin(pointerOf(this.#compressor), target, target.length, this.#preferences),
    )
    const body = target.subarray(at)
    at += this.#checked(
      library.LZ4F_compressUpdate(pointerOf(this.#compressor), body, body.length, plain, plain.length, null),
    )
    const rest = target.subarray(at)
    at += this.#checked(library.LZ4F_compressEnd(pointerOf(this.#compressor), rest, rest.length, null))
    return target.subarray(0, at)
  }

  decompress(packed: Buffer, maxBytes: number): Buffer {
    // With room for a whole block the library decodes into it directly; without, it copies.
    const target = this.#plain.atLeast(maxBytes + BLOCK_BYTES)
    let read = 0
    let written = 0
    for (;;) {
      const from = read === 0 ? packed : packed.subarray(read)
      const to = written === 0 ? target : target.subarray(written)
      this.#produced.value = to.length
      this.#consumed.value = from.length
      const hint = this.#checked(
        this.#library.LZ4F_decompress(
          pointerOf(this.#decompressor),
          to,
          this.#produced.words,
          from,
          this.#consumed.words,
          null,
        ),
      )
      written += this.#produced.value
      read += this.#consumed.value
      if (hint === 0) return target.subarray(0, written)
      if (read === packed.length || written === target.length)
        throw new Error('lz4/system: a frame is cut short or too long')
    }
  }

  close(): void {
    this.#library.LZ4F_freeCompressionContext(pointerOf(this.#compressor))
    this.#library.LZ4F_freeDecompressionContext(pointerOf(this.#decompressor))
  }

  #checked(result: number | bigint): number {
    if (this.#library.LZ4F_isError(result) !== 0) throw new Error('lz4/system: the library reports an error')
    return Number(result)
  }
}

function systemLz4(): Engine | MissingEngine {
  const named = {
    codec: 'lz4',
    name: 'system',
    summary: 'liblz4 of the system through FFI: levels 1-2 fast, 3-12 high compression',
  } as const
  const library = loadLibrary('lz4', 1, SYMBOLS)
  if (typeof library === 'string') return { ...named, missing: library }
  const engine: Engine = {
    ...named,
    version: `liblz4 ${dotted(library.LZ4_versionNumber())}`,
    range: { min: -16, max: 12 },
    levels: [-4, 1, 3, 4, 6, 9, 10, 12],
    quickLevels: [1, 9],
    defaultLevel: 1,
    open(level) {
      assertLevel(engine, level)
      return new SystemLz4(library, level!)
    },
  }
  return engine
}

export function lz4Engines(): readonly (Engine | MissingEngine)[] {
  return [block, frame, systemLz4()]
}
