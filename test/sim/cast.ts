/**
 * Who takes part in a history: always writers, readers, a loop that copies, members of two groups and who deletes records; by the seed also a
 * share group, a streams group, and a topic that comes and goes. Not all at once, because each step of a history is the step of one of them.
 */
import { DeleteRecordsRequest, DeleteRecordsResponse } from '../../src/protocol/messages/21-delete-records.ts'
import { SeededRandom } from '../../src/storage/random-seeded.ts'
import { FLEETING, type SimClient, split } from './client.ts'
import {
  Incarnations,
  runFleetingReader,
  runFleetingTransactions,
  runFleetingWriter,
  runRecreator,
} from './fleeting.ts'
import { Beliefs, runClassicMember, runConsumerMember } from './members.ts'
import type { Model } from './model.ts'
import {
  type Copying,
  type Reading,
  runCopier,
  runIdempotent,
  runPlain,
  runReader,
  runTransactional,
} from './producers.ts'
import { AGED, COPIES, ORDERS, SEGMENT_BYTES, SHARE_GROUP, SOURCE, STREAMS_GROUP, TABLE } from './setup.ts'
import { ShareLedger } from './share-ledger.ts'
import { runShareMember, runShareObserver, ShareStarts, type SharingSetup } from './share-members.ts'
import { runStreamsMember } from './streams.ts'
import { ConnectionLost } from './wire.ts'

export const TRANSACTIONAL = ['writer-0', 'writer-1', 'writer-2']
export const COPIER = 'copier'
/** From the least that can be set to Kafka's default. */
const DELIVERY_LIMITS = [2, 3, 5]

/** Starts a client that runs until its task is done. */
export type Run = (name: string, task: (client: SimClient) => Promise<void>) => void

export interface CastOptions {
  readonly seed: number
  readonly model: Model
  /** Whether locks of shared records hold: a disk that fails may have them forgotten. */
  readonly locksHold: () => boolean
}

export class Cast {
  readonly readings: Reading[] = []
  readonly beliefs: Beliefs[] = []
  readonly copying: Copying
  /** Null: nobody shares. */
  readonly sharing: SharingSetup | null
  readonly shareStarts: ShareStarts
  readonly isSharingCommitted: boolean
  readonly standbys: boolean
  readonly incarnations = new Incarnations()
  readonly #seed: number
  readonly #model: Model
  readonly #hasFleeting: boolean
  readonly #hasStreams: boolean

  constructor({ seed, model, locksHold }: CastOptions) {
    this.#seed = seed
    this.#model = model
    const random = new SeededRandom(seed * 104_729)
    this.copying = { source: SOURCE, target: COPIES, isNew: random.next() < 0.5, committed: 0 }
    this.#hasFleeting = random.next() < 0.6
    this.#hasStreams = random.next() < 0.4
    this.isSharingCommitted = random.next() < 0.5
    this.standbys = random.next() < 0.5
    this.shareStarts = new ShareStarts(model.problems)
    const topics = ['orders', 'source', ...(this.#hasFleeting ? [FLEETING] : [])]
    const ledger = new ShareLedger({
      group: SHARE_GROUP,
      deliveryLimit: DELIVERY_LIMITS[Math.floor(random.next() * DELIVERY_LIMITS.length)]!,
      problems: model.problems,
      locksHold,
    })
    this.sharing = random.next() < 0.6 ? { ledger, topics, isCommitted: this.isSharingCommitted } : null
  }

  start(run: Run): void {
    const partitions = [...ORDERS, SOURCE, AGED]
    for (const [index, name] of TRANSACTIONAL.entries()) {
      run(name, (client) => runTransactional(client, { isNew: index % 2 === 0, partitions, keyed: TABLE }))
    }
    run('idempotent', (client) => runIdempotent(client, partitions, TABLE))
    run('plain', (client) => runPlain(client, ORDERS, TABLE))
    run(COPIER, (client) => runCopier(client, this.copying))
    for (const partition of [ORDERS[0], COPIES, TABLE]) this.#addReader(run, partition, true)
    for (const partition of [ORDERS[1], TABLE, AGED]) this.#addReader(run, partition, false)
    run('deleter', (client) => this.#deleteRecords(client))
    this.#startGroups(run)
    if (this.#hasFleeting) this.#startFleeting(run)
    if (this.sharing !== null) this.#startSharing(run, this.sharing)
  }

  #startGroups(run: Run): void {
    const { problems } = this.#model
    const classic = new Beliefs('classic', problems)
    const modern = new Beliefs('modern', problems)
    this.beliefs.push(classic, modern)
    for (const index of [0, 1]) run(`classic-${index}`, (client) => runClassicMember(client, classic, ORDERS))
    const subscription = ['orders', 'source', ...(this.#hasFleeting ? [FLEETING] : [])]
    for (const index of [0, 1, 2]) {
      run(`modern-${index}`, (client) => runConsumerMember(client, modern, subscription))
    }
    if (!this.#hasStreams) return
    const streaming = new Beliefs(STREAMS_GROUP, problems)
    this.beliefs.push(streaming)
    const sources = { 0: 'orders', 1: this.#hasFleeting ? FLEETING : 'copies' }
    for (const index of [0, 1, 2]) {
      // Two of them are threads of one process.
      const setup = { beliefs: streaming, sources, processId: `process-${index >> 1}` }
      run(`streaming-${index}`, (client) => runStreamsMember(client, setup))
    }
  }

  #startFleeting(run: Run): void {
    run('recreator', (client) => runRecreator(client, this.incarnations, SEGMENT_BYTES))
    run('fleeting-writer', (client) => runFleetingWriter(client))
    run('fleeting-transactions', (client) => runFleetingTransactions(client, this.incarnations, ORDERS[1]))
    run('fleeting-reader', (client) => runFleetingReader(client))
  }

  #startSharing(run: Run, setup: SharingSetup): void {
    for (const index of [0, 1, 2]) run(`sharing-${index}`, (client) => runShareMember(client, setup))
    run('share-observer', (client) => runShareObserver(client, SHARE_GROUP, this.shareStarts))
  }

  #addReader(run: Run, partition: string, isCommitted: boolean): void {
    const reading: Reading = { partition, isCommitted, seen: [], position: 0 }
    this.readings.push(reading)
    run(`reader of ${partition} ${isCommitted}`, (client) => runReader(client, reading))
  }

  /** Now and then the oldest records are given up. */
  async #deleteRecords(client: SimClient): Promise<void> {
    const { deletedTo } = this.#model
    while (!client.isEnding()) {
      for (let pause = 0; pause < 2 && !client.isEnding(); pause++) await client.rest()
      // Where only compaction removes records, nobody else may.
      const partition = client.chance(0.5) || this.#seed % 2 === 0 ? ORDERS[0] : TABLE
      const { topic, index } = split(partition)
      const call = [DeleteRecordsRequest, DeleteRecordsResponse, 2] as const
      try {
        const end = await client.offsetAt(partition, -1)
        const offset = Math.floor(end * client.random.next() * 0.5)
        const topics = [{ name: topic, partitions: [{ partitionIndex: index, offset }] }]
        const answer = await client.ask(call, { topics, timeoutMs: 1000 }, (deleted) => {
          return deleted.topics[0]?.partitions[0]?.errorCode
        })
        const { lowWatermark } = answer.value.topics[0]!.partitions[0]!
        deletedTo.set(partition, Math.max(lowWatermark, deletedTo.get(partition) ?? 0))
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error
      }
    }
  }
}
