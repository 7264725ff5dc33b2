import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { LogDirectoryError } from '../../src/log/log-directory.ts'
import type { FolderFailure } from '../../src/log/log-manager.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { DiskError } from '../../src/storage/disk.ts'
import { MemoryDisk } from '../../src/storage/disk-memory.ts'
import { FailingDisk } from './failing-folder.ts'
import { FOLDERS, Moves } from './moves-support.ts'
import { append, appendNow, batchOf, numbers, readAll, TOPIC_ID, World } from './support.ts'

// Much is computed; a machine with other work takes its time.
setDefaultTimeout(60_000)

const OTHER_TOPIC_ID = 'ZZZAKg3nTUq32P4R-HNrNA'

interface Setup {
  readonly world: World
  readonly failing: FailingDisk
  readonly failures: FolderFailure[]
}

/** Four partitions, two in each folder: 0 and 2 in /a, 1 and 3 in /b. */
async function twoFolders(durability: 'os' | 'fsync' = 'os', indispensable?: string): Promise<Setup> {
  const failing = new FailingDisk(new MemoryDisk({ trackDurable: true }))
  const world = await World.open({
    disk: failing.disk,
    directory: '/a',
    manager: { directories: FOLDERS, durability, ...(indispensable === undefined ? {} : { indispensable }) },
  })
  for (const partition of numbers(0, 4)) appendNow(world, world.log('events', partition), { count: 3 })
  const failures: FolderFailure[] = []
  world.manager.onFolderFailed((failure) => failures.push(failure))
  return { world, failing, failures }
}

async function settled(world: World): Promise<void> {
  for (let round = 0; round < 50; round++) {
    world.timers.runTurn()
    await undefined
  }
}

function logOf(world: World, partition: number) {
  const log = world.manager.get('events', partition)
  if (log === undefined) throw new Error(`no log of partition ${partition}`)
  return log
}

describe('a folder whose device fails', () => {
  test.each(['EIO', 'EROFS', 'ENODEV'])(
    'in the middle of an append (%s) goes offline; the others go on',
    async (code) => {
      const { world, failing, failures } = await twoFolders()
      const lost = logOf(world, 1)
      const kept = logOf(world, 0)
      failing.breakFolder('/b', code)
      const refused = append(lost, batchOf())
      const taken = append(kept, batchOf())
      await settled(world)
      expect(refused.error).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
      expect(taken.error).toBe(ErrorCode.NONE)
      expect(failures).toMatchObject([{ path: '/b', isLast: false }])
      expect(failures[0]?.logs.map(({ partition }) => partition).sort()).toEqual([1, 3])
      expect(world.manager.directories.map(({ path, isOnline }) => [path, isOnline])).toEqual([
        ['/a', true],
        ['/b', false],
      ])
      expect(world.manager.get('events', 1)).toBeUndefined()
      expect(world.manager.failureOf('events', 3)).toContain('/b')
      expect(appendNow(world, lost).info.errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
      expect(() => world.log('events', 1)).toThrow(/\/b is offline/)
      // New ones go where there still is a folder, whatever the numbers.
      expect(world.manager.create({ topic: 'new', topicId: TOPIC_ID, partition: 0, isNew: true }).directory).toBe(
        '/a/new-0',
      )
      expect(world.manager.moveTo('/b', 'events', 0)).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
      expect(world.manager.moveTo('/a', 'events', 1)).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
      expect(world.logger.matching(/error: A data folder has failed/)).toHaveLength(1)
      await world.manager.close()
    },
  )

  test('at a sync that somebody waits for', async () => {
    const { world, failing, failures } = await twoFolders('fsync')
    await settled(world)
    const waiting = append(logOf(world, 1), batchOf())
    const other = append(logOf(world, 0), batchOf())
    // Written already: what fails is the sync.
    logOf(world, 1).startWriting()
    failing.breakFolder('/b')
    await settled(world)
    expect(waiting.error).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    expect(other.error).toBe(ErrorCode.NONE)
    expect(failures).toMatchObject([{ path: '/b', isLast: false }])
  })

  test('is found out by a read, too', async () => {
    const { world, failing, failures } = await twoFolders()
    failing.breakFolder('/b')
    const log = logOf(world, 1)
    const result = await log.read(0, { maxBytes: 1000, upTo: log.highWatermark, atLeastOne: true })
    expect(result.errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    await settled(world)
    expect(failures).toMatchObject([{ path: '/b' }])
  })

  test('is back with all it had after a restart with a device that works', async () => {
    const { world, failing } = await twoFolders()
    failing.breakFolder('/b')
    append(logOf(world, 1), batchOf())
    await settled(world)
    await world.manager.close()
    failing.repair()
    const again = await world.reopen()
    for (const partition of numbers(0, 4)) {
      expect((await readAll(again.log('events', partition))).offsets).toEqual([0, 1, 2])
    }
  })

  test('one file that fails is no failure of the folder', async () => {
    const { world, failing, failures } = await twoFolders()
    failing.breakFolder('/b/events-1')
    append(logOf(world, 1), batchOf())
    await settled(world)
    expect(failures).toEqual([])
    expect(appendNow(world, logOf(world, 3)).error).toBe(ErrorCode.NONE)
    failing.repair()
    world.clock.advance(1000)
    expect(appendNow(world, logOf(world, 1)).error).toBe(ErrorCode.NONE)
  })

  test('a full disk is no failure', async () => {
    const { world, failing, failures } = await twoFolders()
    failing.breakFolder('/b', 'ENOSPC')
    append(logOf(world, 1), batchOf())
    await settled(world)
    expect(failures).toEqual([])
  })

  test.each([
    ['the last one', undefined, true],
    ['the one with the metadata', '/b', true],
    ['another one', '/a', false],
  ])('%s: whether the broker can go on', async (_name, indispensable, isLast) => {
    const { world, failing, failures } = await twoFolders('os', indispensable)
    if (indispensable === undefined) {
      failing.breakFolder('/a')
      append(logOf(world, 0), batchOf())
      await settled(world)
    }
    failing.breakFolder('/b')
    append(logOf(world, 1), batchOf())
    await settled(world)
    expect(failures.at(-1)).toMatchObject({ path: '/b', isLast })
  })

  test.each([
    ['target', '/b', '/a'],
    ['source', '/a', undefined],
  ])('in the middle of a move, as its %s', async (_name, broken, staysIn) => {
    const failing = new FailingDisk(new MemoryDisk({ trackDurable: true }))
    const moves = await Moves.open(failing.disk, { manager: { moveBytesPerSecond: () => 1000 } })
    moves.fill(40)
    const log = moves.log()
    moves.world.manager.moveTo('/b', 'events', 0)
    await moves.moved(undefined, () => (moves.world.manager.replicasIn('/b')[0]?.sizeBytes ?? 0) > 0)
    failing.breakFolder(broken)
    if (staysIn === undefined) moves.put()
    await moves.moved()
    await settled(moves.world)
    if (staysIn === undefined) expect(moves.world.manager.get('events', 0)).toBeUndefined()
    else {
      expect(log.directory).toBe(`${staysIn}/events-0`)
      expect(moves.put().info.errorCode).toBe(ErrorCode.NONE)
    }
    await moves.drive(moves.world.manager.close())
    failing.repair()
    await moves.reopen(failing.disk)
    await moves.check()
    await moves.moved()
    expect(moves.folder()).toBe('/b')
    await moves.check()
  })
})

describe('a folder that is removed while it is served', () => {
  test('goes offline when a partition is to be made in it, and is not made anew', async () => {
    const { world, failures } = await twoFolders()
    world.disk.remove('/b', { recursive: true })
    expect(() => {
      for (const partition of numbers(0, 2)) {
        world.manager.create({ topic: 'new', topicId: TOPIC_ID, partition, isNew: true })
      }
    }).toThrow(/\/b was removed/)
    await settled(world)
    expect(failures).toMatchObject([{ path: '/b', isLast: false }])
    expect(world.disk.exists('/b')).toBe(false)
    await world.manager.close()
  })

  test('goes offline with the next checkpoint, also if an empty one is in its place', async () => {
    const { world, failures } = await twoFolders()
    world.disk.remove('/b', { recursive: true })
    world.disk.makeDirectory('/b')
    appendNow(world, logOf(world, 0), { count: 1 })
    world.timers.advance(60_000)
    await settled(world)
    expect(failures).toMatchObject([{ path: '/b', isLast: false }])
    await world.manager.close()
  })
})

test('a partition whose folder cannot be set aside is deleted all the same, and not mixed with one that is made anew', async () => {
  const { world, failing } = await twoFolders()
  failing.breakFolder('/a/events-0', 'EBUSY')
  world.manager.delete('events', 0)
  await settled(world)
  expect(world.manager.get('events', 0)).toBeUndefined()
  expect(world.logger.matching(/warn: Cannot set a folder aside/)).toHaveLength(1)
  failing.repair()
  const anew = { topic: 'events', topicId: OTHER_TOPIC_ID, partition: 0, isNew: true }
  expect(() => world.manager.create(anew)).toThrow(/is in the way/)
  world.manager.delete('events', 2)
  expect(world.disk.exists('/a/events-0')).toBe(true)
  await world.manager.close()
})

describe('a start', () => {
  test('with a folder that cannot be used goes on with the others, and says so; nothing is made anew in its place', async () => {
    const { world, failing } = await twoFolders()
    await world.manager.close()
    failing.breakFolder('/b', 'EACCES')
    const again = await world.reopen()
    expect(again.logger.matching(/error: A data folder cannot be used and is offline.*\/b/)).toHaveLength(1)
    expect(again.manager.cleanStart).toBe(true)
    expect(appendNow(again, again.log('events', 0)).error).toBe(ErrorCode.NONE)
    expect(() => again.manager.create({ topic: 'events', topicId: TOPIC_ID, partition: 1 })).toThrow(LogDirectoryError)
    expect(again.manager.failureOf('events', 1)).toContain('offline')
    expect(again.disk.exists('/a/events-1')).toBe(false)
    await again.manager.close()
    failing.repair()
    const third = await again.reopen()
    expect((await readAll(third.log('events', 1))).offsets).toEqual([0, 1, 2])
    expect((await readAll(third.log('events', 0))).offsets).toEqual([0, 1, 2, 3])
  })

  test('without a folder that was one of them does not make its partitions anew, until it is forgotten on purpose', async () => {
    const { world } = await twoFolders()
    await world.manager.close()
    const alone = await world.reopen({ manager: { directories: ['/a'] } })
    expect(alone.logger.matching(/error: A data folder is missing.*\/b/)).toHaveLength(1)
    expect(() => alone.manager.create({ topic: 'events', topicId: TOPIC_ID, partition: 1 })).toThrow(
      /may be in this one/,
    )
    expect(alone.manager.create({ topic: 'new', topicId: TOPIC_ID, partition: 0, isNew: true }).directory).toBe(
      '/a/new-0',
    )
    await alone.manager.close()
    // Elsewhere it is the same folder.
    world.disk.rename('/b', '/c')
    const moved = await alone.reopen({ manager: { directories: ['/a', '/c'] } })
    expect((await readAll(moved.log('events', 1))).offsets).toEqual([0, 1, 2])
    await moved.manager.close()
    world.disk.remove('/a/samsa-folders')
    const forgotten = await moved.reopen({ manager: { directories: ['/a'] } })
    expect(forgotten.manager.create({ topic: 'events', topicId: TOPIC_ID, partition: 1 }).logEndOffset).toBe(0)
  })

  test('with the old log of a topic that was made anew while its folder was offline goes on with the new one', async () => {
    const { world, failing } = await twoFolders()
    await world.manager.close()
    failing.breakFolder('/b')
    const alone = await world.reopen()
    alone.manager.delete('events', 1)
    const anew = alone.manager.create({ topic: 'events', topicId: OTHER_TOPIC_ID, partition: 1, isNew: true })
    appendNow(alone, anew, { count: 5 })
    await alone.manager.close()
    failing.repair()
    for (const directories of [FOLDERS, [...FOLDERS].reverse()]) {
      const both = await alone.reopen({ manager: { directories, topicIdOf: () => OTHER_TOPIC_ID } })
      const log = logOf(both, 1)
      expect([log.topicId, log.directory]).toEqual([OTHER_TOPIC_ID, '/a/events-1'])
      expect((await readAll(log)).offsets).toEqual([0, 1, 2, 3, 4])
      const strays = both.disk.list('/b').filter((name) => name.startsWith('events-1'))
      expect(strays).toEqual([expect.stringMatching(/-stray$/)])
      await both.manager.close()
      both.disk.rename(`/b/${strays[0]}`, '/b/events-1')
    }
  })

  test.each(['/a', '/b'])(
    'with two folders of one log, of which %s cannot be read, serves neither',
    async (unreadable) => {
      const { world, failing } = await twoFolders()
      await world.manager.close()
      world.disk.makeDirectory('/b/events-0')
      for (const name of world.disk.list('/a/events-0')) {
        world.disk.writeNew(`/b/events-0/${name}`, world.disk.readWhole(`/a/events-0/${name}`) ?? Buffer.alloc(0))
      }
      world.disk.writeNew('/b/events-0/samsa-moved', Buffer.from('/a\n'))
      failing.breakFolder(`${unreadable}/events-0/00000000000000000000.log`)
      const again = await world.reopen()
      expect(again.manager.get('events', 0)).toBeUndefined()
      expect(() => again.log('events', 0)).toThrow(/could not be loaded/)
      await again.manager.close()
      failing.repair()
      const third = await again.reopen()
      expect((await readAll(logOf(third, 0))).offsets).toEqual([0, 1, 2])
    },
  )

  test('with a log that cannot be read keeps what was deleted of it deleted', async () => {
    const { world, failing } = await twoFolders()
    expect(logOf(world, 0).deleteRecordsTo(2)).toBe(ErrorCode.NONE)
    await world.manager.close()
    failing.breakFolder('/a/events-0/00000000000000000000.log')
    const without = await world.reopen()
    expect(without.manager.get('events', 0)).toBeUndefined()
    expect(logOf(without, 2).deleteRecordsTo(1)).toBe(ErrorCode.NONE)
    await without.manager.checkpoint()
    await without.manager.close()
    failing.repair()
    const again = await without.reopen()
    expect([logOf(again, 0).logStartOffset, logOf(again, 2).logStartOffset]).toEqual([2, 1])
  })

  test('with a log that cannot be read, of a topic that is then made anew, mixes nothing of the old into the new', async () => {
    const { world, failing } = await twoFolders()
    const old = logOf(world, 0)
    old.updateConfig({ ...old.config, segmentBytes: 200 })
    for (let index = 0; index < 5; index++) appendNow(world, old, { count: 2 })
    expect(old.segments.count).toBeGreaterThan(2)
    await world.manager.close()
    failing.breakFolder('/a/events-0/00000000000000000000.log')
    const without = await world.reopen({ manager: { directories: ['/a'] } })
    expect(without.manager.failureOf('events', 0)).not.toBeNull()
    failing.repair()
    without.manager.delete('events', 0)
    const anew = without.manager.create({ topic: 'events', topicId: OTHER_TOPIC_ID, partition: 0, isNew: true })
    appendNow(without, anew, { count: 4 })
    await without.manager.close()
    const again = await without.reopen()
    const log = logOf(again, 0)
    expect([log.topicId, log.logEndOffset, log.segments.count]).toEqual([OTHER_TOPIC_ID, 4, 1])
    expect((await readAll(log)).offsets).toEqual([0, 1, 2, 3])
  })

  test('goes on where a move that had begun cannot', async () => {
    const { world, failing } = await twoFolders()
    await world.manager.close()
    world.disk.makeDirectory(`/b/events-0.${'0'.repeat(32)}-future`)
    const disk = new Proxy(failing.disk, {
      get: (target, name) => {
        if (name !== 'makeDirectory') return Reflect.get(target, name, target)
        return (path: string) => {
          if (path.endsWith('-future')) throw new DiskError('ENOSPC', path, 'no space left')
          target.makeDirectory(path)
        }
      },
    })
    const again = await world.reopen({ disk })
    expect(again.logger.matching(/error: A move .* cannot go on/)).toHaveLength(1)
    expect((await readAll(logOf(again, 0))).offsets).toEqual([0, 1, 2])
  })

  test('without any folder, or without the one that has the metadata, is refused', async () => {
    const { world, failing } = await twoFolders()
    await world.manager.close()
    failing.breakFolder('/b', 'EACCES')
    const options = { directories: FOLDERS, indispensable: '/b' }
    await expect(world.reopen({ manager: options })).rejects.toThrow(/data folder \/b/)
    failing.breakFolder('/a', 'EACCES')
    await expect(world.reopen()).rejects.toThrow(LogDirectoryError)
    failing.repair()
    await (await world.reopen()).manager.close()
  })

  test('gives every folder the same cluster and its own id, a new one beside older ones as well', async () => {
    const disk = new MemoryDisk()
    const world = await World.open({ disk, directory: '/b' })
    await world.manager.close()
    const both = await world.reopen({ manager: { directories: FOLDERS } })
    const identities = FOLDERS.map((folder) => disk.readWhole(`${folder}/meta.properties`)?.toString() ?? '')
    const field = (name: string) => identities.map((text) => new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1])
    expect(new Set(field('cluster.id')).size).toBe(1)
    expect(new Set(field('node.id'))).toEqual(new Set(['1']))
    expect(new Set(field('directory.id')).size).toBe(2)
    expect(both.manager.meta.clusterId).toBe(world.manager.meta.clusterId)
  })

  test.each([
    ['of another cluster', 'cluster.id', 'another', /belongs to cluster another/],
    ['of another node', 'node.id', '7', /belongs to node 7/],
  ])('with a folder %s is refused, and nothing stays locked', async (_name, key, value, message) => {
    const { world } = await twoFolders()
    await world.manager.close()
    const file = '/b/meta.properties'
    const text = world.disk.readWhole(file)?.toString() ?? ''
    world.disk.writeWhole(file, Buffer.from(text.replace(new RegExp(`^${key}=.*$`, 'm'), `${key}=${value}`)))
    await expect(world.reopen()).rejects.toThrow(message)
    world.disk.writeWhole(file, Buffer.from(text))
    await (await world.reopen()).manager.close()
  })

  test('with a copy of a folder beside it is refused', async () => {
    const { world } = await twoFolders()
    await world.manager.close()
    world.disk.writeWhole('/b/meta.properties', world.disk.readWhole('/a/meta.properties') ?? Buffer.alloc(0))
    await expect(world.reopen()).rejects.toThrow(/same directory\.id as \/a/)
  })

  test('with one folder locked by another broker is refused', async () => {
    const { world } = await twoFolders()
    await world.manager.close()
    const lock = world.disk.lock('/b/.lock')
    await expect(world.reopen()).rejects.toThrow(/in use by another broker/)
    lock?.release()
    await (await world.reopen()).manager.close()
  })

  test('each folder has its own marker of a clean stop', async () => {
    const { world } = await twoFolders()
    await world.manager.close()
    for (const folder of FOLDERS) expect(world.disk.exists(`${folder}/.kafka_cleanshutdown`)).toBe(true)
    world.disk.remove('/b/.kafka_cleanshutdown')
    const again = await world.reopen()
    expect(again.manager.cleanStart).toBe(false)
    for (const partition of numbers(0, 4)) {
      expect((await readAll(again.log('events', partition))).offsets).toEqual([0, 1, 2])
    }
  })
})
