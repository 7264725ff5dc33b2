/** A Node that runs TypeScript as it is: what the client's tests on Node need. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { CACHE } from './kafka-jars.ts'

/** The first version that strips types without being asked to. */
const FIRST_WITH_TYPES = [22, 18] as const

let found: string | null | undefined

/** SAMSA_NODE, the one that .ci/install-interop puts into the cache, or the one of the path; null if none is new enough. */
export function nodeProgram(): string | null {
  if (found !== undefined) return found
  const candidates = [process.env.SAMSA_NODE, join(CACHE, 'node/node_modules/node/bin/node'), Bun.which('node')]
  found =
    candidates.find((path) => path !== undefined && path !== null && existsSync(path) && isNewEnough(path)) ?? null
  return found
}

function isNewEnough(path: string): boolean {
  const { stdout } = Bun.spawnSync([path, '--version'])
  const [major = 0, minor = 0] = stdout.toString().trim().replace(/^v/, '').split('.').map(Number)
  const [firstMajor, firstMinor] = FIRST_WITH_TYPES
  return major > firstMajor || (major === firstMajor && minor >= firstMinor)
}
