/** Chooses the implementation for the runtime and the connection. */
import { openBunTransport } from './bun.ts'
import { openNodeTransport } from './node.ts'
import type { OpenTransport } from './transport.ts'

const onBun = typeof Bun !== 'undefined'

/** Bun's own sockets where there are any. TLS goes through node:tls on both: it is what checks the broker's certificate. */
export const openTransport: OpenTransport = (target, handlers) =>
  onBun && target.tls === null ? openBunTransport(target, handlers) : openNodeTransport(target, handlers)
