/** The address that clients are sent to: what was configured, or else the one they dialled, which certainly works for them. */
import type { BrokerConfig } from '../metadata/broker-config.ts'
import type { Connection } from './connection.ts'
import { BrokerStartError } from './start-error.ts'

export interface HostAndPort {
  readonly host: string
  readonly port: number
}

/** `--advertise` beats `advertised.listeners`; null leaves it to each connection. Port 0 means the listening port. */
export function configuredAddress(given: HostAndPort | undefined, config: BrokerConfig): HostAndPort | null {
  if (given !== undefined) return given
  const listener = config.list('advertised.listeners')[0]
  if (listener === undefined) return null
  const match = /^(?:[A-Za-z0-9_]+:\/\/)?(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(listener.trim())
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  if (host === undefined || !(port >= 0 && port <= 65_535)) {
    throw new BrokerStartError(
      'BAD_CONFIG',
      `advertised.listeners: '${listener}' is not of the form PLAINTEXT://HOST:PORT`,
    )
  }
  return { host, port }
}

export function advertisedAddress(
  configured: HostAndPort | null,
  connection: Connection,
  listeningPort: number,
): HostAndPort {
  if (configured === null) return { host: connection.localAddress, port: connection.localPort }
  return configured.port === 0 ? { host: configured.host, port: listeningPort } : configured
}
