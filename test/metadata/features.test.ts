import { describe, expect, test } from 'bun:test'
import { FEATURES, FEATURES_PREFIX, Features, servedFeatures } from '../../src/metadata/features.ts'
import { MemoryMetadataStore } from '../../src/metadata/store-memory.ts'
import { encodeValue } from '../../src/metadata/values.ts'
import { ManualClock } from '../../src/storage/clock-manual.ts'

const store = (): MemoryMetadataStore => new MemoryMetadataStore({ clock: new ManualClock() })

describe('feature levels', () => {
  test('a new cluster has the initial level of every feature that is served', async () => {
    const features = await Features.load(store(), 1)
    for (const { name, max, initial } of FEATURES) expect(features.level(name)).toBe(Math.min(max, initial))
  })

  test('a stored level counts, and is followed', async () => {
    const backing = store()
    const features = await Features.load(backing, 1)
    let changes = 0
    features.onChange(() => changes++)
    const key = `${FEATURES_PREFIX}metadata.version`
    await backing.transact({ puts: [{ key, value: encodeValue({ level: 29 }) }] })
    expect(features.level('metadata.version')).toBe(29)
    expect(features.finalized()).toContainEqual({ name: 'metadata.version', level: 29 })
    expect(changes).toBe(1)
    expect((await Features.load(backing, 1)).level('metadata.version')).toBe(29)
  })

  test('a level above what is served is not shown', async () => {
    const backing = store()
    const key = `${FEATURES_PREFIX}metadata.version`
    await backing.transact({ puts: [{ key, value: encodeValue({ level: 99 }) }] })
    expect((await Features.load(backing, 1)).level('metadata.version')).toBe(30)
  })

  test('features at level 0 are not finalized, those that are not served are not shown', async () => {
    const features = await Features.load(store(), 1)
    expect(features.finalized().map(({ name }) => name as string)).not.toContain('kraft.version')
    for (const { max } of servedFeatures()) expect(max).toBeGreaterThan(0)
  })
})
