/** Which partition a record goes to, where the caller does not say. */
import { KafkaError } from '../errors.ts'
import type { KeyBytes } from './batch.ts'
import { murmur2 } from './murmur2.ts'

/** What a partitioner of your own decides by. */
export interface PartitionerInput {
  /** The record's topic. */
  readonly topic: string
  /** A view, valid during the call. */
  readonly key: Uint8Array | null
  /** Partitions that the topic has: the answer is less. */
  readonly partitionCount: number
}

/** Answers a partition from 0 on, or null to leave it to the sticky choice. */
export type CustomPartitioner = (input: PartitionerInput) => number | null

/**
 * - `murmur2`: the key's hash as Java's client computes it; records without a key stick to a partition for a batch's worth
 *   of bytes, and the next one is drawn at random, less often where more is waiting already (KIP-480, KIP-794).
 * - `sticky`: as if no record had a key.
 * - `round-robin`: one after the other, whatever the key.
 */
export type Partitioner = 'murmur2' | 'sticky' | 'round-robin' | CustomPartitioner

/** What the choice needs to know of a topic's partitions. */
export interface PartitionsView {
  readonly count: number
  /** Batches that wait for this partition. */
  queued(partition: number): number
  isAvailable(partition: number): boolean
}

const STICKY_BYTES_MIN = 16 * 1024

/** The choices for one topic. */
export class PartitionChooser {
  private readonly topic: string
  private readonly partitioner: Partitioner
  private readonly stickyBytes: number
  private sticky = -1
  private bytesSinceSwitch = 0
  private next = 0

  constructor(topic: string, partitioner: Partitioner, batchBytes: number) {
    this.topic = topic
    this.partitioner = partitioner
    this.stickyBytes = Math.max(STICKY_BYTES_MIN, batchBytes)
    this.next = Math.floor(Math.random() * 0x7fffffff)
  }

  choose(key: KeyBytes | null, view: PartitionsView): number {
    const { partitioner } = this
    if (typeof partitioner === 'function') return this.custom(partitioner, key, view)
    if (partitioner === 'round-robin') return this.roundRobin(view)
    if (partitioner === 'murmur2' && key !== null) return (murmur2(key.bytes, key.length) & 0x7fffffff) % view.count
    return this.stickyPartition(view)
  }

  /** So many bytes went to the sticky partition, or perhaps to another one: only the sticky one counts. */
  wrote(partition: number, bytes: number): void {
    if (partition !== this.sticky) return
    this.bytesSinceSwitch += bytes
    if (this.bytesSinceSwitch >= this.stickyBytes) this.sticky = -1
  }

  /** A batch of the partition left: a good moment to go on to another one, if there was something in it. */
  batchLeft(partition: number): void {
    if (partition === this.sticky && this.bytesSinceSwitch >= STICKY_BYTES_MIN) this.sticky = -1
  }

  private custom(partitioner: CustomPartitioner, key: KeyBytes | null, view: PartitionsView): number {
    const bytes = key?.bytes.subarray(0, key.length) ?? null
    const partition = partitioner({ topic: this.topic, key: bytes, partitionCount: view.count })
    if (partition === null) return this.stickyPartition(view)
    if (Number.isInteger(partition) && partition >= 0 && partition < view.count) return partition
    const message = `the partitioner answered ${partition} for topic '${this.topic}', which has ${view.count} partitions`
    throw new KafkaError('ERR_INVALID_RECORD', message)
  }

  private roundRobin(view: PartitionsView): number {
    for (let tries = 0; tries < view.count; tries++) {
      this.next = (this.next + 1) & 0x7fffffff
      const partition = this.next % view.count
      if (view.isAvailable(partition)) return partition
    }
    return this.next % view.count
  }

  private stickyPartition(view: PartitionsView): number {
    if (this.sticky >= 0 && this.sticky < view.count) return this.sticky
    this.bytesSinceSwitch = 0
    this.sticky = drawPartition(view, Math.random())
    return this.sticky
  }
}

/** A partition at random (`draw` in [0, 1)), the likelier the fewer batches wait for it; with no leader it is not drawn. */
export function drawPartition(view: PartitionsView, draw: number): number {
  let longest = 0
  let available = 0
  for (let partition = 0; partition < view.count; partition++) {
    if (!view.isAvailable(partition)) continue
    available += 1
    longest = Math.max(longest, view.queued(partition))
  }
  if (available === 0) return Math.floor(draw * view.count)
  let sum = 0
  for (let partition = 0; partition < view.count; partition++) {
    if (view.isAvailable(partition)) sum += longest + 1 - view.queued(partition)
  }
  let rest = draw * sum
  for (let partition = 0; partition < view.count; partition++) {
    if (!view.isAvailable(partition)) continue
    rest -= longest + 1 - view.queued(partition)
    if (rest < 0) return partition
  }
  return view.count - 1
}
