/** Adds to one counter in a metadata file, by compare-and-set: `counting-process.ts FILE TIMES`. Prints how often it lost. */
import { SqliteMetadataStore } from '../../src/metadata/store-sqlite.ts'
import { realClock } from '../../src/storage/clock-real.ts'
import { silentLogger } from '../../src/storage/logger.ts'
import { RealTimers } from '../../src/storage/timers-real.ts'

const [path = '', times = '0'] = process.argv.slice(2)
const timers = new RealTimers(realClock)
const store = new SqliteMetadataStore({ path, clock: realClock, timers, logger: silentLogger })
let lost = 0
for (let added = 0; added < Number(times); ) {
  const entry = await store.get('counter')
  const count = entry === null ? 0 : Number(new TextDecoder().decode(entry.value))
  const value = new TextEncoder().encode(String(count + 1))
  const result = await store.transact({
    checks: [{ key: 'counter', revision: entry?.revision ?? null }],
    puts: [{ key: 'counter', value }],
  })
  if (result.ok) added++
  else lost++
}
store.close()
console.log(lost)
