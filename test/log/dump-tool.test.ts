// Kafka judges the files: its dump tool must find nothing wrong in any of them, and its own recovery must make the same indexes out of
// the same segments. Needs a JDK and Kafka's jars.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { cpSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { buildEndTransactionBatch } from '../../src/records/control.ts'
import { readBatchHeader } from '../../src/records/header.ts'
import { SeededRandom } from '../../src/storage/random-seeded.ts'
import { interopDescribe } from '../support/tools.ts'
import { expectEveryKind, expectNoFindings, expectSameFiles, filesOf, recoverWithKafka } from './kafka-judge.ts'
import { append, appendNow, START_MS, temporaryFolder, World } from './support.ts'

const TIMEOUT_MS = 180_000
const INTERVAL_BYTES = 500
function endTransaction(world: World, producerId: number, type: 'commit' | 'abort', timestamp: number): void {
  const bytes = buildEndTransactionBatch({ type, coordinatorEpoch: 0, producerId, producerEpoch: 0, timestamp })
  const outcome = append(
    world.log(),
    { header: readBatchHeader(bytes, 0), chunks: [bytes] },
    {
      origin: 'coordinator',
      leaderEpoch: Math.max(0, world.log().latestEpoch),
    },
  )
  world.timers.runTurn()
  expect(outcome.error).toBe(0)
}

/** Several segments with plain, idempotent and transactional batches of all sizes, and timestamps that go back and forth. */
async function fill(world: World): Promise<void> {
  const log = world.log()
  const random = new SeededRandom(11)
  const sequences = new Map<number, number>()
  for (let index = 0; index < 150; index++) {
    const timestamp = START_MS + index * 10 - random.below(200)
    const count = 1 + random.below(5)
    const producerId = random.below(4) - 1
    const baseSequence = sequences.get(producerId) ?? 0
    const identity =
      producerId < 0 ? {} : { producerId, producerEpoch: 0, baseSequence, isTransactional: producerId === 2 }
    const leaderEpoch = Math.max(0, log.latestEpoch)
    const batch = { count, valueBytes: random.below(200), timestamp, ...identity }
    expect(appendNow(world, log, batch, { leaderEpoch }).error).toBe(0)
    sequences.set(producerId, baseSequence + count)
    if (index % 20 === 19) endTransaction(world, 2, index % 40 === 19 ? 'abort' : 'commit', timestamp)
    if (index === 70) log.assignEpoch(3)
  }
  expect(log.segments.count).toBeGreaterThan(4)
}

interopDescribe('Kafka reads what the log writes', ['java'], () => {
  const folder = temporaryFolder()
  const data = join(folder.path, 'data')
  const partition = join(data, 'events-0')
  const options = {
    disk: folder.disk,
    directory: data,
    config: { segmentBytes: 5000, indexIntervalBytes: INTERVAL_BYTES },
  }

  beforeAll(async () => {
    const world = await World.open(options)
    await fill(world)
    await world.manager.close()
  })

  afterAll(() => folder.remove())

  test(
    'after a clean stop',
    () => {
      expectEveryKind(partition)
      expectNoFindings(partition)
    },
    TIMEOUT_MS,
  )

  test(
    'after a recovery, and the recovered indexes are those of a clean stop',
    async () => {
      const copy = join(folder.path, 'recovered')
      cpSync(data, copy, { recursive: true })
      for (const name of readdirSync(copy)) if (/clean|checkpoint/.test(name)) rmSync(join(copy, name))
      for (const name of readdirSync(join(copy, 'events-0')))
        if (!name.endsWith('.log') && name !== 'partition.metadata') rmSync(join(copy, 'events-0', name))
      const world = await World.open({ ...options, directory: copy })
      expect(world.manager.cleanStart).toBe(false)
      await world.manager.close()
      expectNoFindings(join(copy, 'events-0'))
      const made = filesOf(join(copy, 'events-0')).filter((name) => !name.endsWith('.snapshot'))
      expectSameFiles(made, join(copy, 'events-0'), partition)
    },
    TIMEOUT_MS,
  )

  test(
    "Kafka's own recovery makes the same indexes, epochs and final producer state, and cuts nothing",
    () => {
      const copy = join(folder.path, 'kafka', 'events-0')
      recoverWithKafka(partition, copy, INTERVAL_BYTES)
      const made = filesOf(partition).filter((name) => /index$/.test(name))
      expectSameFiles(made, copy, partition)
      const epochs = 'leader-epoch-checkpoint'
      expect(readFileSync(join(copy, epochs), 'latin1')).toBe(readFileSync(join(partition, epochs), 'latin1'))
    },
    TIMEOUT_MS,
  )
})
