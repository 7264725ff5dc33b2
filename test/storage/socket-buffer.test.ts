import { dlopen, ptr } from 'bun:ffi'
import { expect, test } from 'bun:test'
import { LIBRARY_NAMES, libc } from '../../src/storage/libc.ts'

const SOL_SOCKET = 1
const SO_SNDBUF = 7
const BYTES = 16_384

function sendBufferOf(descriptor: number): number {
  for (const name of LIBRARY_NAMES.linux ?? []) {
    try {
      const { symbols } = dlopen(name, { getsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'ptr'], returns: 'i32' } })
      const value = new Int32Array(1)
      const length = new Uint32Array([4])
      expect(symbols.getsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, ptr(value), ptr(length))).toBe(0)
      return value[0] ?? 0
    } catch {
      // Not this library.
    }
  }
  throw new Error('no C library')
}

test.if(libc().setSocketBuffer !== null)("a socket's buffer gets the size that was asked for", async () => {
  const accepted = Promise.withResolvers<number>()
  const server = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open: (socket) => accepted.resolve((socket as unknown as { fd: number }).fd),
      data() {},
    },
  })
  const client = await Bun.connect({ hostname: '127.0.0.1', port: server.port, socket: { data() {} } })
  const descriptor = await accepted.promise
  const before = sendBufferOf(descriptor)
  expect(libc().setSocketBuffer?.(descriptor, 'send', BYTES)).toBe(true)
  // The system takes twice as much, for what it needs itself.
  expect([BYTES, BYTES * 2]).toContain(sendBufferOf(descriptor))
  expect(before).not.toBe(sendBufferOf(descriptor))
  expect(libc().setSocketBuffer?.(-1, 'send', BYTES)).toBe(false)
  client.end()
  server.stop(true)
})
