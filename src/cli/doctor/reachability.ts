/**
 * Whether brokers can be reached: at the addresses that were given, and then at those that the brokers themselves tell their clients, which is
 * where most first attempts with Kafka end. A refusal is looked at until it has a name: no such host, nobody there, TLS or none, the wrong
 * user.
 */
import { lookup } from 'node:dns/promises'
import { formatHostPort, type HostPort } from '../../client/address.ts'
import type { ClusterOptions } from '../../client/cluster.ts'
import { Connection, type SecurityOptions } from '../../client/connection.ts'
import { KafkaError } from '../../client/errors.ts'
import { type Finding, fine, trouble } from './finding.ts'

const LOOPBACK = /^(localhost|127\.|\[?::1)/

export async function tryAddress(address: HostPort, options: ClusterOptions): Promise<Finding> {
  const text = formatHostPort(address)
  const startMs = performance.now()
  try {
    const connection = await connect(address, options)
    const { size } = connection.versions
    await connection.close()
    const tookMs = (performance.now() - startMs).toFixed(1)
    return fine('reachable', `${text} answers after ${tookMs} ms and serves ${size} APIs`)
  } catch (error) {
    const { reason, advice } = await diagnose(address, options, error)
    return trouble('reachable', `${text} cannot be used: ${reason}`, advice)
  }
}

function connect(address: HostPort, { clientId, timeoutMs, tls, sasl }: ClusterOptions): Promise<Connection> {
  return Connection.connect({
    ...address,
    clientId: clientId ?? null,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(tls === undefined ? {} : { tls }),
    ...(sasl === undefined ? {} : { sasl }),
  })
}

interface Diagnosis {
  readonly reason: string
  readonly advice: string
}

const ABOUT_CERTIFICATES = /certificate|altname/i
const NOBODY_THERE =
  'Is a broker running there, does its --listen name an address that this machine reaches, is a firewall between?'

async function diagnose(address: HostPort, options: ClusterOptions, error: unknown): Promise<Diagnosis> {
  const reason = error instanceof Error ? error.message : String(error)
  const found = await lookup(address.host).catch(() => null)
  if (found === null) {
    return {
      reason: `there is no host '${address.host}'`,
      advice: 'Is the name right, does this machine ask the right name server?',
    }
  }
  const isEncrypted = options.tls !== undefined && options.tls !== false
  if (isEncrypted && ABOUT_CERTIFICATES.test(reason)) {
    return {
      reason: `its certificate is not trusted: ${reason}`,
      advice:
        'Set -X ssl.ca.location=FILE to the authority that has signed it, and name the broker as the certificate does.',
    }
  }
  const code = error instanceof KafkaError ? error.code : null
  if (code === 'ERR_AUTHENTICATION' || code === 'SASL_AUTHENTICATION_FAILED') {
    return {
      reason,
      advice: 'User or password are not what the broker knows: samsa profile show tells which user is in use.',
    }
  }
  if (code === 'UNSUPPORTED_SASL_MECHANISM') {
    return { reason, advice: 'Choose a mechanism that the broker offers: -X sasl.mechanism=...' }
  }
  if (!isEncrypted && (await answers(address, options, { tls: { rejectUnauthorized: false } }))) {
    return { reason: 'it speaks TLS, and was spoken to without', advice: 'Set -X security.protocol=SSL (or SASL_SSL).' }
  }
  if (isEncrypted && (await answers(address, options, {}))) {
    return {
      reason: 'it speaks no TLS',
      advice: 'Set -X security.protocol=PLAINTEXT (or SASL_PLAINTEXT), or name the port for TLS.',
    }
  }
  if (await speaksHttp(address)) {
    return {
      reason: 'an HTTP server listens there',
      advice: "That may be the broker's HTTP port; clients need the one of --listen.",
    }
  }
  return { reason, advice: NOBODY_THERE }
}

/** Whether a Kafka broker is there when it is spoken to in this way; who we are does not matter for that. */
async function answers(address: HostPort, { timeoutMs }: ClusterOptions, security: SecurityOptions): Promise<boolean> {
  try {
    const connection = await Connection.connect({
      ...address,
      ...security,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    })
    await connection.close()
    return true
  } catch {
    return false
  }
}

async function speaksHttp({ host, port }: HostPort): Promise<boolean> {
  try {
    await fetch(`http://${host.includes(':') ? `[${host}]` : host}:${port}/`, { signal: AbortSignal.timeout(1_000) })
    return true
  } catch {
    return false
  }
}

/** Where a broker sends its clients, and whether they get there. */
export async function advertised(
  nodeId: number,
  address: HostPort,
  dialled: readonly HostPort[],
  options: ClusterOptions,
): Promise<Finding> {
  const text = formatHostPort(address)
  const sends = `broker ${nodeId} sends its clients to ${text}`
  if (dialled.some(({ host, port }) => host === address.host && port === address.port)) return fine('advertised', sends)
  const tried = await tryAddress(address, options)
  if (tried.level === 'ok') return fine('advertised', `${sends}, which answers`)
  const advice = LOOPBACK.test(address.host)
    ? 'It advertises a loopback address: clients elsewhere cannot follow. Set its --advertise (advertised.listeners) to what they can reach.'
    : 'Set its --advertise (advertised.listeners) to an address that clients reach, or make this name resolve here.'
  return trouble('advertised', `${sends}, which cannot be reached from here (${tried.what})`, advice)
}
