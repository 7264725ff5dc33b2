/** `samsa lab io`: its options, its progress, where its result goes. What it measures is in src/lab/io/. */
import { accessSync, constants, existsSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import type { Method } from '../../lab/io/method.ts'
import type { LabResult } from '../../lab/io/report.ts'
import { formatBytes } from '../../lab/report/report.ts'
import { CliError, usageError } from '../errors.ts'
import { positiveInteger } from '../options.ts'
import { note, Progress, print, printJson, table, wantsColour } from '../output.ts'
import { selfCommand } from '../self.ts'

const MIB = 1024 * 1024

const DEFAULTS = {
  sizeBytes: 256 * MIB,
  blocks: [4, 16, 64, 256, 1024].map((kib) => kib * 1024),
  rounds: 3,
  secondsPerRun: 1,
}

const QUICK = {
  sizeBytes: 64 * MIB,
  blocks: [16, 1024].map((kib) => kib * 1024),
  rounds: 1,
  secondsPerRun: 0.3,
}

const SMALLEST_BLOCK_BYTES = 512
const LARGEST_BLOCK_BYTES = 64 * MIB
const BLOCKS_MAX = 16
const ROUNDS_MAX = 100

const HELP = `
Files are made only in a fresh folder inside of --path, and removed however the run ends. Twice --size must be free.
A method that this machine or file system refuses says so in its row. --list shows them all; '*' stands for anything.

Examples:
  samsa lab io --path /var/lib/samsa                      everything, a few minutes
  samsa lab io --path /var/lib/samsa --quick              a first impression, half a minute
  samsa lab io --path . --method 'write*,fdatasync' --block 16KiB,1MiB --html io.html
  samsa lab io --path . --quick --json - | jq .reading`

interface IoOptions {
  readonly path?: string
  readonly size?: number
  readonly block?: readonly number[]
  readonly method?: readonly string[]
  readonly rounds?: number
  readonly seconds?: number
  readonly quick?: boolean
  readonly list?: boolean
  readonly details?: boolean
  readonly json?: string
  readonly html?: string
}

export function ioCommand(): Command {
  return new Command('io')
    .summary('measure sequential reading, writing and syncing on a disk')
    .description('Measure sequential reading, writing and syncing on a disk, and what follows for a broker on it.')
    .addOption(new Option('--path <dir>', 'folder on the disk to measure'))
    .addOption(
      new Option('--size <bytes>', `length of the files ${defaults(({ sizeBytes }) => compact(sizeBytes))}`).argParser(
        byteSize,
      ),
    )
    .addOption(
      new Option(
        '--block <list>',
        `block sizes, comma separated ${defaults(({ blocks }) => blocks.map(compact).join(','))}`,
      ).argParser(blockSizes),
    )
    .addOption(new Option('--method <list>', 'methods, comma separated (default: all)').argParser(words))
    .addOption(
      new Option(
        '--rounds <n>',
        `rounds; the median of them counts ${defaults(({ rounds }) => String(rounds))}`,
      ).argParser(roundCount),
    )
    .addOption(
      new Option(
        '--seconds <n>',
        `most seconds per run of a method ${defaults(({ secondsPerRun }) => String(secondsPerRun))}`,
      ).argParser(seconds),
    )
    .option('--quick', 'small files, two block sizes, one round')
    .option('--list', 'list the methods and end')
    .option('--details', 'print all figures, not only the throughput')
    .addOption(new Option('--json <file>', 'write the result as JSON; - is stdout, instead of the tables'))
    .addOption(new Option('--html <file>', 'write a report with charts, one file that needs nothing else'))
    .addHelpText('after', HELP)
    .action(runIo)
}

/** Not left to the parser: --quick decides which of the two holds. */
function defaults(of: (settings: typeof DEFAULTS) => string): string {
  return `(default: ${of(DEFAULTS)}, quick ${of(QUICK)})`
}

/** 256MiB */
function compact(bytes: number): string {
  return formatBytes(bytes).replace(' ', '')
}

async function runIo(options: IoOptions): Promise<void> {
  const { METHODS } = await import('../../lab/io/methods/index.ts')
  const methods = chosenMethods(METHODS, options.method)
  if (options.list === true) {
    await print(
      table(
        ['METHOD', 'KIND', 'DOES'],
        methods.map(({ name, direction, does }) => [name, direction, does]),
      ),
    )
    return
  }
  if (options.path === undefined) throw usageError('--path is missing: which disk is to be measured?')
  checkWritable('--html', options.html)
  checkWritable('--json', options.json === '-' ? undefined : options.json)
  const result = await measure(options.path, methods, options)
  await show(result, options)
}

/** The other end of the `send-` methods, as a process of its own. */
export function ioSinkCommand(): Command {
  return new Command('io-sink').description("Takes what 'lab io' sends, and forgets it.").action(async () => {
    const { serveSink } = await import('../../lab/io/sink-process.ts')
    await serveSink()
  })
}

async function measure(path: string, methods: readonly Method[], options: IoOptions): Promise<LabResult> {
  const base = options.quick === true ? QUICK : DEFAULTS
  const blocks = options.block ?? base.blocks
  const sizeBytes = options.size ?? base.sizeBytes
  const settings = {
    sizeBytes,
    rounds: options.rounds ?? base.rounds,
    secondsPerRun: options.seconds ?? base.secondsPerRun,
  }
  const largest = Math.max(...blocks)
  if (sizeBytes < largest) {
    throw usageError(`--size ${formatBytes(sizeBytes)} is less than the largest block, ${formatBytes(largest)}`)
  }
  const [{ runLab }, { readingOf }, { describeEnvironment }] = await Promise.all([
    import('../../lab/io/run.ts'),
    import('../../lab/io/reading.ts'),
    import('../../lab/report/environment.ts'),
  ])
  const interruption = new AbortController()
  const interrupt = (): void => interruption.abort()
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, interrupt)
  const progress = new Progress()
  try {
    const rows = await runLab({
      sinkCommand: [...selfCommand(), 'lab', 'io-sink'],
      path,
      blocks,
      methods,
      ...settings,
      signal: interruption.signal,
      onProgress: (done, total, what) => progress.update(() => `${done}/${total} ${what}`),
    })
    return { settings, environment: describeEnvironment({ path }), rows, reading: readingOf(rows) }
  } catch (error) {
    throw failure(error)
  } finally {
    progress.clear()
    for (const signal of signals) process.off(signal, interrupt)
  }
}

/** Before minutes of measuring, not after. */
function checkWritable(option: string, file: string | undefined): void {
  if (file === undefined) return
  try {
    accessSync(existsSync(file) ? file : dirname(resolve(file)), constants.W_OK)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw usageError(`${option} '${file}' cannot be written: ${reason}`)
  }
}

/** What is expected to happen (no room, no folder, Ctrl-C) is one line. */
function failure(error: unknown): unknown {
  if (!(error instanceof Error) || !['Unusable', 'Interrupted'].includes(error.name)) return error
  return new CliError(error.name === 'Interrupted' ? 'interrupted; its files are removed' : error.message)
}

async function show(result: LabResult, options: IoOptions): Promise<void> {
  const { labReport } = await import('../../lab/io/report.ts')
  if (options.html !== undefined) {
    const { renderHtml } = await import('../../lab/report/html.ts')
    writeFileSync(options.html, renderHtml(labReport(result, { details: true })))
    await note(`report: ${options.html}`)
  }
  if (options.json === '-') return printJson(result)
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`)
    await note(`figures: ${options.json}`)
  }
  const { renderText } = await import('../../lab/report/text.ts')
  const report = labReport(result, { details: options.details === true })
  await print(renderText(report, { colours: wantsColour(process.stdout) }))
}

function chosenMethods(methods: readonly Method[], wanted: readonly string[] | undefined): readonly Method[] {
  if (wanted === undefined) return methods
  for (const word of wanted) {
    if (!methods.some(({ name }) => matches(name, word))) {
      throw usageError(`there is no method '${word}'; see 'samsa lab io --list'`)
    }
  }
  return methods.filter(({ name }) => wanted.some((word) => matches(name, word)))
}

function matches(name: string, word: string): boolean {
  const parts = word.split('*').map((part) => part.replaceAll(/[^\w-]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`).test(name)
}

function words(text: string): string[] {
  const parts = text.split(',').map((part) => part.trim())
  if (parts.includes('')) throw new InvalidArgumentError('It must be a list of names, comma separated.')
  return parts
}

const UNITS: Readonly<Record<string, number>> = { '': 1, b: 1, k: 1024, m: MIB, g: 1024 * MIB, t: MIB * MIB }

/** 4096, 64k, 1MiB, 2G; always powers of 1024. */
function byteSize(text: string): number {
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?) ?(b|[kmgt](?:i?b)?)?$/i.exec(text.trim()) ?? []
  const bytes = Number(digits) * (UNITS[unit.slice(0, 1).toLowerCase()] ?? Number.NaN)
  if (!Number.isSafeInteger(bytes) || bytes < 1) {
    throw new InvalidArgumentError('It must be a number of bytes, such as 65536, 64KiB, 256MiB or 4GiB.')
  }
  return bytes
}

function blockSizes(text: string): number[] {
  const sizes = [...new Set(text.split(',').map(byteSize))].toSorted((a, b) => a - b)
  if (sizes.length > BLOCKS_MAX) throw new InvalidArgumentError(`At most ${BLOCKS_MAX} block sizes.`)
  for (const bytes of sizes) {
    if (bytes < SMALLEST_BLOCK_BYTES || bytes > LARGEST_BLOCK_BYTES) {
      throw new InvalidArgumentError(
        `A block has ${formatBytes(SMALLEST_BLOCK_BYTES)} to ${formatBytes(LARGEST_BLOCK_BYTES)}.`,
      )
    }
  }
  return sizes
}

function roundCount(text: string): number {
  const count = positiveInteger(text)
  if (count > ROUNDS_MAX) throw new InvalidArgumentError(`At most ${ROUNDS_MAX}.`)
  return count
}

function seconds(text: string): number {
  const value = Number(text)
  if (!/^\d*\.?\d+$/.test(text) || !(value > 0)) throw new InvalidArgumentError('It must be a number above 0.')
  return value
}
