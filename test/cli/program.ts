/** Runs `samsa` as people do: as a process of its own. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { REPOSITORY } from '../support/kafka-jars.ts'

export const SAMSA = [join(REPOSITORY, 'node_modules/.bin/bun'), join(REPOSITORY, 'src/cli/main.ts')]

export interface Ended {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly stdin?: string | Uint8Array
  readonly environment?: Readonly<Record<string, string>>
}

/** Runs to its end. Nothing of the caller's own environment that begins with SAMSA_ gets through, nor their profiles. */
export async function samsa(arguments_: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const child = Bun.spawn([...SAMSA, ...arguments_], {
    stdin: options.stdin === undefined ? 'ignore' : new Blob([options.stdin as string]),
    stdout: 'pipe',
    stderr: 'pipe',
    env: environment(options.environment),
  })
  const [stdout, stderr, exitCode] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
  return { exitCode, stdout, stderr }
}

export function environment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('SAMSA_')) as [string, string][]
  return { ...Object.fromEntries(own), XDG_CONFIG_HOME: '/nonexistent', ...more }
}

/** A folder for the time of one run. */
export async function withFolder<T>(run: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'samsa-cli-'))
  try {
    return await run(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
