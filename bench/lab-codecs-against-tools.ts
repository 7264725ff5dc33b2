/**
 * The codec lab's figures against those of `zstd -b` and `lz4 -b`: `bun bench/lab-codecs-against-tools.ts`. Tools and lab
 * take turns on the same bytes in the same blocks, so that what else happens on the machine hits both; medians of the
 * rounds are compared. Both tools are Debian packages of their names.
 *
 *   --zstd LEVELS     levels of zstd, comma separated (default 1,3,9; empty: none)
 *   --lz4 LEVELS      levels of lz4 (default 1,9; empty: none)
 *   --block SIZES     block sizes in bytes (default 16384,131072)
 *   --rounds N        counted rounds (default 5)
 *   --sample KIND     json, logs, avro, metrics or random (default json)
 *   --json FILE       all rounds as JSON
 *
 * `zstd -bN -BSIZE -i1` compresses each block of SIZE bytes by itself, with one context kept over all blocks, for a second,
 * and then decompresses likewise: what the lab does per batch. No level is multithreaded in either.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { median } from '../src/lab/broker/statistics.ts'
import type { CutBatch } from '../src/lab/codecs/cutting.ts'
import { allEngines, type Candidate, candidateId, isMissing } from '../src/lab/codecs/engines/index.ts'
import { measure } from '../src/lab/codecs/measure.ts'
import { type SampleName, sampleRecords } from '../src/lab/codecs/samples/index.ts'
import { describeEnvironment } from '../src/lab/report/environment.ts'
import type { Report } from '../src/lab/report/report.ts'
import { renderText } from '../src/lab/report/text.ts'
import { BATCH_HEADER_BYTES } from '../src/records/batch.ts'

const { values: flags } = parseArgs({
  options: {
    zstd: { type: 'string', default: '1,3,9' },
    lz4: { type: 'string', default: '1,9' },
    block: { type: 'string', default: '16384,131072' },
    rounds: { type: 'string', default: '5' },
    sample: { type: 'string', default: 'json' },
    json: { type: 'string' },
  },
})

const DATA_BYTES = 4 * 1024 * 1024
const PASS_MS = 250
/** Frames in record batches are made of independent blocks of this size; larger ones for the tool would compare other things. */
const LZ4_BLOCK_BYTES = 64 * 1024
/** The tools print speeds several times, overwriting themselves; the last is the result. */
const TOOL_RESULT = /:\s*(\d+) ->\s*(\d+) \(x?[\d.]+\),\s*([\d.]+) MB\/s\s*,\s*([\d.]+) MB\/s/g

interface Work {
  readonly tool: 'zstd' | 'lz4'
  readonly level: number
  readonly blockBytes: number
}

interface Speeds {
  readonly ratio: number
  readonly compress: number
  readonly decompress: number
}

interface Compared {
  readonly work: Work
  readonly tool: Speeds[]
  readonly engines: Map<string, Speeds[]>
}

function numbers(text: string): number[] {
  return text
    .split(',')
    .filter((word) => word !== '')
    .map(Number)
}

function runTool({ tool, level, blockBytes }: Work, file: string): Speeds {
  const { stdout, stderr, exitCode } = Bun.spawnSync([tool, `-b${level}`, `-B${blockBytes}`, '-i1', file])
  const output = `${stdout}${stderr}`
  const last = [...output.matchAll(TOOL_RESULT)].at(-1)
  if (exitCode !== 0 || last === undefined) throw new Error(`${tool} gave no result: ${output.slice(-300)}`)
  return { ratio: Number(last[1]) / Number(last[2]), compress: Number(last[3]), decompress: Number(last[4]) }
}

/** The bytes in blocks, as batches: the lab compresses what is behind a batch's header. */
function blocksOf(data: Buffer, blockBytes: number): CutBatch[] {
  const blocks: CutBatch[] = []
  for (let start = 0; start < data.length; start += blockBytes) {
    const bytes = Buffer.concat([Buffer.alloc(BATCH_HEADER_BYTES), data.subarray(start, start + blockBytes)])
    blocks.push({ bytes, recordCount: 1 })
  }
  return blocks
}

/** Every engine of the tool's codec that takes the level; for lz4 level 1 also those that know only a fast compressor. */
function candidatesFor({ tool, level }: Work): Candidate[] {
  return allEngines().flatMap((engine): Candidate[] => {
    if (engine.codec !== tool || isMissing(engine)) return []
    if (engine.range !== null) return [{ engine, level }]
    return level === 1 ? [{ engine, level: null }] : []
  })
}

async function runLab(work: Work, data: Buffer): Promise<Map<string, Speeds>> {
  const measured = await measure(candidatesFor(work), blocksOf(data, work.blockBytes), {
    rounds: 1,
    passMs: PASS_MS,
    nowNs: () => Bun.nanoseconds(),
    collectGarbage: () => Bun.gc(true),
    breathe: async () => undefined,
  })
  return new Map(
    measured.map(({ candidate, outcome }) => {
      if ('failed' in outcome) throw new Error(`${candidateId(candidate)}: ${outcome.failed}`)
      const { plainBytes, packedBytes, compress, decompress } = outcome
      const speeds = {
        ratio: plainBytes / packedBytes,
        compress: compress.mbPerSecond.median,
        decompress: decompress.mbPerSecond.median,
      }
      return [candidateId(candidate), speeds]
    }),
  )
}

async function compareAll(works: readonly Work[], data: Buffer, file: string): Promise<Compared[]> {
  const compared = works.map((work): Compared => ({ work, tool: [], engines: new Map() }))
  for (let round = 0; round < Number(flags.rounds); round++) {
    for (const { work, tool, engines } of compared) {
      // Who goes first changes, since a core that was just idle is slower for a moment.
      const lab = round % 2 === 0 ? await runLab(work, data) : null
      tool.push(runTool(work, file))
      for (const [id, speeds] of lab ?? (await runLab(work, data))) {
        engines.set(id, [...(engines.get(id) ?? []), speeds])
      }
    }
  }
  return compared
}

function medianOf(rounds: readonly Speeds[], what: keyof Speeds): number {
  return median(rounds.map((speeds) => speeds[what]))
}

/** The fastest round of each: what else happens on the machine only ever slows. */
function bestShare(rounds: readonly Speeds[], tool: readonly Speeds[], what: keyof Speeds): number {
  return Math.max(...rounds.map((speeds) => speeds[what])) / Math.max(...tool.map((speeds) => speeds[what]))
}

function rowsOf({ work, tool, engines }: Compared): (string | number)[][] {
  const names = ['compress', 'decompress'] as const
  return [...engines].map(([id, rounds]) => [
    `${work.tool} -b${work.level} -B${work.blockBytes}`,
    id,
    medianOf(tool, 'ratio'),
    medianOf(rounds, 'ratio'),
    ...names.flatMap((name) => {
      // Round by round against the tool's run beside it, so that a slow minute of the machine hits both.
      const shares = rounds.map((speeds, index) => speeds[name] / tool[index]![name])
      const range = `${Math.min(...shares).toFixed(2)}-${Math.max(...shares).toFixed(2)}`
      return [medianOf(tool, name), medianOf(rounds, name), median(shares), range, bestShare(rounds, tool, name)]
    }),
  ])
}

function reportOf(compared: readonly Compared[]): Report {
  return {
    title: 'The codec lab against zstd -b and lz4 -b',
    subtitle: `${flags.sample} sample of ${DATA_BYTES} bytes, medians of ${flags.rounds} rounds`,
    environment: describeEnvironment(),
    reading: [],
    sections: [
      {
        heading: 'Speeds',
        tables: [
          {
            title: '',
            columns: [
              { name: 'tool' },
              { name: 'engine of the lab' },
              { name: 'ratio', unit: 'tool' },
              { name: 'ratio', unit: 'lab' },
              { name: 'compress', unit: 'tool, MB/s' },
              { name: 'compress', unit: 'lab, MB/s' },
              { name: 'lab/tool' },
              { name: 'rounds', align: 'right' },
              { name: 'best/best' },
              { name: 'decompress', unit: 'tool, MB/s' },
              { name: 'decompress', unit: 'lab, MB/s' },
              { name: 'lab/tool' },
              { name: 'rounds', align: 'right' },
              { name: 'best/best' },
            ],
            rows: compared.flatMap(rowsOf),
          },
        ],
        charts: [],
      },
    ],
  }
}

const folder = mkdtempSync(join(tmpdir(), 'samsa-bench-codecs-'))
try {
  const file = join(folder, 'sample')
  const records = sampleRecords(flags.sample as SampleName, 1, DATA_BYTES)
  const data = Buffer.concat(records.flatMap(({ value }) => (value === null ? [] : [Buffer.from(value)])))
  writeFileSync(file, data)
  const works = numbers(flags.block).flatMap((blockBytes) => [
    ...numbers(flags.zstd).map((level): Work => ({ tool: 'zstd', level, blockBytes })),
    ...numbers(flags.lz4).map(
      (level): Work => ({ tool: 'lz4', level, blockBytes: Math.min(blockBytes, LZ4_BLOCK_BYTES) }),
    ),
  ])
  const compared = await compareAll(works, data, file)
  process.stdout.write(renderText(reportOf(compared), { colours: false }))
  if (flags.json !== undefined) {
    const plain = compared.map((each) => ({ ...each, engines: Object.fromEntries(each.engines) }))
    writeFileSync(flags.json, `${JSON.stringify(plain, null, 2)}\n`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
