/** Chooses the implementation for the runtime and the connection. */
import { openBunTransport } from './bun.ts'
import type { OpenTransport } from './transport.ts'

const onBun = typeof Bun !== 'undefined'

/**
 * Bun's own sockets where there are any. TLS goes through node:tls on both: it is what checks the broker's certificate. What is not needed
 * is not loaded: node:net and node:tls take several megabytes on Bun.
 */
export const openTransport: OpenTransport = async (target, handlers) => {
  if (onBun && target.tls === null) return openBunTransport(target, handlers)
  const { openNodeTransport } = await import('./node.ts')
  return openNodeTransport(target, handlers)
}
