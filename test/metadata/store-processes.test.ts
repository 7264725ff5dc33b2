import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SqliteMetadataStore } from '../../src/metadata/store-sqlite.ts'
import { ManualClock } from '../../src/storage/clock-manual.ts'
import { silentLogger } from '../../src/storage/logger.ts'
import { ManualTime } from './manual-time.ts'

const PROGRAM = new URL('./counting-process.ts', import.meta.url).pathname

test('processes that change one key by compare-and-set lose no change', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'samsa-metadata-'))
  try {
    const path = join(directory, 'metadata.db')
    const counters = [1, 2, 3].map(() => Bun.spawn([process.execPath, PROGRAM, path, '100'], { stderr: 'inherit' }))
    expect(await Promise.all(counters.map((counter) => counter.exited))).toEqual([0, 0, 0])
    const clock = new ManualClock()
    const store = new SqliteMetadataStore({ path, clock, timers: new ManualTime(clock), logger: silentLogger })
    const entry = await store.get('counter')
    expect(new TextDecoder().decode(entry?.value)).toBe('300')
    expect(entry?.revision).toBe(300)
    store.close()
  } finally {
    rmSync(directory, { recursive: true })
  }
}, 30_000)
