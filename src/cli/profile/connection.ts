/** From settings to what the client needs: addresses, TLS, credentials. */
import { parseBootstrap } from '../../client/address.ts'
import type { ClusterOptions } from '../../client/cluster.ts'
import type { SaslOptions } from '../../client/sasl.ts'
import type { TlsOptions } from '../../client/transport/transport.ts'
import { CliError, usageError } from '../errors.ts'
import { askSecret, fileFor, secretFrom } from './secrets.ts'
import type { Settings } from './settings.ts'

const TOKEN_TIMEOUT_MS = 30_000

export function clusterOptions(settings: Settings): ClusterOptions {
  const { tls, sasl } = protocolOf(settings)
  const bootstrap = parseBootstrap(settings.get('bootstrap.servers') ?? '')
  if (typeof bootstrap === 'string') throw usageError(bootstrap)
  return {
    bootstrap,
    clientId: settings.get('client.id') ?? 'samsa-cli',
    timeoutMs: settings.number('timeout.ms'),
    ...(tls ? { tls: tlsOptions(settings) } : {}),
    ...(sasl ? { sasl: saslOptions(settings) } : {}),
  }
}

/** `security.protocol` decides; without it, that there are credentials or certificates. */
function protocolOf(settings: Settings): { tls: boolean; sasl: boolean } {
  const protocol = settings.get('security.protocol')
  if (protocol !== undefined) return { tls: protocol.endsWith('SSL'), sasl: protocol.startsWith('SASL_') }
  const named = settings.all().map(({ name }) => name)
  return {
    tls: named.some((name) => name.startsWith('ssl.')),
    sasl: named.some((name) => name.startsWith('sasl.')),
  }
}

function tlsOptions(settings: Settings): TlsOptions {
  const pem = (name: string): Buffer | undefined => {
    const path = settings.get(name)
    return path === undefined ? undefined : fileFor(path, name)
  }
  const [ca, cert, key] = ['ssl.ca.location', 'ssl.certificate.location', 'ssl.key.location'].map(pem)
  if ((cert === undefined) !== (key === undefined)) {
    throw usageError('ssl.certificate.location and ssl.key.location belong together: one of them is missing')
  }
  const passphrase = settings.get('ssl.key.password')
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
    ...(passphrase === undefined ? {} : { passphrase }),
    rejectUnauthorized: settings.get('enable.ssl.certificate.verification') !== 'false',
  }
}

function saslOptions(settings: Settings): SaslOptions {
  const mechanism = settings.get('sasl.mechanism')
  switch (mechanism) {
    case 'OAUTHBEARER':
      return { mechanism, token: tokenSource(settings) }
    case 'PLAIN':
    case 'SCRAM-SHA-256':
    case 'SCRAM-SHA-512': {
      const username = settings.get('sasl.username')
      if (username === undefined) throw usageError(`sasl.mechanism is ${mechanism}: sasl.username is missing`)
      return { mechanism, username, password: passwordOf(settings, username) }
    }
    default:
      throw usageError('sasl.mechanism is missing: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER')
  }
}

function passwordOf(settings: Settings, username: string): string {
  const password = settings.get('sasl.password')
  if (password !== undefined) return password
  const path = settings.get('sasl.password.file')
  if (path !== undefined) return secretFrom(path, 'sasl.password.file')
  const asked = askSecret(`Password of ${username} at ${settings.get('bootstrap.servers')}: `)
  if (asked !== null) return asked
  throw usageError(
    `no password of ${username}: set sasl.password.file or SAMSA_CLIENT_SASL_PASSWORD (there is no terminal to ask at)`,
  )
}

function tokenSource(settings: Settings): () => string | Promise<string> {
  const token = settings.get('sasl.oauthbearer.token')
  if (token !== undefined) return () => token
  const path = settings.get('sasl.oauthbearer.token.file')
  if (path !== undefined) return () => secretFrom(path, 'sasl.oauthbearer.token.file')
  const endpoint = settings.get('sasl.oauthbearer.token.endpoint.url')
  if (endpoint !== undefined) return () => fetchToken(endpoint, settings)
  throw usageError('OAUTHBEARER needs sasl.oauthbearer.token, .token.file or .token.endpoint.url')
}

/** The client credentials grant of RFC 6749, 4.4, as KIP-768 has it. */
async function fetchToken(endpoint: string, settings: Settings): Promise<string> {
  const id = settings.get('sasl.oauthbearer.client.id') ?? ''
  const secret = settings.get('sasl.oauthbearer.client.secret') ?? ''
  const scope = settings.get('sasl.oauthbearer.scope')
  const body = new URLSearchParams({ grant_type: 'client_credentials', ...(scope === undefined ? {} : { scope }) })
  const credentials = Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')
  const headers = { authorization: `Basic ${credentials}` }
  const signal = AbortSignal.timeout(TOKEN_TIMEOUT_MS)
  let answer: Response
  try {
    answer = await fetch(endpoint, { method: 'POST', headers, body, signal })
  } catch (error) {
    throw new CliError(`no token from ${endpoint}: ${(error as Error).message}`)
  }
  const found: unknown = await answer.json().catch(() => null)
  const token = typeof found === 'object' && found !== null && 'access_token' in found ? found.access_token : null
  if (!answer.ok || typeof token !== 'string') throw new CliError(`no token from ${endpoint}: status ${answer.status}`)
  return token
}
