/** A broker inside the test process, in memory unless told otherwise, and what tests say to it. */

import { Broker, type BrokerOptions } from '../../../src/broker/server.ts'
import { Connection } from '../../../src/client/connection.ts'
import { ProduceRequest, ProduceResponse } from '../../../src/protocol/messages/00-produce.ts'
import { FetchRequest, FetchResponse } from '../../../src/protocol/messages/01-fetch.ts'
import { CreateTopicsRequest, CreateTopicsResponse } from '../../../src/protocol/messages/19-create-topics.ts'
import { type Infer, type Input, ZERO_UUID } from '../../../src/protocol/schema.ts'
import {
  type BatchInput,
  buildBatch,
  iterateRecords,
  type Record as LogRecord,
  readBatchHeader,
} from '../../../src/records/batch.ts'
import { type Logger, silentLogger } from '../../../src/storage/logger.ts'

export type TestBrokerOptions = Partial<BrokerOptions> & { readonly set?: Record<string, string> }

export async function startBroker({ set = {}, ...options }: TestBrokerOptions = {}): Promise<Broker> {
  return Broker.start({
    listen: { host: '127.0.0.1', port: 0 },
    dataDirectory: '/unused',
    storage: 'memory',
    durability: 'memory',
    nodeId: 1,
    config: new Map(Object.entries(set)),
    logger: silentLogger,
    ...options,
  })
}

/** Remembers what was logged, one string per line. */
export function recordingLogger(lines: string[]): Logger {
  const log =
    (level: string): Logger['info'] =>
    (message, fields) => {
      lines.push(`${level} ${message} ${fields === undefined ? '' : JSON.stringify(fields)}`)
    }
  return { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') }
}

export function connect(broker: Broker, clientId: string | null = 'test'): Promise<Connection> {
  return Connection.connect({ host: broker.host, port: broker.port, clientId, timeoutMs: 10_000 })
}

/** Creates the topic and returns its id. */
export async function createTopic(
  connection: Connection,
  name: string,
  options: { partitions?: number; configs?: Record<string, string> } = {},
): Promise<string> {
  const configs = Object.entries(options.configs ?? {}).map(([key, value]) => ({ name: key, value }))
  const topic = { name, numPartitions: options.partitions ?? 1, replicationFactor: 1, assignments: [], configs }
  const request = { topics: [topic], timeoutMs: 5_000, validateOnly: false }
  const answer = await connection.send(CreateTopicsRequest, CreateTopicsResponse, request)
  const result = answer.topics[0]
  if (result?.errorCode !== 0) throw new Error(`creating ${name}: ${result?.errorCode} ${result?.errorMessage}`)
  return result.topicId
}

export function batchOf(values: readonly string[], options: Partial<BatchInput> = {}): Buffer {
  const records = values.map((value) => ({ timestamp: Date.now(), key: null, value: Buffer.from(value) }))
  return buildBatch({ records, ...options })
}

/** One batch of `valueBytes` in one record. */
export function batchOfSize(valueBytes: number): Buffer {
  return buildBatch({ records: [{ timestamp: Date.now(), key: null, value: Buffer.alloc(valueBytes, 'v') }] })
}

export interface ProduceTo {
  readonly topic?: string
  readonly topicId?: string
  readonly partition?: number
  readonly acks?: number
  readonly version?: number
  readonly transactionalId?: string
}

export type ProducedPartition = Infer<typeof ProduceResponse>['responses'][number]['partitionResponses'][number]

export function produceRequest(records: readonly Buffer[] | null, to: ProduceTo): Input<typeof ProduceRequest> {
  return {
    transactionalId: to.transactionalId ?? null,
    acks: to.acks ?? -1,
    timeoutMs: 5_000,
    topicData: [
      {
        name: to.topic ?? '',
        topicId: to.topicId ?? ZERO_UUID,
        partitionData: [{ index: to.partition ?? 0, records }],
      },
    ],
  }
}

export async function produce(connection: Connection, batch: Buffer | null, to: ProduceTo): Promise<ProducedPartition> {
  const request = produceRequest(batch === null ? null : [batch], to)
  const answer = await connection.send(ProduceRequest, ProduceResponse, request, { version: to.version ?? 12 })
  return answer.responses[0]!.partitionResponses[0]!
}

export interface FetchOf {
  readonly topic?: string
  readonly topicId?: string
  readonly partition?: number
  readonly offset?: number
  readonly partitionMaxBytes?: number
  readonly currentLeaderEpoch?: number
  readonly lastFetchedEpoch?: number
}

export interface FetchTermsOf {
  readonly version?: number
  readonly maxWaitMs?: number
  readonly minBytes?: number
  readonly maxBytes?: number
  readonly isolationLevel?: number
  readonly sessionId?: number
  readonly sessionEpoch?: number
}

export type FetchAnswer = Infer<typeof FetchResponse>
export type FetchedPartition = FetchAnswer['responses'][number]['partitions'][number]

export function fetchRequest(partitions: readonly FetchOf[], terms: FetchTermsOf): Input<typeof FetchRequest> {
  return {
    maxWaitMs: terms.maxWaitMs ?? 0,
    minBytes: terms.minBytes ?? 1,
    maxBytes: terms.maxBytes ?? 50_000_000,
    isolationLevel: terms.isolationLevel ?? 0,
    ...(terms.sessionId === undefined ? {} : { sessionId: terms.sessionId }),
    ...(terms.sessionEpoch === undefined ? {} : { sessionEpoch: terms.sessionEpoch }),
    topics: partitions.map((asked) => ({
      topic: asked.topic ?? '',
      topicId: asked.topicId ?? ZERO_UUID,
      partitions: [
        {
          partition: asked.partition ?? 0,
          fetchOffset: asked.offset ?? 0,
          partitionMaxBytes: asked.partitionMaxBytes ?? 1_000_000,
          ...(asked.currentLeaderEpoch === undefined ? {} : { currentLeaderEpoch: asked.currentLeaderEpoch }),
          ...(asked.lastFetchedEpoch === undefined ? {} : { lastFetchedEpoch: asked.lastFetchedEpoch }),
        },
      ],
    })),
  }
}

export function fetchAll(
  connection: Connection,
  partitions: readonly FetchOf[],
  terms: FetchTermsOf = {},
): Promise<FetchAnswer> {
  const request = fetchRequest(partitions, terms)
  return connection.send(FetchRequest, FetchResponse, request, { version: terms.version ?? 12 })
}

export async function fetchOne(
  connection: Connection,
  partition: FetchOf,
  terms: FetchTermsOf = {},
): Promise<FetchedPartition> {
  const answer = await fetchAll(connection, [partition], terms)
  const row = answer.responses[0]?.partitions[0]
  if (row === undefined) throw new Error(`no row, top-level error ${answer.errorCode}`)
  return row
}

export function bytesOf(partition: Pick<FetchedPartition, 'records'>): Buffer {
  return Buffer.concat(partition.records ?? [])
}

export function recordsOf(partition: Pick<FetchedPartition, 'records'>): LogRecord[] {
  const data = bytesOf(partition)
  const records: LogRecord[] = []
  for (let position = 0; position < data.length; ) {
    const { sizeBytes } = readBatchHeader(data, position)
    records.push(...iterateRecords(data.subarray(position, position + sizeBytes)))
    position += sizeBytes
  }
  return records
}

export function valuesOf(partition: Pick<FetchedPartition, 'records'>): string[] {
  return recordsOf(partition).map(({ value }) => String(value))
}
