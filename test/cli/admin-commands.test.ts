/** The commands that ask a cluster something or change it, against a running broker: Samsa, or a real Kafka with SAMSA_INTEROP_TARGET=kafka. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { JSON_FIELDS } from '../../src/cli/json-fields.ts'
import { type BrokerTarget, startTarget } from '../support/broker-target.ts'
import { type Ended, type RunOptions, samsa, withFolder } from './program.ts'

setDefaultTimeout(60_000)

let broker: BrokerTarget
beforeAll(async () => {
  broker = await startTarget({ 'auto.create.topics.enable': 'false' })
}, 60_000)
afterAll(() => broker?.stop())

function run(line: string, options: RunOptions = {}): Promise<Ended> {
  return samsa(line.split(' '), { ...options, environment: { SAMSA_BOOTSTRAP: broker.bootstrap } })
}

async function ok(line: string, options: RunOptions = {}): Promise<string> {
  const { exitCode, stdout, stderr } = await run(line, options)
  expect(stderr).toBe('')
  expect(exitCode).toBe(0)
  return stdout
}

/** What a broker was told shows a moment later in what it tells. */
async function until(line: string, isThere: (stdout: string) => boolean): Promise<string> {
  const deadlineMs = performance.now() + 90_000
  for (;;) {
    const stdout = await ok(line)
    if (isThere(stdout) || performance.now() > deadlineMs) return stdout
  }
}

async function topic(name: string, values: readonly string[]): Promise<void> {
  await ok(`topics create ${name} --partitions 1`)
  if (values.length > 0) await ok(`produce -t ${name}`, { stdin: values.map((value) => `${value}\n`).join('') })
}

/** The cells of a line that begins with this word. */
function row(text: string, start: string): string[] {
  const line = text.split('\n').find((each) => each.startsWith(start))
  return line?.split(/ +/) ?? []
}

describe('configs', () => {
  test('set, shown with their source, and set back', async () => {
    await topic('configured', [])
    expect(await ok('configs set topic configured retention.ms=1000 --append cleanup.policy=compact')).toBe(
      'Altered topic configured.\n',
    )
    const shown = await until('configs describe topic configured', (text) => text.includes('1000'))
    expect(row(shown, 'retention.ms')).toEqual(['retention.ms', '1000', 'topic'])
    expect(row(shown, 'cleanup.policy')).toEqual(['cleanup.policy', 'delete,compact', 'topic'])
    expect(row(await ok('configs describe topic configured --key segment.bytes'), 'segment.bytes')).toEqual([
      'segment.bytes',
      '1073741824',
      'default',
    ])
    await ok('configs delete topic configured retention.ms cleanup.policy')
    await until('configs describe topic configured', (text) => !text.includes('retention.ms'))
    const { exitCode, stderr } = await run('configs set topic configured retention.ms=never')
    expect([exitCode, stderr.includes('INVALID_CONFIG')]).toEqual([1, true])
    await ok('configs set group billing consumer.session.timeout.ms=50000')
    expect(row(await until('configs list group', (text) => text.includes('billing')), 'group')).toEqual([
      'group',
      'billing',
    ])
  })
})

describe('offsets and groups', () => {
  test('offsets are listed, records trimmed', async () => {
    await topic('trimmed', ['a', 'b', 'c'])
    expect(await ok('offsets list trimmed')).toBe('trimmed:0:3\n')
    expect(await ok('offsets trim trimmed --before 2 --partition 0')).toBe(
      'Deleted the records of trimmed-0 before 2.\n',
    )
    expect(await ok('offsets list trimmed --at start')).toBe('trimmed:0:2\n')
    expect((await run('offsets trim trimmed --before 2')).exitCode).toBe(2)
    expect(await ok('offsets trim trimmed --before end')).toBe('Deleted the records of trimmed-0 before 3.\n')
  })

  test('a group is moved, forgets and is deleted', async () => {
    await topic('moved', ['a', 'b', 'c'])
    const planned = await ok('groups seek billing --to -1 --topic moved --dry-run')
    expect(row(planned, 'billing')).toEqual(['billing', 'moved', '0', '2'])
    expect(await ok('groups list')).not.toContain('billing')
    expect(row(await ok('groups seek billing --to 99 --topic moved'), 'billing')).toEqual([
      'billing',
      'moved',
      '0',
      '3',
    ])
    await ok('groups seek billing --to start')
    const { stdout } = await run('groups describe billing')
    expect(row(stdout, 'billing').slice(0, 6)).toEqual(['billing', 'moved', '0', '0', '3', '3'])
    expect(await ok('groups delete-offsets billing --topic moved:0')).toBe(
      'Deleted the offset of group billing in moved-0.\n',
    )
    await ok('groups seek billing --to end --topic moved')
    expect(await ok('groups delete billing')).toBe('Deleted group billing.\n')
    expect((await run('groups delete billing')).stderr).toContain('GROUP_ID_NOT_FOUND')
    expect((await run('groups delete billing none')).stderr).toBe(
      "samsa: delete group 'billing': GROUP_ID_NOT_FOUND; delete group 'none': GROUP_ID_NOT_FOUND (samsa groups list shows the groups there are)\n",
    )
    expect((await run('groups describe billing none')).stderr).not.toContain('KafkaError')
    expect(await ok('groups delete billing --if-exists')).toBe('')
  })

  test('a topic that is not there does not hide those that are', async () => {
    await topic('shown', [])
    const { exitCode, stdout, stderr } = await run('topics describe nowhere shown')
    expect([exitCode, stdout.split('\t')[0]]).toEqual([1, 'Topic: shown'])
    expect(stderr).toStartWith("samsa: topic 'nowhere': it does not exist")
  })
})

describe('users, quotas, rights', () => {
  test('a password comes by standard input', async () => {
    expect(await ok('users set alice', { stdin: 'secret\n' })).toBe('Set SCRAM-SHA-512 of alice.\n')
    expect(row(await until('users list', (text) => text.includes('alice')), 'alice')).toEqual([
      'alice',
      'SCRAM-SHA-512',
      '4096',
    ])
    expect((await run('users set alice', { stdin: '' })).stderr).toContain('no password on standard input')
    expect(await ok('users delete alice')).toBe('Deleted SCRAM-SHA-512 of alice.\n')
  })

  test('quotas of a user and of all others', async () => {
    await ok('quotas set --user alice producer_byte_rate=1000')
    await ok('quotas set --default-user producer_byte_rate=500')
    const shown = await until('quotas list', (text) => text.includes('<default>') && text.includes('alice'))
    expect(row(shown, 'alice')).toEqual(['alice', '-', '-', 'producer_byte_rate', '1000'])
    expect(row(shown, '<default>')).toEqual(['<default>', '-', '-', 'producer_byte_rate', '500'])
    await ok('quotas delete --user alice producer_byte_rate')
    await until('quotas list', (text) => !text.includes('alice'))
    expect((await run('quotas set producer_byte_rate=1')).stderr).toContain('whose?')
    expect((await run('quotas set --user a bytes=1')).stderr).toContain("'bytes' is none of producer_byte_rate")
  })

  test('without an authorizer ACLs are refused, as Kafka says', async () => {
    expect((await run('acls list')).stderr).toContain('SECURITY_DISABLED')
    const create = 'acls create --allow User:alice --operation read --resource topic:orders'
    expect((await run(create)).stderr).toContain('SECURITY_DISABLED')
    expect((await run('acls create --allow User:alice --operation eat --resource topic:orders')).exitCode).toBe(2)
    expect((await run('acls delete')).stderr).toContain('this would delete every ACL')
  })
})

describe('transactions and the cluster', () => {
  test('transactions of nobody', async () => {
    expect(await ok('transactions list')).toMatch(/^TRANSACTIONAL-ID COORDINATOR PRODUCER-ID STATE\n$/)
    expect((await run('transactions describe nobody')).stderr).toContain('TRANSACTIONAL_ID_NOT_FOUND')
    await topic('written', ['a'])
    expect((await run('transactions abort written 0 --producer-id 7')).stderr).toContain(
      'producer 7 has no open transaction in written-0',
    )
    expect(await ok('transactions producers written 0')).toContain('PRODUCER-ID')
    expect(await ok('transactions fence payments')).toBe('Fenced payments.\n')
    expect(await ok('transactions list --format json')).toContain('"transactionalId":"payments"')
  })

  test('brokers, features, folders, elections', async () => {
    expect(await ok('cluster info')).toMatch(/^Cluster: \S{22}\nNODE ADDRESS/)
    expect(row(await ok('cluster features'), 'transaction.version')).toEqual(['transaction.version', '2', '0', '2'])
    expect(await ok('cluster features --set group.version=1 --dry-run')).toContain('group.version')
    await topic('stored', ['a'])
    expect(await ok('cluster log-dirs --replicas')).toContain(' stored-0 ')
    expect((await run('cluster elect preferred --partition stored-0')).stderr).toContain('ELECTION_NOT_NEEDED')
    expect(await ok('cluster reassignments')).toContain('PARTITION')
  })
})

describe('doctor', () => {
  test('says what is well', async () => {
    await withFolder(async (folder) => {
      const report = await ok(`doctor --data ${folder}`)
      expect(report).toContain(`ok    ${broker.bootstrap} answers`)
      expect(report).toContain('sends its clients to')
    })
  })

  test('names what cannot be reached, with advice and exit code 1', async () => {
    const { exitCode, stdout } = await run('doctor -b 127.0.0.1:1 --format json')
    const findings = JSON.parse(stdout) as { check: string; level: string; advice: string | null }[]
    expect(exitCode).toBe(1)
    expect(findings[0]).toMatchObject({ check: 'reachable', level: 'problem' })
    expect(findings[0]!.advice).toContain('Is a broker running there')
  })
})

describe('JSON', () => {
  const lines: Readonly<Record<string, string>> = {
    'topics list': '',
    'topics describe': 'shaped',
    'topics delete': 'nope --if-exists',
    'groups list': '',
    'groups describe': 'shaping',
    'groups seek': 'shaping --to start --dry-run',
    'configs describe': 'topic shaped --all',
    'configs list': '',
    'offsets list': 'shaped',
    'offsets trim': 'shaped --before 1 -p 0',
    'transactions list': '',
    'transactions describe': 'shaping',
    'cluster info': '',
    'cluster features': '',
    'cluster log-dirs': '',
    'quotas list': '',
    'users list': '',
    consume: '-t shaped -o start -e',
    doctor: '--no-cluster --data /tmp',
    'profile show': '',
    'profile properties': '',
    version: '',
  }

  test('has the fields that are documented, in every command', async () => {
    await topic('shaped', ['a', 'b'])
    await ok('groups seek shaping --to start --topic shaped')
    await ok('transactions fence shaping')
    for (const [name, more] of Object.entries(lines)) {
      const { exitCode, stdout } = await run(`${name} ${more} --format json`.replaceAll('  ', ' '))
      const { shape, fields } = JSON_FIELDS[name]!
      const parsed = JSON.parse(shape === 'lines' ? (stdout.split('\n')[0] ?? '') : stdout) as object | object[]
      expect([name, exitCode, Array.isArray(parsed)]).toEqual([name, 0, shape === 'array'])
      const first = Array.isArray(parsed) ? parsed[0] : parsed
      const required = fields.filter((field) => !field.endsWith('?'))
      const known = fields.map((field) => field.replace('?', ''))
      if (first === undefined) continue
      expect([name, required.filter((field) => !(field in first))]).toEqual([name, []])
      expect([name, Object.keys(first).filter((field) => !known.includes(field))]).toEqual([name, []])
    }
  })
})

test('a completed line is one that the program has', async () => {
  const script = await ok('completion bash')
  const complete = (line: string): string[] => {
    const words = line.split(' ')
    const asked = `${script}\nCOMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _samsa; printf '%s\\n' "\${COMPREPLY[@]}"`
    return Bun.spawnSync(['bash', '-c', asked]).stdout.toString().trim().split('\n')
  }
  expect(complete('samsa top')).toEqual(['topics'])
  expect(complete('samsa topics ')).toEqual(['create', 'list', 'describe', 'alter', 'delete', 'help'])
  expect(complete('samsa topics create --part')).toEqual(['--partitions'])
  expect(await ok('completion fish')).toContain("complete -c samsa -n '__fish_seen_subcommand_from topics; and ")
  expect(await ok('completion zsh')).toStartWith('#compdef samsa\n')
})
