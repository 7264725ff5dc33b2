import { describe, expect, test } from 'bun:test'
import { OffsetIndex } from '../../src/log/offset-index.ts'
import { TimeIndex } from '../../src/log/time-index.ts'
import { TxnIndex } from '../../src/log/txn-index.ts'
import { MemoryDisk } from '../../src/storage/disk-memory.ts'

function disk(): MemoryDisk {
  const made = new MemoryDisk()
  made.makeDirectory('/d')
  return made
}

describe('offset index', () => {
  function filled(): OffsetIndex {
    const index = new OffsetIndex('/d/i', 1000)
    for (const [offset, position] of [
      [1004, 500],
      [1010, 1200],
      [1020, 2000],
    ] as const)
      index.append(offset, position)
    return index
  }

  test('an entry is (last offset - base, position), big-endian', () => {
    const index = filled()
    expect(index.file.bytes.toString('hex', 0, 16)).toBe('00000004000001f40000000a000004b0')
    expect(index.count).toBe(3)
  })

  test.each([
    [1000, 0],
    [1003, 0],
    [1004, 500],
    [1009, 500],
    [1010, 1200],
    [5000, 2000],
  ])('offset %d begins at or after position %d', (offset, position) => {
    expect(filled().positionFor(offset)).toBe(position)
  })

  test('first entry at or after a position', () => {
    expect(filled().firstOffsetFrom(500)).toBe(1004)
    expect(filled().firstOffsetFrom(501)).toBe(1010)
    expect(filled().firstOffsetFrom(2001)).toBeNull()
  })

  test.each([
    [1004, 0],
    [1005, 1],
    [1020, 2],
    [1021, 3],
  ])('cut to %d keeps %d entries', (offset, count) => {
    const index = filled()
    index.truncateTo(offset)
    expect(index.count).toBe(count)
  })

  test('is full when no further entry fits', () => {
    expect(filled().isFull(31)).toBe(true)
    expect(filled().isFull(32)).toBe(false)
  })

  test('grows past its first capacity', () => {
    const index = new OffsetIndex('/d/i', 0)
    for (let count = 1; count <= 5000; count++) index.append(count, count * 10)
    expect(index.count).toBe(5000)
    expect(index.positionFor(4321)).toBe(43_210)
  })

  test('problems are named', () => {
    expect(filled().problem(1021, 2001)).toBeNull()
    expect(filled().problem(1020, 2001)).toContain('beyond')
    expect(filled().problem(1021, 2000)).toContain('beyond')
    const zeros = new OffsetIndex('/d/i', 0)
    zeros.append(0, 0)
    expect(zeros.problem(10, 10)).toContain('entry 0')
    const backwards = filled()
    backwards.append(1030, 1500)
    expect(backwards.problem(2000, 9999)).toContain('entry 3')
  })
})

describe('index files', () => {
  test('are written in pieces and hold exactly the entries', () => {
    const on = disk()
    const index = new OffsetIndex('/d/i', 0)
    expect(index.file.writeOut(on)).toBe(true)
    expect(on.readWhole('/d/i')?.length).toBe(0)
    index.append(1, 10)
    expect(index.file.writeOut(on)).toBe(true)
    index.append(2, 20)
    expect(index.file.writeOut(on)).toBe(true)
    expect(index.file.writeOut(on)).toBe(false)
    expect(on.readWhole('/d/i')?.toString('hex')).toBe('000000010000000a0000000200000014')
  })

  test('a cut and other entries after it replace what the file held', () => {
    const on = disk()
    const index = new OffsetIndex('/d/i', 0)
    for (let count = 1; count <= 4; count++) index.append(count, count * 10)
    index.file.writeOut(on)
    index.truncateTo(3)
    index.append(7, 70)
    index.append(8, 80)
    index.append(9, 90)
    index.file.writeOut(on)
    const loaded = new OffsetIndex('/d/i', 0)
    loaded.file.load(on)
    expect(Array.from({ length: loaded.count }, (_unused, entry) => loaded.offsetAt(entry))).toEqual([1, 2, 7, 8, 9])
  })

  test('a file that was longer is cut when it starts over', () => {
    const on = disk()
    on.writeNew('/d/i', Buffer.alloc(80, 1))
    const index = new OffsetIndex('/d/i', 0)
    index.file.reset()
    index.append(1, 10)
    index.file.writeOut(on)
    expect(on.readWhole('/d/i')?.length).toBe(8)
  })

  test('a file that ends inside an entry is noticed', () => {
    const on = disk()
    on.writeNew('/d/i', Buffer.from('000000010000000a0000', 'hex'))
    const index = new OffsetIndex('/d/i', 0)
    index.file.load(on)
    expect(index.problem(10, 100)).toContain('multiple')
    on.writeNew('/d/t', Buffer.alloc(7))
    const times = new TimeIndex('/d/t', 0)
    times.file.load(on)
    expect(times.problem(10)).toContain('multiple')
    on.writeNew('/d/x', Buffer.alloc(35))
    const transactions = new TxnIndex('/d/x')
    transactions.file.load(on)
    expect(transactions.problem(0)).toContain('multiple')
  })
})

describe('time index', () => {
  function filled(): TimeIndex {
    const index = new TimeIndex('/d/t', 100)
    index.append(5000, 103)
    index.append(6000, 110)
    index.append(6000, 115)
    index.append(5500, 116)
    index.append(7000, 116)
    return index
  }

  test('an entry is (timestamp, last offset - base); timestamps that do not grow are left out', () => {
    expect(filled().count).toBe(3)
    expect(filled().file.bytes.toString('hex', 0, 12)).toBe('000000000000138800000003')
    expect(filled().lastTimestamp).toBe(7000)
    expect(new TimeIndex('/d/t', 0).lastTimestamp).toBe(-1)
  })

  test.each([
    [4999, 100],
    [5000, 103],
    [5999, 103],
    [6000, 110],
    [9999, 116],
  ])('timestamp %d leads to offset %d', (timestamp, offset) => {
    expect(filled().offsetFor(timestamp)).toBe(offset)
  })

  test.each([
    [103, 0],
    [104, 1],
    [116, 2],
    [117, 3],
  ])('cut to %d keeps %d entries', (offset, count) => {
    const index = filled()
    index.truncateTo(offset)
    expect(index.count).toBe(count)
  })

  test('keeps room for the closing entry', () => {
    expect(filled().isFull(48)).toBe(true)
    expect(filled().isFull(60)).toBe(false)
  })

  test('problems are named', () => {
    expect(filled().problem(117)).toBeNull()
    expect(filled().problem(116)).toContain('beyond')
    const backwards = new TimeIndex('/d/t', 100)
    backwards.append(5000, 110)
    backwards.append(6000, 105)
    expect(backwards.problem(200)).toContain('entry 1')
  })
})

describe('transaction index', () => {
  const entry = { producerId: 7, firstOffset: 3, lastOffset: 5, lastStableOffset: 6 }

  test('an entry has 34 bytes in this order', () => {
    const index = new TxnIndex('/d/x')
    index.append(entry)
    expect(index.file.bytes.toString('hex', 0, 34)).toBe(
      '0000000000000000000700000000000000030000000000000005' + '0000000000000006',
    )
    expect(index.at(0)).toEqual(entry)
  })

  test('collects what touches the range and knows when to stop', () => {
    const index = new TxnIndex('/d/x')
    index.append({ producerId: 1, firstOffset: 0, lastOffset: 10, lastStableOffset: 2 })
    index.append({ producerId: 2, firstOffset: 12, lastOffset: 20, lastStableOffset: 21 })
    index.append({ producerId: 3, firstOffset: 2, lastOffset: 30, lastStableOffset: 31 })
    const producers = (from: number, to: number) => {
      const found: { producerId: number }[] = []
      const complete = index.collect(from, to, found as never)
      return [found.map((one) => one.producerId), complete]
    }
    expect(producers(0, 100)).toEqual([[1, 2, 3], false])
    expect(producers(11, 15)).toEqual([[2], true])
    expect(producers(21, 25)).toEqual([[3], true])
    expect(producers(0, 2)).toEqual([[1], true])
    expect(producers(31, 40)).toEqual([[], false])
  })

  test('cut by the marker; problems are named', () => {
    const index = new TxnIndex('/d/x')
    index.append(entry)
    index.append({ ...entry, lastOffset: 9, lastStableOffset: 10 })
    index.truncateTo(9)
    expect(index.count).toBe(1)
    expect(index.problem(0)).toBeNull()
    expect(index.problem(6)).toContain('before the segment')
    index.file.bytes.writeInt16BE(1, 0)
    expect(index.problem(0)).toContain('version 1')
  })
})
