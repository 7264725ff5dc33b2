import { describe, expect, test } from 'bun:test'
import type { ReadOptions, ReadResult } from '../../src/log/types.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { readBatchHeader } from '../../src/records/header.ts'
import type { MemoryDisk } from '../../src/storage/disk-memory.ts'
import { appendNow, batchOf, numbers, readAll, START_MS, World } from './support.ts'

const SIZE = batchOf({ count: 2 }).header.sizeBytes

/** Twenty batches of two records, seven to a segment. */
async function filled(): Promise<World> {
  const world = await World.open({ config: { segmentBytes: 7 * SIZE, indexIntervalBytes: 2 * SIZE } })
  for (let index = 0; index < 20; index++)
    appendNow(world, world.log(), { count: 2, timestamp: START_MS + index * 100 })
  return world
}

/** The answer in short: [error, first offset, next offset, bytes]. */
async function read(
  world: World,
  offset: number,
  options: Partial<ReadOptions> = {},
): Promise<[number, number, number, number]> {
  const result = await world
    .log()
    .read(offset, { maxBytes: 1 << 20, upTo: world.log().highWatermark, atLeastOne: true, ...options })
  try {
    if (result.data.length > 0) expect(readBatchHeader(result.data, 0).baseOffset).toBe(result.startOffset)
    return [result.errorCode, result.startOffset, result.nextOffset, result.data.length]
  } finally {
    result.release()
  }
}

describe('where a read begins and ends', () => {
  test('at the batch that holds the offset', async () => {
    const world = await filled()
    for (let offset = 0; offset < 40; offset++) {
      const [error, start, next] = await read(world, offset)
      expect([error, start]).toEqual([0, offset - (offset % 2)])
      expect(next).toBe(Math.min(40, (Math.floor(offset / 14) + 1) * 14))
    }
  })

  test('never beyond the segment', async () => {
    const world = await filled()
    expect(await read(world, 0)).toEqual([0, 0, 14, 7 * SIZE])
    expect(await read(world, 13)).toEqual([0, 12, 14, SIZE])
    expect(await read(world, 14)).toEqual([0, 14, 28, 7 * SIZE])
  })

  test('whole batches within the bytes asked for', async () => {
    const world = await filled()
    expect(await read(world, 0, { maxBytes: 3 * SIZE })).toEqual([0, 0, 6, 3 * SIZE])
    expect(await read(world, 0, { maxBytes: 3 * SIZE - 1 })).toEqual([0, 0, 4, 2 * SIZE])
    expect(await read(world, 0, { maxBytes: SIZE })).toEqual([0, 0, 2, SIZE])
  })

  test('a first batch larger than that comes whole, or not at all', async () => {
    const world = await filled()
    expect(await read(world, 3, { maxBytes: 1 })).toEqual([0, 2, 4, SIZE])
    expect(await read(world, 3, { maxBytes: SIZE - 1, atLeastOne: false })).toEqual([0, 3, 3, 0])
    expect(await read(world, 3, { maxBytes: SIZE, atLeastOne: false })).toEqual([0, 2, 4, SIZE])
  })

  test('a very large batch comes whole', async () => {
    const world = await World.open()
    appendNow(world, world.log(), { valueBytes: 3_000_000 })
    const [error, , next, bytes] = await read(world, 0, { maxBytes: 1000 })
    expect([error, next]).toEqual([0, 1])
    expect(bytes).toBeGreaterThan(3_000_000)
    expect(await read(world, 0, { maxBytes: 1000, atLeastOne: false })).toEqual([0, 0, 0, 0])
  })

  test('below the bound', async () => {
    const world = await filled()
    expect(await read(world, 0, { upTo: 6 })).toEqual([0, 0, 6, 3 * SIZE])
    expect(await read(world, 0, { upTo: 0 })).toEqual([0, 0, 0, 0])
    expect(await read(world, 6, { upTo: 6 })).toEqual([0, 6, 6, 0])
    expect(await read(world, 8, { upTo: 6 })).toEqual([0, 8, 8, 0])
    expect(await read(world, 0, { upTo: 1000 })).toEqual([0, 0, 14, 7 * SIZE])
  })

  test('outside the log is out of range, its end is nothing', async () => {
    const world = await filled()
    expect(await read(world, 40)).toEqual([0, 40, 40, 0])
    expect(await read(world, 41)).toEqual([ErrorCode.OFFSET_OUT_OF_RANGE, 41, 41, 0])
    expect(await read(world, -1)).toEqual([ErrorCode.OFFSET_OUT_OF_RANGE, -1, -1, 0])
    expect(world.log().deleteRecordsTo(5)).toBe(0)
    expect(await read(world, 4)).toEqual([ErrorCode.OFFSET_OUT_OF_RANGE, 4, 4, 0])
    // A batch that straddles the log start comes whole.
    expect(await read(world, 5, { maxBytes: 1 })).toEqual([0, 4, 6, SIZE])
  })

  test('what is queued is not seen', async () => {
    const world = await World.open()
    world.log().append(batchOf(), { leaderEpoch: 0, origin: 'client', nowMs: START_MS, done() {} })
    expect(await read(world, 0, { upTo: 1 })).toEqual([0, 0, 0, 0])
    expect(await read(world, 1, { upTo: 1 })).toEqual([0, 1, 1, 0])
  })
})

describe('gaps, as compaction leaves them', () => {
  test('a read goes on with what comes after', async () => {
    const world = await filled()
    // Remove batches 2, 3 and the last three of the first segment.
    const log = world.log()
    const segment = log.segments.first
    const bytes = world.disk.readWhole(segment.path)!
    await world.manager.close()
    const kept = Buffer.concat([bytes.subarray(0, SIZE), bytes.subarray(3 * SIZE, 4 * SIZE)])
    const file = world.disk.open(segment.path)
    file.truncate(0)
    file.writev([kept], 0)
    file.close()
    const again = await world.reopen()
    expect(await read(again, 0, { maxBytes: 1 })).toEqual([0, 0, 2, SIZE])
    expect(await read(again, 2, { maxBytes: 1 })).toEqual([0, 6, 8, SIZE])
    expect(await read(again, 8, { maxBytes: 1 })).toEqual([0, 14, 16, SIZE])
    expect((await readAll(again.log())).offsets).toEqual([0, 1, 6, 7, ...numbers(14, 40)])
  })
})

describe('buffers', () => {
  test('are given back, once', async () => {
    const world = await filled()
    const { pool } = world.manager
    expect(pool.takenBytes).toBe(0)
    const results: ReadResult[] = []
    for (let offset = 0; offset < 40; offset += 3) {
      results.push(await world.log().read(offset, { maxBytes: 1000, upTo: 40, atLeastOne: true }))
    }
    expect(pool.takenBytes).toBe(results.length * 16 * 1024)
    for (const result of results) {
      result.release()
      result.release()
    }
    expect(pool.takenBytes).toBe(0)
    await read(world, 3, { maxBytes: 1, atLeastOne: false })
    await read(world, 99)
    expect(pool.takenBytes).toBe(0)
  })

  test('sequential reading needs one read of the file per answer', async () => {
    const world = await filled()
    const { counts } = world.disk as MemoryDisk
    let next = (await read(world, 0, { maxBytes: 2 * SIZE }))[2]
    const before = counts.reads
    let answers = 0
    while (next < 40) {
      next = (await read(world, next, { maxBytes: 2 * SIZE }))[2]
      answers++
    }
    expect(counts.reads - before).toBe(answers)
  })
})

describe('cold data', () => {
  test('is read later, with the same result', async () => {
    const world = await filled()
    ;(world.disk as MemoryDisk).setCold(true)
    for (const offset of [0, 1, 7, 20, 39]) {
      const pending = world.log().read(offset, { maxBytes: 3 * SIZE, upTo: 40, atLeastOne: true })
      expect(pending).toBeInstanceOf(Promise)
      const cold = await pending
      ;(world.disk as MemoryDisk).setCold(false)
      const hot = world.log().read(offset, { maxBytes: 3 * SIZE, upTo: 40, atLeastOne: true }) as ReadResult
      expect(hot).not.toBeInstanceOf(Promise)
      expect(cold.data.equals(hot.data)).toBe(true)
      expect([cold.startOffset, cold.nextOffset]).toEqual([hot.startOffset, hot.nextOffset])
      cold.release()
      hot.release()
      ;(world.disk as MemoryDisk).setCold(true)
    }
    expect(world.manager.pool.takenBytes).toBe(0)
  })

  test('what is partly in memory is completed', async () => {
    const world = await filled()
    const file = world.log().segments.first.file()
    const readHot = file.readHot.bind(file)
    file.readHot = (buffer, offset, length, position) => readHot(buffer, offset, Math.min(length, 100), position)
    const result = await world.log().read(0, { maxBytes: 1 << 20, upTo: 40, atLeastOne: true })
    expect([result.errorCode, result.nextOffset, result.data.length]).toEqual([0, 14, 7 * SIZE])
    result.release()
  })

  test('retention during the wait: the reader is told that the offset is gone', async () => {
    const world = await filled()
    const log = world.log()
    ;(world.disk as MemoryDisk).setCold(true)
    const pending = log.read(0, { maxBytes: 1 << 20, upTo: 40, atLeastOne: true })
    expect(log.deleteRecordsTo(14)).toBe(0)
    world.manager.runRetention(world.clock.now())
    expect((await pending).errorCode).toBe(ErrorCode.OFFSET_OUT_OF_RANGE)
    expect(world.manager.pool.takenBytes).toBe(0)
  })

  test('a cut during the wait: nothing of what was cut is given out', async () => {
    const world = await filled()
    const log = world.log()
    ;(world.disk as MemoryDisk).setCold(true)
    const first = log.read(30, { maxBytes: 1 << 20, upTo: 40, atLeastOne: true })
    const second = log.read(36, { maxBytes: 1 << 20, upTo: 40, atLeastOne: true })
    log.truncateTo(34)
    expect(await first).toMatchObject({ errorCode: 0, nextOffset: 34 })
    expect((await second).errorCode).toBe(ErrorCode.OFFSET_OUT_OF_RANGE)
  })

  test('closing the log during the wait ends the read quietly', async () => {
    const world = await filled()
    ;(world.disk as MemoryDisk).setCold(true)
    const pending = world.log().read(30, { maxBytes: 1 << 20, upTo: 40, atLeastOne: true })
    world.manager.delete('events', 0)
    expect([ErrorCode.NONE, ErrorCode.KAFKA_STORAGE_ERROR] as number[]).toContain((await pending).errorCode)
    expect(world.logger.matching(/^error/)).toEqual([])
  })
})

describe('damage', () => {
  async function damaged(at: number, bytes: number[], segmentIndex = 0): Promise<World> {
    const world = await filled()
    const segment = world.log().segments.all[segmentIndex]!
    await world.manager.close()
    const file = world.disk.open(segment.path)
    file.writev([Buffer.from(bytes)], at)
    file.close()
    return world.reopen()
  }

  test("a length that points past a sealed segment's end is an error there, not the segment's end", async () => {
    const world = await damaged(4 * SIZE + 8, [0, 0x7f, 0, 0])
    expect(await read(world, 0)).toEqual([0, 0, 8, 4 * SIZE])
    expect(await read(world, 8)).toEqual([ErrorCode.KAFKA_STORAGE_ERROR, 8, 8, 0])
    expect(await read(world, 9)).toEqual([ErrorCode.KAFKA_STORAGE_ERROR, 9, 9, 0])
    // Other segments are as good as ever, and so is the other partition.
    expect(await read(world, 14)).toEqual([0, 14, 28, 7 * SIZE])
    const lines = world.logger.matching(/Cannot read from the log/)
    expect(lines.length).toBe(1)
    expect(lines[0]).toContain(`"position":${4 * SIZE}`)
    expect(lines[0]).toContain('points past the end')
    expect(world.manager.pool.takenBytes).toBe(0)
  })

  test.each([
    ['zeros', [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['a lower offset', [0, 0, 0, 0, 0, 0, 0, 1]],
    ['a length too small for a header', [0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 20]],
  ])('%s in place of a batch', async (_name, bytes) => {
    const world = await damaged(4 * SIZE, bytes)
    expect(await read(world, 0)).toEqual([0, 0, 8, 4 * SIZE])
    expect((await read(world, 8))[0]).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
  })

  test('a segment file that has vanished is an error of its offsets only', async () => {
    const world = await filled()
    const log = world.log()
    const sealed = log.segments.all[1]!
    sealed.giveUp()
    world.disk.remove(sealed.path)
    expect((await read(world, 20))[0]).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    expect((await read(world, 0))[0]).toBe(0)
    expect((await read(world, 30))[0]).toBe(0)
    expect(appendNow(world, log).error).toBe(0)
  })

  test('a segment file that has become shorter is an error, hot and cold', async () => {
    const world = await filled()
    const sealed = world.log().segments.all[1]!
    world.disk.open(sealed.path).truncate(4 * SIZE + 10)
    expect((await read(world, 22))[0]).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    ;(world.disk as MemoryDisk).setCold(true)
    expect((await read(world, 22))[0]).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    expect((await read(world, 14))[0]).toBe(0)
  })
})

describe('files that are given up', () => {
  test('come back when they are needed, and so do the indexes', async () => {
    const world = await filled()
    const log = world.log()
    for (const segment of log.segments.all) segment.giveUp()
    expect(log.segments.all.map((segment) => segment.heldBytes > 0)).toEqual([false, false, true])
    expect((await readAll(log, 0, 3 * SIZE)).offsets).toEqual(numbers(0, 40))
    for (const segment of log.segments.all) segment.giveUp()
    expect(await read(world, 9, { maxBytes: 1 })).toEqual([0, 8, 10, SIZE])
    expect(appendNow(world, log).error).toBe(0)
  })
})

describe('searching by time', () => {
  /** Timestamps: batch i has START + 100 i and START + 100 i + 1. */
  test('finds the first record at or after', async () => {
    const world = await filled()
    const log = world.log()
    for (const [timestamp, offset] of [
      [0, 0],
      [1, 1],
      [2, 2],
      [100, 2],
      [101, 3],
      [650, 14],
      [1399, 28],
      [1901, 39],
    ] as const) {
      const found = await log.offsetForTimestamp(START_MS + timestamp, log.highWatermark)
      expect([timestamp, found?.offset]).toEqual([timestamp, offset])
      expect(found?.leaderEpoch).toBe(0)
    }
    expect(await log.offsetForTimestamp(START_MS + 1902, log.highWatermark)).toBeNull()
    expect((await log.offsetForTimestamp(START_MS - 5000, log.highWatermark))?.offset).toBe(0)
  })

  test('not beyond the bound, not below the log start', async () => {
    const world = await filled()
    const log = world.log()
    expect(await log.offsetForTimestamp(START_MS + 500, 10)).toBeNull()
    expect(log.deleteRecordsTo(17)).toBe(0)
    // The first segment lies wholly below the log start but is still there.
    expect(await log.offsetForTimestamp(START_MS, 40)).toEqual({
      offset: 17,
      timestamp: START_MS + 801,
      leaderEpoch: 0,
    })
  })

  test('inside a batch that expands to more than usual, where the topic takes such batches', async () => {
    const MIB = 1024 * 1024
    const world = await World.open({ config: { maxMessageBytes: 8 * MIB } })
    const log = world.log()
    appendNow(world, log, { count: 3, valueBytes: 24 * MIB, codec: 1 })
    expect(log.sizeBytes).toBeLessThan(MIB)
    const found = await log.offsetForTimestamp(START_MS + 2, log.highWatermark)
    expect(found).toEqual({ offset: 2, timestamp: START_MS + 2, leaderEpoch: 0 })
  })

  test('the largest timestamp, the first record that has it', async () => {
    const world = await World.open({ config: { segmentBytes: 3 * SIZE } })
    const log = world.log()
    expect(await log.maxTimestamp()).toBeNull()
    for (const timestamp of [10, 500, 20, 500, 30, 499])
      appendNow(world, log, { count: 2, timestamp: START_MS + timestamp })
    expect(await log.maxTimestamp()).toEqual({ offset: 3, timestamp: START_MS + 501, leaderEpoch: 0 })
  })

  test('works on cold data, and says damage', async () => {
    const world = await filled()
    const log = world.log()
    ;(world.disk as MemoryDisk).setCold(true)
    expect((await log.offsetForTimestamp(START_MS + 650, 40))?.offset).toBe(14)
    const segment = log.segments.first
    segment.file().writev([Buffer.from([0x7f])], 2 * SIZE + 8)
    expect(log.offsetForTimestamp(START_MS + 300, 40)).rejects.toThrow('points past the end')
    expect(world.manager.pool.takenBytes).toBe(0)
  })
})
