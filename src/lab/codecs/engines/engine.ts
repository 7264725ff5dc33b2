/**
 * What the codec lab measures: an engine is one implementation of one codec, with the levels it takes.
 *
 * What must hold: `compress` gives exactly what stands behind the header of a record batch, framed as Kafka's clients
 * frame it, so that any consumer reads it whatever engine wrote it. Engines are for trusted data: they check no limits
 * beyond the size they are told.
 */
export const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
export type CodecLabel = (typeof CODECS)[number]

/** Compression at one level, opened once and used for many batches. */
export interface Transform {
  /** May be a view that is valid until the next call. */
  compress(plain: Buffer): Buffer
  /** May be a view that is valid until the next call. What comes out is never longer than `maxBytes`. */
  decompress(packed: Buffer, maxBytes: number): Buffer
  /** Gives back what lives outside of the collected heap. */
  close(): void
}

export interface LevelRange {
  readonly min: number
  readonly max: number
}

export interface Engine {
  readonly codec: CodecLabel
  readonly name: string
  /** What it is, in one line. */
  readonly summary: string
  /** The library it comes from: `libzstd 1.5.4`. */
  readonly version: string
  /** Null: the engine has no levels. */
  readonly range: LevelRange | null
  /** Levels within the range that do something else than they say. */
  readonly unusable?: readonly number[]
  /** The levels worth measuring, the engine's default among them; for a codec without levels just `null`. */
  readonly levels: readonly (number | null)[]
  readonly quickLevels: readonly (number | null)[]
  readonly defaultLevel: number | null
  open(level: number | null): Transform
}

/** What a codec without levels says of them. */
export const WITHOUT_LEVELS = { range: null, levels: [null], quickLevels: [null], defaultLevel: null } as const

/** An engine that cannot be used here, and why. */
export interface MissingEngine {
  readonly codec: CodecLabel
  readonly name: string
  readonly summary: string
  readonly missing: string
}

export function isMissing(engine: Engine | MissingEngine): engine is MissingEngine {
  return 'missing' in engine
}

/** `zstd/bun`, as --list prints it and --codec takes it. */
export function engineId(engine: Pick<Engine, 'codec' | 'name'>): string {
  return `${engine.codec}/${engine.name}`
}

export const RUNTIME = `Bun ${Bun.version}`

/** Engines that keep nothing between calls need no closing. */
export function stateless(transform: Omit<Transform, 'close'>): Transform {
  return { ...transform, close: () => undefined }
}

export function takesLevel(engine: Pick<Engine, 'range' | 'unusable'>, level: number | null): boolean {
  const { range } = engine
  if (range === null || level === null) return range === level
  return level >= range.min && level <= range.max && engine.unusable?.includes(level) !== true
}

export function assertLevel(engine: Pick<Engine, 'codec' | 'name' | 'range' | 'unusable'>, level: number | null): void {
  if (!takesLevel(engine, level)) throw new Error(`${engineId(engine)} has no level ${level}`)
}
