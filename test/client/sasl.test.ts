import { describe, expect, test } from 'bun:test'
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import type { KafkaError } from '../../src/client/errors.ts'
import { authenticate, type ScramOptions } from '../../src/client/sasl.ts'

const SALT = Buffer.from('salt of a broker')

interface ScramServer {
  /** What it tells instead of what it should. */
  readonly first?: (nonce: string) => string
  readonly final?: string
  readonly password?: string
  readonly iterations?: number
  readonly salt?: Buffer
}

/** RFC 5802 as a server has it, honest but for what is given. */
function scramServer(digest: 'sha256' | 'sha512', server: ScramServer): (message: Buffer) => Promise<Buffer> {
  const { password = 'secret', iterations = 4096, salt = SALT } = server
  let clientFirst = ''
  let serverFirst = ''
  return async (message) => {
    const text = message.toString()
    if (clientFirst === '') {
      clientFirst = text.slice('n,,'.length)
      const nonce = /r=([^,]+)/.exec(clientFirst)![1]!
      serverFirst = server.first?.(nonce) ?? `r=${nonce}server,s=${salt.toString('base64')},i=${iterations}`
      return Buffer.from(serverFirst)
    }
    if (server.final !== undefined) return Buffer.from(server.final)
    const hmac = (key: Buffer, of: string): Buffer => createHmac(digest, key).update(of).digest()
    const salted = pbkdf2Sync(password, salt, iterations, digest === 'sha256' ? 32 : 64, digest)
    const [withoutProof, proof] = text.split(',p=') as [string, string]
    const authMessage = `${clientFirst},${serverFirst},${withoutProof}`
    const storedKey = createHash(digest).update(hmac(salted, 'Client Key')).digest()
    const signature = hmac(storedKey, authMessage)
    const clientKey = Buffer.from(Buffer.from(proof, 'base64').map((byte, index) => byte ^ signature[index]!))
    if (!createHash(digest).update(clientKey).digest().equals(storedKey)) return Buffer.from('e=invalid-proof')
    return Buffer.from(`v=${hmac(hmac(salted, 'Server Key'), authMessage).toString('base64')}`)
  }
}

async function outcomeOf(server: ScramServer, options: Partial<ScramOptions> = {}): Promise<string> {
  const mechanism = options.mechanism ?? 'SCRAM-SHA-256'
  const digest = mechanism === 'SCRAM-SHA-256' ? 'sha256' : 'sha512'
  const credentials = { username: 'app', password: 'secret', ...options, mechanism }
  return authenticate(credentials, scramServer(digest, server)).then(
    () => 'in',
    (error: KafkaError) => `${error.code}: ${error.message}`,
  )
}

describe('SCRAM', () => {
  test('both digests, names that have to be written differently, passwords of any letters, many iterations', async () => {
    expect(await outcomeOf({})).toBe('in')
    expect(await outcomeOf({}, { mechanism: 'SCRAM-SHA-512', username: 'a=b,c' })).toBe('in')
    const password = 'пароль, 密码 = ключ'
    expect(await outcomeOf({ password, iterations: 20_000 }, { password })).toBe('in')
  })

  test('a wrong password, a broker that does not know it', async () => {
    expect(await outcomeOf({}, { password: 'other' })).toContain(
      "ERR_AUTHENTICATION: the broker answered 'invalid-proof'",
    )
    expect(await outcomeOf({ final: `v=${Buffer.alloc(32).toString('base64')}` })).toContain('could not prove')
    expect(await outcomeOf({ final: 'v=' })).toContain('could not prove')
  })

  test('few iterations would give the password away, too many would stop the program', async () => {
    for (const iterations of [4095, 0, 1_000_001]) {
      const first = (nonce: string): string => `r=${nonce}x,s=${SALT.toString('base64')},i=${iterations}`
      expect(await outcomeOf({ first })).toContain(`the broker asks for ${iterations} iterations`)
    }
  })

  test('an answer that does not go on from the question', async () => {
    const salt = SALT.toString('base64')
    const answers = [
      () => `r=anothernonce,s=${salt},i=4096`,
      (nonce: string) => `r=${nonce},s=${salt},i=4096`,
      (nonce: string) => `r=${nonce}x,i=4096`,
      (nonce: string) => `r=${nonce}x,s=,i=4096`,
      () => '',
    ]
    for (const first of answers) expect(await outcomeOf({ first })).toContain('did not follow SCRAM')
    expect(await outcomeOf({ first: () => 'e=other-error' })).toContain("the broker answered 'other-error'")
    const extended = (nonce: string): string => `m=must,r=${nonce}x,s=${salt},i=4096`
    expect(await outcomeOf({ first: extended })).toContain('extension of SCRAM')
  })
})

test('OAUTHBEARER: a refusal is answered, so that the broker can end it, and its reason is told', async () => {
  const sent: string[] = []
  const options = { mechanism: 'OAUTHBEARER', token: async () => 'abc', extensions: { tenant: 'one' } } as const
  const refused = authenticate(options, async (message) => {
    sent.push(message.toString())
    return Buffer.from(sent.length === 1 ? '{"status":"invalid_token"}' : '')
  })
  await expect(refused).rejects.toThrow('{"status":"invalid_token"}')
  expect(sent).toEqual(['n,,\x01auth=Bearer abc\x01tenant=one\x01\x01', '\x01'])
})
