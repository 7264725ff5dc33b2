/**
 * Writes the markers that end transactions into partitions that this broker leads, for its transaction coordinator and for
 * WriteTxnMarkers. A marker in `__consumer_offsets` settles the offsets of its transaction as well.
 */
import { OFFSETS_TOPIC } from '../coordinator/config.ts'
import type { GroupCoordinator } from '../coordinator/runtime.ts'
import type { MarkerWriter, TransactionMarker } from '../coordinator/txn/markers.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { readBatchHeader } from '../records/batch.ts'
import { buildEndTransactionBatch } from '../records/control.ts'
import type { Clock } from '../storage/clock.ts'
import type { Timers } from '../storage/timers.ts'
import type { Partitions } from './partitions.ts'

export interface MarkerWriterDependencies {
  readonly partitions: Partitions
  readonly groups: GroupCoordinator
  readonly clock: Clock
  readonly timers: Timers
}

export class PartitionMarkerWriter implements MarkerWriter {
  readonly #dependencies: MarkerWriterDependencies

  constructor(dependencies: MarkerWriterDependencies) {
    this.#dependencies = dependencies
  }

  write(marker: TransactionMarker, topic: string, index: number, done: (errorCode: ErrorCode) => void): void {
    const refused = this.#append(marker, topic, index, (errorCode) => {
      // Before anybody hears of it: whoever asks for the group's offsets then must see them.
      if (errorCode === ErrorCode.NONE && topic === OFFSETS_TOPIC) {
        this.#dependencies.groups.transactionEnded(index, marker.producerId, marker.committed)
      }
      done(errorCode)
    })
    if (refused !== ErrorCode.NONE) this.#dependencies.timers.endOfTurn(() => done(refused))
  }

  #append(marker: TransactionMarker, topic: string, index: number, done: (errorCode: ErrorCode) => void): ErrorCode {
    const partition = this.#dependencies.partitions.get(topic, index)
    if (partition === undefined) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    if (!partition.isLeader) return ErrorCode.NOT_LEADER_OR_FOLLOWER
    const { log, leaderEpoch } = partition
    if (log === null) return ErrorCode.KAFKA_STORAGE_ERROR
    const { producerId, producerEpoch, committed, coordinatorEpoch, transactionVersion } = marker
    const nowMs = this.#dependencies.clock.now()
    const type = committed ? 'commit' : 'abort'
    const batch = buildEndTransactionBatch({
      producerId,
      producerEpoch,
      type,
      coordinatorEpoch,
      timestamp: nowMs,
      leaderEpoch,
    })
    const checked = { header: readBatchHeader(batch, 0), chunks: [batch] }
    return log.append(checked, { leaderEpoch, origin: 'coordinator', transactionVersion, nowMs, done }).errorCode
  }
}
