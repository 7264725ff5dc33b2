import { MemoryMetadataStore } from '../../src/metadata/store-memory.ts'
import { ManualClock } from '../../src/storage/clock-manual.ts'
import { storeContract } from './store-contract.ts'

storeContract('memory store', () => {
  const clock = new ManualClock()
  const store = new MemoryMetadataStore({ clock })
  return { store, advance: (ms) => clock.advance(ms), dispose: () => store.close() }
})
