import { describe, expect, test } from 'bun:test'
import { COALESCE_PART_BYTES_MAX } from '../../src/broker/limits.ts'
import { OutQueue, type QueueOwner } from '../../src/broker/out-queue.ts'

/** A sink that takes at most so many bytes, and remembers each write. */
class Sink {
  room: number
  readonly writes: Buffer[] = []

  constructor(room = Number.POSITIVE_INFINITY) {
    this.room = room
  }

  write(bytes: Uint8Array, offset: number, length: number): number {
    const taken = Math.min(length, this.room)
    this.room -= taken
    if (taken > 0) this.writes.push(Buffer.from(bytes.subarray(offset, offset + taken)))
    return taken
  }

  get text(): string {
    return Buffer.concat(this.writes).toString('latin1')
  }
}

const nobody: QueueOwner = {
  partLoaded: () => {
    throw new Error('nothing was to be loaded')
  },
  partLost: (error) => {
    throw error
  },
}

function bytes(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

describe('out queue', () => {
  test('small parts leave in one write, in order', () => {
    const queue = new OutQueue(nobody)
    const sink = new Sink()
    for (const text of ['one', 'two', 'three']) queue.push(bytes(text))
    expect(queue.flush(sink)).toBe(true)
    expect(sink.writes.map(String)).toEqual(['onetwothree'])
    expect(queue.bytes).toBe(0)
    expect(queue.isEmpty).toBe(true)
  })

  test('a large part is handed over as it is, between the small ones', () => {
    const queue = new OutQueue(nobody)
    const sink = new Sink()
    const large = Buffer.alloc(COALESCE_PART_BYTES_MAX, 'x')
    for (const part of [bytes('head'), bytes('er'), large, bytes('tail')]) queue.push(part)
    expect(queue.flush(sink)).toBe(true)
    expect(sink.writes.map((write) => write.length)).toEqual([6, large.length, 4])
  })

  test('what the sink refuses stays, and leaves later without a gap or a repetition', () => {
    const queue = new OutQueue(nobody)
    const text = Array.from({ length: 300 }, (_, index) => `part-${index};`)
    for (const part of text) queue.push(bytes(part))
    const sink = new Sink(0)
    let rounds = 0
    while (!queue.flush(sink)) {
      sink.room = 7
      rounds++
    }
    expect(sink.text).toBe(text.join(''))
    expect(rounds).toBeGreaterThan(100)
    expect(queue.bytes).toBe(0)
  })

  test('a refused large part continues where it stopped', () => {
    const queue = new OutQueue(nobody)
    const large = Buffer.alloc(200_000)
    for (let i = 0; i < large.length; i++) large[i] = i % 251
    queue.push(large)
    const sink = new Sink(70_001)
    expect(queue.flush(sink)).toBe(false)
    expect(queue.bytes).toBe(129_999)
    sink.room = Number.POSITIVE_INFINITY
    expect(queue.flush(sink)).toBe(true)
    expect(Buffer.concat(sink.writes).equals(large)).toBe(true)
  })

  test('a buffer is given back once everything before it has left, not earlier', () => {
    const queue = new OutQueue(nobody)
    const released: string[] = []
    queue.push(bytes('aaaa'))
    queue.pushRelease(() => released.push('a'))
    queue.push(bytes('bbbb'))
    queue.pushRelease(() => released.push('b'))
    const sink = new Sink(3)
    queue.flush(sink)
    expect(released).toEqual([])
    sink.room = 3
    queue.flush(sink)
    expect(released).toEqual(['a'])
    sink.room = 100
    queue.flush(sink)
    expect(released).toEqual(['a', 'b'])
    expect(sink.text).toBe('aaaabbbb')
  })

  test('with nothing waiting, a buffer is given back at once', () => {
    const queue = new OutQueue(nobody)
    let released = 0
    queue.pushRelease(() => released++)
    expect(released).toBe(1)
  })

  test('clearing gives back every buffer once and forgets the bytes', () => {
    const queue = new OutQueue(nobody)
    let released = 0
    queue.push(bytes('left'))
    queue.pushRelease(() => released++)
    queue.push(bytes('over'))
    queue.pushRelease(() => released++)
    queue.flush(new Sink(5))
    expect(released).toBe(1)
    queue.clear()
    queue.clear()
    expect(released).toBe(2)
    expect(queue.bytes).toBe(0)
  })
})
