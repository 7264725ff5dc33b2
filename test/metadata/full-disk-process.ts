// A store on a disk that has nothing left: fills the folder it is given, then changes what can be changed. Prints what became of it.
import { openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { METADATA_FILE, SqliteMetadataStore } from '../../src/metadata/store-sqlite.ts'
import { ManualClock } from '../../src/storage/clock-manual.ts'
import { silentLogger } from '../../src/storage/logger.ts'
import { ManualTime } from './manual-time.ts'

const folder = process.argv[2]!
const clock = new ManualClock()
const timers = new ManualTime(clock)
const path = join(folder, METADATA_FILE)
const open = () => new SqliteMetadataStore({ path, clock, timers, logger: silentLogger, exclusive: true })
const value = new Uint8Array(500)
const COUNT = 200
const before = open()
for (let index = 0; index < COUNT; index++) await before.transact({ puts: [{ key: `topic ${index}`, value }] })
before.close()
const store = open()
timers.advance(10_000)
const filler = openSync(join(folder, 'filler'), 'w')
try {
  for (;;) writeSync(filler, new Uint8Array(4096))
} catch {
  // Full.
}
for (let index = 0; index < COUNT; index++) await store.transact({ deletes: [`topic ${index}`] })
const { entries } = await store.list('topic')
console.log(entries.length, 'left')
store.close()
