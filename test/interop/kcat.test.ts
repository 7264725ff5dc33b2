// kcat's modes as people use them: -L, -P and -C with every codec, -G, -Q, offsets, and an idempotent producer.
import { afterAll, beforeAll, expect } from 'bun:test'
import { type BrokerTarget, startTarget } from '../support/broker-target.ts'
import { Child } from '../support/child-process.ts'
import { KcatClient } from '../support/kcat.ts'
import { interopDescribe, interopTest } from '../support/tools.ts'

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

interface KcatMetadata {
  originating_broker: { id: number; name: string }
  brokers: { id: number; name: string }[]
  topics: {
    topic: string
    partitions: { partition: number; leader: number; replicas: { id: number }[]; isrs: { id: number }[] }[]
  }[]
}

interopDescribe('kcat', ['kcat'], () => {
  let target: BrokerTarget
  let kcat: KcatClient

  const kcatTest = (name: string, run: () => Promise<void>): void =>
    interopTest(name, ['kcat'], run, { concurrent: true })

  /** Lines of `kcat -C` from the beginning to the end of the topic. */
  async function consumed(topic: string, ...more: string[]): Promise<string[]> {
    const { stdout } = await kcat.run(['-C', '-q', '-e', '-X', 'fetch.wait.max.ms=20', '-t', topic, ...more])
    return stdout.split('\n').filter((line) => line !== '')
  }

  beforeAll(async () => {
    target = await startTarget({ 'group.initial.rebalance.delay.ms': '0', 'num.partitions': '1' })
    kcat = new KcatClient(target.bootstrap)
  }, 180_000)

  afterAll(async () => await target?.stop(), 60_000)

  kcatTest('-P creates an unknown topic, and -L shows it with its leader', async () => {
    await kcat.run(['-P', '-t', 'listed'], 'one\n')
    const { stdout } = await kcat.run(['-L', '-t', 'listed', '-J'])
    const metadata = JSON.parse(stdout) as KcatMetadata
    const [broker] = metadata.brokers as [{ id: number; name: string }]
    expect(broker).toEqual({ id: expect.any(Number), name: target.bootstrap })
    const partition = { partition: 0, leader: broker.id, replicas: [{ id: broker.id }], isrs: [{ id: broker.id }] }
    expect(metadata.topics).toEqual([{ topic: 'listed', partitions: [partition] }])
    expect((await kcat.run(['-L'])).stdout).toContain('topic "listed" with 1 partitions')
  })

  for (const codec of CODECS) {
    kcatTest(`-P -z ${codec} and -C hand lines through in order`, async () => {
      const lines = Array.from({ length: 500 }, (_, i) => `line ${i} of ${codec} `.repeat(5))
      await kcat.run(['-P', '-t', `lines-${codec}`, '-z', codec], `${lines.join('\n')}\n`)
      expect(await consumed(`lines-${codec}`)).toEqual(lines)
    })
  }

  kcatTest('-P with an idempotent producer', async () => {
    await kcat.run(['-P', '-t', 'idempotent', '-X', 'enable.idempotence=true'], 'a\nb\nc\n')
    expect(await consumed('idempotent')).toEqual(['a', 'b', 'c'])
  })

  kcatTest('-P with acks 0 and 1', async () => {
    await kcat.run(['-P', '-t', 'acks', '-X', 'acks=1'], 'one\n')
    await kcat.run(['-P', '-t', 'acks', '-X', 'acks=0'], 'zero\n')
    expect(await consumed('acks')).toEqual(['one', 'zero'])
  })

  kcatTest('-C begins where -o says and ends after -c', async () => {
    await kcat.run(['-P', '-t', 'offsets'], '0\n1\n2\n3\n4\n')
    expect(await consumed('offsets', '-o', '3')).toEqual(['3', '4'])
    expect(await consumed('offsets', '-o', '-2')).toEqual(['3', '4'])
    expect(await consumed('offsets', '-o', 'beginning', '-c', '2')).toEqual(['0', '1'])
    expect(await consumed('offsets', '-o', 'end')).toEqual([])
  })

  kcatTest('-Q and -o s@time find offsets by time', async () => {
    await kcat.run(['-P', '-t', 'times'], 'early\n')
    await Bun.sleep(20)
    await kcat.run(['-P', '-t', 'times'], 'late\n')
    const late = Number((await consumed('times', '-f', '%T\\n'))[1])
    expect((await kcat.run(['-Q', '-t', `times:0:${late}`])).stdout).toContain('times [0] offset 1')
    expect((await kcat.run(['-Q', '-t', 'times:0:0'])).stdout).toContain('times [0] offset 0')
    expect((await kcat.run(['-Q', '-t', 'times:0:-1'])).stdout).toContain('times [0] offset 2')
    expect((await kcat.run(['-Q', '-t', 'times:0:-2'])).stdout).toContain('times [0] offset 0')
    expect(await consumed('times', '-o', `s@${late}`)).toEqual(['late'])
  })

  kcatTest('-G resumes where the group committed', async () => {
    const group = [
      '-X',
      'fetch.wait.max.ms=20',
      '-X',
      'auto.offset.reset=earliest',
      '-X',
      'auto.commit.interval.ms=100',
    ]
    await kcat.run(['-P', '-t', 'resumed'], 'a\nb\n')
    expect((await kcat.run(['-q', '-e', ...group, '-G', 'kcat-group', 'resumed'])).stdout).toBe('a\nb\n')
    await kcat.run(['-P', '-t', 'resumed'], 'c\n')
    expect((await kcat.run(['-q', '-e', ...group, '-G', 'kcat-group', 'resumed'])).stdout).toBe('c\n')
  })

  kcatTest('-C waiting at the end gets a new record at once', async () => {
    await kcat.run(['-P', '-t', 'waiting'], 'before\n')
    const consumer = new Child({
      command: ['kcat', '-b', target.bootstrap, '-C', '-q', '-u', '-t', 'waiting', '-X', 'fetch.wait.max.ms=30000'],
    })
    await consumer.line((line) => line === 'before', 60_000)
    await Bun.sleep(100)
    await kcat.run(['-P', '-t', 'waiting'], 'after\n')
    await consumer.line((line) => line === 'after', 60_000)
    await consumer.stop()
  })
})
