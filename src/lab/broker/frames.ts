/**
 * Request frames built once and sent again and again, so that the generator's own cost stays small beside the broker's.
 * Every frame is complete: length prefix, header, body. Correlation ids repeat; brokers echo them and never look at them.
 */

import { encodeRequest } from '../../protocol/frame.ts'
import { ProduceRequest } from '../../protocol/messages/00-produce.ts'
import { FetchRequest } from '../../protocol/messages/01-fetch.ts'
import { buildBatch } from '../../records/batch.ts'

/** The last versions that name topics and are served by every Kafka since 2.3. */
export const PRODUCE_VERSION = 9
export const FETCH_VERSION = 11

export const CLIENT_ID = 'samsa-bench'

export interface BatchShape {
  /** Bytes of one record's value. */
  readonly recordBytes: number
  readonly recordsPerBatch: number
}

/** One uncompressed batch whose values are pseudo-random bytes, so that no layer below can squeeze them. */
export function benchBatch(shape: BatchShape): Buffer {
  const timestamp = Date.now()
  const records = Array.from({ length: shape.recordsPerBatch }, (_, index) => ({
    timestamp,
    key: null,
    value: pseudoRandomBytes(shape.recordBytes, index + 1),
  }))
  return buildBatch({ records })
}

export function produceFrame(options: { topic: string; partition: number; acks: number; batch: Buffer }): Buffer {
  return Buffer.concat(
    encodeRequest(ProduceRequest, PRODUCE_VERSION, 1, CLIENT_ID, {
      transactionalId: null,
      acks: options.acks,
      timeoutMs: 30_000,
      topicData: [{ name: options.topic, partitionData: [{ index: options.partition, records: [options.batch] }] }],
    }),
  )
}

export interface FetchShape {
  readonly topic: string
  readonly partition: number
  readonly maxBytes: number
  /** How long the broker may keep a Fetch that finds nothing new. */
  readonly maxWaitMs?: number
}

/** A sessionless Fetch; `patchFetchOffset` moves it on without encoding it again. */
export function fetchFrame(shape: FetchShape): { frame: Buffer; offsetPosition: number } {
  const encode = (fetchOffset: number) =>
    Buffer.concat(
      encodeRequest(FetchRequest, FETCH_VERSION, 1, CLIENT_ID, {
        replicaId: -1,
        maxWaitMs: shape.maxWaitMs ?? 500,
        minBytes: 1,
        maxBytes: shape.maxBytes,
        isolationLevel: 0,
        sessionId: 0,
        sessionEpoch: -1,
        topics: [
          {
            topic: shape.topic,
            partitions: [
              {
                partition: shape.partition,
                currentLeaderEpoch: -1,
                fetchOffset,
                logStartOffset: -1,
                partitionMaxBytes: shape.maxBytes,
              },
            ],
          },
        ],
        forgottenTopicsData: [],
        rackId: '',
      }),
    )
  // The offset is where two frames that differ only in it differ: its eight bytes end at the last difference.
  const zero = encode(0)
  const one = encode(1)
  const last = zero.findLastIndex((byte, index) => byte !== one[index])
  return { frame: zero, offsetPosition: last - 7 }
}

export function patchFetchOffset(fetch: { frame: Buffer; offsetPosition: number }, offset: number): void {
  fetch.frame.writeBigInt64BE(BigInt(offset), fetch.offsetPosition)
}

/** xorshift32: fast, seeded, good enough to be incompressible. */
function pseudoRandomBytes(length: number, seed: number): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  let state = (seed * 2654435761) >>> 0 || 1
  for (let index = 0; index < length; index++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    bytes[index] = state & 0xff
  }
  return bytes
}

/** Where the error code stands in the answer to `produceFrame`: after correlation 4, tags 1, topics 1, name 1 + n, partitions 1, index 4. */
export function produceErrorPosition(topic: string): number {
  return 4 + 1 + 1 + 1 + Buffer.byteLength(topic) + 1 + 4
}

/** In the answer to `fetchFrame`: after correlation 4, throttle 4, error 2, session 4, topics 4, name 2 + n, partitions 4, index 4. */
export function fetchErrorPosition(topic: string): number {
  return 4 + 4 + 2 + 4 + 4 + 2 + Buffer.byteLength(topic) + 4 + 4
}

/** What an answer with one partition holds besides its batches: error 2, three offsets 8, aborted 4, preferred replica 4, length 4. */
export function fetchAnswerOverhead(topic: string): number {
  return fetchErrorPosition(topic) + 2 + 8 + 8 + 8 + 4 + 4 + 4
}
