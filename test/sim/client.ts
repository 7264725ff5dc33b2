/**
 * What all simulated clients share: asking until the answer is another than "not now", over connections that break, and batches of records that
 * the model knows.
 */

import { ErrorCode, errorName } from '../../src/protocol/errors.ts'
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/00-produce.ts'
import { FetchRequest, FetchResponse } from '../../src/protocol/messages/01-fetch.ts'
import { ListOffsetsRequest, ListOffsetsResponse } from '../../src/protocol/messages/02-list-offsets.ts'
import { OffsetFetchRequest, OffsetFetchResponse } from '../../src/protocol/messages/09-offset-fetch.ts'
import { FindCoordinatorRequest, FindCoordinatorResponse } from '../../src/protocol/messages/10-find-coordinator.ts'
import type { Infer, Input, MessageSchema } from '../../src/protocol/schema.ts'
import { type BatchInput, buildBatch } from '../../src/records/batch.ts'
import type { SeededRandom } from '../../src/storage/random-seeded.ts'
import { nextOffsetAfter, readRecords } from '../support/fetched-records.ts'
import type { Model, SeenRecord, SentRecord } from './model.ts'
import type { Wire } from './wire.ts'
import type { World } from './world.ts'

const NOT_NOW: ReadonlySet<number> = new Set([
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.LEADER_NOT_AVAILABLE,
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.NOT_ENOUGH_REPLICAS,
  ErrorCode.CONCURRENT_TRANSACTIONS,
  ErrorCode.UNSTABLE_OFFSET_COMMIT,
  ErrorCode.KAFKA_STORAGE_ERROR,
])

/** The topic that is deleted and made anew: only its ids tell which one is meant. */
export const FLEETING = 'fleeting'

/** The broker said no: this session cannot go on. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly code: number

  constructor(what: string, code: number) {
    super(`${what}: ${errorName(code)}`)
    this.code = code
  }
}

type Call<Request extends MessageSchema, Response extends MessageSchema> = readonly [Request, Response, number]

export class SimClient {
  readonly world: World
  readonly model: Model
  readonly name: string
  readonly random: SeededRandom
  /** Nothing new begins. */
  readonly isEnding: () => boolean
  /** For members of groups: what they have given up waiting for must not speak for them later. */
  dropsLate = false
  #wire: Wire | null = null

  constructor(world: World, model: Model, name: string, random: SeededRandom, isEnding: () => boolean) {
    this.world = world
    this.model = model
    this.name = name
    this.random = random
    this.isEnding = isEnding
  }

  chance(share: number): boolean {
    return this.random.next() < share
  }

  get wire(): Wire {
    if (this.#wire === null || this.#wire.isBroken) {
      this.#wire = this.world.connect(this.name, this)
    }
    return this.#wire
  }

  /** Leaves its connection behind: what was sent may arrive later. */
  leave(): void {
    this.#wire?.abandon({ drop: false })
    this.#wire = null
  }

  rest(): Promise<void> {
    return this.world.rest()
  }

  /** Asks until the answer is another than "not now"; throws `Refused` unless that is 0, ConnectionLost if nobody knows. */
  async ask<Request extends MessageSchema, Response extends MessageSchema>(
    [request, response, version]: Call<Request, Response>,
    value: Input<Request>,
    codeOf: (answer: Infer<Response>) => number | undefined,
  ): Promise<{ readonly value: Infer<Response>; readonly deliveredAt: number }> {
    for (;;) {
      const answer = await this.wire.ask(request, response, version, value)
      const code = codeOf(answer.value) ?? ErrorCode.NONE
      if (code === ErrorCode.NONE) return answer
      if (!NOT_NOW.has(code)) throw new Refused(request.name, code)
      await this.rest()
    }
  }

  async findCoordinator(keyType: number, key: string): Promise<void> {
    const call = [FindCoordinatorRequest, FindCoordinatorResponse, 4] as const
    await this.ask(call, { keyType, coordinatorKeys: [key] }, ({ coordinators }) => coordinators[0]?.errorCode)
  }

  /** Returns the base offset and when the request arrived. */
  async produce(
    records: readonly SentRecord[],
    batch: Partial<BatchInput>,
    options: { readonly version: number; readonly transactionalId?: string; readonly acks?: number },
  ): Promise<{ readonly baseOffset: number; readonly deliveredAt: number }> {
    const { partition } = records[0]!
    const bytes = buildBatch({ ...batch, records: records.map((record) => this.#encoded(record)) })
    const partitionData = [{ index: split(partition).index, records: [bytes] }]
    const topicData = [{ ...naming(partition), partitionData }]
    const { transactionalId = null, acks = -1, version } = options
    const answer = await this.ask(
      [ProduceRequest, ProduceResponse, isById(partition) ? BY_ID.produce : version] as const,
      { transactionalId, acks, timeoutMs: 5000, topicData },
      ({ responses }) => responses[0]?.partitionResponses[0]?.errorCode,
    )
    const row = answer.value.responses[0]!.partitionResponses[0]!
    this.model.acknowledge(records, row.baseOffset)
    return { baseOffset: row.baseOffset, deliveredAt: answer.deliveredAt }
  }

  #encoded(record: SentRecord) {
    const { value, key, isTombstone } = record
    const nowMs = this.world.clock.now()
    record.sentMs = Math.min(record.sentMs, nowMs)
    return {
      timestamp: nowMs,
      key: key === null ? null : Buffer.from(key),
      value: isTombstone ? null : Buffer.from(value),
      headers: isTombstone ? [{ key: value, value: null }] : [],
    }
  }

  /** What a reader gets from the offset on, and where it reads on. Null: the offset is below the log's start. */
  async fetch(
    partition: string,
    fetchOffset: number,
    isCommitted: boolean,
  ): Promise<{ records: SeenRecord[]; nextOffset: number; logStart: number } | null> {
    const { index } = split(partition)
    const asked = { partition: index, fetchOffset, partitionMaxBytes: 1000 + this.random.below(8000) }
    const { name: topic = '', topicId } = naming(partition)
    const value = {
      maxWaitMs: 20,
      minBytes: 1,
      maxBytes: 20_000,
      isolationLevel: isCommitted ? 1 : 0,
      topics: [{ topic, ...(topicId === undefined ? {} : { topicId }), partitions: [asked] }],
    }
    const call = [FetchRequest, FetchResponse, isById(partition) ? BY_ID.fetch : 11] as const
    try {
      const answer = await this.ask(call, value, ({ responses }) => responses[0]?.partitions[0]?.errorCode)
      const row = answer.value.responses[0]?.partitions[0]
      const bytes = Buffer.concat(row?.records ?? [])
      const aborted = isCommitted ? (row?.abortedTransactions ?? []) : null
      const records = Array.from(readRecords(bytes, fetchOffset, aborted), ({ offset, value, headers }) => ({
        offset,
        value: value === null ? headers[0]!.key : String(value),
      }))
      return { records, nextOffset: nextOffsetAfter(bytes, fetchOffset), logStart: row?.logStartOffset ?? 0 }
    } catch (error) {
      if (error instanceof Refused && error.code === ErrorCode.OFFSET_OUT_OF_RANGE) return null
      throw error
    }
  }

  /** The partition by the name that the model knows it by. */
  nameOf(partition: string): string {
    const name = this.world.process.context?.image.topicById(topicIdOf(partition))?.name
    return name === undefined || name === FLEETING ? partition : `${name}-${split(partition).index}`
  }

  /** The earliest (-2) or latest (-1) offset. */
  async offsetAt(partition: string, timestamp: -1 | -2, isCommitted = false): Promise<number> {
    const { topic, index } = split(partition)
    const topics = [{ name: topic, partitions: [{ partitionIndex: index, timestamp }] }]
    const call = [ListOffsetsRequest, ListOffsetsResponse, 4] as const
    const value = { replicaId: -1, isolationLevel: isCommitted ? 1 : 0, topics }
    const answer = await this.ask(call, value, (offsets) => offsets.topics[0]?.partitions[0]?.errorCode)
    return answer.value.topics[0]?.partitions[0]?.offset ?? -1
  }

  /** The group's committed position, once no transaction may change it any more; -1 if there is none. */
  async position(groupId: string, partition: string): Promise<number> {
    const { topic, index } = split(partition)
    await this.findCoordinator(0, groupId)
    const groups = [{ groupId, topics: [{ name: topic, partitionIndexes: [index] }] }]
    const call = [OffsetFetchRequest, OffsetFetchResponse, 8] as const
    const codeOf = (answer: Infer<typeof OffsetFetchResponse>) =>
      answer.groups[0]?.errorCode || answer.groups[0]?.topics[0]?.partitions[0]?.errorCode
    const answer = await this.ask(call, { groups, requireStable: true }, codeOf)
    return answer.value.groups[0]?.topics[0]?.partitions[0]?.committedOffset ?? -1
  }
}

const BY_ID = { produce: 13, fetch: 13 } as const
const ID_PREFIX = 'id:'

/** Partitions of topics that are deleted and made anew go by the id of their topic: `id:TOPIC_ID-INDEX`. */
export function partitionById(topicId: string, index: number): string {
  return `${ID_PREFIX}${topicId}-${index}`
}

export function isById(partition: string): boolean {
  return partition.startsWith(ID_PREFIX)
}

export function topicIdOf(partition: string): string {
  return split(partition).topic.slice(ID_PREFIX.length)
}

function naming(partition: string): { readonly name?: string; readonly topicId?: string } {
  return isById(partition) ? { topicId: topicIdOf(partition) } : { name: split(partition).topic }
}

export function split(partition: string): { topic: string; index: number } {
  const dash = partition.lastIndexOf('-')
  return { topic: partition.slice(0, dash), index: Number(partition.slice(dash + 1)) }
}
