import { expect, test } from 'bun:test'
import { readBatchHeader } from '../../src/records/batch.ts'
import { buildEndTransactionBatch } from '../../src/records/control.ts'
import { append, appendNow, START_MS, World } from './support.ts'

const identity = { producerId: 9, producerEpoch: 0 }

/** Small segments; producer 9 has an aborted transaction in [2, 4) with its marker at 4. */
async function worldWithAbort(): Promise<World> {
  const world = await World.open({ config: { segmentBytes: 300 } })
  for (let index = 0; index < 2; index++) appendNow(world, world.log())
  for (let baseSequence = 0; baseSequence < 2; baseSequence++) {
    appendNow(world, world.log(), { ...identity, baseSequence, isTransactional: true })
  }
  const bytes = buildEndTransactionBatch({ type: 'abort', coordinatorEpoch: 0, ...identity, timestamp: START_MS })
  append(world.log(), { header: readBatchHeader(bytes, 0), chunks: [bytes] }, { origin: 'coordinator' })
  world.timers.runTurn()
  for (let index = 0; index < 40; index++) appendNow(world, world.log())
  return world
}

test('who asks for aborted transactions brings in none of the other indexes', async () => {
  const again = await (await worldWithAbort()).restart()
  const log = again.log()
  expect(log.segments.count).toBeGreaterThan(5)
  const loaded = () => log.segments.all.filter(({ indexesLoaded }) => indexesLoaded).length
  const before = loaded()
  expect(log.abortedTransactions(0, 45)).toEqual([{ producerId: 9, firstOffset: 2 }])
  expect(log.abortedTransactions(5, 45)).toEqual([])
  expect(loaded()).toBe(before)
})

test('behind the last aborted transaction there is none to know of', async () => {
  const again = await (await worldWithAbort()).restart()
  const log = again.log()
  expect([log.hasAborted(0), log.hasAborted(log.segments.active.baseOffset)]).toEqual([true, false])
})
