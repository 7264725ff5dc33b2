// Starting on folders in every state: stopped cleanly, killed, without power, with files missing, shortened, zeroed or left over.

import { describe, expect, test } from 'bun:test'
import type { LogConfig } from '../../src/log/types.ts'
import { buildEndTransactionBatch } from '../../src/records/control.ts'
import { readBatchHeader } from '../../src/records/header.ts'
import type { MemoryDisk } from '../../src/storage/disk-memory.ts'
import { append, appendNow, batchOf, numbers, readAll, START_MS, World } from './support.ts'

const SIZE = batchOf({ count: 2, producerId: 5, producerEpoch: 0, baseSequence: 0 }).header.sizeBytes
const CONFIG: Partial<LogConfig> = { segmentBytes: 7 * SIZE, indexIntervalBytes: 2 * SIZE }
const FIRST = '00000000000000000000'
const SECOND = '00000000000000000014'

/** Twenty batches of two records of one producer: segments 0, 14, 28. */
async function filled(config = CONFIG): Promise<World> {
  const world = await World.open({ config })
  for (let index = 0; index < 20; index++) {
    appendNow(world, world.log(), {
      count: 2,
      timestamp: START_MS + index * 100,
      producerId: 5,
      producerEpoch: 0,
      baseSequence: index * 2,
    })
  }
  return world
}

function diskOf(world: World): MemoryDisk {
  return world.disk as MemoryDisk
}

async function expectAll(world: World): Promise<void> {
  const log = world.log()
  expect([log.logStartOffset, log.logEndOffset, log.highWatermark]).toEqual([0, 40, 40])
  expect((await readAll(log)).offsets).toEqual(numbers(0, 40))
  expect((await log.offsetForTimestamp(START_MS + 650, 40))?.offset).toBe(14)
  expect((await log.offsetForTimestamp(START_MS + 1850, 40))?.offset).toBe(38)
  expect(log.producers.get(5)?.batches.at(-1)).toMatchObject({ lastSequence: 39, lastOffset: 39 })
  const next = { count: 1, producerId: 5, producerEpoch: 0, baseSequence: 40, timestamp: START_MS + 1950 }
  expect(appendNow(world, log, next)).toMatchObject({ error: 0, info: { baseOffset: 40 } })
}

function rewrite(world: World, name: string, change: (bytes: Buffer) => Buffer | null, folder?: string): void {
  const path = folder === undefined ? `${world.directory}/${name}` : world.path(name, folder)
  const bytes = world.disk.readWhole(path)
  if (bytes === null) throw new Error(`${path} is not there`)
  const changed = change(Buffer.from(bytes))
  if (changed === null) world.disk.remove(path)
  else world.disk.writeWhole(path, changed)
}

describe('a clean start', () => {
  test('reads nothing of the segments', async () => {
    const world = await filled()
    await world.manager.close()
    const opened: string[] = []
    const open = world.disk.open.bind(world.disk)
    world.disk.open = (path, options) => {
      opened.push(path)
      return open(path, options)
    }
    const again = await world.reopen()
    expect(again.manager.cleanStart).toBe(true)
    expect(opened.filter((path) => path.endsWith('.log'))).toEqual([])
    expect(again.logger.lines).toEqual([])
    world.disk.open = open
    await expectAll(again)
  })

  test('finds its way without what Samsa itself wrote down, as in a folder that Kafka has stopped', async () => {
    const world = await filled()
    await world.manager.close()
    world.disk.remove(`${world.directory}/samsa-clean-stop`)
    const again = await world.reopen()
    expect(again.manager.cleanStart).toBe(true)
    expect(again.logger.matching(/Recovering|Rebuilding/)).toEqual([])
    await expectAll(again)
  })

  test('does not trust a marker whose segment is not what was stopped', async () => {
    const world = await filled()
    await world.manager.close()
    rewrite(world, '00000000000000000028.log', (bytes) => bytes.subarray(0, bytes.length - 1), 'events-0')
    const again = await world.reopen()
    expect(again.log().logEndOffset).toBe(38)
    expect((await readAll(again.log())).offsets).toEqual(numbers(0, 38))
  })

  test('takes the marker away before it serves anything', async () => {
    const world = await filled()
    await world.manager.close()
    expect(world.disk.exists(`${world.directory}/.kafka_cleanshutdown`)).toBe(true)
    const again = await world.reopen()
    diskOf(again).crash()
    expect(diskOf(again).exists(`${again.directory}/.kafka_cleanshutdown`)).toBe(false)
    const third = await again.reopen()
    expect(third.manager.cleanStart).toBe(false)
    await expectAll(third)
  })

  test('leaves the marker, and everything else, in a folder that is refused', async () => {
    const world = await filled()
    await world.manager.close()
    const before = world.disk.list(world.directory).sort()
    const refused = world.reopen({ manager: { foldersTaken: () => Promise.reject(new Error('not this one')) } })
    await expect(refused).rejects.toThrow('not this one')
    expect(world.disk.list(world.directory).sort()).toEqual(before)
    expect((await world.reopen()).manager.cleanStart).toBe(true)
  })

  test('an empty log needs nothing', async () => {
    let world = await World.open()
    world.log()
    world = await world.restart()
    expect(world.manager.get('events', 0)?.logEndOffset).toBe(0)
    world = await world.kill()
    expect(world.manager.get('events', 0)?.logEndOffset).toBe(0)
    expect(appendNow(world, world.log()).error).toBe(0)
  })
})

describe('an unclean start', () => {
  test('comes back whole after a kill', async () => {
    await expectAll(await (await filled()).kill())
  })

  test('reads only from the recovery point on', async () => {
    const world = await filled({ ...CONFIG, segmentBytes: 1 << 20 })
    await world.manager.checkpoint()
    appendNow(world, world.log(), { count: 2, timestamp: START_MS + 1900 })
    diskOf(world).killProcess()
    let scanned = -1
    const again = await world.reopen({ manager: { onProgress: (progress) => (scanned = progress.bytesScanned) } })
    expect(again.log().logEndOffset).toBe(42)
    // The last indexed batch before the recovery point, and what follows it.
    expect(scanned).toBeGreaterThan(0)
    expect(scanned).toBeLessThanOrEqual(5 * SIZE)
    expect(again.log().recoveryPoint).toBe(40)
  })

  test('goes on with the indexes as if they had never been interrupted', async () => {
    const config = { ...CONFIG, segmentBytes: 1 << 20 }
    const world = await filled(config)
    const other = await filled(config)
    await world.manager.checkpoint()
    diskOf(world).killProcess()
    const again = await world.reopen()
    for (const each of [again, other]) {
      for (let index = 0; index < 10; index++)
        appendNow(each, each.log(), { count: 2, timestamp: START_MS + 3000 + index })
      each.log().segments.active.seal()
    }
    expect(again.disk.readWhole(again.path(`${FIRST}.index`))).toEqual(
      other.disk.readWhole(other.path(`${FIRST}.index`)),
    )
  })

  test('without a recovery-point checkpoint, or with one that cannot be read, checks everything', async () => {
    for (const damage of [
      () => null,
      () => Buffer.from('garbage'),
      () => Buffer.from('0\n5\nevents 0 40\n'),
      () => Buffer.alloc(20),
    ]) {
      const world = await filled()
      await world.manager.checkpoint()
      diskOf(world).killProcess()
      rewrite(world, 'recovery-point-offset-checkpoint', damage)
      let scanned = 0
      const again = await world.reopen({ manager: { onProgress: (progress) => (scanned = progress.bytesScanned) } })
      expect(scanned).toBe(20 * SIZE)
      await expectAll(again)
    }
  })

  test('a recovery point beyond the end of the log is taken for the end', async () => {
    const world = await filled()
    await world.manager.checkpoint()
    diskOf(world).killProcess()
    rewrite(world, 'recovery-point-offset-checkpoint', () => Buffer.from('0\n1\nevents 0 4000\n'))
    const again = await world.reopen()
    await expectAll(again)
    expect(again.log().recoveryPoint).toBeLessThanOrEqual(41)
  })

  test('power loss right after a roll', async () => {
    const world = await filled()
    await world.manager.checkpoint()
    while (world.log().segments.active.sizeBytes < 7 * SIZE)
      appendNow(world, world.log(), { count: 2, timestamp: START_MS + 1900 })
    await world.manager.checkpoint()
    const end = world.log().logEndOffset
    appendNow(world, world.log())
    diskOf(world).crash()
    const again = await world.reopen()
    expect(again.log().logEndOffset).toBeGreaterThanOrEqual(end)
    expect((await readAll(again.log())).offsets.slice(0, 40)).toEqual(numbers(0, 40))
  })

  test('does not move the recovery point: what was scanned may be in memory only', async () => {
    const world = await filled()
    await world.manager.checkpoint()
    const { recoveryPoint } = world.log()
    appendNow(world, world.log())
    const again = await world.kill()
    expect(again.log().recoveryPoint).toBe(recoveryPoint)
    await again.manager.checkpoint()
    expect(again.log().recoveryPoint).toBe(41)
  })
})

const stops = [
  ['a clean stop', (world: World) => world.manager.close()],
  [
    'a kill, all of it synced',
    async (world: World) => {
      await world.manager.checkpoint()
      diskOf(world).killProcess()
    },
  ],
  ['a kill', async (world: World) => diskOf(world).killProcess()],
] as const

describe.each(stops)('after %s', (_stop, stop) => {
  const damages: [string, string, (bytes: Buffer) => Buffer | null][] = [
    ['missing', '.index', () => null],
    ['empty', '.index', () => Buffer.alloc(0)],
    ['short', '.index', (bytes) => bytes.subarray(0, 8)],
    ['ragged', '.index', (bytes) => bytes.subarray(0, bytes.length - 3)],
    ['zeroed', '.index', (bytes) => Buffer.alloc(bytes.length)],
    ['padded', '.index', (bytes) => Buffer.concat([bytes, Buffer.alloc(80)])],
    ['missing', '.timeindex', () => null],
    ['empty', '.timeindex', () => Buffer.alloc(0)],
    ['short', '.timeindex', (bytes) => bytes.subarray(0, 12)],
    ['ragged', '.timeindex', (bytes) => bytes.subarray(0, bytes.length - 5)],
    ['zeroed', '.timeindex', (bytes) => Buffer.alloc(bytes.length)],
    ['padded', '.timeindex', (bytes) => Buffer.concat([bytes, Buffer.alloc(120)])],
    ['missing', '.snapshot', () => null],
    ['empty', '.snapshot', () => Buffer.alloc(0)],
    ['damaged', '.snapshot', (bytes) => Buffer.from(bytes.map((byte) => byte ^ 1))],
  ]

  test.each(damages)('every %s %s is noticed and made good', async (how, suffix, change) => {
    const world = await filled()
    await stop(world)
    const originals = new Map<string, Buffer>()
    for (const name of world.disk.list(`${world.directory}/events-0`)) {
      if (!name.endsWith(suffix)) continue
      originals.set(name, world.disk.readWhole(world.path(name))!)
      rewrite(world, name, change, 'events-0')
    }
    expect(originals.size).toBeGreaterThan(0)
    const again = await world.reopen()
    await expectAll(again)
    await again.manager.close()
    for (const name of [`${FIRST}${suffix}`, `${SECOND}${suffix}`]) {
      const original = originals.get(name)
      // One entry less is still a valid index: any subset of the batches is.
      if (suffix === '.snapshot' || (suffix === '.index' && how === 'short') || original === undefined) continue
      expect(`${name} ${again.disk.readWhole(again.path(name))?.toString('hex')}`).toBe(
        `${name} ${original.toString('hex')}`,
      )
    }
  })

  test.each(['leader-epoch-checkpoint', 'partition.metadata'])(
    'a %s that is missing or nonsense is made good',
    async (name) => {
      for (const change of [() => null, () => Buffer.from('?')]) {
        const world = await filled()
        await stop(world)
        rewrite(world, name, change, 'events-0')
        const again = await world.reopen()
        expect(again.log().epochs.entries).toEqual([{ epoch: 0, startOffset: 0 }])
        await expectAll(again)
        expect(again.manager.create({ topic: 'events', partition: 0, topicId: '4_6AKg3nTUq32P4R-HNrNA' }).topicId).toBe(
          '4_6AKg3nTUq32P4R-HNrNA',
        )
      }
    },
  )

  test('indexes without their segment are removed, other files are left alone', async () => {
    const world = await filled()
    await stop(world)
    for (const name of ['00000000000000000099.index', '00000000000000000099.timeindex', 'notes.txt', '.DS_Store']) {
      world.disk.writeNew(world.path(name), Buffer.from('x'))
    }
    const again = await world.reopen()
    await expectAll(again)
    const names = again.disk.list(`${again.directory}/events-0`)
    expect(names.filter((name) => name.includes('99'))).toEqual([])
    expect(names).toContain('notes.txt')
    expect(names).toContain('.DS_Store')
  })

  test('deletions that were not finished are finished', async () => {
    const world = await filled()
    await stop(world)
    for (const suffix of ['.log', '.index', '.timeindex', '.snapshot'])
      world.disk.writeNew(world.path(`00000000000000000099${suffix}.deleted`), Buffer.from('x'))
    const again = await world.reopen()
    expect(again.disk.list(`${again.directory}/events-0`).filter((name) => name.endsWith('.deleted'))).toEqual([])
    await expectAll(again)
  })

  test('compaction that had not finished its output is undone', async () => {
    const world = await filled()
    await stop(world)
    world.disk.writeNew(world.path(`${SECOND}.log.cleaned`), Buffer.from('x'))
    world.disk.writeNew(world.path(`${SECOND}.index.cleaned`), Buffer.from('x'))
    world.disk.writeNew(world.path('00000000000000000028.log.swap'), Buffer.from('x'))
    const again = await world.reopen()
    expect(again.disk.list(`${again.directory}/events-0`).filter((name) => /cleaned|swap/.test(name))).toEqual([])
    await expectAll(again)
  })

  test('compaction that had finished its output takes its place', async () => {
    const world = await filled()
    await stop(world)
    // The first two segments were merged; only two batches are left of them.
    const first = world.disk.readWhole(world.path(`${FIRST}.log`))!
    const second = world.disk.readWhole(world.path(`${SECOND}.log`))!
    world.disk.writeNew(
      world.path(`${FIRST}.log.swap`),
      Buffer.concat([first.subarray(0, SIZE), second.subarray(6 * SIZE)]),
    )
    world.disk.writeNew(world.path(`${FIRST}.index.swap`), Buffer.alloc(0))
    world.disk.writeNew(world.path(`${FIRST}.timeindex.swap`), Buffer.alloc(0))
    const again = await world.reopen()
    const log = again.log()
    expect(log.segments.all.map((segment) => segment.baseOffset)).toEqual([0, 28])
    expect((await readAll(log)).offsets).toEqual([0, 1, 26, 27, ...numbers(28, 40)])
    expect((await log.offsetForTimestamp(START_MS + 650, 40))?.offset).toBe(26)
    const names = again.disk.list(`${again.directory}/events-0`)
    expect(names.filter((name) => name.endsWith('.swap') || name === `${SECOND}.log`)).toEqual([])
  })

  test('an aborted transaction is known again, with or without its index', async () => {
    for (const change of [
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes.subarray(0, 20),
      (bytes: Buffer) => Buffer.from(bytes).fill(1),
    ]) {
      const world = await World.open({ config: CONFIG })
      const identity = { producerId: 8, producerEpoch: 0 }
      for (let index = 0; index < 4; index++)
        appendNow(world, world.log(), { count: 2, ...identity, baseSequence: index * 2, isTransactional: true })
      const bytes = buildEndTransactionBatch({ type: 'abort', coordinatorEpoch: 0, ...identity, timestamp: START_MS })
      append(world.log(), { header: readBatchHeader(bytes, 0), chunks: [bytes] }, { origin: 'coordinator' })
      appendNow(world, world.log(), { ...identity, baseSequence: 8, isTransactional: true })
      await stop(world)
      rewrite(world, `${FIRST}.txnindex`, change, 'events-0')
      const again = await world.reopen()
      const log = again.log()
      expect(log.abortedTransactions(0, 8)).toEqual([{ producerId: 8, firstOffset: 0 }])
      expect([log.lastStableOffset, log.highWatermark]).toEqual([9, 10])
      expect(again.disk.readWhole(again.path(`${FIRST}.txnindex`))?.length).toBe(34)
    }
  })
})

describe('the ends of the log', () => {
  test('deleted records stay deleted after a kill, and after the loss of power', async () => {
    for (const end of ['kill', 'power'] as const) {
      const world = await filled()
      await world.manager.checkpoint()
      expect(world.log().deleteRecordsTo(17)).toBe(0)
      if (end === 'power') diskOf(world).crash()
      const again = end === 'kill' ? await world.kill() : await world.reopen()
      expect(again.log().logStartOffset).toBe(17)
      expect((await again.log().read(16, { maxBytes: 100, upTo: 40, atLeastOne: true })).errorCode).toBe(1)
    }
  })

  test('a log that ends below its start begins anew there', async () => {
    const world = await filled()
    expect(world.log().deleteRecordsTo(39)).toBe(0)
    diskOf(world).crash()
    const again = await world.reopen()
    const log = again.log()
    expect([log.logStartOffset, log.logEndOffset, log.highWatermark]).toEqual([39, 39, 39])
    expect(appendNow(again, log)).toMatchObject({ error: 0, info: { baseOffset: 39 } })
  })

  test('an empty folder begins at the checkpointed start', async () => {
    const world = await filled()
    expect(world.log().deleteRecordsTo(17)).toBe(0)
    await world.manager.close()
    for (const name of world.disk.list(`${world.directory}/events-0`))
      if (/^\d/.test(name)) world.disk.remove(world.path(name))
    const again = await world.reopen()
    expect([again.log().logStartOffset, again.log().logEndOffset]).toEqual([17, 17])
  })

  test('cutting the log takes producers, epochs and indexes back', async () => {
    const world = await filled()
    const log = world.log()
    log.assignEpoch(4)
    log.truncateTo(21)
    expect([log.logEndOffset, log.highWatermark, log.recoveryPoint <= 20]).toEqual([20, 20, true])
    expect(log.epochs.entries).toEqual([{ epoch: 0, startOffset: 0 }])
    expect(log.producers.get(5)?.batches.at(-1)?.lastSequence).toBe(19)
    expect((await readAll(log)).offsets).toEqual(numbers(0, 20))
    expect(await log.maxTimestamp()).toEqual({ offset: 19, timestamp: START_MS + 901, leaderEpoch: 0 })
    expect(appendNow(world, log, { count: 2, producerId: 5, producerEpoch: 0, baseSequence: 20 })).toMatchObject({
      error: 0,
      info: { baseOffset: 20 },
    })
    const again = await world.kill()
    expect((await readAll(again.log())).offsets).toEqual(numbers(0, 22))
  })
})

test('a disk that cannot read one log costs that partition only', async () => {
  const world = await filled()
  appendNow(world, world.log('events', 1))
  diskOf(world).killProcess()
  const list = world.disk.list.bind(world.disk)
  world.disk.list = (directory) => {
    if (directory.endsWith('events-0')) world.disk.readWhole('/nowhere/x') ?? list('/nowhere')
    return list(directory)
  }
  const again = await world.reopen()
  expect(again.manager.get('events', 0)).toBeUndefined()
  expect(again.manager.failureOf('events', 0)).toContain('/nowhere')
  expect(again.manager.get('events', 1)?.logEndOffset).toBe(1)
  expect(() => again.manager.create({ topic: 'events', partition: 0, topicId: 'x' })).toThrow('could not be loaded')
})

test('silent producers are forgotten on the way', async () => {
  const world = await filled()
  world.clock.advance(25 * 60 * 60 * 1000)
  const again = await world.restart()
  expect(again.log().producers.size).toBe(0)
})
