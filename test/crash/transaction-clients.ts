/**
 * Clients at random: producers that commit, abort, vanish in the middle and come back as zombies; loops that read, copy and commit
 * their position in one transaction; readers that note what they see as it comes. All go on through the broker's deaths.
 */
import type { Connection } from '../../src/client/connection.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import type { Random } from '../support/random.ts'
import type { LedgerTransaction, TransactionLedger } from './transaction-ledger.ts'
import {
  type Address,
  connect,
  type ReadRecord,
  Refused,
  readCommitted,
  stableOffset,
  TransactionSession,
} from './transaction-session.ts'

export interface ClientSetup {
  readonly name: string
  /** In front of the ids of its transactions: of each life of a client another one. */
  readonly label: string
  /** Transaction version 2. */
  readonly isNew: boolean
  readonly random: Random
  /** Partition names are `topic-index`. */
  readonly topic: string
  readonly partitions: number
}

const TIMEOUT_MS = 60_000
/** Of those that are left to the coordinator's clock. */
const SHORT_TIMEOUT_MS = 300
const MAX_SESSION_TRANSACTIONS = 30

/** What a session that was replaced is refused with. */
const FENCED = new Set<number>([
  ErrorCode.PRODUCER_FENCED,
  ErrorCode.INVALID_PRODUCER_EPOCH,
  ErrorCode.INVALID_PRODUCER_ID_MAPPING,
  ErrorCode.INVALID_TXN_STATE,
])

/** A promise was broken; ends the test. */
export class Broken extends Error {}

/** Runs sessions until the test ends; what a session cannot cope with ends it, and the next one takes over. */
async function sessions(address: Address, run: (connection: Connection) => Promise<void>): Promise<void> {
  while (!address.ended) {
    let connection: Connection | null = null
    try {
      connection = await connect(address)
      await run(connection)
    } catch (error) {
      if (error instanceof Broken) throw error
      if (error instanceof Refused && !FENCED.has(error.code)) throw new Broken(error.message)
      await Bun.sleep(5)
    } finally {
      await connection?.close()
    }
  }
}

/** Ends the transaction and notes what is known of it then. */
async function end(
  address: Address,
  session: TransactionSession,
  transaction: LedgerTransaction,
  random: Random,
): Promise<void> {
  const committed = random.chance(0.7)
  // From here on a commit may have happened, whatever becomes of the answer.
  if (committed) transaction.outcome = 'unknown'
  try {
    await session.end(committed)
    transaction.outcome = committed ? 'committed' : 'aborted'
  } catch (error) {
    if (!committed || error instanceof Refused || address.ended || random.chance(0.5)) throw error
    // The connection broke: a client that asks again is told the truth.
    const connection = await connect(address)
    try {
      await session.end(true, connection)
      transaction.outcome = 'committed'
    } finally {
      await connection.close()
    }
    throw error
  }
}

export async function runProducer(address: Address, ledger: TransactionLedger, setup: ClientSetup): Promise<number> {
  const { name, label, isNew, random, topic, partitions } = setup
  let count = 0
  let zombie: Zombie | null = null
  await sessions(address, async (connection) => {
    // Now and then under an id of its own that nobody takes over: only the coordinator's clock ends what it leaves behind.
    const isLoner = random.chance(0.2)
    const id = isLoner ? `${name}-alone-${count}` : name
    const timeoutMs = isLoner ? SHORT_TIMEOUT_MS : TIMEOUT_MS
    const session = await TransactionSession.open(connection, id, { isNew, timeoutMs })
    // Whoever had the id before is fenced now.
    if (zombie !== null && !isLoner) {
      const revenant = zombie
      zombie = null
      await haunt(address, revenant, setup)
    }
    for (let round = 0; round < MAX_SESSION_TRANSACTIONS && !address.ended; round++) {
      const transaction = ledger.begin(`${label}.${count++}`)
      for (let writes = 1 + random.below(4); writes > 0; writes--) {
        const partition = random.below(partitions)
        const values = transaction.next(`${topic}-${partition}`, 1 + random.below(5))
        await session.write(topic, partition, values)
      }
      if (random.chance(0.1)) {
        // Vanishes in the middle.
        if (!isLoner && random.chance(0.5)) zombie = { session, transaction }
        return
      }
      await end(address, session, transaction, random)
    }
  })
  return count
}

interface Zombie {
  readonly session: TransactionSession
  readonly transaction: LedgerTransaction
}

/** A session that was fenced goes on as if nothing had happened: it must get nowhere. Its own connection is gone, so it gets another. */
async function haunt(address: Address, { session, transaction }: Zombie, { name }: ClientSetup): Promise<void> {
  const connection = await connect(address)
  try {
    await session.end(true, connection)
  } catch (error) {
    if (error instanceof Refused && FENCED.has(error.code)) return
    throw error
  } finally {
    await connection.close()
  }
  throw new Broken(`${name}: a fenced session committed ${transaction.id}`)
}

export interface CopierSetup extends ClientSetup {
  readonly partition: number
  readonly target: string
}

export interface Copied {
  /** The highest position that a commit was acknowledged for. */
  committed: number
  transactions: number
}

/** Copies one partition; its position is committed with the copy, in one transaction. */
export async function runCopier(
  address: Address,
  ledger: TransactionLedger,
  setup: CopierSetup,
  copied: Copied = { committed: 0, transactions: 0 },
): Promise<Copied> {
  const { name, label, isNew, random, topic, partition, target } = setup
  await sessions(address, async (connection) => {
    const session = await TransactionSession.open(connection, name, { isNew, timeoutMs: TIMEOUT_MS })
    let position = await stableOffset(connection, name, topic, partition)
    if (position < copied.committed) {
      throw new Broken(`${name}: the position went back from ${copied.committed} to ${position}`)
    }
    while (!address.ended) {
      const { records, nextOffset } = await readCommitted(connection, topic, partition, position)
      if (nextOffset === position) continue
      const transaction = ledger.begin(`${label}.${copied.transactions++}`)
      const values = records.map(({ value }) => value)
      if (values.length > 0) {
        transaction.wrote(`${target}-${partition}`, values)
        await session.write(target, partition, values)
      }
      await session.commitOffset(name, topic, partition, nextOffset)
      if (random.chance(0.05)) return
      await end(address, session, transaction, random)
      if (transaction.outcome === 'committed') {
        position = nextOffset
        copied.committed = position
      }
    }
  })
  return copied
}

/** Everything that read_committed shows of a partition, noted as it comes. */
export async function runReader(address: Address, topic: string, partition: number): Promise<ReadRecord[]> {
  const seen: ReadRecord[] = []
  let position = 0
  await sessions(address, async (connection) => {
    while (!address.ended) {
      const { records, nextOffset } = await readCommitted(connection, topic, partition, position)
      seen.push(...records)
      position = nextOffset
    }
  })
  return seen
}
