// Where the jars of a real Kafka are, for the tests that compare with it.

import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'

export const REPOSITORY = join(import.meta.dir, '../..')

/** Downloads and builds of the tests; not in git. */
export const CACHE = join(REPOSITORY, '.cache')

const LOCAL_COPY = join(CACHE, 'kafka-libs')

/** The folder with Kafka's jars, or null when there is none on this machine. */
export function kafkaJars(): string | null {
  const folder = process.env.SAMSA_KAFKA_LIBS || LOCAL_COPY
  return existsSync(folder) ? folder : null
}

const JAVA_LEFTOVERS_MS = 60 * 60 * 1000
let javaFolder: string | null = null

/** Has a JVM unpack its native libraries out of the way: one that is halted leaves them, a later run removes them. */
export function javaTemporaryOption(): string {
  if (javaFolder === null) {
    javaFolder = join(CACHE, 'java-temporary')
    mkdirSync(javaFolder, { recursive: true })
    for (const name of readdirSync(javaFolder)) {
      const path = join(javaFolder, name)
      const stat = statSync(path, { throwIfNoEntry: false })
      if (stat !== undefined && stat.mtimeMs < Date.now() - JAVA_LEFTOVERS_MS)
        rmSync(path, { recursive: true, force: true })
    }
  }
  return `-Djava.io.tmpdir=${javaFolder}`
}

/** Whether a missing jar or client is a failure of the test run rather than a reason to skip. */
export function interopRequired(): boolean {
  return process.env.SAMSA_REQUIRE_INTEROP === '1'
}

/**
 * The jars, or null after saying why the tests that need them are skipped. Throws where the run must not skip
 * (SAMSA_REQUIRE_INTEROP=1).
 */
export function kafkaJarsOrSkip(what: string): string | null {
  const folder = kafkaJars()
  if (folder !== null) return folder
  const reason = `${what}: no Kafka jars (set SAMSA_KAFKA_LIBS, or put them into .cache/kafka-libs)`
  if (interopRequired()) throw new Error(reason)
  console.warn(`skipped: ${reason}`)
  return null
}
