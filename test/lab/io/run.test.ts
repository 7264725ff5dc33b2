/** A run of the lab: rows for everything, and nothing left behind. */
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { selfCommand } from '../../../src/cli/self.ts'
import { type Method, Refused } from '../../../src/lab/io/method.ts'
import { METHODS } from '../../../src/lab/io/methods/index.ts'
import { readingOf } from '../../../src/lab/io/reading.ts'
import { labReport } from '../../../src/lab/io/report.ts'
import { Interrupted, type LabOptions, runLab } from '../../../src/lab/io/run.ts'
import { timeSteps } from '../../../src/lab/io/timing.ts'
import { Unusable } from '../../../src/lab/io/workspace.ts'
import { renderHtml } from '../../../src/lab/report/html.ts'
import { renderText } from '../../../src/lab/report/text.ts'

setDefaultTimeout(60_000)

const SINK = [...selfCommand(), 'lab', 'io-sink']
const KIB = 1024
const MIB = 1024 * KIB

let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'samsa-lab-run-'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

function options(more: Partial<LabOptions> = {}): LabOptions {
  return {
    sinkCommand: SINK,
    path: folder,
    sizeBytes: MIB,
    blocks: [64 * KIB],
    methods: METHODS,
    rounds: 1,
    secondsPerRun: 0.02,
    ...more,
  }
}

/** Does as `run` says; leaves a file behind as a method that failed half-way would. */
function method(name: string, run: (bytes: number) => void): Method {
  return {
    name,
    direction: 'write',
    does: 'only in this test',
    blocks: 'chosen',
    run({ tools, extent, path }) {
      writeFileSync(path, 'x')
      return timeSteps(tools.meters, extent, extent.blockBytes, () => run(extent.bytes))
    },
  }
}

test('every method gets its rows, with figures or a reason, and reports can be made of them', async () => {
  const seen: string[] = []
  const rows = await runLab(
    options({ rounds: 2, onProgress: (done, total, what) => seen.push(`${done}/${total} ${what}`) }),
  )
  expect(new Set(rows.map((row) => row.method))).toEqual(new Set(METHODS.map(({ name }) => name)))
  for (const row of rows) {
    expect((row.figures === null) !== (row.refused === null), row.method).toBe(true)
    if (row.figures === null) continue
    expect(row.figures.rounds).toBe(2)
    expect(row.figures.throughput.median).toBeGreaterThan(0)
    expect(row.figures.latencyUs.max).toBeGreaterThanOrEqual(row.figures.latencyUs.p50)
    expect(row.figures.onDevice !== null).toBe(row.direction === 'write')
  }
  expect(seen).toHaveLength(rows.length * 3)
  expect(readdirSync(folder)).toEqual([])

  const settings = { sizeBytes: MIB, rounds: 2, secondsPerRun: 0.02 }
  const result = { settings, environment: [{ name: 'kernel', value: 'one' }], rows, reading: readingOf(rows) }
  const text = renderText(labReport(result, { details: true }), { colours: false })
  for (const { name } of METHODS) expect(text).toContain(name)
  expect(renderHtml(labReport(result, { details: true }))).toContain('From memory to a socket')
})

describe('nothing is left behind', () => {
  test('after an error, which says where it was', async () => {
    let calls = 0
    const broken = method('broken', () => {
      if (++calls > 1) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
    })
    await expect(runLab(options({ methods: [broken] }))).rejects.toThrow('broken, 64 KiB: no space left')
    expect(readdirSync(folder)).toEqual([])
  })

  test('after an interruption in the middle', async () => {
    const interruption = new AbortController()
    let calls = 0
    const counting = method('counting', () => {
      if (++calls === 2) interruption.abort()
    })
    const run = runLab(options({ methods: [counting], rounds: 50, signal: interruption.signal }))
    await expect(run).rejects.toBeInstanceOf(Interrupted)
    expect(readdirSync(folder)).toEqual([])
  })
})

test('what is refused while it is tried is not measured, and the others are', async () => {
  const refusing = method('refusing', () => {
    throw new Refused('not on this machine')
  })
  const working = method('working', () => undefined)
  const [one, two] = await runLab(options({ methods: [refusing, working] }))
  expect(one).toMatchObject({ method: 'refusing', refused: 'not on this machine', figures: null })
  expect(two).toMatchObject({ method: 'working', refused: null })
})

describe('a place that cannot be used', () => {
  test('too little room: says how much is needed and how much there is, and makes nothing', async () => {
    const { bavail, bsize } = statfsSync(folder)
    const run = runLab(options({ sizeBytes: bavail * bsize }))
    await expect(run).rejects.toThrow(/not enough room in '.*': .* are needed, .* are free; give a smaller --size/)
    await expect(runLab(options({ sizeBytes: bavail * bsize }))).rejects.toBeInstanceOf(Unusable)
    expect(readdirSync(folder)).toEqual([])
  })

  test('no folder', async () => {
    await expect(runLab(options({ path: join(folder, 'missing') }))).rejects.toThrow('is not a folder')
    writeFileSync(join(folder, 'file'), '')
    await expect(runLab(options({ path: join(folder, 'file') }))).rejects.toThrow('is not a folder')
  })
})
