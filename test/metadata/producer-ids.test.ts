import { describe, expect, test } from 'bun:test'
import { PRODUCER_ID_BLOCK, ProducerIds } from '../../src/metadata/producer-ids.ts'
import { MemoryMetadataStore } from '../../src/metadata/store-memory.ts'
import { ManualClock } from '../../src/storage/clock-manual.ts'
import { withInterference } from './support.ts'

const memoryStore = () => new MemoryMetadataStore({ clock: new ManualClock() })

describe('producer ids', () => {
  test('begin at 0 and go on by one, across blocks', async () => {
    const ids = new ProducerIds(memoryStore())
    const given: number[] = []
    for (let count = 0; count < PRODUCER_ID_BLOCK + 5; count++) given.push(await ids.next())
    expect(given).toEqual(given.map((_, index) => index))
  })

  test('come without waiting while a block lasts', async () => {
    const ids = new ProducerIds(memoryStore())
    await ids.next()
    expect(ids.next()).toBe(1)
  })

  test('many that ask at the same time get different ones and take one block', async () => {
    const store = memoryStore()
    const ids = new ProducerIds(store)
    const given = await Promise.all(Array.from({ length: PRODUCER_ID_BLOCK }, () => ids.next()))
    expect(new Set(given).size).toBe(PRODUCER_ID_BLOCK)
    expect((await store.list('')).revision).toBe(1)
  })

  test('more than a block at the same time', async () => {
    const ids = new ProducerIds(memoryStore())
    const given = await Promise.all(Array.from({ length: 2 * PRODUCER_ID_BLOCK + 10 }, () => ids.next()))
    expect(new Set(given).size).toBe(2 * PRODUCER_ID_BLOCK + 10)
  })

  test('a restart takes a new block: what was left of the old one is lost, never given twice', async () => {
    const store = memoryStore()
    expect(await new ProducerIds(store).next()).toBe(0)
    expect(await new ProducerIds(store).next()).toBe(PRODUCER_ID_BLOCK)
  })

  test('two processes that reach for the same block get different ones', async () => {
    const store = withInterference(memoryStore())
    const theirs = new ProducerIds(store)
    let theirId = -1
    store.interfere(async () => {
      theirId = await theirs.next()
    })
    expect(await new ProducerIds(store).next()).toBe(PRODUCER_ID_BLOCK)
    expect(theirId).toBe(0)
  })

  test('after a failure of the store the next one that asks tries again', async () => {
    const store = withInterference(memoryStore())
    const ids = new ProducerIds(store)
    store.interfere(() => Promise.reject(new Error('disk full')))
    expect(ids.next()).rejects.toThrow('disk full')
    await Bun.sleep(0)
    expect(await ids.next()).toBe(0)
  })
})
