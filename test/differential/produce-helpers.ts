// Building what Produce cases send: batches good and bad, and requests around them.
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/00-produce.ts'
import type { Input } from '../../src/protocol/schema.ts'
import { type BatchInput, batchCrc, buildBatch, type RecordInput } from '../../src/records/batch.ts'
import type { DifferentialBroker } from './broker.ts'

/** One clock for both brokers. */
export const NOW = Date.now() - 60_000

export function record(value: string | null, more: Partial<RecordInput> = {}): RecordInput {
  return { timestamp: NOW, key: Buffer.from('key'), value: value === null ? null : Buffer.from(value), ...more }
}

export function batchOf(values: string[], more: Partial<BatchInput> = {}): Buffer {
  return buildBatch({ records: values.map((value, index) => record(value, { timestamp: NOW + index })), ...more })
}

/** Applies a change behind the checksum and makes the checksum right again. */
export function changed(batch: Buffer, change: (batch: Buffer) => void): Buffer {
  const copy = Buffer.from(batch)
  change(copy)
  copy.writeUInt32BE(batchCrc([copy]), 17)
  return copy
}

export interface ProduceOptions {
  acks?: number
  partition?: number
  transactionalId?: string | null
}

export function produceTo(
  topic: string,
  records: Buffer | null,
  options: ProduceOptions = {},
): Input<typeof ProduceRequest> {
  return {
    transactionalId: options.transactionalId ?? null,
    acks: options.acks ?? -1,
    timeoutMs: 10_000,
    topicData: [
      { name: topic, partitionData: [{ index: options.partition ?? 0, records: records === null ? null : [records] }] },
    ],
  }
}

/** Appends records that other cases read. */
export async function appendBatch(
  broker: DifferentialBroker,
  topic: string,
  partition: number,
  batch: Buffer,
): Promise<void> {
  const connection = await broker.connection('setup')
  const answer = await connection.send(ProduceRequest, ProduceResponse, produceTo(topic, batch, { partition }), {
    version: 9,
  })
  const row = answer.responses[0]?.partitionResponses[0]
  if (row?.errorCode !== 0)
    throw new Error(`${broker.target.kind}: produce to ${topic}: ${row?.errorCode} ${row?.errorMessage}`)
}

export function appendText(
  broker: DifferentialBroker,
  topic: string,
  partition: number,
  values: string[],
): Promise<void> {
  return appendBatch(broker, topic, partition, batchOf(values))
}
