/**
 * Data folders with damage anywhere: whatever bytes are changed, cut or lost in whatever files, the broker starts, appends work, and
 * a read gives either whole batches in order or an error of that partition. More rounds: SAMSA_FUZZ_ROUNDS=100000.
 */
import { expect, test } from 'bun:test'
import { buildEndTransactionBatch } from '../../src/records/control.ts'
import { readBatchHeader } from '../../src/records/header.ts'
import type { MemoryDisk } from '../../src/storage/disk-memory.ts'
import { append, appendNow, START_MS, World } from '../log/support.ts'
import { fuzzRounds, Random } from '../support/random.ts'

const ERRORS: readonly number[] = [0, 1, 56]

async function filled(random: Random): Promise<World> {
  const world = await World.open({ config: { segmentBytes: 1200, indexIntervalBytes: 150 } })
  const log = world.log()
  for (let index = 0; index < 30; index++) {
    const isTransactional = index % 3 === 0
    const identity = isTransactional
      ? { producerId: 3, producerEpoch: 0, baseSequence: index / 3, isTransactional }
      : {}
    appendNow(world, log, { valueBytes: random.below(100), timestamp: START_MS + index, ...identity })
    if (index % 10 === 9) {
      const bytes = buildEndTransactionBatch({
        type: 'abort',
        coordinatorEpoch: 0,
        producerId: 3,
        producerEpoch: 0,
        timestamp: START_MS,
      })
      append(log, { header: readBatchHeader(bytes, 0), chunks: [bytes] }, { origin: 'coordinator' })
      world.timers.runTurn()
    }
    if (index === 20) await world.manager.checkpoint()
  }
  return world
}

function damage(random: Random, bytes: Buffer): Buffer | null {
  if (bytes.length === 0) return random.bytes(1 + random.below(40))
  const at = random.below(bytes.length)
  const length = 1 + random.below(30)
  switch (random.below(7)) {
    case 0:
      bytes[at]! ^= 1 << random.below(8)
      return bytes
    case 1:
      return bytes.subarray(0, at)
    case 2:
      return bytes.fill(0, at, Math.min(bytes.length, at + length))
    case 3:
      return Buffer.concat([bytes.subarray(0, at), random.bytes(length), bytes.subarray(at + length)])
    case 4:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)])
    case 5:
      return Buffer.concat([bytes, random.bytes(length)])
    default:
      return null
  }
}

/** Reads everything that can be read, stepping over what cannot. */
async function readThrough(world: World): Promise<void> {
  const log = world.log()
  let steps = 0
  for (let next = log.logStartOffset; next < log.logEndOffset; ) {
    if (++steps > 10_000) throw new Error('reading never ends')
    const result = await log.read(next, { maxBytes: 700, upTo: log.highWatermark, atLeastOne: true })
    expect(ERRORS).toContain(result.errorCode)
    let offset = -1
    let legacy = false
    for (let at = 0; at < result.data.length; ) {
      const header = readBatchHeader(result.data, at)
      legacy ||= header.magic < 2
      if (!legacy) expect(header.baseOffset).toBeGreaterThan(offset)
      offset = header.baseOffset + header.lastOffsetDelta
      at += header.sizeBytes
      expect(at).toBeLessThanOrEqual(result.data.length)
    }
    if (result.data.length > 0 && !legacy) expect(result.nextOffset).toBe(offset + 1)
    next = Math.max(next + 1, result.nextOffset)
    result.release()
    // Damage in the offsets themselves can leave a hole of any size.
    if (log.logEndOffset - next > 5000 && result.errorCode !== 0) next = log.logEndOffset
  }
  await log.offsetForTimestamp(START_MS + 15, log.highWatermark).catch(() => null)
  await log.maxTimestamp().catch(() => null)
  expect(world.manager.pool.takenBytes).toBe(0)
}

test('damaged folders', async () => {
  const rounds = fuzzRounds(400)
  for (let round = 0; round < rounds; round++) {
    const random = new Random(round)
    const world = await filled(random)
    const disk = world.disk as MemoryDisk
    if (random.below(2) === 0) await world.manager.close()
    disk.killProcess()
    const paths = [
      ...disk
        .list('/data')
        .filter((name) => name !== 'meta.properties' && !name.startsWith('events'))
        .map((name) => `/data/${name}`),
      ...disk.list('/data/events-0').map((name) => world.path(name)),
    ]
    const hit: string[] = []
    for (let changes = 1 + random.below(4); changes > 0; changes--) {
      const path = paths[random.below(paths.length)]!
      const changed = damage(random, Buffer.from(disk.readWhole(path) ?? []))
      hit.push(path)
      if (changed === null) disk.remove(path)
      else disk.writeWhole(path, changed)
    }
    try {
      const again = await world.reopen()
      await readThrough(again)
      const before = again.log().logEndOffset
      expect(appendNow(again, again.log())).toMatchObject({ error: 0, info: { baseOffset: before } })
      const result = await again.log().read(before, { maxBytes: 700, upTo: before + 1, atLeastOne: true })
      // A length that was damaged below the recovery point hides what comes after it in the segment; never as success.
      if (result.errorCode !== 56) expect([result.errorCode, result.nextOffset]).toEqual([0, before + 1])
      result.release()
      await (await again.restart()).manager.close()
    } catch (error) {
      throw new Error(`round ${round}, damaged: ${hit.join(', ')}`, { cause: error })
    }
  }
}, 120_000)
