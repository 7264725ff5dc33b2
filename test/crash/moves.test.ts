/**
 * The broker with two data folders is killed with SIGKILL again and again while producers work and their partitions move from folder to
 * folder. What was acknowledged is there at the end, once, and every partition is in one folder. SAMSA_CRASH_ROUNDS and SAMSA_CRASH_SEED
 * repeat and lengthen a run.
 */
import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Connection } from '../../src/client/connection.ts'
import {
  AlterReplicaLogDirsRequest,
  AlterReplicaLogDirsResponse,
} from '../../src/protocol/messages/34-alter-replica-log-dirs.ts'
import { SeededRandom } from '../../src/storage/random-seeded.ts'
import { type SamsaProcess, startSamsaWith } from '../support/samsa-process.ts'
import { type Address, createTopic, type ProducerSetup, readPartition, runProducer } from './crash-clients.ts'
import { Ledger } from './ledger.ts'

const ROUNDS = Number(process.env.SAMSA_CRASH_ROUNDS ?? 3)
const SEED = Number(process.env.SAMSA_CRASH_SEED ?? Date.now() % 1_000_000)
const TOPIC = 'moving'
const MOVED_WITHIN_MS = 90_000

const root = mkdtempSync(join(tmpdir(), 'samsa-crash-moves-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const PRODUCERS: ProducerSetup[] = [
  { name: 'a', topic: TOPIC, partition: 0, inFlight: 4, recordsPerBatch: 1, valueBytes: 100 },
  { name: 'b', topic: TOPIC, partition: 1, inFlight: 5, recordsPerBatch: 7, valueBytes: 1_000 },
]

/** The partitions in each of the folders, of those that a start would serve. */
function partitionsIn(folders: readonly string[]): string[][] {
  return folders.map((folder) => readdirSync(folder).filter((name) => /^moving-\d+$/.test(name)))
}

describe.each(['os', 'fsync'] as const)('durability %s', (durability) => {
  const name = `${ROUNDS} kills under producers and moves lose nothing and repeat nothing (seed ${SEED})`
  test(
    name,
    async () => {
      const random = new SeededRandom(SEED)
      const folders = [join(root, `${durability}-0`), join(root, `${durability}-1`)] as const
      const settings = ['--durability', durability, '--data', folders[1]]
      const start = (): Promise<SamsaProcess> => startSamsaWith({ dataDirectory: folders[0], arguments: settings })
      let broker = await start()
      const address: Address = { port: broker.port, ended: false }
      const ledger = new Ledger()
      let connection = await Connection.connect({ host: '127.0.0.1', port: broker.port })
      await createTopic(connection, TOPIC, PRODUCERS.length, {
        'segment.bytes': '1048576',
        'file.delete.delay.ms': '0',
      })

      /** Everything to where it is not. */
      const moveAll = async (): Promise<void> => {
        const present = partitionsIn(folders)
        const dirs = folders.map((path, index) => ({
          path,
          topics: [{ name: TOPIC, partitions: (present[1 - index] ?? []).map((each) => Number(each.split('-')[1])) }],
        }))
        await connection.send(AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse, { dirs }, { version: 2 })
      }

      const clients = Promise.all(PRODUCERS.map((setup) => runProducer(address, ledger, setup)))
      let broken: unknown = null
      clients.catch((error: unknown) => {
        broken = error
      })
      for (let round = 0; round < ROUNDS && broken === null; round++) {
        await Bun.sleep(50 + random.below(200))
        await moveAll()
        await Bun.sleep(random.below(60))
        broker.child.kill('SIGKILL')
        await broker.child.exited
        await connection.close()
        broker = await start()
        address.port = broker.port
        connection = await Connection.connect({ host: '127.0.0.1', port: broker.port })
      }
      // The last ones are let go to their end, after those that the last start took up again.
      const until = async (isSo: () => boolean): Promise<void> => {
        const deadline = performance.now() + MOVED_WITHIN_MS
        while (!isSo() && performance.now() < deadline) await Bun.sleep(20)
      }
      await until(() => !folders.some((folder) => readdirSync(folder).some((name) => name.endsWith('-future'))))
      const before = JSON.stringify(partitionsIn(folders))
      await moveAll()
      await until(() => JSON.stringify(partitionsIn(folders)) !== before)
      address.ended = true
      expect(Math.min(...(await clients))).toBeGreaterThan(0)
      for (const { partition } of PRODUCERS) {
        expect(ledger.checkPartition(partition, await readPartition(connection, TOPIC, partition))).toEqual([])
      }
      await connection.close()
      expect(await broker.child.stop()).toBe(0)
      expect(partitionsIn(folders).flat().sort()).toEqual(['moving-0', 'moving-1'])
      expect(JSON.stringify(partitionsIn(folders))).not.toBe(before)
    },
    30_000 + ROUNDS * 5_000,
  )
})
