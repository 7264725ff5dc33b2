import { describe, expect, test } from 'bun:test'
import { BrokerRegistration } from '../../src/metadata/brokers.ts'
import { MetadataImage } from '../../src/metadata/image.ts'
import { MetadataStoreError } from '../../src/metadata/store.ts'
import { MemoryMetadataStore } from '../../src/metadata/store-memory.ts'
import { ManualClock } from '../../src/storage/clock-manual.ts'
import { type Logger, silentLogger } from '../../src/storage/logger.ts'
import { ManualTimers } from '../../src/storage/timers-manual.ts'

async function setUp() {
  const clock = new ManualClock()
  const timers = new ManualTimers(clock)
  const store = new MemoryMetadataStore({ clock })
  const image = await MetadataImage.load(store)
  const warnings: string[] = []
  const logger: Logger = { ...silentLogger, warn: (message) => warnings.push(message) }
  const register = (incarnation: string, nodeId = 1) =>
    BrokerRegistration.register({
      store,
      image,
      clock,
      timers,
      logger,
      nodeId,
      broker: { host: 'localhost', port: 9092, rack: null, incarnation },
      sessionTimeoutMs: 9000,
      heartbeatIntervalMs: 2000,
    })
  /** Lets the store and the heartbeat, which wait for each other, have their turns. */
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 1000) {
      timers.advance(1000)
      await Bun.sleep(0)
    }
  }
  return { clock, timers, store, image, warnings, register, pass }
}

describe('registration', () => {
  test('a registered broker is known, with its address', async () => {
    const { image, register } = await setUp()
    await register('first')
    expect(image.brokers()).toMatchObject([{ id: 1, host: 'localhost', port: 9092, incarnation: 'first' }])
  })

  test('it stands as long as the heart beats', async () => {
    const { image, warnings, register, pass } = await setUp()
    await register('first')
    const { epoch } = image.broker(1)!
    await pass(60_000)
    expect(image.broker(1)?.epoch).toBe(epoch)
    expect(warnings).toEqual([])
  })

  test('a clean stop takes it away at once, and the heart beats no more', async () => {
    const { image, timers, register } = await setUp()
    const registration = await register('first')
    await registration.stop()
    expect(image.brokers()).toEqual([])
    expect(timers.names()).toEqual([])
  })

  test('a store that takes no writes does not hold up the stop', async () => {
    const { store, warnings, register } = await setUp()
    const registration = await register('first')
    store.revokeLease = () => Promise.reject(new MetadataStoreError('disk is full'))
    await registration.stop()
    expect(warnings).toHaveLength(1)
  })

  test('after a suspended machine it registers again, with a higher epoch', async () => {
    const { clock, image, warnings, register, pass } = await setUp()
    await register('first')
    const { epoch } = image.broker(1)!
    clock.advance(60_000)
    await pass(5000)
    expect(image.broker(1)!.epoch).toBeGreaterThan(epoch)
    expect(warnings).toHaveLength(1)
  })

  test('a restart replaces what a killed process left behind', async () => {
    const { image, timers, register, pass } = await setUp()
    await register('killed')
    timers.cancel('metadata/broker/1/heartbeat')
    await register('restarted')
    expect(image.broker(1)?.incarnation).toBe('restarted')
    // The lease of the killed one runs out; the registration is not its own any more.
    await pass(20_000)
    expect(image.broker(1)?.incarnation).toBe('restarted')
  })
})
