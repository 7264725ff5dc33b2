/**
 * The broker is killed with SIGKILL again and again while idempotent producers and committing groups work, and a ledger of
 * what was acknowledged is held against what is there at the end. SAMSA_CRASH_ROUNDS and SAMSA_CRASH_SEED repeat and lengthen a run.
 */
import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Connection } from '../../src/client/connection.ts'
import { SeededRandom } from '../../src/storage/random-seeded.ts'
import { type SamsaProcess, startSamsaWith } from '../support/samsa-process.ts'
import {
  type Address,
  committedOffset,
  createTopic,
  findCoordinator,
  type ProducerSetup,
  readPartition,
  runCommitter,
  runProducer,
} from './crash-clients.ts'
import { Ledger } from './ledger.ts'

const ROUNDS = Number(process.env.SAMSA_CRASH_ROUNDS ?? 8)
const SEED = Number(process.env.SAMSA_CRASH_SEED ?? Date.now() % 1_000_000)
const TOPIC = 'ledger'
/** Its segments are as small as Kafka allows, so that kills fall into rolls too. */
const ROLLING_TOPIC = 'ledger-rolling'

const folder = mkdtempSync(join(tmpdir(), 'samsa-crash-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const PRODUCERS: ProducerSetup[] = [
  { name: 'a', topic: TOPIC, partition: 0, inFlight: 4, recordsPerBatch: 1, valueBytes: 100 },
  { name: 'b', topic: TOPIC, partition: 1, inFlight: 5, recordsPerBatch: 7, valueBytes: 1_000 },
  // In flight: 1. A snapshot keeps a producer's newest batch only, so right after a roll and a kill just that one is known.
  { name: 'c', topic: ROLLING_TOPIC, partition: 0, inFlight: 1, recordsPerBatch: 16, valueBytes: 10_000 },
  // Large enough to be written past the page cache where that is the way.
  { name: 'd', topic: TOPIC, partition: 2, inFlight: 3, recordsPerBatch: 30, valueBytes: 20_000 },
]
const GROUPS = ['committing-1', 'committing-2', 'committing-3']

const WAYS = [
  ['os', 'buffered'],
  ['fsync', 'buffered'],
  ['os', 'direct'],
  ['fsync', 'direct'],
] as const

describe.each(WAYS)('durability %s, writes %s', (durability, writeMode) => {
  const name = `${ROUNDS} kills under producers and groups lose nothing, repeat nothing, take nothing back (seed ${SEED})`
  test(
    name,
    async () => {
      const random = new SeededRandom(SEED)
      const data = join(folder, `${durability}-${writeMode}`)
      const settings = ['--durability', durability, '--set', `samsa.write.mode=${writeMode}`]
      const start = (): Promise<SamsaProcess> => startSamsaWith({ dataDirectory: data, arguments: settings })
      let broker = await start()
      const address: Address = { port: broker.port, ended: false }
      const ledgers = new Map([TOPIC, ROLLING_TOPIC].map((topic) => [topic, new Ledger()]))
      const commits = new Ledger()

      const connection = await Connection.connect({ host: '127.0.0.1', port: broker.port })
      await createTopic(connection, TOPIC, 3)
      await createTopic(connection, ROLLING_TOPIC, 1, { 'segment.bytes': '1048576' })
      await connection.close()

      const clients = Promise.all([
        ...PRODUCERS.map((setup) => runProducer(address, ledgers.get(setup.topic) as Ledger, setup)),
        ...GROUPS.map((group) => runCommitter(address, commits, group, TOPIC)),
      ])
      // A broken promise ends the test at once, not after the last round.
      let broken: unknown = null
      clients.catch((error: unknown) => {
        broken = error
      })
      for (let round = 0; round < ROUNDS && broken === null; round++) {
        await Bun.sleep(100 + random.below(500))
        broker.child.kill('SIGKILL')
        await broker.child.exited
        broker = await start()
        address.port = broker.port
      }
      await Bun.sleep(300)
      // However slow the machine is, everybody gets something done.
      const haveAllGotOn = () =>
        PRODUCERS.every(({ topic, partition }) => ledgers.get(topic)?.hasRecords(partition)) &&
        GROUPS.every((group) => commits.hasCommit(group))
      while (broken === null && !haveAllGotOn()) await Bun.sleep(20)
      address.ended = true
      const progress = await clients
      for (const [index, count] of progress.entries())
        expect({ client: index, count }).not.toEqual({ client: index, count: 0 })

      const reader = await Connection.connect({ host: '127.0.0.1', port: broker.port })
      for (const { topic, partition } of PRODUCERS) {
        const log = await readPartition(reader, topic, partition)
        expect((ledgers.get(topic) as Ledger).checkPartition(partition, log)).toEqual([])
      }
      for (const group of GROUPS) {
        await findCoordinator(reader, group)
        const committed = await committedOffset(reader, group, TOPIC)
        expect(committed).not.toBeNull()
        expect(commits.checkCommit(group, committed as number)).toBeNull()
      }
      await reader.close()
      expect(await broker.child.stop()).toBe(0)
    },
    // Only ends what hangs.
    180_000 + ROUNDS * 15_000,
  )
})

describe('the ledger itself', () => {
  test('sees a lost record, a repeated one, a moved one, and a commit that went back', () => {
    const ledger = new Ledger()
    ledger.recordsAcknowledged(0, 0, ['p:0', 'p:1', 'p:2'])
    const whole = ['p:0', 'p:1', 'p:2'].map((value, offset) => ({ offset, value }))
    expect(ledger.checkPartition(0, whole)).toEqual([])
    expect(ledger.checkPartition(0, whole.slice(0, 2))).not.toEqual([])
    expect(ledger.checkPartition(0, [...whole, { offset: 3, value: 'p:2' }])).not.toEqual([])
    expect(ledger.checkPartition(0, [whole[0]!, { offset: 1, value: 'p:2' }, { offset: 2, value: 'p:1' }])).not.toEqual(
      [],
    )
    ledger.commitSent('g', 5)
    ledger.commitAcknowledged('g', 5)
    expect(ledger.checkCommit('g', 5)).toBeNull()
    expect(ledger.checkCommit('g', 4)).not.toBeNull()
    expect(ledger.checkCommit('g', 6)).not.toBeNull()
  })
})
