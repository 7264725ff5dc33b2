/** All engines, those that are missing here included, and the choice among them. */
import { CODECS, type Engine, engineId, isMissing, type MissingEngine, takesLevel } from './engine.ts'
import { gzipEngines } from './gzip.ts'
import { lz4Engines } from './lz4.ts'
import { none } from './none.ts'
import { snappyEngines } from './snappy.ts'
import { type LoadPackage, zstdEngines } from './zstd.ts'

export * from './engine.ts'

const loadPackage: LoadPackage = (name) => require(name)

export function allEngines(load: LoadPackage = loadPackage): readonly (Engine | MissingEngine)[] {
  return [none, ...gzipEngines, ...snappyEngines, ...lz4Engines(), ...zstdEngines(load)]
}

/** An engine at one level: what one row of the result is about. */
export interface Candidate {
  readonly engine: Engine
  readonly level: number | null
}

/** `zstd/bun 3`, the name of a candidate everywhere. */
export function candidateId({ engine, level }: Candidate): string {
  return level === null ? engineId(engine) : `${engineId(engine)} ${level}`
}

export interface Selection {
  /** Codecs (`zstd`) or engines (`zstd/bun`); none given: all. */
  readonly codecs: readonly string[]
  /** Levels; engines take those they know. None given: those worth measuring. */
  readonly levels: readonly number[]
  readonly quick: boolean
}

export interface Selected {
  readonly candidates: readonly Candidate[]
  readonly missing: readonly MissingEngine[]
}

/** What is to be measured, or a sentence that says what is wrong with the wish. No compression is always among it. */
export function select(engines: readonly (Engine | MissingEngine)[], selection: Selection): Selected | string {
  const unknown = selection.codecs.find((wanted) => !engines.some((engine) => matches(engine, wanted)))
  if (unknown !== undefined) {
    const known = [...CODECS, ...engines.map(engineId)].join(', ')
    return `there is no codec or engine '${unknown}'; there are ${known}`
  }
  const wanted = engines.filter(
    (engine) =>
      engine.codec === 'none' ||
      selection.codecs.length === 0 ||
      selection.codecs.some((name) => matches(engine, name)),
  )
  const candidates: Candidate[] = []
  const missing: MissingEngine[] = []
  for (const engine of wanted) {
    if (isMissing(engine)) missing.push(engine)
    else candidates.push(...levelsOf(engine, selection).map((level) => ({ engine, level })))
  }
  if (candidates.every(({ engine }) => engine.codec === 'none') && selection.codecs.some((name) => name !== 'none')) {
    const reasons = missing.map((engine) => `${engineId(engine)}: ${engine.missing}`).join('; ')
    return missing.length > 0
      ? `nothing to measure (${reasons})`
      : `no chosen engine knows level ${selection.levels.join(', ')}`
  }
  return { candidates, missing }
}

function matches(engine: Pick<Engine, 'codec' | 'name'>, wanted: string): boolean {
  return wanted === engine.codec || wanted === engineId(engine)
}

function levelsOf(engine: Engine, selection: Selection): readonly (number | null)[] {
  if (engine.range === null) return engine.levels
  if (selection.levels.length === 0) return selection.quick ? engine.quickLevels : engine.levels
  return selection.levels.filter((level) => takesLevel(engine, level))
}
