// Appends that are written past the page cache: what happens while one is in the air. The random histories of model.test.ts cover the rest.

import { describe, expect, test } from 'bun:test'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { MemoryDisk } from '../../src/storage/disk-memory.ts'
import { append, appendNow, batchOf, numbers, readAll, START_MS, TOPIC_ID, World } from './support.ts'

const LARGE = { valueBytes: 5000 }

function directWorld(): Promise<World> {
  const disk = new MemoryDisk({ now: () => START_MS, trackDurable: true, directWrites: true })
  return World.open({ disk, manager: { directWriteBytesMin: 1000 } })
}

function diskOf(world: World): MemoryDisk {
  return world.disk as MemoryDisk
}

describe('a direct write in the air', () => {
  test('is acknowledged, and seen by readers, once it has landed', async () => {
    const world = await directWorld()
    const log = world.log()
    const outcome = appendNow(world, log, LARGE)
    expect([outcome.error, log.highWatermark, log.logEndOffset]).toEqual([null, 0, 1])
    diskOf(world).landNext()
    world.timers.runTurn()
    expect([outcome.error, log.highWatermark]).toEqual([ErrorCode.NONE, 1])
    expect((await readAll(log)).offsets).toEqual([0])
  })

  test('keeps small appends behind it waiting, in order', async () => {
    const world = await directWorld()
    const log = world.log()
    const first = appendNow(world, log, LARGE)
    const second = appendNow(world, log)
    expect([first.error, second.error]).toEqual([null, null])
    diskOf(world).landNext()
    world.timers.runTurn()
    expect([first.error, second.error]).toEqual([ErrorCode.NONE, ErrorCode.NONE])
    expect((await readAll(log)).offsets).toEqual([0, 1])
  })

  test('fails with everything behind it when the disk refuses it, and the log goes on', async () => {
    const world = await directWorld()
    const log = world.log()
    const first = appendNow(world, log, LARGE)
    const second = appendNow(world, log)
    diskOf(world).failNextWrite('EIO', { bytesWritten: 700 })
    diskOf(world).landNext()
    world.timers.runTurn()
    expect([first.error, second.error]).toEqual([ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.KAFKA_STORAGE_ERROR])
    expect([log.logEndOffset, diskOf(world).stat(log.segments.active.path)?.sizeBytes]).toEqual([0, 0])
    world.clock.advance(10_000)
    expect(appendNow(world, log).error).toBe(ErrorCode.NONE)
  })

  test('that a checkpoint could not wait for is written at once, and changes nothing when it lands', async () => {
    const world = await directWorld()
    const log = world.log()
    const outcome = appendNow(world, log, LARGE)
    await world.manager.checkpoint()
    world.timers.runTurn()
    expect([outcome.error, log.recoveryPoint]).toEqual([ErrorCode.NONE, 1])
    appendNow(world, log)
    diskOf(world).landNext()
    expect((await readAll(log)).offsets).toEqual([0, 1])
  })

  test('that lands after a cut leaves nothing behind, and nothing is written before', async () => {
    const world = await directWorld()
    const log = world.log()
    appendNow(world, log)
    appendNow(world, log, LARGE)
    log.truncateTo(1)
    const refused = appendNow(world, log)
    expect(refused.error).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    diskOf(world).landNext()
    expect(diskOf(world).stat(log.segments.active.path)?.sizeBytes).toBe(log.sizeBytes)
    world.clock.advance(10_000)
    expect(appendNow(world, log)).toMatchObject({ error: ErrorCode.NONE, info: { baseOffset: 1 } })
    expect((await readAll(log)).offsets).toEqual([0, 1])
  })

  test('that lands after its topic was deleted does not touch the topic of the same name', async () => {
    const world = await directWorld()
    appendNow(world, world.log(), LARGE)
    // What is in the air is written again before the log is closed: that fails, and the file would have to be cut.
    diskOf(world).failNextWrite('EIO', { matching: (path) => path.endsWith('.log') })
    world.manager.delete('events', 0)
    const again = world.manager.create({ topic: 'events', topicId: `${TOPIC_ID.slice(0, -1)}w`, partition: 0 })
    for (let count = 0; count < 3; count++) appendNow(world, again)
    diskOf(world).landNext()
    expect(diskOf(world).stat(again.segments.active.path)?.sizeBytes).toBe(again.sizeBytes)
    expect((await readAll(again)).offsets).toEqual(numbers(0, 3))
  })

  test('is not begun for a little that stands before a batch too large for one', async () => {
    const world = await directWorld()
    const log = world.log()
    const small = append(log, batchOf())
    const large = append(log, batchOf({ valueBytes: 3 << 20 }))
    world.timers.runTurn()
    expect([small.error, large.error, diskOf(world).writesInTheAir]).toEqual([ErrorCode.NONE, ErrorCode.NONE, 0])
    expect((await readAll(log, 0, 8 << 20)).offsets).toEqual([0, 1])
  })
})
