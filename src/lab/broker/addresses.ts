/** Brokers as they are named on the command line: `host:port` or `name=host:port`, comma separated. */
import { formatHostPort, parseHostPort } from '../../client/address.ts'
import type { Address } from './target.ts'

export type { Address } from './target.ts'

const DEFAULT_PORT = 9092

/** The brokers, or a sentence that says what is wrong. Names are unlike each other: files and columns are named by them. */
export function parseTargets(text: string): { name: string; address: Address }[] | string {
  const targets: { name: string; address: Address }[] = []
  for (const part of text.split(',')) {
    const [, name, hostPort = ''] = /^(?:([^=]*)=)?(.*)$/.exec(part.trim()) ?? []
    const address = parseHostPort(hostPort, DEFAULT_PORT)
    if (typeof address === 'string') return address
    if (name === '') return `'${part}' has an empty name; write NAME=HOST:PORT or HOST:PORT`
    const shown = name ?? formatHostPort(address)
    if (targets.some((target) => target.name === shown)) return `two brokers are called '${shown}'`
    targets.push({ name: shown, address })
  }
  return targets
}
