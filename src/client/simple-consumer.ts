/**
 * Reads partitions of one topic without a group, from given offsets, until stopped or until given ends. Used by
 * `samsa consume` and by tests.
 *
 * What must hold: one fetch loop per leader, each on a connection of its own. The next fetch is on its way while the
 * records of the last one are handled, so at most two answers per leader are in memory. When leaders change, all loops
 * end after their current answer and are dealt out anew.
 */
import { ErrorCode, isRetriable } from '../protocol/errors.ts'
import { FetchRequest, FetchResponse } from '../protocol/messages/01-fetch.ts'
import { type Infer, type RecordsData, ZERO_UUID } from '../protocol/schema.ts'
import type { Record } from '../records/batch.ts'
import type { Cluster, TopicMetadata } from './cluster.ts'
import type { Connection } from './connection.ts'
import { brokerError, isConnectionLoss, KafkaError } from './errors.ts'
import { nextOffsetAfter, readRecords } from './fetched-records.ts'
import { EARLIEST_TIMESTAMP, LATEST_TIMESTAMP, listOffsets } from './offsets.ts'
import { DEFAULT_RETRY, sleep } from './retry.ts'

export interface ConsumerOptions {
  readonly topic: TopicMetadata
  /** First offset to read, per partition. */
  readonly from: ReadonlyMap<number, number>
  /** Offset to stop before, per partition; partitions without one are read on and on. */
  readonly until?: ReadonlyMap<number, number>
  readonly readCommitted?: boolean
  readonly maxWaitMs?: number
  readonly minBytes?: number
  readonly maxBytes?: number
  readonly partitionMaxBytes?: number
  /** Records between these offsets are gone: retention was faster than the reader. */
  readonly onSkipped?: (partition: number, from: number, to: number) => void
}

/** What one fetch brought for one partition. Records are made as they are iterated; buffers stay valid while held. */
export interface FetchedRecords {
  readonly partition: number
  readonly records: Iterable<Record>
  readonly highWatermark: number
  /** Where the next fetch of this partition begins. */
  readonly nextOffset: number
}

export type RecordsHandler = (fetched: FetchedRecords) => Promise<void> | void

const DEFAULT_MAX_WAIT_MS = 500
const DEFAULT_MAX_BYTES = 16 * 1024 * 1024
const DEFAULT_PARTITION_MAX_BYTES = 4 * 1024 * 1024
/** From this version on, Fetch names topics by id. */
const FIRST_FETCH_BY_ID = 13
/** Beyond the long poll itself. */
const ANSWER_TIMEOUT_MS = 30_000

type FetchAnswer = Infer<typeof FetchResponse>
type PartitionAnswer = FetchAnswer['responses'][number]['partitions'][number]

interface Position {
  readonly partition: number
  offset: number
  readonly until: number
}

export class SimpleConsumer {
  private readonly cluster: Cluster
  private readonly options: ConsumerOptions
  private topic: TopicMetadata
  private readonly positions: Position[]
  private readonly connections = new Set<Connection>()
  private stopped = false
  private regroup = false
  private lastSuccessMs = performance.now()

  constructor(cluster: Cluster, options: ConsumerOptions) {
    this.cluster = cluster
    this.options = options
    this.topic = options.topic
    this.positions = [...options.from].map(([partition, offset]) => {
      return { partition, offset, until: options.until?.get(partition) ?? Number.POSITIVE_INFINITY }
    })
  }

  /** Resolves when stopped, or when every partition has reached its end. */
  async run(handle: RecordsHandler): Promise<void> {
    try {
      while (!this.stopped) {
        const byLeader = Map.groupBy(this.unfinished(this.positions), ({ partition }) => this.leaderOf(partition))
        if (byLeader.size === 0) return
        this.regroup = false
        await Promise.all([...byLeader].map(([leaderId, positions]) => this.follow(leaderId, positions, handle)))
        if (this.regroup && !this.stopped) await this.refreshLeaders()
      }
    } finally {
      await this.closeConnections()
    }
  }

  /** Ends `run` without waiting for a long poll. Records that were fetched and not handled yet are dropped. */
  stop(): void {
    this.stopped = true
    void this.closeConnections()
  }

  private async closeConnections(): Promise<void> {
    const open = [...this.connections]
    this.connections.clear()
    await Promise.all(open.map((connection) => connection.close()))
  }

  private unfinished(positions: readonly Position[]): Position[] {
    return positions.filter(({ offset, until }) => offset < until)
  }

  private leaderOf(partition: number): number {
    return this.topic.partitions.find((row) => row.partitionIndex === partition)?.leaderId ?? -1
  }

  private async refreshLeaders(): Promise<void> {
    if (performance.now() - this.lastSuccessMs > this.cluster.timeoutMs) {
      const what = `topic '${this.options.topic.name}': no leader answered within ${this.cluster.timeoutMs} ms`
      throw new KafkaError('ERR_TIMEOUT', what)
    }
    await sleep(DEFAULT_RETRY.backoffMs)
    this.topic = await this.cluster.topic(this.options.topic.name ?? '')
  }

  /** Reads from one leader until its partitions are finished or leaders have to be looked up again. */
  private async follow(leaderId: number, positions: readonly Position[], handle: RecordsHandler): Promise<void> {
    let connection: Connection | null = null
    try {
      connection = await this.cluster.ownConnection(leaderId)
      this.connections.add(connection)
      let next: Promise<FetchAnswer> | null = this.fetch(connection, positions)
      while (next !== null) {
        const answer: FetchAnswer = await next
        this.lastSuccessMs = performance.now()
        const fetched = await this.take(answer, positions)
        const goOn = !this.stopped && !this.regroup && this.unfinished(positions).length > 0
        next = goOn ? this.fetch(connection, positions) : null
        // Its failure is looked at once this answer's records are handled.
        next?.catch(() => undefined)
        for (const each of fetched) {
          if (this.stopped) return
          await handle(each)
        }
      }
    } catch (error) {
      if (this.stopped) return
      if (!isConnectionLoss(error)) throw error
      this.regroup = true
    } finally {
      if (connection !== null && this.connections.delete(connection)) await connection.close()
    }
  }

  private fetch(connection: Connection, positions: readonly Position[]): Promise<FetchAnswer> {
    const { options, topic } = this
    const maxWaitMs = options.maxWaitMs ?? DEFAULT_MAX_WAIT_MS
    const byId = connection.versionFor(FetchRequest) >= FIRST_FETCH_BY_ID && topic.topicId !== ZERO_UUID
    return connection.send(
      FetchRequest,
      FetchResponse,
      {
        maxWaitMs,
        minBytes: options.minBytes ?? 1,
        maxBytes: options.maxBytes ?? DEFAULT_MAX_BYTES,
        isolationLevel: options.readCommitted === true ? 1 : 0,
        topics: [
          {
            ...(byId ? { topicId: topic.topicId } : { topic: topic.name ?? '' }),
            partitions: this.unfinished(positions).map(({ partition, offset }) => ({
              partition,
              fetchOffset: offset,
              partitionMaxBytes: options.partitionMaxBytes ?? DEFAULT_PARTITION_MAX_BYTES,
            })),
          },
        ],
        forgottenTopicsData: [],
      },
      { timeoutMs: maxWaitMs + ANSWER_TIMEOUT_MS, ...(byId ? {} : { maxVersion: FIRST_FETCH_BY_ID - 1 }) },
    )
  }

  /** Moves the positions past what came, and notes what has to be handled. */
  private async take(answer: FetchAnswer, positions: readonly Position[]): Promise<FetchedRecords[]> {
    if (answer.errorCode !== 0) throw brokerError(answer.errorCode, `fetch from topic '${this.topic.name}'`)
    const fetched: FetchedRecords[] = []
    for (const row of answer.responses.flatMap((topic) => topic.partitions)) {
      const position = positions.find(({ partition }) => partition === row.partitionIndex)
      if (position === undefined) continue
      if (row.errorCode !== 0) await this.takeError(row.errorCode, position)
      else fetched.push(...this.takeRecords(row, position))
    }
    return fetched
  }

  private takeRecords(row: PartitionAnswer, position: Position): FetchedRecords[] {
    const bytes = joined(row.records ?? [])
    const fetchOffset = position.offset
    position.offset = nextOffsetAfter(bytes, fetchOffset)
    if (position.offset === fetchOffset) return []
    const aborted = this.options.readCommitted === true ? (row.abortedTransactions ?? []) : null
    const { partition, until } = position
    const records = before(until, readRecords(bytes, fetchOffset, aborted))
    return [{ partition, records, highWatermark: row.highWatermark, nextOffset: position.offset }]
  }

  private async takeError(errorCode: number, position: Position): Promise<void> {
    const { partition } = position
    const what = `fetch ${this.topic.name}-${partition} at offset ${position.offset}`
    if (errorCode === ErrorCode.OFFSET_OUT_OF_RANGE) {
      const [start, end] = await Promise.all([
        listOffsets(this.cluster, this.topic, [partition], EARLIEST_TIMESTAMP),
        listOffsets(this.cluster, this.topic, [partition], LATEST_TIMESTAMP),
      ])
      const first = start.get(partition) ?? 0
      if (position.offset > first) {
        throw brokerError(errorCode, what, `the partition holds offsets from ${first} to before ${end.get(partition)}`)
      }
      this.options.onSkipped?.(partition, position.offset, first)
      position.offset = first
      return
    }
    if (!isRetriable(errorCode)) throw brokerError(errorCode, what)
    this.regroup = true
  }
}

function joined(views: RecordsData): Buffer {
  const only = views.length === 1 ? views[0] : undefined
  return only === undefined ? Buffer.concat(views) : Buffer.from(only.buffer, only.byteOffset, only.byteLength)
}

function* before(until: number, records: Iterable<Record>): Generator<Record> {
  for (const record of records) {
    if (record.offset >= until) return
    yield record
  }
}
