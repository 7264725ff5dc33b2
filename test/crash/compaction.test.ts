/**
 * The broker is killed with SIGKILL again and again while a compacted topic and the offsets topic are written to, in transactions and without,
 * and compacted without a pause. After every start each key has the last value that was acknowledged, or one sent later, and so has the
 * group's offset; what was aborted is not there.
 * SAMSA_CRASH_ROUNDS lengthens a run.
 */
import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Connection } from '../../src/client/connection.ts'
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/00-produce.ts'
import { FetchRequest, FetchResponse } from '../../src/protocol/messages/01-fetch.ts'
import { OffsetCommitRequest, OffsetCommitResponse } from '../../src/protocol/messages/08-offset-commit.ts'
import { buildBatch } from '../../src/records/batch.ts'
import { nextOffsetAfter, readRecords } from '../support/fetched-records.ts'
import { type SamsaProcess, startSamsaWith } from '../support/samsa-process.ts'
import { committedOffset, createTopic, findCoordinator } from './crash-clients.ts'
import { endOffset, TransactionSession } from './transaction-session.ts'

const ROUNDS = Number(process.env.SAMSA_CRASH_ROUNDS ?? 2)
const TOPIC = 'compacted'
const GROUP = 'group'
const KEYS = 12
const VALUE_BYTES = 16_000
const METADATA = 'm'.repeat(4000)
const TRANSACTIONAL_ID = 'writer'
const TRANSACTION_TIMEOUT_MS = 60_000
/** Every so many writes one is a transaction, and every other transaction is aborted. */
const TRANSACTION_EVERY = 5
const POLL_MS = 20
/** Between two kills so much is done, so that several cleanings fall in between. */
const WRITES_PER_ROUND = 350
/** Only ends what hangs. */
const TIMEOUT_MS = 240_000

const folder = mkdtempSync(join(tmpdir(), 'samsa-crash-compaction-'))
let broker: SamsaProcess | null = null
afterAll(async () => {
  await broker?.stop()
  rmSync(folder, { recursive: true, force: true })
})

class Writer {
  /** By key: the highest number acknowledged. */
  readonly acknowledged = new Map<number, number>()
  /** Numbers of values whose transaction was not to be committed. */
  readonly aborted = new Set<number>()
  sent = 0
  committed = -1
  #session: TransactionSession | null = null

  /** Whatever the last session left open is aborted. */
  async begin(connection: Connection): Promise<void> {
    const options = { isNew: true, timeoutMs: TRANSACTION_TIMEOUT_MS }
    this.#session = await TransactionSession.open(connection, TRANSACTIONAL_ID, options)
    const end = await endOffset(connection, TOPIC, 0, 0)
    while ((await endOffset(connection, TOPIC, 0, 1)) < end) await Bun.sleep(POLL_MS)
  }

  async write(connection: Connection): Promise<void> {
    const number = this.sent++
    if (number % TRANSACTION_EVERY === 0) await this.#writeInTransaction(number)
    else await this.#writeAlone(connection, number)
  }

  async #writeInTransaction(number: number): Promise<void> {
    const isCommitted = (number / TRANSACTION_EVERY) % 2 === 0
    if (!isCommitted) this.aborted.add(number)
    const value = `${number} `.repeat(VALUE_BYTES).slice(0, VALUE_BYTES)
    await this.#session!.write(TOPIC, 0, [value], `key${number % KEYS}`)
    await this.#session!.end(isCommitted)
    if (isCommitted) this.acknowledged.set(number % KEYS, number)
  }

  async #writeAlone(connection: Connection, number: number): Promise<void> {
    const key = number % KEYS
    const value = Buffer.alloc(VALUE_BYTES, `${number} `)
    const records = [{ timestamp: Date.now(), key: Buffer.from(`key${key}`), value }]
    const topicData = [{ name: TOPIC, partitionData: [{ index: 0, records: [buildBatch({ records })] }] }]
    const produced = await connection.send(
      ProduceRequest,
      ProduceResponse,
      { transactionalId: null, acks: -1, timeoutMs: 10_000, topicData },
      { version: 9 },
    )
    expect(produced.responses[0]?.partitionResponses[0]?.errorCode).toBe(0)
    this.acknowledged.set(key, number)
    const offset = { partitionIndex: 0, committedOffset: number, committedLeaderEpoch: -1, committedMetadata: METADATA }
    const answer = await connection.send(
      OffsetCommitRequest,
      OffsetCommitResponse,
      { groupId: GROUP, memberId: '', topics: [{ name: TOPIC, partitions: [offset] }] },
      { version: 7 },
    )
    expect(answer.topics[0]?.partitions[0]?.errorCode).toBe(0)
    this.committed = number
  }

  async check(connection: Connection): Promise<void> {
    const last = await lastNumbers(connection)
    for (const [key, number] of this.acknowledged) {
      const found = last.get(`key${key}`) ?? -1
      expect(found, `key${key} was acknowledged at ${number}`).toBeGreaterThanOrEqual(number)
      expect((found - key) % KEYS).toBe(0)
      expect(this.aborted.has(found), `key${key} has ${found}, which was aborted`).toBe(false)
    }
    await findCoordinator(connection, GROUP)
    expect(await committedOffset(connection, GROUP, TOPIC)).toBeGreaterThanOrEqual(this.committed)
  }
}

async function lastNumbers(connection: Connection): Promise<Map<string, number>> {
  const last = new Map<string, number>()
  for (let fetchOffset = 0; ; ) {
    const partitions = [{ partition: 0, fetchOffset, partitionMaxBytes: 4 << 20 }]
    const answer = await connection.send(
      FetchRequest,
      FetchResponse,
      { maxWaitMs: 0, minBytes: 0, isolationLevel: 1, topics: [{ topic: TOPIC, partitions }], forgottenTopicsData: [] },
      { version: 11 },
    )
    const row = answer.responses[0]!.partitions[0]!
    expect(row.errorCode).toBe(0)
    const bytes = Buffer.concat(row.records ?? [])
    for (const { key, value } of readRecords(bytes, fetchOffset, row.abortedTransactions ?? [])) {
      last.set(String(key), Number.parseInt(String(value), 10))
    }
    fetchOffset = nextOffsetAfter(bytes, fetchOffset)
    if (bytes.length === 0 || fetchOffset >= row.highWatermark) return last
  }
}

function start(durability: string): Promise<SamsaProcess> {
  return startSamsaWith({
    dataDirectory: join(folder, durability),
    arguments: ['--durability', durability],
    settings: {
      'log.cleaner.backoff.ms': '20',
      'log.cleaner.min.cleanable.ratio': '0.0001',
      'offsets.topic.num.partitions': '1',
      'offsets.topic.segment.bytes': '1048576',
    },
  })
}

async function connect({ host, port }: SamsaProcess): Promise<Connection> {
  return Connection.connect({ host, port, clientId: 'crash', timeoutMs: 20_000, negotiate: false })
}

test.each(['os', 'fsync'])(
  `${ROUNDS} kills under compaction lose no last value, durability %s`,
  async (durability) => {
    const writer = new Writer()
    await broker?.stop()
    let running = await start(durability)
    broker = running
    let connection = await connect(running)
    await createTopic(connection, TOPIC, 1, { 'cleanup.policy': 'compact', 'segment.bytes': '1048576' })
    await findCoordinator(connection, GROUP)
    await writer.begin(connection)
    for (let round = 0; round < ROUNDS; round++) {
      // Something is compacted in every round, and is again when the process dies.
      for (let index = 0; index < WRITES_PER_ROUND || !/Compacted a log/.test(running.child.stderr); index++) {
        await writer.write(connection)
      }
      // One write is under way when the broker dies.
      const interrupted = writer.write(connection).catch(() => {})
      running.child.kill('SIGKILL')
      await running.child.exited
      await interrupted
      connection.close()
      expect(running.child.stderr).not.toContain('cannot be compacted')
      running = await start(durability)
      broker = running
      connection = await connect(running)
      await writer.begin(connection)
      await writer.check(connection)
    }
    connection.close()
  },
  TIMEOUT_MS,
)
