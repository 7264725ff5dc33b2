import { describe, expect, test } from 'bun:test'
import { drawPartition, PartitionChooser, type PartitionsView } from '../../../src/client/producer/partitioners.ts'

function view(queued: readonly number[], available: readonly boolean[] = queued.map(() => true)): PartitionsView {
  return {
    count: queued.length,
    queued: (partition) => queued[partition] ?? 0,
    isAvailable: (partition) => available[partition] ?? false,
  }
}

describe('drawing a partition', () => {
  function shares(of: PartitionsView): number[] {
    const counts = new Array<number>(of.count).fill(0)
    for (let draw = 0; draw < 1_000; draw++) counts[drawPartition(of, draw / 1_000)]! += 1
    return counts
  }

  test('all alike where nothing waits', () => {
    expect(shares(view([0, 0, 0, 0]))).toEqual([250, 250, 250, 250])
  })

  test('the likelier the fewer batches wait', () => {
    // Weights 1, 3, 4 of 8.
    expect(shares(view([3, 1, 0]))).toEqual([125, 375, 500])
  })

  test('one without a leader is not drawn', () => {
    expect(shares(view([0, 0, 0], [true, false, true]))).toEqual([500, 0, 500])
  })

  test('without any leader all are drawn', () => {
    expect(shares(view([0, 0], [false, false]))).toEqual([500, 500])
  })
})

describe('the sticky partition', () => {
  test('stays for a batch of bytes', () => {
    const chooser = new PartitionChooser('t', 'murmur2', 20_000)
    const all = view([0, 0, 0, 0])
    const first = chooser.choose(null, all)
    for (let bytes = 0; bytes < 19_000; bytes += 1_000) {
      expect(chooser.choose(null, all)).toBe(first)
      chooser.wrote(first, 1_000)
    }
    const later = new Set<number>()
    for (let round = 0; round < 200; round++) {
      const partition = chooser.choose(null, all)
      later.add(partition)
      chooser.wrote(partition, 20_000)
    }
    expect(later).toEqual(new Set([0, 1, 2, 3]))
  })

  test('records with a key leave it alone', () => {
    const chooser = new PartitionChooser('t', 'murmur2', 20_000)
    const all = view([0, 0, 0, 0])
    const first = chooser.choose(null, all)
    const key = { bytes: Buffer.from('a key'), length: 5 }
    const keyed = chooser.choose(key, all)
    expect(chooser.choose(key, all)).toBe(keyed)
    expect(chooser.choose(null, all)).toBe(first)
  })
})
