// A process that died while writing leaves a segment that ends anywhere. Whatever byte that is, the log comes back as the batches that are
// whole, and is written on from there; and damage in the middle is never taken for data.

import { describe, expect, test } from 'bun:test'
import { copyFileSync, cpSync, readdirSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import type { Disk } from '../../src/storage/disk.ts'
import { MemoryDisk } from '../../src/storage/disk-memory.ts'
import { appendNow, numbers, readAll, temporaryFolder, World } from '../log/support.ts'

const SEGMENT = '00000000000000000000.log'
const CONFIG = { indexIntervalBytes: 150 }

interface Written {
  readonly world: World
  /** Position of each batch, and the end. */
  readonly positions: number[]
  readonly bytes: Buffer
}

interface Way {
  readonly durability: 'os' | 'fsync'
  readonly writeMode: 'buffered' | 'direct'
}

const USUAL: Way = { durability: 'os', writeMode: 'buffered' }
const WAYS: readonly Way[] = [
  USUAL,
  { durability: 'fsync', writeMode: 'buffered' },
  { durability: 'os', writeMode: 'direct' },
  { durability: 'fsync', writeMode: 'direct' },
]

/** Six batches of two records, four of them synced and checkpointed; the process is still running. */
async function write(
  options: { disk?: Disk; directory?: string } = {},
  { durability, writeMode }: Way = USUAL,
): Promise<Written> {
  const isDirect = writeMode === 'direct'
  const disk = options.disk ?? new MemoryDisk({ trackDurable: true, directWrites: isDirect })
  const manager = { durability, ...(isDirect ? { writeMode, directWriteBytesMin: 1 } : {}) }
  const world = await World.open({ config: CONFIG, ...options, disk, manager })
  const log = world.log()
  const positions = [0]
  for (let index = 0; index < 6; index++) {
    const outcome = appendNow(world, log, {
      count: 2,
      valueBytes: 20 + index,
      producerId: 5,
      producerEpoch: 0,
      baseSequence: index * 2,
    })
    while (outcome.error === null) {
      if (disk instanceof MemoryDisk) disk.landNext()
      await new Promise<void>((resolve) => setImmediate(resolve))
      world.timers.runTurn()
    }
    positions.push(log.sizeBytes)
    if (index === 3) await world.manager.checkpoint()
  }
  const bytes = world.disk.readWhole(world.path(SEGMENT))!
  expect(bytes.length).toBe(positions.at(-1)!)
  return { world, positions, bytes }
}

async function expectPrefix(world: World, batches: number, label: string): Promise<void> {
  const log = world.log()
  expect(`${label}: ${log.logEndOffset}`).toBe(`${label}: ${batches * 2}`)
  expect((await readAll(log)).offsets).toEqual(numbers(0, batches * 2))
  expect(world.disk.stat(world.path(SEGMENT))?.sizeBytes).toBe(log.sizeBytes)
  // The producer goes on where the log ends, and what was lost may be sent again.
  const outcome = appendNow(world, log, { count: 2, producerId: 5, producerEpoch: 0, baseSequence: batches * 2 })
  expect(outcome).toMatchObject({ error: 0, info: { baseOffset: batches * 2, duplicate: false } })
  expect((await readAll(log)).offsets).toEqual(numbers(0, batches * 2 + 2))
}

/** Replaces the segment's content behind the back of a process that is dead. */
function overwrite(disk: Disk, path: string, bytes: Buffer): void {
  const file = disk.open(path)
  file.truncate(0)
  file.writev([bytes], 0)
  file.close()
}

describe.each(WAYS)('cut at every byte of the last two batches, durability $durability, writes $writeMode', (way) => {
  test('memory disk', async () => {
    const { positions, bytes } = await write({}, way)
    for (let cut = positions[4]!; cut <= bytes.length; cut++) {
      const { world } = await write({}, way)
      ;(world.disk as MemoryDisk).killProcess()
      overwrite(world.disk, world.path(SEGMENT), bytes.subarray(0, cut))
      const whole = positions.filter((position) => position > 0 && position <= cut).length
      await expectPrefix(await world.reopen({ manager: {} }), whole, `cut at ${cut}`)
    }
  }, 60_000)

  test('real disk', async () => {
    const folder = temporaryFolder()
    const original = join(folder.path, 'original')
    const { positions, bytes } = await write({ disk: folder.disk, directory: original }, way)
    // Files are slower than memory: every byte once, in the other ways some of them.
    const step = way === USUAL ? 1 : 11
    for (let cut = positions[4]!; cut <= bytes.length; cut += step) {
      const directory = join(folder.path, `cut-${cut}`)
      cpSync(original, directory, { recursive: true })
      truncateSync(join(directory, 'events-0', SEGMENT), cut)
      const world = await World.open({ disk: folder.disk, directory, config: CONFIG })
      expect(world.manager.cleanStart).toBe(false)
      const whole = positions.filter((position) => position > 0 && position <= cut).length
      await expectPrefix(world, whole, `cut at ${cut}`)
      await world.manager.close()
    }
    folder.remove()
  }, 240_000)
})

describe('what else a power loss leaves at the end', () => {
  test.each([
    ['zeros', (tail: Buffer) => Buffer.alloc(tail.length)],
    ['noise', (tail: Buffer) => Buffer.from(tail.map((_byte, index) => (index * 7919 + 13) & 0xff))],
    [
      'a length that points far past the end',
      (tail: Buffer) => {
        const copy = Buffer.from(tail)
        copy.writeInt32BE(2 ** 31 - 100, 8)
        return copy
      },
    ],
    [
      'a negative length',
      (tail: Buffer) => {
        const copy = Buffer.from(tail)
        copy.writeInt32BE(-5, 8)
        return copy
      },
    ],
    [
      'an unknown magic',
      (tail: Buffer) => {
        const copy = Buffer.from(tail)
        copy[16] = 3
        return copy
      },
    ],
    [
      'a repetition of an earlier batch',
      (_tail: Buffer, bytes: Buffer, positions: number[]) => bytes.subarray(0, positions[1]),
    ],
  ] as const)('%s in place of the last batch', async (_name, damage) => {
    const { world, positions, bytes } = await write()
    ;(world.disk as MemoryDisk).killProcess()
    const at = positions[5]!
    const damaged = Buffer.concat([bytes.subarray(0, at), damage(bytes.subarray(at), bytes, positions)])
    overwrite(world.disk, world.path(SEGMENT), damaged)
    await expectPrefix(await world.reopen(), 5, 'damaged')
  })

  test('a flipped byte anywhere above the recovery point ends the log there', async () => {
    const { positions, bytes } = await write()
    for (let at = positions[4]!; at < bytes.length; at++) {
      const batch = positions.filter((position) => position <= at).length - 1
      const inBatch = at - positions[batch]!
      // Leader epoch and base offset are outside the checksum; a base offset that is too high is a gap, not damage.
      if (inBatch < 8 || (inBatch >= 12 && inBatch < 16)) continue
      const { world } = await write()
      ;(world.disk as MemoryDisk).killProcess()
      const damaged = Buffer.from(bytes)
      damaged[at]! ^= 0x40
      overwrite(world.disk, world.path(SEGMENT), damaged)
      await expectPrefix(await world.reopen(), batch, `flipped at ${at}`)
    }
  }, 30_000)
})

test('segments after a torn one are dropped, and a second recovery finds nothing more to do', async () => {
  const world = await World.open({ config: { ...CONFIG, segmentBytes: 400 } })
  const log = world.log()
  for (let index = 0; index < 12; index++) appendNow(world, log, { count: 2, valueBytes: 20 })
  const bases = log.segments.all.map((segment) => segment.baseOffset)
  expect(bases.length).toBeGreaterThan(3)
  const torn = log.segments.all[1]!
  const path = torn.path
  const size = torn.sizeBytes
  ;(world.disk as MemoryDisk).killProcess()
  // As if nothing had been checkpointed: rolling syncs in the background.
  world.disk.remove(`${world.directory}/recovery-point-offset-checkpoint`)
  const file = world.disk.open(path)
  file.truncate(size - 1)
  const second = await world.reopen()
  const end = second.log().logEndOffset
  expect(end).toBeGreaterThanOrEqual(bases[1]!)
  expect(end).toBeLessThan(bases[2]!)
  expect((await readAll(second.log())).offsets).toEqual(numbers(0, end))
  expect(second.disk.list(`${second.directory}/events-0`).filter((name) => name.endsWith('.log')).length).toBe(2)
  expect(second.logger.matching(/after the cut/).length).toBe(bases.length - 2)
  const third = await second.kill()
  expect(third.log().logEndOffset).toBe(end)
  expect(third.logger.matching(/Cutting|Dropping/)).toEqual([])
})

test('damage below the recovery point stays, as an error for those who read it', async () => {
  const { world, positions } = await write()
  await world.manager.checkpoint()
  ;(world.disk as MemoryDisk).killProcess()
  const file = world.disk.open(world.path(SEGMENT))
  file.writev([Buffer.from([0x7f])], positions[1]! + 8)
  const second = await world.reopen()
  const log = second.log()
  expect(log.logEndOffset).toBe(12)
  const options = { maxBytes: 10_000, upTo: 12, atLeastOne: true }
  const good = await log.read(0, options)
  expect([good.errorCode, good.nextOffset]).toEqual([0, 2])
  good.release()
  expect((await log.read(2, options)).errorCode).toBe(56)
  expect((await log.read(2, options)).errorCode).toBe(56)
  const [line, ...more] = second.logger.matching(/Cannot read from the log/)
  expect(line).toContain(`"position":${positions[1]}`)
  expect(line).toContain(SEGMENT)
  expect(more).toEqual([])
})

test('a folder that is copied while it is written comes up as a prefix', async () => {
  const folder = temporaryFolder()
  const original = join(folder.path, 'original')
  const world = await World.open({ disk: folder.disk, directory: original, config: { ...CONFIG, segmentBytes: 600 } })
  const log = world.log()
  for (let round = 0; round < 5; round++) {
    for (let index = 0; index < 10; index++) appendNow(world, log, { count: 1, valueBytes: 30 })
    const copy = join(folder.path, `copy-${round}`)
    cpSync(original, copy, { recursive: true })
    // The active segment of the copy is taken a moment earlier than the rest.
    const last = readdirSync(join(copy, 'events-0'))
      .filter((name) => name.endsWith('.log'))
      .sort()
      .at(-1)!
    copyFileSync(join(original, 'events-0', last), join(copy, 'events-0', last))
    truncateSync(join(copy, 'events-0', last), Math.max(0, log.segments.active.sizeBytes - 33))
    const other = await World.open({ disk: folder.disk, directory: copy, config: CONFIG })
    const end = other.log().logEndOffset
    expect((await readAll(other.log())).offsets).toEqual(numbers(0, end))
    expect(end).toBeGreaterThanOrEqual(log.segments.active.baseOffset)
    await other.manager.close()
  }
  await world.manager.close()
  folder.remove()
})
