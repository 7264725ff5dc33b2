// Every client does the same things against one broker, and every client reads what every other wrote.
// The work of all clients runs at the same time, begun in beforeAll; each test awaits its part of it.
import { afterAll, beforeAll, describe, expect } from 'bun:test'
import { type BrokerTarget, startTarget } from '../support/broker-target.ts'
import type { DriverRecord, ProducedRecord } from '../support/client-contract.ts'
import { CLIENT_PROGRAMS, type GroupMember, type InteropClient, ProgramClient } from '../support/client-driver.ts'
import { KcatClient } from '../support/kcat.ts'
import { storedCodecs } from '../support/stored-codecs.ts'
import { interopTest, missing, type Requirement } from '../support/tools.ts'

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
const FIRST_TIMESTAMP = Date.now() - 3_600_000
const WORK_TIMEOUT_MS = 120_000

const base64 = (text: string | Uint8Array): string => Buffer.from(text).toString('base64')

/** What every client writes with every codec. */
const RECORDS: (ProducedRecord & { timestamp: number })[] = [
  { key: base64('first'), value: base64('a value'), headers: [] },
  { key: null, value: base64('without a key'), headers: [] },
  { key: base64('tombstone'), value: null, headers: [] },
  {
    key: base64('headers'),
    value: base64('with headers'),
    headers: [
      ['trace', base64('abc')],
      ['retry', base64('1')],
      ['retry', base64('2')],
      ['größe', base64('ü')],
    ],
  },
  {
    key: base64(Uint8Array.from({ length: 256 }, (_, byte) => byte)),
    value: base64(Buffer.alloc(300, 0xff)),
    headers: [],
  },
  { key: base64('long'), value: base64('compressible '.repeat(2_000)), headers: [] },
  { key: base64('empty value'), value: '', headers: [] },
].map((record, index) => ({ ...(record as ProducedRecord), timestamp: FIRST_TIMESTAMP + index * 1000 }))

interface ClientUnderTest {
  name: string
  needs: readonly Requirement[]
  open: (bootstrap: string) => InteropClient
  /** kcat sends no timestamps of its own, and an empty value only as a null. */
  written: ProducedRecord[]
  createsTopics: boolean
  /** @platformatic/kafka may read one batch again after a rebalance. */
  mayRepeatAfterRebalance: boolean
  /** What it answers for a time after the last record. */
  pastTheEnd: 'none' | 'end offset'
}

const CLIENTS: ClientUnderTest[] = [
  ...CLIENT_PROGRAMS.map(
    ({ name, needs, command }): ClientUnderTest => ({
      name,
      needs,
      open: (bootstrap) => new ProgramClient(command(bootstrap)),
      written: RECORDS,
      createsTopics: true,
      mayRepeatAfterRebalance: name === 'platformatic',
      pastTheEnd: name === 'kafkajs' ? 'end offset' : 'none',
    }),
  ),
  {
    name: 'kcat',
    needs: ['kcat'],
    open: (bootstrap) => new KcatClient(bootstrap),
    written: RECORDS.slice(0, -1).map(({ timestamp: _, ...record }) => record),
    createsTopics: false,
    mayRepeatAfterRebalance: false,
    pastTheEnd: 'none',
  },
]
const AVAILABLE = CLIENTS.filter(({ needs }) => missing(needs) === null)
const needsOf = (...clients: ClientUnderTest[]): Requirement[] => clients.flatMap(({ needs }) => needs)

let target: BrokerTarget
const first = new Map<string, InteropClient>()
const second = new Map<string, InteropClient>()
const written = new Map<string, Promise<void>>()
const read = new Map<string, Promise<DriverRecord[]>>()
const grouped = new Map<string, Promise<void>>()

const topicOf = (client: ClientUnderTest): string => `from-${client.name}`

/** Starts work whose failure belongs to the test that awaits it. */
function begin<Result>(work: Promise<Result>): Promise<Result> {
  work.catch(() => {})
  return work
}

function opened(clients: Map<string, InteropClient>, client: ClientUnderTest): InteropClient {
  const found = clients.get(client.name) ?? client.open(target.bootstrap)
  clients.set(client.name, found)
  return found
}

async function createTopic(client: ClientUnderTest, topic: string, partitions: number): Promise<void> {
  const creator = client.createsTopics ? client : (CLIENTS.find(({ name }) => name === 'kafkajs') as ClientUnderTest)
  await opened(first, creator).create(topic, partitions)
}

async function writeEveryCodec(client: ClientUnderTest): Promise<void> {
  await createTopic(client, topicOf(client), CODECS.length)
  for (const [partition, codec] of CODECS.entries()) {
    await opened(first, client).produce(topicOf(client), partition, codec, client.written)
  }
}

async function readEverything(client: ClientUnderTest): Promise<DriverRecord[]> {
  await Promise.all(written.values())
  const partitions = AVAILABLE.flatMap((writer) =>
    CODECS.map((_, partition): [string, number, number] => [topicOf(writer), partition, writer.written.length]),
  )
  return opened(first, client).consume(partitions)
}

/** Two members, a rebalance each time one comes or goes, and a later member that resumes from the commits. */
class GroupStory {
  static readonly PARTITIONS = [0, 1, 2, 3]
  static readonly PER_PARTITION = 5
  readonly #client: ClientUnderTest
  readonly #topic: string
  readonly #group: string
  readonly #seen: string[] = []
  #round = 0

  constructor(client: ClientUnderTest) {
    this.#client = client
    this.#topic = `group-${client.name}`
    this.#group = `group-of-${client.name}`
  }

  async tell(): Promise<void> {
    await createTopic(this.#client, this.#topic, GroupStory.PARTITIONS.length)
    await this.#write()
    const alice = await opened(first, this.#client).join(this.#group, this.#topic)
    await this.#holdAll(alice)
    await this.#haveRead([alice])

    const bob = await opened(second, this.#client).join(this.#group, this.#topic)
    await alice.until('two partitions each', () => this.#shared(alice, bob), [bob])
    await this.#write()
    await this.#haveRead([alice, bob])

    await alice.leave()
    await this.#holdAll(bob)
    await this.#write()
    await this.#haveRead([bob], [alice])
    await bob.leave()

    await this.#write()
    const carol = await opened(first, this.#client).join(this.#group, this.#topic)
    await this.#haveRead([carol], [alice, bob])
    await carol.leave()
  }

  async #write(): Promise<void> {
    this.#round++
    for (const partition of GroupStory.PARTITIONS) {
      const values = Array.from({ length: GroupStory.PER_PARTITION }, (_, i) => `${this.#round}/${partition}/${i}`)
      this.#seen.push(...values)
      const records = values.map((value) => ({ key: null, value: base64(value), headers: [] }))
      await opened(first, this.#client).produce(this.#topic, partition, 'none', records)
    }
  }

  #shared(alice: GroupMember, bob: GroupMember): boolean {
    const all = [...(alice.partitions ?? []), ...(bob.partitions ?? [])].sort((a, b) => a - b)
    return alice.partitions?.length === 2 && String(all) === String(GroupStory.PARTITIONS)
  }

  #holdAll(member: GroupMember): Promise<void> {
    return member.until('all partitions', () => member.partitions?.length === GroupStory.PARTITIONS.length)
  }

  /** Waits until every value written so far was read by someone, and checks that none came twice. */
  async #haveRead(present: GroupMember[], gone: GroupMember[] = []): Promise<void> {
    const values = (): string[] =>
      [...present, ...gone].flatMap(({ records }) =>
        records.map(({ value }) => Buffer.from(value as string, 'base64').toString()),
      )
    const [member, ...others] = present as [GroupMember, ...GroupMember[]]
    await member.until('all records', () => new Set(values()).size >= this.#seen.length, others)
    const got = this.#client.mayRepeatAfterRebalance ? [...new Set(values())] : values()
    expect(got.sort()).toEqual([...this.#seen].sort())
  }
}

beforeAll(async () => {
  target = await startTarget({ 'group.initial.rebalance.delay.ms': '0' })
  for (const client of AVAILABLE) written.set(client.name, begin(writeEveryCodec(client)))
  for (const client of AVAILABLE) {
    read.set(client.name, begin(readEverything(client)))
    grouped.set(
      client.name,
      begin((read.get(client.name) as Promise<unknown>).then(() => new GroupStory(client).tell())),
    )
  }
}, WORK_TIMEOUT_MS)

afterAll(async () => {
  await Promise.all([...first.values(), ...second.values()].map((client) => client.close()))
  await target?.stop()
}, WORK_TIMEOUT_MS)

describe.each(CLIENTS)('$name', (client) => {
  const creates = client.createsTopics ? 'creates a topic and writes' : 'writes'
  interopTest(
    `${creates} keys, tombstones and headers with every codec`,
    client.needs,
    async () => {
      await written.get(client.name)
      // The codec is in the batches as the broker has them, so that it was not the client that fell back to none.
      const stored = await storedCodecs(target, topicOf(client), CODECS.length)
      for (const [codec, found] of stored.entries()) expect(found).toContain(codec)
    },
    { timeoutMs: WORK_TIMEOUT_MS },
  )

  for (const writer of CLIENTS) {
    interopTest(
      `reads what ${writer.name} wrote, with every codec`,
      needsOf(client, writer),
      async () => {
        const records = (await read.get(client.name)) as DriverRecord[]
        for (const [partition, codec] of CODECS.entries()) {
          const mine = records.filter((each) => each.topic === topicOf(writer) && each.partition === partition)
          const expected = writer.written.map((record, offset) => ({
            ...record,
            topic: topicOf(writer),
            partition,
            offset,
            timestamp: record.timestamp ?? expect.any(Number),
          }))
          expect({ codec, records: mine }).toEqual({ codec, records: expected })
        }
      },
      { timeoutMs: WORK_TIMEOUT_MS },
    )
  }

  interopTest(
    'shares a group between two members, rebalances, commits and resumes',
    client.needs,
    async () => await grouped.get(client.name),
    { timeoutMs: WORK_TIMEOUT_MS },
  )

  interopTest(
    'finds offsets by time',
    client.needs,
    async () => {
      await grouped.get(client.name)?.catch(() => {})
      const topic = topicOf(client)
      const reader = opened(first, client)
      const records = await reader.consume([[topic, 0, client.written.length]])
      for (const { timestamp } of records) {
        const expected = records.find((record) => record.timestamp >= timestamp)?.offset as number
        expect(await reader.offsetByTime(topic, 0, timestamp)).toBe(expected)
        if (client.written[0]?.timestamp) expect(await reader.offsetByTime(topic, 0, timestamp - 1)).toBe(expected)
      }
      const last = Math.max(...records.map(({ timestamp }) => timestamp))
      const none = client.pastTheEnd === 'none' ? -1 : records.length
      expect(await reader.offsetByTime(topic, 0, last + 1)).toBe(none)
    },
    { timeoutMs: WORK_TIMEOUT_MS },
  )
})
