/**
 * A run: every workload on every target, in rounds that alternate between the targets, so that whatever else the machine
 * does meanwhile meets all of them.
 */
import { type MeasureTimes, measure, type Round } from './measure.ts'
import type { Target } from './target.ts'
import { BenchTopics } from './topics.ts'
import type { Context, Prepared, Workload } from './workload.ts'

export interface RunOptions {
  readonly targets: readonly Target[]
  readonly workloads: readonly Workload[]
  /** Counted rounds on each target. */
  readonly rounds: number
  /** Rounds before them that are not kept: a JVM compiles while it works, and what it does in its first seconds says little. */
  readonly warmupRounds: number
  readonly times: MeasureTimes
  readonly rate: number | null
  /** Begins the names of all topics; unlike that of any other run. */
  readonly prefix: string
  readonly signal: AbortSignal
  readonly onRound: (round: Round, workload: Workload) => Promise<void> | void
  readonly onProgress: (text: string) => void
  /** Something went wrong that changes no figure. */
  readonly onNote: (text: string) => void
}

/** Who goes first changes from round to round. */
export function alternated<T>(targets: readonly T[], round: number): T[] {
  return round % 2 === 0 ? [...targets] : targets.toReversed()
}

export function targetsOf(workload: Workload, targets: readonly Target[]): Target[] {
  return targets.filter(({ kind, dataDirectory }) =>
    kind === 'machine' ? workload.machine : !workload.needsFiles || dataDirectory !== null,
  )
}

export async function run(options: RunOptions): Promise<Round[]> {
  const rounds: Round[] = []
  const topics = new Map(options.targets.map((target) => [target, new BenchTopics(target)]))
  try {
    for (const workload of options.workloads) rounds.push(...(await runWorkload(options, workload, topics)))
    return rounds
  } finally {
    options.onProgress('deleting topics')
    for (const [target, created] of topics) {
      try {
        // A broker of our own goes with its folder, and after Ctrl-C on a terminal it may have gone before us.
        await created.close({ keepTopics: options.signal.aborted && target.dataDirectory !== null })
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        options.onNote(`${target.name} still has topics whose names begin with ${options.prefix}: ${reason}`)
      }
    }
  }
}

async function runWorkload(
  options: RunOptions,
  workload: Workload,
  topics: ReadonlyMap<Target, BenchTopics>,
): Promise<Round[]> {
  const { prefix, signal } = options
  const rate = workload.openLoop ? options.rate : null
  const targets = targetsOf(workload, options.targets)
  if (targets.length === 0) options.onNote(`${workload.name}: left out, it needs a broker that 'compare' has started`)
  const prepared = new Map<Target, Prepared>()
  for (const target of targets) {
    options.onProgress(`${workload.name}: preparing ${target.name}`)
    const context: Context = { target, topics: topics.get(target) ?? new BenchTopics(target), prefix, rate, signal }
    prepared.set(target, await workload.prepare(context))
  }
  const rounds: Round[] = []
  for (let round = -options.warmupRounds; round < options.rounds; round++) {
    for (const target of alternated(targets, round)) {
      const which = round < 0 ? 'warm-up' : `round ${round + 1} of ${options.rounds}`
      options.onProgress(`${workload.name}: ${which}, ${target.name}`)
      const measured = await runRound({ options, workload, target, prepared: prepared.get(target)!, round, rate })
      if (round < 0) continue
      rounds.push(measured)
      await options.onRound(measured, workload)
    }
  }
  // What was made for all rounds of this workload would otherwise lie on the disk until the end of the run.
  for (const created of topics.values()) await created.deleteAll()
  return rounds
}

async function runRound(parts: {
  options: RunOptions
  workload: Workload
  target: Target
  prepared: Prepared
  round: number
  rate: number | null
}): Promise<Round> {
  const { options, workload, target, prepared, round, rate } = parts
  const load = await prepared.load(round)
  try {
    const identity = { workload: workload.name, round, openLoop: rate !== null }
    return await measure({ target, load, times: options.times, signal: options.signal, identity })
  } finally {
    load.stop()
    await prepared.afterRound()
  }
}
