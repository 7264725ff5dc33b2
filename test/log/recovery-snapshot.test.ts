// A sync leaves a producer snapshot at the recovery point; a start after a kill goes on from there instead of from the log's beginning.
import { describe, expect, test } from 'bun:test'
import { ErrorCode } from '../../src/protocol/errors.ts'
import type { MemoryDisk } from '../../src/storage/disk-memory.ts'
import { appendNow, type TestBatch, World } from './support.ts'

const VALUE_BYTES = 100_000
const SYNCED_BATCHES = 15

const batch = (baseSequence: number, producerId = 7): TestBatch => ({
  producerId,
  producerEpoch: 0,
  baseSequence,
  valueBytes: VALUE_BYTES,
})

/** Producer 7 has written 15 batches that were synced, then three more. */
async function world(): Promise<World> {
  const filled = await World.open()
  const log = filled.log()
  for (let sequence = 0; sequence < SYNCED_BATCHES; sequence++) appendNow(filled, log, batch(sequence))
  await filled.manager.checkpoint()
  expect(log.snapshotOffset).toBe(SYNCED_BATCHES)
  for (let sequence = SYNCED_BATCHES; sequence < SYNCED_BATCHES + 3; sequence++) appendNow(filled, log, batch(sequence))
  return filled
}

describe('after a kill', () => {
  test('the snapshot of the last sync is used, and only what lies after it is read', async () => {
    const filled = await world()
    const disk = filled.disk as MemoryDisk
    const again = await filled.kill()
    const readBefore = disk.counts.reads
    expect(again.log().snapshotOffset).toBe(SYNCED_BATCHES)
    expect(again.log().logEndOffset).toBe(SYNCED_BATCHES + 3)
    // Fifteen batches of 100 kB would be a read or two of a megabyte each, had they been walked through.
    expect(again.logger.matching(/Recovered after/)[0]).toContain(
      `"bytesScanned":${(4 * again.log().sizeBytes) / (SYNCED_BATCHES + 3)}`,
    )
    expect(disk.counts.reads).toBe(readBefore)
  })

  test('repetitions of what came before and after the snapshot are known, the next batch is taken, a gap is not', async () => {
    const again = await (await world()).kill()
    const log = again.log()
    for (const sequence of [SYNCED_BATCHES - 1, SYNCED_BATCHES, SYNCED_BATCHES + 1, SYNCED_BATCHES + 2]) {
      expect(appendNow(again, log, batch(sequence)).info).toMatchObject({ duplicate: true, baseOffset: sequence })
    }
    expect(appendNow(again, log, batch(SYNCED_BATCHES + 7)).info.errorCode).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    expect(appendNow(again, log, batch(SYNCED_BATCHES + 3)).info).toMatchObject({ errorCode: 0, duplicate: false })
  })

  test('a log without producers gets a snapshot too: there is nothing to look for below it', async () => {
    const filled = await World.open()
    const log = filled.log()
    for (let count = 0; count < SYNCED_BATCHES; count++) appendNow(filled, log, { valueBytes: VALUE_BYTES })
    await filled.manager.checkpoint()
    const again = await filled.kill()
    expect(again.log().snapshotOffset).toBe(SYNCED_BATCHES)
    expect(again.log().activeProducers()).toEqual([])
  })

  test('a snapshot of batches that are gone is not believed', async () => {
    const filled = await world()
    const disk = filled.disk as MemoryDisk
    disk.killProcess()
    const path = filled.path('00000000000000000000.log')
    const bytes = disk.readWhole(path) as Buffer
    const batchBytes = bytes.length / (SYNCED_BATCHES + 3)
    // Cut in the last batch before the recovery point: more is lost than any crash of ours can lose.
    disk.writeWhole(path, bytes.subarray(0, (SYNCED_BATCHES - 1) * batchBytes + 10))
    const again = await filled.reopen()
    expect(again.log().logEndOffset).toBe(SYNCED_BATCHES - 1)
    expect(again.log().activeProducers()).toMatchObject([{ producerId: 7, lastSequence: SYNCED_BATCHES - 2 }])
    expect(appendNow(again, again.log(), batch(SYNCED_BATCHES - 1)).info).toMatchObject({
      errorCode: 0,
      duplicate: false,
      baseOffset: SYNCED_BATCHES - 1,
    })
  })
})
