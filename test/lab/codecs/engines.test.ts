/** Engines: what each writes, every other one of its codec reads, and so does the broker. */
import { describe, expect, test } from 'bun:test'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { sectionOf } from '../../../src/lab/codecs/cutting.ts'
import {
  allEngines,
  type Candidate,
  CODECS,
  candidateId,
  engineId,
  isMissing,
  select,
} from '../../../src/lab/codecs/engines/index.ts'
import { codecId, decompress } from '../../../src/records/codecs/index.ts'
import { batchesOf, missingEngine, usableEngines } from './support.ts'

/** One small section, one of several LZ4 blocks, one that does not get smaller. */
const SECTIONS = [
  sectionOf(batchesOf('json', 2_000, 16_384)[0]!),
  sectionOf(batchesOf('logs', 150_000, 1_000_000)[0]!),
  sectionOf(batchesOf('random', 70_000, 1_000_000)[0]!),
]
const LONGEST = Math.max(...SECTIONS.map((section) => section.length))

const CANDIDATES: Candidate[] = usableEngines().flatMap((engine) => engine.levels.map((level) => ({ engine, level })))

describe('every engine and level', () => {
  test.each(CANDIDATES.map((candidate) => [candidateId(candidate), candidate] as const))('%s', (_id, candidate) => {
    const { engine } = candidate
    const writer = engine.open(candidate.level)
    const readers = usableEngines()
      .filter((other) => other.codec === engine.codec)
      .map((other) => other.open(other.defaultLevel))
    for (const section of SECTIONS) {
      const packed = Buffer.from(writer.compress(section))
      for (const reader of readers) expect(reader.decompress(packed, LONGEST).equals(section)).toBe(true)
      const codec = codecId(engine.codec === 'none' ? 'uncompressed' : engine.codec)
      expect(decompress(codec, packed, LONGEST).equals(section)).toBe(true)
    }
    for (const transform of [writer, ...readers]) transform.close()
  })

  test('a higher level makes the records smaller, where it should', () => {
    for (const [id, low, high] of [
      ['zstd/node', -5, 19],
      ['zstd/bun', 1, 19],
      ['gzip/node', 1, 9],
      ['gzip/libdeflate', 1, 12],
    ] as const) {
      const engine = usableEngines().find((candidate) => engineId(candidate) === id)!
      const [fast, small] = [low, high].map((level) => engine.open(level).compress(SECTIONS[1]!).length) as [
        number,
        number,
      ]
      expect(small).toBeLessThan(fast * 0.9)
    }
  })

  test('the defaults are among the levels', () => {
    for (const engine of usableEngines()) {
      expect(engine.levels).toContain(engine.defaultLevel)
      for (const level of engine.quickLevels) expect(engine.levels).toContain(level)
    }
  })

  test('every codec has an engine that needs nothing but the packages', () => {
    expect(new Set(usableEngines().map(({ codec }) => codec))).toEqual(new Set(CODECS))
  })

  test('a level that the engine does not have is refused, -1 of node:zlib among them', () => {
    const node = usableEngines().find((engine) => engineId(engine) === 'zstd/node')!
    expect(() => node.open(23)).toThrow('zstd/node has no level 23')
    expect(() => node.open(-1)).toThrow('zstd/node has no level -1')
  })
})

describe('engines that may be missing', () => {
  const failing = (): never => {
    throw new Error("Cannot find module './build/Release/binding.node' from '/somewhere'\nRequire stack")
  }

  test('a package that does not load says why in one line, without paths', () => {
    const { missing } = missingEngine(allEngines(failing), 'napi')
    expect(missing).toBe(
      "the optional package zstd-napi does not load: Cannot find module './build/Release/binding.node'",
    )
  })

  test('without FFI the libraries of the system are missing', () => {
    process.env.SAMSA_NO_FFI = '1'
    try {
      const missing = allEngines(failing).filter(isMissing)
      expect(missing.map(engineId)).toEqual(['lz4/system', 'zstd/napi', 'zstd/system'])
    } finally {
      delete process.env.SAMSA_NO_FFI
    }
  })

  test('zstd-napi, where it loads, gets the level once and keeps its contexts', () => {
    const levels: number[] = []
    class Compressor {
      setParameters({ compressionLevel }: { compressionLevel: number }): void {
        levels.push(compressionLevel)
      }
      compress(plain: Buffer): Buffer {
        return zstdCompressSync(plain)
      }
    }
    class Decompressor {
      decompress(packed: Buffer): Buffer {
        return zstdDecompressSync(packed)
      }
    }
    const engine = allEngines(() => ({ Compressor, Decompressor })).find(({ name }) => name === 'napi')!
    if (isMissing(engine)) throw new Error(engine.missing)
    const transform = engine.open(7)
    for (const section of SECTIONS) {
      expect(transform.decompress(transform.compress(section), section.length).equals(section)).toBe(true)
    }
    expect(levels).toEqual([7])
  })
})

describe('what is measured', () => {
  const engines = allEngines(() => {
    throw new Error('not here')
  })
  const ids = (codecs: string[], levels: number[], quick = false): string[] => {
    const selected = select(engines, { codecs, levels, quick })
    if (typeof selected === 'string') throw new Error(selected)
    return selected.candidates.map(candidateId)
  }

  test('no compression is always among it, for comparison', () => {
    expect(ids(['zstd/bun'], [3])).toEqual(['none/copy', 'zstd/bun 3'])
    expect(ids(['none'], [])).toEqual(['none/copy'])
  })

  test('a codec means all of its engines; each takes the levels it knows', () => {
    const chosen = ids(['zstd', 'gzip'], [12])
    expect(chosen).toContain('zstd/node 12')
    expect(chosen).toContain('gzip/libdeflate 12')
    expect(chosen).not.toContain('gzip/node 12')
  })

  test('quick measures fewer levels', () => {
    expect(ids([], [], true).length).toBeLessThan(ids([], []).length / 2)
  })

  test('what does not exist is a sentence', () => {
    expect(select(engines, { codecs: ['brotli'], levels: [], quick: false })).toStartWith(
      "there is no codec or engine 'brotli'; there are none, gzip, snappy, lz4, zstd, none/copy, gzip/node",
    )
    expect(select(engines, { codecs: ['gzip'], levels: [44], quick: false })).toBe('no chosen engine knows level 44')
    expect(select(engines, { codecs: ['zstd/napi'], levels: [], quick: false })).toBe(
      'nothing to measure (zstd/napi: the optional package zstd-napi does not load: not here)',
    )
  })
})
