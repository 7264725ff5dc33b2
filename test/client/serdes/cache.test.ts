import { expect, test } from 'bun:test'
import { LoadingCache } from '../../../src/client/serdes/registry/cache.ts'

test('one load per key, shared by all who ask meanwhile', async () => {
  const cache = new LoadingCache<string, number>({ entriesMax: 10 })
  const gate = Promise.withResolvers<number>()
  let loads = 0
  const load = (): Promise<number> => {
    loads++
    return gate.promise
  }
  const both = Promise.all([cache.get('a', load), cache.get('a', load)])
  expect(cache.peek('a')).toBeUndefined()
  gate.resolve(7)
  expect(await both).toEqual([7, 7])
  expect(loads).toBe(1)
  expect(cache.peek('a')).toBe(7)
})

test('a load that fails leaves nothing behind', async () => {
  const cache = new LoadingCache<string, number>({ entriesMax: 10 })
  const failing = cache.get('a', () => Promise.reject(new Error('down')))
  expect(failing).rejects.toThrow('down')
  await failing.catch(() => undefined)
  expect(await cache.get('a', async () => 1)).toBe(1)
})

test('a load that throws at once is a failed load', async () => {
  const cache = new LoadingCache<string, number>({ entriesMax: 10 })
  const load = (): never => {
    throw new Error('at once')
  }
  expect(await cache.get('a', load).catch(String)).toBe('Error: at once')
  expect(await cache.get('a', async () => 1)).toBe(1)
})

test('the oldest entry goes when there are too many', async () => {
  const cache = new LoadingCache<number, number>({ entriesMax: 2 })
  for (const key of [1, 2, 3]) await cache.get(key, async () => key)
  expect(cache.size).toBe(2)
  expect([1, 2, 3].map((key) => cache.peek(key))).toEqual([undefined, 2, 3])
})

test('an entry is loaded anew when it is too old', async () => {
  let nowMs = 0
  const cache = new LoadingCache<string, number>({ entriesMax: 2, maxAgeMs: 100, now: () => nowMs })
  await cache.get('a', async () => 1)
  nowMs = 99
  expect(await cache.get('a', async () => 2)).toBe(1)
  nowMs = 100
  expect(cache.peek('a')).toBeUndefined()
  expect(await cache.get('a', async () => 2)).toBe(2)
})

test('what was under way when its key was deleted is answered, and not kept', async () => {
  const cache = new LoadingCache<string, number>({ entriesMax: 2 })
  const gate = Promise.withResolvers<number>()
  const before = cache.get('a', () => gate.promise)
  cache.deleteWhere((key) => key === 'a')
  expect(await cache.get('a', async () => 2)).toBe(2)
  gate.resolve(1)
  expect(await before).toBe(1)
  expect(cache.peek('a')).toBe(2)
})
