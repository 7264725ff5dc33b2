// Runs sequences of commands against a real Kafka and against Samsa, step by step side by side, and answers what the two printed.
//
// Each side has a JVM of its own for the tools. A step begins when the one before it has ended on both sides.
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deepEquals } from 'bun'
import type { BrokerSettings, BrokerTarget } from '../../support/broker-target.ts'
import { startKafka } from '../../support/kafka-process.ts'
import { startSamsa } from '../../support/samsa-process.ts'
import { isTool, type RunningTool, type ToolName, type ToolResult, ToolRunner } from '../../support/tool-runner.ts'
import { DELIBERATE, type Deliberate } from './deliberate.ts'
import { normalise, type Printed } from './normalise.ts'
import { type Command, type Copying, type Ending, type Living, mayRunAgain, type Sequence, words } from './sequence.ts'

const AGREE_MS = 90_000
const POLL_MS = 100
/** A command that has not ended by then never will. */
const COMMAND_MS = 180_000

export interface Compared {
  readonly command: string
  readonly kafka: Printed
  readonly samsa: Printed
  /** What was left out of both, and whether it differed. */
  readonly deliberate: (Deliberate & { readonly differed: boolean }) | null
}

interface Side {
  readonly target: BrokerTarget
  readonly tools: ToolRunner
  readonly kept: Map<string, string>
  readonly living: Map<string, RunningTool>
}

export class Comparison {
  readonly #sides: readonly [kafka: Side, samsa: Side]

  private constructor(sides: readonly [Side, Side]) {
    this.#sides = sides
  }

  static async start(settings: BrokerSettings): Promise<Comparison> {
    const targets = await Promise.all([startKafka(settings), startCandidate(settings)])
    const side = (target: BrokerTarget): Side => ({
      target,
      tools: new ToolRunner(),
      kept: new Map(),
      living: new Map(),
    })
    return new Comparison([side(targets[0]), side(targets[1])])
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.#sides.map(async ({ tools, target }) => {
        await tools.close()
        await target.stop()
      }),
    )
  }

  async run(sequence: Sequence): Promise<Compared[]> {
    const files = mkdtempSync(join(tmpdir(), 'samsa-programs-'))
    try {
      for (const [name, content] of Object.entries(sequence.files ?? {})) {
        writeFileSync(join(files, name), typeof content === 'string' ? content : JSON.stringify(content))
      }
      const compared: Compared[] = []
      for (const step of sequence.steps) {
        if (typeof step === 'object' && 'start' in step) this.#begin(step, files)
        else if (typeof step === 'object' && 'copy' in step) this.#copy(step, files)
        else if (typeof step === 'object' && 'stop' in step) compared.push(await this.#end(step, files))
        else compared.push(await this.#compare(typeof step === 'string' ? { run: step } : step, files))
      }
      return compared
    } finally {
      for (const { living } of this.#sides) {
        for (const tool of living.values()) tool.stop()
        living.clear()
      }
      rmSync(files, { recursive: true, force: true })
    }
  }

  #begin({ start, as }: Living, files: string): void {
    for (const side of this.#sides) {
      const [tool, ...args] = argumentsOf({ run: start }, side, files)
      const started = side.tools.start(named(tool), args)
      // One that nobody ends goes with its JVM.
      started.ended.catch(() => {})
      side.living.set(as, started)
    }
  }

  #copy({ copy }: Copying, files: string): void {
    for (const { target } of this.#sides) {
      for (const partition of copy) {
        cpSync(join(target.dataDirectory, partition), join(copied(target, files), partition), { recursive: true })
      }
    }
  }

  async #end({ stop, only }: Ending, files: string): Promise<Compared> {
    const printed = await Promise.all(
      this.#sides.map(async ({ living, target }) => {
        const tool = living.get(stop)
        if (tool === undefined) throw new Error(`${stop} does not run`)
        living.delete(stop)
        tool.stop()
        return reduced(normalise(await tool.ended, target, files), only)
      }),
    )
    const [kafka, samsa] = printed as [Printed, Printed]
    return { command: `stop ${stop}`, kafka, samsa, deliberate: null }
  }

  async #compare(command: Command, files: string): Promise<Compared> {
    const deliberate = command.differs === undefined ? null : (DELIBERATE[command.differs] ?? null)
    if (command.differs !== undefined && deliberate === null) throw new Error(`no such difference: ${command.differs}`)
    const deadline = performance.now() + AGREE_MS
    for (;;) {
      const both = await Promise.all(this.#sides.map((side) => runOn(side, command, files)))
      const [kafka, samsa] = both.map((printed) => comparable(printed, command, deliberate)) as [Printed, Printed]
      const isReady = command.until === undefined || command.until.test((both[0] as Printed).stdout.join('\n'))
      const isLate = performance.now() > deadline
      if (!isReady && isLate) throw new Error(`not in time with Kafka: ${command.run}\n${both[0]?.stdout.join('\n')}`)
      if (isReady && (deepEquals(kafka, samsa) || !mayRunAgain(command) || isLate)) {
        const left = deliberate === null ? null : { ...deliberate, differed: !deepEquals(both[0], both[1]) }
        return { command: command.run, kafka, samsa, deliberate: left }
      }
      await Bun.sleep(POLL_MS)
    }
  }
}

function comparable(printed: Printed, command: Command, deliberate: Deliberate | null): Printed {
  const { exitCode, stdout } = reduced(printed, command.only)
  const stderr = command.errors === undefined ? printed.stderr : command.errors(printed.stderr)
  const kept = (lines: readonly string[]): readonly string[] =>
    deliberate === null ? lines : lines.filter((line) => !deliberate.lines.test(line))
  const ordered = (lines: readonly string[]): readonly string[] =>
    command.anyOrder ? kept(lines).toSorted() : kept(lines)
  return { exitCode, stdout: ordered(stdout), stderr: ordered(stderr) }
}

/** With SAMSA_INTEROP_TARGET=kafka Kafka is compared with itself, which shows what depends on chance. */
function startCandidate(settings: BrokerSettings): Promise<BrokerTarget> {
  return process.env.SAMSA_INTEROP_TARGET === 'kafka' ? startKafka(settings) : startSamsa(settings)
}

async function ended(side: Side, tool: ToolName, args: string[], input: string): Promise<ToolResult> {
  // These have a JVM of their own, and no input.
  if (tool.startsWith('kafka-verifiable-')) return side.tools.run(tool, args)
  const running = side.tools.start(tool, args, input)
  const timer = setTimeout(() => running.stop(), COMMAND_MS)
  const result = await running.ended
  clearTimeout(timer)
  return result
}

async function runOn(side: Side, command: Command, files: string): Promise<Printed> {
  const [tool, ...args] = argumentsOf(command, side, files)
  const result = await ended(side, named(tool), args, command.input ?? '')
  for (const [name, pattern] of Object.entries(command.keep ?? {})) {
    const found = result.stdout.match(pattern)?.[1]
    if (found !== undefined) side.kept.set(name, found)
  }
  return normalise(result, side.target, files)
}

function reduced(printed: Printed, only: Command['only']): Printed {
  return only === undefined ? printed : { ...printed, stdout: [...only(printed.stdout)] }
}

function copied(target: BrokerTarget, files: string): string {
  return join(files, `of-${target.port}`)
}

function argumentsOf(command: Command, side: Side, files: string): [string, ...string[]] {
  const { target, kept } = side
  const known: Record<string, string> = {
    bootstrap: target.bootstrap,
    copied: copied(target, files),
    files,
    ...Object.fromEntries(kept),
  }
  const filled = words(command.run).map((word) => word.replaceAll(/\{(\w+)\}/g, (whole, name) => known[name] ?? whole))
  const [tool, ...args] = filled
  if (tool === undefined) throw new Error('an empty command')
  const isComplete = command.alone === true || command.run.includes('{bootstrap}')
  return [tool, ...(isComplete ? [] : ['--bootstrap-server', target.bootstrap]), ...args]
}

function named(tool: string): ToolName {
  if (!isTool(tool)) throw new Error(`unknown tool: ${tool}`)
  return tool
}
