import { describe, expect, test } from 'bun:test'
import type { LogConfig } from '../../src/log/types.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { buildEndTransactionBatch } from '../../src/records/control.ts'
import { checkCrc, readBatchHeader } from '../../src/records/header.ts'
import type { MemoryDisk } from '../../src/storage/disk-memory.ts'
import { append, appendNow, batchOf, numbers, readAll, START_MS, World } from './support.ts'

function diskOf(world: World): MemoryDisk {
  return world.disk as MemoryDisk
}

function writesTo(world: World): number {
  return diskOf(world).counts.writes
}

describe('the turn', () => {
  test('what is appended in a turn is written in one go, in order, and answered at its end', async () => {
    const world = await World.open()
    const log = world.log()
    const events: string[] = []
    log.onAppended = () => events.push('onAppended')
    const before = writesTo(world)
    const infos = numbers(0, 5).map((index) =>
      log.append(batchOf({ count: 2 }), {
        leaderEpoch: 0,
        origin: 'client',
        nowMs: START_MS,
        done: (error) => events.push(`done ${index}: ${error}, high watermark ${log.highWatermark}`),
      }),
    )
    expect(infos.map((info) => [info.baseOffset, info.lastOffset])).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
      [6, 7],
      [8, 9],
    ])
    expect([log.logEndOffset, log.writtenOffset, log.highWatermark]).toEqual([10, 0, 0])
    // The leader epoch's file is written at once; the batches are not.
    const epochWrites = writesTo(world) - before
    expect(events).toEqual([])
    world.timers.runTurn()
    expect(writesTo(world) - before).toBe(epochWrites + 1)
    expect(events).toEqual([...numbers(0, 5).map((index) => `done ${index}: 0, high watermark 10`), 'onAppended'])
    expect([log.logEndOffset, log.writtenOffset, log.highWatermark]).toEqual([10, 10, 10])
  })

  test('many logs share the end of one turn', async () => {
    const world = await World.open()
    const outcomes = numbers(0, 20).map((partition) => append(world.log('events', partition), batchOf()))
    world.timers.runTurn()
    expect(outcomes.map((outcome) => outcome.error)).toEqual(Array(20).fill(0))
  })

  test('an append made while answers are given belongs to the next turn', async () => {
    const world = await World.open()
    const log = world.log()
    let second: ReturnType<typeof append> | null = null
    log.append(batchOf(), {
      leaderEpoch: 0,
      origin: 'client',
      nowMs: START_MS,
      done: () => (second = append(log, batchOf())),
    })
    world.timers.runTurn()
    expect(second).toMatchObject({ error: 0, info: { baseOffset: 1 } })
    expect((await readAll(log)).offsets).toEqual([0, 1])
  })

  test('so does an append to another log whose own answers are still to come in this turn', async () => {
    const world = await World.open()
    const [first, second] = [world.log('events', 0), world.log('events', 1)]
    let late: ReturnType<typeof append> | null = null
    append(first, batchOf(), {
      done: () => {
        late = append(second, batchOf())
      },
    })
    const own = append(second, batchOf())
    world.timers.runTurn()
    expect([own.error, late!.error, second.writtenOffset]).toEqual([0, 0, 2])
  })

  test('more than a mebibyte is not left waiting', async () => {
    const world = await World.open()
    const log = world.log()
    const first = append(log, batchOf({ valueBytes: 700_000 }))
    expect(log.writtenOffset).toBe(0)
    const second = append(log, batchOf({ valueBytes: 700_000 }))
    expect(log.writtenOffset).toBe(2)
    expect([first.error, second.error, log.highWatermark]).toEqual([null, null, 0])
    world.timers.runTurn()
    expect([first.error, second.error, log.highWatermark]).toEqual([0, 0, 2])
  })

  test('base offset and leader epoch are put into the bytes, whose checksum stays right', async () => {
    const world = await World.open()
    const log = world.log()
    log.assignEpoch(7)
    appendNow(world, log, { count: 3 }, { leaderEpoch: 7 })
    appendNow(world, log, { count: 2 }, { leaderEpoch: 7 })
    const { bytes } = await readAll(log)
    const first = readBatchHeader(bytes, 0)
    const second = readBatchHeader(bytes, first.sizeBytes)
    expect([first.baseOffset, second.baseOffset]).toEqual([0, 3])
    expect([first.partitionLeaderEpoch, second.partitionLeaderEpoch]).toEqual([7, 7])
    expect(checkCrc([bytes.subarray(0, first.sizeBytes)])).toBe(true)
    expect(checkCrc([bytes.subarray(first.sizeBytes)])).toBe(true)
  })

  test('a batch in several chunks is one batch', async () => {
    const world = await World.open()
    const { header, chunks } = batchOf({ valueBytes: 5000 })
    const bytes = Buffer.from(chunks[0]!)
    const pieces = [bytes.subarray(0, 61), bytes.subarray(61, 2000), bytes.subarray(2000)].map((piece) =>
      Buffer.from(piece),
    )
    const outcome = append(world.log(), { header, chunks: pieces })
    world.timers.runTurn()
    expect(outcome.error).toBe(0)
    expect((await readAll(world.log())).bytes.subarray(16).equals(bytes.subarray(16))).toBe(true)
  })
})

describe('rolling', () => {
  async function bases(config: Partial<LogConfig>, run: (world: World) => void): Promise<number[]> {
    const world = await World.open({ config })
    run(world)
    const log = world.log()
    expect((await readAll(log)).offsets).toEqual(numbers(0, log.logEndOffset))
    return log.segments.all.map((segment) => segment.baseOffset)
  }
  const size = batchOf().header.sizeBytes

  test('a segment takes batches up to segment.bytes exactly', async () => {
    const found = await bases({ segmentBytes: 3 * size }, (world) => {
      for (let index = 0; index < 7; index++) appendNow(world, world.log())
    })
    expect(found).toEqual([0, 3, 6])
  })

  test('what is queued counts', async () => {
    const found = await bases({ segmentBytes: 3 * size }, (world) => {
      for (let index = 0; index < 7; index++) append(world.log(), batchOf())
      world.timers.runTurn()
    })
    expect(found).toEqual([0, 3, 6])
  })

  test('a batch larger than a segment is refused', async () => {
    const world = await World.open({ config: { segmentBytes: 2 * size } })
    const outcome = append(world.log(), batchOf({ valueBytes: 3 * size }))
    expect(outcome.info.errorCode).toBe(ErrorCode.RECORD_LIST_TOO_LARGE)
    expect(world.log().logEndOffset).toBe(0)
  })

  test('by record time: strictly more than segment.ms after the first batch', async () => {
    const found = await bases({ segmentMs: 1000 }, (world) => {
      for (const timestamp of [0, 999, 1000, 1001, 1002])
        appendNow(world, world.log(), { timestamp: START_MS + timestamp })
    })
    expect(found).toEqual([0, 3])
  })

  test('old timestamps after newer ones do not roll, and an idle log never does', async () => {
    const found = await bases({ segmentMs: 1000 }, (world) => {
      appendNow(world, world.log(), { timestamp: START_MS })
      appendNow(world, world.log(), { timestamp: START_MS - 1_000_000 })
      world.timers.advance(1_000_000)
    })
    expect(found).toEqual([0])
  })

  test('the first batch of a turn counts for those behind it', async () => {
    const found = await bases({ segmentMs: 1000 }, (world) => {
      append(world.log(), batchOf({ timestamp: START_MS }))
      append(world.log(), batchOf({ timestamp: START_MS + 2000 }))
      append(world.log(), batchOf({ timestamp: START_MS + 2500 }))
      world.timers.runTurn()
    })
    expect(found).toEqual([0, 1])
  })

  test('without timestamps the time since the segment was opened counts', async () => {
    const found = await bases({ segmentMs: 1000 }, (world) => {
      const plain = () => {
        const batch = batchOf()
        batch.header.maxTimestamp = -1
        batch.chunks[0]!.writeBigInt64BE(-1n, 35)
        return batch
      }
      append(world.log(), plain(), { nowMs: START_MS })
      append(world.log(), plain(), { nowMs: START_MS + 1000 })
      append(world.log(), plain(), { nowMs: START_MS + 1001 })
      world.timers.runTurn()
    })
    expect(found).toEqual([0, 2])
  })

  test('jitter makes it earlier, never later', async () => {
    const world = await World.open({ config: { segmentMs: 1000, segmentJitterMs: 500 } })
    const jitters = numbers(0, 50).map((partition) => world.log('events', partition).segments.active.jitterMs)
    expect(Math.min(...jitters)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...jitters)).toBeLessThan(500)
    expect(new Set(jitters).size).toBeGreaterThan(20)
    const log = world.log()
    appendNow(world, log, { timestamp: START_MS })
    appendNow(world, log, { timestamp: START_MS + 1000 - jitters[0]! })
    expect(log.segments.count).toBe(1)
    appendNow(world, log, { timestamp: START_MS + 1001 - jitters[0]! })
    expect(log.segments.count).toBe(2)
  })

  test('compacted topics roll after max.compaction.lag.ms, too', async () => {
    const found = await bases(
      { segmentMs: 10_000, maxCompactionLagMs: 1000, cleanupPolicy: { compact: true, delete: false } },
      (world) => {
        for (const timestamp of [0, 1000, 1001]) appendNow(world, world.log(), { timestamp: START_MS + timestamp })
      },
    )
    expect(found).toEqual([0, 2])
  })

  test('a full index rolls', async () => {
    const found = await bases({ segmentIndexBytes: 48, indexIntervalBytes: 1 }, (world) => {
      for (let index = 0; index < 20; index++) appendNow(world, world.log(), { timestamp: START_MS + index })
    })
    // 48 bytes: four time entries, one of them kept back, so three batches after the first of each segment.
    expect(found).toEqual([0, 4, 8, 12, 16])
  })

  test('offsets that do not fit relative to the base roll', async () => {
    const world = await World.open()
    const log = world.log()
    appendNow(world, log)
    const batch = batchOf()
    batch.header.lastOffsetDelta = 2 ** 31 - 1
    batch.chunks[0]!.writeInt32BE(2 ** 31 - 1, 23)
    append(log, batch)
    world.timers.runTurn()
    expect(log.segments.all.map((segment) => segment.baseOffset)).toEqual([0, 1])
  })

  test('a sealed segment has its closing time entry, its indexes on file and a producer snapshot at its end', async () => {
    const world = await World.open({ config: { segmentBytes: 3 * size } })
    for (let index = 0; index < 4; index++) appendNow(world, world.log(), { timestamp: START_MS + index })
    const names = world.disk.list(`${world.directory}/events-0`)
    expect(names).toContain('00000000000000000003.snapshot')
    expect(world.disk.readWhole(world.path('00000000000000000000.index'))?.length).toBe(0)
    const times = world.disk.readWhole(world.path('00000000000000000000.timeindex'))!
    expect([times.length, Number(times.readBigInt64BE(0)), times.readInt32BE(8)]).toEqual([12, START_MS + 2, 2])
  })
})

describe('producers', () => {
  const identity = { producerId: 9, producerEpoch: 0 }

  test('a repetition in the same turn is answered together with the first time', async () => {
    const world = await World.open()
    const log = world.log()
    const first = append(log, batchOf({ ...identity, baseSequence: 0, count: 3 }))
    const again = append(log, batchOf({ ...identity, baseSequence: 0, count: 3 }))
    expect(again.info).toMatchObject({ errorCode: 0, duplicate: true, baseOffset: 0, lastOffset: 2 })
    expect([first.error, again.error]).toEqual([null, null])
    world.timers.runTurn()
    expect([first.error, again.error]).toEqual([0, 0])
    expect(log.logEndOffset).toBe(3)
  })

  test('a late repetition is answered at the end of the turn', async () => {
    const world = await World.open()
    const log = world.log()
    appendNow(world, log, { ...identity, baseSequence: 0, count: 3 })
    appendNow(world, log, { ...identity, baseSequence: 3 })
    const again = append(log, batchOf({ ...identity, baseSequence: 0, count: 3 }))
    expect(again).toMatchObject({ error: null, info: { duplicate: true, baseOffset: 0 } })
    world.timers.runTurn()
    expect(again.error).toBe(0)
  })

  test('a sequence error is told at once and leaves no trace', async () => {
    const world = await World.open()
    const log = world.log()
    appendNow(world, log, { ...identity, baseSequence: 0 })
    const wrong = append(log, batchOf({ ...identity, baseSequence: 5 }))
    world.timers.runTurn()
    expect(wrong.error).toBeNull()
    expect(wrong.info).toMatchObject({ errorCode: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, baseOffset: -1 })
    expect(wrong.info.errorMessage).toContain('5')
    expect(log.logEndOffset).toBe(1)
    expect(appendNow(world, log, { ...identity, baseSequence: 1 }).error).toBe(0)
  })

  test('an open transaction holds back the last stable offset until its marker', async () => {
    const world = await World.open()
    const log = world.log()
    appendNow(world, log)
    appendNow(world, log, { ...identity, baseSequence: 0, isTransactional: true })
    appendNow(world, log)
    expect([log.highWatermark, log.lastStableOffset]).toEqual([3, 1])
    const bytes = buildEndTransactionBatch({ type: 'abort', coordinatorEpoch: 0, ...identity, timestamp: START_MS })
    const marker = append(log, { header: readBatchHeader(bytes, 0), chunks: [bytes] }, { origin: 'coordinator' })
    expect(log.lastStableOffset).toBe(1)
    world.timers.runTurn()
    expect(marker.error).toBe(0)
    expect([log.highWatermark, log.lastStableOffset]).toEqual([4, 4])
    expect(log.abortedTransactions(0, 4)).toEqual([{ producerId: 9, firstOffset: 1 }])
    expect(log.abortedTransactions(0, 1)).toEqual([])
    expect(world.disk.readWhole(world.path('00000000000000000000.txnindex'))?.length).toBe(34)
  })
})

describe('a write that fails', () => {
  test.each(['EIO', 'ENOSPC'] as const)('%s: all of the turn get the error, and the log is as before', async (code) => {
    const world = await World.open()
    const log = world.log()
    appendNow(world, log, { producerId: 9, producerEpoch: 0, baseSequence: 0 })
    const bytesBefore = (await readAll(log)).bytes
    const producersBefore = [...log.producers.entries()]
    diskOf(world).failNextWrite(code, { matching: (path) => path.endsWith('.log'), bytesWritten: 100 })
    const outcomes = [
      append(log, batchOf({ producerId: 9, producerEpoch: 0, baseSequence: 1 })),
      append(log, batchOf({ producerId: 10, producerEpoch: 0, baseSequence: 0 })),
      append(log, batchOf({ producerId: 9, producerEpoch: 0, baseSequence: 2 })),
      append(log, batchOf({ producerId: 9, producerEpoch: 0, baseSequence: 2 })),
      append(log, batchOf()),
    ]
    world.timers.runTurn()
    expect(outcomes.map((outcome) => outcome.error)).toEqual(Array(5).fill(ErrorCode.KAFKA_STORAGE_ERROR))
    expect([log.logEndOffset, log.writtenOffset, log.highWatermark]).toEqual([1, 1, 1])
    expect([...log.producers.entries()]).toEqual(producersBefore)
    expect(world.disk.readWhole(world.path('00000000000000000000.log'))?.equals(bytesBefore)).toBe(true)
    expect((await readAll(log)).bytes.equals(bytesBefore)).toBe(true)
    const lines = world.logger.matching(/^error: Writes fail/)
    expect(lines.length).toBe(1)
    expect(lines[0]).toContain(`"position":${bytesBefore.length}`)
    expect(lines[0]).toContain('00000000000000000000.log')
    // After a while it is tried again, and goes on as if nothing had been.
    world.clock.advance(600)
    expect(appendNow(world, log, { producerId: 9, producerEpoch: 0, baseSequence: 1 })).toMatchObject({
      error: 0,
      info: { baseOffset: 1 },
    })
    expect(world.logger.matching(/Writes work again/).length).toBe(1)
  })

  test('a full disk refuses every log at once, keeps answering reads and repetitions, and is tried twice a second', async () => {
    const world = await World.open()
    const log = world.log()
    const other = world.log('events', 1)
    appendNow(world, log, { producerId: 9, producerEpoch: 0, baseSequence: 0 })
    appendNow(world, other)
    diskOf(world).fill()
    expect(appendNow(world, log).error).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    const writes = writesTo(world)
    expect(appendNow(world, other).info.errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    expect(appendNow(world, log).info.errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    expect(writesTo(world)).toBe(writes)
    expect(appendNow(world, log, { producerId: 9, producerEpoch: 0, baseSequence: 0 })).toMatchObject({
      error: 0,
      info: { duplicate: true },
    })
    expect((await readAll(log)).offsets).toEqual([0])
    expect(world.manager.writeFailure).toContain('no space')
    world.clock.advance(600)
    expect(appendNow(world, other).error).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    diskOf(world).capacityBytes = Number.POSITIVE_INFINITY
    world.clock.advance(600)
    expect(appendNow(world, other)).toMatchObject({ error: 0, info: { baseOffset: 1 } })
    expect(appendNow(world, log)).toMatchObject({ error: 0, info: { baseOffset: 1 } })
    expect(world.manager.writeFailure).toBeNull()
    expect(world.logger.matching(/Writes fail/).length).toBe(1)
    expect(world.logger.matching(/Writes work again/).length).toBe(1)
  })

  test('a file that fails does not stop the other logs', async () => {
    const world = await World.open()
    diskOf(world).failNextWrite('EIO', { matching: (path) => path.includes('events-0/0') })
    expect(appendNow(world, world.log()).error).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    expect(appendNow(world, world.log('events', 1)).error).toBe(0)
  })

  test('a new segment that cannot be begun is an error; the old one takes the batch later', async () => {
    const size = batchOf().header.sizeBytes
    const world = await World.open({ config: { segmentBytes: size } })
    const log = world.log()
    appendNow(world, log)
    diskOf(world).failNextWrite('ENOSPC', { matching: (path) => path.endsWith('.timeindex') })
    expect(append(log, batchOf()).info.errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    world.clock.advance(600)
    expect(appendNow(world, log)).toMatchObject({ error: 0, info: { baseOffset: 1 } })
    expect((await readAll(log)).offsets).toEqual([0, 1])
  })

  test('a cut that fails is made good before anything else is written', async () => {
    const world = await World.open()
    const log = world.log()
    appendNow(world, log)
    const file = log.segments.active.file()
    const truncate = file.truncate.bind(file)
    let broken = true
    file.truncate = (sizeBytes) => {
      if (broken) diskOf(world).failNextWrite('EIO', { matching: (path) => path.endsWith('.log') })
      if (broken) file.writev([Buffer.alloc(1)], 0)
      truncate(sizeBytes)
    }
    diskOf(world).failNextWrite('EIO', { matching: (path) => path.endsWith('.log'), bytesWritten: 40 })
    expect(appendNow(world, log).error).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    world.clock.advance(600)
    expect(appendNow(world, log).error).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    broken = false
    world.clock.advance(600)
    expect(appendNow(world, log)).toMatchObject({ error: 0, info: { baseOffset: 1 } })
    expect(world.disk.readWhole(world.path('00000000000000000000.log'))?.length).toBe(log.sizeBytes)
    expect((await readAll(log)).offsets).toEqual([0, 1])
  })
})

describe('durability fsync', () => {
  const options = { manager: { durability: 'fsync' } } as const

  async function settle(world: World): Promise<void> {
    for (let round = 0; round < 50; round++) {
      world.timers.runTurn()
      await Promise.resolve()
    }
  }

  test('answers come after the sync, which many share; the high watermark moves with it', async () => {
    const world = await World.open(options)
    const log = world.log()
    append(log, batchOf())
    await settle(world)
    const syncs = diskOf(world).counts.syncs
    const outcomes = numbers(0, 10).map(() => append(log, batchOf()))
    world.timers.runTurn()
    expect([log.writtenOffset, log.highWatermark]).toEqual([11, 1])
    expect(outcomes[0]?.error).toBeNull()
    await settle(world)
    expect(outcomes.map((outcome) => outcome.error)).toEqual(Array(10).fill(0))
    expect([log.highWatermark, log.recoveryPoint]).toEqual([11, 11])
    expect(diskOf(world).counts.syncs).toBe(syncs + 1)
  })

  test('what was acknowledged survives the loss of power', async () => {
    const world = await World.open(options)
    append(world.log(), batchOf({ count: 5 }))
    await settle(world)
    append(world.log(), batchOf({ count: 5 }))
    world.log().startWriting()
    diskOf(world).crash()
    const again = await world.reopen()
    expect((await readAll(again.log())).offsets).toEqual(numbers(0, 5))
  })

  test('a failed sync fails those who waited for it and takes their batches out of the log', async () => {
    const world = await World.open(options)
    const log = world.log()
    const identity = { producerId: 9, producerEpoch: 0 }
    append(log, batchOf({ ...identity, baseSequence: 0 }))
    await settle(world)
    diskOf(world).failNextSync((path) => path.endsWith('.log'))
    const lost = [
      append(log, batchOf({ ...identity, baseSequence: 1 })),
      append(log, batchOf({ ...identity, baseSequence: 1 })),
    ]
    await settle(world)
    expect(lost.map((outcome) => outcome.error)).toEqual([ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.KAFKA_STORAGE_ERROR])
    expect([log.logEndOffset, log.highWatermark]).toEqual([1, 1])
    const again = append(log, batchOf({ ...identity, baseSequence: 1 }))
    await settle(world)
    expect(again).toMatchObject({ error: 0, info: { baseOffset: 1, duplicate: false } })
    expect((await readAll(log)).offsets).toEqual([0, 1])
  })

  test('flush.messages=1 makes a topic wait like that, whatever the rest does', async () => {
    const world = await World.open({ config: { flushMessages: 1 } })
    const outcome = append(world.log(), batchOf())
    world.timers.runTurn()
    expect(outcome.error).toBeNull()
    await settle(world)
    expect([outcome.error, world.log().recoveryPoint]).toEqual([0, 1])
  })

  test('flush.messages=3 syncs after three, without anybody waiting', async () => {
    const world = await World.open({ config: { flushMessages: 3 } })
    const log = world.log()
    expect([appendNow(world, log).error, appendNow(world, log).error]).toEqual([0, 0])
    await settle(world)
    expect(log.recoveryPoint).toBe(0)
    appendNow(world, log)
    await settle(world)
    expect(log.recoveryPoint).toBe(3)
  })

  test('flush.ms=200 syncs that long after the first write, without anybody waiting', async () => {
    const world = await World.open({ config: { flushMs: 200 } })
    const log = world.log()
    appendNow(world, log)
    world.timers.advance(150)
    appendNow(world, log)
    await settle(world)
    expect(log.recoveryPoint).toBe(0)
    world.timers.advance(50)
    await settle(world)
    expect(log.recoveryPoint).toBe(2)
    appendNow(world, log)
    world.timers.advance(200)
    await settle(world)
    expect(log.recoveryPoint).toBe(3)
  })

  test('logs that somebody waits for do not keep the others from being synced', async () => {
    const world = await World.open(options)
    const busy = [1, 2, 3].map((partition) => world.log('events', partition))
    const quiet = world.log()
    quiet.assignEpoch(1)
    let running = true
    const feed = (log: (typeof busy)[number]): void => {
      const done = () => {
        if (running) feed(log)
      }
      log.append(batchOf(), { leaderEpoch: 0, origin: 'client', nowMs: START_MS, done })
    }
    for (const log of busy) feed(log)
    await settle(world)
    const checkpoint = world.manager.checkpoint()
    let ended = false
    void checkpoint.then(() => (ended = true))
    for (let round = 0; round < 20 && !ended; round++) await settle(world)
    expect(ended).toBe(true)
    expect(quiet.needsSync).toBe(false)
    running = false
    await settle(world)
  })
})
