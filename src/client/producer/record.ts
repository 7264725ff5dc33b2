/** What a producer takes and what it answers. */
import type { Bytes } from '../serdes/serde.ts'

/** Bytes, text (written as UTF-8), or null. */
export type HeaderValue = Bytes | null

/** By name, or as a list where the order matters or a name occurs twice. */
export type HeadersInput =
  | Readonly<Record<string, HeaderValue>>
  | readonly { readonly key: string; readonly value: HeaderValue }[]

/** A record to be sent. */
export interface ProducerRecord<V = Bytes, K = Bytes> {
  /** Where it goes. */
  readonly topic: string
  /** Null is a tombstone: in a compacted topic it deletes the key. */
  readonly value: V | null
  /** Records of one key go to one partition, in order. */
  readonly key?: K | null | undefined
  /** Names and values that go with it. Default: none. */
  readonly headers?: HeadersInput | undefined
  /** Without it the partitioner decides. */
  readonly partition?: number | undefined
  /** Milliseconds since 1970; without it the time of the call. */
  readonly timestamp?: number | undefined
}

/** Where an acknowledged record is. */
export interface RecordMetadata {
  /** Its topic. */
  readonly topic: string
  /** Its partition. */
  readonly partition: number
  /** -1 with acks 0, where no broker tells it. */
  readonly offset: number
  /** Milliseconds since 1970: the record's own, or the broker's where the topic asks for that (LogAppendTime). */
  readonly timestamp: number
}

/** A record whose key and value are bytes or text: what waits and what is appended. */
export interface EncodedRecord {
  readonly topic: string
  readonly key: Bytes | null
  readonly value: Bytes | null
  readonly headers: HeadersInput | undefined
  readonly partition: number
  readonly timestamp: number
}

/** Objects and promises beside the record's own bytes. */
export const RECORD_OVERHEAD_BYTES = 200

/** What a record that waits takes of the memory, about. */
export function sizeOfRecord({ key, value, headers }: EncodedRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0)
  for (const header of headerList(headers)) bytes += header.key.length + (header.value?.length ?? 0)
  return bytes
}

/** With bytes of its own: the caller may change its buffers. */
export function ownedRecord(record: EncodedRecord): EncodedRecord {
  const { key, value, headers } = record
  return {
    ...record,
    key: copyOf(key),
    value: copyOf(value),
    headers: headers === undefined ? undefined : ownHeaders(headers),
  }
}

export function ownHeaders(headers: HeadersInput): HeadersInput {
  return headerList(headers).map(({ key, value }) => ({ key, value: copyOf(value) }))
}

export function copyOf<T extends Bytes | null>(bytes: T): T | Buffer {
  return bytes instanceof Uint8Array ? Buffer.from(bytes) : bytes
}

export function isHeaderList(headers: HeadersInput): headers is readonly { key: string; value: HeaderValue }[] {
  return Array.isArray(headers)
}

function headerList(
  headers: HeadersInput | undefined,
): readonly { readonly key: string; readonly value: HeaderValue }[] {
  if (headers === undefined) return []
  return isHeaderList(headers) ? headers : Object.entries(headers).map(([key, value]) => ({ key, value }))
}
