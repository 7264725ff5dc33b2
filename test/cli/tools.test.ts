/** The tools against a running broker: Samsa, or a real Kafka with SAMSA_INTEROP_TARGET=kafka, which judges the tests. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Kafka } from 'kafkajs'
import { type BrokerTarget, startTarget } from '../support/broker-target.ts'
import { Child } from '../support/child-process.ts'
import { type Ended, environment, type RunOptions, SAMSA, samsa, withFolder } from './program.ts'

/** Processes are started, and the machine may be busy. */
setDefaultTimeout(30_000)

let broker: BrokerTarget
beforeAll(async () => {
  broker = await startTarget({ 'auto.create.topics.enable': 'false' })
}, 60_000)
afterAll(() => broker?.stop())

function run(words: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return samsa(words, { ...options, environment: { SAMSA_BOOTSTRAP: broker.bootstrap, ...options.environment } })
}

/** Runs, and expects it to work. */
async function ok(words: readonly string[], options: RunOptions = {}): Promise<string> {
  const { exitCode, stdout, stderr } = await run(words, options)
  expect(stderr).toBe('')
  expect(exitCode).toBe(0)
  return stdout
}

async function json<T>(words: readonly string[], options: RunOptions = {}): Promise<T> {
  return JSON.parse(await ok([...words, '--format', 'json'], options)) as T
}

let topicNumber = 0
async function newTopic(...more: string[]): Promise<string> {
  const name = `topic-${++topicNumber}`
  expect(await ok(['topics', 'create', name, ...more])).toBe(`Created topic ${name}.\n`)
  return name
}

describe('topics', () => {
  test('create, list, describe, delete', async () => {
    const name = await newTopic('--partitions', '3', '--config', 'retention.ms=86400000')
    expect((await ok(['topics', 'list'])).split('\n')).toContain(name)
    const [first, ...partitions] = (await ok(['topics', 'describe', name])).trimEnd().split('\n')
    expect(first).toMatch(
      new RegExp(
        `^Topic: ${name}\\tTopicId: \\S{22}\\tPartitionCount: 3\\tReplicationFactor: 1\\tConfigs: .*retention.ms=86400000`,
      ),
    )
    expect(partitions).toHaveLength(3)
    expect(partitions[2]).toMatch(
      new RegExp(`^\\tTopic: ${name}\\tPartition: 2\\tLeader: (\\d+)\\tReplicas: \\1\\tIsr: \\1\\t`),
    )
    expect(await ok(['topics', 'delete', name])).toBe(`Deleted topic ${name}.\n`)
    expect((await ok(['topics', 'list'])).split('\n')).not.toContain(name)
  })

  test('what exists already is an error, unless it may exist', async () => {
    const name = await newTopic()
    const { exitCode, stdout, stderr } = await run(['topics', 'create', name])
    expect(exitCode).toBe(1)
    expect(stdout).toBe('')
    expect(stderr).toContain('TOPIC_ALREADY_EXISTS')
    expect(await ok(['topics', 'create', name, '--if-not-exists'])).toBe('')
  })

  test('one bad name does not hide what happened to the others', async () => {
    const { exitCode, stdout, stderr } = await run(['topics', 'create', 'fine-name', 'bad name', 'fine-too'])
    expect(stdout).toBe('Created topic fine-name.\nCreated topic fine-too.\n')
    expect(stderr).toContain("create topic 'bad name'")
    expect(exitCode).toBe(1)
  })

  test('--validate-only creates nothing', async () => {
    expect(await ok(['topics', 'create', 'only-checked', '--validate-only'])).toBe('Could create topic only-checked.\n')
    expect(await ok(['topics', 'list'])).not.toContain('only-checked')
  })

  test('alter sets and deletes configurations and adds partitions', async () => {
    const name = await newTopic('--config', 'retention.ms=5000000')
    const change = ['--config', 'max.message.bytes=2000', '--delete-config', 'retention.ms', '--partitions', '2']
    expect(await ok(['topics', 'alter', name, ...change])).toBe(`Altered topic ${name}.\n`)
    const [topic] = await json<{ partitions: unknown[]; configs: { name: string; value: string; source: string }[] }[]>(
      [...['topics', 'describe', name]],
    )
    expect(topic?.partitions).toHaveLength(2)
    const own = topic?.configs.filter(({ source }) => source === 'topic').map((config) => [config.name, config.value])
    expect(own).toEqual([['max.message.bytes', '2000']])
  })

  test('alter with an impossible value names the key and the value', async () => {
    const name = await newTopic()
    const { exitCode, stderr } = await run(['topics', 'alter', name, '--config', 'retention.ms=soon'])
    expect(exitCode).toBe(1)
    expect(stderr).toContain('retention.ms')
    expect(stderr).toContain('soon')
  })

  test('describe and delete of what does not exist', async () => {
    for (const words of [
      ['topics', 'describe', 'nope'],
      ['topics', 'delete', 'nope'],
    ]) {
      const { exitCode, stderr } = await run(words)
      expect(stderr).toContain('nope')
      expect(stderr).toContain('UNKNOWN_TOPIC_OR_PARTITION')
      expect(exitCode).toBe(1)
    }
    expect(await ok(['topics', 'delete', 'nope', '--if-exists'])).toBe('')
  })

  test('describe --configs shows defaults, too', async () => {
    const name = await newTopic()
    expect(await ok(['topics', 'describe', name, '--configs'])).toContain(
      '\tConfig: cleanup.policy=delete\tSource: default',
    )
  })

  test('--bootstrap-server, as the tools of Kafka call it', async () => {
    const { exitCode } = await samsa(['topics', 'list', '--bootstrap-server', broker.bootstrap])
    expect(exitCode).toBe(0)
  })
})

describe('produce and consume', () => {
  test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])('what goes in comes out: %s', async (codec) => {
    const topic = await newTopic()
    const text = Array.from({ length: 5_000 }, (_, index) => `line ${index} of some text\n`).join('')
    await ok(['produce', '-t', topic, '-z', codec], { stdin: text })
    expect(await ok(['consume', '-t', topic, '-o', 'beginning', '-e'])).toBe(text)
  })

  test('keys, headers, tombstones, partition', async () => {
    const topic = await newTopic('-p', '2')
    const stdin = 'a:1\nb:\nno key'
    await ok(['produce', '-t', topic, '-K:', '-H', 'h=1', '-p', '1', '-Z'], { stdin })
    const format = '%p %o %k(%K) %s(%S) %h\\n'
    expect(await ok(['consume', '-t', topic, '-o', 'beginning', '-e', '-f', format])).toBe(
      '1 0 a(1) 1(1) h=1\n1 1 b(1) (-1) h=1\n1 2 (-1) no key(6) h=1\n',
    )
    expect(await ok(['consume', '-t', topic, '-o', 'beginning', '-e', '-p', '0'])).toBe('')
  })

  test('the same key goes to the same partition', async () => {
    const topic = await newTopic('-p', '4')
    for (const value of ['1', '2', '3']) await ok(['produce', '-t', topic, '-k', 'same'], { stdin: value })
    const partitions = await ok(['consume', '-t', topic, '-o', 'beginning', '-e', '-f', '%p\\n'])
    expect(new Set(partitions.trimEnd().split('\n')).size).toBe(1)
  })

  test('from a file, with a summary as JSON', async () => {
    const topic = await newTopic()
    await withFolder(async (folder) => {
      const file = join(folder, 'input.txt')
      writeFileSync(file, 'x\ny\n')
      const summary = await json<{ records: number }>(['produce', '-t', topic, '-f', file])
      expect(summary.records).toBe(2)
      const missing = await run(['produce', '-t', topic, '-f', join(folder, 'none.txt')])
      expect(missing.stderr).toContain('there is no file')
      expect(missing.exitCode).toBe(1)
    })
  })

  test('to a topic or partition that does not exist', async () => {
    const topic = await newTopic()
    const partition = await run(['produce', '-t', topic, '-p', '7'], { stdin: 'x' })
    expect(partition.stderr).toContain('has no partition 7, only 0 to 0')
    expect(partition.exitCode).toBe(1)
    const consumer = await run(['consume', '-t', 'nope', '-e'])
    expect(consumer.stderr).toContain("topic 'nope': it does not exist")
    expect(consumer.exitCode).toBe(1)
  })

  test('a record that the topic refuses', async () => {
    const topic = await newTopic('-c', 'cleanup.policy=compact')
    const { exitCode, stderr } = await run(['produce', '-t', topic], { stdin: 'no key' })
    expect(stderr).toContain(`produce to ${topic}-0`)
    expect(stderr).toContain('INVALID_RECORD')
    expect(exitCode).toBe(1)
  })

  test('offsets: beginning, N, -N, a time, and a count', async () => {
    const topic = await newTopic()
    await ok(['produce', '-t', topic], { stdin: '0\n1\n2\n3\n4\n' })
    const read = async (...more: string[]): Promise<string> =>
      (await ok(['consume', '-t', topic, ...more])).replaceAll('\n', '')
    expect(await read('-o', '3', '-e')).toBe('34')
    expect(await read('-o', '-2', '-e')).toBe('34')
    expect(await read('-o', 'end', '-e')).toBe('')
    expect(await read('-o', 'beginning', '-n', '2')).toBe('01')
    expect(await read('-o', '@0', '-e')).toBe('01234')
    expect(await read('-o', '@0:@1', '-e')).toBe('')
    expect(await read('-o', `@${Date.now() + 60_000}`, '-e')).toBe('')
    const beyond = await run(['consume', '-t', topic, '-o', '99'])
    expect(beyond.stderr).toContain('holds offsets from 0 to before 5')
    expect(beyond.exitCode).toBe(1)
  })

  test('JSON: one object per line', async () => {
    const topic = await newTopic()
    await ok(['produce', '-t', topic, '-k', 'k', '-H', 'a=b'], { stdin: 'v' })
    const line = await ok(['consume', '-t', topic, '-o', 'beginning', '-e', '--format', 'json'])
    expect(line.endsWith('}\n')).toBe(true)
    expect(JSON.parse(line)).toMatchObject({
      topic,
      partition: 0,
      offset: 0,
      key: 'k',
      value: 'v',
      headers: [{ key: 'a', value: 'b' }],
    })
  })

  test('a consumer that waits gets what comes, and a signal ends it with exit code 0', async () => {
    const topic = await newTopic()
    const child = new Child({
      command: [...SAMSA, 'consume', '-t', topic, '-o', 'beginning'],
      environment: environment({ SAMSA_BOOTSTRAP: broker.bootstrap }),
    })
    await ok(['produce', '-t', topic], { stdin: 'first\n' })
    await child.line((line) => line === 'first', 60_000)
    await ok(['produce', '-t', topic], { stdin: 'second\n' })
    await child.line((line) => line === 'second', 60_000)
    child.kill('SIGINT')
    expect(await child.exited).toBe(0)
    expect(child.stderr).toBe('')
  })

  test('a reader that has seen enough ends the consumer quietly', async () => {
    const topic = await newTopic()
    await ok(['produce', '-t', topic], { stdin: 'some text in a line\n'.repeat(100_000) })
    const command = `${SAMSA.join(' ')} consume -b ${broker.bootstrap} -t ${topic} -o beginning; echo "exit code $?" >&2`
    const child = Bun.spawn(['sh', '-c', `(${command}) | head -n 1`], { stdout: 'pipe', stderr: 'pipe' })
    const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()])
    expect(stdout).toBe('some text in a line\n')
    expect(stderr).toBe('exit code 0\n')
  })
})

describe('groups', () => {
  test('an unknown group is an error', async () => {
    const { exitCode, stderr } = await run(['groups', 'describe', 'nobody'])
    expect(stderr).toContain("group 'nobody': it does not exist")
    expect(exitCode).toBe(1)
  })

  test('no groups: nothing to list, nothing to describe', async () => {
    expect(await ok(['groups', 'list'])).toBe('')
    expect(await json<unknown[]>(['groups', 'list'])).toEqual([])
    expect(await ok(['groups', 'list', '--state'])).toBe('GROUP TYPE STATE\n')
    expect(await ok(['groups', 'describe'])).toBe('')
  })

  test('a group with a member, and after it has left', async () => {
    const topic = await newTopic('-p', '2')
    await ok(['produce', '-t', topic, '-p', '0'], { stdin: '1\n2\n3\n' })
    const consumer = new Kafka({ clientId: 'shop', brokers: [broker.bootstrap], logLevel: 0 }).consumer({
      groupId: 'billing',
    })
    await consumer.connect()
    try {
      await consumer.subscribe({ topic, fromBeginning: true })
      const seen = Promise.withResolvers<void>()
      await consumer.run({
        autoCommit: false,
        eachMessage: async ({ message }) => {
          if (message.offset === '2') seen.resolve()
        },
      })
      await seen.promise
      await consumer.commitOffsets([{ topic, partition: 0, offset: '2' }])

      expect(await ok(['groups', 'list'])).toBe('billing\n')
      expect(await ok(['groups', 'list', '--state'])).toMatch(/^GROUP +TYPE +STATE\nbilling classic Stable\n$/)
      const rows = (await ok(['groups', 'describe', 'billing'])).trimEnd().split('\n').slice(1)
      expect(rows[0]).toMatch(new RegExp(`^billing ${topic} +0 +2 +3 +1 +shop-\\S+ /127.0.0.1 shop$`))
      expect(rows[1]).toMatch(new RegExp(`^billing ${topic} +1 +- +0 +- +shop-\\S+ /127.0.0.1 shop$`))
      const members = await ok(['groups', 'describe', 'billing', '--members'])
      expect(members).toMatch(new RegExp(`\nbilling shop-\\S+ +/127.0.0.1 +shop +2 +${topic}:0,1\n$`))
      const state = await ok(['groups', 'describe', 'billing', '--state'])
      expect(state).toMatch(/\nbilling 127\.0\.0\.1:\d+ \(1\) +RoundRobinAssigner +Stable 1\n$/)
    } finally {
      await consumer.disconnect()
    }
    const { stdout, stderr, exitCode } = await run(['groups', 'describe', 'billing'])
    expect(stderr).toBe("Consumer group 'billing' has no active members.\n")
    expect(stdout).toMatch(new RegExp(`\nbilling ${topic} +0 +2 +3 +1 +- +- +-\n$`))
    expect(exitCode).toBe(0)
  }, 30_000)
})
