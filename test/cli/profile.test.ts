/** Named clusters: the file, the commands that change it, and which of several values holds. */
import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { clusterOptions } from '../../src/cli/profile/connection.ts'
import { profilesPath, readProfiles, writeProfiles } from '../../src/cli/profile/profiles-file.ts'
import { checkedProperty, PROPERTIES } from '../../src/cli/profile/properties.ts'
import { withoutUrlPasswords } from '../../src/cli/profile/secrets.ts'
import { type ConnectionOptions, type Settings, settingsFor } from '../../src/cli/profile/settings.ts'
import { type Ended, environment, SAMSA, samsa, withFolder } from './program.ts'

/** Processes are started, and the machine may be busy. */
setDefaultTimeout(60_000)

const SECRET = 'do-not-print-this'

describe('where the file is', () => {
  test('an option, else a variable, else the XDG folder, else ~/.config', () => {
    const xdg = { XDG_CONFIG_HOME: '/xdg' }
    expect(profilesPath('/a/b.yaml', { SAMSA_PROFILES_FILE: '/c.yaml', ...xdg })).toBe('/a/b.yaml')
    expect(profilesPath(undefined, { SAMSA_PROFILES_FILE: '/c.yaml', ...xdg })).toBe('/c.yaml')
    expect(profilesPath(undefined, xdg)).toBe('/xdg/samsa/profiles.yaml')
    expect(profilesPath(undefined, { XDG_CONFIG_HOME: 'relative' })).toEndWith('/.config/samsa/profiles.yaml')
    expect(profilesPath(undefined, {})).toEndWith('/.config/samsa/profiles.yaml')
  })

  test('one that is not there has no profiles', async () => {
    const settings = await settingsFor({ profilesFile: '/nonexistent/p.yaml' }, {}, {})
    expect(settings.profile).toBeNull()
    expect(settings.get('bootstrap.servers')).toBe('127.0.0.1:9092')
  })
})

describe('which value holds', () => {
  const PROFILES = `
current: local
profiles:
  local: { bootstrap.servers: local:1, timeout.ms: 111 }
  prod: { brokers: prod:1, ssl.ca.location: ca.pem, acks: 1 }
`

  async function settle(
    given: ConnectionOptions,
    environment: Record<string, string> = {},
    own: Record<string, string> = {},
  ): Promise<Settings> {
    return withFolder(async (folder) => {
      const profilesFile = join(folder, 'p.yaml')
      writeFileSync(profilesFile, PROFILES)
      return settingsFor({ profilesFile, ...given }, own, environment)
    })
  }

  function pick(settings: Settings, name: string): [string, string] | null {
    const found = settings.all().find((each) => each.name === name)
    return found === undefined ? null : [found.value, found.origin]
  }

  test('option, -X, environment, profile, default: each in turn', async () => {
    const environment = { SAMSA_CLIENT_TIMEOUT_MS: '222', SAMSA_CLIENT_CLIENT_ID: '' }
    const property = [{ key: 'socket.timeout.ms', value: '333' }]
    expect(pick(await settle({ profile: 'prod' }), 'timeout.ms')).toEqual(['30000', 'default'])
    expect(pick(await settle({}), 'timeout.ms')).toEqual(['111', 'profile'])
    expect(pick(await settle({}, environment), 'timeout.ms')).toEqual(['222', 'environment'])
    expect(pick(await settle({ property }, environment), 'timeout.ms')).toEqual(['333', '-X'])
    expect(pick(await settle({ property, timeout: 444 }, environment), 'timeout.ms')).toEqual(['444', 'option'])
    expect(pick(await settle({ property }, environment, { acks: '0' }), 'acks')).toEqual(['0', 'option'])
    expect(pick(await settle({}, environment), 'client.id')).toEqual(['samsa-cli', 'default'])
  })

  test('the profile: named, by the environment, the current one, none', async () => {
    const variable = { SAMSA_PROFILE: 'prod' }
    const bootstrap = async (given: ConnectionOptions, environment = {}): Promise<string | undefined> =>
      (await settle(given, environment)).get('bootstrap.servers')
    expect(await bootstrap({})).toBe('local:1')
    expect(await bootstrap({}, variable)).toBe('prod:1')
    expect(await bootstrap({ profile: 'local' }, variable)).toBe('local:1')
    expect(await bootstrap({ profile: 'none' }, variable)).toBe('127.0.0.1:9092')
    expect(await bootstrap({}, { SAMSA_BOOTSTRAP: 'env:1' })).toBe('env:1')
    expect(await bootstrap({ bootstrap: [{ host: 'flag', port: 1 }] }, { SAMSA_BOOTSTRAP: 'env:1' })).toBe('flag:1')
    await expect(settle({ profile: 'nope' })).rejects.toThrow("no profile 'nope'; there are local, prod")
  })

  test('a file in a profile lies beside the profiles', async () => {
    const settings = await settle({ profile: 'prod' })
    expect(settings.get('ssl.ca.location')).toMatch(/^\/.*\/ca\.pem$/)
  })

  test('a password in an address is a secret, too', () => {
    expect(withoutUrlPasswords('http://me:p@ss@registry:8081/x,https://b:c@d')).toBe(
      'http://me:***@registry:8081/x,https://b:***@d',
    )
    for (const plain of ['127.0.0.1:9092,b:1', 'http://registry:8081/a@b', 'https://me@registry']) {
      expect(withoutUrlPasswords(plain)).toBe(plain)
    }
  })

  test('what cannot be is refused, with where it comes from', async () => {
    await expect(settle({}, { SAMSA_CLIENT_ACKS: '7' })).rejects.toThrow("SAMSA_CLIENT_ACKS: acks: '7' is none of")
    await expect(settle({ property: [{ key: 'acks', value: '7' }] })).rejects.toThrow("-X acks: '7'")
    const misspelt = { property: [{ key: 'password', value: 'x' }] }
    await expect(settle(misspelt)).rejects.toThrow("no property 'password' (did you mean ssl.key.password?)")
  })

  test.each([
    ['current: [', 'it is not YAML'],
    ['- a', "must have the keys 'current' and 'profiles'"],
    ['profiles: 7', 'must have one entry per profile'],
    ['profiles: { a: { acks: { b: c } } }', "profile 'a': acks: it must be one value"],
    ['profiles: { a: { nope: 1 } }', "profile 'a': there is no property 'nope'"],
  ])('a file that is wrong: %s', async (text, reason) => {
    await withFolder(async (folder) => {
      const path = join(folder, 'p.yaml')
      writeFileSync(path, text)
      expect(() => readProfiles(path)).toThrow(reason)
    })
  })
})

describe('from settings to a connection', () => {
  async function optionsOf(pairs: Record<string, string>, environment: Record<string, string> = {}) {
    const property = Object.entries(pairs).map(([key, value]) => ({ key, value }))
    return clusterOptions(await settingsFor({ property, profilesFile: '/nonexistent' }, {}, environment))
  }

  test('plain text unless something asks for more', async () => {
    expect(await optionsOf({ 'bootstrap.servers': 'a:1,b' })).toEqual({
      bootstrap: [
        { host: 'a', port: 1 },
        { host: 'b', port: 9092 },
      ],
      clientId: 'samsa-cli',
      timeoutMs: 30_000,
    })
  })

  test('credentials: from the environment, or the first line of a file', async () => {
    await withFolder(async (folder) => {
      const path = join(folder, 'password')
      writeFileSync(path, `${SECRET}\nmore\n`)
      const user = { 'sasl.mechanisms': 'SCRAM-SHA-512', user: 'alice' }
      const sasl = { mechanism: 'SCRAM-SHA-512', username: 'alice', password: SECRET }
      expect((await optionsOf({ ...user, 'sasl.password.file': path })).sasl).toEqual(sasl as never)
      expect((await optionsOf(user, { SAMSA_CLIENT_SASL_PASSWORD: SECRET })).sasl).toEqual(sasl as never)
      await expect(optionsOf({ ...user, 'sasl.password.file': `${path}.not` })).rejects.toThrow('cannot be read')
    })
  })

  test('TLS: the system, an authority, a certificate of its own', async () => {
    await withFolder(async (folder) => {
      const [ca, cert, key] = ['ca', 'cert', 'key'].map((name) => {
        writeFileSync(join(folder, name), name)
        return join(folder, name)
      }) as [string, string, string]
      expect((await optionsOf({ 'security.protocol': 'ssl' })).tls).toEqual({ rejectUnauthorized: true })
      expect((await optionsOf({ 'tls.ca': ca, 'tls.cert': cert, 'tls.key': key })).tls).toEqual({
        ca: Buffer.from('ca'),
        cert: Buffer.from('cert'),
        key: Buffer.from('key'),
        rejectUnauthorized: true,
      })
      expect((await optionsOf({ 'security.protocol': 'PLAINTEXT', 'tls.ca': ca })).tls).toBeUndefined()
      await expect(optionsOf({ 'tls.cert': cert })).rejects.toThrow('belong together')
    })
  })

  test('what is missing is named', async () => {
    await expect(optionsOf({ 'security.protocol': 'SASL_PLAINTEXT' })).rejects.toThrow('sasl.mechanism is missing')
    await expect(optionsOf({ 'sasl.mechanism': 'PLAIN' })).rejects.toThrow('sasl.username is missing')
    await expect(optionsOf({ 'sasl.mechanism': 'OAUTHBEARER' })).rejects.toThrow('OAUTHBEARER needs')
  })

  test('a token: given, from a file that is read anew, from an endpoint', async () => {
    const tokenOf = async (pairs: Record<string, string>): Promise<() => string | Promise<string>> => {
      const { sasl } = await optionsOf({ 'sasl.mechanism': 'OAUTHBEARER', ...pairs })
      if (sasl?.mechanism !== 'OAUTHBEARER') throw new Error('no token')
      return sasl.token
    }
    expect(await (await tokenOf({ 'sasl.oauthbearer.token': 't1' }))()).toBe('t1')
    await withFolder(async (folder) => {
      const path = join(folder, 'token')
      writeFileSync(path, 'old\n')
      const token = await tokenOf({ 'sasl.oauthbearer.token.file': path })
      expect(await token()).toBe('old')
      writeFileSync(path, 'new\n')
      expect(await token()).toBe('new')
    })
    const asked: [string | null, string][] = []
    const server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: async (request) => {
        asked.push([request.headers.get('authorization'), await request.text()])
        return asked.length === 1 ? Response.json({ access_token: 'fetched' }) : new Response('no', { status: 401 })
      },
    })
    try {
      const token = await tokenOf({
        'sasl.oauthbearer.token.endpoint.url': `http://127.0.0.1:${server.port}/token`,
        'sasl.oauthbearer.client.id': 'app',
        'sasl.oauthbearer.client.secret': 's:t',
        'sasl.oauthbearer.scope': 'kafka',
      })
      expect(await token()).toBe('fetched')
      expect(asked).toEqual([
        [`Basic ${Buffer.from('app:s%3At').toString('base64')}`, 'grant_type=client_credentials&scope=kafka'],
      ])
      await expect(token()).rejects.toThrow('status 401')
    } finally {
      await server.stop(true)
    }
  })
})

test("a written file is its owner's alone, and reads back as it was", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, 'deep', 'p.yaml')
    const profiles = new Map([['odd: name', { 'sasl.password': ': # "x"\n\'y', acks: '1' }]])
    writeProfiles({ path, current: null, profiles })
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readProfiles(path)).toEqual({ path, current: null, profiles })
  })
})

test('samsa profile, from the first one to the last', async () => {
  await withFolder(async (folder) => {
    const file = join(folder, 'profiles.yaml')
    const run = (line: string, stdin?: string): Promise<Ended> =>
      samsa(['profile', ...line.split(' ')], {
        environment: { SAMSA_PROFILES_FILE: file },
        ...(stdin === undefined ? {} : { stdin }),
      })
    const ok = async (line: string, stdin?: string): Promise<string> => {
      const { exitCode, stdout, stderr } = await run(line, stdin)
      expect([line, exitCode, stderr]).toEqual([line, 0, ''])
      return stdout
    }
    expect(await ok('list')).toBe('')
    expect(await ok('create local bootstrap.servers=127.0.0.1:19999')).toBe('Created profile local, the current one.\n')
    expect(await ok('create prod --set brokers=b1:1,b2:2 sasl.username=alice --ask-password', `${SECRET}\n`)).toBe(
      'Created profile prod.\n',
    )
    expect(await ok('list')).toBe('NAME   BOOTSTRAP\nlocal* 127.0.0.1:19999\nprod   b1:1,b2:2\n')
    expect(readFileSync(file, 'utf8')).toContain(SECRET)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const shown = await ok('show prod')
    expect(shown).toMatch(/^Profile: prod /)
    expect(shown).toMatch(/sasl\.password +\(hidden\) +profile/)
    expect(shown + (await ok('show prod --format json'))).not.toContain(SECRET)
    await ok('set prod acks=1')
    await ok('unset prod sasl.password')
    expect(readFileSync(file, 'utf8')).not.toContain(SECRET)
    expect(await ok('rename local laptop')).toBe('Renamed profile local to laptop.\n')
    expect(await ok('use prod')).toBe('Now using profile prod.\n')
    expect(JSON.parse(await ok('list --format json'))).toEqual([
      { name: 'laptop', current: false, bootstrap: '127.0.0.1:19999' },
      { name: 'prod', current: true, bootstrap: 'b1:1,b2:2' },
    ])
    expect(await ok('delete laptop prod')).toBe('Deleted profile laptop.\nDeleted profile prod.\n')
    expect((await run('use prod')).exitCode).toBe(2)
    expect((await run('create none')).stderr).toContain("'none' means no profile")
    expect((await run('create a/b')).exitCode).toBe(2)
  })
})

test('a file that others can read is complained about, if it holds a secret', async () => {
  await withFolder(async (folder) => {
    const file = join(folder, 'p.yaml')
    const show = async (): Promise<string> => (await samsa(['profile', 'show', '--profiles-file', file])).stderr
    writeFileSync(file, `profiles: { a: { sasl.password: ${SECRET} } }`)
    chmodSync(file, 0o640)
    expect(await show()).toBe(`samsa: ${file} holds secrets and can be read by others: chmod 600 ${file}\n`)
    chmodSync(file, 0o600)
    expect(await show()).toBe('')
  })
})

test('every default is a value that the property accepts; names are told apart', () => {
  for (const { name, standard } of PROPERTIES) {
    if (standard !== undefined) expect(checkedProperty(name, standard)).toMatchObject({ value: standard })
  }
  const names = PROPERTIES.flatMap(({ name, otherNames = [] }) => [name, ...otherNames])
  expect(new Set(names).size).toBe(names.length)
  expect(checkedProperty('security.protocol', 'sasl_ssl')).toMatchObject({ value: 'SASL_SSL' })
  expect(checkedProperty('timeout.ms', '1e3')).toBeString()
})

/** A terminal on which the question for a password comes and these keys are typed. */
async function typed(keys: string): Promise<{ exitCode: number; shown: string }> {
  let shown = ''
  let isAnswered = false
  const words = [
    'topics',
    'list',
    '-b',
    '127.0.0.1:1',
    '--timeout',
    '300',
    '-X',
    'sasl.mechanism=PLAIN',
    '-X',
    'user=me',
  ]
  const child = Bun.spawn([...SAMSA, ...words], {
    env: environment({ NO_COLOR: '1' }),
    terminal: {
      data: (terminal, bytes) => {
        shown += Buffer.from(bytes).toString()
        if (isAnswered || !shown.includes('Password of me at 127.0.0.1:1: ')) return
        isAnswered = true
        terminal.write(keys)
      },
    },
  })
  return { exitCode: await child.exited, shown }
}

describe('a password that nobody has set', () => {
  test('is asked for at the terminal, and what is typed is not shown', async () => {
    const { exitCode, shown } = await typed(`x\x7f${SECRET}\r`)
    expect(exitCode).toBe(1)
    expect(shown).toStartWith('Password of me at 127.0.0.1:1: \r\nsamsa: no connection to')
  })

  test('Ctrl-C at the question ends the command', async () => {
    const { exitCode, shown } = await typed('ab\x03')
    expect([exitCode, shown]).toEqual([130, 'Password of me at 127.0.0.1:1: \r\nsamsa: interrupted\r\n'])
  })

  test('is an error where there is no terminal', async () => {
    const words = ['topics', 'list', '-b', '127.0.0.1:1', '-X', 'sasl.mechanism=PLAIN', '-X', 'user=me']
    const ended = Bun.spawnSync(['setsid', '-w', ...SAMSA, ...words], { env: environment(), stdin: 'ignore' })
    expect(ended.exitCode).toBe(2)
    expect(ended.stderr.toString()).toContain('no password of me: set sasl.password.file or SAMSA_CLIENT_SASL_PASSWORD')
  })
})
