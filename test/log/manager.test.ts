import { describe, expect, test } from 'bun:test'
import { LogDirectoryError } from '../../src/log/log-directory.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { DiskError, type DiskFile } from '../../src/storage/disk.ts'
import { MemoryDisk } from '../../src/storage/disk-memory.ts'
import { FailingDisk } from './failing-folder.ts'
import { appendNow, batchOf, numbers, readAll, START_MS, TOPIC_ID, temporaryFolder, World } from './support.ts'

const OTHER_ID = 'zzzzzzzzzzzzzzzzzzzzzg'
const DAY_MS = 24 * 60 * 60 * 1000

function diskOf(world: World): MemoryDisk {
  return world.disk as MemoryDisk
}

function text(world: World, name: string): string | undefined {
  return world.disk.readWhole(`${world.directory}/${name}`)?.toString()
}

async function refusal(opening: Promise<unknown>): Promise<LogDirectoryError> {
  try {
    await opening
  } catch (error) {
    if (error instanceof LogDirectoryError) return error
    throw error
  }
  throw new Error('it was not refused')
}

describe('the data folder', () => {
  test('a fresh one gets an identity, which stays', async () => {
    const world = await World.open()
    const { meta } = world.manager
    expect(meta).toMatchObject({ nodeId: 1 })
    expect(meta.clusterId).toMatch(/^[\w-]{22}$/)
    expect(meta.directoryId).toMatch(/^[\w-]{22}$/)
    expect(text(world, 'meta.properties')).toContain(`cluster.id=${meta.clusterId}`)
    const again = await world.restart({ seed: 99 })
    expect(again.manager.meta).toEqual(meta)
  })

  test('one that lost its identity gets a new one, and a line says so', async () => {
    const world = await World.open()
    appendNow(world, world.log())
    await world.manager.close()
    world.disk.remove('/data/meta.properties')
    const again = await world.reopen({ seed: 99 })
    expect(again.manager.meta.clusterId).not.toBe(world.manager.meta.clusterId)
    expect(again.logger.matching(/^warn: .*lost its meta\.properties/)).toHaveLength(1)
    expect(again.log().logEndOffset).toBe(1)
    expect(world.logger.matching(/lost its/)).toEqual([])
  })

  test('a given cluster id is taken', async () => {
    const world = await World.open({ manager: { clusterId: 'my-cluster' } })
    expect(world.manager.meta.clusterId).toBe('my-cluster')
  })

  test.each([
    ['another node', { nodeId: 2 }, /node 1.*node 2/],
    ['another cluster', { clusterId: 'other' }, /cluster .*other/],
  ])('of %s is refused, by name, and left unlocked', async (_name, manager, pattern) => {
    const world = await World.open()
    await world.manager.close()
    const error = await refusal(world.reopen({ manager }))
    expect(error.message).toMatch(pattern)
    expect(error.message).toContain('/data')
    await world.reopen()
  })

  test('with an identity that cannot be read is refused', async () => {
    const world = await World.open()
    await world.manager.close()
    world.disk.writeWhole('/data/meta.properties', Buffer.from('nonsense'))
    expect((await refusal(world.reopen())).message).toContain('meta.properties')
  })

  test('from before folders had ids gets one', async () => {
    const disk = new MemoryDisk()
    disk.makeDirectory('/data')
    disk.writeNew('/data/meta.properties', Buffer.from('version=1\nnode.id=1\ncluster.id=abc\n'))
    const world = await World.open({ disk })
    expect(world.manager.meta.clusterId).toBe('abc')
    expect(text(world, 'meta.properties')).toContain(`directory.id=${world.manager.meta.directoryId}`)
  })

  test('is one broker only', async () => {
    const world = await World.open()
    expect((await refusal(world.reopen())).message).toContain('in use by another broker')
    await world.manager.close()
    await (await world.reopen()).manager.close()
    expect(world.disk.exists('/data/.lock')).toBe(false)
  })

  test('strange folders and files in it are left alone, the folders are named', async () => {
    const world = await World.open()
    appendNow(world, world.log())
    for (const folder of ['lost+found', '.snapshots', 'backup of data']) world.disk.makeDirectory(`/data/${folder}`)
    world.disk.writeNew('/data/events-7', Buffer.from('a file with the name of a partition'))
    world.disk.writeNew('/data/notes.txt', Buffer.from('x'))
    const again = await world.kill()
    expect(again.manager.totals().logs).toBe(1)
    expect(again.logger.matching(/Ignoring a folder/).length).toBe(3)
    expect(again.logger.matching(/lost\+found/).length).toBe(1)
    expect(again.disk.list('/data')).toContain('notes.txt')
  })

  test("Kafka's own metadata log and folders set aside are not served", async () => {
    const world = await World.open()
    for (const name of ['__cluster_metadata-0', `old-0.${'a'.repeat(32)}-stray`, `moving-0.${'b'.repeat(32)}-future`])
      world.disk.makeDirectory(`/data/${name}`)
    const again = await world.kill()
    expect([...again.manager.all()]).toEqual([])
    expect(again.disk.list('/data').length).toBeGreaterThan(3)
  })

  test('several folders share the logs; a partition in two of them is refused', async () => {
    const directories = ['/data', '/data2']
    const world = await World.open({ manager: { directories } })
    for (const partition of numbers(0, 6)) appendNow(world, world.log('events', partition))
    const names = directories.map(
      (directory) => world.disk.list(directory).filter((name) => name.startsWith('events')).length,
    )
    expect(names).toEqual([3, 3])
    const again = await world.restart()
    expect(again.manager.totals().logs).toBe(6)
    expect(again.manager.directories.map((directory) => directory.path)).toEqual(directories)
    await again.manager.close()
    const twice = again.disk.list('/data').find((name) => name.startsWith('events'))!
    again.disk.makeDirectory(`/data2/${twice}`)
    expect((await refusal(again.reopen())).message).toContain(twice)
  })
})

describe('logs', () => {
  test('a new one has its folder, identity and first segment', async () => {
    const world = await World.open()
    const log = world.manager.create({ topic: 'a.b-c', partition: 12, topicId: TOPIC_ID })
    expect(world.disk.list('/data/a.b-c-12').sort()).toEqual(['00000000000000000000.log', 'partition.metadata'])
    expect(text(world, 'a.b-c-12/partition.metadata')).toBe(`version: 0\ntopic_id: ${TOPIC_ID}`)
    expect(world.manager.get('a.b-c', 12)).toBe(log)
    expect(world.manager.get('a.b-c', 1)).toBeUndefined()
    expect(world.manager.get('a', 12)).toBeUndefined()
    expect(world.manager.create({ topic: 'a.b-c', partition: 12, topicId: TOPIC_ID })).toBe(log)
  })

  test('creating fifty takes no sync', async () => {
    const world = await World.open()
    const { syncs } = diskOf(world).counts
    for (const partition of numbers(0, 50)) world.log('events', partition)
    expect(diskOf(world).counts.syncs).toBe(syncs)
  })

  test('a folder of another topic id is set aside, not served', async () => {
    const world = await World.open()
    appendNow(world, world.log())
    const again = await world.kill()
    const log = again.manager.create({ topic: 'events', partition: 0, topicId: OTHER_ID })
    expect([log.topicId, log.logEndOffset]).toEqual([OTHER_ID, 0])
    const stray = again.disk.list('/data').find((name) => name.endsWith('-stray'))!
    expect(stray).toMatch(/^events-0\.[0-9a-f]{32}-stray$/)
    expect(again.disk.list(`/data/${stray}`)).toContain('00000000000000000000.log')
  })

  test('a disk that is full refuses new ones and leaves nothing behind', async () => {
    const world = await World.open()
    diskOf(world).fill()
    expect(() => world.log()).toThrow('no space')
    await Promise.resolve()
    expect(world.disk.list('/data').filter((name) => name.startsWith('events'))).toEqual([])
    diskOf(world).capacityBytes = Number.POSITIVE_INFINITY
    expect(appendNow(world, world.log()).error).toBe(0)
  })

  test('a deleted one is gone at once, its files after a while', async () => {
    const world = await World.open()
    const log = world.log()
    appendNow(world, log)
    const waiting = log.append(batchOf(), { leaderEpoch: 0, origin: 'client', nowMs: START_MS, done() {} })
    expect(waiting.errorCode).toBe(0)
    world.manager.delete('events', 0)
    expect(world.manager.get('events', 0)).toBeUndefined()
    expect(log.append(batchOf(), { leaderEpoch: 0, origin: 'client', nowMs: START_MS, done() {} }).errorCode).toBe(56)
    world.timers.runTurn()
    const folders = () => world.disk.list('/data').filter((name) => name.startsWith('events'))
    expect(folders()).toHaveLength(1)
    expect(folders()[0]).toMatch(/^events-0\.[0-9a-f]{32}-delete$/)
    // One of the same name may come at once.
    expect(
      appendNow(world, world.manager.create({ topic: 'events', partition: 0, topicId: OTHER_ID })).info.baseOffset,
    ).toBe(0)
    world.timers.advance(60_001)
    await Promise.resolve()
    expect(folders()).toEqual(['events-0'])
    world.manager.delete('nothing', 3)
  })

  test('a deletion that a stop interrupted is finished by the next start', async () => {
    const world = await World.open()
    appendNow(world, world.log())
    world.manager.delete('events', 0)
    const again = await world.restart()
    again.timers.advance(1)
    await Promise.resolve()
    expect(again.disk.list('/data').filter((name) => name.startsWith('events'))).toEqual([])
    expect([...again.manager.all()]).toEqual([])
  })

  test('changed settings hold from the next append on', async () => {
    const world = await World.open()
    const log = world.log()
    for (const _ of numbers(0, 3)) appendNow(world, log)
    world.config = { ...world.config, segmentBytes: log.sizeBytes }
    expect(log.config.segmentBytes).not.toBe(log.sizeBytes)
    world.manager.updateConfig('events')
    appendNow(world, log)
    expect(log.segments.count).toBe(2)
  })

  test('totals', async () => {
    const world = await World.open({ config: { segmentBytes: 200 } })
    for (const partition of [0, 1]) for (const _ of numbers(0, 4)) appendNow(world, world.log('events', partition))
    const size = batchOf().header.sizeBytes
    expect(world.manager.totals()).toEqual({ logs: 2, segments: 4, bytes: 8 * size })
  })
})

describe('checkpoints', () => {
  test('say what is synced, where logs start and what was committed', async () => {
    const world = await World.open()
    for (const partition of [0, 1]) for (const _ of numbers(0, 4)) appendNow(world, world.log('events', partition))
    expect(text(world, 'recovery-point-offset-checkpoint')).toBeUndefined()
    world.log().deleteRecordsTo(2)
    expect(text(world, 'log-start-offset-checkpoint')).toBe('0\n1\nevents 0 2\n')
    await world.manager.checkpoint()
    expect(text(world, 'recovery-point-offset-checkpoint')).toBe('0\n2\nevents 0 4\nevents 1 4\n')
    expect(text(world, 'replication-offset-checkpoint')).toBe('0\n2\nevents 0 4\nevents 1 4\n')
  })

  test('are written by a timer, and only when something changed', async () => {
    const world = await World.open()
    appendNow(world, world.log())
    world.timers.advance(5000)
    await world.manager.checkpoint()
    expect(text(world, 'recovery-point-offset-checkpoint')).toBe('0\n1\nevents 0 1\n')
    const { syncs, writes } = diskOf(world).counts
    world.timers.advance(20_000)
    await world.manager.checkpoint()
    expect(diskOf(world).counts).toMatchObject({ syncs, writes })
  })

  test('a sync that fails is not vouched for, now or at the stop', async () => {
    const world = await World.open()
    appendNow(world, world.log())
    diskOf(world).failNextSync((path) => path.endsWith('.log'))
    await world.manager.checkpoint()
    expect(text(world, 'recovery-point-offset-checkpoint')).toBe('0\n1\nevents 0 0\n')
    expect(world.logger.matching(/A sync has failed/).length).toBe(1)
    appendNow(world, world.log())
    await world.manager.checkpoint()
    expect(world.log().recoveryPoint).toBe(0)
    const again = await world.restart()
    expect(again.manager.cleanStart).toBe(false)
    expect(again.log().logEndOffset).toBe(2)
  })

  test('log starts that cannot be made durable are not answered with success', async () => {
    const world = await World.open()
    for (const _ of numbers(0, 4)) appendNow(world, world.log())
    diskOf(world).failNextWrite('ENOSPC', { matching: (path) => path.includes('log-start') })
    expect(world.log().deleteRecordsTo(2)).toBe(56)
    expect(world.log().logStartOffset).toBe(0)
    expect(world.log().deleteRecordsTo(2)).toBe(0)
    expect([world.log().deleteRecordsTo(5), world.log().deleteRecordsTo(-2), world.log().deleteRecordsTo(1)]).toEqual([
      1, 1, 0,
    ])
    expect(world.log().deleteRecordsTo(-1)).toBe(0)
    expect(world.log().logStartOffset).toBe(4)
  })
})

test('a segment whose first files the disk refused does not cut off what its predecessor takes instead', async () => {
  const failing = new FailingDisk(new MemoryDisk({ trackDurable: true }))
  const config = { segmentBytes: 3 * batchOf().header.sizeBytes }
  const world = await World.open({ disk: failing.disk, config })
  for (const _ of numbers(0, 3)) appendNow(world, world.log())
  failing.failOnce('remove', '/data/events-0/00000000000000000003.txnindex')
  expect(() => world.log().rollSegment(START_MS)).toThrow(DiskError)
  world.config = { ...world.config, segmentBytes: 4 * batchOf().header.sizeBytes }
  world.log().config = world.config
  for (const _ of numbers(3, 9)) appendNow(world, world.log())
  const again = await world.kill()
  expect(again.log().logEndOffset).toBe(9)
})

describe('retention', () => {
  const size = batchOf().header.sizeBytes

  test('by time, also of the active segment, by a timer; the files go later', async () => {
    const world = await World.open({ config: { segmentBytes: 3 * size, retentionMs: DAY_MS } })
    const log = world.log()
    for (const index of numbers(0, 7)) appendNow(world, log, { timestamp: START_MS - 2 * DAY_MS + index })
    world.timers.advance(30_000)
    expect([log.logStartOffset, log.logEndOffset, log.sizeBytes]).toEqual([7, 7, 0])
    expect(log.segments.all.map((segment) => segment.baseOffset)).toEqual([7])
    expect(log.epochs.entries).toEqual([{ epoch: 0, startOffset: 7 }])
    const files = () => world.disk.list('/data/events-0').sort()
    expect(files()).toContain('00000000000000000000.log.deleted')
    world.timers.advance(60_000)
    expect(files()).toEqual([
      '00000000000000000007.log',
      '00000000000000000007.snapshot',
      'leader-epoch-checkpoint',
      'partition.metadata',
    ])
    await world.manager.checkpoint()
    expect(text(world, 'log-start-offset-checkpoint')).toBe('0\n0\n')
    expect(appendNow(world, log).info.baseOffset).toBe(7)
  })

  test('what the disk refused to remove does not come back with the next start, and goes then', async () => {
    const failing = new FailingDisk(new MemoryDisk({ trackDurable: true }))
    const config = { segmentBytes: 3 * size, retentionMs: DAY_MS, fileDeleteDelayMs: 0 }
    const world = await World.open({ disk: failing.disk, config })
    for (const index of numbers(0, 7)) appendNow(world, world.log(), { timestamp: START_MS - 2 * DAY_MS + index })
    const path = '/data/events-0/00000000000000000000.log'
    failing.failOnce('remove', path)
    world.timers.advance(30_000)
    expect(world.log().logStartOffset).toBe(7)
    expect(world.disk.exists(path)).toBe(true)
    appendNow(world, world.log())
    const again = await world.restart()
    expect(again.log().logStartOffset).toBe(7)
    again.timers.advance(30_000)
    expect(again.disk.exists(path)).toBe(false)
    expect(again.log().segments.first.baseOffset).toBe(7)
  })

  test('by size, down to retention.bytes and no further', async () => {
    const world = await World.open({
      config: { segmentBytes: 3 * size, retentionBytes: 4 * size, fileDeleteDelayMs: 0 },
    })
    const log = world.log()
    for (const _ of numbers(0, 12)) appendNow(world, log)
    world.manager.runRetention(START_MS)
    expect([log.logStartOffset, log.sizeBytes]).toEqual([6, 6 * size])
    expect((await readAll(log)).offsets).toEqual(numbers(6, 12))
    expect(world.disk.list('/data/events-0').filter((name) => name.endsWith('.log')).length).toBe(2)
  })

  test('what was deleted by request goes with the next run', async () => {
    const world = await World.open({
      config: { segmentBytes: 3 * size, fileDeleteDelayMs: 0, cleanupPolicy: { compact: true, delete: false } },
    })
    const log = world.log()
    for (const _ of numbers(0, 9)) appendNow(world, log)
    log.deleteRecordsTo(4)
    world.manager.runRetention(START_MS)
    expect(log.segments.all.map((segment) => segment.baseOffset)).toEqual([3, 6])
    expect(log.logStartOffset).toBe(4)
  })

  test('idempotent producers go on after everything they wrote has been deleted', async () => {
    const world = await World.open({ config: { retentionMs: 0, fileDeleteDelayMs: 0 } })
    const log = world.log()
    appendNow(world, log, { producerId: 4, producerEpoch: 0, baseSequence: 0, timestamp: START_MS - 1 })
    world.manager.runRetention(START_MS)
    expect(log.logStartOffset).toBe(1)
    const restarted = await world.restart()
    const lost = appendNow(restarted, restarted.log(), { producerId: 4, producerEpoch: 0, baseSequence: 5 })
    expect(lost.info.errorCode).toBe(45)
    const repeated = appendNow(restarted, restarted.log(), { producerId: 4, producerEpoch: 0, baseSequence: 0 })
    expect(repeated.info).toMatchObject({ duplicate: true, baseOffset: 0 })
  })

  test('a reader at the old start is told', async () => {
    const world = await World.open({ config: { segmentBytes: 3 * size, retentionBytes: 0 } })
    for (const _ of numbers(0, 7)) appendNow(world, world.log())
    world.manager.runRetention(START_MS)
    const result = await world.log().read(0, { maxBytes: 100, upTo: 7, atLeastOne: true })
    expect(result.errorCode).toBe(1)
  })
})

describe('a full disk', () => {
  test('does not keep a broker from starting, after whatever stop; reads go on, and writes once there is space', async () => {
    for (const how of ['kill', 'clean'] as const) {
      const world = await World.open({ config: { segmentBytes: 300 } })
      for (const index of numbers(0, 9))
        appendNow(world, world.log(), { producerId: 4, producerEpoch: 0, baseSequence: index })
      if (how === 'clean') await world.manager.close()
      diskOf(world).killProcess()
      for (const name of world.disk.list('/data/events-0')) {
        if (/index|snapshot/.test(name)) world.disk.remove(world.path(name))
      }
      diskOf(world).fill()
      const again = await world.reopen()
      const log = again.log()
      expect([log.logEndOffset, log.highWatermark]).toEqual([9, 9])
      expect((await readAll(log)).offsets).toEqual(numbers(0, 9))
      for (const segment of log.segments.all) segment.giveUp()
      expect((await readAll(log, 0, 100)).offsets).toEqual(numbers(0, 9))
      expect(log.producers.get(4)?.batches.at(-1)?.lastSequence).toBe(8)
      expect(appendNow(again, log).error ?? 56).toBe(56)
      await again.manager.checkpoint()
      diskOf(again).capacityBytes = Number.POSITIVE_INFINITY
      again.clock.advance(1000)
      expect(appendNow(again, log)).toMatchObject({ error: 0, info: { baseOffset: 9 } })
      await again.manager.checkpoint()
      expect(log.recoveryPoint).toBe(10)
      const third = await again.restart()
      expect(third.manager.cleanStart).toBe(true)
      expect((await readAll(third.log())).offsets).toEqual(numbers(0, 10))
    }
  })
})

describe('the stop', () => {
  test('leaves the marker, the facts, whole indexes and a snapshot', async () => {
    const world = await World.open()
    appendNow(world, world.log())
    await world.manager.close()
    await world.manager.close()
    expect(text(world, '.kafka_cleanshutdown')).toBe('{"version":0,"brokerEpoch":-1}')
    expect(text(world, 'samsa-clean-stop')).toStartWith('0\n1\nevents 0 0 1 ')
    expect(text(world, 'recovery-point-offset-checkpoint')).toBe('0\n1\nevents 0 1\n')
    expect(world.disk.list('/data/events-0').sort()).toEqual([
      '00000000000000000000.index',
      '00000000000000000000.log',
      '00000000000000000000.timeindex',
      '00000000000000000001.snapshot',
      'leader-epoch-checkpoint',
      'partition.metadata',
    ])
    expect(world.timers.names()).toEqual([])
  })

  test('writes and answers what is queued', async () => {
    const world = await World.open()
    let answered: number | null = null
    world
      .log()
      .append(batchOf(), { leaderEpoch: 0, origin: 'client', nowMs: START_MS, done: (error) => (answered = error) })
    await world.manager.close()
    expect(answered as number | null).toBe(0)
    expect((await world.reopen()).log().logEndOffset).toBe(1)
  })

  test('on a full disk leaves no marker; the next start recovers', async () => {
    const world = await World.open()
    appendNow(world, world.log())
    diskOf(world).fill()
    await world.manager.close()
    expect(world.disk.exists('/data/.kafka_cleanshutdown')).toBe(false)
    expect(world.disk.exists('/data/.lock')).toBe(false)
    diskOf(world).capacityBytes = Number.POSITIVE_INFINITY
    const again = await world.reopen()
    expect(again.manager.cleanStart).toBe(false)
    expect((await readAll(again.log())).offsets).toEqual([0])
  })

  test('everything survives the loss of power after it', async () => {
    const world = await World.open({ config: { segmentBytes: 300 } })
    for (const index of numbers(0, 9))
      appendNow(world, world.log(), { producerId: 4, producerEpoch: 0, baseSequence: index })
    await world.manager.close()
    diskOf(world).crash()
    const again = await world.reopen()
    expect(again.manager.cleanStart).toBe(true)
    expect(again.logger.matching(/Rebuilding|Recovering/)).toEqual([])
    expect((await readAll(again.log())).offsets).toEqual(numbers(0, 9))
    expect(again.log().producers.get(4)?.batches.at(-1)?.lastSequence).toBe(8)
  })
})

test('in memory nothing is synced', async () => {
  const world = await World.open({ manager: { durability: 'memory' } })
  const { syncs } = diskOf(world).counts
  for (const _ of numbers(0, 100)) appendNow(world, world.log())
  world.timers.advance(60_000)
  expect(diskOf(world).counts.syncs).toBe(syncs)
  expect((await readAll(world.log())).offsets.length).toBe(100)
})

test('a second broker process on the real folder is refused', async () => {
  const folder = temporaryFolder()
  const world = await World.open({ disk: folder.disk, directory: folder.path })
  appendNow(world, world.log())
  const support = `${import.meta.dir}/support.ts`
  const program = `import { World } from ${JSON.stringify(support)}
    import { RealDisk } from ${JSON.stringify(`${import.meta.dir}/../../src/storage/disk-real.ts`)}
    World.open({ disk: new RealDisk(), directory: ${JSON.stringify(folder.path)} }).then(() => console.log('opened'), (error) => console.log(error.name, error.message))`
  const child = Bun.spawnSync([process.execPath, '-e', program])
  expect(child.stdout.toString()).toContain(`LogDirectoryError data folder ${folder.path}: in use by another broker`)
  await world.manager.close()
  folder.remove()
})

test('no data folder, or one that cannot be made, is refused by name', async () => {
  expect((await refusal(World.open({ manager: { directories: [] } }))).message).toContain('no data folder')
  const folder = temporaryFolder()
  folder.disk.writeNew(`${folder.path}/file`, Buffer.from('x'))
  expect((await refusal(World.open({ disk: folder.disk, directory: `${folder.path}/file/data` }))).message).toContain(
    '/file/data',
  )
  folder.remove()
})

describe('few open files', () => {
  class SmallProcess extends MemoryDisk {
    override readonly mostOpenFiles = 20
    logsOpen = 0
    full = false

    override open(path: string, options?: { create?: boolean }): DiskFile {
      if (this.full) throw new DiskError('EMFILE', path, `cannot open ${path}: too many open files`)
      const file = super.open(path, options)
      if (!path.endsWith('.log')) return file
      const close = file.close.bind(file)
      this.logsOpen++
      file.close = () => {
        this.logsOpen--
        close()
      }
      return file
    }
  }

  test('logs share fewer descriptors than there are logs, and leave some to others', async () => {
    const disk = new SmallProcess()
    const world = await World.open({ disk })
    for (let partition = 0; partition < 50; partition++) {
      expect(appendNow(world, world.log('events', partition)).error).toBe(ErrorCode.NONE)
    }
    expect(disk.logsOpen).toBeLessThanOrEqual(10)
    for (let partition = 0; partition < 50; partition++) {
      expect(appendNow(world, world.log('events', partition)).error).toBe(ErrorCode.NONE)
    }
    expect(disk.logsOpen).toBeLessThanOrEqual(10)
  })

  test('an append to a log whose file cannot be opened is refused, and works when it can', async () => {
    const disk = new SmallProcess()
    const first = await World.open({ disk })
    appendNow(first, first.log())
    const world = await first.restart()
    disk.full = true
    expect(appendNow(world, world.log()).info.errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    disk.full = false
    expect(appendNow(world, world.log()).error).toBe(ErrorCode.NONE)
    expect(world.log().logEndOffset).toBe(2)
  })
})

describe('a partition that is made anew', () => {
  /** It had records, some of them were deleted, and the checkpoint files say so. */
  async function former(world: World): Promise<void> {
    const log = world.log()
    for (let count = 0; count < 5; count++) appendNow(world, log)
    expect(log.deleteRecordsTo(3)).toBe(ErrorCode.NONE)
    await world.manager.checkpoint()
    expect(text(world, 'log-start-offset-checkpoint')).toContain('events 0 3')
    expect(text(world, 'recovery-point-offset-checkpoint')).toContain('events 0 5')
  }

  function expectFresh(world: World): void {
    const log = world.manager.get('events', 0)!
    expect(log.topicId).toBe(OTHER_ID)
    expect(log).toMatchObject({ logStartOffset: 0, logEndOffset: 1 })
  }

  function anew(world: World): void {
    const log = world.manager.create({ topic: 'events', topicId: OTHER_ID, partition: 0 })
    expect(text(world, 'recovery-point-offset-checkpoint')).not.toContain('events 0 5')
    appendNow(world, log)
  }

  test('has none of the offsets of the one before, though the process dies at once', async () => {
    const world = await World.open()
    await former(world)
    world.manager.delete('events', 0)
    anew(world)
    expectFresh(await world.kill())
  })

  test('nor if it is made after a kill that followed the deletion', async () => {
    const world = await World.open()
    await former(world)
    world.manager.delete('events', 0)
    const next = await world.kill()
    anew(next)
    expectFresh(await next.kill())
  })
})
