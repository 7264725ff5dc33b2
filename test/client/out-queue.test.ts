import { expect, test } from 'bun:test'
import { OutQueue } from '../../src/client/out-queue.ts'

/** Takes `limit` bytes per write, then reports that it is full until `room` is raised. */
class SlowSink {
  readonly taken: Buffer[] = []
  room: number
  calls = 0

  constructor(room: number) {
    this.room = room
  }

  write(data: Uint8Array, offset: number, length: number): number {
    this.calls += 1
    const count = Math.min(this.room, length)
    this.room -= count
    this.taken.push(Buffer.from(data.subarray(offset, offset + count)))
    return count
  }
}

test('small parts go out in one write', () => {
  const queue = new OutQueue()
  for (const text of ['a', 'b', 'c']) queue.push(Buffer.from(text))
  const sink = new SlowSink(100)
  queue.writeTo(sink)
  expect(sink.calls).toBe(1)
  expect(Buffer.concat(sink.taken).toString()).toBe('abc')
})

test('a full sink gets the rest later, in order and without repetition', async () => {
  const queue = new OutQueue()
  const parts = [Buffer.alloc(10, 1), Buffer.alloc(100_000, 2), Buffer.alloc(10, 3)]
  for (const part of parts) queue.push(part)
  const sink = new SlowSink(7)
  let empty = false
  const emptied = queue.whenEmpty().then(() => {
    empty = true
  })
  for (let round = 0; !queue.isEmpty; round++) {
    queue.writeTo(sink)
    await Promise.resolve()
    if (!queue.isEmpty) expect(empty).toBe(false)
    sink.room = 30_000 + round
  }
  await emptied
  expect(Buffer.concat(sink.taken).equals(Buffer.concat(parts))).toBe(true)
})

test('a closed sink keeps nothing waiting once the queue is cleared', async () => {
  const queue = new OutQueue()
  queue.push(Buffer.from('lost'))
  queue.writeTo({ write: () => -1 })
  const emptied = queue.whenEmpty()
  queue.clear()
  await emptied
  expect(queue.isEmpty).toBe(true)
})
