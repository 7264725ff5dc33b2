/**
 * `samsa/testing`: the broker as a program of its own, for tests in processes that cannot hold one (Node, and everything that vitest and jest
 * run). Started on a free port, with nothing on disk; the ready line says where it listens.
 *
 * What must hold: the broker ends with `stop`, and at the latest with the process that started it; a broker that nobody stops does not keep
 * that process alive.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** How the program is to be started; everything has a default. */
export interface SamsaOptions {
  /** Keeps the data here, as Kafka's files. Without it everything is in memory. */
  readonly dataDirectory?: string
  /** Of the loopback interface. A free one unless given. */
  readonly port?: number
  /** Kafka's broker properties. Internal topics have one partition unless given. */
  readonly config?: Readonly<Record<string, string>>
  /** The program and its first arguments. The one of this package unless given, which needs Bun: as the package `bun`, or on the PATH. */
  readonly command?: readonly string[]
  /** For the start, milliseconds. 30,000 unless given. */
  readonly timeoutMs?: number
  /** Gets every line that the broker logs, at `info` and above. */
  readonly onLog?: (line: string) => void
}

/** A broker that runs in a process of its own. `await using` stops it. */
export interface SamsaProcess extends AsyncDisposable {
  /** For `bootstrap.servers`: `127.0.0.1:40123`. */
  readonly bootstrap: string
  /** The address that it listens on. */
  readonly host: string
  /** The port that it listens on. */
  readonly port: number
  /** Ends the broker and resolves when it has ended. Again: the same. */
  stop(): Promise<void>
}

const DEFAULT_TIMEOUT_MS = 30_000
/** A broker that has not ended by then is killed. */
const STOP_TIMEOUT_MS = 10_000
/** Of what the program said before it ended, for the error. */
const LAST_LINES = 20
const READY = / ready on (\S+):(\d+) /
const DEFAULTS: Readonly<Record<string, string>> = {
  'offsets.topic.num.partitions': '1',
  'transaction.state.log.num.partitions': '1',
  'share.coordinator.state.topic.num.partitions': '1',
}

/** Resolves when clients can connect. Rejects with what the program said if it ends before, or is not ready in time. */
export async function startSamsa(options: SamsaOptions = {}): Promise<SamsaProcess> {
  const [program = '', ...first] = options.command ?? ownCommand()
  const child = spawn(program, [...first, ...serveArguments(options)], { stdio: ['ignore', 'pipe', 'pipe'] })
  const endWithProcess = (): void => void child.kill()
  process.once('exit', endWithProcess)
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, signal) => resolve(`it ended with ${signal ?? `code ${code}`}`))
  }).finally(() => process.off('exit', endWithProcess))
  const lines: string[] = []
  createInterface({ input: child.stderr }).on('line', (line) => {
    options.onLog?.(line)
    lines.push(line)
    if (lines.length > LAST_LINES) lines.shift()
  })
  const ready = await readiness(child, ended, options.timeoutMs ?? DEFAULT_TIMEOUT_MS)
  if (typeof ready === 'string') {
    await stopped(child, ended)
    throw new Error([`the broker did not start: ${ready}`, ...lines].join('\n'))
  }
  letGo(child)
  const stop = (): Promise<void> => stopped(child, ended)
  return { ...ready, bootstrap: `${ready.host}:${ready.port}`, stop, [Symbol.asyncDispose]: stop }
}

/** The launcher beside this file in the source, or where the package has it. */
function ownCommand(): string[] {
  const places = ['./cli/launcher.js', '../../src/cli/launcher.js']
  const launcher = places
    .map((place) => fileURLToPath(new URL(place, import.meta.url)))
    .find((path) => existsSync(path))
  if (launcher === undefined) throw new Error('the program samsa is not in this package: name it with `command`')
  return [process.execPath, launcher]
}

function serveArguments({ port = 0, dataDirectory, config = {} }: SamsaOptions): string[] {
  const data = dataDirectory === undefined ? ['--storage', 'memory'] : ['--data', dataDirectory]
  const settings = Object.entries({ ...DEFAULTS, ...config }).flatMap(([name, value]) => ['--set', `${name}=${value}`])
  return ['serve', '--listen', `127.0.0.1:${port}`, '--http', 'off', ...data, ...settings]
}

/** Where it listens, or why it does not. */
function readiness(
  { stdout }: ChildProcess,
  ended: Promise<string>,
  timeoutMs: number,
): Promise<{ readonly host: string; readonly port: number } | string> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(`it was not ready within ${timeoutMs} ms`), timeoutMs)
    const settle = (result: { readonly host: string; readonly port: number } | string): void => {
      clearTimeout(timer)
      resolve(result)
    }
    void ended.then(settle)
    createInterface({ input: stdout! }).on('line', (line) => {
      const [, host, port] = READY.exec(line) ?? []
      if (host !== undefined) settle({ host, port: Number(port) })
    })
  })
}

/** The process may end while the broker runs; the broker ends then, too. */
function letGo(child: ChildProcess): void {
  child.unref()
  for (const stream of [child.stdout, child.stderr]) {
    if (stream !== null && 'unref' in stream && typeof stream.unref === 'function') stream.unref()
  }
}

async function stopped(child: ChildProcess, ended: Promise<string>): Promise<void> {
  child.ref()
  child.kill()
  const timer = setTimeout(() => {
    child.kill('SIGKILL')
    // What it has started itself may hold them open.
    child.stdout?.destroy()
    child.stderr?.destroy()
  }, STOP_TIMEOUT_MS)
  await ended
  clearTimeout(timer)
}
