import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { ManualClock } from '../../src/storage/clock-manual.ts'
import { MemoryDisk } from '../../src/storage/disk-memory.ts'
import { SeededRandom } from '../../src/storage/random-seeded.ts'
import { CrashingDisk } from './crashing-disk.ts'
import { FOLDERS, Moves } from './moves-support.ts'
import { readAll, START_MS, TOPIC_ID, World } from './support.ts'

const CHANGES_MOST = 400
const CHANGES_FEWEST = 30

// Much is computed; a machine with other work takes its time.
setDefaultTimeout(60_000)

function trackedDisk(): MemoryDisk {
  return new MemoryDisk({ trackDurable: true })
}

describe('a move to another folder', () => {
  test('leaves every record where it was, with producers, aborted transactions, epochs and the log start', async () => {
    const moves = await Moves.open(trackedDisk())
    moves.fill(40)
    const log = moves.log()
    log.assignEpoch(3)
    expect(log.deleteRecordsTo(11)).toBe(ErrorCode.NONE)
    const before = {
      bytes: (await readAll(log)).bytes,
      aborted: log.abortedTransactions(11, log.logEndOffset),
      producers: log.activeProducers(),
      epoch: log.endOffsetForEpoch(3),
      segments: log.segments.all.map(({ baseOffset, sizeBytes }) => [baseOffset, sizeBytes]),
    }
    expect(before.aborted).toHaveLength(1)
    expect(moves.world.manager.moveTo('/b', 'events', 0)).toBe(ErrorCode.NONE)
    await moves.moved()
    expect(moves.log()).toBe(log)
    expect(log.directory).toBe('/b/events-0')
    const describeLog = async () => ({
      bytes: (await readAll(moves.log())).bytes,
      aborted: moves.log().abortedTransactions(11, moves.log().logEndOffset),
      producers: moves.log().activeProducers(),
      epoch: moves.log().endOffsetForEpoch(3),
      segments: moves.log().segments.all.map(({ baseOffset, sizeBytes }) => [baseOffset, sizeBytes]),
    })
    expect(await describeLog()).toEqual(before)
    moves.put({ idempotent: true })
    await moves.check()
    await moves.drive(moves.world.manager.checkpoint())
    moves.world.timers.advance(1)
    expect(moves.liveFolders()).toEqual(['/b'])
    expect(moves.world.disk.list('/b/events-0')).not.toContain('samsa-moved')
    await moves.drive(moves.world.manager.close())
    await moves.reopen(moves.world.disk)
    expect(moves.folder()).toBe('/b')
    expect(moves.log().logStartOffset).toBe(11)
    await moves.check()
  })

  test('goes on beside appends, rolls and retention, and readers notice nothing', async () => {
    const moves = await Moves.open(trackedDisk(), {
      config: { retentionBytes: 9000 },
      manager: { moveBytesPerSecond: () => 100_000 },
    })
    moves.fill(60)
    moves.world.manager.moveTo('/b', 'events', 0)
    const end = moves.log().logEndOffset
    await moves.moved((round) => {
      if (round % 2 === 0 && moves.log().logEndOffset < end + 200) moves.put({ idempotent: true })
      if (round % 20 === 0) moves.world.manager.runRetention(moves.world.clock.now())
    })
    expect(moves.folder()).toBe('/b')
    expect(moves.log().logStartOffset).toBeGreaterThan(0)
    await moves.check()
    await moves.drive(moves.world.manager.close())
    await moves.reopen(moves.world.disk)
    await moves.check()
  })

  test('goes on when retention takes segments that it has not come to', async () => {
    const moves = await Moves.open(trackedDisk(), { manager: { moveBytesPerSecond: () => 1000 } })
    moves.fill(40)
    const { manager } = moves.world
    const log = moves.log()
    manager.moveTo('/b', 'events', 0)
    await moves.moved(undefined, () => (manager.replicasIn('/b')[0]?.sizeBytes ?? 0) > 0)
    log.updateConfig({ ...log.config, retentionBytes: 1500 })
    manager.runRetention(moves.world.clock.now())
    expect(log.segments.count).toBeLessThan(5)
    await moves.moved()
    expect(moves.folder()).toBe('/b')
    expect(moves.world.logger.matching(/cannot be moved/)).toEqual([])
    await moves.check()
  })

  test('keeps a log start that was answered for between its last copy and its end, through a kill right after it', async () => {
    const disk = trackedDisk()
    const moves = await Moves.open(disk)
    moves.fill(40)
    const { manager } = moves.world
    const start = moves.log().segments.active.baseOffset + 1
    const answers: ErrorCode[] = []
    manager.moveTo('/b', 'events', 0)
    await moves.moved(
      () => {
        if (answers.length === 0 && moves.liveFolders().length === 2) answers.push(moves.log().deleteRecordsTo(start))
      },
      () => moves.folder() === '/b',
    )
    expect(answers).toEqual([ErrorCode.NONE])
    disk.killProcess()
    await moves.reopen(disk)
    expect(moves.folder()).toBe('/b')
    expect(moves.log().logStartOffset).toBe(start)
  })

  test('is made whenever it is asked for, also just when another one has ended', async () => {
    for (let ticks = 0; ticks < 12; ticks++) {
      const moves = await Moves.open(trackedDisk())
      moves.put()
      const { manager, logger } = moves.world
      const other = manager.create({ topic: 'other', topicId: TOPIC_ID, partition: 0, isNew: true })
      const askLater = async (): Promise<void> => {
        for (let tick = 0; tick < ticks; tick++) await undefined
        manager.moveTo(other.directory.startsWith('/a') ? '/b' : '/a', 'other', 0)
      }
      const before = other.directory
      manager.moveTo('/b', 'events', 0)
      let asked: Promise<void> | null = null
      await moves.moved(() => {
        if (asked === null && logger.matching(/Moved a log/).length > 0) asked = askLater()
      })
      await asked
      await moves.moved()
      expect({ ticks, isMoved: other.directory !== before }).toEqual({ ticks, isMoved: true })
    }
  })

  test('is described while it goes on, and can be called off', async () => {
    const moves = await Moves.open(trackedDisk(), { manager: { moveBytesPerSecond: () => 1000 } })
    moves.fill(40)
    const { manager } = moves.world
    expect(manager.moveTo('/b', 'events', 0)).toBe(ErrorCode.NONE)
    const atFirst = { topic: 'events', partition: 0, sizeBytes: 0, offsetLag: moves.log().logEndOffset, isFuture: true }
    expect(manager.replicasIn('/b')).toEqual([atFirst])
    await moves.moved(undefined, () => (manager.replicasIn('/b')[0]?.sizeBytes ?? 0) > 0)
    const [future] = manager.replicasIn('/b')
    expect(future?.offsetLag).toBeLessThan(atFirst.offsetLag)
    expect(manager.moveTo('/a', 'events', 0)).toBe(ErrorCode.NONE)
    expect(manager.replicasIn('/b')).toEqual([])
    await moves.moved()
    moves.world.timers.advance(1)
    await moves.check()
    expect(moves.folder()).toBe('/a')
    expect(moves.world.disk.list('/b').filter((name) => name.startsWith('events'))).toEqual([])
  })

  test('keeps its rate', async () => {
    const moves = await Moves.open(trackedDisk(), { manager: { moveBytesPerSecond: () => 1000 } })
    moves.fill(40)
    const beganMs = moves.world.clock.now()
    moves.world.manager.moveTo('/b', 'events', 0)
    await moves.moved()
    expect(moves.world.clock.now() - beganMs).toBeGreaterThan((moves.log().sizeBytes * 1000) / 1000 - 1000)
  })

  test('follows a change of the rate, and owes nothing for a move that was called off', async () => {
    let rate = 1
    const moves = await Moves.open(trackedDisk(), { manager: { moveBytesPerSecond: () => rate } })
    moves.fill(40)
    const { manager, clock } = moves.world
    manager.moveTo('/b', 'events', 0)
    await moves.moved(undefined, () => (manager.replicasIn('/b')[0]?.sizeBytes ?? 0) > 0)
    manager.moveTo('/a', 'events', 0)
    await moves.moved()
    manager.moveTo('/b', 'events', 0)
    await moves.moved(undefined, () => (manager.replicasIn('/b')[0]?.sizeBytes ?? 0) > 0)
    rate = 1_000_000
    const changedMs = clock.now()
    await moves.moved()
    expect(moves.folder()).toBe('/b')
    expect(clock.now() - changedMs).toBeLessThan(3000)
  })

  test('begins anew after a cut, and ends with the topic', async () => {
    const moves = await Moves.open(trackedDisk(), { manager: { moveBytesPerSecond: () => 1000 } })
    moves.fill(40)
    moves.world.manager.moveTo('/b', 'events', 0)
    await moves.moved(undefined, () => (moves.world.manager.replicasIn('/b')[0]?.sizeBytes ?? 0) > 0)
    moves.log().truncateTo(20)
    for (const offset of moves.acknowledged.keys()) if (offset >= 20) moves.acknowledged.delete(offset)
    moves.put()
    await moves.moved()
    expect(moves.folder()).toBe('/b')
    await moves.check()
    moves.world.manager.moveTo('/a', 'events', 0)
    moves.world.manager.delete('events', 0)
    await moves.moved()
    moves.world.timers.advance(1)
    for (const folder of FOLDERS) {
      expect(moves.world.disk.list(folder).filter((name) => name.startsWith('events'))).toEqual([])
    }
  })

  test('begins anew after a stop', async () => {
    const moves = await Moves.open(trackedDisk(), { manager: { moveBytesPerSecond: () => 1000 } })
    moves.fill(40)
    moves.world.manager.moveTo('/b', 'events', 0)
    await moves.moved(undefined, () => (moves.world.manager.replicasIn('/b')[0]?.sizeBytes ?? 0) > 0)
    await moves.drive(moves.world.manager.close())
    await moves.reopen(moves.world.disk)
    expect(moves.folder()).toBe('/a')
    await moves.moved()
    expect(moves.folder()).toBe('/b')
    await moves.check()
  })

  test('with damage in the log stops and says where; the log stays', async () => {
    const moves = await Moves.open(trackedDisk())
    moves.fill(40)
    const first = moves.log().segments.first
    first.file().writev([Buffer.from('damage')], 90)
    moves.world.manager.moveTo('/b', 'events', 0)
    await moves.moved()
    moves.world.timers.advance(1)
    expect(moves.folder()).toBe('/a')
    expect(
      moves.world.logger.matching(/error: A log cannot be moved.*00000000000000000000\.log at position/),
    ).toHaveLength(1)
    expect(moves.world.disk.list('/b').filter((name) => name.startsWith('events'))).toEqual([])
    expect(moves.put().info.errorCode).toBe(ErrorCode.NONE)
  })
})

describe('the answers to a wish to move', () => {
  const cordoned = new Set<string>()

  async function world(): Promise<World> {
    cordoned.clear()
    return World.open({
      disk: trackedDisk(),
      directory: '/a',
      manager: { directories: FOLDERS, isCordoned: (directory) => cordoned.has(directory) },
    })
  }

  test('are those of Kafka', async () => {
    const { manager, ...rest } = await world()
    expect(rest).toBeDefined()
    manager.create({ topic: 'events', topicId: TOPIC_ID, partition: 0 })
    expect(manager.moveTo('/c', 'events', 0)).toBe(ErrorCode.LOG_DIR_NOT_FOUND)
    expect(manager.moveTo('b', 'events', 0)).toBe(ErrorCode.LOG_DIR_NOT_FOUND)
    expect(manager.moveTo('/b', 'none', 0)).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    expect(manager.moveTo('/a', 'events', 0)).toBe(ErrorCode.NONE)
    expect(manager.moveTo('/b', 'l'.repeat(249), 0)).toBe(ErrorCode.INVALID_TOPIC_EXCEPTION)
    cordoned.add('/b')
    expect(manager.moveTo('/b', 'events', 0)).toBe(ErrorCode.INVALID_REPLICA_ASSIGNMENT)
  })

  test('a partition that comes later is made where it was wished to be', async () => {
    const { manager } = await world()
    for (const partition of [0, 1, 2]) manager.moveTo('/b', 'later', partition)
    const folders = [0, 1, 2].map(
      (partition) => manager.create({ topic: 'later', topicId: TOPIC_ID, partition }).directory,
    )
    expect(folders).toEqual(['/b/later-0', '/b/later-1', '/b/later-2'])
  })

  test('new partitions go where there are the fewest, not to cordoned folders while there are others', async () => {
    const { manager } = await world()
    const made = (partition: number) =>
      manager.create({ topic: 'spread', topicId: TOPIC_ID, partition }).directory.slice(0, 2)
    expect([0, 1, 2, 3].map(made)).toEqual(['/a', '/b', '/a', '/b'])
    cordoned.add('/a')
    expect([4, 5].map(made)).toEqual(['/b', '/b'])
    cordoned.delete('/a')
    expect([6, 7].map(made)).toEqual(['/a', '/a'])
  })
})

/** The process ends at every change of the disk that a move makes, one after the other. */
describe.each([
  ['a kill', 'os'],
  ['a loss of power', 'fsync'],
] as const)('%s between any two operations of a move', (_name, durability) => {
  test('leaves one complete log, and the next start goes on with it', async () => {
    const random = new SeededRandom(11)
    let atMost = 0
    let inBoth = 0
    for (let changes = 0; changes < CHANGES_MOST; changes++) {
      const memory = trackedDisk()
      const crashing = new CrashingDisk(memory)
      const moves = await Moves.open(crashing.disk, { manager: { durability }, clock: new ManualClock(START_MS) })
      moves.fill(6)
      await moves.drive(moves.world.manager.checkpoint())
      expect(moves.log().deleteRecordsTo(2)).toBe(ErrorCode.NONE)
      await moves.drive(moves.world.manager.checkpoint())
      crashing.crashAfter(changes)
      moves.world.manager.moveTo('/b', 'events', 0)
      const log = moves.log()
      const end = log.logEndOffset
      await moves.drive(
        moves.world.manager.movesDone(),
        (round) => {
          if (!crashing.dead && !log.closed && round % 3 === 0 && log.logEndOffset < end + 8)
            moves.put({ idempotent: true })
        },
        () => crashing.dead,
      )
      for (let round = 0; round < 3 && !crashing.dead && !log.closed; round++) {
        moves.put({ idempotent: true })
        await moves.drive(moves.world.manager.checkpoint(), undefined, () => crashing.dead)
      }
      const isOver = !crashing.dead
      if (durability === 'os') memory.killProcess(() => 0)
      else memory.crash((_path, unsynced) => random.below(unsynced + 1))
      if (FOLDERS.every((folder) => memory.list(folder).includes('events-0'))) inBoth++
      try {
        await moves.reopen(memory)
        expect(moves.log().logStartOffset).toBe(2)
        await moves.check()
        moves.put()
        await moves.moved()
        await moves.check()
        moves.world.timers.advance(1)
        expect(moves.liveFolders()).toHaveLength(1)
      } catch (error) {
        throw new Error(`after ${changes} changes`, { cause: error })
      }
      atMost = changes
      if (isOver) break
    }
    // Every stage of the move was met, also the one in which both folders are there.
    expect(atMost).toBeGreaterThan(CHANGES_FEWEST)
    expect(atMost).toBeLessThan(CHANGES_MOST - 1)
    expect(inBoth).toBeGreaterThan(0)
  })
})
