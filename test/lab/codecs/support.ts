/** What the tests of the codec lab share. */
import type { CutBatch } from '../../../src/lab/codecs/cutting.ts'
import { cutBatches } from '../../../src/lab/codecs/cutting.ts'
import {
  allEngines,
  type Engine,
  isMissing,
  type MissingEngine,
  stateless,
  type Transform,
} from '../../../src/lab/codecs/engines/index.ts'
import type { RatedCodec } from '../../../src/lab/codecs/recommend.ts'
import { type SampleName, sampleRecords } from '../../../src/lab/codecs/samples/index.ts'

export function usableEngines(): Engine[] {
  return allEngines().filter((engine): engine is Engine => !isMissing(engine))
}

export function missingEngine(engines: readonly (Engine | MissingEngine)[], name: string): MissingEngine {
  const found = engines.find((engine) => engine.name === name)
  if (found === undefined || !isMissing(found)) throw new Error(`${name} is not missing`)
  return found
}

export function batchesOf(name: SampleName, bytes: number, batchBytes: number): CutBatch[] {
  return cutBatches(sampleRecords(name, 7, bytes), batchBytes)
}

export const IDENTITY: Omit<Transform, 'close'> = {
  compress: (plain) => Buffer.from(plain),
  decompress: (packed) => Buffer.from(packed),
}

/** An engine without levels that does what it is told. */
export function fakeEngine(name: string, transform: Partial<Transform> = {}): Engine {
  return {
    codec: 'zstd',
    name,
    summary: 'made up',
    version: 'none',
    range: null,
    levels: [null],
    quickLevels: [null],
    defaultLevel: null,
    open: () => ({ ...stateless(IDENTITY), ...transform }),
  }
}

/** Figures of a codec, as `codec level: ratio, compress MB/s, decompress MB/s`. */
export function codec(
  name: string,
  level: number | null,
  ratio: number,
  compress: number,
  decompress: number,
): RatedCodec {
  return {
    id: level === null ? `${name}/x` : `${name}/x ${level}`,
    codec: name,
    engine: 'x',
    level,
    ratio,
    compressMbPerSecond: compress,
    decompressMbPerSecond: decompress,
  }
}
