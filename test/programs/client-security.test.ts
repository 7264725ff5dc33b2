// The client is let in by a real Kafka: SASL mechanisms, sessions that end, TLS and certificates of its own; on Bun and on Node.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { pbkdf2Sync, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cluster, type ClusterOptions } from '../../src/client/cluster.ts'
import { KafkaError } from '../../src/client/errors.ts'
import { Producer } from '../../src/client/producer/producer.ts'
import type { SaslOptions } from '../../src/client/sasl.ts'
import {
  AlterUserScramCredentialsRequest,
  AlterUserScramCredentialsResponse,
} from '../../src/protocol/messages/51-alter-user-scram-credentials.ts'
import type { BrokerSettings, BrokerTarget } from '../support/broker-target.ts'
import { Child } from '../support/child-process.ts'
import { REPOSITORY } from '../support/kafka-jars.ts'
import { startKafka } from '../support/kafka-process.ts'
import { nodeProgram } from '../support/node-program.ts'
import { interopDescribe } from '../support/tools.ts'

const SETUP_TIMEOUT_MS = 180_000
const TEST_TIMEOUT_MS = 180_000
/** A broker refuses to renew a session within a second of the last time. */
const SESSION_MS = 1_500

const PLAIN: SaslOptions = { mechanism: 'PLAIN', username: 'admin', password: 'admin-secret' }
const PASSWORD = 'geheim, sehr = geheim'

/** Kafka's unsecured tokens: a JSON Web Token without signature. */
function unsecuredToken(): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const seconds = Math.floor(Date.now() / 1000)
  return `${part({ alg: 'none' })}.${part({ sub: 'app', iat: seconds, exp: seconds + 600 })}.`
}

function saslSettings(): BrokerSettings {
  const module = 'org.apache.kafka.common.security'
  const scram = `${module}.scram.ScramLoginModule required;`
  return {
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:SASL_PLAINTEXT',
    'inter.broker.listener.name': 'PLAINTEXT',
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
    'sasl.mechanism.inter.broker.protocol': 'PLAIN',
    'listener.name.plaintext.plain.sasl.jaas.config': `${module}.plain.PlainLoginModule required username="admin" password="admin-secret" user_admin="admin-secret";`,
    'listener.name.plaintext.scram-sha-256.sasl.jaas.config': scram,
    'listener.name.plaintext.scram-sha-512.sasl.jaas.config': scram,
    'listener.name.plaintext.oauthbearer.sasl.jaas.config': `${module}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="admin";`,
    'connections.max.reauth.ms': String(SESSION_MS),
  }
}

function clusterOf(target: BrokerTarget, options: Omit<ClusterOptions, 'bootstrap'>): Promise<Cluster> {
  return Cluster.connect({ bootstrap: [target], timeoutMs: 20_000, ...options })
}

/** One request per mechanism: a user may be named only once in each. */
async function addScramUser(cluster: Cluster): Promise<void> {
  for (const mechanism of [1, 2]) {
    const salt = randomBytes(16)
    const [digest, bytes] = mechanism === 1 ? (['sha256', 32] as const) : (['sha512', 64] as const)
    const saltedPassword = pbkdf2Sync(PASSWORD, salt, 4096, bytes, digest)
    const controller = await cluster.controller()
    const answer = await controller.send(AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse, {
      deletions: [],
      upsertions: [{ name: 'a,b=c', mechanism, iterations: 4096, salt, saltedPassword }],
    })
    expect(answer.results.map(({ errorCode }) => errorCode)).toEqual([0])
  }
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  return error instanceof KafkaError ? error.code : String(error)
}

interopDescribe('SASL', ['java'], () => {
  let kafka: BrokerTarget

  beforeAll(async () => {
    kafka = await startKafka(saslSettings())
    const cluster = await clusterOf(kafka, { sasl: PLAIN })
    await addScramUser(cluster)
    await cluster.close()
  }, SETUP_TIMEOUT_MS)
  afterAll(() => kafka.stop())

  const mechanisms: SaslOptions[] = [
    PLAIN,
    { mechanism: 'SCRAM-SHA-256', username: 'a,b=c', password: PASSWORD },
    { mechanism: 'SCRAM-SHA-512', username: 'a,b=c', password: PASSWORD },
    { mechanism: 'OAUTHBEARER', token: unsecuredToken },
  ]

  test.concurrent.each(mechanisms.map((sasl) => [sasl.mechanism, sasl] as const))(
    '%s, through several sessions',
    async (name, sasl) => {
      const producer = new Producer({ bootstrap: kafka.bootstrap, sasl })
      const topic = `of-${name.toLowerCase()}`
      const endMs = performance.now() + 3 * SESSION_MS
      let sent = 0
      while (performance.now() < endMs) {
        expect((await producer.send({ topic, value: 'x', partition: 0 })).offset).toBe(sent)
        sent += 1
      }
      await producer.close()
    },
    TEST_TIMEOUT_MS,
  )

  test(
    'a wrong password, an unknown mechanism, no credentials at all',
    async () => {
      expect(await codeOf(clusterOf(kafka, { sasl: { ...PLAIN, password: 'wrong' } as SaslOptions }))).toBe(
        'ERR_AUTHENTICATION',
      )
      const scram = { mechanism: 'SCRAM-SHA-256', username: 'a,b=c', password: 'wrong' } as const
      expect(await codeOf(clusterOf(kafka, { sasl: scram }))).toBe('ERR_AUTHENTICATION')
      const producer = new Producer({ bootstrap: kafka.bootstrap, sasl: scram })
      expect(await codeOf(producer.send({ topic: 't', value: 'x' }))).toBe('ERR_AUTHENTICATION')
      await producer.close()
    },
    TEST_TIMEOUT_MS,
  )
})

/** An authority, and certificates of a broker and of a client that it has signed. */
function makeCertificates(folder: string): { ca: Buffer; cert: Buffer; key: Buffer } {
  const openssl = (...words: string[]): void => {
    const made = Bun.spawnSync(['openssl', ...words], { cwd: folder })
    if (made.exitCode !== 0) throw new Error(`openssl ${words[0]}: ${made.stderr.toString()}`)
  }
  const newKey = ['-newkey', 'rsa:2048', '-nodes']
  openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=authority')
  writeFileSync(join(folder, 'san'), 'subjectAltName=IP:127.0.0.1,DNS:localhost')
  for (const name of ['broker', 'client']) {
    openssl('req', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
    const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'san']
    openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.pem`, ...signed)
  }
  const file = (name: string): Buffer => readFileSync(join(folder, name))
  writeFileSync(join(folder, 'broker-all.pem'), Buffer.concat([file('broker.key'), file('broker.pem')]))
  return { ca: file('ca.pem'), cert: file('client.pem'), key: file('client.key') }
}

interopDescribe('TLS', ['java'], () => {
  let kafka: BrokerTarget
  let certificates: { ca: Buffer; cert: Buffer; key: Buffer }
  const folder = mkdtempSync(join(tmpdir(), 'samsa-tls-'))

  beforeAll(async () => {
    certificates = makeCertificates(folder)
    kafka = await startKafka({
      'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:SSL',
      'inter.broker.listener.name': 'PLAINTEXT',
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': join(folder, 'broker-all.pem'),
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': join(folder, 'ca.pem'),
      'ssl.client.auth': 'required',
    })
  }, SETUP_TIMEOUT_MS)
  afterAll(async () => {
    await kafka.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  test(
    'both sides show certificates; a large record passes',
    async () => {
      const producer = new Producer({ bootstrap: kafka.bootstrap, tls: certificates })
      const { offset } = await producer.send({ topic: 'secret', value: Buffer.alloc(900_000, 'x'), partition: 0 })
      expect(offset).toBe(0)
      await producer.close()
    },
    TEST_TIMEOUT_MS,
  )

  test(
    'a broker that nobody vouches for, a name that is not its own, a client without certificate',
    async () => {
      const { ca, cert, key } = certificates
      expect(await codeOf(clusterOf(kafka, { tls: { cert, key } }))).toBe('ERR_AUTHENTICATION')
      const misnamed = { ca, cert, key, servername: 'other.example' }
      expect(await codeOf(clusterOf(kafka, { tls: misnamed }))).toBe('ERR_AUTHENTICATION')
      expect(await codeOf(clusterOf(kafka, { tls: { ca } }))).toBeOneOf(['ERR_CONNECT', 'ERR_CONNECTION_CLOSED'])
    },
    TEST_TIMEOUT_MS,
  )

  describe.if(nodeProgram() !== null)('on Node', () => {
    test(
      'both sides show certificates',
      async () => {
        const script = `
        import { readFileSync } from 'node:fs'
        import { Producer } from ${JSON.stringify(join(REPOSITORY, 'src/client/index.ts'))}
        const file = (name) => readFileSync(${JSON.stringify(folder)} + '/' + name)
        const tls = { ca: file('ca.pem'), cert: file('client.pem'), key: file('client.key') }
        const producer = new Producer({ bootstrap: ${JSON.stringify(kafka.bootstrap)}, tls })
        console.log((await producer.send({ topic: 'secret-node', value: 'x', partition: 0 })).offset)
        await producer.close()`
        const child = new Child({ command: [nodeProgram()!, '--input-type=module', '-e', script] })
        expect(await child.exited).toBe(0)
        expect(child.lines).toEqual(['0'])
      },
      TEST_TIMEOUT_MS,
    )
  })
})
