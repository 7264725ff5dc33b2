// Which outside programs the interop tests can use here, and how a test says what it needs.
// A missing program skips the test and prints why; with SAMSA_REQUIRE_INTEROP=1 (continuous integration) it fails it instead.
import { describe, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { CACHE, interopRequired, javaTemporaryOption, kafkaJars, REPOSITORY } from './kafka-jars.ts'
import { nodeProgram } from './node-program.ts'

export const CLIENTS = join(REPOSITORY, 'test/interop/clients')
export const PYTHON = join(CACHE, 'venv/bin/python')
export const GO_CLIENTS = join(CACHE, 'go-clients')

export type Requirement = 'kcat' | 'java' | 'python' | 'go' | 'node'

function onPath(program: string): string | null {
  return Bun.which(program)
}

function goClientsProblem(): string | null {
  const built = ['franz', 'sarama'].map((name) => join(GO_CLIENTS, name))
  if (!built.every(existsSync)) return 'the Go client programs are not built'
  const oldest = Math.min(...built.map((path) => statSync(path).mtimeMs))
  const sources = readdirSync(join(CLIENTS, 'go'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
  const stale = sources.some((path) => statSync(path).mtimeMs > oldest)
  return stale ? 'the Go client programs are older than their sources' : null
}

const PROBLEMS: Record<Requirement, () => string | null> = {
  kcat: () => (onPath('kcat') ? null : 'kcat is not installed'),
  java: () => {
    if (!onPath('java') || !onPath('javac')) return 'there is no JDK'
    return kafkaJars() === null ? "Kafka's jars are not in .cache/kafka-libs" : null
  },
  python: () => (existsSync(PYTHON) ? null : 'the Python clients are not in .cache/venv'),
  go: goClientsProblem,
  node: () => (nodeProgram() === null ? 'there is no Node 22.18 or later' : null),
}

/** Why these requirements are not met, or null when they are. */
export function missing(requirements: readonly Requirement[]): string | null {
  const problems = [...new Set(requirements)].map((each) => PROBLEMS[each]()).filter((problem) => problem !== null)
  return problems.length === 0 ? null : `${problems.join(', ')} (.ci/install-interop installs it)`
}

export interface InteropTestOptions {
  timeoutMs?: number
  /** Runs beside the other concurrent tests of its file: for those that mostly wait for clients. */
  concurrent?: boolean
}

const DEFAULT_TIMEOUT_MS = 180_000

/** A test that needs outside programs: skipped with a printed reason where they are missing, failed where they are required. */
export function interopTest(
  name: string,
  requirements: readonly Requirement[],
  run: () => Promise<void>,
  options: InteropTestOptions = {},
): void {
  const problem = missing(requirements)
  if (problem === null) {
    const declare = options.concurrent ? test.concurrent : test
    declare(name, run, options.timeoutMs ?? DEFAULT_TIMEOUT_MS)
  } else if (interopRequired()) {
    test(name, () => {
      throw new Error(`missing: ${problem}`)
    })
  } else {
    test.skip(`${name} [skipped: ${problem}]`, () => {})
  }
}

/** A group of tests with shared setup that needs outside programs; the same rules as `interopTest`, for the group as one. */
export function interopDescribe(name: string, requirements: readonly Requirement[], body: () => void): void {
  if (missing(requirements) === null) describe(name, body)
  else interopTest(name, requirements, async () => {})
}

/** Compiles the Java programs once per state of their sources and answers the class path that runs them. */
export function javaClassPath(): string {
  const jars = kafkaJars()
  if (jars === null) throw new Error("Kafka's jars are missing")
  const folder = join(CLIENTS, 'java')
  const sources = readdirSync(folder)
    .filter((name) => name.endsWith('.java'))
    .map((name) => join(folder, name))
  const hash = createHash('sha256')
  for (const path of sources) hash.update(readFileSync(path))
  const classes = join(CACHE, 'java-clients', hash.digest('hex').slice(0, 16))
  if (!existsSync(classes)) {
    // Other processes may compile the same now: each does so in a folder of its own, and the first to be ready gives it the name.
    const own = `${classes}.${process.pid}`
    mkdirSync(own, { recursive: true })
    const compiled = Bun.spawnSync(['javac', '-cp', `${jars}/*`, '-d', own, ...sources])
    if (compiled.exitCode !== 0) throw new Error(`javac: ${compiled.stderr.toString()}`)
    try {
      renameSync(own, classes)
    } catch (error) {
      rmSync(own, { recursive: true, force: true })
      if (!existsSync(classes)) throw error
    }
  }
  return `${classes}:${jars}/*`
}

/** The Java command for short-lived programs: small heap, quick start. */
export function javaCommand(mainClass: string, ...args: string[]): string[] {
  const options = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto']
  return ['java', ...options, javaTemporaryOption(), '-cp', javaClassPath(), mainClass, ...args]
}
