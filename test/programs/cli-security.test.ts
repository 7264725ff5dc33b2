// The commands are let in by a real Kafka that wants TLS and a user: by a profile, by the environment, and by a password typed at a terminal.
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Ended, environment, SAMSA, samsa } from '../cli/program.ts'
import type { BrokerTarget } from '../support/broker-target.ts'
import { startKafka } from '../support/kafka-process.ts'
import { interopDescribe } from '../support/tools.ts'

const TIMEOUT_MS = 180_000
const PASSWORD = 'admin secret = #1'

interopDescribe('SASL_SSL', ['java'], () => {
  const folder = mkdtempSync(join(tmpdir(), 'samsa-cli-security-'))
  const profiles = join(folder, 'profiles.yaml')
  let kafka: BrokerTarget

  function run(line: string, more: Record<string, string> = {}, stdin?: string): Promise<Ended> {
    const all = { SAMSA_PROFILES_FILE: profiles, ...more }
    return samsa(line.split(' '), { environment: all, ...(stdin === undefined ? {} : { stdin }) })
  }

  beforeAll(async () => {
    const request = [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      'key.pem',
      '-out',
      'cert.pem',
      '-days',
      '2',
    ]
    const names = ['-subj', '/CN=broker', '-addext', 'subjectAltName=IP:127.0.0.1']
    const made = Bun.spawnSync(['openssl', ...request, ...names], { cwd: folder })
    if (made.exitCode !== 0) throw new Error(made.stderr.toString())
    const [key, cert] = ['key.pem', 'cert.pem'].map((name) => readFileSync(join(folder, name))) as [Buffer, Buffer]
    writeFileSync(join(folder, 'store.pem'), Buffer.concat([key, cert]))
    const module = 'org.apache.kafka.common.security.plain.PlainLoginModule'
    kafka = await startKafka({
      'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:SASL_SSL',
      'inter.broker.listener.name': 'PLAINTEXT',
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': join(folder, 'store.pem'),
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': join(folder, 'cert.pem'),
      'sasl.enabled.mechanisms': 'PLAIN',
      'sasl.mechanism.inter.broker.protocol': 'PLAIN',
      'listener.name.plaintext.plain.sasl.jaas.config': `${module} required username="admin" password="${PASSWORD}" user_admin="${PASSWORD}";`,
    })
    const pairs = [`brokers=${kafka.bootstrap}`, 'security.protocol=sasl_ssl', 'tls.ca=cert.pem']
    expect((await run(`profile create secure ${pairs.join(' ')} sasl.mechanism=PLAIN user=admin`)).exitCode).toBe(0)
  }, TIMEOUT_MS)
  afterAll(async () => {
    await kafka?.stop()
    rmSync(folder, { recursive: true, force: true })
  }, TIMEOUT_MS)

  test(
    'the password: from the environment, a file, the profile; records go in and out',
    async () => {
      const password = { SAMSA_CLIENT_SASL_PASSWORD: PASSWORD }
      expect(await run('topics create secret', password)).toMatchObject({ exitCode: 0, stderr: '' })
      writeFileSync(join(folder, 'password'), `${PASSWORD}\n`)
      expect((await run('profile set secure sasl.password.file=password')).exitCode).toBe(0)
      expect(await run('produce -t secret', {}, 'hidden\n')).toMatchObject({ exitCode: 0, stderr: '' })
      expect((await run('profile unset secure sasl.password.file')).exitCode).toBe(0)
      expect((await run('profile set secure --ask-password', {}, `${PASSWORD}\n`)).exitCode).toBe(0)
      expect((await run('consume -t secret -o start -e')).stdout).toBe('hidden\n')
      expect((await run('profile unset secure sasl.password')).exitCode).toBe(0)
    },
    TIMEOUT_MS,
  )

  test(
    'typed at a terminal, and not shown',
    async () => {
      // A terminal of its own, on which the question comes and the answer is typed.
      let shown = ''
      const answered = Promise.withResolvers<void>()
      const child = Bun.spawn([...SAMSA, 'topics', 'list'], {
        env: environment({ SAMSA_PROFILES_FILE: profiles }),
        terminal: {
          data: (terminal, bytes) => {
            shown += Buffer.from(bytes).toString()
            if (shown.includes(`Password of admin at ${kafka.bootstrap}: `)) {
              answered.resolve()
              if (!shown.includes('\n')) terminal.write(`x\x7f${PASSWORD}\r`)
            }
          },
        },
      })
      await answered.promise
      expect(await child.exited).toBe(0)
      expect(shown).toContain('secret\r\n')
      expect(shown).not.toContain(PASSWORD)
    },
    TIMEOUT_MS,
  )

  test(
    'what is wrong is said in one line, and never with the password',
    async () => {
      const wrong = await run('topics list', { SAMSA_CLIENT_SASL_PASSWORD: `not ${PASSWORD}` })
      expect(wrong.exitCode).toBe(1)
      expect(wrong.stderr).toMatch(/^samsa: .*samsa profile show.*\n$/)
      expect(wrong.stderr).not.toContain(PASSWORD)
      const plain = await run(`doctor --profile none -b ${kafka.bootstrap} --data ${folder}`)
      expect(plain.exitCode).toBe(1)
      expect(plain.stdout).toContain('it speaks TLS, and was spoken to without')
      const user = await run(`doctor --data ${folder}`, { SAMSA_CLIENT_SASL_PASSWORD: 'wrong' })
      expect(user.stdout).toContain('User or password are not what the broker knows')
      const well = await run(`doctor --data ${folder}`, { SAMSA_CLIENT_SASL_PASSWORD: PASSWORD })
      expect(well.stdout).toContain("the brokers' clock agrees")
      expect(well.exitCode).toBe(0)
    },
    TIMEOUT_MS,
  )
})
