import { describe, expect, test } from 'bun:test'
import { Batch } from '../../../src/client/producer/batch.ts'
import { Lane } from '../../../src/client/producer/lane.ts'
import { ProducerMemory } from '../../../src/client/producer/memory.ts'

const IDENTITY = { producerId: 1, producerEpoch: 0 }
const IN_FLIGHT_MAX = 5

function laneWith(batches: number): { lane: Lane; all: Batch[] } {
  const memory = new ProducerMemory(1024 * 1024)
  const lane = new Lane('t', 0, 0)
  const all = Array.from({ length: batches }, () => {
    const batch = new Batch(memory, { createdMs: 0, isTransactional: false, firstBytes: 100 })
    batch.append(null, 'x', 1, null, 0, null)
    return batch
  })
  lane.queue.push(...all)
  return { lane, all }
}

/** Everything that may leave now. */
function takeAll(lane: Lane): Batch[] {
  const taken: Batch[] = []
  while (lane.next(IN_FLIGHT_MAX) !== null) taken.push(lane.take(IDENTITY))
  return taken
}

describe('a lane', () => {
  test('sends one batch until the log knows the producer, then five', () => {
    const { lane, all } = laneWith(10)
    expect(takeAll(lane)).toEqual(all.slice(0, 1))
    lane.stored(all[0]!)
    expect(takeAll(lane)).toEqual(all.slice(1, 6))
    expect(all.slice(0, 6).map(({ baseSequence }) => baseSequence)).toEqual([0, 1, 2, 3, 4, 5])
  })

  test('five batches from the oldest unanswered one on, also when it is repeated: the log knows no more of them again', () => {
    // Batch 1 is stored, but its answer says otherwise. Batch 2 is answered. If five more followed the repetition, and its
    // answer were lost, the log would have forgotten batch 1, and it would be stored a second time.
    const { lane, all } = laneWith(10)
    lane.stored(takeAll(lane)[0]!)
    lane.take(IDENTITY)
    lane.take(IDENTITY)
    lane.failed(all[1]!)
    lane.stored(all[2]!)
    expect(takeAll(lane)).toEqual([all[1]!, all[3]!, all[4]!, all[5]!])
    expect(all[1]!.baseSequence).toBe(1)
  })

  test('after a failure nothing new leaves until all is answered; then the oldest goes alone', () => {
    const { lane, all } = laneWith(6)
    lane.stored(takeAll(lane)[0]!)
    takeAll(lane)
    lane.failed(all[2]!)
    expect(lane.next(IN_FLIGHT_MAX)).toBeNull()
    lane.failed(all[1]!)
    for (const batch of all.slice(3, 6)) lane.failed(batch)
    expect(takeAll(lane)).toEqual([all[1]!])
  })

  test('the oldest batch out of order begins a new epoch, another one does not', () => {
    const { lane, all } = laneWith(4)
    lane.stored(takeAll(lane)[0]!)
    takeAll(lane)
    expect(lane.outOfOrder(all[2]!)).toBe(false)
    lane.failed(all[2]!)
    expect(lane.outOfOrder(all[1]!)).toBe(true)
    lane.failed(all[1]!)
    lane.failed(all[3]!)
    lane.take(IDENTITY)
    expect(all.slice(1).map(({ identity, baseSequence }) => [identity.producerEpoch, baseSequence])).toEqual([
      [1, 0],
      [1, 1],
      [1, 2],
    ])
  })
})
