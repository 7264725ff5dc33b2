/**
 * SASL mechanisms as the client speaks them: each is a conversation of byte strings. PLAIN (RFC 4616), SCRAM (RFC 5802,
 * 7677) and OAUTHBEARER (RFC 7628). The server's signature is checked with SCRAM: a broker that does not know the password
 * is not talked to.
 */
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { KafkaError } from './errors.ts'

/** User and password as they are (RFC 4616): with TLS only. */
export interface PlainOptions {
  /** As brokers name it. */
  readonly mechanism: 'PLAIN'
  /** The user's name. */
  readonly username: string
  /** Sent as it is. */
  readonly password: string
}

/** User and password by SCRAM (RFC 5802): the password does not leave the client, and the broker has to prove that it knows it. */
export interface ScramOptions {
  /** As brokers name it. */
  readonly mechanism: 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
  /** The user's name, or the id of a delegation token. */
  readonly username: string
  /** Not sent. Of a delegation token: its `hmac` in base64. */
  readonly password: string
}

/** A bearer token (RFC 7628). */
export interface OAuthBearerOptions {
  /** As brokers name it. */
  readonly mechanism: 'OAUTHBEARER'
  /** Asked at every authentication, also when a session is about to end (KIP-368): answers a token that is still valid. */
  readonly token: () => string | Promise<string>
  /** Sent along with the token (KIP-342). */
  readonly extensions?: Readonly<Record<string, string>>
}

/** How the client says who it is; `mechanism` decides what else is needed. */
export type SaslOptions = PlainOptions | ScramOptions | OAuthBearerOptions

/** Sends one message and answers the broker's. */
export type SaslExchange = (message: Buffer) => Promise<Buffer>

/** Resolves when both sides are satisfied. */
export async function authenticate(options: SaslOptions, exchange: SaslExchange): Promise<void> {
  switch (options.mechanism) {
    case 'PLAIN':
      await exchange(Buffer.from(`\0${options.username}\0${options.password}`))
      return
    case 'SCRAM-SHA-256':
    case 'SCRAM-SHA-512':
      return scram(options, exchange)
    case 'OAUTHBEARER':
      return oauthBearer(options, exchange)
  }
}

const NONCE_BYTES = 24
/** RFC 7677's least; more is the broker's choice. */
const ITERATIONS_MIN = 4096
/** What a broker may make the client compute: about a second. */
const ITERATIONS_MAX = 1_000_000
const DIGESTS = { 'SCRAM-SHA-256': 'sha256', 'SCRAM-SHA-512': 'sha512' } as const
const deriveKey = promisify(pbkdf2)

async function scram(options: ScramOptions, exchange: SaslExchange): Promise<void> {
  const digest = DIGESTS[options.mechanism]
  const hmac = (key: Buffer, text: string): Buffer => createHmac(digest, key).update(text).digest()
  const nonce = randomBytes(NONCE_BYTES).toString('base64')
  const clientFirst = `n=${saslName(options.username)},r=${nonce}`
  const serverFirst = (await exchange(Buffer.from(`n,,${clientFirst}`))).toString()
  const { r: joined, s: salt, i: count, e: reason, m: extension } = attributes(serverFirst)
  if (reason !== undefined) throw refused(`the broker answered '${reason}'`)
  // RFC 5802 5.1: an extension that must be understood.
  if (extension !== undefined) throw refused('the broker asks for an extension of SCRAM that there is not')
  const iterations = Number(count)
  if (
    joined === undefined ||
    salt === undefined ||
    salt === '' ||
    !joined.startsWith(nonce) ||
    joined.length === nonce.length
  ) {
    throw refused('the broker did not follow SCRAM')
  }
  if (!Number.isInteger(iterations) || iterations < ITERATIONS_MIN || iterations > ITERATIONS_MAX) {
    throw refused(`the broker asks for ${count} iterations; ${ITERATIONS_MIN} to ${ITERATIONS_MAX} are accepted`)
  }
  const keyBytes = digest === 'sha256' ? 32 : 64
  const salted = await deriveKey(options.password, Buffer.from(salt, 'base64'), iterations, keyBytes, digest)
  const clientKey = hmac(salted, 'Client Key')
  const storedKey = createHash(digest).update(clientKey).digest()
  const withoutProof = `c=biws,r=${joined}`
  const authMessage = `${clientFirst},${serverFirst},${withoutProof}`
  const signature = hmac(storedKey, authMessage)
  const proof = clientKey.map((byte, index) => byte ^ signature[index]!)
  const proofText = Buffer.from(proof).toString('base64')
  const serverFinal = attributes((await exchange(Buffer.from(`${withoutProof},p=${proofText}`))).toString())
  if (serverFinal.e !== undefined) throw refused(`the broker answered '${serverFinal.e}'`)
  const expected = hmac(hmac(salted, 'Server Key'), authMessage)
  const given = Buffer.from(serverFinal.v ?? '', 'base64')
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw refused('the broker could not prove that it knows the password')
  }
}

/** RFC 5802: '=' and ',' are written as =3D and =2C. */
function saslName(text: string): string {
  return text.replaceAll('=', '=3D').replaceAll(',', '=2C')
}

function attributes(message: string): Record<string, string | undefined> {
  const found: Record<string, string | undefined> = {}
  for (const part of message.split(',')) {
    const at = part.indexOf('=')
    if (at > 0) found[part.slice(0, at)] = part.slice(at + 1)
  }
  return found
}

async function oauthBearer(options: OAuthBearerOptions, exchange: SaslExchange): Promise<void> {
  const token = await options.token()
  const extensions = Object.entries(options.extensions ?? {}).map(([name, value]) => `${name}=${value}\x01`)
  const answer = await exchange(Buffer.from(`n,,\x01auth=Bearer ${token}\x01${extensions.join('')}\x01`))
  if (answer.length === 0) return
  // RFC 7628 3.2.3: a failure is told in JSON, and ends after a message of one byte.
  await exchange(Buffer.from('\x01')).catch(() => undefined)
  throw refused(`the broker refused the token: ${answer.toString()}`)
}

function refused(reason: string): KafkaError {
  return new KafkaError('ERR_AUTHENTICATION', reason)
}
