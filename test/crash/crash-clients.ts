/**
 * Clients that keep working while the broker under them is killed: an idempotent producer with several requests in flight
 * that sends again what was not acknowledged, and a group that commits ever higher offsets. Both write to the ledger
 * what they were promised, at the moment they are.
 */
import { Connection } from '../../src/client/connection.ts'
import { ErrorCode, errorName } from '../../src/protocol/errors.ts'
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/00-produce.ts'
import { FetchRequest, FetchResponse } from '../../src/protocol/messages/01-fetch.ts'
import { OffsetCommitRequest, OffsetCommitResponse } from '../../src/protocol/messages/08-offset-commit.ts'
import { OffsetFetchRequest, OffsetFetchResponse } from '../../src/protocol/messages/09-offset-fetch.ts'
import { FindCoordinatorRequest, FindCoordinatorResponse } from '../../src/protocol/messages/10-find-coordinator.ts'
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/19-create-topics.ts'
import { InitProducerIdRequest, InitProducerIdResponse } from '../../src/protocol/messages/22-init-producer-id.ts'
import { buildBatch } from '../../src/records/batch.ts'
import { type Ledger, recordsOf } from './ledger.ts'

const CALM_VERSIONS = {
  produce: 9,
  fetch: 11,
  commit: 7,
  committed: 7,
  findCoordinator: 3,
  createTopics: 4,
  initProducerId: 4,
}

/** Codes that say "not now": the broker is starting, or its coordinator is. */
const TRANSIENT = new Set<number>([
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.LEADER_NOT_AVAILABLE,
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.KAFKA_STORAGE_ERROR,
])

/** Where the broker listens; changed by the test when it comes back elsewhere. Stops when `ended`. */
export interface Address {
  port: number
  ended: boolean
}

/** Runs `session` on one connection after the other until it says it is finished. */
async function throughCrashes(
  address: Address,
  session: (connection: Connection) => Promise<'finished'>,
): Promise<void> {
  for (;;) {
    let connection: Connection | null = null
    try {
      connection = await Connection.connect({ host: '127.0.0.1', port: address.port, timeoutMs: 10_000 })
      await session(connection)
      return
    } catch (error) {
      if (error instanceof Broken) throw error
      // The broker was killed: try again until it is back.
      await Bun.sleep(5)
    } finally {
      await connection?.close()
    }
  }
}

/** A promise was broken; never retried. */
export class Broken extends Error {}

export interface ProducerSetup {
  readonly name: string
  readonly topic: string
  readonly partition: number
  readonly inFlight: number
  readonly recordsPerBatch: number
  readonly valueBytes: number
}

export async function runProducer(address: Address, ledger: Ledger, setup: ProducerSetup): Promise<number> {
  const identity: { producerId: number; producerEpoch: number } = { producerId: -1, producerEpoch: -1 }
  /** Batches below this index are acknowledged. */
  let acknowledged = 0
  const values = (batch: number) =>
    Array.from(
      { length: setup.recordsPerBatch },
      (_, index) => `${setup.name}:${batch * setup.recordsPerBatch + index}`,
    )

  const send = (connection: Connection, batch: number) =>
    connection.send(
      ProduceRequest,
      ProduceResponse,
      {
        transactionalId: null,
        acks: -1,
        timeoutMs: 5_000,
        topicData: [
          {
            name: setup.topic,
            partitionData: [
              {
                index: setup.partition,
                records: [
                  buildBatch({
                    ...identity,
                    baseSequence: batch * setup.recordsPerBatch,
                    records: values(batch).map((value) => ({
                      timestamp: Date.now(),
                      key: null,
                      value: Buffer.from(value),
                      headers: [{ key: 'padding', value: Buffer.alloc(setup.valueBytes, 0x61) }],
                    })),
                  }),
                ],
              },
            ],
          },
        ],
      },
      { version: CALM_VERSIONS.produce },
    )

  await throughCrashes(address, async (connection) => {
    if (identity.producerId < 0) Object.assign(identity, await initProducerId(connection))
    while (!address.ended) {
      const first = acknowledged
      const answers = await Promise.all(
        Array.from({ length: setup.inFlight }, (_, index) => send(connection, first + index)),
      )
      for (const [index, answer] of answers.entries()) {
        const row = answer.responses[0]?.partitionResponses[0]
        if (row === undefined) throw new Broken(`${setup.name}: an answer without a row`)
        if (row.errorCode !== 0) {
          if (!TRANSIENT.has(row.errorCode))
            throw new Broken(`${setup.name}: batch ${first + index}: ${errorName(row.errorCode)}`)
          await Bun.sleep(20)
          break
        }
        ledger.recordsAcknowledged(setup.partition, row.baseOffset, values(first + index))
        acknowledged = first + index + 1
      }
    }
    return 'finished'
  })
  return acknowledged
}

export async function runCommitter(address: Address, ledger: Ledger, group: string, topic: string): Promise<number> {
  let next = 0
  await throughCrashes(address, async (connection) => {
    await findCoordinator(connection, group)
    const committed = await committedOffset(connection, group, topic)
    if (committed !== null) {
      const wrong = ledger.checkCommit(group, committed)
      if (wrong !== null) throw new Broken(wrong)
    }
    while (!address.ended) {
      ledger.commitSent(group, next)
      const answer = await connection.send(
        OffsetCommitRequest,
        OffsetCommitResponse,
        {
          groupId: group,
          generationIdOrMemberEpoch: -1,
          memberId: '',
          groupInstanceId: null,
          topics: [
            {
              name: topic,
              partitions: [
                { partitionIndex: 0, committedOffset: next, committedLeaderEpoch: -1, committedMetadata: '' },
              ],
            },
          ],
        },
        { version: CALM_VERSIONS.commit },
      )
      const errorCode = answer.topics[0]?.partitions[0]?.errorCode ?? -1
      if (errorCode === 0) {
        ledger.commitAcknowledged(group, next)
        next++
      } else if (TRANSIENT.has(errorCode)) await Bun.sleep(20)
      else throw new Broken(`group ${group}: ${errorName(errorCode)}`)
    }
    return 'finished'
  })
  return next
}

/** Null while the group has no commit, or its coordinator is still loading. */
export async function committedOffset(connection: Connection, group: string, topic: string): Promise<number | null> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const answer = await connection.send(
      OffsetFetchRequest,
      OffsetFetchResponse,
      { groupId: group, topics: [{ name: topic, partitionIndexes: [0] }], requireStable: false },
      { version: CALM_VERSIONS.committed },
    )
    if (answer.errorCode === 0) {
      const offset = answer.topics[0]?.partitions[0]?.committedOffset ?? -1
      return offset < 0 ? null : offset
    }
    if (!TRANSIENT.has(answer.errorCode))
      throw new Broken(`group ${group}: OffsetFetch: ${errorName(answer.errorCode)}`)
    await Bun.sleep(10)
  }
  throw new Broken(`group ${group}: the coordinator did not become ready`)
}

export async function createTopic(
  connection: Connection,
  name: string,
  numPartitions: number,
  configs: Record<string, string> = {},
): Promise<void> {
  const answer = await connection.send(
    CreateTopicsRequest,
    CreateTopicsResponse,
    {
      topics: [
        {
          name,
          numPartitions,
          replicationFactor: 1,
          assignments: [],
          configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
        },
      ],
      timeoutMs: 10_000,
      validateOnly: false,
    },
    { version: CALM_VERSIONS.createTopics },
  )
  const errorCode = answer.topics[0]?.errorCode ?? -1
  if (errorCode !== 0) throw new Broken(`creating ${name}: ${errorName(errorCode)}`)
}

export async function findCoordinator(connection: Connection, group: string): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const answer = await connection.send(
      FindCoordinatorRequest,
      FindCoordinatorResponse,
      { key: group, keyType: 0 },
      { version: CALM_VERSIONS.findCoordinator },
    )
    if (answer.errorCode === 0) return
    if (!TRANSIENT.has(answer.errorCode)) throw new Broken(`coordinator of ${group}: ${errorName(answer.errorCode)}`)
    await Bun.sleep(10)
  }
  throw new Broken(`coordinator of ${group} did not become available`)
}

async function initProducerId(connection: Connection): Promise<{ producerId: number; producerEpoch: number }> {
  const answer = await connection.send(
    InitProducerIdRequest,
    InitProducerIdResponse,
    { transactionalId: null, transactionTimeoutMs: 60_000 },
    { version: CALM_VERSIONS.initProducerId },
  )
  if (answer.errorCode !== 0) throw new Broken(`InitProducerId: ${errorName(answer.errorCode)}`)
  return { producerId: answer.producerId, producerEpoch: answer.producerEpoch }
}

/** Everything in a partition, from its first offset to its high watermark. */
export async function readPartition(
  connection: Connection,
  topic: string,
  partition: number,
): Promise<{ offset: number; value: string }[]> {
  const records: { offset: number; value: string }[] = []
  for (;;) {
    const fetchOffset = records.at(-1) === undefined ? 0 : (records.at(-1)?.offset ?? -1) + 1
    const answer = await connection.send(
      FetchRequest,
      FetchResponse,
      {
        replicaId: -1,
        maxWaitMs: 0,
        minBytes: 0,
        maxBytes: 4 << 20,
        isolationLevel: 0,
        sessionId: 0,
        sessionEpoch: -1,
        topics: [
          {
            topic,
            partitions: [
              { partition, currentLeaderEpoch: -1, fetchOffset, logStartOffset: -1, partitionMaxBytes: 4 << 20 },
            ],
          },
        ],
        forgottenTopicsData: [],
        rackId: '',
      },
      { version: CALM_VERSIONS.fetch },
    )
    const row = answer.responses[0]?.partitions[0]
    if (row === undefined) throw new Broken(`fetching ${topic}-${partition}: no row`)
    if (row.errorCode !== 0)
      throw new Broken(`fetching ${topic}-${partition} at ${fetchOffset}: ${errorName(row.errorCode)}`)
    const batches = Buffer.concat(row.records ?? [])
    // Batches are returned whole: what lies before the offset asked for has been read already.
    records.push(...recordsOf(batches).filter((record) => record.offset >= fetchOffset))
    if (fetchOffset >= row.highWatermark) return records
  }
}
