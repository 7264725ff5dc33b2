import { expect, test } from 'bun:test'
import { MemoryMetadataStore } from '../../src/metadata/store-memory.ts'
import { ManualClock } from '../../src/storage/clock-manual.ts'
import { storeContract } from './store-contract.ts'

test('a lease does not end because the clock was set forward', async () => {
  const clock = new ManualClock()
  const store = new MemoryMetadataStore({ clock })
  const lease = await store.grantLease(1_000)
  clock.set(clock.now() + 3_600_000)
  expect(await store.keepAlive(lease)).toBe(true)
  clock.advance(1_000)
  expect(await store.keepAlive(lease)).toBe(false)
  store.close()
})

storeContract('memory store', () => {
  const clock = new ManualClock()
  const store = new MemoryMetadataStore({ clock })
  return { store, advance: (ms) => clock.advance(ms), dispose: () => store.close() }
})
