import { describe, expect, test } from 'bun:test'
import { formatHostPort, parseBootstrap, parseHostPort } from '../../src/client/address.ts'

describe('addresses', () => {
  test('host and port', () => {
    expect(parseHostPort('broker.example:9093')).toEqual({ host: 'broker.example', port: 9093 })
  })

  test('IPv6 in brackets, there and back', () => {
    expect(parseHostPort('[::1]:9092')).toEqual({ host: '::1', port: 9092 })
    expect(formatHostPort({ host: '::1', port: 9092 })).toBe('[::1]:9092')
    expect(formatHostPort({ host: '127.0.0.1', port: 1 })).toBe('127.0.0.1:1')
  })

  test.each([
    ['::1:9092', 'in brackets'],
    ['broker', 'names no port'],
    [':9092', 'names no host'],
    ['broker:70000', '0 to 65535'],
    ['broker:http', 'is not HOST:PORT'],
  ])('%s is refused with a reason', (text, reason) => {
    expect(parseHostPort(text)).toContain(reason)
  })

  test('a bootstrap list: spaces, a listener name and missing ports are fine', () => {
    expect(parseBootstrap('a:1, PLAINTEXT://b:2 ,c,')).toEqual([
      { host: 'a', port: 1 },
      { host: 'b', port: 2 },
      { host: 'c', port: 9092 },
    ])
  })

  test('an empty bootstrap list is refused', () => {
    expect(parseBootstrap(' , ')).toContain('no broker address')
  })
})
