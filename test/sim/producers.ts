/**
 * Clients that write and read: transactions of both protocols with zombies and late requests, idempotent and plain producers, loops that copy in
 * transactions, readers of both isolation levels. They tell the model what they do and what they are answered.
 */
import { ErrorCode } from '../../src/protocol/errors.ts'
import { InitProducerIdRequest, InitProducerIdResponse } from '../../src/protocol/messages/22-init-producer-id.ts'
import {
  AddPartitionsToTxnRequest,
  AddPartitionsToTxnResponse,
} from '../../src/protocol/messages/24-add-partitions-to-txn.ts'
import { AddOffsetsToTxnRequest, AddOffsetsToTxnResponse } from '../../src/protocol/messages/25-add-offsets-to-txn.ts'
import { EndTxnRequest, EndTxnResponse } from '../../src/protocol/messages/26-end-txn.ts'
import { TxnOffsetCommitRequest, TxnOffsetCommitResponse } from '../../src/protocol/messages/28-txn-offset-commit.ts'
import { Refused, SimClient, split } from './client.ts'
import type { ModelTransaction, SentRecord } from './model.ts'
import { ConnectionLost } from './wire.ts'

const KEYS = 5
const SHORT_TIMEOUT_MS = 2000
const LONG_TIMEOUT_MS = 20_000

/** What a session is refused with that was replaced, or whose transaction the coordinator has ended. */
const FENCED: ReadonlySet<number> = new Set([
  ErrorCode.PRODUCER_FENCED,
  ErrorCode.INVALID_PRODUCER_EPOCH,
  ErrorCode.INVALID_PRODUCER_ID_MAPPING,
  ErrorCode.INVALID_TXN_STATE,
  ErrorCode.TRANSACTION_ABORTABLE,
])

/** The newest session of a transactional id, and since when it is. */
export interface Tenure {
  session: number
  since: number
}

/** One session of a transactional producer, in the old protocol or in that of transaction version 2. */
export class Session {
  readonly client: SimClient
  readonly transactionalId: string
  readonly isNew: boolean
  readonly #tenure: Tenure
  readonly #number: number
  #producer: { producerId: number; producerEpoch: number }
  readonly #sequences = new Map<string, number>()
  /** Partitions and groups of the running transaction, where the client has to name them first. */
  readonly #added = new Set<string>()

  private constructor(
    client: SimClient,
    options: { transactionalId: string; isNew: boolean; tenure: Tenure },
    producer: { producerId: number; producerEpoch: number },
  ) {
    this.client = client
    this.transactionalId = options.transactionalId
    this.isNew = options.isNew
    this.#tenure = options.tenure
    this.#number = options.tenure.session
    this.#producer = producer
  }

  /** Fences whoever had the id before. */
  static async open(
    client: SimClient,
    options: { transactionalId: string; isNew: boolean; tenure: Tenure; timeoutMs: number },
  ): Promise<Session> {
    const { transactionalId, isNew, tenure, timeoutMs } = options
    await client.findCoordinator(1, transactionalId)
    const call = [InitProducerIdRequest, InitProducerIdResponse, isNew ? 5 : 4] as const
    const value = { transactionalId, transactionTimeoutMs: timeoutMs }
    const answer = await client.ask(call, value, ({ errorCode }) => errorCode)
    tenure.session++
    tenure.since = client.world.now
    const { producerId, producerEpoch } = answer.value
    return new Session(client, options, { producerId, producerEpoch })
  }

  /** A request that succeeded: it must not have arrived after somebody else took over. */
  #succeeded(what: string, deliveredAt: number): void {
    const { session, since } = this.#tenure
    if (session === this.#number || deliveredAt <= since) return
    this.client.model.problems.push(`${this.transactionalId}: ${what} of a fenced session was accepted`)
  }

  async #add(partition: string): Promise<void> {
    if (this.isNew || this.#added.has(partition)) return
    const { topic, index } = split(partition)
    const { producerId, producerEpoch } = this.#producer
    const answer = await this.client.ask(
      [AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, 3] as const,
      {
        v3AndBelowTransactionalId: this.transactionalId,
        v3AndBelowProducerId: producerId,
        v3AndBelowProducerEpoch: producerEpoch,
        v3AndBelowTopics: [{ name: topic, partitions: [index] }],
      },
      ({ resultsByTopicV3AndBelow }) => resultsByTopicV3AndBelow[0]?.resultsByPartition[0]?.partitionErrorCode,
    )
    this.#succeeded('AddPartitionsToTxn', answer.deliveredAt)
    this.#added.add(partition)
  }

  /** Repeats what nobody knows the outcome of, as real producers do, unless it gives up. */
  async write(records: readonly SentRecord[]): Promise<void> {
    const { partition } = records[0]!
    const baseSequence = this.#sequences.get(partition) ?? 0
    const batch = { ...this.#producer, baseSequence, isTransactional: true }
    const options = { version: this.isNew ? 12 : 9, transactionalId: this.transactionalId }
    for (;;) {
      try {
        await this.#add(partition)
        const { deliveredAt } = await this.client.produce(records, batch, options)
        this.#succeeded('Produce', deliveredAt)
        break
      } catch (error) {
        if (!(error instanceof ConnectionLost) || this.client.chance(0.3)) throw error
        await this.client.rest()
      }
    }
    this.#sequences.set(partition, baseSequence + records.length)
  }

  async commitPosition(group: string, partition: string, offset: number): Promise<void> {
    const { transactionalId, client } = this
    const { topic, index } = split(partition)
    await client.findCoordinator(0, group)
    if (!this.isNew && !this.#added.has(`group ${group}`)) {
      const call = [AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, 3] as const
      const value = { transactionalId, groupId: group, ...this.#producer }
      const answer = await client.ask(call, value, ({ errorCode }) => errorCode)
      this.#succeeded('AddOffsetsToTxn', answer.deliveredAt)
      this.#added.add(`group ${group}`)
    }
    const partitions = [{ partitionIndex: index, committedOffset: offset, committedMetadata: '' }]
    const value = { transactionalId, groupId: group, ...this.#producer, topics: [{ name: topic, partitions }] }
    const call = [TxnOffsetCommitRequest, TxnOffsetCommitResponse, this.isNew ? 5 : 3] as const
    const answer = await client.ask(call, value, ({ topics }) => topics[0]?.partitions[0]?.errorCode)
    this.#succeeded('TxnOffsetCommit', answer.deliveredAt)
  }

  /** Ends the transaction and tells the model what is known of it then. */
  async end(transaction: ModelTransaction, committed: boolean): Promise<void> {
    transaction.outcome = committed ? 'unknown' : 'aborted'
    const value = { transactionalId: this.transactionalId, ...this.#producer, committed }
    const call = [EndTxnRequest, EndTxnResponse, this.isNew ? 5 : 3] as const
    for (;;) {
      try {
        const answer = await this.client.ask(call, value, ({ errorCode }) => errorCode)
        this.#succeeded('EndTxn', answer.deliveredAt)
        if (committed) transaction.outcome = 'committed'
        this.#added.clear()
        if (!this.isNew) return
        this.#producer = { producerId: answer.value.producerId, producerEpoch: answer.value.producerEpoch }
        this.#sequences.clear()
        return
      } catch (error) {
        if (!(error instanceof ConnectionLost) || this.client.chance(0.3)) throw error
        await this.client.rest()
      }
    }
  }
}

/** Runs sessions until the history ends; what one cannot cope with ends it, and the next one takes over. */
export async function sessions(client: SimClient, run: () => Promise<void>): Promise<void> {
  while (!client.isEnding()) {
    try {
      await run()
    } catch (error) {
      if (error instanceof Refused) {
        client.world.note(`${client.name}: ${error.message}`)
        if (!FENCED.has(error.code)) client.model.problems.push(`${client.name}: ${error.message}`)
      } else if (!(error instanceof ConnectionLost)) throw error
    }
    client.leave()
    await client.rest()
  }
}

export interface TransactionalSetup {
  readonly isNew: boolean
  readonly partitions: readonly string[]
  readonly keyed: string
}

/** Commits, aborts, vanishes in the middle, and goes on as a zombie beside its successor. */
export async function runTransactional(client: SimClient, setup: TransactionalSetup): Promise<void> {
  const { isNew, partitions, keyed } = setup
  const tenure: Tenure = { session: 0, since: 0 }
  const group = `group-${client.name}`
  let offset = 0
  const transactionalId = client.name
  const zombies: Promise<void>[] = []
  await sessions(client, async () => {
    const timeoutMs = client.chance(0.2) ? SHORT_TIMEOUT_MS : LONG_TIMEOUT_MS
    const session = await Session.open(client, { transactionalId, isNew, tenure, timeoutMs })
    while (!client.isEnding()) {
      const transaction = client.model.begin(client.name)
      const work = async (): Promise<void> => {
        for (let writes = 1 + client.random.below(3); writes > 0; writes--) {
          const toKeyed = client.chance(0.4)
          const partition = toKeyed ? keyed : partitions[client.random.below(partitions.length)]!
          await session.write(randomRecords(client, partition, toKeyed, transaction))
        }
        if (!client.chance(0.3)) return
        transaction.position = { group, offset: ++offset, isAcknowledged: false }
        await session.commitPosition(group, partitions[0]!, offset)
        transaction.position.isAcknowledged = true
      }
      if (client.chance(0.08)) {
        // Its successor comes while it is still at work.
        zombies.push(haunt(client, session, transaction, work))
        return
      }
      await work()
      if (client.chance(0.05)) return
      await session.end(transaction, client.chance(0.7))
      if (client.chance(0.2)) await client.rest()
    }
  })
  await Promise.all(zombies)
}

/** A session that goes on, on a connection of its own, though another one has taken over or will. */
async function haunt(
  client: SimClient,
  session: Session,
  transaction: ModelTransaction,
  work: () => Promise<void>,
): Promise<void> {
  const { world, model, name, random } = client
  const ghost = new SimClient(world, model, name, random, client.isEnding)
  const haunting = session as { client: SimClient }
  haunting.client = ghost
  try {
    await work()
    await ghost.rest()
    await session.end(transaction, true)
  } catch (error) {
    if (error instanceof Refused && !FENCED.has(error.code)) model.problems.push(`zombie of ${name}: ${error.message}`)
    if (!(error instanceof Refused) && !(error instanceof ConnectionLost)) throw error
  }
}

function randomRecords(
  client: SimClient,
  partition: string,
  isKeyed: boolean,
  transaction: ModelTransaction | null,
): SentRecord[] {
  return Array.from({ length: 1 + client.random.below(3) }, () => {
    if (!isKeyed) return client.model.send(partition, { transaction })
    const key = `k${client.random.below(KEYS)}`
    return client.model.send(partition, { transaction, key, isTombstone: client.chance(0.2) })
  })
}

export interface Producer {
  readonly producerId: number
  readonly producerEpoch: number
}

export async function openIdempotent(client: SimClient): Promise<Producer> {
  const call = [InitProducerIdRequest, InitProducerIdResponse, 4] as const
  const value = { transactionalId: null, transactionTimeoutMs: 1000 }
  const given = await client.ask(call, value, ({ errorCode }) => errorCode)
  return { producerId: given.value.producerId, producerEpoch: given.value.producerEpoch }
}

/** Repeats the batch until an answer is heard. */
export async function writeUntilKnown(
  client: SimClient,
  records: readonly SentRecord[],
  batch: Producer & { readonly baseSequence: number },
): Promise<void> {
  for (;;) {
    try {
      await client.produce(records, batch, { version: 9 })
      return
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error
      await client.rest()
    }
  }
}

/** No transactions: each batch exactly once, whatever becomes of the first attempts. */
export async function runIdempotent(client: SimClient, partitions: readonly string[], keyed: string): Promise<void> {
  await sessions(client, async () => {
    const producer = await openIdempotent(client)
    const sequences = new Map<string, number>()
    while (!client.isEnding()) {
      const toKeyed = client.chance(0.3)
      const partition = toKeyed ? keyed : partitions[client.random.below(partitions.length)]!
      const records = randomRecords(client, partition, toKeyed, null)
      const baseSequence = sequences.get(partition) ?? 0
      await writeUntilKnown(client, records, { ...producer, baseSequence })
      sequences.set(partition, baseSequence + records.length)
      if (client.chance(0.5)) await client.rest()
    }
  })
}

/** Neither: what was acknowledged is there, the rest perhaps. */
export async function runPlain(client: SimClient, partitions: readonly string[], keyed: string): Promise<void> {
  await sessions(client, async () => {
    while (!client.isEnding()) {
      const toKeyed = client.chance(0.3)
      const partition = toKeyed ? keyed : partitions[client.random.below(partitions.length)]!
      await client.produce(
        randomRecords(client, partition, toKeyed, null),
        {},
        { version: 9, acks: client.chance(0.5) ? 1 : -1 },
      )
      await client.rest()
    }
  })
}

export interface Copying {
  readonly source: string
  readonly target: string
  readonly isNew: boolean
  /** Highest position whose commit was acknowledged. */
  committed: number
}

/** Reads, copies and commits its position in one transaction. */
export async function runCopier(client: SimClient, copying: Copying): Promise<void> {
  const { source, target, isNew } = copying
  const tenure: Tenure = { session: 0, since: 0 }
  const group = `group-${client.name}`
  await sessions(client, async () => {
    const options = { transactionalId: client.name, isNew, tenure, timeoutMs: LONG_TIMEOUT_MS }
    const session = await Session.open(client, options)
    let position = Math.max(0, await client.position(group, source))
    if (position < copying.committed) {
      client.model.problems.push(`${group} went back from ${copying.committed} to ${position}`)
    }
    while (!client.isEnding()) {
      const read = await client.fetch(source, position, true)
      if (read === null) throw new Error(`${source} has lost what was never deleted`)
      const { records, nextOffset } = read
      if (nextOffset === position) {
        await client.rest()
        continue
      }
      const transaction = client.model.begin(client.name)
      const copies = records.map(({ value }) => client.model.send(target, { transaction, copyOf: value }))
      if (copies.length > 0) await session.write(copies)
      transaction.position = { group, offset: nextOffset, isAcknowledged: false }
      await session.commitPosition(group, source, nextOffset)
      transaction.position.isAcknowledged = true
      if (client.chance(0.05)) return
      await session.end(transaction, client.chance(0.8))
      if (transaction.outcome !== 'committed') continue
      position = nextOffset
      copying.committed = nextOffset
    }
  })
}

/** What it saw of a partition, and from where to where. */
export interface Reading {
  readonly partition: string
  readonly isCommitted: boolean
  readonly seen: { offset: number; value: string }[]
  position: number
}

export async function runReader(client: SimClient, reading: Reading): Promise<void> {
  const { partition, isCommitted, seen } = reading
  await sessions(client, async () => {
    while (!client.isEnding()) {
      const read = await client.fetch(partition, reading.position, isCommitted)
      if (read === null) {
        // Deleted, and its client begins where the log begins.
        reading.position = Math.max(reading.position, await client.offsetAt(partition, -2))
        continue
      }
      for (const record of read.records) {
        client.model.saw(partition, record, isCommitted)
        seen.push(record)
      }
      if (read.nextOffset === reading.position) await client.rest()
      reading.position = read.nextOffset
    }
  })
}
