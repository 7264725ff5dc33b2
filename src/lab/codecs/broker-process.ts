/**
 * A broker of the lab's own: a process with a temporary folder, on a free port, that goes away with its data. It is the only
 * one of its kind, so unlike the targets of the benchmark it is known to be ready by what it prints.
 *
 * What must hold: whoever starts one ends it, also on the way out of an error; the folder is gone after `stop`.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { HostPort } from '../../client/address.ts'
import { cpuSecondsOf } from '../broker/target.ts'

export interface BrokerProcess {
  readonly address: HostPort
  readonly dataDirectory: string
  /** CPU time of all its threads so far; NaN where the system does not tell. */
  cpuSeconds(): number
  stop(): Promise<void>
}

const START_TIMEOUT_MS = 20_000
const STOP_TIMEOUT_MS = 10_000

/** `command` starts a broker; the options that make it the lab's own are added. */
export async function startBroker(command: readonly string[]): Promise<BrokerProcess> {
  const dataDirectory = mkdtempSync(join(tmpdir(), 'samsa-lab-codecs-'))
  const own = ['--listen', '127.0.0.1:0', '--http', 'off', '--data', dataDirectory]
  const child = Bun.spawn([...command, ...own], { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await child.exited
    clearTimeout(timer)
    rmSync(dataDirectory, { recursive: true, force: true })
  }
  // Read to its end, so that a broker that logs much is not held up.
  const errors = new Response(child.stderr).text()
  const timer = setTimeout(() => child.kill('SIGKILL'), START_TIMEOUT_MS)
  try {
    const address = await readyAddress(child.stdout)
    if (address === null) throw new Error(`the lab's broker did not start: ${lastLine(await errors)}`)
    return { address, dataDirectory, cpuSeconds: () => cpuSeconds(child.pid), stop }
  } catch (error) {
    await stop()
    throw error
  } finally {
    clearTimeout(timer)
  }
}

/** From the line that a broker prints when it is ready; null if it ends without one. Output after it is drained. */
async function readyAddress(stdout: ReadableStream<Uint8Array>): Promise<HostPort | null> {
  const reader = stdout.getReader()
  const decoder = new TextDecoder()
  let text = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return null
    text += decoder.decode(value, { stream: true })
    const match = / ready on (\S+):(\d+)\b/.exec(text)
    if (match === null) continue
    void drain(reader)
    return { host: match[1]!, port: Number(match[2]) }
  }
}

async function drain(reader: { read(): Promise<{ done: boolean }> }): Promise<void> {
  while (!(await reader.read()).done);
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? ''
}

function cpuSeconds(pid: number): number {
  try {
    return cpuSecondsOf(pid)
  } catch {
    return Number.NaN // no /proc here, or the process is gone
  }
}
