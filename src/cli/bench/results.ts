/** Files that a run leaves: --json and --html. */
import { mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type OmbResult, ombResult } from '../../lab/broker/omb.ts'
import { roundsOf } from '../../lab/broker/statistics.ts'
import type { Summary } from '../../lab/broker/summary.ts'
import { renderHtml } from '../../lab/report/html.ts'
import type { Report } from '../../lab/report/report.ts'

export async function writeResults(
  options: { readonly json?: string; readonly html?: string },
  summary: Summary,
  report: Report,
): Promise<void> {
  if (options.json !== undefined) await writeJson(options.json, summary)
  if (options.html !== undefined) await Bun.write(options.html, renderHtml(report))
}

/** A file gets the list of all results; a folder one file for each, as the OpenMessaging Benchmark writes them. */
async function writeJson(path: string, summary: Summary): Promise<void> {
  const results: { name: string; result: OmbResult }[] = []
  for (const workload of summary.workloads) {
    for (const target of summary.targets) {
      const rounds = roundsOf(summary.rounds, workload, target)
      if (rounds.length === 0) continue
      const { durability, name: driver } = target
      const result = ombResult(workload, rounds, { environment: summary.environment, durability })
      results.push({ name: `${workload.name}-${driver.replaceAll(/[^A-Za-z0-9.-]+/g, '-')}.json`, result })
    }
  }
  const isFolder = path.endsWith('/') || statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
  if (!isFolder) {
    await Bun.write(
      path,
      `${JSON.stringify(
        results.map(({ result }) => result),
        null,
        2,
      )}\n`,
    )
    return
  }
  mkdirSync(path, { recursive: true })
  for (const { name, result } of results) await Bun.write(join(path, name), `${JSON.stringify(result, null, 2)}\n`)
}
