// Kafka judges what compaction has written: its dump tool finds nothing wrong in any file, and its own recovery makes the same indexes out of
// the same segments and cuts nothing. Needs a JDK and Kafka's jars.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { join } from 'node:path'
import { CODEC_LZ4, CODEC_NONE, CODEC_ZSTD } from '../../src/records/header.ts'
import { SeededRandom } from '../../src/storage/random-seeded.ts'
import { interopDescribe } from '../support/tools.ts'
import { COMPACTED, compact, type KeyedRecord, marker, put, roll } from './compaction-support.ts'
import { expectEveryKind, expectNoFindings, expectSameFiles, filesOf, recoverWithKafka } from './kafka-judge.ts'
import { temporaryFolder, World } from './support.ts'

const TIMEOUT_MS = 180_000
const INTERVAL_BYTES = 500

/** Rounds of records of all kinds with a cleaning after each. */
async function fillAndClean(world: World): Promise<void> {
  const random = new SeededRandom(5)
  const sequences = new Map<number, number>()
  for (let round = 0; round < 3; round++) {
    for (let index = 0; index < 120; index++) {
      world.clock.advance(random.below(50))
      const records = Array.from({ length: 1 + random.below(5) }, (): KeyedRecord => {
        const value = random.below(5) === 0 ? null : 'v'.repeat(random.below(200))
        return [`key${random.below(40)}`, value]
      })
      const producerId = random.below(4) - 1
      const baseSequence = sequences.get(producerId) ?? 0
      const codec = ([CODEC_NONE, CODEC_LZ4, CODEC_ZSTD] as const)[random.below(3)]!
      const identity =
        producerId < 0 ? {} : { producerId, producerEpoch: 0, baseSequence, isTransactional: producerId === 2 }
      expect(put(world, records, { codec, ...identity }).error).toBe(0)
      sequences.set(producerId, baseSequence + records.length)
      if (index % 10 === 9) marker(world, 2, index % 20 === 9 ? 'abort' : 'commit')
    }
    roll(world)
    await compact(world)
  }
}

interopDescribe('Kafka reads what compaction leaves', ['java'], () => {
  const folder = temporaryFolder()
  const data = join(folder.path, 'data')
  const partition = join(data, 'events-0')

  beforeAll(async () => {
    const config = { ...COMPACTED, segmentBytes: 5000, indexIntervalBytes: INTERVAL_BYTES, deleteRetentionMs: 3000 }
    const world = await World.open({ disk: folder.disk, directory: data, config })
    await fillAndClean(world)
    put(world, [['after', 'all']])
    await world.manager.close()
    expect(world.logger.matching(/Compacted a log/).length).toBeGreaterThanOrEqual(3)
  })

  afterAll(() => folder.remove())

  test(
    'the dump tool has nothing to say against any file',
    () => {
      expectEveryKind(partition)
      expectNoFindings(partition)
    },
    TIMEOUT_MS,
  )

  test(
    "Kafka's recovery makes the same indexes and cuts nothing",
    () => {
      const copy = join(folder.path, 'kafka', 'events-0')
      recoverWithKafka(partition, copy, INTERVAL_BYTES)
      const made = filesOf(partition).filter((name) => /\.(index|timeindex)$/.test(name))
      expectSameFiles(made, copy, partition)
    },
    TIMEOUT_MS,
  )
})
