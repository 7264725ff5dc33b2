/** Messages and batches in kafkajs' shapes: offsets and times are text, keys and values views of what was fetched. */
import type { Message as ClientMessage, MessageHeader } from '../client/consumer/message.ts'
import type { MessageBatch } from '../client/consumer/streams.ts'
import type { Batch, IHeaders, KafkaMessage } from './types.ts'

/** A header that occurs several times is a list. */
function headersOf(headers: readonly MessageHeader[]): IHeaders {
  if (headers.length === 0) return {}
  const found = new Map<string, IHeaders[string]>()
  for (const { key, value } of headers) {
    // kafkajs' types know no header without a value; its consumers give null all the same.
    const own = value as Buffer
    const known = found.get(key)
    if (Array.isArray(known)) known.push(own)
    else found.set(key, known === undefined ? own : [known as Buffer, own])
  }
  // Not set one by one: a header may be called `constructor`, or `__proto__`.
  return Object.fromEntries(found)
}

function messageOf(message: ClientMessage): KafkaMessage {
  return {
    key: message.rawKey,
    value: message.rawValue,
    timestamp: String(message.timestamp),
    // Of a record, not of its batch: the protocol has none.
    attributes: 0,
    offset: String(message.offset),
    headers: headersOf(message.headers),
  }
}

/** What one turn at a partition brought; there is at least one message. */
export class FetchedBatch implements Batch {
  readonly topic: string
  readonly partition: number
  readonly highWatermark: string
  readonly messages: KafkaMessage[]
  /** Where reading goes on: past what follows the last message and is no message. */
  readonly nextOffset: number
  readonly startOffset: number
  private readonly end: number

  constructor(batch: MessageBatch<Buffer, Buffer>) {
    this.topic = batch.topic
    this.partition = batch.partition
    this.highWatermark = String(batch.highWatermark)
    this.end = batch.highWatermark
    this.messages = batch.messages.map(messageOf)
    this.nextOffset = batch.nextOffset
    this.startOffset = batch.messages[0]?.offset ?? batch.nextOffset
  }

  isEmpty(): boolean {
    return this.messages.length === 0
  }

  firstOffset(): string | null {
    return this.isEmpty() ? null : String(this.startOffset)
  }

  lastOffset(): string {
    return String(this.nextOffset - 1)
  }

  /** Behind the end of the partition after this batch. */
  offsetLag(): string {
    return String(Math.max(0, this.end - this.nextOffset))
  }

  /** The same, before it. */
  offsetLagLow(): string {
    return this.isEmpty() ? '0' : String(this.end - 1 - this.startOffset)
  }
}
