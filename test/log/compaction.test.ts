// What a cleaning leaves of a log, rule by rule.

import { describe, expect, test } from 'bun:test'
import { DEFAULT_CLEANER_SETTINGS } from '../../src/log/compaction.ts'
import type { LogConfig } from '../../src/log/types.ts'
import { hasDeleteHorizon, isControl, iterateRecords } from '../../src/records/batch.ts'
import { CODEC_GZIP, CODEC_LZ4, CODEC_SNAPPY, CODEC_ZSTD, checkCrc } from '../../src/records/header.ts'
import type { MemoryDisk } from '../../src/storage/disk-memory.ts'
import {
  batchesOf,
  COMPACTED,
  committedView,
  compact,
  driven,
  marker,
  put,
  roll,
  survivors,
} from './compaction-support.ts'
import { append, batchOf, numbers, START_MS, World } from './support.ts'

function compacted(config: Partial<LogConfig> = {}): Promise<World> {
  return World.open({ config: { ...COMPACTED, ...config } })
}

describe('records', () => {
  test('only the last one of each key stays, at its offset', async () => {
    const world = await compacted()
    put(world, [
      ['a', '1'],
      ['b', '1'],
      ['a', '2'],
    ])
    put(world, [
      ['c', '1'],
      ['b', '2'],
    ])
    roll(world)
    await compact(world)
    expect(await survivors(world.log())).toEqual([
      { offset: 2, key: 'a', value: '2' },
      { offset: 3, key: 'c', value: '1' },
      { offset: 4, key: 'b', value: '2' },
    ])
    expect(world.log().cleanedUpTo).toBe(5)
  })

  test('what is in the segment that is written to is neither removed nor compared with', async () => {
    const world = await compacted()
    put(world, [['a', '1']])
    roll(world)
    put(world, [
      ['a', '2'],
      ['a', '3'],
    ])
    await compact(world)
    expect((await survivors(world.log())).map(({ value }) => value)).toEqual(['1', '2', '3'])
  })

  test('a later cleaning removes what an earlier one had kept', async () => {
    const world = await compacted()
    put(world, [
      ['a', '1'],
      ['b', '1'],
    ])
    roll(world)
    await compact(world)
    put(world, [['a', '2']])
    roll(world)
    await compact(world)
    expect((await survivors(world.log())).map(({ key, value }) => `${key}${value}`)).toEqual(['b1', 'a2'])
  })

  test('a batch that loses nothing stays byte for byte', async () => {
    const world = await compacted()
    put(world, [
      ['a', '1'],
      ['b', '1'],
    ])
    put(world, [['c', '1']])
    put(world, [
      ['d', '1'],
      ['c', '2'],
    ])
    roll(world)
    const before = await batchesOf(world.log())
    await compact(world)
    const after = await batchesOf(world.log())
    expect(after.map(({ header }) => header.baseOffset)).toEqual([0, 3])
    expect(after[0]!.bytes).toEqual(before[0]!.bytes)
    expect(after[1]!.bytes).toEqual(before[2]!.bytes)
  })

  test.each([
    ['gzip', CODEC_GZIP],
    ['snappy', CODEC_SNAPPY],
    ['lz4', CODEC_LZ4],
    ['zstd', CODEC_ZSTD],
  ] as const)('a %s batch stays one', async (_name, codec) => {
    const world = await compacted()
    put(
      world,
      [
        ['a', 'x'.repeat(50)],
        ['b', 'y'.repeat(50)],
        ['c', 'z'],
      ],
      { codec },
    )
    put(world, [['b', 'new']], { codec })
    roll(world)
    await compact(world)
    const [first] = await batchesOf(world.log())
    expect(first!.header.attributes & 7).toBe(codec)
    expect(first!.header).toMatchObject({ baseOffset: 0, lastOffsetDelta: 2, recordCount: 2 })
    expect(checkCrc([first!.bytes])).toBe(true)
    expect((await survivors(world.log())).map(({ key, offset }) => `${key}@${offset}`)).toEqual(['a@0', 'c@2', 'b@3'])
  })

  test('timestamps and headers of what stays are what they were', async () => {
    const world = await compacted()
    const records = [
      { timestamp: START_MS + 7, key: Buffer.from('a'), value: Buffer.from('1'), headers: [] },
      { timestamp: START_MS - 3, key: Buffer.from('b'), value: null, headers: [{ key: 'h', value: Buffer.from('v') }] },
      { timestamp: START_MS + 1, key: Buffer.from('c'), value: Buffer.from('3'), headers: [] },
    ]
    const { buildBatch, readBatchHeader } = await import('../../src/records/batch.ts')
    const bytes = buildBatch({ records })
    append(world.log(), { header: readBatchHeader(bytes, 0), chunks: [bytes] })
    put(world, [['a', '2']])
    roll(world)
    await compact(world)
    const [first] = await batchesOf(world.log())
    expect([...iterateRecords(first!.bytes)].map(({ timestamp, headers }) => [timestamp, headers.length])).toEqual([
      [START_MS - 3, 1],
      [START_MS + 1, 0],
    ])
    expect(first!.header.maxTimestamp).toBe(START_MS + 1)
  })
})

describe('tombstones', () => {
  test('get a delete horizon when they are first kept, and go once it has passed', async () => {
    const world = await compacted({ deleteRetentionMs: 5000 })
    put(world, [
      ['a', '1'],
      ['b', '1'],
    ])
    put(world, [
      ['a', null],
      ['c', '1'],
    ])
    roll(world)
    await compact(world)
    const horizon = (await batchesOf(world.log())).find(({ header }) => hasDeleteHorizon(header))!
    expect(horizon.header.baseTimestamp).toBe(world.clock.now() + 5000)
    expect([...iterateRecords(horizon.bytes)].map(({ timestamp }) => timestamp)).toEqual([START_MS, START_MS + 1])
    expect((await survivors(world.log())).map(({ key, value }) => `${key}${value}`)).toEqual(['b1', 'anull', 'c1'])

    world.clock.advance(4999)
    put(world, [['d', '1']])
    roll(world)
    await compact(world)
    expect((await survivors(world.log())).map(({ key }) => key)).toEqual(['b', 'a', 'c', 'd'])

    world.clock.advance(1)
    put(world, [['e', '1']])
    roll(world)
    await compact(world)
    expect((await survivors(world.log())).map(({ key }) => key)).toEqual(['b', 'c', 'd', 'e'])
  })

  test('a compressed batch with append time keeps both', async () => {
    const world = await compacted({ deleteRetentionMs: 5000 })
    const times = { timestampType: 'LogAppendTime', logAppendTimeMs: START_MS + 77, codec: CODEC_LZ4 } as const
    put(
      world,
      [
        ['a', null],
        ['b', '1'],
      ],
      times,
    )
    put(world, [['c', '1']])
    roll(world)
    await compact(world)
    const [first] = await batchesOf(world.log())
    expect(hasDeleteHorizon(first!.header)).toBe(true)
    expect([...iterateRecords(first!.bytes)].map(({ timestamp }) => timestamp)).toEqual([START_MS + 77, START_MS + 77])
  })
})

describe('producers', () => {
  const sequence = (baseSequence: number, producerId = 5) => ({ producerId, producerEpoch: 0, baseSequence })

  test("a producer's last batch stays without records, and goes when there is a later one", async () => {
    const world = await compacted()
    put(world, [['a', '1']], sequence(0))
    put(world, [['a', '2']], sequence(1))
    put(world, [['a', '3']])
    roll(world)
    await compact(world)
    const [first] = await batchesOf(world.log())
    expect(first!.header).toMatchObject({
      baseOffset: 1,
      sizeBytes: 61,
      recordCount: 0,
      producerId: 5,
      baseSequence: 1,
      baseTimestamp: -1,
    })
    expect(checkCrc([first!.bytes])).toBe(true)

    put(world, [['b', '1']], sequence(2))
    roll(world)
    await compact(world)
    expect((await batchesOf(world.log())).map(({ header }) => header.baseOffset)).toEqual([2, 3])
  })

  test('sequences go on after a restart that has nothing but the log', async () => {
    const world = await compacted()
    put(
      world,
      [
        ['a', '1'],
        ['b', '1'],
      ],
      sequence(0),
    )
    put(world, [
      ['a', '2'],
      ['b', '2'],
    ])
    roll(world)
    await compact(world)
    const disk = world.disk as MemoryDisk
    for (const name of disk.list(`${world.directory}/events-0`)) {
      if (name.endsWith('.snapshot')) disk.remove(world.path(name))
    }
    const again = await world.kill()
    expect(put(again, [['a', '3']], sequence(1)).info.errorCode).toBe(45)
    expect(put(again, [['a', '3']], sequence(2)).info).toMatchObject({ errorCode: 0, baseOffset: 4 })
  })

  test('the last batch of the cleaned part stays, so that its end is not lost', async () => {
    const world = await compacted()
    put(world, [['a', '1']])
    put(world, [['a', null]])
    roll(world)
    await compact(world)
    world.clock.advance(world.config.deleteRetentionMs)
    put(world, [['z', '1']])
    roll(world)
    await compact(world)
    put(world, [['z', '2']])
    roll(world)
    await compact(world)
    expect((await batchesOf(world.log())).at(-1)!.header).toMatchObject({ baseOffset: 3 })
  })
})

describe('transactions', () => {
  const part = (baseSequence: number, producerId = 9) => ({
    producerId,
    producerEpoch: 0,
    baseSequence,
    isTransactional: true,
  })

  test('aborted records go at once and count for nothing', async () => {
    const world = await compacted()
    put(world, [['a', 'committed']])
    put(
      world,
      [
        ['a', 'aborted'],
        ['b', 'aborted'],
      ],
      part(0),
    )
    marker(world, 9, 'abort')
    put(world, [['c', '1']])
    roll(world)
    await compact(world)
    expect((await survivors(world.log())).map(({ key, value }) => `${key} ${value}`)).toEqual(['a committed', 'c 1'])
    expect(await committedView(world.log())).toEqual(await survivors(world.log()))
  })

  test('nothing at or after the first open transaction is cleaned', async () => {
    const world = await compacted()
    put(world, [['a', '1']])
    put(world, [['a', '2']])
    roll(world)
    put(world, [['b', '1']], part(0))
    roll(world)
    put(world, [['b', '2']])
    put(world, [['a', '3']])
    roll(world)
    await compact(world)
    expect((await survivors(world.log())).map(({ key, value }) => `${key}${value}`)).toEqual(['a2', 'b1', 'b2', 'a3'])
    marker(world, 9, 'commit')
    roll(world)
    await compact(world)
    expect((await survivors(world.log())).map(({ key, value }) => `${key}${value}`)).toEqual(['b2', 'a3'])
  })

  test('a commit marker stays as long as data of its transaction does, then until its horizon', async () => {
    const world = await compacted({ deleteRetentionMs: 5000 })
    const markers = async () => (await batchesOf(world.log())).filter(({ header }) => isControl(header))
    put(world, [['a', '1']], part(0))
    marker(world, 9, 'commit')
    put(world, [['x', '1']], part(1))
    marker(world, 9, 'commit')
    roll(world)
    await compact(world)
    expect(await markers()).toHaveLength(2)

    put(world, [['a', '2']])
    roll(world)
    await compact(world) // the data goes
    put(world, [['y', '1']])
    roll(world)
    await compact(world) // the first marker has none left
    expect((await markers()).map(({ header }) => hasDeleteHorizon(header))).toEqual([true, false])

    world.clock.advance(5000)
    put(world, [['z', '1']])
    roll(world)
    await compact(world)
    expect((await markers()).map(({ header }) => header.baseOffset)).toEqual([3])
  })

  test('an abort marker keeps its index entry in the round that removes the data, and loses it in the next', async () => {
    const world = await compacted()
    put(world, [['a', 'aborted']], part(0))
    marker(world, 9, 'abort')
    put(world, [['b', '1']], part(1))
    marker(world, 9, 'commit')
    roll(world)
    const indexed = () => world.disk.exists(world.path('00000000000000000000.txnindex'))
    expect(indexed()).toBe(true)
    await compact(world)
    expect(indexed()).toBe(true)
    expect(world.log().abortedTransactions(0, 4)).toEqual([{ producerId: 9, firstOffset: 0 }])
    put(world, [['c', '1']])
    roll(world)
    await compact(world)
    expect(indexed()).toBe(false)
    expect(world.log().abortedTransactions(0, 4)).toEqual([])
    expect((await committedView(world.log())).map(({ key }) => key)).toEqual(['b', 'c'])
  })
})

describe('when', () => {
  test('the log with the largest share of dirty bytes goes first, one at a time', async () => {
    const world = await compacted({ minCleanableDirtyRatio: 0.5 })
    for (const partition of [0, 1, 2]) {
      const log = world.log('events', partition)
      for (let index = 0; index < 3; index++) {
        append(log, batchOf({ valueBytes: partition === 1 ? 500 : 100 }))
        world.timers.runTurn()
      }
      if (partition < 2) log.rollSegment(START_MS)
    }
    await compact(world)
    const lines = world.logger.matching(/Compacted a log/)
    expect(lines).toHaveLength(2)
    expect(lines.join()).not.toContain('events-2')
    expect(lines[0]).toMatch(/"segmentsBefore":\d+,"segmentsAfter":\d+,"bytesBefore":\d+,"bytesAfter":\d+/)
  })

  test('a share that is not above min.cleanable.dirty.ratio waits, until max.compaction.lag.ms', async () => {
    const world = await compacted({ minCleanableDirtyRatio: 0.9, maxCompactionLagMs: 10_000 })
    put(world, [
      ['a', '1'.repeat(300)],
      ['b', '1'],
    ])
    roll(world)
    await compact(world)
    put(world, [
      ['a', '2'],
      ['a', '3'],
    ])
    roll(world)
    await compact(world)
    expect((await survivors(world.log())).map(({ value }) => value!.length)).toEqual([300, 1, 1, 1])
    world.clock.advance(10_002)
    await compact(world)
    expect((await survivors(world.log())).map(({ key }) => key)).toEqual(['b', 'a'])
  })

  test('min.compaction.lag.ms protects young segments', async () => {
    const world = await compacted({ minCompactionLagMs: 10_000 })
    put(world, [
      ['a', '1'],
      ['a', '2'],
    ])
    roll(world)
    world.clock.advance(5000)
    put(world, [
      ['a', '3'],
      ['a', '4'],
    ])
    roll(world)
    await compact(world)
    expect(await survivors(world.log())).toHaveLength(4)
    world.clock.advance(5002)
    await compact(world)
    expect((await survivors(world.log())).map(({ value }) => value)).toEqual(['2', '3', '4'])
  })

  test('what is not on the device is not relied on', async () => {
    const world = await compacted()
    put(world, [
      ['a', '1'],
      ['a', '2'],
    ])
    roll(world)
    world.log().recoveryPoint = 0
    await driven(world, world.manager.cleaner.run())
    expect(await survivors(world.log())).toHaveLength(2)
  })

  test('not at all while it is turned off', async () => {
    let settings = { ...DEFAULT_CLEANER_SETTINGS, enable: false }
    const world = await World.open({ config: COMPACTED, manager: { cleanerSettings: () => settings } })
    put(world, [
      ['a', '1'],
      ['a', '2'],
    ])
    roll(world)
    await compact(world)
    expect(await survivors(world.log())).toHaveLength(2)
    settings = { ...settings, enable: true }
    await compact(world)
    expect(await survivors(world.log())).toHaveLength(1)
  })

  test('by itself after log.cleaner.backoff.ms', async () => {
    const world = await compacted()
    put(world, [
      ['a', '1'],
      ['a', '2'],
    ])
    roll(world)
    await driven(world, world.manager.checkpoint())
    expect(world.timers.dueMs('log/cleaner')).toBe(START_MS + 15_000)
    world.timers.advance(15_000)
    await driven(world, world.manager.cleaner.run())
    expect(await survivors(world.log())).toHaveLength(1)
  })
})

describe('segments', () => {
  test('neighbours become one as long as they fit', async () => {
    const world = await compacted({ segmentBytes: 2000 })
    for (let round = 0; round < 30; round++) put(world, [[`k${round % 3}`, 'v'.repeat(200)]])
    roll(world)
    const before = world.log().segments.count
    await compact(world)
    put(world, [['k0', 'last']])
    roll(world)
    await compact(world)
    expect(world.log().segments.count).toBeLessThan(before)
    expect(world.log().segments.first.baseOffset).toBe(0)
    expect(await survivors(world.log())).toHaveLength(3)
    expect(world.log().sizeBytes).toBeLessThan(1000)
  })

  test('a map that is too small takes several rounds', async () => {
    const settings = { ...DEFAULT_CLEANER_SETTINGS, dedupeBufferBytes: 24 * 64 }
    const world = await World.open({
      config: { ...COMPACTED, minCleanableDirtyRatio: 0 },
      manager: { cleanerSettings: () => settings },
    })
    for (let round = 0; round < 2; round++) {
      for (let key = 0; key < 300; key++) put(world, [[`key${key}`, `${round}`]])
    }
    roll(world)
    await compact(world)
    const left = await survivors(world.log())
    expect(left).toHaveLength(300)
    expect(left.every(({ value }) => value === '1')).toBe(true)
    expect(world.logger.matching(/Compacted a log/).length).toBeGreaterThan(5)
  })

  test('what is left of a full log can be found by offset and by time, also after a restart', async () => {
    const world = await compacted()
    for (let index = 0; index < 200; index++)
      put(world, [[`k${index % 20}`, `${index}`]], { at: START_MS + index * 10 })
    roll(world)
    await compact(world)
    for (const each of [world, await world.restart()]) {
      const log = each.log()
      for (let offset = 0; offset < 200; offset++) {
        const result = await log.read(offset, { maxBytes: 1, upTo: 200, atLeastOne: true })
        expect(result.startOffset).toBe(Math.max(offset, 180))
        result.release()
      }
      expect(await log.offsetForTimestamp(START_MS, 200)).toMatchObject({ offset: 180 })
      expect(await log.offsetForTimestamp(START_MS + 1905, 200)).toMatchObject({ offset: 191 })
    }
  })
})

describe('beside other work', () => {
  async function cleaningUnderWay(world: World): Promise<{ run: Promise<void> }> {
    for (let index = 0; index < 40; index++) put(world, [[`k${index % 4}`, 'v'.repeat(100)]])
    roll(world)
    await driven(world, world.manager.checkpoint())
    const run = world.manager.cleaner.run()
    for (let round = 0; world.log().cleaning === null && round < 10; round++) await Promise.resolve()
    expect(world.log().cleaning).not.toBeNull()
    return { run }
  }

  test('a deleted log ends its cleaning', async () => {
    const world = await compacted()
    const { run } = await cleaningUnderWay(world)
    world.manager.delete('events', 0)
    await driven(world, run)
    expect(world.disk.list(world.directory).filter((name) => name.startsWith('events-0.'))).toHaveLength(1)
    expect(world.logger.matching(/cannot be compacted/)).toEqual([])
  })

  test('a cut ends it and leaves nothing behind', async () => {
    const world = await compacted()
    const { run } = await cleaningUnderWay(world)
    world.log().truncateTo(10)
    expect(world.disk.list(`${world.directory}/events-0`).filter((name) => /cleaned|swap/.test(name))).toEqual([])
    await driven(world, run)
    expect(world.log().logEndOffset).toBe(10)
  })

  test('a reader of a range of the old file reads on', async () => {
    const world = await compacted({ segmentBytes: 1 << 20 })
    for (let index = 0; index < 100; index++) put(world, [[`k${index % 3}`, 'v'.repeat(1000)]])
    roll(world)
    const log = world.log()
    const result = await log.read(0, { maxBytes: 90_000, upTo: log.highWatermark, atLeastOne: true, asFile: true })
    expect(result.file).not.toBeNull()
    const before = Buffer.alloc(result.sizeBytes)
    await result.file!.file.read(before, 0, before.length, result.file!.position)
    await compact(world)
    world.timers.advance(world.config.fileDeleteDelayMs)
    const after = Buffer.alloc(result.sizeBytes)
    await result.file!.file.read(after, 0, after.length, result.file!.position)
    expect(after).toEqual(before)
    result.release()
    expect(await survivors(log)).toHaveLength(3)
  })

  test('readers that wait for the disk meanwhile miss nothing', async () => {
    const world = await compacted()
    for (let index = 0; index < 200; index++) put(world, [[`k${index % 20}`, `${index}`.padEnd(50)]])
    roll(world)
    await driven(world, world.manager.checkpoint())
    ;(world.disk as MemoryDisk).setCold(true)
    let over = false
    const cleaning = world.manager.cleaner.run().finally(() => {
      over = true
    })
    const reads: Promise<void>[] = []
    while (!over) {
      reads.push(
        survivors(world.log()).then((found) => {
          const last = new Map(found.map(({ key, value }) => [key, Number(value)]))
          expect([...last.values()].toSorted((a, b) => a - b)).toEqual(numbers(180, 200))
        }),
        world
          .log()
          .offsetForTimestamp(START_MS, 200)
          .then((found) => expect(found).not.toBeNull()),
      )
      world.timers.runTurn()
      for (let turn = 0; turn < 5; turn++) await Promise.resolve()
    }
    await Promise.all(reads)
    await cleaning
    expect(reads.length).toBeGreaterThan(10)
    expect(await survivors(world.log())).toHaveLength(20)
  })

  test('reading and writing keep to log.cleaner.io.max.bytes.per.second', async () => {
    const settings = { ...DEFAULT_CLEANER_SETTINGS, ioMaxBytesPerSecond: 1000 }
    const world = await World.open({ config: COMPACTED, manager: { cleanerSettings: () => settings } })
    for (let index = 0; index < 40; index++) put(world, [[`k${index}`, 'v'.repeat(100)]])
    roll(world)
    await driven(world, world.manager.checkpoint())
    const bytes = world.log().sizeBytes
    let over = false
    const cleaning = world.manager.cleaner.run().finally(() => {
      over = true
    })
    const beganMs = world.clock.now()
    while (!over) {
      world.timers.advance(10)
      for (let turn = 0; turn < 50; turn++) await Promise.resolve()
    }
    await cleaning
    // Everything is read twice and written once.
    const leastMs = 3 * bytes
    expect(world.clock.now() - beganMs).toBeGreaterThanOrEqual(leastMs * 0.9)
    expect(world.clock.now() - beganMs).toBeLessThan(leastMs * 1.5)
  })

  test('deleted records and retention go on, with compact,delete', async () => {
    const world = await compacted({ cleanupPolicy: { compact: true, delete: true }, retentionMs: 100_000 })
    for (let index = 0; index < 40; index++) put(world, [[`k${index}`, 'v'.repeat(100)]])
    roll(world)
    await compact(world)
    world.clock.advance(100_100)
    put(world, [['late', '1']])
    roll(world)
    await compact(world)
    expect((await survivors(world.log())).map(({ key }) => key)).toEqual(['late'])
    expect(world.log().logStartOffset).toBe(40)
  })
})

describe('failures', () => {
  test('a damaged segment is left alone with one line, other logs go on', async () => {
    const world = await compacted()
    for (const topic of ['bad', 'good']) {
      const log = world.log(topic)
      for (let index = 0; index < 6; index++) {
        append(log, batchOf({ valueBytes: 200 }))
        world.timers.runTurn()
      }
      log.rollSegment(START_MS)
    }
    await driven(world, world.manager.checkpoint())
    world
      .log('bad')
      .segments.first.file()
      .writev([Buffer.from('damage')], 100)
    await compact(world)
    await compact(world)
    expect(world.logger.matching(/cannot be compacted/)).toHaveLength(1)
    expect(world.logger.matching(/cannot be compacted/)[0]).toContain('bad-0')
    expect(world.manager.cleaner.isUncleanable(world.log('bad'))).toBe(true)
    expect(world.log('good').cleanedUpTo).toBe(6)
  })

  test('a full disk is tried again', async () => {
    const world = await compacted()
    put(world, [
      ['a', '1'],
      ['a', '2'],
      ['b', '1'],
    ])
    roll(world)
    await driven(world, world.manager.checkpoint())
    const disk = world.disk as MemoryDisk
    disk.failNextWrite('ENOSPC', { matching: (path) => path.endsWith('.cleaned') })
    await compact(world)
    expect(world.logger.matching(/No room to compact/)).toHaveLength(1)
    expect(disk.list(`${world.directory}/events-0`).filter((name) => name.includes('cleaned'))).toEqual([])
    expect(await survivors(world.log())).toHaveLength(3)
    await compact(world)
    expect(await survivors(world.log())).toHaveLength(2)
  })

  test('the checkpoint is read back, and a log that was cut below it begins anew', async () => {
    const world = await compacted()
    put(world, [
      ['a', '1'],
      ['a', '2'],
    ])
    roll(world)
    put(world, [['a', '3']])
    roll(world)
    await compact(world)
    expect(String(world.disk.readWhole(`${world.directory}/cleaner-offset-checkpoint`))).toBe('0\n1\nevents 0 3\n')
    const again = await world.restart()
    expect(again.log().cleanedUpTo).toBe(3)
    again.log().truncateTo(1)
    expect(again.log().cleanedUpTo).toBe(0)
  })
})
