import { describe, expect, test } from 'bun:test'
import { type ClientFacts, readSubscription, refuseSubscription } from '../../src/metadata/client-metrics.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'

const CLIENT: ClientFacts = {
  client_id: 'app-7',
  client_instance_id: 'abc',
  client_software_name: 'apache-kafka-java',
  client_software_version: '4.3.1',
  client_source_address: '10.0.0.7',
  client_source_port: '40123',
}

const values = (given: Record<string, string>): Map<string, string> => new Map(Object.entries(given))
const matches = (match: string): boolean => readSubscription('s', values({ match })).matches(CLIENT)

describe('a client metrics subscription', () => {
  test('means all clients without patterns, and those whom every pattern matches wholly', () => {
    expect(matches('')).toBe(true)
    expect(matches('client_id=app-.*')).toBe(true)
    expect(matches('client_id=app')).toBe(false)
    expect(matches('client_id=app-.*,client_source_port=1.*')).toBe(false)
    expect(matches('client_id=app-.*, client_software_version=4\\..*')).toBe(true)
  })

  test('has an interval of 5 minutes and no metrics unless it says so; `*` beats prefixes', () => {
    const { intervalMs, metrics } = readSubscription('s', new Map())
    expect({ intervalMs, metrics }).toEqual({ intervalMs: 300_000, metrics: [] })
    expect(readSubscription('s', values({ metrics: 'a., *' })).metrics).toEqual(['*'])
  })

  test('is refused with an interval out of range, an unknown fact or a pattern that is none', () => {
    expect(refuseSubscription(values({ 'interval.ms': '99' }))?.errorCode).toBe(ErrorCode.INVALID_REQUEST)
    expect(refuseSubscription(values({ match: 'shoe=4' }))?.errorCode).toBe(ErrorCode.INVALID_CONFIG)
    expect(refuseSubscription(values({ match: 'client_id=(' }))?.errorCode).toBe(ErrorCode.INVALID_CONFIG)
    expect(refuseSubscription(values({ match: 'client_id=(?!a)b' }))?.errorCode).toBe(ErrorCode.INVALID_CONFIG)
    expect(refuseSubscription(values({ match: 'client_id=a', 'interval.ms': '100' }))).toBeNull()
  })
})
