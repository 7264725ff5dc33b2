import { describe, expect, test } from 'bun:test'
import { parseTargets } from '../../../src/lab/broker/addresses.ts'
import { cpuSecondsOf, listeningInodes, processListeningOn, residentBytesOf } from '../../../src/lab/broker/target.ts'

describe('brokers on the command line', () => {
  test('with names and without', () => {
    expect(parseTargets('127.0.0.1:9092')).toEqual([
      { name: '127.0.0.1:9092', address: { host: '127.0.0.1', port: 9092 } },
    ])
    expect(parseTargets('old=a:1, new=[::1]:2,c')).toEqual([
      { name: 'old', address: { host: 'a', port: 1 } },
      { name: 'new', address: { host: '::1', port: 2 } },
      { name: 'c:9092', address: { host: 'c', port: 9092 } },
    ])
  })

  test.each([
    ['', 'names no host'],
    ['=a:1', 'has an empty name'],
    ['x=a:1,x=b:1', "two brokers are called 'x'"],
    ['a:1,a:1', "two brokers are called 'a:1'"],
    ['a:b:c', 'is not HOST:PORT'],
  ])('%p is refused: %s', (text, reason) => {
    expect(parseTargets(text)).toContain(reason)
  })
})

describe('the process behind a port', () => {
  const TABLE = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    '   0: 0100007F:2384 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0',
    '   1: 0100007F:2384 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0',
    '   2: 00000000:2385 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0',
    '',
  ].join('\n')

  test('only sockets that listen on that very port count', () => {
    expect(listeningInodes('', 0x2384, TABLE)).toEqual(['4711'])
    expect(listeningInodes('', 1, TABLE)).toEqual([])
  })

  test.if(process.platform === 'linux')('is found, and tells what it uses', () => {
    const server = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data: () => undefined } })
    try {
      expect(processListeningOn({ host: '127.0.0.1', port: server.port })).toBe(process.pid)
      expect(cpuSecondsOf(process.pid)).toBeGreaterThan(0)
      const { now, peak } = residentBytesOf(process.pid)
      expect(now).toBeGreaterThan(1e6)
      expect(peak).toBeGreaterThanOrEqual(now)
    } finally {
      server.stop(true)
    }
  })

  test('elsewhere there is none', () => {
    expect(processListeningOn({ host: 'broker.example', port: 9092 })).toBeNull()
  })
})
