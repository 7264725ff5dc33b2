/** Where a broker listens, as people write it: `host:port`, `[::1]:9092`, or a comma separated list of them. */
export interface HostPort {
  readonly host: string
  readonly port: number
}

/** The address, or a sentence that says what is wrong with it. */
export function parseHostPort(text: string, defaultPort?: number): HostPort | string {
  const bracketed = /^\[([^\]]+)\](?::(\d+))?$/.exec(text)
  const plain = /^([^:[\]]*)(?::(\d+))?$/.exec(text)
  const match = bracketed ?? plain
  if (match === null) return `'${text}' is not HOST:PORT (an IPv6 address goes in brackets: [::1]:9092)`
  const host = match[1] ?? ''
  if (host === '') return `'${text}' names no host; write HOST:PORT, for example 127.0.0.1:9092`
  if (match[2] === undefined) {
    return defaultPort === undefined
      ? `'${text}' names no port; write HOST:PORT, for example ${text}:9092`
      : { host, port: defaultPort }
  }
  const port = Number(match[2])
  if (port > 65535) return `'${text}': a port is a number from 0 to 65535`
  return { host, port }
}

/** Every address of a bootstrap list; the port may be left out, as with Kafka's own tools' default of 9092. */
export function parseBootstrap(text: string): readonly HostPort[] | string {
  const addresses: HostPort[] = []
  for (const part of text.split(',')) {
    if (part.trim() === '') continue
    const address = parseHostPort(part.trim().replace(/^PLAINTEXT:\/\//i, ''), 9092)
    if (typeof address === 'string') return address
    addresses.push(address)
  }
  return addresses.length > 0 ? addresses : 'no broker address given; write HOST:PORT, for example 127.0.0.1:9092'
}

export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
