// Starts a real Samsa process in a folder of its own, on a free port, and removes both afterwards.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrokerSettings, BrokerTarget } from './broker-target.ts'
import { Child } from './child-process.ts'
import { REPOSITORY } from './kafka-jars.ts'

/** Only ends what hangs: on a machine with other work a start that takes a fraction of a second may take very long. */
const START_TIMEOUT_MS = 180_000

export interface SamsaProcess extends BrokerTarget {
  readonly child: Child
}

export interface SamsaOptions {
  settings?: BrokerSettings
  /** A folder that outlives the process; without it a new one that goes with the process. */
  dataDirectory?: string
  arguments?: string[]
}

export async function startSamsaWith(options: SamsaOptions): Promise<SamsaProcess> {
  const dataDirectory = options.dataDirectory ?? mkdtempSync(join(tmpdir(), 'samsa-interop-'))
  const settings = Object.entries(options.settings ?? {}).flatMap(([key, value]) => ['--set', `${key}=${value}`])
  const child = new Child({
    command: [
      join(REPOSITORY, 'node_modules/.bin/bun'),
      join(REPOSITORY, 'src/cli/main.ts'),
      ...['serve', '--listen', '127.0.0.1:0', '--http', 'off', '--data', dataDirectory],
      ...settings,
      ...(options.arguments ?? []),
    ],
  })
  const stop = async (): Promise<void> => {
    await child.stop()
    if (options.dataDirectory === undefined) rmSync(dataDirectory, { recursive: true, force: true })
  }
  try {
    const ready = await child.line((line) => / ready on \S+:\d+/.test(line), START_TIMEOUT_MS)
    const [, host, port] = ready.match(/ ready on (\S+):(\d+)/) as unknown as [string, string, string]
    return { kind: 'samsa', host, port: Number(port), bootstrap: `${host}:${port}`, dataDirectory, child, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

export function startSamsa(settings: BrokerSettings): Promise<SamsaProcess> {
  return startSamsaWith({ settings })
}
