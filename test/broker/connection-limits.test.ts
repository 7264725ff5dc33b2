import { beforeEach, describe, expect, test } from 'bun:test'
import { ConnectionLimits } from '../../src/broker/connection-limits.ts'
import { Quotas } from '../../src/broker/quotas.ts'
import { ManualClock } from '../../src/storage/clock-manual.ts'
import { testMetadata } from '../metadata/support.ts'

let clock: ManualClock

async function limitsWith(properties: Record<string, string>): Promise<ConnectionLimits> {
  const { clientQuotas, config } = await testMetadata({ properties })
  return new ConnectionLimits({ config, quotas: new Quotas({ clientQuotas, config, clock }), clock })
}

beforeEach(() => {
  clock = new ManualClock()
})

describe('connections at a time', () => {
  test('beyond max.connections are refused until one has closed', async () => {
    const limits = await limitsWith({ 'max.connections': '2' })
    expect([limits.admit('a').kind, limits.admit('b').kind, limits.admit('c').kind]).toEqual([
      'open',
      'open',
      'refused',
    ])
    limits.closed('a')
    expect(limits.admit('c').kind).toBe('open')
  })

  test('beyond max.connections.per.ip are refused for that address only; overrides name others', async () => {
    const limits = await limitsWith({
      'max.connections.per.ip': '1',
      'max.connections.per.ip.overrides': '10.0.0.2:2,::1:0',
    })
    const kinds = ['10.0.0.1', '10.0.0.1', '10.0.0.2', '10.0.0.2', '10.0.0.2', '::1'].map(
      (address) => limits.admit(address).kind,
    )
    expect(kinds).toEqual(['open', 'refused', 'open', 'open', 'refused', 'refused'])
    limits.closed('10.0.0.1')
    expect(limits.admit('10.0.0.1').kind).toBe('open')
  })
})

test('new connections beyond max.connection.creation.rate wait, at most a second', async () => {
  const limits = await limitsWith({ 'max.connection.creation.rate': '1' })
  const kinds = Array.from({ length: 12 }, () => limits.admit('a'))
  expect(kinds.slice(0, 10).every(({ kind }) => kind === 'open')).toBe(true)
  expect(kinds.slice(10)).toEqual([
    { kind: 'later', delayMs: 1000 },
    { kind: 'later', delayMs: 1000 },
  ])
  clock.advance(20_000)
  expect(limits.admit('a').kind).toBe('open')
})
