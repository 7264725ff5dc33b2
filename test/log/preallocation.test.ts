import { expect, test } from 'bun:test'
import type { Disk, DiskFile } from '../../src/storage/disk.ts'
import { MemoryDisk } from '../../src/storage/disk-memory.ts'
import { appendNow, World } from './support.ts'

/** A memory disk that notes how much space is asked for ahead. */
function notingDisk(): { disk: Disk; asked: number[] } {
  const memory = new MemoryDisk()
  const asked: number[] = []
  const noted = (file: DiskFile): DiskFile =>
    new Proxy(file, {
      get: (target, name) => {
        if (name === 'preallocate') return (bytes: number) => void asked.push(bytes)
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  const disk = new Proxy<Disk>(memory, {
    get: (target, name) => {
      if (name === 'open') return (...args: Parameters<Disk['open']>) => noted(target.open(...args))
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return { disk, asked }
}

test('preallocate asks for the space of a whole segment with its first batch, once', async () => {
  const { disk, asked } = notingDisk()
  const world = await World.open({ disk, config: { preallocate: true, segmentBytes: 1 << 20 } })
  appendNow(world, world.log())
  appendNow(world, world.log())
  expect(asked).toEqual([1 << 20])
})

test('without it a small log asks for nothing', async () => {
  const { disk, asked } = notingDisk()
  const world = await World.open({ disk, config: { segmentBytes: 1 << 20 } })
  appendNow(world, world.log())
  expect(asked).toEqual([])
})

test('the first retention and the forgetting of producers come when they are asked to', async () => {
  const world = await World.open({ manager: { firstRetentionDelayMs: 70, producerExpiryIntervalMs: 90 } })
  const now = world.clock.now()
  expect(world.timers.dueMs('log/retention')).toBe(now + 70)
  expect(world.timers.dueMs('log/producers')).toBe(now + 90)
})
