/**
 * Replays the batches of Kafka's metadata log, or of a snapshot of it, into a KafkaMetadata: control records, the log's own
 * transactions (KIP-868), and records that must not be passed over.
 *
 * What must hold: the records between the begin and the end of a transaction count together or not at all; one that is open at
 * the end of the log never happened.
 */
import { ProtocolError } from '../../protocol/errors.ts'
import { iterateRecords, type Record, RecordError } from '../../records/batch.ts'
import type { FileBatch } from '../../records/batch-file.ts'
import { CONTROL_BIT } from '../../records/header.ts'
import { decodeQuorumRecord } from './control-records.ts'
import { KafkaMetadata, KafkaMetadataError } from './kafka-metadata.ts'
import { decodeMetadataRecord, type MetadataRecord } from './records.ts'

export class MetadataReplay {
  readonly metadata = new KafkaMetadata()
  /** Ids of the nodes that vote; null: nobody was elected yet. */
  voters: readonly number[] | null = null
  kraftVersion = 0
  records = 0
  /** A snapshot's end has been seen. */
  sawFooter = false
  /** Records of a transaction that is not over. */
  #open: MetadataRecord[] | null = null

  /** Records that would have happened if their transaction had ended. */
  get openRecords(): number {
    return this.#open?.length ?? 0
  }

  /** A snapshot is whole: what begins in it ends in it. */
  get isInTransaction(): boolean {
    return this.#open !== null
  }

  /** Applies what lies at or above the offset. Throws a KafkaMetadataError that says what cannot be read, and at which offset. */
  batch({ bytes, header }: FileBatch, fromOffset = 0): void {
    const isControl = header !== null && (header.attributes & CONTROL_BIT) !== 0
    try {
      for (const record of iterateRecords(bytes)) {
        if (record.offset < fromOffset) continue
        if (isControl) this.#control(record)
        else this.#data(record)
      }
    } catch (error) {
      if (!(error instanceof RecordError || error instanceof ProtocolError)) throw error
      throw new KafkaMetadataError(
        `the batch at offset ${header?.baseOffset ?? 'unknown'} is malformed: ${error.message}`,
      )
    }
  }

  #control(record: Record): void {
    const decoded = decodeQuorumRecord(record)
    if (decoded === null) return
    if (decoded.type === 'LeaderChange') this.voters = decoded.fields.voters.map(({ voterId }) => voterId)
    else if (decoded.type === 'KRaftVoters') this.voters = decoded.fields.voters.map(({ voterId }) => voterId)
    else if (decoded.type === 'KRaftVersion') this.kraftVersion = decoded.fields.kRaftVersion
    else if (decoded.type === 'SnapshotFooter') this.sawFooter = true
  }

  #data({ offset, value }: Record): void {
    const decoded = decodeMetadataRecord(value)
    if (decoded.kind !== 'known') throw new KafkaMetadataError(`record ${offset} cannot be read: ${decoded.reason}`)
    const { record } = decoded
    this.records++
    try {
      if (record.type === 'BeginTransaction') this.#begin()
      else if (record.type === 'EndTransaction') this.#end()
      else if (record.type === 'AbortTransaction') this.#abort()
      else if (this.#open !== null) this.#open.push(record)
      else this.metadata.replay(record)
    } catch (error) {
      if (!(error instanceof KafkaMetadataError)) throw error
      throw new KafkaMetadataError(`record ${offset}: ${error.message}`)
    }
  }

  #begin(): void {
    if (this.#open !== null) throw new KafkaMetadataError('a transaction begins within another one')
    this.#open = []
  }

  #end(): void {
    for (const record of this.#opened()) this.metadata.replay(record)
    this.#open = null
  }

  #abort(): void {
    this.#opened()
    this.#open = null
  }

  #opened(): readonly MetadataRecord[] {
    if (this.#open === null) throw new KafkaMetadataError('a transaction ends that did not begin')
    return this.#open
  }
}
