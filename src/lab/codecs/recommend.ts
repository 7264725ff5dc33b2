/**
 * Which codec fits, by rule and from figures alone. The model: one core compresses, the batch crosses the network to the
 * broker and again to the consumer, one core decompresses.
 *
 * - throughput: the rate at which records can flow steadily, which is that of the slowest of the three stages.
 * - balanced: the time a record's batch is under way, which is the sum of the stages. Cores, too, are held that long.
 * - size: the fewest bytes, as long as one core compresses at a rate that can be lived with.
 *
 * Candidates whose goal differs by less than the margins below are as good as each other: the one that costs least CPU wins.
 */
export const GOALS = ['throughput', 'balanced', 'size'] as const
export type Goal = (typeof GOALS)[number]

export interface RatedCodec {
  readonly id: string
  readonly codec: string
  readonly engine: string
  readonly level: number | null
  readonly ratio: number
  readonly compressMbPerSecond: number
  readonly decompressMbPerSecond: number
}

export interface RecommendOptions {
  readonly goal: Goal
  readonly networkMbPerSecond: number
  /** For the goal size: what one core has to compress per second at least. */
  readonly minCompressMbPerSecond: number
}

export interface Recommendation {
  readonly goal: Goal
  readonly networkMbPerSecond: number
  readonly choice: RatedCodec
  readonly reason: string
  /** The choice as a producer's and as a topic's settings. */
  readonly settings: readonly string[]
}

/** Rates of two runs differ by as much. */
const THROUGHPUT_MARGIN = 0.05
const TIME_MARGIN = 0.03
const SIZE_MARGIN = 0.01

/** Milliseconds of CPU per MB of records, both ends together. */
export function cpuMsPerMb({ compressMbPerSecond, decompressMbPerSecond }: RatedCodec): number {
  return 1000 / compressMbPerSecond + 1000 / decompressMbPerSecond
}

/** MB of records per second when all three stages work at once. */
export function streamMbPerSecond(codec: RatedCodec, networkMbPerSecond: number): number {
  return Math.min(codec.compressMbPerSecond, networkMbPerSecond * codec.ratio, codec.decompressMbPerSecond)
}

/** Milliseconds until a MB of records is from producer to consumer, one stage after the other. */
export function underWayMsPerMb(codec: RatedCodec, networkMbPerSecond: number): number {
  return cpuMsPerMb(codec) + 2000 / (networkMbPerSecond * codec.ratio)
}

/** `codecs` holds no compression, too; null if there is nothing to choose from. */
export function recommend(codecs: readonly RatedCodec[], options: RecommendOptions): Recommendation | null {
  const none = codecs.find(({ codec }) => codec === 'none')
  const fit = fitting(codecs, options)
  if (none === undefined || fit.length === 0) return null
  const choice = fit.reduce((best, candidate) => (cpuMsPerMb(candidate) < cpuMsPerMb(best) ? candidate : best))
  return {
    goal: options.goal,
    networkMbPerSecond: options.networkMbPerSecond,
    choice,
    reason: reasonFor(choice, none, codecs, options),
    settings: settingsFor(choice),
  }
}

/** Those that reach the goal as well as any other. */
function fitting(codecs: readonly RatedCodec[], options: RecommendOptions): RatedCodec[] {
  const { networkMbPerSecond: network } = options
  switch (options.goal) {
    case 'throughput': {
      const best = Math.max(...codecs.map((codec) => streamMbPerSecond(codec, network)))
      return codecs.filter((codec) => streamMbPerSecond(codec, network) >= best * (1 - THROUGHPUT_MARGIN))
    }
    case 'balanced': {
      const best = Math.min(...codecs.map((codec) => underWayMsPerMb(codec, network)))
      return codecs.filter((codec) => underWayMsPerMb(codec, network) <= best * (1 + TIME_MARGIN))
    }
    case 'size': {
      const quick = codecs.filter(({ compressMbPerSecond }) => compressMbPerSecond >= options.minCompressMbPerSecond)
      const best = Math.max(...quick.map(({ ratio }) => ratio))
      return quick.filter(({ ratio }) => ratio >= best * (1 - SIZE_MARGIN))
    }
  }
}

const GOAL_WORDS: Readonly<Record<Goal, string>> = {
  throughput: 'the most records per second',
  balanced: 'the shortest way from producer to consumer',
  size: 'the fewest bytes',
}

function reasonFor(
  choice: RatedCodec,
  none: RatedCodec,
  codecs: readonly RatedCodec[],
  options: RecommendOptions,
): string {
  const { goal, networkMbPerSecond: network } = options
  const setting = `with ${figure(network)} MB/s of network and ${GOAL_WORDS[goal]} as the goal`
  if (choice.codec === 'none')
    return `For this data ${setting}, leave compression off: ${whyNot(codecs, none, options)}`
  const costs = `costs ${figure(1000 / choice.compressMbPerSecond)} ms of CPU per MB at the producer and ${figure(1000 / choice.decompressMbPerSecond)} ms at the consumer`
  const saves = `saves ${percent(1 - 1 / choice.ratio)} of disk and network`
  return `For this data, ${setting}, ${nameOf(choice)} ${costs}, and ${saves} (ratio ${choice.ratio.toFixed(2)}). ${effect(choice, none, options)}${alternative(choice, codecs, options)}`
}

function effect(choice: RatedCodec, none: RatedCodec, { goal, networkMbPerSecond: network }: RecommendOptions): string {
  const [rate, plainRate] = [streamMbPerSecond(choice, network), streamMbPerSecond(none, network)]
  const [time, plainTime] = [underWayMsPerMb(choice, network), underWayMsPerMb(none, network)]
  if (goal === 'throughput')
    return `One producer's core can send ${figure(rate)} MB/s of records instead of ${figure(plainRate)}.`
  return `A MB of records is under way for ${figure(time)} ms instead of ${figure(plainTime)} ms uncompressed.`
}

/** What speaks against the neighbours: the smallest one, or the cheapest one if the choice is the smallest. */
function alternative(choice: RatedCodec, codecs: readonly RatedCodec[], options: RecommendOptions): string {
  const others = codecs.filter((other) => other.id !== choice.id && other.codec !== 'none')
  const smaller = others.filter(({ ratio }) => ratio > choice.ratio * (1 + SIZE_MARGIN))
  if (smaller.length > 0) {
    const smallest = smaller.reduce((best, other) => (other.ratio > best.ratio ? other : best))
    const times = cpuMsPerMb(smallest) / cpuMsPerMb(choice)
    return ` ${nameOf(smallest)} would leave ${percent(1 - choice.ratio / smallest.ratio)} fewer bytes for ${figure(times)} times the CPU.`
  }
  const cheaper = others.filter((other) => cpuMsPerMb(other) < cpuMsPerMb(choice) * (1 - THROUGHPUT_MARGIN))
  if (cheaper.length === 0) return ''
  const cheapest = cheaper.reduce((best, other) =>
    underWayMsPerMb(other, options.networkMbPerSecond) < underWayMsPerMb(best, options.networkMbPerSecond)
      ? other
      : best,
  )
  const share = cpuMsPerMb(cheapest) / cpuMsPerMb(choice)
  return ` ${nameOf(cheapest)} would take ${percent(share)} of the CPU and leave ${figure(choice.ratio / cheapest.ratio)} times the bytes.`
}

function whyNot(codecs: readonly RatedCodec[], none: RatedCodec, options: RecommendOptions): string {
  const { networkMbPerSecond: network } = options
  const others = codecs.filter(({ codec }) => codec !== 'none')
  if (others.length === 0) return 'nothing else was measured.'
  const smallest = others.reduce((best, other) => (other.ratio > best.ratio ? other : best))
  if (smallest.ratio < 1 + SIZE_MARGIN) {
    return `no codec makes it smaller (best ratio ${smallest.ratio.toFixed(2)}): it is compressed, encrypted or random already.`
  }
  const quickest = others.reduce((best, other) =>
    underWayMsPerMb(other, network) < underWayMsPerMb(best, network) ? other : best,
  )
  return `${nameOf(quickest)} would save ${percent(1 - 1 / quickest.ratio)} of the bytes, and cost ${figure(cpuMsPerMb(quickest))} ms of CPU per MB where the network it relieves takes ${figure(2000 / network)} ms (and compresses ${figure(quickest.compressMbPerSecond)} MB/s where ${figure(streamMbPerSecond(none, network))} MB/s go through as they are).`
}

/** What Kafka's level settings take; levels of other engines have no setting. */
const LEVEL_SETTINGS: Readonly<Record<string, { readonly min: number; readonly max: number }>> = {
  gzip: { min: 1, max: 9 },
  // Lower ones are the fast compressor, which Java takes for its default.
  lz4: { min: 3, max: 17 },
  zstd: { min: -131_072, max: 22 },
}
/** Java's clients and brokers take it for "the default" and compress fast, not high. */
const JAVA_LZ4_DEFAULT_LEVEL = 9

function settingsFor({ codec, level }: RatedCodec): string[] {
  if (codec === 'none') return ['compression.type=none']
  const settings = [`compression.type=${codec}`]
  const range = LEVEL_SETTINGS[codec]
  if (range === undefined || level === null || level < range.min || level > range.max) return settings
  const stated = codec === 'lz4' && level === JAVA_LZ4_DEFAULT_LEVEL ? level + 1 : level
  return [...settings, `compression.${codec}.level=${stated}`]
}

function nameOf({ codec, engine, level }: RatedCodec): string {
  return level === null ? `${codec} (${engine})` : `${codec} level ${level} (${engine})`
}

function percent(share: number): string {
  const value = share * 100
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} %`
}

function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(2)))
}
